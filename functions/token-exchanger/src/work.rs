//! The work on one delivery: whose attempt it is, with what and by when.
//!
//! The steps are in the files that extend it: `exchange` exchanges the code, `sealing` seals the refresh token, `storage`
//! stores the tokens, `holding` has them wait for the chat's confirmation, `reference` reads the bot's reference, `attempt` brings the steps into their order.

use std::cell::OnceCell;

use shared::{
    Timestamp,
    attempt::ledger::{Attempt, Delivery, DeliveryId, Lease},
    connection::{Consent, RefreshTokenText},
    process::NoRandomness,
    reference::LinkReference,
    salesforce::Salesforce,
};
use tokio::sync;

use crate::{
    budget::Budget,
    message::{Content, Message},
    resources::Resources,
};

/// The context of one delivery whose message could be read.
pub(crate) struct Work<'a> {
    pub(crate) resources: &'a Resources,
    pub(crate) message: &'a Message<'a>,
    pub(crate) attempt: Attempt<'a>,
    pub(crate) budget: Budget,
    /// Over connections of this delivery.
    pub(crate) salesforce: Salesforce,
    /// Set once the attempt is claimed. It is here, and not in the future that does the work, so that it
    /// survives a panic and the end of the time: the attempt has to be released then, too.
    pub(crate) lease: OnceCell<Lease>,
    /// The refresh token as its row is to have it; `None` within, where Salesforce gave none. It is sealed once for a
    /// delivery, so that a repeated write is the same write.
    pub(crate) row_token: sync::OnceCell<Option<RefreshTokenText>>,
    /// What the link says of the bot's reference.
    pub(crate) reference: sync::OnceCell<LinkReference>,
    /// Set once the message is sent that comes when the time for the chat's confirmation is over.
    pub(crate) timer: sync::OnceCell<()>,
    /// When the chat sent its code, once it is known that these tokens are to be stored.
    pub(crate) confirmed_at: OnceCell<Timestamp>,
}

impl<'a> Work<'a> {
    /// Fails where the system has no random bytes for the delivery's id.
    pub(crate) fn new(
        resources: &'a Resources,
        message: &'a Message<'a>,
        receives: u32,
        budget: Budget,
    ) -> Result<Self, NoRandomness> {
        let mut id = [0; DeliveryId::LENGTH];
        (resources.random)(&mut id)?;
        let delivery = Delivery { id: DeliveryId::from_bytes(id), receives, max_tries: resources.config.max_tries };
        Ok(Self {
            resources,
            message,
            attempt: message.attempt(delivery),
            budget,
            salesforce: Salesforce::new(&resources.http),
            lease: OnceCell::new(),
            row_token: sync::OnceCell::new(),
            reference: sync::OnceCell::new(),
            timer: sync::OnceCell::new(),
            confirmed_at: OnceCell::new(),
        })
    }

    /// Whether no try follows, as far as this is known.
    pub(crate) fn is_last(&self) -> bool {
        let used_tries = self.lease.get().map_or(0, Lease::used_tries);
        match self.message.content {
            Content::Granted { .. } => used_tries >= self.attempt.delivery.max_tries,
            _ => self.attempt.delivery.is_last(used_tries),
        }
    }

    /// The consent, as far as its order among the chat's is concerned.
    pub(crate) fn consent(&self) -> Consent {
        self.message.consent()
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.resources.clock)()
    }
}
