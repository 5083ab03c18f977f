//! The retry queue: what is not told completely is put there, and comes back by the schedule.

use std::{sync::OnceLock, time::Duration};

use aws_sdk_sqs::{Client, config::BehaviorVersion};
use shared::aws::{AwsError, SdkConfig};

use crate::pointer::Pointer;

/// The retry queue.
pub(crate) struct RetryQueue {
    config: SdkConfig,
    /// Made for the first message: most batches need none, and it is a tenth of a cold start.
    client: OnceLock<Client>,
    url: String,
}

impl RetryQueue {
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

    /// Sends a pointer, which is not received before the delay is over.
    pub(crate) async fn send(&self, pointer: &Pointer, delay: Duration) -> Result<(), AwsError> {
        self.client()
            .send_message()
            .queue_url(&self.url)
            .message_body(pointer.to_body())
            .delay_seconds(seconds(delay))
            .send()
            .await
            .map(|_| ())
            .map_err(AwsError::of("SendMessage"))
    }

    /// Makes a received message visible again after this time. Where that fails it comes back when the queue's own
    /// visibility timeout ends.
    pub(crate) async fn set_visibility(&self, receipt: &str, timeout: Duration) -> Result<(), AwsError> {
        self.client()
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(seconds(timeout))
            .send()
            .await
            .map(|_| ())
            .map_err(AwsError::of("ChangeMessageVisibility"))
    }
}

/// Whole seconds, as SQS takes them.
fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}
