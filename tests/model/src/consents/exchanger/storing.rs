//! From the tokens to the row, or back to the queue; and what becomes of tokens that nobody needs.

use shared::{
    Reason, Timestamp,
    attempt::{
        Account, Outcome,
        ledger::{Conflict, Guard},
    },
    conditional_write::Attributes,
    connection::{CONSENTED_AT, NewTokens, REVOKED_AT, StoredTokens, is_connected, kept_revocation},
    reference::LinkReference,
};

use super::{At, CLAIMS, StepResult, Unused, Work, chats_row, consent, is_superseded};
use crate::consents::{
    Consents,
    message::{Content, Form, Verified},
    rules::Broken,
    state::{Item, Place, State, Token, Told, bit},
};

impl Work {
    /// The top of the loop of `store`, with the row as it is.
    pub(super) fn look(&mut self, state: &State, model: &Consents) -> At {
        let Some(of) = model.verified(self.content) else { return At::Dead };
        let row = chats_row(state, of);
        if is_superseded(model, of, state) {
            return if model.broken == Broken::OvertakenKept {
                At::Supersede
            } else {
                At::RevokeUnused(Unused::Overtaken)
            };
        }
        let replaced = row.token().filter(|token| Some(*token) != model.scenario.code_of(self.content.event));
        let is_queued_now = !matches!(model.broken, Broken::RevokeAfterwards | Broken::ReplacedKept);
        let is_queued = replaced.is_none() || replaced == self.queued || !is_queued_now;
        if is_queued { At::Transact(row.clone()) } else { At::Queue(row.clone()) }
    }

    /// `revoke_replaced`.
    pub(super) fn queue(&mut self, state: &mut State, model: &Consents, before: Item, result: StepResult) -> At {
        let Some(token) = before.token() else { return At::Transact(before) };
        self.queued = Some(token);
        if result == StepResult::Refused {
            self.unqueued = Some(token);
        } else {
            self.unqueued = None;
            let is_early = model.broken == Broken::RevokeTooEarly;
            let place = if is_early { Place::Ready } else { Place::Delayed(self.id) };
            state.send(Content { event: self.content.event, form: Form::Revoke(token) }, place);
        }
        if model.broken == Broken::RevokeAfterwards { At::Done } else { At::Transact(before) }
    }

    /// The transaction of `Tables::connect`.
    pub(super) fn transact(
        &mut self,
        state: &mut State,
        model: &Consents,
        of: &Verified,
        before: &Item,
        result: StepResult,
    ) -> At {
        if result == StepResult::Refused {
            return self.not_stored(state);
        }
        let Some(code) = model.scenario.code_of(self.content.event) else { return At::Return };
        let attempt = self.attempt(of);
        let seen = if model.broken == Broken::ReplacedUnseen {
            chats_row(state, of).attributes()
        } else {
            before.attributes()
        };
        let account = Account { org_id: "00D", instance_url: "https://i", username: None, scope: None };
        let outcome = Outcome::Connected { account, renewed: is_connected(&seen) };
        let outcome = attempt.finish(&outcome, Guard::Exchanged, &Attributes::new(), CLAIMS);
        let (access_token, refresh_token) = (format!("a{code}"), format!("r{code}"));
        let tokens = NewTokens {
            attempt_id: attempt.id,
            login_url: attempt.login_url,
            reference: &LinkReference::Absent,
            language: None,
            account,
            user_id: "005",
            access_token: &access_token,
            refresh_token: Some(&refresh_token),
            issued_at: Timestamp::from_millis(1),
            expires_at: None,
            app_hash: None,
        };
        let tokens = tokens.store(&consent(model, of), StoredTokens::read(&seen).as_ref(), state.now());
        let tokens = kept_revocation(&seen).iter().fold(tokens, |write, at| write.set(REVOKED_AT, *at));
        let item = state.attempts[of.slot].attributes();
        let Some(outcome) = outcome.ok().filter(|outcome| outcome.is_allowed(&item)) else {
            if attempt.conflict(&item, CLAIMS) != Conflict::AnotherCode {
                return At::Done;
            }
            state.seen.unused |= bit(code);
            self.unqueued = None;
            return At::RevokeUnused(Unused::OtherCode);
        };
        let row = if of.is_foreign { &mut state.foreign } else { &mut state.row };
        if !row.write(&tokens) {
            return self.look(state, model);
        }
        match model.broken {
            Broken::RevocationForgotten => row.set(REVOKED_AT, None),
            Broken::LaterReplaced => row.set(CONSENTED_AT, Some(of.consent.at.into())),
            _ => {}
        }
        state.attempts[of.slot].write_attempt(&attempt, &outcome);
        state.seen.answered |= bit(self.content.event);
        self.connected(state, model, of);
        if result == StepResult::ResponseLost {
            return self.not_stored(state);
        }
        if let Some(token) = self.unqueued {
            state.tokens[usize::from(token)] = Token::Revoked;
        }
        let replaced = before.token().is_some_and(|token| token != code);
        if model.broken == Broken::RevokeAfterwards && replaced { At::Queue(before.clone()) } else { At::Done }
    }

    pub(super) fn connected(&self, state: &mut State, model: &Consents, of: &Verified) {
        if !of.is_foreign {
            state.told = Told::Connected(self.content.event);
        }
        let link_issued_at = of.consent.link_issued_at.map_or(0, Timestamp::millis);
        // A link's time is known to the second.
        state.seen.brought_back |= state.seen.revoked_at.is_some_and(|revoked| link_issued_at + 1_000 <= revoked)
            && model.scenario.attempt_of(self.content.event).is_some();
    }

    /// Out of time.
    pub(super) fn not_stored(&self, state: &mut State) -> At {
        self.forget_unqueued(state);
        if self.content.form == Form::Exchanged { At::Return } else { At::Checkpoint }
    }

    pub(super) fn forget_unqueued(&self, state: &mut State) {
        if let Some(token) = self.unqueued {
            state.seen.excused |= bit(token);
        }
    }

    pub(super) fn checkpoint(&mut self, state: &mut State, model: &Consents, result: StepResult) -> At {
        let Some(code) = model.scenario.code_of(self.content.event) else { return At::Return };
        if result == StepResult::Refused {
            if !state.is_known(model.scenario, code) {
                state.seen.excused |= bit(code);
            }
            return At::Return;
        }
        state.send(Content { event: self.content.event, form: Form::Exchanged }, Place::Ready);
        if result == StepResult::Success { At::Done } else { At::Return }
    }

    /// Where the queue does not take its tokens they are revoked at once.
    pub(super) fn revoke_unused(&mut self, state: &mut State, model: &Consents, why: Unused, result: StepResult) -> At {
        let Some(token) = model.scenario.code_of(self.content.event) else { return At::Return };
        if result == StepResult::Success {
            state.send(Content { event: self.content.event, form: Form::Revoke(token) }, Place::Ready);
        } else {
            state.tokens[usize::from(token)] = Token::Revoked;
        }
        match why {
            Unused::Overtaken => At::Supersede,
            Unused::OtherCode => At::EndApart(Reason::UsedLogin.as_str()),
            Unused::Blocked => At::Finish(Reason::AppBlocked.as_str()),
        }
    }
}
