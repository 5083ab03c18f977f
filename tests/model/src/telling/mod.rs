//! A model of how one outcome is told, to the person and on both ways to the bot, with faults between any two steps.
//!
//! Where the [model of one attempt](crate::protocol) has a simple notifier, this one has the notifier as it is: the intent
//! before a message, the marks after it, a mark for each way to the bot, and the retry queue. What may be sent is
//! [`shared::attempt::intent::Intent::step`], and each mark is that of [`shared::attempt::ledger::Mark`], applied to the
//! row's attributes.
//!
//! - **The stream** delivers the record at least once, also when an invocation was killed or could not hand over.
//! - **The retry queue** delivers a pointer in any order, twice at the same time, and again after a kill. After three
//!   receives it is a dead letter, which an operator redrives once.
//! - **The notifier** has two concurrent invocations. It is killed, or runs out of time, between any two steps.
//! - **A write** succeeds, is refused, or succeeds with its answer lost; then the SDK may ask again.
//! - **The provider** takes a message, refuses it, says that it cannot be delivered, or its answer is lost, with the message
//!   taken or not. **The bot** is down on each of its ways, or took the event and its answer is lost.
//!   What they answer is written with the next mark, or alone where there is none and it is news.
//! - **Time** makes an open intent older than its lease, and then older than its pause, while no invocation runs: a lease is
//!   longer than the function's time-out.
//!
//! Left out are later outcomes of the attempt, messages that are withheld, what becomes of a message after it was
//! accepted, and redelivery by an operator.

pub mod notifier;
pub mod properties;
pub mod rules;
pub mod state;
mod step;

use std::time::Duration;

use shared::attempt::intent::{Intent, LEASE, Step};
use stateright::{Model, Property};

use self::{
    notifier::{Source, StepResult, Work},
    rules::Broken,
    state::{NOW, Place, State},
};
use crate::faults::{Fault, Faults};

/// One model.
#[derive(Debug)]
pub struct Telling {
    /// How many faults happen at most.
    pub faults: Faults,
    /// How often a pointer is received before it is a dead letter.
    pub max_receives: u8,
    /// Which rule is broken.
    pub broken: Broken,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The stream delivers the record.
    Record,
    /// It delivers it once more.
    RecordAgain,
    /// A pointer is received.
    Receive(usize),
    /// It is received a second time while it is in flight.
    ReceiveTwice(usize),
    /// An operator puts a dead letter back.
    Redrive(usize),
    /// The open intent's lease ends.
    LeaseEnds,
    /// Its pause ends.
    PauseEnds,
    /// An invocation takes its next step.
    Step(usize, StepResult),
    /// It is killed.
    Kill(usize),
    /// It runs out of time, and stops telling.
    OutOfTime(usize),
}

const INVOCATIONS: usize = 2;
/// The longest pause.
const PAUSE: Duration = Duration::from_hours(1);

impl Telling {
    /// The model within these bounds.
    #[must_use]
    pub const fn new(all: u8, redrives: u8, broken: Broken) -> Self {
        let faults = Faults { all, crashes: all, refusals: all, lost: all, answers: all, duplicates: 1, redrives };
        Self { faults, max_receives: 3, broken }
    }

    /// How an open intent gets older next.
    fn ageing(state: &State) -> Option<Action> {
        let last = state.row.item().message_intent.filter(|last| !last.holder.is_empty())?;
        if !state.work.is_empty() || (!state.record && state.pointers.is_empty()) {
            return None;
        }
        match Intent::step(Some(&last), String::new(), NOW) {
            Step::Held => Some(Action::LeaseEnds),
            Step::Wait => Some(Action::PauseEnds),
            Step::Send(_) | Step::Unknown => None,
        }
    }
}

impl Model for Telling {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.faults.clone())]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let is_free = state.work.len() < INVOCATIONS;
        if is_free && state.record {
            actions.push(Action::Record);
        }
        if is_free && !state.record && state.can(Fault::Duplicate) {
            actions.push(Action::RecordAgain);
        }
        for (slot, pointer) in state.pointers.iter().enumerate() {
            match pointer.place {
                Place::Ready if is_free => actions.push(Action::Receive(slot)),
                Place::InFlight if is_free && state.can(Fault::Duplicate) => actions.push(Action::ReceiveTwice(slot)),
                Place::Dead if state.left.redrives > 0 => actions.push(Action::Redrive(slot)),
                _ => {}
            }
        }
        actions.extend(Self::ageing(state));
        for (index, work) in state.work.iter().enumerate() {
            work.steps(state, |result| actions.push(Action::Step(index, result)));
            if state.can(Fault::Crash) {
                actions.push(Action::Kill(index));
                if work.can_run_out_of_time() {
                    actions.push(Action::OutOfTime(index));
                }
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Record | Action::RecordAgain => {
                if action == Action::RecordAgain {
                    state.left.spend(Fault::Duplicate);
                }
                state.record = false;
                self.begin(&mut state, Source::Record);
            }
            Action::Receive(slot) => {
                state.pointers[slot].receives += 1;
                state.pointers[slot].place = Place::InFlight;
                self.begin(&mut state, Source::Pointer(slot));
            }
            Action::ReceiveTwice(slot) => {
                state.left.spend(Fault::Duplicate);
                self.begin(&mut state, Source::Pointer(slot));
            }
            Action::Redrive(slot) => {
                state.left.redrives -= 1;
                state.seen.redriven = true;
                state.pointers[slot].receives = 0;
                state.pointers[slot].place = Place::Ready;
            }
            Action::LeaseEnds => state.row.age_intent(LEASE),
            Action::PauseEnds => state.row.age_intent(PAUSE),
            Action::Step(index, result) => {
                let work = state.work.remove(index);
                let next = work.step(&mut state, self, result);
                state.work.extend(next);
            }
            Action::Kill(index) => {
                state.left.spend(Fault::Crash);
                state.work.remove(index).kill(&mut state, self);
            }
            Action::OutOfTime(index) => {
                state.left.spend(Fault::Crash);
                let work = state.work.remove(index).stop(&mut state);
                state.work.push(work);
            }
        }
        state.canonicalize();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Telling {
    fn begin(&self, state: &mut State, source: Source) {
        let work = Work::begin(state, self.broken, source);
        state.work.push(work);
    }
}
