//! The outcome in an attempt's item: which one it is, who has been notified of it, and what it says. Pure.

use std::fmt;

use shared::{
    AttemptId, Language, LinkId, LoginUrl, LoginUrls, Reference, Status, Timestamp, WaId,
    attempt::{Item, Outcome, UnreadableItem, Ways, attr, intent::Intent, last_error::LastError, message::UNKNOWN},
    conditional_write::Attributes,
};

/// Identifies an outcome. An attempt can have several: `delayed` may be followed by `connected`, and each is notified of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutcomeKey {
    pub(crate) attempt_id: AttemptId,
    pub(crate) status: Status,
    pub(crate) updated_at: Timestamp,
}

impl fmt::Display for OutcomeKey {
    /// The same each time that the outcome is processed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.attempt_id, self.status.as_str(), self.updated_at.millis())
    }
}

/// Who has been notified of the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) person: Option<Told>,
    /// The bot's ways that took the event.
    pub(crate) bot: Ways,
    pub(crate) everyone: bool,
}

/// How the message to the person ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Sent,
    /// No answer said whether a message was sent.
    Unknown,
    Undeliverable,
    /// The chat was told of enough failures.
    Withheld,
}

/// An attempt that has ended, or the record of a connection's end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) key: OutcomeKey,
    /// The link that it began with.
    pub(crate) link_id: Option<LinkId>,
    /// The bot's own.
    pub(crate) reference: Option<Reference>,
    /// That of the link, where it has one.
    pub(crate) language: Option<Language>,
    pub(crate) wa_id: WaId,
    /// It began with a plain state, which anybody can make.
    pub(crate) plain: bool,
    pub(crate) outcome: Outcome,
    /// When the callback was received; not with the end of a connection.
    pub(crate) began_at: Option<Timestamp>,
    /// The last intent to send the message, of which no result is known.
    pub(crate) message_intent: Option<Intent>,
    /// Nothing but the template reaches the person.
    pub(crate) only_by_template: bool,
    /// No message is sent before: the last one was refused after it had been accepted.
    pub(crate) not_before: Option<Timestamp>,
    /// What the bot answered last, as the item says.
    pub(crate) bot_last_error: Option<LastError>,
    login_url: Option<LoginUrl>,
}

/// Attributes of the item that the notifier does not use.
const UNUSED: [&str; 8] = [
    attr::LAST_ERROR,
    attr::CODES,
    attr::TRIES,
    attr::RETRY_AT,
    attr::DELAYED_AT,
    attr::LEASE_UNTIL,
    attr::RECEIVES,
    attr::WHATSAPP_LAST_ERROR,
];

/// Reads the item of an attempt.
pub(crate) fn read(attributes: &Attributes) -> Result<Item, UnreadableItem> {
    let item = Item::read(attributes, &UNUSED)?;
    let required = [
        (attr::WA_ID, item.wa_id.is_some()),
        (attr::STATUS, item.status.is_some()),
        (attr::UPDATED_AT, item.updated_at.is_some()),
    ];
    match required.into_iter().find(|(_, is_there)| !is_there) {
        Some((name, _)) => Err(UnreadableItem::Missing(name)),
        None => Ok(item),
    }
}

impl OutcomeKey {
    pub(crate) fn of(item: &Item) -> Result<Self, UnreadableItem> {
        Ok(Self {
            attempt_id: item.attempt_id,
            status: item.status().ok_or(UnreadableItem::Invalid(attr::STATUS))?,
            updated_at: item.updated_at.ok_or(UnreadableItem::Missing(attr::UPDATED_AT))?,
        })
    }
}

impl Marks {
    pub(crate) fn of(item: &Item) -> Self {
        // Several messages of one attempt may each find that it is delayed: the person is notified once.
        let knows_of_delay = item.status() == Some(Status::Delayed) && item.delay_told_at.is_some();
        let person = match &item.message_error {
            // A message that was accepted has an id; what Twilio could not say of it in time does not make it unknown.
            _ if item.messaged_at.is_some()
                && item.message_id.is_none()
                && item.message_state.as_deref() == Some(UNKNOWN) =>
            {
                Some(Told::Unknown)
            }
            _ if item.messaged_at.is_some() || knows_of_delay => Some(Told::Sent),
            Some(_) => Some(Told::Undeliverable),
            None => item.withheld_at.map(|_| Told::Withheld),
        };
        Self { person, bot: Ways::told(item), everyone: item.notified_at.is_some() }
    }
}

