//! The clock and randomness; no other module reads either.

#![allow(clippy::disallowed_methods, reason = "this is the edge where both are read")]

use std::time::{SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom as _, SystemRandom};

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The time that a request is signed with.
pub(crate) fn signing_time() -> SystemTime {
    SystemTime::now()
}

pub(crate) const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// `length` characters of an ASCII `alphabet`, good enough to be unguessable in a test.
pub(crate) fn random_text(length: usize, alphabet: &[u8]) -> String {
    let mut bytes = vec![0; length];
    #[expect(clippy::expect_used, reason = "a system without randomness cannot run this at all")]
    SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
    bytes.into_iter().map(|byte| char::from(alphabet[usize::from(byte) % alphabet.len()])).collect()
}
