//! The message on the exchange queue: what a callback brought, for the token exchanger.
//!
//! It carries the state as it came, and nothing that the state says: whoever can write to the queue cannot choose whose
//! login it is, because the exchanger verifies the state again. Version 1 said so in its own words; see [`version1`].

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{AttemptId, AuthorizationCode, Reason, Timestamp, proof::ChatProof};

mod denial;
mod description;
pub mod version1;

pub use self::{
    denial::{Denial, DenialError},
    description::Description,
    version1::Version1,
};

/// How long after its callback a code is tried: a minute less than the 15 minutes after which it expires at Salesforce
/// (Salesforce Help, "OAuth 2.0 Web Server Flow").
pub const CODE_LIFETIME: Duration = Duration::from_mins(14);

/// One callback. `received_at` is the only clock for the code's age: a redrive resets the queue's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct ExchangeMessage {
    /// The state as it came, plain or signed.
    pub state: StateText,
    /// When the callback arrived.
    pub received_at: Timestamp,
    /// What it brought.
    pub consent: Consent,
}

/// The body of a message, in either version.
#[derive(Clone, Debug)]
pub enum Body {
    /// As it is sent now.
    Current(ExchangeMessage),
    /// As an earlier version of the stack sent it.
    Version1(Version1),
}

/// The text of a state. It holds a phone number, and its `Debug` hides it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StateText(String);

/// What the person decided, or what became of it.
#[derive(Clone, Debug)]
pub enum Consent {
    /// They approved.
    Granted {
        /// The code that the callback brought.
        code: AuthorizationCode,
        /// The hash of the code that the chat has to send first; `None` where none is asked for.
        proof: Option<ChatProof>,
    },
    /// They, or Salesforce, refused.
    Denied(Denial),
    /// The receiver refused the callback, whose state is genuine.
    Refused {
        /// Why: [`Reason::is_refusal`].
        reason: Reason,
        /// The SHA-256 of the code that it brought; `None` where it brought none, or its version did not say so.
        code_sha256: Option<String>,
    },
    /// They approved, and the code has been exchanged for tokens that are still to be stored.
    Exchanged {
        /// The SHA-256 of the code, base64url without padding.
        code_sha256: String,
        /// The tokens, encrypted.
        sealed: Sealed,
        /// The hash of the code that the chat has to send first; `None` where none is asked for.
        proof: Option<ChatProof>,
    },
    /// The tokens are held until the chat has sent its code, and it is decided what becomes of them, or time to.
    Decided {
        /// The hash of that code.
        proof: ChatProof,
        /// The SHA-256 of the authorization code, base64url without padding.
        code_sha256: String,
    },
    /// Tokens that are replaced, superseded or dropped, and are still to be revoked at Salesforce.
    Revoke {
        /// The attempt that they are encrypted for.
        attempt_id: AttemptId,
        /// The tokens, encrypted.
        sealed: Sealed,
    },
}

impl StateText {
    /// The text of a state as it came.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateText").finish_non_exhaustive()
    }
}

/// Tokens that the token exchanger could not store at once, and that it alone can decrypt.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sealed {
    /// The key of `data`, encrypted by KMS.
    #[serde(with = "base64_text")]
    pub key: Vec<u8>,
    /// The tokens, encrypted with the key.
    #[serde(with = "base64_text")]
    pub data: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").finish_non_exhaustive()
    }
}

impl Sealed {
    /// Key and tokens in base64, as an item has them.
    #[must_use]
    pub fn to_texts(&self) -> [String; 2] {
        [&self.key, &self.data].map(|bytes| STANDARD.encode(bytes))
    }

    /// Reads what [`Self::to_texts`] made.
    #[must_use]
    pub fn from_texts(key: &str, data: &str) -> Option<Self> {
        Some(Self { key: STANDARD.decode(key).ok()?, data: STANDARD.decode(data).ok()? })
    }
}

mod base64_text {
    use base64::Engine as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::STANDARD;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(|_| serde::de::Error::custom("not base64"))
    }
}

/// Why a body is not an exchange message. The error never quotes the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// Not JSON, or not these fields.
    #[error("the body is not an exchange message")]
    Malformed,
    /// Another version of the format.
    #[error("unknown version of the exchange message")]
    Version,
    /// Not exactly one of code, denial, refusal, sealed tokens, decision and tokens to revoke.
    #[error("an exchange message has exactly one of code, denied, refused, traded, decided and revoke")]
    Consent,
}

const VERSION: u32 = 2;
/// Of messages that need a proof of the chat: a version that knows of none must not connect them without.
const PROOF_VERSION: u32 = 3;

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    state: StateText,
    received_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<AuthorizationCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    denied: Option<Denial>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// Of the code of a refused callback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code_sha256: Option<String>,
    /// With `wrong_browser`: it is the right one, and the login was used. Earlier versions know no such refusal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    used: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traded: Option<Traded>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decided: Option<Decided>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoke: Option<Revoke>,
    /// With `code` and `traded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<ChatProof>,
}

