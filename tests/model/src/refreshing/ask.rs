//! What one refresh asks Salesforce, and what follows from the answers: `Work::ask` of `shared::custody`.

use shared::connection::{DEAD_AT, LOST_AT};

use super::{
    Refreshing,
    row::Row,
    rules::Broken,
    salesforce::{Answer, Request},
    state::{State, Tokens},
    work::{At, StepResult, Work},
};

/// How often one invocation asks where Salesforce is unavailable.
pub const REQUESTS: u8 = 3;

/// What is known of a refresh token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Alive,
    Dead,
    Unknown,
}

impl Work {
    /// What is known of the refresh token: `Work::look`.
    fn look(&mut self, state: &State, model: &Refreshing) -> Look {
        let access = self.read.as_ref().and_then(Row::access);
        let is_proven = access.is_some_and(|access| access.number >= state.grant(access).ended);
        let look = match state.grant(self.used()).is_active(self.used()) {
            _ if !model.tells(state) => Look::Unknown,
            true => Look::Alive,
            false if is_proven => Look::Dead,
            false => Look::Unknown,
        };
        self.is_unjudged = look == Look::Unknown;
        look
    }

    /// Salesforce is asked about a token that a holder before may have used: `Work::prove_unused`.
    pub(super) fn prove(mut self, state: &State, model: &Refreshing, result: StepResult) -> Self {
        if result != StepResult::Success {
            return self.to(At::GiveBack);
        }
        let mut claim = self.claim(state);
        let is_dead = claim.is_dead && model.broken != Broken::DeathForgotten;
        match self.look(state, model) {
            Look::Alive => {
                (self.is_unused, self.has_no_successor) = (true, true);
                let is_marked = claim.found_alive().is_some() && model.broken != Broken::MarksKept;
                self.to(if is_marked { At::Unmark } else { At::Send })
            }
            Look::Dead => self.dead(state, model),
            Look::Unknown if is_dead => self.dead(state, model),
            Look::Unknown if model.broken == Broken::PresentedUnknown => self.to(At::Send),
            Look::Unknown if !claim.is_lost_for_good(state.now()) => self.lost(state, model, false),
            Look::Unknown if model.broken == Broken::WaitNotBegun => self.to(At::Send),
            Look::Unknown => self.to(At::WaitAgain),
        }
    }

    /// What the look has found is written before the token is presented.
    pub(super) fn mark(mut self, state: &mut State, result: StepResult) -> Self {
        let (mut claim, now, read) = (self.claim(state), state.now(), self.read.take());
        let (write, read) = if self.at == At::Unmark {
            (claim.found_alive(), read.map(|row| row.without(&[LOST_AT, DEAD_AT])))
        } else {
            (Some(claim.wait_again(now)), read)
        };
        // The claim knows what it was to write.
        self.read = read;
        match write.map(|write| Self::write(state, &write, result)) {
            Some((true, true)) | None => self.to(At::Send),
            Some((false, true)) => self.again(),
            Some((_, false)) => self.to(At::GiveBack),
        }
    }

    /// The refresh token is dead: the end, unless its successor may still come.
    fn dead(self, state: &State, model: &Refreshing) -> Self {
        let is_for_good = self.claim(state).is_lost_for_good(state.now()) || model.broken == Broken::EndedAtOnce;
        if self.has_no_successor || is_for_good { self.over(state, model) } else { self.lost(state, model, true) }
    }

    pub(super) fn send(mut self, state: &mut State, model: &Refreshing, result: StepResult) -> Self {
        let (token, is_judged) = (self.used(), !self.is_unjudged);
        self.requests += 1;
        self.is_unused = false;
        state.seen.sent_again |=
            state.grant(token).answered & (1 << token.number) != 0 && state.has_something_to_lose(token, is_judged);
        state.seen.requests = (state.seen.requests + u8::from(state.is_clean)).min(2);
        match result {
            StepResult::Success => {
                let answer = state.present(token, is_judged, model.scenario);
                self.answered(state, model, answer)
            }
            StepResult::Lost => {
                if matches!(state.present(token, is_judged, model.scenario), Answer::Tokens { refresh: Some(_), .. }) {
                    state.grant_mut(token).is_lost = true;
                }
                self.ambiguous(model)
            }
            StepResult::Processing => {
                state.grant_mut(token).processing = Some(Request { number: token.number, is_judged });
                self.ambiguous(model)
            }
            StepResult::NotTaken | StepResult::Busy => self.ambiguous(model),
            StepResult::Doubtful => self.to(At::AskAfterDoubt),
            _ => self.unavailable(model, result),
        }
    }

    /// A definite answer.
    fn answered(mut self, state: &mut State, model: &Refreshing, answer: Answer) -> Self {
        let token = self.used();
        match answer {
            Answer::Refused => {
                state.grant_mut(token).answered |= u8::from(model.scenario.rotates) << token.number;
                self.dead(state, model)
            }
            Answer::Tokens { access, refresh } => {
                state.grant_mut(token).answered |= u8::from(refresh.is_some()) << token.number;
                state.ticks += u8::from(refresh.is_none());
                let was_plain = self.read.as_ref().is_some_and(Row::is_plain);
                let replaces = self.read.as_ref().and_then(Row::access).map_or(0, |token| token.number);
                self.tokens = Some(Tokens { used: token, was_plain, replaces, access, refresh, at: state.ticks });
                self.to(At::Store)
            }
        }
    }

    /// The token may be used up.
    fn ambiguous(mut self, model: &Refreshing) -> Self {
        if self.was_ambiguous {
            return self.given_up(model);
        }
        (self.was_ambiguous, self.requests) = (true, 1);
        self.to(At::AskAfterLoss)
    }

    /// The request was not taken, or its answer is that of an outage.
    fn unavailable(mut self, model: &Refreshing, result: StepResult) -> Self {
        if self.was_ambiguous {
            self.is_unused = self.has_no_successor && model.broken == Broken::CalledUnused;
            return self.given_up(model);
        }
        self.is_unused = self.has_no_successor;
        self.to(if result == StepResult::DownBriefly { At::Send } else { At::GiveBack })
    }

    /// A second answer that brings nothing: who comes next looks at the token first.
    fn given_up(self, model: &Refreshing) -> Self {
        let is_third = model.broken == Broken::PresentedThird && self.requests < REQUESTS;
        self.to(if is_third { At::Send } else { At::GiveBack })
    }

    /// Salesforce is asked about the token after an ambiguous answer.
    pub(super) fn look_after_loss(mut self, state: &State, model: &Refreshing, result: StepResult) -> Self {
        if result != StepResult::Success {
            return self.to(At::GiveBack);
        }
        match self.look(state, model) {
            Look::Dead => self.dead(state, model),
            Look::Alive | Look::Unknown => self.to(At::Send),
        }
    }

    /// The same, after an answer whose words are not definite.
    pub(super) fn look_after_doubt(mut self, state: &State, model: &Refreshing, result: StepResult) -> Self {
        if result != StepResult::Success {
            return self.to(At::GiveBack);
        }
        let look = self.look(state, model);
        if look == Look::Dead {
            return self.dead(state, model);
        }
        let is_sure = !self.was_ambiguous || model.broken == Broken::CalledUnused;
        self.is_unused = is_sure && (look == Look::Alive || self.has_no_successor);
        self.to(At::GiveBack)
    }
}
