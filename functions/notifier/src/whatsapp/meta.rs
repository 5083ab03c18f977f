//! Meta's Cloud API: `POST /{version}/{phone-number-id}/messages`.

use async_trait::async_trait;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    WaId,
    whatsapp::{self, InvalidCredentials},
};
use url::Url;

use super::{Message, SendError, WhatsApp, by_status, in_one_line, no_response};

const LANGUAGE: &str = "en";

pub(super) struct Meta {
    http: Client,
    messages: Url,
    access_token: SecretString,
}

#[derive(Default, Deserialize)]
struct Response {
    error: Option<ResponseError>,
}

#[derive(Deserialize)]
struct ResponseError {
    code: u32,
}

impl Meta {
    pub(super) fn new(http: Client, base: Option<&Url>, credentials: &str) -> Result<Self, InvalidCredentials> {
        let credentials = whatsapp::Meta::parse(credentials)?;
        Ok(Self { http, messages: credentials.messages_url(base)?, access_token: credentials.access_token })
    }
}

#[async_trait]
impl WhatsApp for Meta {
    async fn send(&self, to: &WaId, message: &Message<'_>) -> Result<(), SendError> {
        let body = body(to, message).to_string();
        let request = self
            .http
            .post(self.messages.clone())
            .bearer_auth(self.access_token.expose_secret())
            .header("content-type", "application/json")
            .body(body);
        let response = request.send().await.map_err(|error| no_response(&error))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| no_response(&error))?;
        let Response { error } = serde_json::from_slice(&body).unwrap_or_default();
        match error {
            None if status.is_success() => Ok(()),
            error => Err(self::error(status, error.map(|error| error.code))),
        }
    }
}

fn body(to: &WaId, message: &Message<'_>) -> Value {
    let mut body = json!({"messaging_product": "whatsapp", "recipient_type": "individual"});
    // A business-scoped user id has a field of its own; a number is sent without its plus.
    if to.address().contains('.') {
        body["recipient"] = to.address().into();
    } else {
        body["to"] = to.address().trim_start_matches('+').into();
    }
    match message {
        Message::Text(text) => {
            body["type"] = "text".into();
            body["text"] = json!({"body": text});
        }
        Message::Template(template, text) => {
            body["type"] = "template".into();
            body["template"] = json!({
                "name": template.name,
                "language": {"code": template.language.as_deref().unwrap_or(LANGUAGE)},
                "components": [{"type": "body", "parameters": [{"type": "text", "text": in_one_line(text)}]}],
            });
        }
    }
    body
}

/// Classifies an error by Meta's `error.code`: the HTTP status does not correspond to it.
fn error(status: StatusCode, code: Option<u32>) -> SendError {
    let text = || code.map(|code| code.to_string()).unwrap_or_default();
    match code {
        // More than 24 hours since the person's last message.
        Some(131_047) => SendError::WindowClosed(text()),
        // Meta's own errors, and all rate limits.
        Some(1 | 2 | 4 | 80007 | 130_429 | 131_000 | 131_016 | 131_056) => SendError::Retry(text()),
        // The person is not on WhatsApp or not reachable from this account, or Meta refuses the message finally.
        Some(100 | 368 | 131_026 | 131_030 | 131_031 | 131_042 | 131_048 | 131_049 | 131_062 | 132_000..=132_999) => {
            SendError::Undeliverable(text())
        }
        // Such as 190: the token or its permissions.
        _ => by_status(status, code),
    }
}

#[cfg(test)]
mod tests {
    use fakes::{ANY, Server};

    use super::*;
    use crate::whatsapp::{Template, tests::http};

    const CREDENTIALS: &str = r#"{"access_token":"t0ken","phone_number_id":"10001"}"#;

    async fn send(server: &Server, to: &str, message: Message<'_>) -> Result<(), SendError> {
        let meta = Meta::new(http(), Some(&server.url().parse().unwrap()), CREDENTIALS).unwrap();
        meta.send(&to.parse().unwrap(), &message).await
    }

    #[tokio::test]
    async fn sends_text_to_the_digits_of_a_number() {
        let server = Server::answering(200, r#"{"messages":[{"id":"wamid.x"}]}"#).await;
        send(&server, "whatsapp:+15551234567", Message::Text("✅ Yes")).await.unwrap();
        let request = server.only_request(ANY);
        assert_eq!(request.path, "/v26.0/10001/messages");
        assert_eq!(request.header("authorization"), "Bearer t0ken");
        assert_eq!(
            request.json(),
            json!({
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "to": "15551234567",
                "type": "text",
                "text": {"body": "✅ Yes"},
            })
        );
    }

    #[tokio::test]
    async fn sends_to_a_business_scoped_user_id() {
        let server = Server::answering(200, "{}").await;
        send(&server, "whatsapp:US.ABC123XYZ", Message::Text("x")).await.unwrap();
        let body = server.only_request(ANY).json();
        assert_eq!(body.get("to"), None);
        assert_eq!(body["recipient"], "US.ABC123XYZ");
    }

    #[tokio::test]
    async fn sends_a_template_with_the_text_in_one_line() {
        let server = Server::answering(200, "{}").await;
        let template = Template::parse("account_news:de");
        send(&server, "whatsapp:+15551234567", Message::Template(&template, "Again:\nhttps://x")).await.unwrap();
        let body = server.only_request(ANY).json();
        assert_eq!(body["type"], "template");
        assert_eq!(
            body["template"],
            json!({
                "name": "account_news",
                "language": {"code": "de"},
                "components": [{"type": "body", "parameters": [{"type": "text", "text": "Again: https://x"}]}],
            })
        );
    }

    #[tokio::test]
    async fn uses_the_api_version_in_the_secret() {
        let server = Server::answering(200, "{}").await;
        let credentials = r#"{"access_token":"t","phone_number_id":"10001","api_version":"v30.0"}"#;
        let meta = Meta::new(http(), Some(&server.url().parse().unwrap()), credentials).unwrap();
        meta.send(&"whatsapp:+15551234567".parse().unwrap(), &Message::Text("x")).await.unwrap();
        assert_eq!(server.only_request(ANY).path, "/v30.0/10001/messages");
    }

    #[tokio::test]
    async fn classifies_errors_by_code_and_not_by_status() {
        for (status, code, class) in [
            (400, 131_047, SendError::WindowClosed as fn(String) -> SendError),
            (400, 130_429, SendError::Retry),
            (400, 131_056, SendError::Retry),
            (500, 131_026, SendError::Undeliverable),
            (404, 132_001, SendError::Undeliverable),
            (400, 190, SendError::Operator),
            (403, 10, SendError::Operator),
            (503, 999, SendError::Retry),
        ] {
            let server = Server::answering(status, &json!({"error": {"code": code}}).to_string()).await;
            let error = send(&server, "whatsapp:+15551234567", Message::Text("x")).await;
            assert_eq!(error, Err(class(code.to_string())), "{status} {code}");
        }
    }

    #[tokio::test]
    async fn classifies_a_response_that_is_not_json_by_its_status() {
        for (status, class) in
            [(502, SendError::Retry("http_502".to_owned())), (403, SendError::Operator("http_403".to_owned()))]
        {
            let server = Server::answering(status, "<html>").await;
            assert_eq!(send(&server, "whatsapp:+15551234567", Message::Text("x")).await, Err(class));
        }
    }
}
