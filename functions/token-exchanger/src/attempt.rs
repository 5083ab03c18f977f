//! One attempt on its way from a message to its outcome. It decides what is tried again within
//! this invocation; what happens to a message that was not brought to an end is for the batch loop.

use std::{cell::OnceCell, sync::Arc, time::Duration};

use shared::{
    AuthorizationCode, Reason, Timestamp,
    attempt::ledger::{Attempt, Conflict, Guard, Lease, Unconnected},
    aws::{kms::KmsError, secrets::Secrets},
    exchange::{self, CODE_LIFETIME, DenialError, ExchangeMessage, Sealed},
    pkce::PkceCodeVerifier,
    salesforce::{self, ExchangeError, Grant, Redemption, UserinfoFailure},
};
use tokio::time::{Instant, timeout_at};

use crate::{
    TokenExchanger,
    checkpoint::{self, BrokenSeal},
    config::CredentialsError,
    course::{Course, Step},
    queue::QueueError,
    retry::{Pauses, left},
    setback::Setback,
    tables::{Claim, Connection, TableError},
};

/// Within one invocation a code is tried for so long; then the queue's schedule takes over.
const EXCHANGE_BUDGET: Duration = Duration::from_secs(12);
/// With less time than this a code is not sent.
const SHORTEST_TRY: Duration = Duration::from_secs(2);
/// Within one invocation the account is asked for its name for so long.
const ACCOUNT_BUDGET: Duration = Duration::from_secs(5);
/// Within one invocation the tables are tried for so long; then the tokens go back on the queue.
const STORE_BUDGET: Duration = Duration::from_secs(5);
/// What the tables must leave for the way back on the queue.
const CHECKPOINT_RESERVE: Duration = Duration::from_secs(4);
/// What putting tokens back must leave of it.
const LAST_WORD: Duration = Duration::from_millis(100);
/// What the name must leave for the tables and the way back.
const STORE_RESERVE: Duration = Duration::from_secs(7);
/// What an exchange must leave for the name and all that follows.
const RESERVE: Duration = Duration::from_secs(9);

/// How a message ended for good.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The outcome: tokens are stored.
    Connected {
        /// In place of older ones.
        renewed: bool,
    },
    /// No outcome yet: the tokens are on the queue, sealed, in a message of their own.
    Checkpointed {
        /// Why they are not stored.
        cause: Setback,
    },
    /// The outcome: it is over.
    Failed(Failure),
    /// The attempt had its outcome before, or somebody else brings it.
    Duplicate,
}

/// Why it is over.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    /// What Salesforce said, for an answer that should not be.
    pub(crate) cause: Option<ExchangeError>,
}

impl Failure {
    /// The OAuth error code that Salesforce gave, if any.
    pub(crate) fn oauth_error(&self) -> Option<&DenialError> {
        self.cause.as_ref().and_then(ExchangeError::oauth_error)
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self { reason, cause: None }
    }
}

/// A step that was not the last one.
enum Stop {
    Over(Failure),
    Back(Setback),
}

impl<E: Into<Setback>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Back(error.into())
    }
}

/// The tokens could neither be stored nor put back on the queue: they are gone with this
/// invocation. What is left to do is to say so, with a fresh link.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    #[error(transparent)]
    Kms(#[from] KmsError),
    #[error(transparent)]
    Seal(#[from] BrokenSeal),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("it took too long")]
    OutOfTime,
}

/// A consent, as the message brings it.
pub(crate) struct Consent<'a> {
    pub(crate) code: &'a AuthorizationCode,
    pub(crate) pkce: bool,
    pub(crate) received_at: Timestamp,
}

impl Consent<'_> {
    /// Is the code too old to be tried?
    pub(crate) fn is_dead(&self, now: Timestamp) -> bool {
        now.since(self.received_at) >= CODE_LIFETIME
    }
}

/// What a code is traded with.
struct Means {
    verifier: Option<PkceCodeVerifier>,
    secrets: Arc<Secrets>,
}

/// How long the code of a message that came then can still be tried.
pub(crate) fn life_left(received_at: Timestamp, now: Timestamp) -> Duration {
    CODE_LIFETIME.saturating_sub(now.since(received_at))
}

