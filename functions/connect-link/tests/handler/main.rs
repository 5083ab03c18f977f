//! The whole function, with KMS and Secrets Manager behind real HTTP.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy takes for other code")]

mod language;
mod status;
mod unrouted;

use std::{collections::BTreeMap, time::Duration};

use aws_lambda_events::{apigw::ApiGatewayV2httpResponse, encodings::Body};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use connect_link::{Config, ConnectLink};
use fakes::{
    Answer, Server,
    aws::{error, mac, setting, state_public_key},
    logs::Logs,
};
use serde_json::{Value, json};
use shared::{
    Language, LinkId, Settings, Timestamp,
    aws::kms::Kms,
    binding::{BrowserBinding, BrowserSecret},
    link::{Link, NONCE_LENGTH},
    pkce::PkceCodeVerifier,
    state::{Claims, State, StateKey},
};
use url::Url;

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
const AFTER_THE_LINK: Timestamp = Timestamp::from_seconds(1_790_000_900);
const CHAT: &str = "whatsapp:+15551234567";

/// The function, with its KMS, its limit table and a Secrets Manager that holds nothing.
struct Function {
    aws: Server,
    connect_link: ConnectLink,
}

impl Function {
    /// It has sent its first response.
    async fn start() -> Self {
        let aws = Server::start().await.with_kms().with_secrets(&[]);
        aws.on("UpdateItem", |_| json!({}).into());
        let connect_link = started(&aws, &[], || NOW).await;
        connect_link.get_ready().await;
        Self { aws, connect_link }
    }

    /// The same function at another time.
    async fn at(&self, clock: fn() -> Timestamp) -> ConnectLink {
        started(&self.aws, &[], clock).await
    }

