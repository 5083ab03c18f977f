//! Meta's Cloud API: `POST /{version}/{phone-number-id}/messages`.

use async_trait::async_trait;
use hyper::{StatusCode, header::CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::{
    WaId,
    http::Connections,
    whatsapp::{self, InvalidCredentials},
};
use url::Url;

use super::{
    Answer, DeliveryStatus, Message, SendError, Sent, WhatsApp, answer, by_status, code, in_one_line, not_accepted,
    usable_id,
};

const LANGUAGE: &str = "en";

pub(super) struct Meta {
    http: Connections,
    messages: Url,
    access_token: SecretString,
}

/// The `message_status` of a message that Meta has taken; it is absent with free text
/// (<https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages>).
const ACCEPTED: [&str; 2] = ["accepted", "held_for_quality_assessment"];

impl Meta {
    pub(super) fn new(http: Connections, base: Option<&Url>, credentials: &str) -> Result<Self, InvalidCredentials> {
        let credentials = whatsapp::Meta::parse(credentials)?;
        Ok(Self { http, messages: credentials.messages_url(base)?, access_token: credentials.access_token })
    }
}

#[async_trait]
impl WhatsApp for Meta {
    async fn send(&self, to: &WaId, message: &Message<'_>) -> Result<Sent, SendError> {
        let body = body(to, message).to_string();
        let request = self
            .http
            .post(self.messages.clone())
            .bearer_auth(self.access_token.expose_secret())
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let id = outcome(&answer(request).await?)?;
        Ok(Sent { id, by_template: matches!(message, Message::Template(..)) })
    }

    /// Meta tells what became of a message by the app's webhook, which the bot has, and in no other way.
    async fn ask(&self, _: &str) -> Result<DeliveryStatus, SendError> {
        Err(SendError::Retry("cannot_be_asked".to_owned()))
    }
}

/// The id of the message, where an answer says that it was accepted.
fn outcome(Answer { status, body }: &Answer) -> Result<Option<String>, SendError> {
    let error_of = &body["error"];
    if !error_of.is_null() {
        return Err(code(&error_of["code"]).map_or_else(|| by_status(*status, None), |code| error(*status, code)));
    }
    let message = &body["messages"][0];
    let has_id = message["id"].as_str().is_some_and(|id| !id.is_empty());
    match &message["message_status"] {
        // The template's quality is too low.
        Value::String(state) if state == "paused" => Err(SendError::Template(state.clone())),
        Value::String(state) if !ACCEPTED.contains(&state.as_str()) => Err(not_accepted(*status)),
        _ if status.is_success() && has_id => Ok(usable_id(&message["id"])),
        _ => Err(not_accepted(*status)),
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

/// Classifies an error by Meta's `error.code`, by whom it is about: the HTTP status does not correspond to it
/// (<https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes>).
fn error(status: StatusCode, code: u64) -> SendError {
    let text = code.to_string();
    match code {
        // More than 24 hours since the person's last message.
        131_047 => SendError::WindowClosed(text),
        // Meta's own errors, and all rate limits.
        1
        | 2
        | 4
        | 17
        | 32
        | 341
        | 613
        | 80_000..=80_014
        | 130_429
        | 131_000
        | 131_016
        | 131_056
        | 131_057
        | 133_004 => SendError::Retry(text),
        // The person is not on WhatsApp, is the sender, is not allowed or has opted out, has had enough messages, or is in an
        // experiment or a country that gets none.
        130_472 | 130_497 | 131_009 | 131_021 | 131_026 | 131_030 | 131_048..=131_050 | 131_062 => {
            SendError::Undeliverable(text)
        }
        132_000..=132_999 => SendError::Template(text),
        // The account's or the app's: its parameters or phone number (with `error_subcode` 33), its token and permissions,
        // its lock, its payment.
        10 | 100 | 190 | 200..=299 | 368 | 131_031 | 131_042 => SendError::Operator(text),
        _ => by_status(status, Some(code)),
    }
}

#[cfg(test)]
mod tests {
    use fakes::{ANY, Server};

    use super::*;
    use crate::whatsapp::{
        Template,
        tests::{Whose, http},
    };

    const ACCEPTED_ANSWER: &str = r#"{"messages":[{"id":"wamid.x"}]}"#;

    const CREDENTIALS: &str = r#"{"access_token":"t0ken","phone_number_id":"10001"}"#;

    async fn send(server: &Server, to: &str, message: Message<'_>) -> Result<(), SendError> {
        let meta = Meta::new(http(), Some(&server.url().parse().unwrap()), CREDENTIALS).unwrap();
        meta.send(&to.parse().unwrap(), &message).await.map(|_| ())
    }

    #[tokio::test]
    async fn sends_text_to_the_digits_of_a_number() {
        let server = Server::answering(200, ACCEPTED_ANSWER).await;
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
        let server = Server::answering(200, ACCEPTED_ANSWER).await;
        send(&server, "whatsapp:US.ABC123XYZ", Message::Text("x")).await.unwrap();
        let body = server.only_request(ANY).json();
        assert_eq!(body.get("to"), None);
        assert_eq!(body["recipient"], "US.ABC123XYZ");
    }

    #[tokio::test]
    async fn sends_to_a_parent_business_scoped_user_id() {
        let server = Server::answering(200, ACCEPTED_ANSWER).await;
        send(&server, "whatsapp:US.ENT.11815799212886844830", Message::Text("x")).await.unwrap();
        let body = server.only_request(ANY).json();
        assert_eq!(body.get("to"), None);
        assert_eq!(body["recipient"], "US.ENT.11815799212886844830");
    }

    #[tokio::test]
    async fn sends_a_template_with_the_text_in_one_line() {
        let server = Server::answering(200, ACCEPTED_ANSWER).await;
        let template = Template { name: "account_news".to_owned(), language: Some("de".to_owned()) };
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
        let server = Server::answering(200, ACCEPTED_ANSWER).await;
        let credentials = r#"{"access_token":"t","phone_number_id":"10001","api_version":"v30.0"}"#;
        let meta = Meta::new(http(), Some(&server.url().parse().unwrap()), credentials).unwrap();
        meta.send(&"whatsapp:+15551234567".parse().unwrap(), &Message::Text("x")).await.unwrap();
        assert_eq!(server.only_request(ANY).path, "/v30.0/10001/messages");
    }

    /// Meta's error codes (<https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes>).
    const REFUSALS: [(u64, u16, Whose); 51] = [
        (130_472, 400, Whose::Persons),      // The number is part of an experiment
        (130_497, 403, Whose::Persons),      // The account may not message users of this country
        (131_009, 400, Whose::Persons),      // Parameter value is not valid
        (131_021, 400, Whose::Persons),      // Sender and recipient are the same
        (131_026, 400, Whose::Persons),      // Message undeliverable
        (131_030, 400, Whose::Persons),      // Recipient not in the list of allowed numbers
        (131_048, 400, Whose::Persons),      // Spam rate limit
        (131_049, 400, Whose::Persons),      // Meta chose not to deliver
        (131_050, 400, Whose::Persons),      // The person has opted out
        (131_062, 400, Whose::Persons),      // Not for business-scoped user ids
        (10, 403, Whose::Operators),         // Permission denied
        (100, 400, Whose::Operators),        // Invalid parameter; with error_subcode 33 the phone number
        (3, 400, Whose::Operators),          // Capability or permissions
        (33, 400, Whose::Operators),         // The phone number has been deleted
        (131_037, 400, Whose::Operators),    // Display name needs approval
        (131_045, 400, Whose::Operators),    // Incorrect certificate
        (131_051, 400, Whose::Operators),    // Unsupported message type
        (133_015, 400, Whose::Operators),    // The phone number was deleted recently
        (135_000, 400, Whose::Operators),    // Unknown error with the request's parameters
        (190, 401, Whose::Operators),        // Access token expired
        (200, 403, Whose::Operators),        // API permission
        (299, 403, Whose::Operators),        // API permission
        (368, 403, Whose::Operators),        // Temporarily blocked for policy violations
        (131_005, 403, Whose::Operators),    // Access denied
        (131_008, 400, Whose::Operators),    // Required parameter is missing
        (131_031, 403, Whose::Operators),    // Account has been locked
        (131_042, 402, Whose::Operators),    // Business eligibility: payment
        (133_010, 400, Whose::Operators),    // Phone number not registered
        (132_000, 400, Whose::Templates),    // Number of parameters does not match
        (132_001, 404, Whose::Templates),    // Template does not exist
        (132_007, 400, Whose::Templates),    // Template policy violated
        (132_015, 400, Whose::Templates),    // Template paused
        (132_016, 400, Whose::Templates),    // Template disabled
        (132_005, 400, Whose::Templates),    // Translated text too long
        (132_012, 400, Whose::Templates),    // Parameter format does not match
        (132_068, 400, Whose::Templates),    // Flow is blocked
        (131_047, 400, Whose::WindowClosed), // Re-engagement message
        (1, 400, Whose::Nobodys),            // API unknown
        (2, 503, Whose::Nobodys),            // API service
        (4, 429, Whose::Nobodys),            // API too many calls
        (17, 400, Whose::Nobodys),           // User request limit (Graph API "Rate Limits")
        (613, 400, Whose::Nobodys),          // Calls within one hour exceeded the rate limit
        (80_008, 400, Whose::Nobodys),       // Business use case rate limit
        (131_057, 500, Whose::Nobodys),      // Account in maintenance mode
        (133_004, 503, Whose::Nobodys),      // Server temporarily unavailable
        (32, 400, Whose::Nobodys),           // Page request limit
        (80007, 429, Whose::Nobodys),        // Rate limit of the account
        (130_429, 429, Whose::Nobodys),      // Rate limit
        (131_000, 500, Whose::Nobodys),      // Something went wrong
        (131_016, 500, Whose::Nobodys),      // Service unavailable
        (131_056, 400, Whose::Nobodys),      // Rate limit of this pair of numbers
    ];

    #[tokio::test]
    async fn a_refusal_is_the_persons_the_operators_the_templates_or_for_later_by_its_code() {
        for (code, usual, whose) in REFUSALS {
            for status in [usual, 400] {
                let error = json!({"error": {"code": code, "error_subcode": 33, "error_data": {"details": "x"}}});
                let server = Server::answering(status, &error.to_string()).await;
                let error = send(&server, "whatsapp:+15551234567", Message::Text("x")).await;
                assert_eq!(error, Err(whose.with(&code)), "{status} {code}");
            }
        }
    }

    #[tokio::test]
    async fn an_unknown_code_or_none_is_classified_by_the_status() {
        for (status, body, class) in [
            (400, r#"{"error":{"code":999999}}"#, Whose::Operators.with(&999_999)),
            (503, r#"{"error":{"code":999999}}"#, Whose::Nobodys.with(&999_999)),
            (400, r#"{"error":{}}"#, Whose::Operators.with("http_400")),
            (502, "<html>", SendError::Unsure("http_502".to_owned())),
            (500, "<html>", Whose::Nobodys.with("http_500")),
            (403, "<html>", Whose::Operators.with("http_403")),
        ] {
            let server = Server::answering(status, body).await;
            let error = send(&server, "whatsapp:+15551234567", Message::Text("x")).await;
            assert_eq!(error, Err(class), "{status} {body}");
        }
    }

    #[tokio::test]
    async fn only_what_says_accepted_counts_as_sent() {
        let sent = async |status, body: &str| {
            send(&Server::answering(status, body).await, "whatsapp:+15551234567", Message::Text("x")).await
        };
        for state in [Value::Null, json!("accepted"), json!("held_for_quality_assessment")] {
            let answer = json!({"messages": [{"id": "wamid.x", "message_status": state}]}).to_string();
            assert_eq!(sent(200, &answer).await, Ok(()), "{state}");
        }
        let paused = r#"{"messages":[{"id":"wamid.x","message_status":"paused"}]}"#;
        assert_eq!(sent(200, paused).await, Err(Whose::Templates.with("paused")));
        for (status, body) in [
            (200, "<html>Welcome</html>"),
            (200, ""),
            (204, ""),
            (200, "{}"),
            (200, r#"{"messages":[]}"#),
            (200, r#"{"messages":[{}]}"#),
            (200, r#"{"messages":[{"id":""}]}"#),
            (200, r#"{"messages":[{"id":"wamid.x","message_status":"lost"}]}"#),
            (200, "OK"),
        ] {
            let unsure = SendError::Unsure("not_accepted".to_owned());
            assert_eq!(sent(status, body).await, Err(unsure), "{status} {body}: it may have been sent");
        }
        let accepted = "\u{feff}{\"messages\":[{\"id\":\"wamid.x\"}]}";
        assert_eq!(sent(200, accepted).await, Ok(()), "a byte order mark");
        let refused = r#"{"error":{"code":131026}}"#;
        assert_eq!(sent(200, refused).await, Err(Whose::Persons.with(&131_026)));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_read() {
        let server = Server::start().await;
        server.on(ANY, |_| fakes::Answer::Endless(200));
        let error = send(&server, "whatsapp:+15551234567", Message::Text("x")).await;
        assert_eq!(error, Err(SendError::Unsure("answer_too_long".to_owned())));
    }
}
