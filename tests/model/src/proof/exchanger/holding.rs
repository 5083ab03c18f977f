//! Tokens are held, and what is decided of them is carried out.

use shared::{
    attempt::{Account, Outcome, ledger::Conflict},
    connection::{CONSENTED_AT, NewTokens, REVOKED_AT, StoredTokens, is_connected, kept_revocation},
    exchange::{Sealed, StateText},
    proof::pending::{self, Decision, Held, Hold},
    reference::LinkReference,
};

use super::{At, Decided, Failure, Refusal, StepResult, Unused, Work, guard, write_attempt};
use crate::proof::{
    Proving,
    row::{self, CLAIMS, Row, Table},
    rules::Broken,
    state::{Content, Place, State, Token},
};
use shared::{Timestamp, conditional_write::Attributes};

impl Work {
    pub(super) fn timer(&self, state: &mut State, model: &Proving, result: StepResult) -> At {
        let is_last = model.broken == Broken::TimerAfterwards;
        if result != StepResult::Refused {
            state.send(Content::Decided(self.approval()), Place::Until(state.tick + 1));
        }
        match result {
            _ if is_last => At::Look(Refusal::None),
            StepResult::Success => At::Hold,
            _ => self.not_kept(),
        }
    }

    /// The transaction that holds tokens.
    pub(super) fn hold(&mut self, state: &mut State, model: &Proving, result: StepResult) -> At {
        if result == StepResult::Refused {
            return self.not_kept();
        }
        let login = self.login(model);
        let approval = self.approval();
        let attempt = self.attempt(model);
        let code_sha256 = row::code_sha256(approval);
        let now = row::at(state.tick);
        let hold = Hold {
            attempt_id: attempt.id,
            wa_id: attempt.wa_id,
            language: None,
            state: &StateText::new("state".to_owned()),
            received_at: attempt.received_at,
            link_issued_at: None,
            code_sha256: &code_sha256,
            sealed: &Sealed { key: b"key".to_vec(), data: vec![approval] },
            confirm_until: now.plus(row::TIME),
        };
        let write = model.broken.hold(&hold, now);
        let lease = self.lease(model);
        let (mut pending, mut of_attempt) =
            (state.pending[usize::from(login)].clone(), state.attempts[usize::from(login)].clone());
        let refusal = if !pending.write(Table::Pending, &write) {
            Refusal::Pending
        } else if !write_attempt(&mut of_attempt, &attempt, &attempt.hold(guard(lease.as_ref()), CLAIMS)) {
            Refusal::Attempt
        } else {
            state.put_attempt(login, of_attempt);
            state.put_pending(login, pending);
            Refusal::None
        };
        match result {
            StepResult::Retried => At::Hold,
            StepResult::Lost => self.not_kept(),
            _ if model.broken == Broken::TimerAfterwards && refusal == Refusal::None => At::Timer,
            _ => At::Look(refusal),
        }
    }

    /// The row is read, whatever became of the transaction.
    pub(super) fn look(&mut self, state: &State, model: &Proving, refusal: Refusal, result: StepResult) -> At {
        if result == StepResult::Refused {
            return self.not_kept();
        }
        let row = &state.pending[usize::from(self.login(model))];
        match refusal {
            _ if row.approval() == Some(self.approval()) => {
                (self.has_tokens, self.has_held) = (false, true);
                if model.broken == Broken::EarlyCodeUnread { At::Done } else { self.decide_held(row, model) }
            }
            // By an approval of the same login: the hash of a code is of one.
            Refusal::None | Refusal::Pending if row.held().is_some() => At::Revoke(Unused::Taken),
            // By a code that came long before.
            Refusal::None | Refusal::Pending => At::Revoke(Unused::Failed(Failure::Unconfirmed)),
            Refusal::Attempt => match self.attempt(model).conflict(self.attributes(state, model), CLAIMS) {
                Conflict::Finished { connected: true } => At::Done,
                Conflict::AnotherCode => At::Revoke(Unused::OtherCode),
                _ => self.not_kept(),
            },
        }
    }

