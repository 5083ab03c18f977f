//! Salesforce's controls: its clock, the app, the policies of tokens, and what an administrator does.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::refuse;
use crate::{
    World,
    fields::called_base_url,
    salesforce::{AppChange, Decision, Granted, PolicyChange, Restricted, USERS, Whose},
};

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/control/grants", get(read_grants).post(grant))
        .route("/control/clock", post(advance_clock))
        .route("/control/login", post(log_in))
        .route("/control/salesforce", post(change_app))
        .route("/control/salesforce/policy", post(change_policy))
        .route("/control/salesforce/restrictions", post(restrict).delete(lift_restrictions))
        .route("/control/salesforce/revocations", post(revoke_all))
        .route("/control/salesforce/counters", get(count))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfChat {
    wa_id: Option<String>,
}

async fn read_grants(State(world): State<Arc<World>>, Query(of): Query<OfChat>) -> Json<Vec<Granted>> {
    Json(world.salesforce.granted(of.wa_id.as_deref()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewGrant {
    wa_id: String,
    username: String,
    #[serde(default = "usual_scope")]
    scope: String,
    login_url: Option<Url>,
}

fn usual_scope() -> String {
    "api refresh_token".to_owned()
}

async fn grant(State(world): State<Arc<World>>, headers: HeaderMap, Json(new): Json<NewGrant>) -> Response {
    let NewGrant { wa_id, username, scope, login_url } = new;
    let host = login_url.map(|url| url.as_str().trim_end_matches('/').to_owned());
    let host = host.unwrap_or_else(|| called_base_url(&headers, &Uri::from_static("/services/")));
    match world.salesforce.grant(wa_id, &username, scope, host) {
        Some(tokens) => Json(tokens).into_response(),
        None => refuse(StatusCode::BAD_REQUEST, "no such user"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_ms: u64,
    wa_id: Option<String>,
}

async fn advance_clock(State(world): State<Arc<World>>, Json(advance): Json<Advance>) -> Json<Value> {
    let (codes, grants) = world.salesforce.age(advance.wa_id.as_deref(), advance.advance_ms);
    Json(json!({"codes_aged": codes, "grants_aged": grants}))
}

async fn change_app(State(world): State<Arc<World>>, Json(change): Json<AppChange>) -> StatusCode {
    world.salesforce.change_app(change);
    StatusCode::NO_CONTENT
}

async fn change_policy(State(world): State<Arc<World>>, Json(change): Json<PolicyChange>) -> StatusCode {
    world.salesforce.change_policy(&change);
    StatusCode::NO_CONTENT
}

async fn restrict(State(world): State<Arc<World>>, Json(restricted): Json<Restricted>) -> StatusCode {
    world.salesforce.restrict(restricted);
    StatusCode::NO_CONTENT
}

async fn lift_restrictions(State(world): State<Arc<World>>, Query(whose): Query<Whose>) -> StatusCode {
    world.salesforce.lift_restrictions(&whose);
    StatusCode::NO_CONTENT
}

async fn revoke_all(State(world): State<Arc<World>>, Json(whose): Json<Whose>) -> Json<Value> {
    Json(json!({"revoked": world.salesforce.revoke_all(&whose)}))
}

async fn count(State(world): State<Arc<World>>, Query(of): Query<OfChat>) -> Json<Value> {
    Json(world.journal.count(of.wa_id.as_deref()))
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
    USERS[0].username.to_owned()
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
