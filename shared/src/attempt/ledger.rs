//! The rules of writing an attempt's row: who may claim it, how it ends, and who was notified.
//!
//! Pure. Every rule about who may overwrite what is the condition of one write, here and nowhere else, so that it holds
//! whatever runs concurrently. The functions send these writes to DynamoDB; the model of the protocol applies them in
//! memory.

mod delivery;
mod lease;

use std::time::Duration;

pub use self::{
    delivery::{DELAY_AFTER, Delivery, DeliveryId, Plan},
    lease::Lease,
};
use super::{
    AttemptId, Outcome, Reason, Status, attr, index,
    intent::Intent,
    item::{text, time},
    message::UNKNOWN,
};
use crate::{
    LinkId, LoginUrl, Timestamp, WaId,
    conditional_write::{Attributes, Condition, ConditionalWrite, Value},
};

/// Longer than the exchanger's time-out, so that a lease never expires under a running holder.
pub const LEASE: Duration = Duration::from_mins(1);
/// How long an attempt, or the end of a connection, is kept.
pub(crate) const RETENTION: Duration = Duration::from_hours(90 * 24);
/// How many codes of one attempt are tried at most. A person needs one; another comes where they go back in the browser.
pub const MAX_CODES: u64 = 3;
/// What says how the exchange goes on, and ends with the final outcome.
const OF_THE_EXCHANGE: [&str; 4] = [attr::LEASE_UNTIL, attr::RETRY_AT, attr::DELAYED_AT, attr::DELAY_TOLD_AT];
/// The `lease_until` of a lease that was released while the code was certainly unused.
const RELEASED: Timestamp = Timestamp::from_millis(0);

/// What a message says of its attempt.
#[derive(Clone, Debug)]
pub struct Attempt<'a> {
    /// The key of its row.
    pub id: AttemptId,
    /// The link that it began with; `None` where there is none, or its version did not say so.
    pub link_id: Option<LinkId>,
    /// It began with a plain state, which anybody can make.
    pub is_plain: bool,
    /// The chat.
    pub wa_id: &'a WaId,
    /// Where the person logged in.
    pub login_url: &'a LoginUrl,
    /// The SHA-256 of the code; `None` where the callback brought none.
    pub code_sha256: Option<String>,
    /// When the callback was received.
    pub received_at: Timestamp,
    /// The receive of its message that is processed.
    pub delivery: Delivery,
}

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The attempt has a final outcome.
    Finished {
        /// Whether the outcome is `connected`.
        connected: bool,
    },
    /// The attempt is connected, by another code.
    AnotherCode,
    /// The attempt is delayed, and the person is notified of it.
    Delayed,
    /// Other codes of the attempt were tried, as many as may be.
    TooManyCodes,
    /// The code was tried as often as may be.
    OutOfTries,
    /// An exchanger holds it, or the time of its next try has not come.
    Held {
        /// Until then.
        until: Timestamp,
    },
}

/// The condition under which an outcome may be written.
#[derive(Clone, Copy, Debug)]
pub enum Guard<'a> {
    /// The writer holds this lease.
    Lease(&'a Lease),
    /// The writer could claim the attempt.
    Claimable,
    /// The writer could claim the attempt, and no other code was tried.
    SameCode,
    /// The person denied access: that is final unless a code is being exchanged, or was before.
    Undecided,
    /// Nothing was written of the attempt but, at most, that it is delayed before any code.
    Untouched,
    /// The code was exchanged: how that ended is the outcome, whoever holds the attempt, unless it was connected before.
    Exchanged,
}

/// Who was notified of an outcome, or could not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The person is about to be sent the message: only where the last intent is still this one.
    Messaging {
        /// The intent that was there; `None` where there was none.
        last: Option<Intent>,
        /// The new one.
        this: Intent,
    },
    /// The person was not sent the message, or no answer says so: this is what stays of the intent.
    NotMessaged {
        /// The intent.
        this: Intent,
        /// What stays of it.
        left: Intent,
    },
    /// The person was sent the message.
    Messaged,
    /// The person may have been sent the message, as often as it may be tried on that chance.
    MaybeMessaged,
    /// The message cannot be delivered, with WhatsApp's error code. The bot is notified of that too.
    Undeliverable(String),
    /// The bot was notified.
    BotNotified,
    /// There was nothing left to send.
    Nothing,
}

