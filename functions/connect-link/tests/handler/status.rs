//! How a login stands, for the page after it.

use std::time::Duration;

use fakes::{
    aws::{error, state_key_pair, state_public_key},
    logs::Logs,
};
use form_urlencoded::Serializer;
use serde_json::{Value, json};
use shared::{
    AttemptId, Timestamp,
    state::{Claims, StateKey},
};

use super::{CHAT, Function, NOW, call, text};

const ATTEMPT: [u8; 16] = [7; 16];

fn claims() -> Claims {
    Claims {
        attempt_id: AttemptId::from_bytes(ATTEMPT),
        link: None,
        wa_id: CHAT.parse().unwrap(),
        expires_at: NOW.plus(Duration::from_mins(15)),
        login_url: "https://login.salesforce.com".parse().unwrap(),
        binding: None,
    }
}

/// A state that names this key, and is signed by the stack's.
fn signed(claims: Claims, public: &[u8]) -> String {
    let unsigned = claims.unsigned(StateKey::from_der(public).unwrap().id());
    let signature = state_key_pair().sign(&unsigned.message());
    unsigned.with_signature(signature.as_ref().try_into().unwrap())
}

fn genuine() -> String {
    signed(claims(), &state_public_key())
}

/// A question with these fields in its form.
fn question(fields: &[(&str, &str)]) -> Value {
    json!({
        "routeKey": "POST /connect/status",
        "rawPath": "/connect/status",
        "rawQueryString": "",
        "headers": { "content-type": "application/x-www-form-urlencoded;charset=UTF-8", "accept": "*/*" },
        "body": Serializer::new(String::new()).extend_pairs(fields).finish(),
        "requestContext": { "apiId": "abc", "http": { "method": "POST" } },
    })
}

/// What is answered where the attempt's row is this.
async fn answered(row: Value) -> Value {
    let function = Function::start().await;
    function.aws.on("GetItem", move |_| row.clone().into());
    let response = call(&function.connect_link, question(&[("state", &genuine())])).await;
    assert_eq!(response.status_code, 200);
    let mut answer: Value = serde_json::from_str(text(&response)).unwrap();
    answer.as_object_mut().unwrap().remove("page");
    answer
}

fn row(status: &str, reason: Option<&str>) -> Value {
    let mut item = json!({ "status": { "S": status } });
    if let Some(reason) = reason {
        item["reason"] = json!({ "S": reason });
    }
    json!({ "Item": item })
}

/// Refused with 404, and AWS is not called.
async fn is_unknown(event: Value) {
    let function = Function::start().await;
    let before = function.aws.operations().len();
    let response = call(&function.connect_link, event).await;
    let body: Value = serde_json::from_str(text(&response)).unwrap();
    assert_eq!((response.status_code, &body["error"]), (404, &json!("unknown_login")));
    assert_eq!(function.aws.operations().len(), before);
}

#[tokio::test]
async fn a_page_hears_how_its_login_stands() {
    assert_eq!(answered(json!({})).await, json!({ "status": "pending" }));
    assert_eq!(answered(row("exchanging", None)).await, json!({ "status": "pending" }));
    assert_eq!(answered(row("unconfirmed", None)).await, json!({ "status": "unconfirmed" }));
    assert_eq!(answered(row("connected", None)).await, json!({ "status": "connected" }));
    assert_eq!(answered(row("delayed", Some("unknown"))).await, json!({ "status": "pending", "next": "wait" }));
    let blocked = answered(row("failed", Some("app_blocked"))).await;
    assert_eq!(blocked, json!({ "status": "failed", "next": "contact_admin" }));
    assert_eq!(answered(row("failed", Some("superseded"))).await, json!({ "status": "failed" }));
}

/// What the page shows that asks this.
async fn shown(fields: &[(&str, &str)], accepted: &str) -> Value {
    let function = Function::start().await;
    function.aws.on("GetItem", |_| row("connected", None).into());
    let mut event = question(fields);
    event["headers"]["accept-language"] = accepted.into();
    let response = call(&function.connect_link, event).await;
    serde_json::from_str::<Value>(text(&response)).unwrap()["page"].clone()
}

