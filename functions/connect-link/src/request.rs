//! What is asked for: an event of API Gateway, read once.

use aws_lambda_events::{
    apigw::ApiGatewayV2httpRequest,
    http::{
        HeaderMap, Method,
        header::{ACCEPT, COOKIE, ORIGIN},
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use shared::binding::BrowserSecret;

/// A request.
pub(crate) struct Request {
    pub(crate) route: Route,
    /// The API that it came through.
    pub(crate) api_id: String,
    /// Is the answer for a program?
    pub(crate) wants_json: bool,
    /// Are the headers of the answer enough?
    pub(crate) head: bool,
}

/// What is to be done.
pub(crate) enum Route {
    /// `POST /links`: make a link for the bot.
    MakeLink {
        /// Did API Gateway check who the caller is? It does wherever the route asks for it; this
        /// is for the day when the route does not.
        authorised: bool,
        body: Vec<u8>,
    },
    /// `GET /connect/{link}`: show the page. Changes nothing, because link previews come here too.
    ShowPage { link: String },
    /// `POST /connect/{link}`: the button was pressed.
    GoOn { link: String, initiator: Initiator, secret: Option<BrowserSecret> },
    /// None of ours.
    Unknown,
}

/// Which page the button was on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Initiator {
    /// Our own, or none, says the browser (`Sec-Fetch-Site`, W3C Fetch Metadata §2.3).
    Ours,
    /// Another's, says the browser.
    Foreign,
    /// One of this origin, says a browser too old to judge by itself.
    Origin(String),
    /// Not said: every browser says one of these things, so this is none.
    Unsaid,
}

impl Initiator {
    fn read(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
            (Some("same-origin" | "none"), _) => Self::Ours,
            (Some(_), _) => Self::Foreign,
            (None, Some(origin)) => Self::Origin(origin.to_owned()),
            (None, None) => Self::Unsaid,
        }
    }

    /// Can another site have pressed the button in the person's place, given the origin of our pages?
    pub(crate) fn is_foreign(&self, our_origin: &str) -> bool {
        match self {
            Self::Ours | Self::Unsaid => false,
            Self::Foreign => true,
            Self::Origin(origin) => origin != our_origin,
        }
    }
}

impl Request {
    pub(crate) fn read(event: ApiGatewayV2httpRequest) -> Self {
        let context = event.request_context;
        let method = context.http.method;
        // The route's key has the path as the template has it, whatever stage or mapping is before it.
        let resource = event.route_key.as_deref().and_then(|key| key.split_once(' ')).map(|(_, path)| path);
        let link = event.path_parameters.get("link").cloned();
        let route = match (&method, resource, link) {
            (&Method::POST, Some("/links"), _) => Route::MakeLink {
                authorised: context.authorizer.is_some_and(|authorizer| authorizer.iam.is_some()),
                body: decode(event.body.unwrap_or_default(), event.is_base64_encoded),
            },
            (&Method::GET | &Method::HEAD, Some("/connect/{link}"), Some(link)) => Route::ShowPage { link },
            (&Method::POST, Some("/connect/{link}"), Some(link)) => {
                // API Gateway moves cookies out of the headers.
                let in_headers = event.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
                let cookies = event.cookies.iter().flatten().map(String::as_str).chain(in_headers);
                Route::GoOn {
                    link,
                    initiator: Initiator::read(&event.headers),
                    secret: BrowserSecret::among(cookies).next(),
                }
            }
            _ => Route::Unknown,
        };
        Self {
            api_id: context.apiid.unwrap_or_default(),
            wants_json: matches!(route, Route::MakeLink { .. }) || asks_for_json(&event.headers),
            head: method == Method::HEAD,
            route,
        }
    }
}

impl Route {
    /// Its name in the log.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::MakeLink { .. } => "POST /links",
            Self::ShowPage { .. } => "GET /connect/{link}",
            Self::GoOn { .. } => "POST /connect/{link}",
            Self::Unknown => "unknown",
        }
    }
}

/// A body that is not the base64 it claims to be is as good as none.
fn decode(body: String, is_base64: bool) -> Vec<u8> {
    if is_base64 { STANDARD.decode(body).unwrap_or_default() } else { body.into_bytes() }
}

