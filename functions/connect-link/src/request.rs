//! What a request asks for: its route, and what the route needs.

use aws_lambda_events::{
    apigw::ApiGatewayV2httpRequest,
    http::{Method, header::ORIGIN},
};
use shared::{
    Language,
    binding::CookieName,
    web::{self, Content, Parameter, Parameters},
};

use crate::pages::LOGIN_URL;

/// No crawler is to ask for anything (RFC 9309).
const ROBOTS: &str = "User-agent: *\nDisallow: /\n";

pub(crate) struct Request {
    pub(crate) route: Route,
    /// The API that it came through.
    pub(crate) api_id: String,
    pub(crate) wants_json: bool,
    /// The language of ours that the browser prefers.
    pub(crate) language: Option<Language>,
    pub(crate) is_head: bool,
}

pub(crate) enum Route {
    /// `POST /links`: make a link for the bot.
    MakeLink {
        /// API Gateway has authenticated the caller. It does so wherever the route demands it; this
        /// protects a stack whose route was changed.
        authorised: bool,
        body: Vec<u8>,
    },
    /// `GET /connect/{link}`: show the page. It changes nothing, because link previews open it too.
    ShowPage { link: String },
    /// `POST /connect/{link}`: the button was pressed.
    StartLogin {
        link: String,
        initiator: Initiator,
        /// The login host that the person chose, where the page offers several.
        login_url: Option<String>,
        /// Our cookies that the browser has too many of.
        surplus: Vec<CookieName>,
    },
    /// `POST /connect/status`: the page after a login asks how it stands.
    ShowStatus {
        /// Of the form; `None` where it is not there once.
        state: Option<String>,
        /// The language that the page is in, where it says so.
        language: Option<Language>,
    },
    /// `GET /favicon.ico`: pages have their icon in them, and browsers ask for it all the same.
    Icon,
    /// `GET /robots.txt`: nothing here is for crawlers.
    Robots,
    /// No route of this function. API Gateway passes on whatever no route has.
    Unknown,
}

/// Which page sent the form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Initiator {
    /// Our own page, or the person themselves, by `Sec-Fetch-Site` (W3C Fetch Metadata §2.3).
    Ours,
    /// Another site's page, by `Sec-Fetch-Site`.
    Foreign,
    /// A page of this origin, by the `Origin` of a browser that has no `Sec-Fetch-Site`.
    Origin(String),
    /// Neither header. Every browser sends one of them with a form, so it is another client.
    Unknown,
}

impl Initiator {
    fn read(request: web::Request<'_>) -> Self {
        match (request.header("sec-fetch-site"), request.header(ORIGIN.as_str())) {
            (Some("same-origin" | "none"), _) => Self::Ours,
            (Some(_), _) => Self::Foreign,
            (None, Some(origin)) => Self::Origin(origin.to_owned()),
            (None, None) => Self::Unknown,
        }
    }

    /// Whether another site may have sent the form in the person's place (cross-site request forgery). `our_origin` is
    /// that of our pages.
    pub(crate) fn is_foreign(&self, our_origin: &str) -> bool {
        match self {
            Self::Ours | Self::Unknown => false,
            Self::Foreign => true,
            Self::Origin(origin) => origin != our_origin,
        }
    }
}

impl Request {
    pub(crate) fn read(event: &ApiGatewayV2httpRequest) -> Self {
        let request = web::Request::new(event);
        let context = &event.request_context;
        // The route's key has the path as the template has it, whatever stage or mapping is before it.
        let resource = event.route_key.as_deref().and_then(|key| key.split_once(' ')).map(|(_, path)| path);
        let link = event.path_parameters.get("link").cloned();
        let route = match (request.method(), resource, link) {
            (&Method::POST, Some("/links"), _) => Route::MakeLink {
                authorised: context.authorizer.as_ref().is_some_and(|authorizer| authorizer.iam.is_some()),
                body: request.body().into_owned(),
            },
            (&Method::GET | &Method::HEAD, Some("/connect/{link}"), Some(link)) => Route::ShowPage { link },
            (&Method::POST, Some("/connect/{link}"), Some(link)) => Route::StartLogin {
                link,
                initiator: Initiator::read(request),
                login_url: match request.parameters([LOGIN_URL]).values {
                    [Parameter::Once(login_url)] => Some(login_url),
                    _ => None,
                },
                surplus: CookieName::surplus(request.cookies()),
            },
            (&Method::POST, Some("/connect/status"), _) => status_of_a_login(request, event),
            (&Method::GET | &Method::HEAD, None, _) => match event.raw_path.as_deref() {
                Some("/favicon.ico") => Route::Icon,
                Some("/robots.txt") => Route::Robots,
                _ => Route::Unknown,
            },
            _ => Route::Unknown,
        };
        Self {
            api_id: context.apiid.clone().unwrap_or_default(),
            wants_json: matches!(route, Route::MakeLink { .. } | Route::ShowStatus { .. }) || request.wants_json(),
            language: request.language(),
            is_head: request.is_head(),
            route,
        }
    }
}

