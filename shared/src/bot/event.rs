//! The events that a bot receives: CloudEvents 1.0 in the JSON event format (<https://cloudevents.io>). Pure.
//!
//! Every type of event and every field is declared here, whoever sends it. An event names a connection or says why there
//! is none. It never carries a token.

use serde::{Serialize, Serializer};

use crate::{AttemptId, Language, LinkId, Next, Reason, Reference, Timestamp, WaId, attempt::EndReason};

const SPEC_VERSION: &str = "1.0";
const SOURCE: &str = "whatsapp-salesforce-connect";
const DATA_CONTENT_TYPE: &str = "application/json";

/// The `type` of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// A person connected their Salesforce account for the first time.
    Created,
    /// A person connected again and replaced their connection.
    Renewed,
    /// The attempt takes longer. A later event says how it ended.
    Delayed,
    /// The attempt ended without a connection.
    Failed,
    /// A person logged in, and their chat did not confirm it in time.
    Unconfirmed,
    /// A person, the bot or an operator ended the connection.
    Revoked,
    /// Salesforce ended the connection.
    Expired,
    /// An operator tries whether events arrive.
    Test,
}

impl EventType {
    /// Every type that is sent.
    pub const ALL: [Self; 8] = [
        Self::Created,
        Self::Renewed,
        Self::Delayed,
        Self::Failed,
        Self::Unconfirmed,
        Self::Revoked,
        Self::Expired,
        Self::Test,
    ];

    /// As sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "connection.created",
            Self::Renewed => "connection.renewed",
            Self::Delayed => "connection.delayed",
            Self::Failed => "connection.failed",
            Self::Unconfirmed => "connection.unconfirmed",
            Self::Revoked => "connection.revoked",
            Self::Expired => "connection.expired",
            Self::Test => "connection.test",
        }
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Whether the person has the message about the outcome: `data.message`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageStatus {
    /// WhatsApp accepted it.
    Sent,
    /// Not yet; it is retried.
    Pending,
    /// No answer of WhatsApp's said whether it took the message, and it is not sent again: they may have it once, twice, or not.
    Unknown,
    /// WhatsApp cannot deliver it: the bot must find another way.
    Undeliverable,
    /// Not sent, on purpose, and the bot must not tell the person either: a later consent won, or a stranger may be
    /// behind it.
    Withheld,
    /// This stack sends no messages: the bot does.
    Off,
}

impl MessageStatus {
    /// Every status that is sent.
    pub const ALL: [Self; 6] =
        [Self::Sent, Self::Pending, Self::Unknown, Self::Undeliverable, Self::Withheld, Self::Off];

    /// As sent, and as logged.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
            Self::Undeliverable => "undeliverable",
            Self::Withheld => "withheld",
            Self::Off => "off",
        }
    }
}

impl Serialize for MessageStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An event with its envelope.
#[derive(Clone, Debug, Serialize)]
pub struct CloudEvent<'a> {
    specversion: &'static str,
    /// The same each time that one thing is reported: a bot recognizes a repetition by it.
    pub id: String,
    pub(super) source: &'static str,
    pub(super) r#type: EventType,
    /// Whose chat; the same as `data.wa_id`.
    pub subject: &'a WaId,
    /// RFC 3339.
    time: String,
    /// The same.
    #[serde(skip)]
    pub(super) at: Timestamp,
    datacontenttype: &'static str,
    data: Data<'a>,
}

impl<'a> CloudEvent<'a> {
    /// The event with this id about what happened `at` a time. The data decide on its type and subject.
    #[must_use]
    pub fn new(id: String, at: Timestamp, data: Data<'a>) -> Self {
        Self {
            specversion: SPEC_VERSION,
            id,
            source: SOURCE,
            r#type: data.event_type(),
            subject: data.wa_id(),
            time: at.rfc3339(),
            at,
            datacontenttype: DATA_CONTENT_TYPE,
            data,
        }
    }
}

