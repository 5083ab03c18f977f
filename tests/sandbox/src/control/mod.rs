//! The test's controls, as JSON: faults, journal, clock, and logins without a browser. No outside party
//! has these, and nothing that is deployed may call them.
//!
//! | request | effect |
//! | --- | --- |
//! | `GET /control/health` | `{"status":"ok"}` |
//! | `POST /control/faults` | makes an endpoint fail, see [`faults`] |
//! | `DELETE /control/faults` | removes the faults that have not been used up; `?wa_id=` those of a chat |
//! | `POST /control/aws/faults`, `DELETE` | the same between the functions and AWS, see [`crate::aws`]; `?containing=` |
//! | `GET /control/aws/calls` | how often each operation of AWS was called, see [`crate::aws`] |
//! | `GET /control/journal` | requests and responses, see [`journal`]; filtered by `?wa_id=` and `?endpoint=` |
//! | `GET /control/grants` | what Salesforce granted: `[{"wa_id","username","code_sha256","refresh_token_sha256","alive"}]`, oldest first |
//! | `POST /control/clock` | `{"advance_ms"}`: advances Salesforce's clock; with `"wa_id"`, only that chat's codes age |
//! | `POST /control/salesforce` | any of `client_id`, `client_secret`, `redirect_uris`, `require_pkce`: changes the connected app |
//! | `POST /control/login` | `{"authorize_url","username"?,"allow"?}`: logs in and decides; returns `{"location"}`, the redirect; with `"error"` and `"error_description"?` Salesforce refuses with that |
//! | `POST /control/bot` | tells the bot where `POST /links` is, see [`crate::bot`] |
//! | `POST /control/bot/link` | `{"wa_id","login_url"?}`: the bot requests a link; returns the response as `{"status","body"}` |
//!
//! Logging in by hand instead: `POST /services/oauth2/authorize` with the query's parameters and
//! `username`, `password` (`sandbox`) as a form gives the consent page; the same with its hidden
//! `ticket` and `decision=allow` or `deny` redirects.

pub mod faults;
pub mod journal;

mod endpoint;
mod gate;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

pub(crate) use self::faults::{Action, Delay, Drop, GivenUp, InvalidAnswer, Kill, When};
pub(crate) use self::{endpoint::Endpoint, faults::Faults, gate::gated, journal::Journal};
use crate::{
    World,
    aws::AwsFault,
    bot::LinksApi,
    salesforce::{AppChange, Decision, Granted},
};

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/control/health", get(async || Json(json!({"status": "ok"}))))
        .route("/control/faults", post(add_fault).delete(clear_faults))
        .route("/control/aws/faults", post(add_aws_fault).delete(clear_aws_faults))
        .route("/control/aws/calls", get(count_aws_calls))
        .route("/control/journal", get(read_journal))
        .route("/control/grants", get(read_grants))
        .route("/control/clock", post(advance_clock))
        .route("/control/salesforce", post(change_app))
        .route("/control/login", post(log_in))
        .route("/control/bot", post(set_links_api))
        .route("/control/bot/link", post(ask_link))
}

/// Why a request to the control interface is invalid.
pub(crate) fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({"error": why}))).into_response()
}

async fn add_fault(State(world): State<Arc<World>>, Json(fault): Json<faults::Fault>) -> Response {
    if let Err(invalid) = fault.check() {
        return refuse(StatusCode::BAD_REQUEST, &invalid.to_string());
    }
    world.faults.add(fault);
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    wa_id: Option<String>,
    containing: Option<String>,
}

async fn clear_faults(State(world): State<Arc<World>>, Query(which): Query<Which>) -> StatusCode {
    world.faults.clear(which.wa_id.as_deref());
    StatusCode::NO_CONTENT
}

async fn add_aws_fault(State(world): State<Arc<World>>, Json(fault): Json<AwsFault>) -> Response {
    match world.aws_faults.add(fault) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(invalid) => refuse(StatusCode::BAD_REQUEST, &invalid.to_string()),
    }
}

async fn clear_aws_faults(State(world): State<Arc<World>>, Query(which): Query<Which>) -> StatusCode {
    world.aws_faults.clear(which.containing.as_deref());
    StatusCode::NO_CONTENT
}

async fn count_aws_calls(State(world): State<Arc<World>>) -> Response {
    Json(world.aws_calls.counts()).into_response()
}

async fn read_journal(State(world): State<Arc<World>>, Query(filter): Query<journal::Filter>) -> Json<Value> {
    Json(world.journal.read(&filter))
}

async fn read_grants(State(world): State<Arc<World>>) -> Json<Vec<Granted>> {
    Json(world.salesforce.granted())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_ms: u64,
    wa_id: Option<String>,
}

async fn advance_clock(State(world): State<Arc<World>>, Json(advance): Json<Advance>) -> Json<Value> {
    if let Some(wa_id) = advance.wa_id {
        let codes = world.salesforce.age_codes(&wa_id, advance.advance_ms);
        return Json(json!({"codes_aged": codes}));
    }
    Json(json!({"ahead_ms": world.clock.advance(advance.advance_ms)}))
}

async fn change_app(State(world): State<Arc<World>>, Json(change): Json<AppChange>) -> StatusCode {
    world.salesforce.change_app(change);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    authorize_url: Url,
    #[serde(default = "first_user")]
    username: String,
    #[serde(default = "yes")]
    allow: bool,
    error: Option<String>,
    error_description: Option<String>,
}

fn first_user() -> String {
    crate::salesforce::USERS[0].username.to_owned()
}

fn yes() -> bool {
    true
}

async fn log_in(State(world): State<Arc<World>>, Json(login): Json<Login>) -> Response {
    let Login { authorize_url, username, allow, error, error_description } = login;
    let decision = match error {
        Some(error) => Decision::Refused { error, description: error_description },
        None if allow => Decision::Allowed,
        None => Decision::Denied,
    };
    match world.salesforce.log_in_and_decide(&authorize_url, &username, &decision) {
        Ok(location) => Json(json!({"location": location})).into_response(),
        Err(refusal) => refuse(StatusCode::BAD_REQUEST, &refusal.to_string()),
    }
}

async fn set_links_api(State(world): State<Arc<World>>, Json(links_api): Json<LinksApi>) -> Response {
    match world.bot.set_links_api(links_api) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskLink {
    wa_id: String,
    login_url: Option<String>,
}

async fn ask_link(State(world): State<Arc<World>>, Json(ask): Json<AskLink>) -> Response {
    match world.bot.ask_link(&ask.wa_id, ask.login_url.as_deref()).await {
        Ok(answer) => Json(json!({"status": answer.status, "body": answer.body})).into_response(),
        Err(error) => refuse(StatusCode::CONFLICT, &error.to_string()),
    }
}
