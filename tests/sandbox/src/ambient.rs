//! The clock and randomness; no other module reads either.

#![allow(clippy::disallowed_methods, reason = "this is the edge where both are read")]

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use ring::rand::{SecureRandom as _, SystemRandom};

/// A clock that can be advanced, so that a test ages a code without waiting.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead_ms: AtomicU64,
}

impl Clock {
    /// Milliseconds since the epoch, as Salesforce sees them.
    pub(crate) fn now_ms(&self) -> u64 {
        self.real_ms() + self.ahead_ms.load(Ordering::Relaxed)
    }

    /// Milliseconds since the epoch, never shifted, for measuring latencies.
    #[expect(clippy::unused_self, reason = "one clock, two readings")]
    pub(crate) fn real_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Advances the clock; by how much it is ahead now.
    pub(crate) fn advance(&self, by_ms: u64) -> u64 {
        self.ahead_ms.fetch_add(by_ms, Ordering::Relaxed) + by_ms
    }
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
