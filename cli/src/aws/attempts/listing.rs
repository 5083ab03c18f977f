//! Lists of attempts, the latest first, from the attempt table's indexes: they read little more than they show, however
//! large the table is.
//!
//! A list by status merges the partitions of a day ([`index::status_days`], [`merge`]), from the latest day back: one day, and
//! then as many as the list lacks at the rate of those that were read ([`days_to_read`]). So a list of many days with few
//! attempts does not wait for each, and one that is nearly full after a day reads little of the next.

mod merge;

use std::{cmp::Reverse, collections::HashSet, ops::RangeInclusive};

use aws_sdk_dynamodb::{error::ProvideErrorMetadata as _, types::AttributeValue};
use shared::{
    Status, Timestamp, WaId,
    attempt::{RETENTION, attr, index},
};
use tokio::task::JoinSet;

use self::merge::{Partition, Read, reads, time};
use super::{AttemptTable, Row, key_of, number, read_attempt};
use crate::{error::Error, records::Listed};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How far this machine's clock may be behind the functions', which date the rows.
const CLOCK_TOLERANCE_MS: u64 = 10 * 60 * 1000;
/// How many days DynamoDB may take to delete an item that has expired: it says a few.
///
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>
const DELETION_DAYS: u64 = 10;
/// The most that is asked for at once.
const PAGE: usize = 1_000;
/// How many partitions are read at once: as many connections to DynamoDB, each of which costs a TLS handshake.
const AT_ONCE: usize = 64;
/// A list reads so many times as many days as it has read, at most, before it looks at what they had.
const GROWTH: usize = 3;

/// Whose attempts are listed.
#[derive(Clone, Debug)]
pub(crate) enum Of {
    /// Those of a chat, whose address may have several forms, whatever their status or with this one.
    Chat(Vec<WaId>, Option<Status>),
    /// Those of these statuses.
    Statuses(Vec<Status>),
}

impl Of {
    /// The index that they are read from.
    pub(crate) const fn index(&self) -> &'static str {
        match self {
            Self::Chat(..) => index::BY_CHAT,
            Self::Statuses(_) => index::BY_STATUS,
        }
    }
}

/// What is listed.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) of: Of,
    /// Only what was updated since.
    pub(crate) since: Timestamp,
    /// Only what was updated until then.
    pub(crate) until: Option<Timestamp>,
    /// Only what has no complete notification.
    pub(crate) unnotified_only: bool,
    /// At most so many.
    pub(crate) limit: usize,
}

impl Wanted {
    /// The end of the time that is listed; the latest that there can be, where none is given.
    pub(super) fn end(&self) -> Timestamp {
        self.until.unwrap_or(Timestamp::from_millis(u64::MAX))
    }
}

/// What one query answered.
#[derive(Debug)]
struct Page {
    rows: Vec<Row>,
    /// How many rows of the index it read, with those that a filter has dropped.
    rows_read: usize,
    /// The key of the last of them, where the query ended at its limit.
    last_key: Option<Row>,
}

impl AttemptTable {
    /// The latest attempts that are wanted.
    pub(crate) async fn list(&self, wanted: &Wanted, now: Timestamp) -> Result<Listed, Error> {
        let (mut rows, mut listed) = (Vec::new(), Listed::default());
        // One more than is shown tells whether there are more.
        let limit = wanted.limit.saturating_add(1);
        let mut days = days(wanted, now);
        let (mut read, mut size) = (0, 1);
        while rows.len() < limit {
            let partitions: Vec<_> = days.by_ref().take(size).flatten().collect();
            if partitions.is_empty() {
                break;
            }
            let missing = limit - rows.len();
            rows.append(&mut self.latest(partitions, wanted, missing, &mut listed.rows_read).await?);
            read += size;
            size = days_to_read(read, rows.len(), limit);
        }
        listed.has_more = rows.len() > wanted.limit;
        rows.truncate(wanted.limit);
        // A row that moved while the list was read is in two places: the later one is what it is now.
        let mut seen = HashSet::new();
        rows.retain(|row| seen.insert(key_of(row)));
        for row in rows {
            listed.add(read_attempt(row));
        }
        Ok(listed)
    }