impl TokenExchanger {
    /// The person said no.
    pub(crate) async fn deny(&self, attempt: &Attempt<'_>, error: &DenialError) -> Result<Ending, Setback> {
        let outcome = Unconnected::Failed { reason: Reason::Denied, error: Some(error) };
        match self.tables.finish(attempt, &outcome, Guard::Undecided, (self.clock)()).await? {
            None => Ok(Ending::Failed(Reason::Denied.into())),
            // A code that is on its way, too, brings the outcome.
            Some(Conflict::Finished { .. } | Conflict::Delayed | Conflict::Held { .. }) => Ok(Ending::Duplicate),
        }
    }

    /// The person said yes. The lease, once there is one, is left in `held`.
    pub(crate) async fn connect(
        &self,
        attempt: &Attempt<'_>,
        consent: &Consent<'_>,
        held: &OnceCell<Lease>,
        until: Instant,
    ) -> Result<Ending, Setback> {
        let now = (self.clock)();
        if consent.is_dead(now) {
            return self.bury(attempt, now).await;
        }
        let claim = async {
            // Held at once: what is asked for beside it may take all the time.
            Ok::<_, TableError>(match self.tables.claim(attempt, now).await? {
                Claim::Granted(lease) => Ok(held.get_or_init(|| lease)),
                Claim::Refused(obstacle) => Err(obstacle),
            })
        };
        let (claim, means) = tokio::join!(claim, self.means(attempt, consent, now));
        let lease = match claim? {
            Ok(lease) => lease,
            Err(Conflict::Finished { .. }) => return Ok(Ending::Duplicate),
            Err(Conflict::Held { until }) => return Err(Setback::Held { until }),
            Err(Conflict::Delayed) => return Err(Setback::Held { until: now }),
        };
        if !self.config.login_urls.contains(attempt.login_url) {
            return Err(Setback::LoginUrl);
        }
        match self.connect_under(lease, attempt, consent, means?, until).await {
            Ok(ending) => Ok(ending),
            Err(Stop::Over(failure)) => self.fail(attempt, failure, Guard::Lease(lease)).await,
            Err(Stop::Back(setback)) => Err(setback),
        }
    }

    /// Asked for beside the claim: the verifier is made anew each time, and the secrets have grown old whenever nobody
    /// has connected for some minutes.
    async fn means(&self, attempt: &Attempt<'_>, consent: &Consent<'_>, now: Timestamp) -> Result<Means, Setback> {
        let (verifier, secrets) = tokio::join!(
            async {
                if !consent.pkce {
                    return Ok(None);
                }
                self.kms.pkce_verifier(&self.config.pkce_key_id, attempt.id).await.map(Some)
            },
            self.secrets.current(now),
        );
        Ok(Means { verifier: verifier?, secrets: secrets.map_err(CredentialsError::from)? })
    }

    /// The code is too old to be sent. No claim is made, because that would take an outcome away
    /// which nobody may have been told of yet.
    async fn bury(&self, attempt: &Attempt<'_>, now: Timestamp) -> Result<Ending, Setback> {
        let lease = self.tables.look(attempt, now).await?;
        self.fail(attempt, Course::new(&lease).expired().into(), Guard::Claimable).await
    }

    /// It was tried often enough: sees to it that the person has been told, and no more. Tokens are
    /// kept unless they are stored already, because a redrive may store them.
    pub(crate) async fn give_up(&self, attempt: &Attempt<'_>, has_tokens: bool) -> Result<Ending, Setback> {
        let outcome = Unconnected::Delayed { reason: Reason::Misconfigured };
        match self.tables.finish(attempt, &outcome, Guard::Claimable, (self.clock)()).await? {
            Some(Conflict::Finished { connected }) if connected || !has_tokens => Ok(Ending::Duplicate),
            None | Some(Conflict::Delayed | Conflict::Finished { .. }) => Err(Setback::GivenUp),
            Some(Conflict::Held { until }) => Err(Setback::Held { until }),
        }
    }

