//! The messages of the upkeep queue: what is to be done for stored connections. Pure.
//!
//! JSON with a version. A body holds sealed tokens and a chat's address: it is never logged.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Timestamp, WaId,
    connection::{Origin, SealedText},
};

const VERSION: u8 = 1;

/// A message of the upkeep queue.
#[derive(Clone, PartialEq, Eq)]
pub enum Upkeep {
    /// Go through the token table: `None` begins, and a page is read of a segment.
    Sweep(Option<Page>),
    /// Refresh the chat's tokens, if they are due.
    Refresh {
        /// The chat.
        wa_id: WaId,
    },
    /// Store tokens that the table had refused.
    Store {
        /// The chat.
        wa_id: WaId,
        /// The tokens, sealed.
        tokens: SealedText,
    },
    /// Revoke tokens at Salesforce, unless they are in use.
    Revoke(Revoke),
}

/// A page of the walk through the token table.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Which segment of the table, from 0.
    pub segment: u32,
    /// How many there are.
    pub segments: u32,
    /// The last key of the page before; `None` for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_key: Option<String>,
    /// When the sweep began.
    pub started_at: Timestamp,
    /// How long to wait before the next page, in seconds.
    pub pause_s: u32,
}

/// A refresh token that is to be revoked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoke {
    /// The chat that it is sealed for.
    pub wa_id: WaId,
    /// The token.
    #[serde(serialize_with = "text", deserialize_with = "sealed")]
    pub token: SealedText,
    /// The hosts to ask, in this order.
    pub hosts: Vec<String>,
    /// The consent that it came from: while the row is of this consent and not ended, it is in use. `None` where it is in use by nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// The body is no message of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message of the upkeep queue")]
pub struct UnreadableUpkeep;

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u8,
    #[serde(flatten)]
    what: What,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Sweep(Sweep),
    Refresh { wa_id: WaId },
    Store(Store),
    Revoke(Revoke),
}

#[derive(Serialize, Deserialize)]
struct Sweep {
    #[serde(flatten)]
    page: Option<Page>,
}

#[derive(Serialize, Deserialize)]
struct Store {
    wa_id: WaId,
    #[serde(serialize_with = "text", deserialize_with = "sealed")]
    tokens: SealedText,
}

fn text<S: Serializer>(sealed: &SealedText, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(sealed.as_str())
}

fn sealed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SealedText, D::Error> {
    SealedText::parse(&String::deserialize(deserializer)?).ok_or_else(|| serde::de::Error::custom("not sealed"))
}

impl Upkeep {
    /// Reads a body.
    ///
    /// # Errors
    /// [`UnreadableUpkeep`], which quotes nothing of it.
    pub fn parse(body: &str) -> Result<Self, UnreadableUpkeep> {
        let wire: Wire = serde_json::from_str(body).map_err(|_| UnreadableUpkeep)?;
        if wire.v != VERSION {
            return Err(UnreadableUpkeep);
        }
        Ok(match wire.what {
            What::Sweep(Sweep { page }) => Self::Sweep(page),
            What::Refresh { wa_id } => Self::Refresh { wa_id },
            What::Store(Store { wa_id, tokens }) => Self::Store { wa_id, tokens },
            What::Revoke(revoke) => Self::Revoke(revoke),
        })
    }

    /// The body to send.
    #[must_use]
    pub fn to_body(&self) -> String {
        let what = match self.clone() {
            Self::Sweep(page) => What::Sweep(Sweep { page }),
            Self::Refresh { wa_id } => What::Refresh { wa_id },
            Self::Store { wa_id, tokens } => What::Store(Store { wa_id, tokens }),
            Self::Revoke(revoke) => What::Revoke(revoke),
        };
        serde_json::to_string(&Wire { v: VERSION, what }).unwrap_or_default()
    }

    /// `kind` in the log and in metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Sweep(_) => "sweep",
            Self::Refresh { .. } => "refresh",
            Self::Store { .. } => "store",
            Self::Revoke(_) => "revoke",
        }
    }
}

impl fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Upkeep").field(&self.label()).finish()
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("segment", &self.segment).field("segments", &self.segments).finish_non_exhaustive()
    }
}

impl fmt::Debug for Revoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revoke").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AttemptId;

    fn chat() -> WaId {
        "whatsapp:+15551234567".parse().unwrap()
    }

    fn sealed_text() -> SealedText {
        SealedText::parse("sealed:v1:YQ:YQ:YQ").unwrap()
    }

    fn each() -> [Upkeep; 6] {
        let page =
            |start_key| Page { segment: 1, segments: 4, start_key, started_at: Timestamp::from_millis(5), pause_s: 60 };
        let origin = Some(Origin::new(AttemptId::from_bytes([7; 16]), Timestamp::from_millis(5)));
        let revoke = Revoke {
            wa_id: chat(),
            token: sealed_text(),
            hosts: vec!["https://login.salesforce.com".to_owned()],
            origin,
        };
        [
            Upkeep::Sweep(None),
            Upkeep::Sweep(Some(page(None))),
            Upkeep::Sweep(Some(page(Some("whatsapp:+15551234567".to_owned())))),
            Upkeep::Refresh { wa_id: chat() },
            Upkeep::Store { wa_id: chat(), tokens: sealed_text() },
            Upkeep::Revoke(revoke),
        ]
    }

    #[test]
    fn every_message_is_read_as_it_was_sent() {
        for message in each() {
            assert_eq!(Upkeep::parse(&message.to_body()), Ok(message.clone()), "{message:?}");
        }
    }

    #[test]
    fn the_schedulers_message_begins_a_sweep() {
        assert_eq!(Upkeep::parse(r#"{"v":1,"sweep":{}}"#), Ok(Upkeep::Sweep(None)));
    }

    #[test]
    fn what_is_no_message_of_this_version_is_unreadable() {
        for body in [
            "",
            "nonsense",
            "{}",
            r#"{"v":1}"#,
            r#"{"v":2,"sweep":{}}"#,
            r#"{"sweep":{}}"#,
            r#"{"v":1,"refresh":{}}"#,
            r#"{"v":1,"refresh":{"wa_id":"nobody"}}"#,
            r#"{"v":1,"store":{"wa_id":"whatsapp:+15551234567","tokens":"5Aep861!"}}"#,
            r#"{"v":1,"other":{}}"#,
        ] {
            assert_eq!(Upkeep::parse(body), Err(UnreadableUpkeep), "{body}");
        }
    }

    #[test]
    fn debug_hides_what_a_message_holds() {
        for message in each() {
            let debug = format!("{message:?}");
            assert!(!debug.contains("1555") && !debug.contains("YQ"), "{debug}");
        }
    }
}
