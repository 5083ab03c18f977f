//! The batch: messages fail alone, and each leaves one log line.

use std::cell::Cell;

use fakes::{
    Answer,
    aws::{self},
    logs::Logs,
};
use serde_json::{Value, json};
use shared::aws::queue::NamelessMessage;
use shared::{Timestamp, state::Claims};

use crate::world::{
    CHAT, CLIENT_SECRET, CODE, DEADLINE, EXPIRED, NOW, WRONG_CLIENT, World, handle, holding, message_of, record,
    verifier,
};

#[tokio::test]
async fn an_unreadable_message_fails_alone_and_is_returned_without_delay() {
    let world = World::start().await;
    let batch = [record("bad", &json!({ "v": 2, "code": CODE }), 1), record("good", &world.message(), 1)];
    assert_eq!(handle(&world.function(), &batch).await, ["bad"]);
    assert_eq!(world.visibility_timeouts(), [1]);
    assert_eq!(world.calls("TransactWriteItems").len(), 1);
}

#[tokio::test]
async fn a_message_without_an_id_returns_the_whole_batch_unprocessed() {
    let world = World::start().await;
    for id in [json!(""), Value::Null] {
        let mut record = record("one", &world.message(), 1);
        record["messageId"] = id;
        let batch = serde_json::from_value(json!({ "Records": [record] })).unwrap();
        assert_eq!(world.function().handle(batch, DEADLINE).await.unwrap_err(), NamelessMessage);
    }
    assert_eq!(world.tries(), 0);
}

thread_local! {
    static READS_UNTIL_PANIC: Cell<Option<u32>> = const { Cell::new(None) };
}

/// A clock that breaks once.
fn breaking_clock() -> Timestamp {
    match READS_UNTIL_PANIC.get() {
        Some(0) => {
            READS_UNTIL_PANIC.set(None);
            panic!("the clock broke");
        }
        reads => READS_UNTIL_PANIC.set(reads.map(|reads| reads - 1)),
    }
    NOW
}

#[tokio::test]
async fn a_panic_fails_its_own_message_alone() {
    let world = World::start().await;
    let other =
        message_of(Claims { attempt_id: "00000000000000000000000000000008".parse().unwrap(), ..world.claims() });
    // Read once by the batch, and then by the first message.
    READS_UNTIL_PANIC.set(Some(1));
    let batch = [record("first", &world.message(), 1), record("second", &other, 1)];
    assert_eq!(handle(&world.function_at(breaking_clock), &batch).await, ["first"]);
    assert_eq!(world.calls("TransactWriteItems").len(), 1);
}

#[tokio::test]
async fn a_failed_warm_up_fails_no_message() {
    let world = World::start().await;
    world.0.next("BatchGetSecretValue", aws::error("AccessDeniedException"));
    let function = world.function();
    function.warm_up().await;
    let asked = ["BatchGetSecretValue", "GetSecretValue"];
    assert_eq!(world.0.operations(), asked, "nothing but the secrets is asked for");
    assert!(handle(&function, &[record("one", &world.message(), 1)]).await.is_empty());
}

