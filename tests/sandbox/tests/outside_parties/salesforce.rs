//! Salesforce: authorize, token, userinfo, revoke; and below, what it is as a custodian of tokens.

mod administration;
mod ages;
mod introspection;
mod query;
mod rotation;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Response, header};
use ring::hmac;
use serde_json::{Value, json};
use url::Url;

use super::{Stage, json};

const REDIRECT: &str = "http://connect.localhost:4566/callback";
const CHAT: &str = "whatsapp:+15551234567";
const ADA: &str = "ada@example.com";
const STATE: &str = "wa:whatsapp:+15551234567~token.with-unreserved_characters";
/// RFC 7636, Appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

type Fields<'a> = Vec<(&'a str, &'a str)>;

fn set<'a>(fields: &mut Fields<'a>, name: &'a str, value: &'a str) {
    unset(fields, name);
    fields.push((name, value));
}

fn unset(fields: &mut Fields<'_>, name: &str) {
    fields.retain(|(key, _)| *key != name);
}

impl Stage {
    fn authorization(&self) -> Fields<'_> {
        vec![
            ("response_type", "code"),
            ("client_id", &self.config.client_id),
            ("redirect_uri", REDIRECT),
            ("scope", "api refresh_token"),
            ("state", STATE),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]
    }

    fn redemption<'a>(&'a self, code: &'a str) -> Fields<'a> {
        vec![
            ("grant_type", "authorization_code"),
            ("client_id", &self.config.client_id),
            ("client_secret", &self.config.client_secret),
            ("redirect_uri", REDIRECT),
            ("code", code),
            ("code_verifier", VERIFIER),
        ]
    }

    async fn authorize(&self, fields: &Fields<'_>) -> Response {
        self.client.get(self.url("/services/oauth2/authorize")).query(fields).send().await.unwrap()
    }

    async fn submit(&self, fields: &Fields<'_>) -> Response {
        self.client.post(self.url("/services/oauth2/authorize")).form(fields).send().await.unwrap()
    }

    /// The redirect after a login without pages.
    async fn log_in(&self, fields: &Fields<'_>, allow: bool) -> Url {
        let url = Url::parse_with_params(&self.url("/services/oauth2/authorize"), fields).unwrap();
        let answer = self
            .control("/control/login", &json!({"authorize_url": url, "username": "ada@example.com", "allow": allow}))
            .await;
        answer["location"].as_str().unwrap().parse().unwrap()
    }

    async fn code(&self) -> String {
        parameter(&self.log_in(&self.authorization(), true).await, "code").unwrap()
    }

    async fn token(&self, fields: &Fields<'_>) -> (u16, Value) {
        json(self.client.post(self.url("/services/oauth2/token")).form(fields).send().await.unwrap()).await
    }

    async fn tokens(&self) -> Value {
        let code = self.code().await;
        let (status, tokens) = self.token(&self.redemption(&code)).await;
        assert_eq!(status, 200, "{tokens}");
        tokens
    }

    fn renewal<'a>(&'a self, refresh_token: &'a Value) -> Fields<'a> {
        vec![
            ("grant_type", "refresh_token"),
            ("client_id", &self.config.client_id),
            ("client_secret", &self.config.client_secret),
            ("refresh_token", refresh_token.as_str().unwrap()),
        ]
    }

    async fn refresh(&self, refresh_token: &Value) -> (u16, Value) {
        self.token(&self.renewal(refresh_token)).await
    }

    /// Tokens of this chat and user, without a login.
    async fn granted(&self, wa_id: &str, username: &str) -> Value {
        self.control("/control/grants", &json!({"wa_id": wa_id, "username": username})).await
    }

    async fn grants(&self, wa_id: &str) -> Vec<Value> {
        self.read("/control/grants", wa_id).await.as_array().unwrap().clone()
    }

    async fn counters(&self) -> Value {
        self.read("/control/salesforce/counters", CHAT).await
    }

    async fn read(&self, path: &str, wa_id: &str) -> Value {
        self.client.get(self.url(path)).query(&[("wa_id", wa_id)]).send().await.unwrap().json().await.unwrap()
    }

    /// Changes the app's policies.
    async fn policy(&self, change: Value) {
        self.control("/control/salesforce/policy", &change).await;
    }

    /// Turns Salesforce's clock.
    async fn advance(&self, seconds: u64) {
        self.control("/control/clock", &json!({"advance_ms": seconds * 1000})).await;
    }

    /// Whether this access token opens the account.
    async fn opens(&self, tokens: &Value) -> bool {
        self.userinfo(tokens["access_token"].as_str().unwrap()).await.status() == 200
    }

    async fn userinfo(&self, access_token: &str) -> Response {
        self.client.get(self.url("/services/oauth2/userinfo")).bearer_auth(access_token).send().await.unwrap()
    }

    async fn revoke(&self, token: &Value) -> Response {
        let form = [("token", token.as_str().unwrap())];
        self.client.post(self.url("/services/oauth2/revoke")).form(&form).send().await.unwrap()
    }
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn location(response: &Response) -> Url {
    assert_eq!(response.status(), 302);
    response.headers()[header::LOCATION].to_str().unwrap().parse().unwrap()
}

