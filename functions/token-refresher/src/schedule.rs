//! When a message of the upkeep queue comes back that could not be done, by the number of its receives. Pure.
//!
//! The queue delivers a message more often than any schedule here is long, because what Lambda throttles counts as received. After
//! a schedule's end the receives are used up, a minute each, and the dead-letter queue is left; but a refresh is acknowledged.

use std::time::Duration;

use shared::custody::upkeep::Upkeep;

/// The visibility timeouts after the first receives.
struct Schedule {
    seconds: &'static [u64],
    /// So many receives follow the schedule, whose last pause is repeated.
    receives: u32,
}

/// An outage of Salesforce's of some hours is waited for. Then the row is the record: the next sweep queues it again.
const REFRESH: Schedule = Schedule { seconds: &[60, 300, 900, 1_800, 3_600], receives: 12 };
/// While tokens are not stored, the row has a refresh token that is used up: nothing is more urgent.
const STORE: Schedule = Schedule { seconds: &[2, 5, 10, 20, 30], receives: 5 };
/// Nobody waits for it, and an outage may last for hours: as the exchanger's revocations.
const REVOKE: Schedule = Schedule { seconds: &[10, 60, 300, 900, 1_800, 3_600, 7_200, 14_400], receives: 11 };
/// A page stands for all those after it.
const SWEEP: Schedule = Schedule { seconds: &[5, 15, 60, 300, 900], receives: 12 };
/// A message that cannot be read: a version that is deployed meanwhile may understand it.
const UNREADABLE: Schedule = Schedule { seconds: &[], receives: 0 };

/// The visibility timeout after the end of a schedule.
const AFTERWARDS: Duration = Duration::from_mins(1);

/// The visibility timeout of a message that was received so many times; `None`: it could not be read.
pub(crate) fn visibility_timeout(message: Option<&Upkeep>, receives: u32) -> Duration {
    let Schedule { seconds, receives: until } = schedule(message);
    match seconds.last() {
        Some(last) if receives <= *until => {
            let index = usize::try_from(receives.saturating_sub(1)).unwrap_or(usize::MAX);
            Duration::from_secs(*seconds.get(index).unwrap_or(last))
        }
        _ => AFTERWARDS,
    }
}

/// Whether a message that could not be done is acknowledged after so many receives.
pub(crate) fn is_given_up(message: &Upkeep, receives: u32) -> bool {
    matches!(message, Upkeep::Refresh { .. }) && receives >= REFRESH.receives
}

const fn schedule(message: Option<&Upkeep>) -> &'static Schedule {
    match message {
        Some(Upkeep::Sweep(_)) => &SWEEP,
        Some(Upkeep::Refresh { .. }) => &REFRESH,
        Some(Upkeep::Store { .. }) => &STORE,
        Some(Upkeep::Revoke(_)) => &REVOKE,
        None => &UNREADABLE,
    }
}

#[cfg(test)]
mod tests {
    use shared::connection::SealedText;

    use super::*;

    fn message(body: &str) -> Upkeep {
        Upkeep::parse(body).unwrap()
    }

    fn refresh() -> Upkeep {
        message(r#"{"v":1,"refresh":{"wa_id":"whatsapp:+15551234567"}}"#)
    }

    fn store() -> Upkeep {
        let tokens = SealedText::parse("sealed:v1:YQ:YQ:YQ").unwrap();
        Upkeep::Store { wa_id: "whatsapp:+15551234567".parse().unwrap(), tokens }
    }

    fn seconds(message: Option<&Upkeep>, receives: impl IntoIterator<Item = u32>) -> Vec<u64> {
        receives.into_iter().map(|receives| visibility_timeout(message, receives).as_secs()).collect()
    }

    #[test]
    fn a_refresh_waits_for_an_outage_of_hours_and_is_given_up_then() {
        let refresh = refresh();
        assert_eq!(seconds(Some(&refresh), 1..=7), [60, 300, 900, 1_800, 3_600, 3_600, 3_600]);
        assert!(seconds(Some(&refresh), 1..REFRESH.receives).iter().sum::<u64>() > 6 * 3_600);
        assert!(!is_given_up(&refresh, REFRESH.receives - 1));
        assert!(is_given_up(&refresh, REFRESH.receives));
    }

    #[test]
    fn tokens_are_stored_within_a_minute_of_a_cure() {
        let store = store();
        assert_eq!(seconds(Some(&store), [0, 1, 2, 3, 4, 5, 6, 7, 400]), [2, 2, 5, 10, 20, 30, 60, 60, 60]);
        assert!(!is_given_up(&store, u32::MAX));
    }

    #[test]
    fn a_revocation_is_tried_for_most_of_a_day() {
        let body = r#"{"v":1,"revoke":{"wa_id":"whatsapp:+15551234567","token":"sealed:v1:YQ:YQ:YQ","hosts":[]}}"#;
        let pauses = seconds(Some(&message(body)), 1..=12);
        assert_eq!(pauses, [10, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 14_400, 14_400, 14_400, 60]);
    }

    #[test]
    fn a_page_of_a_sweep_is_read_again_within_seconds() {
        let sweep = message(r#"{"v":1,"sweep":{}}"#);
        assert_eq!(seconds(Some(&sweep), [1, 2, 3, 4, 5, 12, 13]), [5, 15, 60, 300, 900, 900, 60]);
    }

    #[test]
    fn a_message_that_cannot_be_read_waits_for_a_version_that_reads_it() {
        assert_eq!(seconds(None, [1, 2, 100]), [60, 60, 60]);
    }
}
