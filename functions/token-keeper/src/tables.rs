//! What is read of the tables beside the custody's own reads.

use aws_sdk_dynamodb::{operation::query::QueryInput, types::AttributeValue};
use shared::{
    AttemptId, Status, WaId,
    attempt::{attr, index},
    aws::{AwsError, Service, dynamodb},
    conditional_write::{Attributes, text},
};

/// What DynamoDB answers where the table has no such index: it is made in steps, and an adopted table may lack it.
const NO_INDEX: &str = "ValidationException";

/// A chat's newest attempt, or end of a connection.
pub(crate) struct Newest {
    pub(crate) id: AttemptId,
    pub(crate) status: Status,
}

/// The chat's newest attempt; `None` where there is none, or no index to find it by.
pub(crate) async fn newest(dynamodb: &Service, table: &str, wa_id: &WaId) -> Result<Option<Newest>, AwsError> {
    let request = QueryInput::builder()
        .table_name(table)
        .index_name(index::BY_CHAT)
        .key_condition_expression("#chat = :chat")
        .expression_attribute_names("#chat", attr::WA_ID)
        .expression_attribute_values(":chat", AttributeValue::S(wa_id.as_str().to_owned()))
        .scan_index_forward(false)
        .limit(1);
    match dynamodb.call(request).await.map_err(AwsError::of("Query")) {
        Ok(page) => {
            let newest = page.items.into_iter().flatten().next().map(dynamodb::attributes).unwrap_or_default();
            let (id, status) = (text(&newest, attr::ATTEMPT_ID), text(&newest, attr::STATUS));
            let id = id.and_then(|id| id.parse().ok());
            Ok(id.zip(status.and_then(Status::parse)).map(|(id, status)| Newest { id, status }))
        }
        Err(error) if error.cause() == NO_INDEX => Ok(None),
        Err(error) => Err(error),
    }
}

/// The attempt's row; empty where there is none.
pub(crate) async fn attempt(dynamodb: &Service, table: &str, id: AttemptId) -> Result<Attributes, AwsError> {
    dynamodb::read(dynamodb, table, (attr::ATTEMPT_ID, &id.to_string())).await
}
