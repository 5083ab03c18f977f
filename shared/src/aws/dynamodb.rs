//! DynamoDB: conditional writes and items on the wire. It knows no table's attributes, and decides no retries.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::BuildError,
    operation::{
        get_item::{GetItemInput, builders::GetItemInputBuilder},
        transact_write_items::{TransactWriteItemsError, TransactWriteItemsInput},
        update_item::{UpdateItemError, UpdateItemInput},
    },
    types::{self, AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{AwsError, SdkConfig, Service, service::requests};
use crate::conditional_write::{Attributes, ConditionalWrite, Expressions, Value};

requests!(aws_sdk_dynamodb:
    describe_table { DescribeTableInputBuilder
        -> DescribeTable(DescribeTableInput) -> DescribeTableOutput, DescribeTableError }
    get_item { GetItemInputBuilder -> GetItem(GetItemInput) -> GetItemOutput, GetItemError }
    query { QueryInputBuilder -> Query(QueryInput) -> QueryOutput, QueryError }
    scan { ScanInputBuilder -> Scan(ScanInput) -> ScanOutput, ScanError }
    transact_write_items { TransactWriteItemsInputBuilder
        -> TransactWriteItems(TransactWriteItemsInput) -> TransactWriteItemsOutput, TransactWriteItemsError }
    update_item { UpdateItemInputBuilder
        -> UpdateItem(UpdateItemInput) -> UpdateItemOutput, UpdateItemError }
);

/// The result of a conditional write.
#[derive(Debug)]
pub enum Update {
    /// Written, over this item; empty where there was none.
    Done(Attributes),
    /// Not written: the condition does not hold for this item.
    ConditionFailed(Attributes),
}

/// The result of writes in one transaction.
#[derive(Debug)]
pub enum Transaction<const N: usize> {
    /// All are written.
    Done,
    /// None is written: the conditions of these do not hold.
    ConditionFailed([bool; N]),
}

/// The region's DynamoDB; no connection is opened yet.
#[must_use]
pub fn service(config: &SdkConfig) -> Service {
    Service::new(config, "dynamodb")
}

/// Reads the item with this key, consistently; empty where there is none.
///
/// # Errors
/// [`AwsError`].
pub async fn read(dynamodb: &Service, table: &str, key: (&str, &str)) -> Result<Attributes, AwsError> {
    let request = get(table, key).consistent_read(true);
    let answer = dynamodb.call(request).await.map_err(AwsError::of("GetItem"))?;
    Ok(attributes(answer.item.unwrap_or_default()))
}

/// Prepares and signs a read without sending it: a start has a full core for what the first call would otherwise wait for.
///
/// # Errors
/// [`AwsError`].
pub async fn dry_run(dynamodb: &Service, table: &str, key: &str) -> Result<(), AwsError> {
    read(&dynamodb.dry_run(), table, (key, "")).await.map(drop)
}

/// Reads these attributes of the item with this key, as of a second ago at worst; empty where there is none. It costs half of what
/// [`read`] does.
///
/// # Errors
/// [`AwsError`].
pub async fn read_only(
    dynamodb: &Service,
    table: &str,
    key: (&str, &str),
    names: &[&str],
) -> Result<Attributes, AwsError> {
    // Some names are DynamoDB's reserved words.
    let placeholders: HashMap<_, _> = names.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
    let request = get(table, key)
        .projection_expression(placeholders.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
        .set_expression_attribute_names(Some(placeholders));
    let answer = dynamodb.call(request).await.map_err(AwsError::of("GetItem"))?;
    Ok(attributes(answer.item.unwrap_or_default()))
}

fn get(table: &str, key: (&str, &str)) -> GetItemInputBuilder {
    GetItemInput::builder().table_name(table).key(key.0, AttributeValue::S(key.1.to_owned()))
}

/// Writes to the item with this key.
///
/// # Errors
/// [`AwsError`], but for a condition that does not hold.
pub async fn update(
    dynamodb: &Service,
    table: &str,
    key: (&str, &str),
    write: &ConditionalWrite,
) -> Result<Update, AwsError> {
    let Expressions { update, condition, names, values } = write.expressions();
    let request = UpdateItemInput::builder()
        .table_name(table)
        .key(key.0, AttributeValue::S(key.1.to_owned()))
        .update_expression(update)
        .condition_expression(condition)
        .set_expression_attribute_names(Some(names))
        .set_expression_attribute_values(Some(self::values(values)))
        .return_values(ReturnValue::AllOld)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match dynamodb.call(request).await {
        Ok(answer) => Ok(Update::Done(attributes(answer.attributes.unwrap_or_default()))),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Update::ConditionFailed(attributes(failed.item.clone().unwrap_or_default())))
            }
            _ => Err(AwsError::of("UpdateItem")(error)),
        },
    }
}

