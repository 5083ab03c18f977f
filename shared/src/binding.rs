//! Binds a login to the browser that began it.
//!
//! A signed state alone does not stop an attacker who sends their own link to a victim
//! ("cross-user OAuth session fixation"). So the browser that pressed the button has a secret in a
//! cookie, the state has its hash, and the callback needs both.
//!
//! An attacker may plant cookies of their own in the victim's browser, e.g. from a sibling domain. The `__Host-` prefix
//! keeps them from planting one of our name; so a cookie is ours only if its name is, byte for byte. Each login has a
//! cookie of its own, with a secret that the browser has never had before.

mod used;

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{Context, SHA256};
use secrecy::{ExposeSecret, SecretString};

pub use self::used::{Used, UsedLogin};
use crate::{AttemptId, proof::ChatCode};

/// What every cookie's name begins with. The `__Host-` prefix restricts a cookie to this host and to TLS, without
/// `Domain` (RFC 6265bis §4.1.3.2).
const NAME: &str = "__Host-connect";

/// 32 bytes in base64url.
const SECRET_LENGTH: usize = 43;

/// How many logins a browser may have under way: more of our cookies would make the `Cookie` header too long for the
/// API, which takes 10 KB of headers.
const MAX_COOKIES: usize = 8;

/// How many cookies one answer clears, because an answer's headers are limited too.
const MAX_CLEARED: usize = 32;

/// The name of a login's cookie: `__Host-connect-<attempt id>`, or `__Host-connect` for states of version 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CookieName(Option<AttemptId>);

/// A browser's secret, the value of its cookie: 32 random bytes in base64url.
#[derive(Clone)]
pub struct BrowserSecret(SecretString);

/// The SHA-256 of a browser's secret and an attempt, truncated to 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrowserBinding(pub(crate) [u8; Self::LENGTH]);

impl CookieName {
    /// The name for states of version 1, which all logins of a browser shared.
    pub const VERSION_1: Self = Self(None);

    /// The name for one attempt's login.
    #[must_use]
    pub const fn of(attempt: AttemptId) -> Self {
        Self(Some(attempt))
    }

    /// The `Set-Cookie` value that removes the cookie.
    #[must_use]
    pub fn clear(self) -> String {
        format!("{self}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
    }

    /// The oldest of the logins' cookies that a browser has too many of. Browsers send older cookies first
    /// (RFC 6265 §5.4).
    #[must_use]
    pub fn surplus<'a>(cookies: impl IntoIterator<Item = &'a [u8]>) -> Vec<Self> {
        let ours: Vec<_> = pairs(cookies).filter_map(|(name, _)| Self::parse(name)).collect();
        let surplus = ours.len().saturating_sub(MAX_COOKIES).min(MAX_CLEARED);
        ours[..surplus].to_vec()
    }

    /// Reads the name of one attempt's cookie.
    fn parse(name: &[u8]) -> Option<Self> {
        let id = name.strip_prefix(NAME.as_bytes())?.strip_prefix(b"-")?;
        std::str::from_utf8(id).ok()?.parse().ok().map(Self::of)
    }
}

impl fmt::Display for CookieName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(attempt) => write!(f, "{NAME}-{attempt}"),
            None => f.write_str(NAME),
        }
    }
}

/// The names and values in `Cookie` headers, in bytes: only spaces and tabs are stripped around a pair. What else may
/// look like white space is a character of the name, as it is for the browser.
fn pairs<'a>(cookies: impl IntoIterator<Item = &'a [u8]>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    cookies.into_iter().flat_map(|header| header.split(|&byte| byte == b';')).filter_map(|pair| {
        let pair = strip(pair);
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        Some((&pair[..equals], &pair[equals + 1..]))
    })
}

fn strip(mut pair: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = pair {
        pair = rest;
    }
    pair
}