#[tokio::test]
async fn a_line_for_each_message_with_its_trace_and_nothing_secret_in_it() {
    const TRACE: &str = "1-5759e988-bd862e3fe1be46a994272793";
    let logs = Logs::capture();
    let world = World::start().await;
    world.token_endpoint_answers([
        Answer::Lost,
        Answer::new(400, WRONG_CLIENT),
        world.0.tokens(CLIENT_SECRET),
        world.0.tokens("another"),
    ]);
    let function = world.function();
    let message =
        message_of(Claims { attempt_id: "00000000000000000000000000000109".parse().unwrap(), ..world.claims() });
    let unreadable = json!({ "v": 1, "code": CODE, "wa_id": CHAT });
    for (id, message) in [("connects", &message), ("fails", &message), ("unreadable-109", &unreadable)] {
        let mut record = record(id, message, 1);
        record["attributes"]["AWSTraceHeader"] = format!("Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=0").into();
        handle(&function, &[record]).await;
    }
    let text = logs.text();
    let ours: Vec<_> = text.lines().filter(|line| line.contains("109\"")).collect();
    let [connected, failed, unreadable] = ours[..] else { panic!("{text}") };
    assert!(ours.iter().all(|line| line.contains(&format!(r#""trace_id":"{TRACE}""#))), "{text}");
    assert!(connected.contains(r#""result":"connected""#), "{connected}");
    assert!(failed.contains(r#""result":"failed","reason":"misconfigured""#), "{failed}");
    assert!(unreadable.contains(r#""result":"unreadable""#), "{unreadable}");
    let verifier = verifier("00000000000000000000000000000109");
    let of_function = || text.lines().filter(|line| line.contains(r#""target":"token_exchanger"#));
    for secret in ["CODE", "15551234567", "ACCESS", "REFRESH", CLIENT_SECRET, "ada@", verifier.secret(), "/services/"] {
        assert!(of_function().all(|line| !line.contains(secret)), "{secret}: {text}");
    }
}

#[tokio::test]
async fn the_line_of_an_outage_says_the_status_and_what_comes_next() {
    let logs = Logs::capture();
    let world = World::start().await;
    let page = "<html>We are down for maintenance</html>";
    world.token_endpoint_answers((0..2).map(|_| Answer::new(503, page)));
    world.tried_before(1, &json!({}));
    let message =
        message_of(Claims { attempt_id: "00000000000000000000000000000503".parse().unwrap(), ..world.claims() });
    handle(&world.function(), &[record("one", &message, 2)]).await;
    let text = logs.text();
    let line = text.lines().find(|line| line.contains("503\"") && line.contains("returned")).unwrap();
    assert!(line.contains("Salesforce answered 503 without an error code"), "{line}");
    assert!(line.contains(r#""next":"retry","back_in_s":5"#), "{line}");
    assert!(!line.contains("refused"), "{line}");
}

/// The lines about the attempt with this number.
fn lines_of(logs: &Logs, number: u32) -> Vec<String> {
    let id = format!("{number:032}\"");
    logs.text().lines().filter(|line| line.contains(&id)).map(str::to_owned).collect()
}

/// The line about a delivery whose code gets this answer, each time that it is sent.
async fn line_for(number: u32, answer: &Answer, receives: u32) -> String {
    let logs = Logs::capture();
    let world = World::start().await;
    world.token_endpoint_answers((0..6).map(|_| answer.clone()));
    if receives > 1 {
        world.tried_before(u64::from(receives - 1), &json!({}));
    }
    let message = message_of(Claims { attempt_id: format!("{number:032}").parse().unwrap(), ..world.claims() });
    handle(&world.function(), &[record("one", &message, receives)]).await;
    lines_of(&logs, number).pop().unwrap()
}

#[tokio::test]
async fn each_answer_of_salesforce_is_logged_with_its_status_and_what_comes_next() {
    const PAGE: &str = "<html>We are down for maintenance</html>";
    for (number, answer, says, next) in [
        (5030, Answer::new(503, ""), "answered 503 without", r#""class":"transient""#),
        (
            5031,
            Answer::new(429, r#"{"error":"slow_down"}"#),
            "answered 429 slow_down",
            r#""next":"retry","back_in_s":5"#,
        ),
        (5032, Answer::new(404, PAGE), "answered 404 without", r#""next":"retry","back_in_s":5"#),
        (5033, Answer::new(502, PAGE), "answered 502 without", r#""class":"ambiguous""#),
        (5034, Answer::new(200, PAGE), "answered 200 without", r#""class":"ambiguous""#),
        (5035, Answer::new(400, WRONG_CLIENT), "answered 400 invalid_client: invalid client", r#""class":"operator""#),
        (5036, Answer::new(302, ""), "answered 302 without", r#""next":"retry","back_in_s":5"#),
        (5037, Answer::Lost, "answer was lost", r#""class":"ambiguous""#),
        (
            5038,
            Answer::new(400, EXPIRED),
            "answered 400 invalid_grant: expired",
            r#""result":"failed","reason":"wrong_login_host","class":"final""#,
        ),
        (
            5039,
            Answer::retry_after("3600"),
            "answered 503 without",
            r#""result":"failed","reason":"salesforce_unavailable","class":"transient""#,
        ),
    ] {
        let line = line_for(number, &answer, 2).await;
        assert!(line.contains(says) && line.contains(next), "{line}");
        assert!(!line.contains("refused"), "{line}");
    }
}

#[tokio::test]
async fn the_line_of_a_last_try_says_that_the_person_is_told_and_the_message_goes_to_the_dead_letters() {
    let line = line_for(5050, &Answer::new(503, ""), 10).await;
    assert!(line.contains(r#""next":"dead_letter_queue","back_in_s":1,"told_of_delay":true"#), "{line}");
    let line = line_for(5051, &Answer::new(503, ""), 2).await;
    assert!(line.contains(r#""told_of_delay":false"#), "{line}");
}

#[tokio::test]
async fn the_line_of_an_unreadable_message_says_where_it_goes() {
    let logs = Logs::capture();
    let world = World::start().await;
    handle(&world.function(), &[record("unreadable-5060", &json!({ "v": 2, "code": CODE }), 1)]).await;
    let text = logs.text();
    let line = text.lines().find(|line| line.contains("unreadable-5060")).unwrap();
    assert!(line.contains(r#""class":"unreadable""#), "{line}");
    assert!(line.contains(r#""next":"dead_letter_queue","back_in_s":1"#), "{line}");
}

#[tokio::test]
async fn an_answer_of_userinfo_is_logged_with_its_status_and_what_comes_next() {
    for (number, answer, says, then) in [
        (5070, Answer::new(403, "Bad_OAuth_Token"), "answered 403 to /userinfo", r#""reason":"app_blocked""#),
        (5071, Answer::new(403, "Invalid_Scope"), "answered 403 to /userinfo", r#""next":"connect""#),
        (5072, Answer::retry_after("60"), "answered 503 to /userinfo", r#""next":"connect""#),
    ] {
        let logs = Logs::capture();
        let world = World::start().await;
        world.userinfo_answers([answer]);
        let message = message_of(Claims { attempt_id: format!("{number:032}").parse().unwrap(), ..world.claims() });
        handle(&world.function(), &[record("one", &message, 1)]).await;
        let lines = lines_of(&logs, number);
        assert!(lines.iter().any(|line| line.contains(says) && line.contains(then)), "{lines:?}");
    }
}

#[tokio::test]
async fn a_denial_of_the_operators_kind_is_named_in_log_and_attempt() {
    let logs = Logs::capture();
    let world = World::start().await;
    let claims = Claims { attempt_id: "00000000000000000000000000000419".parse().unwrap(), ..world.claims() };
    let denied = json!({ "error": "invalid_scope", "error_description": "no \u{1b}[2J +1 (555) 123-4567" });
    handle(&world.function(), &[record("one", &holding(message_of(claims), "denied", denied), 1)]).await;
    let last = world.last_update();
    assert_eq!(last["reason"]["S"], "misconfigured");
    assert_eq!(last["last_error"]["S"], "Salesforce answered the login with invalid_scope: no [2J +***");
    let text = logs.text();
    let line = text.lines().find(|line| line.contains("419\"")).unwrap();
    assert!(line.contains(r#""class":"callback_error","salesforce_error":"invalid_scope""#), "{line}");
}
