//! How often one link may be pressed, how often one chat is told of failures, and how often it may send a wrong code: the
//! rules of writing the limit table.
//!
//! Whoever wants to act takes a place in the table first, by a conditional write. Where the condition fails, others have
//! taken all places. The rules know no clock: `aws::limits` sends them.

use std::time::Duration;

use crate::{
    LinkId, Timestamp, WaId,
    conditional_write::{Attributes, Condition, ConditionalWrite, Value},
};

/// The presses of one link's button, in the link's life.
pub const PRESSES: u64 = 20;

/// The occurrences of one kind that one chat has within its window.
pub const PLACES: usize = 3;

/// A chat may be told of three failures within this time.
pub const FAILURE_WINDOW: Duration = Duration::from_mins(15);

/// A chat may send three codes within this time that no login of its own waits for.
pub const GUESS_WINDOW: Duration = Duration::from_mins(10);

/// The table's attributes.
pub mod attr {
    /// The key (S): [`super::press_id`], [`super::chat_id`] or [`super::guess_id`].
    pub const ID: &str = "id";
    /// How often the link was pressed (N).
    pub const PRESSES: &str = "presses";
    /// When each slot was taken last (N, milliseconds since the epoch).
    pub const TOLD_AT: [&str; super::PLACES] = ["told_at_0", "told_at_1", "told_at_2"];
    /// Which failure, or code, each slot is for (S).
    pub const OUTCOME: [&str; super::PLACES] = ["outcome_0", "outcome_1", "outcome_2"];
    /// When DynamoDB may delete the item (N, seconds since the epoch).
    pub const EXPIRES_AT: &str = "expires_at";
}

/// The key of a link's item.
#[must_use]
pub fn press_id(link: LinkId) -> String {
    format!("link:{link}")
}

/// The key of a chat's item about failures.
#[must_use]
pub fn chat_id(wa_id: &WaId) -> String {
    format!("chat:{}", wa_id.as_str())
}

/// The key of a chat's item about codes.
#[must_use]
pub fn guess_id(wa_id: &WaId) -> String {
    format!("guess:{}", wa_id.as_str())
}

/// Counts a press of a link that expires then, if it is not one too many.
#[must_use]
pub fn press(link_expires_at: Timestamp) -> ConditionalWrite {
    let rule = Condition::Any(vec![Condition::Absent(attr::PRESSES), Condition::Below(attr::PRESSES, PRESSES)]);
    ConditionalWrite::only_if(rule).add(attr::PRESSES, 1).set(attr::EXPIRES_AT, link_expires_at.seconds() + 1)
}

/// What may happen three times to one chat within a window: a message about a failure, or a wrong code. `of` names the one:
/// the same one asking again (a repeated delivery) takes no second slot.
#[derive(Clone, Copy, Debug)]
pub struct Occurrence<'a> {
    /// Unique for each failure of any attempt, or for each code.
    pub of: &'a str,
    /// How long it counts.
    pub window: Duration,
    /// When it is to happen.
    pub now: Timestamp,
}

