//! A model of the proof of the chat: who sends the code of which login, what becomes of its tokens meanwhile and afterwards,
//! with faults between any two steps.
//!
//! Two persons, with a browser and a chat each. What is written is the functions' own code: [`shared::proof::pending`],
//! [`shared::attempt::ledger`], [`shared::connection::Consent`] and [`shared::connection::NewTokens`], applied in memory. Modelled are the steps between them,
//! which mirror the exchanger's and the keeper's, and the environment:
//!
//! - **The persons** approve the other's link or their own, and send a code from their chat: before its login is exchanged,
//!   while it waits, after its time, twice, or not at all; or a guess. A chat sends a code only where its person has it: the
//!   browser of the approval shows it, or somebody has told it ([`scenario::TOLD`]), which no protocol stops.
//! - **The bot** passes each code on, repeats it without an answer, and sometimes repeats it in vain.
//! - **SQS** delivers in any order, twice, also at the same time, and again when an invocation was killed. The message that ends
//!   the time comes a moment before, or at any moment after, on whatever queue it waits.
//! - **The exchanger** has two concurrent invocations, **the keeper** two; each is killed between any two steps. A write succeeds, is
//!   refused, or succeeds with its answer lost; so does a message to the queue, and the exchange at Salesforce.
//! - **Time** passes in steps of `ProofMinutes`. An invocation does not run as long.
//!
//! Left out, because the other models have them: tries and delays of a code, what is put on the queue before it is replaced, rows of
//! approvals that end apart, and how outcomes are told. A state is not forged here: messages are verified as ever. What a code's
//! hash is of, one login and one browser, is the code's own affair.

pub mod exchanger;
pub mod keeper;
pub mod properties;
pub mod row;
pub mod rules;
pub mod scenario;
pub mod state;

use shared::{
    attempt::EndReason,
    connection::{ConnectionEnd, recorded_end, was_connected},
    proof::pending,
};
use stateright::{Model, Property};

use self::{
    exchanger::Work,
    keeper::Confirming,
    row::Table,
    rules::Broken,
    scenario::{Brings, Chat, Event, Scenario},
    state::{Call, Content, Place, State, Token, bit},
};
use crate::faults::{Fault, Faults};

/// One model.
#[derive(Debug)]
pub struct Proving {
    /// What happens.
    pub scenario: &'static Scenario,
    /// How many faults happen at most.
    pub faults: Faults,
    /// Which rule is broken.
    pub broken: Broken,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The event of this number.
    Event(usize),
    /// The bot passes on the code of that event again.
    Repeat(usize),
    /// The time of a confirmation passes.
    Tick,
    /// An exchanger receives a message.
    Receive(usize),
    /// It does, and the message is delivered once more.
    ReceiveTwice(usize),
    /// An exchanger takes its next step.
    Exchanger(usize, exchanger::StepResult),
    /// It is killed.
    Kill(usize),
    /// The keeper takes its next step.
    Keeper(usize, keeper::StepResult),
    /// It is killed.
    KillKeeper(usize),
}

const EXCHANGERS: usize = 2;
const KEEPERS: usize = 2;

impl Proving {
    /// The model of a scenario, with so many faults.
    #[must_use]
    pub const fn new(scenario: &'static Scenario, all: u8, broken: Broken) -> Self {
        let faults = Faults { all, crashes: all, refusals: all, lost: all, answers: all, duplicates: all, redrives: 0 };
        Self { scenario, faults, broken }
    }

    fn can_happen(&self, state: &State, event: usize) -> bool {
        let has_happened = state.events & (1 << event) != 0;
        let is_next = match self.scenario.events[event] {
            Event::Callback(approval) => approval == state.callbacks,
            Event::Sends(..) | Event::Guesses(_) => state.confirming.len() < KEEPERS,
            Event::Withdraw(login) => {
                pending::withdraw(row::at(0)).is_allowed(state.pending[usize::from(login)].attributes())
            }
            Event::Newer(_) | Event::Disconnect(_) => true,
        };
        !has_happened && is_next
    }

    fn happen(&self, state: &mut State, event: usize) {
        state.events |= 1 << event;
        match self.scenario.events[event] {
            Event::Callback(approval) => {
                state.callbacks += 1;
                let (token, content) = match self.scenario.approvals[usize::from(approval)].brings {
                    Brings::Code | Brings::CodeUnproven => (Token::Code, Content::Granted(approval)),
                    Brings::TokensUnproven => (Token::Live, Content::Exchanged(approval)),
                };
                state.tokens[usize::from(approval)] = token;
                state.send(content, Place::Ready);
            }
            Event::Sends(..) | Event::Guesses(_) => Self::call(state, event),
            Event::Newer(chat) => self.overtake(state, chat),
            Event::Withdraw(login) => Self::withdraw(state, login),
            Event::Disconnect(chat) => Self::disconnect(state, chat),
        }
    }

    /// The bot passes the code of this event on.
    fn call(state: &mut State, event: usize) {
        state.heard[event].call = Call::Waits;
        state.confirming.push(Confirming::new(u8::try_from(event).unwrap_or(u8::MAX), state.tick));
    }

    fn repeat(state: &mut State, event: usize) {
        if state.heard[event].call == Call::Answered {
            state.left.spend(Fault::Duplicate);
        }
        Self::call(state, event);
    }

