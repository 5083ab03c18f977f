//! A rotated token is stored, or waits sealed on the upkeep queue: it is not lost while either takes it.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::time::{Instant, timeout_at};
use tracing::{error, warn};

use super::{
    Custody, Trouble, newest,
    seal::{self, Purpose, SealingKey},
    tables::Written,
    upkeep::{Revoke, Upkeep},
};
use crate::{
    WaId,
    aws::AwsError,
    connection::{NewestTokens, RefreshTokenText, SealedText, seal_plain},
    logging::chain,
    metrics::Metric,
    pauses::Pauses,
};

/// What became of tokens that came back from the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredLater {
    /// They are in the row, now or before.
    Stored,
    /// The row is of another consent or refresh, or has ended: they are being revoked.
    Superseded,
}

impl Custody {
    /// Stores the tokens of a refresh or, where the table refuses them, puts them on the queue, in turn until the deadline.
    /// `false` where the row is another by now: they are being revoked.
    pub(super) async fn store_or_queue(
        &self,
        wa_id: &WaId,
        tokens: &NewestTokens,
        key: &SealingKey,
        hosts: Vec<String>,
        deadline: Instant,
    ) -> bool {
        let mut pauses = Pauses::until(deadline);
        loop {
            // A table that does not answer leaves the queue its time.
            let half = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
            let trouble = match timeout_at(half, self.store(wa_id, tokens)).await {
                Ok(Ok(true)) => return true,
                Ok(Ok(false)) => {
                    self.revoke_new(wa_id, tokens, hosts).await;
                    return false;
                }
                Ok(Err(error)) => Trouble::Aws(error),
                Err(_) => Trouble::OutOfTime,
            };
            match timeout_at(deadline, self.queue_tokens(wa_id, tokens, key, &hosts)).await {
                Ok(Ok(())) => {
                    warn!(error = chain(&trouble), "refreshed tokens not stored, and put on the upkeep queue");
                    return true;
                }
                Ok(Err(_)) if pauses.next(None).await => {}
                result => {
                    let cause = match result {
                        Ok(Err(error)) => error,
                        _ => Trouble::OutOfTime,
                    };
                    error!(
                        error = chain(&cause),
                        "refreshed tokens are lost: the connection works until its access token ends"
                    );
                    self.config.meter.count((self.clock)(), Metric::RefreshedTokensLost, &[]);
                    return true;
                }
            }
        }
    }

    async fn store(&self, wa_id: &WaId, tokens: &NewestTokens) -> Result<bool, AwsError> {
        match self.tables.write(wa_id, &tokens.store()).await? {
            Written::Done => Ok(true),
            // They were stored before, and the answer was lost.
            Written::Refused(row) => Ok(tokens.are_in(&row)),
        }
    }

    async fn queue_tokens(
        &self,
        wa_id: &WaId,
        tokens: &NewestTokens,
        key: &SealingKey,
        hosts: &[String],
    ) -> Result<(), Trouble> {
        let json = newest::to_json(tokens, hosts)?;
        let tokens = seal::seal(key, Purpose::NewestTokens, wa_id, json.expose_secret(), self.random)?;
        Ok(self.queue(&Upkeep::Store { wa_id: wa_id.clone(), tokens }, Duration::ZERO).await?)
    }

    /// Stores tokens that came back from the queue.
    ///
    /// # Errors
    /// [`Trouble`]: they have to come back once more.
    pub async fn store_sealed(&self, wa_id: &WaId, tokens: &SealedText) -> Result<StoredLater, Trouble> {
        let (tokens, hosts) = newest::from_json(&self.open(tokens, Purpose::NewestTokens, wa_id).await?)?;
        if self.store(wa_id, &tokens).await? {
            return Ok(StoredLater::Stored);
        }
        if let Some(RefreshTokenText::Sealed(token)) = &tokens.refresh_token {
            let revoke = superseded(wa_id, token, hosts, &tokens);
            self.queue(&Upkeep::Revoke(revoke), Duration::ZERO).await?;
        }
        Ok(StoredLater::Superseded)
    }

    /// Has the new refresh token revoked: its row is of another consent by now, or has ended. Where Salesforce does not rotate,
    /// whoever took the old one out of the row revokes it.
    async fn revoke_new(&self, wa_id: &WaId, tokens: &NewestTokens, hosts: Vec<String>) {
        let Some(RefreshTokenText::Sealed(token)) = &tokens.refresh_token else { return };
        self.revoke_soon(superseded(wa_id, token, hosts, tokens)).await;
    }

    /// Seals the refresh token of a row that has it in plain; `false` where there was none, or the row is another by now. The row's
    /// version is not counted where it is a bot's own.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn seal_row(&self, wa_id: &WaId, plain: &RefreshTokenText, is_counted: bool) -> Result<bool, Trouble> {
        let RefreshTokenText::Plain(token) = plain else { return Ok(false) };
        let key = self.sealing_key().await?;
        let sealed = self.seal(&key, wa_id, token.expose_secret())?;
        let sealed = seal_plain(plain, &RefreshTokenText::Sealed(sealed), is_counted);
        let written = self.tables.write(wa_id, &sealed).await?;
        Ok(matches!(written, Written::Done))
    }
}

/// Tokens whose row is another by now. Where it is still of their consent they were stored, and used since: it has what came of them.
fn superseded(wa_id: &WaId, token: &SealedText, hosts: Vec<String>, tokens: &NewestTokens) -> Revoke {
    Revoke { wa_id: wa_id.clone(), token: token.clone(), hosts, origin: Some(tokens.origin.clone()) }
}
