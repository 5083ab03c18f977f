//! A model of one chat: several consents, each with its own time, in every order of processing and with faults between,
//! over rows that other parties wrote too.
//!
//! Where the [model of one attempt](crate::protocol) asks whether its outcome is reached and told, this one asks which
//! consent the chat is connected with, and what becomes of the tokens of the others. Messages are made, signed and
//! verified as the stack does it; which consent wins, and every write, is the functions' own code.
//!
//! Left out are the notifier (an outcome counts as told when it is written; of two attempts that are told of late, the
//! earlier may be told last), retries within an invocation, and the clocks' differences.

pub mod exchanger;
pub mod item;
pub mod message;
pub mod operator;
pub mod properties;
pub mod rules;
pub mod scenario;
pub mod state;

use shared::Reason;
use stateright::{Model, Property};

use self::{
    exchanger::{StepResult, Work},
    message::{Content, Form, RESERVE, Verified},
    operator::Revoking,
    rules::Broken,
    scenario::{Bounds, Brings, Event, Forgery, REVOKED, Scenario, Shape},
    state::{Item, Place, Seen, State, Token, Told},
};
use crate::faults::{Fault, Faults};

/// One model.
#[derive(Debug)]
pub struct Consents {
    /// What happens.
    pub scenario: &'static Scenario,
    /// How many faults happen at most.
    pub faults: Faults,
    /// Whether codes can expire.
    pub expiry: bool,
    /// How often a message is processed.
    pub max_tries: u8,
    /// How often a message is received before it is a dead letter.
    pub max_receives: u8,
    /// Which rule is broken.
    pub broken: Broken,
    verified: Vec<[Option<Verified>; 3]>,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The next event.
    Event,
    /// Fourteen minutes pass, and codes expire.
    CodesExpire,
    /// The lease of a holder that was killed expires.
    LeaseExpires(usize),
    /// A message whose exchanger was killed is visible again.
    VisibleAgain(usize),
    /// A message is delivered again that was deleted.
    Redelivered(usize),
    /// An exchanger receives a message.
    Receive(usize),
    /// An operator puts a dead letter back.
    Redrive(usize),
    /// An exchanger takes its next step.
    Exchanger(usize, StepResult),
    /// It is killed.
    Kill(usize),
    /// The operator's revocation takes its next step.
    Revoking,
    /// It is killed.
    KillRevoking,
}

const EXCHANGERS: usize = 2;

impl Consents {
    /// The model of a scenario within these bounds.
    #[must_use]
    pub fn new(scenario: &'static Scenario, bounds: Bounds, broken: Broken) -> Self {
        let Bounds { faults: all, redrives, expiry } = bounds;
        let faults = Faults { all, crashes: all, refusals: all, lost: all, answers: 1, duplicates: 1, redrives };
        let verified = scenario.verified(broken);
        Self {
            scenario,
            faults,
            expiry,
            max_tries: scenario.tries,
            max_receives: scenario.tries + RESERVE,
            broken,
            verified,
        }
    }

    /// What is verified of a message; `None` where it is forged.
    #[must_use]
    pub fn verified(&self, content: Content) -> Option<&Verified> {
        let form = match content.form {
            Form::Own => 0,
            Form::Exchanged => 1,
            Form::Revoke(_) => 2,
        };
        self.verified[usize::from(content.event)][form].as_ref()
    }

    /// Why the attempt of this event fails, which brings no code.
    #[must_use]
    pub const fn refusal(&self, event: u8) -> Reason {
        match self.scenario.events[event as usize] {
            Event::Callback { brings: Brings::Denied, .. } => Reason::Denied,
            _ => Reason::UsedLogin,
        }
    }

    fn happen(&self, state: &mut State) {
        let event = state.events;
        state.events += 1;
        match self.scenario.events[usize::from(event)] {
            Event::Callback { brings: Brings::Code(code), .. }
            | Event::Forged(Forgery::OtherChat(code) | Forgery::Time(code)) => {
                state.tokens[usize::from(code)] = Token::Code;
                state.send(Content { event, form: Form::Own }, Place::Ready);
            }
            Event::Callback { .. } => state.send(Content { event, form: Form::Own }, Place::Ready),
            Event::Revoke => state.revoking = Some(Revoking::Read),
            Event::BotRefresh => {
                let (Some(token), new) = (state.row.token(), self.scenario.refreshed_token()) else { return };
                state.seen.refreshed = Some(token);
                state.tokens[usize::from(token)] = Token::Revoked;
                state.tokens[usize::from(new)] = Token::Live;
                state.row.set(shared::connection::REFRESH_TOKEN, Some(format!("r{new}").as_str().into()));
                state.row.set(shared::connection::ISSUED_AT, Some("1790000000123".into()));
            }
        }
    }
}

