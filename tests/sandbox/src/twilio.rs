//! Twilio's `Messages` resource: `POST /2010-04-01/Accounts/{Sid}/Messages.json`.
//!
//! `GET` on it returns an empty list; a caller can check its credentials with it. `GET …/Messages/{Sid}.json` tells what became
//! of a message: it was delivered, unless a fault (`later`) gave it up.
//!
//! It accepts free text (`Body`) and templates (`ContentSid`, `ContentVariables`), which appear in the
//! chat of `To`. It does not enforce the 24-hour window: 63016 and the like are injected as faults.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{Extensions, HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Map, Value, json};

use crate::{
    World,
    ambient::{now_ms, random_text},
    chat::{Content, Via},
    control::{Endpoint, GivenUp, gated},
    fields::{Fields, basic},
    lock,
};

const LONGEST_BODY: usize = 1600;

pub(crate) fn routes(world: &Arc<World>) -> Router<Arc<World>> {
    let messages = gated(world, Endpoint::TwilioMessages, post(send)).get(list);
    let message = gated(world, Endpoint::TwilioMessage, get(fetch));
    Router::new()
        .route("/2010-04-01/Accounts/{sid}/Messages.json", messages)
        .route("/2010-04-01/Accounts/{sid}/Messages/{file}", message)
}

/// The account.
pub(crate) struct Twilio {
    account_sid: String,
    auth_token: String,
    /// The messages that were accepted, by SID.
    messages: Mutex<HashMap<String, Kept>>,
}

/// A message that was accepted.
struct Kept {
    to: String,
    answer: Value,
    given_up: Option<GivenUp>,
}

impl Twilio {
    pub(crate) fn new(account_sid: String, auth_token: String) -> Self {
        Self { account_sid, auth_token, messages: Mutex::default() }
    }

    /// Whose message this is the path of.
    pub(crate) fn addressee(&self, path: &str) -> Option<String> {
        let sid = path.rsplit('/').next()?.strip_suffix(".json")?;
        lock(&self.messages).get(sid).map(|kept| kept.to.clone())
    }

    /// The message as it is now, where there is one.
    fn fetch(&self, sid: &str) -> Option<Value> {
        let mut messages = lock(&self.messages);
        let Kept { answer, given_up, .. } = messages.get_mut(sid)?;
        match given_up {
            Some(GivenUp { after_asks, .. }) if *after_asks > 0 => *after_asks -= 1,
            Some(GivenUp { status, error_code, .. }) => {
                answer["status"] = status.as_str().into();
                answer["error_code"] = (*error_code).into();
            }
            None => answer["status"] = "delivered".into(),
        }
        Some(answer.clone())
    }
}

/// An error as Twilio writes it.
struct TwilioError {
    status: StatusCode,
    code: u32,
    message: String,
}

impl TwilioError {
    fn bad(code: u32, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }
}

impl IntoResponse for TwilioError {
    fn into_response(self) -> Response {
        let Self { status, code, message } = self;
        let more_info = format!("https://www.twilio.com/docs/errors/{code}");
        let body = json!({"code": code, "message": message, "more_info": more_info, "status": status.as_u16()});
        (status, Json(body)).into_response()
    }
}

/// Authenticates a request.
fn authenticate(twilio: &Twilio, account: &str, headers: &HeaderMap) -> Result<(), TwilioError> {
    let Twilio { account_sid, auth_token, .. } = twilio;
    if basic(headers).is_none_or(|(sid, token)| sid != *account_sid || token != *auth_token) {
        return Err(TwilioError { status: StatusCode::UNAUTHORIZED, code: 20003, message: "Authenticate".to_owned() });
    }
    if account != account_sid.as_str() {
        let message = format!("The requested resource /2010-04-01/Accounts/{account}/Messages.json was not found");
        return Err(TwilioError { status: StatusCode::NOT_FOUND, code: 20404, message });
    }
    Ok(())
}