/// What is asked in a form. A state in a query is not taken: queries are written down on their way.
fn status_of_a_login(request: web::Request<'_>, event: &ApiGatewayV2httpRequest) -> Route {
    let query = event.raw_query_string.as_deref().unwrap_or_default();
    let Parameters { values: [state, language], are_too_long } = request.parameters(["state", "language"]);
    let state = match state {
        Parameter::Once(state) if query.is_empty() && !are_too_long => Some(state),
        _ => None,
    };
    let language = match language {
        Parameter::Once(language) => language.parse().ok(),
        _ => None,
    };
    Route::ShowStatus { state, language }
}

impl Route {
    /// `route` in the log.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::MakeLink { .. } => "POST /links",
            Self::ShowPage { .. } => "GET /connect/{link}",
            Self::StartLogin { .. } => "POST /connect/{link}",
            Self::ShowStatus { .. } => "POST /connect/status",
            Self::Icon => "GET /favicon.ico",
            Self::Robots => "GET /robots.txt",
            Self::Unknown => "unknown",
        }
    }

    /// What browsers and crawlers ask every host for. Nobody has to hear of it: it is not logged, nor counted.
    pub(crate) const fn asset(&self) -> Option<(u16, Content)> {
        match self {
            Self::Icon => Some((204, Content::Nothing)),
            Self::Robots => Some((200, Content::Text(ROBOTS))),
            _ => None,
        }
    }
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

    #[expect(clippy::needless_pass_by_value, reason = "the events of tests are made where they are read")]
    fn read(event: ApiGatewayV2httpRequest) -> Request {
        Request::read(&event)
    }

    fn connect(method: &str, headers: &Value) -> Request {
        let more = json!({ "pathParameters": { "link": "x" }, "headers": headers });
        read(event(method, &format!("{method} /connect/{{link}}"), &more))
    }

    fn initiator(headers: &Value) -> Initiator {
        match connect("POST", headers).route {
            Route::StartLogin { initiator, .. } => initiator,
            other => panic!("read as {}", other.label()),
        }
    }

    #[test]
    fn each_route_is_known_by_its_key_and_method() {
        assert_eq!(connect("GET", &json!({})).route.label(), "GET /connect/{link}");
        assert!(connect("HEAD", &json!({})).is_head);
        assert_eq!(connect("HEAD", &json!({})).route.label(), "GET /connect/{link}");
        assert_eq!(connect("POST", &json!({})).route.label(), "POST /connect/{link}");
        assert_eq!(connect("DELETE", &json!({})).route.label(), "unknown");
        assert_eq!(read(event("POST", "POST /links", &json!({}))).route.label(), "POST /links");
        assert_eq!(read(event("GET", "$default", &json!({}))).route.label(), "unknown");
    }

    #[test]
    fn the_sample_events_are_understood() {
        let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");
        for file in std::fs::read_dir(samples).unwrap() {
            let path = file.unwrap().path();
            let sample: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let key = sample["routeKey"].as_str().unwrap_or_default();
            if key.ends_with("/links") || key.contains("/connect/{link}") {
                let request = Request::read(&serde_json::from_value(sample.clone()).unwrap());
                assert_ne!(request.route.label(), "unknown", "{}", path.display());
                assert!(!request.api_id.is_empty(), "{}", path.display());
                assert!(!matches!(request.route, Route::MakeLink { authorised: false, .. }), "{}", path.display());
            }
        }
    }

    #[test]
    fn a_body_may_be_base64() {
        for more in [json!({ "body": "{}" }), json!({ "body": "e30=", "isBase64Encoded": true })] {
            match read(event("POST", "POST /links", &more)).route {
                Route::MakeLink { body, authorised } => assert_eq!((body, authorised), (b"{}".to_vec(), false)),
                other => panic!("read as {}", other.label()),
            }
        }
    }

    #[test]
    fn the_browsers_own_judgement_comes_first() {
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
    fn a_program_says_that_it_wants_json() {
        assert!(connect("GET", &json!({ "accept": "application/json" })).wants_json);
        assert!(!connect("GET", &json!({ "accept": "text/html,application/json;q=0.9,*/*;q=0.8" })).wants_json);
        assert!(!connect("GET", &json!({})).wants_json);
    }

    #[test]
    fn the_bot_gets_json_without_asking_for_it() {
        assert!(read(event("POST", "POST /links", &json!({}))).wants_json);
    }
}
