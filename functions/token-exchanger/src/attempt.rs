//! One attempt, from a message to its outcome. It decides what is retried within this invocation; what happens to
//! a message whose attempt has no outcome yet is for the batch loop.

use std::time::Duration;

use shared::{
    AuthorizationCode, Reason, Timestamp,
    attempt::ledger::{Attempt, Conflict, DELAY_AFTER, Guard, Lease, Plan},
    conditional_write::Attributes,
    exchange::{CODE_LIFETIME, DenialError, Sealed},
    reference::LinkReference,
    salesforce::callback_error,
};
use tokio::time::timeout_at;

use crate::{
    checkpoint,
    course::Course,
    ending::{Ending, Failure},
    exchange::{ExchangeInputs, Stop},
    message::Content,
    report::chain,
    setback::Setback,
    tables::{Claim, Connection, Ended, Finish, Stored, TableError},
    work::Work,
};

/// How many approvals of one login have rows of their own, beside the attempt's. A chat hears of fewer failures.
const MAX_APART: usize = 5;

impl Work<'_> {
    /// Processes the message until its attempt has an outcome, or says why it goes back to the queue.
    pub(crate) async fn run(&self) -> Result<Ending, Setback> {
        tokio::select! {
            biased;
            ended = self.reach_outcome() => ended,
            never = self.read_reference_ahead() => match never {},
        }
    }

    async fn reach_outcome(&self) -> Result<Ending, Setback> {
        match &self.message.content {
            Content::Denied { error, description } => self.deny(error, *description).await,
            Content::Refused { reason, code_sha256 } => self.refuse(*reason, *code_sha256).await,
            Content::Unproven { .. } => self.fail(Reason::CodeExpired.into(), Guard::SameCode).await,
            Content::Granted { .. } if self.lacks_proof() => {
                self.fail(Reason::Unconfirmed.into(), Guard::Claimable).await
            }
            Content::Granted { code, pkce, .. } => self.connect(code, *pkce).await,
            Content::Exchanged { sealed, .. } if self.lacks_proof() => self.refuse_unproven(sealed).await,
            Content::Exchanged { sealed, .. } => self.store_sealed(sealed).await,
            Content::Decided { proof, .. } => self.decide(proof).await,
            Content::Revoke { sealed, .. } => self.revoke_sealed(sealed).await,
        }
    }

    /// Salesforce sent an error in place of a code.
    async fn deny(&self, error: &DenialError, description: Option<&str>) -> Result<Ending, Setback> {
        let reason = callback_error(error.as_str(), description);
        // A code that is still being exchanged brings the outcome; where nobody said no, one that waits does, too.
        let guard = if reason == Reason::Denied { Guard::Undecided } else { Guard::Untouched };
        self.finish(guard, Failure::denied(reason, error, description)).await
    }

    /// The receiver refused the callback. Where the right browser followed, its callback brings the outcome. With
    /// [`Reason::UsedLogin`] it is one more approval: the browser has lost the secret of its login with the first.
    async fn refuse(&self, reason: Reason, code_sha256: Option<&str>) -> Result<Ending, Setback> {
        let ending = self.finish(Guard::Untouched, reason.into()).await?;
        let code_sha256 = code_sha256.filter(|_| reason == Reason::UsedLogin);
        let (Ending::Duplicate, Some(code_sha256)) = (&ending, code_sha256) else { return Ok(ending) };
        let item = self.resources.tables.read_attempt(self.attempt.id).await?;
        if !self.attempt.has_other_codes(&item, code_sha256) {
            return Ok(ending);
        }
        self.end_apart(Reason::UsedLogin, code_sha256).await
    }

    /// Writes a failure that is given up where the attempt has another outcome.
    async fn finish(&self, guard: Guard<'_>, failure: Failure) -> Result<Ending, Setback> {
        Ok(match self.write(Ended::failed(&failure, guard), self.now()).await? {
            Finish::Written => Ending::Failed(failure),
            Finish::Superseded(reason) => Ending::Failed(reason.into()),
            Finish::Refused(_) => Ending::Duplicate,
        })
    }

    /// Ends one approval of a login whose attempt is another approval's: in another tab of Salesforce's page, or after going
    /// back. Its code is not exchanged, or its tokens are revoked, because a state is for one login (RFC 9700 §4.7). The person hears of each, and how to
    /// connect that account; of one that the chat's later consent has overtaken only the bot does.
    ///
    /// Each has a row of its own, in the order that they came, as far as there are rows for them.
    pub(crate) async fn end_apart(&self, reason: Reason, code_sha256: &str) -> Result<Ending, Setback> {
        let tables = &self.resources.tables;
        let mut attempt = Attempt { code_sha256: Some(code_sha256.to_owned()), ..self.attempt_with_reference().await };
        let failure = Failure::from(reason);
        for _ in 0..MAX_APART {
            attempt.id = attempt.id.of_second_approval();
            let ended = Ended::failed(&failure, Guard::Untouched);
            match tables.finish(&attempt, &self.consent(), &ended, self.is_last_write(), self.now()).await? {
                Finish::Written => return Ok(Ending::Failed(failure)),
                Finish::Superseded(reason) => return Ok(Ending::Failed(reason.into())),
                Finish::Refused(_) => {}
            }
            if !attempt.has_other_codes(&tables.read_attempt(attempt.id).await?, code_sha256) {
                return Ok(Ending::Duplicate);
            }
        }
        Ok(Ending::Duplicate)
    }

    /// The same, of the code of this message.
    pub(crate) async fn end_own_apart(&self, reason: Reason) -> Result<Ending, Setback> {
        self.end_apart(reason, self.attempt.code_sha256.as_deref().unwrap_or_default()).await
    }

    /// The person approved.
    async fn connect(&self, code: &AuthorizationCode, pkce: bool) -> Result<Ending, Setback> {
        let now = self.now();
        if self.message.code_has_expired(now) {
            return self.expire().await;
        }
        let tables = &self.resources.tables;
        let is_again = self.attempt.delivery.receives > 1;
        let seen = if is_again { tables.read_attempt(self.attempt.id).await? } else { Attributes::new() };
        if self.attempt.waits_sealed(&seen) {
            return match self.message.proof() {
                Some(proof) => self.decide_again(proof).await,
                None => Ok(Ending::Duplicate),
            };
        }
        if self.attempt.delivery.is_late() {
            match self.attempt.plan(&seen) {
                Plan::Try => {}
                Plan::Tell => return self.tell_of_delay().await?.ok_or(Setback::Told),
                Plan::GiveUp => return self.tell_of_delay().await?.ok_or(Setback::GivenUp),
            }
        }
        self.open_ahead();
        let claim = async {
            // The lease is kept at once: what is fetched concurrently may use up all the time.
            Ok::<_, TableError>(match tables.claim(&self.attempt, seen, now).await? {
                Claim::Granted(lease) => Ok(self.lease.get_or_init(|| lease)),
                Claim::Refused(conflict) => Err(conflict),
            })
        };
        let (claim, inputs) = tokio::join!(claim, self.fetch_exchange_inputs(pkce, now));
        let lease = match claim? {
            Ok(lease) => lease,
            Err(Conflict::Finished { .. }) => return Ok(Ending::Duplicate),
            Err(Conflict::AnotherCode | Conflict::TooManyCodes) => return self.end_own_apart(Reason::UsedLogin).await,
            Err(Conflict::Overtaken) if self.attempt.delivery.is_final() => {
                return self.end_own_apart(Reason::Superseded).await;
            }
            // Should the later code fail, this one is tried.
            Err(Conflict::Overtaken) => return Err(Setback::Held { until: now.plus(CODE_LIFETIME) }),
            Err(Conflict::Held { until }) => return Err(Setback::Held { until }),
            Err(Conflict::OutOfTries) => return self.tell_of_delay().await?.ok_or(Setback::GivenUp),
            Err(Conflict::Delayed) => return Err(Setback::Held { until: now }),
        };
        if !self.resources.config.login_urls.contains(self.attempt.login_url) {
            return Err(Setback::LoginUrl);
        }
        match self.connect_under(lease, code, inputs?).await {
            Ok(ending) => Ok(ending),
            Err(Stop::Failed(failure)) => self.fail(failure, Guard::Lease(lease)).await,
            Err(Stop::Returned(setback)) => Err(setback),
        }
    }

    /// Begins to open a connection to where the code was issued, beside the claim: the name of the account is then asked for
    /// over it, too, where the org has the same host.
    fn open_ahead(&self) {
        let login_url = self.attempt.login_url;
        if self.resources.config.login_urls.contains(login_url) {
            self.salesforce.open_ahead(login_url.as_str());
        }
    }

    /// From the code to the connection, stored or on the queue, while this invocation holds the attempt.
    async fn connect_under(
        &self,
        lease: &Lease,
        code: &AuthorizationCode,
        inputs: ExchangeInputs,
    ) -> Result<Ending, Stop> {
        let (grant, app_hash) = self.exchange(lease, code, inputs).await?;
        // Read and sealed here because it takes no longer than Salesforce. What fails is retried when the tokens are stored.
        let ahead = async {
            if self.message.proof().is_some() {
                return None;
            }
            let read = self.resources.tables.read_tokens(self.attempt.wa_id);
            let (row, _) = tokio::join!(read, timeout_at(self.budget.username(), self.row_token(&grant)));
            row.ok()
        };
        let (username, row) = tokio::join!(self.username(&grant), ahead);
        let username = match username {
            Ok(username) => username,
            Err(failure) => {
                self.revoke_unused(&grant).await;
                return Err(Stop::Failed(failure));
            }
        };
        let connection = Connection { grant, username, app_hash: Some(app_hash) };
        Ok(self.store_or_checkpoint(&connection, row, Some(lease)).await?)
    }

    /// An earlier invocation exchanged the code: the tokens only have to be stored.
    async fn store_sealed(&self, sealed: &Sealed) -> Result<Ending, Setback> {
        // Perhaps this message is what kills its holders.
        if self.attempt.delivery.is_late() {
            let told = self.write(Ended::delayed(Reason::Misconfigured, Guard::Claimable), self.now()).await?;
            if let Finish::Refused(Conflict::Finished { connected: true } | Conflict::AnotherCode) = told {
                return self.drop_sealed(sealed).await;
            }
        }
        let connection = self.open(sealed).await?;
        match self.message.proof() {
            Some(proof) => self.hold(&connection, proof, None, self.budget.work()).await,
            None => self.store_opened(&connection).await,
        }
    }

    /// Tokens of an attempt that is connected: with them, or with those of another code.
    async fn drop_sealed(&self, sealed: &Sealed) -> Result<Ending, Setback> {
        let stored = self.resources.tables.refused(&self.attempt, self.now()).await?;
        if matches!(stored, Stored::Never | Stored::AnotherCode) {
            self.revoke_unused(&self.open(sealed).await?.grant).await;
        }
        if stored == Stored::AnotherCode { self.end_own_apart(Reason::UsedLogin).await } else { Ok(Ending::Duplicate) }
    }

    /// Decrypts a connection of this attempt, and of the code that the message says its chat has to send.
    pub(crate) async fn open(&self, sealed: &Sealed) -> Result<Connection, Setback> {
        let Self { resources, attempt, message, .. } = self;
        let key_id = &resources.config.checkpoint_key_id;
        let key = resources.kms.open_checkpoint_key(key_id, attempt.id, &sealed.key).await?;
        Ok(checkpoint::open(&key, attempt, message.proof(), &sealed.data)?)
    }

    /// The code has expired before it was sent. No claim is made, because a claim would remove an outcome
    /// that nobody may have been notified of yet.
    async fn expire(&self) -> Result<Ending, Setback> {
        let item = self.resources.tables.read_attempt(self.attempt.id).await?;
        if self.attempt.waits_sealed(&item) {
            return Ok(Ending::Duplicate);
        }
        self.fail(Course::new(&self.attempt.lease(&item)).expired().into(), Guard::Claimable).await
    }

    /// The code is not tried: makes sure that the person is notified of the delay, and does no more. Returns the ending, if
    /// there is one.
    async fn tell_of_delay(&self) -> Result<Option<Ending>, Setback> {
        match self.write(Ended::delayed(Reason::Misconfigured, Guard::Claimable), self.now()).await? {
            Finish::Superseded(reason) => Ok(Some(Ending::Failed(reason.into()))),
            Finish::Written | Finish::Refused(Conflict::Delayed | Conflict::OutOfTries) => Ok(None),
            Finish::Refused(conflict) => self.give_up(conflict).await.map(Some),
        }
    }

    pub(crate) async fn fail(&self, failure: Failure, guard: Guard<'_>) -> Result<Ending, Setback> {
        match self.write(Ended::failed(&failure, guard), self.now()).await? {
            Finish::Written => Ok(Ending::Failed(failure)),
            Finish::Superseded(reason) => Ok(Ending::Failed(reason.into())),
            Finish::Refused(conflict) => self.give_up(conflict).await,
        }
    }

    /// The attempt does not take the outcome of this code: it has one, which may be another code's, or will have one.
    async fn give_up(&self, conflict: Conflict) -> Result<Ending, Setback> {
        match conflict {
            Conflict::Finished { .. } => Ok(Ending::Duplicate),
            Conflict::AnotherCode | Conflict::TooManyCodes => self.end_own_apart(Reason::UsedLogin).await,
            Conflict::Overtaken => self.end_own_apart(Reason::Superseded).await,
            // Lost to another holder who has returned it since.
            Conflict::Delayed | Conflict::OutOfTries => Err(Setback::Held { until: self.now() }),
            Conflict::Held { until } => Err(Setback::Held { until }),
        }
    }

    /// After a setback whose message comes back after this time: releases the attempt or, where no try follows or the next
    /// one comes late, writes the delay, of which the notifier then notifies the person. Returns whether the person has been
    /// notified, or will be.
    pub(crate) async fn release(
        &self,
        setback: &Setback,
        timeout: Duration,
        now: Timestamp,
    ) -> Result<bool, TableError> {
        let (tables, attempt, lease) = (&self.resources.tables, &self.attempt, self.lease.get());
        if let Some(lease) = lease {
            // SQS counts whole seconds, from a little later on.
            lease.retry_at.set((!self.is_last()).then(|| now.plus(timeout.saturating_sub(Duration::from_secs(1)))));
        }
        let last_error = chain(setback);
        let is_last = attempt.delivery.is_last(lease.map_or(0, Lease::used_tries));
        let has_code = lease.is_some() || self.brings_tokens();
        let is_late = has_code && now.plus(timeout) > attempt.received_at.plus(DELAY_AFTER);
        match (self.delay_reason(setback), lease) {
            (Some(reason), lease) if is_last || is_late => {
                // Once tokens are held nobody holds the attempt.
                let guard = match lease {
                    _ if self.confirmed_at.get().is_some() => Guard::Open,
                    Some(lease) => Guard::Lease(lease),
                    None => Guard::Claimable,
                };
                let ended = Ended { last_error: Some(&last_error), ..Ended::delayed(reason, guard) };
                let finish = self.write(ended, now).await?;
                Ok(!matches!(finish, Finish::Refused(Conflict::Held { .. } | Conflict::Overtaken)))
            }
            (_, Some(lease)) => {
                let reference = self.reference.get().and_then(LinkReference::known);
                tables.release(attempt.id, lease, reference, &last_error, now).await.map(|()| false)
            }
            (_, None) => Ok(false),
        }
    }

    /// Writes how the attempt ended.
    pub(crate) async fn write(&self, ended: Ended<'_>, now: Timestamp) -> Result<Finish, TableError> {
        let attempt = self.attempt_with_reference().await;
        self.resources.tables.finish(&attempt, &self.consent(), &ended, self.is_last_write(), now).await
    }

    /// Whether what this receive does not write may never be written.
    fn is_last_write(&self) -> bool {
        self.attempt.delivery.is_last(self.lease.get().map_or(0, Lease::used_tries))
    }

    /// Nobody waits for a revocation, nor for a confirmation that has not come.
    fn delay_reason(&self, setback: &Setback) -> Option<Reason> {
        match self.message.content {
            Content::Revoke { .. } => None,
            Content::Decided { .. } if self.confirmed_at.get().is_none() => None,
            _ => setback.delay_reason(),
        }
    }
}
