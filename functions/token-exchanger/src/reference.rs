//! The bot's reference of the person, which the outcome takes over from the link.
//!
//! It is read beside the work, so that nothing waits for it, and only where the state says that there is one. A consent is
//! worth more than its reference: where it cannot be read in time, the one counts that an earlier delivery has written into the
//! attempt's own row, and else it is left out.

use std::convert::Infallible;

use shared::{LinkId, Reference, attempt::ledger::Attempt, metrics::Metric, reference::LinkReference};
use tokio::time::timeout_at;
use tracing::{info, warn};

use crate::{report::chain, retry::Pauses, work::Work};

impl Work<'_> {
    /// What the link says of the reference. It is read once for a delivery.
    pub(crate) async fn link_reference(&self) -> &LinkReference {
        let read = async || match self.message.reference_of {
            // Few links have one, and every outcome would carry the read with it.
            Some(link_id) => Box::pin(self.read_reference(link_id)).await,
            None => LinkReference::Absent,
        };
        self.reference.get_or_init(read).await
    }

    /// Reads it ahead of the outcome that needs it, and never ends.
    pub(crate) async fn read_reference_ahead(&self) -> Infallible {
        self.link_reference().await;
        std::future::pending().await
    }

    /// The attempt, as its outcome is written.
    pub(crate) async fn attempt_with_reference(&self) -> Attempt<'_> {
        let reference = self.link_reference().await.known().cloned();
        Attempt { reference, ..self.attempt.clone() }
    }

    async fn read_reference(&self, link_id: LinkId) -> LinkReference {
        let error = match self.read_links_reference(link_id).await {
            Ok(Some(reference)) => return LinkReference::Known(reference),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        let reading = self.resources.tables.read_own_reference(&self.attempt);
        if let Ok(Ok(Some(reference))) = timeout_at(self.budget.own_reference(), reading).await {
            return LinkReference::Known(reference);
        }
        let attempt_id = tracing::field::display(self.attempt.id);
        if let Some(error) = error {
            warn!(attempt_id, error, "the link's reference was not read in time: the outcome goes without it");
            let (meter, now) = (&self.resources.config.meter, self.now());
            meter.count(now, Metric::Setbacks, &[("Class", "reference_not_read")]);
        } else {
            info!(attempt_id, "the link's reference is not kept any more");
        }
        LinkReference::Unread
    }

    /// From the link's row, with retries; `None` where it is not kept there any more.
    async fn read_links_reference(&self, link_id: LinkId) -> Result<Option<Reference>, String> {
        let until = self.budget.links_reference();
        let mut pauses = Pauses::until(until);
        loop {
            let reading = self.resources.tables.read_reference(link_id, self.attempt.wa_id);
            let error = match timeout_at(until, reading).await {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(error)) => chain(&error),
                Err(_) => "timed out".to_owned(),
            };
            if !pauses.next(None).await {
                return Err(error);
            }
        }
    }
}
