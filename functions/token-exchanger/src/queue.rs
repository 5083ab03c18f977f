//! The exchange queue, from the receiver's side. Lambda receives and deletes; here a message's visibility
//! is set, or a message is sent in the place of another.

use std::{sync::OnceLock, time::Duration};

use aws_sdk_sqs::{Client, config::BehaviorVersion};
use shared::{
    aws::{SdkConfig, error::AwsError},
    exchange::ExchangeMessage,
};

/// The longest visibility timeout that SQS accepts.
const MAX_VISIBILITY_SECONDS: i32 = 12 * 60 * 60;

#[derive(Clone, Debug)]
pub(crate) struct ExchangeQueue {
    config: SdkConfig,
    /// Made for the first message that goes back: most batches need none, and it is a tenth of a cold start.
    client: OnceLock<Client>,
    url: String,
}

impl ExchangeQueue {
    /// The queue at this URL; no connection is opened yet.
    pub(crate) fn new(config: &SdkConfig, url: String) -> Self {
        Self { config: config.clone(), client: OnceLock::new(), url }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let config = aws_sdk_sqs::config::Builder::from(&self.config);
            Client::from_conf(config.behavior_version(BehaviorVersion::v2026_01_12()).build())
        })
    }

    /// Makes a received message visible again after this time, in whole seconds. Where that fails it comes
    /// back when the queue's own visibility timeout ends.
    pub(crate) async fn set_visibility(&self, receipt: &str, timeout: Duration) -> Result<(), AwsError> {
        let seconds = i32::try_from(timeout.as_secs()).unwrap_or(MAX_VISIBILITY_SECONDS).min(MAX_VISIBILITY_SECONDS);
        self.client()
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(seconds)
            .send()
            .await
            .map(|_| ())
            .map_err(AwsError::of("ChangeMessageVisibility"))
    }

    /// Sends a message, which is not received before the delay is over.
    pub(crate) async fn send(&self, message: &ExchangeMessage, delay: Duration) -> Result<(), AwsError> {
        self.client()
            .send_message()
            .queue_url(&self.url)
            .message_body(message.to_body())
            .delay_seconds(i32::try_from(delay.as_secs()).unwrap_or_default())
            .send()
            .await
            .map(|_| ())
            .map_err(AwsError::of("SendMessage"))
    }
}
