//! The exchange queue, from the sender's side.

use aws_sdk_sqs::{Client, config::BehaviorVersion, operation::send_message::builders::SendMessageFluentBuilder};
use shared::{
    aws::{SdkConfig, error::AwsError, http},
    exchange::ExchangeMessage,
};

/// In seconds.
const REFUSAL_DELAY: i32 = 10;
const SEND_MESSAGE: &str = "SendMessage";

/// The exchange queue.
#[derive(Clone, Debug)]
pub(crate) struct ExchangeQueue {
    client: Client,
    url: String,
}

impl ExchangeQueue {
    /// The queue at this URL; no connection is opened yet.
    #[must_use]
    pub(crate) fn new(config: &SdkConfig, url: String) -> Self {
        let config = aws_sdk_sqs::config::Builder::from(config).behavior_version(BehaviorVersion::v2026_01_12());
        Self { client: Client::from_conf(config.build()), url }
    }

    /// Prepares and signs a message without sending it: the start has a full core for what the first callback would
    /// otherwise wait for.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn dry_run(&self) -> Result<(), AwsError> {
        let nothing_is_sent = aws_sdk_sqs::config::Builder::new().http_client(http::dry_run());
        let answer = self.message("").customize().config_override(nothing_is_sent).send().await;
        answer.map(drop).map_err(AwsError::of(SEND_MESSAGE))
    }

    /// Puts the message on the queue. An attempt whose response is lost is repeated and may leave the message there
    /// twice: the exchanger is idempotent.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn send(&self, message: &ExchangeMessage) -> Result<(), AwsError> {
        self.message(message.to_body()).send().await.map(drop).map_err(AwsError::of(SEND_MESSAGE))
    }

    /// The same for a callback that was refused. The exchanger receives the message a little later: the right callback
    /// of the same login may be under way.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn send_refusal(&self, message: &ExchangeMessage) -> Result<(), AwsError> {
        let message = self.message(message.to_body()).delay_seconds(REFUSAL_DELAY);
        message.send().await.map(drop).map_err(AwsError::of(SEND_MESSAGE))
    }

    fn message(&self, body: impl Into<String>) -> SendMessageFluentBuilder {
        self.client.send_message().queue_url(&self.url).message_body(body)
    }
}
