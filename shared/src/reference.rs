//! The bot's own reference of a person, which it gives with `POST /links`: what it may be, and the row that keeps it until
//! an outcome takes it over. Pure.
//!
//! It may be personal: it stands in no URL, state or log, and `Debug` hides it. A link and a state only say that there is
//! one; it waits in a row of `connection_attempts` under an id that is no attempt's. The row has no status, and its keys of
//! the table's [indexes](crate::attempt::index) are in partitions of their own, so that no list of attempts has it.

use std::{fmt, str::FromStr, time::Duration};

use serde::Serialize;

use crate::{
    LinkId, WaId,
    attempt::attr,
    conditional_write::{Attributes, Condition, ConditionalWrite, text},
    link::Link,
};

/// The longest, in characters.
pub const MAX_LENGTH: usize = 512;
/// How long the row is kept after its link has expired. The login of its last press takes a day at most, and its message
/// stays on the exchange queue and its dead-letter queue for 18 days.
pub const KEPT_AFTER_LINK: Duration = Duration::from_hours(20 * 24);
/// Begins the keys of these rows. No attempt's id, chat or status begins so.
pub const PREFIX: &str = "reference#";

/// The bot's reference of a person: opaque, and given back unchanged.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Reference(String);

/// The text is not a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reference must be a string of 1 to 512 characters, without control characters")]
pub struct InvalidReference;

/// What is known of the reference of a login's link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkReference {
    /// It has none, or the login began without a link: a connection keeps the one that it has.
    #[default]
    Absent,
    /// It has this one, which replaces the connection's.
    Known(Reference),
    /// It has one that is not known, nor has the attempt's row it: the connection is left without one, because its own may be
    /// another's by now.
    Unread,
}

impl Reference {
    /// As the bot gave it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The reference in an attempt's row or a connection's. What has another form, which a bot may keep there, is none.
    #[must_use]
    pub fn of(row: &Attributes) -> Option<Self> {
        text(row, attr::REFERENCE)?.parse().ok()
    }

    /// Keeps it for a link of this id, until the link's last outcome is written. A repetition changes nothing.
    #[must_use]
    pub fn kept_for(&self, link: &Link) -> ConditionalWrite {
        let chat = of_chat(&link.wa_id);
        let is_free =
            Condition::Any(vec![Condition::Absent(attr::ATTEMPT_ID), Condition::Is(attr::WA_ID, chat.as_str().into())]);
        ConditionalWrite::only_if(is_free)
            .set(attr::REFERENCE, self.as_str())
            .set(attr::WA_ID, chat)
            .set(attr::UPDATED_AT, link.issued_at)
            // In the index by status, too: wasf takes what an index has less than the table for attempts of before the index.
            .set(attr::STATUS_DAY, format!("{PREFIX}{:02x}", link.link_id.as_bytes()[0]))
            .set(attr::EXPIRES_AT, link.expires_at.plus(KEPT_AFTER_LINK).seconds())
    }

    /// The reference in the row that keeps it; `None` where there is no such row for this chat.
    #[must_use]
    pub fn kept_in(row: &Attributes, wa_id: &WaId) -> Option<Self> {
        if text(row, attr::WA_ID)? == of_chat(wa_id) { Self::of(row) } else { None }
    }
}

impl LinkReference {
    /// Where it is known.
    #[must_use]
    pub const fn known(&self) -> Option<&Reference> {
        match self {
            Self::Known(reference) => Some(reference),
            Self::Absent | Self::Unread => None,
        }
    }

    /// That of a connection by this link, whose chat had this one before.
    #[must_use]
    pub fn or_before(self, before: Option<Reference>) -> Option<Reference> {
        match self {
            Self::Absent => before,
            Self::Known(reference) => Some(reference),
            Self::Unread => None,
        }
    }
}

/// The key of the row that keeps a link's reference.
#[must_use]
pub fn row_id(link_id: LinkId) -> String {
    format!("{PREFIX}{link_id}")
}

