//! Salesforce's OAuth 2.0 web server flow: `authorize` with its login and consent pages, `token`,
//! `userinfo` and `revoke` under `/services/oauth2/`.
//!
//! As at Salesforce: codes of 74 characters that end in `==`, valid once, for 15 minutes and on the
//! host that issued them; every token error is HTTP 400; a used code and an expired
//! one have the same error; `issued_at` is a string; five approvals for each user and app.
//! Departures: every user's password is `sandbox`, `instance_url` is the address that was called,
//! there is no `id_token`, and tokens do not expire.
//!
//! `http://localhost:<port>` and `http://127.0.0.1:<port>` are two login hosts, as
//! `login.salesforce.com` and `test.salesforce.com` are. Below each, `/<site>/services/oauth2/…` are those of an
//! Experience Cloud site, as `https://acme.my.site.com/portal` has them.

mod authorize;
pub(crate) mod errors;
mod ledger;
mod pages;
mod token;
mod users;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    routing::{any, get},
};
use serde::Deserialize;
use url::Url;

use self::{
    authorize::{Authorization, Refusal},
    ledger::Ledger,
};
pub(crate) use self::{
    ledger::Granted,
    users::{USERS, User},
};
use crate::{
    World,
    ambient::{ALPHANUMERIC, Clock, random_text},
    control::{Endpoint, gated},
    fields::Fields,
    lock,
};

pub(crate) fn routes(world: &Arc<World>) -> Router<Arc<World>> {
    ["", "/{site}"].into_iter().fold(Router::new(), |router, site| {
        let path = |endpoint: &str| format!("{site}/services/oauth2/{endpoint}");
        router
            .route(&path("authorize"), get(authorize::show).post(authorize::submit))
            .route(&path("token"), gated(world, Endpoint::SalesforceToken, any(token::exchange)))
            .route(&path("userinfo"), gated(world, Endpoint::SalesforceUserinfo, any(token::userinfo)))
            .route(&path("revoke"), gated(world, Endpoint::SalesforceRevoke, any(token::revoke)))
    })
}

/// The connected app and everything that was granted to it.
pub(crate) struct Salesforce {
    app: Mutex<App>,
    ledger: Mutex<Ledger>,
    /// Logins without a decision yet, by the ticket in the consent form.
    logged_in: Mutex<HashMap<String, &'static User>>,
    clock: Arc<Clock>,
}

/// The connected app's settings.
#[derive(Clone)]
struct App {
    client_id: String,
    client_secret: String,
    /// If empty, any https address, and http on loopback.
    redirect_uris: Vec<String>,
    require_pkce: bool,
}

/// Changes of the connected app's settings; what is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppChange {
    client_id: Option<String>,
    client_secret: Option<String>,
    redirect_uris: Option<Vec<String>>,
    require_pkce: Option<bool>,
}

/// How a login ends.
pub(crate) enum Decision {
    /// The person allows access.
    Allowed,
    /// The person denies it.
    Denied,
    /// Salesforce refuses it, or fails, whatever the person decides.
    Refused { error: String, description: Option<String> },
}

/// Why a headless login did not end in a redirect.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginRefused {
    #[error("no such user")]
    UnknownUser,
    #[error("Salesforce refuses the request: {0}")]
    Request(&'static str),
}

impl Salesforce {
    pub(crate) fn new(client_id: String, client_secret: String, clock: Arc<Clock>) -> Self {
        let app = App { client_id, client_secret, redirect_uris: Vec::new(), require_pkce: false };
        Self { app: Mutex::new(app), ledger: Mutex::default(), logged_in: Mutex::default(), clock }
    }

    pub(crate) fn change_app(&self, change: AppChange) {
        let mut app = lock(&self.app);
        let AppChange { client_id, client_secret, redirect_uris, require_pkce } = change;
        app.client_id = client_id.unwrap_or_else(|| app.client_id.clone());
        app.client_secret = client_secret.unwrap_or_else(|| app.client_secret.clone());
        app.redirect_uris = redirect_uris.unwrap_or_else(|| app.redirect_uris.clone());
        app.require_pkce = require_pkce.unwrap_or(app.require_pkce);
    }

    /// Logs in and decides without the pages; the URL that the browser is redirected to.
    pub(crate) fn log_in_and_decide(
        &self,
        url: &Url,
        username: &str,
        decision: &Decision,
    ) -> Result<String, LoginRefused> {
        let user = users::find(username).ok_or(LoginRefused::UnknownUser)?;
        let fields = Fields::parse(url.query().unwrap_or_default().as_bytes());
        let site = url.path().split("/services/").next().unwrap_or_default();
        match self.authorization(&fields, &format!("{}{site}", url.origin().ascii_serialization())) {
            Ok(authorization) => Ok(self.decide(&authorization, user, decision)),
            Err(Refusal::Redirect(location)) => Ok(location),
            Err(Refusal::Page(error)) => Err(LoginRefused::Request(error.description)),
        }
    }

    /// The chat that a code was issued for, by its state.
    pub(crate) fn wa_id_of_code(&self, code: &str) -> Option<String> {
        lock(&self.ledger).wa_id_of_code(code)
    }

    /// The chat that an access or refresh token was issued for.
    pub(crate) fn wa_id_of_token(&self, token: &str) -> Option<String> {
        lock(&self.ledger).wa_id_of_token(token)
    }

    /// Ages the codes of one chat; how many there were.
    pub(crate) fn age_codes(&self, wa_id: &str, by_ms: u64) -> usize {
        lock(&self.ledger).age_codes(wa_id, by_ms)
    }

    /// Everything that was granted.
    pub(crate) fn granted(&self) -> Vec<Granted> {
        lock(&self.ledger).granted()
    }

    fn authorization(&self, fields: &Fields, base_url: &str) -> Result<Authorization, Refusal> {
        Authorization::check(fields, base_url, &lock(&self.app))
    }

    /// Stores a login until the person decides.
    fn remember(&self, user: &'static User) -> String {
        let ticket = random_text(32, ALPHANUMERIC);
        lock(&self.logged_in).insert(ticket.clone(), user);
        ticket
    }

    fn decide(&self, authorization: &Authorization, user: &'static User, decision: &Decision) -> String {
        match decision {
            Decision::Allowed => {
                let code = lock(&self.ledger).issue_code(authorization, user, self.clock.now_ms());
                authorization.redirect(&[("code", &code)])
            }
            Decision::Denied => authorization
                .redirect(&[("error", "access_denied"), ("error_description", "end-user denied authorization")]),
            Decision::Refused { error, description } => {
                let description = description.as_deref().map(|text| ("error_description", text));
                let answer: Vec<_> = std::iter::once(("error", error.as_str())).chain(description).collect();
                authorization.redirect(&answer)
            }
        }
    }
}
