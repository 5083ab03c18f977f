//! The rules of writing an attempt's row: who may claim it, how it ends, and who was notified.
//!
//! Pure. Every rule about who may overwrite what is the condition of one write, here and nowhere else, so that it holds
//! whatever runs concurrently. The functions send these writes to DynamoDB; the model of the protocol applies them in
//! memory.

use std::{cell::Cell, time::Duration};

use super::{
    AttemptId, Outcome, Reason, Status, attr,
    item::{text, time},
};
use crate::{
    LoginUrl, Timestamp, WaId,
    conditional_write::{Attributes, Condition, ConditionalWrite},
};

/// Longer than the exchanger's time-out, so that a lease never expires under a running holder.
pub const LEASE: Duration = Duration::from_mins(1);
/// How long an attempt is kept.
const RETENTION: Duration = Duration::from_hours(90 * 24);
/// The `lease_until` of a lease that was released while the code was certainly unused.
const RELEASED: Timestamp = Timestamp::from_millis(0);

/// What a message says of its attempt.
#[derive(Clone, Debug)]
pub struct Attempt<'a> {
    /// The key of its row.
    pub id: AttemptId,
    /// The chat.
    pub wa_id: &'a WaId,
    /// Where the person logged in.
    pub login_url: &'a LoginUrl,
    /// The SHA-256 of the code; `None` for a denial.
    pub code_sha256: Option<String>,
    /// How often the message has been received.
    pub receives: u32,
    /// When the callback was received.
    pub received_at: Timestamp,
}

/// The exclusive right to exchange the attempt's code, until it expires.
#[derive(Debug)]
pub struct Lease {
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
    /// The person denied access: that is final unless a code is being exchanged, or was before.
    Undecided,
    /// The tokens are stored: that is the outcome, whoever holds the attempt, unless it was connected before.
    TokensStored,
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
    /// expired, or failed with another code. [`Self::lease`] reads the item as it was before.
    #[must_use]
    pub fn claim(&self, now: Timestamp) -> ConditionalWrite {
        self.write(self.is_claimable(now), Status::Exchanging, now)
            .set(attr::LEASE_UNTIL, now.plus(LEASE))
            .remove([attr::REASON, attr::SALESFORCE_ERROR])
    }

    /// The lease of a claim that was made at that time, on an item that was this before.
    #[must_use]
    pub fn lease(&self, before: &Attributes, claimed_at: Timestamp) -> Lease {
        let same_code = text(before, attr::CODE_SHA256) == self.code_sha256.as_deref();
        let released = time(before, attr::LEASE_UNTIL).is_none_or(|until| until == RELEASED);
        Lease { until: claimed_at.plus(LEASE), maybe_redeemed: Cell::new(same_code && !released) }
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
            (Guard::Undecided, _) => Condition::Any(vec![
                Condition::Absent(attr::ATTEMPT_ID),
                is(Status::Delayed),
                Condition::All(vec![
                    is(Status::Failed),
                    Condition::IsNot(attr::REASON, Reason::Denied.as_str().into()),
                ]),
            ]),
            (Guard::TokensStored, _) => Condition::IsNot(attr::STATUS, Status::Connected.as_str().into()),
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
                    Guard::Claimable | Guard::Undecided | Guard::TokensStored => write,
                }
            }
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
            .set_once(attr::CREATED_AT, self.received_at)
            .set(attr::EXPIRES_AT, now.plus(RETENTION).seconds());
        match &self.code_sha256 {
            Some(sha256) => write.set(attr::CODE_SHA256, sha256.as_str()),
            None => write,
        }
    }

    fn is_claimable(&self, now: Timestamp) -> Condition {
        let mut cases = vec![
            Condition::Absent(attr::ATTEMPT_ID),
            is(Status::Delayed),
            Condition::All(vec![is(Status::Exchanging), Condition::Below(attr::LEASE_UNTIL, now.millis())]),
        ];
        if let Some(sha256) = &self.code_sha256 {
            let another = Condition::IsNot(attr::CODE_SHA256, sha256.as_str().into());
            cases.push(Condition::All(vec![is(Status::Failed), another]));
        }
        Condition::Any(cases)
    }
}

