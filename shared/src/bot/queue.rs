//! The bot's queue, in the shape that the older system's bots read.

use aws_sdk_sqs::{Client, config::BehaviorVersion};
use serde::Serialize;

use super::{TellError, Telling, to_json};
use crate::{
    WaId,
    aws::{SdkConfig, describe},
    event::CloudEvent,
};

/// The queue that the bot takes events from.
#[derive(Clone, Debug)]
pub struct BotQueue {
    client: Client,
    url: String,
}

#[derive(Serialize)]
struct Body<'a, D> {
    channel_type: &'static str,
    from: &'a WaId,
    messages: &'a str,
    event: &'a CloudEvent<'a, D>,
}

fn body<D: Serialize>(telling: &Telling<'_, D>) -> String {
    to_json(&Body {
        channel_type: "whatsapp",
        from: telling.event.subject,
        messages: telling.user_message,
        event: telling.event,
    })
}

impl BotQueue {
    /// The queue at this address; nothing is opened yet.
    #[must_use]
    pub fn new(config: &SdkConfig, url: String) -> Self {
        let config = aws_sdk_sqs::config::Builder::from(config).behavior_version(BehaviorVersion::v2026_01_12());
        Self { client: Client::from_conf(config.build()), url }
    }

    pub(super) async fn send<D: Serialize>(&self, telling: &Telling<'_, D>) -> Result<(), TellError> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body(telling))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| TellError::Queue(describe(&error)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Timestamp;

    #[test]
    fn the_body_has_the_shape_of_the_older_system() {
        let chat = "whatsapp:+15551234567".parse().unwrap();
        let now = Timestamp::from_millis(0);
        let event = CloudEvent::new("connection.created", "evt_1".to_owned(), &chat, now, json!({}));
        let body = body(&Telling { event: &event, user_message: "Yes.", signing_secret: "", now });
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
