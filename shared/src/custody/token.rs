//! A live token for whoever asks, and keeping a connection alive that nobody asks for.

use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::{Custody, EndedConnection, LiveToken, TokenCustody, Trouble, Wish, refresh::Refreshing};
use crate::{
    WaId,
    attempt::EndReason,
    conditional_write::{Attributes, Value, text},
    connection::{self, ENDED_AT, ENDED_REASON, REFRESH_TOKEN, was_connected},
    logging::chain,
    pauses::Pauses,
};

/// How long a loser waits whose own token may still live.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a row may turn out to be another than the one that was read.
const LOOKS: usize = 8;

/// There is no live token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The chat never was connected.
    #[error("the chat was never connected")]
    NotConnected,
    /// The connection has ended.
    #[error("the connection has ended")]
    Ended(EndedConnection),
    /// The bots have the custody, and refresh by themselves.
    #[error("the bot has the custody of its tokens")]
    BotCustody,
    /// For now: nothing has ended.
    #[error("no live token for now")]
    Unavailable(#[source] Trouble),
}

/// What was done for a connection that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptAlive {
    /// It needs nothing now: it was refreshed since, has ended, or is gone.
    NotDue,
    /// It was refreshed.
    Refreshed,
    /// Salesforce has ended it, and its record is written.
    Ended,
    /// It has no refresh token, and Salesforce does not say that it is over.
    Unrefreshable,
}

impl Custody {
    /// A token that lives, as the bot wishes it: the row's, or a new one.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn token(&self, wa_id: &WaId, wish: &Wish, deadline: Instant) -> Result<LiveToken, TokenError> {
        let (mut waits, mut looks) = (None::<Pauses>, 0);
        loop {
            let row = match self.row(wa_id).await {
                Ok(row) => row,
                // Many who wait for one refresh can be more than a partition of the table answers at once.
                Err(error) => {
                    if let Some(waits) = &mut waits
                        && waits.next(None).await
                    {
                        continue;
                    }
                    return Err(TokenError::Unavailable(error.into()));
                }
            };
            let now = (self.clock)();
            let token = LiveToken::of(&row);
            let can_refresh = text(&row, REFRESH_TOKEN).is_some() && !row.contains_key(ENDED_AT);
            if token.is_none() && !can_refresh {
                return Err(no_token(wa_id, row));
            }
            let usable = token.as_ref().filter(|token| token.may_live(wish, &row, now));
            let is_fit = |token: &&LiveToken| !can_refresh || token.satisfies(wish, &row, self.config.max_age, now);
            if let Some(token) = usable.filter(is_fit) {
                return Ok(token.clone());
            }
            if self.config.custody == TokenCustody::Bot {
                return Err(TokenError::BotCustody);
            }
            let trouble = match self.refresh_unless_paused(wa_id, &row, deadline).await {
                Refreshing::Refreshed(token) if wish.rejects(&token.access_token) => Trouble::SameToken,
                Refreshing::Refreshed(token) => return Ok(token),
                Refreshing::Ended(end) => return Err(TokenError::Ended(end)),
                Refreshing::Changed if looks < LOOKS => {
                    looks += 1;
                    continue;
                }
                Refreshing::Changed => Trouble::Changed,
                Refreshing::Held { until } => {
                    let patience = if usable.is_some() { deadline.min(Instant::now() + PATIENCE) } else { deadline };
                    if waits.get_or_insert_with(|| Pauses::of_looks(patience)).next(None).await {
                        continue;
                    }
                    Trouble::Held { time: until.since((self.clock)()) }
                }
                Refreshing::Failed(trouble) => trouble,
            };
            let Some(token) = usable else { return Err(TokenError::Unavailable(trouble)) };
            warn!(error = chain(&trouble), "not refreshed: the bot has the old token while it lives");
            return Ok(token.clone());
        }
    }

    async fn refresh_unless_paused(&self, wa_id: &WaId, row: &Attributes, deadline: Instant) -> Refreshing {
        let now = (self.clock)();
        match connection::paused_until(row, now) {
            Some(until) => Refreshing::Failed(Trouble::Paused { time: until.since(now) }),
            None => self.refresh(wa_id, row, deadline).await,
        }
    }

    /// Refreshes the chat's tokens where they are due.
    ///
    /// # Errors
    /// [`Trouble`]: nothing has ended.
    pub async fn keep_alive(
        &self,
        wa_id: &WaId,
        keep_alive: Option<Duration>,
        deadline: Instant,
    ) -> Result<KeptAlive, Trouble> {
        for _ in 0..LOOKS {
            let row = self.row(wa_id).await?;
            if self.config.custody == TokenCustody::Bot || !connection::is_due(&row, keep_alive, (self.clock)()) {
                return Ok(KeptAlive::NotDue);
            }
            if let Some(time) = self.silence(&row) {
                return Err(Trouble::Paused { time });
            }
            match self.refresh_unless_paused(wa_id, &row, deadline).await {
                Refreshing::Refreshed(_) => return Ok(KeptAlive::Refreshed),
                Refreshing::Ended(_) => return Ok(KeptAlive::Ended),
                Refreshing::Held { until } => return Err(Trouble::Held { time: until.since((self.clock)()) }),
                // Its own message would ask again for hours: the next sweep does.
                Refreshing::Failed(Trouble::NoRefreshToken | Trouble::Blocked(_)) => {
                    return Ok(KeptAlive::Unrefreshable);
                }
                Refreshing::Failed(trouble) => return Err(trouble),
                Refreshing::Changed => {}
            }
        }
        Err(Trouble::Changed)
    }
}

fn no_token(wa_id: &WaId, row: Attributes) -> TokenError {
    if !was_connected(&row) {
        return TokenError::NotConnected;
    }
    let reason = row.get(ENDED_REASON).and_then(Value::as_text).and_then(EndReason::parse);
    TokenError::Ended(EndedConnection { wa_id: wa_id.clone(), reason, row })
}
