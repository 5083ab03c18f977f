//! The bot's event bus: each entry's detail is the event itself, so that rules match its type, its source and its fields.

use aws_sdk_eventbridge::{
    config::Region,
    operation::put_events::PutEventsInput,
    types::{PutEventsRequestEntry, PutEventsResultEntry},
};
use aws_smithy_types::DateTime;
use serde::Serialize;

use super::{CloudEvent, Notification, NotifyError, to_json};
use crate::aws::{SdkConfig, Service, error::AwsError, service::requests};

requests!(aws_sdk_eventbridge:
    put_events { PutEventsInputBuilder -> PutEvents(PutEventsInput) -> PutEventsOutput, PutEventsError }
);

const OPERATION: &str = "PutEvents";

/// The event bus that the bot's rules are on.
#[derive(Clone, Debug)]
pub struct EventBus {
    events: Service,
    /// As `EventBridge` takes it: a name or an ARN.
    name: String,
}

/// What a rule's target receives of ours, by the names that `EventBridge` gives it there.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BusEvent<'a> {
    /// The event's source.
    pub source: &'static str,
    /// The event's type.
    pub detail_type: &'static str,
    /// The event.
    pub detail: &'a CloudEvent<'a>,
}

impl<'a> From<&Notification<'a>> for BusEvent<'a> {
    fn from(notification: &Notification<'a>) -> Self {
        let event = notification.event;
        Self { source: event.source, detail_type: event.r#type.as_str(), detail: event }
    }
}

impl EventBus {
    /// The bus with this name in the function's Region, or with this ARN in the ARN's; no connection is opened yet.
    #[must_use]
    pub fn new(aws: &SdkConfig, name: String) -> Self {
        // An entry is put in the Region that it is signed for, whatever the ARN.
        let config = region(&name).map(|region| aws.to_builder().region(Region::new(region.to_owned())).build());
        Self { events: Service::new(config.as_ref().unwrap_or(aws), "events"), name }
    }

    /// Puts the event on the bus. A rule's targets are `EventBridge`'s to deliver to.
    ///
    /// # Errors
    /// [`NotifyError::Bus`], also where `EventBridge` answers 200 and refuses the entry.
    pub async fn put(&self, notification: &Notification<'_>) -> Result<(), NotifyError> {
        let BusEvent { source, detail_type, detail } = BusEvent::from(notification);
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(source)
            .detail_type(detail_type)
            .time(DateTime::from_millis(i64::try_from(detail.at.millis()).unwrap_or(i64::MAX)))
            .detail(to_json(detail))
            .build();
        let answer = self.events.call(PutEventsInput::builder().entries(entry)).await;
        let answer = answer.map_err(|error| NotifyError::Bus(AwsError::of(OPERATION)(error)))?;
        accepted(answer.entries()).map_err(NotifyError::Bus)
    }
}

/// Whether the only entry was accepted: a 200 says so of each by itself.
fn accepted(entries: &[PutEventsResultEntry]) -> Result<(), AwsError> {
    match entries {
        [entry] if entry.error_code().is_some() => {
            Err(AwsError::refused(OPERATION, entry.error_code().unwrap_or_default()))
        }
        [entry] if entry.event_id().is_some() => Ok(()),
        _ => Err(AwsError::unexpected(OPERATION)),
    }
}

/// The Region in a bus's ARN, `arn:<partition>:events:<region>:<account>:event-bus/<name>`; `None` in a name.
fn region(name: &str) -> Option<&str> {
    let mut parts = name.split(':');
    let is_arn = parts.next() == Some("arn") && parts.nth(1) == Some("events");
    parts.next().filter(|region| is_arn && !region.is_empty())
}

#[cfg(test)]
mod tests {
    use fakes::{Answer, Server, aws::setting};
    use serde_json::{Value, json};

    use super::*;
    use crate::{Settings, Timestamp, bot::event};

    const NAME: &str = "bot-events";

