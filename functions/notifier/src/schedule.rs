//! When an outcome that is not told completely is tried again: about a day in all.
//!
//! The pause depends on the time since the message was put on the retry queue, and not on how often it was received: a
//! throttled function uses up receives. A redrive begins anew. For hours the pause is shorter than a minute, so that
//! everybody is told within a minute of a cure.

use std::time::Duration;

/// When the retry queue delivers a message first.
pub(crate) const FIRST: Duration = Duration::from_secs(5);

/// Until a message is so old, it comes back after such a pause.
const PAUSES: [(Duration, Duration); 5] = [
    (Duration::from_secs(20), Duration::from_secs(5)),
    (Duration::from_mins(1), Duration::from_secs(15)),
    (Duration::from_hours(3), Duration::from_secs(45)),
    (Duration::from_hours(6), Duration::from_mins(5)),
    (Duration::from_hours(24), Duration::from_mins(15)),
];

/// After the last of them the queue's receives are used up: there are more than the schedule needs, because throttled
/// deliveries count too.
const USE_UP: Duration = Duration::from_mins(1);

/// The pause after a try of a message that is so old.
pub(crate) fn pause(age: Duration) -> Duration {
    PAUSES.into_iter().find(|(until, _)| age < *until).map_or(USE_UP, |(_, pause)| pause)
}

/// How old a message to a person is each time that its provider is asked what became of it.
const CHECKS: [Duration; 5] = [
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(50),
    Duration::from_mins(5),
    Duration::from_hours(1),
];

/// When the provider is asked first.
pub(crate) const FIRST_CHECK: Duration = CHECKS[0];

/// Deliveries come some seconds late.
const LATE: Duration = Duration::from_secs(5);

/// The pause until the provider is asked again of a message to a person that is so old; `None` after the last time.
pub(crate) fn next_check(message_age: Duration) -> Option<Duration> {
    CHECKS.into_iter().find(|at| *at > message_age + LATE).map(|at| at.saturating_sub(message_age))
}

/// Whether the provider is to be asked now, by a pointer that comes back with this pause for another reason.
pub(crate) fn is_check(message_age: Duration, pause: Duration) -> bool {
    let age = message_age + LATE;
    next_check(message_age).is_none() || CHECKS.into_iter().any(|at| at <= age && age < at + pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How old a message is at each of its receives, if each takes no time.
    fn ages() -> impl Iterator<Item = Duration> {
        std::iter::successors(Some(FIRST), |age| Some(*age + pause(*age)))
    }

    #[test]
    fn a_provider_is_asked_within_seconds_and_for_an_hour() {
        let asked = |age: Option<Duration>| age.and_then(|age| Some(age + next_check(age)?));
        let ages: Vec<_> = std::iter::successors(Some(FIRST_CHECK), |age| asked(Some(*age))).collect();
        assert_eq!(ages, CHECKS);
        assert_eq!(next_check(Duration::from_secs(56)), Some(Duration::from_secs(244)), "a late delivery");
        assert_eq!(next_check(Duration::from_hours(2)), None);
    }

    #[test]
    fn who_comes_for_another_reason_asks_once_at_each_time() {
        let asks = |pause: u64| {
            let ages = (0..=3600).step_by(usize::try_from(pause).unwrap());
            ages.filter(|age| is_check(Duration::from_secs(*age), Duration::from_secs(pause))).collect::<Vec<_>>()
        };
        assert_eq!(asks(5)[..5], [10, 25, 45, 295, 3595]);
        assert_eq!(asks(45), [45, 315, 3600]);
        assert!(is_check(Duration::from_hours(2), Duration::from_secs(45)), "it is the last time, however late");
    }

    #[test]
    fn the_first_tries_come_within_seconds() {
        let seconds: Vec<_> = ages().map(|age| age.as_secs()).take(8).collect();
        assert_eq!(seconds, [5, 10, 15, 20, 35, 50, 65, 110]);
    }

    #[test]
    fn for_three_hours_a_cure_is_noticed_within_a_minute() {
        assert!(ages().map(pause).take_while(|pause| *pause < Duration::from_mins(1)).count() > 200);
        assert!(pause(Duration::from_hours(3) - Duration::from_secs(1)) < Duration::from_mins(1));
    }

    #[test]
    fn the_queue_delivers_a_message_for_a_day_and_not_much_longer() {
        let receives = fakes::template::number("NotifierRetryQueue", "maxReceiveCount");
        let last = ages().nth(receives - 1).unwrap();
        assert!(last > Duration::from_hours(24) && last < Duration::from_hours(28), "{last:?}");
    }

    #[test]
    fn throttled_receives_of_a_whole_day_do_not_end_it_early() {
        let receives = fakes::template::number("NotifierRetryQueue", "maxReceiveCount");
        let visibility = fakes::template::number("NotifierRetryQueue", "VisibilityTimeout");
        assert!(receives * visibility >= 24 * 3600);
    }
}
