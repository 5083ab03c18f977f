use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::attempt::{Account, Ways, intent::Intent};
use crate::conditional_write::Value;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const LATER: Timestamp = Timestamp::from_millis(1_790_000_000_001);

fn attempt(code: Option<&str>) -> Attempt<'static> {
    Attempt {
        id: AttemptId::from_bytes([7; 16]),
        link_id: None,
        reference: None,
        language: None,
        is_plain: false,
        wa_id: Box::leak(Box::new("whatsapp:+15551234567".parse().unwrap())),
        login_url: Box::leak(Box::new("https://login.salesforce.com".parse().unwrap())),
        code_sha256: code.map(str::to_owned),
        received_at: NOW,
        delivery: delivery(1, 1),
    }
}

fn of_code(code: &str) -> Attempt<'static> {
    attempt(Some(code))
}

const MAX_TRIES: u32 = 3;

fn delivery(id: u8, receives: u32) -> Delivery {
    Delivery { id: DeliveryId::from_bytes([id; 16]), receives, max_tries: MAX_TRIES }
}

/// A later delivery of code a, of the message that was received so often.
fn later(id: u8, receives: u32) -> Attempt<'static> {
    Attempt { delivery: delivery(id, receives), ..of_code("a") }
}

/// Claims it, sends the code and returns it to the queue.
fn try_once(attempt: &Attempt<'_>, item: &mut Attributes, now: Timestamp) {
    let lease = claim(attempt, item, now).unwrap();
    lease.sent.set(true);
    assert!(made(&plain(lease.release(now)), item));
}

fn claim(attempt: &Attempt<'_>, item: &mut Attributes, now: Timestamp) -> Option<Lease> {
    let lease = attempt.lease(item);
    let made = attempt.claim(item, now).is_ok_and(|claim| made(&plain(claim), item));
    made.then_some(lease)
}

/// A write, as the item that was seen decides it.
type Write<'a> = Rc<dyn Fn(&Attributes) -> Result<ConditionalWrite, Conflict> + 'a>;

/// A write that is decided without the item.
fn plain<'a>(write: ConditionalWrite) -> Write<'a> {
    Rc::new(move |_| Ok(write.clone()))
}

fn finish<'a>(attempt: Attempt<'a>, outcome: Outcome<&'a str>, guard: Guard<'a>, now: Timestamp) -> Write<'a> {
    Rc::new(move |seen| attempt.finish(&outcome, guard, seen, now))
}

const ACCOUNT: Account<&str> = Account { org_id: "00D", instance_url: "https://i", username: None, scope: None };

/// The item after these writes, each of which is allowed.
fn after<'a>(writes: impl IntoIterator<Item = Write<'a>>) -> Attributes {
    let mut item = Attributes::new();
    for write in writes {
        assert!(made(&write, &mut item));
    }
    item
}

fn made(write: &Write<'_>, item: &mut Attributes) -> bool {
    let made = write(item).is_ok_and(|write| write.apply(item));
    if made {
        item.insert(attr::ATTEMPT_ID.to_owned(), "07".into());
    }
    made
}

fn allows(item: &Attributes, write: &Write<'_>) -> bool {
    made(write, &mut item.clone())
}

/// The claim of a message's first receive.
fn first<'a>(code: &str, now: Timestamp) -> Write<'a> {
    let first = of_code(code);
    Rc::new(move |seen| first.claim(seen, now))
}

/// The claim of a later receive.
fn again<'a>(code: &str, now: Timestamp) -> Write<'a> {
    let again = Attempt { delivery: delivery(2, 2), ..of_code(code) };
    Rc::new(move |seen| again.claim(seen, now))
}

fn claimable(item: &Attributes, code: &str, now: Timestamp) -> bool {
    allows(item, &first(code, now))
}

fn lease(attempt: &Attempt<'_>, before: &Attributes) -> Lease {
    attempt.lease(before)
}

fn failed(reason: Reason) -> Outcome<&'static str> {
    Outcome::Failed { reason, salesforce_error: None }
}

fn connect<'a>(code: &str, renewed: bool, now: Timestamp) -> Write<'a> {
    finish(of_code(code), Outcome::Connected { account: ACCOUNT, renewed }, Guard::Exchanged, now)
}

const DELAYED: Outcome<&str> = Outcome::Delayed { reason: Reason::SalesforceUnavailable };

#[test]
fn an_attempt_is_held_by_one_until_the_lease_has_expired() {
    let held = after([first("a", NOW)]);
    let end = NOW.plus(LEASE);
    assert_eq!(of_code("a").conflict(&held, NOW), Conflict::Held { until: end });
    assert!(!claimable(&held, "a", end));
    assert!(!claimable(&held, "b", end));
    assert!(claimable(&held, "a", end.plus(Duration::from_millis(1))));
}

#[test]
fn another_code_is_tried_after_a_failure_and_not_after_a_success() {
    let ours = lease(&of_code("a"), &Attributes::new());
    let settled = finish(of_code("a"), failed(Reason::CodeExpired), Guard::Lease(&ours), NOW);
    let over = after([first("a", NOW), settled]);
    assert_eq!(of_code("a").conflict(&over, NOW), Conflict::Finished { connected: false });
    assert!(!claimable(&over, "a", LATER));
    assert!(claimable(&over, "b", LATER));
    let connected = after([first("a", NOW), connect("a", false, NOW)]);
    assert_eq!(of_code("a").conflict(&connected, NOW), Conflict::Finished { connected: true });
    assert!(!claimable(&connected, "b", LATER));
}

#[test]
fn a_code_that_expired_is_notified_of_even_after_another_failed() {
    let late = |code| finish(of_code(code), failed(Reason::CodeExpired), Guard::Claimable, LATER);
    let first = after([late("a")]);
    assert!(!allows(&first, &late("a")));
    assert!(allows(&first, &late("b")));
}

