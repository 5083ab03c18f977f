//! One receive of an attempt's message, and what it is good for.
//!
//! How often a message was received says little: Lambda's throttles count as receives too. How often its code was tried is
//! in the attempt's item.

use std::time::Duration;

use crate::id::random_id;

/// The person hears of a delay where the next try comes later than this after the consent.
pub const DELAY_AFTER: Duration = Duration::from_mins(2);

/// How much oftener the queue delivers a message than its code is tried.
const RESERVE: u32 = 3;

random_id! {
    /// The id of one delivery, made at random by its receiver.
    DeliveryId
}

/// One receive of an attempt's message.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// Whose writes are whose.
    pub id: DeliveryId,
    /// How often the message has been received.
    pub receives: u32,
    /// How often a code is tried.
    pub max_tries: u32,
}

/// What is to be done with a delivery of a code that has not expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The code is tried.
    Try,
    /// The person is told of the delay first, and the code is tried the next time: an earlier holder was killed, perhaps by
    /// this message, and few receives are left.
    Tell,
    /// The person is told of the delay, and the code is not tried.
    GiveUp,
}

impl Delivery {
    /// What is to be done with a later receive than the first, where the code was tried so often, and the person knows of the
    /// delay or does not.
    ///
    /// A code that was never tried is tried, whatever the count of receives.
    #[must_use]
    pub const fn plan(&self, tries: u32, delay_is_told: bool) -> Plan {
        if tries == 0 {
            Plan::Try
        } else if tries >= self.max_tries || self.is_final() {
            Plan::GiveUp
        } else if delay_is_told || !self.is_late() {
            Plan::Try
        } else {
            Plan::Tell
        }
    }

    /// Whether the person has to hear of a delay now, because the queue may deliver the message no more.
    #[must_use]
    pub const fn is_last(&self, tries: u32) -> bool {
        tries >= self.max_tries || self.receives >= self.max_tries
    }

    /// Whether the queue delivers the message no more.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        self.receives >= self.max_tries.saturating_add(RESERVE)
    }

    /// Whether the message was received more often than a code is tried.
    #[must_use]
    pub const fn is_late(&self) -> bool {
        self.receives > self.max_tries
    }
}
