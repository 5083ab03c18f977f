//! The exchange queue, from the receiver's side. Lambda receives and deletes; here a message is
//! told when to come back, or put in another's place.

use std::{sync::OnceLock, time::Duration};

use aws_sdk_sqs::{
    Client,
    config::BehaviorVersion,
    error::{ProvideErrorMetadata, SdkError},
};
use shared::{aws::SdkConfig, exchange::ExchangeMessage};

/// What SQS allows.
const LONGEST: i32 = 12 * 60 * 60;

/// The exchange queue.
#[derive(Clone, Debug)]
pub(crate) struct ExchangeQueue {
    config: SdkConfig,
    /// Made for the first message that goes back: most batches need none, and it is a tenth of a start.
    client: OnceLock<Client>,
    url: String,
}

/// The queue did not do it.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not {operation}: {why}")]
pub(crate) struct QueueError {
    operation: &'static str,
    why: String,
}

impl ExchangeQueue {
    /// The queue at this address; nothing is opened yet.
    pub(crate) fn new(config: &SdkConfig, url: String) -> Self {
        Self { config: config.clone(), client: OnceLock::new(), url }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let config = aws_sdk_sqs::config::Builder::from(&self.config);
            Client::from_conf(config.behavior_version(BehaviorVersion::v2026_01_12()).build())
        })
    }

    /// Hides a message for so long, in whole seconds.
    ///
    /// # Errors
    /// [`QueueError`]: then it comes back when its usual time is over.
    pub(crate) async fn hide(&self, receipt: &str, duration: Duration) -> Result<(), QueueError> {
        let seconds = i32::try_from(duration.as_secs()).unwrap_or(LONGEST).min(LONGEST);
        self.client()
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(seconds)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| queue_error("hide the message", &error))
    }

    /// Puts a message on the queue.
    ///
    /// # Errors
    /// [`QueueError`]
    pub(crate) async fn send(&self, message: &ExchangeMessage) -> Result<(), QueueError> {
        self.client()
            .send_message()
            .queue_url(&self.url)
            .message_body(message.to_body())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| queue_error("take the message", &error))
    }
}

fn queue_error<E: std::error::Error + ProvideErrorMetadata, R>(
    operation: &'static str,
    error: &SdkError<E, R>,
) -> QueueError {
    let why = match error.as_service_error() {
        Some(refusal) => refusal.code().unwrap_or("refused").to_owned(),
        None => error.to_string(),
    };
    QueueError { operation, why }
}