#[test]
fn a_holder_leaves_behind_whether_the_code_may_be_redeemed() {
    let claim = first("a", NOW);
    let ours = lease(&of_code("a"), &Attributes::new());
    assert!(!ours.maybe_redeemed.get());
    let released = after([claim.clone(), plain(ours.release(NOW))]);
    assert!(!lease(&of_code("a"), &released).maybe_redeemed.get());

    // It says so, or was killed and could not; what happened to one code says nothing of another.
    ours.maybe_redeemed.set(true);
    let maybe_redeemed = after([claim.clone(), plain(ours.release(NOW))]);
    let delayed = after([claim.clone(), finish(of_code("a"), DELAYED, Guard::Lease(&ours), NOW)]);
    for left in [after([claim]), maybe_redeemed, delayed] {
        assert!(claimable(&left, "a", NOW.plus(2 * LEASE)));
        assert!(lease(&of_code("a"), &left).maybe_redeemed.get());
        assert!(!lease(&of_code("b"), &left).maybe_redeemed.get());
    }
}

#[test]
fn a_holder_leaves_behind_that_somebody_else_may_have_answered() {
    let left = |ours: &Lease| {
        let released = after([first("a", NOW), plain(ours.release(NOW))]);
        let delayed = after([first("a", NOW), finish(of_code("a"), DELAYED, Guard::Lease(ours), NOW)]);
        let lease = [lease(&of_code("a"), &released), lease(&of_code("a"), &delayed)];
        lease.map(|lease| (lease.maybe_redeemed.get(), lease.doubted.get()))
    };
    let ours = lease(&of_code("a"), &Attributes::new());
    assert_eq!(left(&ours), [(false, false); 2]);
    ours.doubted.set(true);
    assert_eq!(left(&ours), [(false, true); 2]);
    // A lost answer says more.
    ours.maybe_redeemed.set(true);
    assert_eq!(left(&ours), [(true, false); 2]);

    // While another code is tried.
    let mut item = Attributes::new();
    let doubted = claim(&received("b", 1), &mut item, NOW).unwrap();
    doubted.sent.set(true);
    doubted.doubted.set(true);
    assert!(made(&plain(doubted.release(NOW)), &mut item));
    let other = claim(&received("c", 2), &mut item, LATER).unwrap();
    assert!(!other.doubted.get());
    assert!(made(&finish(received("c", 2), failed(Reason::UserInactive), Guard::Lease(&other), LATER), &mut item));
    let again = claim(&redelivered("b", 1), &mut item, LATER).unwrap();
    assert_eq!((again.maybe_redeemed.get(), again.doubted.get()), (false, true));
}

#[test]
fn a_holder_that_lost_its_lease_writes_nothing() {
    let lost = lease(&of_code("a"), &Attributes::new());
    let later = NOW.plus(2 * LEASE);
    let taken_over = after([first("a", NOW), again("a", later)]);
    assert!(!allows(&taken_over, &plain(lost.release(later))));
    assert!(!allows(&taken_over, &finish(of_code("a"), DELAYED, Guard::Lease(&lost), later)));
    // But once tokens are stored, that is the outcome.
    assert!(allows(&taken_over, &connect("a", false, later)));
}

#[test]
fn a_delay_is_written_once_without_a_lease() {
    let delay = finish(of_code("a"), DELAYED, Guard::Claimable, NOW);
    let delayed = after([delay.clone()]);
    assert!(!allows(&delayed, &delay));
    assert_eq!(of_code("a").conflict(&delayed, NOW), Conflict::Delayed);
    assert!(claimable(&delayed, "a", NOW));
    // The last holder was killed.
    let left = after([first("a", NOW)]);
    assert!(allows(&left, &finish(of_code("a"), DELAYED, Guard::Claimable, NOW.plus(2 * LEASE))));
}

#[test]
fn a_denial_is_final_unless_a_code_is_being_exchanged_or_was_before() {
    let denial = finish(attempt(None), failed(Reason::Denied), Guard::Undecided, NOW);
    let denied = after([denial.clone()]);
    assert!(!allows(&denied, &denial));
    assert!(claimable(&denied, "a", NOW));
    assert!(!allows(&after([first("a", NOW)]), &denial));
    assert!(!allows(&after([connect("a", false, NOW)]), &denial));
    assert!(allows(&after([finish(of_code("a"), DELAYED, Guard::Claimable, NOW)]), &denial));
    assert!(!allows(&denied, &finish(attempt(None), DELAYED, Guard::Claimable, LATER)));
}

#[test]
fn a_success_is_written_once_and_never_overwritten() {
    let connected = after([connect("a", false, NOW)]);
    assert!(!allows(&connected, &connect("a", true, LATER)));
    for guard in [Guard::Claimable, Guard::Undecided] {
        assert!(!allows(&connected, &finish(of_code("b"), failed(Reason::Unknown), guard, LATER)));
        assert!(!allows(&connected, &finish(of_code("b"), DELAYED, guard, LATER)));
    }
}

#[test]
fn a_later_outcome_has_no_marks() {
    let delay = finish(of_code("a"), DELAYED, Guard::Claimable, NOW);
    let mark = plain(Mark::Messaged.write(Status::Delayed, NOW, true, LATER));
    let mut item = after([delay, mark.clone()]);
    assert!(attr::MARKS.iter().any(|mark| item.contains_key(*mark)));
    assert!(made(&connect("a", false, LATER), &mut item));
    assert!(attr::MARKS.iter().all(|mark| !item.contains_key(*mark)));
    assert!(!allows(&item, &mark), "the mark was meant for the earlier one");
}

