//! The bot's calls about a connection, deployed: a live token, how the connection stands, its end.

use std::collections::HashSet;

use futures::future::join_all;
use reqwest::{Method, StatusCode, header};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use system::{Browser, Cloud, hex, new_chat, now_ms, wait_until};

/// How many of a bot's workers ask at once; each is a process of its own on the local cloud.
const WORKERS: usize = 20;

async fn connected(cloud: &Cloud) -> String {
    let chat = new_chat();
    cloud.consent(&chat).await;
    cloud.outcome(&chat).await;
    chat
}

async fn status(cloud: &Cloud, chat: &str) -> Value {
    let answer = cloud.call("main", "status", json!({"wa_id": chat})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.unwrap()
}

/// A token of the chat, by a call with these further fields.
async fn token(cloud: &Cloud, chat: &str, more: Value) -> Value {
    let mut body = json!({"wa_id": chat});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = cloud.call("main", "token", body).await;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let answer = answer.text().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    serde_json::from_str(&answer).unwrap()
}

fn text<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer[field].as_str().unwrap_or_else(|| panic!("no {field}"))
}

fn sha256(token: &str) -> String {
    hex(digest(&SHA256, token.as_bytes()).as_ref())
}

/// What Salesforce answers to a query with this token.
async fn query(cloud: &Cloud, live: &Value) -> StatusCode {
    let url = format!("{}/services/data/v66.0/query", text(live, "instance_url"));
    let asked = cloud.client().get(url).query(&[("q", "SELECT Id, Name FROM Account")]);
    asked.bearer_auth(text(live, "access_token")).send().await.unwrap().status()
}

#[tokio::test]
async fn a_fresh_token_is_the_rows_and_works() {
    let cloud = Cloud::read();
    let chat = connected(&cloud).await;
    let live = token(&cloud, &chat, json!({})).await;
    let [access_token, _] = cloud.tokens("main", &chat).await;
    assert_eq!((text(&live, "access_token"), text(&live, "token_type")), (&*access_token, "Bearer"));
    assert_eq!(query(&cloud, &live).await, StatusCode::OK);
    assert_eq!(cloud.journal(&chat).await.count("salesforce.refresh"), 0);
}

#[tokio::test]
async fn the_rejected_token_is_replaced_by_one_that_works() {
    let cloud = Cloud::read();
    let chat = connected(&cloud).await;
    let old = token(&cloud, &chat, json!({})).await;
    let new = token(&cloud, &chat, json!({"rejected": sha256(text(&old, "access_token"))})).await;
    assert_ne!(text(&new, "access_token"), text(&old, "access_token"));
    assert_eq!(query(&cloud, &new).await, StatusCode::OK);
    assert_eq!(cloud.journal(&chat).await.count("salesforce.refresh"), 1);
    let row = cloud.item(cloud.stack("main").output("TokenTableName"), "wa_id", &chat).await.unwrap();
    assert_eq!(text(&row["access_token"], "S"), text(&new, "access_token"));
    assert!(text(&row["refresh_token"], "S").starts_with("sealed:v1:"), "a refresh token in plain");
    // Another worker that had the old one.
    let again = token(&cloud, &chat, json!({"rejected": sha256(text(&old, "access_token"))})).await;
    assert_eq!(text(&again, "access_token"), text(&new, "access_token"));
    assert_eq!(cloud.journal(&chat).await.count("salesforce.refresh"), 1);
}

/// So many workers reject the chat's token at once; the tokens that they get.
async fn reject_at_once(cloud: &Cloud, chat: &str, workers: usize) -> HashSet<String> {
    let old = token(cloud, chat, json!({})).await;
    let rejected = sha256(text(&old, "access_token"));
    let answers = join_all((0..workers).map(|_| token(cloud, chat, json!({"rejected": rejected})))).await;
    let tokens: HashSet<_> = answers.iter().map(|live| text(live, "access_token").to_owned()).collect();
    assert!(!tokens.contains(text(&old, "access_token")));
    tokens
}

#[tokio::test]
async fn many_workers_with_one_dead_token_make_one_refresh() {
    let cloud = Cloud::read();
    let chat = connected(&cloud).await;
    let tokens = reject_at_once(&cloud, &chat, WORKERS).await;
    assert_eq!(tokens.len(), 1, "equal answers");
    assert_eq!(cloud.journal(&chat).await.count("salesforce.refresh"), 1);
}