impl Lease {
    /// Ends the lease early, if it is still held.
    #[must_use]
    pub fn release(&self, now: Timestamp) -> ConditionalWrite {
        ConditionalWrite::only_if(self.is_held()).set(attr::LEASE_UNTIL, self.end(now)).set(attr::UPDATED_AT, now)
    }

    fn is_held(&self) -> Condition {
        Condition::All(vec![is(Status::Exchanging), Condition::Is(attr::LEASE_UNTIL, self.until.into())])
    }

    /// The `lease_until` that tells the next holder whether the code is certainly unused.
    fn end(&self, now: Timestamp) -> Timestamp {
        if self.maybe_redeemed.get() { now } else { RELEASED }
    }
}

impl Conflict {
    /// Why a write to this item was refused.
    #[must_use]
    pub fn of(item: &Attributes) -> Self {
        match (text(item, attr::STATUS).and_then(Status::parse), time(item, attr::LEASE_UNTIL)) {
            (Some(Status::Exchanging), Some(until)) => Self::Held { until },
            (Some(Status::Delayed), _) => Self::Delayed,
            (status, _) => Self::Finished { connected: status == Some(Status::Connected) },
        }
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

fn is(status: Status) -> Condition {
    Condition::Is(attr::STATUS, status.as_str().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::Account;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const LATER: Timestamp = Timestamp::from_millis(1_790_000_000_001);

    fn attempt(code: Option<&str>) -> Attempt<'static> {
        Attempt {
            id: AttemptId::from_bytes([7; 16]),
            wa_id: Box::leak(Box::new("whatsapp:+15551234567".parse().unwrap())),
            login_url: Box::leak(Box::new("https://login.salesforce.com".parse().unwrap())),
            code_sha256: code.map(str::to_owned),
            receives: 1,
            received_at: NOW,
        }
    }

    fn of_code(code: &str) -> Attempt<'static> {
        attempt(Some(code))
    }

    const ACCOUNT: Account<&str> = Account { org_id: "00D", instance_url: "https://i", username: None, scope: None };

    /// The item after these writes, each of which is allowed.
    fn after(writes: impl IntoIterator<Item = ConditionalWrite>) -> Attributes {
        let mut item = Attributes::new();
        for write in writes {
            assert!(made(&write, &mut item));
        }
        item
    }

    fn made(write: &ConditionalWrite, item: &mut Attributes) -> bool {
        let made = write.apply(item);
        if made {
            item.insert(attr::ATTEMPT_ID.to_owned(), "07".into());
        }
        made
    }

    fn allows(item: &Attributes, write: &ConditionalWrite) -> bool {
        write.apply(&mut item.clone())
    }

    fn lease(attempt: &Attempt<'_>, before: &Attributes) -> Lease {
        attempt.lease(before, NOW)
    }

    fn failed(reason: Reason) -> Outcome<&'static str> {
        Outcome::Failed { reason, salesforce_error: None }
    }

    fn connect(code: &str, renewed: bool, now: Timestamp) -> ConditionalWrite {
        of_code(code).finish(&Outcome::Connected { account: ACCOUNT, renewed }, Guard::TokensStored, now)
    }

    const DELAYED: Outcome<&str> = Outcome::Delayed { reason: Reason::SalesforceUnavailable };

    #[test]
    fn an_attempt_is_held_by_one_until_the_lease_has_expired() {
        let held = after([of_code("a").claim(NOW)]);
        let end = NOW.plus(LEASE);
        assert_eq!(Conflict::of(&held), Conflict::Held { until: end });
        assert!(!allows(&held, &of_code("a").claim(end)));
        assert!(!allows(&held, &of_code("b").claim(end)));
        assert!(allows(&held, &of_code("a").claim(end.plus(Duration::from_millis(1)))));
    }