impl BrowserSecret {
    /// A new secret of 32 random bytes.
    #[must_use]
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// The secret of the only cookie of this name in `Cookie` headers, each with one `name=value` or several.
    ///
    /// `None` where there is no such cookie, where it is malformed, and where there are several: browsers hold one of a
    /// `__Host-` name, so another one was planted.
    #[must_use]
    pub fn find<'a>(cookies: impl IntoIterator<Item = &'a [u8]>, name: CookieName) -> Option<Self> {
        let name = name.to_string();
        let mut values = pairs(cookies).filter(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value);
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let is_secret = value.len() == SECRET_LENGTH
            && value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        std::str::from_utf8(value).ok().filter(|_| is_secret).map(|value| Self(value.into()))
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

    /// The code that this browser's person sends from the chat, to confirm this attempt.
    #[must_use]
    pub fn chat_code(&self, attempt: AttemptId) -> ChatCode {
        ChatCode::derive(self.0.expose_secret(), attempt)
    }

    /// The `Set-Cookie` value that sets the cookie; `max_age` in seconds.
    #[must_use]
    pub fn set_cookie(&self, name: CookieName, max_age: u64) -> String {
        let value = self.0.expose_secret();
        format!("{name}={value}; Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite=Lax")
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
    use proptest::prelude::*;

    use super::*;

    const ATTEMPT: AttemptId = AttemptId::from_bytes([1; 16]);
    const NAMES: [CookieName; 2] = [CookieName::of(ATTEMPT), CookieName::VERSION_1];

    fn secret() -> BrowserSecret {
        BrowserSecret::from_random(&[5; 32])
    }

    /// The cookie as the browser sends it back.
    fn cookie(name: CookieName) -> String {
        secret().set_cookie(name, 60).split(';').next().unwrap().to_owned()
    }

    fn is_found(header: &[u8], name: CookieName) -> bool {
        let binding = secret().binding(ATTEMPT);
        BrowserSecret::find([header], name).is_some_and(|secret| secret.binding(ATTEMPT).matches(&binding))
    }

    #[test]
    fn a_cookie_that_was_set_is_found_among_others() {
        for name in NAMES {
            let header = format!("theme=dark; {};\tlang=en", cookie(name));
            assert!(is_found(header.as_bytes(), name), "{name}");
        }
    }

    #[test]
    fn each_attempt_has_a_name_of_its_own() {
        let other = CookieName::of(AttemptId::from_bytes([2; 16]));
        assert_eq!(NAMES[0].to_string(), "__Host-connect-01010101010101010101010101010101");
        assert_eq!(NAMES[1].to_string(), "__Host-connect");
        for (set, wanted) in [(other, NAMES[0]), (NAMES[1], NAMES[0]), (NAMES[0], NAMES[1])] {
            assert!(!is_found(cookie(set).as_bytes(), wanted), "{set} for {wanted}");
        }
    }

    #[test]
    fn a_malformed_cookie_is_no_secret() {
        for name in NAMES {
            let values = ["", "short", &"a".repeat(44), &"=".repeat(43), &format!("\"{}\"", "a".repeat(43))];
            for value in values.map(|value| format!("{name}={value}")) {
                assert!(BrowserSecret::find([value.as_bytes()], name).is_none(), "{value}");
            }
            assert!(BrowserSecret::find([name.to_string().as_bytes()], name).is_none());
        }
    }

    /// White space of Unicode, as text and as the single bytes of Latin-1, control characters, quotes.
    #[test]
    fn only_spaces_and_tabs_are_stripped_around_a_cookie() {
        for name in NAMES {
            let cookie = cookie(name).into_bytes();
            for space in [" ", "\t", " \t "] {
                let padded = [space.as_bytes(), &cookie, space.as_bytes()].concat();
                assert!(is_found(&padded, name), "{space:?}");
            }
            for odd in ["\u{2000}", "\u{a0}", "\u{85}", "\u{feff}", "\u{b}", "\u{c}", "\r", "\n", "\0", "\"", ","] {
                for planted in [[odd.as_bytes(), &cookie].concat(), [&cookie, odd.as_bytes()].concat()] {
                    assert!(!is_found(&planted, name), "{odd:?}");
                }
            }
            for odd in [0xa0, 0x85, 0xff] {
                assert!(!is_found(&[&[odd][..], &cookie].concat(), name), "{odd:#x}");
            }
        }
    }

    #[test]
    fn two_cookies_of_the_name_are_none() {
        for name in NAMES {
            let ours = cookie(name);
            for other in [ours.clone(), format!("{name}=x"), format!("{name}={}", "a".repeat(43))] {
                for pair in [[&ours, &other], [&other, &ours]] {
                    assert!(BrowserSecret::find(pair.map(String::as_bytes), name).is_none());
                    assert!(!is_found(pair.map(String::as_str).join("; ").as_bytes(), name), "{pair:?}");
                }
            }
        }
    }

    #[test]
    fn a_name_of_other_letters_is_another_cookie() {
        for name in NAMES {
            let cookie = cookie(name);
            for other in [cookie.replace("__Host", "__host"), cookie.replacen('=', " =", 1), format!("={cookie}")] {
                assert!(!is_found(other.as_bytes(), name), "{other}");
            }
        }
    }

    #[test]
    fn a_binding_belongs_to_one_browser_and_one_attempt() {
        assert_ne!(secret().binding(ATTEMPT), secret().binding(AttemptId::from_bytes([2; 16])));
        assert_ne!(secret().binding(ATTEMPT), BrowserSecret::from_random(&[6; 32]).binding(ATTEMPT));
    }

    #[test]
    fn the_oldest_cookies_of_too_many_are_surplus() {
        let names: Vec<_> = (0..100).map(|number| CookieName::of(AttemptId::from_bytes([number; 16]))).collect();
        let surplus = |count: usize| {
            let header = names[..count].iter().map(|name| cookie(*name)).collect::<Vec<_>>().join("; ");
            let others = format!("theme=dark; {header}; {}; __Host-connect-x=y", cookie(CookieName::VERSION_1));
            CookieName::surplus([others.as_bytes()])
        };
        assert!(surplus(8).is_empty());
        assert_eq!(surplus(10), names[..2]);
        assert_eq!(surplus(100), names[..MAX_CLEARED]);
    }

    #[test]
    fn a_cookie_is_removed_with_the_attributes_that_it_was_set_with() {
        let removed = NAMES[1].clear();
        assert_eq!(removed, "__Host-connect=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn debug_hides_the_secret() {
        assert_eq!(format!("{:?}", secret()), "BrowserSecret { .. }");
    }

    proptest! {
        /// Whatever a browser's other cookies are named: none is taken for ours.
        #[test]
        fn a_planted_cookie_with_anything_around_its_name_never_binds(
            before in proptest::collection::vec(any::<u8>(), 0..6),
            after in proptest::collection::vec(any::<u8>(), 0..6),
            version_1 in any::<bool>(),
        ) {
            let name = NAMES[usize::from(version_1)];
            let cookie = cookie(name);
            let (text, value) = cookie.split_once('=').unwrap();
            let planted = [&before, text.as_bytes(), &after, b"=", value.as_bytes()].concat();
            // A `;` ends a cookie, and a browser takes it in no name.
            prop_assume!(!before.contains(&b';') && !after.contains(&b';'));
            let is_ours = before.iter().all(|byte| matches!(byte, b' ' | b'\t')) && after.is_empty();
            prop_assert_eq!(is_found(&planted, name), is_ours);
        }

        #[test]
        fn a_planted_cookie_with_unicode_around_it_never_binds(before in "\\PC{1,4}", after in "\\PC{0,4}") {
            prop_assume!(!before.contains(';') && !after.contains(';') && !before.trim_matches(' ').is_empty());
            for name in NAMES {
                let planted = format!("{before}{}{after}", cookie(name));
                prop_assert!(!is_found(planted.as_bytes(), name));
            }
        }
    }
}
