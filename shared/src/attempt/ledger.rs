//! The rules of writing an attempt's row: who may claim it, how it ends, and who was notified.
//!
//! Pure. Every rule about who may overwrite what is here and nowhere else, and holds whatever runs concurrently: it is the
//! condition of one write, or the write that it allows is made only where the item is as it was seen. The functions send
//! these writes to DynamoDB; the model of the protocol applies them in memory.

mod codes;
mod delivery;
mod guard;
mod lease;
mod mark;

use std::time::Duration;

use self::codes::{Code, Codes, is_as_seen};
pub use self::{
    delivery::{DELAY_AFTER, Delivery, DeliveryId, Plan},
    guard::Guard,
    lease::Lease,
    mark::{BOT_TOLD, Mark, is_of, redelivery},
};
use super::{
    AttemptId, Outcome, Reason, Status, attr, index,
    item::{text, time},
};
use crate::{
    Language, LinkId, LoginUrl, Reference, Timestamp, WaId,
    conditional_write::{Attributes, Condition, ConditionalWrite},
};

/// Longer than the exchanger's time-out, so that a lease never expires under a running holder.
pub const LEASE: Duration = Duration::from_mins(1);
/// How long an attempt, or the end of a connection, is kept.
pub const RETENTION: Duration = Duration::from_hours(90 * 24);
/// How many codes of one attempt are tried at most. A person needs one; another comes where they go back in the browser.
pub const MAX_CODES: u64 = 3;
/// What says how the exchange goes on, and ends with the final outcome.
const OF_THE_EXCHANGE: [&str; 4] = [attr::LEASE_UNTIL, attr::RETRY_AT, attr::DELAYED_AT, attr::DELAY_TOLD_AT];
/// The `lease_until` of a lease that was released while the code was certainly unused.
pub const RELEASED: Timestamp = Timestamp::from_millis(0);
/// The same after an answer without an OAuth error code, which a gateway may have given in Salesforce's place. An earlier
/// version takes it for a lease whose holder was killed.
pub const DOUBTED: Timestamp = Timestamp::from_millis(1);

/// What a message says of its attempt.
#[derive(Clone, Debug)]
pub struct Attempt<'a> {
    /// The key of its row.
    pub id: AttemptId,
    /// The link that it began with; `None` where there is none, or its version did not say so.
    pub link_id: Option<LinkId>,
    /// The bot's reference, once it is known; an attempt keeps what was written before.
    pub reference: Option<Reference>,
    /// The language that the chat is spoken to in, where it is known; an attempt keeps what was written before.
    pub language: Option<Language>,
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
    /// The outcome is another code's: the attempt is connected by it or, where this one has failed, it is still tried.
    AnotherCode,
    /// A code of a later callback is on its way.
    Overtaken,
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

