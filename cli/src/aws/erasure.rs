//! DynamoDB: deleting what the stack's tables have of a chat. What has changed since it was read stays.

use std::fmt::Write as _;

use aws_sdk_dynamodb::{Client, error::ProvideErrorMetadata as _, types::AttributeValue};
use aws_types::SdkConfig;
use shared::{
    Timestamp, WaId,
    attempt::attr,
    connection::{ACCESS_TOKEN, REFRESH_TOKEN},
    limit,
    proof::{ChatProof, pending},
};

use crate::{error::Error, stack::Stack};

/// The tables that know chats.
#[derive(Clone, Debug)]
pub(crate) struct Erasure {
    client: Client,
    tokens: String,
    attempts: String,
    limits: String,
    /// A stack of an earlier version has none.
    pending: Option<String>,
}

/// What has to be true of an item that is deleted.
struct Condition {
    expression: String,
    values: Vec<(&'static str, AttributeValue)>,
}

impl Erasure {
    pub(crate) fn new(config: &SdkConfig, stack: &Stack) -> Result<Self, Error> {
        let name = |output| stack.output(output).map(str::to_owned);
        Ok(Self {
            client: Client::new(config),
            tokens: name("TokenTableName")?,
            attempts: name("AttemptTableName")?,
            limits: name("LimitTableName")?,
            pending: stack.resource("PendingTable").map(str::to_owned),
        })
    }

    /// Deletes an attempt of the chat, by its key as it is stored; `false` where it is another by now than it was at this
    /// time.
    pub(crate) async fn attempt(&self, key: &str, wa_id: &WaId, updated_at: Option<Timestamp>) -> Result<bool, Error> {
        let (id, chat, time) = (attr::ATTEMPT_ID, attr::WA_ID, attr::UPDATED_AT);
        let mut values = vec![(":wa_id", text(wa_id.as_str()))];
        let mut unchanged = format!("{chat} = :wa_id");
        if let Some(updated_at) = updated_at {
            let _ = write!(unchanged, " AND {time} = :updated_at");
            values.push((":updated_at", AttributeValue::N(updated_at.millis().to_string())));
        }
        let expression = format!("attribute_not_exists({id}) OR ({unchanged})");
        self.delete(&self.attempts, (id, key), Some(Condition { expression, values })).await
    }

    /// Deletes the chat's row in the table of tokens; `false` where it has tokens.
    pub(crate) async fn connection(&self, wa_id: &WaId) -> Result<bool, Error> {
        let expression = format!("attribute_not_exists({ACCESS_TOKEN}) AND attribute_not_exists({REFRESH_TOKEN})");
        let condition = Condition { expression, values: Vec::new() };
        self.delete(&self.tokens, (attr::WA_ID, wa_id.as_str()), Some(condition)).await
    }

    /// Deletes a reference that is kept for a link, by its row's key as it is stored.
    pub(crate) async fn reference(&self, key: &str) -> Result<(), Error> {
        self.delete(&self.attempts, (attr::ATTEMPT_ID, key), None).await.map(drop)
    }

    /// Deletes how often the chat was told of failures, and how often it has sent a wrong code.
    pub(crate) async fn limit(&self, wa_id: &WaId) -> Result<(), Error> {
        for id in [limit::chat_id(wa_id), limit::guess_id(wa_id)] {
            self.delete(&self.limits, (limit::attr::ID, &id), None).await?;
        }
        Ok(())
    }

    /// Deletes a row of the pending logins; `false` where tokens are held in it that are still to be stored or revoked.
    pub(crate) async fn pending(&self, proof: &ChatProof) -> Result<bool, Error> {
        let Some(table) = &self.pending else { return Ok(true) };
        let (login, settled) = (pending::attr::ATTEMPT_ID, pending::attr::SETTLED_AT);
        let expression = format!("attribute_not_exists({login}) OR attribute_exists({settled})");
        let condition = Condition { expression, values: Vec::new() };
        self.delete(table, (pending::attr::PROOF, proof.as_str()), Some(condition)).await
    }

    async fn delete(&self, table: &str, key: (&str, &str), condition: Option<Condition>) -> Result<bool, Error> {
        let mut request = self.client.delete_item().table_name(table).key(key.0, text(key.1));
        if let Some(Condition { expression, values }) = condition {
            request = request.condition_expression(expression);
            for (name, value) in values {
                request = request.expression_attribute_values(name, value);
            }
        }
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(Error::aws("delete what is stored", "DeleteItem")(error)),
        }
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}
