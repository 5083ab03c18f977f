//! One refresh, step by step: `token.rs`, `refresh.rs` and `store.rs` of `shared::custody`. What is asked is in [`super::ask`].

use std::time::Duration;

use shared::{
    attempt::EndReason,
    conditional_write::ConditionalWrite,
    connection::{
        self, ACCESS_TOKEN, ENDED_AT, LEASE_HOLDER, LEASE_UNTIL, LOST_AT, NewestTokens, Obstacle, REFRESHED_AT, VERSION,
    },
};

use super::{
    Refreshing,
    row::{Row, Token, access_token},
    rules::Broken,
    state::{Called, Content, Place, Revoke, State, Tokens, time},
    work::{At, Job, StepResult, Work},
};

/// `TokenMaxAgeMinutes`, and `KeepAliveDays`.
pub const MAX_AGE: Duration = Duration::from_hours(1);
/// Pauses are not modelled: whoever comes next may ask at once.
const PAUSE: Duration = Duration::ZERO;

impl Work {
    /// The row was read: `Custody::token` and `Custody::keep_alive`.
    pub(super) fn begin_refresh(mut self, state: &mut State, model: &Refreshing) -> Option<Self> {
        let (row, now) = (state.row.attributes(), state.now());
        if let Job::Call(rejected) = self.job {
            let Some(token) = state.row.access().filter(|_| !state.row.has(ENDED_AT)) else {
                return self.finish(state, Called::Ended);
            };
            if Some(token) != rejected && connection::age(&row, now) < MAX_AGE {
                return self.finish(state, Called::Token(token.grant, token.number));
            }
        } else if !connection::is_due(&row, Some(MAX_AGE), now) {
            return self.finish(state, Called::Ended);
        }
        if model.broken == Broken::LeaseIgnored {
            self.read = Some(state.row.without(&[LEASE_UNTIL, LEASE_HOLDER]));
        }
        let read = self.read.as_ref().map(Row::attributes).unwrap_or_default();
        match connection::claim(&read, String::new(), now) {
            Err(Obstacle::Held { .. }) if matches!(self.job, Job::Call(_)) => Some(self.to(At::Wait)),
            Err(_) => self.fail(state),
            Ok(_) => {
                self.holder = self.free_holder(state);
                (self.is_late, self.was_ambiguous, self.is_unjudged, self.requests) = (false, false, false, 0);
                (self.tokens, self.revoke, self.is_refused) = (None, None, false);
                Some(self.to(At::Claim))
            }
        }
    }

    /// A name that neither the row nor another has.
    fn free_holder(&self, state: &State) -> u8 {
        let is_free =
            |name: &u8| !state.work.iter().any(|work| work.holder == *name) && !Self::names(*name, &state.row);
        (1..u8::MAX).find(|name| *name != self.holder && is_free(name)).unwrap_or_default()
    }

    fn names(holder: u8, row: &Row) -> bool {
        row.text(LEASE_HOLDER) == Some(&holder.to_string())
    }

    /// A step of a refresh that is none of those that other work has too.
    pub(super) fn refresh(mut self, state: &mut State, model: &Refreshing, result: StepResult) -> Option<Self> {
        if result == StepResult::OutOfTime {
            return Some(self.to(At::GiveBack));
        }
        match self.at {
            At::Claim => Some(self.take(state, model, result)),
            At::CheckClaim => self.check_claim(state, model),
            At::Prove => Some(self.prove(state, model, result)),
            At::Unmark | At::WaitAgain => Some(self.mark(state, result)),
            At::Send => Some(self.send(state, model, result)),
            At::AskAfterLoss => Some(self.look_after_loss(state, model, result)),
            At::AskAfterDoubt => Some(self.look_after_doubt(state, model, result)),
            At::GiveBack => self.give_back(state, model, result),
            At::ReadEnd if self.claim(state).holds(&state.row.attributes()) => {
                self.ending = Some(state.row.clone());
                Some(self.to(At::End))
            }
            At::ReadEnd | At::Wait => Some(self.again()),
            At::QueueRefresh { is_dead } => {
                if result != StepResult::Refused {
                    state.send(Content::Refresh, Place::AfterLoss);
                }
                Some(self.to(At::MarkLost { is_dead }))
            }
            At::MarkLost { is_dead } => self.mark_lost(state, model, is_dead, result),
            At::QueueStore => {
                let tokens = self.tokens.clone()?;
                if result != StepResult::Refused {
                    state.send(Content::Store(tokens.clone()), Place::Ready);
                }
                if result == StepResult::Success { self.hand_out(state, &tokens) } else { Some(self.to(At::Store)) }
            }
            At::Expire => {
                let tokens = self.tokens.clone()?;
                state.write(&Self::newest(&tokens).expire(state.now().plus(MAX_AGE)));
                self.hand_out(state, &tokens)
            }
            _ => None,
        }
    }

