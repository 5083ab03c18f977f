//! The bot's queue: each message has the shape that bots of the older system read, with the event beside it.

use aws_sdk_sqs::{config::Region, operation::send_message::SendMessageInput};
use serde::Serialize;
use url::Url;

use super::{CloudEvent, Notification, NotifyError, to_json};
use crate::{
    WaId,
    aws::{
        SdkConfig, Service,
        queue::{self, SQS},
    },
};

/// The longest group id that SQS takes
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
const MAX_GROUP_ID: usize = 128;

/// The queue that the bot receives events from: a standard one, or a FIFO queue, whose name ends in `.fifo`.
#[derive(Clone, Debug)]
pub struct BotQueue {
    sqs: Service,
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
    /// The queue with this URL, in the URL's Region; no connection is opened yet.
    #[must_use]
    pub fn new(aws: &SdkConfig, url: String) -> Self {
        // A message is sent to the Region that it is signed for, whatever the URL.
        let config = region(&url).map(|region| aws.to_builder().region(Region::new(region)).build());
        Self { sqs: Service::new(config.as_ref().unwrap_or(aws), SQS), url }
    }

    /// Sends the event. In a FIFO queue the events of one chat keep their order, and a repetition within five minutes is
    /// dropped.
    ///
    /// # Errors
    /// [`NotifyError::Queue`].
    pub async fn send(&self, notification: &Notification<'_>) -> Result<(), NotifyError> {
        let event = notification.event;
        let is_fifo = self.url.rsplit_once('.').is_some_and(|(_, end)| end == "fifo");
        let message = SendMessageInput::builder()
            .queue_url(&self.url)
            .message_body(to_json(&QueueMessage::from(notification)))
            .set_message_group_id(is_fifo.then(|| group_id(event.subject)))
            .set_message_deduplication_id(is_fifo.then(|| event.id.clone()));
        queue::put(&self.sqs, message).await.map_err(NotifyError::Queue)
    }
}

/// The Region in a queue's URL of the form `https://sqs.<region>.<domain>/…`; `None` in any other, such as a VPC
/// endpoint's.
fn region(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let (region, domain) = url.host_str()?.strip_prefix("sqs.")?.split_once('.')?;
    let is_region = region.contains('-') && domain.contains('.');
    is_region.then(|| region.to_owned())
}

/// The chat; of the longest business-scoped ids, what distinguishes them.
fn group_id(chat: &WaId) -> String {
    // All ASCII.
    let chat = chat.as_str();
    chat[chat.len().saturating_sub(MAX_GROUP_ID)..].to_owned()
}

#[cfg(test)]
mod tests {
    use fakes::{Server, aws::setting};
    use serde_json::{Value, json};

    use super::*;
    use crate::{Settings, Timestamp, bot::event};

    /// Sends an event, and the request that SQS received.
    async fn sent(url: &str, chat: &str) -> fakes::Request {
        let server = Server::start().await;
        server.on("SendMessage", |_| json!({"MessageId": "m"}).into());
        let aws = crate::aws::config(&Settings::new(|name| setting(name, &server))).unwrap();
        let chat = chat.parse().unwrap();
        let event = event::tests::revoked(&chat);
        let now = Timestamp::from_millis(0);
        let notification = Notification { event: &event, user_message: "", signing_secret: "", now };
        BotQueue::new(&aws, url.to_owned()).send(&notification).await.unwrap();
        server.only_request("SendMessage")
    }

    #[tokio::test]
    async fn a_fifo_queue_keeps_a_chats_events_in_order_and_drops_repetitions() {
        let request = sent("https://sqs.us-east-1.amazonaws.com/000000000000/bot.fifo", "whatsapp:+15551234567").await;
        let body = request.json();
        assert_eq!(body["MessageGroupId"], "whatsapp:+15551234567");
        assert_eq!(body["MessageDeduplicationId"], "evt_1");
    }

    #[tokio::test]
    async fn a_standard_queues_messages_have_neither_group_nor_deduplication_id() {
        let request = sent("https://sqs.us-east-1.amazonaws.com/000000000000/bot", "whatsapp:+15551234567").await;
        let body = request.json();
        assert_eq!((body.get("MessageGroupId"), body.get("MessageDeduplicationId")), (None, None));
    }

    #[tokio::test]
    async fn a_group_id_is_never_longer_than_sqs_takes() {
        let chat = format!("whatsapp:US.ENT.{}7", "0".repeat(127));
        let request = sent("https://sqs.us-east-1.amazonaws.com/000000000000/bot.fifo", &chat).await;
        assert_eq!(request.json()["MessageGroupId"], chat[chat.len() - 128..]);
    }

    #[tokio::test]
    async fn a_message_is_sent_in_the_queues_region() {
        for (host, region) in [
            ("sqs.eu-west-1.amazonaws.com", "eu-west-1"),
            ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("sqs.ap-southeast-2.api.aws", "ap-southeast-2"),
            // Neither names a Region where the others do: the function's own.
            ("vpce-0a-1b.sqs.eu-west-1.vpce.amazonaws.com", "us-east-1"),
            ("sqs.localhost:4566", "us-east-1"),
        ] {
            let request = sent(&format!("https://{host}/000000000000/bot"), "whatsapp:+15551234567").await;
            let scope = format!("/{region}/sqs/aws4_request");
            assert!(request.header("authorization").contains(&scope), "{host}");
        }
    }

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
