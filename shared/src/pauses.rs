//! The pauses between tries of one invocation.
//!
//! The one module that names `backoff`. It decides how long, never whether.

use std::time::Duration;

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff as _};
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// For who waits for another's work, and looks whether it is done.
const FIRST_LOOK: Duration = Duration::from_millis(150);
const LONGEST_LOOK: Duration = Duration::from_millis(800);

/// Exponential backoff with jitter, up to a point in time.
pub struct Pauses {
    intervals: ExponentialBackoff,
    until: Instant,
}

impl Pauses {
    /// Every pause ends before this.
    #[must_use]
    pub fn until(until: Instant) -> Self {
        Self::between(FIRST_PAUSE, LONGEST_PAUSE, until)
    }

    /// Short ones, between looks at what somebody else is at: many who wait do not look at the same time.
    #[must_use]
    pub fn of_looks(until: Instant) -> Self {
        Self::between(FIRST_LOOK, LONGEST_LOOK, until)
    }

    fn between(first: Duration, longest: Duration, until: Instant) -> Self {
        let intervals = ExponentialBackoffBuilder::new()
            .with_initial_interval(first)
            .with_multiplier(2.0)
            .with_randomization_factor(0.3)
            .with_max_interval(longest)
            .with_max_elapsed_time(None)
            .build();
        Self { intervals, until }
    }

    /// Sleeps for the next pause, or for `at_least` if that is longer. Returns `false` at once where the
    /// pause would not end in time.
    pub async fn next(&mut self, at_least: Option<Duration>) -> bool {
        let Some(interval) = self.intervals.next_backoff() else { return false };
        let pause = interval.max(at_least.unwrap_or_default());
        if pause >= self.until.saturating_duration_since(Instant::now()) {
            return false;
        }
        tokio::time::sleep(pause).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    async fn a_pause_lasts_as_long_as_was_asked_or_is_not_made() {
        let began = Instant::now();
        let mut pauses = Pauses::until(began + Duration::from_secs(12));
        assert!(pauses.next(Some(Duration::from_secs(7))).await);
        assert_eq!(began.elapsed().as_secs(), 7);
        assert!(!pauses.next(Some(Duration::from_secs(7))).await);
        assert_eq!(began.elapsed().as_secs(), 7);
    }
}