    /// A new link, as it appears in its URL.
    async fn link(&self) -> String {
        let made = call(&self.connect_link, link_request(&json!({ "wa_id": CHAT }))).await;
        let made: Value = serde_json::from_str(text(&made)).unwrap();
        made["url"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned()
    }
}

/// A function with these settings in place of the usual ones.
async fn started(aws: &Server, changed: &[(&str, &str)], clock: fn() -> Timestamp) -> ConnectLink {
    let settings = Settings::new(|name| {
        if let Some((_, value)) = changed.iter().find(|(key, _)| *key == name) {
            return Some((*value).to_owned());
        }
        Some(match name {
            "STATE_KEY_ID" => "state".to_owned(),
            "PKCE_KEY_ID" => "pkce".to_owned(),
            "LINK_KEY_ID" => "link".to_owned(),
            "LIMIT_TABLE_NAME" => "limits".to_owned(),
            "ATTEMPT_TABLE_NAME" => "attempts".to_owned(),
            "LINK_LIFETIME_MINUTES" => "15".to_owned(),
            "DEFAULT_LANGUAGE" => "en".to_owned(),
            "STACK_NAME" => "connect".to_owned(),
            "LOGIN_URLS" => "https://login.salesforce.com,https://test.salesforce.com".to_owned(),
            "SCOPES" => "api refresh_token".to_owned(),
            "OAUTH_PROMPT" => "select_account".to_owned(),
            "SF_CLIENT_ID" => "3MVG9.client".to_owned(),
            "API_DOMAIN_SUFFIX" => "execute-api.us-east-1.amazonaws.com".to_owned(),
            _ => return setting(name, aws),
        })
    });
    let config = Config::read(&settings).unwrap();
    let random = |buffer: &mut [u8]| {
        buffer.fill(9);
        Ok(())
    };
    let connect_link = ConnectLink::new(config, &shared::aws::config(&settings).unwrap(), clock, random);
    Box::pin(connect_link.warm_up()).await;
    connect_link
}

fn link_request(body: &Value) -> Value {
    json!({
        "routeKey": "POST /links",
        "body": body.to_string(),
        "requestContext": {
            "apiId": "abc",
            "http": { "method": "POST" },
            "authorizer": { "iam": { "accountId": "123456789012", "cognitoIdentity": null } },
        },
    })
}

fn connect(method: &str, link: &str, headers: &Value) -> Value {
    json!({
        "routeKey": format!("{method} /connect/{{link}}"),
        "pathParameters": { "link": link },
        "headers": headers,
        "requestContext": { "apiId": "abc", "http": { "method": method } },
    })
}

async fn call(function: &ConnectLink, event: Value) -> ApiGatewayV2httpResponse {
    function.handle(&serde_json::from_value(event).unwrap()).await
}

fn text(response: &ApiGatewayV2httpResponse) -> &str {
    match &response.body {
        Some(Body::Text(text)) => text,
        other => panic!("no text: {other:?}"),
    }
}

/// Where a redirect leads: the address without its query, and the query decoded.
fn location(response: &ApiGatewayV2httpResponse) -> (String, BTreeMap<String, String>) {
    let url: Url = response.headers["location"].to_str().unwrap().parse().unwrap();
    let query = url.query_pairs().into_owned().collect();
    (url.as_str().split('?').next().unwrap().to_owned(), query)
}

fn verified(state: &str) -> Claims {
    match State::parse(state).unwrap() {
        State::Signed(state) => state.verify(&[StateKey::from_der(&state_public_key()).unwrap()], NOW).unwrap(),
        State::Plain(_) => panic!("the state is a plain one"),
    }
}

fn binding(cookie: &str, claims: &Claims) -> BrowserBinding {
    let pair = cookie.split(';').next().unwrap();
    BrowserSecret::find([pair.as_bytes()], claims.cookie_name()).unwrap().binding(claims.attempt_id)
}

#[tokio::test]
async fn the_document_has_every_field_of_a_links_answer_and_no_other() {
    let function = Function::start().await;
    let made = call(&function.connect_link, link_request(&json!({ "wa_id": CHAT }))).await;
    contract::assert_samples("link", &[contract::answer("POST /links", &made)]);
    let made: Value = serde_json::from_str(text(&made)).unwrap();
    let documented = contract::Table::under(contract::API, "### Response").column("field");
    assert_eq!(documented, contract::set(made.as_object().unwrap().keys()));
}

#[tokio::test]
async fn the_bot_gets_a_link_without_a_phone_number_in_it() {
    let function = Function::start().await;
    let made = call(&function.connect_link, link_request(&json!({ "wa_id": CHAT }))).await;
    assert_eq!(made.status_code, 200);
    let made: Value = serde_json::from_str(text(&made)).unwrap();
    assert_eq!(made["link_id"], "09".repeat(16));
    assert_eq!(made["expires_at"], "2026-09-21T14:28:20Z");
    let url = made["url"].as_str().unwrap();
    assert!(url.starts_with("https://abc.execute-api.us-east-1.amazonaws.com/connect/"), "{url}");
    assert!(!url.contains("1555"), "{url}");
}

#[tokio::test]
async fn a_start_and_its_page_ask_aws_for_the_key_of_links_alone() {
    let link = Function::start().await.link().await;
    let aws = Server::start().await.with_kms();
    let connect_link = started(&aws, &[], || NOW).await;
    let page = call(&connect_link, connect("GET", &link, &json!({}))).await;
    assert_eq!(page.status_code, 200);
    assert_eq!(aws.operations(), ["GenerateMac"]);
}

#[tokio::test]
async fn after_the_page_the_button_finds_what_it_needs() {
    let link = Function::start().await.link().await;
    let aws = Server::start().await.with_kms().with_secrets(&[("sf_callback_uri", "https://connect.example/callback")]);
    aws.on("UpdateItem", |_| json!({}).into());
    let connect_link = started(&aws, &[("SF_CALLBACK_URI_SECRET_NAME", "sf_callback_uri")], || NOW).await;
    connect_link.get_ready().await;
    let fetched = aws.operations().len();
    let sent = call(&connect_link, connect("POST", &link, &json!({}))).await;
    assert_eq!(sent.status_code, 303);
    let mut pressed = aws.operations().split_off(fetched);
    pressed.sort_unstable();
    assert_eq!(pressed, ["GenerateMac", "Sign", "UpdateItem"]);
}

/// A request for a link with this reference, and its answer.
async fn asked_with(function: &Function, reference: Value) -> (i64, Value) {
    let made = call(&function.connect_link, link_request(&json!({ "wa_id": CHAT, "reference": reference }))).await;
    (made.status_code, serde_json::from_str(text(&made)).unwrap())
}

/// The JSON of an answer.
fn json_of(answer: &ApiGatewayV2httpResponse) -> Value {
    serde_json::from_str(text(answer)).unwrap()
}

/// What was written to the table of attempts.
fn kept(function: &Function) -> Vec<Value> {
    let writes = function.aws.requests("UpdateItem").iter().map(fakes::Request::json).collect::<Vec<_>>();
    writes.into_iter().filter(|write| write["TableName"] == "attempts").collect()
}

#[tokio::test]
async fn a_reference_is_kept_beside_its_link_and_not_in_it() {
    let function = Function::start().await;
    let plain = function.link().await;
    let (status, made) = asked_with(&function, "🦀".repeat(512).into()).await;
    assert_eq!(status, 200);
    let kept = kept(&function);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["Key"]["attempt_id"]["S"], format!("reference#{}", made["link_id"].as_str().unwrap()));
    assert_eq!(kept[0]["ExpressionAttributeValues"][":reference"]["S"], "🦀".repeat(512));
    let link = made["url"].as_str().unwrap().rsplit_once('/').unwrap().1;
    assert!(link.len() < plain.len() + 16, "{} characters instead of {}", link.len(), plain.len());
}