    async fn fail(&self, attempt: &Attempt<'_>, failure: Failure, guard: Guard<'_>) -> Result<Ending, Setback> {
        let outcome = Unconnected::Failed { reason: failure.reason, error: failure.oauth_error() };
        let now = (self.clock)();
        match self.tables.finish(attempt, &outcome, guard, now).await? {
            None => Ok(Ending::Failed(failure)),
            Some(Conflict::Finished { .. }) => Ok(Ending::Duplicate),
            // Lost to somebody who gave it back since.
            Some(Conflict::Delayed) => Err(Setback::Held { until: now }),
            Some(Conflict::Held { until }) => Err(Setback::Held { until }),
        }
    }

    /// The person said yes, and their code was traded before: the tokens only have to be stored.
    pub(crate) async fn connect_traded(
        &self,
        attempt: &Attempt<'_>,
        sealed: &Sealed,
        until: Instant,
    ) -> Result<Ending, Setback> {
        let key = self.kms.open_checkpoint_key(&self.config.checkpoint_key_id, attempt.id, &sealed.key).await?;
        let connection = checkpoint::open(&key, attempt, &sealed.data)?;
        let renewed = self.store(attempt, &connection, None, until).await?;
        Ok(Ending::Connected { renewed })
    }

    /// From the code to the connection, stored or on its way.
    async fn connect_under(
        &self,
        lease: &Lease,
        attempt: &Attempt<'_>,
        consent: &Consent<'_>,
        means: Means,
        until: Instant,
    ) -> Result<Ending, Stop> {
        let grant = self.exchange(lease, attempt, consent, means, until - RESERVE).await?;
        let (username, renewed) = tokio::join!(
            self.username(&grant, until - STORE_RESERVE),
            // Asked here because it costs no time beside Salesforce; where it fails it is asked again.
            self.tables.is_connected(attempt.wa_id),
        );
        let connection = Connection { username: username.map_err(Stop::Over)?, grant };
        Ok(self.keep(attempt, consent.received_at, &connection, renewed.ok(), until).await?)
    }

    /// Trades the code.
    async fn exchange(
        &self,
        lease: &Lease,
        attempt: &Attempt<'_>,
        consent: &Consent<'_>,
        Means { verifier, mut secrets }: Means,
        until: Instant,
    ) -> Result<Grant, Stop> {
        let mut pauses = Pauses::until(until.min(Instant::now() + EXCHANGE_BUDGET));
        let mut course = Course::new(lease);
        loop {
            if consent.is_dead((self.clock)()) {
                return Err(Stop::Over(course.expired().into()));
            }
            let redemption = Redemption {
                login_url: attempt.login_url,
                code: consent.code,
                verifier: verifier.as_ref(),
                credentials: &self.config.credentials(&secrets)?,
            };
            let time = left(until).min(salesforce::TIMEOUT);
            if time < SHORTEST_TRY {
                return Err(Stop::Back(Setback::OutOfTime));
            }
            course.send();
            let error = match self.salesforce.exchange(&redemption, time).await {
                Ok(grant) => return Ok(grant),
                Err(error) => error,
            };
            let again = match course.answered(error.class()) {
                Step::Over(reason) => return Err(Stop::Over(Failure { reason, cause: Some(error) })),
                Step::Again { retry_after } => pauses.next(retry_after).await,
                Step::Refetch => {
                    let newer = self.secrets.newer_than(&secrets, (self.clock)()).await;
                    secrets = newer.map_err(CredentialsError::from)?;
                    true
                }
                Step::Back => false,
            };
            if !again {
                return Err(Stop::Back(Setback::Exchange(error)));
            }
        }
    }

