//! Access and refresh tokens, as secrets that never print.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use crate::Timestamp;

/// Access tokens may be JWTs.
const MAX_LENGTH: usize = 16 * 1024;

/// The text is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token (expected 1 to {MAX_LENGTH} visible ASCII characters)")]
pub struct InvalidToken;

/// RFC 6749 appendix A.12 and A.17: visible ASCII; no space, because it goes into a header.
fn parse(text: String) -> Result<SecretString, InvalidToken> {
    let fits = (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.into()) } else { Err(InvalidToken) }
}

macro_rules! token {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Takes a token as it was sent.
            ///
            /// # Errors
            /// [`InvalidToken`].
            pub(crate) fn parse(text: String) -> Result<Self, InvalidToken> {
                parse(text).map(Self)
            }

            /// The token in plain text, for the token table and for Salesforce alone.
            #[must_use]
            pub fn secret(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

impl RefreshToken {
    /// Takes a token as it was stored.
    ///
    /// # Errors
    /// [`InvalidToken`].
    pub fn from_secret(secret: &SecretString) -> Result<Self, InvalidToken> {
        Self::parse(secret.expose_secret().to_owned())
    }
}

token! {
    /// Opens the org's API for some hours.
    AccessToken
}
token! {
    /// Gives new access tokens until it is revoked.
    RefreshToken
}

impl AccessToken {
    /// Takes a token as it was stored.
    ///
    /// # Errors
    /// [`InvalidToken`].
    pub fn from_secret(secret: &SecretString) -> Result<Self, InvalidToken> {
        Self::parse(secret.expose_secret().to_owned())
    }

    /// When it ends, where it says so itself: a JWT's `exp` (RFC 7519 §4.1.4), which is read and not verified.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        #[derive(Deserialize)]
        struct Claims {
            exp: u64,
        }
        let mut parts = self.secret().split('.');
        let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&claims).ok().map(|Claims { exp }| Timestamp::from_seconds(exp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_an_access_token() {
        let token: AccessToken = serde_json::from_str(r#""00Dx!SECRET""#).unwrap();
        assert_eq!(token.secret(), "00Dx!SECRET");
        assert_eq!(format!("{token:?}"), "AccessToken { .. }");
    }

    #[test]
    fn debug_hides_a_refresh_token() {
        let token: RefreshToken = serde_json::from_str(r#""5AepSECRET""#).unwrap();
        assert_eq!(token.secret(), "5AepSECRET");
        assert_eq!(format!("{token:?}"), "RefreshToken { .. }");
    }

    #[test]
    fn accepts_a_jwt_and_rejects_what_is_not_a_token() {
        assert!(parse("e".repeat(MAX_LENGTH)).is_ok());
        for text in ["", "a b", "a\nb", "ü", &"e".repeat(MAX_LENGTH + 1)] {
            assert_eq!(parse(text.to_owned()).unwrap_err(), InvalidToken);
        }
    }

    #[test]
    fn a_jwt_says_when_it_ends_and_an_opaque_token_does_not() {
        let of = |text: &str| AccessToken::parse(text.to_owned()).unwrap().expires_at();
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"uid:005","exp":1790000000}"#);
        assert_eq!(of(&format!("eyJ.{claims}.sig")), Some(Timestamp::from_seconds(1_790_000_000)));
        for other in ["00Dxx!AQ.a.b", "00Dxx!AQ", &format!("{claims}.{claims}"), "a.b.c.d", "..", "a.e30.c"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
