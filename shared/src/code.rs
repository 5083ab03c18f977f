//! The authorization code: a secret that is valid once, for fifteen minutes.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest code that is accepted, in bytes. Salesforce documents no maximum; observed codes have 74 characters.
pub const MAX_LENGTH: usize = 2_048;

/// An OAuth authorization code (RFC 6749 §4.1.2): opaque, percent-decoded once.
#[derive(Clone)]
pub struct AuthorizationCode(SecretString);

/// Why a text is not an authorization code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCode {
    /// The text is empty.
    #[error("the code is empty")]
    Empty,
    /// The text is longer than [`MAX_LENGTH`] bytes.
    #[error("the code is too long")]
    TooLong,
    /// RFC 6749 appendix A.11 allows only visible ASCII and spaces.
    #[error("the code contains a character that is not visible ASCII")]
    Character,
}

impl AuthorizationCode {
    /// Checks the length and the characters.
    ///
    /// # Errors
    /// [`InvalidCode`], which never quotes the text.
    pub fn parse(text: String) -> Result<Self, InvalidCode> {
        if text.is_empty() {
            return Err(InvalidCode::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(InvalidCode::TooLong);
        }
        if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(InvalidCode::Character);
        }
        Ok(Self(text.into()))
    }

    /// The code itself: only for the token request and the queue.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.0.expose_secret()
    }

    /// The code's SHA-256 in base64url: identifies the code where the code itself must not be stored.
    #[must_use]
    pub fn sha256(&self) -> String {
        URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, self.secret().as_bytes()))
    }
}

impl Serialize for AuthorizationCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.secret())
    }
}

impl<'de> Deserialize<'de> for AuthorizationCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationCode").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_any_length_and_any_visible_ascii() {
        for text in ["x", "aPrx.9_A==", &"c".repeat(MAX_LENGTH)] {
            assert_eq!(AuthorizationCode::parse(text.to_owned()).unwrap().secret(), text);
        }
    }

    #[test]
    fn an_invalid_code_is_refused_with_the_reason() {
        let refusal = |text: &str| AuthorizationCode::parse(text.to_owned()).unwrap_err();
        assert_eq!(refusal(""), InvalidCode::Empty);
        assert_eq!(refusal(&"c".repeat(MAX_LENGTH + 1)), InvalidCode::TooLong);
        assert_eq!(refusal("a\u{fffd}b"), InvalidCode::Character);
        assert_eq!(refusal("a\nb"), InvalidCode::Character);
    }

    #[test]
    fn debug_hides_the_code() {
        let code = AuthorizationCode::parse("aPrxSECRET==".to_owned()).unwrap();
        assert_eq!(format!("{code:?}"), "AuthorizationCode { .. }");
    }
}
