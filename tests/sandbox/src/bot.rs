//! The bot: it receives events by webhook (`POST /bot/events`) and requests links.
//!
//! A webhook is verified by the `standardwebhooks` crate and must be a CloudEvents 1.0 event of a
//! known type. A repeated `webhook-id` is acknowledged, counted and otherwise ignored, as a good
//! receiver does. Events are shown beside the chat.
//!
//! Links: given `POST /control/bot` with `{"links_url", "region", "access_key_id",
//! "secret_access_key", "session_token"?, "resolve"?: {"host": "ip:port"}}`, the bot calls
//! `POST /links` signed with AWS's Signature Version 4 for `execute-api`. `resolve` is for hosts that
//! DNS does not know, such as those under `.localhost`.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::{Value, json};
use standardwebhooks::{Webhook, WebhookError};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

use crate::{
    World,
    ambient::{now_ms, signing_time},
    chat::Content,
    control::{Endpoint, gated, refuse},
    lock,
};

const EVENT_TYPES: [&str; 7] = [
    "connection.created",
    "connection.renewed",
    "connection.delayed",
    "connection.failed",
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
    links_api: Mutex<Option<Arc<LinksClient>>>,
}

/// Where `POST /links` is and how to call it, as the control interface gives it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinksApi {
    links_url: Url,
    region: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    #[serde(default)]
    resolve: HashMap<String, SocketAddr>,
}

/// The API, and everything that a call of it needs.
struct LinksClient {
    links_url: Url,
    region: String,
    credentials: Credentials,
    client: reqwest::Client,
}

/// What `POST /links` answered.
pub(crate) struct LinkAnswer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// Why the bot has no answer from `POST /links`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("the bot does not know where POST /links is: configure it by POST /control/bot")]
    NotConfigured,
    #[error("cannot build the HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("cannot sign the request")]
    Sign,
    #[error("cannot reach POST /links")]
    Send(#[source] reqwest::Error),
}

impl Bot {
    pub(crate) fn new(webhook_secret: &str) -> Result<Self, WebhookError> {
        Ok(Self { webhook: Webhook::new(webhook_secret)?, seen_ids: Mutex::default(), links_api: Mutex::default() })
    }

    pub(crate) fn set_links_api(&self, links_api: LinksApi) -> Result<(), AskError> {
        let LinksApi { links_url, region, access_key_id, secret_access_key, session_token, resolve } = links_api;
        // It fails only if a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = resolve
            .iter()
            .fold(reqwest::Client::builder(), |client, (host, address)| client.resolve(host, *address))
            .timeout(Duration::from_secs(30))
            .build()
            .map_err(AskError::Client)?;
        let credentials = Credentials::new(access_key_id, secret_access_key, session_token, None, "sandbox bot");
        *lock(&self.links_api) = Some(Arc::new(LinksClient { links_url, region, credentials, client }));
        Ok(())
    }

    /// Requests a link; the response, whatever its status.
    pub(crate) async fn ask_link(&self, wa_id: &str, login_url: Option<&str>) -> Result<LinkAnswer, AskError> {
        let links = lock(&self.links_api).clone().ok_or(AskError::NotConfigured)?;
        let mut body = json!({"wa_id": wa_id});
        if let Some(login_url) = login_url {
            body["login_url"] = login_url.into();
        }
        let request = links.signed(body.to_string()).ok_or(AskError::Sign)?;
        let response = links.client.execute(request).await.map_err(AskError::Send)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(AskError::Send)?;
        Ok(LinkAnswer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }
}

impl LinksClient {
    fn signed(&self, body: String) -> Option<reqwest::Request> {
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("execute-api")
            .time(signing_time())
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let signable = SignableRequest::new(
            "POST",
            self.links_url.as_str(),
            headers.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        )
        .ok()?;
        let (instructions, _) = sign(signable, &params).ok()?.into_parts();
        let mut request = headers
            .into_iter()
            .fold(http::Request::post(self.links_url.as_str()), |request, (name, value)| request.header(name, value))
            .body(body)
            .ok()?;
        instructions.apply_to_request_http1x(&mut request);
        reqwest::Request::try_from(request).ok()
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
