//! Tokens that nobody needs any more are revoked at Salesforce: those that a new consent replaces, those of a consent that
//! a later one has overtaken, and those of an exchange whose attempt fails.
//!
//! They go onto the queue first, sealed, in a message of their own with tries of its own, so that neither an outage at
//! Salesforce nor the end of this invocation leaves a token alive.

use std::time::Duration;

use shared::{
    attempt::ledger::LEASE,
    connection::{Origin, StoredTokens},
    exchange::{Consent, ExchangeMessage, Sealed},
    salesforce::{self, Grant, RefreshToken, RevokeError, UntrustedTokens},
};
use tokio::time::{Instant, timeout_at};
use tracing::{error, warn};

use crate::{
    budget::left,
    checkpoint::{self, CheckpointError, Doomed},
    ending::Ending,
    report::chain,
    retry::Pauses,
    setback::Setback,
    tables::Before,
    work::Work,
};

/// Longer than the function's time-out: by then the row holds what this invocation, and any that runs beside it, stores.
const STORED_BY_THEN: Duration = LEASE;
const NOT_REVOKED: &str = "tokens not revoked: they may stay valid at Salesforce";
/// How long one invocation tries to put tokens on the queue.
const QUEUE_LIMIT: Duration = Duration::from_secs(3);

impl Work<'_> {
    /// Has tokens revoked that were exchanged and are not stored.
    pub(crate) async fn revoke_unused(&self, grant: &Grant) {
        self.revoke_soon(&self.doomed(grant)).await;
    }

    /// Revokes tokens within this invocation that neither the tables nor the queue took.
    pub(crate) async fn revoke_lost(&self, grant: &Grant) {
        let tokens = self.doomed(grant);
        if timeout_at(self.budget.revocation(), self.revoke_now(&tokens)).await.is_err() {
            error!(attempt_id = %self.attempt.id, error = "out of time", "{NOT_REVOKED}");
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

    fn origin(&self) -> Origin {
        Origin::new(self.attempt.id, self.attempt.received_at)
    }

    /// Puts tokens on the queue or, where it does not take them, revokes them within this invocation.
    pub(crate) async fn revoke_soon(&self, tokens: &Doomed) {
        if !self.queue_revocation(tokens, "revoke_now").await {
            self.revoke_now(tokens).await;
        }
    }

    /// Has tokens revoked that are about to be replaced. Returns those that could not be put on the queue:
    /// [`Self::revoke_soon`] is for them, once they are replaced.
    pub(crate) async fn revoke_replaced(&self, tokens: &StoredTokens, before: &Before) -> Option<Doomed> {
        let tokens = Doomed::new(tokens.to_revoke(), before.origin.clone(), self.hosts(tokens));
        (!self.queue_revocation(&tokens, "queue_once_replaced").await).then_some(tokens)
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
    async fn queue_revocation(&self, tokens: &Doomed, next: &str) -> bool {
        let until = self.budget.checkpoint().min(Instant::now() + QUEUE_LIMIT);
        let mut pauses = Pauses::until(until);
        loop {
            let queued = timeout_at(until, self.send_revocation(tokens)).await;
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

    /// `false` where the login has no state, as with version 1.
    async fn send_revocation(&self, tokens: &Doomed) -> Result<bool, CheckpointError> {
        let Self { resources, attempt, message, .. } = self;
        let Some(state) = message.state else { return Ok(false) };
        let key = resources.kms.checkpoint_key(&resources.config.checkpoint_key_id, attempt.id).await?;
        let data = checkpoint::seal_doomed(&key.plaintext, attempt, tokens)?;
        let consent = Consent::Revoke { attempt_id: attempt.id, sealed: Sealed { key: key.sealed, data } };
        let message = ExchangeMessage { state: state.clone(), received_at: message.received_at, consent };
        resources.queue.send(message.to_body(), STORED_BY_THEN).await?;
        Ok(true)
    }

    /// Revokes tokens within this invocation, because the queue did not take them.
    async fn revoke_now(&self, tokens: &Doomed) {
        if let Err(error) = self.revoke_unless_in_use(tokens).await {
            let error = chain(&error);
            error!(attempt_id = %self.attempt.id, error, "{NOT_REVOKED}");
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
        let mut refused = RevokeError::Host;
        for host in tokens.hosts() {
            if tokens.is_in_use(&self.resources.tables.read_tokens(self.attempt.wa_id).await?) {
                return Ok(Ending::Duplicate);
            }
            let time = left(self.budget.work()).min(salesforce::TIMEOUT);
            match self.resources.salesforce.revoke(host, tokens.token(), time).await {
                Ok(_) => return Ok(Ending::Revoked),
                Err(error) => refused = error,
            }
        }
        Err(Setback::NotRevoked(refused))
    }
}
