//! A live token for whoever asks, and keeping a connection alive that nobody asks for.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    Custody, LiveToken, TokenCustody, Trouble, Wish,
    holder::left,
    refresh::{EndedConnection, Refreshing},
};
use crate::{
    WaId,
    attempt::EndReason,
    conditional_write::{Attributes, Value},
    connection::{self, ENDED_AT, ENDED_REASON, REFRESH_TOKEN, was_connected},
};

/// How long a loser waits before it looks at the row again, at first and at most.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_LOOK: Duration = Duration::from_millis(800);
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
}

impl Custody {
    /// A token that lives, as the bot wishes it: the row's, or a new one.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn token(&self, wa_id: &WaId, wish: &Wish, deadline: Instant) -> Result<LiveToken, TokenError> {
        let (mut pause, mut looks, patience) = (FIRST_LOOK, 0, Instant::now() + PATIENCE);
        loop {
            let row = self.row(wa_id).await.map_err(|error| TokenError::Unavailable(error.into()))?;
            let now = (self.clock)();
            let token = LiveToken::of(&row);
            let can_refresh = row.contains_key(REFRESH_TOKEN) && !row.contains_key(ENDED_AT);
            if token.is_none() && !can_refresh {
                return Err(no_token(wa_id, row));
            }
            let usable = token.as_ref().filter(|token| token.may_live(wish, now));
            let is_fit = |token: &&LiveToken| !can_refresh || token.satisfies(wish, &row, self.config.max_age, now);
            if let Some(token) = usable.filter(is_fit) {
                return Ok(token.clone());
            }
            let until = if usable.is_some() { deadline.min(patience) } else { deadline };
            if self.config.custody == TokenCustody::Bot {
                return Err(TokenError::BotCustody);
            }
            let trouble = match self.refresh(wa_id, &row, deadline).await {
                Refreshing::Refreshed(token) => return Ok(token),
                Refreshing::Ended(end) => return Err(TokenError::Ended(end)),
                Refreshing::Changed if looks < LOOKS => {
                    looks += 1;
                    continue;
                }
                Refreshing::Changed => Trouble::Changed,
                Refreshing::Held { .. } if pause < left(until) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_LOOK);
                    continue;
                }
                Refreshing::Held { until } => Trouble::Held { time: until.since((self.clock)()) },
                Refreshing::Failed(trouble) => trouble,
            };
            // The old one, while it lives.
            return usable.cloned().ok_or(TokenError::Unavailable(trouble));
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
            match self.refresh(wa_id, &row, deadline).await {
                Refreshing::Refreshed(_) => return Ok(KeptAlive::Refreshed),
                Refreshing::Ended(_) => return Ok(KeptAlive::Ended),
                Refreshing::Held { until } => return Err(Trouble::Held { time: until.since((self.clock)()) }),
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
