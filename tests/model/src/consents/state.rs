//! One chat: its rows in both tables, its tokens at Salesforce, its messages, and what the properties ask about.

use shared::{
    Timestamp,
    attempt::{attr, ledger::DOUBTED},
};

pub use super::item::Item;
use super::{
    exchanger::Work,
    message::{Content, Form},
    operator::Revoking,
    scenario::Scenario,
};
use crate::faults::{Fault, Faults};

/// A code, and the refresh token that it was exchanged for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Token {
    /// No valid code.
    #[default]
    None,
    /// A code that can be exchanged.
    Code,
    /// A refresh token that is valid at Salesforce.
    Live,
    /// It is revoked.
    Revoked,
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Visible on the queue.
    Ready,
    /// Received.
    InFlight,
    /// Received by an exchanger that was killed.
    Left,
    /// Invisible while somebody holds the attempt.
    Waiting,
    /// Invisible as long as the invocation that sent it can run.
    Delayed(u8),
    /// In the dead-letter queue.
    Dead,
    /// Deleted.
    Gone,
}

/// A message on the exchange queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    /// What it contains.
    pub content: Content,
    /// How often it was received.
    pub receives: u8,
    /// Where it is.
    pub place: Place,
}

/// What chat and bot were told last of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Told {
    /// Nothing.
    #[default]
    Nothing,
    /// The consent of this event is connected.
    Connected(u8),
    /// The connection is revoked.
    Revoked,
}

/// What has happened. For the properties alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a violation, and one does not exclude another")]
pub struct Seen {
    /// The tokens of these codes arrived.
    pub received: u16,
    /// Salesforce blocked them afterwards, or another code had connected their attempt.
    pub unused: u16,
    /// Only a lost response, or an invocation that was killed, knew these tokens, or all that could take them refused.
    pub excused: u16,
    /// The events whose messages wrote an outcome.
    pub answered: u16,
    /// The token that the bot refreshed.
    pub refreshed: Option<u8>,
    /// The codes that were sent, by attempt.
    pub sent: Vec<u16>,
    /// Something was told of a consent that a later one had overtaken.
    pub overtaken_told: bool,
    /// A refused callback ended an attempt that the right one had begun.
    pub right_overruled: bool,
    /// A success was overwritten.
    pub overwritten: bool,
    /// A link from before the revocation was connected after it.
    pub brought_back: bool,
    /// When the connection was revoked.
    pub revoked_at: Option<u64>,
    /// The operator was killed after the tokens were revoked.
    pub revocation_broken: bool,
}

/// The state of everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// How many events have happened.
    pub events: u8,
    /// Fourteen minutes have passed.
    pub late: bool,
    /// The chat's token row.
    pub row: Item,
    /// Another chat's.
    pub foreign: Item,
    /// The attempts, by their numbers, and then the rows of approvals that end apart: the first of each attempt, the second, and so on.
    pub attempts: Vec<Item>,
    /// Codes and tokens at Salesforce.
    pub tokens: Vec<Token>,
    /// The exchange queue, and the dead-letter queue.
    pub messages: Vec<Message>,
    /// The exchanger's invocations.
    pub work: Vec<Work>,
    /// The operator's.
    pub revoking: Option<Revoking>,
    /// The faults that can still happen.
    pub left: Faults,
    /// What was told last.
    pub told: Told,
    /// For the properties.
    pub seen: Seen,
}

/// The bit of a code or token.
#[must_use]
pub const fn bit(token: u8) -> u16 {
    1 << token
}

/// Leases expire by this, which is none of the times that a release writes.
const PAST: u64 = DOUBTED.millis() + 1;

