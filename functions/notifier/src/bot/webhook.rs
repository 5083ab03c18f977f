//! The bot's webhook, signed as Standard Webhooks says (<https://www.standardwebhooks.com>).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Client;
use ring::hmac;
use shared::Timestamp;
use url::Url;

use super::{TellError, Telling, to_json};

pub(crate) struct Webhook {
    http: Client,
    url: Url,
}

/// A secret of the form `whsec_<base64>`. Its `Debug` is ring's, which shows the algorithm alone.
#[derive(Debug)]
struct SigningKey(hmac::Key);

impl SigningKey {
    fn parse(text: &str) -> Option<Self> {
        let key = STANDARD.decode(text.trim().strip_prefix("whsec_")?).ok()?;
        (!key.is_empty()).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The value of `webhook-signature`.
    fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

impl Webhook {
    pub(crate) fn new(http: Client, url: Url) -> Self {
        Self { http, url }
    }

    /// Posts the event. Only a 2xx says that the bot has it.
    pub(super) async fn post(&self, telling: &Telling<'_>) -> Result<(), TellError> {
        let key = SigningKey::parse(telling.signing_secret).ok_or(TellError::Secret)?;
        let (id, timestamp) = (&telling.event.id, Timestamp::seconds(telling.now));
        let body = to_json(telling.event);
        let request = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/cloudevents+json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", key.sign(id, timestamp, &body))
            .body(body);
        let status = request.send().await.map_err(|error| TellError::NoAnswer(word_for(&error)))?.status();
        if status.is_success() { Ok(()) } else { Err(TellError::Refused(status.as_u16())) }
    }
}

/// The error's own text has the address in it, which may hold a secret of the bot's.
fn word_for(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        "timed out"
    } else {
        "broken off"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        event::{Event, Message},
        local_server::{LocalServer, real_now},
        outcome::tests::ended,
    };

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    async fn post(server: &LocalServer, secret: &str) -> Result<(), TellError> {
        let ended = ended(json!({}));
        let event = Event::new(&ended, Message::Sent, "", None);
        let webhook = Webhook::new(LocalServer::client(), server.url().join("/bot/events").unwrap());
        webhook.post(&Telling { event: &event, user_message: "", signing_secret: secret, now: real_now() }).await
    }

    #[test]
    fn signs_as_the_reference_implementation_does() {
        // The example of the reference libraries.
        let (id, timestamp) = ("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553);
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        let signature = SigningKey::parse(SECRET).unwrap().sign(id, timestamp, body);
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[tokio::test]
    async fn posts_what_an_independent_verifier_accepts() {
        let server = LocalServer::answering(204, "").await;
        post(&server, SECRET).await.unwrap();
        let request = server.only_request();
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
            let server = LocalServer::answering(status, "").await;
            assert!(matches!(post(&server, SECRET).await, Err(TellError::Refused(s)) if s == status));
        }
        let server = LocalServer::gone().await;
        assert!(matches!(post(&server, SECRET).await, Err(TellError::NoAnswer("no connection"))));
    }

    #[tokio::test]
    async fn sends_nothing_unsigned() {
        let server = LocalServer::answering(200, "").await;
        for secret in ["", "whsec_", "whsec_!", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"] {
            assert!(matches!(post(&server, secret).await, Err(TellError::Secret)), "{secret}");
        }
        assert!(server.requests().is_empty());
    }

    #[test]
    fn debug_hides_the_key() {
        let shown = format!("{:?}", SigningKey::parse(SECRET).unwrap());
        assert!(!shown.contains("C2FV") && !shown.contains("11, 97"), "{shown}");
    }
}
