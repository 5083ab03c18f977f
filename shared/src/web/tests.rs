use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    page::{Brand, Frame, Mood},
    texts,
};

pub(super) fn a_page() -> Page {
    let frame = Frame { brand: &Brand::default(), language: Language::English, bot: None };
    frame.page(Mood::Good, &texts::LINK_TITLE, &maud::html! {})
}

fn event(method: &str, more: &Value) -> ApiGatewayV2httpRequest {
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "headers": {},
        "requestContext": { "http": { "method": method, "path": "/" } },
    });
    for (name, value) in more.as_object().unwrap() {
        event[name] = value.clone();
    }
    serde_json::from_value(event).unwrap()
}

fn wants_json(accept: &str) -> bool {
    Request::new(&event("GET", &json!({ "headers": { "accept": accept } }))).wants_json()
}

#[test]
fn a_browser_gets_html() {
    for accept in [
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
        "text/html,application/xhtml+xml,application/json;q=0.1",
        "text/html, application/json",
        "TEXT/HTML;level=1, application/json; q=0.999",
    ] {
        assert!(!wants_json(accept), "{accept}");
    }
}

#[test]
fn a_client_that_takes_anything_gets_html() {
    assert!(!Request::new(&event("GET", &json!({}))).wants_json());
    for accept in ["", "*/*", "application/*", "application/problem+json", "text/plain", ";;,=,q=1"] {
        assert!(!wants_json(accept), "{accept}");
    }
}

#[test]
fn a_client_that_names_json_and_not_html_gets_json() {
    for accept in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json, text/plain, */*",
        "*/*, application/json;q=0.5",
        "text/*, application/json",
    ] {
        assert!(wants_json(accept), "{accept}");
    }
}

#[test]
fn the_language_is_the_one_of_ours_with_the_greatest_weight() {
    let language = |accepted: &str| {
        let event = event("GET", &json!({ "headers": { "accept-language": accepted } }));
        Request::new(&event).language().map(Language::tag)
    };
    for (accepted, tag) in [
        ("hi", Some("hi")),
        ("de-AT,de;q=0.9,en;q=0.8", Some("de")),
        ("en;q=0.5, fr-CA;q=0.7, *;q=0.9", Some("fr")),
        ("zh-CN,zh;q=0.9,pt-PT;q=0.2", Some("pt-BR")),
        ("es;q=0.8,ar;q=0.8", Some("es")),
        ("fr;q=0, id;q=0.001", Some("id")),
        ("zh-CN,zh;q=0.9", None),
        ("fr;q=0", None),
        ("*", None),
        ("", None),
        (";;,=,q=1", None),
    ] {
        assert_eq!(language(accepted), tag, "{accepted}");
    }
    assert_eq!(Request::new(&event("GET", &json!({}))).language(), None);
}

#[test]
fn a_client_that_names_both_gets_the_one_of_greater_weight() {
    assert!(wants_json("application/json, text/html;q=0.9"));
    assert!(wants_json("text/html; q=0.25, application/json; q=0.250, application/json;Q=0.3"));
    assert!(wants_json("text/html;q=0, application/json;q=0.001"));
    assert!(!wants_json("text/html, application/json;q=0.9"));
    assert!(!wants_json("application/json;q=0"));
}

#[test]
fn an_accept_header_may_come_in_parts() {
    let mut event = event("GET", &json!({ "headers": { "accept": "application/json" } }));
    event.headers.append("accept", "text/html".parse().unwrap());
    assert!(!Request::new(&event).wants_json());
}

#[test]
fn cookies_are_found_in_either_place() {
    let more = json!({ "cookies": ["a=1", "b=2"], "headers": { "cookie": "c=3; d=4" } });
    assert_eq!(Request::new(&event("GET", &more)).cookies().collect::<Vec<_>>(), [&b"a=1"[..], b"b=2", b"c=3; d=4"]);
    assert_eq!(Request::new(&event("GET", &json!({}))).cookies().count(), 0);
}

#[test]
fn a_body_may_be_base64() {
    for more in [json!({ "body": "{}" }), json!({ "body": "e30=", "isBase64Encoded": true })] {
        assert_eq!(Request::new(&event("POST", &more)).body(), &b"{}"[..]);
    }
    let invalid = json!({ "body": "%%%", "isBase64Encoded": true });
    assert_eq!(Request::new(&event("POST", &invalid)).body(), &b""[..]);
    assert_eq!(Request::new(&event("POST", &json!({}))).body(), &b""[..]);
}

fn form(method: &str, query: &str, body: &str) -> ApiGatewayV2httpRequest {
    let headers = json!({ "content-type": "Application/X-WWW-Form-Urlencoded ; charset=utf-8" });
    event(method, &json!({ "rawQueryString": query, "body": body, "headers": headers }))
}

fn once(value: &str) -> Parameter {
    Parameter::Once(value.to_owned())
}

#[test]
fn parameters_are_decoded_once() {
    let event = form("GET", "a=%2B%3D&b=a%253D+c", "");
    let values = Request::new(&event).parameters(["a", "b", "c"]).values;
    assert_eq!(values, [once("+="), once("a%3D c"), Parameter::Absent]);
}

