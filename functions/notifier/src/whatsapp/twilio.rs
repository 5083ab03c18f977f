//! Twilio's Programmable Messaging API: `POST /2010-04-01/Accounts/{Sid}/Messages.json`, and `GET …/Messages/{Sid}.json`.
//!
//! Twilio accepts nearly everything, and most of WhatsApp's refusals come later: whoever asks for the message hears of them.

use async_trait::async_trait;
use hyper::StatusCode;
use secrecy::ExposeSecret;
use serde_json::json;
use shared::{
    WaId,
    http::Connections,
    whatsapp::{self, InvalidCredentials},
};
use url::Url;

use super::{
    Answer, DeliveryStatus, Message, SendError, Sender, Sent, WhatsApp, answer, by_status, code, in_one_line,
    not_accepted, usable_id,
};

pub(super) struct Twilio {
    http: Connections,
    base: Option<Url>,
    messages: Url,
    sender: Sender,
    credentials: whatsapp::Twilio,
}

/// The states of a message that Twilio has taken and not given up
/// (<https://www.twilio.com/docs/messaging/api/message-resource#message-status-values>).
const ACCEPTED: [&str; 8] =
    ["accepted", "delivered", "partially_delivered", "queued", "read", "scheduled", "sending", "sent"];
/// Those of a message that it has given up.
const GIVEN_UP: [&str; 3] = ["canceled", "failed", "undelivered"];
/// Those of a message that the person has. `sent` says that WhatsApp has it, which may still refuse it.
const ARRIVED: [&str; 2] = ["delivered", "read"];

impl Twilio {
    pub(super) fn new(
        http: Connections,
        base: Option<&Url>,
        sender: Sender,
        credentials: &str,
    ) -> Result<Self, InvalidCredentials> {
        let credentials = whatsapp::Twilio::parse(credentials)?;
        Ok(Self { http, base: base.cloned(), messages: credentials.messages_url(base)?, sender, credentials })
    }
}

#[async_trait]
impl WhatsApp for Twilio {
    async fn send(&self, to: &WaId, message: &Message<'_>) -> Result<Sent, SendError> {
        let mut form = vec![("From", self.sender.from.as_str().to_owned()), ("To", to.as_str().to_owned())];
        match message {
            Message::Text(text) => form.push(("Body", (*text).to_owned())),
            Message::Template(template, text) => {
                form.push(("ContentSid", template.name.clone()));
                form.push(("ContentVariables", json!({"1": in_one_line(text)}).to_string()));
            }
        }
        // Beside `From`, so that the person's chat stays the one with this number
        // (<https://www.twilio.com/docs/api/errors/21603>).
        if let Some(service) = &self.sender.messaging_service {
            form.push(("MessagingServiceSid", service.clone()));
        }
        let request = self
            .http
            .post(self.messages.clone())
            .basic_auth(&self.credentials.user, self.credentials.password.expose_secret())
            .form(form.iter().map(|(name, value)| (*name, value.as_str())));
        let id = outcome(&answer(request).await?)?;
        Ok(Sent { id, by_template: matches!(message, Message::Template(..)) })
    }

    async fn ask(&self, message_id: &str) -> Result<DeliveryStatus, SendError> {
        let url = self.credentials.message_url(self.base.as_ref(), message_id);
        let url = url.map_err(|_| SendError::Operator("invalid_credentials".to_owned()))?;
        let password = self.credentials.password.expose_secret();
        let request = self.http.get(url).basic_auth(&self.credentials.user, password);
        delivery_status(&answer(request).await?)
    }
}

/// What an answer says of a message that was accepted. Its `error_code` is there with the states of what was given up, and
/// has no HTTP status: what is unknown is the operator's, as with a refusal at once.
fn delivery_status(Answer { status, body }: &Answer) -> Result<DeliveryStatus, SendError> {
    let Some(state) = body["status"].as_str().filter(|_| status.is_success()) else {
        return Err(code(&body["code"]).map_or_else(|| not_accepted(*status), |code| error(*status, code)));
    };
    match code(&body["error_code"]) {
        Some(code) => Ok(DeliveryStatus::Refused(error(StatusCode::BAD_REQUEST, code))),
        None if GIVEN_UP.contains(&state) => Ok(DeliveryStatus::Refused(SendError::Operator(state.to_owned()))),
        None if ARRIVED.contains(&state) => Ok(DeliveryStatus::Delivered(state.to_owned())),
        None if ACCEPTED.contains(&state) => Ok(DeliveryStatus::Pending(state.to_owned())),
        None => Err(not_accepted(*status)),
    }
}

