//! How attempts end without a connection, and what becomes of their tokens.

use shared::{
    Reason,
    attempt::{
        Outcome,
        ledger::{Conflict, Guard},
    },
};

use super::{At, Failure, StepResult, Unused, Work, guard, write_attempt};
use crate::proof::{
    Proving,
    row::{self, CLAIMS},
    rules::Broken,
    state::{End, Place, State, Token},
};

impl Work {
    /// The tokens are put on the queue, to be revoked, or are revoked at once. Where neither takes them, those that are held stay
    /// in their row until the message comes back.
    pub(super) fn revoke(&mut self, state: &mut State, model: &Proving, why: Unused, result: StepResult) -> At {
        let is_held = self.decision.is_some() && model.broken != Broken::SettledUnrevoked;
        let is_refused = result == StepResult::Refused;
        if is_refused && is_held {
            return At::Return(Place::Waiting);
        }
        if !is_refused && model.broken != Broken::NotRevoked {
            state.tokens[usize::from(self.approval())] = Token::Revoked;
        }
        self.has_tokens = false;
        if is_refused && self.decision.is_none() {
            state.excuse(self.approval());
        }
        match why {
            Unused::Overtaken => At::Supersede,
            Unused::Taken if model.broken != Broken::LeaseLeft => At::Fail(Failure::UsedLogin),
            Unused::Taken | Unused::OtherCode => At::EndApart,
            Unused::Failed(failure) => At::Fail(failure),
        }
    }

    /// A later consent has won.
    pub(super) fn supersede(&self, state: &mut State, model: &Proving, result: StepResult) -> At {
        if result == StepResult::Refused {
            return At::Return(Place::Waiting);
        }
        let reason = self.reason_lost(state, model);
        match self.write(state, model, reason, guard(self.lease(model).as_ref())) {
            _ if result != StepResult::Success => At::Return(Place::Waiting),
            Err(Conflict::AnotherCode) => At::EndApart,
            _ => self.carried_out(),
        }
    }

    /// `fail`, with the check of the chat's row.
    pub(super) fn fail(&self, state: &mut State, model: &Proving, failure: Failure, result: StepResult) -> At {
        if result == StepResult::Refused {
            return At::Return(Place::Waiting);
        }
        let lease = self.lease(model);
        let guard = match self.decision {
            _ if failure == Failure::Unproven => Guard::Claimable,
            _ if failure == Failure::UsedLogin => Guard::Open,
            Some(_) if !matches!(model.broken, Broken::UnderLease | Broken::FailedTwice) => Guard::Open,
            _ => guard(lease.as_ref()),
        };
        let chat = &state.chats[usize::from(model.scenario.chat_of(self.approval()))];
        let is_checked = self.consent(model).check(row::received_at(u8::MAX)).is_allowed(chat.attributes());
        let reason = if is_checked { failure.reason() } else { self.reason_lost(state, model) };
        match self.write(state, model, reason, guard) {
            _ if result != StepResult::Success => At::Return(Place::Waiting),
            Ok(()) => self.carried_out(),
            // The attempt is another approval's by now.
            Err(_) if failure == Failure::UsedLogin => At::EndApart,
            Err(conflict) => self.give_up(conflict),
        }
    }

    /// This approval ends in a row of its own, which the model of a chat's consents checks.
    pub(super) fn end_apart(&self, state: &mut State, _model: &Proving, result: StepResult) -> At {
        if result == StepResult::Refused {
            return At::Return(Place::Waiting);
        }
        state.seen.ends[usize::from(self.approval())] = Some(End::Apart);
        if result == StepResult::Success { self.carried_out() } else { At::Return(Place::Waiting) }
    }

    fn reason_lost(&self, state: &State, model: &Proving) -> Reason {
        let chat = &state.chats[usize::from(model.scenario.chat_of(self.approval()))];
        self.consent(model).reason_lost(chat.attributes(), row::received_at(u8::MAX))
    }

    /// Writes the delay of a login that is confirmed.
    pub(super) fn delay(&self, state: &mut State, model: &Proving) {
        let guard = if model.broken == Broken::DelayedAfterwards { Guard::Exchanged } else { Guard::Open };
        let _ = self.write_outcome(state, model, &Outcome::Delayed { reason: Reason::Misconfigured }, guard);
    }

    fn write(&self, state: &mut State, model: &Proving, reason: Reason, guard: Guard<'_>) -> Result<(), Conflict> {
        self.write_outcome(state, model, &Outcome::Failed { reason, salesforce_error: None }, guard)
    }

    fn write_outcome(
        &self,
        state: &mut State,
        model: &Proving,
        outcome: &Outcome<&str>,
        guard: Guard<'_>,
    ) -> Result<(), Conflict> {
        let login = self.login(model);
        let attempt = self.attempt(model);
        let seen = self.attributes(state, model).clone();
        let write = attempt.finish(outcome, guard, &seen, CLAIMS)?;
        let mut row = state.attempts[usize::from(login)].clone();
        if !write_attempt(&mut row, &attempt, &write) {
            return Err(attempt.conflict(&seen, CLAIMS));
        }
        state.put_attempt(login, row);
        Ok(())
    }
}
