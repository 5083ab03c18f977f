//! `/services/oauth2/authorize`: checks the request, lets the person log in and decide, and redirects
//! the browser.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use form_urlencoded::Serializer;
use url::{Host, Url};

use super::{App, Decision, Salesforce, pages, users};
use crate::{
    World,
    fields::{Fields, called_base_url},
    lock,
};

/// The scopes that an app may ask for.
const SCOPES: [&str; 12] = [
    "api",
    "web",
    "full",
    "id",
    "profile",
    "email",
    "address",
    "phone",
    "openid",
    "refresh_token",
    "offline_access",
    "chatter_api",
];
/// The scope of a request without one.
const DEFAULT_SCOPE: &str = "refresh_token api";

/// A valid request.
#[derive(Debug)]
pub(crate) struct Authorization {
    /// The host that was called: a code is valid only there.
    pub(crate) base_url: String,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    pub(crate) state: Option<String>,
    /// The S256 challenge, if one was given.
    pub(crate) challenge: Option<String>,
    pub(crate) login_hint: Option<String>,
}

/// Why a request is invalid.
pub(crate) enum Refusal {
    /// No trusted redirect address: Salesforce shows an error page.
    Page(OAuthError),
    /// An error that is sent to the redirect address.
    Redirect(String),
}

/// An OAuth error, as Salesforce words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OAuthError {
    pub(crate) error: &'static str,
    pub(crate) description: &'static str,
}

impl Authorization {
    /// Checks a request as Salesforce does: first the redirect address, then the rest.
    pub(super) fn check(fields: &Fields, base_url: &str, app: &App) -> Result<Self, Refusal> {
        let page = |error, description| Refusal::Page(OAuthError { error, description });
        if fields.has_duplicates() {
            return Err(page("invalid_request", "a parameter is repeated"));
        }
        let client_id = fields.get("client_id").ok_or(page("invalid_client_id", "client identifier missing"))?;
        if client_id != app.client_id {
            return Err(page("invalid_client_id", "client identifier invalid"));
        }
        let redirect_uri = fields.get("redirect_uri").ok_or(page("redirect_uri_missing", "redirect_uri is missing"))?;
        if !app.allows(redirect_uri) {
            return Err(page("redirect_uri_mismatch", "redirect_uri must match configuration"));
        }

        let owned = |name| fields.get(name).map(str::to_owned);
        let authorization = Self {
            base_url: base_url.to_owned(),
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            scope: owned("scope").unwrap_or_else(|| DEFAULT_SCOPE.to_owned()),
            state: owned("state"),
            challenge: owned("code_challenge"),
            login_hint: owned("login_hint"),
        };
        match authorization.objection(fields, app) {
            Some((error, description)) => {
                Err(Refusal::Redirect(authorization.refuse(OAuthError { error, description })))
            }
            None => Ok(authorization),
        }
    }

    fn objection(&self, fields: &Fields, app: &App) -> Option<(&'static str, &'static str)> {
        if fields.get("response_type") != Some("code") {
            return Some(("unsupported_response_type", "response type not supported"));
        }
        if !self.scope.split(' ').all(|scope| SCOPES.contains(&scope)) {
            return Some(("invalid_scope", "the requested scope is not allowed"));
        }
        match (&self.challenge, fields.get("code_challenge_method")) {
            (None, None) if app.require_pkce => Some(("invalid_request", "missing required code challenge")),
            (None, None) => None,
            (Some(challenge), Some("S256")) if is_s256(challenge) => None,
            _ => Some(("invalid_request", "invalid code challenge")),
        }
    }

    /// The chat in the bot's state, `wa:<wa_id>` with an optional `~…`. Salesforce itself does not read states.
    pub(super) fn wa_id(&self) -> Option<String> {
        self.state.as_deref().and_then(wa_id_of_state)
    }

