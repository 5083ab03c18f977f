//! What the bot is told of an outcome. Pure.
//!
//! An event names the connection. It never carries a token, and has no way to: the table that it
//! is made of holds none.

use serde::Serialize;
use shared::{AttemptId, WaId, event::CloudEvent};

use crate::outcome::{Ended, Outcome};

/// How it stands with the person's message when the bot is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// WhatsApp took it.
    Sent,
    /// Not yet; it is tried again.
    Pending,
    /// Never: the bot must find another way.
    Undeliverable,
    /// This stack sends none: telling the person is the bot's part.
    Off,
}

impl Message {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Pending => "pending",
            Self::Undeliverable => "undeliverable",
            Self::Off => "off",
        }
    }
}

/// An outcome's event.
pub(crate) type Event<'a> = CloudEvent<'a, Data<'a>>;

#[derive(Serialize)]
pub(crate) struct Data<'a> {
    attempt_id: AttemptId,
    wa_id: &'a WaId,
    message: Message,
    #[serde(flatten)]
    outcome: OutcomeData<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OutcomeData<'a> {
    Connection {
        #[serde(skip_serializing_if = "Option::is_none")]
        username: Option<&'a str>,
        org_id: &'a str,
        instance_url: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        scope: Option<&'a str>,
    },
    Trouble {
        reason: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        salesforce_error: Option<&'a str>,
        user_message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        relink_url: Option<&'a str>,
    },
}

/// The event for an outcome. Its id is the same whenever this outcome is announced again; but that
/// the person cannot be reached is news, and has an id of its own.
pub(crate) fn event<'a>(
    ended: &'a Ended,
    message: Message,
    user_message: &'a str,
    relink_url: Option<&'a str>,
) -> Event<'a> {
    let suffix = if message == Message::Undeliverable { "_undeliverable" } else { "" };
    let trouble = |reason: shared::Reason, salesforce_error: Option<&'a str>| OutcomeData::Trouble {
        reason: reason.as_str(),
        salesforce_error,
        user_message,
        next: ended.outcome.next().map(shared::Next::as_str),
        relink_url,
    };
    let (kind, outcome) = match &ended.outcome {
        Outcome::Connected { username, org_id, instance_url, scope, renewed } => (
            if *renewed { "connection.renewed" } else { "connection.created" },
            OutcomeData::Connection { username: username.as_deref(), org_id, instance_url, scope: scope.as_deref() },
        ),
        Outcome::Failed { reason, salesforce_error } => {
            ("connection.failed", trouble(*reason, salesforce_error.as_deref()))
        }
        Outcome::Delayed { reason } => ("connection.delayed", trouble(*reason, None)),
    };
    let data = Data { attempt_id: ended.key.attempt_id, wa_id: &ended.wa_id, message, outcome };
    CloudEvent::new(kind, format!("evt_{}{suffix}", ended.key), &ended.wa_id, ended.key.updated_at, data)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::outcome::tests::ended;

    fn body(changes: Value, message: Message, relink_url: Option<&str>) -> Value {
        serde_json::to_value(event(&ended(changes), message, "What to do.", relink_url)).unwrap()
    }

    #[test]
    fn a_connection_is_announced_with_its_account() {
        assert_eq!(
            body(json!({}), Message::Sent, None),
            json!({
                "specversion": "1.0",
                "id": "evt_07070707070707070707070707070707_connected_1790000000123",
                "source": "whatsapp-salesforce-connect",
                "type": "connection.created",
                "subject": "whatsapp:+15551234567",
                "time": "2026-09-21T14:13:20.123Z",
                "datacontenttype": "application/json",
                "data": {
                    "attempt_id": "07070707070707070707070707070707",
                    "wa_id": "whatsapp:+15551234567",
                    "message": "sent",
                    "username": "ada@example.com",
                    "org_id": "00D000000000001",
                    "instance_url": "https://acme.my.salesforce.com",
                    "scope": "api refresh_token",
                },
            })
        );
        assert_eq!(body(json!({"renewed": true}), Message::Off, None)["type"], "connection.renewed");
    }

    #[test]
    fn a_failure_says_why_and_what_helps() {
        let failed = json!({"status": "failed", "reason": "denied", "salesforce_error": "access_denied"});
        let event = body(failed, Message::Pending, Some("https://example.com/connect/abc"));
        assert_eq!(event["type"], "connection.failed");
        assert_eq!(event["id"], "evt_07070707070707070707070707070707_failed_1790000000123");
        assert_eq!(
            event["data"],
            json!({
                "attempt_id": "07070707070707070707070707070707",
                "wa_id": "whatsapp:+15551234567",
                "message": "pending",
                "reason": "denied",
                "salesforce_error": "access_denied",
                "user_message": "What to do.",
                "next": "relink",
                "relink_url": "https://example.com/connect/abc",
            })
        );
    }

    #[test]
    fn a_delay_says_to_wait() {
        let event = body(json!({"status": "delayed", "reason": "misconfigured"}), Message::Sent, None);
        assert_eq!(event["type"], "connection.delayed");
        assert_eq!((&event["data"]["reason"], &event["data"]["next"]), (&json!("misconfigured"), &json!("wait")));
        assert_eq!(event["data"].get("relink_url"), None);
    }

    #[test]
    fn a_person_who_cannot_be_reached_is_news_of_its_own() {
        let event = body(json!({}), Message::Undeliverable, None);
        assert_eq!(event["id"], "evt_07070707070707070707070707070707_connected_1790000000123_undeliverable");
        assert_eq!(event["data"]["message"], "undeliverable");
    }

    #[test]
    fn a_token_in_the_item_does_not_reach_the_event() {
        let leaked = json!({"access_token": "00Dx!LEAK", "refresh_token": "LEAK", "code_sha256": "LEAK"});
        assert!(!body(leaked, Message::Sent, None).to_string().contains("LEAK"));
    }
}
