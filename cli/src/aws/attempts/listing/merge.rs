//! What has to be read of several partitions to know their latest rows together. It asks nobody: it plans reads from what
//! was read before.
//!
//! First each partition gives a few rows. From then on a read has a lower bound in time, so that a partition gives what is
//! listed and hardly more: the time back to which all partitions are expected to fill the list, at the rate of those rows
//! that are known. Where the list is full, the bound is its last row, and a read finds rows only if they displace others.
//!
//! Rows come in bursts, of which the rate says nothing: after two empty reads a partition is read without this bound, but
//! gives no more than its share of what the list lacks, and after two reads that ended at their limits the next one's limit is doubled.

use std::{
    cmp::Reverse,
    ops::{Range, RangeInclusive},
};

use shared::attempt::attr;

use super::Row;

/// The list's first half is shared among the partitions before their rates are known.
const FIRST_PART: usize = 2;
/// After so many empty reads in succession the rate no longer counts. A single one is often chance.
const GAP: u32 = 2;
/// Expected rows are counted in thousandths.
const THOUSANDTHS: u128 = 1_000;

/// A partition of an index, read from its latest row back. Times are in milliseconds since the epoch.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) index: &'static str,
    pub(super) key: (&'static str, String),
    /// Partitions of one kind have about equally many rows in the same time.
    kind: usize,
    /// The earliest time that is wanted.
    since: u64,
    /// When its rows may be from, for estimates.
    span: Range<u64>,
    pub(super) rows: Vec<Row>,
    /// What has not been read of it.
    rest: Option<Rest>,
    pub(super) pages: u32,
    /// How many reads in succession have found no row back to their bounds.
    empty_reads: u32,
    /// How many reads in succession have ended at their limits.
    full_reads: u32,
}

/// The rows of a partition that have not been read.
#[derive(Debug)]
pub(super) struct Rest {
    /// None is later.
    pub(super) until: u64,
    /// The key that the last page ended with, where that page had a limit and reached it.
    pub(super) after: Option<Row>,
}

/// A read of a partition, from its rest's latest row back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// The partition's place among the partitions.
    pub(super) place: usize,
    /// The earliest time that is read.
    pub(super) since: u64,
    /// How many rows it gives at most.
    pub(super) size: usize,
}

impl Partition {
    /// A partition that nothing has been read of. Its rows are wanted of these times, and expected within `span` alone.
    pub(super) fn new(
        index: &'static str,
        key: (&'static str, String),
        kind: usize,
        wanted: &RangeInclusive<u64>,
        span: Range<u64>,
    ) -> Self {
        let rest = Some(Rest { until: *wanted.end(), after: None });
        Self {
            index,
            key,
            kind,
            since: *wanted.start(),
            span,
            rows: Vec::new(),
            rest,
            pages: 0,
            empty_reads: 0,
            full_reads: 0,
        }
    }

    pub(super) const fn rest(&self) -> Option<&Rest> {
        self.rest.as_ref()
    }

    /// Takes what a read found, with the key that it ended with at its limit.
    pub(super) fn add(&mut self, read: Read, mut rows: Vec<Row>, last_key: Option<Row>) {
        self.full_reads = if last_key.is_some() { self.full_reads + 1 } else { 0 };
        self.empty_reads = if rows.is_empty() && last_key.is_none() { self.empty_reads + 1 } else { 0 };
        self.rows.append(&mut rows);
        self.pages += 1;
        self.rest = match last_key {
            Some(key) => Some(Rest { until: time(&key), after: Some(key) }),
            None if read.since <= self.since => None,
            None => Some(Rest { until: read.since - 1, after: None }),
        };
    }

    /// The time that its unread rows are expected in.
    fn unread(&self) -> Range<u64> {
        let end = self.rest.as_ref().map_or(self.span.start, |rest| rest.until.saturating_add(1));
        self.span.start..end.clamp(self.span.start, self.span.end.max(self.span.start))
    }

    fn may_have(&self, since: u64) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.until >= since)
    }
}

