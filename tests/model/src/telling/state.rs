//! One outcome that is told: its row, the stream's record, its pointers, and what the properties ask about.

use std::{sync::Arc, time::Duration};

use shared::{
    AttemptId, Status, Timestamp,
    attempt::{Item, Ways, attr, intent::Intent, message::UNKNOWN},
    conditional_write::{Attributes, ConditionalWrite},
};

use super::notifier::Work;
use crate::{
    entry::Entries,
    faults::{Fault, Faults},
};

/// The time of every write. Time passes by making the intent older.
pub const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// When the outcome was written.
pub const UPDATED_AT: Timestamp = Timestamp::from_millis(1_789_000_000_000);
/// Its status.
pub const STATUS: Status = Status::Connected;
const ID: AttemptId = AttemptId::from_bytes([7; 16]);

/// The outcome's row: the attributes that marks change.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(Arc<Entries>);

/// Where a message of the retry queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Visible on the queue, or soon.
    Ready,
    /// Received.
    InFlight,
    /// In the dead-letter queue.
    Dead,
    /// Deleted.
    Gone,
}

/// A message of the retry queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer {
    /// How often it was received.
    pub receives: u8,
    /// Where it is.
    pub place: Place,
}

/// How the message to the person stands: what the bot's event says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// It is sent later.
    Pending,
    /// The provider took it.
    Sent,
    /// It may have been sent.
    Unknown,
    /// It cannot be delivered.
    Undeliverable,
}

/// What happened, for the properties alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations")]
pub struct Seen {
    /// How many messages were handed to the provider whose answer was no refusal: it took them, or its answer was lost.
    pub handed: u8,
    /// How many it took.
    pub taken: u8,
    /// How many of those no row speaks of: the answer was lost, the mark could not be written, or the sender died.
    pub doubts: u8,
    /// A message was taken although each one before it was marked.
    pub needless: bool,
    /// A message was sent while another invocation held the intent.
    pub at_once: bool,
    /// A write left the row without any mark, and so on the stream again.
    pub on_stream_again: bool,
    /// The ways on which the bot heard of the outcome.
    pub heard: Ways,
    /// The ways on which it heard that no message is known to arrive.
    pub heard_of_end: Ways,
    /// An operator redrove a dead letter.
    pub redriven: bool,
    /// The telling was completed after that.
    pub told_after_redrive: bool,
}

/// The state of one outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Its row.
    pub row: Row,
    /// The stream delivers its record.
    pub record: bool,
    /// The messages of the retry queue that point to it.
    pub pointers: Vec<Pointer>,
    /// The invocations of the notifier.
    pub work: Vec<Work>,
    /// The faults that are left.
    pub left: Faults,
    /// See [`Seen`].
    pub seen: Seen,
}

impl Row {
    fn attributes(&self) -> Attributes {
        let mut attributes: Attributes = self.0.iter().map(|(name, entry)| (name.clone(), entry.into())).collect();
        attributes.insert(attr::ATTEMPT_ID.to_owned(), ID.to_string().into());
        attributes.insert(attr::STATUS.to_owned(), STATUS.as_str().into());
        attributes.insert(attr::UPDATED_AT.to_owned(), UPDATED_AT.into());
        attributes
    }

    /// Reads it, as the notifier does.
    ///
    /// # Panics
    /// Where a mark left what cannot be read.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a row that the notifier cannot read is a fault of the model's")]
    pub fn item(&self) -> Item {
        Item::read(&self.attributes(), &[]).expect("readable")
    }

