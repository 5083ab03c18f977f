//! Refresh tokens that nobody needs any more are revoked at Salesforce.

use std::{error::Error, time::Duration};

use secrecy::ExposeSecret as _;
use tokio::time::{Instant, timeout};
use tracing::error;

use super::{
    Custody, Trouble,
    seal::Purpose,
    upkeep::{Revoke, Upkeep},
};
use crate::{
    conditional_write::{Attributes, Value},
    connection::{Origin, REFRESH_TOKEN, RefreshTokenText, StoredTokens},
    logging::chain,
    metrics::Metric,
    salesforce::{self, RevocationAnswers},
};

/// What an invocation has for this once its work is done: the queue, and one try where that does not take the token. Together
/// less than what a caller's deadline leaves before it is cut off.
const QUEUEING: Duration = Duration::from_millis(800);
const AT_ONCE: Duration = Duration::from_millis(1_100);

/// What became of a token that was to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// It is dead.
    Dead,
    /// The chat is connected by it: it is left alone.
    InUse,
}

impl Custody {
    /// Revokes a token that came back from the queue, unless it is in use.
    ///
    /// # Errors
    /// [`Trouble`]: it may be alive.
    pub async fn revoke(&self, revoke: &Revoke, deadline: Instant) -> Result<Revoked, Trouble> {
        let token = self.open(&revoke.token, Purpose::RefreshToken, &revoke.wa_id).await?;
        if revoke.hosts.is_empty() {
            return Err(Trouble::NoHost);
        }
        let (salesforce, mut answers) = (self.salesforce(), RevocationAnswers::default());
        for host in &revoke.hosts {
            // Just before: a connection is not worth a token.
            if self.is_in_use(revoke, token.expose_secret(), &self.row(&revoke.wa_id).await?).await? {
                return Ok(Revoked::InUse);
            }
            let time = deadline.saturating_duration_since(Instant::now()).min(salesforce::TIMEOUT);
            if answers.hear(salesforce.revoke(host, token.expose_secret(), time).await) {
                return Ok(Revoked::Dead);
            }
        }
        Ok(answers.end().map(|()| Revoked::Dead)?)
    }

    /// Whether the chat is connected by this token, or by what a rotation has made of it. Salesforce may also give one token to
    /// two consents.
    async fn is_in_use(&self, revoke: &Revoke, token: &str, row: &Attributes) -> Result<bool, Trouble> {
        if StoredTokens::read(row).is_none() {
            return Ok(false);
        }
        if revoke.origin.as_ref().is_some_and(|origin| *origin == Origin::of(row)) {
            return Ok(true);
        }
        let Some(stored) = row.get(REFRESH_TOKEN).and_then(Value::as_text) else { return Ok(false) };
        Ok(match RefreshTokenText::new(stored) {
            RefreshTokenText::Plain(own) => own.expose_secret() == token,
            RefreshTokenText::Sealed(text) if text == revoke.token => true,
            RefreshTokenText::Sealed(text) => {
                self.open(&text, Purpose::RefreshToken, &revoke.wa_id).await?.expose_secret() == token
            }
        })
    }

    /// Has a token revoked by way of the queue or, where it does not take it, within this invocation.
    pub(super) async fn revoke_soon(&self, revoke: Revoke) {
        let queued = timeout(QUEUEING, self.queue(&Upkeep::Revoke(revoke.clone()), Duration::ZERO)).await;
        let queued = match queued {
            Ok(Ok(())) => return,
            Ok(Err(error)) => Trouble::Aws(error),
            Err(_) => Trouble::OutOfTime,
        };
        let at_once = timeout(AT_ONCE, self.revoke(&revoke, Instant::now() + AT_ONCE)).await;
        if !matches!(at_once, Ok(Ok(_))) {
            self.note_unrevoked(&queued);
        }
    }

    /// Neither the queue nor Salesforce took a token that was to be revoked, and nobody has it any more.
    pub(super) fn note_unrevoked(&self, why: &(dyn Error + 'static)) {
        error!(error = chain(why), "tokens not revoked: they may stay valid at Salesforce");
        self.config.meter.count((self.clock)(), Metric::TokensNotRevoked, &[]);
    }
}
