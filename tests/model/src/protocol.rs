//! The world that the functions live in: what can happen next, and what it changes.

use shared::{Reason, Status, attempt::ledger::Mark, conditional_write::ConditionalWrite};
use stateright::{Model, Property};

use crate::{
    exchanger::{Luck, Work},
    notifier::{Announcing, Fortune},
    properties,
    rules::Broken,
    table::{Code, LeaseEnd, Row},
};

/// What is checked: which callbacks come beside the first, and how much goes wrong.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// After the first callback, which brings code A. Each may come at any time, or not at all.
    pub callbacks: Vec<Kind>,
    /// How much goes wrong.
    pub faults: Faults,
    /// How often a message is worked on.
    pub max_tries: u8,
    /// How often a message is received before it is a dead letter.
    pub max_receives: u8,
    /// Which rule is broken.
    pub broken: Broken,
}

/// What a message brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A code.
    Granted(Code),
    /// The person's no.
    Denied,
    /// Sealed tokens.
    Traded(Code),
}

/// How often something may still go wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// All together.
    pub all: u8,
    /// An invocation is killed, or runs out of time.
    pub crashes: u8,
    /// A table or queue does not do what it is asked.
    pub refusals: u8,
    /// It did, or Salesforce or WhatsApp did, and nobody hears of it.
    pub lost: u8,
    /// Salesforce is down, WhatsApp or the bot is, or the settings are wrong.
    pub answers: u8,
    /// SQS or the stream delivers twice.
    pub duplicates: u8,
    /// An operator redrives a dead letter. (No fault, but it has to end.)
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
    /// On the queue, to be received.
    Ready,
    /// With an exchanger.
    InFlight,
    /// Hidden until this holder's lease ends: by its receives the schedule is longer than that.
    Waiting(u8),
    /// With an exchanger that is no more. It comes back when that one's lease has long run out.
    Left,
    /// In the dead-letter queue.
    Dead,
    /// Deleted.
    Gone,
}

/// A message on the exchange queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    /// What it brings.
    pub kind: Kind,
    /// It came 14 minutes ago.
    pub old: bool,
    /// How often it was received.
    pub receives: u8,
    /// Where it is.
    pub place: Place,
}

/// What Salesforce knows of a code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It was not made yet.
    #[default]
    None,
    /// Good for one exchange.
    Good,
    /// 15 minutes old.
    Expired,
    /// Traded.
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

/// What the person heard of an outcome. For the properties alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Told {
    /// How often WhatsApp took a message of it.
    pub messages: u8,
    /// How often nobody could know, or write down, whether it did.
    pub doubts: u8,
}

/// What became of a code at the exchanger's. For the properties alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Known {
    /// A definite answer was heard, and nothing has got lost since.
    pub definite: bool,
    /// Tokens were heard, and nothing has got lost since.
    pub tokens: bool,
}

/// The world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "most are what the properties ask about, and one does not exclude another"
)]
pub struct State {
    /// Callbacks that can still come.
    pub callbacks: Vec<Kind>,
    /// The attempt.
    pub row: Row,
    /// Whose tokens are stored.
    pub tokens: Option<Code>,
    /// At Salesforce.
    pub fates: [Fate; 2],
    /// 14 minutes have passed.
    pub late: bool,
    /// The exchange queue, and the dead-letter queue.
    pub messages: Vec<Message>,
    /// The exchanger's invocations.
    pub work: Vec<Work>,
    /// The stream, as far as it is not acknowledged.
    pub stream: Vec<Record>,
    /// The notifier's invocation: one at a time for an attempt.
    pub announcing: Option<Announcing>,
    /// What can still go wrong.
    pub left: Faults,
    /// Each outcome, by its number.
    pub told: Vec<Told>,
    /// By code.
    pub known: [Known; 2],
    /// A success was overwritten.
    pub overwritten: bool,
    /// A code was sent after a definite answer.
    pub resent: bool,
    /// The person was told twice, and the notifier could have known.
    pub told_needlessly: bool,
    /// There was a delay.
    pub was_delayed: bool,
    /// How often the person was told of one, less the times that nobody could know, or write down, whether they were.
    pub delays_told: i8,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The receiver puts a callback on the queue.
    Callback(Kind),
    /// Fourteen minutes pass.
    CodesDie,
    /// A holder that is no more loses the attempt.
    LeaseRunsOut,
    /// A message whose exchanger was killed is visible again.
    Reappears(usize),
    /// A message comes again that was deleted, or should have been.
    ComesAgain(usize),
    /// An exchanger receives a message.
    Receive(usize),
    /// SQS leaves it visible all the same.
    ReceiveTwice(usize),
    /// An operator puts a dead letter back.
    Redrive(usize),
    /// An exchanger takes its next step.
    Exchanger(usize, Luck),
    /// It is killed.
    Kill(usize),
    /// Its time is over, or it panics.
    TimeOut(usize),
    /// The notifier is invoked, and reads the item.
    Announce,
    /// It takes its next step.
    Notifier(Fortune),
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

