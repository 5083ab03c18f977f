//! The environment of the functions: which events can happen next, and what they change.

use shared::{Reason, Status, attempt::ledger::Mark, conditional_write::ConditionalWrite};
use stateright::{Model, Property};

use crate::{
    exchanger::{self, Work},
    notifier::{self, Notifying},
    properties,
    rules::Broken,
    table::{Code, LeaseEnd, Row},
};

/// One model: which callbacks are received beside the first, and how many faults happen.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// After the first callback, which has code A. Each may be received at any time, or not at all.
    pub callbacks: Vec<Kind>,
    /// How many faults happen at most.
    pub faults: Faults,
    /// How often a message is processed.
    pub max_tries: u8,
    /// How often a message is received before it is a dead letter.
    pub max_receives: u8,
    /// Which rule is broken.
    pub broken: Broken,
}

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

/// How many faults may still happen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// In total.
    pub all: u8,
    /// An invocation is killed, or runs out of time.
    pub crashes: u8,
    /// A table or queue refuses a request.
    pub refusals: u8,
    /// A request to them, to Salesforce or to WhatsApp succeeds, and its response is lost.
    pub lost: u8,
    /// Salesforce, WhatsApp or the bot is down, or the settings are wrong.
    pub answers: u8,
    /// SQS or the stream delivers twice.
    pub duplicates: u8,
    /// An operator redrives a dead letter: not a fault, but bounded like one.
    pub redrives: u8,
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// See [`Faults`].
    Crash,
    /// See [`Faults`].
    Refusal,
    /// See [`Faults`].
    Lost,
    /// See [`Faults`].
    Answer,
    /// See [`Faults`].
    Duplicate,
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

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The receiver puts a callback on the queue.
    Callback(Kind),
    /// Fourteen minutes pass, and codes expire.
    CodesExpire,
    /// The lease of a holder that was killed expires.
    LeaseExpires,
    /// A message whose exchanger was killed is visible again.
    VisibleAgain(usize),
    /// A message is delivered again that was deleted, or should have been.
    Redelivered(usize),
    /// An exchanger receives a message.
    Receive(usize),
    /// An exchanger receives a message, and SQS leaves it visible.
    ReceiveConcurrently(usize),
    /// An operator puts a dead letter back.
    Redrive(usize),
    /// An exchanger takes its next step.
    Exchanger(usize, exchanger::StepResult),
    /// It is killed.
    Kill(usize),
    /// It runs out of time, or panics.
    TimeOut(usize),
    /// The notifier is invoked, and reads the item.
    Notify,
    /// It takes its next step.
    Notifier(notifier::StepResult),
    /// It is killed.
    KillNotifier,
}

const EXCHANGERS: usize = 2;

impl Faults {
    fn of(&mut self, fault: Fault) -> &mut u8 {
        match fault {
            Fault::Crash => &mut self.crashes,
            Fault::Refusal => &mut self.refusals,
            Fault::Lost => &mut self.lost,
            Fault::Answer => &mut self.answers,
            Fault::Duplicate => &mut self.duplicates,
        }
    }

    /// Whether it can still happen.
    #[must_use]
    pub fn can(&self, fault: Fault) -> bool {
        self.all > 0 && *self.clone().of(fault) > 0
    }

    /// Counts a fault that happened.
    pub fn spend(&mut self, fault: Fault) {
        self.all -= 1;
        *self.of(fault) -= 1;
    }
}

