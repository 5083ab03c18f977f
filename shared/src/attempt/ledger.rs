//! The rules of writing an attempt's row: who may claim it, how it ends, and who was notified.
//!
//! Pure. Every rule about who may overwrite what is the condition of one write, here and nowhere else, so that it holds
//! whatever runs concurrently. The functions send these writes to DynamoDB; the model of the protocol applies them in
//! memory.

use std::{cell::Cell, time::Duration};

use super::{
    AttemptId, Outcome, Reason, Status, attr, index,
    item::{text, time},
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
    /// How often the message has been received.
    pub receives: u32,
    /// When the callback was received.
    pub received_at: Timestamp,
}

/// The exclusive right to exchange the attempt's code, until it expires.
#[derive(Debug)]
pub struct Lease {
    id: AttemptId,
    until: Timestamp,
    /// Whether the code may be redeemed, by this holder or by an earlier one that lost the response.
    ///
    /// A cell, because the exchange sets it while it works, and whoever releases the lease after a time-out
    /// or a panic reads it.
    pub maybe_redeemed: Cell<bool>,
}

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The attempt has a final outcome.
    Finished {
        /// Whether the outcome is `connected`.
        connected: bool,
    },
    /// The attempt is delayed, and the person is notified of it.
    Delayed,
    /// Other codes of the attempt were tried, as many as may be.
    TooManyCodes,
    /// An exchanger holds it.
    Held {
        /// When its lease expires.
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
    /// Nothing was written of the attempt.
    Untouched,
    /// The code was exchanged: how that ended is the outcome, whoever holds the attempt, unless it was connected before.
    Exchanged,
}

/// Who was notified of an outcome, or could not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The person was sent the message.
    Messaged,
    /// The message cannot be delivered, with WhatsApp's error code. The bot is notified of that too.
    Undeliverable(String),
    /// The bot was notified.
    BotNotified,
    /// There was nothing left to send.
    Nothing,
}

impl Attempt<'_> {
    /// Claims the attempt for the time of a lease: where it is new, delayed, left behind by a holder whose lease has
    /// expired, or failed with another code. Two writes, of which at most one is allowed by any item, because a code that
    /// was not tried before is counted: the one that is expected comes first. [`Self::lease`] reads the item as it was
    /// before.
    #[must_use]
    pub fn claims(&self, now: Timestamp) -> [ConditionalWrite; 2] {
        let claim = |condition| {
            self.write(condition, Status::Exchanging, now)
                .set(attr::LEASE_UNTIL, now.plus(LEASE))
                .remove([attr::REASON, attr::SALESFORCE_ERROR])
        };
        let first = claim(self.is_claimable_with_a_new_code(now)).add(attr::CODES, 1);
        let again = claim(self.is_claimable_again(now));
        if self.receives > 1 { [again, first] } else { [first, again] }
    }

    /// The lease of a claim that was made at that time, on an item that was this before.
    #[must_use]
    pub fn lease(&self, before: &Attributes, claimed_at: Timestamp) -> Lease {
        let same_code = text(before, attr::CODE_SHA256) == self.code_sha256.as_deref();
        let released = time(before, attr::LEASE_UNTIL).is_none_or(|until| until == RELEASED);
        Lease { id: self.id, until: claimed_at.plus(LEASE), maybe_redeemed: Cell::new(same_code && !released) }
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
            (Guard::Untouched, _) => Condition::Absent(attr::ATTEMPT_ID),
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
                .remove([attr::REASON, attr::SALESFORCE_ERROR, attr::LEASE_UNTIL, attr::DELAY_TOLD_AT]),
            Outcome::Failed { reason, salesforce_error } => write
                .set(attr::REASON, reason.as_str())
                .set_or_remove(attr::SALESFORCE_ERROR, *salesforce_error)
                .remove([attr::LEASE_UNTIL, attr::DELAY_TOLD_AT]),
            Outcome::Delayed { reason } => {
                let write = write.set(attr::REASON, reason.as_str());
                // Kept, because the next holder has to know whether the code may be redeemed.
                match guard {
                    Guard::Lease(lease) => write.set(attr::LEASE_UNTIL, lease.end(now)),
                    _ => write,
                }
            }
            Outcome::Ended(end) => end.written_by(write),
        };
        write.remove(attr::MARKS)
    }

    /// What every write sets.
    fn write(&self, condition: Condition, to: Status, now: Timestamp) -> ConditionalWrite {
        let write = ConditionalWrite::only_if(condition)
            .set(attr::STATUS, to.as_str())
            .set(attr::WA_ID, self.wa_id.as_str())
            .set(attr::LOGIN_URL, self.login_url.as_str())
            .set(attr::RECEIVES, u64::from(self.receives))
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
    pub fn conflict(&self, item: &Attributes) -> Conflict {
        let is_another =
            text(item, attr::CODE_SHA256).is_some_and(|sha256| Some(sha256) != self.code_sha256.as_deref());
        let codes = item.get(attr::CODES).and_then(Value::as_number).unwrap_or_default();
        let status = text(item, attr::STATUS).and_then(Status::parse);
        match (status, time(item, attr::LEASE_UNTIL)) {
            (Some(Status::Connected), _) => Conflict::Finished { connected: true },
            _ if self.code_sha256.is_some() && is_another && codes >= MAX_CODES => Conflict::TooManyCodes,
            (Some(Status::Exchanging), Some(until)) => Conflict::Held { until },
            (Some(Status::Delayed), _) => Conflict::Delayed,
            _ => Conflict::Finished { connected: false },
        }
    }
}

impl Lease {
    /// Ends the lease early, if it is still held.
    #[must_use]
    pub fn release(&self, now: Timestamp) -> ConditionalWrite {
        ConditionalWrite::only_if(self.is_held())
            .set(attr::LEASE_UNTIL, self.end(now))
            .set(attr::UPDATED_AT, now)
            .set(attr::STATUS_DAY, index::status_day(self.id, Status::Exchanging, now))
    }

    fn is_held(&self) -> Condition {
        Condition::All(vec![is(Status::Exchanging), Condition::Is(attr::LEASE_UNTIL, self.until.into())])
    }

    /// The `lease_until` that tells the next holder whether the code is certainly unused.
    fn end(&self, now: Timestamp) -> Timestamp {
        if self.maybe_redeemed.get() { now } else { RELEASED }
    }
}

impl Mark {
    /// Marks the outcome that was written at that time, and no later one. With `complete`, nobody is left to notify.
    #[must_use]
    pub fn write(&self, status: Status, updated_at: Timestamp, complete: bool, now: Timestamp) -> ConditionalWrite {
        let write = ConditionalWrite::only_if(is_current(status, updated_at));
        let write = match self {
            Self::Messaged if status == Status::Delayed => {
                write.set(attr::MESSAGED_AT, now).set(attr::DELAY_TOLD_AT, now)
            }
            Self::Messaged => write.set(attr::MESSAGED_AT, now),
            // The bot may have been notified that the message is on its way.
            Self::Undeliverable(code) => write.set(attr::MESSAGE_ERROR, code.as_str()).remove([attr::BOT_TOLD_AT]),
            Self::BotNotified => write.set(attr::BOT_TOLD_AT, now),
            Self::Nothing => write,
        };
        if complete { write.set(attr::NOTIFIED_AT, now) } else { write }
    }
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