impl Ended {
    pub(crate) fn of(item: Item) -> Result<Self, UnreadableItem> {
        Ok(Self {
            key: OutcomeKey::of(&item)?,
            link_id: item.link_id,
            reference: item.reference.clone(),
            language: item.language,
            plain: item.plain.unwrap_or(false),
            outcome: item.outcome()?,
            wa_id: item.wa_id.ok_or(UnreadableItem::Missing(attr::WA_ID))?,
            began_at: item.created_at,
            message_intent: item.message_intent,
            only_by_template: item.template_at.is_some(),
            not_before: item.message_retry_at,
            bot_last_error: item.bot_last_error,
            login_url: item.login_url.and_then(|url| url.parse().ok()),
        })
    }

    /// The login host of a new link: that of this attempt if it is still allowed, or else the default.
    pub(crate) fn login_url<'a>(&'a self, allowed: &'a LoginUrls) -> &'a LoginUrl {
        allowed.allowed_or_default(self.login_url.as_ref())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use fakes::attempts::item;
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn ended(changes: Value) -> Ended {
        Ended::of(read_changed(changes).unwrap()).unwrap()
    }

    fn read_changed(changes: Value) -> Result<Item, UnreadableItem> {
        let stored = |value: &Value| match value {
            Value::String(text) => Some(text.as_str().into()),
            Value::Bool(flag) => Some((*flag).into()),
            _ => value.as_u64().map(Into::into),
        };
        let item = item(changes);
        let attributes = item.as_object().unwrap().iter();
        read(&attributes.filter_map(|(name, value)| Some((name.clone(), stored(value)?))).collect())
    }

    #[test]
    fn an_item_without_a_chat_a_status_or_a_time_is_unreadable() {
        for name in [attr::WA_ID, attr::STATUS, attr::UPDATED_AT] {
            assert_eq!(read_changed(json!({ name: null })), Err(UnreadableItem::Missing(name)));
        }
    }

    #[test]
    fn an_attempt_that_has_not_ended_has_no_outcome() {
        let exchanging = read_changed(json!({"status": "exchanging"})).unwrap();
        assert_eq!(Ended::of(exchanging).unwrap_err(), UnreadableItem::NotFinished);
    }

    #[test]
    fn the_marks_say_who_has_been_notified() {
        let marks = |changes| Marks::of(&read_changed(changes).unwrap());
        let nobody = Marks { person: None, bot: Ways::default(), everyone: false };
        assert_eq!(marks(json!({})), nobody);
        assert_eq!(marks(json!({"messaged_at": 1})), Marks { person: Some(Told::Sent), ..nobody });
        assert_eq!(marks(json!({"withheld_at": 1})), Marks { person: Some(Told::Withheld), ..nobody });
        let by_queue = Ways { queue: true, ..nobody.bot };
        assert_eq!(marks(json!({"queue_told_at": 1})), Marks { bot: by_queue, ..nobody });
        let by_bus = Ways { bus: true, ..nobody.bot };
        assert_eq!(marks(json!({"bus_told_at": 1})), Marks { bot: by_bus, ..nobody });
        assert_eq!(marks(json!({"status": "delayed", "delay_told_at": 1})).person, Some(Told::Sent));
        assert_eq!(marks(json!({"status": "connected", "delay_told_at": 1})).person, None);
        assert_eq!(
            marks(json!({"message_error": "63024", "bot_told_at": 1, "notified_at": 1})),
            Marks { person: Some(Told::Undeliverable), bot: Ways::ALL, everyone: true }
        );
    }

    #[test]
    fn a_new_link_leads_to_the_same_host_while_it_is_allowed() {
        let both: LoginUrls = "https://login.salesforce.com,https://test.salesforce.com".parse().unwrap();
        let one: LoginUrls = "https://login.salesforce.com".parse().unwrap();
        let ended_at = |login_url: Value| ended(json!({"login_url": login_url}));
        assert_eq!(
            ended_at(json!("https://test.salesforce.com")).login_url(&both).as_str(),
            "https://test.salesforce.com"
        );
        for gone in [json!("https://test.salesforce.com"), json!("nonsense"), Value::Null] {
            assert_eq!(ended_at(gone).login_url(&one).as_str(), "https://login.salesforce.com");
        }
    }

    #[test]
    fn an_outcome_keeps_its_name() {
        assert_eq!(ended(json!({})).key.to_string(), "07070707070707070707070707070707_connected_1790000000123");
    }
}
