//! The bot: its webhook, its requests for links, and the codes that it passes on.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, Uri},
};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::{net::TcpListener, sync::Mutex};

use super::{Stage, json};

const PERSON: &str = "whatsapp:+15551234567";

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
async fn a_login_that_was_not_confirmed_is_an_event() {
    let stage = Stage::new().await;
    let mut event = event();
    event["type"] = "connection.unconfirmed".into();
    assert_eq!(stage.tell("evt_1", &event).await.0, 200);
}

#[tokio::test]
async fn only_the_end_of_a_connection_may_leave_out_the_attempt() {
    let stage = Stage::new().await;
    for (kind, status) in [("created", 400), ("failed", 400), ("unconfirmed", 400), ("revoked", 200), ("expired", 200)]
    {
        let mut event = event();
        event["type"] = format!("connection.{kind}").into();
        event["data"].as_object_mut().unwrap().remove("attempt_id");
        assert_eq!(stage.tell("evt_1", &event).await.0, status, "{kind}");
    }
}

/// The requests that the stand-in for the API received and nobody has looked at: path, headers and body.
type Asked = Arc<Mutex<Vec<(String, HeaderMap, Value)>>>;

/// A stand-in for the deployed API, which answers every call alike.
async fn api(status: StatusCode, answer: Value) -> (u16, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let handler = async move |uri: Uri, headers: HeaderMap, body: Bytes| {
        let body = serde_json::from_slice(&body).unwrap();
        seen.lock().await.push((uri.path().to_owned(), headers, body));
        (status, answer.to_string())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    (port, asked)
}

/// The paths and bodies of the requests so far, which are forgotten.
async fn taken(asked: &Asked) -> Vec<(String, Value)> {
    std::mem::take(&mut *asked.lock().await).into_iter().map(|(path, _, body)| (path, body)).collect()
}

impl Stage {
    async fn set_links_api(&self, port: u16) {
        self.set_links_api_of(None, port).await;
    }

    /// Of one chat, or of all that have none of their own.
    async fn set_links_api_of(&self, wa_id: Option<&str>, port: u16) {
        let host = "links.localhost";
        let links_api = json!({
            "wa_id": wa_id,
            "links_url": format!("http://{host}:{port}/links"),
            "region": "eu-central-1",
            "access_key_id": "AKIDEXAMPLE",
            "secret_access_key": "secret",
            "resolve": {host: format!("127.0.0.1:{port}")},
        });
        self.control("/control/bot", &links_api).await;
    }

    /// The person writes to the bot; what `POST /confirmations` answered, or null.
    async fn writes(&self, text: &str) -> Value {
        self.control("/control/bot/message", &json!({"wa_id": PERSON, "text": text})).await
    }
}

#[tokio::test]
async fn a_link_is_requested_with_a_signature() {
    let stage = Stage::new().await;
    let link = json!({"url": "https://x.example/connect/abc", "attempt_id": "1", "expires_at": "2026-11-23T08:45:00Z"});
    let (port, asked) = api(StatusCode::OK, link.clone()).await;
    stage.set_links_api(port).await;
    let ask = json!({"wa_id": "whatsapp:+15551234567", "login_url": "https://test.salesforce.com"});
    assert_eq!(stage.control("/control/bot/link", &ask).await, json!({"status": 200, "body": link}));

    let (path, headers, body) = asked.lock().await.remove(0);
    assert_eq!((&*path, body), ("/links", ask));
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
    let (port, asked) = api(StatusCode::OK, json!({"url": "https://x.example/connect/abc"})).await;
    stage.set_links_api(port).await;
    let wa_id = "whatsapp:+15551234567";
    stage.control("/chat/connect", &json!({"wa_id": wa_id})).await;
    let chat = stage.entries(wa_id, 2).await;
    assert_eq!((&chat[0]["kind"], &chat[1]["kind"]), (&json!("asked"), &json!("link")));
    assert_eq!(chat[1]["url"], "https://x.example/connect/abc");
    assert_eq!(taken(&asked).await, [("/links".to_owned(), json!({"wa_id": wa_id}))]);
}

#[tokio::test]
async fn a_refused_link_is_reported_unchanged() {
    let stage = Stage::new().await;
    let ask = json!({"wa_id": "whatsapp:+15551234567"});
    let nowhere = stage.client.post(stage.url("/control/bot/link")).json(&ask).send().await.unwrap();
    assert_eq!(nowhere.status(), 409);

    let (port, _) = api(StatusCode::FORBIDDEN, json!({"message": "Forbidden"})).await;
    stage.set_links_api(port).await;
    let answer = stage.control("/control/bot/link", &ask).await;
    assert_eq!(answer, json!({"status": 403, "body": {"message": "Forbidden"}}));

    let button = stage.client.post(stage.url("/chat/connect")).json(&ask).send().await.unwrap();
    assert_eq!(button.status(), 409);
    let chat = stage.entries("whatsapp:+15551234567", 2).await;
    assert_eq!(chat[1]["kind"], "trouble");
}

#[tokio::test]
async fn a_link_is_requested_with_the_name_of_who_asks() {
    let stage = Stage::new().await;
    let (port, asked) = api(StatusCode::OK, json!({"url": "https://x.example/connect/abc"})).await;
    stage.set_links_api(port).await;
    let named = json!({"wa_id": PERSON, "profile_name": "Ada"});
    stage.control("/chat/connect", &named).await;
    stage.control("/control/bot/link", &named).await;
    stage.control("/chat/send", &json!({"wa_id": PERSON, "profile_name": "Ada", "text": "Connect"})).await;
    stage.control("/control/bot/link", &json!({"wa_id": PERSON, "profile_name": ""})).await;
    let bodies: Vec<_> = taken(&asked).await.into_iter().map(|(_, body)| body).collect();
    let with_name = json!({"wa_id": PERSON, "display_name": "Ada"});
    assert_eq!(bodies, [with_name.clone(), with_name.clone(), with_name, json!({"wa_id": PERSON})]);
}

#[tokio::test]
async fn a_message_with_a_code_is_passed_on_whole_and_of_success_the_bot_says_nothing() {
    let stage = Stage::new().await;
    let answer = json!({"status": "confirmed", "user_message": "Thank you."});
    let (port, asked) = api(StatusCode::OK, answer.clone()).await;
    stage.set_links_api(port).await;
    let text = "Hi! Confirmation code: k7pw-4mxr";
    let confirmation = json!({"wa_id": PERSON, "status": 200, "body": answer});
    assert_eq!(stage.writes(text).await, confirmation);
    assert_eq!(taken(&asked).await, [("/confirmations".to_owned(), json!({"wa_id": PERSON, "text": text}))]);
    // The next entry is that of the next message.
    stage.writes("K7PW-4MXR").await;
    let chat = stage.entries(PERSON, 2).await;
    assert_eq!((&chat[0]["kind"], &chat[0]["text"]), (&json!("asked"), &json!(text)));
    assert_eq!(chat[1]["text"], "K7PW-4MXR");

    let url = stage.url("/control/bot/confirmations");
    let list = async |wa_id: &str| {
        let request = stage.client.get(&url).query(&[("wa_id", wa_id)]);
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    assert_eq!(list(PERSON).await, json!([confirmation, confirmation]));
    assert_eq!(list("whatsapp:+15557654321").await, json!([]));
}

#[tokio::test]
async fn what_is_wrong_with_a_code_is_said_in_the_stacks_words() {
    for status in [404, 409, 429] {
        let stage = Stage::new().await;
        let answer = json!({"error": "some", "user_message": "Nothing was connected."});
        let (port, asked) = api(StatusCode::from_u16(status).unwrap(), answer).await;
        stage.set_links_api(port).await;
        assert_eq!(stage.writes("K7PW-4MXR").await["status"], status);
        let said = &stage.entries(PERSON, 2).await[1];
        assert_eq!((&said["kind"], &said["text"]), (&json!("said"), &json!("Nothing was connected.")), "{status}");
        assert_eq!(taken(&asked).await.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_no_bot_expects_is_shown_as_trouble() {
    let stage = Stage::new().await;
    let (port, _) = api(StatusCode::FORBIDDEN, json!({"message": "Forbidden"})).await;
    stage.set_links_api(port).await;
    assert_eq!(stage.writes("K7PW-4MXR").await["status"], 403);
    assert_eq!(stage.entries(PERSON, 2).await[1]["kind"], "trouble");
}

#[tokio::test]
async fn a_text_that_the_stack_finds_no_code_in_is_a_message_as_any_other() {
    let stage = Stage::new().await;
    let (port, asked) = api(StatusCode::NOT_FOUND, json!({"error": "unknown_code"})).await;
    stage.set_links_api(port).await;
    assert_eq!(stage.writes("K7PW-4MXR").await["status"], 404);
    assert_eq!(stage.writes("hello").await, Value::Null);
    let chat = stage.entries(PERSON, 4).await;
    for said in [&chat[1], &chat[3]] {
        assert!(said["text"].as_str().unwrap().contains("connect"), "{said}");
    }
    assert_eq!(taken(&asked).await.len(), 1, "a text without a code is not passed on");
}

#[tokio::test]
async fn a_person_who_writes_disconnect_is_disconnected() {
    let stage = Stage::new().await;
    let (port, asked) = api(StatusCode::NO_CONTENT, Value::Null).await;
    stage.set_links_api(port).await;
    stage.writes(" Disconnect ").await;
    let disconnect = ("/connections/disconnect".to_owned(), json!({"wa_id": PERSON}));
    assert_eq!(taken(&asked).await, [disconnect]);
}

#[tokio::test]
async fn a_chat_may_have_an_api_of_its_own() {
    let stage = Stage::new().await;
    let (port, asked) = api(StatusCode::OK, json!({})).await;
    let (port_of_person, asked_of_person) = api(StatusCode::OK, json!({})).await;
    stage.set_links_api(port).await;
    stage.set_links_api_of(Some(PERSON), port_of_person).await;
    stage.writes("K7PW-4MXR").await;
    stage.control("/control/bot/link", &json!({"wa_id": "whatsapp:+15557654321"})).await;
    let paths = async |asked| taken(asked).await.into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    assert_eq!(
        (paths(&asked_of_person).await, paths(&asked).await),
        (vec!["/confirmations".to_owned()], vec!["/links".to_owned()])
    );
}