    /// The latest rows of these partitions together, at most so many.
    async fn latest(
        &self,
        mut partitions: Vec<Partition>,
        wanted: &Wanted,
        limit: usize,
        rows_read: &mut usize,
    ) -> Result<Vec<Row>, Error> {
        loop {
            let mut due = reads(&partitions, limit).into_iter().peekable();
            if due.peek().is_none() {
                break;
            }
            let mut answers = JoinSet::new();
            loop {
                for read in due.by_ref().take(AT_ONCE - answers.len()) {
                    let page = self.page(&partitions[read.place], read, wanted);
                    answers.spawn(async move { (read, page.await) });
                }
                let Some(answer) = answers.join_next().await else { break };
                let (read, page) = answer.map_err(|error| Error::failed("list the attempts", error.to_string()))?;
                let page = page?;
                *rows_read += page.rows_read;
                partitions[read.place].add(read, page.rows, page.last_key);
            }
        }
        let mut rows: Vec<_> = partitions.into_iter().flat_map(|partition| partition.rows).collect();
        rows.sort_by_key(|row| Reverse(time(row)));
        rows.truncate(limit);
        Ok(rows)
    }

    /// The next page of a partition, and a larger one where a filter has dropped the pages before.
    fn page(
        &self,
        partition: &Partition,
        read: Read,
        wanted: &Wanted,
    ) -> impl Future<Output = Result<Page, Error>> + Send + 'static {
        let (name, value) = &partition.key;
        let rest = partition.rest();
        let until = rest.map_or(wanted.end(), |rest| Timestamp::from_millis(rest.until));
        let mut request = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(partition.index)
            .key_condition_expression("#key = :key AND #updated_at BETWEEN :since AND :until")
            .expression_attribute_names("#key", *name)
            .expression_attribute_names("#updated_at", attr::UPDATED_AT)
            .expression_attribute_values(":key", AttributeValue::S(value.clone()))
            .expression_attribute_values(":since", number(Timestamp::from_millis(read.since)))
            .expression_attribute_values(":until", number(until))
            .scan_index_forward(false);
        let mut filters = Vec::new();
        if wanted.unnotified_only {
            filters.push(format!("attribute_not_exists({})", attr::NOTIFIED_AT));
        }
        if let Of::Chat(_, Some(status)) = &wanted.of {
            filters.push("#status = :status".to_owned());
            request = request
                .expression_attribute_names("#status", attr::STATUS)
                .expression_attribute_values(":status", AttributeValue::S(status.as_str().to_owned()));
        }
        let size = if filters.is_empty() {
            read.size
        } else {
            request = request.filter_expression(filters.join(" AND "));
            read.size.min(PAGE) << partition.pages.min(PAGE.ilog2())
        };
        request = request.limit(i32::try_from(size.min(PAGE)).unwrap_or(i32::MAX));
        if let Some(key) = rest.and_then(|rest| rest.after.clone()) {
            request = request.set_exclusive_start_key(Some(key));
        }
        let index = partition.index;
        async move {
            let answer = request.send().await.map_err(|error| match error.code() {
                // For an index that does not exist, and for one that DynamoDB still fills.
                Some("ValidationException") => no_index(index),
                _ => Error::aws("list the attempts", "Query")(error),
            })?;
            Ok(Page {
                rows: answer.items.unwrap_or_default(),
                rows_read: usize::try_from(answer.scanned_count).unwrap_or_default(),
                last_key: answer.last_evaluated_key,
            })
        }
    }
}

pub(super) fn no_index(index: &str) -> Error {
    let why = format!(
        "the attempt table has no index {index}, or it is still being filled; deploy with AttemptIndexes=Both \
         (docs/UPGRADE.md), or read the whole table with --scan"
    );
    Error::failed("list the attempts", why)
}

/// What has to be read, day by day, each of which has only later rows than the next. A chat's are in one.
fn days(wanted: &Wanted, now: Timestamp) -> Box<dyn Iterator<Item = Vec<Partition>> + Send> {
    let index = wanted.of.index();
    let times = wanted.since.millis()..=wanted.end().millis();
    let (since, now_ms) = (wanted.since.millis(), now.millis());
    let last = now_ms.saturating_add(CLOCK_TOLERANCE_MS).min(wanted.end().millis());
    match &wanted.of {
        Of::Chat(forms, _) => {
            let of_form = |(kind, form): (usize, &WaId)| {
                let span = since..last.min(now_ms);
                Partition::new(index, (attr::WA_ID, form.as_str().to_owned()), kind, &times, span)
            };
            Box::new(std::iter::once(forms.iter().enumerate().map(of_form).collect()))
        }
        Of::Statuses(statuses) => {
            let statuses = statuses.clone();
            let partitions = move |day: u64| {
                let at = day * DAY_MS;
                let span = at.max(since)..(at + DAY_MS).min(last).min(now_ms);
                let of_status = |(kind, status): (usize, &Status)| {
                    index::status_days(*status, Timestamp::from_millis(at)).map(move |key| (kind, key))
                };
                let keys = statuses.iter().enumerate().flat_map(of_status);
                let partition =
                    |(kind, key)| Partition::new(index, (attr::STATUS_DAY, key), kind, &times, span.clone());
                keys.map(partition).collect()
            };
            Box::new(kept_days(wanted.since, Timestamp::from_millis(last), now).rev().map(partitions))
        }
    }
}

