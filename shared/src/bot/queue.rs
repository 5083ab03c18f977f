//! The bot's queue: each message has the shape that bots of the older system read, with the event beside it.

use aws_sdk_sqs::{Client, config::BehaviorVersion};
use serde::Serialize;

use super::{CloudEvent, Notification, NotifyError, to_json};
use crate::{
    WaId,
    aws::{SdkConfig, error::AwsError},
};

/// The queue that the bot receives events from.
#[derive(Clone, Debug)]
pub struct BotQueue {
    client: Client,
    url: String,
}

/// The body of a message.
#[derive(Clone, Debug, Serialize)]
pub struct QueueMessage<'a> {
    /// Always `whatsapp`.
    pub channel_type: &'static str,
    /// The chat's address.
    pub from: &'a WaId,
    /// The text for the person. One text, despite the name.
    pub messages: &'a str,
    /// The event.
    pub event: &'a CloudEvent<'a>,
}

impl<'a> From<&Notification<'a>> for QueueMessage<'a> {
    fn from(notification: &Notification<'a>) -> Self {
        let Notification { event, user_message, .. } = *notification;
        Self { channel_type: "whatsapp", from: event.subject, messages: user_message, event }
    }
}

impl BotQueue {
    /// The queue with this URL; no connection is opened yet.
    #[must_use]
    pub fn new(config: &SdkConfig, url: String) -> Self {
        let config = aws_sdk_sqs::config::Builder::from(config).behavior_version(BehaviorVersion::v2026_01_12());
        Self { client: Client::from_conf(config.build()), url }
    }

    pub(super) async fn send(&self, notification: &Notification<'_>) -> Result<(), NotifyError> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(to_json(&QueueMessage::from(notification)))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| NotifyError::Queue(AwsError::of("SendMessage")(error)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Timestamp, bot::event};

    #[test]
    fn the_body_has_the_shape_of_the_older_system() {
        let chat = "whatsapp:+15551234567".parse().unwrap();
        let event = event::tests::revoked(&chat);
        let now = Timestamp::from_millis(0);
        let notification = Notification { event: &event, user_message: "Yes.", signing_secret: "", now };
        let body = to_json(&QueueMessage::from(&notification));
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({
                "channel_type": "whatsapp",
                "from": "whatsapp:+15551234567",
                "messages": "Yes.",
                "event": serde_json::to_value(&event).unwrap(),
            })
        );
    }
}
