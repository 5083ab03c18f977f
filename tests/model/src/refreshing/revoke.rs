//! Tokens that nobody needs are revoked, a disconnect, and a new consent: `revoke.rs` and `end.rs` of `shared::custody`, and
//! `storage.rs` of the exchanger.

use shared::{
    attempt::Account,
    connection::{Consent, NewTokens, StoredTokens, recorded_end, was_connected},
    reference::LinkReference,
};

use super::{
    Refreshing,
    row::{Token, access_token, attempt_id},
    rules::Broken,
    state::{Called, Content, Place, Revoke, State, time},
    work::{At, Job, NEW, StepResult, Work},
};

impl Work {
    /// The row was read, to be ended.
    pub(super) fn begin_disconnect(mut self, state: &State, model: &Refreshing) -> Option<Self> {
        let row = state.row.attributes();
        if !was_connected(&row) || recorded_end(&row).is_some() {
            return None;
        }
        self.ending = Some(state.row.clone());
        (self.is_refused, self.queued) = (false, None);
        self.revoke = state.row.token().map(|token| Revoke { token, origin: State::origin(&state.row) });
        let is_queued_first = self.revoke.is_some() && model.broken != Broken::RevokedAfterwards;
        Some(self.to(if is_queued_first { At::QueueRevoke } else { At::End }))
    }

    /// Queues what is to be revoked.
    pub(super) fn queue_revoke(mut self, state: &mut State, model: &Refreshing, result: StepResult) -> Option<Self> {
        let revoke = self.revoke.clone()?;
        if result != StepResult::Refused {
            let place = match self.job {
                Job::Disconnect if model.broken != Broken::RevokedTooEarly => Place::AfterDisconnect,
                Job::Consent(_) => Place::AfterConsent,
                _ => Place::Ready,
            };
            state.send(Content::Revoke(revoke.clone()), place);
        }
        self.is_refused = result == StepResult::Refused;
        match self.job {
            Job::Disconnect if model.broken == Broken::RevokedAfterwards => Some(self.to(At::CheckUse)),
            Job::Disconnect => Some(self.to(At::End)),
            Job::Consent(_) if revoke.token == NEW => {
                if result == StepResult::Success {
                    self.after_revoke(state, true)
                } else {
                    Some(self.to(At::CheckUse))
                }
            }
            Job::Consent(_) => {
                self.queued = Some(revoke.token);
                if result == StepResult::Success {
                    self.revoke = None;
                }
                Some(self.to(At::Connect))
            }
            _ if result == StepResult::Success => self.after_revoke(state, true),
            Job::Message(Content::Store(_)) => self.fail(state),
            _ => Some(self.to(At::CheckUse)),
        }
    }

    pub(super) fn is_in_use(&self, state: &State) -> bool {
        self.revoke.as_ref().is_some_and(|revoke| state.is_in_use(revoke))
    }

    /// Revokes at Salesforce.
    pub(super) fn revoke(self, state: &mut State, result: StepResult) -> Option<Self> {
        let token = self.revoke.as_ref()?.token;
        if result != StepResult::Down {
            state.revoke(token);
        }
        self.after_revoke(state, result == StepResult::Success)
    }

    /// What was to be revoked is, or is left alone; or not.
    pub(super) fn after_revoke(mut self, state: &mut State, is_done: bool) -> Option<Self> {
        match self.job {
            Job::Message(Content::Revoke(_)) if !is_done => return self.fail(state),
            Job::Message(Content::Revoke(_) | Content::Store(_)) => return self.finish(state, Called::Ended),
            _ => {}
        }
        let token = self.revoke.take().map(|revoke| revoke.token);
        self.tokens = None;
        // The queue did not take it, and Salesforce neither.
        if let Some(token) = token.filter(|token| !is_done && !state.is_known(*token)) {
            state.grant_mut(token).is_lost = true;
        }
        match self.job {
            Job::Call(_) | Job::Message(Content::Refresh) => Some(self.again()),
            Job::Consent(_) => {
                state.is_consent_over = true;
                None
            }
            _ => None,
        }
    }

    fn consent(at: u8) -> Consent {
        Consent { attempt_id: attempt_id(NEW.grant), at: time(at), link_issued_at: None }
    }

    /// The row was read, to be replaced.
    pub(super) fn begin_consent(mut self, state: &State, at: u8) -> Self {
        if Self::consent(at).is_superseded(&state.row.attributes(), state.now()) {
            self.revoke = Some(Revoke { token: NEW, origin: Some(NEW.grant) });
            return self.to(At::QueueRevoke);
        }
        let replaced = state.row.token().filter(|token| self.queued != Some(*token));
        let Some(token) = replaced else { return self.to(At::Connect) };
        self.revoke = Some(Revoke { token, origin: State::origin(&state.row) });
        self.to(At::QueueRevoke)
    }

    /// Stores the consent.
    ///
    /// # Panics
    /// Never.
    #[expect(clippy::expect_used, reason = "a literal")]
    pub(super) fn connect(self, state: &mut State, result: StepResult) -> Option<Self> {
        let (Job::Consent(at), Some(read)) = (&self.job, &self.read) else { return None };
        let (access, refresh) = (access_token(NEW.grant, 0), NEW.stored(false));
        let login_url = "https://login.salesforce.com".parse().expect("a URL");
        let new = NewTokens {
            attempt_id: attempt_id(NEW.grant),
            login_url: &login_url,
            reference: &LinkReference::Absent,
            language: None,
            account: Account { org_id: "00D", instance_url: "https://i", username: None, scope: None },
            user_id: "005",
            access_token: &access,
            refresh_token: Some(refresh.stored()),
            issued_at: time(*at),
            expires_at: None,
            app_hash: None,
        };
        let before = read.attributes();
        let change = new.store(&Self::consent(*at), StoredTokens::read(&before).as_ref(), state.now());
        let (made, is_known) = Self::write(state, &change, result);
        if !made {
            return Some(self.again());
        }
        state.is_consent_over = true;
        // An answer that was lost is known by the attempt.
        debug_assert!(is_known || result == StepResult::Lost);
        self.revoke.is_some().then(|| self.to(At::QueueReplaced))
    }

    /// What was replaced is queued once more, where the queue did not take it before.
    pub(super) fn queue_replaced(self, state: &mut State, result: StepResult) -> Option<Self> {
        let revoke = self.revoke.clone()?;
        if result == StepResult::Refused {
            Self::give_up(state, revoke.token);
        } else {
            state.send(Content::Revoke(revoke), Place::AfterConsent);
        }
        None
    }

    fn give_up(state: &mut State, token: Token) {
        if !state.is_known(token) {
            state.grant_mut(token).is_lost = true;
        }
    }
}
