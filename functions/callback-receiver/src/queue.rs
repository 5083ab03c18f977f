//! The exchange queue, from the sender's side.

use aws_sdk_sqs::operation::send_message::{SendMessageInput, builders::SendMessageInputBuilder};
use shared::{
    aws::{
        SdkConfig, Service,
        error::AwsError,
        queue::{self, SQS},
    },
    exchange::ExchangeMessage,
};

/// In seconds.
const REFUSAL_DELAY: i32 = 10;
const SEND_MESSAGE: &str = "SendMessage";

/// The exchange queue.
#[derive(Clone, Debug)]
pub(crate) struct ExchangeQueue {
    sqs: Service,
    url: String,
}

impl ExchangeQueue {
    /// The queue at this URL; no connection is opened yet.
    #[must_use]
    pub(crate) fn new(config: &SdkConfig, url: String) -> Self {
        Self { sqs: Service::new(config, SQS), url }
    }

    /// Prepares and signs a message without sending it: the start has a full core for what the first callback would
    /// otherwise wait for.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn dry_run(&self) -> Result<(), AwsError> {
        self.sqs.dry_run().call(self.message("")).await.map(drop).map_err(AwsError::of(SEND_MESSAGE))
    }

    /// Puts the message on the queue. An attempt whose response is lost is repeated and may leave the message there
    /// twice: the exchanger is idempotent.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn send(&self, message: &ExchangeMessage) -> Result<(), AwsError> {
        self.put(self.message(message.to_body())).await
    }

    /// The same for a callback that was refused. The exchanger receives the message a little later: the right callback
    /// of the same login may be under way.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn send_refusal(&self, message: &ExchangeMessage) -> Result<(), AwsError> {
        let message = self.message(message.to_body()).delay_seconds(REFUSAL_DELAY);
        self.put(message).await
    }

    async fn put(&self, message: SendMessageInputBuilder) -> Result<(), AwsError> {
        queue::put(&self.sqs, message).await
    }

    fn message(&self, body: impl Into<String>) -> SendMessageInputBuilder {
        SendMessageInput::builder().queue_url(&self.url).message_body(body)
    }
}