#[tokio::test]
async fn ten_chats_at_once_make_a_refresh_each() {
    let cloud = Cloud::read();
    let chats = join_all((0..10).map(|_| connected(&cloud))).await;
    let tokens = join_all(chats.iter().map(|chat| reject_at_once(&cloud, chat, 5))).await;
    assert!(tokens.iter().all(|tokens| tokens.len() == 1));
    for chat in &chats {
        assert_eq!(cloud.journal(chat).await.count("salesforce.refresh"), 1);
    }
}

#[tokio::test]
async fn a_status_tells_the_life_of_a_connection() {
    let cloud = Cloud::read();
    let chat = new_chat();
    assert_eq!(status(&cloud, &chat).await, json!({"status": "never"}));
    let answer = cloud.call("main", "token", json!({"wa_id": chat})).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);

    cloud.fault(&chat, "salesforce.token", 1, json!({"delay_ms": 5_000})).await;
    cloud.consent(&chat).await;
    let pending = async || (status(&cloud, &chat).await["status"] == "pending").then_some(());
    wait_until("a login that is being processed", pending).await;
    cloud.outcome(&chat).await;
    let connected = status(&cloud, &chat).await;
    assert_eq!(connected["status"], "connected");
    for field in ["username", "org_id", "instance_url", "scope", "connected_at", "refreshed_at"] {
        assert!(connected[field].is_string(), "no {field} in {connected}");
    }

    let ended = cloud.call("main", "disconnect", json!({"wa_id": chat})).await;
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    let ended = status(&cloud, &chat).await;
    assert_eq!((&ended["status"], &ended["reason"]), (&json!("ended"), &json!("disconnected")));
    assert_eq!(ended["username"], connected["username"]);
}

#[tokio::test]
async fn a_disconnect_ends_the_connection_everywhere_and_its_link_leads_back() {
    let cloud = Cloud::read();
    let chat = connected(&cloud).await;
    let live = token(&cloud, &chat, json!({})).await;
    let (older, made_at) = (cloud.link(&chat).await, now_ms());
    wait_until("a link that is older by its second", async || (now_ms() > made_at + 1_000).then_some(())).await;
    for _ in 0..2 {
        let answer = cloud.call("main", "disconnect", json!({"wa_id": chat})).await;
        assert_eq!((answer.status(), answer.text().await.unwrap().as_str()), (StatusCode::NO_CONTENT, ""));
    }
    let table = cloud.stack("main").output("TokenTableName");
    let row = cloud.item(table, "wa_id", &chat).await.unwrap();
    assert!(row.get("access_token").is_none() && row.get("refresh_token").is_none());
    assert_eq!(cloud.live_tokens(&chat).await, Vec::<String>::new());
    assert_eq!(query(&cloud, &live).await, StatusCode::UNAUTHORIZED);

    let told = cloud.wait_for(&chat, "the end", |journal| journal.events().len() > 1 && journal.messages().len() > 1);
    let journal = told.await;
    let event = journal.events()[1];
    assert_eq!((&event["type"], &event["data"]["reason"]), (&json!("connection.revoked"), &json!("disconnected")));
    assert_eq!(journal.messages().len(), 2, "one message about the end");

    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(&older.url).await;
    browser.visit(Method::GET, &callback).await;
    let told = cloud.wait_for(&chat, "the older link's end", |journal| journal.events().len() > 2).await;
    let event = told.events()[2];
    assert_eq!((&event["type"], &event["data"]["reason"]), (&json!("connection.failed"), &json!("outdated_link")));
    assert_eq!(cloud.live_tokens(&chat).await, Vec::<String>::new());

    let answer = cloud.call("main", "token", json!({"wa_id": chat})).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!((text(&answer, "error"), text(&answer, "reason")), ("needs_reauthorization", "disconnected"));
    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(text(&answer, "relink_url")).await;
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);
    cloud.wait_for(&chat, "the new connection", |journal| journal.events().len() > 3).await;
    assert_eq!(query(&cloud, &token(&cloud, &chat, json!({})).await).await, StatusCode::OK);
}

#[tokio::test]
async fn a_call_that_is_not_signed_is_refused() {
    let cloud = Cloud::read();
    for call in ["token", "status", "disconnect"] {
        let unsigned = cloud.client().post(cloud.call_url("main", call)).json(&json!({"wa_id": new_chat()}));
        assert_eq!(unsigned.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{call}");
    }
}

#[tokio::test]
async fn a_bad_body_is_refused_with_a_word() {
    let cloud = Cloud::read();
    for body in
        [json!({}), json!({"wa_id": "sms:+15551234567"}), json!([]), json!({"wa_id": new_chat(), "rejected": "x"})]
    {
        let answer = cloud.call("main", "token", body.clone()).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], "invalid_request");
    }
}
