//! How attempts end without a connection, or are delayed.

use shared::{
    Reason, Status,
    attempt::{
        Outcome, attr,
        ledger::{Conflict, Guard, Lease},
    },
};

use super::{At, CLAIMS, StepResult, Work, chats_row, consent};
use crate::consents::{
    Consents,
    message::{Form, Verified},
    rules::Broken,
    state::{State, bit},
};

/// The result of writing an outcome.
enum Finish {
    Written,
    Superseded,
    Refused(Conflict),
    /// The row of the tokens cannot be read, and the next receive tries it again.
    Unknown,
}

impl Work {
    /// A later consent has won.
    pub(super) fn supersede(&mut self, state: &mut State, of: &Verified, result: StepResult) -> At {
        if result == StepResult::Refused {
            return self.not_stored(state);
        }
        let lease = self.lease(of);
        let guard = lease.as_ref().map_or(Guard::Exchanged, Guard::Lease);
        let reason = Self::reason_lost(state, of);
        match self.write(state, of, &failed(reason), guard, true) {
            _ if result == StepResult::ResponseLost => self.not_stored(state),
            Finish::Refused(Conflict::AnotherCode) => At::EndApart(reason.as_str()),
            _ => At::Done,
        }
    }

    /// `fail`, `deny` and `refuse`.
    pub(super) fn fail(
        &mut self,
        state: &mut State,
        model: &Consents,
        of: &Verified,
        reason: &str,
        result: StepResult,
    ) -> At {
        let reason = Reason::parse(reason).unwrap_or(Reason::Unknown);
        let lease = self.lease(of);
        let guard = match (&lease, reason) {
            (Some(lease), _) => Guard::Lease(lease),
            (None, Reason::Denied) => Guard::Undecided,
            (None, _) if model.broken == Broken::RefusedOverrules => Guard::Exchanged,
            (None, _) => Guard::Untouched,
        };
        let is_begun = state.attempts[of.slot].has_code();
        let before = state.attempts[of.slot].clone();
        let next = self.finish(state, model, of, &failed(reason), guard, result);
        let is_written = before != state.attempts[of.slot];
        let is_refused = reason == Reason::UsedLogin && lease.is_none();
        state.seen.right_overruled |= is_refused && is_begun && is_written;
        if next == At::Return {
            return next;
        }
        // The browser has lost the secret of its login with the first approval: this is one more.
        let item = state.attempts[of.slot].attributes();
        let brings = model.scenario.brings_code(self.content.event).filter(|_| is_refused && !is_written);
        if brings.is_some_and(|sha256| of.attempt.has_other_codes(&item, &sha256)) {
            return At::EndApart(Reason::UsedLogin.as_str());
        }
        match (lease, next) {
            (None, At::Wait | At::EndApart(_)) => At::Done,
            (_, next) => next,
        }
    }

    /// Each approval that ends apart has a row of its own, in the order that they came.
    pub(super) fn end_apart(
        &mut self,
        state: &mut State,
        model: &Consents,
        of: &Verified,
        reason: &str,
        result: StepResult,
    ) -> At {
        let reason = Reason::parse(reason).unwrap_or(Reason::Unknown);
        let mut of = of.with_code(model.scenario.brings_code(self.content.event));
        for _ in 0..model.scenario.rows_apart() {
            of = of.apart(model.scenario.attempts().len());
            if result == StepResult::Refused {
                return At::Return;
            }
            match self.try_finish(state, model, &of, &failed(reason), Guard::Untouched, result) {
                _ if result == StepResult::ResponseLost => return At::Return,
                Finish::Unknown => return At::Return,
                Finish::Written | Finish::Superseded => return At::Done,
                Finish::Refused(_) => {}
            }
            let sha256 = of.attempt.code_sha256.as_deref().unwrap_or_default();
            if !of.attempt.has_other_codes(&state.attempts[of.slot].attributes(), sha256) {
                return At::Done;
            }
        }
        At::Done
    }

    /// Makes sure that the person is told of a delay: `tell_of_delay`, and the beginning of `store_sealed`.
    pub(super) fn tell(&mut self, state: &mut State, model: &Consents, of: &Verified, result: StepResult) -> At {
        if result == StepResult::Refused {
            return At::Return;
        }
        let outcome = Outcome::Delayed { reason: Reason::Misconfigured };
        let finish = self.try_finish(state, model, of, &outcome, Guard::Claimable, result);
        if matches!(finish, Finish::Unknown) {
            return At::Return;
        }
        if self.content.form == Form::Exchanged {
            let is_connected = matches!(finish, Finish::Refused(Conflict::Finished { connected: true }));
            return if is_connected { At::Done } else { self.look(state, model) };
        }
        match finish {
            Finish::Superseded => At::Done,
            Finish::Refused(Conflict::Delayed | Conflict::OutOfTries) | Finish::Written => At::Dead,
            Finish::Refused(conflict) => Self::give_up(model, conflict),
            Finish::Unknown => At::Return,
        }
    }

