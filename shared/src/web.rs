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
        header::{
            ACCEPT, ACCEPT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, REFERRER_POLICY,
            RETRY_AFTER,
        },
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::form_urlencoded;

use crate::{
    Language,
    page::{BARE_POLICY, FORM_REFERRER_POLICY, Page, SECURITY_HEADERS},
};

/// The longest query, and the longest form, that is in order, in bytes.
pub const MAX_PARAMETERS: usize = 16 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

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
        for (media_type, weight) in self.weighted(&ACCEPT) {
            let preference = match media_type {
                name if name.eq_ignore_ascii_case("application/json") => &mut json,
                name if name.eq_ignore_ascii_case("text/html") => &mut html,
                _ => continue,
            };
            *preference = weight.max(*preference);
        }
        json > html
    }

    /// The language of ours that the client prefers (RFC 9110 §12.5.4); `None` where it asks for none of them. Of two with the
    /// same weight the first one counts.
    #[must_use]
    pub fn language(self) -> Option<Language> {
        let known =
            self.weighted(&ACCEPT_LANGUAGE).filter_map(|(range, weight)| Some((Language::lookup(range)?, weight)));
        let best =
            known.filter(|(_, weight)| *weight > 0).reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map(|(language, _)| language)
    }

    /// What a header of preferences names, each with its weight in thousandths (RFC 9110 §12.4.2).
    fn weighted(self, header: &HeaderName) -> impl Iterator<Item = (&'a str, u16)> {
        let values = self.0.headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(|range| {
            let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
            (name.trim(), weight(parameters))
        })
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
        let (media_type, _) = content_type.split_once(';').unwrap_or((content_type, ""));
        if self.method() == Method::POST && media_type.trim().eq_ignore_ascii_case(FORM) {
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

/// Whether a body is a JSON object, if it is JSON. `serde` takes an array for a struct, too.
#[must_use]
pub fn is_json_object(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'{')
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
    Page(Page),
    /// Text, for a crawler.
    Text(&'static str),
    /// HTML with a form.
    Form {
        /// The HTML.
        page: Page,
        /// Where the form may lead: the sources of the policy's `form-action`.
        form_action: String,
    },
    /// No body, with 204.
    Nothing,
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
        let mut policy = HeaderValue::from_static(BARE_POLICY);
        let (content_type, body) = match self.content {
            Content::Nothing => (None, Body::Empty),
            Content::Json(text) => (Some(JSON), Body::Text(text)),
            Content::Text(text) => (Some(TEXT), Body::Text(text.to_owned())),
            Content::Page(page) => {
                policy = visible_ascii(&page.policy("'none'"));
                (Some(HTML), Body::Text(page.html))
            }
            Content::Form { page, form_action } => {
                policy = visible_ascii(&page.policy(&form_action));
                headers.insert(REFERRER_POLICY, HeaderValue::from_static(FORM_REFERRER_POLICY));
                (Some(HTML), Body::Text(page.html))
            }
            Content::Redirect { location } => {
                headers.insert(LOCATION, visible_ascii(&location));
                (Some(HTML), Body::Empty)
            }
        };
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        headers.insert(CONTENT_SECURITY_POLICY, policy);
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
mod tests;
