//! Twilio's Programmable Messaging API: `POST /2010-04-01/Accounts/{Sid}/Messages.json`.

use async_trait::async_trait;
use reqwest::{Client, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use shared::{
    WaId,
    whatsapp::{self, InvalidCredentials},
};
use url::Url;

use super::{Message, SendError, WhatsApp, by_status, in_one_line, no_response};

pub(super) struct Twilio {
    http: Client,
    messages: Url,
    from: WaId,
    credentials: whatsapp::Twilio,
}

/// The fields that are read: `code` of an error, `error_code` of a message that was accepted and failed at once.
#[derive(Default, Deserialize)]
struct Response {
    #[serde(default)]
    code: Option<u32>,
    #[serde(default)]
    error_code: Option<u32>,
}

impl Twilio {
    pub(super) fn new(
        http: Client,
        base: Option<&Url>,
        from: WaId,
        credentials: &str,
    ) -> Result<Self, InvalidCredentials> {
        let credentials = whatsapp::Twilio::parse(credentials)?;
        Ok(Self { http, messages: credentials.messages_url(base)?, from, credentials })
    }
}

#[async_trait]
impl WhatsApp for Twilio {
    async fn send(&self, to: &WaId, message: &Message<'_>) -> Result<(), SendError> {
        let mut form = vec![("From", self.from.as_str().to_owned()), ("To", to.as_str().to_owned())];
        match message {
            Message::Text(text) => form.push(("Body", (*text).to_owned())),
            Message::Template(template, text) => {
                form.push(("ContentSid", template.name.clone()));
                form.push(("ContentVariables", json!({"1": in_one_line(text)}).to_string()));
            }
        }
        let request = self
            .http
            .post(self.messages.clone())
            .basic_auth(&self.credentials.user, Some(self.credentials.password.expose_secret()))
            .form(&form);
        let response = request.send().await.map_err(|error| no_response(&error))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| no_response(&error))?;
        let Response { code, error_code } = serde_json::from_slice(&body).unwrap_or_default();
        match error_code.or(code) {
            None if status.is_success() => Ok(()),
            code => Err(error(status, code)),
        }
    }
}

/// Classifies an error by Twilio's code (<https://www.twilio.com/docs/api/errors>), or else by the status.
fn error(status: StatusCode, code: Option<u32>) -> SendError {
    let text = || code.map(|code| code.to_string()).unwrap_or_default();
    match code {
        // Outside the 24-hour window.
        Some(63016) => SendError::WindowClosed(text()),
        // Too many requests; WhatsApp's own errors; rate limits of the channel.
        Some(20429 | 20500 | 20503 | 63010 | 63012 | 63018 | 63023) => SendError::Retry(text()),
        // The recipient does not exist, is not on WhatsApp, or has blocked or left the sender; WhatsApp refuses the content.
        Some(
            21211 | 21610 | 21614 | 21617 | 63003 | 63005 | 63013 | 63014 | 63015 | 63021 | 63024 | 63032 | 63033
            | 63036 | 63049,
        ) => SendError::Undeliverable(text()),
        _ => by_status(status, code),
    }
}

#[cfg(test)]
mod tests {
    use fakes::{ANY, Server};

    use super::*;
    use crate::whatsapp::{Template, tests::http};

    const AUTH_TOKEN: &str = r#"{"account_sid":"AC123","auth_token":"t0ken"}"#;

    async fn send(server: &Server, credentials: &str, message: Message<'_>) -> Result<(), SendError> {
        let from = "whatsapp:+14155238886".parse().unwrap();
        let to = "whatsapp:US.ABC123XYZ".parse().unwrap();
        Twilio::new(http(), Some(&server.url().parse().unwrap()), from, credentials).unwrap().send(&to, &message).await
    }

    #[tokio::test]
    async fn sends_text() {
        let server = Server::answering(201, r#"{"sid":"SM1","status":"queued","error_code":null}"#).await;
        send(&server, AUTH_TOKEN, Message::Text("✅ Yes & no")).await.unwrap();
        let request = server.only_request(ANY);
        assert_eq!(request.path, "/2010-04-01/Accounts/AC123/Messages.json");
        assert_eq!(request.header("authorization"), "Basic QUMxMjM6dDBrZW4=");
        assert_eq!(
            request.form(),
            [("From", "whatsapp:+14155238886"), ("To", "whatsapp:US.ABC123XYZ"), ("Body", "✅ Yes & no")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[tokio::test]
    async fn sends_a_template_with_the_text_in_one_line() {
        let server = Server::answering(201, r#"{"sid":"SM1"}"#).await;
        let template = Template::parse("HX0123");
        send(&server, AUTH_TOKEN, Message::Template(&template, "Again:\nhttps://x")).await.unwrap();
        let form = server.only_request(ANY).form();
        assert_eq!(
            form[2..],
            [
                ("ContentSid".to_owned(), "HX0123".to_owned()),
                ("ContentVariables".to_owned(), r#"{"1":"Again: https://x"}"#.to_owned()),
            ]
        );
    }

    #[tokio::test]
    async fn authenticates_with_an_api_key() {
        let server = Server::answering(201, r#"{"sid":"SM1"}"#).await;
        let credentials = r#"{"account_sid":"AC123","api_key":"SK1","api_key_secret":"s3cret"}"#;
        send(&server, credentials, Message::Text("x")).await.unwrap();
        let request = server.only_request(ANY);
        assert_eq!(request.path, "/2010-04-01/Accounts/AC123/Messages.json");
        assert_eq!(request.header("authorization"), "Basic U0sxOnMzY3JldA==");
    }

    #[tokio::test]
    async fn classifies_errors_by_code_before_status() {
        for (status, body, class) in [
            (400, r#"{"code":63016}"#, SendError::WindowClosed("63016".to_owned())),
            (201, r#"{"sid":"SM1","error_code":63016}"#, SendError::WindowClosed("63016".to_owned())),
            (429, r#"{"code":20429}"#, SendError::Retry("20429".to_owned())),
            (503, "<html>", SendError::Retry("http_503".to_owned())),
            (400, r#"{"code":63024}"#, SendError::Undeliverable("63024".to_owned())),
            (401, r#"{"code":20003}"#, SendError::Operator("20003".to_owned())),
            (400, r#"{"code":21212}"#, SendError::Operator("21212".to_owned())),
            (302, "", SendError::Operator("http_302".to_owned())),
        ] {
            let server = Server::answering(status, body).await;
            assert_eq!(send(&server, AUTH_TOKEN, Message::Text("x")).await, Err(class), "{status} {body}");
        }
    }

    #[tokio::test]
    async fn an_unreachable_server_is_worth_a_retry() {
        let server = Server::gone().await;
        let error = send(&server, AUTH_TOKEN, Message::Text("x")).await;
        assert_eq!(error, Err(SendError::Retry("no_connection".to_owned())));
    }

    #[test]
    fn refuses_credentials_of_another_provider() {
        let from: WaId = "whatsapp:+14155238886".parse().unwrap();
        for text in ["", "t0ken", r#"{"access_token":"x","phone_number_id":"1"}"#] {
            assert!(Twilio::new(http(), None, from.clone(), text).is_err(), "{text}");
        }
    }
}
