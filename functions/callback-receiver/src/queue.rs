//! The exchange queue, from the sender's side.

use aws_sdk_sqs::{Client, config::BehaviorVersion, types::QueueAttributeName};
use shared::{
    aws::{self, SdkConfig},
    exchange::ExchangeMessage,
};

/// The exchange queue.
#[derive(Clone, Debug)]
pub(crate) struct ExchangeQueue {
    client: Client,
    url: String,
}

/// The queue did not take the message. The text is the SDK's, which quotes no message.
#[derive(Debug, thiserror::Error)]
#[error("the exchange queue cannot be reached: {0}")]
pub(crate) struct QueueError(String);

impl ExchangeQueue {
    /// The queue at this address; nothing is opened yet.
    #[must_use]
    pub(crate) fn new(config: &SdkConfig, url: String) -> Self {
        let config = aws_sdk_sqs::config::Builder::from(config).behavior_version(BehaviorVersion::v2026_01_12());
        Self { client: Client::from_conf(config.build()), url }
    }

    /// Opens the connection, so that the first callback need not wait for it: init has a full
    /// core, an invocation has not.
    ///
    /// # Errors
    /// [`QueueError`]
    pub(crate) async fn open(&self) -> Result<(), QueueError> {
        self.client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| QueueError(aws::describe(&error)))
    }

    /// Puts the message on the queue. A try that broke off is repeated and may leave it there
    /// twice, which the exchanger bears.
    ///
    /// # Errors
    /// [`QueueError`]
    pub(crate) async fn send(&self, message: &ExchangeMessage) -> Result<(), QueueError> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(message.to_body())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| QueueError(aws::describe(&error)))
    }
}
