//! `userinfo`, `revoke` and `introspect`: what is asked of tokens.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use form_urlencoded::Serializer;
use serde_json::json;

use super::{
    ledger::Revocation,
    token::{authenticate, judged, refused},
};
use crate::{
    World,
    ambient::now_ms,
    control::Verdict,
    fields::{Fields, bearer, called_base_url},
    lock,
};

/// `GET /services/oauth2/userinfo`. An invalid token is a 403 in plain text, as at Salesforce.
pub(super) async fn userinfo(State(world): State<Arc<World>>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(token) = bearer(&headers) else { return (StatusCode::FORBIDDEN, "Missing_OAuth_Token").into_response() };
    let user = lock(&world.salesforce.ledger).approval_of(token, now_ms()).map(|approval| approval.user);
    let Some(user) = user else { return (StatusCode::FORBIDDEN, "Bad_OAuth_Token").into_response() };
    let base_url = called_base_url(&headers, &uri);
    let (given_name, family_name) = user.name.split_once(' ').unwrap_or((user.name, ""));
    Json(json!({
        "sub": format!("{base_url}/id/{}/{}", user.org_id, user.id),
        "user_id": user.id,
        "organization_id": user.org_id,
        "preferred_username": user.username,
        "nickname": given_name.to_lowercase(),
        "name": user.name,
        "given_name": given_name,
        "family_name": family_name,
        "email": user.username,
        "email_verified": true,
        "active": true,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "zoneinfo": "Europe/London",
        "urls": {"rest": format!("{base_url}/services/data/v{{version}}/")},
    }))
    .into_response()
}

/// `POST /services/oauth2/revoke`, or `GET` with the token in the query. A token that is dead or unknown is a 400 whose
/// body is form-encoded, as at Salesforce.
pub(super) async fn revoke(State(world): State<Arc<World>>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let fields = Fields::parse(&body).and(Fields::parse(query.unwrap_or_default().as_bytes()));
    let revoked = fields.get("token").map(|token| lock(&world.salesforce.ledger).revoke(token, now_ms()));
    let (error, description) = match revoked {
        Some(Revocation::Done) => return StatusCode::OK.into_response(),
        Some(Revocation::Invalid) => ("invalid_token", "invalid token"),
        Some(Revocation::Unsupported) | None => ("unsupported_token_type", "this token type is not supported"),
    };
    let body = Serializer::new(String::new())
        .append_pair("error", error)
        .append_pair("error_description", description)
        .finish();
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/x-www-form-urlencoded")], body).into_response()
}

/// `POST /services/oauth2/introspect` (RFC 7662), for clients: whether a token is valid, and until when. It is no use of a
/// refresh token, and never reuse. Which kind is asked for (`token_type_hint`) makes no difference.
pub(super) async fn introspect(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Fields::parse(&body);
    let client = match authenticate(&world, &headers, &form) {
        Ok(client) => client,
        Err(error) => {
            return (StatusCode::UNAUTHORIZED, refused("invalid_client", error.description).body()).into_response();
        }
    };
    let Some(token) = form.get("token") else {
        return refused("invalid_request", "missing required parameter: token").into_response();
    };
    let ledger = lock(&world.salesforce.ledger);
    let Some(found) = ledger.introspect(token, &client.id, now_ms()) else {
        return judged(Verdict::Inactive, Json(json!({"active": false})));
    };
    let answer = json!({
        "active": true,
        "scope": found.approval.scope,
        "client_id": found.approval.client_id,
        "username": found.approval.user.username,
        "sub": found.approval.identity(),
        "token_type": found.kind,
        "iat": found.issued_at_ms / 1000,
        "nbf": found.issued_at_ms / 1000,
        "exp": found.expires_at_ms / 1000,
    });
    judged(Verdict::Active, Json(answer))
}
