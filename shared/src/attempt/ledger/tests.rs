use super::*;
use crate::attempt::Account;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const LATER: Timestamp = Timestamp::from_millis(1_790_000_000_001);

fn attempt(code: Option<&str>) -> Attempt<'static> {
    Attempt {
        id: AttemptId::from_bytes([7; 16]),
        link_id: None,
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
    assert!(made(&lease.release(now), item));
}

fn claim(attempt: &Attempt<'_>, item: &mut Attributes, now: Timestamp) -> Option<Lease> {
    let lease = attempt.lease(item);
    attempt.claims(now).iter().any(|claim| made(claim, item)).then_some(lease)
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

/// The claim with a code that was not tried before.
fn first(code: &str, now: Timestamp) -> ConditionalWrite {
    of_code(code).claims(now).swap_remove(0)
}

/// The claim with the code that was tried last.
fn again(code: &str, now: Timestamp) -> ConditionalWrite {
    let again = Attempt { delivery: delivery(2, 2), ..of_code(code) };
    again.claims(now).swap_remove(0)
}

/// The claim of the first delivery with the code that was tried last.
fn first_again() -> ConditionalWrite {
    of_code("a").claims(NOW).swap_remove(1)
}

fn claimable(item: &Attributes, code: &str, now: Timestamp) -> bool {
    of_code(code).claims(now).iter().any(|claim| allows(item, claim))
}

fn lease(attempt: &Attempt<'_>, before: &Attributes) -> Lease {
    attempt.lease(before)
}

fn failed(reason: Reason) -> Outcome<&'static str> {
    Outcome::Failed { reason, salesforce_error: None }
}

fn connect(code: &str, renewed: bool, now: Timestamp) -> ConditionalWrite {
    of_code(code).finish(&Outcome::Connected { account: ACCOUNT, renewed }, Guard::Exchanged, now)
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
    let settled = of_code("a").finish(&failed(Reason::CodeExpired), Guard::Lease(&ours), NOW);
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
    let late = |code| of_code(code).finish(&failed(Reason::CodeExpired), Guard::Claimable, LATER);
    let first = after([late("a")]);
    assert!(!allows(&first, &late("a")));
    assert!(allows(&first, &late("b")));
}

#[test]
fn a_holder_leaves_behind_whether_the_code_may_be_redeemed() {
    let claim = first("a", NOW);
    let ours = lease(&of_code("a"), &Attributes::new());
    assert!(!ours.maybe_redeemed.get());
    let released = after([claim.clone(), ours.release(NOW)]);
    assert!(!lease(&of_code("a"), &released).maybe_redeemed.get());

    // It says so, or was killed and could not; what happened to one code says nothing of another.
    ours.maybe_redeemed.set(true);
    let maybe_redeemed = after([claim.clone(), ours.release(NOW)]);
    let delayed = after([claim.clone(), of_code("a").finish(&DELAYED, Guard::Lease(&ours), NOW)]);
    for left in [after([claim]), maybe_redeemed, delayed] {
        assert!(claimable(&left, "a", NOW.plus(2 * LEASE)));
        assert!(lease(&of_code("a"), &left).maybe_redeemed.get());
        assert!(!lease(&of_code("b"), &left).maybe_redeemed.get());
    }
}

#[test]
fn a_holder_that_lost_its_lease_writes_nothing() {
    let lost = lease(&of_code("a"), &Attributes::new());
    let later = NOW.plus(2 * LEASE);
    let taken_over = after([first("a", NOW), again("a", later)]);
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
    assert_eq!(of_code("a").conflict(&delayed, NOW), Conflict::Delayed);
    assert!(claimable(&delayed, "a", NOW));
    // The last holder was killed.
    let left = after([first("a", NOW)]);
    assert!(allows(&left, &of_code("a").finish(&DELAYED, Guard::Claimable, NOW.plus(2 * LEASE))));
}