    /// Whether an attribute is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether everybody was told.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.has(attr::NOTIFIED_AT)
    }

    /// How the message stands, by the marks: `Marks::of` of the notifier's `outcome.rs`, without delays.
    #[must_use]
    pub fn message(&self) -> Message {
        let item = self.item();
        match (item.messaged_at, item.message_error) {
            (Some(_), _) if item.message_id.is_none() && item.message_state.as_deref() == Some(UNKNOWN) => {
                Message::Unknown
            }
            (Some(_), _) => Message::Sent,
            (None, Some(_)) => Message::Undeliverable,
            (None, None) => Message::Pending,
        }
    }

    /// The bot's ways that took the event, by the marks: the same.
    #[must_use]
    pub fn bot(&self) -> Ways {
        Ways::told(&self.item())
    }

    /// Applies a write; returns the attributes that refuse it.
    ///
    /// # Errors
    /// Those attributes.
    pub fn write(&mut self, change: &ConditionalWrite) -> Result<(), Attributes> {
        let mut attributes = self.attributes();
        if !change.apply(&mut attributes) {
            return Err(attributes);
        }
        self.keep(attributes);
        Ok(())
    }

    /// Hides what became of the message; returns that.
    pub fn hide_result(&mut self) -> Attributes {
        let is_result = |name: &String| [attr::MESSAGED_AT, attr::MESSAGE_ERROR].contains(&name.as_str());
        let (result, others) = self.attributes().into_iter().partition(|(name, _)| is_result(name));
        self.keep(others);
        result
    }

    /// Shows what was hidden.
    pub fn show(&mut self, hidden: Attributes) {
        if !hidden.is_empty() {
            let mut attributes = self.attributes();
            attributes.extend(hidden);
            self.keep(attributes);
        }
    }

    /// Makes the intent so old.
    pub fn age_intent(&mut self, age: Duration) {
        let Some(intent) = self.item().message_intent else { return };
        let at = Timestamp::from_millis(NOW.millis() - u64::try_from(age.as_millis()).unwrap_or_default());
        let mut attributes = self.attributes();
        attributes.insert(attr::MESSAGE_INTENT.to_owned(), Intent { at, ..intent }.to_string().into());
        self.keep(attributes);
    }

    fn keep(&mut self, attributes: Attributes) {
        let marks = attributes.into_iter().filter(|(name, _)| attr::MARKS.contains(&name.as_str()));
        self.0 = Arc::new(marks.map(|(name, value)| (name, value.into())).collect());
    }
}

impl State {
    /// The outcome as it was written.
    #[must_use]
    pub fn new(left: Faults) -> Self {
        Self { row: Row::default(), record: true, pointers: Vec::new(), work: Vec::new(), left, seen: Seen::default() }
    }

    /// Whether nothing happens any more, unless an operator redrives a dead letter.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.work.is_empty() && !self.record && !self.pointers.iter().any(|pointer| pointer.place == Place::Ready)
    }

    /// Whether a pointer is in the dead-letter queue.
    #[must_use]
    pub fn has_dead_letter(&self) -> bool {
        self.pointers.iter().any(|pointer| pointer.place == Place::Dead)
    }

    /// Writes to the row.
    ///
    /// # Errors
    /// The attributes that refuse the write.
    pub fn write(&mut self, change: &ConditionalWrite) -> Result<(), Attributes> {
        let was_complete = self.row.is_complete();
        self.row.write(change)?;
        self.seen.on_stream_again |= self.row.0.is_empty();
        self.seen.told_after_redrive |= self.seen.redriven && !was_complete && self.row.is_complete();
        Ok(())
    }

    /// The provider took a message.
    pub const fn take_message(&mut self) {
        self.seen.needless |= self.seen.taken > self.seen.doubts;
        self.seen.taken += 1;
    }

    /// A message is deleted from the queue.
    pub fn delete(&mut self, slot: usize) {
        let pointer = &mut self.pointers[slot];
        if pointer.place != Place::Dead {
            pointer.place = Place::Gone;
        }
    }

    /// A message of the queue is visible again, or a dead letter.
    pub fn put_back(&mut self, slot: usize, max_receives: u8) {
        let pointer = &mut self.pointers[slot];
        if pointer.place == Place::InFlight {
            pointer.place = if pointer.receives >= max_receives { Place::Dead } else { Place::Ready };
        }
    }

    /// Makes states equal that differ in nothing that can be observed.
    pub(super) fn canonicalize(&mut self) {
        if self.left.all == 0 {
            self.left = Faults { redrives: self.left.redrives, ..Faults::default() };
        }
        while let Some(slot) = (0..self.pointers.len()).find(|slot| self.is_forgotten(*slot)) {
            self.pointers.remove(slot);
            self.work.iter_mut().for_each(|work| work.forget(slot));
        }
        if !self.work.iter().any(Work::is_of_queue) {
            self.pointers.sort();
        }
        self.work.sort();
    }

    fn is_forgotten(&self, slot: usize) -> bool {
        self.pointers[slot].place == Place::Gone && !self.work.iter().any(|work| work.is_of(slot))
    }

    /// For traces.
    #[must_use]
    pub fn summary(&self) -> String {
        let Self { row, record, pointers, work, seen, .. } = self;
        format!("row {:?}, record {record}, {pointers:?}, {work:?}, {seen:?}", row.0)
    }

    /// Whether such a fault can happen.
    #[must_use]
    pub fn can(&self, fault: Fault) -> bool {
        self.left.can(fault)
    }
}