#[test]
fn a_form_is_read_on_post_alone() {
    let read = |method| Request::new(&form(method, "a=1", "b=2")).parameters(["b"]).values;
    assert_eq!(read("POST"), [once("2")]);
    assert_eq!(read("GET"), [Parameter::Absent]);
    let json = json!({ "body": "b=2", "headers": { "content-type": "application/json" } });
    assert_eq!(Request::new(&event("POST", &json)).parameters(["b"]).values, [Parameter::Absent]);
}

#[test]
fn a_known_parameter_may_come_once() {
    let repeated = |value: Option<&str>| Parameter::Repeated(value.map(str::to_owned));
    for (query, body, expected) in [
        ("a=1&a=1", "", repeated(Some("1"))),
        ("a=1&%61=1", "a=1", repeated(Some("1"))),
        ("a=1", "a=2", repeated(None)),
        ("a=1&a=1", "a=2", repeated(None)),
        ("a=2&a=1&a=1", "", repeated(None)),
    ] {
        let event = form("POST", query, body);
        assert_eq!(Request::new(&event).parameters(["a"]).values, [expected], "{query} {body}");
    }
    assert_eq!(Request::new(&form("POST", "a=1&b=1&b=2", "")).parameters(["a"]).values, [once("1")]);
}

#[test]
fn a_parameter_without_a_value_counts_as_omitted() {
    for (query, body, expected) in [
        ("a=", "", Parameter::Absent),
        ("a&a=", "a=", Parameter::Absent),
        ("a=&a=1", "", once("1")),
        ("a=1", "a", once("1")),
    ] {
        let event = form("POST", query, body);
        assert_eq!(Request::new(&event).parameters(["a"]).values, [expected], "{query} {body}");
    }
}

#[test]
fn a_query_and_a_form_have_a_greatest_length() {
    let long = "a".repeat(MAX_PARAMETERS + 1);
    for (query, body) in [(long.as_str(), ""), ("", long.as_str())] {
        assert!(Request::new(&form("POST", query, body)).parameters(["a"]).are_too_long);
    }
    assert!(!Request::new(&form("POST", &long[1..], "")).parameters(["a"]).are_too_long);
    let read = form("POST", &format!("state=s&{long}"), "");
    assert_eq!(Request::new(&read).parameters(["state"]).values, [once("s")], "what is in it is read");
}

proptest! {
    #[test]
    fn no_request_makes_the_reader_panic(query in "\\PC{0,200}", body in "\\PC{0,200}", accept in "[ -~]{0,80}") {
        let mut event = form("POST", &query, &body);
        event.headers.insert("accept", accept.parse().unwrap());
        let _ = Request::new(&event).parameters(["code", "state"]);
        let _ = Request::new(&event).wants_json();
    }
}

fn respond(content: Content) -> ApiGatewayV2httpResponse {
    Response { status: 200, content, retry_after: None, cookies: Vec::new() }.into_event(false)
}

fn header<'a>(response: &'a ApiGatewayV2httpResponse, name: &str) -> Option<&'a str> {
    response.headers.get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn every_response_is_kept_from_caches_frames_and_strangers() {
    for content in [
        Content::Json("{}".to_owned()),
        Content::Page(a_page()),
        Content::Form { page: a_page(), form_action: "'self'".to_owned() },
        Content::Redirect { location: "https://example.com".to_owned() },
    ] {
        let response = respond(content);
        assert_eq!(header(&response, "cache-control"), Some("no-store"));
        assert_eq!(header(&response, "x-content-type-options"), Some("nosniff"));
        for name in ["content-type", "referrer-policy", "strict-transport-security"] {
            assert!(header(&response, name).is_some(), "{name}");
        }
        let policy = header(&response, "content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    }
}

#[test]
fn only_a_page_with_a_form_lets_a_form_go_anywhere() {
    let plain = respond(Content::Page(a_page()));
    assert!(header(&plain, "content-security-policy").unwrap().contains("form-action 'none'"));
    assert_eq!(header(&plain, "referrer-policy"), Some("no-referrer"));
    let form = respond(Content::Form { page: a_page(), form_action: "'self' https:".to_owned() });
    assert!(header(&form, "content-security-policy").unwrap().contains("form-action 'self' https:;"));
    assert_eq!(header(&form, "referrer-policy"), Some("same-origin"));
}

#[test]
fn head_has_the_headers_alone() {
    let page = Response { status: 200, content: Content::Page(a_page()), retry_after: None, cookies: Vec::new() };
    let response = page.into_event(true);
    assert!(response.body.is_none());
    assert_eq!(header(&response, "content-type"), Some(HTML));
}

#[test]
fn a_temporary_failure_says_when_to_come_back() {
    let page = Response { status: 503, content: Content::Page(a_page()), retry_after: Some(3), cookies: Vec::new() };
    assert_eq!(header(&page.into_event(false), "retry-after"), Some("3"));
    assert_eq!(header(&respond(Content::Page(a_page())), "retry-after"), None);
}
