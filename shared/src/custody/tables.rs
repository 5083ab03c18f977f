//! The two tables, as whoever holds tokens uses them. It decides no retries.

use crate::{
    LinkId, WaId,
    attempt::attr,
    aws::{
        AwsError, SdkConfig, Service,
        dynamodb::{self, Transaction, Update},
    },
    conditional_write::{Attributes, ConditionalWrite, Value},
    connection::ConnectionEnd,
};

/// Both tables.
#[derive(Debug)]
pub(super) struct Tables {
    dynamodb: Service,
    tokens: String,
    attempts: String,
}

/// What became of a write.
#[derive(Debug)]
pub(super) enum Written {
    Done,
    /// The row is another by now.
    Refused(Attributes),
}

impl Tables {
    /// No connection is opened yet.
    pub(super) fn new(config: &SdkConfig, tokens: String, attempts: String) -> Self {
        Self { dynamodb: dynamodb::service(config), tokens, attempts }
    }

    /// DynamoDB, for what is read beside.
    pub(super) const fn dynamodb(&self) -> &Service {
        &self.dynamodb
    }

    /// The chat's row; empty where there is none.
    pub(super) async fn read(&self, wa_id: &WaId) -> Result<Attributes, AwsError> {
        dynamodb::read(&self.dynamodb, &self.tokens, (attr::WA_ID, wa_id.as_str())).await
    }

    pub(super) async fn write(&self, wa_id: &WaId, write: &ConditionalWrite) -> Result<Written, AwsError> {
        Ok(match dynamodb::update(&self.dynamodb, &self.tokens, (attr::WA_ID, wa_id.as_str()), write).await? {
            Update::Done(_) => Written::Done,
            Update::ConditionFailed(row) => Written::Refused(row),
        })
    }

    /// Ends a connection, and records it for the outbox; `false` where the row is another by now.
    pub(super) async fn end(&self, end: &ConnectionEnd<'_>) -> Result<bool, AwsError> {
        let (tombstone, record, id) = (end.tombstone(), end.record(), end.id().to_string());
        let writes = [
            (&tombstone, &*self.tokens, (attr::WA_ID, end.wa_id.as_str())),
            (&record, &*self.attempts, (attr::ATTEMPT_ID, &*id)),
        ];
        Ok(matches!(dynamodb::transact(&self.dynamodb, writes).await?, Transaction::Done))
    }

    /// The link that the connection's attempt began with. It is an extra: an old attempt is gone, and nothing waits for it.
    pub(super) async fn link_of(&self, row: &Attributes) -> Option<LinkId> {
        let id = row.get(attr::ATTEMPT_ID).and_then(Value::as_text)?;
        let attempt = dynamodb::read(&self.dynamodb, &self.attempts, (attr::ATTEMPT_ID, id)).await.ok()?;
        attempt.get(attr::LINK_ID).and_then(Value::as_text)?.parse().ok()
    }
}
