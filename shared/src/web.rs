//! HTTP for browsers and programs: API Gateway's events, read in one place and answered in one place.
//!
//! `Accept`, cookies, queries and forms mean the same in every function, and no response leaves
//! without the headers that keep it out of caches, frames and other sites. What a path or a parameter means is
//! the function's own business. Nothing here does I/O.

use std::{borrow::Cow, mem};

use aws_lambda_events::{
    apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse},
    encodings::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method,
        header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, REFERRER_POLICY, RETRY_AFTER},
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::form_urlencoded;

use crate::page::{SECURITY_HEADERS, content_security_policy};

/// The longest query, and the longest form, that is in order, in bytes.
pub const MAX_PARAMETERS: usize = 16 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// A request, as API Gateway passes it on (payload format 2.0).
#[derive(Clone, Copy, Debug)]
pub struct Request<'a>(&'a ApiGatewayV2httpRequest);

/// A parameter of a query or a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Parameter {
    /// It does not occur.
    #[default]
    Absent,
    /// It occurs once, with this value.
    Once(String),
    /// It occurs more than once (RFC 6749 §3.1 forbids it): the value, if it is the same each time.
    Repeated(Option<String>),
}

/// The parameters that were asked for, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters<const N: usize> {
    /// As they occur.
    pub values: [Parameter; N],
    /// The query or the form has more than [`MAX_PARAMETERS`] bytes.
    pub are_too_long: bool,
}

impl<'a> Request<'a> {
    /// Wraps an event; nothing is parsed yet.
    #[must_use]
    pub const fn new(event: &'a ApiGatewayV2httpRequest) -> Self {
        Self(event)
    }

    /// The HTTP method.
    #[must_use]
    pub const fn method(self) -> &'a Method {
        &self.0.request_context.http.method
    }

    /// Whether it is a HEAD request, which is answered with headers alone.
    #[must_use]
    pub fn is_head(self) -> bool {
        self.method() == Method::HEAD
    }

    /// The first header of this name (in lower case); empty where it is not text.
    #[must_use]
    pub fn header(self, name: &str) -> Option<&'a str> {
        self.0.headers.get(name).map(|value| value.to_str().unwrap_or_default())
    }

    /// The `Cookie` headers, each with one `name=value` or several. API Gateway moves them out of the
    /// headers into a list of its own; other ways to invoke a function leave them there.
    pub fn cookies(self) -> impl Iterator<Item = &'a [u8]> {
        let in_headers = self.0.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        self.0.cookies.iter().flatten().map(String::as_bytes).chain(in_headers)
    }

    /// Whether the client prefers JSON to HTML (RFC 9110 §12.5.1).
    ///
    /// Only media types that are named count. So a client that takes anything (`*/*`, or no `Accept`) gets HTML, and
    /// a library's `application/json, */*` gets JSON. A browser, which names `text/html`, gets HTML unless it gives
    /// JSON the greater weight.
    #[must_use]
    pub fn wants_json(self) -> bool {
        let (mut json, mut html) = (0, 0);
        let values = self.0.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for range in values.flat_map(|value| value.split(',')) {
            let (media_type, parameters) = range.split_once(';').unwrap_or((range, ""));
            let preference = match media_type.trim() {
                name if name.eq_ignore_ascii_case("application/json") => &mut json,
                name if name.eq_ignore_ascii_case("text/html") => &mut html,
                _ => continue,
            };
            *preference = weight(parameters).max(*preference);
        }
        json > html
    }

    /// The body, decoded where API Gateway encoded it; empty where the base64 is invalid.
    #[must_use]
    pub fn body(self) -> Cow<'a, [u8]> {
        match self.0.body.as_deref().unwrap_or_default() {
            encoded if self.0.is_base64_encoded => STANDARD.decode(encoded).unwrap_or_default().into(),
            body => body.as_bytes().into(),
        }
    }

    /// The parameters of these names in the query and, on POST, in a form body, percent-decoded once. Others are
    /// ignored.
    ///
    /// The query is parsed as it was sent: API Gateway's own map joins duplicates with commas. A parameter without a
    /// value counts as omitted (RFC 6749 §3.1).
    ///
    /// Nothing that is wrong with one parameter keeps the others from being read: a callback that cannot be used still
    /// says whose it is.
    #[must_use]
    pub fn parameters<const N: usize>(self, names: [&str; N]) -> Parameters<N> {
        let query = self.0.raw_query_string.as_deref().unwrap_or_default();
        let form = self.form();
        let mut values = [const { Parameter::Absent }; N];
        for (name, value) in form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(&form)) {
            if let Some(index) = names.iter().position(|known| *known == name && !value.is_empty()) {
                values[index] = match mem::take(&mut values[index]) {
                    Parameter::Absent => Parameter::Once(value.into_owned()),
                    Parameter::Once(first) | Parameter::Repeated(Some(first)) if first == value => {
                        Parameter::Repeated(Some(first))
                    }
                    Parameter::Once(_) | Parameter::Repeated(_) => Parameter::Repeated(None),
                };
            }
        }
        Parameters { values, are_too_long: query.len() > MAX_PARAMETERS || form.len() > MAX_PARAMETERS }
    }

    fn form(self) -> Cow<'a, [u8]> {
        let content_type = self.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        if self.method() == Method::POST && content_type.trim_start().starts_with(FORM) {
            self.body()
        } else {
            Cow::default()
        }
    }
}

