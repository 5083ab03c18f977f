//! Tokens that nobody needs any more are revoked at Salesforce: those that a new consent replaces, those of a consent that
//! a later one has overtaken, and those of an exchange whose attempt fails.
//!
//! They go onto a queue first, sealed, in a message of their own with tries of its own, so that neither an outage at
//! Salesforce nor the end of this invocation leaves a token alive. What this function knows goes onto the exchange queue. What
//! it cannot open, because it is sealed in its row, goes onto the upkeep queue, as it is; so does what a sealed row may hold.

use std::time::Duration;

use shared::{
    attempt::ledger::LEASE,
    aws::AwsError,
    connection::{Holding, Origin, StoredTokens, ToRevoke},
    custody::upkeep::{Revoke, Upkeep},
    exchange::{Consent, ExchangeMessage, Sealed},
    metrics::Metric,
    salesforce::{self, Grant, RefreshToken, RevocationAnswers, RevokeError, UntrustedTokens},
};
use tokio::time::{Instant, timeout_at};
use tracing::{error, warn};

use crate::{
    budget::left,
    checkpoint::{self, CheckpointError, Doomed},
    ending::Ending,
    report::chain,
    retry::Pauses,
    sealing::SealError,
    setback::Setback,
    tables::Before,
    work::Work,
};

/// Longer than the function's time-out: by then the row holds what this invocation, and any that runs beside it, stores.
const STORED_BY_THEN: Duration = LEASE;
/// How long one invocation tries to put tokens on a queue.
const QUEUE_LIMIT: Duration = Duration::from_secs(3);

