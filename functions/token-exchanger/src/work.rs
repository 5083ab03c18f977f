//! The work on one delivery: whose attempt it is, with what and by when.
//!
//! The steps are in the files that extend it: `exchange` exchanges the code, `storage` stores the
//! tokens, `attempt` brings the steps into their order.

use std::cell::OnceCell;

use shared::{
    Timestamp,
    attempt::ledger::{Attempt, Lease},
    exchange::ExchangeMessage,
};

use crate::{budget::Budget, resources::Resources};

/// The context of one delivery whose message could be read.
pub(crate) struct Work<'a> {
    pub(crate) resources: &'a Resources,
    pub(crate) message: &'a ExchangeMessage,
    pub(crate) attempt: Attempt<'a>,
    pub(crate) budget: Budget,
    /// Set once the attempt is claimed. It is here, and not in the future that does the work, so that it
    /// survives a panic and the end of the time: the attempt has to be released then, too.
    pub(crate) lease: OnceCell<Lease>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(
        resources: &'a Resources,
        message: &'a ExchangeMessage,
        attempt: Attempt<'a>,
        budget: Budget,
    ) -> Self {
        Self { resources, message, attempt, budget, lease: OnceCell::new() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.resources.clock)()
    }
}
