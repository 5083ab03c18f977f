//! The authorization code: a secret that works once and for fifteen minutes.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Salesforce states no maximum; the codes seen have 74 characters.
pub const MAX_LENGTH: usize = 2_048;

/// An OAuth authorization code (RFC 6749 §4.1.2), decoded once and never looked into.
#[derive(Clone)]
pub struct AuthorizationCode(SecretString);

/// Why a text is no authorization code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCode {
    /// Nothing there.
    #[error("the code is empty")]
    Empty,
    /// Over [`MAX_LENGTH`] bytes.
    #[error("the code is too long")]
    TooLong,
    /// RFC 6749 appendix A.11 allows visible ASCII and the space alone.
    #[error("the code has a character that is not visible ASCII")]
    Character,
}

impl AuthorizationCode {
    /// # Errors
    /// [`InvalidCode`] says in which way the text is wrong; it never quotes it.
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

    /// The code itself, for the token request and the queue alone.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.0.expose_secret()
    }

    /// SHA-256 of the code in base64url: enough to tell two codes apart, of no use to anyone else.
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
    fn fixes_neither_length_nor_alphabet() {
        for text in ["x", "aPrx.9_A==", &"c".repeat(MAX_LENGTH)] {
            assert_eq!(AuthorizationCode::parse(text.to_owned()).unwrap().secret(), text);
        }
    }

    #[test]
    fn says_in_which_way_a_code_is_wrong() {
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