#[test]
fn a_delay_that_recurs_stays_notified_until_the_attempt_is_finished() {
    let delay = finish(of_code("a"), DELAYED, Guard::Claimable, NOW);
    let mark = plain(Mark::Messaged.write(Status::Delayed, NOW, false, LATER));
    let ours = lease(&of_code("a"), &Attributes::new());
    let delayed_again = finish(of_code("a"), DELAYED, Guard::Lease(&ours), NOW);
    let item = after([delay, mark, first("a", NOW), delayed_again]);
    assert!(item.contains_key(attr::DELAY_TOLD_AT) && !item.contains_key(attr::MESSAGED_AT));
    let over = [connect("a", false, LATER), finish(of_code("b"), failed(Reason::Denied), Guard::Undecided, LATER)];
    for over in over {
        let mut item = item.clone();
        assert!(made(&over, &mut item) && !item.contains_key(attr::DELAY_TOLD_AT));
    }
}

#[test]
fn the_second_mark_completes_the_notification() {
    let mut item = after([connect("a", false, NOW)]);
    let mark = |mark: Mark, complete| plain(mark.write(Status::Connected, NOW, complete, LATER));
    assert!(made(&mark(Mark::Messaged, false), &mut item));
    assert!(!item.contains_key(attr::NOTIFIED_AT));
    assert!(made(&mark(Mark::BotNotified, true), &mut item));
    for name in [attr::MESSAGED_AT, attr::BOT_TOLD_AT, attr::NOTIFIED_AT] {
        assert_eq!(item.get(name), Some(&LATER.into()), "{name}");
    }
}

fn intent(holder: &str) -> Intent {
    Intent { sends: 1, certain: 0, at: NOW, holder: holder.to_owned() }
}

#[test]
fn the_bot_is_notified_again_of_an_undeliverable_message() {
    let mut item = after([connect("a", false, NOW)]);
    let mark = |mark: Mark| plain(mark.write(Status::Connected, NOW, false, LATER));
    assert!(made(&mark(Mark::Messaging { last: None, this: intent("a") }), &mut item));
    assert!(made(&mark(Mark::BotNotified), &mut item));
    let undeliverable = Mark::Undeliverable { this: intent("a"), code: "63024".to_owned() };
    assert!(made(&mark(undeliverable.clone()), &mut item));
    assert_eq!(item.get(attr::MESSAGE_ERROR), Some(&"63024".into()));
    assert!(!item.contains_key(attr::BOT_TOLD_AT) && !item.contains_key(attr::MESSAGE_INTENT));
    assert!(undeliverable.is_in(&item));
}

#[test]
fn whoever_read_the_row_before_a_result_sends_nothing() {
    let mark = |mark: Mark| plain(mark.write(Status::Connected, NOW, false, LATER));
    let undeliverable = Mark::Undeliverable { this: intent("a"), code: "63024".to_owned() };
    for result in [Mark::Messaged, Mark::MaybeMessaged { last: Some(intent("a")) }, undeliverable] {
        let mut item = after([connect("a", false, NOW)]);
        let late = mark(Mark::Messaging { last: None, this: intent("b") });
        assert!(allows(&item, &late));
        assert!(made(&mark(Mark::Messaging { last: None, this: intent("a") }), &mut item));
        assert!(made(&mark(result.clone()), &mut item));
        assert!(!allows(&item, &late), "{result:?}");
    }
}

#[test]
fn a_bot_that_heard_of_a_pending_message_hears_that_none_arrives() {
    let mark = |mark: Mark| plain(mark.write(Status::Connected, NOW, false, LATER));
    let by_webhook = Mark::NotifiedBy(Ways { webhook: true, ..Ways::default() });
    let pending = [Mark::BotNotified, by_webhook, Mark::Nothing];
    let undeliverable = Mark::Undeliverable { this: intent("a"), code: "63024".to_owned() };
    for result in [Mark::MaybeMessaged { last: Some(intent("a")) }, undeliverable] {
        let mut item = after([connect("a", false, NOW)]);
        assert!(made(&mark(Mark::Messaging { last: None, this: intent("a") }), &mut item));
        for of_bot in pending.clone() {
            assert!(allows(&item, &mark(Mark::WhilePending(Box::new(of_bot)))));
        }
        assert!(made(&mark(result.clone()), &mut item));
        for of_bot in pending.clone() {
            assert!(allows(&item, &mark(of_bot.clone())), "it is told of the end, and that is marked");
            assert!(!allows(&item, &mark(Mark::WhilePending(Box::new(of_bot)))), "{result:?}");
        }
    }
}