impl Attempt<'_> {
    /// Claims the attempt for the time of a lease, by the item as it was seen: where it is new, delayed, left behind by a
    /// holder whose lease has expired, or failed with another code. It is made where the item is still so.
    ///
    /// # Errors
    /// [`Conflict`], where the item allows no claim.
    pub fn claim(&self, seen: &Attributes, now: Timestamp) -> Result<ConditionalWrite, Conflict> {
        if self.waits_sealed(seen) {
            return Err(Conflict::Finished { connected: false });
        }
        let Some(own) = self.own(seen) else { return Err(self.conflict(seen, now)) };
        let is_tried_out = own.tries >= self.delivery.max_tries;
        // An operator has put the message back on the queue, after the cause was mended.
        let is_put_back = is_tried_out && self.delivery.receives <= 1 && status(seen) == Some(Status::Delayed);
        let has_to_wait = is_tried_out || own.retry_at.is_some_and(|until| until > now);
        let conflict = if has_to_wait && !is_put_back {
            Some(self.conflict(seen, now))
        } else {
            self.obstacle(seen, now).filter(|_| !seen.is_empty())
        };
        if let Some(conflict) = conflict {
            return Err(conflict);
        }
        let tried = if is_put_back { 0 } else { own.tries };
        let claim = self
            .write(is_as_seen(seen), Status::Exchanging, now)
            .set(attr::LEASE_UNTIL, now.plus(LEASE))
            .set(attr::HOLDER, self.delivery.id.to_string())
            .remove([attr::REASON, attr::SALESFORCE_ERROR, attr::RETRY_AT]);
        Ok(Codes::read(seen).switch_to(&own, tried.saturating_add(1), claim))
    }

    /// The lease of a claim that was made on an item that was this before.
    #[must_use]
    pub fn lease(&self, before: &Attributes) -> Lease {
        let own = self.own(before);
        let tried = own.as_ref().map_or(0, |own| own.tries);
        // Put back on the queue after all its tries.
        let tried = if tried >= self.delivery.max_tries { 0 } else { tried };
        Lease::new(self.id, self.delivery.id, tried + 1, own.as_ref(), before)
    }

    /// The lease that this very delivery holds by this item: its claim was made on what it had seen, and the answer was lost.
    #[must_use]
    pub fn own_lease(&self, seen: &Attributes, item: &Attributes) -> Option<Lease> {
        let is_own = text(item, attr::HOLDER) == Some(&*self.delivery.id.to_string());
        (is_own && status(item) == Some(Status::Exchanging)).then(|| self.lease(seen))
    }

    /// What is to be done with this delivery of a code that has not expired, by the item.
    #[must_use]
    pub fn plan(&self, item: &Attributes) -> Plan {
        self.delivery.plan(self.own(item).map_or(0, |own| own.tries), lease::delay_is_told(item))
    }

    /// Writes that the code was exchanged, and its tokens wait on the queue.
    #[must_use]
    pub fn sealed(&self) -> ConditionalWrite {
        let code = self.code_sha256.clone().unwrap_or_default();
        ConditionalWrite::only_if(Condition::Is(attr::CODE_SHA256, code.clone().into())).set(attr::SEALED_CODE, code)
    }

    /// Writes that the code was exchanged, and its tokens are held until the chat confirms the login.
    #[must_use]
    pub fn hold(&self, guard: Guard<'_>, now: Timestamp) -> ConditionalWrite {
        let condition = match guard {
            Guard::Lease(lease) => lease.is_held(),
            _ => Condition::All([Status::Unconfirmed, Status::Connected, Status::Ended].map(is_not).into()),
        };
        self.write(condition, Status::Unconfirmed, now)
            .set(attr::SEALED_CODE, self.code_sha256.clone().unwrap_or_default())
            .remove([attr::REASON, attr::SALESFORCE_ERROR, attr::LAST_ERROR])
            .remove(OF_THE_EXCHANGE)
            .remove(attr::MARKS)
    }

    /// Whether the tokens of this code wait, on the queue or for the chat's confirmation: their message brings the outcome, and
    /// no other one of the code does.
    #[must_use]
    pub fn waits_sealed(&self, item: &Attributes) -> bool {
        text(item, attr::SEALED_CODE).is_some_and(|code| self.code_sha256.as_deref() == Some(code))
    }

    /// Whether the attempt has a code, and this is none of them. The callback that brought it was refused.
    #[must_use]
    pub fn has_other_codes(&self, item: &Attributes, sha256: &str) -> bool {
        let codes = Codes::read(item);
        !self.is_anothers(item) && !codes.is_empty() && codes.find(sha256).is_none()
    }

    /// Whether this item is what this delivery wrote then: the outcome was written, and the answer was lost.
    #[must_use]
    pub fn wrote(&self, outcome: &Outcome<&str>, item: &Attributes, at: Timestamp) -> bool {
        text(item, attr::STATUS) == Some(outcome.status().as_str())
            && text(item, attr::REASON) == outcome.reason().map(Reason::as_str)
            && time(item, attr::UPDATED_AT) == Some(at)
            && item.get(attr::RECEIVES) == Some(&u64::from(self.delivery.receives).into())
    }

    /// Writes how the attempt ended. Where the guard is about codes, the item as it was seen decides, and the write is made
    /// where it is still so.
    ///
    /// # Errors
    /// [`Conflict`], where the item that was seen does not allow it.
    pub fn finish(
        &self,
        outcome: &Outcome<&str>,
        guard: Guard<'_>,
        seen: &Attributes,
        now: Timestamp,
    ) -> Result<ConditionalWrite, Conflict> {
        let condition = match (guard, outcome) {
            (Guard::Lease(lease), _) => lease.is_held(),
            (Guard::SameCode, _) => self.is_same_code(now),
            (Guard::Open, Outcome::Delayed { .. }) => self.is_open(vec![]),
            (Guard::Open, _) => self.is_open(vec![is(Status::Delayed)]),
            (Guard::Untouched, _) => Condition::Any(vec![
                Condition::Absent(attr::ATTEMPT_ID),
                Condition::All(vec![is(Status::Delayed), Condition::Absent(attr::CODE_SHA256)]),
            ]),
            (Guard::Exchanged, Outcome::Connected { .. }) => {
                Condition::All(vec![is_not(Status::Connected), is_not(Status::Ended)])
            }
            (Guard::Claimable | Guard::Undecided | Guard::Exchanged, _) => {
                if let Some(conflict) = self.objection(outcome, guard, seen, now) {
                    return Err(conflict);
                }
                is_as_seen(seen)
            }
        };
        let write = self.outcome(outcome, guard, condition, now);
        Ok(match (guard, outcome, self.own(seen)) {
            (Guard::Undecided, ..) => Codes::read(seen).end_others(write),
            (Guard::Claimable, Outcome::Delayed { .. }, Some(own)) => self.leave_to(&own, seen, write, now),
            (Guard::Claimable | Guard::Exchanged, Outcome::Failed { .. }, Some(own)) => {
                Codes::read(seen).switch_to(&own, own.tries, write)
            }
            _ => write,
        })
    }

    /// Why the item that was seen does not allow this outcome, where its codes are what the guard is about.
    fn objection(
        &self,
        outcome: &Outcome<&str>,
        guard: Guard<'_>,
        seen: &Attributes,
        now: Timestamp,
    ) -> Option<Conflict> {
        let codes = Codes::read(seen);
        let has_reason = |reason: Reason| text(seen, attr::REASON) == Some(reason.as_str());
        let is_refused = match (guard, status(seen)) {
            (_, Some(Status::Connected | Status::Ended) | None)
            | (Guard::Undecided, Some(Status::Exchanging | Status::Unconfirmed)) => true,
            // The person is notified of one delay once.
            (Guard::Claimable, Some(Status::Delayed)) => matches!(outcome, Outcome::Delayed { .. }),
            (Guard::Claimable, Some(Status::Failed)) => self.code_sha256.is_none(),
            (Guard::Undecided, Some(Status::Failed)) => has_reason(Reason::Denied),
            _ => false,
        };
        match guard {
            _ if seen.is_empty() => None,
            _ if is_refused || self.is_anothers(seen) => Some(self.conflict(seen, now)),
            Guard::Undecided => {
                codes.has_later(self.received_at, self.delivery.max_tries).then_some(Conflict::Overtaken)
            }
            Guard::Exchanged => match (outcome.reason(), codes.current_open()) {
                (Some(reason), _) if has_reason(reason) => Some(Conflict::Finished { connected: false }),
                (_, Some(_)) if !self.is_current(&codes) => Some(Conflict::AnotherCode),
                _ if status(seen) == Some(Status::Unconfirmed) && !self.is_current(&codes) => {
                    Some(Conflict::AnotherCode)
                }
                _ => None,
            },
            _ => self.obstacle(seen, now),
        }
    }

    /// A delay of this code: it is the current one, and whoever tries it next knows what became of it.
    fn leave_to(&self, own: &Code, seen: &Attributes, write: ConditionalWrite, now: Timestamp) -> ConditionalWrite {
        let codes = Codes::read(seen);
        let write = if self.is_current(&codes) {
            write
        } else {
            let end = lease::end(own.maybe_redeemed, own.doubted, now);
            write.set(attr::LEASE_UNTIL, end).set_or_remove(attr::RETRY_AT, own.retry_at)
        };
        codes.switch_to(own, own.tries, write)
    }

    /// The outcome, on this condition.
    fn outcome(
        &self,
        outcome: &Outcome<&str>,
        guard: Guard<'_>,
        condition: Condition,
        now: Timestamp,
    ) -> ConditionalWrite {
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
            Some(sha256) => {
                write.set(attr::CODE_SHA256, sha256.as_str()).set_once(attr::CODE_RECEIVED_AT, self.received_at)
            }
            None => write,
        };
        let write = match self.link_id {
            Some(link_id) => write.set(attr::LINK_ID, link_id.to_string()),
            None => write,
        };
        let write = match &self.reference {
            Some(reference) => write.set(attr::REFERENCE, reference.as_str()),
            None => write,
        };
        let write = match self.language {
            Some(language) => write.set(attr::LANGUAGE, language.tag()),
            None => write,
        };
        if self.is_plain { write.set(attr::PLAIN, true) } else { write }
    }

    /// This code was tried last or its tokens are held, and there is no outcome, or one of these.
    fn is_open(&self, or: Vec<Condition>) -> Condition {
        let is_own = Condition::Is(attr::CODE_SHA256, self.code_sha256.clone().unwrap_or_default().into());
        let waits = [Status::Exchanging, Status::Unconfirmed].map(is).into_iter().chain(or).collect();
        Condition::All(vec![is_own, Condition::Any(waits)])
    }

    /// No code was tried, or this one was, and nobody holds it.
    fn is_same_code(&self, now: Timestamp) -> Condition {
        let is_own = match &self.code_sha256 {
            Some(sha256) => {
                Condition::All(vec![Condition::Is(attr::CODE_SHA256, sha256.as_str().into()), lease::is_free(now)])
            }
            None => lease::is_free(now),
        };
        Condition::Any(vec![Condition::Absent(attr::ATTEMPT_ID), is_own])
    }

    /// What the item knows of this code; `None` where the callback brought none.
    fn own(&self, item: &Attributes) -> Option<Code> {
        let sha256 = self.code_sha256.as_deref()?;
        Some(Codes::read(item).find(sha256).cloned().unwrap_or_else(|| Code::new(sha256, self.received_at)))
    }

    fn is_current(&self, codes: &Codes) -> bool {
        self.code_sha256.as_deref().is_some_and(|sha256| codes.is_current(sha256))
    }

    /// Whether the item is another chat's.
    fn is_anothers(&self, item: &Attributes) -> bool {
        text(item, attr::WA_ID).is_some_and(|wa_id| wa_id != self.wa_id.as_str())
    }

    /// What keeps this code, or a callback without one, from being claimed or ended by this item, however often it was tried.
    fn obstacle(&self, item: &Attributes, now: Timestamp) -> Option<Conflict> {
        let (codes, own) = (Codes::read(item), self.own(item));
        let is_new = self.code_sha256.as_deref().is_some_and(|sha256| codes.find(sha256).is_none());
        let lease_until = time(item, attr::LEASE_UNTIL).unwrap_or(now);
        let retry_at = time(item, attr::RETRY_AT).unwrap_or(RELEASED);
        match status(item) {
            _ if self.is_anothers(item) => Some(Conflict::Finished { connected: false }),
            Some(Status::Connected | Status::Unconfirmed)
                if own.is_some() && !codes.is_empty() && !self.is_current(&codes) =>
            {
                Some(Conflict::AnotherCode)
            }
            Some(Status::Connected) => Some(Conflict::Finished { connected: true }),
            Some(Status::Ended | Status::Unconfirmed) | None => Some(Conflict::Finished { connected: false }),
            _ if own.as_ref().is_some_and(|own| own.is_over) => Some(Conflict::Finished { connected: false }),
            _ if is_new && codes.are_enough() => Some(Conflict::TooManyCodes),
            Some(Status::Exchanging) if lease_until >= now => Some(Conflict::Held { until: lease_until.max(retry_at) }),
            _ => {
                let received_at = own?.received_at;
                codes.has_later(received_at, self.delivery.max_tries).then_some(Conflict::Overtaken)
            }
        }
    }

    /// Why a write to this item was refused.
    #[must_use]
    pub fn conflict(&self, item: &Attributes, now: Timestamp) -> Conflict {
        if let Some(conflict) = self.obstacle(item, now) {
            return conflict;
        }
        let codes = Codes::read(item);
        let known = self.code_sha256.as_deref().and_then(|sha256| codes.find(sha256));
        let retry_at = known.and_then(|known| known.retry_at).filter(|until| *until > now);
        match (known, retry_at, status(item)) {
            (Some(known), ..) if known.tries >= self.delivery.max_tries => Conflict::OutOfTries,
            (_, Some(until), _) => Conflict::Held { until },
            (_, _, Some(Status::Exchanging)) | (Some(_), _, Some(Status::Failed)) => Conflict::Held { until: now },
            (_, _, Some(Status::Delayed)) => Conflict::Delayed,
            _ => Conflict::Finished { connected: false },
        }
    }
}

fn status(item: &Attributes) -> Option<Status> {
    text(item, attr::STATUS).and_then(Status::parse)
}

fn is(status: Status) -> Condition {
    Condition::Is(attr::STATUS, status.as_str().into())
}

fn is_not(status: Status) -> Condition {
    Condition::IsNot(attr::STATUS, status.as_str().into())
}

#[cfg(test)]
mod tests;
