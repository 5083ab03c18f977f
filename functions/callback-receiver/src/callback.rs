//! The authorization response in a request: parsed here, verified elsewhere.

use shared::{
    AttemptId, AuthorizationCode, Language,
    code::InvalidCode,
    exchange::{Denial, StateText},
    state,
    web::{
        Parameter::{Absent, Once, Repeated},
        Parameters, Request,
    },
};

use crate::refusal::Refusal;

/// The parameters that are read.
pub(crate) const PARAMETERS: [&str; 5] = ["state", "code", "error", "error_description", "iss"];

/// An authorization response (RFC 6749 §4.1.2), as it arrived.
#[derive(Debug)]
pub(crate) struct Callback {
    /// Not yet verified.
    pub(crate) state: StateText,
    /// What Salesforce answers. Where it is of no use, the state still says whose login it is.
    pub(crate) answer: Result<Answer, Refusal>,
    /// Who answers (RFC 9207), where Salesforce says so.
    pub(crate) issuer: Option<String>,
}

/// What Salesforce answers.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The person approved.
    Code(AuthorizationCode),
    /// The person, or Salesforce, did not.
    Error(Denial),
}

impl Answer {
    /// The SHA-256 of the code, if there is one.
    pub(crate) fn code_sha256(&self) -> Option<String> {
        match self {
            Self::Code(code) => Some(code.sha256()),
            Self::Error(_) => None,
        }
    }
}

impl Callback {
    /// Reads the query, and on POST a form too. Unknown parameters are ignored.
    ///
    /// # Errors
    /// [`Refusal`] where the state is missing, too long or ambiguous: nothing says whose login it is.
    pub(crate) fn read(request: Request<'_>) -> Result<Self, Refusal> {
        let Parameters { values, are_too_long } = request.parameters(PARAMETERS);
        let repeated = values.iter().any(|value| matches!(value, Repeated(_)));
        let [state, code, error, description, issuer] = values;
        let state = match state {
            Once(state) | Repeated(Some(state)) if state.len() > state::MAX_LENGTH => return Err(Refusal::TooLong),
            Once(state) | Repeated(Some(state)) => state,
            Repeated(None) => return Err(Refusal::DuplicateParameter),
            Absent => return Err(if are_too_long { Refusal::TooLong } else { Refusal::MissingState }),
        };
        let answer = match (error, code) {
            _ if are_too_long => Err(Refusal::TooLong),
            _ if repeated => Err(Refusal::DuplicateParameter),
            (Once(error), _) => Ok(Answer::Error(Denial::from_untrusted(&error, once(description).as_deref()))),
            (_, Once(code)) => parse_code(code),
            _ => Err(Refusal::MissingCode),
        };
        Ok(Self { state: StateText::new(state), answer, issuer: once(issuer) })
    }
}

/// What the page's script has left in the address in place of an authorization response. Anybody can write it.
#[derive(Debug, Default)]
pub(crate) struct PageAddress {
    /// The login that the page is of.
    pub(crate) attempt_id: Option<AttemptId>,
    /// The page's language.
    pub(crate) language: Option<Language>,
}

impl PageAddress {
    /// Reads the query; `None` where the request brings any parameter of an authorization response, or names a login that cannot
    /// be read: another login's page would be shown in its place.
    pub(crate) fn read(request: Request<'_>) -> Option<Self> {
        if request.parameters(PARAMETERS).values.iter().any(|value| *value != Absent) {
            return None;
        }
        let [attempt_id, language] = request.parameters(["attempt", "language"]).values;
        let attempt_id = match attempt_id {
            Absent => None,
            Once(text) => Some(text.parse().ok()?),
            Repeated(_) => return None,
        };
        Some(Self { attempt_id, language: once(language).and_then(|tag| tag.parse().ok()) })
    }
}

fn once(parameter: shared::web::Parameter) -> Option<String> {
    match parameter {
        Once(value) => Some(value),
        Absent | Repeated(_) => None,
    }
}