    /// Puts an event on the bus with this name, which `EventBridge` answers so.
    async fn put(name: &str, answer: Answer) -> (Result<(), NotifyError>, Server) {
        let server = Server::start().await;
        server.on(OPERATION, move |_| answer.clone());
        let aws = crate::aws::config(&Settings::new(|name| setting(name, &server))).unwrap();
        let chat = "whatsapp:+15551234567".parse().unwrap();
        let event = event::tests::revoked(&chat);
        let now = Timestamp::from_millis(0);
        let notification = Notification { event: &event, user_message: "Yes.", signing_secret: "", now };
        let put = EventBus::new(&aws, name.to_owned()).put(&notification).await;
        (put, server)
    }

    fn taken() -> Answer {
        json!({"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}).into()
    }

    /// The text of the error where `EventBridge` answers so.
    async fn refusal(answer: Answer) -> String {
        put(NAME, answer).await.0.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn an_entry_has_what_rules_match_and_the_event_as_its_detail() {
        let (result, server) = put(NAME, taken()).await;
        result.unwrap();
        let body = server.only_request(OPERATION).json();
        let [entry] = body["Entries"].as_array().unwrap().as_slice() else { panic!("{body}") };
        let chat = "whatsapp:+15551234567".parse().unwrap();
        let event = serde_json::to_value(event::tests::revoked(&chat)).unwrap();
        let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        assert_eq!(detail, event);
        assert_eq!(entry["Source"], event["source"]);
        assert_eq!(entry["DetailType"], event["type"]);
        assert_eq!(entry["EventBusName"], NAME);
        assert!(entry.get("Resources").is_none());
    }

    #[tokio::test]
    async fn an_entrys_time_is_the_events() {
        let (_, server) = put(NAME, taken()).await;
        let entry = &server.only_request(OPERATION).json()["Entries"][0];
        let seconds = Timestamp::from_millis(event::tests::REVOKED_AT).seconds();
        assert_eq!(entry["Time"].as_f64().map(f64::floor), Some(f64::from(u32::try_from(seconds).unwrap())));
    }

    #[tokio::test]
    async fn a_200_that_refuses_the_entry_is_an_error_with_its_code_alone() {
        let answer =
            json!({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "s3cret"}]});
        let text = refusal(answer.into()).await;
        assert_eq!(text, "cannot put the event on the bot's bus: PutEvents failed: InternalFailure");
    }

    #[tokio::test]
    async fn a_200_that_says_nothing_of_the_entry_is_an_error() {
        for answer in
            [json!({"FailedEntryCount": 0, "Entries": []}), json!({"FailedEntryCount": 0, "Entries": [{}]}), json!({})]
        {
            let text = refusal(answer.into()).await;
            assert_eq!(text, "cannot put the event on the bot's bus: PutEvents failed: unexpected response");
        }
    }

    #[tokio::test]
    async fn a_refused_call_is_an_error_with_its_code_alone() {
        for code in ["AccessDeniedException", "ResourceNotFoundException"] {
            let text = refusal(fakes::aws::error(code)).await;
            assert_eq!(text, format!("cannot put the event on the bot's bus: PutEvents failed: {code}"));
        }
    }

    #[tokio::test]
    async fn an_event_is_put_in_the_buss_region() {
        for (name, region) in [
            (NAME, "us-east-1"),
            ("default", "us-east-1"),
            ("arn:aws:events:eu-west-1:123456789012:event-bus/bot", "eu-west-1"),
            ("arn:aws-cn:events:cn-north-1:123456789012:event-bus/bot", "cn-north-1"),
        ] {
            let (result, server) = put(name, taken()).await;
            result.unwrap();
            let request = server.only_request(OPERATION);
            assert!(request.header("authorization").contains(&format!("/{region}/events/aws4_request")), "{name}");
            assert_eq!(request.json()["Entries"][0]["EventBusName"], name);
        }
    }
}