    /// The name of the account. Where Salesforce does not tell it in time the tokens are stored
    /// without it: a consent is worth more than a name. Where the tokens open nothing it is over.
    async fn username(&self, grant: &Grant, until: Instant) -> Result<Option<String>, Failure> {
        let until = until.min(Instant::now() + ACCOUNT_BUDGET);
        let mut pauses = Pauses::until(until);
        loop {
            match self.salesforce.username(grant, left(until)).await.map_err(|error| error.failure()) {
                Ok(username) => return Ok(Some(username)),
                Err(UserinfoFailure::Blocked) => return Err(Reason::AppBlocked.into()),
                Err(UserinfoFailure::OutOfScope) => return Ok(None),
                Err(UserinfoFailure::Transient { retry_after }) => {
                    if !pauses.next(retry_after).await {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Stores the connection or, where the tables do not take it, puts it back on the queue.
    async fn keep(
        &self,
        attempt: &Attempt<'_>,
        received_at: Timestamp,
        connection: &Connection,
        renewed: Option<bool>,
        until: Instant,
    ) -> Result<Ending, Setback> {
        let store_until = (until - CHECKPOINT_RESERVE).min(Instant::now() + STORE_BUDGET);
        let stored = timeout_at(store_until, self.store(attempt, connection, renewed, store_until)).await;
        let cause = match stored.unwrap_or(Err(Setback::OutOfTime)) {
            Ok(renewed) => return Ok(Ending::Connected { renewed }),
            Err(cause) => cause,
        };
        // Before the time is over, so that it is said what was lost.
        let until = until - LAST_WORD;
        let mut pauses = Pauses::until(until);
        let mut trouble = CheckpointError::OutOfTime;
        loop {
            match timeout_at(until, self.put_back(attempt, received_at, connection)).await {
                Ok(Ok(())) => return Ok(Ending::Checkpointed { cause }),
                Ok(Err(error)) => trouble = error,
                Err(_) => {}
            }
            if !pauses.next(None).await {
                return Err(Setback::TokensLost(trouble));
            }
            let stored = timeout_at(until, self.store(attempt, connection, renewed, Instant::now())).await;
            if let Ok(Ok(renewed)) = stored {
                return Ok(Ending::Connected { renewed });
            }
        }
    }

    /// Puts the connection on the queue, sealed, in a message that takes the place of the code's.
    async fn put_back(
        &self,
        attempt: &Attempt<'_>,
        received_at: Timestamp,
        connection: &Connection,
    ) -> Result<(), CheckpointError> {
        let key = self.kms.checkpoint_key(&self.config.checkpoint_key_id, attempt.id).await?;
        let data = checkpoint::seal(&key.plaintext, attempt, connection)?;
        let message = ExchangeMessage {
            attempt_id: attempt.id,
            wa_id: attempt.wa_id.clone(),
            received_at,
            login_url: attempt.login_url.clone(),
            consent: exchange::Consent::Traded {
                code_sha256: attempt.code_sha256.clone().unwrap_or_default(),
                sealed: Sealed { key: key.sealed, data },
            },
        };
        Ok(self.queue.send(&message).await?)
    }

    /// Stores the connection, as often as it takes and the time allows. Did it replace one?
    async fn store(
        &self,
        attempt: &Attempt<'_>,
        connection: &Connection,
        mut renewed: Option<bool>,
        until: Instant,
    ) -> Result<bool, Setback> {
        let now = (self.clock)();
        let mut pauses = Pauses::until(until);
        loop {
            let stored = async {
                let renewed = match renewed {
                    Some(renewed) => renewed,
                    // Asked until it is known and then no more: the transaction is repeated as it was.
                    None => *renewed.insert(self.tables.is_connected(attempt.wa_id).await?),
                };
                self.tables.connect(attempt, connection, renewed, now).await.map(|()| renewed)
            };
            match stored.await {
                Ok(renewed) => return Ok(renewed),
                Err(error) => {
                    if !pauses.next(None).await {
                        return Err(Setback::NotStored(error));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_dead_a_minute_before_salesforce_says_so() {
        let code = AuthorizationCode::parse("aPrx==".to_owned()).unwrap();
        let received_at = Timestamp::from_seconds(1_000);
        let consent = Consent { code: &code, pkce: true, received_at };
        let after = |seconds| received_at.plus(Duration::from_secs(seconds));
        assert!(!consent.is_dead(after(839)));
        assert!(consent.is_dead(after(840)));
        assert_eq!(life_left(received_at, after(830)).as_secs(), 10);
        assert_eq!(life_left(received_at, after(9_000)), Duration::ZERO);
    }
}