/// What is to be read next for so many of the latest rows; nothing where they are known.
pub(super) fn reads(partitions: &[Partition], limit: usize) -> Vec<Read> {
    let places = partitions.iter().enumerate();
    if limit == 0 {
        return Vec::new();
    }
    if partitions.iter().all(|partition| partition.pages == 0) {
        let size = first_size(limit, partitions.len());
        return places.map(|(place, partition)| Read { place, since: partition.since, size }).collect();
    }
    let known = Known::of(partitions);
    let since = known.begin_of(partitions, limit);
    let due = places.filter(|(_, partition)| partition.may_have(since));
    let read = |(place, partition): (usize, &Partition)| {
        if since <= partition.span.start {
            return Read { place, since: partition.since, size: limit };
        }
        if partition.empty_reads >= GAP {
            let share = limit.saturating_sub(known.times.len()) / partitions.len();
            return Read { place, since: known.least(limit).max(partition.since), size: share.max(1) };
        }
        let expected = known.expected(partition, since).div_ceil(THOUSANDTHS);
        let doubled = 1 << partition.full_reads.saturating_sub(1).min(limit.ilog2());
        let size = usize::try_from(2 * expected + 1).unwrap_or(usize::MAX).saturating_mul(doubled).min(limit);
        Read { place, since: since.max(partition.since), size }
    };
    due.map(read).collect()
}

/// How many rows each of so many partitions gives first. Of one or two, which are a chat's, the list may have all.
fn first_size(limit: usize, partitions: usize) -> usize {
    if partitions <= 2 { limit.div_ceil(partitions.max(1)) } else { (limit / FIRST_PART / partitions).max(1) }
}

/// What the rows that were read tell.
struct Known {
    /// The times of the rows, the latest first.
    times: Vec<u64>,
    /// For each kind of partitions how many rows they have had in how many milliseconds.
    rates: Vec<(u128, u128)>,
}

impl Known {
    fn of(partitions: &[Partition]) -> Self {
        let mut times: Vec<_> = partitions.iter().flat_map(|partition| partition.rows.iter().map(time)).collect();
        times.sort_unstable_by_key(|time| Reverse(*time));
        let kinds = partitions.iter().map(|partition| partition.kind + 1).max().unwrap_or_default();
        let mut latest = vec![None; kinds];
        for partition in partitions {
            let own = partition.rows.iter().map(time).max();
            latest[partition.kind] = own.max(latest[partition.kind]);
        }
        let mut rates = vec![(0, 0); kinds];
        for partition in partitions {
            let (rows, covered) = &mut rates[partition.kind];
            *rows += partition.rows.len() as u128;
            // The time after the latest row says nothing of how dense they are before it: a stack may be idle by now.
            let end = latest[partition.kind].map_or(partition.span.end, |latest| partition.span.end.min(latest + 1));
            *covered += u128::from(end.saturating_sub(partition.unread().end));
        }
        Self { times, rates }
    }

    /// How many thousandths of rows a partition is expected to have that were not read and are not earlier.
    fn expected(&self, partition: &Partition, since: u64) -> u128 {
        let unread = partition.unread();
        let (rows, covered) = self.rates[partition.kind];
        u128::from(unread.end.saturating_sub(since.max(unread.start))) * rows * THOUSANDTHS / covered.max(1)
    }

    /// The earliest time whose rows may still be listed: those after the list's last row, where it is full.
    fn least(&self, limit: usize) -> u64 {
        self.times.get(limit - 1).map_or(0, |last| last.saturating_add(1))
    }

    /// The latest time back to which all rows, known or expected, fill the list; none earlier is asked for than may be listed.
    fn begin_of(&self, partitions: &[Partition], limit: usize) -> u64 {
        let least = self.least(limit);
        let Some(latest) = partitions.iter().filter_map(|each| Some(each.rest()?.until)).max() else { return least };
        let is_known = |since: u64| self.times.partition_point(|time| *time >= since);
        let missing = limit.saturating_sub(is_known(latest));
        // What is random is half of the time more than expected, and the rest costs another round.
        let target = (limit as u128).saturating_add(missing.isqrt() as u128 / 2).saturating_mul(THOUSANDTHS);
        let is_full = |since: u64| {
            let expected: u128 = partitions.iter().map(|partition| self.expected(partition, since)).sum();
            is_known(since) as u128 * THOUSANDTHS + expected >= target
        };
        let (mut full, mut lacking) = (least, latest.max(least));
        if !is_full(full) {
            return full;
        }
        while lacking - full > 1 {
            let middle = full.midpoint(lacking);
            if is_full(middle) {
                full = middle;
            } else {
                lacking = middle;
            }
        }
        full
    }
}

