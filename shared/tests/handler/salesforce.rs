//! A Salesforce that rotates refresh tokens, and revokes a whole grant when a used one is presented.

use std::sync::{Arc, Mutex};

use fakes::{
    Answer, Request, Server,
    salesforce::{REVOKE, TOKEN, USERINFO},
};
use serde_json::json;

use crate::world::APP;

pub(crate) const INTROSPECT: &str = "/services/oauth2/introspect";

/// One grant.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// The number of the current tokens: `r1` and `a1` at first. `None` where it is dead.
    pub(crate) current: Option<u32>,
    last: u32,
    pub(crate) rotates: bool,
    pub(crate) refreshes: u32,
    /// How often a used token was presented.
    pub(crate) reuses: u32,
    pub(crate) revoked: Vec<String>,
    /// How often another app than the grant's asked for tokens.
    pub(crate) others: u32,
    /// What Salesforce answers to everything while it is down.
    pub(crate) outage: Option<Answer>,
}

#[derive(Clone)]
pub(crate) struct Salesforce(Arc<Mutex<Grant>>);

impl Salesforce {
    pub(crate) fn on(server: &Server) -> Self {
        let grant = Grant {
            current: Some(1),
            last: 1,
            rotates: true,
            refreshes: 0,
            reuses: 0,
            revoked: Vec::new(),
            others: 0,
            outage: None,
        };
        let own = Self(Arc::new(Mutex::new(grant)));
        let (token, introspect, revoke, url) = (own.clone(), own.clone(), own.clone(), server.url().to_owned());
        server.on(TOKEN, move |request| token.refresh(request, &url));
        server.on(INTROSPECT, move |request| introspect.introspect(request));
        server.on(REVOKE, move |request| revoke.revoke(request));
        server.on(USERINFO, |_| json!({ "preferred_username": "ada@acme.example" }).into());
        own
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Grant) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    /// Rotates, as a refresh does whose answer is lost.
    pub(crate) fn rotate(&self) -> u32 {
        self.with(|grant| {
            grant.last += 1;
            grant.current = Some(grant.last);
            grant.last
        })
    }

    fn refresh(&self, request: &Request, url: &str) -> Answer {
        let shown = field(request, "refresh_token");
        assert_eq!(field(request, "grant_type"), "refresh_token");
        let (number, refresh_token) = {
            let mut grant = self.0.lock().unwrap();
            if let Some(outage) = &grant.outage {
                return outage.clone();
            }
            if field(request, "client_id") != APP {
                grant.others += 1;
                let body = json!({"error": "invalid_grant", "error_description": "expired access/refresh token"});
                return Answer::json(400, &body);
            }
            if grant.current.map(|number| format!("r{number}")).as_deref() != Some(&*shown) {
                grant.reuses += 1;
                grant.current = None;
                let body = json!({"error": "invalid_grant", "error_description": "expired access/refresh token"});
                return Answer::json(400, &body);
            }
            grant.refreshes += 1;
            grant.last += 1;
            if grant.rotates {
                grant.current = Some(grant.last);
            }
            (grant.last, grant.rotates.then(|| format!("r{}", grant.last)))
        };
        json!({
            "access_token": format!("a{number}"),
            "refresh_token": refresh_token,
            "instance_url": url,
            "id": format!("{url}/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS"),
            "issued_at": "1790000000123",
            "token_type": "Bearer",
        })
        .into()
    }

    fn introspect(&self, request: &Request) -> Answer {
        let grant = self.0.lock().unwrap();
        if let Some(outage) = &grant.outage {
            return outage.clone();
        }
        let shown = field(request, "token");
        let is_active = field(request, "client_id") == APP
            && (grant.current.is_some_and(|number| shown == format!("r{number}"))
            // A rotation leaves access tokens alone.
            || grant.current.is_some() && shown.starts_with('a'));
        let exp = shown.starts_with('a').then_some(1_790_007_200);
        json!({"active": is_active, "exp": exp}).into()
    }

    fn revoke(&self, request: &Request) -> Answer {
        let mut grant = self.0.lock().unwrap();
        let shown = field(request, "token");
        grant.revoked.push(shown.clone());
        if grant.current.map(|number| format!("r{number}")) == Some(shown) {
            grant.current = None;
            return Answer::new(200, "");
        }
        Answer::new(400, "error=invalid_token")
    }
}

fn field(request: &Request, name: &str) -> String {
    request.form().into_iter().find(|(key, _)| key == name).map(|(_, value)| value).unwrap_or_default()
}
