//! A queue that invokes its function. Lambda receives and deletes; here a message is sent, and a received one is set to come
//! back.

use std::{collections::HashSet, time::Duration};

use aws_sdk_sqs::{
    error::BuildError,
    operation::{
        change_message_visibility::ChangeMessageVisibilityInput,
        send_message::{SendMessageInput, builders::SendMessageInputBuilder},
        send_message_batch::SendMessageBatchInput,
    },
    types::SendMessageBatchRequestEntry,
};

use super::{AwsError, SdkConfig, Service, service::requests};

requests!(aws_sdk_sqs:
    change_message_visibility { ChangeMessageVisibilityInputBuilder
        -> ChangeMessageVisibility(ChangeMessageVisibilityInput)
        -> ChangeMessageVisibilityOutput, ChangeMessageVisibilityError }
    send_message { SendMessageInputBuilder
        -> SendMessage(SendMessageInput) -> SendMessageOutput, SendMessageError }
    send_message_batch { SendMessageBatchInputBuilder
        -> SendMessageBatch(SendMessageBatchInput) -> SendMessageBatchOutput, SendMessageBatchError }
);

/// SQS, for [`Service`].
pub const SQS: &str = "sqs";

/// The longest visibility timeout that SQS accepts, in seconds
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>).
const MAX_VISIBILITY_TIMEOUT: i32 = 12 * 60 * 60;

/// How many messages [`Queue::send_batch`] sends at most
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>).
pub const MAX_BATCH: usize = 10;

/// A message without an id cannot fail alone, and must not be acknowledged: the whole batch comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of the batch has no id or no receipt handle")]
pub struct NamelessMessage;

/// What names one receive of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receive {
    /// By this id it fails alone.
    pub message_id: String,
    /// By this handle it is set to come back.
    pub receipt: String,
}

/// A queue that invokes its function.
#[derive(Clone, Debug)]
pub struct Queue {
    sqs: Service,
    url: String,
}

impl Receive {
    /// Reads the names that Lambda gives.
    ///
    /// # Errors
    /// [`NamelessMessage`], where one is missing or empty.
    pub fn parse(message_id: Option<String>, receipt: Option<String>) -> Result<Self, NamelessMessage> {
        let named = |text: Option<String>| text.filter(|text| !text.is_empty()).ok_or(NamelessMessage);
        Ok(Self { message_id: named(message_id)?, receipt: named(receipt)? })
    }
}

impl Queue {
    /// The queue at this URL; no connection is opened yet.
    #[must_use]
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self { sqs: Service::new(config, SQS), url }
    }

    /// Sends a message, which is not received before the delay is over, in whole seconds.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn send(&self, body: String, delay: Duration) -> Result<(), AwsError> {
        let message = SendMessageInput::builder().queue_url(&self.url).message_body(body).delay_seconds(seconds(delay));
        put(&self.sqs, message).await
    }

    /// Sends up to [`MAX_BATCH`] messages at once, each with its delay as [`Self::send`] has it. Returns those that the queue
    /// did not take, by their places: it takes the others all the same.
    ///
    /// # Errors
    /// [`AwsError`]: nobody knows which were taken, and most likely none.
    pub async fn send_batch(&self, messages: &[(String, Duration)]) -> Result<Vec<usize>, AwsError> {
        let failed = AwsError::of("SendMessageBatch");
        let entries: Result<Vec<_>, BuildError> = messages
            .iter()
            .enumerate()
            .map(|(place, (body, delay))| {
                let entry = SendMessageBatchRequestEntry::builder().id(place.to_string()).message_body(body);
                entry.delay_seconds(seconds(*delay)).build()
            })
            .collect();
        let entries = entries.map_err(|error| failed(error.into()))?;
        let batch = SendMessageBatchInput::builder().queue_url(&self.url).set_entries(Some(entries));
        let answer = self.sqs.call(batch).await.map_err(failed)?;
        let taken: HashSet<_> = answer.successful.into_iter().map(|sent| sent.id).collect();
        Ok((0..messages.len()).filter(|place| !taken.contains(&place.to_string())).collect())
    }

    /// Makes a received message visible again after this time, in whole seconds. Where that fails it comes back when the
    /// queue's own visibility timeout ends.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn set_visibility(&self, receipt: &str, timeout: Duration) -> Result<(), AwsError> {
        let change = ChangeMessageVisibilityInput::builder()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(seconds(timeout).min(MAX_VISIBILITY_TIMEOUT));
        self.sqs.call(change).await.map(drop).map_err(AwsError::of("ChangeMessageVisibility"))
    }
}

/// Puts a message on its queue. A 200 without a message's id is not of SQS, and the message may be nowhere.
///
/// # Errors
/// [`AwsError`].
pub async fn put(sqs: &Service, message: SendMessageInputBuilder) -> Result<(), AwsError> {
    let operation = "SendMessage";
    let sent = sqs.call(message).await.map_err(AwsError::of(operation))?;
    sent.message_id.map(drop).ok_or_else(|| AwsError::unexpected(operation))
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}