#[test]
fn what_is_marked_of_a_message_stays() {
    let mark = |mark: Mark| plain(mark.write(Status::Connected, NOW, false, LATER));
    let mut item = after([connect("a", false, NOW)]);
    assert!(made(&mark(Mark::Messaging { last: None, this: intent("a") }), &mut item));
    assert!(made(&mark(Mark::Messaged), &mut item));
    for late in [
        Mark::MaybeMessaged { last: Some(intent("a")) },
        Mark::Undeliverable { this: intent("a"), code: "63024".to_owned() },
    ] {
        assert!(!allows(&item, &mark(late.clone())) && !late.is_in(&item), "{late:?}");
    }
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

fn fail<'a>(code: &str, reason: Reason) -> Write<'a> {
    let (attempt, lease) = (of_code(code), lease(&of_code(code), &Attributes::new()));
    Rc::new(move |seen| attempt.finish(&failed(reason), Guard::Lease(&lease), seen, NOW))
}

#[test]
fn a_few_codes_of_an_attempt_are_tried_and_no_more() {
    let mut item = Attributes::new();
    for code in ["a", "b", "c"] {
        assert!(made(&first(code, NOW), &mut item), "{code}");
        assert!(made(&fail(code, Reason::CodeExpired), &mut item), "{code}");
    }
    assert_eq!(item.get(attr::CODES), Some(&MAX_CODES.into()));
    assert!(!claimable(&item, "d", LATER));
    assert_eq!(of_code("d").conflict(&item, NOW), Conflict::TooManyCodes);
    // It is so in an outage, too, where none of them is finished.
    let lease = lease(&of_code("c"), &Attributes::new());
    let mut delayed = Attributes::new();
    for code in ["a", "b", "c"] {
        assert!(made(&first(code, NOW), &mut delayed), "{code}");
        assert!(made(&finish(of_code(code), DELAYED, Guard::Lease(&lease), NOW), &mut delayed), "{code}");
    }
    assert!(!claimable(&delayed, "d", LATER));
    assert!(claimable(&delayed, "c", LATER));
}

#[test]
fn a_code_that_is_tried_again_is_counted_once() {
    let later = NOW.plus(2 * LEASE);
    let item = after([first("a", NOW), again("a", later)]);
    assert_eq!(item.get(attr::CODES), Some(&1.into()));
}

#[test]
fn a_refused_callback_is_an_outcome_where_there_is_none_and_yields_to_the_right_one() {
    let refused = finish(attempt(None), failed(Reason::WrongBrowser), Guard::Untouched, NOW);
    let item = after([refused.clone()]);
    assert!(!allows(&item, &refused));
    assert!(claimable(&item, "a", LATER));
    assert!(!allows(&after([first("a", NOW)]), &refused));
}

#[test]
fn a_refused_callback_that_was_delayed_still_ends_its_attempt() {
    let refused = attempt(None);
    let delayed = finish(refused.clone(), Outcome::Delayed { reason: Reason::Misconfigured }, Guard::Claimable, NOW);
    let mut item = after([delayed]);
    assert!(made(&finish(refused.clone(), failed(Reason::WrongBrowser), Guard::Untouched, LATER), &mut item));
    assert_eq!(text(&item, attr::REASON), Some("wrong_browser"));
}

#[test]
fn a_refused_callback_leaves_a_delayed_code_alone() {
    let delayed = finish(of_code("a"), Outcome::Delayed { reason: Reason::Misconfigured }, Guard::Claimable, NOW);
    let item = after([delayed]);
    assert!(!allows(&item, &finish(attempt(None), failed(Reason::WrongBrowser), Guard::Untouched, LATER)));
}

#[test]
fn a_superseded_attempt_is_written_once_and_is_no_success_overwritten() {
    let superseded = finish(of_code("a"), failed(Reason::Superseded), Guard::Exchanged, NOW);
    let item = after([first("a", NOW), superseded.clone()]);
    assert!(!allows(&item, &superseded));
    assert!(!allows(&after([connect("a", false, NOW)]), &superseded));
}

#[test]
fn a_code_of_a_version_that_proves_nothing_touches_no_attempt_of_another_code() {
    let expired = |code| finish(of_code(code), failed(Reason::CodeExpired), Guard::SameCode, LATER);
    assert!(allows(&Attributes::new(), &expired("a")));
    let delayed = after([finish(of_code("a"), DELAYED, Guard::Claimable, NOW)]);
    assert!(allows(&delayed, &expired("a")));
    assert!(!allows(&delayed, &expired("b")));
}

#[test]
fn an_attempt_of_a_plain_state_says_so() {
    let attempt = Attempt { is_plain: true, ..of_code("a") };
    let claim = attempt.claim(&Attributes::new(), NOW).unwrap();
    assert_eq!(after([plain(claim)]).get(attr::PLAIN), Some(&true.into()));
    assert_eq!(after([first("a", NOW)]).get(attr::PLAIN), None);
}

/// Else an attempt would be listed by what it was, or on a day that lists no longer look at.
#[test]
fn every_write_of_a_status_or_its_time_moves_the_row_to_their_place_in_the_index() {
    let held = after([first("a", NOW)]);
    let delayed = after([finish(of_code("a"), DELAYED, Guard::Claimable, NOW)]);
    let place = |status, at| Some(index::status_day(AttemptId::from_bytes([7; 16]), status, at).into());
    let tomorrow = NOW.plus(Duration::from_hours(24));
    let ours = lease(&of_code("a"), &Attributes::new());
    for (write, status) in [
        (first("a", tomorrow), Status::Exchanging),
        (again("a", tomorrow), Status::Exchanging),
        (plain(ours.release(tomorrow)), Status::Exchanging),
        (connect("a", false, tomorrow), Status::Connected),
        (finish(of_code("a"), failed(Reason::Denied), Guard::Claimable, tomorrow), Status::Failed),
        (finish(of_code("a"), DELAYED, Guard::Claimable, tomorrow), Status::Delayed),
    ] {
        let mut rows = [Attributes::new(), held.clone(), delayed.clone()];
        let written: Vec<_> = rows.iter_mut().filter_map(|row| made(&write, row).then_some(row)).collect();
        assert!(!written.is_empty());
        for row in written {
            assert_eq!(row.get(attr::STATUS_DAY), place(status, tomorrow).as_ref());
            assert_eq!(row.get(attr::UPDATED_AT), Some(&tomorrow.into()));
        }
    }
}

#[test]
fn a_code_that_was_never_sent_is_tried_whatever_the_count_of_receives() {
    for receives in [1, MAX_TRIES, MAX_TRIES + 1, 50] {
        let mut item = Attributes::new();
        assert_eq!(later(1, receives).plan(&item), Plan::Try, "{receives}");
        let lease = claim(&later(1, receives), &mut item, NOW).unwrap();
        assert!(made(&plain(lease.release(NOW)), &mut item), "{receives}");
        // It was claimed, and the code was not sent.
        assert_eq!(later(2, receives).plan(&item), Plan::Try, "{receives}");
        assert_eq!(item.get(attr::TRIES), Some(&0.into()), "{receives}");
    }
}

#[test]
fn a_code_is_tried_so_often_and_no_more_by_whichever_message() {
    let mut item = Attributes::new();
    (0..MAX_TRIES).for_each(|_| try_once(&of_code("a"), &mut item, NOW));
    for receives in [1, 2, 50] {
        assert!(claim(&later(9, receives), &mut item.clone(), LATER).is_none(), "{receives}");
        assert_eq!(later(9, receives).conflict(&item, LATER), Conflict::OutOfTries, "{receives}");
    }
    assert_eq!(later(9, 50).plan(&item), Plan::GiveUp);
    assert!(
        claim(&of_code("b"), &mut item, LATER).is_some_and(|lease| lease.tries == 1),
        "another has tries of its own"
    );
}

#[test]
fn a_holder_that_was_killed_has_tried() {
    let mut item = after([first("a", NOW)]);
    let after_lease = NOW.plus(2 * LEASE);
    let lease = claim(&later(2, 2), &mut item, after_lease).unwrap();
    assert_eq!((lease.tries, lease.maybe_redeemed.get()), (2, true));
    // Few receives are left, and nobody knows of the delay.
    assert_eq!(later(3, MAX_TRIES).plan(&item), Plan::Try);
    assert_eq!(later(3, MAX_TRIES + 1).plan(&item), Plan::Tell);
    item.insert(attr::DELAY_TOLD_AT.to_owned(), LATER.into());
    assert_eq!(later(3, MAX_TRIES + 1).plan(&item), Plan::Try);
    // Whoever is killed now leaves no outcome behind.
    assert_eq!(later(3, MAX_TRIES + 3).plan(&item), Plan::GiveUp);
}

#[test]
fn a_message_that_is_put_back_after_all_tries_is_tried_anew() {
    let mut item = Attributes::new();
    (0..MAX_TRIES).for_each(|_| try_once(&of_code("a"), &mut item, NOW));
    assert!(made(&finish(of_code("a"), DELAYED, Guard::Claimable, NOW), &mut item));
    assert!(claim(&later(2, 2), &mut item.clone(), LATER).is_none());
    let lease = claim(&later(3, 1), &mut item, LATER).unwrap();
    assert_eq!((lease.tries, item.get(attr::TRIES)), (1, Some(&1.into())));
}

#[test]
fn nobody_tries_a_code_before_its_message_comes_back() {
    let mut item = Attributes::new();
    let lease = claim(&of_code("a"), &mut item, NOW).unwrap();
    let back_at = NOW.plus(Duration::from_secs(40));
    lease.retry_at.set(Some(back_at));
    assert!(made(&plain(lease.release(NOW)), &mut item));
    // A reload of the callback.
    assert_eq!(later(2, 1).conflict(&item, LATER), Conflict::Held { until: back_at });
    assert!(claim(&later(2, 1), &mut item.clone(), LATER).is_none());
    assert!(claim(&later(2, 1), &mut item.clone(), back_at).is_some());
    // Another login of the person is not held up.
    assert!(claim(&of_code("b"), &mut item, LATER).is_some());
}

#[test]
fn a_claim_whose_answer_was_lost_is_known_again_by_its_delivery_alone() {
    let item = after([first("a", NOW)]);
    let none = Attributes::new();
    let own = of_code("a").own_lease(&none, &item).unwrap();
    assert_eq!((own.tries, own.maybe_redeemed.get()), (1, false));
    assert!(allows(&item, &plain(own.release(LATER))));
    assert!(later(2, 1).own_lease(&none, &item).is_none());
    // The holder before it was killed.
    let again = after([first("a", NOW), again("a", NOW.plus(2 * LEASE))]);
    assert!(later(2, 2).own_lease(&item, &again).unwrap().maybe_redeemed.get());
    let over = after([first("a", NOW), connect("a", false, NOW)]);
    assert!(of_code("a").own_lease(&none, &over).is_none());
}

#[test]
fn an_outcome_whose_answer_was_lost_is_known_again() {
    let item = after([first("a", NOW), fail("a", Reason::CodeExpired)]);
    assert!(of_code("a").wrote(&failed(Reason::CodeExpired), &item, NOW));
    assert!(!of_code("a").wrote(&failed(Reason::CodeExpired), &item, LATER));
    assert!(!of_code("a").wrote(&failed(Reason::Unknown), &item, NOW));
    assert!(!of_code("a").wrote(&DELAYED, &item, NOW));
}

#[test]
fn a_delay_that_was_told_is_not_told_again_by_the_tries_after_it() {
    let mut item = Attributes::new();
    let first = claim(&of_code("a"), &mut item, NOW).unwrap();
    assert!(made(&finish(of_code("a"), DELAYED, Guard::Lease(&first), NOW), &mut item));
    // Its telling is not complete when the next try begins.
    let second = claim(&later(2, 2), &mut item, LATER).unwrap();
    assert!(!second.delay_is_told);
    assert!(made(&finish(later(2, 2), DELAYED, Guard::Lease(&second), LATER), &mut item));
    assert!(made(&plain(Mark::Nothing.write(Status::Delayed, LATER, true, LATER)), &mut item));
    let third = claim(&later(3, 3), &mut item, LATER).unwrap();
    assert!(third.delay_is_told);
    assert!(made(&finish(later(3, 3), DELAYED, Guard::Lease(&third), LATER), &mut item));
    assert!(item.contains_key(attr::NOTIFIED_AT), "the stream's filter drops it");
}

#[test]
fn another_chats_attempt_is_never_written() {
    let other = "whatsapp:+15557654321".parse().unwrap();
    let of_other = Attempt { wa_id: &other, ..of_code("b") };
    let failure = failed(Reason::Denied);
    for item in [
        after([first("a", NOW)]),
        after([first("a", NOW), finish(of_code("a"), failure.clone(), Guard::Claimable, NOW.plus(LEASE).plus(LEASE))]),
        after([finish(of_code("a"), DELAYED, Guard::Claimable, NOW)]),
        after([finish(attempt(None), failure, Guard::Undecided, NOW)]),
        after([connect("a", false, NOW)]),
    ] {
        let later = NOW.plus(LEASE).plus(LEASE).plus(LEASE);
        let claim: Write<'_> = Rc::new(|seen| of_other.claim(seen, later));
        let mut writes = vec![claim];
        for guard in [Guard::Claimable, Guard::SameCode, Guard::Undecided, Guard::Untouched, Guard::Exchanged] {
            writes.push(finish(of_other.clone(), failed(Reason::Unknown), guard, later));
        }
        assert!(writes.iter().all(|write| !allows(&item, write)), "{item:?}");
        assert_eq!(of_other.conflict(&item, later), Conflict::Finished { connected: false });
    }
}

#[test]
fn a_login_that_is_connected_by_another_code_says_so() {
    let connected = after([connect("a", false, NOW)]);
    assert_eq!(of_code("b").conflict(&connected, LATER), Conflict::AnotherCode);
    assert_eq!(of_code("a").conflict(&connected, LATER), Conflict::Finished { connected: true });
    assert_eq!(attempt(None).conflict(&connected, LATER), Conflict::Finished { connected: true });
}

/// A callback with this code, so many milliseconds after the first.
fn received(code: &str, millis: u64) -> Attempt<'static> {
    Attempt { received_at: NOW.plus(Duration::from_millis(millis)), ..of_code(code) }
}

