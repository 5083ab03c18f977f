//! One person's attempt to connect: its id, its states, and its row in the table `connection_attempts`.
//!
//! [`Item`] is the row as it is read, [`Outcome`] is how an attempt ended, [`ledger`] holds the rules of writing the row,
//! as data, and [`index`] is what rows are listed by. The [end](End) of a connection is an outcome with a row of its own.

use ring::digest::{Context, SHA256};

use crate::{AuthorizationCode, Timestamp, WaId, id::random_id};

mod end;
pub mod index;
pub mod intent;
mod item;
pub mod last_error;
pub mod ledger;
pub mod message;
mod outcome;
mod ways;

pub use end::{End, EndReason};
pub use item::{Item, UnreadableItem, attr};
pub use ledger::RETENTION;
pub use outcome::{Account, Next, Outcome, Reason};
pub use ways::Ways;

/// Denials without a signed state differ in nothing but chat and time: one attempt for each chat and this many
/// milliseconds.
const DENIAL_WINDOW_MS: u64 = 10 * 60 * 1000;

random_id! {
    /// The id of one attempt to connect: 128 bits, printed as 32 hexadecimal digits.
    AttemptId
}

impl AttemptId {
    /// The id of an attempt without a signed state, derived from its code: a reloaded callback has the same code, and
    /// so is the same attempt.
    #[must_use]
    pub fn of_code(code: &AuthorizationCode) -> Self {
        Self::of_code_sha256(&code.sha256())
    }

    /// The same, by the [SHA-256 of the code](AuthorizationCode::sha256).
    #[must_use]
    pub fn of_code_sha256(sha256: &str) -> Self {
        Self::hashed(&[b"plain-attempt:v2:", sha256.as_bytes()])
    }

    /// The id of what is said about one more approval of a login. The id of the approval after that is made of this one.
    #[must_use]
    pub fn of_second_approval(self) -> Self {
        Self::hashed(&[b"second-approval:v1:", self.to_string().as_bytes()])
    }

    /// The id of a denial without a signed state.
    #[must_use]
    pub fn of_denial(wa_id: &WaId, received_at: Timestamp) -> Self {
        let window = (received_at.millis() / DENIAL_WINDOW_MS).to_be_bytes();
        Self::hashed(&[b"plain-denial:v1:", &window, wa_id.as_str().as_bytes()])
    }

    /// The id of the end of a chat's connection: of the one that this attempt made, that was consented to and whose tokens
    /// were issued at these times, in milliseconds. What the row does not say is missing or zero.
    #[must_use]
    pub fn of_end(wa_id: &WaId, connected_by: Option<Self>, consented_at: u64, issued_at: u64) -> Self {
        let attempt = connected_by.map(|id| id.to_string()).unwrap_or_default();
        let lengths = [u8::from(connected_by.is_some())];
        let (consented_at, issued_at) = (consented_at.to_be_bytes(), issued_at.to_be_bytes());
        let parts: [&[u8]; 6] =
            [b"connection-end:v1:", &lengths, attempt.as_bytes(), &consented_at, &issued_at, wa_id.as_str().as_bytes()];
        Self::hashed(&parts)
    }

    fn hashed(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(part);
        }
        let mut id = [0; Self::LENGTH];
        id.copy_from_slice(&context.finish().as_ref()[..Self::LENGTH]);
        Self::from_bytes(id)
    }
}

/// The status of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// An exchanger holds it under a lease, or was killed holding it.
    Exchanging,
    /// The code was exchanged, and the tokens are held until the chat confirms the login.
    Unconfirmed,
    /// Outcome: the tokens are stored.
    Connected,
    /// Outcome: failed finally, for a [`Reason`].
    Failed,
    /// Outcome for now: it takes longer, and an operator has to help.
    Delayed,
    /// Outcome: a connection ended, for an [`EndReason`]. No exchange claims such a row.
    Ended,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Exchanging, Self::Unconfirmed, Self::Connected, Self::Failed, Self::Delayed, Self::Ended];

    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exchanging => "exchanging",
            Self::Unconfirmed => "unconfirmed",
            Self::Connected => "connected",
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Ended => "ended",
        }
    }

    /// Parses the stored form; `None` where it is unknown.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::InvalidId;

    #[test]
    fn a_reload_is_the_same_attempt() {
        let code = |text: &str| AuthorizationCode::parse(text.to_owned()).unwrap();
        assert_eq!(AttemptId::of_code(&code("a==")), AttemptId::of_code(&code("a==")));
        assert_ne!(AttemptId::of_code(&code("a==")), AttemptId::of_code(&code("b==")));
    }

    #[test]
    fn a_denial_repeated_at_once_is_the_same_attempt() {
        let wa_id: WaId = "whatsapp:+15551234567".parse().unwrap();
        let at = |minutes: u64| AttemptId::of_denial(&wa_id, Timestamp::from_seconds(minutes * 60));
        assert_eq!(at(0), at(9));
        assert_ne!(at(0), at(10));
    }

    #[test]
    fn rejects_what_is_not_an_id() {
        for text in ["", "0", &"g".repeat(32), &"A".repeat(32), &"a".repeat(33), "+0000000000000000000000000000000"] {
            assert_eq!(text.parse::<AttemptId>(), Err(InvalidId), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_id_parses_to_the_same_id(bytes in any::<[u8; 16]>()) {
            let id = AttemptId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse::<AttemptId>().unwrap(), id);
        }
    }
}