/// What the rows of a chat have as [`attr::WA_ID`].
#[must_use]
pub fn of_chat(wa_id: &WaId) -> String {
    format!("{PREFIX}{}", wa_id.as_str())
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let is_valid = (1..=MAX_LENGTH).contains(&text.chars().count()) && !text.contains(char::is_control);
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidReference) }
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reference(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{AttemptId, Status, Timestamp, attempt::Item};

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn link(byte: u8, wa_id: &str) -> Link {
        let (wa_id, login_url) = (wa_id.parse().unwrap(), "https://login.salesforce.com".parse().unwrap());
        Link::new(LinkId::from_bytes([byte; 16]), wa_id, login_url, NOW, Duration::from_mins(15))
    }

    fn ada() -> Link {
        link(7, "whatsapp:+15551234567")
    }

    fn reference(text: &str) -> Reference {
        text.parse().unwrap()
    }

    fn kept(text: &str) -> Attributes {
        let mut row = Attributes::new();
        assert!(reference(text).kept_for(&ada()).apply(&mut row));
        row.insert(attr::ATTEMPT_ID.to_owned(), row_id(ada().link_id).into());
        row
    }

    #[test]
    fn has_1_to_512_characters_whatever_their_bytes() {
        for text in ["a", " ", "crm/42", &"ü".repeat(512), &"🦀".repeat(512)] {
            assert_eq!(reference(text).as_str(), text);
        }
        for text in ["", &"a".repeat(513), &"🦀".repeat(513)] {
            assert_eq!(text.parse::<Reference>(), Err(InvalidReference));
        }
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["\0", "a\nb", "a\r", "\u{1b}[1m", "a\u{7f}", "\u{85}"] {
            assert_eq!(text.parse::<Reference>(), Err(InvalidReference), "{text:?}");
        }
    }

    #[test]
    fn debug_hides_it() {
        let known = LinkReference::Known(reference("s3cret"));
        assert_eq!(format!("{:?} {known:?}", reference("s3cret")), "Reference(..) Known(Reference(..))");
    }

    #[test]
    fn is_kept_for_its_link_and_chat() {
        let row = kept("crm/42");
        assert_eq!(Reference::kept_in(&row, &ada().wa_id), Some(reference("crm/42")));
        assert_eq!(Reference::kept_in(&row, &link(7, "whatsapp:+15557654321").wa_id), None);
        assert_eq!(Reference::kept_in(&Attributes::new(), &ada().wa_id), None);
    }

    #[test]
    fn a_row_is_written_again_for_its_own_chat_alone() {
        let mut row = kept("crm/42");
        let before = row.clone();
        assert!(reference("crm/42").kept_for(&ada()).apply(&mut row));
        assert_eq!(row, before);
        assert!(!reference("other").kept_for(&link(7, "whatsapp:+15557654321")).apply(&mut row));
    }

    #[test]
    fn its_row_is_no_attempt_and_in_no_list_of_attempts() {
        let row = kept("crm/42");
        assert!(row_id(ada().link_id).parse::<AttemptId>().is_err() && Item::read(&row, &[]).is_err());
        assert!(!row.contains_key(attr::STATUS), "the stream's filter asks for an outcome");
        assert!(text(&row, attr::WA_ID).unwrap().parse::<WaId>().is_err());
        let place = text(&row, attr::STATUS_DAY).unwrap();
        assert!(Status::ALL.iter().all(|status| !place.starts_with(status.as_str())), "{place}");
        assert_eq!(place, "reference#07");
    }

    #[test]
    fn its_key_names_no_chat() {
        assert_eq!(row_id(ada().link_id), format!("reference#{}", "07".repeat(16)));
    }

    #[test]
    fn is_kept_until_no_outcome_of_its_link_can_come_any_more() {
        let longest_login =
            Duration::from_mins(fakes::template::number("LinkLifetimeMinutes", "MaxValue").try_into().unwrap());
        let queues = ["ExchangeQueue", "ExchangeDeadLetterQueue"];
        let waiting: usize = queues.map(|queue| fakes::template::number(queue, "MessageRetentionPeriod")).iter().sum();
        assert!(KEPT_AFTER_LINK > longest_login + Duration::from_secs(waiting.try_into().unwrap()));
        let until = ada().expires_at.plus(KEPT_AFTER_LINK).seconds();
        assert_eq!(kept("crm/42").get(attr::EXPIRES_AT), Some(&until.into()));
    }

    #[test]
    fn a_links_replaces_a_connections_and_a_link_without_one_keeps_it() {
        let (new, old) = (reference("new"), reference("old"));
        for (of_link, before, after) in [
            (LinkReference::Known(new.clone()), Some(old.clone()), Some(new.clone())),
            (LinkReference::Known(new.clone()), None, Some(new)),
            (LinkReference::Absent, Some(old.clone()), Some(old.clone())),
            (LinkReference::Absent, None, None),
            (LinkReference::Unread, Some(old), None),
        ] {
            assert_eq!(of_link.or_before(before), after);
        }
    }

    #[test]
    fn what_a_bot_keeps_under_the_name_in_another_form_is_none() {
        for odd in [7.into(), "".into(), "a\nb".into(), true.into()] {
            assert_eq!(Reference::of(&Attributes::from([(attr::REFERENCE.to_owned(), odd)])), None);
        }
    }

    proptest! {
        #[test]
        fn comes_back_unchanged(text in "\\PC{1,512}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(serde_json::to_value(&reference).unwrap(), text.as_str());
                prop_assert_eq!(Reference::kept_in(&kept(&text), &ada().wa_id), Some(reference));
            } else {
                prop_assert!(text.contains(char::is_control));
            }
        }
    }
}
