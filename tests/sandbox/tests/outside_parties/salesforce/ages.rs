//! How old tokens become, and what they say of it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{ADA, CHAT, Stage, dead};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// A part of a JWT, decoded.
fn part(token: &str, number: usize) -> Value {
    let text = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

#[tokio::test]
async fn an_access_token_lives_for_two_hours() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    stage.advance(2 * HOUR - 60).await;
    assert!(stage.opens(&tokens).await);
    stage.advance(60).await;
    assert!(!stage.opens(&tokens).await);
    let (_, renewed) = stage.refresh(&tokens["refresh_token"]).await;
    assert!(stage.opens(&renewed).await);
}

#[tokio::test]
async fn the_session_timeout_is_the_apps() {
    let stage = Stage::new().await;
    stage.policy(json!({"session_timeout_s": 900})).await;
    let tokens = stage.tokens().await;
    stage.advance(900).await;
    assert!(!stage.opens(&tokens).await);
}

#[tokio::test]
async fn a_refresh_token_dies_after_thirty_idle_days() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    stage.advance(30 * DAY).await;
    assert_eq!(stage.refresh(&tokens["refresh_token"]).await, dead());
    assert_eq!(stage.grants(CHAT).await[0]["alive"], false);
    let counters = stage.counters().await;
    assert_eq!((&counters["dead"], &counters["families_revoked"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn each_use_begins_the_thirty_days_anew() {
    for rotation in [false, true] {
        let stage = Stage::new().await;
        stage.policy(json!({"rotation": rotation})).await;
        let mut tokens = stage.tokens().await;
        for _ in 0..3 {
            stage.advance(29 * DAY).await;
            let (status, renewed) = stage.refresh(&tokens["refresh_token"]).await;
            assert_eq!(status, 200, "{renewed}");
            if rotation {
                tokens = renewed;
            }
        }
    }
}

#[tokio::test]
async fn the_idle_limit_is_the_apps() {
    let stage = Stage::new().await;
    stage.policy(json!({"idle_limit_s": HOUR})).await;
    let tokens = stage.tokens().await;
    stage.advance(HOUR).await;
    assert_eq!(stage.refresh(&tokens["refresh_token"]).await, dead());
}

#[tokio::test]
async fn the_tokens_of_one_chat_can_be_aged() {
    let stage = Stage::new().await;
    let mine = stage.granted(CHAT, ADA).await;
    let theirs = stage.granted("whatsapp:+15557654321", ADA).await;
    let aged = stage.control("/control/clock", &json!({"advance_ms": 2 * HOUR * 1000, "wa_id": CHAT})).await;
    assert_eq!(aged, json!({"codes_aged": 0, "grants_aged": 1}));
    assert!(!stage.opens(&mine).await && stage.opens(&theirs).await);
}

#[tokio::test]
async fn times_that_are_told_keep_to_the_callers_clock() {
    let stage = Stage::new().await;
    let first = stage.tokens().await;
    stage.advance(29 * DAY).await;
    let (_, renewed) = stage.refresh(&first["refresh_token"]).await;
    let at = |tokens: &Value| tokens["issued_at"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(at(&renewed) - at(&first) < DAY * 1000);
}

#[tokio::test]
async fn an_access_token_may_be_a_jwt() {
    let stage = Stage::new().await;
    stage.policy(json!({"token_format": "jwt", "session_timeout_s": 900})).await;
    let tokens = stage.tokens().await;
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(tokens["token_format"], "jwt");
    assert_eq!(token.split('.').count(), 3);
    assert_eq!((&part(token, 0)["typ"], &part(token, 0)["alg"]), (&json!("JWT"), &json!("RS256")));
    let claims = part(token, 1);
    let seconds = |name: &str| claims[name].as_u64().unwrap();
    assert_eq!(seconds("exp") - seconds("iat"), 900);
    assert_eq!(seconds("iat"), tokens["issued_at"].as_str().unwrap().parse::<u64>().unwrap() / 1000);
    for (name, value) in [
        ("sub", json!("uid:0055g00000AdaLvAAJ")),
        ("aud", json!([stage.sandbox.base_url])),
        ("scp", json!("api refresh_token")),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert!(stage.opens(&tokens).await);
    stage.advance(900).await;
    assert!(!stage.opens(&tokens).await);
}

#[tokio::test]
async fn an_access_token_is_opaque_otherwise() {
    let stage = Stage::new().await;
    stage.policy(json!({"wa_id": "whatsapp:+15557654321", "token_format": "jwt"})).await;
    let tokens = stage.tokens().await;
    assert_eq!(tokens["token_format"], Value::Null);
    assert!(tokens["access_token"].as_str().unwrap().starts_with("00D5g00000Engne!AQ"));
}
