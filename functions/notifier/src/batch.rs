//! A stream's batch: the records of each attempt, and the response that reports a failure.
//!
//! Unlike a queue's, a stream's response names the first record that failed, and everything from there on is delivered
//! again (<https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>).

use aws_lambda_events::{
    dynamodb::EventRecord,
    event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse},
};
use serde_dynamo::AttributeValue;
use shared::{
    AttemptId,
    attempt::{UnreadableItem, attr},
    conditional_write::{Attributes, Value},
};

use crate::outcome::{self, OutcomeKey};

/// A record of the stream: an outcome was written.
pub(crate) struct Record {
    /// For the log.
    pub(crate) event_id: String,
    sequence_number: String,
    /// `None` where the item is not one of this stack's.
    pub(crate) attempt_id: Option<AttemptId>,
    pub(crate) outcome: Result<OutcomeKey, UnreadableItem>,
}

impl Record {
    pub(crate) fn read(record: EventRecord) -> Self {
        let image = attributes(record.change.new_image);
        let outcome = outcome::read(&image).and_then(|item| OutcomeKey::of(&item));
        Self {
            attempt_id: image.get(attr::ATTEMPT_ID).and_then(|id| id.as_text()?.parse().ok()),
            event_id: record.event_id,
            // An empty number makes Lambda deliver the whole batch again.
            sequence_number: record.change.sequence_number.unwrap_or_default(),
            outcome,
        }
    }
}

/// The attributes of an item in the stream. A null attribute counts as absent.
fn attributes(image: serde_dynamo::Item) -> Attributes {
    let value = |attribute| match attribute {
        AttributeValue::S(text) => Some(Value::Text(text)),
        AttributeValue::N(number) => Some(Value::number(&number)),
        AttributeValue::Bool(flag) => Some(Value::Flag(flag)),
        AttributeValue::Null(_) => None,
        _ => Some(Value::Other),
    };
    image.into_inner().into_iter().filter_map(|(name, attribute)| Some((name, value(attribute)?))).collect()
}

/// The records, grouped by attempt and in their order; one without an attempt is alone. Each comes with its place in the batch.
pub(crate) fn by_attempt(records: &[Record]) -> Vec<Vec<(usize, &Record)>> {
    let mut groups: Vec<Vec<(usize, &Record)>> = Vec::new();
    for placed in records.iter().enumerate() {
        let own = placed.1.attempt_id;
        match groups.iter_mut().find(|group| own.is_some() && group[0].1.attempt_id == own) {
            Some(group) => group.push(placed),
            None => groups.push(vec![placed]),
        }
    }
    groups
}

/// The response that names the first of the failures, which are given by their places.
pub(crate) fn response(records: &[Record], failed: impl IntoIterator<Item = usize>) -> DynamoDbEventResponse {
    let mut response = DynamoDbEventResponse::default();
    if let Some(first) = failed.into_iter().min() {
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = Some(records[first].sequence_number.clone());
        response.batch_item_failures.push(failure);
    }
    response
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::dynamodb::Event;
    use fakes::attempts::{item, stream_event};
    use serde_json::{Value, json};

    use super::*;

    fn read(items: &[Value]) -> Vec<Record> {
        let event: Event = serde_json::from_value(stream_event(items)).unwrap();
        event.records.into_iter().map(Record::read).collect()
    }

    fn records(attempts: &[u8]) -> Vec<Record> {
        let item_of = |n: &u8| item(json!({"attempt_id": format!("{n:02x}").repeat(16)}));
        let items: Vec<_> = attempts.iter().map(|n| if *n == 0 { json!({"wa_id": "?"}) } else { item_of(n) }).collect();
        read(&items)
    }

    #[test]
    fn records_of_one_attempt_stay_in_order_and_foreign_ones_are_alone() {
        let records = records(&[1, 0, 2, 1, 0, 1]);
        let places: Vec<Vec<_>> =
            by_attempt(&records).iter().map(|group| group.iter().map(|(at, _)| *at).collect()).collect();
        assert_eq!(places, [vec![0, 3, 5], vec![1], vec![2], vec![4]]);
    }

    #[test]
    fn the_response_names_the_first_failure_alone() {
        let records = records(&[1, 2, 3]);
        let named = |failed: &[usize]| {
            let response = serde_json::to_value(response(&records, failed.iter().copied())).unwrap();
            response["batchItemFailures"].clone()
        };
        assert_eq!(named(&[]), json!([]));
        assert_eq!(named(&[2, 1]), json!([{"itemIdentifier": "101"}]));
    }

    #[test]
    fn the_sample_events_are_read() {
        for name in ["connected", "failed"] {
            let path = format!("{}/../../events/outcome-stream-{name}.json", env!("CARGO_MANIFEST_DIR"));
            let event: Event = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let read: Vec<_> = event.records.into_iter().map(Record::read).collect();
            assert_eq!(read.len(), 1);
            assert_eq!(read[0].outcome.as_ref().unwrap().status.as_str(), name);
        }
    }

    #[test]
    fn an_item_without_an_outcome_is_unreadable() {
        let outcome = |item: Value| read(&[item]).remove(0).outcome;
        assert!(outcome(item(json!({}))).is_ok());
        for (name, value) in [("attempt_id", json!("7")), ("wa_id", json!("sms:1")), ("updated_at", json!("soon"))] {
            assert_eq!(outcome(item(json!({ name: value }))), Err(UnreadableItem::Invalid(name)));
        }
        assert_eq!(outcome(json!({})), Err(UnreadableItem::Missing("attempt_id")));
    }
}
