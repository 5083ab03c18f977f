//! The exchange queue, from the sender's side.

use aws_sdk_sqs::{
    Client,
    config::BehaviorVersion,
    error::SdkError,
    operation::send_message::{SendMessageError, builders::SendMessageFluentBuilder},
};
use shared::{
    aws::{SdkConfig, describe, http},
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

impl From<SdkError<SendMessageError>> for QueueError {
    fn from(error: SdkError<SendMessageError>) -> Self {
        Self(describe(&error))
    }
}

impl ExchangeQueue {
    /// The queue at this address; nothing is opened yet.
    #[must_use]
    pub(crate) fn new(config: &SdkConfig, url: String) -> Self {
        let config = aws_sdk_sqs::config::Builder::from(config).behavior_version(BehaviorVersion::v2026_01_12());
        Self { client: Client::from_conf(config.build()), url }
    }

    /// Prepares and signs a message without sending it: the start has a full core for what the first callback would
    /// otherwise wait for.
    ///
    /// # Errors
    /// [`QueueError`]
    pub(crate) async fn dry_run(&self) -> Result<(), QueueError> {
        let nothing_is_sent = aws_sdk_sqs::config::Builder::new().http_client(http::dry_run());
        self.message("").customize().config_override(nothing_is_sent).send().await?;
        Ok(())
    }

    /// Puts the message on the queue. A try that broke off is repeated and may leave it there
    /// twice, which the exchanger bears.
    ///
    /// # Errors
    /// [`QueueError`]
    pub(crate) async fn send(&self, message: &ExchangeMessage) -> Result<(), QueueError> {
        self.message(message.to_body()).send().await?;
        Ok(())
    }

    fn message(&self, body: impl Into<String>) -> SendMessageFluentBuilder {
        self.client.send_message().queue_url(&self.url).message_body(body)
    }
}