/// Tokens that are to be revoked may be alive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRevoked {
    #[error(transparent)]
    Salesforce(#[from] RevokeError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("the upkeep queue did not take them")]
    Upkeep(#[source] AwsError),
    #[error("they may be sealed in their row, and the stack has neither key nor queue for such")]
    NoUpkeep,
    #[error("they may be held until their chat confirms the login, and the table does not say so")]
    Unknown,
    #[error("out of time")]
    OutOfTime,
}

/// What a connection replaces, as far as this invocation has seen to it.
#[derive(Default)]
pub(crate) struct Replaced {
    /// They were to be put on a queue.
    pub(crate) tokens: Option<StoredTokens>,
    /// The queue did not take them.
    pub(crate) unqueued: Option<Unqueued>,
}

/// Tokens that are replaced, and were not put on their queue before.
pub(crate) enum Unqueued {
    Known(Doomed),
    Sealed(Revoke),
}

impl Work<'_> {
    /// Has tokens revoked that were exchanged and are not stored.
    pub(crate) async fn revoke_unused(&self, grant: &Grant) {
        self.revoke_soon(&self.doomed(grant)).await;
    }

    /// The same, at once, for tokens that no invocation stores and that wait in a row: where it fails they stay there, and it is
    /// tried again.
    pub(crate) async fn revoke_surely(&self, grant: &Grant) -> Result<(), Setback> {
        let tokens = self.doomed(grant);
        if self.queue_revocation(&tokens, Duration::ZERO, "revoke_now").await {
            return Ok(());
        }
        self.revoke_unless_in_use(&tokens).await.map(drop)
    }

    /// Revokes tokens within this invocation that neither the tables nor the queue took. What is held in spite of that waits for
    /// its chat.
    pub(crate) async fn revoke_lost(&self, grant: &Grant) {
        match self.are_held().await {
            Some(false) => {}
            Some(true) => return,
            None => return self.log_not_revoked(&NotRevoked::Unknown),
        }
        let tokens = self.doomed(grant);
        if timeout_at(self.budget.revocation(), self.revoke_now(&tokens)).await.is_err() {
            self.log_not_revoked(&NotRevoked::OutOfTime);
        }
    }

    fn doomed(&self, grant: &Grant) -> Doomed {
        let token = grant.refresh_token.as_ref().map_or_else(|| grant.access_token.secret(), RefreshToken::secret);
        let hosts = vec![self.attempt.login_url.as_str().to_owned(), grant.instance_url.clone()];
        Doomed::new(token, self.origin(), hosts)
    }

    /// Has tokens revoked that nothing proves, where the code was issued: the host that they name is not known.
    pub(crate) async fn revoke_untrusted(&self, tokens: &UntrustedTokens) {
        let hosts = vec![self.attempt.login_url.as_str().to_owned()];
        self.revoke_soon(&Doomed::new(tokens.to_revoke(), self.origin(), hosts)).await;
    }

    /// The consent of this message, as its row has it.
    pub(crate) fn origin(&self) -> Origin {
        Origin::new(self.attempt.id, self.attempt.received_at)
    }

    /// Puts tokens on the queue or, where it does not take them, revokes them within this invocation.
    pub(crate) async fn revoke_soon(&self, tokens: &Doomed) {
        if !self.queue_revocation(tokens, STORED_BY_THEN, "revoke_now").await {
            self.revoke_now(tokens).await;
        }
    }

    /// Has tokens revoked that are about to be replaced. Returns those that could not be put on the queue:
    /// [`Self::revoke_unqueued`] is for them, once they are replaced.
    pub(crate) async fn revoke_replaced(&self, tokens: &StoredTokens, before: &Before) -> Option<Unqueued> {
        const NEXT: &str = "queue_once_replaced";
        let (hosts, origin) = (self.hosts(tokens), before.origin.clone());
        match tokens.to_revoke() {
            ToRevoke::Token(token) => {
                let tokens = Doomed::new(token, origin, hosts);
                (!self.queue_revocation(&tokens, STORED_BY_THEN, NEXT).await).then_some(Unqueued::Known(tokens))
            }
            ToRevoke::Sealed(token) => {
                let (wa_id, token) = (self.attempt.wa_id.clone(), token.clone());
                let tokens = Revoke { wa_id, token, hosts, origin: Some(origin) };
                let error = self.queue_upkeep(&tokens, STORED_BY_THEN).await.err()?;
                warn!(attempt_id = %self.attempt.id, error = chain(&error), next = NEXT, "revocation not queued");
                Some(Unqueued::Sealed(tokens))
            }
        }
    }

    /// Has tokens revoked that are replaced now, if any are left to see to. Where they were not replaced after all, the row
    /// still holds them, and they are left alone.
    pub(crate) async fn revoke_unqueued(&self, tokens: Option<Unqueued>) {
        let revoked = async {
            match tokens {
                None => {}
                Some(Unqueued::Known(tokens)) => self.revoke_soon(&tokens).await,
                Some(Unqueued::Sealed(tokens)) => {
                    if let Err(error) = self.queue_upkeep(&tokens, STORED_BY_THEN).await {
                        self.log_not_revoked(&error);
                    }
                }
            }
        };
        if timeout_at(self.budget.revocation(), revoked).await.is_err() {
            self.log_not_revoked(&NotRevoked::OutOfTime);
        }
    }

    /// Nobody is left to revoke them.
    fn log_not_revoked(&self, error: &(dyn std::error::Error + 'static)) {
        let error = chain(error);
        error!(attempt_id = %self.attempt.id, error, "tokens not revoked: they may stay valid at Salesforce");
        let (meter, now) = (&self.resources.config.meter, self.now());
        meter.count(now, Metric::Setbacks, &[("Class", "not_revoked")]);
        meter.count(now, Metric::TokensNotRevoked, &[]);
    }

    /// Where tokens of a row can be revoked. Bots may have written the row, so a host of Salesforce's, or one that the
    /// operator has listed, is asked and no other.
    fn hosts(&self, tokens: &StoredTokens) -> Vec<String> {
        let allowed = &self.resources.config.login_urls;
        let login_url =
            tokens.login_url.as_ref().and_then(|text| text.parse().ok()).filter(|url| allowed.contains(url));
        let login_url = login_url.unwrap_or_else(|| self.attempt.login_url.clone());
        let instance = tokens.instance_url.as_ref().and_then(|text| salesforce::instance_origin(text, &login_url));
        instance.into_iter().chain([login_url.as_str().to_owned()]).collect()
    }

    /// Puts tokens on the queue, sealed; `false` where that fails, which is logged with what happens next.
    async fn queue_revocation(&self, tokens: &Doomed, delay: Duration, next: &str) -> bool {
        let until = self.budget.checkpoint().min(Instant::now() + QUEUE_LIMIT);
        let mut pauses = Pauses::until(until);
        loop {
            let queued = timeout_at(until, self.send_revocation(tokens, delay)).await;
            match queued.unwrap_or(Err(CheckpointError::OutOfTime)) {
                Ok(is_sent) => return is_sent,
                Err(error) if !pauses.next(None).await => {
                    let error = chain(&error);
                    warn!(attempt_id = %self.attempt.id, error, next, "revocation not queued");
                    return false;
                }
                Err(_) => {}
            }
        }
    }

    /// Puts tokens that are sealed in their row on the upkeep queue.
    async fn queue_upkeep(&self, tokens: &Revoke, delay: Duration) -> Result<(), NotRevoked> {
        let queue = self.resources.upkeep.as_ref().ok_or(NotRevoked::NoUpkeep)?;
        let body = Upkeep::Revoke(tokens.clone()).to_body();
        let until = self.budget.checkpoint().min(Instant::now() + QUEUE_LIMIT);
        let mut pauses = Pauses::until(until);
        loop {
            let sent = timeout_at(until, queue.send(body.clone(), delay)).await;
            match sent.map_or(Err(NotRevoked::OutOfTime), |sent| sent.map_err(NotRevoked::Upkeep)) {
                Ok(()) => return Ok(()),
                Err(error) if !pauses.next(None).await => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// The row may hold this very token, sealed: it is for the refresher, who can compare them.
    async fn hand_over(&self, tokens: &Doomed) -> Result<Ending, NotRevoked> {
        let key_id = self.resources.config.custody.key_id().ok_or(NotRevoked::NoUpkeep)?;
        let sealed = self.seal(key_id, tokens.token()).await?;
        self.queue_upkeep(&tokens.on_upkeep(self.attempt.wa_id, sealed), Duration::ZERO).await?;
        Ok(Ending::HandedOver)
    }

    /// `false` where the login has no state, as with version 1.
    async fn send_revocation(&self, tokens: &Doomed, delay: Duration) -> Result<bool, CheckpointError> {
        let Self { resources, attempt, message, .. } = self;
        let Some(state) = message.state else { return Ok(false) };
        let key = resources.kms.checkpoint_key(&resources.config.checkpoint_key_id, attempt.id).await?;
        let data = checkpoint::seal_doomed(&key.plaintext, attempt, tokens)?;
        let consent = Consent::Revoke { attempt_id: attempt.id, sealed: Sealed { key: key.sealed, data } };
        let message = ExchangeMessage { state: state.clone(), received_at: message.received_at, consent };
        resources.queue.send(message.to_body(), delay).await?;
        Ok(true)
    }

    /// Revokes tokens within this invocation, because the queue did not take them.
    async fn revoke_now(&self, tokens: &Doomed) {
        if let Err(error) = self.revoke_unless_in_use(tokens).await {
            self.log_not_revoked(&error);
        }
    }

    /// Tokens from the queue. Those that are in use are left alone: the invocation that was to replace them did not, and
    /// the one that does puts them on the queue again.
    pub(crate) async fn revoke_sealed(&self, sealed: &Sealed) -> Result<Ending, Setback> {
        let Self { resources, attempt, .. } = self;
        let key =
            resources.kms.open_checkpoint_key(&resources.config.checkpoint_key_id, attempt.id, &sealed.key).await?;
        let tokens = checkpoint::open_doomed(&key, attempt, &sealed.data)?;
        self.revoke_unless_in_use(&tokens).await
    }

    /// Asks each host until one knows the token. Just before, the row is read each time: a connection is not worth a token.
    async fn revoke_unless_in_use(&self, tokens: &Doomed) -> Result<Ending, Setback> {
        let mut answers = RevocationAnswers::default();
        for host in tokens.hosts() {
            match tokens.held_by(&self.resources.tables.read_tokens(self.attempt.wa_id).await?) {
                Holding::Held => return Ok(Ending::Duplicate),
                Holding::Sealed => return Ok(self.hand_over(tokens).await?),
                Holding::NotHeld => {}
            }
            let time = left(self.budget.work()).min(salesforce::TIMEOUT);
            if answers.hear(self.salesforce.revoke(host, tokens.token(), time).await) {
                return Ok(Ending::Revoked);
            }
        }
        Ok(answers.end().map(|()| Ending::Revoked).map_err(NotRevoked::from)?)
    }
}
