//! What stands in the request, read once: parameters and cookies, no judgement yet.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use shared::{AuthorizationCode, code::InvalidCode, exchange::DenialError, state};

use crate::Refusal;

/// The most that is read of a query or a body, in bytes.
const MAX_PARAMETERS: usize = 16 * 1024;
const FORM: &str = "application/x-www-form-urlencoded";

/// An authorization response (RFC 6749 §4.1.2), as it arrived.
#[derive(Debug)]
pub(crate) struct Callback {
    /// Not yet believed.
    pub(crate) state: String,
    /// What Salesforce says; `None` where it says nothing.
    pub(crate) answer: Option<Answer>,
    /// Who says it (RFC 9207), where that is said.
    pub(crate) issuer: Option<String>,
}

/// What Salesforce says.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The person approved.
    Code(AuthorizationCode),
    /// They, or Salesforce, did not.
    Error(DenialError),
}

impl Callback {
    /// Reads the query, and on POST a form body too. Unknown parameters are ignored; one of ours
    /// that comes twice is refused (RFC 6749 §3.1).
    ///
    /// The query is read as it was sent: API Gateway's own map joins duplicates with commas.
    ///
    /// # Errors
    /// [`Refusal`]
    pub(crate) fn read(request: &ApiGatewayV2httpRequest) -> Result<Self, Refusal> {
        let query = request.raw_query_string.as_deref().unwrap_or_default();
        let body = form_body(request);
        if query.len() > MAX_PARAMETERS || body.len() > MAX_PARAMETERS {
            return Err(Refusal::TooLong);
        }
        let (mut state, mut code, mut error, mut issuer) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(&body)) {
            let parameter = match &*name {
                "state" => &mut state,
                "code" => &mut code,
                "error" => &mut error,
                "iss" => &mut issuer,
                _ => continue,
            };
            if parameter.replace(value.into_owned()).is_some() {
                return Err(Refusal::DuplicateParameter);
            }
        }
        let state = state.filter(|text| !text.is_empty()).ok_or(Refusal::MissingState)?;
        if state.len() > state::MAX_LENGTH {
            return Err(Refusal::TooLong);
        }
        let answer = match (error, code) {
            (Some(error), _) => Some(Answer::Error(DenialError::from_stranger(&error))),
            (None, Some(code)) => read_code(code)?.map(Answer::Code),
            (None, None) => None,
        };
        Ok(Self { state, answer, issuer })
    }
}

fn read_code(text: String) -> Result<Option<AuthorizationCode>, Refusal> {
    match AuthorizationCode::parse(text) {
        Ok(code) => Ok(Some(code)),
        Err(InvalidCode::TooLong) => Err(Refusal::TooLong),
        // A code that Salesforce cannot have made is no code.
        Err(InvalidCode::Empty | InvalidCode::Character) => Ok(None),
    }
}

/// The body where it is a form, else nothing.
fn form_body(request: &ApiGatewayV2httpRequest) -> Vec<u8> {
    let content_type = request.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if request.request_context.http.method != "POST" || !content_type.trim_start().starts_with(FORM) {
        return Vec::new();
    }
    match request.body.as_deref() {
        Some(body) if request.is_base64_encoded => STANDARD.decode(body).unwrap_or_default(),
        Some(body) => body.as_bytes().to_vec(),
        None => Vec::new(),
    }
}

/// The request's cookies, each `name=value`. API Gateway moves them out of the headers.
pub(crate) fn cookies(request: &ApiGatewayV2httpRequest) -> impl Iterator<Item = &str> {
    request.cookies.iter().flatten().map(String::as_str)
}

