//! `token`: tokens for a code, and for a refresh token.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde_json::{Value, json};

use super::{
    authorize::OAuthError,
    codes::Redemption,
    ledger::{Renewal, Tokens},
};
use crate::{
    World,
    ambient::now_ms,
    control::Verdict,
    fields::{Fields, basic, called_base_url},
    lock,
};

const PROCESSING: OAuthError = refused("invalid_grant", "token request is already being processed");

/// Every token error is a 400 with JSON.
impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, [(header::CACHE_CONTROL, "no-cache, no-store")], self.body()).into_response()
    }
}

impl OAuthError {
    pub(super) fn body(self) -> Json<Value> {
        Json(json!({"error": self.error, "error_description": self.description}))
    }
}

pub(super) const fn refused(error: &'static str, description: &'static str) -> OAuthError {
    OAuthError { error, description }
}

/// The answer while another request with the same refresh token is not answered yet.
pub(crate) fn already_processing() -> Response {
    judged(Verdict::Busy, PROCESSING)
}

/// A response with what the journal is to say of it.
pub(super) fn judged(verdict: Verdict, response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    response.extensions_mut().insert(verdict);
    response
}

/// `POST /services/oauth2/token`.
pub(super) async fn grant(
    State(world): State<Arc<World>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let form = Fields::parse(&body);
    if method != Method::POST {
        return Err(refused("invalid_request", "must use HTTP POST"));
    }
    if form.has_duplicates() {
        return Err(refused("invalid_request", "a parameter is repeated"));
    }
    let grant = match form.get("grant_type") {
        Some("authorization_code") => exchange,
        Some("refresh_token") => refresh,
        _ => return Err(refused("unsupported_grant_type", "grant type not supported")),
    };
    let client = authenticate(&world, &headers, &form)?;
    grant(&world, &form, &client, &called_base_url(&headers, &uri))
}

fn exchange(world: &World, form: &Fields, client: &Client, base_url: &str) -> Result<Response, OAuthError> {
    let code = form.get("code").ok_or(refused("invalid_request", "missing required parameter: code"))?;
    let redirect_uri = form.get("redirect_uri").ok_or(refused("redirect_uri_missing", "redirect_uri is missing"))?;
    let verifier = form.get("code_verifier");
    let shown = Redemption { code, base_url, client_id: &client.id, redirect_uri, verifier };
    let now_ms = now_ms();
    let tokens = lock(&world.salesforce.ledger).redeem(&shown, now_ms)?;
    Ok(success(&tokens, &client.secret, now_ms))
}

fn refresh(world: &World, form: &Fields, client: &Client, base_url: &str) -> Result<Response, OAuthError> {
    let token =
        form.get("refresh_token").ok_or(refused("invalid_request", "missing required parameter: refresh_token"))?;
    let now_ms = now_ms();
    let (verdict, tokens) =
        lock(&world.salesforce.ledger).refresh(&Renewal { token, base_url, client_id: &client.id }, now_ms);
    Ok(judged(verdict, tokens.map(|tokens| success(&tokens, &client.secret, now_ms))))
}

/// A client whose credentials are right.
pub(super) struct Client {
    pub(super) id: String,
    secret: String,
}

/// The client that calls.
pub(super) fn authenticate(world: &World, headers: &HeaderMap, form: &Fields) -> Result<Client, OAuthError> {
    let in_form =
        || Some((form.get("client_id")?.to_owned(), form.get("client_secret").unwrap_or_default().to_owned()));
    let (id, secret) =
        basic(headers).or_else(in_form).ok_or(refused("invalid_client_id", "client identifier invalid"))?;
    let app = lock(&world.salesforce.app);
    if id != app.client_id {
        return Err(refused("invalid_client_id", "client identifier invalid"));
    }
    if secret != app.client_secret {
        return Err(refused("invalid_client", "invalid client credentials"));
    }
    Ok(Client { id, secret })
}

fn success(tokens: &Tokens, client_secret: &str, now_ms: u64) -> Response {
    ([(header::CACHE_CONTROL, "no-cache, no-store")], Json(answer(tokens, client_secret, now_ms))).into_response()
}

/// The answer with new tokens.
pub(super) fn answer(tokens: &Tokens, client_secret: &str, now_ms: u64) -> Value {
    let approval = &tokens.approval;
    let (id, issued_at) = (approval.identity(), now_ms.to_string());
    let key = hmac::Key::new(hmac::HMAC_SHA256, client_secret.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, format!("{id}{issued_at}").as_bytes()));
    let mut body = json!({
        "access_token": tokens.access,
        "signature": signature,
        "scope": approval.scope,
        "instance_url": approval.base_url,
        "id": id,
        "token_type": "Bearer",
        "issued_at": issued_at,
    });
    if let Some(refresh) = &tokens.refresh {
        body["refresh_token"] = refresh.as_str().into();
    }
    if tokens.is_jwt {
        body["token_format"] = "jwt".into();
    }
    body
}