    pub(super) fn again(self) -> Self {
        self.to(At::Read)
    }

    fn hand_out(self, state: &mut State, tokens: &Tokens) -> Option<Self> {
        self.finish(state, Called::Token(tokens.used.grant, tokens.access))
    }

    fn take(mut self, state: &mut State, model: &Refreshing, result: StepResult) -> Self {
        if model.broken == Broken::ClaimUnconditional {
            self.read = self.read.map(|read| read.with(&[VERSION], &state.row));
        }
        match Self::write(state, &self.claim(state).take(state.now()), result) {
            (true, true) => self.taken(state, model),
            (_, false) => self.to(At::CheckClaim),
            (false, true) => self.again(),
        }
    }

    fn give_back(self, state: &mut State, model: &Refreshing, result: StepResult) -> Option<Self> {
        let claim = self.claim(state);
        let is_unused = self.is_unused || model.broken == Broken::Released;
        let write = if is_unused { claim.release(PAUSE, state.now()) } else { claim.leave(PAUSE, state.now()) };
        Self::write(state, &write, result);
        self.fail(state)
    }

    /// The row was read, after a claim that was not answered.
    fn check_claim(self, state: &mut State, model: &Refreshing) -> Option<Self> {
        let (claim, row) = (self.claim(state), state.row.attributes());
        if claim.may_be_taken(&row) {
            return self.fail(state);
        }
        Some(if claim.holds(&row) { self.taken(state, model) } else { self.again() })
    }

    fn taken(mut self, state: &State, model: &Refreshing) -> Self {
        self.is_unused = !self.claim(state).maybe_used;
        self.has_no_successor = self.is_unused;
        let is_proven = self.is_unused || model.broken == Broken::Unproven;
        self.to(if is_proven { At::Send } else { At::Prove })
    }

    pub(super) fn used(&self) -> Token {
        self.read.as_ref().and_then(Row::token).unwrap_or(Token { grant: 0, number: 0 })
    }

    pub(super) fn over(mut self, state: &State, model: &Refreshing) -> Self {
        if model.broken != Broken::EndUnfenced {
            return self.to(At::ReadEnd);
        }
        self.ending = self.read.as_ref().map(|read| read.with(&[VERSION], &state.row));
        self.to(At::End)
    }

    /// Its successor is waited for. Who has marked it first has queued a refresh as well.
    pub(super) fn lost(mut self, state: &State, model: &Refreshing, is_dead: bool) -> Self {
        if model.broken == Broken::LossUnmarked {
            self.is_unused = true;
            return self.to(At::GiveBack);
        }
        let is_first = self.claim(state).lost_at.is_none();
        self.to(if is_first { At::QueueRefresh { is_dead } } else { At::MarkLost { is_dead } })
    }

    fn mark_lost(self, state: &mut State, model: &Refreshing, is_dead: bool, result: StepResult) -> Option<Self> {
        let (made, is_known) = Self::write(state, &self.claim(state).lost(is_dead, PAUSE, state.now()), result);
        if made && is_dead && model.scenario.rotates {
            let token = self.used();
            state.grant_mut(token).noted |= 1 << token.number;
        }
        if !made && is_known { Some(self.again()) } else { self.fail(state) }
    }

    /// The tokens, as the stack stores them.
    pub(super) fn newest(tokens: &Tokens) -> NewestTokens {
        let Tokens { used, was_plain, replaces, access, refresh, at } = tokens;
        NewestTokens {
            used: used.stored(*was_plain),
            replaces: Some(access_token(used.grant, *replaces).into()),
            access_token: access_token(used.grant, *access).into(),
            refresh_token: refresh.map(|number| Token { number, ..*used }.stored(false)),
            origin: super::row::origin(used.grant, time(*at)),
            instance_url: None,
            issued_at: time(*at),
            scope: None,
            refreshed_at: time(*at),
            expires_at: None,
            app_hash: None,
        }
    }

