//! DynamoDB: the writes of [`crate::conditional_write`] on the wire. It knows no table, and decides no retries.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    config::http::HttpResponse,
    error::{BuildError, SdkError},
    operation::{get_item::GetItemError, update_item::UpdateItemError},
    types::{self, AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use crate::conditional_write::{Attributes, ConditionalWrite, Expressions, Value};

/// What became of a write.
#[derive(Debug)]
pub enum Update {
    /// It was made, to this item; empty where there was none.
    Done(Attributes),
    /// Its rule does not hold for this item.
    Refused(Attributes),
}

/// The item with this key as it is now; empty where there is none.
///
/// # Errors
/// Where DynamoDB does not answer.
pub async fn read(
    client: &Client,
    table: &str,
    key: (&str, &str),
) -> Result<Attributes, SdkError<GetItemError, HttpResponse>> {
    let key = (key.0, AttributeValue::S(key.1.to_owned()));
    let answer = client.get_item().table_name(table).key(key.0, key.1).consistent_read(true).send().await?;
    Ok(item(answer.item.unwrap_or_default()))
}

/// Makes a change to the item with this key.
///
/// # Errors
/// All but a rule that does not hold.
pub async fn update(
    client: &Client,
    table: &str,
    key: (&str, &str),
    write: &ConditionalWrite,
) -> Result<Update, SdkError<UpdateItemError, HttpResponse>> {
    let Expressions { update, condition, names, values } = write.expressions();
    let done = client
        .update_item()
        .table_name(table)
        .key(key.0, AttributeValue::S(key.1.to_owned()))
        .update_expression(update)
        .condition_expression(condition)
        .set_expression_attribute_names(Some(names))
        .set_expression_attribute_values(Some(attributes(values)))
        .return_values(ReturnValue::AllOld)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    match done {
        Ok(answer) => Ok(Update::Done(item(answer.attributes.unwrap_or_default()))),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                Ok(Update::Refused(item(refused.item.clone().unwrap_or_default())))
            }
            _ => Err(error),
        },
    }
}

/// A change as a part of a transaction.
///
/// # Errors
/// Never, unless the SDK asks for more than it does now.
pub fn part(write: &ConditionalWrite, table: &str, key: (&str, &str)) -> Result<types::Update, BuildError> {
    let Expressions { update, condition, names, values } = write.expressions();
    types::Update::builder()
        .table_name(table)
        .key(key.0, AttributeValue::S(key.1.to_owned()))
        .update_expression(update)
        .condition_expression(condition)
        .set_expression_attribute_names(Some(names))
        .set_expression_attribute_values(Some(attributes(values)))
        .build()
}

fn attributes(values: HashMap<String, Value>) -> HashMap<String, AttributeValue> {
    let attribute = |value| match value {
        Value::Text(text) => AttributeValue::S(text),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::Flag(flag) => AttributeValue::Bool(flag),
    };
    values.into_iter().map(|(name, value)| (name, attribute(value))).collect()
}

/// What rules can ask about; an attribute of another type is as good as absent.
fn item(attributes: HashMap<String, AttributeValue>) -> Attributes {
    let value = |attribute| match attribute {
        AttributeValue::S(text) => Some(Value::Text(text)),
        AttributeValue::N(number) => number.parse().ok().map(Value::Number),
        AttributeValue::Bool(flag) => Some(Value::Flag(flag)),
        _ => None,
    };
    attributes.into_iter().filter_map(|(name, attribute)| Some((name, value(attribute)?))).collect()
}