/// The id of the message, where an answer says that it was accepted. `code` is an error's, `error_code` that of a message
/// that was accepted and failed at once.
fn outcome(Answer { status, body }: &Answer) -> Result<Option<String>, SendError> {
    if let Some(code) = code(&body["error_code"]).or_else(|| code(&body["code"])) {
        return Err(error(*status, code));
    }
    let has_id = body["sid"].as_str().is_some_and(|sid| !sid.is_empty());
    match body["status"].as_str() {
        Some(state) if status.is_success() && has_id && ACCEPTED.contains(&state) => Ok(usable_id(&body["sid"])),
        Some(state) if status.is_success() && GIVEN_UP.contains(&state) => Err(SendError::Operator(state.to_owned())),
        _ => Err(not_accepted(*status)),
    }
}

/// Classifies an error by Twilio's code (<https://www.twilio.com/docs/api/errors>), or else by the status.
fn error(status: StatusCode, code: u64) -> SendError {
    let text = code.to_string();
    match code {
        // Outside the 24-hour window.
        63016 => SendError::WindowClosed(text),
        // Too many requests; a full queue; WhatsApp's own errors; rate limits of the channel.
        14107 | 20429 | 20500 | 20503 | 21611 | 30001 | 30008 | 30022 | 63010 | 63012 | 63018 | 63023 => {
            SendError::Retry(text)
        }
        // The recipient does not exist, is not on WhatsApp, cannot be reached from here, has blocked or left the sender or
        // not joined the sandbox, or WhatsApp holds back what this person gets.
        21211
        | 21217
        | 21265
        | 21266
        | 21610
        | 21612
        | 21614
        | 21635
        | 21910
        | 30003
        | 30005
        | 30006
        | 63003
        | 63014
        | 63015
        | 63024
        | 63029
        | 63031..=63033
        | 63036
        | 63049 => SendError::Undeliverable(text),
        // It does not exist, is rejected, paused or disabled, or has other variables than ours.
        21655 | 21656 | 63027 | 63028 | 63040..=63042 => SendError::Template(text),
        // The account's, whatever the status: its credentials, its content, its sender, its limit for a day.
        20003 | 20005 | 30002 | 63001 | 63002 | 63005 | 63007 | 63013 | 63020..=63022 | 63038 | 63051 | 63112 => {
            SendError::Operator(text)
        }
        _ => by_status(status, Some(code)),
    }
}

#[cfg(test)]
mod tests {
    use fakes::{ANY, Server};
    use serde_json::Value;

    use super::*;
    use crate::whatsapp::{
        Template,
        tests::{Whose, http},
    };

    const ACCEPTED_ANSWER: &str = r#"{"sid":"SM1","status":"accepted","error_code":null}"#;
    const AUTH_TOKEN: &str = r#"{"account_sid":"AC123","auth_token":"t0ken"}"#;

    fn sender(messaging_service: Option<&str>) -> Sender {
        let from = "whatsapp:+14155238886".parse().unwrap();
        Sender { from, messaging_service: messaging_service.map(str::to_owned) }
    }

    async fn send(server: &Server, credentials: &str, message: Message<'_>) -> Result<(), SendError> {
        send_as(sender(None), server, credentials, message).await
    }

