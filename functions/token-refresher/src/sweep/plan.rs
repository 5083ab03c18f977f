//! How a sweep goes through the table in its time: in how many segments, with which pause after each page, and when each due row
//! is refreshed. Pure.
//!
//! A page is what one `Scan` reads. The pages of a segment come one after the other, the segments side by side.

use std::time::Duration;

use ring::digest::{SHA256, digest};
use shared::{
    Timestamp,
    custody::upkeep::{MAX_SEGMENTS, Page},
};

/// A `Scan` reads so much at most, before its projection
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.Pagination>).
const PAGE_BYTES: u64 = 1024 * 1024;
/// Rows of a page at most: what one invocation seals and queues well within its time.
pub(crate) const PAGE_ROWS: u64 = 1_000;
/// SQS delays a message so long at most
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
const MAX_PAUSE: Duration = Duration::from_mins(15);
/// A segment has a page in so long where the table is large: beside it, what a page itself takes is nothing.
const PACE: Duration = Duration::from_mins(1);
/// How many there are where nothing is paced.
const UNPACED_SEGMENTS: u64 = 8;

/// The size of a table, as `DescribeTable` has it: some six hours old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
}

/// How a sweep goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) segments: u32,
    /// Between two pages of a segment, in whole seconds; zero where nothing is paced.
    pub(crate) pause: Duration,
}

impl Size {
    fn pages(self) -> u64 {
        self.bytes.div_ceil(PAGE_BYTES).max(self.rows.div_ceil(PAGE_ROWS)).max(1)
    }
}

impl Plan {
    /// The plan for a table of this size, to be gone through in this time; zero: as fast as can be.
    pub(crate) fn new(size: Size, time: Duration) -> Self {
        let pages = size.pages();
        if time.is_zero() {
            return Self { segments: count(pages.min(UNPACED_SEGMENTS)), pause: Duration::ZERO };
        }
        let segments =
            pages.saturating_mul(PACE.as_secs()).div_ceil(time.as_secs().max(1)).clamp(1, MAX_SEGMENTS.into());
        let pause = Duration::from_secs(time.as_secs().saturating_mul(segments) / pages);
        Self { segments: count(segments), pause: pause.min(MAX_PAUSE) }
    }

    /// The first page of each segment, with the time until it is read: the segments do not all read at the same moment.
    pub(crate) fn first_pages(self, now: Timestamp) -> impl Iterator<Item = (Page, Duration)> {
        (0..self.segments).map(move |segment| {
            let pause_s = u32::try_from(self.pause.as_secs()).unwrap_or(u32::MAX);
            let page = Page { segment, segments: self.segments, start_key: None, started_at: now, pause_s };
            (page, self.pause * segment / self.segments)
        })
    }
}

/// The pause after a page. A sweep that has had its time goes on without: the table has grown since its size was taken, or a page
/// had to wait.
pub(crate) fn pause_after(page: &Page, time: Duration, now: Timestamp) -> Duration {
    if now.since(page.started_at) > time {
        Duration::ZERO
    } else {
        Duration::from_secs(page.pause_s.into()).min(MAX_PAUSE)
    }
}

/// When a due row of a page is refreshed, from the page on: the same chat always at the same part of the pause, so that they
/// are spread over it.
pub(crate) fn delay(wa_id: &str, pause: Duration) -> Duration {
    let hash = digest(&SHA256, wa_id.as_bytes());
    let number = hash.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    Duration::from_secs(number % pause.as_secs().max(1))
}

