//! The bot: its webhook, and its requests for links.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::{net::TcpListener, sync::Mutex};

use super::{Stage, json};

fn event() -> Value {
    json!({
        "specversion": "1.0",
        "id": "evt_1",
        "source": "urn:connect",
        "type": "connection.created",
        "subject": "whatsapp:+15551234567",
        "time": "2026-11-23T08:30:00Z",
        "datacontenttype": "application/json",
        "data": {"attempt_id": "1", "wa_id": "whatsapp:+15551234567", "username": "ada@example.com"},
    })
}

fn seconds_now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

impl Stage {
    async fn tell(&self, id: &str, event: &Value) -> (u16, Value) {
        self.tell_at(seconds_now(), &self.config.webhook_secret, id, event).await
    }

    async fn tell_at(&self, at: i64, secret: &str, id: &str, event: &Value) -> (u16, Value) {
        let body = event.to_string();
        let signature = Webhook::new(secret).unwrap().sign(id, at, body.as_bytes()).unwrap();
        let request = self
            .client
            .post(self.url("/bot/events"))
            .header("content-type", "application/cloudevents+json")
            .header("webhook-id", id)
            .header("webhook-timestamp", at)
            .header("webhook-signature", signature)
            .body(body);
        json(request.send().await.unwrap()).await
    }
}

#[tokio::test]
async fn an_event_is_received_once_and_its_duplicates_are_counted() {
    let stage = Stage::new().await;
    assert_eq!(stage.tell("evt_1", &event()).await, (200, json!({"status": "heard", "duplicate": false})));
    assert_eq!(stage.tell("evt_1", &event()).await, (200, json!({"status": "heard", "duplicate": true})));

    let entry = stage.first_entry("whatsapp:+15551234567").await;
    assert_eq!((&entry["kind"], &entry["event"]), (&json!("heard"), &event()));
    let journal = stage.journal("bot.events").await;
    assert_eq!((&journal["count"], &journal["succeeded"]), (&json!(2), &json!(2)));
    let record = &journal["records"][1];
    assert_eq!((&record["asked"]["webhook_id"], &record["asked"]["body"]), (&json!("evt_1"), &event()));
    assert_eq!(record["answered"]["body"]["duplicate"], true);
}

#[tokio::test]
async fn an_event_with_an_invalid_signature_is_refused() {
    let stage = Stage::new().await;
    let forged = "whsec_Zm9yZ2VkLWZvcmdlZC1mb3JnZWQtZm9yZ2Vk";
    assert_eq!(stage.tell_at(seconds_now(), forged, "evt_1", &event()).await.0, 401);
    let secret = &stage.config.webhook_secret;
    assert_eq!(stage.tell_at(seconds_now() - 360, secret, "evt_1", &event()).await.0, 401);
    let unsigned = stage.client.post(stage.url("/bot/events")).json(&event()).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
}

#[tokio::test]
async fn an_event_that_is_no_cloud_event_is_refused() {
    let stage = Stage::new().await;
    for (pointer, value) in [
        ("/specversion", json!("0.3")),
        ("/id", json!("evt_2")),
        ("/source", json!("")),
        ("/type", json!("connection.invented")),
        ("/time", json!("yesterday")),
        ("/datacontenttype", json!("text/plain")),
        ("/subject", json!("whatsapp:+15557654321")),
        ("/data/attempt_id", Value::Null),
    ] {
        let mut wrong = event();
        *wrong.pointer_mut(pointer).unwrap() = value;
        assert_eq!(stage.tell("evt_1", &wrong).await.0, 400, "{pointer}");
    }
}

#[tokio::test]
async fn only_the_end_of_a_connection_may_leave_out_the_attempt() {
    let stage = Stage::new().await;
    for (kind, status) in [("created", 400), ("failed", 400), ("revoked", 200), ("expired", 200)] {
        let mut event = event();
        event["type"] = format!("connection.{kind}").into();
        event["data"].as_object_mut().unwrap().remove("attempt_id");
        assert_eq!(stage.tell("evt_1", &event).await.0, status, "{kind}");
    }
}

