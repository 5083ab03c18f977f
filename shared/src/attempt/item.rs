//! The row of an attempt: the names of its attributes, and the row as it is read.

use std::str::FromStr;

use super::{Account, AttemptId, End, EndReason, Outcome, Reason, Status, intent::Intent, last_error::LastError};
use crate::{
    Language, LinkId, Reference, Timestamp, WaId,
    conditional_write::{Attributes, Value},
};

/// The names of an item's attributes. All times are numbers, in milliseconds since the epoch, but
/// [`EXPIRES_AT`](attr::EXPIRES_AT).
pub mod attr {
    /// Key (S): [`crate::attempt::AttemptId`].
    pub const ATTEMPT_ID: &str = "attempt_id";
    /// S: [`crate::WaId`].
    pub const WA_ID: &str = "wa_id";
    /// S: [`crate::attempt::Status`].
    pub const STATUS: &str = "status";
    /// S: its place in the [index by status](crate::attempt::index::BY_STATUS); absent in rows of before the index.
    pub const STATUS_DAY: &str = "status_day";
    /// S: [`crate::attempt::Reason`], with `failed` and `delayed`; [`crate::attempt::EndReason`], with `ended`.
    pub const REASON: &str = "reason";
    /// S: Salesforce's own `error`, if any.
    pub const SALESFORCE_ERROR: &str = "salesforce_error";
    /// S: what the last try ended with, for operators: printable ASCII, without secrets.
    pub const LAST_ERROR: &str = "last_error";
    /// S: the [link](crate::LinkId) that it began with.
    pub const LINK_ID: &str = "link_id";
    /// S: the bot's own [reference](crate::Reference), which it gave with the link; in a connection's row too.
    pub const REFERENCE: &str = "reference";
    /// S: the [language](crate::Language) that the chat is spoken to in, where its link said so; in a connection's row and a
    /// pending login's too.
    pub const LANGUAGE: &str = "language";
    /// BOOL, true: it began with a plain state, which anybody can make.
    pub const PLAIN: &str = "plain";
    /// N: how many authorization codes became known.
    pub const CODES: &str = "codes";
    /// S: the SHA-256 of the authorization code that was tried last, or that the outcome belongs to.
    pub const CODE_SHA256: &str = "code_sha256";
    /// N: when the callback with that code was received.
    pub const CODE_RECEIVED_AT: &str = "code_received_at";
    /// S: what is known of the attempt's other codes, as JSON; absent where there was one.
    pub const OTHER_CODES: &str = "other_codes";
    /// S: the SHA-256 of the code whose tokens wait on the queue, because the tables did not take them, or for the chat's
    /// confirmation.
    pub const SEALED_CODE: &str = "sealed_code";
    /// N: when the lease expires.
    pub const LEASE_UNTIL: &str = "lease_until";
    /// S: the id of the delivery that claimed it last.
    pub const HOLDER: &str = "holder";
    /// N: how many deliveries tried the code.
    pub const TRIES: &str = "tries";
    /// N: when the code is tried again; no delivery tries it before.
    pub const RETRY_AT: &str = "retry_at";
    /// N: when it was first delayed; as long as it has no other outcome.
    pub const DELAYED_AT: &str = "delayed_at";
    /// N: how often the message was received.
    pub const RECEIVES: &str = "receives";
    /// S: the Salesforce user name.
    pub const USERNAME: &str = "username";
    /// S: the Salesforce org's id.
    pub const ORG_ID: &str = "org_id";
    /// S: the base URL of the org's API.
    pub const INSTANCE_URL: &str = "instance_url";
    /// S: the scopes granted.
    pub const SCOPE: &str = "scope";
    /// S: where the person logged in.
    pub const LOGIN_URL: &str = "login_url";
    /// BOOL: whether there was a connection before.
    pub const RENEWED: &str = "renewed";
    /// S: the attempt that had made the connection that ended.
    pub const CONNECTED_BY: &str = "connected_by";
    /// N: when the chat connected again, after the connection that ended.
    pub const REPLACED_AT: &str = "replaced_at";
    /// N: when the callback was received.
    pub const CREATED_AT: &str = "created_at";
    /// N: when the status was written last.
    pub const UPDATED_AT: &str = "updated_at";
    /// N: when an operator had it redelivered. Nobody reads it but `wasf`: the write makes a new record of the stream.
    pub const REDELIVERED_AT: &str = "redelivered_at";
    /// N: when both the person and the bot had been notified.
    pub const NOTIFIED_AT: &str = "notified_at";
    /// N: when the person was sent the message.
    pub const MESSAGED_AT: &str = "messaged_at";
    /// N: when the bot was notified.
    pub const BOT_TOLD_AT: &str = "bot_told_at";
    /// N: when the bot's webhook took the event, while another way had not.
    pub const WEBHOOK_TOLD_AT: &str = "webhook_told_at";
    /// N: when the bot's queue took the event, while another way had not.
    pub const QUEUE_TOLD_AT: &str = "queue_told_at";
    /// N: when the bot's event bus took the event, while another way had not.
    pub const BUS_TOLD_AT: &str = "bus_told_at";
    /// N: when the message was withheld, because the chat was told of enough failures.
    pub const WITHHELD_AT: &str = "withheld_at";
    /// S: WhatsApp's error code for a message that cannot be delivered; then there is no [`MESSAGED_AT`].
    pub const MESSAGE_ERROR: &str = "message_error";
    /// N: when the person was notified of a delay. Unlike the marks it stays until the attempt is finished, because
    /// each of several messages of one attempt may come to the same delay.
    pub const DELAY_TOLD_AT: &str = "delay_told_at";
    /// S: the provider's id of the message that was sent last.
    pub const MESSAGE_ID: &str = "message_id";
    /// S: the provider's word for what became of that message, once nothing more is asked.
    pub const MESSAGE_STATE: &str = "message_state";
    /// N: when it was known that only the template reaches the person.
    pub const TEMPLATE_AT: &str = "template_at";
    /// N: a message that was refused after it had been accepted is not sent again before.
    pub const MESSAGE_RETRY_AT: &str = "message_retry_at";
    /// N: how many messages were refused after they had been accepted, and sent again.
    pub const MESSAGE_REFUSALS: &str = "message_refusals";
    /// S: [`crate::attempt::intent::Intent`], written before a message is sent, and removed with its result.
    pub const MESSAGE_INTENT: &str = "message_intent";
    /// S: [`crate::attempt::last_error::LastError`] of WhatsApp's provider: the last message of this outcome that it did not take,
    /// or refused later. It stays when a later one is taken.
    pub const WHATSAPP_LAST_ERROR: &str = "whatsapp_last_error";
    /// S: the same of the bot, and its event.
    pub const BOT_LAST_ERROR: &str = "bot_last_error";
    /// What a later outcome removes, so that the person and the bot are notified of it.
    pub const MARKS: [&str; 16] = [
        NOTIFIED_AT,
        MESSAGED_AT,
        BOT_TOLD_AT,
        WEBHOOK_TOLD_AT,
        QUEUE_TOLD_AT,
        BUS_TOLD_AT,
        WITHHELD_AT,
        MESSAGE_ERROR,
        MESSAGE_ID,
        MESSAGE_STATE,
        TEMPLATE_AT,
        MESSAGE_RETRY_AT,
        MESSAGE_REFUSALS,
        MESSAGE_INTENT,
        WHATSAPP_LAST_ERROR,
        BOT_LAST_ERROR,
    ];
    /// N: when the item expires, in **seconds** since the epoch (DynamoDB's TTL).
    pub const EXPIRES_AT: &str = "expires_at";
}

