//! The end of a connection: by the person, or the bot for them; or by Salesforce.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::{
    Custody, EndedConnection, Trouble,
    holder::left,
    refresh::{INTROSPECTION, Refreshing},
    upkeep::{Revoke, Upkeep},
};
use crate::{
    WaId,
    attempt::{EndReason, attr},
    conditional_write::{Attributes, text},
    connection::{
        self, ACCESS_TOKEN, ConnectionEnd, Origin, REFRESH_TOKEN, RefreshTokenText, recorded_end, was_connected,
    },
    logging::chain,
    metrics::Metric,
    salesforce::{AccessToken, Grant, UserinfoFailure},
};

/// By then the row is dead, or the end was not written, and the token is left alone.
const ENDED_BY_THEN: Duration = Duration::from_mins(1);
/// What the revocation at once leaves of the time.
const RESERVE: Duration = Duration::from_millis(500);
/// How often the row may change meanwhile.
const ROUNDS: usize = 5;

/// What became of a connection that was to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disconnected {
    /// It has ended, and its record tells the chat and the bot.
    Ended,
    /// There was none, or it had ended.
    Nothing,
}

impl Custody {
    /// Ends the chat's connection: its row is dead at once, and its tokens are revoked, now or by the upkeep queue.
    ///
    /// # Errors
    /// [`Trouble`]: it has not ended.
    pub async fn disconnect(&self, wa_id: &WaId, deadline: Instant) -> Result<Disconnected, Trouble> {
        for _ in 0..ROUNDS {
            let row = self.row(wa_id).await?;
            if !was_connected(&row) || recorded_end(&row).is_some() {
                return Ok(Disconnected::Nothing);
            }
            let revoke = self.revocation(wa_id, &row).await?;
            // First: an invocation that is killed after the end leaves no token alive.
            let queued = match &revoke {
                Some(revoke) => self.queue(&Upkeep::Revoke(revoke.clone()), ENDED_BY_THEN).await,
                None => Ok(()),
            };
            let link_id = self.tables.link_of(&row).await;
            let (reason, at) = (EndReason::Disconnected, (self.clock)());
            let end = ConnectionEnd { wa_id, row: &row, reason, link_id, at };
            match self.tables.end(&end).await {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    // It may be written, and the queue has no message: the row says whether the token is in use.
                    if let (Some(revoke), Err(_)) = (&revoke, &queued) {
                        self.revoke_at_once(revoke, false, deadline).await;
                    }
                    return Err(error.into());
                }
            }
            self.config.meter.count(at, Metric::ConnectionsEnded, &[("Reason", reason.as_str())]);
            if let Some(revoke) = revoke {
                self.revoke_at_once(&revoke, queued.is_ok(), deadline).await;
            }
            return Ok(Disconnected::Ended);
        }
        Err(Trouble::Changed)
    }

    /// A connection without a refresh token lives as long as its access token, about which the org itself has the last word.
    pub(super) async fn without_refresh_token(&self, wa_id: &WaId, row: &Attributes, deadline: Instant) -> Refreshing {
        let asked = async {
            let host = self.hosts(row).pop().ok_or(Trouble::NoHost)?;
            let token = text(row, ACCESS_TOKEN).unwrap_or_default().into();
            let access_token = AccessToken::from_secret(&token).map_err(|_| Trouble::NoRefreshToken)?;
            let known = |name| text(row, name).unwrap_or_default().to_owned();
            let grant = Grant {
                access_token,
                refresh_token: None,
                instance_url: host,
                issued_at: (self.clock)(),
                scope: None,
                org_id: known(attr::ORG_ID),
                user_id: known(connection::USER_ID),
            };
            let asked = self.salesforce().username(&grant, left(deadline).min(INTROSPECTION)).await;
            match asked {
                // Nobody but the token itself is meant.
                Err(error) if error.failure() == UserinfoFailure::Dead => Ok(true),
                Err(error) if error.failure() == UserinfoFailure::Blocked => Err(Trouble::Blocked(error)),
                _ => Ok(false),
            }
        };
        let trouble = match asked.await {
            Ok(true) => return self.end(wa_id, row.clone(), EndReason::Expired).await,
            Ok(false) => Trouble::NoRefreshToken,
            Err(trouble) => trouble,
        };
        let is_operators = matches!(trouble, Trouble::Blocked(_));
        let result = Refreshing::Failed(trouble);
        if is_operators {
            self.report(&result);
        }
        result
    }

    /// Writes that Salesforce has ended the connection of a row, as it was read.
    pub(super) async fn end(&self, wa_id: &WaId, row: Attributes, reason: EndReason) -> Refreshing {
        let link_id = self.tables.link_of(&row).await;
        let end = ConnectionEnd { wa_id, row: &row, reason, link_id, at: (self.clock)() };
        match self.tables.end(&end).await {
            Ok(true) => {
                let now = (self.clock)();
                self.config.meter.count(now, Metric::ConnectionsEnded, &[("Reason", reason.as_str())]);
                Refreshing::Ended(EndedConnection { wa_id: wa_id.clone(), reason: Some(reason), row })
            }
            Ok(false) => Refreshing::Changed,
            Err(error) => Refreshing::Failed(error.into()),
        }
    }

    /// The message that has the row's token revoked; `None` where it has none.
    async fn revocation(&self, wa_id: &WaId, row: &Attributes) -> Result<Option<Revoke>, Trouble> {
        // Without a refresh token the access token is all that can be revoked (RFC 7009 §2.1).
        let Some(stored) = text(row, REFRESH_TOKEN).or_else(|| text(row, ACCESS_TOKEN)) else { return Ok(None) };
        let token = match RefreshTokenText::new(stored) {
            RefreshTokenText::Sealed(text) => text,
            RefreshTokenText::Plain(token) => self.seal(&self.sealing_key().await?, wa_id, token.expose_secret())?,
        };
        Ok(Some(Revoke { wa_id: wa_id.clone(), token, hosts: self.hosts(row), origin: Some(Origin::of(row)) }))
    }

    async fn revoke_at_once(&self, revoke: &Revoke, is_queued: bool, deadline: Instant) {
        let until = Instant::now() + left(deadline).saturating_sub(RESERVE);
        let revoked = timeout_at(until, self.revoke(revoke, until)).await.unwrap_or(Err(Trouble::OutOfTime));
        match revoked {
            Ok(_) => {}
            Err(trouble) if is_queued => warn!(error = chain(&trouble), next = "queue", "tokens not revoked at once"),
            Err(trouble) => self.note_unrevoked(&trouble),
        }
    }
}
