//! SQS: reading a queue's messages without taking them, sending and deleting them, and SQS's own redrive.

use aws_sdk_sqs::{
    Client,
    types::{self, ChangeMessageVisibilityBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName},
};
use aws_types::SdkConfig;
use secrecy::{ExposeSecret as _, SecretString};
use shared::Timestamp;

use crate::error::Error;

/// The most that SQS returns at once.
const BATCH: i32 = 10;
/// Long polling asks all of SQS's servers: only then does an empty response mean an empty queue.
const WAIT_SECONDS: i32 = 1;

#[derive(Clone, Debug)]
pub(crate) struct Queue {
    client: Client,
    url: String,
}

/// A message, invisible to other readers until its visibility timeout ends. The body can hold a code.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) handle: String,
    pub(crate) body: SecretString,
    pub(crate) sent_at: Option<Timestamp>,
}

/// Approximate numbers of messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) waiting: usize,
    /// Received by a reader, and invisible to others.
    pub(crate) in_flight: usize,
    pub(crate) delayed: usize,
}

/// SQS's own redrive (a message move task).
#[derive(Clone, Debug)]
pub(crate) struct MoveTask {
    pub(crate) status: String,
    pub(crate) moved: usize,
    pub(crate) to_move: Option<usize>,
    pub(crate) failure: Option<String>,
}

impl Queue {
    pub(crate) fn new(config: &SdkConfig, url: &str) -> Self {
        Self { client: Client::new(config), url: url.to_owned() }
    }

    pub(crate) async fn counts(&self) -> Result<Counts, Error> {
        let attributes = self.attributes().await?;
        let number = |name: QueueAttributeName| {
            attributes.get(&name).and_then(|text: &String| text.parse().ok()).unwrap_or_default()
        };
        Ok(Counts {
            waiting: number(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            delayed: number(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        })
    }

    pub(crate) async fn visibility_seconds(&self) -> Result<u64, Error> {
        let attributes = self.attributes().await?;
        Ok(attributes
            .get(&QueueAttributeName::VisibilityTimeout)
            .and_then(|text| text.parse().ok())
            .unwrap_or_default())
    }

    async fn attributes(&self) -> Result<std::collections::HashMap<QueueAttributeName, String>, Error> {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .map_err(Error::aws("read the queue's attributes", "GetQueueAttributes"))?;
        Ok(answer.attributes.unwrap_or_default())
    }

    /// Up to ten messages, which other readers do not see for this long.
    pub(crate) async fn receive(&self, visibility_seconds: i32) -> Result<Vec<Message>, Error> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(BATCH)
            .wait_time_seconds(WAIT_SECONDS)
            .visibility_timeout(visibility_seconds)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await
            .map_err(Error::aws("read the queue", "ReceiveMessage"))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    /// Makes messages visible to other readers at once.
    pub(crate) async fn return_to_queue(&self, handles: &[String]) -> Result<(), Error> {
        for ten in handles.chunks(10) {
            let entries = ten.iter().enumerate().filter_map(|(place, handle)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder();
                entry.id(place.to_string()).receipt_handle(handle).visibility_timeout(0).build().ok()
            });
            let request = self.client.change_message_visibility_batch().queue_url(&self.url);
            request
                .set_entries(Some(entries.collect()))
                .send()
                .await
                .map_err(Error::aws("return the messages to the queue", "ChangeMessageVisibilityBatch"))?;
        }
        Ok(())
    }

    pub(crate) async fn send(&self, body: &SecretString) -> Result<(), Error> {
        let request = self.client.send_message().queue_url(&self.url).message_body(body.expose_secret());
        request.send().await.map(drop).map_err(Error::aws("send a message to the exchange queue", "SendMessage"))
    }

    /// Sends a message that nobody receives before this time is over.
    pub(crate) async fn send_later(&self, body: String, delay_seconds: i32) -> Result<(), Error> {
        let request = self.client.send_message().queue_url(&self.url).message_body(body).delay_seconds(delay_seconds);
        request.send().await.map(drop).map_err(Error::aws("send a message to the upkeep queue", "SendMessage"))
    }

    pub(crate) async fn delete(&self, message: &Message) -> Result<(), Error> {
        let request = self.client.delete_message().queue_url(&self.url).receipt_handle(&message.handle);
        request.send().await.map(drop).map_err(Error::aws("delete a dead letter", "DeleteMessage"))
    }

    /// Starts SQS's own redrive of the dead-letter queue with this ARN.
    pub(crate) async fn start_move(&self, source_arn: &str, rate: Option<u32>) -> Result<(), Error> {
        let rate = rate.map(|rate| i32::try_from(rate).unwrap_or(i32::MAX));
        let request = self.client.start_message_move_task().source_arn(source_arn);
        let request = request.set_max_number_of_messages_per_second(rate);
        request.send().await.map(drop).map_err(Error::aws("start SQS's redrive", "StartMessageMoveTask"))
    }

    /// The latest of SQS's redrives.
    pub(crate) async fn latest_move(&self, source_arn: &str) -> Result<Option<MoveTask>, Error> {
        let answer = self
            .client
            .list_message_move_tasks()
            .source_arn(source_arn)
            .max_results(1)
            .send()
            .await
            .map_err(Error::aws("follow SQS's redrive", "ListMessageMoveTasks"))?;
        Ok(answer.results.unwrap_or_default().into_iter().next().map(|task| MoveTask {
            status: task.status.unwrap_or_default(),
            moved: usize::try_from(task.approximate_number_of_messages_moved).unwrap_or_default(),
            to_move: task.approximate_number_of_messages_to_move.and_then(|number| usize::try_from(number).ok()),
            failure: task.failure_reason,
        }))
    }
}

fn message(message: types::Message) -> Option<Message> {
    let sent_at = message
        .attributes
        .and_then(|attributes| attributes.get(&MessageSystemAttributeName::SentTimestamp)?.parse().ok())
        .map(Timestamp::from_millis);
    Some(Message {
        id: message.message_id?,
        handle: message.receipt_handle?,
        body: message.body.unwrap_or_default().into(),
        sent_at,
    })
}