impl Attempt<'_> {
    /// Claims the attempt for the time of a lease: where it is new, delayed, left behind by a holder whose lease has
    /// expired, or failed with another code. Several writes, of which at most one is allowed by any item, because codes and
    /// tries are counted: the one that is expected comes first. [`Self::lease`] reads the item as it was before.
    #[must_use]
    pub fn claims(&self, now: Timestamp) -> Vec<ConditionalWrite> {
        let claim = |condition| {
            self.write(condition, Status::Exchanging, now)
                .set(attr::LEASE_UNTIL, now.plus(LEASE))
                .set(attr::HOLDER, self.delivery.id.to_string())
                .remove([attr::REASON, attr::SALESFORCE_ERROR, attr::RETRY_AT])
        };
        let max_tries = u64::from(self.delivery.max_tries);
        let first = claim(self.is_claimable_with_a_new_code(now)).add(attr::CODES, 1).set(attr::TRIES, 1);
        let again = claim(Condition::All(vec![
            self.is_claimable_again(now),
            Condition::Any(vec![
                Condition::NotNumber(attr::RETRY_AT),
                Condition::Below(attr::RETRY_AT, now.millis() + 1),
            ]),
            Condition::Any(vec![Condition::NotNumber(attr::TRIES), Condition::Below(attr::TRIES, max_tries)]),
        ]))
        .add(attr::TRIES, 1);
        if self.delivery.receives > 1 {
            return vec![again, first];
        }
        // An operator has put the message back on the queue, after the cause was mended.
        let anew = claim(Condition::All(vec![
            self.is_claimable_again(now),
            is(Status::Delayed),
            Condition::Above(attr::TRIES, max_tries.saturating_sub(1)),
        ]))
        .set(attr::TRIES, 1);
        vec![first, again, anew]
    }

    /// The lease of a claim that was made on an item that was this before.
    #[must_use]
    pub fn lease(&self, before: &Attributes) -> Lease {
        let is_same_code = text(before, attr::CODE_SHA256) == self.code_sha256.as_deref();
        let is_released = time(before, attr::LEASE_UNTIL).is_none_or(|until| until == RELEASED);
        let tried = if is_same_code { tries(before) } else { 0 };
        // Put back on the queue after all its tries.
        let tried = if tried >= self.delivery.max_tries { 0 } else { tried };
        Lease::new(self.id, self.delivery.id, tried + 1, is_same_code && !is_released, before)
    }

    /// The lease that this very delivery holds by this item: its claim was made, and the answer was lost. Whether the code
    /// may have been redeemed before is certain with its first try alone.
    #[must_use]
    pub fn own_lease(&self, item: &Attributes) -> Option<Lease> {
        let is_own = text(item, attr::HOLDER) == Some(&*self.delivery.id.to_string());
        let is_exchanging = text(item, attr::STATUS) == Some(Status::Exchanging.as_str());
        let tried = tries(item);
        let maybe_redeemed = tried > 1 || item.contains_key(attr::DELAYED_AT);
        (is_own && is_exchanging).then(|| Lease::new(self.id, self.delivery.id, tried, maybe_redeemed, item))
    }

    /// What is to be done with this delivery of a code that has not expired, by the item.
    #[must_use]
    pub fn plan(&self, item: &Attributes) -> Plan {
        let is_same_code = text(item, attr::CODE_SHA256) == self.code_sha256.as_deref();
        // Of an attempt's codes only the last one's tries are known.
        let tried = if is_same_code || item.is_empty() { tries(item) } else { 1 };
        self.delivery.plan(tried, lease::delay_is_told(item))
    }

    /// Whether this item is what this delivery wrote then: the outcome was written, and the answer was lost.
    #[must_use]
    pub fn wrote(&self, outcome: &Outcome<&str>, item: &Attributes, at: Timestamp) -> bool {
        text(item, attr::STATUS) == Some(outcome.status().as_str())
            && text(item, attr::REASON) == outcome.reason().map(Reason::as_str)
            && time(item, attr::UPDATED_AT) == Some(at)
            && item.get(attr::RECEIVES) == Some(&u64::from(self.delivery.receives).into())
    }

    /// Writes how the attempt ended.
    #[must_use]
    pub fn finish(&self, outcome: &Outcome<&str>, guard: Guard<'_>, now: Timestamp) -> ConditionalWrite {
        let condition = match (guard, outcome) {
            (Guard::Lease(lease), _) => lease.is_held(),
            // The person is notified of one delay once.
            (Guard::Claimable, Outcome::Delayed { .. }) => Condition::All(vec![
                self.is_claimable(now),
                Condition::IsNot(attr::STATUS, Status::Delayed.as_str().into()),
            ]),
            (Guard::Claimable, _) => self.is_claimable(now),
            (Guard::SameCode, _) => {
                Condition::Any(vec![Condition::Absent(attr::ATTEMPT_ID), self.is_claimable_again(now)])
            }
            (Guard::Untouched, _) => Condition::Any(vec![
                Condition::Absent(attr::ATTEMPT_ID),
                Condition::All(vec![is(Status::Delayed), Condition::Absent(attr::CODE_SHA256)]),
            ]),
            (Guard::Undecided, _) => Condition::Any(vec![
                Condition::Absent(attr::ATTEMPT_ID),
                is(Status::Delayed),
                Condition::All(vec![
                    is(Status::Failed),
                    Condition::IsNot(attr::REASON, Reason::Denied.as_str().into()),
                ]),
            ]),
            (Guard::Exchanged, Outcome::Failed { reason, .. }) => Condition::All(vec![
                is_not(Status::Connected),
                is_not(Status::Ended),
                Condition::IsNot(attr::REASON, reason.as_str().into()),
            ]),
            (Guard::Exchanged, _) => Condition::All(vec![is_not(Status::Connected), is_not(Status::Ended)]),
        };
        let write = self.write(condition, outcome.status(), now);
        let write = match outcome {
            Outcome::Connected { account, renewed } => write
                .set(attr::ORG_ID, account.org_id)
                .set(attr::INSTANCE_URL, account.instance_url)
                .set(attr::RENEWED, *renewed)
                .set_or_remove(attr::USERNAME, account.username)
                .set_or_remove(attr::SCOPE, account.scope)
                .remove([attr::REASON, attr::SALESFORCE_ERROR, attr::LAST_ERROR])
                .remove(OF_THE_EXCHANGE),
            Outcome::Failed { reason, salesforce_error } => write
                .set(attr::REASON, reason.as_str())
                .set_or_remove(attr::SALESFORCE_ERROR, *salesforce_error)
                .remove(OF_THE_EXCHANGE),
            Outcome::Delayed { reason } => {
                let write = write.set(attr::REASON, reason.as_str()).set_once(attr::DELAYED_AT, now);
                match guard {
                    // Kept, because the next holder has to know whether the code may be redeemed. Who was told of the delay
                    // is not told again.
                    Guard::Lease(lease) if lease.delay_is_told => return lease.leave(write, now),
                    Guard::Lease(lease) => lease.leave(write, now),
                    _ => write,
                }
            }
            Outcome::Ended(end) => end.written_by(write),
        };
        write.remove(attr::MARKS)
    }

    /// What every write sets, and no write to another chat's attempt.
    fn write(&self, condition: Condition, to: Status, now: Timestamp) -> ConditionalWrite {
        let is_this_chats = Condition::Any(vec![
            Condition::Absent(attr::WA_ID),
            Condition::Is(attr::WA_ID, self.wa_id.as_str().into()),
        ]);
        let write = ConditionalWrite::only_if(Condition::All(vec![is_this_chats, condition]))
            .set(attr::STATUS, to.as_str())
            .set(attr::WA_ID, self.wa_id.as_str())
            .set(attr::LOGIN_URL, self.login_url.as_str())
            .set(attr::RECEIVES, u64::from(self.delivery.receives))
            .set(attr::UPDATED_AT, now)
            .set(attr::STATUS_DAY, index::status_day(self.id, to, now))
            .set_once(attr::CREATED_AT, self.received_at)
            .set(attr::EXPIRES_AT, now.plus(RETENTION).seconds());
        let write = match &self.code_sha256 {
            Some(sha256) => write.set(attr::CODE_SHA256, sha256.as_str()),
            None => write,
        };
        let write = match self.link_id {
            Some(link_id) => write.set(attr::LINK_ID, link_id.to_string()),
            None => write,
        };
        if self.is_plain { write.set(attr::PLAIN, true) } else { write }
    }

    fn is_claimable(&self, now: Timestamp) -> Condition {
        Condition::Any(vec![self.is_claimable_with_a_new_code(now), self.is_claimable_again(now)])
    }

    /// Nobody has claimed it with this code, and more codes may be tried.
    fn is_claimable_with_a_new_code(&self, now: Timestamp) -> Condition {
        let Some(sha256) = &self.code_sha256 else { return Condition::Absent(attr::ATTEMPT_ID) };
        let another = Condition::All(vec![
            Condition::IsNot(attr::CODE_SHA256, sha256.as_str().into()),
            Condition::Any(vec![Condition::NotNumber(attr::CODES), Condition::Below(attr::CODES, MAX_CODES)]),
            Condition::Any(vec![is(Status::Failed), is_free(now)]),
        ]);
        Condition::Any(vec![Condition::Absent(attr::ATTEMPT_ID), another])
    }

    /// It was claimed with this code, and nobody holds it.
    fn is_claimable_again(&self, now: Timestamp) -> Condition {
        match &self.code_sha256 {
            Some(sha256) => {
                Condition::All(vec![Condition::Is(attr::CODE_SHA256, sha256.as_str().into()), is_free(now)])
            }
            None => is_free(now),
        }
    }

    /// Why a write to this item was refused.
    #[must_use]
    pub fn conflict(&self, item: &Attributes, now: Timestamp) -> Conflict {
        let is_another =
            text(item, attr::CODE_SHA256).is_some_and(|sha256| Some(sha256) != self.code_sha256.as_deref());
        let codes = item.get(attr::CODES).and_then(Value::as_number).unwrap_or_default();
        let is_tried_out = !is_another && self.code_sha256.is_some() && tries(item) >= self.delivery.max_tries;
        let lease_until = time(item, attr::LEASE_UNTIL).unwrap_or(now);
        let retry_at = time(item, attr::RETRY_AT).unwrap_or(RELEASED);
        match text(item, attr::STATUS).and_then(Status::parse) {
            _ if text(item, attr::WA_ID).is_some_and(|wa_id| wa_id != self.wa_id.as_str()) => {
                Conflict::Finished { connected: false }
            }
            Some(Status::Connected) if is_another && self.code_sha256.is_some() => Conflict::AnotherCode,
            Some(Status::Connected) => Conflict::Finished { connected: true },
            _ if self.code_sha256.is_some() && is_another && codes >= MAX_CODES => Conflict::TooManyCodes,
            Some(Status::Exchanging) if lease_until >= now => Conflict::Held { until: lease_until.max(retry_at) },
            Some(Status::Exchanging | Status::Delayed) if is_tried_out => Conflict::OutOfTries,
            Some(Status::Exchanging | Status::Delayed) if retry_at > now => Conflict::Held { until: retry_at },
            Some(Status::Exchanging) => Conflict::Held { until: lease_until },
            Some(Status::Delayed) => Conflict::Delayed,
            Some(Status::Failed | Status::Ended) | None => Conflict::Finished { connected: false },
        }
    }
}

