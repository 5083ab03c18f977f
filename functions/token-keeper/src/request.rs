//! What a request asks for: its route, and what its body says.

use std::time::Duration;

use aws_lambda_events::{apigw::ApiGatewayV2httpRequest, http::Method};
use serde_json::{Map, Value};
use shared::{WaId, web};

/// The longest body that is parsed, in bytes; with all fields at their longest it has some 300.
const MAX_LENGTH: usize = 4_096;
/// The longest `min_validity`, in seconds: Salesforce's default for the life of a session (Salesforce Help, "Modify Session
/// Security Settings", timeout value).
const MAX_MIN_VALIDITY: u64 = 7_200;

/// A request, of which nothing is judged yet.
pub(crate) struct Request {
    pub(crate) route: Route,
    /// API Gateway has authenticated the caller. It does so wherever the route demands it; this protects a stack whose
    /// route was changed.
    pub(crate) authorised: bool,
    /// The API that it came through.
    pub(crate) api_id: String,
    pub(crate) body: Vec<u8>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `POST /connections/token`: a token that works.
    Token,
    /// `POST /connections/status`: how the chat's connection stands.
    Status,
    /// `POST /connections/disconnect`: the end of the chat's connection.
    Disconnect,
    /// `POST /confirmations`: a message of a chat that may have the code of a login.
    Confirmations,
    /// No route of this function.
    Unknown,
}

/// The body of `POST /connections/token`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TokenRequest {
    pub(crate) wa_id: WaId,
    /// The SHA-256 (lower-case hexadecimal) of the token that Salesforce has answered 401 to.
    pub(crate) rejected: Option<String>,
    /// How long the token is to live on.
    pub(crate) min_validity: Duration,
}

/// Why a body is invalid. The text is for the bot's developer; it does not quote the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidRequest {
    #[error("the body must be a JSON object with the string wa_id")]
    Malformed,
    #[error("wa_id must be whatsapp:+<digits> or whatsapp:<CC>.<id>")]
    WaId,
    #[error("rejected must be the SHA-256 of a token, as 64 lower-case hexadecimal digits")]
    Rejected,
    #[error("min_validity must be whole seconds from 0 to 7200")]
    MinValidity,
    #[error("the body must have at most 4096 bytes")]
    TooLong,
}

impl Request {
    pub(crate) fn read(event: &ApiGatewayV2httpRequest) -> Self {
        let (request, context) = (web::Request::new(event), &event.request_context);
        // The route's key has the path as the template has it, whatever stage or mapping is before it.
        let resource = event.route_key.as_deref().and_then(|key| key.split_once(' ')).map(|(_, path)| path);
        let route = match (request.method(), resource) {
            (&Method::POST, Some("/connections/token")) => Route::Token,
            (&Method::POST, Some("/connections/status")) => Route::Status,
            (&Method::POST, Some("/connections/disconnect")) => Route::Disconnect,
            (&Method::POST, Some("/confirmations")) => Route::Confirmations,
            _ => Route::Unknown,
        };
        Self {
            route,
            authorised: context.authorizer.as_ref().is_some_and(|authorizer| authorizer.iam.is_some()),
            api_id: context.apiid.clone().unwrap_or_default(),
            body: request.body().into_owned(),
        }
    }
}

impl Route {
    /// `route` in the log.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Token => "POST /connections/token",
            Self::Status => "POST /connections/status",
            Self::Disconnect => "POST /connections/disconnect",
            Self::Confirmations => "POST /confirmations",
            Self::Unknown => "unknown",
        }
    }
}

impl TokenRequest {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, InvalidRequest> {
        let body = object(body)?;
        Ok(Self { wa_id: wa_id(&body)?, rejected: rejected(&body)?, min_validity: min_validity(&body)? })
    }
}

/// The body of the other calls, which has a chat and nothing else.
pub(crate) fn chat(body: &[u8]) -> Result<WaId, InvalidRequest> {
    wa_id(&object(body)?)
}

fn object(body: &[u8]) -> Result<Map<String, Value>, InvalidRequest> {
    if body.len() > MAX_LENGTH {
        return Err(InvalidRequest::TooLong);
    }
    serde_json::from_slice(body).map_err(|_| InvalidRequest::Malformed)
}

fn wa_id(body: &Map<String, Value>) -> Result<WaId, InvalidRequest> {
    let text = body.get("wa_id").and_then(Value::as_str).ok_or(InvalidRequest::Malformed)?;
    text.parse().map_err(|_| InvalidRequest::WaId)
}

/// An optional field. Null counts as absent.
fn optional<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}

fn rejected(body: &Map<String, Value>) -> Result<Option<String>, InvalidRequest> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match optional(body, "rejected") {
        None => Ok(None),
        Some(Value::String(text)) if text.len() == 64 && text.bytes().all(is_digit) => Ok(Some(text.clone())),
        Some(_) => Err(InvalidRequest::Rejected),
    }
}