/// The answer to a refresh token that is not valid.
fn dead() -> (u16, Value) {
    error("invalid_grant", "expired access/refresh token")
}

fn error(error: &str, description: &str) -> (u16, Value) {
    (400, json!({"error": error, "error_description": description}))
}

/// The value of a hidden field of a form.
fn hidden(page: &str, name: &str) -> Option<String> {
    let field = page.split("<input").find(|field| field.contains(&format!("name=\"{name}\"")))?;
    Some(field.split("value=\"").nth(1)?.split('"').next()?.to_owned())
}

/// By which `wasf doctor` tells it from anybody's page, also after a login that failed.
#[tokio::test]
async fn the_login_page_names_where_salesforces_leads_on_to() {
    let stage = Stage::new().await;
    let mut form = stage.authorization();
    for page in [stage.authorize(&form).await, {
        form.extend([("startURL", "/"), ("username", ADA), ("password", "wrong")]);
        stage.submit(&form).await
    }] {
        let page = page.text().await.unwrap();
        let leads_to = hidden(&page, "startURL");
        assert_eq!(leads_to.as_deref(), Some("/setup/secur/RemoteAccessAuthorizationPage.apexp"), "{page}");
        assert_eq!(page.matches("startURL").count(), 1, "{page}");
    }
}

#[tokio::test]
async fn a_person_logs_in_and_allows() {
    let stage = Stage::new().await;
    let mut form = stage.authorization();
    let page = stage.authorize(&form).await;
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert_eq!(hidden(&page, "state").as_deref(), Some(STATE));
    assert_eq!(hidden(&page, "code_challenge").as_deref(), Some(CHALLENGE));

    form.extend([("username", "ada@example.com"), ("password", "wrong")]);
    let again = stage.submit(&form).await.text().await.unwrap();
    assert!(again.contains("Please check your username and password."));

    set(&mut form, "password", "sandbox");
    let consent = stage.submit(&form).await.text().await.unwrap();
    assert!(consent.contains("Allow Access?") && consent.contains("Perform requests at any time"));
    let ticket = hidden(&consent, "ticket").unwrap();

    let mut decision = stage.authorization();
    decision.extend([("ticket", ticket.as_str()), ("decision", "allow")]);
    let answer = stage.submit(&decision).await;
    let raw = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let url = location(&answer);
    assert!(
        raw.starts_with(&format!("{REDIRECT}?code=aPrx")) && raw.contains("%3D%3D&state=wa%3Awhatsapp%3A%2B1555"),
        "{raw}"
    );
    assert_eq!(parameter(&url, "state").as_deref(), Some(STATE));
    let code = parameter(&url, "code").unwrap();
    assert!(code.len() == 74 && code.ends_with("=="), "{code}");

    let replayed = stage.submit(&decision).await;
    assert_eq!(replayed.status(), 200, "a ticket decides once");
    assert_eq!(stage.token(&stage.redemption(&code)).await.0, 200);
}

#[tokio::test]
async fn a_denial_comes_back_with_the_state() {
    let stage = Stage::new().await;
    let url = stage.log_in(&stage.authorization(), false).await;
    assert_eq!(parameter(&url, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&url, "error_description").as_deref(), Some("end-user denied authorization"));
    assert_eq!(parameter(&url, "state").as_deref(), Some(STATE));
    assert_eq!(parameter(&url, "code"), None);
}

