//! The attempt table, from the announcer's side: what stands there now, and who knows of it.

use aws_sdk_dynamodb::{
    Client, config::BehaviorVersion, operation::update_item::UpdateItemError, types::AttributeValue,
};
use shared::{
    AttemptId, Timestamp,
    attempt::attr,
    aws::{SdkConfig, describe},
};

use crate::outcome::{Item, OutcomeKey, Unreadable};

/// The table `connection_attempts`.
pub(crate) struct Attempts {
    client: Client,
    table: String,
}

/// What is known now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The person was sent the message.
    Messaged,
    /// The person cannot be sent it, by this code of WhatsApp's. That is news to the bot.
    Undeliverable(String),
    /// The bot was told.
    BotTold,
    /// There is nothing left to tell.
    Nothing,
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
        let mut request = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(attr::ATTEMPT_ID, AttributeValue::S(key.attempt_id.to_string()))
            .update_expression(update_expression(mark, complete))
            .condition_expression(format!("#status = :status AND {} = :updated_at", attr::UPDATED_AT))
            .expression_attribute_names("#status", attr::STATUS)
            .expression_attribute_values(":status", AttributeValue::S(key.status.as_str().to_owned()))
            .expression_attribute_values(":updated_at", number(key.updated_at));
        if complete || matches!(mark, Mark::Messaged | Mark::BotTold) {
            request = request.expression_attribute_values(":now", number(now));
        }
        if let Mark::Undeliverable(code) = mark {
            request = request.expression_attribute_values(":code", AttributeValue::S(code.clone()));
        }
        match request.send().await {
            Ok(_) => Ok(Marked::Done),
            Err(error)
                if matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(Marked::Superseded)
            }
            Err(error) => Err(AttemptsError::Unavailable(describe(&error))),
        }
    }
}

fn number(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.millis().to_string())
}

fn update_expression(mark: &Mark, complete: bool) -> String {
    let own = match mark {
        Mark::Messaged => Some(format!("{} = :now", attr::MESSAGED_AT)),
        Mark::Undeliverable(_) => Some(format!("{} = :code", attr::MESSAGE_ERROR)),
        Mark::BotTold => Some(format!("{} = :now", attr::BOT_TOLD_AT)),
        Mark::Nothing => None,
    };
    let notified = complete.then(|| format!("{} = :now", attr::NOTIFIED_AT));
    let set: Vec<_> = own.into_iter().chain(notified).collect();
    let set = set.join(", ");
    match mark {
        // The bot may have been told that the message is on its way.
        Mark::Undeliverable(_) => format!("SET {set} REMOVE {}", attr::BOT_TOLD_AT),
        _ => format!("SET {set}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whichever_is_second_says_that_everyone_knows() {
        assert_eq!(update_expression(&Mark::Messaged, false), "SET messaged_at = :now");
        assert_eq!(update_expression(&Mark::BotTold, true), "SET bot_told_at = :now, notified_at = :now");
        assert_eq!(update_expression(&Mark::Nothing, true), "SET notified_at = :now");
    }

    #[test]
    fn an_undeliverable_message_is_told_to_the_bot_again() {
        let mark = Mark::Undeliverable("63024".to_owned());
        assert_eq!(update_expression(&mark, false), "SET message_error = :code REMOVE bot_told_at");
    }
}
