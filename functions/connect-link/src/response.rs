//! Answers in the form that API Gateway takes. Every one carries the security headers.

use aws_lambda_events::{
    apigw::ApiGatewayV2httpResponse,
    encodings::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER},
    },
};
use shared::page::{SECURITY_HEADERS, content_security_policy};

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const RETRY_AFTER_SECONDS: &str = "3";

/// What is answered.
pub(crate) enum Content {
    Json(String),
    Page(String),
    /// A page with a form on it.
    Form {
        page: String,
        form_action: String,
    },
    /// The browser goes elsewhere, with a cookie of ours.
    Redirect {
        location: String,
        cookie: String,
    },
}

/// The response; `head` leaves its body out.
pub(crate) fn response(status: u16, content: Content, head: bool) -> ApiGatewayV2httpResponse {
    let mut headers: HeaderMap = SECURITY_HEADERS
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let mut response = ApiGatewayV2httpResponse::default();
    let mut form_action = "'none'".to_owned();
    let (content_type, body) = match content {
        Content::Json(text) => (JSON, Body::Text(text)),
        Content::Page(text) => (HTML, Body::Text(text)),
        Content::Form { page, form_action: allowed } => {
            form_action = allowed;
            // With `no-referrer` the form would be sent with `Origin: null` (Fetch, "append a
            // request Origin header"), and an old browser's POST could not be told from a stranger's.
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
            (HTML, Body::Text(page))
        }
        Content::Redirect { location, cookie } => {
            headers.insert(LOCATION, visible_ascii(&location));
            response.cookies.push(cookie);
            (HTML, Body::Empty)
        }
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_SECURITY_POLICY, visible_ascii(&content_security_policy(&form_action)));
    if status == 503 {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    }
    response.status_code = status.into();
    response.headers = headers;
    response.body = (!head).then_some(body);
    response
}

/// Origins are ASCII and queries percent-encoded by the time they come here.
fn visible_ascii(text: &str) -> HeaderValue {
    #[expect(clippy::expect_used, reason = "an origin or a percent-encoded address is visible ASCII")]
    HeaderValue::from_str(text).expect("visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(response: &'a ApiGatewayV2httpResponse, name: &str) -> Option<&'a str> {
        response.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn every_answer_is_kept_from_caches_frames_and_strangers() {
        for content in [
            Content::Json("{}".to_owned()),
            Content::Page("<p>".to_owned()),
            Content::Form { page: "<form>".to_owned(), form_action: "'self'".to_owned() },
            Content::Redirect { location: "https://example.com".to_owned(), cookie: "a=b".to_owned() },
        ] {
            let response = response(200, content, false);
            for name in ["cache-control", "x-content-type-options", "content-type", "referrer-policy"] {
                assert!(header(&response, name).is_some(), "{name}");
            }
            assert!(header(&response, "content-security-policy").unwrap().contains("frame-ancestors 'none'"));
        }
    }

    #[test]
    fn only_a_page_with_a_form_lets_a_form_go_anywhere() {
        let plain = response(200, Content::Page(String::new()), false);
        assert!(header(&plain, "content-security-policy").unwrap().contains("form-action 'none'"));
        assert_eq!(header(&plain, "referrer-policy"), Some("no-referrer"));
        let form = Content::Form { page: String::new(), form_action: "'self' https:".to_owned() };
        let form = response(200, form, false);
        assert!(header(&form, "content-security-policy").unwrap().contains("form-action 'self' https:;"));
        assert_eq!(header(&form, "referrer-policy"), Some("same-origin"));
    }

    #[test]
    fn head_has_the_headers_alone() {
        let response = response(200, Content::Page("<p>".to_owned()), true);
        assert!(response.body.is_none());
        assert_eq!(header(&response, "content-type"), Some(HTML));
    }

    #[test]
    fn a_passing_fault_says_when_to_come_back() {
        assert!(header(&response(503, Content::Page(String::new()), false), "retry-after").is_some());
        assert!(header(&response(404, Content::Page(String::new()), false), "retry-after").is_none());
    }
}