/// The same message, received again.
fn redelivered(code: &str, millis: u64) -> Attempt<'static> {
    Attempt { delivery: delivery(2, 2), ..received(code, millis) }
}

/// Code a was tried and returned, and then code b of a later callback was.
fn both_in_retry() -> Attributes {
    let mut item = Attributes::new();
    try_once(&received("a", 0), &mut item, NOW);
    try_once(&received("b", 1), &mut item, NOW);
    item
}

#[test]
fn a_code_that_comes_back_is_not_counted_again() {
    let mut item = both_in_retry();
    for _ in 0..2 {
        try_once(&redelivered("b", 1), &mut item, NOW);
    }
    assert_eq!(item.get(attr::CODES), Some(&2.into()));
    assert_eq!(item.get(attr::TRIES), Some(&3.into()));
}

#[test]
fn the_code_of_the_later_callback_goes_first_and_the_other_waits() {
    let item = both_in_retry();
    assert_eq!(redelivered("a", 0).claim(&item, LATER).err().unwrap(), Conflict::Overtaken);
    assert!(redelivered("b", 1).claim(&item, LATER).is_ok());
    // Whichever of them was there first.
    let mut item = Attributes::new();
    try_once(&received("b", 1), &mut item, NOW);
    assert_eq!(received("a", 0).claim(&item, LATER).err().unwrap(), Conflict::Overtaken);
}

