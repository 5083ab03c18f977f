//! The bot: it receives events by webhook (`POST /bot/events`), requests links, and passes codes on.
//!
//! A webhook is verified by the `standardwebhooks` crate and must be a CloudEvents 1.0 event of a
//! known type. A repeated `webhook-id` is acknowledged, counted and otherwise ignored, as a good
//! receiver does. Events are shown beside the chat.
//!
//! Calls: given `POST /control/bot` with `{"links_url", "region", "access_key_id",
//! "secret_access_key", "session_token"?, "resolve"?: {"host": "ip:port"}, "wa_id"?}`, the bot calls
//! `POST /links`, and `POST /confirmations` and `POST /connections/disconnect` beside it, signed with AWS's Signature Version 4
//! for `execute-api`. `resolve` is for hosts that DNS does not know, such as those under `.localhost`; with `wa_id` it is the
//! API for that chat alone.
//!
//! What people write to it is in `conversation`.

mod api;
mod code;
pub(crate) mod conversation;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use standardwebhooks::{Webhook, WebhookError};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub(crate) use self::api::{AskError, LinksApi};
use self::{
    api::{Answer, Api, Call},
    conversation::Confirmation,
};
use crate::{
    World,
    ambient::now_ms,
    chat::Content,
    control::{Endpoint, gated, refuse},
    lock,
};

const EVENT_TYPES: [&str; 8] = [
    "connection.created",
    "connection.renewed",
    "connection.delayed",
    "connection.failed",
    "connection.unconfirmed",
    "connection.revoked",
    "connection.expired",
    TEST,
];
/// The event of an operator who tries the webhook: it is about no attempt.
const TEST: &str = "connection.test";

pub(crate) fn routes(world: &Arc<World>) -> Router<Arc<World>> {
    Router::new().route("/bot/events", gated(world, Endpoint::BotEvents, post(receive_event)))
}

/// The bot's state.
pub(crate) struct Bot {
    webhook: Webhook,
    seen_ids: Mutex<HashSet<String>>,
    /// By chat; `None` for those that have none of their own.
    apis: Mutex<HashMap<Option<String>, Arc<Api>>>,
    confirmations: Mutex<Vec<Confirmation>>,
}

impl Bot {
    pub(crate) fn new(webhook_secret: &str) -> Result<Self, WebhookError> {
        Ok(Self {
            webhook: Webhook::new(webhook_secret)?,
            seen_ids: Mutex::default(),
            apis: Mutex::default(),
            confirmations: Mutex::default(),
        })
    }

    pub(crate) fn set_links_api(&self, links_api: LinksApi) -> Result<(), AskError> {
        let chat = links_api.wa_id.clone();
        let api = Arc::new(Api::new(links_api)?);
        lock(&self.apis).insert(chat, api);
        Ok(())
    }

    /// Requests a link, with what the person calls themself where that is known; the response, whatever its status.
    pub(crate) async fn ask_link(
        &self,
        wa_id: &str,
        login_url: Option<&str>,
        profile_name: Option<&str>,
    ) -> Result<Answer, AskError> {
        let mut body = json!({"wa_id": wa_id});
        if let Some(login_url) = login_url {
            body["login_url"] = login_url.into();
        }
        if let Some(profile_name) = profile_name.filter(|name| !name.is_empty()) {
            body["display_name"] = profile_name.into();
        }
        self.call(wa_id, Call::Links, &body).await
    }

    /// What was answered to the messages that went to `POST /confirmations`, oldest first; those of one chat, or all.
    pub(crate) fn confirmations(&self, wa_id: Option<&str>) -> Vec<Confirmation> {
        let all = lock(&self.confirmations);
        all.iter().filter(|one| wa_id.is_none_or(|wa_id| one.wa_id == wa_id)).cloned().collect()
    }

    fn note(&self, confirmation: Confirmation) {
        lock(&self.confirmations).push(confirmation);
    }

    async fn call(&self, wa_id: &str, call: Call, body: &Value) -> Result<Answer, AskError> {
        let api = {
            let apis = lock(&self.apis);
            apis.get(&Some(wa_id.to_owned())).or_else(|| apis.get(&None)).cloned()
        };
        api.ok_or(AskError::NotConfigured)?.call(call, body).await
    }
}

async fn receive_event(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(error) = world.bot.webhook.verify(&body, &headers) {
        return refuse(StatusCode::UNAUTHORIZED, &error.to_string());
    }
    let webhook_id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Err(wrong) = check_event(&headers, &event, webhook_id) {
        return refuse(StatusCode::BAD_REQUEST, wrong);
    }
    let duplicate = !lock(&world.bot.seen_ids).insert(webhook_id.to_owned());
    if !duplicate {
        let wa_id = event["subject"].as_str().unwrap_or_default().to_owned();
        world.chats.post(&wa_id, Content::Heard { event }, now_ms());
    }
    Json(json!({"status": "heard", "duplicate": duplicate})).into_response()
}

/// Validates an event: CloudEvents 1.0 in structured JSON mode, and what bots rely on beyond it.
fn check_event(headers: &HeaderMap, event: &Value, webhook_id: &str) -> Result<(), &'static str> {
    let text = |name: &str| event[name].as_str().filter(|value| !value.is_empty());
    let content_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.starts_with("application/cloudevents+json") && !content_type.starts_with("application/json") {
        return Err("the content type is not application/cloudevents+json");
    }
    if text("specversion") != Some("1.0") {
        return Err("specversion is not 1.0");
    }
    if text("id") != Some(webhook_id) {
        return Err("id is not the webhook-id");
    }
    if text("source").is_none() {
        return Err("source is missing");
    }
    if !text("type").is_some_and(|kind| EVENT_TYPES.contains(&kind)) {
        return Err("type is unknown");
    }
    if text("time").is_some_and(|time| OffsetDateTime::parse(time, &Rfc3339).is_err()) {
        return Err("time is not RFC 3339");
    }
    if text("datacontenttype").is_some_and(|kind| kind != "application/json") {
        return Err("datacontenttype is not application/json");
    }
    if text("subject").is_none() || event["data"]["wa_id"] != event["subject"] {
        return Err("subject is not data.wa_id");
    }
    // A connection that ended may be one whose attempt is not known.
    let may_lack = text("type").is_some_and(|kind| [TEST, "connection.revoked", "connection.expired"].contains(&kind));
    let attempt_id = &event["data"]["attempt_id"];
    if !(may_lack && attempt_id.is_null()) && attempt_id.as_str().is_none_or(str::is_empty) {
        return Err("data.attempt_id is missing");
    }
    Ok(())
}
