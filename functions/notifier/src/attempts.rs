//! The attempt table: the item as it is now, and the marks of what has been notified.

use shared::{
    AttemptId, Timestamp,
    attempt::{
        Item, UnreadableItem, attr,
        last_error::{LastError, Party},
        ledger::{Mark, is_of},
        message::{Accepted, Later},
    },
    aws::{
        AwsError, Service,
        dynamodb::{self, Update},
    },
    conditional_write::ConditionalWrite,
};

use crate::{
    outcome::{self, OutcomeKey},
    whatsapp::{SendError, Sent},
};

/// The table `connection_attempts`.
pub(crate) struct Attempts {
    dynamodb: Service,
    table: String,
}

/// The result of writing a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marked {
    Done,
    /// The attempt has a later outcome: nothing was written.
    Superseded,
    /// Another invocation sends this message, or knows more of it by now: nothing was written.
    Held,
}

/// The table could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptsError {
    #[error("attempt table: {0}")]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Unreadable(#[from] UnreadableItem),
}

/// The write that marks this outcome, and no later one. With `complete`, the person and the bot are both notified; `sent`
/// is the message that was sent just now.
pub(crate) fn marking(
    key: &OutcomeKey,
    mark: &Mark,
    sent: Option<&Sent>,
    complete: bool,
    now: Timestamp,
) -> ConditionalWrite {
    let write = mark.write(key.status, key.updated_at, complete, now);
    match sent {
        Some(Sent { id, by_template }) => {
            Accepted { id: id.as_deref(), by_template: *by_template }.marked_by(write, now)
        }
        None => write,
    }
}

impl Attempts {
    pub(crate) const fn new(dynamodb: Service, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The attempt's item as it is now: a stream's image may be hours old.
    pub(crate) async fn read(&self, attempt_id: AttemptId) -> Result<Option<Item>, AttemptsError> {
        let attributes =
            dynamodb::read(&self.dynamodb, &self.table, (attr::ATTEMPT_ID, &attempt_id.to_string())).await?;
        if attributes.is_empty() { Ok(None) } else { Ok(Some(outcome::read(&attributes)?)) }
    }

    /// Writes this mark.
    pub(crate) async fn mark(
        &self,
        key: &OutcomeKey,
        mark: &Mark,
        write: &ConditionalWrite,
    ) -> Result<Marked, AttemptsError> {
        Ok(match self.write(key, write).await? {
            Update::Done(_) => Marked::Done,
            Update::ConditionFailed(item) if !is_of(key.status, key.updated_at, &item) => Marked::Superseded,
            Update::ConditionFailed(item) if mark.is_in(&item) => Marked::Done,
            Update::ConditionFailed(_) => Marked::Held,
        })
    }

    /// Writes what became of a message, and why it was refused; `false` where another one was sent since, or there is a later outcome.
    pub(crate) async fn note(
        &self,
        item: &Item,
        message_id: &str,
        later: Later<'_>,
        refusal: Option<&SendError>,
        now: Timestamp,
    ) -> Result<bool, AttemptsError> {
        let key = OutcomeKey::of(item)?;
        let write = later.write(key.status, key.updated_at, message_id, now);
        let write = if item.redelivered_at.is_some() { write.remove([attr::REDELIVERED_AT]) } else { write };
        let error =
            refusal.map(|refusal| LastError::new(&format!("{refusal}, after it had accepted the message"), now));
        let write = error.into_iter().fold(write, |write, error| error.added_to(write, Party::WhatsApp));
        Ok(matches!(self.write(&key, &write).await?, Update::Done(_)))
    }

    async fn write(&self, key: &OutcomeKey, write: &ConditionalWrite) -> Result<Update, AwsError> {
        let attempt_id = key.attempt_id.to_string();
        dynamodb::update(&self.dynamodb, &self.table, (attr::ATTEMPT_ID, &attempt_id), write).await
    }
}
