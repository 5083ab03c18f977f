//! The message on the exchange queue: what a callback brought, for the token exchanger.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{AttemptId, AuthorizationCode, LoginUrl, Timestamp, WaId};

/// How long after its callback a code is tried: a minute less than the 15 minutes after which it expires at Salesforce
/// (Salesforce Help, "OAuth 2.0 Web Server Flow").
pub const CODE_LIFETIME: Duration = Duration::from_mins(14);

/// One callback. `received_at` is the only clock for the code's age: a redrive resets the queue's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct ExchangeMessage {
    /// The attempt that the callback belongs to.
    pub attempt_id: AttemptId,
    /// The chat that is to be connected.
    pub wa_id: WaId,
    /// When the callback arrived.
    pub received_at: Timestamp,
    /// The host that issued the code: no other host redeems it.
    pub login_url: LoginUrl,
    /// What the person decided.
    pub consent: Consent,
}

/// What the person decided at Salesforce.
#[derive(Clone, Debug)]
pub enum Consent {
    /// They approved.
    Granted {
        /// The code that the callback brought.
        code: AuthorizationCode,
        /// Whether the authorization request had a PKCE challenge.
        pkce: bool,
    },
    /// They, or Salesforce, refused.
    Denied {
        /// Salesforce's error code.
        error: DenialError,
    },
    /// They approved, and the code has been exchanged for tokens that are still to be stored.
    Exchanged {
        /// The SHA-256 of the code, base64url without padding.
        code_sha256: String,
        /// The tokens, encrypted.
        sealed: Sealed,
    },
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

mod base64_text {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(|_| serde::de::Error::custom("not base64"))
    }
}

/// The `error` of an authorization response (RFC 6749 §4.1.2.1) or of the token endpoint (§5.2): letters, digits, `_`
/// and `-` only, because it comes from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DenialError(String);

impl DenialError {
    /// Accepts an error code of up to 64 of these characters; anything else becomes `unknown`.
    #[must_use]
    pub fn from_untrusted(text: &str) -> Self {
        let plain = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        Self(if plain { text } else { "unknown" }.to_owned())
    }

    /// The error code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for DenialError {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_untrusted(&String::deserialize(deserializer)?))
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
    /// Not exactly one of code, denial and sealed tokens.
    #[error("an exchange message has exactly one of code, denial and sealed tokens")]
    Consent,
}

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    attempt_id: AttemptId,
    wa_id: WaId,
    received_at: Timestamp,
    login_url: LoginUrl,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<AuthorizationCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pkce: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    denied: Option<DenialError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traded: Option<Traded>,
}

#[derive(Serialize, Deserialize)]
struct Traded {
    code_sha256: String,
    #[serde(flatten)]
    sealed: Sealed,
}

impl From<ExchangeMessage> for Wire {
    fn from(message: ExchangeMessage) -> Self {
        let ExchangeMessage { attempt_id, wa_id, received_at, login_url, consent } = message;
        let wire = Self {
            v: VERSION,
            attempt_id,
            wa_id,
            received_at,
            login_url,
            code: None,
            pkce: None,
            denied: None,
            traded: None,
        };
        match consent {
            Consent::Granted { code, pkce } => Self { code: Some(code), pkce: Some(pkce), ..wire },
            Consent::Denied { error } => Self { denied: Some(error), ..wire },
            Consent::Exchanged { code_sha256, sealed } => Self { traded: Some(Traded { code_sha256, sealed }), ..wire },
        }
    }
}

impl TryFrom<Wire> for ExchangeMessage {
    type Error = InvalidMessage;

    fn try_from(wire: Wire) -> Result<Self, InvalidMessage> {
        let Wire { v, attempt_id, wa_id, received_at, login_url, code, pkce, denied, traded } = wire;
        if v != VERSION {
            return Err(InvalidMessage::Version);
        }
        let consent = match (code, pkce, denied, traded) {
            (Some(code), Some(pkce), None, None) => Consent::Granted { code, pkce },
            (None, None, Some(error), None) => Consent::Denied { error },
            (None, None, None, Some(Traded { code_sha256, sealed })) => Consent::Exchanged { code_sha256, sealed },
            _ => return Err(InvalidMessage::Consent),
        };
        Ok(Self { attempt_id, wa_id, received_at, login_url, consent })
    }
}

impl ExchangeMessage {
    /// How long the code can still be tried; zero once it has expired.
    #[must_use]
    pub fn code_time_left(&self, now: Timestamp) -> Duration {
        CODE_LIFETIME.saturating_sub(now.since(self.received_at))
    }

    /// Whether the code is too old to be tried.
    #[must_use]
    pub fn code_has_expired(&self, now: Timestamp) -> bool {
        self.code_time_left(now).is_zero()
    }