async fn list(
    State(world): State<Arc<World>>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Result<Response, TwilioError> {
    authenticate(&world.twilio, &account, &headers)?;
    Ok(Json(json!({"messages": [], "page": 0, "page_size": 1})).into_response())
}

async fn fetch(
    State(world): State<Arc<World>>,
    Path((account, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, TwilioError> {
    authenticate(&world.twilio, &account, &headers)?;
    let sid = file.strip_suffix(".json").unwrap_or_default();
    let message = world.twilio.fetch(sid).ok_or_else(|| TwilioError {
        status: StatusCode::NOT_FOUND,
        code: 20404,
        message: format!("The requested resource /2010-04-01/Accounts/{account}/Messages/{file} was not found"),
    })?;
    Ok(Json(message).into_response())
}

async fn send(
    State(world): State<Arc<World>>,
    Path(account): Path<String>,
    headers: HeaderMap,
    extensions: Extensions,
    body: Bytes,
) -> Result<Response, TwilioError> {
    authenticate(&world.twilio, &account, &headers)?;
    let account_sid = &world.twilio.account_sid;
    let message = Message::read(&Fields::parse(&body))?;
    let text = message.text();
    let via = Via::Twilio { template: message.content_sid.is_some() };
    let given_up = extensions.get::<GivenUp>().cloned();
    if given_up.is_none() {
        world.chats.post(&message.to, Content::from_provider(text.clone(), via), now_ms());
    }

    let sid = format!("SM{}", random_text(32, b"0123456789abcdef"));
    let answer = json!({
        "sid": sid,
        "account_sid": account_sid,
        "api_version": "2010-04-01",
        "body": text,
        "date_created": null,
        "date_sent": null,
        "date_updated": null,
        "direction": "outbound-api",
        "error_code": null,
        "error_message": null,
        "from": message.from,
        "messaging_service_sid": message.messaging_service,
        "num_media": "0",
        "num_segments": "1",
        "price": null,
        "price_unit": null,
        "status": "queued",
        "subresource_uris": {"media": format!("/2010-04-01/Accounts/{account_sid}/Messages/{sid}/Media.json")},
        "to": message.to,
        "uri": format!("/2010-04-01/Accounts/{account_sid}/Messages/{sid}.json"),
    });
    let kept = Kept { to: message.to, answer: answer.clone(), given_up };
    lock(&world.twilio.messages).insert(sid, kept);
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// A message that may be sent.
struct Message {
    from: String,
    to: String,
    body: String,
    messaging_service: Option<String>,
    content_sid: Option<String>,
    variables: Map<String, Value>,
}

impl Message {
    fn read(form: &Fields) -> Result<Self, TwilioError> {
        let to = form.get("To").ok_or_else(|| TwilioError::bad(21604, "A 'To' phone number is required."))?;
        let from = form.get("From").ok_or_else(|| TwilioError::bad(21603, "A 'From' phone number is required."))?;
        if !is_whatsapp_address(to) {
            return Err(TwilioError::bad(21211, format!("Invalid 'To' Phone Number: {to}")));
        }
        if !is_whatsapp_address(from) {
            return Err(TwilioError::bad(63007, "Twilio could not find a Channel with the specified From address"));
        }
        let body = form.get("Body").unwrap_or_default();
        let content_sid = form.get("ContentSid").map(str::to_owned);
        if body.is_empty() && content_sid.is_none() {
            return Err(TwilioError::bad(21619, "A text message body or media urls must be specified."));
        }
        if body.chars().count() > LONGEST_BODY {
            return Err(TwilioError::bad(21617, "The concatenated message body exceeds the 1600 character limit"));
        }
        let variables = serde_json::from_str(form.get("ContentVariables").unwrap_or("{}"))
            .map_err(|_| TwilioError::bad(21656, "The Content Variables parameter is invalid."))?;
        let messaging_service = form.get("MessagingServiceSid").map(str::to_owned);
        let (from, to, body) = (from.to_owned(), to.to_owned(), body.to_owned());
        Ok(Self { from, to, body, messaging_service, content_sid, variables })
    }

    /// The text that the person reads. A template's text is not known here, so its variables stand for it.
    fn text(&self) -> String {
        if self.content_sid.is_none() {
            return self.body.clone();
        }
        self.variables.values().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// `whatsapp:+<8 to 15 digits>`, or `whatsapp:<country>.<id>`, a business-scoped user id.
fn is_whatsapp_address(address: &str) -> bool {
    let Some(rest) = address.strip_prefix("whatsapp:") else { return false };
    match (rest.strip_prefix('+'), rest.split_once('.')) {
        (Some(digits), _) => (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()),
        (None, Some((country, id))) => {
            country.len() == 2
                && country.bytes().all(|byte| byte.is_ascii_uppercase())
                && !id.is_empty()
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        }
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_business_scoped_ids_are_addresses() {
        for good in ["whatsapp:+15551234567", "whatsapp:US.ABC123XYZ"] {
            assert!(is_whatsapp_address(good), "{good}");
        }
        for bad in ["+15551234567", "whatsapp:15551234567", "whatsapp:+1555", "whatsapp: 15551234567", "whatsapp:US."] {
            assert!(!is_whatsapp_address(bad), "{bad}");
        }
    }
}
