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
pub use crate::{
    faults::{Fault, Faults},
    state::{CodeState, Kind, Known, Message, Notifications, Place, Record, State},
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
