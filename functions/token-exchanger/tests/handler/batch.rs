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
    CHAT, CLIENT_SECRET, CODE, DEADLINE, NOW, WRONG_CLIENT, World, handle, holding, message_of, record, verifier,
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
