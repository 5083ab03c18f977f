//! One attempt, from a message to its outcome. It decides what is retried within this invocation; what happens to
//! a message whose attempt has no outcome yet is for the batch loop.

use shared::{
    AuthorizationCode, Reason, Timestamp,
    attempt::{
        Outcome,
        ledger::{Conflict, Guard, Lease},
    },
    exchange::{DenialError, Sealed},
    salesforce::callback_error,
};

use crate::{
    checkpoint,
    course::Course,
    ending::{Ending, Failure},
    exchange::{ExchangeInputs, Stop},
    message::Content,
    setback::Setback,
    tables::{Claim, Connection, Finish, TableError},
    work::Work,
};

impl Work<'_> {
    /// Processes the message until its attempt has an outcome, or says why it goes back to the queue.
    pub(crate) async fn run(&self) -> Result<Ending, Setback> {
        let given_up = self.resources.config.is_given_up(self.attempt.receives);
        match &self.message.content {
            Content::Denied { error, description } => self.deny(error, *description).await,
            Content::Refused(reason) => self.refuse(*reason).await,
            Content::Unproven { .. } => self.fail(Reason::CodeExpired.into(), Guard::SameCode).await,
            Content::Granted { .. } if given_up && !self.message.code_has_expired(self.now()) => {
                self.give_up(false).await
            }
            Content::Granted { code, pkce } => self.connect(code, *pkce).await,
            Content::Exchanged { .. } if given_up => self.give_up(true).await,
            Content::Exchanged { sealed, .. } => self.store_sealed(sealed).await,
            Content::Revoke { sealed, .. } => self.revoke_sealed(sealed).await,
        }
    }

    /// Salesforce sent an error in place of a code.
    async fn deny(&self, error: &DenialError, description: Option<&str>) -> Result<Ending, Setback> {
        let reason = callback_error(error.as_str(), description);
        let outcome = Outcome::Failed { reason, salesforce_error: Some(error.as_str()) };
        // A code that is still being exchanged brings the outcome.
        self.finish(&outcome, Guard::Undecided, reason.into()).await
    }

    /// The receiver refused the callback. Where the right browser followed, its callback brings the outcome.
    async fn refuse(&self, reason: Reason) -> Result<Ending, Setback> {
        let outcome = Outcome::Failed { reason, salesforce_error: None };
        self.finish(&outcome, Guard::Untouched, reason.into()).await
    }

    /// Writes an outcome that is given up where the attempt has another.
    async fn finish(&self, outcome: &Outcome<&str>, guard: Guard<'_>, failure: Failure) -> Result<Ending, Setback> {
        let tables = &self.resources.tables;
        Ok(match tables.finish(&self.attempt, &self.consent(), outcome, guard, self.now()).await? {
            Finish::Written => Ending::Failed(failure),
            Finish::Superseded => Ending::Failed(Reason::Superseded.into()),
            Finish::Refused(_) => Ending::Duplicate,
        })
    }

    /// The person approved.
    async fn connect(&self, code: &AuthorizationCode, pkce: bool) -> Result<Ending, Setback> {
        let now = self.now();
        if self.message.code_has_expired(now) {
            return self.expire(now).await;
        }
        let claim = async {
            // The lease is kept at once: what is fetched concurrently may use up all the time.
            Ok::<_, TableError>(match self.resources.tables.claim(&self.attempt, now).await? {
                Claim::Granted(lease) => Ok(self.lease.get_or_init(|| lease)),
                Claim::Refused(conflict) => Err(conflict),
            })
        };
        let (claim, inputs) = tokio::join!(claim, self.fetch_exchange_inputs(pkce, now));
        let lease = match claim? {
            Ok(lease) => lease,
            Err(Conflict::Finished { .. } | Conflict::TooManyCodes) => return Ok(Ending::Duplicate),
            Err(Conflict::Held { until }) => return Err(Setback::Held { until }),
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

    /// From the code to the connection, stored or on the queue, while this invocation holds the attempt.
    async fn connect_under(
        &self,
        lease: &Lease,
        code: &AuthorizationCode,
        inputs: ExchangeInputs,
    ) -> Result<Ending, Stop> {
        let grant = self.exchange(lease, code, inputs).await?;
        let (username, row) = tokio::join!(
            self.username(&grant),
            // Read here because it takes no longer than Salesforce; a failure is retried when the tokens are stored.
            self.resources.tables.read_tokens(self.attempt.wa_id),
        );
        let username = match username {
            Ok(username) => username,
            Err(failure) => {
                self.revoke_unused(&grant).await;
                return Err(Stop::Failed(failure));
            }
        };
        let connection = Connection { grant, username };
        Ok(self.store_or_checkpoint(&connection, row.ok(), Some(lease)).await?)
    }

    /// An earlier invocation exchanged the code: the tokens only have to be stored.
    async fn store_sealed(&self, sealed: &Sealed) -> Result<Ending, Setback> {
        let Self { resources, attempt, .. } = self;
        let key_id = &resources.config.checkpoint_key_id;
        let key = resources.kms.open_checkpoint_key(key_id, attempt.id, &sealed.key).await?;
        let connection = checkpoint::open(&key, attempt, &sealed.data)?;
        self.store(&connection, None, None, self.budget.work()).await
    }

    /// The code has expired before it was sent. No claim is made, because a claim would remove an outcome
    /// that nobody may have been notified of yet.
    async fn expire(&self, now: Timestamp) -> Result<Ending, Setback> {
        let lease = self.resources.tables.read_lease(&self.attempt, now).await?;
        self.fail(Course::new(&lease).expired().into(), Guard::Claimable).await
    }

    /// The message has no tries left: makes sure that the person is notified of the delay, and does no more.
    /// Tokens stay on the queue unless they are stored already, because a redrive may store them.
    async fn give_up(&self, has_tokens: bool) -> Result<Ending, Setback> {
        let outcome = Outcome::Delayed { reason: Reason::Misconfigured };
        let tables = &self.resources.tables;
        match tables.finish(&self.attempt, &self.consent(), &outcome, Guard::Claimable, self.now()).await? {
            Finish::Superseded if !has_tokens => Ok(Ending::Failed(Reason::Superseded.into())),
            Finish::Refused(Conflict::Finished { connected }) if connected || !has_tokens => Ok(Ending::Duplicate),
            Finish::Refused(Conflict::TooManyCodes) if !has_tokens => Ok(Ending::Duplicate),
            Finish::Refused(Conflict::Held { until }) => Err(Setback::Held { until }),
            Finish::Written | Finish::Superseded | Finish::Refused(_) => Err(Setback::GivenUp),
        }
    }

    async fn fail(&self, failure: Failure, guard: Guard<'_>) -> Result<Ending, Setback> {
        let salesforce_error = failure.oauth_error().map(DenialError::as_str);
        let outcome = Outcome::Failed { reason: failure.reason, salesforce_error };
        let now = self.now();
        match self.resources.tables.finish(&self.attempt, &self.consent(), &outcome, guard, now).await? {
            Finish::Written => Ok(Ending::Failed(failure)),
            Finish::Superseded => Ok(Ending::Failed(Reason::Superseded.into())),
            Finish::Refused(Conflict::Finished { .. } | Conflict::TooManyCodes) => Ok(Ending::Duplicate),
            // Lost to another holder who has returned it since.
            Finish::Refused(Conflict::Delayed) => Err(Setback::Held { until: now }),
            Finish::Refused(Conflict::Held { until }) => Err(Setback::Held { until }),
        }
    }

    /// After a setback: releases the attempt or, after the last try, writes the delay, of which the notifier then
    /// notifies the person. Returns whether the person has been notified, or will be.
    pub(crate) async fn release(&self, setback: &Setback, now: Timestamp) -> Result<bool, TableError> {
        let (tables, attempt) = (&self.resources.tables, &self.attempt);
        match (setback.delay_reason(), self.lease.get()) {
            (Some(reason), lease) if self.resources.config.is_last_try(attempt.receives) => {
                let guard = lease.map_or(Guard::Claimable, Guard::Lease);
                let outcome = Outcome::Delayed { reason };
                let finish = tables.finish(attempt, &self.consent(), &outcome, guard, now).await?;
                Ok(!matches!(finish, Finish::Refused(Conflict::Held { .. })))
            }
            (_, Some(lease)) => tables.release(attempt.id, lease, now).await.map(|()| false),
            (_, None) => Ok(false),
        }
    }
}