/// When the row was updated, in milliseconds since the epoch.
pub(super) fn time(row: &Row) -> u64 {
    row.get(attr::UPDATED_AT).and_then(|time| time.as_n().ok()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use shared::{Timestamp, attempt::index};

    use super::*;
    use crate::aws::attempts::number;

    /// The end of the time that is listed, and of each partition.
    const NOW: u64 = 100_000_000;

    /// Partitions in memory, each with its kind and the times of its rows, which are read as DynamoDB reads an index.
    struct Index(Vec<(usize, Vec<u64>)>);

    /// How a list came about.
    #[derive(Debug, Default)]
    struct Listed {
        times: Vec<u64>,
        rows_read: usize,
        queries: usize,
        rounds: usize,
    }

    impl Index {
        /// The latest rows, of those that are not earlier.
        fn list(&self, since: u64, limit: usize) -> Listed {
            let partition = |(kind, _): &(usize, Vec<u64>)| {
                let key = (attr::STATUS_DAY, String::new());
                Partition::new(index::BY_STATUS, key, *kind, &(since..=u64::MAX), since..NOW)
            };
            let (mut partitions, mut listed): (Vec<_>, _) = (self.0.iter().map(partition).collect(), Listed::default());
            loop {
                let due = reads(&partitions, limit);
                if due.is_empty() {
                    break;
                }
                listed.rounds += 1;
                for read in due {
                    assert!(read.since >= since && read.size > 0, "{read:?}");
                    let (rows, last_key) = self.read(&partitions[read.place], read);
                    listed.rows_read += rows.len();
                    listed.queries += 1;
                    partitions[read.place].add(read, rows, last_key);
                }
            }
            listed.times = partitions.iter().flat_map(|partition| partition.rows.iter().map(time)).collect();
            listed.times.sort_unstable_by_key(|time| Reverse(*time));
            listed.times.truncate(limit);
            listed
        }

        /// The next rows of a partition, and the key of the last where there may be more.
        fn read(&self, partition: &Partition, read: Read) -> (Vec<Row>, Option<Row>) {
            let (rest, stored) = (partition.rest().unwrap(), &self.0[read.place].1);
            let after = rest.after.as_ref().map(order);
            let mut found: Vec<_> = (0..).zip(stored).map(|(id, time)| (*time, id)).collect();
            found.retain(|row| (read.since..=rest.until).contains(&row.0) && after.is_none_or(|after| *row < after));
            found.sort_unstable_by_key(|row| Reverse(*row));
            found.truncate(read.size);
            let last_key = found.last().filter(|_| found.len() == read.size).map(|last| row(*last));
            (found.into_iter().map(row).collect(), last_key)
        }

        fn latest(&self, since: u64, limit: usize) -> Vec<u64> {
            let mut times: Vec<_> = self.0.iter().flat_map(|(_, times)| times).copied().collect();
            times.retain(|time| *time >= since);
            times.sort_unstable_by_key(|time| Reverse(*time));
            times.truncate(limit);
            times
        }
    }

    fn row((time, id): (u64, u64)) -> Row {
        let numbers = [("id", Timestamp::from_millis(id)), (attr::UPDATED_AT, Timestamp::from_millis(time))];
        numbers.map(|(name, of)| (name.to_owned(), number(of))).into()
    }

    /// By time, and of one time by id: DynamoDB has an order there too.
    fn order(row: &Row) -> (u64, u64) {
        (time(row), row["id"].as_n().unwrap().parse().unwrap())
    }

    /// Rows at random times before the end, so many of each kind, in eight partitions each.
    fn random(seed: u64, kinds: &[usize], end: u64) -> Index {
        let mut state = seed;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut index = Index((0..8 * kinds.len()).map(|place| (place / 8, Vec::new())).collect());
        for (kind, rows) in kinds.iter().enumerate() {
            for _ in 0..*rows {
                let shard = usize::try_from(draw(8)).unwrap();
                index.0[8 * kind + shard].1.push(draw(end));
            }
        }
        index
    }

    /// As a day of a stack with eleven thousand attempts: connected, failed, ended, delayed, and two that nobody has.
    const A_DAY: [usize; 6] = [7_777, 2_777, 556, 1, 0, 0];

    fn median(mut of: Vec<usize>) -> usize {
        of.sort_unstable();
        of[of.len() / 2]
    }

    /// How many rows were read, and in how many rounds, in the median of several tables.
    fn costs(kinds: &[usize], limit: usize, end: u64) -> (usize, usize) {
        let listed: Vec<_> = (1..30).map(|seed| random(seed, kinds, end).list(0, limit)).collect();
        let median_of = |count: fn(&Listed) -> usize| median(listed.iter().map(count).collect());
        (median_of(|listed| listed.rows_read), median_of(|listed| listed.rounds))
    }

    #[test]
    fn a_list_reads_a_fifth_more_than_it_shows_in_four_rounds() {
        for (kinds, limit) in [(&A_DAY[..], 101), (&A_DAY, 1_001), (&A_DAY[1..2], 101), (&A_DAY[1..2], 1_001)] {
            let (read, rounds) = costs(kinds, limit, NOW);
            assert!(read * 5 <= limit * 6, "{read} rows were read for {limit} of {kinds:?}");
            assert!(rounds <= 4, "{rounds} rounds for {limit} of {kinds:?}");
        }
    }

    #[test]
    fn a_list_of_a_stack_that_is_idle_by_now_reads_a_fifth_more_than_it_shows() {
        let (read, _) = costs(&A_DAY, 101, NOW - NOW / 20);
        assert!(read * 5 <= 101 * 6, "{read} rows were read for 101");
    }

    /// So many rows within so many milliseconds, and none before.
    fn burst(rows: usize, within: u64, partitions: usize) -> Index {
        let mut index = Index(vec![(0, Vec::new()); partitions]);
        for row in 0..rows {
            index.0[row % partitions].1.push(NOW - 1 - row as u64 * within / rows as u64);
        }
        index
    }

    #[test]
    fn a_burst_that_lacks_one_row_of_the_list_is_listed_in_six_rounds() {
        for within in [10_000, 60_000, 3_600_000] {
            for (partitions, limit) in [(8, 101), (8, 1_001), (48, 101), (48, 1_001)] {
                let Listed { rounds, rows_read, .. } = burst(limit - 1, within, partitions).list(0, limit);
                assert!(rounds <= 6, "{rounds} rounds for {limit} of {partitions} partitions within {within} ms");
                assert_eq!(rows_read, limit - 1);
            }
        }
    }

    #[test]
    fn a_burst_of_one_partition_is_not_read_a_few_rows_at_a_time() {
        let mut index = burst(600, 60_000, 48);
        index.0[5].1.extend((0..500).map(|row| NOW / 2 - 20 * row));
        for partition in &mut index.0 {
            partition.1.extend([NOW / 3; 10]);
        }
        let listed = index.list(0, 1_001);
        assert!(listed.rounds <= 12, "{} rounds", listed.rounds);
    }

    #[test]
    fn a_partition_without_rows_is_read_once() {
        let listed = random(1, &[0, 0, 0], NOW).list(0, 101);
        assert_eq!((listed.rounds, listed.queries), (1, 24));
    }

    #[test]
    fn a_list_with_room_reads_each_row_once() {
        let index = random(1, &A_DAY, NOW);
        assert_eq!(index.list(0, usize::MAX).rows_read, A_DAY.iter().sum::<usize>());
    }

    #[test]
    fn nothing_is_read_for_a_list_of_nothing() {
        assert_eq!(random(1, &A_DAY, NOW).list(0, 0).queries, 0);
    }

    #[test]
    fn a_chat_with_one_form_of_its_number_is_read_at_once() {
        let chat = Index(vec![(0, (0..500).map(|number| NOW - 1_000 * number).collect())]);
        let listed = chat.list(0, 101);
        assert_eq!((listed.rows_read, listed.queries), (101, 1));
    }

    proptest! {
        #[test]
        fn the_latest_are_all_found_wherever_they_are(
            partitions in vec((0..3_usize, vec(0..60_u64, 0..30)), 1..12),
            bursts in vec((0..12_usize, 0..60_u64, 1..60_u64), 0..4),
            scale in prop_oneof![Just(1), Just(1_000), Just(1_600_000)],
            since in 0..40_u64,
            limit in 1..80_usize,
        ) {
            let scaled = |(kind, times): (usize, Vec<u64>)| (kind, times.into_iter().map(|time| time * scale).collect());
            let mut index = Index(partitions.into_iter().map(scaled).collect());
            let number = index.0.len();
            for (place, at, rows) in bursts {
                // One a millisecond, in one partition or in all.
                let places = if place < number { place..place + 1 } else { 0..number };
                places.for_each(|place| index.0[place].1.extend((0..rows).map(|row| at * scale + row)));
            }
            let listed = index.list(since * scale, limit);
            prop_assert_eq!(listed.times, index.latest(since * scale, limit));
            prop_assert!(listed.rounds <= 40, "{} rounds", listed.rounds);
        }
    }
}