#[tokio::test]
async fn any_error_can_come_back_in_place_of_a_decision() {
    let stage = Stage::new().await;
    let url = Url::parse_with_params(&stage.url("/services/oauth2/authorize"), stage.authorization()).unwrap();
    for (error, description) in [
        ("OAUTH_APP_BLOCKED", Some("this app is blocked by admin")),
        ("OAUTH_EC_APP_NOT_FOUND", None),
        ("server_error", None),
        ("invalid_scope", Some("the requested scope is not allowed")),
    ] {
        let login = json!({"authorize_url": url, "error": error, "error_description": description});
        let answer = stage.control("/control/login", &login).await;
        let location: Url = answer["location"].as_str().unwrap().parse().unwrap();
        assert_eq!(parameter(&location, "error").as_deref(), Some(error));
        assert_eq!(parameter(&location, "error_description").as_deref(), description);
        assert_eq!(parameter(&location, "state").as_deref(), Some(STATE));
        assert_eq!(parameter(&location, "code"), None);
    }
}

#[tokio::test]
async fn a_request_with_an_untrusted_redirect_ends_on_an_error_page() {
    let stage = Stage::new().await;
    for (name, value, expected) in [
        ("client_id", Some("someone-else"), "client identifier invalid"),
        ("client_id", None, "client identifier missing"),
        ("redirect_uri", None, "redirect_uri is missing"),
        ("redirect_uri", Some("http://example.com/callback"), "redirect_uri must match configuration"),
        ("redirect_uri", Some("https://example.com/callback#there"), "redirect_uri must match configuration"),
    ] {
        let mut request = stage.authorization();
        unset(&mut request, name);
        request.extend(value.map(|value| (name, value)));
        let response = stage.authorize(&request).await;
        assert_eq!(response.status(), 400);
        assert!(response.text().await.unwrap().contains(expected), "{expected}");
    }
    let mut twice = stage.authorization();
    twice.push(("state", "another"));
    assert_eq!(stage.authorize(&twice).await.status(), 400);
}

#[tokio::test]
async fn another_invalid_request_redirects_with_an_error() {
    let stage = Stage::new().await;
    for (name, value, expected) in [
        ("response_type", Some("token"), "unsupported_response_type"),
        ("scope", Some("api everything"), "invalid_scope"),
        ("code_challenge", Some("short"), "invalid_request"),
        ("code_challenge", None, "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
    ] {
        let mut request = stage.authorization();
        unset(&mut request, name);
        request.extend(value.map(|value| (name, value)));
        let url = location(&stage.authorize(&request).await);
        assert_eq!(parameter(&url, "error").as_deref(), Some(expected), "{name}");
        assert_eq!(parameter(&url, "state").as_deref(), Some(STATE));
    }
}

#[tokio::test]
async fn pkce_is_required_where_the_app_says_so() {
    let stage = Stage::new().await;
    let mut request = stage.authorization();
    unset(&mut request, "code_challenge");
    unset(&mut request, "code_challenge_method");
    assert_eq!(stage.authorize(&request).await.status(), 200);
    stage.control("/control/salesforce", &json!({"require_pkce": true})).await;
    let url = location(&stage.authorize(&request).await);
    assert_eq!(parameter(&url, "error_description").as_deref(), Some("missing required code challenge"));
}

#[tokio::test]
async fn a_registered_redirect_address_is_the_only_one() {
    let stage = Stage::new().await;
    stage.control("/control/salesforce", &json!({"redirect_uris": ["https://one.example/callback?a=b"]})).await;
    let mut request = stage.authorization();
    assert_eq!(stage.authorize(&request).await.status(), 400);
    set(&mut request, "redirect_uri", "https://one.example/callback?a=b");
    let url = stage.log_in(&request, true).await;
    assert!(url.as_str().starts_with("https://one.example/callback?a=b&code="), "{url}");
}

#[tokio::test]
async fn a_code_is_exchanged_for_tokens() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    let text = |name: &str| tokens[name].as_str().unwrap_or_else(|| panic!("{name} in {tokens}"));
    assert!(text("access_token").starts_with("00D5g00000Engne!AQ") && text("access_token").len() == 112);
    assert!(text("refresh_token").starts_with("5Aep861"));
    assert_eq!(text("instance_url"), stage.sandbox.base_url);
    assert_eq!(text("id"), format!("{}/id/00D5g00000EngneEAB/0055g00000AdaLvAAJ", stage.sandbox.base_url));
    assert_eq!((text("scope"), text("token_type")), ("api refresh_token", "Bearer"));
    assert!(text("issued_at").len() == 13 && text("issued_at").parse::<u64>().is_ok());
    assert_eq!(tokens["expires_in"], Value::Null);

    let key = hmac::Key::new(hmac::HMAC_SHA256, stage.config.client_secret.as_bytes());
    let signed = format!("{}{}", text("id"), text("issued_at"));
    hmac::verify(&key, signed.as_bytes(), &STANDARD.decode(text("signature")).unwrap()).unwrap();
}