#[derive(Serialize, Deserialize)]
struct Traded {
    code_sha256: String,
    #[serde(flatten)]
    sealed: Sealed,
}

#[derive(Serialize, Deserialize)]
struct Decided {
    proof: ChatProof,
    code_sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Revoke {
    attempt_id: AttemptId,
    #[serde(flatten)]
    sealed: Sealed,
}

impl From<ExchangeMessage> for Wire {
    fn from(ExchangeMessage { state, received_at, consent }: ExchangeMessage) -> Self {
        let wire = Self {
            v: VERSION,
            state,
            received_at,
            code: None,
            denied: None,
            refused: None,
            code_sha256: None,
            used: false,
            traded: None,
            decided: None,
            revoke: None,
            proof: None,
        };
        let version = |proof: &Option<ChatProof>| if proof.is_some() { PROOF_VERSION } else { VERSION };
        match consent {
            Consent::Granted { code, proof } => Self { v: version(&proof), code: Some(code), proof, ..wire },
            Consent::Denied(denial) => Self { denied: Some(denial), ..wire },
            Consent::Refused { reason, code_sha256 } => {
                let used = reason == Reason::UsedLogin;
                let refused = if used { Reason::WrongBrowser } else { reason };
                Self { refused: Some(refused.as_str().to_owned()), code_sha256, used, ..wire }
            }
            Consent::Exchanged { code_sha256, sealed, proof } => {
                Self { v: version(&proof), traded: Some(Traded { code_sha256, sealed }), proof, ..wire }
            }
            Consent::Decided { proof, code_sha256 } => {
                Self { v: PROOF_VERSION, decided: Some(Decided { proof, code_sha256 }), ..wire }
            }
            Consent::Revoke { attempt_id, sealed } => Self { revoke: Some(Revoke { attempt_id, sealed }), ..wire },
        }
    }
}

impl TryFrom<Wire> for ExchangeMessage {
    type Error = InvalidMessage;

    fn try_from(wire: Wire) -> Result<Self, InvalidMessage> {
        let Wire { v, state, received_at, code, denied, refused, code_sha256, used, traded, decided, revoke, proof } =
            wire;
        let is_of_its_version = match v {
            VERSION => proof.is_none() && decided.is_none(),
            PROOF_VERSION => proof.is_some() || decided.is_some(),
            _ => false,
        };
        if !is_of_its_version {
            return Err(InvalidMessage::Version);
        }
        let consent = match (code, denied, refused, traded, decided, revoke) {
            (Some(code), None, None, None, None, None) => Consent::Granted { code, proof },
            (None, None, None, Some(Traded { code_sha256, sealed }), None, None) => {
                Consent::Exchanged { code_sha256, sealed, proof }
            }
            _ if proof.is_some() => return Err(InvalidMessage::Consent),
            (None, Some(denial), None, None, None, None) => Consent::Denied(denial),
            (None, None, Some(reason), None, None, None) => {
                let reason = Reason::parse(&reason).filter(|reason| reason.is_refusal());
                let reason = match reason.ok_or(InvalidMessage::Consent)? {
                    Reason::WrongBrowser if used => Reason::UsedLogin,
                    reason => reason,
                };
                Consent::Refused { reason, code_sha256 }
            }
            (None, None, None, None, Some(Decided { proof, code_sha256 }), None) => {
                Consent::Decided { proof, code_sha256 }
            }
            (None, None, None, None, None, Some(Revoke { attempt_id, sealed })) => {
                Consent::Revoke { attempt_id, sealed }
            }
            _ => return Err(InvalidMessage::Consent),
        };
        Ok(Self { state, received_at, consent })
    }
}

impl ExchangeMessage {
    /// The body of the queue's message.
    ///
    /// # Panics
    /// Never: every field has a JSON form.
    #[must_use]
    pub fn to_body(&self) -> String {
        #[expect(clippy::expect_used, reason = "every field has a JSON form")]
        serde_json::to_string(self).expect("every field has a JSON form")
    }
}

impl Body {
    /// Reads the body of the queue's message.
    ///
    /// # Errors
    /// [`InvalidMessage`]; serde's error is dropped, because it can quote the body.
    pub fn parse(body: &str) -> Result<Self, InvalidMessage> {
        let Version { v } = serde_json::from_str(body).map_err(|_| InvalidMessage::Malformed)?;
        match v {
            VERSION | PROOF_VERSION => {
                let wire: Wire = serde_json::from_str(body).map_err(|_| InvalidMessage::Malformed)?;
                wire.try_into().map(Self::Current)
            }
            version1::VERSION => Version1::parse(body).map(Self::Version1),
            _ => Err(InvalidMessage::Version),
        }
    }
}

/// How long a code that was received then can still be tried; zero once it has expired.
#[must_use]
pub fn code_time_left(received_at: Timestamp, now: Timestamp) -> Duration {
    CODE_LIFETIME.saturating_sub(now.since(received_at))
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[cfg(test)]
mod tests;
