//! The bot's webhook, signed according to Standard Webhooks (<https://www.standardwebhooks.com>).

use std::fmt;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use hyper::header::HeaderName;
use ring::hmac;
use url::Url;

use super::{Notification, NotifyError, to_json};
use crate::http::{self, Connections};

/// The media type of a webhook's body.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// The headers of a webhook.
pub mod header {
    /// [`super::CONTENT_TYPE`].
    pub const CONTENT_TYPE: &str = "content-type";
    /// The event's id.
    pub const ID: &str = "webhook-id";
    /// When it was signed, in seconds since the epoch.
    pub const TIMESTAMP: &str = "webhook-timestamp";
    /// For each secret `v1,` and the base64 of the HMAC-SHA-256 of `<id>.<timestamp>.<body>`, separated by spaces.
    pub const SIGNATURE: &str = "webhook-signature";
    /// Every header that is set.
    pub const ALL: [&str; 4] = [CONTENT_TYPE, ID, TIMESTAMP, SIGNATURE];
}

/// The webhook. Its URL may contain a secret of the bot's.
#[derive(Clone)]
pub struct Webhook {
    url: Url,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}

/// The base64 of a secret: people copy it with and without its padding.
const SECRET_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys in a secret: base64, with or without `whsec_` in front, as the reference libraries take it
/// (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>). While a secret is
/// rotated there are two, separated by white space. Their `Debug` is ring's, which shows the algorithm alone.
#[derive(Debug)]
struct SigningKeys(Vec<hmac::Key>);

impl SigningKeys {
    /// `None` where there is no key, or one of them is not base64.
    fn parse(text: &str) -> Option<Self> {
        let key = |text: &str| {
            let key = SECRET_BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?;
            (!key.is_empty()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &key))
        };
        let keys: Vec<_> = text.split_ascii_whitespace().map(key).collect::<Option<_>>()?;
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The value of [`header::SIGNATURE`]: one signature for each key.
    fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        let signed = format!("{id}.{timestamp}.{body}");
        let signature = |key| format!("v1,{}", STANDARD.encode(hmac::sign(key, signed.as_bytes())));
        self.0.iter().map(signature).collect::<Vec<_>>().join(" ")
    }
}

impl Webhook {
    /// The webhook at this URL.
    #[must_use]
    pub const fn new(url: Url) -> Self {
        Self { url }
    }

    /// Begins to open a connection to it, for the next event.
    pub fn open_ahead(&self, connections: &Connections) {
        connections.open_ahead(&self.url);
    }

    /// Posts the event. Only a 2xx means that the bot has it; nothing of the answer but its status is read.
    ///
    /// # Errors
    /// [`NotifyError`].
    pub async fn post(&self, connections: &Connections, notification: &Notification<'_>) -> Result<(), NotifyError> {
        let keys = SigningKeys::parse(notification.signing_secret).ok_or(NotifyError::Secret)?;
        let (id, timestamp) = (&notification.event.id, notification.now.seconds());
        let body = to_json(notification.event);
        let named = HeaderName::from_static;
        let request = connections
            .post(self.url.clone())
            .header(named(header::CONTENT_TYPE), CONTENT_TYPE)
            .header(named(header::ID), id)
            .header(named(header::TIMESTAMP), &timestamp.to_string())
            .header(named(header::SIGNATURE), &keys.sign(id, timestamp, &body))
            .body(body);
        let status = request.status().await.map_err(|error| NotifyError::NoResponse(label(&error)))?;
        if status.is_success() { Ok(()) } else { Err(NotifyError::Refused(status.as_u16())) }
    }
}

