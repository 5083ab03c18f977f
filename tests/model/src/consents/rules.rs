//! The rules of the order of consents, each broken in turn.

use super::scenario::{FORGED, FOUR_CODES, REFUSED_BESIDE_RIGHT, REVOKED_BEFORE, Scenario, TWO_CODES, TWO_PRESSES};

/// The broken rule, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Broken {
    /// None: the functions' own rules.
    #[default]
    Nothing,
    /// The consent that is stored first wins.
    FirstWins,
    /// Tokens are stored over those of a later consent.
    LaterReplaced,
    /// A link from before a revocation connects again.
    TombstoneIgnored,
    /// A new connection removes the time of a revocation.
    RevocationForgotten,
    /// Tokens are replaced that nobody has read before.
    ReplacedUnseen,
    /// What is replaced is not revoked.
    ReplacedKept,
    /// What is replaced is put on the queue after the transaction.
    RevokeAfterwards,
    /// The message with what is replaced is received before the transaction is made.
    RevokeTooEarly,
    /// Tokens are revoked that are still in the row.
    RevokeWhatIsStored,
    /// The tokens of an overtaken consent are left alone.
    OvertakenKept,
    /// A failure is told without a look at later consents.
    FailureUnchecked,
    /// A refused callback ends an attempt that the right one has begun.
    RefusedOverrules,
    /// A forged message is accepted.
    ForgedAccepted,
    /// A claim succeeds whether or not a lease has expired.
    LeaseIgnored,
    /// A second approval of a connected login is dropped.
    SecondUnanswered,
    /// Any number of codes of one attempt is tried.
    CodesUnbounded,
}

impl Broken {
    /// Each of them, with its description and the scenario that detects it.
    pub const ALL: [(Self, &'static str, &'static Scenario); 16] = [
        (Self::FirstWins, "the consent that is stored first wins", &TWO_PRESSES),
        (Self::LaterReplaced, "tokens are stored over those of a later consent", &TWO_PRESSES),
        (Self::TombstoneIgnored, "a link from before a revocation counts", &REVOKED_BEFORE),
        (Self::RevocationForgotten, "a new connection removes the time of a revocation", &REVOKED_BEFORE),
        (Self::ReplacedUnseen, "tokens are replaced unseen", &TWO_PRESSES),
        (Self::ReplacedKept, "what is replaced is not revoked", &TWO_PRESSES),
        (Self::RevokeAfterwards, "what is replaced is queued after the transaction", &TWO_PRESSES),
        (Self::RevokeTooEarly, "what is replaced is not delayed on the queue", &TWO_PRESSES),
        (Self::RevokeWhatIsStored, "tokens are revoked that are in the row", &TWO_PRESSES),
        (Self::OvertakenKept, "the tokens of an overtaken consent are kept", &TWO_PRESSES),
        (Self::FailureUnchecked, "a failure is told whatever came later", &TWO_PRESSES),
        (Self::RefusedOverrules, "a refused callback overrules the right one", &REFUSED_BESIDE_RIGHT),
        (Self::ForgedAccepted, "a forged message is accepted", &FORGED),
        (Self::LeaseIgnored, "a claim ignores the lease", &TWO_CODES),
        (Self::SecondUnanswered, "a second approval of a connected login is dropped", &TWO_CODES),
        (Self::CodesUnbounded, "any number of codes is tried", &FOUR_CODES),
    ];
}