#[tokio::test]
async fn a_refresh_token_needs_its_scope() {
    let stage = Stage::new().await;
    let mut request = stage.authorization();
    set(&mut request, "scope", "api");
    let code = parameter(&stage.log_in(&request, true).await, "code").unwrap();
    let (status, tokens) = stage.token(&stage.redemption(&code)).await;
    assert_eq!((status, &tokens["refresh_token"]), (200, &Value::Null));
}

#[tokio::test]
async fn a_client_may_authenticate_by_basic() {
    let stage = Stage::new().await;
    let code = stage.code().await;
    let mut form = stage.redemption(&code);
    unset(&mut form, "client_id");
    unset(&mut form, "client_secret");
    let request = stage.client.post(stage.url("/services/oauth2/token"));
    let request = request.basic_auth(&stage.config.client_id, Some(&stage.config.client_secret));
    assert_eq!(request.form(&form).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_invalid_request_is_refused_and_leaves_the_code_valid() {
    let stage = Stage::new().await;
    let code = stage.code().await;
    for (name, value, refusal) in [
        ("grant_type", None, error("unsupported_grant_type", "grant type not supported")),
        ("grant_type", Some("password"), error("unsupported_grant_type", "grant type not supported")),
        ("client_id", None, error("invalid_client_id", "client identifier invalid")),
        ("client_id", Some("someone-else"), error("invalid_client_id", "client identifier invalid")),
        ("client_secret", None, error("invalid_client", "invalid client credentials")),
        ("client_secret", Some("guess"), error("invalid_client", "invalid client credentials")),
        ("redirect_uri", None, error("redirect_uri_missing", "redirect_uri is missing")),
        (
            "redirect_uri",
            Some("http://connect.localhost:4566/callback/"),
            error("redirect_uri_mismatch", "redirect_uri must match configuration"),
        ),
        ("code", None, error("invalid_request", "missing required parameter: code")),
        ("code", Some("aPrxUnknown=="), error("invalid_grant", "invalid authorization code")),
        ("code_verifier", None, error("invalid_request", "missing required code verifier")),
        ("code_verifier", Some(CHALLENGE), error("invalid_grant", "invalid code verifier")),
    ] {
        let mut form = stage.redemption(&code);
        unset(&mut form, name);
        form.extend(value.map(|value| (name, value)));
        assert_eq!(stage.token(&form).await, refusal, "{name}");
    }
    let mut twice = stage.redemption(&code);
    twice.push(("code", "another"));
    assert_eq!(stage.token(&twice).await, error("invalid_request", "a parameter is repeated"));
    assert_eq!(stage.token(&stage.redemption(&code)).await.0, 200);
}

#[tokio::test]
async fn only_post_exchanges_a_code() {
    let stage = Stage::new().await;
    let code = stage.code().await;
    let request = stage.client.get(stage.url("/services/oauth2/token")).query(&stage.redemption(&code));
    assert_eq!(json(request.send().await.unwrap()).await, error("invalid_request", "must use HTTP POST"));
}

#[tokio::test]
async fn a_verifier_without_a_challenge_is_refused() {
    let stage = Stage::new().await;
    let mut request = stage.authorization();
    unset(&mut request, "code_challenge");
    unset(&mut request, "code_challenge_method");
    let code = parameter(&stage.log_in(&request, true).await, "code").unwrap();
    let mut form = stage.redemption(&code);
    assert_eq!(stage.token(&form).await, error("invalid_request", "code verifier without code challenge"));
    unset(&mut form, "code_verifier");
    assert_eq!(stage.token(&form).await.0, 200);
}

#[tokio::test]
async fn a_code_is_valid_once() {
    let stage = Stage::new().await;
    let code = stage.code().await;
    assert_eq!(stage.token(&stage.redemption(&code)).await.0, 200);
    assert_eq!(stage.token(&stage.redemption(&code)).await, error("invalid_grant", "expired authorization code"));
}

#[tokio::test]
async fn one_of_many_at_once_gets_the_tokens() {
    let stage = Stage::new().await;
    let code = stage.code().await;
    let form = stage.redemption(&code);
    let answers = futures::future::join_all((0..8).map(|_| stage.token(&form))).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 1);
}

#[tokio::test]
async fn a_code_lives_fifteen_minutes() {
    let stage = Stage::new().await;
    let (old, fresh) = (stage.code().await, stage.code().await);
    stage.control("/control/clock", &json!({"advance_ms": 14 * 60_000})).await;
    assert_eq!(stage.token(&stage.redemption(&fresh)).await.0, 200);
    stage.control("/control/clock", &json!({"advance_ms": 60_000})).await;
    assert_eq!(stage.token(&stage.redemption(&old)).await, error("invalid_grant", "expired authorization code"));
}

#[tokio::test]
async fn the_codes_of_one_chat_can_be_aged() {
    let stage = Stage::new().await;
    let mut other = stage.authorization();
    set(&mut other, "state", "wa:whatsapp:+15557654321");
    let mine = stage.code().await;
    let theirs = parameter(&stage.log_in(&other, true).await, "code").unwrap();
    let aged = stage.control("/control/clock", &json!({"advance_ms": 900_000, "wa_id": "whatsapp:+15551234567"})).await;
    assert_eq!(aged["codes_aged"], 1);
    assert_eq!(stage.token(&stage.redemption(&mine)).await, error("invalid_grant", "expired authorization code"));
    assert_eq!(stage.token(&stage.redemption(&theirs)).await.0, 200);
}

#[tokio::test]
async fn a_code_is_valid_only_on_its_own_host() {
    let stage = Stage::new().await;
    let code = stage.code().await;
    let other = format!("http://localhost:{}/services/oauth2/token", stage.sandbox.address.port());
    let elsewhere = stage.client.post(other).form(&stage.redemption(&code)).send().await.unwrap();
    assert_eq!(json(elsewhere).await, error("invalid_grant", "invalid authorization code"));
    assert_eq!(stage.token(&stage.redemption(&code)).await.0, 200);
}

#[tokio::test]
async fn credentials_can_be_rotated() {
    let stage = Stage::new().await;
    let code = stage.code().await;
    stage.control("/control/salesforce", &json!({"client_secret": "new"})).await;
    let mut form = stage.redemption(&code);
    assert_eq!(stage.token(&form).await, error("invalid_client", "invalid client credentials"));
    set(&mut form, "client_secret", "new");
    assert_eq!(stage.token(&form).await.0, 200);
}

#[tokio::test]
async fn userinfo_names_the_account() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    let (status, user) = json(stage.userinfo(tokens["access_token"].as_str().unwrap()).await).await;
    assert_eq!(status, 200);
    for (name, value) in [
        ("user_id", "0055g00000AdaLvAAJ"),
        ("organization_id", "00D5g00000EngneEAB"),
        ("preferred_username", "ada@example.com"),
        ("name", "Ada Lovelace"),
        ("email", "ada@example.com"),
    ] {
        assert_eq!(user[name], value);
    }
}

