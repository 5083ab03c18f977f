//! The test's controls, as JSON: faults, journal, clock, and logins without a browser. No outside party
//! has these, and nothing that is deployed may call them.
//!
//! | request | effect |
//! | --- | --- |
//! | `GET /control/health` | `{"status":"ok"}` |
//! | `POST /control/faults` | makes an endpoint fail, see [`faults`] |
//! | `DELETE /control/faults` | removes the faults that have not been used up; `?wa_id=` those of a chat |
//! | `POST /control/aws/faults`, `DELETE` | the same between the functions and AWS, see [`crate::aws`]; `?containing=` |
//! | `GET /control/aws/faults` | the operations of those that are not used up; `?containing=` with exactly this text, else without one |
//! | `GET /control/aws/tokens` | the operations of AWS whose requests had tokens of the chat `?wa_id=` in clear: `[{"operation","kind"}]`, `kind` being `access` (opaque ones) or `refresh` |
//! | `GET /control/aws/calls` | how often each operation of AWS was called, see [`crate::aws`] |
//! | `GET /control/journal` | requests and responses, see [`journal`]; filtered by `?wa_id=` and `?endpoint=` |
//! | `GET /control/held`, `POST /control/release` | requests that a fault holds, see [`holds`] |
//! | `GET /control/grants` | what Salesforce granted, `?wa_id=` to one chat: `[{"wa_id","username","code_sha256","refresh_token_sha256","alive","rotations","ended"}]`, oldest first; the hash is that of the newest refresh token, and `ended` null, `revoked`, `reuse`, `administrator` or `sixth_approval` |
//! | `POST /control/grants` | `{"wa_id","username","scope"?,"login_url"?}`: grants without a login; returns what the token endpoint would |
//! | `POST /control/clock` | `{"advance_ms"}`: turns Salesforce's clock forward, so that codes and tokens are so much older; with `"wa_id"`, those of that chat; returns `{"codes_aged","grants_aged"}` |
//! | `POST /control/salesforce` | any of `client_id`, `client_secret`, `redirect_uris`, `require_pkce`: changes the connected app |
//! | `POST /control/salesforce/policy` | any of `rotation` (false at first), `token_format` (`opaque` or `jwt`), `session_timeout_s` (2 h; of new access tokens), `idle_limit_s` (30 days): how tokens live; with `"wa_id"`, those of that chat |
//! | `POST /control/salesforce/restrictions` | `{"restriction"}`: `inactive_user`, `inactive_org`, `app_blocked` or `ip_restricted`, with any of `wa_id`, `username` and `org_id`: what an administrator forbids |
//! | `DELETE /control/salesforce/restrictions` | lifts those that were made for exactly the same `?wa_id=`, `username` and `org_id`, or all |
//! | `POST /control/salesforce/revocations` | any of `wa_id`, `username` and `org_id`: an administrator revokes these grants; returns `{"revoked"}` |
//! | `GET /control/salesforce/counters` | how often, `?wa_id=` for one chat: `{"refreshes","rotations","reuses","families_revoked","dead","unknown","restricted","busy","introspections"}`, from the journal's verdicts, see `Verdict` |
//! | `POST /control/login` | `{"authorize_url","username"?,"allow"?}`: logs in and decides; returns `{"location"}`, the redirect; with `"error"` and `"error_description"?` Salesforce refuses with that |
//! | `POST /control/bot` | tells the bot where `POST /links` is, for all chats or for one, see [`crate::bot`] |
//! | `POST /control/bot/link` | `{"wa_id","login_url"?,"profile_name"?}`: the bot requests a link; returns the response as `{"status","body"}` |
//! | `POST /control/bot/message` | `{"wa_id","text","profile_name"?}`: the person writes this to the bot; returns what `POST /confirmations` answered, `{"wa_id","status","body"}`, or null where the bot did not ask it |
//! | `GET /control/bot/confirmations` | all answers of that kind, `?wa_id=` to one chat, oldest first |
//!
//! Logging in by hand instead: `POST /services/oauth2/authorize` with the query's parameters and
//! `username`, `password` (`sandbox`) as a form gives the consent page; the same with its hidden
//! `ticket` and `decision=allow` or `deny` redirects.