/// The `q` among a media range's parameters, in thousandths; 1000 where there is none (RFC 9110 §12.4.2).
fn weight(parameters: &str) -> u16 {
    let q = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    match q.map(|q| q.split_once('.').unwrap_or((q, ""))) {
        Some(("0", fraction)) => {
            let digits = fraction.bytes().filter(u8::is_ascii_digit).map(|digit| u16::from(digit - b'0'));
            digits.zip([100, 10, 1]).map(|(digit, place)| digit * place).sum()
        }
        _ => 1000,
    }
}

/// A response, which becomes API Gateway's with all headers in [`Self::into_event`].
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Its body and the headers that belong to it.
    pub content: Content,
    /// Seconds, for `Retry-After`.
    pub retry_after: Option<u16>,
    /// The values of `Set-Cookie`.
    pub cookies: Vec<String>,
}

/// What is answered.
#[derive(Debug)]
pub enum Content {
    /// JSON, for a program.
    Json(String),
    /// HTML, for a person.
    Page(String),
    /// HTML with a form.
    Form {
        /// The HTML.
        page: String,
        /// Where the form may lead: the sources of the policy's `form-action`.
        form_action: String,
    },
    /// The browser goes to another address.
    Redirect {
        /// The address, percent-encoded.
        location: String,
    },
}

impl Response {
    /// The event for API Gateway, with the security headers; the answer to a HEAD request has no body.
    #[must_use]
    pub fn into_event(self, is_head: bool) -> ApiGatewayV2httpResponse {
        let mut event = ApiGatewayV2httpResponse::default();
        let mut headers: HeaderMap = SECURITY_HEADERS
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let mut form_action = "'none'".to_owned();
        let (content_type, body) = match self.content {
            Content::Json(text) => (JSON, Body::Text(text)),
            Content::Page(text) => (HTML, Body::Text(text)),
            Content::Form { page, form_action: allowed } => {
                form_action = allowed;
                // With `no-referrer` the form would be sent with `Origin: null` (Fetch, "append a
                // request Origin header"), and an old browser's POST would look like another site's.
                headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
                (HTML, Body::Text(page))
            }
            Content::Redirect { location } => {
                headers.insert(LOCATION, visible_ascii(&location));
                (HTML, Body::Empty)
            }
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CONTENT_SECURITY_POLICY, visible_ascii(&content_security_policy(&form_action)));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        event.status_code = self.status.into();
        event.headers = headers;
        event.cookies = self.cookies;
        event.body = (!is_head).then_some(body);
        event
    }
}

/// Origins are ASCII and queries percent-encoded by the time they come here.
fn visible_ascii(text: &str) -> HeaderValue {
    #[expect(clippy::expect_used, reason = "an origin or a percent-encoded address is visible ASCII")]
    HeaderValue::from_str(text).expect("visible ASCII")
}

#[cfg(test)]
mod contract;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

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
        assert_eq!(
            Request::new(&event("GET", &more)).cookies().collect::<Vec<_>>(),
            [&b"a=1"[..], b"b=2", b"c=3; d=4"]
        );
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
        let headers = json!({ "content-type": "application/x-www-form-urlencoded; charset=utf-8" });
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
            Content::Page("<p>".to_owned()),
            Content::Form { page: "<form>".to_owned(), form_action: "'self'".to_owned() },
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
        let plain = respond(Content::Page(String::new()));
        assert!(header(&plain, "content-security-policy").unwrap().contains("form-action 'none'"));
        assert_eq!(header(&plain, "referrer-policy"), Some("no-referrer"));
        let form = respond(Content::Form { page: String::new(), form_action: "'self' https:".to_owned() });
        assert!(header(&form, "content-security-policy").unwrap().contains("form-action 'self' https:;"));
        assert_eq!(header(&form, "referrer-policy"), Some("same-origin"));
    }

    #[test]
    fn head_has_the_headers_alone() {
        let page =
            Response { status: 200, content: Content::Page("<p>".to_owned()), retry_after: None, cookies: Vec::new() };
        let response = page.into_event(true);
        assert!(response.body.is_none());
        assert_eq!(header(&response, "content-type"), Some(HTML));
    }

    #[test]
    fn a_temporary_failure_says_when_to_come_back() {
        let page =
            Response { status: 503, content: Content::Page(String::new()), retry_after: Some(3), cookies: Vec::new() };
        assert_eq!(header(&page.into_event(false), "retry-after"), Some("3"));
        assert_eq!(header(&respond(Content::Page(String::new())), "retry-after"), None);
    }
}
