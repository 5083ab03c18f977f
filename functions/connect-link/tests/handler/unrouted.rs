//! What no route of the template has, and whose the pages are.

use fakes::logs::Logs;
use serde_json::{Value, json};

use super::{CHAT, Function, NOW, call, connect, started, text};

/// A request that no route of the template has.
fn unrouted(method: &str, path: &str, headers: &Value) -> Value {
    json!({
        "routeKey": "$default",
        "rawPath": path,
        "headers": headers,
        "requestContext": { "apiId": "abc", "http": { "method": method, "path": path } },
    })
}

#[tokio::test]
async fn whoever_asks_for_another_path_gets_a_page() {
    let function = Function::start().await;
    for method in ["GET", "POST", "DELETE"] {
        let response = call(&function.connect_link, unrouted(method, "/connect", &json!({}))).await;
        assert_eq!(
            (response.status_code, &response.headers["content-type"]),
            (404, &"text/html; charset=utf-8".parse().unwrap())
        );
        assert!(text(&response).contains("This link does not work"), "{}", text(&response));
    }
    let head = call(&function.connect_link, unrouted("HEAD", "/connect", &json!({}))).await;
    assert_eq!((head.status_code, head.body.is_none()), (404, true));
}

#[tokio::test]
async fn a_program_that_asks_for_another_path_gets_json() {
    let function = Function::start().await;
    let json = json!({ "accept": "application/json" });
    let response = call(&function.connect_link, unrouted("GET", "/unknown", &json)).await;
    let body: Value = serde_json::from_str(text(&response)).unwrap();
    assert_eq!((response.status_code, &body["error"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn no_path_of_a_bots_call_is_answered_without_its_route() {
    let function = Function::start().await;
    let mut event = unrouted("POST", "/links", &json!({}));
    event["body"] = json!({ "wa_id": CHAT }).to_string().into();
    assert_eq!(call(&function.connect_link, event).await.status_code, 404);
}

#[tokio::test]
async fn what_browsers_and_crawlers_ask_every_host_for_is_neither_logged_nor_counted() {
    let function = Function::start().await;
    let logs = Logs::capture();
    let icon = call(&function.connect_link, unrouted("GET", "/favicon.ico", &json!({}))).await;
    assert_eq!(icon.status_code, 204);
    let robots = call(&function.connect_link, unrouted("GET", "/robots.txt", &json!({}))).await;
    assert_eq!((robots.status_code, text(&robots)), (200, "User-agent: *\nDisallow: /\n"));
    let logged = logs.text();
    assert!(!logged.contains("favicon") && !logged.contains("robots"), "{logged}");
}

#[tokio::test]
async fn the_pages_say_whose_they_are() {
    let function = Function::start().await;
    let link = function.link().await;
    let brand = [("BRAND_NAME", "Acme"), ("PRIVACY_URL", "https://acme.example/privacy"), ("BRAND_COLOR", "#123456")];
    let branded = started(&function.aws, &brand, || NOW).await;
    let page = call(&branded, connect("GET", &link, &json!({}))).await;
    for wanted in [
        "<title>Connect Salesforce – Acme</title>",
        r#"<meta property="og:site_name" content="Acme">"#,
        r#"<header class="brand">"#,
        "https://acme.example/privacy",
        "#123456",
    ] {
        assert!(text(&page).contains(wanted), "{wanted}: {}", text(&page));
    }
    let refused = call(&branded, connect("GET", "x", &json!({}))).await;
    assert!(text(&refused).contains("This link does not work – Acme"), "{}", text(&refused));
    assert!(!text(&refused).contains("og:"), "{}", text(&refused));
}
