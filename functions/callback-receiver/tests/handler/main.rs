//! The whole function, with SQS and KMS behind real HTTP.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy takes for other code")]

mod confirmation;
mod following;
mod language;

use std::{pin::pin, str::FromStr as _, time::Duration};

use aws_lambda_events::{apigw::ApiGatewayV2httpResponse, encodings::Body};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use callback_receiver::{Config, Receiver};
use fakes::{
    Answer, Server,
    aws::{error, setting, state_key_pair, state_public_key},
    logs::Logs,
};
use form_urlencoded::Serializer;
use futures::future::{Either, select};
use serde_json::{Value, json};
use shared::{
    AttemptId, AuthorizationCode, LinkId, Settings, Timestamp,
    binding::BrowserSecret,
    state::{Claims, LinkOrigin, StateKey},
};

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
const CHAT: &str = "whatsapp:+15551234567";
const CODE: &str = "aPrxCODE==";
/// The attempt of the samples.
const ATTEMPT: &str = "00000000000000000000000000000007";
const SAMPLE_CODE: &str = "aPrxsmIEeqM9PiQroGEWx1UiMQd95_5JUZVEhsOFhS8EVvbfYBBJli2W5fn3zbo.8hojaNW_1g==";

/// AWS with an exchange queue that accepts everything.
async fn aws() -> Server {
    let aws = Server::start().await.with_kms();
    aws.on("SendMessage", |_| json!({ "MessageId": "m" }).into());
    aws
}

fn receiver(aws: &Server) -> Receiver {
    receiver_with(aws, &[])
}

/// A receiver with these settings in place of the usual ones.
fn receiver_with(aws: &Server, changed: &[(&str, &str)]) -> Receiver {
    let settings = Settings::new(|name| {
        if let Some((_, value)) = changed.iter().find(|(key, _)| *key == name) {
            return Some((*value).to_owned());
        }
        Some(match name {
            "STATE_POLICY" => "Signed".to_owned(),
            "BROWSER_BINDING" => "Enforce".to_owned(),
            "CHAT_PROOF" => "Off".to_owned(),
            "DEFAULT_LANGUAGE" => "en".to_owned(),
            "PROOF_MINUTES" => "10".to_owned(),
            "STATE_KEY_IDS" => "state".to_owned(),
            "STATE_PUBLIC_KEYS" => STANDARD.encode(state_public_key()),
            "EXCHANGE_QUEUE_URL" => format!("{}/queue", aws.url()),
            "LOGIN_URLS" => "https://login.salesforce.com,https://test.salesforce.com".to_owned(),
            "BOT_PHONE_NUMBER" => "+14155238886".to_owned(),
            "STACK_NAME" => "connect".to_owned(),
            _ => return setting(name, aws),
        })
    });
    Receiver::new(Config::read(&settings).unwrap(), &shared::aws::config(&settings).unwrap(), || NOW)
}

/// A receiver whose logins are confirmed in their chat.
fn proving(aws: &Server) -> Receiver {
    receiver_with(aws, &[("CHAT_PROOF", "Required")])
}

