//! The messages of the upkeep queue: what is to be done for stored connections. Pure.
//!
//! JSON with a version. A body holds sealed tokens and a chat's address: it is never logged.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Timestamp, WaId,
    connection::{Origin, SealedText},
    exchange::{Consent, ExchangeMessage},
};

const VERSION: u8 = 1;

/// A message of the upkeep queue.
#[derive(Clone)]
pub enum Upkeep {
    /// Begin to go through the token table.
    Sweep,
    /// Go on with it: a page of a segment.
    Page(Page),
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
    /// The time for a chat's confirmation is over: this message goes on the exchange queue.
    Decide(Box<ExchangeMessage>),
}

/// How many segments the token table is walked through in at most.
pub const MAX_SEGMENTS: u32 = 1_000;

/// A page of the walk through the token table.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Which segment of the table, from 0.
    pub segment: u32,
    /// How many there are: [`MAX_SEGMENTS`] at most.
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

/// Exactly one of the kinds is there. What is not understood of it is not left out: a page that could not be read would be the
/// beginning of another sweep.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wire {
    v: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep: Option<Sweep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<Page>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<Refresh>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<Store>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoke: Option<Revoke>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decide: Option<Box<ExchangeMessage>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sweep {}

#[derive(Serialize, Deserialize)]
struct Refresh {
    wa_id: WaId,
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
        let decide = wire.decide.filter(|message| matches!(message.consent, Consent::Decided { .. }));
        match (wire.sweep, wire.page, wire.refresh, wire.store, wire.revoke, decide) {
            (Some(Sweep {}), None, None, None, None, None) => Ok(Self::Sweep),
            (None, Some(page), None, None, None, None) if page.is_of_a_table() => Ok(Self::Page(page)),
            (None, None, Some(Refresh { wa_id }), None, None, None) => Ok(Self::Refresh { wa_id }),
            (None, None, None, Some(Store { wa_id, tokens }), None, None) => Ok(Self::Store { wa_id, tokens }),
            (None, None, None, None, Some(revoke), None) => Ok(Self::Revoke(revoke)),
            (None, None, None, None, None, Some(message)) => Ok(Self::Decide(message)),
            _ => Err(UnreadableUpkeep),
        }
    }

    /// The body to send.
    #[must_use]
    pub fn to_body(&self) -> String {
        let mut wire = Wire { v: VERSION, ..Wire::default() };
        match self.clone() {
            Self::Sweep => wire.sweep = Some(Sweep {}),
            Self::Page(page) => wire.page = Some(page),
            Self::Refresh { wa_id } => wire.refresh = Some(Refresh { wa_id }),
            Self::Store { wa_id, tokens } => wire.store = Some(Store { wa_id, tokens }),
            Self::Revoke(revoke) => wire.revoke = Some(revoke),
            Self::Decide(message) => wire.decide = Some(message),
        }
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// `kind` in the log and in metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Sweep | Self::Page(_) => "sweep",
            Self::Refresh { .. } => "refresh",
            Self::Store { .. } => "store",
            Self::Revoke(_) => "revoke",
            Self::Decide(_) => "decide",
        }
    }
}

impl Page {
    fn is_of_a_table(&self) -> bool {
        self.segment < self.segments && self.segments <= MAX_SEGMENTS
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
    use crate::{AttemptId, AuthorizationCode, exchange::StateText, proof::ChatProof};

    fn chat() -> WaId {
        "whatsapp:+15551234567".parse().unwrap()
    }

    fn sealed_text() -> SealedText {
        SealedText::parse("sealed:v1:YQ:YQ:YQ").unwrap()
    }

    fn decide(consent: Consent) -> Upkeep {
        let state = StateText::new("wa:whatsapp:+15551234567~YQ".to_owned());
        Upkeep::Decide(Box::new(ExchangeMessage { state, received_at: Timestamp::from_millis(5), consent }))
    }

    fn each() -> [Upkeep; 7] {
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
            Upkeep::Sweep,
            Upkeep::Page(page(None)),
            Upkeep::Page(page(Some("whatsapp:+15551234567".to_owned()))),
            Upkeep::Refresh { wa_id: chat() },
            Upkeep::Store { wa_id: chat(), tokens: sealed_text() },
            Upkeep::Revoke(revoke),
            decide(Consent::Decided {
                proof: ChatProof::parse(&"A".repeat(43)).unwrap(),
                code_sha256: "YQ".to_owned(),
            }),
        ]
    }

    #[test]
    fn every_message_is_read_as_it_was_sent() {
        for message in each() {
            let read = Upkeep::parse(&message.to_body()).unwrap();
            assert_eq!((read.label(), read.to_body()), (message.label(), message.to_body()));
        }
    }

    #[test]
    fn no_message_but_a_decision_goes_on_to_the_exchange_queue() {
        let code = AuthorizationCode::parse("aPrx".to_owned()).unwrap();
        let granted = decide(Consent::Granted { code, proof: None });
        assert!(Upkeep::parse(&granted.to_body()).is_err());
    }

    #[test]
    fn the_schedulers_message_begins_a_sweep() {
        assert!(matches!(Upkeep::parse(r#"{"v":1,"sweep":{}}"#), Ok(Upkeep::Sweep)));
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
            assert_eq!(Upkeep::parse(body).err(), Some(UnreadableUpkeep), "{body}");
        }
    }

    #[test]
    fn a_page_that_is_not_understood_begins_no_sweep() {
        let page = r#"{"v":1,"page":{"segment":1,"segments":4,"started_at":5,"pause_s":60}}"#;
        assert!(matches!(Upkeep::parse(page), Ok(Upkeep::Page(_))));
        for (part, other) in [
            (r#""segment":1"#, r#""segment":-1"#),
            (r#""segment":1"#, r#""segment":4"#),
            (r#""segments":4"#, r#""segments":1001"#),
            (r#""segments":4"#, r#""parts":4"#),
            (r#""started_at":5"#, r#""started_at":"5""#),
            (r#""pause_s":60"#, r#""pause_s":60,"of_a_newer_version":1"#),
            (r#""page""#, r#""sweep""#),
            (r#""v":1"#, r#""v":1,"sweep":{}"#),
        ] {
            assert_eq!(Upkeep::parse(&page.replace(part, other)).err(), Some(UnreadableUpkeep), "{other}");
        }
        assert!(Upkeep::parse(r#"{"v":1,"sweep":null}"#).is_err());
    }

    #[test]
    fn debug_hides_what_a_message_holds() {
        for message in each() {
            let debug = format!("{message:?}");
            assert!(!debug.contains("1555") && !debug.contains("YQ"), "{debug}");
        }
    }
}
