//! The envelope of what the bot is told: CloudEvents 1.0 in JSON (<https://cloudevents.io>, JSON
//! event format). What is said in it is its sender's.

use serde::Serialize;

use crate::{Timestamp, WaId};

const SOURCE: &str = "whatsapp-salesforce-connect";

/// A `connection.…` event.
#[derive(Clone, Debug, Serialize)]
pub struct CloudEvent<'a, D> {
    specversion: &'static str,
    /// The same whenever the same thing is told again.
    pub id: String,
    source: &'static str,
    r#type: &'static str,
    /// Whose chat.
    pub subject: &'a WaId,
    time: String,
    datacontenttype: &'static str,
    data: D,
}

impl<'a, D> CloudEvent<'a, D> {
    /// The event of this kind and name: what happened to the chat, and when.
    pub fn new(kind: &'static str, id: String, subject: &'a WaId, at: Timestamp, data: D) -> Self {
        Self {
            specversion: "1.0",
            id,
            source: SOURCE,
            r#type: kind,
            subject,
            time: at.rfc3339(),
            datacontenttype: "application/json",
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_has_every_attribute_that_the_format_asks_for() {
        let chat = "whatsapp:+15551234567".parse().unwrap();
        let at = Timestamp::from_millis(1_790_000_000_123);
        let event = CloudEvent::new("connection.created", "evt_1".to_owned(), &chat, at, json!({"n": 1}));
        assert_eq!(
            serde_json::to_value(event).unwrap(),
            json!({
                "specversion": "1.0",
                "id": "evt_1",
                "source": "whatsapp-salesforce-connect",
                "type": "connection.created",
                "subject": "whatsapp:+15551234567",
                "time": "2026-09-21T14:13:20.123Z",
                "datacontenttype": "application/json",
                "data": {"n": 1},
            })
        );
    }
}
