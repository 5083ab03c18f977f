//! Under which condition an outcome is written.

use super::Lease;

/// The condition under which an outcome may be written.
#[derive(Clone, Copy, Debug)]
pub enum Guard<'a> {
    /// The writer holds this lease.
    Lease(&'a Lease),
    /// The writer could claim the attempt.
    Claimable,
    /// The writer could claim the attempt, and no other code was tried.
    SameCode,
    /// The person denied access: that is final unless a code is being exchanged, or was before, or a later one waits.
    Undecided,
    /// Nothing was written of the attempt but, at most, that it is delayed before any code.
    Untouched,
    /// The code was exchanged: how that ended is the outcome, whoever holds the attempt, unless it was connected before. That it
    /// failed is not written while another code is open.
    Exchanged,
    /// This code was exchanged, and the attempt waits for its outcome: it has none, whoever holds it, and gets no second one.
    Open,
}

impl Guard<'_> {
    /// Whether the item as it was seen decides.
    #[must_use]
    pub const fn looks(&self) -> bool {
        matches!(self, Self::Claimable | Self::Undecided | Self::Exchanged)
    }
}
