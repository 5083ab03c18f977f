//! Access and refresh tokens, as secrets that never print.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

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
            pub(super) fn parse(text: String) -> Result<Self, InvalidToken> {
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

token! {
    /// Opens the org's API for some hours.
    AccessToken
}
token! {
    /// Gives new access tokens until it is revoked.
    RefreshToken
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
}
