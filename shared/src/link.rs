//! What a connect link carries, before it is sealed.
//!
//! A link is sealed by KMS ([`crate::aws::kms`]): nobody else can make one, no phone number can
//! be read from its address, and nothing is stored.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{AttemptId, LoginUrl, Timestamp, WaId};

/// The longest link looked at, in characters: a sealed one has some 400.
pub const MAX_LENGTH: usize = 1_500;

/// An invitation to connect, for one person at one login host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Which attempt it will be.
    #[serde(rename = "a")]
    pub attempt_id: AttemptId,
    /// Whose chat.
    #[serde(rename = "w")]
    pub wa_id: WaId,
    /// Where they log in.
    #[serde(rename = "l")]
    pub login_url: LoginUrl,
    /// Until when the page opens.
    #[serde(rename = "e")]
    pub expires_at: Timestamp,
}

/// The text in a link's address is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a connect link")]
pub struct InvalidLink;

impl Link {
    /// A link that starts to live now.
    #[must_use]
    pub fn new(attempt_id: AttemptId, wa_id: WaId, login_url: LoginUrl, now: Timestamp, lifetime: Duration) -> Self {
        Self { attempt_id, wa_id, login_url, expires_at: now.plus(lifetime) }
    }

    /// What is sealed.
    ///
    /// # Panics
    /// Never: every field has a JSON form.
    #[must_use]
    pub fn to_plaintext(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "every field has a JSON form")]
        serde_json::to_vec(self).expect("every field has a JSON form")
    }

    /// Reads what was sealed.
    ///
    /// # Errors
    /// [`InvalidLink`].
    pub fn from_plaintext(bytes: &[u8]) -> Result<Self, InvalidLink> {
        serde_json::from_slice(bytes).map_err(|_| InvalidLink)
    }
}

/// The part of the address that stands for a sealed link.
#[must_use]
pub fn encode(sealed: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(sealed)
}

/// The sealed link that a part of an address stands for.
///
/// # Errors
/// [`InvalidLink`] where it cannot stand for one.
pub fn decode(text: &str) -> Result<Vec<u8>, InvalidLink> {
    if text.len() > MAX_LENGTH {
        return Err(InvalidLink);
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidLink)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_sealing() {
        let link = Link::new(
            AttemptId::from_bytes([3; 16]),
            "whatsapp:US.ABC123XYZ".parse().unwrap(),
            "https://test.salesforce.com".parse().unwrap(),
            Timestamp::from_seconds(100),
            Duration::from_mins(15),
        );
        assert_eq!(link.expires_at, Timestamp::from_seconds(1_000));
        assert_eq!(Link::from_plaintext(&link.to_plaintext()), Ok(link));
        assert_eq!(Link::from_plaintext(b"{}"), Err(InvalidLink));
    }

    #[test]
    fn an_address_that_stands_for_nothing_is_refused() {
        assert_eq!(decode(&encode(b"sealed")), Ok(b"sealed".to_vec()));
        assert_eq!(decode("not base64url!"), Err(InvalidLink));
        assert_eq!(decode(&"A".repeat(MAX_LENGTH + 1)), Err(InvalidLink));
    }
}