    /// Where the forms of its pages lead.
    pub(super) fn form_action(&self) -> String {
        let site = Url::parse(&self.base_url).map(|url| url.path().trim_end_matches('/').to_owned());
        format!("{}/services/oauth2/authorize", site.unwrap_or_default())
    }

    /// The redirect address with an error.
    pub(super) fn refuse(&self, error: OAuthError) -> String {
        self.redirect(&[("error", error.error), ("error_description", error.description)])
    }

    /// The redirect address, unchanged, with the response and the state appended.
    pub(super) fn redirect(&self, answer: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(answer);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        let separator = if self.redirect_uri.contains('?') { '&' } else { '?' };
        format!("{}{separator}{}", self.redirect_uri, query.finish())
    }
}

impl App {
    fn allows(&self, redirect_uri: &str) -> bool {
        if !self.redirect_uris.is_empty() {
            return self.redirect_uris.iter().any(|allowed| allowed == redirect_uri);
        }
        let Ok(url) = Url::parse(redirect_uri) else { return false };
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        url.fragment().is_none() && (url.scheme() == "https" || url.scheme() == "http" && loopback)
    }
}

fn wa_id_of_state(state: &str) -> Option<String> {
    state.strip_prefix("wa:")?.split('~').next().map(str::to_owned)
}

/// base64url of 32 bytes, unpadded (RFC 7636 §4.2).
fn is_s256(challenge: &str) -> bool {
    challenge.len() == 43 && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// `GET`: the login page.
pub(super) async fn show(
    State(world): State<Arc<World>>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    answer(&world.salesforce, &query_fields(query), &called_base_url(&headers, &uri))
}

/// `POST`: the request itself, or the login form, or the consent form, each with the request's
/// parameters in it.
pub(super) async fn submit(
    State(world): State<Arc<World>>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields = query_fields(query).and(Fields::parse(&body));
    answer(&world.salesforce, &fields, &called_base_url(&headers, &uri))
}

fn query_fields(query: Option<String>) -> Fields {
    Fields::parse(query.unwrap_or_default().as_bytes())
}

fn answer(salesforce: &Salesforce, fields: &Fields, base_url: &str) -> Response {
    let authorization = match salesforce.authorization(fields, base_url) {
        Ok(authorization) => authorization,
        Err(Refusal::Page(error)) => return (StatusCode::BAD_REQUEST, pages::error(error)).into_response(),
        Err(Refusal::Redirect(location)) => return redirect(&location),
    };
    if let (Some(ticket), Some(decision)) = (fields.get("ticket"), fields.get("decision")) {
        let logged_in = lock(&salesforce.logged_in).remove(ticket);
        return match logged_in {
            Some(user) => {
                let decision = if decision == "allow" { Decision::Allowed } else { Decision::Denied };
                redirect(&salesforce.decide(&authorization, user, &decision))
            }
            None => pages::login(&authorization, fields, Some("Your session has ended. Please log in again."))
                .into_response(),
        };
    }
    let Some(username) = fields.get("username") else {
        return pages::login(&authorization, fields, None).into_response();
    };
    match users::find(username).filter(|_| fields.get("password") == Some(users::PASSWORD)) {
        Some(user) => match salesforce.bars_login(&authorization, user) {
            Some(problem) => pages::login(&authorization, fields, Some(problem)).into_response(),
            None => pages::consent(&authorization, fields, user, &salesforce.remember(user)).into_response(),
        },
        None => pages::login(
            &authorization,
            fields,
            Some("Please check your username and password. If you still can't log in, contact your Salesforce administrator."),
        )
        .into_response(),
    }
}

fn redirect(location: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, location), (header::CACHE_CONTROL, "no-cache, no-store")]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_names_its_chat() {
        assert_eq!(wa_id_of_state("wa:whatsapp:+15551234567").as_deref(), Some("whatsapp:+15551234567"));
        assert_eq!(wa_id_of_state("wa:whatsapp:US.ABC~token").as_deref(), Some("whatsapp:US.ABC"));
        assert_eq!(wa_id_of_state("something else"), None);
    }
}
