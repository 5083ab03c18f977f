//! The indexes of `connection_attempts`, which lists are read from: by chat and time, and by status and day.
//!
//! DynamoDB keeps them by itself. An index has the rows that have its key, so the one by status lacks rows that were
//! written before there was [`attr::STATUS_DAY`](super::attr::STATUS_DAY); the one by chat has them.

use super::{AttemptId, Status};
use crate::Timestamp;

/// The index by [`WA_ID`](super::attr::WA_ID) and [`UPDATED_AT`](super::attr::UPDATED_AT).
pub const BY_CHAT: &str = "by_chat";
/// The index by [`STATUS_DAY`](super::attr::STATUS_DAY) and [`UPDATED_AT`](super::attr::UPDATED_AT).
pub const BY_STATUS: &str = "by_status";

/// How many partitions share the attempts of one status and day.
///
/// One partition takes 1,000 writes a second, and while an index takes no more, the table refuses the write as well
/// (DynamoDB: "Global secondary index write throttling").
const SHARDS: u8 = 8;

/// The partition of an attempt that had this status at that time: `failed#2026-11-26#5`, with the day in UTC.
#[must_use]
pub fn status_day(id: AttemptId, status: Status, at: Timestamp) -> String {
    partition(status, at, id.as_bytes()[AttemptId::LENGTH - 1] % SHARDS)
}

/// All partitions of a status and of the day that this time is in.
pub fn status_days(status: Status, at: Timestamp) -> impl Iterator<Item = String> {
    (0..SHARDS).map(move |shard| partition(status, at, shard))
}

fn partition(status: Status, at: Timestamp, shard: u8) -> String {
    let time = at.rfc3339();
    let day = time.split('T').next().unwrap_or_default();
    format!("{}#{day}#{shard}", status.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// 2026-09-21, a second before midnight.
    const EVENING: Timestamp = Timestamp::from_millis(1_790_035_199_000);

    #[test]
    fn an_attempt_is_in_a_partition_of_its_status_and_day() {
        let id = AttemptId::from_bytes([13; 16]);
        assert_eq!(status_day(id, Status::Failed, EVENING), "failed#2026-09-21#5");
        assert_eq!(status_day(id, Status::Failed, Timestamp::from_millis(1_790_035_200_000)), "failed#2026-09-22#5");
    }

    #[test]
    fn the_partitions_of_a_day_are_those_that_its_attempts_are_in() {
        let of_attempts: BTreeSet<_> =
            (0..=u8::MAX).map(|n| status_day(AttemptId::from_bytes([n; 16]), Status::Connected, EVENING)).collect();
        assert_eq!(status_days(Status::Connected, EVENING).collect::<BTreeSet<_>>(), of_attempts);
    }
}
