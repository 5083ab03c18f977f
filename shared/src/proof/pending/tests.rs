use proptest::prelude::*;

use super::*;

const ATTEMPT: AttemptId = AttemptId::from_bytes([7; 16]);
const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

fn chat(number: u8) -> WaId {
    format!("whatsapp:+1555000000{number}").parse().unwrap()
}

fn after(minutes: u64) -> Timestamp {
    NOW.plus(Duration::from_mins(minutes))
}

fn hold(row: &mut Attributes, attempt_id: AttemptId, code_sha256: &str, now: Timestamp) -> bool {
    let hold = Hold {
        attempt_id,
        wa_id: &chat(1),
        language: Some(Language::Hindi),
        state: &StateText::new("state".to_owned()),
        received_at: NOW,
        link_issued_at: Some(NOW),
        code_sha256,
        sealed: &Sealed { key: b"key".to_vec(), data: b"tokens".to_vec() },
        confirm_until: after(10),
    };
    let is_written = hold.write(now).apply(row);
    assert!(!is_written || hold.is_in(row));
    is_written
}

fn held() -> Attributes {
    let mut row = Attributes::new();
    assert!(hold(&mut row, ATTEMPT, "code", NOW));
    row
}

fn decision(row: &Attributes) -> Option<Decision> {
    Held::read(row).unwrap().decision
}

#[test]
fn a_login_is_decided_by_who_sends_its_code() {
    for (sender, meaning, decided) in
        [(1, Meaning::Confirmed, Decision::Confirmed), (2, Meaning::WrongChat, Decision::WrongChat)]
    {
        let mut row = held();
        assert_eq!(decision(&row), None);
        assert!(send(&chat(sender), NOW).apply(&mut row));
        assert_eq!((super::meaning(&row, &chat(sender)), decision(&row)), (meaning, Some(decided)));
    }
}

#[test]
fn a_code_that_comes_before_its_login_decides_it_too() {
    for (sender, decided) in [(1, Decision::Confirmed), (2, Decision::WrongChat)] {
        let mut row = Attributes::new();
        assert!(send(&chat(sender), NOW).apply(&mut row));
        assert_eq!(super::meaning(&row, &chat(sender)), Meaning::Unknown);
        assert!(Held::read(&row).is_none());
        assert!(hold(&mut row, ATTEMPT, "code", after(1)));
        assert_eq!(decision(&row), Some(decided));
    }
}

#[test]
fn a_code_that_came_long_before_its_login_does_not_decide_it() {
    let mut row = Attributes::new();
    assert!(send(&chat(1), NOW).apply(&mut row));
    assert!(!hold(&mut row.clone(), ATTEMPT, "code", after(15)));
    assert!(hold(&mut row, ATTEMPT, "code", after(15).minus(Duration::from_millis(1))));
}

#[test]
fn nobody_decides_a_second_time() {
    let mut row = held();
    assert!(send(&chat(2), NOW).apply(&mut row));
    assert!(!send(&chat(1), NOW).apply(&mut row) && !expire(after(60)).apply(&mut row));
    assert_eq!(super::meaning(&row, &chat(1)), Meaning::TooLate);
    assert_eq!(decision(&row), Some(Decision::WrongChat));

    let mut row = held();
    assert!(send(&chat(1), NOW).apply(&mut row) && !send(&chat(2), NOW).apply(&mut row));
    assert_eq!(super::meaning(&row, &chat(2)), Meaning::WrongChat);
    assert_eq!(decision(&row), Some(Decision::Confirmed));
}

#[test]
fn a_login_expires_when_its_time_is_over_and_no_sooner() {
    let mut row = held();
    assert!(!expire(after(10).minus(Duration::from_millis(1))).apply(&mut row));
    assert!(!send(&chat(1), after(10)).apply(&mut row), "the time is over");
    assert!(expire(after(10)).apply(&mut row));
    assert_eq!(decision(&row), Some(Decision::Expired));
    assert!(!send(&chat(1), NOW).apply(&mut row));
    assert_eq!(super::meaning(&row, &chat(1)), Meaning::TooLate);
}

#[test]
fn another_chat_has_the_wrong_code_also_when_the_time_is_over() {
    let mut row = held();
    assert!(!send(&chat(2), after(10)).apply(&mut row));
    assert_eq!(super::meaning(&row, &chat(2)), Meaning::WrongChat);
    assert!(expire(after(10)).apply(&mut row) && !send(&chat(2), after(11)).apply(&mut row));
    assert_eq!(super::meaning(&row, &chat(2)), Meaning::WrongChat);
}

