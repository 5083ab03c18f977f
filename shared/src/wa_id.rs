//! The address of a WhatsApp chat.

mod number;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};

pub use self::number::MaskedNumber;

const PREFIX: &str = "whatsapp:";
/// Stands between country code and id in a parent business-scoped user id.
const PARENT: &str = "ENT.";
/// A business-scoped user id has up to 128 characters after its country code and period.
const MAX_SCOPED: usize = 128;
/// E.164 allows 15 digits; some providers send a few more.
const DIGITS: std::ops::RangeInclusive<usize> = 5..=20;

/// The exact address that the bot knows a person by: `whatsapp:+15551234567`, or a
/// business-scoped user id such as `whatsapp:US.ABC123XYZ`, or the form of it that linked businesses share,
/// `whatsapp:US.ENT.ABC123XYZ`
/// (<https://developers.facebook.com/docs/whatsapp/business-management-api/business-scoped-user-ids>).
///
/// It is never normalized: some countries have two spellings of one number, and only the bot's reaches the chat. The one
/// repair is of a `+` that a query string turned into a space or into `%2B`.
///
/// `Debug` shows the last digits only: a phone number must not reach a log.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct WaId(String);

/// The text is not the address of a WhatsApp chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a WhatsApp address (expected whatsapp:+<digits> or whatsapp:<CC>.<id>)")]
pub struct InvalidWaId;

impl WaId {
    /// The address as the bot knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address without `whatsapp:`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0[PREFIX.len()..]
    }

    /// The address with only its last characters shown, for operators: `•••• 4567`.
    #[must_use]
    pub fn masked(&self) -> String {
        let address = self.address();
        format!("•••• {}", &address[address.len().saturating_sub(4)..])
    }
}

impl FromStr for WaId {
    type Err = InvalidWaId;

    fn from_str(text: &str) -> Result<Self, InvalidWaId> {
        let rest = text.strip_prefix(PREFIX).ok_or(InvalidWaId)?;
        let repaired =
            ["%2B", "%2b", " "].iter().find_map(|damage| rest.strip_prefix(damage)).map(|digits| format!("+{digits}"));
        let address = repaired.as_deref().unwrap_or(rest);
        if is_number(address) || is_scoped_id(address) {
            Ok(Self(format!("{PREFIX}{address}")))
        } else {
            Err(InvalidWaId)
        }
    }
}

fn is_number(address: &str) -> bool {
    let digits = address.strip_prefix('+').unwrap_or(address);
    DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_scoped_id(address: &str) -> bool {
    address.split_once('.').is_some_and(|(country, id)| {
        let id = id.strip_prefix(PARENT).unwrap_or(id);
        country.len() == 2
            && country.bytes().all(|byte| byte.is_ascii_uppercase())
            && (4..=MAX_SCOPED).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

impl<'de> Deserialize<'de> for WaId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for WaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WaId({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_the_bots_spelling() {
        for id in [
            "whatsapp:+15551234567",
            "whatsapp:+5215512345678",
            "whatsapp:+525512345678",
            "whatsapp:15551234567",
            "whatsapp:US.ABC123XYZ",
        ] {
            assert_eq!(id.parse::<WaId>().unwrap().as_str(), id);
        }
    }

    #[test]
    fn takes_parent_business_scoped_ids() {
        for id in ["whatsapp:US.ENT.11815799212886844830", "whatsapp:BR.ENT.ABC123XYZ"] {
            assert_eq!(id.parse::<WaId>().unwrap().as_str(), id);
        }
    }

    #[test]
    fn repairs_a_plus_that_a_query_string_changed() {
        for damaged in ["whatsapp: 15551234567", "whatsapp:%2B15551234567", "whatsapp:%2b15551234567"] {
            assert_eq!(damaged.parse::<WaId>().unwrap().as_str(), "whatsapp:+15551234567");
        }
    }

    #[test]
    fn refuses_what_is_not_an_address() {
        for text in [
            "",
            "+15551234567",
            "whatsapp:",
            "whatsapp:+1234",
            "whatsapp:+1555123456x",
            "whatsapp:+1555 1234567",
            "whatsapp:++15551234567",
            "whatsapp:  15551234567",
            "whatsapp:us.ABC123",
            "whatsapp:USA.ABC123",
            "whatsapp:US.ABC~123",
            "whatsapp:US.ENT.",
            "whatsapp:US.ent.11815799212886844830",
            "whatsapp:US.ENT.ENT.11815799212886844830",
            "whatsapp:US.COM.11815799212886844830",
            "sms:+15551234567",
            "whatsapp:+123456789012345678901",
            "whatsapp:+١٢٣٤٥٦٧",
        ] {
            assert_eq!(text.parse::<WaId>(), Err(InvalidWaId), "{text:?}");
        }
    }

    #[test]
    fn debug_hides_the_number() {
        let id: WaId = "whatsapp:+15551234567".parse().unwrap();
        assert_eq!(format!("{id:?}"), "WaId(•••• 4567)");
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_survives_a_second_parse(text in "(whatsapp:)?[ +%.~A-Z0-9a-z]{0,24}") {
            if let Ok(id) = text.parse::<WaId>() {
                prop_assert_eq!(id.as_str().parse::<WaId>().unwrap(), id);
            }
        }
    }
}
