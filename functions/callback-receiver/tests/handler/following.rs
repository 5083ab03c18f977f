//! The pages that ask by themselves how their login stands, and those that do not.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use serde_json::Value;

use super::{aws, call, proving, receiver, receiver_with, sample, state_of, text};

fn policy(response: &ApiGatewayV2httpResponse) -> &str {
    response.headers["content-security-policy"].to_str().unwrap()
}

/// The page of a callback, which may ask its own host and nobody else.
async fn follows(receiver: &callback_receiver::Receiver, event: &Value) -> String {
    let response = call(receiver, event).await;
    assert!(policy(&response).contains("connect-src 'self';"), "{}", policy(&response));
    text(&response).to_owned()
}

#[tokio::test]
async fn the_page_after_a_login_has_a_place_for_how_it_went() {
    let page = follows(&receiver(&aws().await), &sample("get")).await;
    assert!(page.contains("Almost done") && page.contains(r#"<div role="status" data-attempt=""#), "{page}");
}

#[tokio::test]
async fn the_page_with_a_code_follows_its_login_too() {
    let page = follows(&proving(&aws().await), &sample("get")).await;
    assert!(page.contains("One more step") && page.contains(r#"<div role="status" data-attempt=""#), "{page}");
}

#[tokio::test]
async fn nothing_of_the_state_is_on_the_page() {
    let event = sample("get");
    let page = follows(&receiver(&aws().await), &event).await;
    let state = state_of(&event);
    let token = state.rsplit('~').next().unwrap();
    assert!(!page.contains(&state) && !page.contains(token) && !page.contains("15551234567"), "{page}");
}

#[tokio::test]
async fn a_page_that_is_final_asks_nobody() {
    let response = call(&receiver(&aws().await), &sample("denied")).await;
    assert!(text(&response).contains("Not connected"), "{}", text(&response));
    assert!(!policy(&response).contains("connect-src"), "{}", policy(&response));
}

#[tokio::test]
async fn the_pages_after_a_login_say_whose_they_are() {
    let aws = aws().await;
    let branded = receiver_with(&aws, &[("BRAND_NAME", "Acme"), ("PRIVACY_URL", "https://acme.example/privacy")]);
    let page = follows(&branded, &sample("get")).await;
    assert!(page.contains("<title>Almost done: go back to WhatsApp – Acme</title>"), "{page}");
    assert!(page.contains("https://acme.example/privacy"), "{page}");
    let refused = call(&branded, &sample("denied")).await;
    assert!(text(&refused).contains("<title>Not connected – Acme</title>"), "{}", text(&refused));
}
