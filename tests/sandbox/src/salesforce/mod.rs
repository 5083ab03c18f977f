//! Salesforce's OAuth 2.0 web server flow: `authorize` with its login and consent pages, `token`, `userinfo`, `introspect` and
//! `revoke` under `/services/oauth2/`; and of its REST API `/services/data/vNN.0/query`.
//!
//! As at Salesforce: codes of 74 characters that end in `==`, valid once, for 15 minutes and on the
//! host that issued them; every token error is HTTP 400; a used code and an expired
//! one have the same error; `issued_at` is a string; five approvals for each user and app. A refresh token works at the host
//! that issued it, and dies unused after 30 days; an access token lives for two hours. With rotation (off
//! until `POST /control/salesforce/policy` turns it on) each refresh replaces the refresh token at once, and one that was
//! replaced ends all tokens of its grant. While a refresh is not answered, another with the same token is already being
//! processed; a refresh itself takes no time, so that two at once without a fault are one after the other, and the second is
//! reuse.
//! Departures: every user's password is `sandbox`, `instance_url` is the address that was called,
//! there is no `id_token`, and the use of an access token does not lengthen its life.
//!
//! Time: what Salesforce says (`issued_at`, `iat`, `exp`) is in step with the clock of whoever calls. To turn its clock
//! (`POST /control/clock`) makes what it has issued older; the `exp` in a JWT stays as it was written.
//!
//! `http://localhost:<port>` and `http://127.0.0.1:<port>` are two login hosts, as
//! `login.salesforce.com` and `test.salesforce.com` are. Below each, `/<site>/services/oauth2/…` are those of an
//! Experience Cloud site, as `https://acme.my.site.com/portal` has them.

mod account;
mod authorize;
mod codes;
pub(crate) mod errors;
mod grant;
mod ledger;
mod pages;
mod policies;
mod query;
mod restrictions;
mod token;
mod tokens;
mod turns;
mod users;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    routing::{any, get, post},
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use self::{
    authorize::{Authorization, Refusal},
    ledger::{Approval, Ledger},
    restrictions::Restriction,
    turns::Turns,
};
pub(crate) use self::{
    ledger::Granted,
    policies::PolicyChange,
    restrictions::{Restricted, Whose},
    token::already_processing,
    tokens::{TokenKind, tokens_in},
    turns::{Busy, Turn},
    users::{USERS, User},
};
use crate::{
    World,
    ambient::{ALPHANUMERIC, now_ms, random_text},
    control::{Endpoint, gated},
    fields::Fields,
    lock,
};

pub(crate) fn routes(world: &Arc<World>) -> Router<Arc<World>> {
    ["", "/{site}"].into_iter().fold(Router::new(), |router, site| {
        let path = |endpoint: &str| format!("{site}/services/oauth2/{endpoint}");
        router
            .route(&path("authorize"), get(authorize::show).post(authorize::submit))
            .route(&path("token"), gated(world, Endpoint::SalesforceToken, any(token::grant)))
            .route(&path("userinfo"), gated(world, Endpoint::SalesforceUserinfo, any(account::userinfo)))
            .route(&path("introspect"), gated(world, Endpoint::SalesforceIntrospect, post(account::introspect)))
            .route(&path("revoke"), gated(world, Endpoint::SalesforceRevoke, any(account::revoke)))
            .route(
                &format!("{site}/services/data/{{version}}/query"),
                gated(world, Endpoint::SalesforceQuery, get(query::query)),
            )
    })
}

/// The connected app and everything that was granted to it.
pub(crate) struct Salesforce {
    app: Mutex<App>,
    ledger: Mutex<Ledger>,
    /// Logins without a decision yet, by the ticket in the consent form.
    logged_in: Mutex<HashMap<String, &'static User>>,
    turns: Turns,
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
    #[error("Salesforce refuses the login: {0}")]
    Barred(&'static str),
}

impl Salesforce {
    pub(crate) fn new(client_id: String, client_secret: String) -> Self {
        let app = App { client_id, client_secret, redirect_uris: Vec::new(), require_pkce: false };
        Self { app: Mutex::new(app), ledger: Mutex::default(), logged_in: Mutex::default(), turns: Turns::default() }
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
            Ok(authorization) => match self.bars_login(&authorization, user) {
                Some(problem) => Err(LoginRefused::Barred(problem)),
                None => Ok(self.decide(&authorization, user, decision)),
            },
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

    /// Makes the codes and grants of one chat, or all, so much older; how many of each there are.
    pub(crate) fn age(&self, wa_id: Option<&str>, by_ms: u64) -> (usize, usize) {
        lock(&self.ledger).age(wa_id, by_ms)
    }

    /// What was granted for one chat, or at all.
    pub(crate) fn granted(&self, wa_id: Option<&str>) -> Vec<Granted> {
        lock(&self.ledger).granted(wa_id, now_ms())
    }

    /// Grants without a login, at this host; the token endpoint's answer.
    pub(crate) fn grant(&self, wa_id: String, username: &str, scope: String, base_url: String) -> Option<Value> {
        let user = users::find(username)?;
        let App { client_id, client_secret, .. } = lock(&self.app).clone();
        let approval = Approval { user, client_id, scope, base_url, wa_id: Some(wa_id), code_sha256: None };
        let now_ms = now_ms();
        let tokens = lock(&self.ledger).grant(approval, now_ms);
        Some(token::answer(&tokens, &client_secret, now_ms))
    }

    pub(crate) fn change_policy(&self, change: &PolicyChange) {
        lock(&self.ledger).policies.change(change);
    }

    pub(crate) fn restrict(&self, restricted: Restricted) {
        lock(&self.ledger).restrictions.add(restricted);
    }

    /// Lifts the restrictions that were made for exactly these, or all.
    pub(crate) fn lift_restrictions(&self, whose: &Whose) {
        lock(&self.ledger).restrictions.lift(whose);
    }

    /// Ends grants as an administrator does; how many.
    pub(crate) fn revoke_all(&self, whose: &Whose) -> usize {
        lock(&self.ledger).revoke_all(whose, now_ms())
    }

    /// The turn of a request with this body at the token endpoint, to be held until it is answered; `None` unless it is a
    /// refresh.
    pub(crate) fn take_turn(&self, body: &[u8]) -> Result<Option<Turn<'_>>, Busy> {
        Fields::parse(body).get("refresh_token").map(|token| self.turns.take(token)).transpose()
    }

    /// What keeps a user from logging in, in words for them.
    fn bars_login(&self, authorization: &Authorization, user: &'static User) -> Option<&'static str> {
        lock(&self.ledger).restrictions.on(&Approval::of(authorization, user))?.at_login()
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
                let mut ledger = lock(&self.ledger);
                match ledger.restrictions.on(&Approval::of(authorization, user)) {
                    Some(restriction @ Restriction::AppBlocked) => authorization.refuse(restriction.error()),
                    _ => authorization.redirect(&[("code", &ledger.issue_code(authorization, user, now_ms()))]),
                }
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