#[test]
fn a_login_that_is_not_held_does_not_expire() {
    assert!(!expire(after(60)).apply(&mut Attributes::new()));
}

#[test]
fn a_login_that_is_withdrawn_has_expired_at_once() {
    let mut row = held();
    assert!(withdraw(NOW).apply(&mut row));
    assert_eq!(decision(&row), Some(Decision::Expired));
    assert!(!send(&chat(1), NOW).apply(&mut row), "nobody confirms it any more");
    assert_eq!(super::meaning(&row, &chat(1)), Meaning::TooLate);
    assert!(!Held::read(&row).unwrap().is_settled(), "its tokens are still to be revoked");
}

#[test]
fn a_login_that_is_decided_is_not_withdrawn() {
    for sender in [1, 2] {
        let mut row = held();
        assert!(send(&chat(sender), NOW).apply(&mut row));
        let before = row.clone();
        assert!(!withdraw(after(1)).apply(&mut row));
        assert_eq!(row, before);
    }
}

#[test]
fn a_code_without_a_login_is_not_withdrawn() {
    let mut row = Attributes::new();
    assert!(!withdraw(NOW).apply(&mut row));
    assert!(send(&chat(1), NOW).apply(&mut row) && !withdraw(NOW).apply(&mut row));
}

#[test]
fn one_code_holds_one_login() {
    let mut row = held();
    let before = row.clone();
    assert!(!hold(&mut row, AttemptId::from_bytes([8; 16]), "code", NOW));
    assert!(!hold(&mut row, ATTEMPT, "another", NOW));
    assert_eq!(row, before);
}

#[test]
fn tokens_that_come_twice_from_the_queue_are_held_once() {
    let mut row = held();
    let before = row.clone();
    assert!(!hold(&mut row, ATTEMPT, "code", after(1)));
    assert!(send(&chat(2), NOW).apply(&mut row), "it is decided, and not carried out yet");
    assert!(!hold(&mut row, ATTEMPT, "code", after(1)), "the attempt would wait again after its outcome");
    assert_eq!(row.get(attr::CONFIRM_UNTIL), before.get(attr::CONFIRM_UNTIL));
}

#[test]
fn a_settled_row_has_no_token_and_answers_as_before() {
    let mut row = held();
    assert!(send(&chat(1), NOW).apply(&mut row));
    assert!(Held::read(&row).unwrap().message(&ChatProof::parse(&"A".repeat(43)).unwrap()).is_some());
    assert!(settle(ATTEMPT, after(1)).apply(&mut row));
    let settled = Held::read(&row).unwrap();
    assert!(settled.is_settled() && settled.state.is_none());
    assert!(settled.message(&ChatProof::parse(&"A".repeat(43)).unwrap()).is_none());
    assert_eq!(super::meaning(&row, &chat(1)), Meaning::Confirmed);
    assert!(!hold(&mut row, ATTEMPT, "code", after(2)), "it is not held again");
    assert!(!settle(AttemptId::from_bytes([8; 16]), NOW).apply(&mut held()));
}

#[test]
fn an_early_code_is_forgotten_and_a_held_login_is_not() {
    let mut row = Attributes::new();
    assert!(send(&chat(1), NOW).apply(&mut row));
    assert_eq!(row.get(attr::EXPIRES_AT), Some(&after(15).seconds().into()));
    assert!(hold(&mut row, ATTEMPT, "code", NOW));
    assert_eq!(row.get(attr::EXPIRES_AT), Some(&NOW.plus(RETENTION).seconds().into()));
    let mut row = held();
    assert!(send(&chat(1), NOW).apply(&mut row));
    assert_eq!(row.get(attr::EXPIRES_AT), Some(&NOW.plus(RETENTION).seconds().into()));
}

proptest! {
    /// In whatever order everybody writes: once a login is decided it stays so, and it is confirmed only where its own
    /// chat has sent the code.
    #[test]
    fn a_decision_stays(writes in proptest::collection::vec((0u8..6, 0u64..30), 0..12)) {
        let (mut row, mut decided, mut now) = (Attributes::new(), None, NOW);
        for (write, minutes) in writes {
            now = now.plus(Duration::from_mins(minutes));
            match write {
                0 => { hold(&mut row, ATTEMPT, "code", now); }
                1 | 2 => { send(&chat(write), now).apply(&mut row); }
                3 => { expire(now).apply(&mut row); }
                4 => { withdraw(now).apply(&mut row); }
                _ => { settle(ATTEMPT, now).apply(&mut row); }
            }
            let decision = Held::read(&row).and_then(|held| held.decision);
            prop_assert!(decided.is_none() || decision == decided);
            decided = decision;
        }
    }
}
