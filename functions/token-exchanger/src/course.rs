//! What an answer of Salesforce means for the attempt that a code is traded for.
//!
//! Pure, and shared with the model of the protocol: it neither sends nor waits.

use std::time::Duration;

use shared::{Reason, attempt::ledger::Lease, salesforce::Class};

/// The course of one invocation's tries with one code.
#[derive(Debug)]
pub struct Course<'a> {
    lease: &'a Lease,
    /// What was known before the code was sent last.
    maybe_redeemed: bool,
    lost: bool,
    refetched: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is over.
    Over(Reason),
    /// Another try after a pause; a longer one if Salesforce asked for that.
    Again {
        /// At least so long.
        retry_after: Option<Duration>,
    },
    /// Another try at once, with credentials that are fetched anew: they may have been rotated.
    Refetch,
    /// Not in this invocation.
    Back,
}

impl<'a> Course<'a> {
    /// Under this lease, which remembers what a lost answer left behind.
    #[must_use]
    pub fn new(lease: &'a Lease) -> Self {
        Self { lease, maybe_redeemed: lease.maybe_redeemed.get(), lost: false, refetched: false }
    }

    /// Why it is over for a code that Salesforce does not know, or knows no longer.
    #[must_use]
    pub fn expired(&self) -> Reason {
        if self.maybe_redeemed { Reason::Unknown } else { Reason::CodeExpired }
    }

    /// The code is about to be sent. Until the answer is here the lease says that it may be used
    /// up, so that whatever interrupts us leaves the truth behind.
    pub fn send(&self) {
        self.lease.maybe_redeemed.set(true);
    }

    /// The answer was not tokens.
    pub fn answered(&mut self, class: Class) -> Step {
        let expired = self.expired();
        self.maybe_redeemed |= class == Class::Ambiguous;
        self.lease.maybe_redeemed.set(self.maybe_redeemed);
        match class {
            Class::Final(Reason::CodeExpired) => Step::Over(expired),
            Class::Final(reason) => Step::Over(reason),
            Class::Transient { retry_after } => Step::Again { retry_after },
            Class::Ambiguous if !std::mem::replace(&mut self.lost, true) => Step::Again { retry_after: None },
            Class::Operator if !std::mem::replace(&mut self.refetched, true) => Step::Refetch,
            Class::Ambiguous | Class::Operator => Step::Back,
        }
    }
}