fn sample(name: &str) -> Value {
    let path = format!("{}/../../events/callback-{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn encoded(parameters: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// The sample with these parameters in its query.
fn get(parameters: &[(&str, &str)]) -> Value {
    let mut event = sample("get");
    event["rawQueryString"] = encoded(parameters).into();
    event
}

/// The claims in the states of the samples, for the browser of the samples.
fn claims() -> Claims {
    let attempt_id = AttemptId::from_str(ATTEMPT).unwrap();
    Claims {
        link: None,
        attempt_id,
        wa_id: CHAT.parse().unwrap(),
        expires_at: NOW.plus(Duration::from_mins(15)),
        login_url: "https://login.salesforce.com".parse().unwrap(),
        binding: Some(BrowserSecret::from_random(&[0; 32]).binding(attempt_id)),
    }
}

fn signed(claims: Claims) -> String {
    let unsigned = claims.unsigned(StateKey::from_der(&state_public_key()).unwrap().id());
    let signature = state_key_pair().sign(&unsigned.message());
    unsigned.with_signature(signature.as_ref().try_into().unwrap())
}

/// The state in an event's query.
fn state_of(event: &Value) -> String {
    let query = event["rawQueryString"].as_str().unwrap().as_bytes();
    form_urlencoded::parse(query).find(|(name, _)| name == "state").unwrap().1.into_owned()
}

async fn call(receiver: &Receiver, event: &Value) -> ApiGatewayV2httpResponse {
    receiver.handle(&serde_json::from_value(event.clone()).unwrap()).await
}

fn text(response: &ApiGatewayV2httpResponse) -> &str {
    match &response.body {
        Some(Body::Text(text)) => text,
        other => panic!("no text: {other:?}"),
    }
}

/// The claims of a login that a link's button began, in the browser of the samples.
fn link_claims() -> Claims {
    let origin =
        LinkOrigin { link_id: LinkId::from_bytes([8; 16]), issued_at: NOW, has_reference: false, language: None };
    Claims { link: Some(origin), ..claims() }
}

/// The browser's cookie, as it sends it back.
fn cookie(claims: &Claims) -> String {
    format!("{}={}", claims.cookie_name(), "A".repeat(43))
}

/// A callback with these parameters and the signed state, from the browser that pressed the button.
fn callback(claims: Claims, parameters: &[(&str, &str)]) -> Value {
    let cookie = cookie(&claims);
    let state = signed(claims);
    let mut event = get(&[parameters, &[("state", &state)]].concat());
    event["cookies"] = json!([cookie]);
    event
}

/// The one message that is queued; the exchanger receives it later.
fn only_refusal(aws: &Server) -> Value {
    assert_eq!(aws.only_request("SendMessage").json()["DelaySeconds"], 10);
    queued(aws).remove(0)
}

/// The status and the `error` of a program's answer.
async fn refusal(receiver: &Receiver, mut event: Value) -> (i64, String) {
    event["headers"]["accept"] = "application/json".into();
    let response = call(receiver, &event).await;
    let body: Value = serde_json::from_str(text(&response)).unwrap();
    (response.status_code, body["error"].as_str().unwrap_or_default().to_owned())
}

fn queued(aws: &Server) -> Vec<Value> {
    let bodies = aws.requests("SendMessage").into_iter().map(|request| request.json()["MessageBody"].clone());
    bodies.map(|body| serde_json::from_str(body.as_str().unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn a_code_is_queued_with_what_its_exchange_needs() {
    let aws = aws().await;
    let response = call(&receiver(&aws), &sample("get")).await;
    assert_eq!(response.status_code, 200);
    let expected = json!({
        "v": 2,
        "state": state_of(&sample("get")),
        "received_at": NOW.millis(),
        "code": SAMPLE_CODE,
    });
    assert_eq!(queued(&aws), [expected]);
    assert_eq!(aws.only_request("SendMessage").json()["QueueUrl"], format!("{}/queue", aws.url()));
    assert_eq!(aws.operations(), ["SendMessage"], "nothing else is asked of AWS");
}

#[tokio::test]
async fn a_code_sends_the_person_back_to_whatsapp() {
    let response = call(&receiver(&aws().await), &sample("get")).await;
    assert_eq!(response.headers["content-type"], "text/html; charset=utf-8");
    let page = text(&response);
    assert!(page.contains("Almost done: go back to WhatsApp") && page.contains("https://wa.me/14155238886"), "{page}");
}

#[tokio::test]
async fn a_program_gets_the_attempts_id_as_json() {
    let mut event = sample("get");
    event["headers"]["accept"] = "application/json, */*;q=0.5".into();
    let response = call(&receiver(&aws().await), &event).await;
    assert_eq!(response.headers["content-type"], "application/json");
    let body: Value = serde_json::from_str(text(&response)).unwrap();
    assert_eq!(body, json!({ "status": "accepted", "attempt_id": ATTEMPT }));
}

#[tokio::test]
async fn a_denial_is_queued_and_explained() {
    let aws = aws().await;
    let response = call(&receiver(&aws), &sample("denied")).await;
    assert_eq!(response.status_code, 400);
    assert!(text(&response).contains("Not connected"));
    let [message] = &queued(&aws)[..] else { panic!("one message") };
    let denied = json!({ "error": "access_denied", "error_description": "end-user denied authorization" });
    assert_eq!(message["denied"], denied);
    assert_eq!(message["state"], state_of(&sample("denied")));
    assert_eq!(message.get("code"), None);
}

#[tokio::test]
async fn a_denial_is_an_error_to_a_program() {
    let denied = refusal(&receiver(&aws().await), sample("denied")).await;
    assert_eq!(denied, (400, "access_denied".to_owned()));
}

#[tokio::test]
async fn an_unusual_error_is_queued_as_unknown() {
    let aws = aws().await;
    call(&receiver(&aws), &get(&[("error", "<b>no</b>"), ("state", &signed(claims()))])).await;
    assert_eq!(queued(&aws)[0]["denied"], json!({ "error": "unknown", "error_description": "<b>no</b>" }));
}

#[tokio::test]
async fn what_salesforce_says_of_an_error_is_queued_in_plain_characters() {
    let aws = aws().await;
    let said =
        [("error", "invalid_grant: the user\u{2019}s org"), ("error_description", "isn\u{2019}t\u{a0}active\u{202e}")];
    call(&receiver(&aws), &get(&[said[0], said[1], ("state", &signed(claims()))])).await;
    let queued = &queued(&aws)[0]["denied"];
    assert_eq!(queued, &json!({"error": "invalid_grant", "error_description": "the user's org isn't active"}));
}

#[tokio::test]
async fn a_posted_form_is_accepted_like_a_query() {
    let aws = aws().await;
    let response = call(&receiver(&aws), &sample("post")).await;
    assert_eq!(response.status_code, 200);
    assert_eq!(queued(&aws)[0]["code"], SAMPLE_CODE);
}

#[tokio::test]
async fn a_post_may_have_its_parameters_in_the_query() {
    let aws = aws().await;
    let mut event = sample("post");
    event["rawQueryString"] = sample("get")["rawQueryString"].take();
    event["body"] = Value::Null;
    assert_eq!(call(&receiver(&aws), &event).await.status_code, 200);
    assert_eq!(queued(&aws)[0]["code"], SAMPLE_CODE);
}

#[tokio::test]
async fn a_post_may_have_some_in_the_query_and_some_in_the_form() {
    let aws = aws().await;
    let mut event = sample("post");
    event["rawQueryString"] = encoded(&[("state", &signed(claims()))]).into();
    event["body"] = encoded(&[("code", CODE)]).into();
    event["isBase64Encoded"] = false.into();
    assert_eq!(call(&receiver(&aws), &event).await.status_code, 200);
    assert_eq!(queued(&aws)[0]["code"], CODE);
}

#[tokio::test]
async fn a_duplicate_parameter_is_refused() {
    for twice in ["code", "error", "iss"] {
        let aws = aws().await;
        let event = callback(link_claims(), &[("code", CODE), (twice, "x"), (twice, "x")]);
        assert_eq!(refusal(&receiver(&aws), event).await, (400, "duplicate_parameter".to_owned()), "{twice}");
        assert_eq!(only_refusal(&aws)["refused"], "invalid_callback", "{twice}");
    }
    let aws = aws().await;
    let mut in_query_and_form = sample("post");
    in_query_and_form["rawQueryString"] = encoded(&[("code", "x"), ("error", "x")]).into();
    assert_eq!(refusal(&receiver(&aws), in_query_and_form).await, (400, "duplicate_parameter".to_owned()));
    assert_eq!(only_refusal(&aws)["refused"], "invalid_callback");
}

#[tokio::test]
async fn two_states_say_whose_neither_is() {
    let aws = aws().await;
    let state = signed(Claims { attempt_id: AttemptId::from_bytes([7; 16]), ..claims() });
    let mut in_query_and_form = sample("post");
    in_query_and_form["rawQueryString"] = encoded(&[("state", &state)]).into();
    for event in [in_query_and_form, callback(link_claims(), &[("code", CODE), ("state", &state)])] {
        assert_eq!(refusal(&receiver(&aws), event).await, (400, "duplicate_parameter".to_owned()));
    }
    assert!(queued(&aws).is_empty());
}

#[tokio::test]
async fn one_state_that_comes_twice_still_says_whose_login_it_is() {
    let aws = aws().await;
    let event = callback(link_claims(), &[("code", CODE), ("state", &signed(link_claims()))]);
    assert_eq!(refusal(&receiver(&aws), event).await, (400, "duplicate_parameter".to_owned()));
    assert_eq!(only_refusal(&aws)["refused"], "invalid_callback");
}

#[tokio::test]
async fn an_empty_error_beside_a_code_is_none() {
    let aws = aws().await;
    let event = callback(link_claims(), &[("error", ""), ("code", CODE), ("error_description", "")]);
    assert_eq!(call(&receiver(&aws), &event).await.status_code, 200);
    assert_eq!(queued(&aws)[0]["code"], CODE);
}

#[tokio::test]
async fn a_callback_without_a_state_is_refused() {
    let aws = aws().await;
    for event in [get(&[("code", CODE)]), get(&[("code", CODE), ("state", "")]), get(&[])] {
        assert_eq!(refusal(&receiver(&aws), event).await, (400, "missing_state".to_owned()));
    }
    assert!(queued(&aws).is_empty());
}

#[tokio::test]
async fn a_callback_without_a_usable_code_leaves_a_message() {
    for parameters in [&[][..], &[("code", "")], &[("code", "\u{1}")], &[("error_description", "x")]] {
        let aws = aws().await;
        let event = callback(link_claims(), parameters);
        let state = state_of(&event);
        assert_eq!(refusal(&receiver(&aws), event).await, (400, "missing_code".to_owned()));
        let expected = json!({ "v": 2, "state": state, "received_at": NOW.millis(), "refused": "invalid_callback" });
        assert_eq!(only_refusal(&aws), expected, "{parameters:?}");
    }
}

#[tokio::test]
async fn a_callback_that_is_too_long_leaves_a_message() {
    for length in [5_000, 20_000] {
        let aws = aws().await;
        let event = callback(link_claims(), &[("code", &"c".repeat(length))]);
        assert_eq!(refusal(&receiver(&aws), event).await, (400, "too_long".to_owned()));
        assert_eq!(only_refusal(&aws)["refused"], "invalid_callback", "{length}");
    }
}

#[tokio::test]
async fn a_plain_state_is_refused_where_states_are_signed() {
    let aws = aws().await;
    assert_eq!(refusal(&receiver(&aws), sample("plain")).await, (400, "invalid_state".to_owned()));
    assert!(queued(&aws).is_empty());
}

#[tokio::test]
async fn a_plain_state_is_accepted_where_the_operator_says_so() {
    let aws = aws().await;
    let receiver = receiver_with(&aws, &[("STATE_POLICY", "AcceptPlain")]);
    let mut event = sample("plain");
    event["headers"]["accept"] = "application/json".into();
    let response = call(&receiver, &event).await;
    let [message] = &queued(&aws)[..] else { panic!("one message") };
    assert_eq!(message["state"], format!("wa:{CHAT}"));
    let attempt_id = AttemptId::of_code(&AuthorizationCode::parse(SAMPLE_CODE.to_owned()).unwrap());
    let body: Value = serde_json::from_str(text(&response)).unwrap();
    assert_eq!(body["attempt_id"], attempt_id.to_string());
}

#[tokio::test]
async fn a_signed_state_is_accepted_under_either_policy() {
    let aws = aws().await;
    let receiver = receiver_with(&aws, &[("STATE_POLICY", "AcceptPlain")]);
    assert_eq!(call(&receiver, &sample("get")).await.status_code, 200);
    assert_eq!(queued(&aws)[0]["code"], SAMPLE_CODE);
}

#[tokio::test]
async fn a_state_that_was_changed_is_refused() {
    let aws = aws().await;
    let state = signed(claims()).replace("15551234567", "15557654321");
    let refused = refusal(&receiver(&aws), get(&[("code", CODE), ("state", &state)])).await;
    assert_eq!(refused, (400, "invalid_state".to_owned()));
    assert!(queued(&aws).is_empty());
}

#[tokio::test]
async fn a_state_in_no_known_form_is_refused() {
    let aws = aws().await;
    let refused = refusal(&receiver(&aws), get(&[("code", CODE), ("state", "wa:nobody~x")])).await;
    assert_eq!(refused, (400, "invalid_state".to_owned()));
    assert!(queued(&aws).is_empty());
}

#[tokio::test]
async fn an_expired_state_leaves_a_message() {
    for (name, value) in [("code", CODE), ("error", "access_denied"), ("x", "y")] {
        let aws = aws().await;
        let event = callback(Claims { expires_at: NOW, ..link_claims() }, &[(name, value)]);
        assert_eq!(refusal(&receiver(&aws), event.clone()).await, (400, "expired_state".to_owned()));
        assert_eq!(only_refusal(&aws)["refused"], "expired_state");
        assert!(text(&call(&receiver(&aws), &event).await).contains("This login took too long"));
    }
}

#[tokio::test]
async fn another_browser_is_refused_and_leaves_a_message() {
    let (old, new) = (claims(), link_claims());
    let another = Claims { attempt_id: AttemptId::from_bytes([9; 16]), ..link_claims() };
    for (claims, cookies) in [
        (&old, json!([])),
        (&old, json!([format!("__Host-connect={}", "B".repeat(43))])),
        (&old, json!([cookie(&new)])),
        (&new, json!([])),
        (&new, json!([cookie(&old), cookie(&another)])),
        (&new, json!([cookie(&new).replace('A', "B")])),
    ] {
        let aws = aws().await;
        let mut event = callback(claims.clone(), &[("code", CODE)]);
        event["cookies"] = cookies.clone();
        assert_eq!(refusal(&receiver(&aws), event.clone()).await, (400, "wrong_browser".to_owned()), "{cookies}");
        assert_eq!(only_refusal(&aws)["refused"], "wrong_browser");
        assert!(text(&call(&receiver(&aws), &event).await).contains("Please finish where you began"));
    }
}

/// As an attacker would plant it from a sibling domain, in a browser that refuses it under our own name.
#[tokio::test]
async fn a_planted_cookie_that_looks_like_ours_is_another_browsers() {
    let aws = aws().await;
    for claims in [claims(), link_claims()] {
        let right = cookie(&claims);
        for odd in ["\u{2000}", "\u{a0}", "\u{85}", "\u{3000}", "\u{feff}", "\u{b}", "\0", "\""] {
            let mut event = callback(claims.clone(), &[("code", CODE)]);
            event["cookies"] = json!([format!("{odd}{right}")]);
            let mut in_header = event.clone();
            in_header["cookies"] = json!([]);
            if !odd.contains(char::is_control) {
                in_header["headers"]["cookie"] = format!("theme=dark; {odd}{right}").into();
            }
            for event in [event, in_header] {
                assert_eq!(refusal(&receiver(&aws), event).await, (400, "wrong_browser".to_owned()), "{odd:?}");
            }
        }
    }
}

#[tokio::test]
async fn two_cookies_of_a_login_are_another_browsers() {
    let aws = aws().await;
    for claims in [claims(), link_claims()] {
        let right = cookie(&claims);
        for other in [right.clone(), right.replace('A', "B"), format!("{}=x", claims.cookie_name())] {
            for cookies in [[&right, &other], [&other, &right]] {
                let mut event = callback(claims.clone(), &[("code", CODE)]);
                event["cookies"] = json!(cookies);
                assert_eq!(refusal(&receiver(&aws), event).await, (400, "wrong_browser".to_owned()), "{cookies:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_cookie_is_cleared_once_the_code_is_queued() {
    let aws = aws().await;
    for claims in [claims(), link_claims()] {
        let cleared = format!("{}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax", claims.cookie_name());
        let response = call(&receiver(&aws), &callback(claims.clone(), &[("code", CODE)])).await;
        assert_eq!(response.cookies[0], cleared);
        let used = format!("__Host-used-{}=", claims.attempt_id);
        assert!(response.cookies[1].starts_with(&used) && response.cookies.len() == 2, "{:?}", response.cookies);
    }
}

/// What a browser sends back of an answer's cookies.
fn kept(response: &ApiGatewayV2httpResponse) -> Vec<String> {
    let pairs = response.cookies.iter().map(|cookie| cookie.split(';').next().unwrap());
    pairs.filter(|pair| !pair.ends_with('=')).map(str::to_owned).collect()
}

/// The same callback, from a browser with these cookies.
fn with_cookies(mut event: Value, cookies: &[String]) -> Value {
    event["cookies"] = json!(cookies);
    event
}

#[tokio::test]
async fn the_page_that_is_loaded_again_is_the_same_and_nothing_more_happens() {
    for claims in [claims(), link_claims()] {
        let aws = aws().await;
        let event = callback(claims.clone(), &[("code", CODE)]);
        let first = call(&receiver(&aws), &event).await;
        let again = with_cookies(event, &kept(&first));
        for late in [false, true] {
            // A tab that is restored after the login's time has the same page.
            let event = if late {
                let expired = callback(Claims { expires_at: NOW, ..claims.clone() }, &[("code", CODE)]);
                with_cookies(expired, &kept(&first))
            } else {
                again.clone()
            };
            let response = call(&receiver(&aws), &event).await;
            assert_eq!((response.status_code, text(&response)), (200, text(&first)), "{late}");
            assert!(response.cookies.is_empty(), "{late}");
        }
        assert_eq!(queued(&aws).len(), 1);
    }
}

#[tokio::test]
async fn another_code_of_a_used_login_is_told_truly_here_and_in_the_chat() {
    let aws = aws().await;
    let first = call(&receiver(&aws), &callback(link_claims(), &[("code", CODE)])).await;
    let event = with_cookies(callback(link_claims(), &[("code", "another")]), &kept(&first));
    let second = call(&receiver(&aws), &event).await;
    assert_eq!(second.status_code, 400);
    assert!(text(&second).contains("This login was used already"), "{}", text(&second));
    assert!(!text(&second).contains("another browser"), "{}", text(&second));
    let message = queued(&aws).pop().unwrap();
    assert_eq!((&message["refused"], &message["used"]), (&json!("wrong_browser"), &json!(true)));
    let sha256 = AuthorizationCode::parse("another".to_owned()).unwrap().sha256();
    assert_eq!(message["code_sha256"], json!(sha256));
    assert!(message.get("code").is_none(), "no code of an unproven browser is on the queue");
}

#[tokio::test]
async fn a_denial_after_an_approval_in_the_same_browser_changes_nothing() {
    let aws = aws().await;
    let first = call(&receiver(&aws), &callback(link_claims(), &[("code", CODE)])).await;
    for cookies in [kept(&first), vec![format!("{}x", kept(&first)[0])]] {
        let event = with_cookies(callback(link_claims(), &[("error", "access_denied")]), &cookies);
        let response = call(&receiver(&aws), &event).await;
        assert_eq!(response.status_code, 400);
        assert!(text(&response).contains("This login was used already"), "{}", text(&response));
        assert!(!text(&response).contains("another browser"), "{}", text(&response));
    }
    assert_eq!(queued(&aws).len(), 1, "the code alone");
}

#[tokio::test]
async fn a_refused_callback_says_which_code_it_brought() {
    let aws = aws().await;
    let event = with_cookies(callback(link_claims(), &[("code", CODE)]), &[]);
    assert_eq!(refusal(&receiver(&aws), event).await, (400, "wrong_browser".to_owned()));
    let message = only_refusal(&aws);
    assert_eq!(message["code_sha256"], json!(AuthorizationCode::parse(CODE.to_owned()).unwrap().sha256()));
    assert!(message.get("used").is_none());
}

/// Whoever plants it, from a sibling host or another way, connects nobody by it.
#[tokio::test]
async fn a_planted_cookie_of_a_used_login_changes_words_and_nothing_else() {
    let used = |code_sha256: &str| format!("__Host-used-{}={code_sha256}", link_claims().attempt_id);
    let own = used(&AuthorizationCode::parse(CODE.to_owned()).unwrap().sha256());
    for planted in [own.clone(), used("other"), used(""), used(&"A".repeat(43))] {
        let aws = aws().await;
        let event = callback(link_claims(), &[("code", CODE)]);
        // Without the browser's secret no code is queued, whatever the cookie says.
        call(&receiver(&aws), &with_cookies(event.clone(), std::slice::from_ref(&planted))).await;
        assert!(queued(&aws).iter().all(|message| message.get("code").is_none()), "{planted}");
        // With it, it is.
        let response = call(&receiver(&aws), &with_cookies(event, &[planted.clone(), cookie(&link_claims())])).await;
        assert_eq!(response.status_code, 200, "{planted}");
        assert_eq!(queued(&aws).pop().unwrap()["code"], CODE, "{planted}");
    }
    // Another login's says nothing of this one, and no cookie says that a forged state is genuine.
    let aws = aws().await;
    let other = own.replace(&link_claims().attempt_id.to_string(), &"9".repeat(32));
    let event = callback(link_claims(), &[("code", CODE)]);
    assert_eq!(refusal(&receiver(&aws), with_cookies(event, &[other])).await.1, "wrong_browser");
    let mut forged = get(&[("code", CODE), ("state", &format!("{}x", signed(link_claims())))]);
    forged["cookies"] = json!([own]);
    assert_eq!(refusal(&receiver(&aws), forged).await.1, "invalid_state");
}

#[tokio::test]
async fn a_person_who_denied_may_go_back_and_allow() {
    let aws = aws().await;
    for claims in [claims(), link_claims()] {
        for error in ["access_denied", "server_error"] {
            let denied = call(&receiver(&aws), &callback(claims.clone(), &[("error", error)])).await;
            assert_eq!(denied.status_code, 400);
            assert!(denied.cookies.is_empty(), "{error}");
        }
    }
}

#[tokio::test]
async fn the_cookie_stays_as_long_as_a_reload_needs_it() {
    let aws = aws().await;
    let event = callback(link_claims(), &[("code", CODE)]);
    aws.next("SendMessage", error("AccessDenied"));
    let unavailable = call(&receiver(&aws), &event).await;
    assert_eq!((unavailable.status_code, unavailable.cookies), (503, Vec::new()));
    let refused = call(&receiver(&aws), &callback(link_claims(), &[])).await;
    assert!(refused.cookies.is_empty(), "the right callback may still come");
    assert_eq!(call(&receiver(&aws), &event).await.status_code, 200);
}

#[tokio::test]
async fn a_refusal_that_cannot_be_queued_is_answered_by_a_page_to_reload() {
    let logs = Logs::capture();
    let aws = aws().await;
    let attempt_id = AttemptId::from_bytes([0xc2; 16]);
    let binding = Some(BrowserSecret::from_random(&[0; 32]).binding(attempt_id));
    let event = callback(Claims { attempt_id, binding, ..link_claims() }, &[]);
    aws.next("SendMessage", error("AccessDenied"));
    assert_reload_works(&call(&receiver(&aws), &event).await);
    let text = logs.text();
    let warning = text.lines().find(|line| line.contains(&attempt_id.to_string())).unwrap();
    assert!(warning.contains("WARN") && warning.contains(r#""message":"refusal not queued""#), "{warning}");
    assert_eq!(refusal(&receiver(&aws), event).await, (400, "missing_code".to_owned()));
    let queued = queued(&aws);
    assert_eq!(queued.last().unwrap()["refused"], "invalid_callback");
}

#[tokio::test]
async fn a_refused_plain_state_leaves_nothing() {
    let aws = aws().await;
    let receiver = receiver_with(&aws, &[("STATE_POLICY", "AcceptPlain")]);
    for parameters in [&[("code", "")][..], &[("error_description", "x")], &[("code", "a"), ("code", "b")]] {
        let event = get(&[parameters, &[("state", "wa:whatsapp:+15551234567")]].concat());
        assert_eq!(call(&receiver, &event).await.status_code, 400, "{parameters:?}");
    }
    assert!(queued(&aws).is_empty());
}

#[tokio::test]
async fn a_refusal_that_the_queue_does_not_answer_is_answered_in_time() {
    let aws = aws().await;
    aws.on("SendMessage", |_| Answer::Never);
    let (receiver, event) = (receiver(&aws), callback(link_claims(), &[]));
    let call = pin!(call(&receiver, &event));
    let sent = pin!(async {
        while aws.requests("SendMessage").is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let Either::Right(((), call)) = select(call, sent).await else { panic!("answered without a message") };
    // From here on every timer fires at once.
    tokio::time::pause();
    assert_reload_works(&call.await);
}

#[tokio::test]
async fn a_request_that_waits_for_kms_and_the_queue_has_one_deadline() {
    let aws = aws().await;
    aws.on("GetPublicKey", |_| Answer::Never);
    let receiver = receiver_with(&aws, &[("STATE_PUBLIC_KEYS", ""), ("STATE_KEY_IDS", "one,two,three")]);
    let event = sample("get");
    let call = pin!(call(&receiver, &event));
    let sent = pin!(async {
        while aws.requests("GetPublicKey").is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let Either::Right(((), call)) = select(call, sent).await else { panic!("answered without a key") };
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    assert_reload_works(&call.await);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn another_browser_is_accepted_with_a_warning_where_the_binding_is_observed() {
    let logs = Logs::capture();
    let aws = aws().await;
    let attempt_id = AttemptId::from_bytes([0xb0; 16]);
    let binding = Some(BrowserSecret::from_random(&[0; 32]).binding(attempt_id));
    let state = signed(Claims { attempt_id, binding, ..claims() });
    let mut event = get(&[("code", CODE), ("state", &state)]);
    event["cookies"] = json!([]);
    let receiver = receiver_with(&aws, &[("BROWSER_BINDING", "Observe")]);
    assert_eq!(call(&receiver, &event).await.status_code, 200);
    assert_eq!(queued(&aws)[0]["state"], state);
    let text = logs.text();
    let mut warnings = text.lines().filter(|line| line.contains("WARN") && line.contains(&attempt_id.to_string()));
    assert!(warnings.next().unwrap().contains("callback from another browser, allowed by configuration"), "{text}");
}

#[tokio::test]
async fn one_right_cookie_among_others_is_enough() {
    let aws = aws().await;
    for claims in [claims(), link_claims()] {
        let other = Claims { attempt_id: AttemptId::from_bytes([9; 16]), ..link_claims() };
        let cookies =
            ["theme=dark".to_owned(), cookie(&other), cookie(&claims), format!("\u{2000}{}", cookie(&claims))];
        let mut event = callback(claims, &[("code", CODE)]);
        event["cookies"] = json!(cookies);
        assert_eq!(call(&receiver(&aws), &event).await.status_code, 200);
    }
}

#[tokio::test]
async fn a_state_without_a_binding_needs_no_cookie() {
    let aws = aws().await;
    let mut event = get(&[("code", CODE), ("state", &signed(Claims { binding: None, ..claims() }))]);
    event["cookies"] = json!([]);
    assert_eq!(call(&receiver(&aws), &event).await.status_code, 200);
}

#[tokio::test]
async fn an_issuer_that_is_another_login_host_is_refused() {
    let aws = aws().await;
    let event = callback(link_claims(), &[("code", CODE), ("iss", "https://test.salesforce.com")]);
    assert_eq!(refusal(&receiver(&aws), event).await, (400, "invalid_state".to_owned()));
    assert_eq!(only_refusal(&aws)["refused"], "invalid_callback");
}

/// Salesforce may name the org's own domain.
#[tokio::test]
async fn an_issuer_that_is_no_login_host_is_accepted_with_a_warning() {
    let logs = Logs::capture();
    let aws = aws().await;
    for (number, issuer) in ["https://acme.my.salesforce.com", "login.salesforce.com", "acme"].into_iter().enumerate() {
        let attempt_id = AttemptId::from_bytes([0xd0 + u8::try_from(number).unwrap(); 16]);
        let binding = None;
        let event = callback(Claims { attempt_id, binding, ..link_claims() }, &[("code", CODE), ("iss", issuer)]);
        assert_eq!(call(&receiver(&aws), &event).await.status_code, 200, "{issuer}");
        let text = logs.text();
        let of_attempt = |line: &&str| line.contains("WARN") && line.contains(&attempt_id.to_string());
        assert_eq!(text.lines().filter(of_attempt).count(), 1, "{issuer}: {text}");
    }
    let event = callback(link_claims(), &[("code", CODE), ("iss", "https://login.salesforce.com")]);
    assert_eq!(call(&receiver(&aws), &event).await.status_code, 200);
}

#[tokio::test]
async fn head_is_answered_with_headers_alone_and_queues_nothing() {
    let aws = aws().await;
    let mut event = sample("get");
    event["requestContext"]["http"]["method"] = "HEAD".into();
    let response = call(&receiver(&aws), &event).await;
    assert_eq!((response.status_code, response.body), (200, None));
    assert_eq!(response.headers["content-type"], "text/html; charset=utf-8");
    assert!(aws.operations().is_empty());
}

/// The response is the page that asks for a reload.
fn assert_reload_works(response: &ApiGatewayV2httpResponse) {
    assert_eq!(response.status_code, 503);
    assert_eq!(response.headers["retry-after"], "5");
    let page = text(response);
    assert!(page.contains("reload this page"), "{page}");
    assert!(!page.contains("replaceState"), "the address keeps its query: {page}");
}

#[tokio::test]
async fn a_queue_that_refuses_makes_a_page_to_reload() {
    let aws = aws().await;
    let receiver = receiver(&aws);
    aws.next("SendMessage", error("AccessDenied"));
    assert_reload_works(&call(&receiver, &sample("get")).await);
    assert_eq!(call(&receiver, &sample("get")).await.status_code, 200);
}

#[tokio::test]
async fn a_queue_that_hangs_makes_a_page_to_reload() {
    let aws = aws().await;
    aws.on("SendMessage", |_| Answer::Never);
    let (receiver, event) = (receiver(&aws), sample("get"));
    let call = pin!(call(&receiver, &event));
    let sent = pin!(async {
        while aws.requests("SendMessage").is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let Either::Right(((), call)) = select(call, sent).await else { panic!("answered without a message") };
    // From here on every timer fires at once.
    tokio::time::pause();
    assert_reload_works(&call.await);
}

#[tokio::test]
async fn a_call_whose_connection_breaks_is_retried() {
    let aws = aws().await;
    aws.next("SendMessage", Answer::Lost);
    assert_eq!(call(&receiver(&aws), &sample("get")).await.status_code, 200);
    assert_eq!(aws.requests("SendMessage").len(), 2);
}

#[tokio::test]
async fn a_200_that_names_no_message_is_not_taken_for_the_queues() {
    let aws = aws().await;
    for answer in [json!({}), json!({ "ok": true })] {
        aws.next("SendMessage", answer);
        assert_eq!(call(&receiver(&aws), &sample("get")).await.status_code, 503);
    }
    assert_eq!(call(&receiver(&aws), &sample("get")).await.status_code, 200);
}

#[tokio::test]
async fn a_program_is_told_that_a_fault_is_temporary() {
    let aws = aws().await;
    aws.fail(error("AccessDenied"));
    let refused = refusal(&receiver(&aws), sample("get")).await;
    assert_eq!(refused, (503, "temporarily_unavailable".to_owned()));
}

#[tokio::test]
async fn the_public_key_is_fetched_once_where_the_settings_hold_none() {
    let aws = aws().await;
    let receiver = receiver_with(&aws, &[("STATE_PUBLIC_KEYS", "")]);
    for _ in 0..2 {
        assert_eq!(call(&receiver, &sample("get")).await.status_code, 200);
    }
    assert_eq!(aws.only_request("GetPublicKey").json()["KeyId"], "state");
}

#[tokio::test]
async fn the_public_key_is_fetched_where_the_settings_hold_an_older_one() {
    let aws = aws().await;
    let older = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    let receiver = receiver_with(&aws, &[("STATE_PUBLIC_KEYS", older)]);
    assert_eq!(call(&receiver, &sample("get")).await.status_code, 200);
    assert_eq!(aws.requests("GetPublicKey").len(), 1);
}

#[tokio::test]
async fn without_a_public_key_a_callback_can_be_reloaded_until_kms_answers() {
    let aws = aws().await;
    let receiver = receiver_with(&aws, &[("STATE_PUBLIC_KEYS", "")]);
    aws.next("GetPublicKey", error("AccessDeniedException"));
    assert_reload_works(&call(&receiver, &sample("get")).await);
    assert!(queued(&aws).is_empty());
    assert_eq!(call(&receiver, &sample("get")).await.status_code, 200);
}

#[tokio::test]
async fn warming_up_fetches_the_public_key_and_queues_nothing() {
    let aws = aws().await;
    let receiver = receiver_with(&aws, &[("STATE_PUBLIC_KEYS", "")]);
    receiver.warm_up().await;
    assert_eq!(aws.operations(), ["GetPublicKey"]);
    assert_eq!(call(&receiver, &sample("get")).await.status_code, 200);
    assert_eq!(aws.operations(), ["GetPublicKey", "SendMessage"]);
}

#[tokio::test]
async fn warming_up_needs_nothing_to_work() {
    let aws = aws().await;
    let receiver = receiver_with(&aws, &[("STATE_PUBLIC_KEYS", "")]);
    aws.fail(error("AccessDeniedException"));
    receiver.warm_up().await;
    aws.recover();
    assert_eq!(call(&receiver, &sample("get")).await.status_code, 200);
}

/// A callback for each kind of answer.
fn every_kind() -> Vec<Value> {
    let expired = signed(Claims { expires_at: NOW, ..claims() });
    let mut head = sample("get");
    head["requestContext"]["http"]["method"] = "HEAD".into();
    let mut elsewhere = sample("get");
    elsewhere["cookies"] = json!([]);
    let mut delete = sample("get");
    delete["requestContext"]["http"]["method"] = "DELETE".into();
    let queries = [
        get(&[]),
        get(&[("state", &signed(claims()))]),
        get(&[("code", CODE), ("state", "x")]),
        get(&[("code", CODE), ("code", CODE), ("state", "x")]),
        get(&[("code", CODE), ("state", &expired)]),
        get(&[("code", &"c".repeat(5_000)), ("state", &signed(claims()))]),
    ];
    let samples = ["get", "denied", "post", "plain"].map(sample);
    samples.into_iter().chain(queries).chain([head, elsewhere, delete]).collect()
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let aws = aws().await;
    let receivers = [receiver(&aws), proving(&aws)];
    for (queue_works, receiver) in [(true, 0), (true, 1), (false, 0), (false, 1)] {
        if !queue_works {
            aws.fail(error("AccessDenied"));
        }
        for (mut event, accept) in every_kind()
            .into_iter()
            .flat_map(|event| ["text/html", "application/json"].map(|accept| (event.clone(), accept)))
        {
            event["headers"]["accept"] = accept.into();
            let headers = call(&receivers[receiver], &event).await.headers;
            assert!(headers["content-type"].to_str().unwrap().starts_with(accept), "{event}");
            assert_eq!(headers["cache-control"], "no-store", "{event}");
            assert_eq!(headers["referrer-policy"], "no-referrer", "{event}");
            assert_eq!(headers["x-content-type-options"], "nosniff", "{event}");
            assert!(headers.contains_key("strict-transport-security"), "{event}");
            assert_eq!(headers["cross-origin-opener-policy"], "same-origin", "{event}");
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'") && policy.contains("form-action 'none'"), "{event}");
        }
    }
}

#[tokio::test]
async fn nothing_of_the_request_is_in_any_answer() {
    const MARK: &str = "x7Qm<script>";
    let aws = aws().await;
    let receivers = [receiver(&aws), proving(&aws)];
    let state = signed(claims());
    let mut events = vec![
        get(&[("code", "x7Qm"), ("state", &state), ("scope", MARK)]),
        get(&[("error", "x7Qm"), ("error_description", MARK), ("error_uri", MARK), ("state", &state)]),
        get(&[("code", "x7Qm"), ("state", &state), ("iss", MARK)]),
        get(&[("code", "x7Qm"), ("state", MARK)]),
        get(&[("code", "x7Qm"), ("state", "wa:whatsapp:+15551234567")]),
        get(&[(MARK, MARK)]),
    ];
    for event in &mut events {
        for header in ["host", "user-agent", "referer", "origin", "x-forwarded-host"] {
            event["headers"][header] = "x7Qm".into();
        }
        event["rawPath"] = MARK.into();
    }
    for queue_works in [true, false] {
        if !queue_works {
            aws.fail(error("AccessDenied"));
        }
        let accepts = ["text/html", "application/json"];
        let calls = receivers.iter().flat_map(|receiver| accepts.map(|accept| (receiver, accept)));
        for (event, (receiver, accept)) in calls.flat_map(|call| events.iter().map(move |event| (event, call))) {
            let mut event = event.clone();
            event["headers"]["accept"] = accept.into();
            let response = call(receiver, &event).await;
            let answer = format!("{:?} {:?} {}", response.headers, response.cookies, text(&response));
            for given in ["x7Qm", "15551234567", state.rsplit_once('~').unwrap().1] {
                assert!(!answer.contains(given), "{given}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn a_line_for_each_callback_and_nothing_secret_in_it() {
    let logs = Logs::capture();
    let aws = aws().await;
    let attempt_id = AttemptId::from_bytes([0xa1; 16]);
    let state = signed(Claims { attempt_id, binding: None, ..claims() });
    call(&receiver(&aws), &get(&[("code", "s3cretC0DE"), ("state", &state)])).await;
    call(&receiver(&aws), &get(&[("error", "access_denied"), ("state", &state)])).await;
    aws.next("SendMessage", error("AccessDenied"));
    call(&receiver(&aws), &get(&[("code", "s3cretC0DE"), ("state", &state)])).await;
    let text = logs.text();
    let id = attempt_id.to_string();
    let lines: Vec<_> = text.lines().filter(|line| line.contains(&id)).collect();
    let [accepted, denied, failed] = lines[..] else { panic!("{text}") };
    assert!(accepted.contains(r#""message":"callback accepted","result":"accepted""#), "{accepted}");
    assert!(denied.contains(r#""message":"callback accepted","result":"access_denied""#), "{denied}");
    assert!(failed.contains(r#""message":"callback not queued""#), "{failed}");
    assert!(failed.contains("SendMessage failed: AccessDenied"), "{failed}");
    let of_function = || text.lines().filter(|line| line.contains(r#""target":"callback_receiver"#));
    for secret in ["C0DE", "15551234567", "__Host-connect", state.rsplit_once('~').unwrap().1] {
        assert!(of_function().all(|line| !line.contains(secret)), "{secret}: {text}");
    }
}