fn count(segments: u64) -> u32 {
    u32::try_from(segments).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOURS: Duration = Duration::from_hours(20);
    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn plan(rows: u64, row_bytes: u64) -> Plan {
        Plan::new(Size { bytes: rows * row_bytes, rows }, HOURS)
    }

    fn page(pause_s: u32) -> Page {
        Page { segment: 0, segments: 1, start_key: None, started_at: NOW, pause_s }
    }

    #[test]
    fn a_small_table_has_one_segment_and_the_longest_pause() {
        assert_eq!(plan(0, 0), Plan { segments: 1, pause: MAX_PAUSE });
        assert_eq!(plan(10_000, 3_000), Plan { segments: 1, pause: MAX_PAUSE });
    }

    #[test]
    fn ten_million_rows_are_gone_through_with_a_page_a_minute_in_each_of_some_segments() {
        let plan = plan(10_000_000, 3_000);
        assert_eq!(plan, Plan { segments: 24, pause: Duration::from_mins(1) });
    }

    #[test]
    fn rows_of_a_few_bytes_are_counted_in_rows() {
        assert_eq!(plan(10_000_000, 10), Plan { segments: 9, pause: Duration::from_secs(64) });
    }

    #[test]
    fn without_hours_there_is_no_pause() {
        let large = Size { bytes: 1 << 40, rows: 1 << 30 };
        assert_eq!(Plan::new(large, Duration::ZERO), Plan { segments: 8, pause: Duration::ZERO });
        assert_eq!(Plan::new(Size { bytes: 1, rows: 1 }, Duration::ZERO).segments, 1);
    }

    #[test]
    fn the_segments_begin_one_after_the_other_within_the_pause() {
        let plan = Plan { segments: 4, pause: Duration::from_mins(1) };
        let first: Vec<_> = plan.first_pages(NOW).collect();
        assert_eq!(first.iter().map(|(page, _)| page.segment).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(first.iter().map(|(_, delay)| delay.as_secs()).collect::<Vec<_>>(), [0, 15, 30, 45]);
        assert!(first.iter().all(|(page, _)| page.segments == 4 && page.start_key.is_none() && page.pause_s == 60));
    }

    #[test]
    fn a_sweep_that_has_had_its_time_does_not_pause() {
        assert_eq!(pause_after(&page(60), HOURS, NOW.plus(HOURS)), Duration::from_mins(1));
        assert_eq!(pause_after(&page(60), HOURS, NOW.plus(HOURS + Duration::from_millis(1))), Duration::ZERO);
    }

    #[test]
    fn a_pause_that_a_message_names_is_no_longer_than_the_queue_can_wait() {
        assert_eq!(pause_after(&page(u32::MAX), HOURS, NOW), MAX_PAUSE);
    }

    proptest! {
        #[test]
        fn a_sweep_ends_in_its_time(rows in 0u64..1_000_000_000, row_bytes in 0u64..4_000, hours in 1u64..24) {
            let size = Size { bytes: rows * row_bytes, rows };
            let time = Duration::from_hours(hours);
            let Plan { segments, pause } = Plan::new(size, time);
            let pages = size.pages().div_ceil(segments.into());
            prop_assert!((1..=MAX_SEGMENTS).contains(&segments));
            // Whole pages: one more than the segment's share of the table, at most.
            prop_assert!(pause.as_secs() * (pages - 1) <= time.as_secs(), "{segments} {pause:?} {pages}");
            prop_assert!(pause <= MAX_PAUSE);
        }

        #[test]
        fn a_due_row_is_refreshed_before_the_next_page_is_read(number in 0u64..10_000_000_000, pause in 1u64..=900) {
            let pause = Duration::from_secs(pause);
            let chat = format!("whatsapp:+{number}");
            prop_assert!(delay(&chat, pause) < pause);
        }
    }

    #[test]
    fn due_rows_are_spread_evenly_over_the_pause() {
        let mut in_each = [0u32; 6];
        for number in 0..6_000 {
            let delay = delay(&format!("whatsapp:+1555{number:07}"), Duration::from_mins(1));
            in_each[usize::try_from(delay.as_secs() / 10).unwrap()] += 1;
        }
        assert!(in_each.iter().all(|rows| (850..1_150).contains(rows)), "{in_each:?}");
        assert_eq!(delay("whatsapp:+15551234567", Duration::ZERO), Duration::ZERO);
    }
}