#[test]
fn a_denial_is_final_unless_a_code_is_being_exchanged_or_was_before() {
    let denial = attempt(None).finish(&failed(Reason::Denied), Guard::Undecided, NOW);
    let denied = after([denial.clone()]);
    assert!(!allows(&denied, &denial));
    assert!(claimable(&denied, "a", NOW));
    assert!(!allows(&after([first("a", NOW)]), &denial));
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
    let delayed_again = of_code("a").finish(&DELAYED, Guard::Lease(&ours), NOW);
    let item = after([delay, mark, first_again(), delayed_again]);
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

#[test]
fn of_the_claims_no_item_allows_both() {
    let failed_with = |code| after([first(code, NOW), fail(code, Reason::CodeExpired)]);
    let held = after([first("a", NOW)]);
    let mut tried_out = Attributes::new();
    (1..=MAX_TRIES).for_each(|receives| try_once(&later(1, receives), &mut tried_out, NOW));
    let mut delayed = tried_out.clone();
    assert!(made(&of_code("a").finish(&DELAYED, Guard::Claimable, LATER), &mut delayed));
    for item in [Attributes::new(), held, failed_with("a"), failed_with("b"), tried_out, delayed] {
        for now in [NOW, NOW.plus(2 * LEASE)] {
            assert!(of_code("a").claims(now).iter().filter(|claim| allows(&item, claim)).count() <= 1, "{item:?}");
        }
    }
}

fn fail(code: &str, reason: Reason) -> ConditionalWrite {
    let lease = lease(&of_code(code), &Attributes::new());
    of_code(code).finish(&failed(reason), Guard::Lease(&lease), NOW)
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
        assert!(made(&of_code(code).finish(&DELAYED, Guard::Lease(&lease), NOW), &mut delayed), "{code}");
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
    let refused = attempt(None).finish(&failed(Reason::WrongBrowser), Guard::Untouched, NOW);
    let item = after([refused.clone()]);
    assert!(!allows(&item, &refused));
    assert!(claimable(&item, "a", LATER));
    assert!(!allows(&after([first("a", NOW)]), &refused));
}

#[test]
fn a_refused_callback_that_was_delayed_still_ends_its_attempt() {
    let refused = attempt(None);
    let delayed = refused.finish(&Outcome::Delayed { reason: Reason::Misconfigured }, Guard::Claimable, NOW);
    let mut item = after([delayed]);
    assert!(made(&refused.finish(&failed(Reason::WrongBrowser), Guard::Untouched, LATER), &mut item));
    assert_eq!(text(&item, attr::REASON), Some("wrong_browser"));
}

#[test]
fn a_refused_callback_leaves_a_delayed_code_alone() {
    let delayed = of_code("a").finish(&Outcome::Delayed { reason: Reason::Misconfigured }, Guard::Claimable, NOW);
    let item = after([delayed]);
    assert!(!allows(&item, &attempt(None).finish(&failed(Reason::WrongBrowser), Guard::Untouched, LATER)));
}

#[test]
fn a_superseded_attempt_is_written_once_and_is_no_success_overwritten() {
    let superseded = of_code("a").finish(&failed(Reason::Superseded), Guard::Exchanged, NOW);
    let item = after([first("a", NOW), superseded.clone()]);
    assert!(!allows(&item, &superseded));
    assert!(!allows(&after([connect("a", false, NOW)]), &superseded));
}

#[test]
fn a_code_of_a_version_that_proves_nothing_touches_no_attempt_of_another_code() {
    let expired = |code| of_code(code).finish(&failed(Reason::CodeExpired), Guard::SameCode, LATER);
    assert!(allows(&Attributes::new(), &expired("a")));
    let delayed = after([of_code("a").finish(&DELAYED, Guard::Claimable, NOW)]);
    assert!(allows(&delayed, &expired("a")));
    assert!(!allows(&delayed, &expired("b")));
}

#[test]
fn an_attempt_of_a_plain_state_says_so() {
    let plain = Attempt { is_plain: true, ..of_code("a") };
    assert_eq!(after([plain.claims(NOW).swap_remove(0)]).get(attr::PLAIN), Some(&true.into()));
    assert_eq!(after([first("a", NOW)]).get(attr::PLAIN), None);
}

/// Else an attempt would be listed by what it was, or on a day that lists no longer look at.
#[test]
fn every_write_of_a_status_or_its_time_moves_the_row_to_their_place_in_the_index() {
    let held = after([first("a", NOW)]);
    let delayed = after([of_code("a").finish(&DELAYED, Guard::Claimable, NOW)]);
    let place = |status, at| Some(index::status_day(AttemptId::from_bytes([7; 16]), status, at).into());
    let tomorrow = NOW.plus(Duration::from_hours(24));
    let ours = lease(&of_code("a"), &Attributes::new());
    for (write, status) in [
        (first("a", tomorrow), Status::Exchanging),
        (again("a", tomorrow), Status::Exchanging),
        (ours.release(tomorrow), Status::Exchanging),
        (connect("a", false, tomorrow), Status::Connected),
        (of_code("a").finish(&failed(Reason::Denied), Guard::Claimable, tomorrow), Status::Failed),
        (of_code("a").finish(&DELAYED, Guard::Claimable, tomorrow), Status::Delayed),
    ] {
        let mut rows = [Attributes::new(), held.clone(), delayed.clone()];
        let written: Vec<_> = rows.iter_mut().filter_map(|row| write.apply(row).then_some(row)).collect();
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
        assert!(made(&lease.release(NOW), &mut item), "{receives}");
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
    assert!(made(&of_code("a").finish(&DELAYED, Guard::Claimable, NOW), &mut item));
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
    assert!(made(&lease.release(NOW), &mut item));
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
    let own = of_code("a").own_lease(&item).unwrap();
    assert_eq!((own.tries, own.maybe_redeemed.get()), (1, false));
    assert!(allows(&item, &own.release(LATER)));
    assert!(later(2, 1).own_lease(&item).is_none());
    // Of an earlier try it does not know whether the code was redeemed.
    let again = after([first("a", NOW), again("a", NOW.plus(2 * LEASE))]);
    assert!(later(2, 2).own_lease(&again).unwrap().maybe_redeemed.get());
    let over = after([first("a", NOW), connect("a", false, NOW)]);
    assert!(of_code("a").own_lease(&over).is_none());
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
    assert!(made(&of_code("a").finish(&DELAYED, Guard::Lease(&first), NOW), &mut item));
    // Its telling is not complete when the next try begins.
    let second = claim(&later(2, 2), &mut item, LATER).unwrap();
    assert!(!second.delay_is_told);
    assert!(made(&later(2, 2).finish(&DELAYED, Guard::Lease(&second), LATER), &mut item));
    assert!(made(&Mark::Nothing.write(Status::Delayed, LATER, true, LATER), &mut item));
    let third = claim(&later(3, 3), &mut item, LATER).unwrap();
    assert!(third.delay_is_told);
    assert!(made(&later(3, 3).finish(&DELAYED, Guard::Lease(&third), LATER), &mut item));
    assert!(item.contains_key(attr::NOTIFIED_AT), "the stream's filter drops it");
}

#[test]
fn another_chats_attempt_is_never_written() {
    let other = "whatsapp:+15557654321".parse().unwrap();
    let of_other = Attempt { wa_id: &other, ..of_code("b") };
    let failure = failed(Reason::Denied);
    for item in [
        after([first("a", NOW)]),
        after([first("a", NOW), of_code("a").finish(&failure, Guard::Claimable, NOW.plus(LEASE).plus(LEASE))]),
        after([of_code("a").finish(&DELAYED, Guard::Claimable, NOW)]),
        after([attempt(None).finish(&failure, Guard::Undecided, NOW)]),
        after([connect("a", false, NOW)]),
    ] {
        let later = NOW.plus(LEASE).plus(LEASE).plus(LEASE);
        let mut writes = of_other.claims(later);
        for guard in [Guard::Claimable, Guard::SameCode, Guard::Undecided, Guard::Untouched, Guard::Exchanged] {
            writes.push(of_other.finish(&failed(Reason::Unknown), guard, later));
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