impl Model for Consents {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let old = self.scenario.old_token();
        let begin = |shape: Shape| {
            let row = shape.row(old);
            let is_revoked = shape == Shape::Revoked;
            let mut tokens = vec![Token::None; usize::from(self.scenario.tokens())];
            if row.token() == Some(old) {
                tokens[usize::from(old)] = Token::Live;
            }
            let attempts = self.scenario.attempts().len();
            State {
                events: 0,
                late: false,
                row,
                foreign: Item::default(),
                attempts: vec![Item::default(); attempts * (1 + self.scenario.rows_apart())],
                tokens,
                messages: Vec::new(),
                work: Vec::new(),
                revoking: None,
                left: self.faults.clone(),
                told: if is_revoked { Told::Revoked } else { Told::Nothing },
                seen: Seen { sent: vec![0; attempts], revoked_at: is_revoked.then_some(REVOKED), ..Seen::default() },
            }
        };
        self.scenario.rows.iter().map(|shape| begin(*shape)).collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if let Some(index) = state.work.iter().position(Work::is_new) {
            state.work[index].steps(state, |result| actions.push(Action::Exchanger(index, result)));
            if state.left.can(Fault::Crash) {
                actions.push(Action::Kill(index));
            }
            return;
        }
        if usize::from(state.events) < self.scenario.events.len() && !state.late {
            actions.push(Action::Event);
        }
        if self.expiry && !state.late && state.work.is_empty() && state.revoking.is_none() {
            actions.push(Action::CodesExpire);
        }
        for slot in 0..state.attempts.len() {
            if state.is_left_behind(slot) {
                actions.push(Action::LeaseExpires(slot));
            }
        }
        for (slot, message) in state.messages.iter().enumerate() {
            let attempt = self.verified(message.content).map_or(0, |of| of.slot);
            match message.place {
                Place::Ready if state.work.len() < EXCHANGERS => actions.push(Action::Receive(slot)),
                Place::Waiting if state.work.len() < EXCHANGERS && !state.is_held(attempt) => {
                    actions.push(Action::Receive(slot));
                }
                Place::Left if !state.is_left_behind(attempt) => actions.push(Action::VisibleAgain(slot)),
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
            }
        }
        if state.revoking.is_some() {
            actions.push(Action::Revoking);
            if state.left.can(Fault::Crash) {
                actions.push(Action::KillRevoking);
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Event => self.happen(&mut state),
            Action::CodesExpire => {
                state.late = true;
                for token in state.tokens.iter_mut().filter(|token| **token == Token::Code) {
                    *token = Token::None;
                }
                (0..state.attempts.len()).for_each(|slot| state.expire_lease(slot));
            }
            Action::LeaseExpires(slot) => state.expire_lease(slot),
            Action::VisibleAgain(slot) => {
                let message = &mut state.messages[slot];
                message.place = if message.receives >= self.max_receives { Place::Dead } else { Place::Ready };
            }
            Action::Redelivered(slot) => {
                state.left.spend(Fault::Duplicate);
                state.messages[slot].place = Place::Ready;
            }
            Action::Receive(slot) => {
                let message = &mut state.messages[slot];
                message.receives += 1;
                message.place = Place::InFlight;
                let work = Work::new(slot, &state, self);
                state.work.push(work);
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
                work.kill(&mut state, self);
                state.return_to_queue(work.slot, u8::MAX, Place::Left);
            }
            Action::Revoking => {
                let revoking = state.revoking.take()?;
                state.revoking = revoking.step(&mut state);
            }
            Action::KillRevoking => {
                state.left.spend(Fault::Crash);
                let revoking = state.revoking.take()?;
                revoking.kill(&mut state);
            }
        }
        state.canonicalize();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