    pub(super) fn checkpoint(&mut self, state: &mut State, model: &Proving, result: StepResult) -> At {
        let approval = self.approval();
        if result == StepResult::Refused {
            let is_held = state.pending.iter().any(|row| row.held_token() == Some(approval));
            let is_stored = state.chats.iter().any(|row| row.token() == Some(approval));
            // Nobody takes them, and nobody has them: they are revoked.
            if !is_stored && (!is_held || model.broken == Broken::HeldRevoked) {
                state.tokens[usize::from(approval)] = Token::Revoked;
            }
            self.has_tokens = false;
            return At::Return(Place::Waiting);
        }
        state.send(Content::Exchanged(self.approval()), Place::Ready);
        self.has_tokens = false;
        if result == StepResult::Success { At::NoteSealed } else { At::Return(Place::Waiting) }
    }

    pub(super) fn note_sealed(&self, state: &mut State, model: &Proving, result: StepResult) -> At {
        if result == StepResult::Success {
            let login = self.login(model);
            let mut row = state.attempts[usize::from(login)].clone();
            row.write(Table::Attempts, &self.attempt(model).sealed());
            state.put_attempt(login, row);
        }
        self.release(state, model);
        At::Done
    }

    /// `decide`.
    pub(super) fn read(&mut self, state: &State, model: &Proving, result: StepResult) -> At {
        if result == StepResult::Refused {
            return At::Return(Place::Waiting);
        }
        let row = &state.pending[usize::from(self.login(model))];
        let Some(held) = row.held().filter(|held| self.is_held(held, model)) else { return At::Done };
        if model.broken == Broken::MessageBelieved && !held.is_settled() {
            return self.carry_out(Decided::Confirmed);
        }
        if held.is_settled() || held.decision.is_some() {
            return self.decide_held(row, model);
        }
        let is_over = row::at(state.tick) >= held.confirm_until || model.broken == Broken::ExpireEarly;
        match self.content {
            _ if is_over => At::Expire,
            Content::Decided(_) if model.broken != Broken::TimerDropped => {
                At::Return(Place::Until(row.until().unwrap_or_default()))
            }
            _ => At::Done,
        }
    }

    pub(super) fn expire(&mut self, state: &mut State, model: &Proving, result: StepResult) -> At {
        if result == StepResult::Refused {
            return At::Return(Place::Waiting);
        }
        let login = self.login(model);
        let mut row = state.pending[usize::from(login)].clone();
        let is_made = row.write(Table::Pending, &model.broken.expire(row::at(state.tick)));
        state.put_pending(login, row);
        match result {
            StepResult::Success if is_made => self.carry_out(Decided::Expired),
            // The chat was faster, or another delivery.
            StepResult::Success => self.decide_held(&state.pending[usize::from(login)].clone(), model),
            _ => At::Return(Place::Waiting),
        }
    }

    fn is_held(&self, held: &Held, model: &Proving) -> bool {
        let attempt = self.attempt(model);
        held.attempt_id == attempt.id
            && held.wa_id == *attempt.wa_id
            && attempt.code_sha256.as_deref() == Some(&*held.code_sha256)
    }

    /// Carries out what this row says, if it is decided and was not carried out before.
    fn decide_held(&mut self, row: &Row, model: &Proving) -> At {
        let Some(held) = row.held().filter(|held| !held.is_settled()) else { return At::Done };
        match held.decision {
            Some(Decision::WrongChat) if model.broken == Broken::DecisionIgnoresChat => {
                self.carry_out(Decided::Confirmed)
            }
            Some(decision) if model.broken == Broken::SettleFirst => {
                self.decision = Some(decision.into());
                self.has_tokens = true;
                At::Settle
            }
            Some(decision) => self.carry_out(decision.into()),
            None => At::Done,
        }
    }

    pub(super) fn carry_out(&mut self, decision: Decided) -> At {
        self.decision = Some(decision);
        match decision {
            Decided::Confirmed => At::Store,
            Decided::WrongChat => At::Revoke(Unused::Failed(Failure::WrongChat)),
            Decided::Expired => At::Revoke(Unused::Failed(Failure::Unconfirmed)),
        }
    }