fn min_validity(body: &Map<String, Value>) -> Result<Duration, InvalidRequest> {
    let Some(value) = optional(body, "min_validity") else { return Ok(Duration::ZERO) };
    let seconds = value.as_u64().filter(|seconds| *seconds <= MAX_MIN_VALIDITY).ok_or(InvalidRequest::MinValidity)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::confirmations::ConfirmationRequest;

    const CHAT: &str = "whatsapp:+15551234567";

    fn parse(body: &Value) -> Result<TokenRequest, InvalidRequest> {
        TokenRequest::parse(body.to_string().as_bytes())
    }

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

    #[test]
    fn each_route_is_known_by_its_key_and_method() {
        for label in [
            "POST /connections/token",
            "POST /connections/status",
            "POST /connections/disconnect",
            "POST /confirmations",
        ] {
            assert_eq!(Request::read(&event("POST", label, &json!({}))).route.label(), label);
        }
        for (method, key) in [("GET", "POST /connections/token"), ("POST", "POST /links"), ("POST", "$default")] {
            assert_eq!(Request::read(&event(method, key, &json!({}))).route, Route::Unknown, "{method} {key}");
        }
    }

    #[test]
    fn the_sample_events_are_understood() {
        let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");
        let mut read = 0;
        for file in std::fs::read_dir(samples).unwrap() {
            let path = file.unwrap().path();
            let sample: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let path = path.display();
            let key = sample["routeKey"].as_str().unwrap_or_default().to_owned();
            if key.contains("/connections/") || key.contains("/confirmations") {
                let request = Request::read(&serde_json::from_value(sample).unwrap());
                assert_ne!(request.route, Route::Unknown, "{path}");
                assert!(request.authorised && !request.api_id.is_empty(), "{path}");
                match request.route {
                    Route::Confirmations => {
                        assert_eq!(ConfirmationRequest::parse(&request.body).unwrap().codes.len(), 1, "{path}");
                    }
                    _ => assert!(TokenRequest::parse(&request.body).is_ok(), "{path}"),
                }
                read += 1;
            }
        }
        assert_eq!(read, 4);
    }

    #[test]
    fn a_body_may_be_base64() {
        for more in [json!({ "body": "{}" }), json!({ "body": "e30=", "isBase64Encoded": true })] {
            assert_eq!(Request::read(&event("POST", "POST /connections/token", &more)).body, b"{}");
        }
    }

    #[test]
    fn a_caller_without_an_identity_is_not_authorised() {
        let with = |authorizer: Value| {
            let context = json!({ "http": { "method": "POST" }, "authorizer": authorizer });
            Request::read(&event("POST", "POST /connections/token", &json!({ "requestContext": context }))).authorised
        };
        assert!(with(json!({ "iam": { "accountId": "123456789012", "cognitoIdentity": null } })));
        assert!(!with(json!(null)) && !with(json!({ "jwt": { "claims": {} } })));
    }

    #[test]
    fn the_chat_is_all_that_a_call_needs() {
        for body in [
            json!({ "wa_id": CHAT }),
            json!({ "wa_id": "whatsapp: 15551234567" }),
            json!({ "wa_id": CHAT, "rejected": null, "min_validity": null, "unknown": [{}] }),
        ] {
            let plain = TokenRequest { wa_id: CHAT.parse().unwrap(), rejected: None, min_validity: Duration::ZERO };
            assert_eq!(parse(&body), Ok(plain), "{body}");
            assert_eq!(chat(body.to_string().as_bytes()), Ok(CHAT.parse().unwrap()));
        }
    }

    #[test]
    fn a_body_that_is_no_object_with_a_chat_is_malformed() {
        for body in ["", "{}", "[]", "null", "not json", r#"{"wa_id":15551234567}"#, r#"{"wa_id":null}"#, "{\"wa_id\":"]
        {
            assert_eq!(chat(body.as_bytes()), Err(InvalidRequest::Malformed), "{body}");
        }
        assert_eq!(chat(&[0xff, 0xfe]), Err(InvalidRequest::Malformed));
    }

    #[test]
    fn an_address_of_another_network_is_invalid() {
        for text in ["+15551234567", "sms:+15551234567", "whatsapp:", "", "whatsapp:+1"] {
            assert_eq!(parse(&json!({ "wa_id": text })), Err(InvalidRequest::WaId), "{text}");
        }
    }

    #[test]
    fn a_hash_is_64_lower_case_digits() {
        let with = |rejected: Value| parse(&json!({ "wa_id": CHAT, "rejected": rejected }));
        assert_eq!(with("0a".repeat(32).into()).unwrap().rejected, Some("0a".repeat(32)));
        for other in
            [json!("0A".repeat(32)), json!("0a".repeat(31)), json!("0g".repeat(32)), json!(""), json!(1), json!([])]
        {
            assert_eq!(with(other.clone()), Err(InvalidRequest::Rejected), "{other}");
        }
    }

    #[test]
    fn a_validity_is_whole_seconds_up_to_two_hours() {
        let with = |seconds: Value| parse(&json!({ "wa_id": CHAT, "min_validity": seconds }));
        for seconds in [0, 7_200] {
            assert_eq!(with(json!(seconds)).unwrap().min_validity, Duration::from_secs(seconds));
        }
        for other in [json!(7_201), json!(-1), json!(1.5), json!("60"), json!(true), json!(u64::MAX)] {
            assert_eq!(with(other.clone()), Err(InvalidRequest::MinValidity), "{other}");
        }
    }

    #[test]
    fn a_body_over_4_096_bytes_is_not_parsed() {
        let body = |padding: usize| format!(r#"{{"wa_id":"{CHAT}","padding":"{}"}}"#, "x".repeat(padding));
        let longest = MAX_LENGTH - body(0).len();
        assert!(chat(body(longest).as_bytes()).is_ok());
        assert_eq!(chat(body(longest + 1).as_bytes()), Err(InvalidRequest::TooLong));
    }
}