/// Does the caller want JSON rather than a page?
pub(crate) fn wants_json(request: &ApiGatewayV2httpRequest) -> bool {
    let accept = request.headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use shared::code;

    use super::*;

    fn get(query: &str) -> ApiGatewayV2httpRequest {
        request("GET", query, None, false)
    }

    fn request(method: &str, query: &str, body: Option<&str>, base64: bool) -> ApiGatewayV2httpRequest {
        serde_json::from_value(json!({
            "version": "2.0",
            "routeKey": format!("{method} /callback"),
            "rawPath": "/callback",
            "rawQueryString": query,
            "headers": {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
            "requestContext": {"http": {"method": method, "path": "/callback"}},
            "body": body,
            "isBase64Encoded": base64,
        }))
        .unwrap()
    }

    fn code(callback: &Callback) -> &str {
        match callback.answer.as_ref().unwrap() {
            Answer::Code(code) => code.secret(),
            Answer::Error(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn decodes_once() {
        let callback = Callback::read(&get("code=aPrx%3D%3D&state=wa%3Awhatsapp%3A%2B15551234567&x=%25")).unwrap();
        assert_eq!(code(&callback), "aPrx==");
        assert_eq!(callback.state, "wa:whatsapp:+15551234567");
        let twice = Callback::read(&get("code=a%253D&state=s")).unwrap();
        assert_eq!(code(&twice), "a%3D");
    }

    #[test]
    fn ignores_parameters_that_it_does_not_know() {
        let query = "sfdc_community_url=https%3A%2F%2Fx&code=a&state=s&sfdc_community_id=1&sfdc_community_id=2";
        assert_eq!(code(&Callback::read(&get(query)).unwrap()), "a");
    }

    #[test]
    fn refuses_a_parameter_that_comes_twice() {
        for query in ["code=a&code=a&state=s", "code=a&state=s&state=t", "error=x&error=y&state=s", "state=&state=s"] {
            assert_eq!(Callback::read(&get(query)).unwrap_err(), Refusal::DuplicateParameter, "{query}");
        }
        let in_both = request("POST", "state=s", Some("code=a&state=s"), false);
        assert_eq!(Callback::read(&in_both).unwrap_err(), Refusal::DuplicateParameter);
    }

    #[test]
    fn reads_a_form_body_on_post_alone() {
        let plain = request("POST", "", Some("code=a%3D&state=s"), false);
        assert_eq!(code(&Callback::read(&plain).unwrap()), "a=");
        let encoded = request("POST", "state=s", Some(&STANDARD.encode("code=a%3D")), true);
        assert_eq!(code(&Callback::read(&encoded).unwrap()), "a=");
        assert_eq!(
            Callback::read(&request("GET", "", Some("code=a&state=s"), false)).unwrap_err(),
            Refusal::MissingState
        );
        let broken = request("POST", "state=s", Some("%%%"), true);
        assert!(Callback::read(&broken).unwrap().answer.is_none());
    }

    #[test]
    fn bounds_every_size() {
        let long = |n: usize| "c".repeat(n);
        for query in [
            format!("state=s&code={}", long(code::MAX_LENGTH + 1)),
            format!("state={}&code=a", long(state::MAX_LENGTH + 1)),
            format!("state=s&code=a&x={}", long(MAX_PARAMETERS)),
        ] {
            assert_eq!(Callback::read(&get(&query)).unwrap_err(), Refusal::TooLong);
        }
        assert!(Callback::read(&get(&format!("state=s&code={}", long(code::MAX_LENGTH)))).is_ok());
    }

    #[test]
    fn an_answer_that_is_neither_code_nor_error_is_none() {
        for query in ["state=s", "state=s&code=", "state=s&code=%00", "state=s&code=%FF"] {
            assert!(Callback::read(&get(query)).unwrap().answer.is_none(), "{query}");
        }
        assert_eq!(Callback::read(&get("code=a")).unwrap_err(), Refusal::MissingState);
        assert_eq!(Callback::read(&get("code=a&state=")).unwrap_err(), Refusal::MissingState);
    }

    #[test]
    fn an_error_comes_before_a_code() {
        let callback = Callback::read(&get("error=access_denied&code=a&state=s&error_description=%3Cb%3E")).unwrap();
        assert!(matches!(callback.answer, Some(Answer::Error(error)) if error.as_str() == "access_denied"));
    }

    #[test]
    fn json_is_for_those_who_ask_for_it_alone() {
        for (accept, json) in [
            ("application/json", true),
            ("application/json, */*", true),
            ("text/html,application/xhtml+xml,application/json;q=0.1", false),
            ("*/*", false),
            ("", false),
        ] {
            let mut request = get("");
            request.headers.insert("accept", accept.parse().unwrap());
            assert_eq!(wants_json(&request), json, "{accept}");
        }
    }

    #[test]
    fn the_sample_events_are_understood() {
        for (name, denied) in [("get", false), ("post", false), ("plain", false), ("denied", true)] {
            let path = format!("{}/../../events/callback-{name}.json", env!("CARGO_MANIFEST_DIR"));
            let request = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let callback = Callback::read(&request).unwrap();
            assert!(shared::state::State::parse(&callback.state).is_ok(), "{name}");
            assert_eq!(matches!(callback.answer, Some(Answer::Error(_))), denied, "{name}");
            assert_eq!(matches!(callback.answer, Some(Answer::Code(_))), !denied, "{name}");
            assert_eq!(cookies(&request).count(), usize::from(name != "plain"), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_query_makes_the_reader_panic(query in "\\PC{0,200}") {
            let _ = Callback::read(&get(&query));
        }
    }
}