#[test]
fn the_earlier_code_is_tried_when_the_later_one_has_failed_or_is_tried_out() {
    let mut failed_later = both_in_retry();
    let lease = claim(&redelivered("b", 1), &mut failed_later, NOW).unwrap();
    let failure = finish(redelivered("b", 1), failed(Reason::CodeExpired), Guard::Lease(&lease), NOW);
    assert!(made(&failure, &mut failed_later));
    let mut tried_out = both_in_retry();
    (1..MAX_TRIES).for_each(|_| try_once(&redelivered("b", 1), &mut tried_out, NOW));
    for mut item in [failed_later, tried_out] {
        let lease = claim(&redelivered("a", 0), &mut item, LATER).unwrap();
        assert_eq!(lease.tries, 2, "it has tries of its own");
        assert_eq!(item.get(attr::CODES), Some(&2.into()));
    }
}

#[test]
fn a_code_that_has_failed_is_not_tried_again_whatever_came_after_it() {
    let item = after([first("a", NOW), fail("a", Reason::CodeExpired), first("b", NOW)]);
    for item in [item.clone(), after_release(item)] {
        assert_eq!(redelivered("a", 0).claim(&item, LATER).err().unwrap(), Conflict::Finished { connected: false });
        assert!(!allows(&item, &finish(redelivered("a", 0), DELAYED, Guard::Claimable, LATER)));
    }
}

fn after_release(mut item: Attributes) -> Attributes {
    let lease = lease(&of_code("b"), &Attributes::new());
    assert!(made(&plain(lease.release(NOW)), &mut item));
    item
}

#[test]
fn a_request_whose_answer_was_lost_is_remembered_while_another_code_is_tried() {
    let mut item = Attributes::new();
    let lost = claim(&received("b", 1), &mut item, NOW).unwrap();
    lost.sent.set(true);
    lost.maybe_redeemed.set(true);
    assert!(made(&plain(lost.release(NOW)), &mut item));
    let other = claim(&received("c", 2), &mut item, LATER).unwrap();
    assert!(!other.maybe_redeemed.get());
    let failure = finish(received("c", 2), failed(Reason::UserInactive), Guard::Lease(&other), LATER);
    assert!(made(&failure, &mut item));
    assert!(claim(&redelivered("b", 1), &mut item, LATER).unwrap().maybe_redeemed.get());
    // A holder that was killed says nothing.
    let killed = after([first("a", NOW), again("b", NOW.plus(2 * LEASE))]);
    assert!(of_code("a").lease(&killed).maybe_redeemed.get());
}

#[test]
fn nobody_tries_a_code_before_its_message_comes_back_though_another_was_tried_since() {
    let back_at = NOW.plus(Duration::from_secs(40));
    let mut item = Attributes::new();
    let lease = claim(&of_code("a"), &mut item, NOW).unwrap();
    lease.sent.set(true);
    lease.retry_at.set(Some(back_at));
    assert!(made(&plain(lease.release(NOW)), &mut item));
    try_once(&of_code("b"), &mut item, NOW);
    assert_eq!(later(2, 2).claim(&item, LATER).err().unwrap(), Conflict::Held { until: back_at });
    assert!(later(2, 2).claim(&item, back_at).is_ok());
    // Not even after the other has failed.
    let mut over = item.clone();
    let lease = claim(&of_code("b"), &mut over, LATER).unwrap();
    assert!(made(&finish(of_code("b"), failed(Reason::Denied), Guard::Lease(&lease), LATER), &mut over));
    assert_eq!(later(2, 2).claim(&over, LATER).err().unwrap(), Conflict::Held { until: back_at });
}

