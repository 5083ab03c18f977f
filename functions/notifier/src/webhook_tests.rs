//! The bot's webhook as the notifier uses it, against a server on this machine.

use fakes::{ANY, Server};
use serde_json::json;
use shared::bot::{Bot, Notification, NotifyError, Webhook, event::MessageStatus};

use crate::{event::event, outcome::tests::ended, whatsapp::tests::http};

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

async fn post(server: &Server, secret: &str) -> Result<(), NotifyError> {
    let ended = ended(json!({}));
    let event = event(&ended, MessageStatus::Sent, "", None);
    let webhook = Webhook::new(http(), format!("{}/bot/events", server.url()).parse().unwrap());
    let notification =
        Notification { event: &event, user_message: "", signing_secret: secret, now: shared::process::now() };
    Bot { webhook: Some(webhook), queue: None }.notify(&notification).await
}

#[tokio::test]
async fn posts_what_an_independent_verifier_accepts() {
    let server = Server::answering(204, "").await;
    post(&server, SECRET).await.unwrap();
    let request = server.only_request(ANY);
    assert_eq!(request.path, "/bot/events");
    assert_eq!(request.header("content-type"), "application/cloudevents+json");
    assert_eq!(request.header("webhook-id"), request.json()["id"]);
    let verifier = standardwebhooks::Webhook::new(SECRET).unwrap();
    verifier.verify(&request.body, &request.headers).unwrap();
    let stranger = standardwebhooks::Webhook::new("whsec_AAAA").unwrap();
    stranger.verify(&request.body, &request.headers).unwrap_err();
}

#[tokio::test]
async fn only_a_2xx_says_that_the_bot_has_it() {
    for status in [302, 400, 410, 429, 503] {
        let server = Server::answering(status, "").await;
        assert!(matches!(post(&server, SECRET).await, Err(NotifyError::Refused(s)) if s == status));
    }
    let server = Server::gone().await;
    assert!(matches!(post(&server, SECRET).await, Err(NotifyError::NoResponse("no connection"))));
}

#[tokio::test]
async fn sends_nothing_unsigned() {
    let server = Server::answering(200, "").await;
    for secret in ["", "whsec_", "whsec_!", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"] {
        assert!(matches!(post(&server, secret).await, Err(NotifyError::Secret)), "{secret}");
    }
    assert!(server.requests(ANY).is_empty());
}