impl State {
    /// A write by an exchanger or by the notifier, with the record that it makes in the stream.
    pub fn write(&mut self, change: &ConditionalWrite) -> bool {
        let before = (self.row.is(Status::Connected), self.row.outcome);
        if !self.row.write(change) {
            return false;
        }
        self.overwritten |= before.0 && before != (self.row.is(Status::Connected), self.row.outcome);
        // An attempt remembers its last code alone.
        for code in [Code::A, Code::B] {
            if self.row.code != Some(code) {
                self.known[code as usize].definite = false;
            }
        }
        let Some(status) = self.row.status.filter(|_| !self.row.is(Status::Exchanging)) else { return true };
        if usize::from(self.row.outcome) > self.notifications.len() {
            self.notifications.push(Notifications::default());
            self.was_delayed |= self.row.is(Status::Delayed);
        }
        // The filter of the stream's event source.
        if !self.row.notified {
            self.stream.push(Record { status, outcome: self.row.outcome });
        }
        true
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
    fn is_left_behind(&self) -> bool {
        match self.row.lease {
            LeaseEnd::Of(number) => self.work.iter().all(|work| work.holder() != Some(number)),
            LeaseEnd::None | LeaseEnd::Released | LeaseEnd::Past => false,
        }
    }

    fn is_ready(&self, message: &Message) -> bool {
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
    fn canonicalize(&mut self) {
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

    fn callback(&mut self, kind: Kind) {
        if let Kind::Granted(code) = kind {
            let code_state = &mut self.codes[code as usize];
            if *code_state == CodeState::None {
                *code_state = CodeState::Valid;
            }
        }
        self.send(kind);
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State {
            callbacks: self.callbacks.clone(),
            row: Row::default(),
            tokens: None,
            codes: [CodeState::None; 2],
            late: false,
            messages: Vec::new(),
            work: Vec::new(),
            stream: Vec::new(),
            notifying: None,
            left: self.faults.clone(),
            notifications: Vec::new(),
            known: Default::default(),
            overwritten: false,
            resent: false,
            notified_needlessly: false,
            was_delayed: false,
            delays_notified: 0,
        };
        state.callback(Kind::Granted(Code::A));
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // The first write follows the receive of a message at once.
        if let Some(index) = state.work.iter().position(Work::is_new) {
            state.work[index].steps(state, |result| actions.push(Action::Exchanger(index, result)));
            if state.left.can(Fault::Crash) {
                actions.push(Action::Kill(index));
            }
            return;
        }
        if let Some(kind) = state.callbacks.first() {
            actions.push(Action::Callback(*kind));
        }
        if !state.late {
            actions.push(Action::CodesExpire);
        }
        if state.is_left_behind() {
            actions.push(Action::LeaseExpires);
        }
        for (slot, message) in state.messages.iter().enumerate() {
            if state.is_ready(message) && state.work.len() < EXCHANGERS {
                actions.push(Action::Receive(slot));
                if state.left.can(Fault::Duplicate) && message.receives + 1 < self.max_receives {
                    actions.push(Action::ReceiveConcurrently(slot));
                }
            }
            match message.place {
                Place::Left if !state.is_left_behind() => actions.push(Action::VisibleAgain(slot)),
                Place::Gone if state.left.can(Fault::Duplicate) && message.receives < self.max_receives => {
                    actions.push(Action::Redelivered(slot));
                }
                Place::Dead if state.left.redrives > 0 => actions.push(Action::Redrive(slot)),
                _ => {}
            }
        }
        for (index, work) in state.work.iter().enumerate() {
            work.steps(state, |result| actions.push(Action::Exchanger(index, result)));
            if state.left.can(Fault::Crash) {
                actions.push(Action::Kill(index));
                if work.is_under_way() {
                    actions.push(Action::TimeOut(index));
                }
            }
        }
        match &state.notifying {
            None if !state.stream.is_empty() => actions.push(Action::Notify),
            None => {}
            Some(notifying) => {
                notifying.steps(&state.left, |result| actions.push(Action::Notifier(result)));
                if state.left.can(Fault::Crash) && notifying.loses_a_mark() {
                    actions.push(Action::KillNotifier);
                }
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Callback(kind) => {
                state.callbacks.remove(0);
                state.callback(kind);
            }
            Action::CodesExpire => {
                state.late = true;
                for message in &mut state.messages {
                    message.old = true;
                }
                for code_state in &mut state.codes {
                    if *code_state == CodeState::Valid {
                        *code_state = CodeState::Expired;
                    }
                }
            }
            Action::LeaseExpires => state.row.lease = LeaseEnd::Past,
            Action::VisibleAgain(slot) => {
                let message = &mut state.messages[slot];
                message.place = if message.receives >= self.max_receives { Place::Dead } else { Place::Ready };
            }
            Action::Redelivered(slot) => {
                state.left.spend(Fault::Duplicate);
                state.messages[slot].place = Place::Ready;
            }
            Action::Receive(slot) | Action::ReceiveConcurrently(slot) => {
                let message = &mut state.messages[slot];
                message.receives += 1;
                message.place = Place::InFlight;
                if matches!(action, Action::ReceiveConcurrently(_)) {
                    message.place = Place::Ready;
                    state.left.spend(Fault::Duplicate);
                }
                state.work.push(Work::new(slot, message, self.max_tries));
            }
            Action::Redrive(slot) => {
                state.left.redrives -= 1;
                state.messages[slot].receives = 0;
                state.messages[slot].place = Place::Ready;
            }
            Action::Exchanger(index, result) => {
                let work = state.work.remove(index);
                let next = work.step(&mut state, self, result);
                state.work.extend(next);
            }
            Action::Kill(index) => {
                state.left.spend(Fault::Crash);
                let work = state.work.remove(index);
                state.forget();
                state.return_to_queue(work.slot, work.receives, self.max_receives, Place::Left);
            }
            Action::TimeOut(index) => {
                state.left.spend(Fault::Crash);
                state.forget();
                state.work[index].time_out();
            }
            Action::Notify => state.notifying = Notifying::read(&mut state),
            Action::Notifier(result) => {
                let notifying = state.notifying.take()?;
                state.notifying = notifying.step(&mut state, self.broken, result);
            }
            Action::KillNotifier => {
                state.left.spend(Fault::Crash);
                state.notifying.take()?.lose_mark(&mut state);
            }
        }
        state.canonicalize();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

/// The notifier's mark, under the rules.
#[must_use]
pub fn mark(broken: Broken, row: &Row, record: &Record, mark: &Mark, complete: bool) -> Option<ConditionalWrite> {
    let status = Status::parse(record.status)?;
    let outcome = if broken == Broken::MarkFitsAnyOutcome { row.outcome } else { record.outcome };
    let now = crate::table::outcome_time(0);
    Some(mark.write(status, crate::table::outcome_time(outcome), complete, now))
}

/// The reason of a delay does not matter here.
pub const DELAY: Reason = Reason::SalesforceUnavailable;
