//! Version 1 of the message: it says itself whose login it is, so nothing in it is trusted but what a seal proves.
//!
//! Messages of this version are in the queues of a stack that was upgraded. Their sealed tokens are stored, because only
//! the exchanger can have sealed them, for that attempt and chat. Their codes are not exchanged.

use serde::Deserialize;

use super::{DenialError, InvalidMessage, Sealed, Traded};
use crate::{AttemptId, AuthorizationCode, LoginUrl, Timestamp, WaId};

pub(super) const VERSION: u32 = 1;

/// A message of version 1.
#[derive(Clone, Debug)]
pub struct Version1 {
    /// The attempt that it names.
    pub attempt_id: AttemptId,
    /// The chat that it names.
    pub wa_id: WaId,
    /// When it says that the callback arrived.
    pub received_at: Timestamp,
    /// The login host that it names.
    pub login_url: LoginUrl,
    /// What it brings.
    pub content: Content,
}

/// What a message of version 1 brings.
#[derive(Clone, Debug)]
pub enum Content {
    /// A code.
    Code {
        /// The SHA-256 of the code, base64url without padding.
        code_sha256: String,
        /// It began with a plain state.
        is_plain: bool,
    },
    /// The person, or Salesforce, refused.
    Denied {
        /// Salesforce's error code.
        error: DenialError,
    },
    /// Sealed tokens.
    Exchanged {
        /// The SHA-256 of the code, base64url without padding.
        code_sha256: String,
        /// The tokens, encrypted.
        sealed: Sealed,
    },
}

#[derive(Deserialize)]
struct Wire {
    attempt_id: AttemptId,
    wa_id: WaId,
    received_at: Timestamp,
    login_url: LoginUrl,
    code: Option<AuthorizationCode>,
    pkce: Option<bool>,
    denied: Option<DenialError>,
    traded: Option<Traded>,
}

impl Version1 {
    /// Parses a body of this version.
    ///
    /// # Errors
    /// [`InvalidMessage`].
    pub(super) fn parse(body: &str) -> Result<Self, InvalidMessage> {
        let wire: Wire = serde_json::from_str(body).map_err(|_| InvalidMessage::Malformed)?;
        let Wire { attempt_id, wa_id, received_at, login_url, code, pkce, denied, traded } = wire;
        let content = match (code, pkce, denied, traded) {
            (Some(code), Some(pkce), None, None) => Content::Code { code_sha256: code.sha256(), is_plain: !pkce },
            (None, None, Some(error), None) => Content::Denied { error },
            (None, None, None, Some(Traded { code_sha256, sealed })) => Content::Exchanged { code_sha256, sealed },
            _ => return Err(InvalidMessage::Consent),
        };
        Ok(Self { attempt_id, wa_id, received_at, login_url, content })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::exchange::Body;

    fn holding(content: Value) -> Result<Version1, InvalidMessage> {
        let mut body = json!({
            "v": 1,
            "attempt_id": "00000000000000000000000000000007",
            "wa_id": "whatsapp:+15551234567",
            "received_at": 1_790_000_000_000_u64,
            "login_url": "https://login.salesforce.com",
        });
        let Value::Object(content) = content else { panic!("no object") };
        body.as_object_mut().unwrap().extend(content);
        match Body::parse(&body.to_string())? {
            Body::Version1(message) => Ok(message),
            Body::Current(_) => panic!("another version"),
        }
    }

    #[test]
    fn each_content_is_read() {
        let code = holding(json!({"code": "aPrx==", "pkce": true})).unwrap();
        assert!(matches!(code.content, Content::Code { is_plain: false, .. }));
        let plain = holding(json!({"code": "aPrx==", "pkce": false})).unwrap();
        assert!(matches!(plain.content, Content::Code { is_plain: true, .. }));
        let denied = holding(json!({"denied": "access_denied"})).unwrap();
        assert!(matches!(denied.content, Content::Denied { .. }));
        let traded = json!({"traded": {"code_sha256": "ab", "key": "a2V5", "data": "ZGF0YQ=="}});
        assert!(matches!(holding(traded).unwrap().content, Content::Exchanged { .. }));
    }

    #[test]
    fn a_message_has_exactly_one_content() {
        for content in [json!({}), json!({"code": "a", "pkce": true, "denied": "x"}), json!({"code": "a"})] {
            assert_eq!(holding(content).unwrap_err(), InvalidMessage::Consent);
        }
    }
}