fn label(error: &http::Error) -> &'static str {
    match error {
        http::Error::Connect(_) => "no connection",
        http::Error::TimedOut => "timed out",
        _ => "connection lost",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fakes::{ANY, Answer, Server};

    use super::*;
    use crate::{
        bot::event,
        http::{Client, Roots},
        process,
    };

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    #[test]
    fn signs_as_the_reference_implementation_does() {
        // The example of the reference libraries.
        let (id, timestamp) = ("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553);
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        let signature = SigningKeys::parse(SECRET).unwrap().sign(id, timestamp, body);
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn debug_hides_the_key() {
        let shown = format!("{:?}", SigningKeys::parse(SECRET).unwrap());
        assert!(!shown.contains("C2FV") && !shown.contains("11, 97"), "{shown}");
    }

    #[test]
    fn debug_hides_the_url() {
        let url = Url::parse("https://bot.example.com/hook?key=s3cret").unwrap();
        assert_eq!(format!("{:?}", Webhook::new(url)), "Webhook { .. }");
    }

    async fn post(server: &Server, secret: &str) -> Result<(), NotifyError> {
        let chat = "whatsapp:+15551234567".parse().unwrap();
        let event = event::tests::revoked(&chat);
        let http = Client::new(Roots::default(), Duration::from_secs(2), Duration::from_secs(5));
        let webhook = Webhook::new(format!("{}/bot/events", server.url()).parse().unwrap());
        // The verifier reads the clock itself.
        let now = process::now();
        let notification = Notification { event: &event, user_message: "", signing_secret: secret, now };
        webhook.post(&http.connections(), &notification).await
    }

    #[tokio::test]
    async fn posts_the_event_to_the_url() {
        let server = Server::answering(204, "").await;
        post(&server, SECRET).await.unwrap();
        let request = server.only_request(ANY);
        assert_eq!(request.path, "/bot/events");
        assert_eq!(request.header("content-type"), "application/cloudevents+json");
        assert_eq!(request.header("webhook-id"), request.json()["id"]);
    }

    #[tokio::test]
    async fn an_independent_verifier_accepts_the_signature() {
        let server = Server::answering(204, "").await;
        post(&server, SECRET).await.unwrap();
        let request = server.only_request(ANY);
        let verifier = standardwebhooks::Webhook::new(SECRET).unwrap();
        verifier.verify(&request.body, &request.headers).unwrap();
        let stranger = standardwebhooks::Webhook::new("whsec_AAAA").unwrap();
        stranger.verify(&request.body, &request.headers).unwrap_err();
    }

    #[tokio::test]
    async fn a_secret_is_taken_with_or_without_its_prefix_and_its_padding() {
        let bare = SECRET.strip_prefix("whsec_").unwrap();
        let padded = ("whsec_C2FVsBQIhrscChlQIMV+bw==", "C2FVsBQIhrscChlQIMV+bw");
        for (secret, verified_with) in [(bare, SECRET), (SECRET, bare), (padded.1, padded.0), (padded.0, padded.0)] {
            let server = Server::answering(204, "").await;
            post(&server, secret).await.unwrap();
            let request = server.only_request(ANY);
            let verifier = standardwebhooks::Webhook::new(verified_with).unwrap();
            verifier.verify(&request.body, &request.headers).unwrap();
        }
    }

    #[tokio::test]
    async fn during_a_rotation_the_event_is_signed_with_each_secret() {
        let server = Server::answering(204, "").await;
        post(&server, &format!("whsec_AAAA {SECRET}\nMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).await.unwrap();
        let request = server.only_request(ANY);
        assert_eq!(request.header("webhook-signature").split(' ').count(), 3);
        for secret in ["whsec_AAAA", SECRET, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            let verifier = standardwebhooks::Webhook::new(secret).unwrap();
            verifier.verify(&request.body, &request.headers).unwrap();
        }
        let stranger = standardwebhooks::Webhook::new("whsec_BBBB").unwrap();
        stranger.verify(&request.body, &request.headers).unwrap_err();
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_read() {
        let server = Server::start().await;
        server.on(ANY, |_| Answer::Endless(200));
        post(&server, SECRET).await.unwrap();
    }

    #[tokio::test]
    async fn sets_the_headers_that_are_documented() {
        let server = Server::answering(204, "").await;
        post(&server, SECRET).await.unwrap();
        let request = server.only_request(ANY);
        for name in header::ALL {
            assert!(request.headers.contains_key(name), "{name}");
        }
    }

    #[tokio::test]
    async fn only_a_2xx_means_that_the_bot_has_the_event() {
        for status in [302, 400, 410, 429, 503] {
            let server = Server::answering(status, "").await;
            assert!(matches!(post(&server, SECRET).await, Err(NotifyError::Refused(s)) if s == status));
        }
    }

    #[tokio::test]
    async fn a_server_that_is_gone_is_an_error() {
        let server = Server::gone().await;
        assert!(matches!(post(&server, SECRET).await, Err(NotifyError::NoResponse("no connection"))));
    }

    #[tokio::test]
    async fn sends_nothing_unsigned() {
        let server = Server::answering(200, "").await;
        for secret in ["", " ", "whsec_", "whsec_!", "s3cret!", &format!("{SECRET} whsec_!")] {
            assert!(matches!(post(&server, secret).await, Err(NotifyError::Secret)), "{secret}");
        }
        assert!(server.requests(ANY).is_empty());
    }
}
