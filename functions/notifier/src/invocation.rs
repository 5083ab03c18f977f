//! What Lambda invokes the function with, and what it answers: a batch of the stream, or one of the retry queue.
//!
//! The two fail differently: a stream's response names the first record that failed, and everything from there on is
//! delivered again; a queue's names each message that failed.

use aws_lambda_events::{
    dynamodb::Event,
    event::streams::DynamoDbEventResponse,
    sqs::{SqsBatchResponse, SqsEvent},
};
use serde::{Deserialize, Serialize};

/// A batch.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Batch {
    /// Records of the attempt table's stream. A message of a queue lacks what each of them has.
    Stream(Event),
    /// Messages of the retry queue.
    Queue(SqsEvent),
}

/// A partial batch response.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// To a batch of the stream.
    Stream(DynamoDbEventResponse),
    /// To a batch of the retry queue.
    Queue(SqsBatchResponse),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str) -> Batch {
        let path = format!("{}/../../events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn a_batch_is_told_by_its_records() {
        assert!(matches!(sample("outcome-stream-connected"), Batch::Stream(event) if event.records.len() == 1));
        assert!(matches!(sample("notifier-retry-sqs"), Batch::Queue(event) if event.records.len() == 1));
    }
}
