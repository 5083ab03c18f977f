//! The state of one attempt: its row, its messages, and what the properties ask about.

use shared::{Status, conditional_write::ConditionalWrite};

use crate::{
    exchanger::Work,
    faults::{Fault, Faults},
    notifier::Notifying,
    table::{Code, LeaseEnd, Row},
};

/// What a message contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A code.
    Granted(Code),
    /// The person's denial.
    Denied,
    /// Sealed tokens: a checkpoint.
    Exchanged(Code),
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Visible on the queue.
    Ready,
    /// Received by an exchanger.
    InFlight,
    /// Invisible until this holder's lease expires: after so many receives the schedule is longer than a lease.
    Waiting(u8),
    /// Received by an exchanger that was killed. It is visible again long after that one's lease has expired.
    Left,
    /// In the dead-letter queue.
    Dead,
    /// Deleted.
    Gone,
}

/// A message on the exchange queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    /// What it contains.
    pub kind: Kind,
    /// It was received by the callback 14 minutes ago.
    pub old: bool,
    /// How often it was received.
    pub receives: u8,
    /// Where it is.
    pub place: Place,
}

/// The state of a code at Salesforce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CodeState {
    /// Not issued yet.
    #[default]
    None,
    /// Valid for one exchange.
    Valid,
    /// 15 minutes old.
    Expired,
    /// Redeemed.
    Used,
}

/// A record of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The image's.
    pub status: StatusText,
    /// The image's.
    pub outcome: u8,
}

/// A status that can be hashed.
pub type StatusText = &'static str;

/// How often the person was notified of an outcome. For the properties alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Notifications {
    /// How many messages of it WhatsApp accepted.
    pub messages: u8,
    /// How often a response or a mark was lost, so that a repetition is justified.
    pub doubts: u8,
}

/// What the exchanger has learnt of a code. For the properties alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Known {
    /// There was a definite response, and nothing has been lost since.
    pub definite: bool,
    /// Tokens were received, and nothing has been lost since.
    pub tokens: bool,
}

/// The state of everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "most are what the properties ask about, and one does not exclude another"
)]
pub struct State {
    /// Callbacks that can still be received.
    pub callbacks: Vec<Kind>,
    /// The attempt.
    pub row: Row,
    /// Whose tokens are stored.
    pub tokens: Option<Code>,
    /// The codes at Salesforce.
    pub codes: [CodeState; 2],
    /// 14 minutes have passed.
    pub late: bool,
    /// The exchange queue, and the dead-letter queue.
    pub messages: Vec<Message>,
    /// The exchanger's invocations.
    pub work: Vec<Work>,
    /// The records of the stream that are not acknowledged.
    pub stream: Vec<Record>,
    /// The notifier's invocation: one at a time for an attempt.
    pub notifying: Option<Notifying>,
    /// The faults that can still happen.
    pub left: Faults,
    /// Each outcome, by its number.
    pub notifications: Vec<Notifications>,
    /// By code.
    pub known: [Known; 2],
    /// A success was overwritten.
    pub overwritten: bool,
    /// A code was sent after a definite answer.
    pub resent: bool,
    /// The person was notified twice, and the notifier could have known.
    pub notified_needlessly: bool,
    /// There was a delay.
    pub was_delayed: bool,
    /// How often the person was notified of one, less the times that a response or a mark was lost.
    pub delays_notified: i8,
}

impl State {
    /// A write by an exchanger or by the notifier, with the record that it makes in the stream.
    pub fn write(&mut self, change: &ConditionalWrite) -> bool {
        let mut row = self.row.clone();
        let made = row.write(change);
        if made {
            self.written(row);
        }
        made
    }

    /// The row is this by a write.
    pub(crate) fn written(&mut self, row: Row) {
        let before = (self.row.is(Status::Connected), self.row.outcome);
        self.row = row;
        self.overwritten |= before.0 && before != (self.row.is(Status::Connected), self.row.outcome);
        let Some(status) = self.row.status.filter(|_| !self.row.is(Status::Exchanging)) else { return };
        if usize::from(self.row.outcome) > self.notifications.len() {
            self.notifications.push(Notifications::default());
            self.was_delayed |= self.row.is(Status::Delayed);
        }
        // The filter of the stream's event source.
        if !self.row.notified {
            self.stream.push(Record { status, outcome: self.row.outcome });
        }
    }

    /// The number of the next outcome.
    #[must_use]
    pub fn next_outcome(&self) -> u8 {
        u8::try_from(self.notifications.len() + 1).unwrap_or(u8::MAX)
    }

    /// A holder's number that is not in use.
    #[must_use]
    pub fn next_holder(&self) -> u8 {
        (0..u8::MAX)
            .find(|number| {
                self.row.lease != LeaseEnd::Of(*number) && self.work.iter().all(|work| work.holder() != Some(*number))
            })
            .unwrap_or(u8::MAX)
    }

