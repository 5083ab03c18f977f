//! What Salesforce's answers to one code mean for its attempt, try by try.
//!
//! Pure, and shared with the model of the protocol: it neither sends nor waits.

use std::time::Duration;

use shared::{Reason, attempt::ledger::Lease, salesforce::Class};

/// The tries of one invocation with one code.
#[derive(Debug)]
pub struct Course<'a> {
    lease: &'a Lease,
    /// Whether the code may be used up, as known before it was last sent.
    maybe_redeemed: bool,
    lost: bool,
    refetched: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// No further try: the attempt has failed.
    Fail(Reason),
    /// Another try after a pause.
    Retry {
        /// The shortest pause, where Salesforce asked for one.
        retry_after: Option<Duration>,
    },
    /// Another try at once, with credentials that are fetched again: they may have been rotated.
    Refetch,
    /// No further try in this invocation: the message goes back to the queue.
    Return,
}

impl<'a> Course<'a> {
    /// Begins under this lease, which says whether an earlier answer was lost.
    #[must_use]
    pub fn new(lease: &'a Lease) -> Self {
        Self { lease, maybe_redeemed: lease.maybe_redeemed.get(), lost: false, refetched: false }
    }

    /// Why an attempt fails whose code Salesforce does not know, or no longer knows.
    #[must_use]
    pub fn expired(&self) -> Reason {
        if self.maybe_redeemed { Reason::Unknown } else { Reason::CodeExpired }
    }

    /// Records that the code is about to be sent. Until the answer arrives the lease says that the code may
    /// be used up, so that an interruption, even a kill, leaves the truth behind.
    pub fn send(&self) {
        self.lease.maybe_redeemed.set(true);
    }

    /// Takes an answer without tokens, and says what comes next.
    pub fn answered(&mut self, class: Class) -> Step {
        let expired = self.expired();
        self.maybe_redeemed |= class == Class::Ambiguous;
        self.lease.maybe_redeemed.set(self.maybe_redeemed);
        match class {
            Class::Final(Reason::CodeExpired) => Step::Fail(expired),
            Class::Final(reason) => Step::Fail(reason),
            Class::Transient { retry_after } => Step::Retry { retry_after },
            Class::Ambiguous if !std::mem::replace(&mut self.lost, true) => Step::Retry { retry_after: None },
            Class::Operator if !std::mem::replace(&mut self.refetched, true) => Step::Refetch,
            Class::Ambiguous | Class::Operator => Step::Return,
        }
    }
}
