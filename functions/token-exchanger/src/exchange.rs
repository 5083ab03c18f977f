//! From the code to the grant: the exchange at the token endpoint, and the account's name.

use std::sync::Arc;

use shared::{
    AuthorizationCode, Reason, Timestamp,
    attempt::ledger::Lease,
    aws::secrets::Secrets,
    connection::app_hash,
    metrics::Metric,
    pkce::PkceCodeVerifier,
    salesforce::{Class, ExchangeError, Grant, Redemption, Untrusted, UntrustedTokens, UserinfoFailure},
};
use tracing::{info, warn};

use crate::{
    budget::left,
    config::CredentialsError,
    course::{Course, Step},
    ending::Failure,
    report::chain,
    retry::{self, Pauses},
    setback::Setback,
    work::Work,
};

/// What an exchange needs beside the code.
pub(crate) struct ExchangeInputs {
    verifier: Option<PkceCodeVerifier>,
    secrets: Arc<Secrets>,
}

/// Why there are no tokens.
pub(crate) enum Stop {
    /// Finally: no retry can help.
    Failed(Failure),
    /// In this invocation.
    Returned(Setback),
}

impl<E: Into<Setback>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Returned(error.into())
    }
}

impl Work<'_> {
    /// Fetches what an exchange needs. KMS makes the verifier each time, and the secrets have expired whenever
    /// nobody has connected for some minutes.
    pub(crate) async fn fetch_exchange_inputs(&self, pkce: bool, now: Timestamp) -> Result<ExchangeInputs, Setback> {
        let resources = self.resources;
        let verifier = async {
            if !pkce {
                return Ok(None);
            }
            resources.kms.pkce_verifier(&resources.config.pkce_key_id, self.attempt.id).await.map(Some)
        };
        let (verifier, secrets) = tokio::join!(verifier, resources.secrets.current(now));
        Ok(ExchangeInputs { verifier: verifier?, secrets: secrets.map_err(CredentialsError::from)? })
    }

    /// Exchanges the code for tokens, with the retries that this invocation has time for. Returns the app that they are of, too
    /// ([`app_hash`]).
    pub(crate) async fn exchange(
        &self,
        lease: &Lease,
        code: &AuthorizationCode,
        ExchangeInputs { verifier, mut secrets }: ExchangeInputs,
    ) -> Result<(Grant, String), Stop> {
        let resources = self.resources;
        let mut pauses = Pauses::until(self.budget.exchange_retries());
        let is_only_host = resources.config.login_urls.iter().count() == 1;
        let age = self.now().since(self.message.received_at);
        let mut course = Course::new(lease).of_age(age).at_only_host(is_only_host);
        let mut requests = 0;
        loop {
            if self.message.code_has_expired(self.now()) {
                return Err(Stop::Failed(course.expired().into()));
            }
            let redemption = Redemption {
                login_url: self.attempt.login_url,
                code,
                verifier: verifier.as_ref(),
                credentials: &resources.config.credentials(&secrets)?,
            };
            let time = self.budget.exchange_request().ok_or(Setback::OutOfTime)?;
            course.send();
            requests += 1;
            let error = match self.salesforce.exchange(&redemption, time).await {
                Ok(grant) => return Ok((grant, app_hash(redemption.credentials.client_id))),
                Err(ExchangeError::Untrusted(tokens)) => {
                    let app = app_hash(redemption.credentials.client_id);
                    return Ok((self.prove(tokens, &secrets).await?, app));
                }
                Err(error) => error,
            };
            let class = error.class();
            if error.may_be_of_a_gateway() {
                course.doubt();
            }
            let step = course.answered(class);
            if let Class::Transient { retry_after: Some(asked) } = class
                && asked >= self.message.code_time_left(self.now())
            {
                return Err(Stop::Failed(Failure::of(course.outlasted(), &error)));
            }
            let may_send = requests < retry::max_requests(lease.tries);
            let retry = match step {
                Step::Fail(reason) => return Err(Stop::Failed(Failure::of(reason, &error))),
                Step::Retry { retry_after } => may_send && pauses.next(retry_after).await,
                Step::Refetch if may_send => {
                    let newer = resources.secrets.newer_than(&secrets, self.now()).await;
                    secrets = newer.map_err(CredentialsError::from)?;
                    true
                }
                Step::Refetch | Step::Return => false,
            };
            if !retry {
                return Err(Stop::Returned(Setback::Exchange(error)));
            }
        }
    }

    /// Tokens that the client secret in use did not prove. While it is rotated Salesforce accepts two and signs with either:
    /// the value of now and that of before the last change are tried, once. What none proves is revoked.
    async fn prove(&self, tokens: Box<UntrustedTokens>, used: &Secrets) -> Result<Grant, Stop> {
        let mut tokens = tokens;
        if tokens.why() == Untrusted::Signature {
            let (store, source, now) = (&self.resources.secrets, &self.resources.config.client_secret, self.now());
            let (newer, previous) = tokio::join!(store.newer_than(used, now), store.previous(source, now));
            let newer = newer.ok();
            let secrets = [newer.as_deref(), previous.as_ref()].into_iter().flatten();
            let known: Vec<_> = secrets.filter_map(|secrets| secrets.get(source).ok()).map(str::trim).collect();
            tokens = match tokens.verify(&known) {
                Ok(grant) => return Ok(grant),
                Err(tokens) => tokens,
            };
        }
        self.revoke_untrusted(&tokens).await;
        Err(Stop::Failed(Failure::of(Reason::Misconfigured, &ExchangeError::Untrusted(tokens))))
    }

    /// The name of the account. Where Salesforce does not answer in time the tokens are stored without it,
    /// because a consent is worth more than a name. Where Salesforce refuses the new tokens the attempt fails.
    pub(crate) async fn username(&self, grant: &Grant) -> Result<Option<String>, Failure> {
        let until = self.budget.username();
        let mut pauses = Pauses::until(until);
        loop {
            let error = match self.salesforce.username(grant, left(until)).await {
                Ok(username) => return Ok(Some(username)),
                Err(error) => error,
            };
            let attempt_id = tracing::field::display(self.attempt.id);
            match error.failure() {
                UserinfoFailure::Dead | UserinfoFailure::Blocked => {
                    return Err(Failure { last_error: Some(chain(&error)), ..Reason::AppBlocked.into() });
                }
                UserinfoFailure::Undisclosed => {
                    info!(attempt_id, error = chain(&error), next = "connect", "the account's name is not disclosed");
                    return Ok(None);
                }
                UserinfoFailure::NoCallsLeft => {
                    let (error, org_id) = (chain(&error), &grant.org_id);
                    warn!(attempt_id, error, org_id, next = "connect", "the org has no API calls left");
                    let resources = self.resources;
                    resources.config.meter.count(self.now(), Metric::Setbacks, &[("Class", "no_api_calls")]);
                    return Ok(None);
                }
                UserinfoFailure::Transient { retry_after } => {
                    if !pauses.next(retry_after).await {
                        let error = chain(&error);
                        warn!(attempt_id, error, next = "connect", "the account's name was not fetched in time");
                        return Ok(None);
                    }
                }
            }
        }
    }
}
