//! The bot's webhook, signed according to Standard Webhooks (<https://www.standardwebhooks.com>).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Client;
use ring::hmac;
use url::Url;

use super::{Notification, NotifyError, to_json};

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
    /// `v1,` and the base64 of the HMAC-SHA-256 of `<id>.<timestamp>.<body>`.
    pub const SIGNATURE: &str = "webhook-signature";
    /// Every header that is set.
    pub const ALL: [&str; 4] = [CONTENT_TYPE, ID, TIMESTAMP, SIGNATURE];
}

/// The webhook. Its URL may contain a secret of the bot's.
#[derive(Clone)]
pub struct Webhook {
    http: Client,
    url: Url,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}

/// A secret of the form `whsec_<base64>`. Its `Debug` is ring's, which shows the algorithm alone.
#[derive(Debug)]
struct SigningKey(hmac::Key);

impl SigningKey {
    fn parse(text: &str) -> Option<Self> {
        let key = STANDARD.decode(text.trim().strip_prefix("whsec_")?).ok()?;
        (!key.is_empty()).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The value of [`header::SIGNATURE`].
    fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

impl Webhook {
    /// The webhook at this URL.
    #[must_use]
    pub fn new(http: Client, url: Url) -> Self {
        Self { http, url }
    }

    /// Posts the event. Only a 2xx means that the bot has it.
    pub(super) async fn post(&self, notification: &Notification<'_>) -> Result<(), NotifyError> {
        let key = SigningKey::parse(notification.signing_secret).ok_or(NotifyError::Secret)?;
        let (id, timestamp) = (&notification.event.id, notification.now.seconds());
        let body = to_json(notification.event);
        let request = self
            .http
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, CONTENT_TYPE)
            .header(header::ID, id)
            .header(header::TIMESTAMP, timestamp)
            .header(header::SIGNATURE, key.sign(id, timestamp, &body))
            .body(body);
        let status = request.send().await.map_err(|error| NotifyError::NoResponse(label(&error)))?.status();
        if status.is_success() { Ok(()) } else { Err(NotifyError::Refused(status.as_u16())) }
    }
}

/// In place of the error's own text, which contains the URL.
fn label(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        "timed out"
    } else {
        "connection lost"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    #[test]
    fn signs_as_the_reference_implementation_does() {
        // The example of the reference libraries.
        let (id, timestamp) = ("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553);
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        let signature = SigningKey::parse(SECRET).unwrap().sign(id, timestamp, body);
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn debug_hides_the_key() {
        let shown = format!("{:?}", SigningKey::parse(SECRET).unwrap());
        assert!(!shown.contains("C2FV") && !shown.contains("11, 97"), "{shown}");
    }

    #[test]
    fn debug_hides_the_url() {
        let url = Url::parse("https://bot.example.com/hook?key=s3cret").unwrap();
        let http =
            crate::http::client(crate::http::Roots::default(), std::time::Duration::ZERO, std::time::Duration::ZERO)
                .unwrap();
        assert_eq!(format!("{:?}", Webhook::new(http, url)), "Webhook { .. }");
    }
}