#[test]
fn a_code_that_is_delayed_before_its_claim_is_counted_and_inherits_no_tries() {
    let mut item = after([first("a", NOW), fail("a", Reason::CodeExpired)]);
    assert!(made(&finish(of_code("b"), DELAYED, Guard::Claimable, NOW), &mut item));
    assert_eq!((item.get(attr::CODES), item.get(attr::TRIES)), (Some(&2.into()), Some(&0.into())));
    assert_eq!(claim(&of_code("b"), &mut item, LATER).unwrap().tries, 1);
    assert_eq!(item.get(attr::CODES), Some(&2.into()));
    // The same over the lease of a holder that was killed, whose code stays known.
    let mut item = after([first("a", NOW)]);
    let after_lease = NOW.plus(2 * LEASE);
    assert!(made(&finish(received("b", 1), DELAYED, Guard::Claimable, after_lease), &mut item));
    let lease = claim(&received("b", 1), &mut item, after_lease).unwrap();
    assert_eq!((lease.tries, lease.maybe_redeemed.get()), (1, false));
    assert!(of_code("a").lease(&item).maybe_redeemed.get());
    assert_eq!(of_code("a").lease(&item).tries, 2);
    // And where nothing was written before.
    let delayed = after([finish(of_code("a"), DELAYED, Guard::Claimable, NOW)]);
    assert_eq!(delayed.get(attr::CODES), Some(&1.into()));
}

#[test]
fn no_more_codes_become_known_than_may_be_tried() {
    let mut item = Attributes::new();
    for code in ["a", "b", "c"] {
        try_once(&of_code(code), &mut item, NOW);
    }
    for _ in 0..2 {
        for code in ["a", "b", "c"] {
            try_once(&Attempt { delivery: delivery(2, 2), ..of_code(code) }, &mut item, NOW);
        }
    }
    assert_eq!(item.get(attr::CODES), Some(&MAX_CODES.into()));
    assert_eq!(of_code("d").claim(&item, LATER).err().unwrap(), Conflict::TooManyCodes);
    for outcome in [DELAYED, failed(Reason::CodeExpired)] {
        assert!(!allows(&item, &finish(of_code("d"), outcome, Guard::Claimable, LATER)));
    }
}

#[test]
fn a_claim_is_made_where_nothing_has_changed_since_the_look() {
    let seen = both_in_retry();
    let claim = redelivered("b", 1).claim(&seen, LATER).unwrap();
    let mut tried = seen.clone();
    try_once(&redelivered("b", 1), &mut tried, NOW);
    let mut connected = seen.clone();
    assert!(made(&connect("a", false, LATER), &mut connected));
    for changed in [tried, connected, Attributes::new()] {
        assert!(!claim.is_allowed(&changed), "{changed:?}");
    }
    assert!(claim.is_allowed(&seen));
}

fn received_denial(millis: u64) -> Attempt<'static> {
    Attempt { received_at: NOW.plus(Duration::from_millis(millis)), ..attempt(None) }
}

fn hold<'a>(code: &str, guard: Guard<'a>, now: Timestamp) -> Write<'a> {
    plain(of_code(code).hold(guard, now))
}

/// Tokens of code a are held.
fn held() -> Attributes {
    let lease = lease(&of_code("a"), &Attributes::new());
    after([first("a", NOW), hold("a", Guard::Lease(&lease), NOW)])
}

#[test]
fn an_attempt_whose_tokens_are_held_is_claimed_by_no_code() {
    let item = held();
    assert_eq!(item.get(attr::STATUS), Some(&"unconfirmed".into()));
    assert!(!item.contains_key(attr::LEASE_UNTIL));
    let after_the_lease = NOW.plus(LEASE * 2);
    for code in ["a", "b"] {
        assert!(!claimable(&item, code, after_the_lease), "{code}");
    }
    assert!(of_code("a").waits_sealed(&item));
    assert_eq!(of_code("b").conflict(&item, after_the_lease), Conflict::AnotherCode);
}

#[test]
fn an_attempt_whose_tokens_are_held_ends_as_its_chat_decides_and_in_no_other_way() {
    let item = held();
    assert!(allows(&item, &connect("a", false, LATER)));
    for reason in [Reason::WrongChat, Reason::Unconfirmed, Reason::Superseded] {
        assert!(allows(&item, &finish(of_code("a"), failed(reason), Guard::Exchanged, LATER)), "{reason:?}");
    }
    assert!(allows(&item, &finish(of_code("a"), DELAYED, Guard::Exchanged, LATER)));
    for guard in [Guard::Claimable, Guard::SameCode, Guard::Undecided, Guard::Untouched] {
        for code in [Some("a"), Some("b"), None] {
            let write = finish(attempt(code), failed(Reason::Denied), guard, LATER);
            assert!(!allows(&item, &write), "{guard:?} {code:?}");
        }
    }
}

#[test]
fn tokens_are_held_once_and_by_whoever_holds_the_attempt() {
    let other = lease(&later(9, 2), &Attributes::new());
    let exchanging = after([first("a", NOW)]);
    assert!(!allows(&exchanging, &hold("a", Guard::Lease(&other), NOW)), "it lost its lease");
    assert!(allows(&exchanging, &hold("a", Guard::Exchanged, NOW)), "a message with sealed tokens holds no lease");
    assert!(!allows(&held(), &hold("a", Guard::Exchanged, NOW)));
    let connected = after([first("a", NOW), connect("a", false, NOW)]);
    assert!(!allows(&connected, &hold("b", Guard::Exchanged, NOW)));
}

#[test]
fn a_person_who_has_confirmed_and_waits_is_told_and_the_code_is_not_tried_again() {
    let mut item = held();
    assert!(made(&finish(of_code("a"), DELAYED, Guard::Exchanged, LATER), &mut item));
    assert!(!claimable(&item, "a", NOW.plus(LEASE * 2)));
    assert!(allows(&item, &connect("a", false, LATER)));
}

