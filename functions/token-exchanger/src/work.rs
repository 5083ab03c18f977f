//! The work on one delivery: whose attempt it is, with what and by when.
//!
//! The steps are in the files that extend it: `exchange` exchanges the code, `storage` stores the
//! tokens, `attempt` brings the steps into their order.

use std::cell::OnceCell;

use shared::{
    Timestamp,
    attempt::ledger::{Attempt, Lease},
    connection::Consent,
};

use crate::{budget::Budget, message::Message, resources::Resources};

/// The context of one delivery whose message could be read.
pub(crate) struct Work<'a> {
    pub(crate) resources: &'a Resources,
    pub(crate) message: &'a Message<'a>,
    pub(crate) attempt: Attempt<'a>,
    pub(crate) budget: Budget,
    /// Set once the attempt is claimed. It is here, and not in the future that does the work, so that it
    /// survives a panic and the end of the time: the attempt has to be released then, too.
    pub(crate) lease: OnceCell<Lease>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(resources: &'a Resources, message: &'a Message<'a>, receives: u32, budget: Budget) -> Self {
        let attempt = message.attempt(receives);
        Self { resources, message, attempt, budget, lease: OnceCell::new() }
    }

    /// The consent, as far as its order among the chat's is concerned.
    pub(crate) fn consent(&self) -> Consent {
        self.message.consent()
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.resources.clock)()
    }
}
