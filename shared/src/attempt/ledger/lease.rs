//! The exclusive right to exchange an attempt's code, and what its holder leaves behind.

use std::cell::Cell;

use super::{DOUBTED, DeliveryId, RELEASED, codes::Code, is};
use crate::{
    Status, Timestamp,
    attempt::{AttemptId, attr, index, item::time},
    conditional_write::{Attributes, Condition, ConditionalWrite},
};

/// The exclusive right to exchange the attempt's code, until it expires. Whose it is says the id of the delivery, so that
/// a holder knows its own lease again after a lost answer.
///
/// Cells, because the exchange sets them while it works, and whoever releases the lease after a time-out or a panic reads
/// them.
#[derive(Debug)]
pub struct Lease {
    attempt_id: AttemptId,
    holder: DeliveryId,
    /// How many deliveries tried this code, with this one.
    pub tries: u32,
    /// Whether the code may be redeemed, by this holder or by an earlier one that lost the response.
    pub maybe_redeemed: Cell<bool>,
    /// Whether an answer had no OAuth error code: a gateway may have given it in place of the tokens.
    pub doubted: Cell<bool>,
    /// Whether the code was sent under this lease.
    pub sent: Cell<bool>,
    /// When the message comes back, if it does: no other delivery tries the code before.
    pub retry_at: Cell<Option<Timestamp>>,
    /// The person was told of a delay before, and has not to be told again.
    pub delay_is_told: bool,
}

impl Lease {
    pub(super) fn new(
        attempt_id: AttemptId,
        holder: DeliveryId,
        tries: u32,
        own: Option<&Code>,
        item: &Attributes,
    ) -> Self {
        Self {
            attempt_id,
            holder,
            tries,
            maybe_redeemed: Cell::new(own.is_some_and(|own| own.maybe_redeemed)),
            doubted: Cell::new(own.is_some_and(|own| own.doubted)),
            sent: Cell::new(false),
            retry_at: Cell::new(None),
            delay_is_told: delay_is_told(item),
        }
    }

    /// How many deliveries sent the code, with this one, as far as is known: one that was killed counts.
    #[must_use]
    pub fn used_tries(&self) -> u32 {
        if self.sent.get() { self.tries } else { self.tries.saturating_sub(1) }
    }

    /// Ends the lease early, if it is still held.
    #[must_use]
    pub fn release(&self, now: Timestamp) -> ConditionalWrite {
        self.leave(ConditionalWrite::only_if(self.is_held()), now)
            .set(attr::UPDATED_AT, now)
            .set(attr::STATUS_DAY, index::status_day(self.attempt_id, Status::Exchanging, now))
    }

    pub(super) fn is_held(&self) -> Condition {
        Condition::All(vec![is(Status::Exchanging), Condition::Is(attr::HOLDER, self.holder.to_string().into())])
    }

    /// What the next holder has to know.
    pub(super) fn leave(&self, write: ConditionalWrite, now: Timestamp) -> ConditionalWrite {
        let end = end(self.maybe_redeemed.get(), self.doubted.get(), now);
        write
            .set(attr::LEASE_UNTIL, end)
            .set(attr::TRIES, u64::from(self.used_tries()))
            .set_or_remove(attr::RETRY_AT, self.retry_at.get())
    }
}

/// The end of a lease that is given up, which tells the next holder what may have become of the code.
pub(super) const fn end(maybe_redeemed: bool, doubted: bool, now: Timestamp) -> Timestamp {
    match (maybe_redeemed, doubted) {
        (true, _) => now,
        (false, true) => DOUBTED,
        (false, false) => RELEASED,
    }
}

/// Whether the person was told of a delay, or nobody is to be: the mark of it is no older than the delay.
pub(super) fn delay_is_told(item: &Attributes) -> bool {
    let is_over = |delayed_at| time(item, attr::NOTIFIED_AT).is_some_and(|notified_at| notified_at >= delayed_at);
    item.contains_key(attr::DELAY_TOLD_AT) || time(item, attr::DELAYED_AT).is_some_and(is_over)
}

/// It is delayed, or was left behind by a holder whose lease has expired.
pub(super) fn is_free(now: Timestamp) -> Condition {
    Condition::Any(vec![
        is(Status::Delayed),
        Condition::All(vec![is(Status::Exchanging), Condition::Below(attr::LEASE_UNTIL, now.millis())]),
    ])
}