fn asks_for_json(headers: &HeaderMap) -> bool {
    let accepts =
        |kind| headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(|text| text.contains(kind)));
    accepts("application/json") && !accepts("text/html")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(method: &str, route_key: &str, more: &Value) -> ApiGatewayV2httpRequest {
        let mut event = json!({
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": "/somewhere",
            "headers": {},
            "requestContext": { "apiId": "abc", "http": { "method": method, "path": "/somewhere" } },
        });
        for (name, value) in more.as_object().unwrap() {
            event[name] = value.clone();
        }
        serde_json::from_value(event).unwrap()
    }

    fn connect(method: &str, headers: &Value) -> Request {
        let more = json!({ "pathParameters": { "link": "x" }, "headers": headers });
        Request::read(event(method, &format!("{method} /connect/{{link}}"), &more))
    }

    fn initiator(headers: &Value) -> Initiator {
        match connect("POST", headers).route {
            Route::GoOn { initiator, .. } => initiator,
            other => panic!("read as {}", other.name()),
        }
    }

    #[test]
    fn each_route_is_known_by_its_key_and_method() {
        assert_eq!(connect("GET", &json!({})).route.name(), "GET /connect/{link}");
        assert!(connect("HEAD", &json!({})).head);
        assert_eq!(connect("HEAD", &json!({})).route.name(), "GET /connect/{link}");
        assert_eq!(connect("POST", &json!({})).route.name(), "POST /connect/{link}");
        assert_eq!(connect("DELETE", &json!({})).route.name(), "unknown");
        assert_eq!(Request::read(event("POST", "POST /links", &json!({}))).route.name(), "POST /links");
        assert_eq!(Request::read(event("GET", "$default", &json!({}))).route.name(), "unknown");
    }

    #[test]
    fn the_sample_events_are_understood() {
        let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");
        for file in std::fs::read_dir(samples).unwrap() {
            let path = file.unwrap().path();
            let sample: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let key = sample["routeKey"].as_str().unwrap_or_default();
            if key.ends_with("/links") || key.contains("/connect/") {
                let request = Request::read(serde_json::from_value(sample.clone()).unwrap());
                assert_ne!(request.route.name(), "unknown", "{}", path.display());
                assert!(!request.api_id.is_empty(), "{}", path.display());
                assert!(!matches!(request.route, Route::MakeLink { authorised: false, .. }), "{}", path.display());
            }
        }
    }

    #[test]
    fn a_body_may_be_base64() {
        for more in [json!({ "body": "{}" }), json!({ "body": "e30=", "isBase64Encoded": true })] {
            match Request::read(event("POST", "POST /links", &more)).route {
                Route::MakeLink { body, authorised } => assert_eq!((body, authorised), (b"{}".to_vec(), false)),
                other => panic!("read as {}", other.name()),
            }
        }
    }

    #[test]
    fn the_browsers_own_judgement_of_the_page_comes_first() {
        let ours = json!({ "sec-fetch-site": "same-origin", "origin": "null" });
        assert_eq!(initiator(&ours), Initiator::Ours);
        assert_eq!(initiator(&json!({ "sec-fetch-site": "none" })), Initiator::Ours);
        for site in ["cross-site", "same-site", "", "other"] {
            let foreign = json!({ "sec-fetch-site": site, "origin": "https://abc.example" });
            assert!(initiator(&foreign).is_foreign("https://abc.example"), "{site}");
        }
    }

    #[test]
    fn an_old_browser_is_judged_by_the_origin() {
        let foreign = |origin: &str| initiator(&json!({ "origin": origin })).is_foreign("https://abc.example");
        assert!(!foreign("https://abc.example"));
        for origin in ["null", "https://evil.example", "http://abc.example", "https://abc.example:8443", ""] {
            assert!(foreign(origin), "{origin}");
        }
        assert!(!initiator(&json!({})).is_foreign("https://abc.example"));
    }

    #[test]
    fn the_cookie_is_found_in_either_place() {
        let cookie = format!("__Host-connect={}", "a".repeat(43));
        let key = "POST /connect/{link}";
        for more in [
            json!({ "pathParameters": { "link": "x" }, "cookies": ["a=b", cookie] }),
            json!({ "pathParameters": { "link": "x" }, "headers": { "cookie": format!("a=b; {cookie}") } }),
        ] {
            assert!(matches!(Request::read(event("POST", key, &more)).route, Route::GoOn { secret: Some(_), .. }));
        }
    }

    #[test]
    fn a_program_says_that_it_wants_json() {
        assert!(connect("GET", &json!({ "accept": "application/json" })).wants_json);
        assert!(!connect("GET", &json!({ "accept": "text/html,application/json;q=0.9,*/*;q=0.8" })).wants_json);
        assert!(!connect("GET", &json!({})).wants_json);
        assert!(Request::read(event("POST", "POST /links", &json!({}))).wants_json);
    }
}
