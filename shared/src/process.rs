//! The edge of a process: the one place that reads the clock, the environment and the system's
//! randomness. Only a `main.rs` calls it; everything else takes these as arguments.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};

use crate::{Settings, Timestamp, timestamp::millis};

/// The time by the system's clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the edge that main.rs uses")]
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(millis(since_epoch))
}

/// The process's environment.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the edge that main.rs uses")]
pub fn environment() -> Settings<impl Fn(&str) -> Option<String>> {
    Settings::new(|name| std::env::var(name).ok())
}

/// The system's source of random bytes failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot get random bytes from the system")]
pub struct NoRandomness;

/// A source of random bytes: [`random`] in `main.rs`, a counter in tests.
pub type Random = fn(&mut [u8]) -> Result<(), NoRandomness>;

/// Fills the buffer with cryptographically secure random bytes.
///
/// # Errors
/// [`NoRandomness`].
#[expect(clippy::disallowed_methods, reason = "this is the edge that main.rs uses")]
pub fn random(buffer: &mut [u8]) -> Result<(), NoRandomness> {
    SystemRandom::new().fill(buffer).map_err(|_| NoRandomness)
}
