//! Proof that the browser and the chat of a login are one person's. Pure.
//!
//! A link that its owner forwards is opened, pressed and approved by somebody else, in their own browser: no cookie shows
//! that (draft-ietf-oauth-security-topics-update, "cross-user session fixation"). So a word travels from that browser into the
//! chat, and WhatsApp vouches for who sends it. Until it has come from the link's own chat, nothing is connected.
//!
//! [`ChatCode`] is the word, and [`pending`] the row of a login that waits for it.

mod code;
pub mod pending;

use std::str::FromStr;

pub use self::code::{ChatCode, ChatProof, InvalidChatProof, MAX_CODES};

/// Whether a login has to be confirmed in its chat: the setting `CHAT_PROOF`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofPolicy {
    /// Logins connect their chat at once: the bot passes no message on.
    Off,
    /// A login connects its chat when that chat has sent its code.
    Required,
}

/// Neither `Off` nor `Required`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected Off or Required")]
pub struct InvalidProofPolicy;

impl FromStr for ProofPolicy {
    type Err = InvalidProofPolicy;

    fn from_str(text: &str) -> Result<Self, InvalidProofPolicy> {
        match text {
            "Off" => Ok(Self::Off),
            "Required" => Ok(Self::Required),
            _ => Err(InvalidProofPolicy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_said_and_not_guessed() {
        assert_eq!("Off".parse(), Ok(ProofPolicy::Off));
        assert_eq!("Required".parse(), Ok(ProofPolicy::Required));
        for other in ["", "off", "On", "required "] {
            assert_eq!(other.parse::<ProofPolicy>(), Err(InvalidProofPolicy), "{other:?}");
        }
    }
}