    /// The body of the queue's message.
    ///
    /// # Panics
    /// Never: every field has a JSON form.
    #[must_use]
    pub fn to_body(&self) -> String {
        #[expect(clippy::expect_used, reason = "every field has a JSON form")]
        serde_json::to_string(self).expect("every field has a JSON form")
    }

    /// Reads the body of the queue's message.
    ///
    /// # Errors
    /// [`InvalidMessage`]; serde's error is dropped, because it can quote the body.
    pub fn from_body(body: &str) -> Result<Self, InvalidMessage> {
        let wire: Wire = serde_json::from_str(body).map_err(|_| match serde_json::from_str::<Version>(body) {
            Ok(Version { v }) if v != VERSION => InvalidMessage::Version,
            _ => InvalidMessage::Malformed,
        })?;
        wire.try_into()
    }
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn granted() -> Value {
        json!({
            "v": 1,
            "attempt_id": "00000000000000000000000000000007",
            "wa_id": "whatsapp:+15551234567",
            "received_at": 1_790_000_000_000_u64,
            "login_url": "https://login.salesforce.com",
            "code": "aPrxSECRET==",
            "pkce": true,
        })
    }

    fn with(mut value: Value, key: &str, new: Value) -> String {
        value[key] = new;
        value.to_string()
    }

    #[test]
    fn has_the_documented_form() {
        let message = ExchangeMessage::from_body(&granted().to_string()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&message.to_body()).unwrap(), granted());

        let mut denied = granted();
        let fields = denied.as_object_mut().unwrap();
        fields.remove("code");
        fields.remove("pkce");
        fields.insert("denied".to_owned(), json!("access_denied"));
        let message = ExchangeMessage::from_body(&denied.to_string()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&message.to_body()).unwrap(), denied);
    }

    #[test]
    fn carries_sealed_tokens_in_place_of_the_code() {
        let mut traded = granted();
        let fields = traded.as_object_mut().unwrap();
        fields.remove("code");
        fields.remove("pkce");
        fields.insert("traded".to_owned(), json!({"code_sha256": "ab", "key": "a2V5", "data": "ZGF0YQ=="}));
        let message = ExchangeMessage::from_body(&traded.to_string()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&message.to_body()).unwrap(), traded);
        let Consent::Exchanged { sealed, .. } = message.consent else { panic!("{message:?}") };
        assert_eq!((&*sealed.key, &*sealed.data), (&b"key"[..], &b"data"[..]));

        traded["code"] = json!("aPrx==");
        traded["pkce"] = json!(true);
        assert_eq!(ExchangeMessage::from_body(&traded.to_string()).unwrap_err(), InvalidMessage::Consent);
    }

    #[test]
    fn says_what_is_wrong_without_quoting_it() {
        let refusal = |body: &str| ExchangeMessage::from_body(body).unwrap_err();
        assert_eq!(refusal("not json"), InvalidMessage::Malformed);
        assert_eq!(refusal(&with(granted(), "wa_id", json!("sms:1"))), InvalidMessage::Malformed);
        assert_eq!(refusal(&with(granted(), "v", json!(2))), InvalidMessage::Version);
        assert_eq!(refusal(r#"{"v":2,"something":"else"}"#), InvalidMessage::Version);
        assert_eq!(refusal(&with(granted(), "denied", json!("access_denied"))), InvalidMessage::Consent);
        assert_eq!(refusal(&with(granted(), "pkce", Value::Null)), InvalidMessage::Consent);
    }

    #[test]
    fn a_code_expires_a_minute_before_salesforce_says_so() {
        let message = ExchangeMessage::from_body(&granted().to_string()).unwrap();
        let after = |seconds| message.received_at.plus(Duration::from_secs(seconds));
        assert!(!message.code_has_expired(after(839)));
        assert!(message.code_has_expired(after(840)));
        assert_eq!(message.code_time_left(after(830)).as_secs(), 10);
        assert_eq!(message.code_time_left(after(9_000)), Duration::ZERO);
    }

    #[test]
    fn an_error_code_from_outside_is_kept_if_it_is_a_plain_word() {
        assert_eq!(DenialError::from_untrusted("access-denied").as_str(), "access-denied");
        for odd in ["", "<script>", "a b", &"a".repeat(65)] {
            assert_eq!(DenialError::from_untrusted(odd).as_str(), "unknown");
        }
    }

    #[test]
    fn debug_hides_code_and_number() {
        let message = ExchangeMessage::from_body(&granted().to_string()).unwrap();
        let debug = format!("{message:?}");
        assert!(!debug.contains("SECRET") && !debug.contains("1555123"), "{debug}");
    }
}