/// What an event says: one variant for each [`EventType`].
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Data<'a> {
    /// [`EventType::Created`].
    Created(Connected<'a>),
    /// [`EventType::Renewed`].
    Renewed(Connected<'a>),
    /// [`EventType::Delayed`].
    Delayed(NotConnected<'a>),
    /// [`EventType::Failed`].
    Failed(NotConnected<'a>),
    /// [`EventType::Unconfirmed`].
    Unconfirmed(NotConnected<'a>),
    /// [`EventType::Revoked`].
    Revoked(Ended<'a>),
    /// [`EventType::Expired`].
    Expired(Ended<'a>),
    /// [`EventType::Test`].
    Test(Test<'a>),
}

impl<'a> Data<'a> {
    /// The type of the event that has these data.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::Created(_) => EventType::Created,
            Self::Renewed(_) => EventType::Renewed,
            Self::Delayed(_) => EventType::Delayed,
            Self::Failed(_) => EventType::Failed,
            Self::Unconfirmed(_) => EventType::Unconfirmed,
            Self::Revoked(_) => EventType::Revoked,
            Self::Expired(_) => EventType::Expired,
            Self::Test(_) => EventType::Test,
        }
    }

    const fn wa_id(&self) -> &'a WaId {
        match self {
            Self::Created(data) | Self::Renewed(data) => data.wa_id,
            Self::Delayed(data) | Self::Failed(data) | Self::Unconfirmed(data) => data.wa_id,
            Self::Revoked(data) | Self::Expired(data) => data.wa_id,
            Self::Test(data) => data.wa_id,
        }
    }
}

/// The tokens are stored. Fields that Salesforce did not return are absent.
#[derive(Clone, Debug, Serialize)]
pub struct Connected<'a> {
    /// The attempt that made the connection.
    pub attempt_id: AttemptId,
    /// The link that it began with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_id: Option<LinkId>,
    /// The bot's own reference, as it gave it with the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a Reference>,
    /// The language that the person is spoken to in, where the link said one that there are texts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// The chat's address.
    pub wa_id: &'a WaId,
    /// Whether the person knows.
    pub message: MessageStatus,
    /// The Salesforce user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<&'a str>,
    /// The Salesforce org's id.
    pub org_id: &'a str,
    /// The base URL of the org's API.
    pub instance_url: &'a str,
    /// The scopes granted, separated by spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<&'a str>,
}

/// There is no connection: not yet (`connection.delayed`), or not by this attempt (`connection.failed`,
/// `connection.unconfirmed`).
#[derive(Clone, Debug, Serialize)]
pub struct NotConnected<'a> {
    /// The attempt.
    pub attempt_id: AttemptId,
    /// The link that it began with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_id: Option<LinkId>,
    /// The bot's own reference, as it gave it with the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a Reference>,
    /// The language that the person is spoken to in, where the link said one that there are texts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// The chat's address.
    pub wa_id: &'a WaId,
    /// Whether the person knows.
    pub message: MessageStatus,
    /// Why.
    pub reason: Reason,
    /// Salesforce's own `error` (RFC 6749 §4.1.2.1, §5.2), where it was one of its documented codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub salesforce_error: Option<&'a str>,
    /// The text for the person, in full.
    pub user_message: &'a str,
    /// What helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    /// A new link, where one helps; it is in `user_message` too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relink_url: Option<&'a str>,
}

/// A connection ended, and its row has no tokens any more. Fields that the row did not have are absent.
#[derive(Clone, Debug, Serialize)]
pub struct Ended<'a> {
    /// The attempt that had made the connection: it says which one ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<AttemptId>,
    /// The link that the attempt began with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_id: Option<LinkId>,
    /// The bot's own reference, as it gave it with the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a Reference>,
    /// The language that the person is spoken to in, where the link said one that there are texts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// The chat's address.
    pub wa_id: &'a WaId,
    /// Whether the person knows.
    pub message: MessageStatus,
    /// Why it ended.
    pub reason: EndReason,
    /// The Salesforce user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<&'a str>,
    /// The Salesforce org's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org_id: Option<&'a str>,
    /// The base URL of the org's API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_url: Option<&'a str>,
    /// The text for the person, in full.
    pub user_message: &'a str,
    /// What helps; absent where the chat has connected again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    /// A new link, where one helps; it is in `user_message` too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relink_url: Option<&'a str>,
}

/// Nothing happened.
#[derive(Clone, Debug, Serialize)]
pub struct Test<'a> {
    /// A chat that does not exist.
    pub wa_id: &'a WaId,
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(in crate::bot) const REVOKED_AT: u64 = 1_790_000_000_123;

    pub(in crate::bot) fn revoked(wa_id: &WaId) -> CloudEvent<'_> {
        let data = Ended {
            attempt_id: None,
            link_id: None,
            reference: None,
            language: None,
            wa_id,
            message: MessageStatus::Sent,
            reason: EndReason::Revoked,
            username: None,
            org_id: None,
            instance_url: None,
            user_message: "No longer connected.",
            next: None,
            relink_url: None,
        };
        CloudEvent::new("evt_1".to_owned(), Timestamp::from_millis(REVOKED_AT), Data::Revoked(data))
    }

    #[test]
    fn an_event_has_every_attribute_that_the_format_asks_for() {
        let chat = "whatsapp:+15551234567".parse().unwrap();
        assert_eq!(
            serde_json::to_value(revoked(&chat)).unwrap(),
            json!({
                "specversion": "1.0",
                "id": "evt_1",
                "source": "whatsapp-salesforce-connect",
                "type": "connection.revoked",
                "subject": "whatsapp:+15551234567",
                "time": "2026-09-21T14:13:20.123Z",
                "datacontenttype": "application/json",
                "data": {
                    "wa_id": "whatsapp:+15551234567",
                    "message": "sent",
                    "reason": "revoked",
                    "user_message": "No longer connected.",
                },
            })
        );
    }

    #[test]
    fn a_failure_says_why_and_what_helps() {
        let wa_id = "whatsapp:+15551234567".parse().unwrap();
        let data = NotConnected {
            attempt_id: AttemptId::from_bytes([7; 16]),
            link_id: None,
            reference: None,
            language: None,
            wa_id: &wa_id,
            message: MessageStatus::Pending,
            reason: Reason::AppBlocked,
            salesforce_error: None,
            user_message: "Ask.",
            next: Some(Next::ContactAdmin),
            relink_url: None,
        };
        let expected: Value = json!({
            "attempt_id": "07070707070707070707070707070707",
            "wa_id": "whatsapp:+15551234567",
            "message": "pending",
            "reason": "app_blocked",
            "user_message": "Ask.",
            "next": "contact_admin",
        });
        assert_eq!(serde_json::to_value(Data::Failed(data)).unwrap(), expected);
    }
}