    /// Stores new tokens, or those of a message.
    pub(super) fn store(mut self, state: &mut State, model: &Refreshing, result: StepResult) -> Option<Self> {
        let tokens = self.tokens.clone()?;
        let newest = Self::newest(&tokens);
        let before = state.row.clone();
        let made = result != StepResult::Refused && self.store_by_rule(state, model, &newest.store());
        if made {
            state.seen.overwritten |=
                before.has(ENDED_AT) || before.token().is_none_or(|token| token.grant != tokens.used.grant);
            state.seen.came_back |= self.is_of_queue() && !self.is_refresh();
        }
        match (made, result) {
            (_, StepResult::Refused | StepResult::Lost) if !self.is_refresh() => self.fail(state),
            (_, StepResult::Refused | StepResult::Lost) if model.broken == Broken::NotQueued => {
                self.hand_out(state, &tokens)
            }
            (_, StepResult::Refused | StepResult::Lost) => Some(self.to(At::QueueStore)),
            (true, _) if self.is_refresh() => Some(self.to(At::Expire)),
            (false, _) if !newest.are_in(&state.row.attributes()) => {
                state.seen.superseded = true;
                if tokens.refresh.is_none() || model.broken == Broken::SupersededKept {
                    return self.after_revoke(state, true);
                }
                let origin = (model.broken != Broken::SupersededRevoked).then_some(tokens.used.grant);
                self.revoke = Some(Revoke { token: tokens.newest(), origin });
                Some(self.to(At::QueueRevoke))
            }
            _ => self.hand_out(state, &tokens),
        }
    }

    fn store_by_rule(&self, state: &mut State, model: &Refreshing, change: &ConditionalWrite) -> bool {
        let row = state.row.attributes();
        match model.broken {
            Broken::FencedByVersion if self.is_refresh() && !self.claim(state).holds(&row) => false,
            Broken::StoredByClock
                if row.get(REFRESHED_AT).and_then(shared::conditional_write::Value::as_time)
                    >= Some(time(state.ticks)) =>
            {
                false
            }
            Broken::StoreUnfenced => {
                let Some(read) = &self.read else { return state.write(change) };
                let pretended = state.row.with(&[connection::REFRESH_TOKEN, REFRESHED_AT], read);
                pretended.written(change).map(|row| state.put(row)).is_some()
            }
            _ => state.write(change),
        }
    }

    /// Ends the connection: by Salesforce's word, or because it was asked for.
    pub(super) fn end(mut self, state: &mut State, model: &Refreshing, result: StepResult) -> Option<Self> {
        let ending = self.ending.clone()?;
        let is_apart = model.broken == Broken::EndApart;
        if self.at == At::Record {
            state.records.extend(state.row.text(connection::END_ID).map(str::to_owned));
            return self.after_end(state, model);
        }
        let reason = if self.is_refresh() { EndReason::Expired } else { EndReason::Disconnected };
        let (before, grant) = (state.row.clone(), state.row.token().map(|token| state.grant(token).clone()));
        let made = result != StepResult::Refused && state.end(&ending, reason, !is_apart);
        if made && self.is_refresh() {
            state.seen.ended_early |= grant.is_some_and(|grant| !grant.was_refused && !grant.is_lost);
            state.seen.newer_ended |=
                before.text(ACCESS_TOKEN) != self.read.as_ref().and_then(|row| row.text(ACCESS_TOKEN));
        }
        match (made, result) {
            (true, StepResult::Success) if is_apart => Some(self.to(At::Record)),
            (true, StepResult::Success) => self.after_end(state, model),
            (false, StepResult::Success) => {
                self.ending = None;
                Some(self.again())
            }
            _ => self.fail(state),
        }
    }

    fn after_end(self, state: &mut State, model: &Refreshing) -> Option<Self> {
        if self.is_refresh() {
            return self.finish(state, Called::Ended);
        }
        Some(self.to(if model.broken == Broken::RevokedAfterwards { At::QueueRevoke } else { At::CheckUse }))
    }

    /// Seals a refresh token that stands in plain.
    pub(super) fn seal(self, state: &mut State, model: &Refreshing, result: StepResult) -> Option<Self> {
        let used = self.used();
        let change = connection::seal_plain(&used.stored(true), &used.stored(false), true);
        let row = state.row.clone();
        if model.broken == Broken::SealedWhileLost {
            state.row = row.without(&[LOST_AT]);
        }
        if !Self::write(state, &change, result).0 {
            state.row = row;
        } else if model.broken == Broken::SealedWhileLost {
            state.row = state.row.with(&[LOST_AT], &row);
        }
        None
    }
}