impl Mark {
    /// Marks the outcome that was written at that time, and no later one. With `complete`, nobody is left to notify.
    #[must_use]
    pub fn write(&self, status: Status, updated_at: Timestamp, complete: bool, now: Timestamp) -> ConditionalWrite {
        let condition = match self {
            Self::Messaging { last, .. } => {
                Condition::All(vec![is_current(status, updated_at), is_intent(last.as_ref())])
            }
            Self::NotMessaged { this, .. } => {
                Condition::All(vec![is_current(status, updated_at), is_intent(Some(this))])
            }
            _ => is_current(status, updated_at),
        };
        let write = ConditionalWrite::only_if(condition);
        let write = match self {
            Self::Messaged if status == Status::Delayed => {
                write.set(attr::MESSAGED_AT, now).set(attr::DELAY_TOLD_AT, now).remove([attr::MESSAGE_INTENT])
            }
            Self::Messaged => write.set(attr::MESSAGED_AT, now).remove([attr::MESSAGE_INTENT]),
            Self::Messaging { this, .. } => write.set(attr::MESSAGE_INTENT, this.to_string()),
            Self::NotMessaged { left, .. } => write.set(attr::MESSAGE_INTENT, left.to_string()),
            // The bot may have been notified that the message is on its way.
            Self::MaybeMessaged => {
                let write = write.set(attr::MESSAGED_AT, now).set(attr::MESSAGE_STATE, UNKNOWN);
                write.remove([attr::MESSAGE_INTENT, attr::BOT_TOLD_AT])
            }
            // The bot may have been notified that the message is on its way.
            Self::Undeliverable(code) => {
                write.set(attr::MESSAGE_ERROR, code.as_str()).remove([attr::MESSAGE_INTENT, attr::BOT_TOLD_AT])
            }
            Self::BotNotified => write.set(attr::BOT_TOLD_AT, now),
            Self::Nothing => write,
        };
        if complete { write.set(attr::NOTIFIED_AT, now) } else { write }
    }

