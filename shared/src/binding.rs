//! Binds a login to the browser that began it.
//!
//! A signed state alone does not stop an attacker who sends their own link to a victim
//! ("cross-user OAuth session fixation"). So the browser that pressed the button has a secret in a
//! cookie, the state has its hash, and the callback needs both.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{Context, SHA256};
use secrecy::{ExposeSecret, SecretString};

use crate::AttemptId;

/// The name of the cookie. The `__Host-` prefix restricts it to this host and to TLS, without
/// `Domain` (RFC 6265bis §4.1.3.2).
pub const COOKIE_NAME: &str = "__Host-connect";

/// 32 bytes in base64url.
const SECRET_LENGTH: usize = 43;

/// A browser's secret, the value of its cookie: 32 random bytes in base64url.
#[derive(Clone)]
pub struct BrowserSecret(SecretString);

/// The SHA-256 of a browser's secret and an attempt, truncated to 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrowserBinding(pub(crate) [u8; Self::LENGTH]);

impl BrowserSecret {
    /// A new secret of 32 random bytes.
    #[must_use]
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// The secrets in `Cookie` headers, each with one `name=value` or several. Malformed ones are skipped.
    pub fn among<'a>(cookies: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = Self> {
        cookies
            .into_iter()
            .flat_map(|header| header.split(';'))
            .filter_map(|cookie| cookie.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
            .filter(|value| {
                value.len() == SECRET_LENGTH
                    && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            })
            .map(|value| Self(value.into()))
    }

    /// The hash that the state of this attempt carries.
    #[must_use]
    pub fn binding(&self, attempt: AttemptId) -> BrowserBinding {
        let mut context = Context::new(&SHA256);
        context.update(self.0.expose_secret().as_bytes());
        context.update(b".");
        context.update(attempt.as_bytes());
        let mut binding = [0; BrowserBinding::LENGTH];
        binding.copy_from_slice(&context.finish().as_ref()[..BrowserBinding::LENGTH]);
        BrowserBinding(binding)
    }

    /// The `Set-Cookie` value that sets or renews the cookie; `max_age` in seconds.
    #[must_use]
    pub fn set_cookie(&self, max_age: u64) -> String {
        let value = self.0.expose_secret();
        format!("{COOKIE_NAME}={value}; Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite=Lax")
    }
}

impl BrowserBinding {
    /// In bytes.
    pub const LENGTH: usize = 16;
}

impl fmt::Debug for BrowserSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrowserSecret").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt() -> AttemptId {
        AttemptId::from_bytes([1; 16])
    }

    #[test]
    fn a_cookie_that_was_set_is_found_among_others() {
        let secret = BrowserSecret::from_random(&[5; 32]);
        let set_cookie = secret.set_cookie(60);
        let cookie = set_cookie.split(';').next().unwrap();
        let header = format!("theme=dark; {cookie}; lang=en");
        let found: Vec<_> = BrowserSecret::among([header.as_str()]).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].binding(attempt()), secret.binding(attempt()));
    }

    #[test]
    fn malformed_cookies_are_skipped() {
        let long = format!("{COOKIE_NAME}={}", "a".repeat(44));
        for cookie in ["", "__Host-connect=", "__Host-connect=short", "__Host-connected=x", long.as_str()] {
            assert_eq!(BrowserSecret::among([cookie]).count(), 0, "{cookie}");
        }
    }

    #[test]
    fn a_binding_belongs_to_one_browser_and_one_attempt() {
        let secret = BrowserSecret::from_random(&[5; 32]);
        assert_ne!(secret.binding(attempt()), secret.binding(AttemptId::from_bytes([2; 16])));
        assert_ne!(secret.binding(attempt()), BrowserSecret::from_random(&[6; 32]).binding(attempt()));
    }

    #[test]
    fn debug_hides_the_secret() {
        assert_eq!(format!("{:?}", BrowserSecret::from_random(&[5; 32])), "BrowserSecret { .. }");
    }
}