    /// The top of the loop of `store`, with the row as it is.
    pub(super) fn store(&self, state: &State, model: &Proving, result: StepResult) -> At {
        let row = &state.chats[usize::from(model.scenario.chat_of(self.approval()))];
        if result == StepResult::Refused {
            return self.not_kept();
        }
        if self.consent(model).is_superseded(row.attributes(), row::received_at(u8::MAX)) {
            return At::Revoke(Unused::Overtaken);
        }
        At::Transact(row.clone())
    }

    /// The transaction of `Tables::connect`. That what it replaces is on the queue before is checked by the model of a chat's
    /// consents.
    pub(super) fn transact(&mut self, state: &mut State, model: &Proving, before: &Row, result: StepResult) -> At {
        if result == StepResult::Refused {
            return self.not_kept();
        }
        let approval = self.approval();
        let (login, chat) = (self.login(model), usize::from(model.scenario.chat_of(approval)));
        let attempt = self.attempt(model);
        let account = Account { org_id: "00D", instance_url: "https://i", username: None, scope: None };
        let outcome = Outcome::Connected { account, renewed: is_connected(before.attributes()) };
        let outcome = attempt.finish(&outcome, super::Guard::Exchanged, &Attributes::new(), CLAIMS);
        let item = self.attributes(state, model);
        let Some(outcome) = outcome.ok().filter(|outcome| outcome.is_allowed(item)) else {
            let is_other = attempt.conflict(item, CLAIMS) == Conflict::AnotherCode;
            return if is_other { At::Revoke(Unused::OtherCode) } else { self.carried_out() };
        };
        let mut row = state.chats[chat].clone();
        if !row.write(Table::Tokens, &self.new_tokens(model, account, before)) {
            return At::Store;
        }
        if model.broken == Broken::LaterReplaced {
            row.set(Table::Tokens, CONSENTED_AT, row::received_at(approval));
        }
        state.chats[chat] = row;
        let mut of_attempt = state.attempts[usize::from(login)].clone();
        write_attempt(&mut of_attempt, &attempt, &outcome);
        state.put_attempt(login, of_attempt);
        if let Some(replaced) = before.token().filter(|token| *token != approval) {
            state.tokens[usize::from(replaced)] = Token::Revoked;
        }
        if result != StepResult::Success {
            return self.not_kept();
        }
        self.has_tokens = false;
        if model.broken == Broken::SettleFirst { At::Done } else { self.carried_out() }
    }

    fn new_tokens(
        &self,
        model: &Proving,
        account: Account<&str>,
        before: &Row,
    ) -> shared::conditional_write::ConditionalWrite {
        let (access_token, refresh_token) = (format!("a{}", self.approval()), format!("r{}", self.approval()));
        let new = NewTokens {
            attempt_id: row::attempt_id(self.login(model)),
            login_url: row::login_url(),
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
        let before = before.attributes();
        let write = new.store(&self.consent(model), StoredTokens::read(before).as_ref(), row::received_at(u8::MAX));
        kept_revocation(before).iter().fold(write, |write, at| write.set(REVOKED_AT, *at))
    }

    pub(super) fn settle(&mut self, state: &mut State, model: &Proving, result: StepResult) -> At {
        let is_first = model.broken == Broken::SettleFirst && self.has_tokens;
        if result == StepResult::Refused {
            return At::Return(Place::Waiting);
        }
        if model.broken != Broken::NotSettled {
            let login = self.login(model);
            let mut row = state.pending[usize::from(login)].clone();
            let id = row::attempt_id(login);
            row.write(Table::Pending, &pending::settle(id, row::at(state.tick)));
            state.put_pending(login, row);
        }
        match self.decision {
            _ if result != StepResult::Success => At::Return(Place::Waiting),
            Some(decision) if is_first => self.carry_out(decision),
            _ => At::Done,
        }
    }

    /// The attempt's row.
    pub(super) fn attributes<'a>(&self, state: &'a State, model: &Proving) -> &'a Attributes {
        state.attempts[usize::from(self.login(model))].attributes()
    }
}
