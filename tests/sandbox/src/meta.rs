//! Meta's Cloud API: `POST /v{N}.0/{phone-number-id}/messages`.
//!
//! `GET` on the number describes it; a caller can check its token with it.
//!
//! It accepts `text` and `template` messages, which appear in the chat of `to` (digits) or `recipient`
//! (a business-scoped user id). It does not enforce the 24-hour window: 131047 and the like are
//! injected as faults.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use crate::{
    World,
    ambient::{ALPHANUMERIC, now_ms, random_text},
    chat::{Content, Via},
    control::{Endpoint, gated},
    fields::bearer,
};

const LONGEST_TEXT: usize = 4096;

pub(crate) fn routes(world: &Arc<World>) -> Router<Arc<World>> {
    Router::new()
        .route("/{version}/{phone_number_id}", get(name))
        .route("/{version}/{phone_number_id}/messages", gated(world, Endpoint::MetaMessages, post(send)))
}

/// The business's number and its token.
pub(crate) struct Meta {
    token: String,
    phone_number_id: String,
}

impl Meta {
    pub(crate) fn new(token: String, phone_number_id: String) -> Self {
        Self { token, phone_number_id }
    }
}

/// An error as the Graph API writes it.
struct GraphError {
    status: StatusCode,
    code: u32,
    /// 33: an object that does not exist.
    subcode: Option<u32>,
    kind: &'static str,
    message: String,
}

impl GraphError {
    fn parameter(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: 100,
            subcode: None,
            kind: "OAuthException",
            message: message.into(),
        }
    }
}

impl IntoResponse for GraphError {
    fn into_response(self) -> Response {
        let Self { status, code, subcode, kind, message } = self;
        let mut error = json!({
            "message": format!("(#{code}) {message}"),
            "type": kind,
            "code": code,
            "error_data": {"messaging_product": "whatsapp", "details": message},
            "fbtrace_id": random_text(22, ALPHANUMERIC),
        });
        if let Some(subcode) = subcode {
            error["error_subcode"] = subcode.into();
        }
        (status, Json(json!({"error": error}))).into_response()
    }
}

/// Authenticates a request and checks its phone number.
fn authenticate(meta: &Meta, version: &str, phone_number_id: &str, headers: &HeaderMap) -> Result<(), GraphError> {
    if bearer(headers) != Some(meta.token.as_str()) {
        let message = "Invalid OAuth access token - Cannot parse access token".to_owned();
        return Err(GraphError {
            status: StatusCode::UNAUTHORIZED,
            code: 190,
            subcode: None,
            kind: "OAuthException",
            message,
        });
    }
    if !is_version(version) || phone_number_id != meta.phone_number_id {
        return Err(GraphError {
            status: StatusCode::BAD_REQUEST,
            code: 100,
            subcode: Some(33),
            kind: "GraphMethodException",
            message: format!("Unsupported post request. Object with ID '{phone_number_id}' does not exist"),
        });
    }
    Ok(())
}

async fn name(
    State(world): State<Arc<World>>,
    Path((version, phone_number_id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, GraphError> {
    authenticate(&world.meta, &version, &phone_number_id, &headers)?;
    Ok(Json(json!({"id": phone_number_id})).into_response())
}

async fn send(
    State(world): State<Arc<World>>,
    Path((version, phone_number_id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, GraphError> {
    authenticate(&world.meta, &version, &phone_number_id, &headers)?;
    let message: Value =
        serde_json::from_slice(&body).map_err(|_| GraphError::parameter("The request body is not valid JSON"))?;
    if message["messaging_product"] != "whatsapp" {
        return Err(GraphError::parameter("The parameter messaging_product is required."));
    }
    let to = addressee(&message).ok_or_else(|| GraphError::parameter("The parameter to is required."))?;
    let (text, template) = match message["type"].as_str().unwrap_or("text") {
        "text" => (free_text(&message)?, false),
        "template" => (template_text(&message["template"])?, true),
        _ => return Err(GraphError::parameter("Param type must be one of {TEXT, TEMPLATE}")),
    };
    world.chats.post(&to, Content::from_provider(text, Via::Meta { template }), now_ms());

    let input = message["to"].as_str().or(message["recipient"].as_str());
    let id = format!("wamid.HBg{}==", random_text(53, ALPHANUMERIC));
    Ok(Json(json!({
        "messaging_product": "whatsapp",
        "contacts": [{"input": input, "wa_id": to.trim_start_matches("whatsapp:").trim_start_matches('+')}],
        "messages": [{"id": id}],
    }))
    .into_response())
}

/// The chat that a message is for: digits name `whatsapp:+<digits>`.
pub(crate) fn addressee(message: &Value) -> Option<String> {
    let phone = message["to"].as_str().map(|to| to.trim_start_matches('+')).filter(|to| !to.is_empty());
    match phone {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(format!("whatsapp:+{digits}")),
        Some(_) => None,
        None => message["recipient"].as_str().filter(|id| id.contains('.')).map(|id| format!("whatsapp:{id}")),
    }
}

fn free_text(message: &Value) -> Result<String, GraphError> {
    match message["text"]["body"].as_str() {
        None | Some("") => Err(GraphError::parameter("The parameter text['body'] is required.")),
        Some(text) if text.chars().count() > LONGEST_TEXT => {
            Err(GraphError::parameter("Param text['body'] must be at most 4096 characters long."))
        }
        Some(text) => Ok(text.to_owned()),
    }
}

/// The text that the person reads. A template's text is not known here, so its parameters stand for it.
fn template_text(template: &Value) -> Result<String, GraphError> {
    if template["name"].as_str().is_none_or(str::is_empty) {
        return Err(GraphError::parameter("The parameter template['name'] is required."));
    }
    if template["language"]["code"].as_str().is_none_or(str::is_empty) {
        return Err(GraphError::parameter("The parameter template['language']['code'] is required."));
    }
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let parameters = list(&template["components"]).into_iter().flat_map(|component| list(&component["parameters"]));
    let texts: Vec<String> = parameters.filter_map(|one| one["text"].as_str().map(str::to_owned)).collect();
    Ok(texts.join("\n"))
}

fn is_version(version: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    version
        .strip_prefix('v')
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(major, minor)| number(major) && number(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_business_scoped_ids_name_a_chat() {
        let chat = |message: Value| addressee(&message);
        assert_eq!(chat(json!({"to": "15551234567"})).as_deref(), Some("whatsapp:+15551234567"));
        assert_eq!(chat(json!({"recipient": "US.ABC123XYZ"})).as_deref(), Some("whatsapp:US.ABC123XYZ"));
        assert_eq!(chat(json!({"to": "whatsapp:+15551234567"})), None);
        assert_eq!(chat(json!({})), None);
    }
}
