//! `POST /confirmations` of the token keeper, step by step.
//!
//! How many codes a chat may guess is left out: any number of guesses changes nothing here.

use shared::proof::pending::{self, Decision, Meaning};

use super::{
    Proving,
    row::{self, Table},
    rules::Broken,
    scenario::{Chat, Event},
    state::{Answer, Call, Content, Place, State, bit},
};
use crate::faults::Fault;

/// A call of the bot's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Confirming {
    /// The event whose code it passes on.
    pub event: u8,
    /// The time at which it began: what it writes may arrive after that is over.
    tick: u8,
    at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum At {
    /// The sender is recorded.
    Send,
    /// The code may have come before its login.
    Wait,
    /// The decision is put on the queue, with this answer to follow.
    Queue(u8, Answer),
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepResult {
    /// It succeeds.
    Success,
    /// The time to wait is over.
    WaitEnds,
    /// The table or the queue refuses.
    Refused,
    /// It succeeds, and the response is lost.
    Lost,
}

impl Confirming {
    /// A call about the code of this event.
    #[must_use]
    pub const fn new(event: u8, tick: u8) -> Self {
        Self { event, tick, at: At::Send }
    }

    /// The possible results of the next step.
    pub fn steps(&self, state: &State, model: &Proving, mut can: impl FnMut(StepResult)) {
        let (chat, login) = self.sends(model);
        let is_known = Self::meaning(state, model, chat, login) != Meaning::Unknown;
        match self.at {
            At::Wait if is_known => can(StepResult::Success),
            At::Wait => can(StepResult::WaitEnds),
            _ => can(StepResult::Success),
        }
        if state.left.can(Fault::Refusal) && self.at != At::Wait {
            can(StepResult::Refused);
        }
        if state.left.can(Fault::Lost) && self.at != At::Wait {
            can(StepResult::Lost);
        }
    }

    /// It is killed: the bot has no answer.
    pub fn kill(self, state: &mut State) {
        state.heard[usize::from(self.event)].call = Call::Trouble;
    }

    /// Takes the next step. `None` when it was the last.
    #[must_use]
    pub fn step(mut self, state: &mut State, model: &Proving, result: StepResult) -> Option<Self> {
        match result {
            StepResult::Refused => state.left.spend(Fault::Refusal),
            StepResult::Lost => state.left.spend(Fault::Lost),
            StepResult::Success | StepResult::WaitEnds => {}
        }
        let (chat, login) = self.sends(model);
        match self.at {
            At::Send if result != StepResult::Refused => self.send(state, model, chat, login),
            At::Queue(approval, _) if result != StepResult::Refused => {
                state.send(Content::Decided(approval), Place::Ready);
            }
            _ => {}
        }
        if matches!(result, StepResult::Refused | StepResult::Lost) {
            self.kill(state);
            return None;
        }
        let next = match self.at {
            At::Send | At::Wait if result == StepResult::Success => Self::next(state, model, chat, login, self.at),
            At::Send | At::Wait => Err(Answer::Unknown),
            At::Queue(_, answer) => Err(answer),
        };
        match next {
            Ok(at) => {
                // No other step looks at the time.
                (self.at, self.tick) = (at, 0);
                Some(self)
            }
            Err(answer) => {
                self.hear(state, model, answer);
                None
            }
        }
    }

    /// Records the sender.
    fn send(self, state: &mut State, model: &Proving, chat: Chat, login: u8) {
        let mut row = state.pending[usize::from(login)].clone();
        // A write that was slow is in time where nobody has found the time over before.
        let is_expired = row.decision() == Some(Decision::Expired);
        let is_in_time = |until| state.tick < until || self.tick < until && !is_expired;
        let is_withdrawn = state.seen.withdrawn & bit(login) != 0;
        if !is_withdrawn && row.until().is_none_or(is_in_time) {
            let (chats, first) = &mut state.seen.sent[usize::from(login)];
            *chats |= bit(chat);
            first.get_or_insert(chat);
            if row.held().is_none() {
                state.seen.sent_before |= bit(login);
            }
        }
        row.write(Table::Pending, &model.broken.send(row::wa_id(chat), row::at(self.tick)));
        state.put_pending(login, row);
    }

    /// The next step by the row as it is, or else the answer.
    fn next(state: &State, model: &Proving, chat: Chat, login: u8, at: At) -> Result<At, Answer> {
        let row = &state.pending[usize::from(login)];
        let meaning = Self::meaning(state, model, chat, login);
        let is_open = row.held().is_some_and(|held| held.decision.is_some() && !held.is_settled());
        match (meaning, row.approval()) {
            (Meaning::Unknown, _) if at == At::Send => Ok(At::Wait),
            (_, Some(approval)) if is_open && model.broken != Broken::NotQueued => {
                Ok(At::Queue(approval, meaning.into()))
            }
            _ => Err(meaning.into()),
        }
    }

    fn meaning(state: &State, model: &Proving, chat: Chat, login: u8) -> Meaning {
        let meaning = pending::meaning(state.pending[usize::from(login)].attributes(), row::wa_id(chat));
        match meaning {
            Meaning::WrongChat if model.broken == Broken::MeaningIgnoresChat => Meaning::Confirmed,
            meaning => meaning,
        }
    }

    /// The bot hears the answer. What was unknown may be known later; and where the time is over and nothing is decided, a call
    /// that began before can still decide.
    fn hear(self, state: &mut State, model: &Proving, answer: Answer) {
        let (_, login) = self.sends(model);
        let is_open = answer == Answer::TooLate && state.pending[usize::from(login)].decision().is_none();
        let heard = &mut state.heard[usize::from(self.event)];
        let is_other = heard.last.is_some_and(|last| last != Answer::Unknown && last != answer);
        (heard.last, heard.call) = (Some(if is_open { Answer::Unknown } else { answer }), Call::Answered);
        state.seen.contradicted |= is_other;
    }

    /// The sender, and the login whose code it is: of a guess the last row.
    fn sends(self, model: &Proving) -> (Chat, u8) {
        let none = u8::try_from(model.scenario.logins.len()).unwrap_or(u8::MAX);
        match model.scenario.events[usize::from(self.event)] {
            Event::Sends(chat, login) => (chat, login),
            Event::Guesses(chat) => (chat, none),
            Event::Callback(_) | Event::Newer(_) | Event::Withdraw(_) | Event::Disconnect(_) => (0, none),
        }
    }
}
