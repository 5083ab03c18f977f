//! The rules under test, and variants with one rule broken: proof that the properties detect it.

/// The broken rule, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Broken {
    /// None: the functions' own rules.
    #[default]
    Nothing,
    /// A claim succeeds whether or not a lease has expired.
    ClaimIgnoresLease,
    /// A failure or delay overwrites a success.
    FailureReplacesSuccess,
    /// A mark is made on any outcome of that status.
    MarkFitsAnyOutcome,
    /// A holder does not read that an earlier one may have redeemed the code, nor writes so itself.
    RedemptionForgotten,
    /// A holder takes for Salesforce's word what a gateway may have put in its place.
    PageBelieved,
    /// A later outcome keeps the marks of the earlier one.
    MarksStay,
    /// Tokens that cannot be stored are not put on the queue.
    NoCheckpoint,
}

impl Broken {
    /// Each of them, with its description.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::ClaimIgnoresLease, "a claim ignores the lease"),
        (Self::FailureReplacesSuccess, "a failure overwrites a success"),
        (Self::MarkFitsAnyOutcome, "a mark is made on another outcome"),
        (Self::RedemptionForgotten, "a holder ignores a lost response"),
        (Self::PageBelieved, "a holder takes a gateway's page for Salesforce's word"),
        (Self::MarksStay, "a later outcome keeps the marks of the earlier one"),
        (Self::NoCheckpoint, "tokens are not put on the queue"),
    ];
}