    /// Can it still happen?
    #[must_use]
    pub fn can(&self, fault: Fault) -> bool {
        self.all > 0 && *self.clone().of(fault) > 0
    }

    /// It happened.
    pub fn spend(&mut self, fault: Fault) {
        self.all -= 1;
        *self.of(fault) -= 1;
    }
}

impl State {
    /// The write of an exchanger or of the notifier, with what follows from it in the stream.
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
        if usize::from(self.row.outcome) > self.told.len() {
            self.told.push(Told::default());
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
        u8::try_from(self.told.len() + 1).unwrap_or(u8::MAX)
    }

    /// A holder's number that nobody has.
    #[must_use]
    pub fn next_holder(&self) -> u8 {
        (0..u8::MAX)
            .find(|number| {
                self.row.lease != LeaseEnd::Of(*number) && self.work.iter().all(|work| work.holder() != Some(*number))
            })
            .unwrap_or(u8::MAX)
    }

    /// Is the attempt held by somebody who is no more?
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

    /// Puts a message that was received so often back, or where it belongs after its last receive.
    pub fn give_back(&mut self, slot: usize, receives: u8, max_receives: u8, place: Place) {
        let message = &mut self.messages[slot];
        // A receipt is good until the next receive.
        if message.receives == receives && message.place == Place::InFlight {
            message.place = if receives >= max_receives && place != Place::Left { Place::Dead } else { place };
        }
    }

    /// Deletes a message. A dead letter is out of reach.
    pub fn delete(&mut self, slot: usize) {
        let message = &mut self.messages[slot];
        if message.place != Place::Dead {
            message.place = Place::Gone;
        }
    }

    /// What an exchanger knew may be lost.
    pub fn forget(&mut self) {
        for known in &mut self.known {
            *known = Known::default();
        }
    }