impl State {
    /// The clock of consents and revocations.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Scenario::now(self.events)
    }

    /// Puts a message on the queue.
    pub fn send(&mut self, content: Content, place: Place) {
        self.messages.push(Message { content, receives: 0, place });
    }

    /// A holder's number that is not in use.
    #[must_use]
    pub fn next_id(&self) -> u8 {
        let is_used = |id: u8| {
            let delays = |message: &Message| message.place == Place::Delayed(id);
            self.work.iter().any(|work| work.id == id) || self.messages.iter().any(delays)
        };
        (0..u8::MAX).find(|id| !is_used(*id)).unwrap_or(u8::MAX)
    }

    /// Whether an exchanger that runs, or was killed, holds the attempt.
    #[must_use]
    pub fn is_held(&self, slot: usize) -> bool {
        self.attempts[slot].number(attr::LEASE_UNTIL).is_some_and(|until| until > PAST)
    }

    /// Whether an attempt is held by an invocation that was killed.
    #[must_use]
    pub fn is_left_behind(&self, slot: usize) -> bool {
        self.is_held(slot) && self.work.iter().all(|work| work.holds() != Some(slot))
    }

    /// The lease of an attempt expires.
    pub fn expire_lease(&mut self, slot: usize) {
        if self.is_held(slot) {
            self.attempts[slot].set(attr::LEASE_UNTIL, Some(PAST.into()));
        }
    }

    /// Returns a message to the queue, or moves it where it belongs after its last receive.
    pub fn return_to_queue(&mut self, slot: usize, max_receives: u8, place: Place) {
        let message = &mut self.messages[slot];
        if message.place == Place::InFlight {
            message.place = if message.receives >= max_receives { Place::Dead } else { place };
        }
    }

    /// Whether nothing can happen any more but by an action from outside.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.work.is_empty()
            && self.revoking.is_none()
            && self.messages.iter().all(|message| matches!(message.place, Place::Dead | Place::Gone))
    }

    /// Whether a dead letter has this content.
    #[must_use]
    pub fn is_dead_letter(&self, is: impl Fn(&Content) -> bool) -> bool {
        self.messages.iter().any(|message| message.place == Place::Dead && is(&message.content))
    }

    /// Whether something on a queue still knows the token.
    #[must_use]
    pub fn is_known(&self, scenario: &Scenario, token: u8) -> bool {
        let has = |content: &Content| match content.form {
            Form::Revoke(revoked) => revoked == token,
            Form::Exchanged => scenario.code_of(content.event) == Some(token),
            Form::Own => false,
        };
        self.row.token() == Some(token)
            || self.messages.iter().any(|message| message.place != Place::Gone && has(&message.content))
    }

    /// One line.
    #[must_use]
    pub fn summary(&self) -> String {
        let messages = self.messages.iter().map(|message| {
            let Message { content: Content { event, form }, place, .. } = message;
            format!("{form:?} of event {event} {place:?}")
        });
        let messages: Vec<_> = messages.collect();
        format!("row {:?}, attempts {:?}, tokens {:?}, {messages:?}", self.row, self.attempts, self.tokens)
    }

    /// Makes states equal that differ in nothing that can be observed.
    pub(super) fn canonicalize(&mut self) {
        if self.left.all == 0 {
            self.left = Faults { redrives: self.left.redrives, ..Faults::default() };
        }
        for index in 0..self.messages.len() {
            if let Place::Delayed(id) = self.messages[index].place
                && self.work.iter().all(|work| work.id != id)
            {
                self.messages[index].place = Place::Ready;
            }
        }
        let mut slots: Vec<_> = (0..self.messages.len()).collect();
        let is_gone = |slot: usize| {
            self.messages[slot].place == Place::Gone
                && !self.left.can(Fault::Duplicate)
                && self.work.iter().all(|work| work.slot != slot)
        };
        slots.retain(|slot| !is_gone(*slot));
        slots.sort_by_key(|slot| {
            let ids: Vec<_> = self.work.iter().filter(|work| work.slot == *slot).map(|work| work.id).collect();
            (&self.messages[*slot], ids)
        });
        self.messages = slots.iter().map(|slot| self.messages[*slot].clone()).collect();
        for work in &mut self.work {
            work.slot = slots.iter().position(|slot| *slot == work.slot).unwrap_or_default();
        }
        self.work.sort();
    }
}