/// Writes to the items with these keys in one transaction: all of them or none. A write that changes nothing only checks
/// its condition.
///
/// # Errors
/// [`AwsError`], but for conditions that do not hold. A conflict with another transaction is one: the same may succeed
/// later.
pub async fn transact<const N: usize>(
    dynamodb: &Service,
    writes: [(&ConditionalWrite, &str, (&str, &str)); N],
) -> Result<Transaction<N>, AwsError> {
    let failed = AwsError::of("TransactWriteItems");
    let items: Result<Vec<_>, _> =
        writes.into_iter().map(|(write, table, key)| transact_item(write, table, key)).collect();
    let items = items.map_err(|error| failed(error.into()))?;
    let request = TransactWriteItemsInput::builder().set_transact_items(Some(items));
    let Err(error) = dynamodb.call(request).await else {
        return Ok(Transaction::Done);
    };
    let condition_failed = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
            let reasons = canceled.cancellation_reasons();
            std::array::from_fn(|index| {
                reasons.get(index).and_then(|reason| reason.code()) == Some("ConditionalCheckFailed")
            })
        }
        _ => [false; N],
    };
    if condition_failed.contains(&true) {
        Ok(Transaction::ConditionFailed(condition_failed))
    } else {
        Err(failed(error))
    }
}

fn transact_item(
    write: &ConditionalWrite,
    table: &str,
    key: (&str, &str),
) -> Result<types::TransactWriteItem, BuildError> {
    let Expressions { update, condition, names, values } = write.expressions();
    let (values, item) = (self::values(values), types::TransactWriteItem::builder());
    if write.only_checks() {
        let check = types::ConditionCheck::builder()
            .table_name(table)
            .key(key.0, AttributeValue::S(key.1.to_owned()))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .build()?;
        return Ok(item.condition_check(check).build());
    }
    let update = types::Update::builder()
        .table_name(table)
        .key(key.0, AttributeValue::S(key.1.to_owned()))
        .update_expression(update)
        .condition_expression(condition)
        .set_expression_attribute_names(Some(names))
        .set_expression_attribute_values(Some(values))
        .build()?;
    Ok(item.update(update).build())
}

fn values(values: HashMap<String, Value>) -> HashMap<String, AttributeValue> {
    let value = |value| match value {
        Value::Text(text) => Some(AttributeValue::S(text)),
        Value::Number(number) => Some(AttributeValue::N(number.to_string())),
        Value::Decimal(number) => Some(AttributeValue::N(number.to_string())),
        Value::Flag(flag) => Some(AttributeValue::Bool(flag)),
        Value::Other => None,
    };
    values.into_iter().filter_map(|(name, of)| Some((name, value(of)?))).collect()
}

/// An item of an answer. A null attribute counts as absent.
#[must_use]
pub fn attributes(item: impl IntoIterator<Item = (String, AttributeValue)>) -> Attributes {
    let value = |attribute| match attribute {
        AttributeValue::S(text) => Some(Value::Text(text)),
        AttributeValue::N(number) => Some(Value::number(&number)),
        AttributeValue::Bool(flag) => Some(Value::Flag(flag)),
        AttributeValue::Null(_) => None,
        _ => Some(Value::Other),
    };
    item.into_iter().filter_map(|(name, attribute)| Some((name, value(attribute)?))).collect()
}
