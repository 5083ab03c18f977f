//! The attempt table, from the announcer's side: what stands there now, and who knows of it.

use aws_sdk_dynamodb::{Client, config::BehaviorVersion, types::AttributeValue};
use shared::{
    AttemptId, Timestamp,
    attempt::{attr, ledger::Mark},
    aws::{
        SdkConfig, describe,
        dynamodb::{self, Update},
    },
};

use crate::outcome::{Item, OutcomeKey, Unreadable};

/// The table `connection_attempts`.
pub(crate) struct Attempts {
    client: Client,
    table: String,
}

/// Is the marked outcome still the attempt's?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marked {
    Done,
    /// There is a later one, and the mark was not made.
    Superseded,
}

/// The table did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptsError {
    /// The text is the SDK's, which quotes no item.
    #[error("the attempt table does not answer: {0}")]
    Unavailable(String),
    /// The item is not an attempt's.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl Attempts {
    pub(crate) fn new(config: &SdkConfig, table: String) -> Self {
        let config = aws_sdk_dynamodb::config::Builder::from(config).behavior_version(BehaviorVersion::v2026_01_12());
        Self { client: Client::from_conf(config.build()), table }
    }

    /// The attempt as it stands now: a stream's image may be hours old.
    pub(crate) async fn read(&self, attempt_id: AttemptId) -> Result<Option<Item>, AttemptsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(attr::ATTEMPT_ID, AttributeValue::S(attempt_id.to_string()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AttemptsError::Unavailable(describe(&error)))?;
        let read = |item| serde_dynamo::from_item(item).map_err(|_| Unreadable("not an attempt").into());
        answer.item.map(read).transpose()
    }

    /// Makes a mark on this outcome and no later one. With `complete` everyone knows.
    pub(crate) async fn mark(
        &self,
        key: &OutcomeKey,
        mark: &Mark,
        complete: bool,
        now: Timestamp,
    ) -> Result<Marked, AttemptsError> {
        let write = mark.write(key.status, key.updated_at, complete, now);
        let attempt_id = key.attempt_id.to_string();
        match dynamodb::update(&self.client, &self.table, (attr::ATTEMPT_ID, &attempt_id), &write).await {
            Ok(Update::Done(_)) => Ok(Marked::Done),
            Ok(Update::Refused(_)) => Ok(Marked::Superseded),
            Err(error) => Err(AttemptsError::Unavailable(describe(&error))),
        }
    }
}