pub mod faults;
pub mod holds;
pub mod journal;

mod endpoint;
mod gate;
mod salesforce;
mod verdict;

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

pub(crate) use self::faults::{Action, Delay, Drop, GivenUp, Hold, InvalidAnswer, Kill, When};
pub(crate) use self::{
    endpoint::Endpoint, faults::Faults, gate::gated, holds::Holds, journal::Journal, verdict::Verdict,
};
use crate::{
    World,
    aws::AwsFault,
    bot::{LinksApi, conversation},
};

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/control/health", get(async || Json(json!({"status": "ok"}))))
        .route("/control/faults", post(add_fault).delete(clear_faults))
        .route("/control/aws/faults", get(read_aws_faults).post(add_aws_fault).delete(clear_aws_faults))
        .route("/control/aws/tokens", get(read_aws_tokens))
        .route("/control/aws/calls", get(count_aws_calls))
        .route("/control/journal", get(read_journal))
        .route("/control/held", get(read_held))
        .route("/control/release", post(release))
        .route("/control/bot", post(set_links_api))
        .route("/control/bot/link", post(ask_link))
        .route("/control/bot/message", post(hear_message))
        .route("/control/bot/confirmations", get(read_confirmations))
        .merge(salesforce::routes())
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
    world.holds.release(&holds::Which { at: None, wa_id: which.wa_id });
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
    world.holds.release(&holds::Which { at: None, wa_id: which.containing });
    StatusCode::NO_CONTENT
}

async fn read_aws_faults(State(world): State<Arc<World>>, Query(which): Query<Which>) -> Json<Vec<String>> {
    Json(world.aws_faults.left(which.containing.as_deref()))
}

async fn read_aws_tokens(State(world): State<Arc<World>>, Query(which): Query<Which>) -> Response {
    Json(world.aws_calls.tokens_of(which.wa_id.as_deref().unwrap_or_default())).into_response()
}

async fn count_aws_calls(State(world): State<Arc<World>>) -> Response {
    Json(world.aws_calls.counts()).into_response()
}

async fn read_journal(State(world): State<Arc<World>>, Query(filter): Query<journal::Filter>) -> Json<Value> {
    Json(world.journal.read(&filter))
}

async fn read_held(State(world): State<Arc<World>>, Query(which): Query<holds::Which>) -> Response {
    world.holds.read(&which, |held| Json(held).into_response())
}

async fn release(State(world): State<Arc<World>>, Json(which): Json<holds::Which>) -> Json<Value> {
    Json(json!({"released": world.holds.release(&which)}))
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
    profile_name: Option<String>,
}

async fn ask_link(State(world): State<Arc<World>>, Json(ask): Json<AskLink>) -> Response {
    match world.bot.ask_link(&ask.wa_id, ask.login_url.as_deref(), ask.profile_name.as_deref()).await {
        Ok(answer) => Json(json!({"status": answer.status, "body": answer.body})).into_response(),
        Err(error) => refuse(StatusCode::CONFLICT, &error.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    wa_id: String,
    text: String,
    profile_name: Option<String>,
}

async fn hear_message(State(world): State<Arc<World>>, Json(written): Json<Written>) -> Response {
    let Written { wa_id, text, profile_name } = &written;
    let message = conversation::Message { wa_id, text, profile_name: profile_name.as_deref() };
    match conversation::hear(&world, &message).await {
        Ok(confirmation) => Json(confirmation).into_response(),
        Err(error) => refuse(StatusCode::CONFLICT, &error.to_string()),
    }
}

async fn read_confirmations(State(world): State<Arc<World>>, Query(of): Query<OfChat>) -> Response {
    Json(world.bot.confirmations(of.wa_id.as_deref())).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfChat {
    wa_id: Option<String>,
}