    /// Whether the attempt is held by an invocation that was killed.
    pub(crate) fn is_left_behind(&self) -> bool {
        match self.row.lease {
            LeaseEnd::Of(number) => self.work.iter().all(|work| work.holder() != Some(number)),
            LeaseEnd::None | LeaseEnd::Released | LeaseEnd::Doubted | LeaseEnd::Past => false,
        }
    }

    pub(crate) fn is_ready(&self, message: &Message) -> bool {
        match message.place {
            Place::Ready => true,
            Place::Waiting(number) => self.row.lease != LeaseEnd::Of(number),
            Place::InFlight | Place::Left | Place::Dead | Place::Gone => false,
        }
    }

    /// Puts a message on the queue.
    pub fn send(&mut self, kind: Kind) {
        self.messages.push(Message { kind, old: false, receives: 0, place: Place::Ready });
    }

    /// Returns a message that was received so often to the queue, or moves it where it belongs after its last receive.
    pub fn return_to_queue(&mut self, slot: usize, receives: u8, max_receives: u8, place: Place) {
        let message = &mut self.messages[slot];
        // A receipt handle is valid until the next receive.
        if message.receives == receives && message.place == Place::InFlight {
            message.place = if receives >= max_receives && place != Place::Left { Place::Dead } else { place };
        }
    }

    /// Deletes a message. A dead letter cannot be deleted by an exchanger.
    pub fn delete(&mut self, slot: usize) {
        let message = &mut self.messages[slot];
        if message.place != Place::Dead {
            message.place = Place::Gone;
        }
    }

    /// What an exchanger has learnt may be lost.
    pub fn forget(&mut self) {
        for known in &mut self.known {
            *known = Known::default();
        }
    }

    /// The attempt and its messages, in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let Row { status, reason, lease, .. } = &self.row;
        let messages = self
            .messages
            .iter()
            .map(|message| format!("{:?} {:?} after {} receives", message.kind, message.place, message.receives));
        let messages: Vec<_> = messages.collect();
        let notified: u8 = self.notifications.iter().map(|sent| sent.messages).sum();
        let (status, reason) = (status.unwrap_or("new"), reason.unwrap_or_default());
        format!("{status} {reason} (lease {lease:?}, notified {notified}x) [{}]", messages.join(", "))
    }

    /// Whether nothing can happen any more but by an action from outside.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.work.is_empty()
            && self.stream.is_empty()
            && self.notifying.is_none()
            && self.messages.iter().all(|message| matches!(message.place, Place::Dead | Place::Gone))
    }

    /// Makes states equal that differ in nothing that can be observed: the fewer states, the more faults can be
    /// checked.
    pub(crate) fn canonicalize(&mut self) {
        if self.left.all == 0 {
            self.left = Faults { redrives: self.left.redrives, ..Faults::default() };
        }
        // Messages have no order, and one that cannot be delivered again does not exist any more.
        let mut slots: Vec<_> = (0..self.messages.len()).collect();
        let is_gone = |slot: usize| {
            self.messages[slot].place == Place::Gone
                && !self.left.can(Fault::Duplicate)
                && self.work.iter().all(|work| work.slot != slot)
        };
        slots.retain(|slot| !is_gone(*slot));
        slots.sort_by_key(|slot| {
            let work: Vec<_> = self.work.iter().filter(|work| work.slot == *slot).collect();
            (&self.messages[*slot], work.into_iter().map(|work| (work.receives, work.holder())).collect::<Vec<_>>())
        });
        self.messages = slots.iter().map(|slot| self.messages[*slot].clone()).collect();
        for work in &mut self.work {
            work.slot = slots.iter().position(|slot| *slot == work.slot).unwrap_or_default();
        }
        self.work.sort();
        // The numbers of outcomes only tell them apart; those that nothing refers to any more do not count.
        let current = self.notifying.as_ref().map(Notifying::outcome);
        let numbers = self.stream.iter().map(|record| record.outcome).chain([self.row.outcome]).chain(current);
        let mut numbers: Vec<_> = numbers.filter(|number| *number != 0).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let new = |old: u8| {
            let position = numbers.iter().position(|number| *number == old);
            position.and_then(|position| u8::try_from(position + 1).ok()).unwrap_or_default()
        };
        self.row.outcome = new(self.row.outcome);
        for record in &mut self.stream {
            record.outcome = new(record.outcome);
        }
        if let Some(notifying) = &mut self.notifying {
            notifying.rename(new(notifying.outcome()));
        }
        self.notifications =
            numbers.iter().map(|number| self.notifications[usize::from(*number) - 1].clone()).collect();
    }

    pub(crate) fn callback(&mut self, kind: Kind) {
        if let Kind::Granted(code) = kind {
            let code_state = &mut self.codes[code as usize];
            if *code_state == CodeState::None {
                *code_state = CodeState::Valid;
            }
        }
        self.send(kind);
    }
}