#[tokio::test]
async fn userinfo_refuses_an_invalid_token() {
    let stage = Stage::new().await;
    let bad = stage.userinfo("00D5g00000Engne!unknown").await;
    assert_eq!((bad.status().as_u16(), bad.text().await.unwrap().as_str()), (403, "Bad_OAuth_Token"));
    let none = stage.client.get(stage.url("/services/oauth2/userinfo")).send().await.unwrap();
    assert_eq!((none.status().as_u16(), none.text().await.unwrap().as_str()), (403, "Missing_OAuth_Token"));
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_its_access_tokens() {
    let stage = Stage::new().await;
    let (gone, kept) = (stage.tokens().await, stage.tokens().await);
    assert_eq!(stage.revoke(&gone["refresh_token"]).await.status(), 200);
    assert_eq!(stage.userinfo(gone["access_token"].as_str().unwrap()).await.status(), 403);
    assert_eq!(stage.refresh(&gone["refresh_token"]).await.0, 400);
    assert_eq!(stage.userinfo(kept["access_token"].as_str().unwrap()).await.status(), 200);
}

#[tokio::test]
async fn revoking_an_access_token_ends_that_one() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    assert_eq!(stage.revoke(&tokens["access_token"]).await.status(), 200);
    assert_eq!(stage.userinfo(tokens["access_token"].as_str().unwrap()).await.status(), 403);
    assert_eq!(stage.refresh(&tokens["refresh_token"]).await.0, 200);
}