#[tokio::test]
async fn the_state_says_that_the_link_has_a_reference() {
    let function = Function::start().await;
    let (_, made) = asked_with(&function, "crm/42".into()).await;
    let with = made["url"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
    for (link, has_reference) in [(with, true), (function.link().await, false)] {
        let sent = call(&function.connect_link, connect("POST", &link, &json!({}))).await;
        let state = location(&sent).1.remove("state").unwrap();
        assert_eq!(verified(&state).link.unwrap().has_reference, has_reference);
        assert!(state.len() <= 255 && !state.contains("crm"), "{state}");
    }
}

#[tokio::test]
async fn the_state_says_the_language_of_the_link() {
    let function = Function::start().await;
    for (tag, language) in [("hi-IN", Some(Language::Hindi)), ("pt", Some(Language::Portuguese)), ("zh", None)] {
        let made = call(&function.connect_link, link_request(&json!({ "wa_id": CHAT, "language": tag }))).await;
        let link = json_of(&made)["url"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
        let sent = call(&function.connect_link, connect("POST", &link, &json!({}))).await;
        let state = location(&sent).1.remove("state").unwrap();
        assert_eq!(verified(&state).link.unwrap().language, language, "{tag}");
        assert!(state.len() <= 255, "{state}");
    }
}

#[tokio::test]
async fn what_is_no_language_tag_makes_no_link() {
    let function = Function::start().await;
    for other in [json!("pt_BR"), json!(""), json!(1)] {
        let refused = call(&function.connect_link, link_request(&json!({ "wa_id": CHAT, "language": other }))).await;
        assert_eq!((refused.status_code, &json_of(&refused)["error"]), (400, &json!("invalid_language")), "{other}");
    }
}

#[tokio::test]
async fn a_link_without_a_reference_writes_nothing() {
    let function = Function::start().await;
    function.link().await;
    assert_eq!(function.aws.count("UpdateItem"), 0);
}

#[tokio::test]
async fn where_the_reference_is_not_kept_there_is_no_link() {
    let function = Function::start().await;
    function.aws.on("UpdateItem", |_| error("AccessDeniedException"));
    let (status, refused) = asked_with(&function, "s3cret".into()).await;
    assert_eq!((status, &refused["error"], refused.get("url")), (503, &json!("temporarily_unavailable"), None));
    assert!(!refused.to_string().contains("s3cret"));
}

#[tokio::test]
async fn why_a_reference_is_not_kept_is_logged_once() {
    let logs = Logs::capture();
    let function = Function::start().await;
    function.aws.on("UpdateItem", |_| error("ResourceNotFoundException"));
    assert_eq!(asked_with(&function, "crm/42".into()).await.0, 503);
    let cause = r#""error":"reference not kept: UpdateItem failed: ResourceNotFoundException""#;
    assert!(logs.text().contains(cause), "{}", logs.text());
}

#[tokio::test]
async fn what_is_no_reference_is_refused_before_anything_is_written() {
    let function = Function::start().await;
    for other in [json!(42), json!(""), json!({ "id": "s3cret" }), "s3cret\n".into(), "s".repeat(513).into()] {
        let (status, refused) = asked_with(&function, other).await;
        assert_eq!((status, &refused["error"]), (400, &json!("invalid_reference")));
        assert!(!refused.to_string().contains("s3cret"), "{refused}");
    }
    assert_eq!(function.aws.count("UpdateItem"), 0);
}

/// The page of a link for this chat, made with this name; with the link.
async fn page_with_name(function: &Function, wa_id: &str, name: Value) -> (String, String) {
    let made = link_request(&json!({ "wa_id": wa_id, "display_name": name }));
    let made: Value = serde_json::from_str(text(&call(&function.connect_link, made).await)).unwrap();
    let link = made["url"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
    let shown = call(&function.connect_link, connect("GET", &link, &json!({}))).await;
    assert_eq!(shown.status_code, 200);
    (text(&shown).to_owned(), link)
}

#[tokio::test]
async fn the_page_shows_the_name_that_the_link_was_made_with() {
    let function = Function::start().await;
    let (page, _) = page_with_name(&function, CHAT, " Ada\u{202e}\nLovelace <b> ".into()).await;
    assert!(page.contains("<bdi>Ada Lovelace &lt;b&gt;</bdi>") && page.contains("+1 ••• ••• 4567"), "{page}");
    let (page, _) = page_with_name(&function, "whatsapp:US.ABC123XYZ", "Ada".into()).await;
    assert!(page.contains("<bdi>Ada</bdi>") && !page.contains("XYZ"), "{page}");
}

#[tokio::test]
async fn a_link_without_a_visible_name_is_made_all_the_same() {
    let function = Function::start().await;
    for name in [Value::Null, "".into(), "\u{200b} ".into()] {
        let (page, _) = page_with_name(&function, "whatsapp:US.ABC123XYZ", name).await;
        assert!(page.contains("the WhatsApp chat that asked for this link"), "{page}");
    }
}

#[tokio::test]
async fn the_link_with_the_longest_name_and_address_opens() {
    let function = Function::start().await;
    let chat = format!("whatsapp:US.ENT.{}", "A".repeat(128));
    let (page, link) = page_with_name(&function, &chat, "🦀".repeat(64).into()).await;
    assert!(page.contains(&"🦀".repeat(64)), "{page}");
    assert!(link.len() < 1_000, "{}", link.len());
}

#[tokio::test]
async fn what_is_no_name_is_refused_and_not_quoted() {
    let function = Function::start().await;
    for (name, error) in [(json!({ "s3cret": 1 }), "invalid_request"), ("s3cret".repeat(20).into(), "too_long")] {
        let body = json!({ "wa_id": CHAT, "display_name": name });
        let refused = call(&function.connect_link, link_request(&body)).await;
        assert_eq!(refused.status_code, 400);
        assert!(text(&refused).contains(&format!(r#""error":"{error}""#)), "{}", text(&refused));
        assert!(!text(&refused).contains("s3cret"), "{}", text(&refused));
    }
}

#[tokio::test]
async fn no_name_is_in_the_log() {
    let logs = Logs::capture();
    let function = Function::start().await;
    let (_, link) = page_with_name(&function, CHAT, "Lovelace-7Qm".into()).await;
    call(&function.connect_link, connect("POST", &link, &json!({}))).await;
    assert!(logs.text().contains("request served") && !logs.text().contains("Lovelace-7Qm"), "{}", logs.text());
}

#[tokio::test]
async fn an_unauthenticated_caller_gets_no_link() {
    let function = Function::start().await;
    let mut event = link_request(&json!({ "wa_id": CHAT }));
    event["requestContext"]["authorizer"].take();
    let refused = call(&function.connect_link, event).await;
    assert_eq!(refused.status_code, 403);
    assert!(text(&refused).contains(r#""error":"forbidden""#), "{}", text(&refused));
}

#[tokio::test]
async fn a_login_host_that_is_not_allowed_gets_no_link() {
    let function = Function::start().await;
    let body = json!({ "wa_id": CHAT, "login_url": "https://evil.my.salesforce.com" });
    let refused = call(&function.connect_link, link_request(&body)).await;
    assert_eq!(refused.status_code, 400);
    assert!(text(&refused).contains(r#""error":"login_url_not_allowed""#), "{}", text(&refused));
    assert!(!text(&refused).contains("evil"), "{}", text(&refused));
}

#[tokio::test]
async fn showing_a_link_a_hundred_times_asks_aws_for_nothing() {
    let function = Function::start().await;
    let link = function.link().await;
    let before = function.aws.operations();
    for method in ["GET", "HEAD"].repeat(50) {
        let shown = call(&function.connect_link, connect(method, &link, &json!({}))).await;
        assert_eq!(shown.status_code, 200);
        assert!(shown.cookies.is_empty());
        assert_eq!(shown.body.is_some(), method == "GET");
    }
    assert_eq!(function.aws.operations(), before);
}

/// Texts of many kinds that are no links of this stack.
fn garbage(link: &str) -> Vec<String> {
    let bytes = URL_SAFE_NO_PAD.decode(link).unwrap();
    let mut texts =
        vec![String::new(), "x".to_owned(), "U0VDZ2FyYmFnZQ".to_owned(), format!("{link}="), "A".repeat(20_000)];
    for number in 0..250_usize {
        let mut changed = bytes.clone();
        changed[number % bytes.len()] ^= 1 << (number % 8);
        // Of another version, of the right form, cut off, and any text.
        texts.push(URL_SAFE_NO_PAD.encode([number.to_le_bytes().as_slice(), &bytes].concat()));
        texts.push(URL_SAFE_NO_PAD.encode(changed));
        texts.push(link[..number % link.len()].to_owned());
        texts.push(format!("{number}%2F../{}", "é".repeat(number)));
    }
    texts
}

#[tokio::test]
async fn a_thousand_garbage_links_cost_no_call_of_kms_after_the_start() {
    let function = Function::start().await;
    let link = function.link().await;
    let before = function.aws.operations();
    assert_eq!(before.iter().filter(|operation| *operation == "GenerateMac").count(), 1, "{before:?}");
    let texts = garbage(&link);
    assert!(texts.len() > 1_000);
    for text in texts {
        for method in ["GET", "POST"] {
            let refused = call(&function.connect_link, connect(method, &text, &json!({}))).await;
            assert!(matches!(refused.status_code, 404 | 410), "{method} {text}: {}", refused.status_code);
        }
    }
    assert_eq!(function.aws.operations(), before);
}

#[tokio::test]
async fn what_cannot_be_a_link_is_refused_before_there_is_a_key() {
    let function = Function::start().await;
    function.aws.fail(error("DisabledException"));
    let started = function.at(|| NOW).await;
    let before = function.aws.operations();
    assert_eq!(call(&started, connect("GET", "U0VDZ2FyYmFnZQ", &json!({}))).await.status_code, 404);
    assert_eq!(function.aws.operations(), before);
}

#[tokio::test]
async fn a_link_that_was_made_before_an_upgrade_has_expired() {
    let function = Function::start().await;
    let refused = call(&function.connect_link, connect("GET", "AQICAHh2ZXJ5IG9sZCBsaW5r", &json!({}))).await;
    assert_eq!(refused.status_code, 410);
    assert!(text(&refused).contains("This link has expired"), "{}", text(&refused));
}

#[tokio::test]
async fn every_environment_opens_the_same_links() {
    let function = Function::start().await;
    let link = function.link().await;
    let another = function.at(|| NOW).await;
    assert_eq!(call(&another, connect("GET", &link, &json!({}))).await.status_code, 200);
}

#[tokio::test]
async fn a_press_too_many_starts_no_login() {
    let function = Function::start().await;
    let link = function.link().await;
    function.aws.on("UpdateItem", |_| error("ConditionalCheckFailedException"));
    let refused = call(&function.connect_link, connect("POST", &link, &json!({}))).await;
    assert_eq!(refused.status_code, 429);
    assert!(text(&refused).contains("opened too often") && refused.cookies.is_empty(), "{}", text(&refused));
    let program = connect("POST", &link, &json!({ "accept": "application/json" }));
    let refused = call(&function.connect_link, program).await;
    assert!(text(&refused).contains(r#""error":"too_many_presses""#), "{}", text(&refused));
    // One MAC is the start's.
    let calls = |operation| function.aws.requests(operation).len();
    assert_eq!(["Sign", "GenerateMac"].map(calls), [0, 1]);
}

#[tokio::test]
async fn a_press_that_cannot_be_counted_starts_a_login() {
    for outage in [error("AccessDeniedException"), Answer::Never] {
        let function = Function::start().await;
        let link = function.link().await;
        function.aws.on("UpdateItem", move |_| outage.clone());
        assert_eq!(call(&function.connect_link, connect("POST", &link, &json!({}))).await.status_code, 303);
    }
}

#[tokio::test]
async fn the_button_sends_the_browser_to_salesforce_with_a_state_that_verifies() {
    let function = Function::start().await;
    let link = function.link().await;
    let sent = call(&function.connect_link, connect("POST", &link, &json!({ "sec-fetch-site": "same-origin" }))).await;
    assert_eq!(sent.status_code, 303);
    let (address, query) = location(&sent);
    assert_eq!(address, "https://login.salesforce.com/services/oauth2/authorize");
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["client_id"], "3MVG9.client");
    assert_eq!(query["redirect_uri"], "https://abc.execute-api.us-east-1.amazonaws.com/callback");
    assert_eq!(query["scope"], "api refresh_token");
    assert_eq!(query["code_challenge_method"], "S256");

    let claims = verified(&query["state"]);
    assert_eq!(claims.wa_id.as_str(), CHAT);
    assert_eq!(claims.login_url.as_str(), "https://login.salesforce.com");
    assert_eq!(claims.expires_at, AFTER_THE_LINK);
    assert_eq!(claims.binding, Some(binding(&sent.cookies[0], &claims)));
    let mac = mac(&PkceCodeVerifier::mac_input(claims.attempt_id));
    assert_eq!(query["code_challenge"], PkceCodeVerifier::from_bytes(&mac).challenge());
    assert!(sent.cookies[0].ends_with("; Path=/; Max-Age=1800; Secure; HttpOnly; SameSite=Lax"));
}

#[tokio::test]
async fn no_cookie_of_the_browser_is_set_again() {
    let function = Function::start().await;
    let link = function.link().await;
    let planted = "k".repeat(43);
    for name in [
        "__Host-connect".to_owned(),
        "\u{2000}__Host-connect".to_owned(),
        format!("__Host-connect-{}", "09".repeat(16)),
    ] {
        let mut event = connect("POST", &link, &json!({}));
        event["cookies"] = json!([format!("{name}={planted}")]);
        let sent = call(&function.connect_link, event).await;
        let [cookie] = &sent.cookies[..] else { panic!("{:?}", sent.cookies) };
        assert!(!cookie.contains(&planted), "{cookie}");
        let claims = verified(&location(&sent).1["state"]);
        assert_eq!(claims.binding, Some(binding(cookie, &claims)));
    }
}

#[tokio::test]
async fn a_browser_with_too_many_logins_under_way_loses_the_oldest() {
    let function = Function::start().await;
    let link = function.link().await;
    let cookies: Vec<_> = (0..10).map(|number| format!("__Host-connect-{number:032x}={}", "k".repeat(43))).collect();
    let mut event = connect("POST", &link, &json!({}));
    event["cookies"] = json!(cookies);
    let sent = call(&function.connect_link, event).await;
    let [first, second, new] = &sent.cookies[..] else { panic!("{:?}", sent.cookies) };
    for (number, cleared) in [first, second].into_iter().enumerate() {
        assert!(cleared.starts_with(&format!("__Host-connect-{number:032x}=; ")) && cleared.contains("Max-Age=0"));
    }
    assert!(new.contains("Max-Age=1800"), "{new}");
}

#[tokio::test]
async fn another_site_cannot_press_the_button() {
    let function = Function::start().await;
    let link = function.link().await;
    for headers in [json!({ "sec-fetch-site": "cross-site" }), json!({ "origin": "https://evil.example" })] {
        let refused = call(&function.connect_link, connect("POST", &link, &headers)).await;
        assert_eq!(refused.status_code, 403);
        assert!(refused.cookies.is_empty() && text(&refused).contains("Another website"));
    }
    assert_eq!(function.aws.requests("Sign").len(), 0);
    assert_eq!(function.aws.requests("UpdateItem").len(), 0, "the owner's presses are not used up");
}

#[tokio::test]
async fn an_expired_link_opens_neither_page_nor_login() {
    let function = Function::start().await;
    let link = function.link().await;
    let later = function.at(|| AFTER_THE_LINK).await;
    for method in ["GET", "POST"] {
        let refused = call(&later, connect(method, &link, &json!({}))).await;
        assert_eq!(refused.status_code, 410);
        assert!(text(&refused).contains("This link has expired") && refused.cookies.is_empty());
    }
}

#[tokio::test]
async fn a_link_to_a_host_that_is_no_longer_allowed_is_refused() {
    let function = Function::start().await;
    let link = function.link().await;
    let restricted = started(&function.aws, &[("LOGIN_URLS", "https://test.salesforce.com")], || NOW).await;
    assert_eq!(call(&restricted, connect("POST", &link, &json!({}))).await.status_code, 410);
}

#[tokio::test]
async fn an_invalid_link_is_not_found() {
    let function = Function::start().await;
    let damaged = function.link().await.split_off(4);
    for link in ["not base64url!", "AAAA", &damaged] {
        let refused = call(&function.connect_link, connect("GET", link, &json!({}))).await;
        assert_eq!(refused.status_code, 404, "{link}");
        assert!(!text(&refused).contains(link), "{link}");
    }
    let wanted = json!({ "accept": "application/json" });
    let refused = call(&function.connect_link, connect("GET", "x", &wanted)).await;
    assert!(text(&refused).contains(r#""error":"unknown_link""#), "{}", text(&refused));
}

#[tokio::test]
async fn a_kms_failure_is_answered_with_try_again() {
    let function = Function::start().await;
    let link = function.link().await;
    function.aws.fail(error("DisabledException"));
    // One that has its key shows pages and makes links without KMS.
    assert_eq!(call(&function.connect_link, connect("GET", &link, &json!({}))).await.status_code, 200);
    assert_eq!(call(&function.connect_link, connect("POST", &link, &json!({}))).await.status_code, 503);
    let without_key = started(&function.aws, &[], || NOW).await;
    for event in
        [connect("GET", &link, &json!({})), connect("POST", &link, &json!({})), link_request(&json!({ "wa_id": CHAT }))]
    {
        let refused = call(&without_key, event).await;
        assert_eq!(refused.status_code, 503);
        assert!(refused.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn a_function_that_started_without_kms_works_as_soon_as_kms_does() {
    let function = Function::start().await;
    let link = function.link().await;
    function.aws.fail(error("DisabledException"));
    let started = function.at(|| NOW).await;
    function.aws.recover();
    assert_eq!(call(&started, connect("GET", &link, &json!({}))).await.status_code, 200);
    assert_eq!(call(&started, connect("POST", &link, &json!({}))).await.status_code, 303);
}

#[tokio::test]
async fn the_button_needs_the_secrets_and_the_page_does_not() {
    let function = Function::start().await;
    let link = function.link().await;
    let changed = [("SF_CLIENT_ID", ""), ("SF_CLIENT_ID_SECRET_NAME", "sf_client_id")];
    let without = started(&function.aws, &changed, || NOW).await;
    assert_eq!(call(&without, connect("GET", &link, &json!({}))).await.status_code, 200);
    let refused = call(&without, connect("POST", &link, &json!({}))).await;
    assert_eq!(refused.status_code, 503);
    assert!(refused.headers.contains_key("retry-after"));
}

/// A link whose page offers every login host, as the notifier makes it.
async fn asking_link(aws: &Server, login_url: &str) -> String {
    let config = shared::aws::config(&Settings::new(|name| setting(name, aws))).unwrap();
    let link = Link {
        asks_for_login_host: true,
        ..Link::new(
            LinkId::from_bytes([5; 16]),
            CHAT.parse().unwrap(),
            login_url.parse().unwrap(),
            NOW,
            Duration::from_mins(15),
        )
    };
    Kms::new(&config).link_key("link").await.unwrap().seal(&link, [3; NONCE_LENGTH])
}

#[tokio::test]
async fn a_link_that_asks_for_the_login_host_leads_to_the_one_that_is_chosen() {
    let function = Function::start().await;
    let link = asking_link(&function.aws, "https://login.salesforce.com").await;
    let page = call(&function.connect_link, connect("GET", &link, &json!({}))).await;
    for host in ["https://login.salesforce.com", "https://test.salesforce.com"] {
        assert!(text(&page).contains(&format!(r#"name="login_url" value="{host}""#)), "{}", text(&page));
        let pressed = press(&function, &link, &format!("login_url={host}")).await;
        let (address, query) = location(&pressed);
        assert_eq!(address, format!("{host}/services/oauth2/authorize"));
        assert_eq!(verified(&query["state"]).login_url.as_str(), host, "the code is exchanged there");
    }
}

#[tokio::test]
async fn a_host_that_is_not_offered_is_not_chosen() {
    let function = Function::start().await;
    let asking = asking_link(&function.aws, "https://login.salesforce.com").await;
    for choice in
        ["login_url=https://evil.example", "login_url=", "", "login_url=https://test.salesforce.com&login_url=x"]
    {
        let pressed = press(&function, &asking, choice).await;
        assert_eq!(location(&pressed).0, "https://login.salesforce.com/services/oauth2/authorize", "{choice}");
    }
    let plain = function.link().await;
    let pressed = press(&function, &plain, "login_url=https://test.salesforce.com").await;
    assert_eq!(location(&pressed).0, "https://login.salesforce.com/services/oauth2/authorize", "its page offers one");
}

async fn press(function: &Function, link: &str, form: &str) -> ApiGatewayV2httpResponse {
    let headers = json!({ "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded" });
    let mut event = connect("POST", link, &headers);
    event["body"] = form.into();
    call(&function.connect_link, event).await
}