fn parse_code(text: String) -> Result<Answer, Refusal> {
    AuthorizationCode::parse(text).map(Answer::Code).map_err(|error| match error {
        InvalidCode::TooLong => Refusal::TooLong,
        // Salesforce cannot have made it, so it counts as missing.
        InvalidCode::Empty | InvalidCode::Character => Refusal::MissingCode,
    })
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
    use proptest::prelude::*;
    use serde_json::json;
    use shared::{code, web::MAX_PARAMETERS};

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

    fn read(event: &ApiGatewayV2httpRequest) -> Result<Callback, Refusal> {
        Callback::read(Request::new(event))
    }

    fn code(callback: &Callback) -> &str {
        match &callback.answer {
            Ok(Answer::Code(code)) => code.secret(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn decodes_once() {
        let callback = read(&get("code=aPrx%3D%3D&state=wa%3Awhatsapp%3A%2B15551234567&x=%25")).unwrap();
        assert_eq!(code(&callback), "aPrx==");
        assert_eq!(callback.state.as_str(), "wa:whatsapp:+15551234567");
        assert!(!format!("{callback:?}").contains("1555"), "the state holds a phone number");
        let twice = read(&get("code=a%253D&state=s")).unwrap();
        assert_eq!(code(&twice), "a%3D");
    }

    #[test]
    fn ignores_unknown_parameters() {
        let query = "sfdc_community_url=https%3A%2F%2Fx&code=a&state=s&sfdc_community_id=1&sfdc_community_id=2";
        assert_eq!(code(&read(&get(query)).unwrap()), "a");
    }

    #[test]
    fn refuses_a_parameter_that_comes_twice() {
        for query in
            ["code=a&code=a&state=s", "error=x&error=y&state=s", "code=a&iss=x&iss=x&state=s", "code=a&state=s&state=s"]
        {
            let callback = read(&get(query)).unwrap();
            assert_eq!(callback.answer.unwrap_err(), Refusal::DuplicateParameter, "{query}");
            assert_eq!(callback.state.as_str(), "s", "{query}");
        }
    }

    #[test]
    fn two_states_say_nothing_about_whose_login_it_is() {
        assert_eq!(read(&get("code=a&state=s&state=t")).unwrap_err(), Refusal::DuplicateParameter);
        let in_both = request("POST", "state=t", Some("code=a&state=s"), false);
        assert_eq!(read(&in_both).unwrap_err(), Refusal::DuplicateParameter);
    }

    #[test]
    fn a_state_in_query_and_form_says_whose_login_it_is() {
        let callback = read(&request("POST", "state=s&code=a", Some("code=a&state=s"), false)).unwrap();
        assert_eq!((callback.state.as_str(), callback.answer.unwrap_err()), ("s", Refusal::DuplicateParameter));
    }

    #[test]
    fn an_empty_parameter_is_none() {
        for query in
            ["code=a&state=s&error=", "error=&code=a&error_description=&state=&state=s&iss=", "code=a&code=&state=s"]
        {
            let callback = read(&get(query)).unwrap();
            assert_eq!((code(&callback), callback.state.as_str()), ("a", "s"), "{query}");
            assert_eq!(callback.issuer, None, "{query}");
        }
    }

    #[test]
    fn reads_a_form_body_on_post_alone() {
        let plain = request("POST", "", Some("code=a%3D&state=s"), false);
        assert_eq!(code(&read(&plain).unwrap()), "a=");
        let encoded = request("POST", "state=s", Some("Y29kZT1hJTNE"), true);
        assert_eq!(code(&read(&encoded).unwrap()), "a=");
        assert_eq!(read(&request("GET", "", Some("code=a&state=s"), false)).unwrap_err(), Refusal::MissingState);
        let broken = request("POST", "state=s", Some("%%%"), true);
        assert_eq!(read(&broken).unwrap().answer.unwrap_err(), Refusal::MissingCode);
    }

    #[test]
    fn limits_every_length() {
        let long = |n: usize| "c".repeat(n);
        for query in [
            format!("state=s&code={}", long(code::MAX_LENGTH + 1)),
            format!("state=s&code=a&x={}", long(MAX_PARAMETERS)),
        ] {
            let callback = read(&get(&query)).unwrap();
            assert_eq!((callback.state.as_str(), callback.answer.unwrap_err()), ("s", Refusal::TooLong));
        }
        for query in [format!("state={}&code=a", long(state::MAX_LENGTH + 1)), format!("x={}", long(MAX_PARAMETERS))] {
            assert_eq!(read(&get(&query)).unwrap_err(), Refusal::TooLong);
        }
        assert!(read(&get(&format!("state=s&code={}", long(code::MAX_LENGTH)))).unwrap().answer.is_ok());
    }

    #[test]
    fn a_code_that_salesforce_cannot_have_made_counts_as_missing() {
        for query in ["state=s", "state=s&code=", "state=s&code=%00", "state=s&code=%FF"] {
            assert_eq!(read(&get(query)).unwrap().answer.unwrap_err(), Refusal::MissingCode, "{query}");
        }
    }

    #[test]
    fn an_empty_state_counts_as_missing() {
        assert_eq!(read(&get("code=a")).unwrap_err(), Refusal::MissingState);
        assert_eq!(read(&get("code=a&state=")).unwrap_err(), Refusal::MissingState);
    }

    #[test]
    fn an_error_comes_before_a_code() {
        let callback = read(&get("error=access_denied&code=a&state=s&error_description=%3Cb%3E")).unwrap();
        assert!(matches!(callback.answer, Ok(Answer::Error(denial)) if denial.error.as_str() == "access_denied"));
    }

    #[test]
    fn the_sample_events_are_understood() {
        for (name, denied) in [("get", false), ("post", false), ("plain", false), ("denied", true)] {
            let path = format!("{}/../../events/callback-{name}.json", env!("CARGO_MANIFEST_DIR"));
            let event = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let callback = read(&event).unwrap();
            assert!(shared::state::State::parse(callback.state.as_str()).is_ok(), "{name}");
            assert_eq!(matches!(callback.answer, Ok(Answer::Error(_))), denied, "{name}");
            assert_eq!(matches!(callback.answer, Ok(Answer::Code(_))), !denied, "{name}");
            assert_eq!(Request::new(&event).cookies().count(), usize::from(name != "plain"), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_query_makes_the_reader_panic(query in "\\PC{0,200}") {
            let _ = read(&get(&query));
        }
    }
}