impl Occurrence<'_> {
    /// The slot to take, by the chat's item: its own, or the first that is free. `None`: the chat has been told enough.
    #[must_use]
    pub fn slot(&self, item: &Attributes) -> Option<usize> {
        let slots = || 0..PLACES;
        slots()
            .find(|slot| self.owns(*slot).holds(item))
            .or_else(|| slots().find(|slot| self.is_free(*slot).holds(item)))
    }

    /// Takes a slot, if it is still this outcome's or free, and this outcome has no other. An outcome's own slot gets the
    /// new time, because the message may be sent only now.
    #[must_use]
    pub fn take(&self, slot: usize) -> ConditionalWrite {
        let others = (0..PLACES).filter(|other| *other != slot);
        let elsewhere = others.map(|other| Condition::IsNot(attr::OUTCOME[other], self.of.into()));
        let new = Condition::All(std::iter::once(self.is_free(slot)).chain(elsewhere).collect());
        ConditionalWrite::only_if(Condition::Any(vec![self.owns(slot), new]))
            .set(attr::TOLD_AT[slot], self.now)
            .set(attr::OUTCOME[slot], self.of)
            .set(attr::EXPIRES_AT, self.now.plus(self.window).seconds() + 1)
    }

    /// Gives its slot back, because it did not happen.
    #[must_use]
    pub fn give_back(&self, slot: usize) -> ConditionalWrite {
        ConditionalWrite::only_if(self.owns(slot)).remove([attr::TOLD_AT[slot], attr::OUTCOME[slot]])
    }

    fn owns(&self, slot: usize) -> Condition {
        Condition::Is(attr::OUTCOME[slot], Value::from(self.of))
    }

    /// Nothing was told from it within the window, as far as it can be read.
    fn is_free(&self, slot: usize) -> Condition {
        let told_at = attr::TOLD_AT[slot];
        Condition::Any(vec![
            Condition::NotNumber(told_at),
            Condition::Below(told_at, self.now.minus(self.window).millis()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    /// As `aws::limits` asks: the first slot without reading, then whichever the item that refused it names.
    fn allow(item: &mut Attributes, outcome: &str, now: Timestamp) -> bool {
        let message = Occurrence { of: outcome, window: FAILURE_WINDOW, now };
        message.take(0).apply(item) || message.slot(item).is_some_and(|slot| message.take(slot).apply(item))
    }

    fn after(minutes: u64) -> Timestamp {
        NOW.plus(Duration::from_mins(minutes))
    }

    #[test]
    fn a_link_is_pressed_twenty_times_and_no_more() {
        let mut item = Attributes::new();
        for press_number in 1..=PRESSES {
            assert!(press(NOW).apply(&mut item), "{press_number}");
        }
        assert!(!press(NOW).apply(&mut item));
        assert_eq!(item.get(attr::PRESSES), Some(&20.into()));
    }

    #[test]
    fn an_item_is_deleted_only_when_it_no_longer_matters() {
        let mut item = Attributes::new();
        press(Timestamp::from_millis(1_999)).apply(&mut item);
        assert_eq!(item.get(attr::EXPIRES_AT), Some(&2.into()));
        assert!(allow(&mut item, "a", NOW));
        assert_eq!(item.get(attr::EXPIRES_AT), Some(&(after(15).seconds() + 1).into()));
    }

    #[test]
    fn a_chat_is_told_of_three_failures_in_fifteen_minutes() {
        let mut item = Attributes::new();
        for (outcome, minute) in [("a", 0), ("b", 5), ("c", 10)] {
            assert!(allow(&mut item, outcome, after(minute)), "{outcome}");
        }
        assert!(!allow(&mut item, "d", after(15)));
        assert!(allow(&mut item, "d", after(16)));
        assert!(!allow(&mut item, "e", after(16)));
    }

    #[test]
    fn the_same_failure_takes_no_second_slot() {
        let mut item = Attributes::new();
        for outcome in ["a", "a", "b", "b", "a", "c", "c", "b"] {
            assert!(allow(&mut item, outcome, NOW), "{outcome}");
        }
        assert!(!allow(&mut item, "d", NOW));
    }

    #[test]
    fn a_failure_told_again_counts_from_then_on() {
        let mut item = Attributes::new();
        for outcome in ["a", "b", "c"] {
            allow(&mut item, outcome, NOW);
        }
        assert!(allow(&mut item, "a", after(14)));
        assert!(allow(&mut item, "d", after(16)) && allow(&mut item, "e", after(16)));
        assert!(!allow(&mut item, "f", after(16)));
    }

    #[test]
    fn a_slot_that_cannot_be_read_is_free() {
        let mut item = Attributes::new();
        for outcome in ["a", "b", "c"] {
            allow(&mut item, outcome, NOW);
        }
        for unreadable in [Value::from("soon"), Value::Other] {
            item.insert(attr::TOLD_AT[1].to_owned(), unreadable);
            assert_eq!(Occurrence { of: "d", window: FAILURE_WINDOW, now: NOW }.slot(&item), Some(1));
        }
    }

    #[test]
    fn what_did_not_happen_leaves_its_slot() {
        let mut item = Attributes::new();
        let guess = |of| Occurrence { of, window: GUESS_WINDOW, now: NOW };
        for of in ["a", "b", "c"] {
            let slot = guess(of).slot(&item).unwrap();
            assert!(guess(of).take(slot).apply(&mut item));
        }
        assert_eq!(guess("d").slot(&item), None);
        let own = guess("b").slot(&item).unwrap();
        assert!(!guess("d").give_back(own).apply(&mut item), "it is another's");
        assert!(guess("b").give_back(own).apply(&mut item));
        assert_eq!(guess("d").slot(&item), Some(own));
    }

    #[test]
    fn keys_of_links_and_of_chats_are_apart() {
        assert_eq!(press_id(LinkId::from_bytes([3; 16])), format!("link:{}", "03".repeat(16)));
        assert_eq!(chat_id(&"whatsapp:+15551234567".parse().unwrap()), "chat:whatsapp:+15551234567");
        assert_eq!(guess_id(&"whatsapp:+15551234567".parse().unwrap()), "guess:whatsapp:+15551234567");
    }

    proptest! {
        #[test]
        fn no_window_has_a_fourth_failure(asked in proptest::collection::vec((0u8..8, 0u64..400), 1..80)) {
            let (mut item, mut now, mut told) = (Attributes::new(), NOW, Vec::new());
            for (outcome, pause) in asked {
                now = now.plus(Duration::from_secs(pause));
                if allow(&mut item, &outcome.to_string(), now) {
                    told.push((now, outcome));
                }
            }
            for (end, _) in &told {
                let within = told.iter().filter(|(at, _)| at <= end && end.since(*at) <= FAILURE_WINDOW);
                let different: BTreeSet<_> = within.map(|(_, outcome)| outcome).collect();
                prop_assert!(different.len() <= PLACES);
            }
        }

        /// Each asker holds an item as it was some writes ago, as concurrent askers do.
        #[test]
        fn concurrent_askers_get_no_fourth_slot(order in proptest::collection::vec(0usize..8, 1..200)) {
            let (mut item, mut slots, mut allowed) = (Attributes::new(), BTreeMap::new(), BTreeSet::new());
            for asker in order {
                let outcome = asker.to_string();
                let message = Occurrence { of: &outcome, window: FAILURE_WINDOW, now: NOW };
                let Some(slot) = *slots.entry(asker).or_insert(Some(0)) else { continue };
                if message.take(slot).apply(&mut item) {
                    allowed.insert(asker);
                } else {
                    slots.insert(asker, message.slot(&item));
                }
            }
            prop_assert!(allowed.len() <= PLACES);
        }
    }
}
