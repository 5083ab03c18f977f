//! WhatsApp's providers: whether they accept the credentials. No message is sent.

use reqwest::{RequestBuilder, Url};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use shared::whatsapp::{Meta, Twilio};

use super::answer::Answer;
use crate::{error::Error, http::client_for};

/// What the provider says of the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CredentialStatus {
    Accepted,
    /// The secret does not have the provider's format.
    Malformed,
    /// The provider's error code, which is about the credentials.
    Refused(u64),
    /// Nothing answered; the text says why.
    NoAnswer(&'static str),
    /// Something answered that is neither; the text says what was seen.
    Unclear(String),
}

/// Lists one of the account's messages at Twilio, and reads none: API keys may not read the account itself.
pub(crate) async fn check_twilio(base: Option<&Url>, credentials: &str) -> Result<CredentialStatus, Error> {
    let parsed = Twilio::parse(credentials).and_then(|twilio| Ok((twilio.messages_url(base)?, twilio)));
    let Ok((url, Twilio { user, password, .. })) = parsed else { return Ok(CredentialStatus::Malformed) };
    let request = client_for(&url)?.get(url).query(&[("PageSize", "1")]);
    Ok(check(request.basic_auth(user, Some(password.expose_secret())), of_twilio).await)
}

/// Reads the phone number at Meta.
pub(crate) async fn check_meta(base: Option<&Url>, credentials: &str) -> Result<CredentialStatus, Error> {
    let parsed = Meta::parse(credentials).and_then(|meta| Ok((meta.phone_number_url(base)?, meta)));
    let Ok((url, Meta { access_token, .. })) = parsed else { return Ok(CredentialStatus::Malformed) };
    let id = url.path_segments().and_then(Iterator::last).unwrap_or_default().to_owned();
    let request = client_for(&url)?.get(url).bearer_auth(access_token.expose_secret());
    Ok(check(request, |answer| of_meta(answer, &id)).await)
}

async fn check(request: RequestBuilder, judge: impl FnOnce(&Answer) -> CredentialStatus) -> CredentialStatus {
    Answer::to(request).await.map_or_else(CredentialStatus::NoAnswer, |answer| judge(&answer))
}

/// A page of messages (<https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources>), or an
/// error: wrong credentials, an account that is not active, no access, test credentials, an account that does not exist. A
/// restricted key, which may send and not list, has another one.
fn of_twilio(answer: &Answer) -> CredentialStatus {
    let json = answer.json();
    match json["code"].as_u64() {
        _ if answer.is_success() && json["messages"].is_array() => CredentialStatus::Accepted,
        Some(code @ (20_003 | 20_005 | 20_006 | 20_008 | 20_404)) if is_refusal(answer, &json["status"]) => {
            CredentialStatus::Refused(code)
        }
        code => unclear(answer, code, "list of Twilio's messages", "error of Twilio's"),
    }
}

/// The phone number (<https://developers.facebook.com/docs/whatsapp/cloud-api/reference/phone-numbers>), or an error: the
/// token, its permissions, or a number that is not its business's.
fn of_meta(answer: &Answer, id: &str) -> CredentialStatus {
    let json = answer.json();
    let error = &json["error"];
    match error["code"].as_u64() {
        _ if answer.is_success() && json["id"] == id => CredentialStatus::Accepted,
        Some(code @ (10 | 100 | 102 | 190 | 200..=299))
            if is_refusal(answer, &Value::Null) && error["type"].is_string() =>
        {
            CredentialStatus::Refused(code)
        }
        code => unclear(answer, code, "phone number of Meta's", "error of Meta's"),
    }
}

/// Whether it has the status of a refusal, and says so itself where the provider does.
fn is_refusal(answer: &Answer, named: &Value) -> bool {
    (400..=499).contains(&answer.status) && (named.is_null() || *named == answer.status)
}

fn unclear(answer: &Answer, code: Option<u64>, expected: &str, error: &str) -> CredentialStatus {
    let seen = match (answer.status, code) {
        (status @ 400..=499, Some(code)) => format!("status {status} with the error {code}"),
        _ => answer.seen(expected, error),
    };
    CredentialStatus::Unclear(seen)
}

#[cfg(test)]
mod tests {
    use super::{super::answer::tests::answer, *};

    fn unclear(why: &str) -> CredentialStatus {
        CredentialStatus::Unclear(why.to_owned())
    }

    #[test]
    fn only_twilios_own_answer_says_whether_its_credentials_are_right() {
        for (status, body, expected) in [
            (200, r#"{"messages":[],"page":0}"#, CredentialStatus::Accepted),
            (401, r#"{"code":20003,"message":"Authenticate","status":401}"#, CredentialStatus::Refused(20_003)),
            (404, r#"{"code":20404,"message":"not found","status":404}"#, CredentialStatus::Refused(20_404)),
            (401, r#"{"code":70051,"status":401}"#, unclear("status 401 with the error 70051")),
            (200, "<html>", unclear("status 200 with a page, no list of Twilio's messages")),
            (200, r#"{"ok":true}"#, unclear("status 200 with JSON, no list of Twilio's messages")),
            (404, "<html>", unclear("status 404 with a page, no error of Twilio's")),
            (401, r#"{"message":"Unauthorized"}"#, unclear("status 401 with JSON, no error of Twilio's")),
            (302, "", unclear("status 302, which leads elsewhere")),
            (429, r#"{"code":20429,"status":429}"#, unclear("status 429 with the error 20429")),
            (503, "", unclear("server error (status 503)")),
        ] {
            assert_eq!(of_twilio(&answer(status, body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn only_metas_own_answer_says_whether_its_credentials_are_right() {
        let expired =
            r#"{"error":{"message":"Session has expired","type":"OAuthException","code":190,"fbtrace_id":"A"}}"#;
        let unknown =
            r#"{"error":{"message":"(#100) Unsupported get request","type":"GraphMethodException","code":100}}"#;
        let limited = r#"{"error":{"message":"(#4) Application request limit","type":"OAuthException","code":4}}"#;
        for (status, body, expected) in [
            (200, r#"{"id":"10001","display_phone_number":"+1 555"}"#, CredentialStatus::Accepted),
            (401, expired, CredentialStatus::Refused(190)),
            (400, unknown, CredentialStatus::Refused(100)),
            (400, limited, unclear("status 400 with the error 4")),
            (200, r#"{"id":"another"}"#, unclear("status 200 with JSON, no phone number of Meta's")),
            (200, "<html>", unclear("status 200 with a page, no phone number of Meta's")),
            (404, r#"{"status":404,"error":"Not Found"}"#, unclear("status 404 with JSON, no error of Meta's")),
            (403, "<html>", unclear("status 403 with a page, no error of Meta's")),
        ] {
            assert_eq!(of_meta(&answer(status, body), "10001"), expected, "{status} {body}");
        }
    }
}