#[test]
fn an_attempt_that_waits_for_the_outcome_of_a_code_gets_one() {
    let held = held();
    let end = |code, outcome| finish(of_code(code), outcome, Guard::Open, LATER);
    for item in [held.clone(), after([first("a", NOW)])] {
        assert!(allows(&item, &end("a", failed(Reason::UsedLogin))));
        assert!(!allows(&item, &end("b", failed(Reason::UsedLogin))), "it is another code's");
    }
    let mut item = held;
    assert!(made(&end("a", DELAYED), &mut item));
    assert!(!allows(&item, &end("a", DELAYED)), "the person is told once");
    assert!(made(&end("a", failed(Reason::Unconfirmed)), &mut item));
    for outcome in [failed(Reason::Unconfirmed), failed(Reason::Superseded), DELAYED] {
        assert!(!allows(&item, &end("a", outcome)));
    }
    assert_eq!(of_code("a").conflict(&item, LATER), Conflict::Finished { connected: false });
    assert!(made(&first("b", LATER), &mut item), "another code of the login is tried");
    assert!(!allows(&item, &end("a", failed(Reason::Unconfirmed))));
    assert_eq!(of_code("a").conflict(&item, LATER), Conflict::Finished { connected: false });
}

#[test]
fn a_denial_ends_the_codes_before_it_and_none_after_it() {
    let mut item = Attributes::new();
    for code in [received("a", 0), received("b", 2)] {
        let lease = claim(&code, &mut item, NOW).unwrap();
        assert!(made(&finish(code.clone(), DELAYED, Guard::Lease(&lease), NOW), &mut item));
    }
    let denial = |millis| finish(received_denial(millis), failed(Reason::Denied), Guard::Undecided, LATER);
    assert!(!allows(&item, &denial(1)), "code b came later");
    assert!(made(&denial(3), &mut item));
    for code in [redelivered("a", 0), redelivered("b", 2)] {
        assert_eq!(code.claim(&item, LATER).err().unwrap(), Conflict::Finished { connected: false });
    }
    assert!(received("c", 4).claim(&item, LATER).is_ok(), "whoever said no may say yes");
}

#[test]
fn a_consent_that_a_later_one_of_the_chat_has_overtaken_leaves_another_code_alone() {
    let superseded = |code| finish(code, failed(Reason::Superseded), Guard::Exchanged, LATER);
    let item = both_in_retry();
    assert!(!allows(&item, &superseded(received("a", 0))));
    assert_eq!(
        received("a", 0).finish(&failed(Reason::Superseded), Guard::Exchanged, &item, LATER).err().unwrap(),
        Conflict::AnotherCode
    );
    assert!(allows(&item, &superseded(received("b", 1))));
}

#[test]
fn an_item_of_an_earlier_version_is_understood() {
    let item = |more: &[(&str, Value)]| {
        let common = [
            (attr::ATTEMPT_ID, "07".into()),
            (attr::WA_ID, "whatsapp:+15551234567".into()),
            (attr::STATUS, Status::Exchanging.as_str().into()),
            (attr::CODE_SHA256, "a".into()),
            (attr::CREATED_AT, NOW.into()),
            (attr::LEASE_UNTIL, 0.into()),
            (attr::TRIES, 1.into()),
        ];
        let all = common.into_iter().chain(more.iter().cloned());
        all.map(|(name, value)| (name.to_owned(), value)).collect::<Attributes>()
    };
    let mut two_of_old = item(&[(attr::CODES, 2.into())]);
    assert_eq!(claim(&redelivered("a", 0), &mut two_of_old, LATER).unwrap().tries, 2);
    let mut three_of_old = item(&[(attr::CODES, MAX_CODES.into())]);
    assert_eq!(received("b", 1).claim(&three_of_old, LATER).err().unwrap(), Conflict::TooManyCodes);
    assert!(claim(&redelivered("a", 0), &mut three_of_old, LATER).is_some());
    // Nobody else's text is taken for codes.
    for odd in ["", "[]", "{}", "[{\"sha256\":1}]"] {
        assert!(redelivered("a", 0).claim(&item(&[(attr::OTHER_CODES, odd.into())]), LATER).is_ok(), "{odd}");
    }
    assert!(redelivered("a", 0).claim(&item(&[(attr::OTHER_CODES, Value::Other)]), LATER).is_ok());
}

proptest! {
    /// Whatever happens to three codes in whichever order.
    #[test]
    fn each_code_keeps_its_own_tries(turns in proptest::collection::vec(0usize..3, 0..12)) {
        let mut item = Attributes::new();
        let mut tries = [0u32; 3];
        for turn in turns {
            let attempt = Attempt { delivery: Delivery { max_tries: 99, ..delivery(2, 2) }, ..of_code(["a", "b", "c"][turn]) };
            try_once(&attempt, &mut item, NOW);
            tries[turn] += 1;
            for (code, tries) in ["a", "b", "c"].into_iter().zip(tries) {
                let attempt = Attempt { delivery: Delivery { max_tries: 99, ..delivery(2, 2) }, ..of_code(code) };
                prop_assert_eq!(attempt.lease(&item).tries, tries + 1);
            }
        }
        let known = tries.iter().filter(|tries| **tries > 0).count();
        prop_assert_eq!(item.get(attr::CODES).and_then(Value::as_number).unwrap_or_default(), known as u64);
    }
}

#[test]
fn what_is_known_of_the_link_is_written_and_stays_where_a_later_write_knows_nothing() {
    let known = Attempt { reference: "crm/42".parse().ok(), language: Some(Language::Hindi), ..of_code("a") };
    let mut item = Attributes::new();
    assert!(known.claim(&item, NOW).unwrap().apply(&mut item));
    let claimed = Attempt { reference: None, language: None, delivery: delivery(2, 2), ..known };
    assert!(claimed.claim(&item, NOW.plus(LEASE).plus(LEASE)).unwrap().apply(&mut item));
    assert_eq!((item.get(attr::REFERENCE), item.get(attr::LANGUAGE)), (Some(&"crm/42".into()), Some(&"hi".into())));
}