    /// `wasf person erase`: it has its tokens revoked at once, in the message of the decision.
    fn withdraw(state: &mut State, login: u8) {
        let mut row = state.pending[usize::from(login)].clone();
        row.write(Table::Pending, &pending::withdraw(row::at(state.tick)));
        if let Some(approval) = row.approval() {
            state.send(Content::Decided(approval), Place::Ready);
        }
        state.seen.withdrawn |= bit(login);
        state.put_pending(login, row);
    }

    /// A later login connects the chat, in one step.
    fn overtake(&self, state: &mut State, chat: Chat) {
        let token = self.scenario.newer_token();
        let replaced = std::mem::replace(&mut state.chats[usize::from(chat)], row::connected(token, true)).token();
        if let Some(replaced) = replaced {
            state.tokens[usize::from(replaced)] = Token::Revoked;
        }
        state.tokens[usize::from(token)] = Token::Live;
        state.seen.overtaken |= bit(chat);
    }

    /// The end of a connection, in one step: the model of a connection has all of them.
    fn disconnect(state: &mut State, chat: Chat) {
        let row = state.chats[usize::from(chat)].clone();
        let attributes = row.attributes();
        if !was_connected(attributes) || recorded_end(attributes).is_some() {
            return;
        }
        if let Some(token) = row.token() {
            state.tokens[usize::from(token)] = Token::Revoked;
        }
        let (reason, at) = (EndReason::Disconnected, row::after_callbacks(state.callbacks));
        let end = ConnectionEnd { wa_id: row::wa_id(chat), row: attributes, reason, link_id: None, at };
        state.chats[usize::from(chat)].write(Table::Tokens, &end.tombstone());
        state.seen.overtaken |= bit(chat);
    }

    /// Whether anything waits for the time to pass. No invocation runs as long as that.
    fn can_tick(state: &State) -> bool {
        let waits = |until: Option<u8>| until.is_some_and(|until| until > state.tick);
        let is_delayed = state.messages.iter().any(|message| matches!(message.place, Place::Until(_)));
        let is_undecided = state.pending.iter().any(|row| row.decision().is_none() && waits(row.until()));
        (is_delayed || is_undecided) && state.work.is_empty()
    }

    /// Whether a message can be received.
    /// A message that is delayed comes a moment before the time is over, too.
    fn is_visible(&self, state: &State, content: Content, place: Place) -> bool {
        let (Content::Granted(approval) | Content::Exchanged(approval) | Content::Decided(approval)) = content;
        match place {
            Place::Ready => true,
            Place::Waiting => !state.attempts[usize::from(self.scenario.login_of(approval))].is_leased(),
            Place::Until(tick) => tick == state.tick + 1 && state.work.is_empty(),
        }
    }

    fn receive(&self, state: &mut State, slot: usize) {
        let message = state.messages.remove(slot);
        let work = Work::new(message, self);
        state.work.push(work);
    }
}

impl Model for Proving {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.scenario, self.faults.clone())]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let events = 0..self.scenario.events.len();
        actions.extend(events.clone().filter(|event| self.can_happen(state, *event)).map(Action::Event));
        let can_duplicate = state.left.can(Fault::Duplicate);
        let is_repeated = |event: &usize| match state.heard[*event].call {
            Call::Trouble => state.confirming.len() < KEEPERS,
            Call::Answered => can_duplicate && state.confirming.len() < KEEPERS,
            Call::None | Call::Waits => false,
        };
        actions.extend(events.filter(is_repeated).map(Action::Repeat));
        if Self::can_tick(state) {
            actions.push(Action::Tick);
        }
        for (slot, message) in state.messages.iter().enumerate() {
            let is_same = slot > 0 && state.messages[slot - 1] == *message;
            if !is_same && state.work.len() < EXCHANGERS && self.is_visible(state, message.content, message.place) {
                actions.push(Action::Receive(slot));
                if can_duplicate {
                    actions.push(Action::ReceiveTwice(slot));
                }
            }
        }
        for (index, work) in state.work.iter().enumerate() {
            work.steps(state, |result| actions.push(Action::Exchanger(index, result)));
            if state.left.can(Fault::Crash) {
                actions.push(Action::Kill(index));
            }
        }
        for (index, confirming) in state.confirming.iter().enumerate() {
            confirming.steps(state, self, |result| actions.push(Action::Keeper(index, result)));
            if state.left.can(Fault::Crash) {
                actions.push(Action::KillKeeper(index));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Event(event) => self.happen(&mut state, event),
            Action::Repeat(event) => Self::repeat(&mut state, event),
            Action::Tick => state.tick += 1,
            Action::Receive(slot) => self.receive(&mut state, slot),
            Action::ReceiveTwice(slot) => {
                state.left.spend(Fault::Duplicate);
                let again = state.messages[slot];
                state.messages.push(again);
                self.receive(&mut state, slot);
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
            }
            Action::Keeper(index, result) => {
                let confirming = state.confirming.remove(index);
                let next = confirming.step(&mut state, self, result);
                state.confirming.extend(next);
            }
            Action::KillKeeper(index) => {
                state.left.spend(Fault::Crash);
                state.confirming.remove(index).kill(&mut state);
            }
        }
        state.canonicalize();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self.scenario)
    }
}