/// The request that the stand-in for `POST /links` received.
type Asked = Arc<Mutex<Option<(HeaderMap, Value)>>>;

/// A stand-in for the deployed API.
async fn links(status: StatusCode, answer: Value) -> (u16, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let handler = async move |headers: HeaderMap, body: Bytes| {
        *seen.lock().await = Some((headers, serde_json::from_slice(&body).unwrap()));
        (status, answer.to_string())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/links", post(handler))).await });
    (port, asked)
}

impl Stage {
    async fn set_links_api(&self, port: u16) {
        let host = "links.localhost";
        let links_api = json!({
            "links_url": format!("http://{host}:{port}/links"),
            "region": "eu-central-1",
            "access_key_id": "AKIDEXAMPLE",
            "secret_access_key": "secret",
            "resolve": {host: format!("127.0.0.1:{port}")},
        });
        self.control("/control/bot", &links_api).await;
    }
}

#[tokio::test]
async fn a_link_is_requested_with_a_signature() {
    let stage = Stage::new().await;
    let link = json!({"url": "https://x.example/connect/abc", "attempt_id": "1", "expires_at": "2026-11-23T08:45:00Z"});
    let (port, asked) = links(StatusCode::OK, link.clone()).await;
    stage.set_links_api(port).await;
    let ask = json!({"wa_id": "whatsapp:+15551234567", "login_url": "https://test.salesforce.com"});
    assert_eq!(stage.control("/control/bot/link", &ask).await, json!({"status": 200, "body": link}));

    let (headers, body) = asked.lock().await.take().unwrap();
    assert_eq!(body, ask);
    assert_eq!(headers["host"], format!("links.localhost:{port}"));
    let authorization = headers["authorization"].to_str().unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
    assert!(authorization.contains("/eu-central-1/execute-api/aws4_request"), "{authorization}");
    assert!(authorization.contains("host;x-amz-date"), "{authorization}");
    assert!(headers.contains_key("x-amz-date"));
}

#[tokio::test]
async fn the_button_brings_a_link_into_the_chat() {
    let stage = Stage::new().await;
    let (port, asked) = links(StatusCode::OK, json!({"url": "https://x.example/connect/abc"})).await;
    stage.set_links_api(port).await;
    let wa_id = "whatsapp:+15551234567";
    stage.control("/chat/connect", &json!({"wa_id": wa_id})).await;
    let chat = stage.entries(wa_id, 2).await;
    assert_eq!((&chat[0]["kind"], &chat[1]["kind"]), (&json!("asked"), &json!("link")));
    assert_eq!(chat[1]["url"], "https://x.example/connect/abc");
    assert_eq!(asked.lock().await.take().unwrap().1, json!({"wa_id": wa_id}));
}

#[tokio::test]
async fn a_refused_link_is_reported_unchanged() {
    let stage = Stage::new().await;
    let ask = json!({"wa_id": "whatsapp:+15551234567"});
    let nowhere = stage.client.post(stage.url("/control/bot/link")).json(&ask).send().await.unwrap();
    assert_eq!(nowhere.status(), 409);

    let (port, _) = links(StatusCode::FORBIDDEN, json!({"message": "Forbidden"})).await;
    stage.set_links_api(port).await;
    let answer = stage.control("/control/bot/link", &ask).await;
    assert_eq!(answer, json!({"status": 403, "body": {"message": "Forbidden"}}));

    let button = stage.client.post(stage.url("/chat/connect")).json(&ask).send().await.unwrap();
    assert_eq!(button.status(), 409);
    let chat = stage.entries("whatsapp:+15551234567", 2).await;
    assert_eq!(chat[1]["kind"], "trouble");
}
