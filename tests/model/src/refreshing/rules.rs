//! The rules of refreshing, each broken in turn.

use super::scenario::{
    ACCESS_ENDS, CONSENT, DISCONNECT, FROZEN, OF_AN_EARLIER_VERSION, REFRESHED_TWICE, Scenario, TOLD_LATER, TWO_CALLS,
    UNTOLD,
};

/// The broken rule, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Broken {
    /// None: the functions' own rules.
    #[default]
    Nothing,
    /// A row is claimed whoever has written it since it was read.
    ClaimUnconditional,
    /// A claim ignores the lease of another.
    LeaseIgnored,
    /// A refresh token is presented after an expired lease without a look at whether it was used.
    Unproven,
    /// The lease is released after an ambiguous answer, as if the refresh token were unused.
    Released,
    /// A dead refresh token leaves no mark.
    LossUnmarked,
    /// A dead refresh token ends the connection at once.
    EndedAtOnce,
    /// It ends it before a message comes back whose receiver was killed.
    EndedSoon,
    /// Salesforce's word ends a row that was refreshed since.
    EndUnfenced,
    /// The row ends, and its record is written afterwards.
    EndApart,
    /// New tokens are stored by the version of the claim, and not by the refresh token that was used.
    FencedByVersion,
    /// New tokens are stored in any row.
    StoreUnfenced,
    /// A rotated token is stored only where the clocks say that it is newer.
    StoredByClock,
    /// New tokens that the table refuses are not put on the queue.
    NotQueued,
    /// New tokens whose row is taken are not revoked.
    SupersededKept,
    /// They are revoked whatever the row has of the same consent.
    SupersededRevoked,
    /// Tokens are revoked that are in use.
    InUseIgnored,
    /// A disconnect queues the revocation after the end.
    RevokedAfterwards,
    /// The queue has the revocation before the end is written.
    RevokedTooEarly,
    /// A plain refresh token is sealed while its successor may come.
    SealedWhileLost,
    /// A refresh token of which Salesforce does not tell is presented at once.
    PresentedUnknown,
    /// A third request follows an ambiguous answer, where the second brought nothing.
    PresentedThird,
    /// A refresh token is called unused after an ambiguous answer, because the next request was refused.
    CalledUnused,
    /// A refresh token that was known to be dead is presented once nobody can say so any more.
    DeathForgotten,
    /// The marks of a lost refresh token stay when it is found alive.
    MarksKept,
    /// A refresh token that was lost for good is presented, and its successor is not waited for.
    WaitNotBegun,
    /// Salesforce processes a request after the introspection that followed it: not a rule of the stack's, but what it
    /// relies on.
    ProcessedLate,
}

impl Broken {
    /// Each of them, with its description and the scenario that detects it.
    pub const ALL: [(Self, &'static str, &'static Scenario); 26] = [
        (Self::ClaimUnconditional, "a row is claimed whoever has written it since", &TWO_CALLS),
        (Self::LeaseIgnored, "a claim ignores the lease", &TWO_CALLS),
        (Self::Unproven, "a refresh token is presented after an expired lease without introspection", &TWO_CALLS),
        (Self::Released, "the lease is released after an ambiguous answer", &TWO_CALLS),
        (Self::LossUnmarked, "a dead refresh token leaves no mark", &TWO_CALLS),
        (Self::EndedAtOnce, "a dead refresh token ends the connection at once", &TWO_CALLS),
        (Self::EndedSoon, "a dead refresh token ends it before a killed receiver's message is back", &TWO_CALLS),
        (Self::EndUnfenced, "Salesforce's word ends a row that was refreshed since", &FROZEN),
        (Self::EndApart, "the end's record is written after the row", &DISCONNECT),
        (Self::FencedByVersion, "new tokens are fenced by the version alone", &TWO_CALLS),
        (Self::StoreUnfenced, "new tokens are stored in any row", &CONSENT),
        (Self::StoredByClock, "a rotated token is stored only where the clocks agree", &REFRESHED_TWICE),
        (Self::NotQueued, "new tokens that the table refuses are not queued", &TWO_CALLS),
        (Self::SupersededKept, "new tokens whose row is taken are kept", &DISCONNECT),
        (Self::SupersededRevoked, "new tokens that came twice are revoked in use", &REFRESHED_TWICE),
        (Self::InUseIgnored, "tokens are revoked that are in use", &DISCONNECT),
        (Self::RevokedAfterwards, "a disconnect queues the revocation after the end", &DISCONNECT),
        (Self::RevokedTooEarly, "a disconnect's revocation is not delayed", &DISCONNECT),
        (Self::SealedWhileLost, "a plain refresh token is sealed while its successor may come", &OF_AN_EARLIER_VERSION),
        (Self::PresentedUnknown, "a refresh token is presented of which Salesforce does not tell", &UNTOLD),
        (Self::PresentedThird, "a third request follows an ambiguous answer", &TWO_CALLS),
        (Self::CalledUnused, "a refusal after an ambiguous answer calls the refresh token unused", &TWO_CALLS),
        (Self::DeathForgotten, "a refresh token known to be dead is presented once nobody can tell", &ACCESS_ENDS),
        (Self::MarksKept, "a lost refresh token that is found alive keeps its marks", &TOLD_LATER),
        (Self::WaitNotBegun, "a refresh token lost for good is presented, and its successor not waited for", &UNTOLD),
        (Self::ProcessedLate, "Salesforce processes a request after the introspection that followed it", &TWO_CALLS),
    ];
}