    async fn send_as(
        sender: Sender,
        server: &Server,
        credentials: &str,
        message: Message<'_>,
    ) -> Result<(), SendError> {
        let to = "whatsapp:US.ABC123XYZ".parse().unwrap();
        let twilio = Twilio::new(http(), Some(&server.url().parse().unwrap()), sender, credentials).unwrap();
        twilio.send(&to, &message).await.map(|_| ())
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
        let server = Server::answering(201, ACCEPTED_ANSWER).await;
        let template = Template { name: "HX0123".to_owned(), language: None };
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
    async fn names_the_messaging_service_beside_the_sender() {
        let template = Template { name: "HX0123".to_owned(), language: None };
        for message in [Message::Text("x"), Message::Template(&template, "x")] {
            let server = Server::answering(201, ACCEPTED_ANSWER).await;
            send_as(sender(Some("MG0123")), &server, AUTH_TOKEN, message).await.unwrap();
            let form = server.only_request(ANY).form();
            assert_eq!(form[0], ("From".to_owned(), "whatsapp:+14155238886".to_owned()));
            assert_eq!(*form.last().unwrap(), ("MessagingServiceSid".to_owned(), "MG0123".to_owned()));
        }
    }

    #[tokio::test]
    async fn authenticates_with_an_api_key() {
        let server = Server::answering(201, ACCEPTED_ANSWER).await;
        let credentials = r#"{"account_sid":"AC123","api_key":"SK1","api_key_secret":"s3cret"}"#;
        send(&server, credentials, Message::Text("x")).await.unwrap();
        let request = server.only_request(ANY);
        assert_eq!(request.path, "/2010-04-01/Accounts/AC123/Messages.json");
        assert_eq!(request.header("authorization"), "Basic U0sxOnMzY3JldA==");
    }

    /// Twilio's error dictionary (<https://www.twilio.com/docs/api/errors>), each code by its page.
    const REFUSALS: [(u64, u16, Whose); 60] = [
        (21211, 400, Whose::Persons),      // Invalid 'To' phone number
        (21217, 400, Whose::Persons),      // Phone number does not appear to be valid
        (21265, 400, Whose::Persons),      // 'To' number cannot be a short code
        (21266, 400, Whose::Persons),      // 'To' and 'From' are the same
        (21635, 400, Whose::Persons),      // 'To' number cannot be a landline
        (30003, 400, Whose::Persons),      // Unreachable destination handset
        (30005, 400, Whose::Persons),      // Unknown destination handset
        (30006, 400, Whose::Persons),      // Landline or unreachable carrier
        (63029, 400, Whose::Persons),      // The receiver failed to download the template
        (21610, 400, Whose::Persons),      // Attempt to send to an unsubscribed recipient
        (21612, 400, Whose::Persons),      // The 'To' number is not reachable from this 'From'
        (21614, 400, Whose::Persons),      // 'To' is not a valid mobile number
        (21910, 400, Whose::Persons),      // 'From' and 'To' are not of the same channel
        (63003, 400, Whose::Persons),      // Channel could not find 'To' address
        (63014, 400, Whose::Persons),      // Blocked by user action
        (63015, 400, Whose::Persons),      // The person has not joined the sandbox
        (63024, 400, Whose::Persons),      // Invalid message recipient
        (63031, 400, Whose::Persons),      // 'From' and 'To' are the same
        (63032, 400, Whose::Persons),      // Cannot send to this user because of a WhatsApp limitation
        (63033, 400, Whose::Persons),      // Recipient blocked to receive messages
        (63036, 400, Whose::Persons),      // Recipient not available on the channel
        (63049, 400, Whose::Persons),      // Meta chose not to deliver this message
        (20003, 401, Whose::Operators),    // Permission denied: credentials
        (20005, 401, Whose::Operators),    // Account is not active
        (30002, 400, Whose::Operators),    // Account suspended
        (21701, 400, Whose::Operators),    // The messaging service does not exist
        (21703, 400, Whose::Operators),    // The messaging service has no sender
        (21705, 400, Whose::Operators),    // The messaging service is invalid
        (63020, 400, Whose::Operators),    // Error of the business manager account: payment
        (63022, 400, Whose::Operators),    // Invalid certificate of the sender
        (20404, 404, Whose::Operators),    // Not found: the account
        (21212, 400, Whose::Operators),    // Invalid 'From' number
        (21408, 400, Whose::Operators),    // Permission for the region has not been enabled
        (21617, 400, Whose::Operators),    // Message body exceeds the limit
        (63001, 400, Whose::Operators),    // Channel could not authenticate the request
        (63002, 400, Whose::Operators),    // Channel could not find 'From' address
        (63005, 400, Whose::Operators),    // Channel did not accept the content
        (63007, 400, Whose::Operators),    // No channel with that 'From' address
        (63013, 400, Whose::Operators),    // Channel policy violation
        (63021, 400, Whose::Operators),    // Channel invalid content error
        (63038, 429, Whose::Operators),    // Account exceeded the daily messages limit
        (63051, 403, Whose::Operators),    // WhatsApp Business Account is locked
        (63112, 403, Whose::Operators),    // Meta has disabled the business account
        (21655, 400, Whose::Templates),    // The ContentSid is invalid
        (21656, 400, Whose::Templates),    // The ContentVariables parameter is invalid
        (63027, 400, Whose::Templates),    // Template does not exist for the language
        (63028, 400, Whose::Templates),    // Number of parameters does not match
        (63040, 400, Whose::Templates),    // Template rejected
        (63041, 400, Whose::Templates),    // Template paused
        (63042, 400, Whose::Templates),    // Template disabled
        (63016, 400, Whose::WindowClosed), // Outside the allowed window
        (20429, 429, Whose::Nobodys),      // Too many requests
        (14107, 400, Whose::Nobodys),      // Message rate limit exceeded
        (30008, 400, Whose::Nobodys),      // Unknown error
        (20500, 500, Whose::Nobodys),      // Internal server error
        (21611, 400, Whose::Nobodys),      // 'From' has exceeded its queue
        (63010, 400, Whose::Nobodys),      // Channel provider's internal error
        (63012, 400, Whose::Nobodys),      // Channel provider returned an internal service error
        (63018, 429, Whose::Nobodys),      // Rate limit exceeded for the channel
        (63023, 400, Whose::Nobodys),      // Channel generic error
    ];

    #[tokio::test]
    async fn a_refusal_is_the_persons_the_operators_the_templates_or_for_later_by_its_code() {
        for (code, status, whose) in REFUSALS {
            let server = Server::answering(status, &json!({"code": code, "status": status}).to_string()).await;
            let error = send(&server, AUTH_TOKEN, Message::Text("x")).await;
            assert_eq!(error, Err(whose.with(&code)), "{code}");
        }
    }

    #[tokio::test]
    async fn a_message_that_was_taken_and_failed_at_once_is_refused_by_its_code() {
        for state in ["failed", "undelivered", "canceled", "queued"] {
            for (code, _, whose) in REFUSALS {
                let answer = json!({"sid": "SM1", "status": state, "error_code": code}).to_string();
                let server = Server::answering(201, &answer).await;
                let error = send(&server, AUTH_TOKEN, Message::Text("x")).await;
                assert_eq!(error, Err(whose.with(&code)), "{state} {code}");
            }
        }
    }

    async fn ask(status: u16, body: &str) -> Result<DeliveryStatus, SendError> {
        let server = Server::answering(status, body).await;
        let twilio = Twilio::new(http(), Some(&server.url().parse().unwrap()), sender(None), AUTH_TOKEN).unwrap();
        let status = twilio.ask("SM1").await;
        let request = server.only_request(ANY);
        assert_eq!((request.method.as_str(), &*request.path), ("GET", "/2010-04-01/Accounts/AC123/Messages/SM1.json"));
        assert_eq!(request.header("authorization"), "Basic QUMxMjM6dDBrZW4=");
        status
    }

    #[tokio::test]
    async fn a_message_that_was_refused_later_is_refused_by_its_code() {
        for state in ["failed", "undelivered"] {
            for (code, _, whose) in REFUSALS {
                let answer = json!({"sid": "SM1", "status": state, "error_code": code}).to_string();
                assert_eq!(ask(200, &answer).await, Ok(DeliveryStatus::Refused(whose.with(&code))), "{state} {code}");
            }
        }
        for state in ["failed", "undelivered", "canceled"] {
            let answer = json!({"sid": "SM1", "status": state, "error_code": null}).to_string();
            assert_eq!(ask(200, &answer).await, Ok(DeliveryStatus::Refused(Whose::Operators.with(state))));
        }
        let unknown = json!({"sid": "SM1", "status": "undelivered", "error_code": 69_999}).to_string();
        assert_eq!(ask(200, &unknown).await, Ok(DeliveryStatus::Refused(Whose::Operators.with(&69_999))));
    }

    #[tokio::test]
    async fn a_message_has_arrived_where_twilio_says_so_and_not_before() {
        let in_state = async |state: &str| {
            ask(200, &json!({"sid": "SM1", "status": state, "error_code": null}).to_string()).await.unwrap()
        };
        for state in ["delivered", "read"] {
            assert_eq!(in_state(state).await, DeliveryStatus::Delivered(state.to_owned()));
        }
        for state in ["queued", "accepted", "sending", "sent", "scheduled"] {
            assert_eq!(in_state(state).await, DeliveryStatus::Pending(state.to_owned()));
        }
    }

    #[tokio::test]
    async fn an_answer_that_says_nothing_of_the_message_is_an_error() {
        for (status, body, error) in [
            (404, r#"{"code":20404,"status":404}"#, Whose::Operators.with(&20_404)),
            (401, r#"{"code":20003,"status":401}"#, Whose::Operators.with(&20_003)),
            (429, r#"{"code":20429,"status":429}"#, Whose::Nobodys.with(&20_429)),
            (503, "<html>", Whose::Nobodys.with("http_503")),
            (200, "<html>", SendError::Unsure("not_accepted".to_owned())),
            (200, r#"{"status":"lost"}"#, SendError::Unsure("not_accepted".to_owned())),
        ] {
            assert_eq!(ask(status, body).await, Err(error), "{status} {body}");
        }
    }

    #[tokio::test]
    async fn an_unknown_code_or_none_is_classified_by_the_status() {
        for (status, body, class) in [
            (400, r#"{"code":29999}"#, Whose::Operators.with(&29999)),
            (429, r#"{"code":29999}"#, Whose::Nobodys.with(&29999)),
            (500, r#"{"code":"29999"}"#, Whose::Nobodys.with(&29999)),
            (503, "<html>", Whose::Nobodys.with("http_503")),
            (504, "<html>", SendError::Unsure("http_504".to_owned())),
            (502, "", SendError::Unsure("http_502".to_owned())),
            (502, r#"{"code":20500}"#, Whose::Nobodys.with(&20500)),
            (403, "<html>", Whose::Operators.with("http_403")),
            (302, "", Whose::Operators.with("http_302")),
        ] {
            let server = Server::answering(status, body).await;
            assert_eq!(send(&server, AUTH_TOKEN, Message::Text("x")).await, Err(class), "{status} {body}");
        }
    }

    #[tokio::test]
    async fn only_what_says_accepted_counts_as_sent() {
        let sent = async |status, body: &str| {
            send(&Server::answering(status, body).await, AUTH_TOKEN, Message::Text("x")).await
        };
        for state in ["queued", "accepted", "sending", "sent", "scheduled", "delivered", "read"] {
            let answer: Value = json!({"sid": "SM1", "status": state, "error_code": null});
            assert_eq!(sent(201, &answer.to_string()).await, Ok(()), "{state}");
        }
        for (status, body) in [
            (200, "<html>Welcome</html>"),
            (200, ""),
            (204, ""),
            (201, "{}"),
            (201, "[]"),
            (201, r#"{"status":"queued"}"#),
            (201, r#"{"sid":"","status":"queued"}"#),
            (201, r#"{"sid":"SM1"}"#),
            (201, r#"{"sid":"SM1","status":"paused"}"#),
            (201, r#"{"sid":"SM1","status":"sent_to_channel"}"#),
            (201, "<TwilioResponse><Message><Sid>SM1</Sid></Message></TwilioResponse>"),
        ] {
            let unsure = SendError::Unsure("not_accepted".to_owned());
            assert_eq!(sent(status, body).await, Err(unsure), "{status} {body}: it may have been sent");
        }
        assert_eq!(sent(201, &format!("\u{feff}{ACCEPTED_ANSWER}")).await, Ok(()), "a byte order mark");
        for state in ["failed", "undelivered", "canceled"] {
            let answer = json!({"sid": "SM1", "status": state, "error_code": null}).to_string();
            assert_eq!(sent(201, &answer).await, Err(Whose::Operators.with(state)));
        }
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_read() {
        let server = Server::start().await;
        server.on(ANY, |_| fakes::Answer::Endless(201));
        let error = send(&server, AUTH_TOKEN, Message::Text("x")).await;
        assert_eq!(error, Err(SendError::Unsure("answer_too_long".to_owned())));
    }

    #[tokio::test]
    async fn an_unreachable_server_is_worth_a_retry() {
        let server = Server::gone().await;
        let error = send(&server, AUTH_TOKEN, Message::Text("x")).await;
        assert_eq!(error, Err(SendError::Retry("no_connection".to_owned())));
    }

    #[test]
    fn refuses_credentials_of_another_provider() {
        for text in ["", "t0ken", r#"{"access_token":"x","phone_number_id":"1"}"#] {
            assert!(Twilio::new(http(), None, sender(None), text).is_err(), "{text}");
        }
    }
}
