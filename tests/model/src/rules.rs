//! The rules under test, and the same with one of them broken: proof that the properties see it.

/// What is broken, if anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Broken {
    /// Nothing: the functions' own rules.
    #[default]
    Nothing,
    /// A claim does not care whether a lease has run out.
    ClaimIgnoresLease,
    /// A failure or delay is written over a success.
    FailureReplacesSuccess,
    /// A mark is made on whatever outcome of that status stands.
    MarkFitsAnyOutcome,
    /// A holder does not know what an earlier one left behind, nor leaves it behind itself.
    RedemptionForgotten,
    /// A later outcome keeps the marks of the earlier one.
    MarksStay,
    /// Tokens that cannot be stored are not put back on the queue.
    NoCheckpoint,
}

impl Broken {
    /// Each of them, with what it is in words.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::ClaimIgnoresLease, "a claim that ignores the lease"),
        (Self::FailureReplacesSuccess, "a failure that replaces a success"),
        (Self::MarkFitsAnyOutcome, "a mark on whatever outcome stands"),
        (Self::RedemptionForgotten, "a holder that forgets a lost answer"),
        (Self::MarksStay, "a later outcome that keeps the marks of the earlier"),
        (Self::NoCheckpoint, "tokens that are not put back on the queue"),
    ];
}