    #[test]
    fn another_code_is_tried_after_a_failure_and_not_after_a_success() {
        let ours = lease(&of_code("a"), &Attributes::new());
        let settled = of_code("a").finish(&failed(Reason::CodeExpired), Guard::Lease(&ours), NOW);
        let over = after([of_code("a").claim(NOW), settled]);
        assert_eq!(Conflict::of(&over), Conflict::Finished { connected: false });
        assert!(!allows(&over, &of_code("a").claim(LATER)));
        assert!(allows(&over, &of_code("b").claim(LATER)));
        let connected = after([of_code("a").claim(NOW), connect("a", false, NOW)]);
        assert_eq!(Conflict::of(&connected), Conflict::Finished { connected: true });
        assert!(!allows(&connected, &of_code("b").claim(LATER)));
    }

    #[test]
    fn a_code_that_expired_is_notified_of_even_after_another_failed() {
        let late = |code| of_code(code).finish(&failed(Reason::CodeExpired), Guard::Claimable, LATER);
        let first = after([late("a")]);
        assert!(!allows(&first, &late("a")));
        assert!(allows(&first, &late("b")));
    }

    #[test]
    fn a_holder_leaves_behind_whether_the_code_may_be_redeemed() {
        let claim = of_code("a").claim(NOW);
        let ours = lease(&of_code("a"), &Attributes::new());
        assert!(!ours.maybe_redeemed.get());
        let released = after([claim.clone(), ours.release(NOW)]);
        assert!(!lease(&of_code("a"), &released).maybe_redeemed.get());

        // It says so, or was killed and could not; what happened to one code says nothing of another.
        ours.maybe_redeemed.set(true);
        let maybe_redeemed = after([claim.clone(), ours.release(NOW)]);
        let delayed = after([claim.clone(), of_code("a").finish(&DELAYED, Guard::Lease(&ours), NOW)]);
        for left in [after([claim]), maybe_redeemed, delayed] {
            assert!(allows(&left, &of_code("a").claim(NOW.plus(2 * LEASE))));
            assert!(lease(&of_code("a"), &left).maybe_redeemed.get());
            assert!(!lease(&of_code("b"), &left).maybe_redeemed.get());
        }
    }

    #[test]
    fn a_holder_that_lost_its_lease_writes_nothing() {
        let lost = lease(&of_code("a"), &Attributes::new());
        let later = NOW.plus(2 * LEASE);
        let taken_over = after([of_code("a").claim(NOW), of_code("a").claim(later)]);
        assert!(!allows(&taken_over, &lost.release(later)));
        assert!(!allows(&taken_over, &of_code("a").finish(&DELAYED, Guard::Lease(&lost), later)));
        // But once tokens are stored, that is the outcome.
        assert!(allows(&taken_over, &connect("a", false, later)));
    }

    #[test]
    fn a_delay_is_written_once_without_a_lease() {
        let delay = of_code("a").finish(&DELAYED, Guard::Claimable, NOW);
        let delayed = after([delay.clone()]);
        assert!(!allows(&delayed, &delay));
        assert_eq!(Conflict::of(&delayed), Conflict::Delayed);
        assert!(allows(&delayed, &of_code("a").claim(NOW)));
        // The last holder was killed.
        let left = after([of_code("a").claim(NOW)]);
        assert!(allows(&left, &of_code("a").finish(&DELAYED, Guard::Claimable, NOW.plus(2 * LEASE))));
    }

    #[test]
    fn a_denial_is_final_unless_a_code_is_being_exchanged_or_was_before() {
        let denial = attempt(None).finish(&failed(Reason::Denied), Guard::Undecided, NOW);
        let denied = after([denial.clone()]);
        assert!(!allows(&denied, &denial));
        assert!(allows(&denied, &of_code("a").claim(NOW)));
        assert!(!allows(&after([of_code("a").claim(NOW)]), &denial));
        assert!(!allows(&after([connect("a", false, NOW)]), &denial));
        assert!(allows(&after([of_code("a").finish(&DELAYED, Guard::Claimable, NOW)]), &denial));
        assert!(!allows(&denied, &attempt(None).finish(&DELAYED, Guard::Claimable, LATER)));
    }