    /// The attempt and its messages, in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let Row { status, reason, lease, .. } = &self.row;
        let messages = self
            .messages
            .iter()
            .map(|message| format!("{:?} {:?} after {} receives", message.kind, message.place, message.receives));
        let messages: Vec<_> = messages.collect();
        let told: u8 = self.told.iter().map(|told| told.messages).sum();
        let (status, reason) = (status.unwrap_or("new"), reason.unwrap_or_default());
        format!("{status} {reason} (lease {lease:?}, told {told}x) [{}]", messages.join(", "))
    }

    /// Nothing will happen any more, unless somebody from outside does something.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.work.is_empty()
            && self.stream.is_empty()
            && self.announcing.is_none()
            && self.messages.iter().all(|message| matches!(message.place, Place::Dead | Place::Gone))
    }

    /// Makes equal what nobody can tell apart.
    fn tidy(&mut self) {
        if self.left.all == 0 {
            self.left = Faults { redrives: self.left.redrives, ..Faults::default() };
        }
        // Messages have no order, and what cannot come again is no more.
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
        // Outcomes are told apart by their numbers, whatever they are; those that are past do not count.
        let announced = self.announcing.as_ref().map(Announcing::outcome);
        let numbers = self.stream.iter().map(|record| record.outcome).chain([self.row.outcome]).chain(announced);
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
        if let Some(announcing) = &mut self.announcing {
            announcing.rename(new(announcing.outcome()));
        }
        self.told = numbers.iter().map(|number| self.told[usize::from(*number) - 1].clone()).collect();
    }

    fn callback(&mut self, kind: Kind) {
        if let Kind::Granted(code) = kind {
            let fate = &mut self.fates[code as usize];
            if *fate == Fate::None {
                *fate = Fate::Good;
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
            fates: [Fate::None; 2],
            late: false,
            messages: Vec::new(),
            work: Vec::new(),
            stream: Vec::new(),
            announcing: None,
            left: self.faults.clone(),
            told: Vec::new(),
            known: Default::default(),
            overwritten: false,
            resent: false,
            told_needlessly: false,
            was_delayed: false,
            delays_told: 0,
        };
        state.callback(Kind::Granted(Code::A));
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // Nobody sleeps between the receive of a message and the first write.
        if let Some(index) = state.work.iter().position(Work::is_new) {
            state.work[index].steps(state, |luck| actions.push(Action::Exchanger(index, luck)));
            if state.left.can(Fault::Crash) {
                actions.push(Action::Kill(index));
            }
            return;
        }
        if let Some(kind) = state.callbacks.first() {
            actions.push(Action::Callback(*kind));
        }
        if !state.late {
            actions.push(Action::CodesDie);
        }
        if state.is_left_behind() {
            actions.push(Action::LeaseRunsOut);
        }
        for (slot, message) in state.messages.iter().enumerate() {
            if state.is_ready(message) && state.work.len() < EXCHANGERS {
                actions.push(Action::Receive(slot));
                if state.left.can(Fault::Duplicate) && message.receives + 1 < self.max_receives {
                    actions.push(Action::ReceiveTwice(slot));
                }
            }
            match message.place {
                Place::Left if !state.is_left_behind() => actions.push(Action::Reappears(slot)),
                Place::Gone if state.left.can(Fault::Duplicate) && message.receives < self.max_receives => {
                    actions.push(Action::ComesAgain(slot));
                }
                Place::Dead if state.left.redrives > 0 => actions.push(Action::Redrive(slot)),
                _ => {}
            }
        }
        for (index, work) in state.work.iter().enumerate() {
            work.steps(state, |luck| actions.push(Action::Exchanger(index, luck)));
            if state.left.can(Fault::Crash) {
                actions.push(Action::Kill(index));
                if work.is_under_way() {
                    actions.push(Action::TimeOut(index));
                }
            }
        }
        match &state.announcing {
            None if !state.stream.is_empty() => actions.push(Action::Announce),
            None => {}
            Some(announcing) => {
                announcing.steps(&state.left, |fortune| actions.push(Action::Notifier(fortune)));
                if state.left.can(Fault::Crash) && announcing.leaves_a_doubt() {
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
            Action::CodesDie => {
                state.late = true;
                for message in &mut state.messages {
                    message.old = true;
                }
                for fate in &mut state.fates {
                    if *fate == Fate::Good {
                        *fate = Fate::Expired;
                    }
                }
            }
            Action::LeaseRunsOut => state.row.lease = LeaseEnd::Past,
            Action::Reappears(slot) => {
                let message = &mut state.messages[slot];
                message.place = if message.receives >= self.max_receives { Place::Dead } else { Place::Ready };
            }
            Action::ComesAgain(slot) => {
                state.left.spend(Fault::Duplicate);
                state.messages[slot].place = Place::Ready;
            }
            Action::Receive(slot) | Action::ReceiveTwice(slot) => {
                let message = &mut state.messages[slot];
                message.receives += 1;
                message.place = Place::InFlight;
                if matches!(action, Action::ReceiveTwice(_)) {
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
            Action::Exchanger(index, luck) => {
                let work = state.work.remove(index);
                let next = work.step(&mut state, self, luck);
                state.work.extend(next);
            }
            Action::Kill(index) => {
                state.left.spend(Fault::Crash);
                let work = state.work.remove(index);
                state.forget();
                state.give_back(work.slot, work.receives, self.max_receives, Place::Left);
            }
            Action::TimeOut(index) => {
                state.left.spend(Fault::Crash);
                state.forget();
                state.work[index].time_out();
            }
            Action::Announce => state.announcing = Announcing::read(&mut state),
            Action::Notifier(fortune) => {
                let announcing = state.announcing.take()?;
                state.announcing = announcing.step(&mut state, self.broken, fortune);
            }
            Action::KillNotifier => {
                state.left.spend(Fault::Crash);
                state.announcing.take()?.doubt(&mut state);
            }
        }
        state.tidy();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

/// The mark of the notifier's, under the rules.
#[must_use]
pub fn mark(broken: Broken, row: &Row, record: &Record, mark: &Mark, complete: bool) -> Option<ConditionalWrite> {
    let status = Status::parse(record.status)?;
    let outcome = if broken == Broken::MarkFitsAnyOutcome { row.outcome } else { record.outcome };
    let now = crate::table::outcome_time(0);
    Some(mark.write(status, crate::table::outcome_time(outcome), complete, now))
}

/// Why an attempt is delayed does not matter here.
pub const DELAY: Reason = Reason::SalesforceUnavailable;