#[tokio::test]
async fn revoking_an_unknown_token_is_refused() {
    let stage = Stage::new().await;
    let response = stage.revoke(&json!("unknown")).await;
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().starts_with("error=unsupported_token_type&"));
}

#[tokio::test]
async fn a_token_that_is_revoked_again_is_invalid() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    assert_eq!(stage.revoke(&tokens["refresh_token"]).await.status(), 200);
    for token in ["refresh_token", "access_token"] {
        let again = stage.revoke(&tokens[token]).await;
        assert_eq!(again.status(), 400);
        assert_eq!(again.text().await.unwrap(), "error=invalid_token&error_description=invalid+token");
    }
}

#[tokio::test]
async fn the_grants_say_whose_they_are_and_which_are_alive() {
    let stage = Stage::new().await;
    let (gone, kept) = (stage.tokens().await, stage.tokens().await);
    stage.revoke(&gone["refresh_token"]).await;
    let grants: Value = stage.client.get(stage.url("/control/grants")).send().await.unwrap().json().await.unwrap();
    let alive: Vec<_> = grants.as_array().unwrap().iter().map(|grant| grant["alive"] == true).collect();
    assert_eq!(alive, [false, true]);
    for grant in grants.as_array().unwrap() {
        assert_eq!((&grant["wa_id"], &grant["username"]), (&json!("whatsapp:+15551234567"), &json!("ada@example.com")));
    }
    let journal = stage.journal("salesforce.token").await;
    let name = "refresh_token_sha256";
    assert_eq!(grants[1][name], journal["records"][1]["answered"]["body"][name]);
    assert_eq!(grants[1]["code_sha256"], journal["records"][1]["asked"]["body"]["code_sha256"]);
    assert!(!grants.to_string().contains(kept["refresh_token"].as_str().unwrap()));
}

#[tokio::test]
async fn every_error_is_said_on_demand() {
    let stage = Stage::new().await;
    let code = stage.code().await;
    for (order, word, description) in [
        (json!({"oauth_error": "inactive_user"}), "inactive_user", "user is inactive"),
        (json!({"oauth_error": "invalid_grant"}), "invalid_grant", "expired authorization code"),
        (
            json!({"oauth_error": "invalid_grant", "description": "inactive organization"}),
            "invalid_grant",
            "inactive organization",
        ),
    ] {
        stage.fault("salesforce.token", order).await;
        assert_eq!(stage.token(&stage.redemption(&code)).await, error(word, description));
    }
    let unknown = json!({"endpoint": "salesforce.token", "action": {"oauth_error": "weather"}});
    let refused = stage.client.post(stage.url("/control/faults")).json(&unknown).send().await.unwrap();
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn a_site_has_endpoints_of_its_own_below_its_path() {
    let stage = Stage::new().await;
    let url = Url::parse_with_params(&stage.url("/portal/services/oauth2/authorize"), stage.authorization()).unwrap();
    let page = stage.client.get(url.clone()).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("action=\"/portal/services/oauth2/authorize\""), "{page}");
    let order = json!({"authorize_url": url, "username": "ada@example.com", "allow": true});
    let answer = stage.control("/control/login", &order).await;
    let code = parameter(&answer["location"].as_str().unwrap().parse().unwrap(), "code").unwrap();
    // A code of the site is not one of its host.
    assert_eq!(stage.token(&stage.redemption(&code)).await, error("invalid_grant", "invalid authorization code"));
    let token = stage.client.post(stage.url("/portal/services/oauth2/token")).form(&stage.redemption(&code));
    let (status, tokens) = json(token.send().await.unwrap()).await;
    assert_eq!((status, &tokens["instance_url"]), (200, &json!(stage.url("/portal"))));
    let id = tokens["id"].as_str().unwrap();
    assert!(id.starts_with(&stage.url("/portal/id/")), "{id}");
    let userinfo = stage.client.get(stage.url("/portal/services/oauth2/userinfo"));
    let userinfo = userinfo.bearer_auth(tokens["access_token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(userinfo.status(), 200);
}