    #[test]
    fn a_success_is_written_once_and_never_overwritten() {
        let connected = after([connect("a", false, NOW)]);
        assert!(!allows(&connected, &connect("a", true, LATER)));
        for guard in [Guard::Claimable, Guard::Undecided] {
            assert!(!allows(&connected, &of_code("b").finish(&failed(Reason::Unknown), guard, LATER)));
            assert!(!allows(&connected, &of_code("b").finish(&DELAYED, guard, LATER)));
        }
    }

    #[test]
    fn a_later_outcome_has_no_marks() {
        let delay = of_code("a").finish(&DELAYED, Guard::Claimable, NOW);
        let mark = Mark::Messaged.write(Status::Delayed, NOW, true, LATER);
        let mut item = after([delay, mark.clone()]);
        assert!(attr::MARKS.iter().any(|mark| item.contains_key(*mark)));
        assert!(made(&connect("a", false, LATER), &mut item));
        assert!(attr::MARKS.iter().all(|mark| !item.contains_key(*mark)));
        assert!(!allows(&item, &mark), "the mark was meant for the earlier one");
    }

    #[test]
    fn a_delay_that_recurs_stays_notified_until_the_attempt_is_finished() {
        let delay = of_code("a").finish(&DELAYED, Guard::Claimable, NOW);
        let mark = Mark::Messaged.write(Status::Delayed, NOW, false, LATER);
        let ours = lease(&of_code("a"), &Attributes::new());
        let again = of_code("a").finish(&DELAYED, Guard::Lease(&ours), NOW);
        let item = after([delay, mark, of_code("a").claim(NOW), again]);
        assert!(item.contains_key(attr::DELAY_TOLD_AT) && !item.contains_key(attr::MESSAGED_AT));
        let over = [connect("a", false, LATER), of_code("b").finish(&failed(Reason::Denied), Guard::Undecided, LATER)];
        for over in over {
            let mut item = item.clone();
            assert!(made(&over, &mut item) && !item.contains_key(attr::DELAY_TOLD_AT));
        }
    }

    #[test]
    fn the_second_mark_completes_the_notification() {
        let mut item = after([connect("a", false, NOW)]);
        let mark = |mark: Mark, complete| mark.write(Status::Connected, NOW, complete, LATER);
        assert!(made(&mark(Mark::Messaged, false), &mut item));
        assert!(!item.contains_key(attr::NOTIFIED_AT));
        assert!(made(&mark(Mark::BotNotified, true), &mut item));
        for name in [attr::MESSAGED_AT, attr::BOT_TOLD_AT, attr::NOTIFIED_AT] {
            assert_eq!(item.get(name), Some(&LATER.into()), "{name}");
        }
        // The bot is notified again of an undeliverable message.
        assert!(made(&mark(Mark::Undeliverable("63024".to_owned()), false), &mut item));
        assert_eq!(item.get(attr::MESSAGE_ERROR), Some(&"63024".into()));
        assert!(!item.contains_key(attr::BOT_TOLD_AT));
    }

    #[test]
    fn an_outcome_is_redelivered_unless_there_is_a_later_one() {
        let notified = |at: Timestamp| {
            Attributes::from([
                (attr::STATUS.to_owned(), Status::Failed.as_str().into()),
                (attr::UPDATED_AT.to_owned(), at.into()),
                (attr::NOTIFIED_AT.to_owned(), at.into()),
                (attr::MESSAGED_AT.to_owned(), at.into()),
            ])
        };
        let again = redelivery(Status::Failed, NOW, &[attr::NOTIFIED_AT], LATER);
        let mut item = notified(NOW);
        assert!(again.apply(&mut item));
        assert!(!item.contains_key(attr::NOTIFIED_AT) && item.contains_key(attr::MESSAGED_AT));
        assert_eq!(time(&item, attr::UPDATED_AT), Some(NOW));
        assert!(!again.apply(&mut notified(LATER)));
    }
}