/// A row of `connection_attempts`, as it is read by everybody who reads more of it than the [`ledger`](super::ledger)
/// asks.
///
/// An attribute can be missing: which ones are there depends on the status. The hash of the code and the place in an index are not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// [`attr::ATTEMPT_ID`].
    pub attempt_id: AttemptId,
    /// [`attr::WA_ID`].
    pub wa_id: Option<WaId>,
    /// [`attr::LINK_ID`].
    pub link_id: Option<LinkId>,
    /// [`attr::REFERENCE`]; `None` too where it has another form, which is not worth an outcome.
    pub reference: Option<Reference>,
    /// [`attr::LANGUAGE`]; `None` too where it is none of ours.
    pub language: Option<Language>,
    /// [`attr::PLAIN`].
    pub plain: Option<bool>,
    /// [`attr::CODES`].
    pub codes: Option<u64>,
    /// [`attr::STATUS`], as stored; [`Self::status`] parses it.
    pub status: Option<String>,
    /// [`attr::REASON`], as stored.
    pub reason: Option<String>,
    /// [`attr::SALESFORCE_ERROR`].
    pub salesforce_error: Option<String>,
    /// [`attr::LAST_ERROR`].
    pub last_error: Option<String>,
    /// [`attr::LEASE_UNTIL`].
    pub lease_until: Option<Timestamp>,
    /// [`attr::TRIES`].
    pub tries: Option<u64>,
    /// [`attr::RETRY_AT`].
    pub retry_at: Option<Timestamp>,
    /// [`attr::DELAYED_AT`].
    pub delayed_at: Option<Timestamp>,
    /// [`attr::RECEIVES`].
    pub receives: Option<u64>,
    /// [`attr::USERNAME`].
    pub username: Option<String>,
    /// [`attr::ORG_ID`].
    pub org_id: Option<String>,
    /// [`attr::INSTANCE_URL`].
    pub instance_url: Option<String>,
    /// [`attr::SCOPE`].
    pub scope: Option<String>,
    /// [`attr::LOGIN_URL`], as stored.
    pub login_url: Option<String>,
    /// [`attr::RENEWED`].
    pub renewed: Option<bool>,
    /// [`attr::CONNECTED_BY`].
    pub connected_by: Option<AttemptId>,
    /// [`attr::REPLACED_AT`].
    pub replaced_at: Option<Timestamp>,
    /// [`attr::CREATED_AT`].
    pub created_at: Option<Timestamp>,
    /// [`attr::UPDATED_AT`].
    pub updated_at: Option<Timestamp>,
    /// [`attr::DELAY_TOLD_AT`].
    pub delay_told_at: Option<Timestamp>,
    /// [`attr::MESSAGED_AT`].
    pub messaged_at: Option<Timestamp>,
    /// [`attr::MESSAGE_ERROR`].
    pub message_error: Option<String>,
    /// [`attr::MESSAGE_ID`].
    pub message_id: Option<String>,
    /// [`attr::MESSAGE_STATE`].
    pub message_state: Option<String>,
    /// [`attr::TEMPLATE_AT`].
    pub template_at: Option<Timestamp>,
    /// [`attr::MESSAGE_RETRY_AT`].
    pub message_retry_at: Option<Timestamp>,
    /// [`attr::MESSAGE_REFUSALS`].
    pub message_refusals: Option<u64>,
    /// [`attr::MESSAGE_INTENT`].
    pub message_intent: Option<Intent>,
    /// [`attr::WHATSAPP_LAST_ERROR`].
    pub whatsapp_last_error: Option<LastError>,
    /// [`attr::BOT_LAST_ERROR`].
    pub bot_last_error: Option<LastError>,
    /// [`attr::BOT_TOLD_AT`].
    pub bot_told_at: Option<Timestamp>,
    /// [`attr::WEBHOOK_TOLD_AT`].
    pub webhook_told_at: Option<Timestamp>,
    /// [`attr::QUEUE_TOLD_AT`].
    pub queue_told_at: Option<Timestamp>,
    /// [`attr::BUS_TOLD_AT`].
    pub bus_told_at: Option<Timestamp>,
    /// [`attr::WITHHELD_AT`].
    pub withheld_at: Option<Timestamp>,
    /// [`attr::NOTIFIED_AT`].
    pub notified_at: Option<Timestamp>,
    /// [`attr::REDELIVERED_AT`].
    pub redelivered_at: Option<Timestamp>,
}