    /// After a setback.
    pub(super) fn release(&mut self, state: &mut State, model: &Consents) {
        let Some(of) = model.verified(self.content) else { return };
        if matches!(self.content.form, Form::Revoke(_)) {
            return;
        }
        let lease = self.lease(of);
        if self.is_last(of) {
            let guard = lease.as_ref().map_or(Guard::Claimable, Guard::Lease);
            let outcome = Outcome::Delayed { reason: Reason::Misconfigured };
            self.try_finish(state, model, of, &outcome, guard, StepResult::Success);
        } else if let Some(lease) = lease {
            state.attempts[of.slot].write_attempt(&self.attempt(of), &lease.release(CLAIMS));
        }
        // By the time of its next receive the lease has expired.
        if self.lease.is_some() {
            state.expire_lease(of.slot);
        }
    }

    /// Whether what this receive does not write may never be written.
    fn is_last(&self, of: &Verified) -> bool {
        self.attempt(of).delivery.is_last(self.lease(of).as_ref().map_or(0, Lease::used_tries))
    }

    fn reason_lost(state: &State, of: &Verified) -> Reason {
        of.consent.reason_lost(&chats_row(state, of).attributes(), state.now())
    }

    /// Writes an outcome, and handles a conflict.
    pub(super) fn finish(
        &self,
        state: &mut State,
        model: &Consents,
        of: &Verified,
        outcome: &Outcome<&str>,
        guard: Guard<'_>,
        result: StepResult,
    ) -> At {
        if result == StepResult::Refused {
            return At::Return;
        }
        match self.try_finish(state, model, of, outcome, guard, result) {
            _ if result == StepResult::ResponseLost => At::Return,
            Finish::Unknown => At::Return,
            Finish::Written | Finish::Superseded => At::Done,
            Finish::Refused(conflict) => Self::give_up(model, conflict),
        }
    }

    /// `Tables::finish`.
    fn try_finish(
        &self,
        state: &mut State,
        model: &Consents,
        of: &Verified,
        outcome: &Outcome<&str>,
        guard: Guard<'_>,
        result: StepResult,
    ) -> Finish {
        let check = consent(model, of).check(state.now());
        if result == StepResult::NoTokenTable && !self.is_last(of) {
            return Finish::Unknown;
        }
        let is_unchecked = result == StepResult::NoTokenTable || model.broken == Broken::FailureUnchecked;
        if !is_unchecked && !check.is_allowed(&chats_row(state, of).attributes()) {
            let reason = Self::reason_lost(state, of);
            return match self.write(state, of, &failed(reason), guard, true) {
                Finish::Written => Finish::Superseded,
                refused => refused,
            };
        }
        self.write(state, of, outcome, guard, result == StepResult::NoTokenTable)
    }

    /// Writes to the attempt, and tells what is not silent.
    fn write(
        &self,
        state: &mut State,
        of: &Verified,
        outcome: &Outcome<&str>,
        guard: Guard<'_>,
        is_excused: bool,
    ) -> Finish {
        let attempt = self.attempt(of);
        let item = &mut state.attempts[of.slot];
        let was_connected = item.status() == Some(Status::Connected);
        let seen = item.attributes();
        match attempt.finish(outcome, guard, &seen, CLAIMS) {
            Err(conflict) => return Finish::Refused(conflict),
            Ok(write) if !item.write_attempt(&attempt, &write) => {
                return Finish::Refused(attempt.conflict(&seen, CLAIMS));
            }
            Ok(_) => {}
        }
        if matches!(outcome, Outcome::Delayed { .. }) {
            // The notifier's mark.
            item.set(attr::DELAY_TOLD_AT, Some(CLAIMS.into()));
        }
        state.seen.overwritten |= was_connected;
        state.seen.answered |= bit(self.content.event);
        let is_overtaken = of.consent.is_superseded(&chats_row(state, of).attributes(), state.now());
        state.seen.overtaken_told |= is_overtaken && !outcome.is_silent() && !is_excused;
        Finish::Written
    }
}

pub(super) const fn failed(reason: Reason) -> Outcome<&'static str> {
    Outcome::Failed { reason, salesforce_error: None }
}