#[tokio::test]
async fn a_page_is_told_what_to_show_in_the_language_that_it_is_in() {
    let state = genuine();
    let page = shown(&[("state", &state), ("language", "es")], "de").await;
    assert_eq!((&page["mood"], &page["title"]), (&json!("good"), &json!("Conectada")));
    assert_eq!(shown(&[("state", &state)], "de").await["title"], "Verbunden");
    for not_one in ["tlh", "", "<b>"] {
        assert_eq!(shown(&[("state", &state), ("language", not_one)], "de").await["title"], "Verbunden", "{not_one}");
    }
}

#[tokio::test]
async fn what_a_page_is_told_has_nothing_of_the_chat_in_it() {
    let page = shown(&[("state", &genuine())], "en").await.to_string();
    assert!(page.contains("Connected") && !page.contains("4567"), "{page}");
}

#[tokio::test]
async fn two_attributes_of_the_attempts_row_are_read_and_no_other() {
    let function = Function::start().await;
    function.aws.on("GetItem", |_| row("connected", None).into());
    let response = call(&function.connect_link, question(&[("state", &genuine())])).await;
    let asked = function.aws.only_request("GetItem").json();
    assert_eq!((&asked["TableName"], &asked["Key"]["attempt_id"]["S"]), (&json!("attempts"), &json!("07".repeat(16))));
    let mut read: Vec<_> = asked["ProjectionExpression"].as_str().unwrap().split(", ").collect();
    read.sort_unstable();
    assert_eq!(read, ["#reason", "#status"]);
    assert_eq!(asked["ExpressionAttributeNames"], json!({ "#reason": "reason", "#status": "status" }));
    assert_eq!(response.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn a_state_that_nobody_here_signed_is_unknown() {
    let forged = {
        let mut state = genuine();
        let last = if state.pop() == Some('A') { 'Q' } else { 'A' };
        state.push(last);
        state
    };
    let plain = format!("wa:{CHAT}");
    let long = format!("wa:{CHAT}~{}", "A".repeat(2_000));
    for state in [forged.as_str(), &plain, "", "nonsense", "wa:~AAAA", &long] {
        is_unknown(question(&[("state", state)])).await;
    }
}

#[tokio::test]
async fn a_state_of_another_key_is_unknown() {
    let mut other = state_public_key();
    *other.last_mut().unwrap() ^= 1;
    is_unknown(question(&[("state", &signed(claims(), &other))])).await;
}

#[tokio::test]
async fn a_state_that_is_not_there_once_and_in_the_form_is_unknown() {
    let state = genuine();
    is_unknown(question(&[])).await;
    is_unknown(question(&[("state", &state), ("state", "x")])).await;
    is_unknown(question(&[("state", &state), ("state", &state)])).await;
    let mut in_query = question(&[]);
    in_query["rawQueryString"] = Serializer::new(String::new()).append_pair("state", &state).finish().into();
    is_unknown(in_query).await;
    let long = "a".repeat(shared::web::MAX_PARAMETERS + 1);
    is_unknown(question(&[("state", &state), ("more", &long)])).await;
}

#[tokio::test]
async fn a_page_may_ask_for_half_an_hour_after_the_state_has_expired() {
    let function = Function::start().await;
    function.aws.on("GetItem", |_| row("connected", None).into());
    let ask = async |clock: fn() -> Timestamp| {
        call(&function.at(clock).await, question(&[("state", &genuine())])).await.status_code
    };
    assert_eq!(ask(|| NOW.plus(Duration::from_secs(45 * 60 - 1))).await, 200);
    assert_eq!(ask(|| NOW.plus(Duration::from_mins(45))).await, 404);
}

#[tokio::test]
async fn an_outage_of_the_table_is_no_result() {
    let function = Function::start().await;
    function.aws.on("GetItem", |_| error("AccessDeniedException"));
    let response = call(&function.connect_link, question(&[("state", &genuine())])).await;
    assert_eq!((response.status_code, &response.headers["retry-after"]), (503, &"3".parse().unwrap()));
}

#[tokio::test]
async fn nothing_of_a_question_is_in_the_answer_or_in_the_log() {
    let (function, logs) = (Function::start().await, Logs::capture());
    function.aws.on("GetItem", |_| error("AccessDeniedException"));
    let state = genuine();
    for state in [&state, "marker-of-a-state"] {
        let response = call(&function.connect_link, question(&[("state", state)])).await;
        assert!(!text(&response).contains(state) && !text(&response).contains("1555"), "{}", text(&response));
        assert!(!logs.text().contains(state), "{}", logs.text());
    }
}
