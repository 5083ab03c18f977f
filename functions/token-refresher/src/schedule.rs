//! When a message of the upkeep queue comes back that could not be done, by the number of its receives. Pure.
//!
//! The queue delivers a message far more often than most schedules here are long: for hours, for the sake of tokens that are to be
//! stored. What is given up before uses up the other receives within minutes, and is a dead letter then; but a refresh is
//! acknowledged, because its row is the record.

use std::time::Duration;

use shared::custody::upkeep::Upkeep;

/// The visibility timeouts after a message's receives.
struct Schedule {
    /// The last one is repeated.
    seconds: &'static [u64],
    /// After so many receives the message is given up.
    tries: u32,
}

/// An outage of Salesforce's of some hours is waited for. Then the row is the record: the next sweep queues it again.
const REFRESH: Schedule = Schedule { seconds: &[60, 300, 900, 1_800, 3_600], tries: 12 };
/// While tokens are not stored, the row has a refresh token that is used up: nothing is more urgent, and nothing is given up. Nor
/// is the end of the time for a confirmation: without it tokens would be held for weeks.
const STORE: Schedule = Schedule { seconds: &[2, 5, 10, 20, 30, 60], tries: u32::MAX };
/// Nobody waits for it, and an outage may last for hours: as the exchanger's revocations.
const REVOKE: Schedule = Schedule { seconds: &[10, 60, 300, 900, 1_800, 3_600, 7_200, 14_400], tries: 11 };
/// A page stands for all those after it.
const SWEEP: Schedule = Schedule { seconds: &[5, 15, 60, 300, 900], tries: 12 };
/// A message that cannot be read: a version that is deployed meanwhile may understand it.
const UNREADABLE: Schedule = Schedule { seconds: &[60], tries: 10 };

/// The visibility timeout of a message that is given up.
const USE_UP: Duration = Duration::from_secs(2);

/// The visibility timeout of a message that was received so many times; `None`: it could not be read.
pub(crate) fn visibility_timeout(message: Option<&Upkeep>, receives: u32) -> Duration {
    let Schedule { seconds, tries } = schedule(message);
    if receives > *tries {
        return USE_UP;
    }
    let index = usize::try_from(receives.saturating_sub(1)).unwrap_or(usize::MAX);
    Duration::from_secs(seconds[index.min(seconds.len() - 1)])
}

/// Whether a message that was received so many times is tried no more; `None`: it could not be read.
pub(crate) fn is_given_up(message: Option<&Upkeep>, receives: u32) -> bool {
    receives > schedule(message).tries
}

/// Whether a message that could not be done is acknowledged after so many receives.
pub(crate) fn is_left_to_the_sweep(message: &Upkeep, receives: u32) -> bool {
    matches!(message, Upkeep::Refresh { .. }) && receives >= REFRESH.tries
}

const fn schedule(message: Option<&Upkeep>) -> &'static Schedule {
    match message {
        Some(Upkeep::Sweep | Upkeep::Page(_)) => &SWEEP,
        Some(Upkeep::Refresh { .. }) => &REFRESH,
        Some(Upkeep::Store { .. } | Upkeep::Decide(_)) => &STORE,
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
    fn a_refresh_waits_for_an_outage_of_hours_and_is_left_to_the_sweep_then() {
        let refresh = refresh();
        assert_eq!(seconds(Some(&refresh), 1..=7), [60, 300, 900, 1_800, 3_600, 3_600, 3_600]);
        assert!(seconds(Some(&refresh), 1..REFRESH.tries).iter().sum::<u64>() > 6 * 3_600);
        assert!(!is_left_to_the_sweep(&refresh, REFRESH.tries - 1));
        assert!(is_left_to_the_sweep(&refresh, REFRESH.tries));
    }

    #[test]
    fn tokens_are_stored_within_a_minute_of_a_cure() {
        let store = store();
        assert_eq!(seconds(Some(&store), [0, 1, 2, 3, 4, 5, 6, 7, 400]), [2, 2, 5, 10, 20, 30, 60, 60, 60]);
        assert!(!is_given_up(Some(&store), u32::MAX) && !is_left_to_the_sweep(&store, u32::MAX));
    }

    #[test]
    fn a_revocation_is_tried_for_most_of_a_day() {
        let body = r#"{"v":1,"revoke":{"wa_id":"whatsapp:+15551234567","token":"sealed:v1:YQ:YQ:YQ","hosts":[]}}"#;
        let pauses = seconds(Some(&message(body)), 1..=12);
        assert_eq!(pauses, [10, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 14_400, 14_400, 14_400, 2]);
        assert!(!is_given_up(Some(&message(body)), 11) && is_given_up(Some(&message(body)), 12));
    }

    #[test]
    fn a_page_of_a_sweep_is_read_again_within_seconds() {
        let sweep = message(r#"{"v":1,"sweep":{}}"#);
        assert_eq!(seconds(Some(&sweep), [1, 2, 3, 4, 5, 12, 13]), [5, 15, 60, 300, 900, 900, 2]);
    }

    #[test]
    fn a_message_that_cannot_be_read_waits_for_a_version_that_reads_it() {
        assert_eq!(seconds(None, [1, 2, 10, 11, 100]), [60, 60, 60, 2, 2]);
        assert!(!is_given_up(None, 10) && is_given_up(None, 11), "the rest is not told each time");
    }

    /// The pauses of all receives that the queue grants.
    fn all(message: Option<&Upkeep>) -> Duration {
        let receives = u32::try_from(fakes::template::number("UpkeepQueue", "maxReceiveCount")).unwrap();
        (1..=receives).map(|receives| visibility_timeout(message, receives)).sum()
    }

    #[test]
    fn the_queue_keeps_tokens_through_an_outage_of_hours_and_what_is_given_up_not_much_longer() {
        assert!(all(Some(&store())) > Duration::from_hours(6));
        assert!(all(Some(&message(r#"{"v":1,"sweep":{}}"#))) < Duration::from_hours(3));
        assert!(all(None) < Duration::from_mins(30));
    }

    #[test]
    fn no_message_outlives_the_queue_without_becoming_a_dead_letter() {
        let retention = fakes::template::number("UpkeepQueue", "MessageRetentionPeriod");
        let retention = Duration::from_secs(retention.try_into().unwrap());
        let body = r#"{"v":1,"revoke":{"wa_id":"whatsapp:+15551234567","token":"sealed:v1:YQ:YQ:YQ","hosts":[]}}"#;
        for message in [Some(&message(body)), Some(&store()), None] {
            assert!(all(message) < retention, "{message:?}");
        }
    }
}
