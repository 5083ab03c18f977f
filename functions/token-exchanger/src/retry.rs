//! When to try again: the pauses inside an invocation, and how long a message then stays away.
//!
//! The one module that names `backoff`. It decides how long, never whether.

use std::time::Duration;

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff as _};
use tokio::time::Instant;

use crate::budget::left;

/// How long a message is invisible after its first receive that failed, its second, and so on.
const VISIBILITY_SECONDS: [u64; 6] = [2, 5, 15, 40, 90, 180];
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// How long a message that was received so often stays invisible.
pub(crate) fn visibility(receives: u32) -> Duration {
    let index = usize::try_from(receives.saturating_sub(1)).unwrap_or(usize::MAX);
    Duration::from_secs(VISIBILITY_SECONDS[index.min(VISIBILITY_SECONDS.len() - 1)])
}

/// Growing pauses between tries, with some chance in them, up to a point in time.
pub(crate) struct Pauses {
    intervals: ExponentialBackoff,
    until: Instant,
}

impl Pauses {
    /// Pauses that all end before this.
    pub(crate) fn until(until: Instant) -> Self {
        let intervals = ExponentialBackoffBuilder::new()
            .with_initial_interval(FIRST_PAUSE)
            .with_multiplier(2.0)
            .with_randomization_factor(0.3)
            .with_max_interval(LONGEST_PAUSE)
            .with_max_elapsed_time(None)
            .build();
        Self { intervals, until }
    }

    /// Waits for the next pause, or longer if `at_least` says so. `false`, at once, where the
    /// pause would not end in time.
    pub(crate) async fn next(&mut self, at_least: Option<Duration>) -> bool {
        let Some(interval) = self.intervals.next_backoff() else { return false };
        let pause = interval.max(at_least.unwrap_or_default());
        if pause >= left(self.until) {
            return false;
        }
        tokio::time::sleep(pause).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_away_longer_each_time() {
        let seconds: Vec<_> = (1..=8).map(|receives| visibility(receives).as_secs()).collect();
        assert_eq!(seconds, [2, 5, 15, 40, 90, 180, 180, 180]);
        assert_eq!(visibility(0).as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end_in_time() {
        let began = Instant::now();
        let mut pauses = Pauses::until(began + Duration::from_secs(12));
        let mut tries = 0;
        while pauses.next(None).await {
            tries += 1;
        }
        assert!((4..=8).contains(&tries), "{tries}");
        assert!(began.elapsed() < Duration::from_secs(12));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_as_long_as_it_was_asked_to_be_or_is_not_made() {
        let began = Instant::now();
        let mut pauses = Pauses::until(began + Duration::from_secs(12));
        assert!(pauses.next(Some(Duration::from_secs(7))).await);
        assert_eq!(began.elapsed().as_secs(), 7);
        assert!(!pauses.next(Some(Duration::from_secs(7))).await);
        assert_eq!(began.elapsed().as_secs(), 7);
    }
}
