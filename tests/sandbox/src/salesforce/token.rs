//! `token`, `userinfo` and `revoke`.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use form_urlencoded::Serializer;
use ring::hmac;
use serde_json::json;

use super::{
    authorize::OAuthError,
    ledger::{Redemption, Revocation, Tokens},
};
use crate::{
    World,
    fields::{Fields, basic, bearer, called_base_url},
    lock,
};

/// Every token error is a 400 with JSON.
impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = json!({"error": self.error, "error_description": self.description});
        (StatusCode::BAD_REQUEST, [(header::CACHE_CONTROL, "no-cache, no-store")], Json(body)).into_response()
    }
}

fn refused(error: &'static str, description: &'static str) -> OAuthError {
    OAuthError { error, description }
}

/// `POST /services/oauth2/token`.
pub(super) async fn exchange(
    State(world): State<Arc<World>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let salesforce = &world.salesforce;
    let form = Fields::parse(&body);
    if method != Method::POST {
        return Err(refused("invalid_request", "must use HTTP POST"));
    }
    if form.has_duplicates() {
        return Err(refused("invalid_request", "a parameter is repeated"));
    }
    let grant_type = form.get("grant_type");
    if !matches!(grant_type, Some("authorization_code" | "refresh_token")) {
        return Err(refused("unsupported_grant_type", "grant type not supported"));
    }
    let (client_id, client_secret) = authenticate(&world, &headers, &form)?;
    let base_url = called_base_url(&headers, &uri);
    let now_ms = world.clock.now_ms();

    let tokens = if grant_type == Some("refresh_token") {
        let token =
            form.get("refresh_token").ok_or(refused("invalid_request", "missing required parameter: refresh_token"))?;
        lock(&salesforce.ledger).refresh(token, &client_id)?
    } else {
        let code = form.get("code").ok_or(refused("invalid_request", "missing required parameter: code"))?;
        let redirect_uri =
            form.get("redirect_uri").ok_or(refused("redirect_uri_missing", "redirect_uri is missing"))?;
        let shown = Redemption {
            code,
            base_url: &base_url,
            client_id: &client_id,
            redirect_uri,
            verifier: form.get("code_verifier"),
        };
        lock(&salesforce.ledger).redeem(&shown, now_ms)?
    };
    Ok(success(&tokens, &base_url, &client_secret, now_ms))
}

/// The client's id and secret, verified.
fn authenticate(world: &World, headers: &HeaderMap, form: &Fields) -> Result<(String, String), OAuthError> {
    let in_form =
        || Some((form.get("client_id")?.to_owned(), form.get("client_secret").unwrap_or_default().to_owned()));
    let (client_id, client_secret) =
        basic(headers).or_else(in_form).ok_or(refused("invalid_client_id", "client identifier invalid"))?;
    let app = lock(&world.salesforce.app);
    if client_id != app.client_id {
        return Err(refused("invalid_client_id", "client identifier invalid"));
    }
    if client_secret != app.client_secret {
        return Err(refused("invalid_client", "invalid client credentials"));
    }
    Ok((client_id, client_secret))
}

fn success(tokens: &Tokens, base_url: &str, client_secret: &str, now_ms: u64) -> Response {
    let user = tokens.grant.user;
    let id = format!("{base_url}/id/{}/{}", user.org_id, user.id);
    let issued_at = now_ms.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, client_secret.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, format!("{id}{issued_at}").as_bytes()));
    let mut body = json!({
        "access_token": tokens.access,
        "signature": signature,
        "scope": tokens.grant.scope,
        "instance_url": base_url,
        "id": id,
        "token_type": "Bearer",
        "issued_at": issued_at,
    });
    if let Some(refresh) = &tokens.refresh {
        body["refresh_token"] = refresh.as_str().into();
    }
    ([(header::CACHE_CONTROL, "no-cache, no-store")], Json(body)).into_response()
}

/// `GET /services/oauth2/userinfo`. An invalid token is a 403 in plain text, as at Salesforce.
pub(super) async fn userinfo(State(world): State<Arc<World>>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(token) = bearer(&headers) else { return (StatusCode::FORBIDDEN, "Missing_OAuth_Token").into_response() };
    let Some(user) = lock(&world.salesforce.ledger).user_of(token) else {
        return (StatusCode::FORBIDDEN, "Bad_OAuth_Token").into_response();
    };
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
    let revoked = fields.get("token").map(|token| lock(&world.salesforce.ledger).revoke(token));
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