/// The days between these times that may have attempts, counted from the epoch: what is older than attempts get is not
/// asked for, because each day is several queries.
fn kept_days(since: Timestamp, until: Timestamp, now: Timestamp) -> RangeInclusive<u64> {
    since.max(oldest(now)).millis() / DAY_MS..=until.millis() / DAY_MS
}

/// The time before which DynamoDB has deleted all attempts.
pub(crate) fn oldest(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.minus(RETENTION).millis().saturating_sub(DELETION_DAYS * DAY_MS))
}

/// How many more days are read at once, after so many that had so many rows of the list's limit: those that the rest is
/// expected in.
fn days_to_read(read: usize, found: usize, limit: usize) -> usize {
    let expected = limit.saturating_sub(found).saturating_mul(read) / found.max(1);
    expected.clamp(1, read.saturating_mul(GROWTH).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn by_status(since: Timestamp) -> Vec<Vec<Partition>> {
        let of = Of::Statuses(vec![Status::Failed, Status::Delayed]);
        days(&Wanted { of, since, until: None, unnotified_only: false, limit: 1 }, NOW).collect()
    }

    #[test]
    fn days_are_read_from_the_latest_back_to_the_one_of_the_time_asked_for() {
        let read: Vec<Vec<_>> = by_status(NOW.minus(std::time::Duration::from_hours(24)))
            .into_iter()
            .map(|day| day.into_iter().map(|partition| partition.key.1).collect())
            .collect();
        let both = |day| [Status::Failed, Status::Delayed].into_iter().flat_map(move |s| index::status_days(s, day));
        let yesterday = NOW.minus(std::time::Duration::from_hours(24));
        assert_eq!(read, [both(NOW).collect::<Vec<_>>(), both(yesterday).collect()]);
    }

    #[test]
    fn as_many_days_are_read_at_once_as_the_rest_of_the_list_is_expected_in() {
        for ((read, found, limit), days) in [
            ((1, 0, 101), 3),
            ((4, 0, 101), 12),
            ((4, 2, 101), 12),
            ((1, 60, 101), 1),
            ((1, 40, 101), 1),
            ((10, 50, 101), 10),
            ((10, 100, 101), 1),
            ((1, 5, usize::MAX), 3),
        ] {
            assert_eq!(days_to_read(read, found, limit), days, "{found} of {limit} after {read} days");
        }
    }

    #[test]
    fn ninety_days_without_an_attempt_are_read_in_five_steps() {
        let (mut read, mut size, mut steps) = (0, 1, 0);
        while read < 90 {
            read += size;
            size = days_to_read(read, 0, 101);
            steps += 1;
        }
        assert_eq!(steps, 5);
    }

    #[test]
    fn no_day_after_the_end_that_was_asked_for_is_read() {
        let until = NOW.minus(std::time::Duration::from_hours(48));
        let of = Of::Statuses(vec![Status::Failed]);
        let wanted = Wanted { of, since: until, until: Some(until), unnotified_only: false, limit: 1 };
        let days: Vec<_> = days(&wanted, NOW).collect();
        let read: Vec<_> = days.iter().flatten().map(|partition| partition.key.1.clone()).collect();
        assert_eq!(read, index::status_days(Status::Failed, until).collect::<Vec<_>>());
    }

    #[test]
    fn a_row_that_a_clock_ahead_of_ours_wrote_after_midnight_is_listed() {
        let midnight = Timestamp::from_millis(NOW.millis() / DAY_MS * DAY_MS);
        let wanted = Wanted {
            of: Of::Statuses(vec![Status::Failed]),
            since: midnight.minus(std::time::Duration::from_mins(1)),
            until: None,
            unnotified_only: false,
            limit: 1,
        };
        let days: Vec<_> = days(&wanted, midnight.minus(std::time::Duration::from_secs(1))).collect();
        let of_today: Vec<_> = index::status_days(Status::Failed, midnight).collect();
        assert!(days.iter().flatten().any(|partition| of_today.contains(&partition.key.1)));
    }

    #[test]
    fn each_form_of_a_chat_is_one_partition_whatever_the_time() {
        let forms = ["whatsapp:+15551234567", "whatsapp:15551234567"];
        let of = Of::Chat(forms.map(|form| form.parse().unwrap()).into(), None);
        let since = Timestamp::from_millis(0);
        let wanted = Wanted { of, since, until: None, unnotified_only: false, limit: 9 };
        let partitions: Vec<_> = days(&wanted, NOW).collect();
        assert_eq!((partitions.len(), partitions[0].len(), partitions[0][0].index), (1, 2, index::BY_CHAT));
    }
}