/// An item cannot be read. The text names the attribute and never its value, which can be a phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableItem {
    /// The attribute is not there.
    #[error("attempt unreadable: no {0}")]
    Missing(&'static str),
    /// The attribute has another type, or a value that is not of its kind.
    #[error("attempt unreadable: invalid {0}")]
    Invalid(&'static str),
    /// There is no outcome yet.
    #[error("attempt not finished")]
    NotFinished,
}

impl Item {
    /// Reads an item. Attributes named in `unused` are left out, so that nothing that its reader does not use makes
    /// an item unreadable.
    ///
    /// # Errors
    /// [`UnreadableItem`], where there is no id, or an attribute has not the form that it is written in.
    pub fn read(attributes: &Attributes, unused: &[&str]) -> Result<Self, UnreadableItem> {
        let item = Reader { attributes, unused };
        Ok(Self {
            attempt_id: item.parsed(attr::ATTEMPT_ID)?.ok_or(UnreadableItem::Missing(attr::ATTEMPT_ID))?,
            wa_id: item.parsed(attr::WA_ID)?,
            link_id: item.parsed(attr::LINK_ID)?,
            reference: Reference::of(attributes),
            language: Language::of(attributes),
            plain: item.attribute(attr::PLAIN, Value::as_flag)?,
            codes: item.attribute(attr::CODES, Value::as_number)?,
            status: item.text(attr::STATUS)?,
            reason: item.text(attr::REASON)?,
            salesforce_error: item.text(attr::SALESFORCE_ERROR)?,
            last_error: item.text(attr::LAST_ERROR)?,
            lease_until: item.time(attr::LEASE_UNTIL)?,
            tries: item.attribute(attr::TRIES, Value::as_number)?,
            retry_at: item.time(attr::RETRY_AT)?,
            delayed_at: item.time(attr::DELAYED_AT)?,
            receives: item.attribute(attr::RECEIVES, Value::as_number)?,
            username: item.text(attr::USERNAME)?,
            org_id: item.text(attr::ORG_ID)?,
            instance_url: item.text(attr::INSTANCE_URL)?,
            scope: item.text(attr::SCOPE)?,
            login_url: item.text(attr::LOGIN_URL)?,
            renewed: item.attribute(attr::RENEWED, Value::as_flag)?,
            connected_by: item.parsed(attr::CONNECTED_BY)?,
            replaced_at: item.time(attr::REPLACED_AT)?,
            created_at: item.time(attr::CREATED_AT)?,
            updated_at: item.time(attr::UPDATED_AT)?,
            delay_told_at: item.time(attr::DELAY_TOLD_AT)?,
            messaged_at: item.time(attr::MESSAGED_AT)?,
            message_error: item.text(attr::MESSAGE_ERROR)?,
            message_id: item.text(attr::MESSAGE_ID)?,
            message_state: item.text(attr::MESSAGE_STATE)?,
            template_at: item.time(attr::TEMPLATE_AT)?,
            message_retry_at: item.time(attr::MESSAGE_RETRY_AT)?,
            message_refusals: item.attribute(attr::MESSAGE_REFUSALS, Value::as_number)?,
            message_intent: item.parsed(attr::MESSAGE_INTENT)?,
            whatsapp_last_error: item.parsed(attr::WHATSAPP_LAST_ERROR)?,
            bot_last_error: item.parsed(attr::BOT_LAST_ERROR)?,
            bot_told_at: item.time(attr::BOT_TOLD_AT)?,
            webhook_told_at: item.time(attr::WEBHOOK_TOLD_AT)?,
            queue_told_at: item.time(attr::QUEUE_TOLD_AT)?,
            bus_told_at: item.time(attr::BUS_TOLD_AT)?,
            withheld_at: item.time(attr::WITHHELD_AT)?,
            notified_at: item.time(attr::NOTIFIED_AT)?,
            redelivered_at: item.time(attr::REDELIVERED_AT)?,
        })
    }

    /// The status; `None` where it is missing or unknown.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        Status::parse(self.status.as_deref()?)
    }

    /// Whether its lease has expired under an exchanger that has not finished it. A lease that was released has ended
    /// by the time of that write, which is the row's last.
    #[must_use]
    pub fn is_stuck(&self, now: Timestamp) -> bool {
        let is_released = |until| self.updated_at.is_some_and(|updated_at| until <= updated_at);
        let is_exchanging = self.status() == Some(Status::Exchanging);
        is_exchanging && self.lease_until.is_some_and(|until| until < now && !is_released(until))
    }

    /// How the attempt ended.
    ///
    /// # Errors
    /// [`UnreadableItem`], where it has not ended or something of its outcome is missing.
    pub fn outcome(&self) -> Result<Outcome, UnreadableItem> {
        let stored = |text: &Option<String>, name| text.clone().ok_or(UnreadableItem::Missing(name));
        let reason =
            || Reason::parse(&stored(&self.reason, attr::REASON)?).ok_or(UnreadableItem::Invalid(attr::REASON));
        Ok(match self.status().ok_or(UnreadableItem::Invalid(attr::STATUS))? {
            Status::Exchanging | Status::Unconfirmed => return Err(UnreadableItem::NotFinished),
            Status::Failed => Outcome::Failed { reason: reason()?, salesforce_error: self.salesforce_error.clone() },
            Status::Delayed => Outcome::Delayed { reason: reason()? },
            Status::Ended => Outcome::Ended(End {
                reason: EndReason::parse(&stored(&self.reason, attr::REASON)?)
                    .ok_or(UnreadableItem::Invalid(attr::REASON))?,
                connected_by: self.connected_by,
                username: self.username.clone(),
                org_id: self.org_id.clone(),
                instance_url: self.instance_url.clone(),
                is_replaced: self.replaced_at.is_some(),
            }),
            Status::Connected => Outcome::Connected {
                account: Account {
                    org_id: stored(&self.org_id, attr::ORG_ID)?,
                    instance_url: stored(&self.instance_url, attr::INSTANCE_URL)?,
                    username: self.username.clone(),
                    scope: self.scope.clone(),
                },
                renewed: self.renewed.unwrap_or(false),
            },
        })
    }
}

struct Reader<'a> {
    attributes: &'a Attributes,
    unused: &'a [&'a str],
}

impl<'a> Reader<'a> {
    fn attribute<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, UnreadableItem> {
        if self.unused.contains(&name) {
            return Ok(None);
        }
        let value = self.attributes.get(name);
        value.map(|value| read(value).ok_or(UnreadableItem::Invalid(name))).transpose()
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, UnreadableItem> {
        self.attribute(name, |value| value.as_text().map(str::to_owned))
    }

    fn time(&self, name: &'static str) -> Result<Option<Timestamp>, UnreadableItem> {
        self.attribute(name, Value::as_time)
    }

    fn parsed<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, UnreadableItem> {
        self.attribute(name, |value| value.as_text()?.parse().ok())
    }
}

/// A text that the ledger asks about. An attribute of another type counts as absent, and an empty text as a text, as they do in
/// conditions.
pub(super) fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.get(name)?.as_text()
}

/// A time that the ledger asks about.
pub(super) fn time(attributes: &Attributes, name: &str) -> Option<Timestamp> {
    attributes.get(name)?.as_time()
}

#[cfg(test)]
mod tests;