    /// Whether an item that refused this mark has it already: it was written, and the answer was lost.
    #[must_use]
    pub fn is_in(&self, item: &Attributes) -> bool {
        match self {
            Self::Messaging { this: written, .. } | Self::NotMessaged { left: written, .. } => {
                is_intent(Some(written)).holds(item)
            }
            _ => false,
        }
    }
}

/// The last intent to send a message is still this one.
fn is_intent(intent: Option<&Intent>) -> Condition {
    intent.map_or(Condition::Absent(attr::MESSAGE_INTENT), |intent| {
        Condition::Is(attr::MESSAGE_INTENT, intent.to_string().into())
    })
}

/// Puts the outcome that was written at that time, and no later one, on the stream again, without these marks.
///
/// `updated_at` stays: it is in the event's id, by which a bot recognises a repetition.
#[must_use]
pub fn redelivery(status: Status, updated_at: Timestamp, without: &[&'static str], now: Timestamp) -> ConditionalWrite {
    let write = ConditionalWrite::only_if(is_current(status, updated_at)).set(attr::REDELIVERED_AT, now);
    without.iter().fold(write, |write, mark| write.remove([*mark]))
}

/// The outcome that was written at that time is still the attempt's.
fn is_current(status: Status, updated_at: Timestamp) -> Condition {
    Condition::All(vec![is(status), Condition::Is(attr::UPDATED_AT, updated_at.into())])
}

/// How many deliveries tried the code that was tried last.
fn tries(item: &Attributes) -> u32 {
    item.get(attr::TRIES).and_then(Value::as_number).and_then(|tries| u32::try_from(tries).ok()).unwrap_or_default()
}

/// It is delayed, or was left behind by a holder whose lease has expired.
fn is_free(now: Timestamp) -> Condition {
    Condition::Any(vec![
        is(Status::Delayed),
        Condition::All(vec![is(Status::Exchanging), Condition::Below(attr::LEASE_UNTIL, now.millis())]),
    ])
}

fn is(status: Status) -> Condition {
    Condition::Is(attr::STATUS, status.as_str().into())
}

fn is_not(status: Status) -> Condition {
    Condition::IsNot(attr::STATUS, status.as_str().into())
}

#[cfg(test)]
mod tests;
