//! What an answer of Salesforce means. Pure functions of status, header and body; what follows
//! from it is for the caller to decide.

use std::time::Duration;

use crate::{Reason, exchange::DenialError};
use serde::Deserialize;

/// The longest `Retry-After` that is honoured: any code has expired by then.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// What a failed exchange means for the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Salesforce is unavailable; the same request may succeed soon.
    Transient {
        /// From the `Retry-After` header.
        retry_after: Option<Duration>,
    },
    /// The request was sent and its answer lost: the code may be used up.
    Ambiguous,
    /// No retry can help; the reason is the person's or their administrator's.
    Final(Reason),
    /// The settings here and at Salesforce do not agree: the operator has to act.
    Operator,
}

/// A refusal by the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it means for the code.
    pub class: Class,
    /// The OAuth error code, where the answer has one.
    pub error: Option<DenialError>,
}

/// RFC 6749 §5.2.
#[derive(Deserialize)]
struct Problem {
    error: Option<String>,
    error_description: Option<String>,
}

/// The refusal that an answer of the token endpoint is; `None` for one that should hold tokens.
pub(super) fn token_endpoint(status: u16, retry_after: Option<&str>, body: &[u8]) -> Option<Refusal> {
    let problem = serde_json::from_slice::<Problem>(body).ok();
    let by_word = match &problem {
        Some(Problem { error: Some(error), error_description }) => {
            by_word(error, &error_description.as_deref().unwrap_or_default().to_ascii_lowercase())
        }
        Some(_) if status == 200 => return None,
        Some(_) => Some(Class::Operator),
        // A page, and no answer of OAuth: maintenance, a proxy, an outage; also with 200.
        None => None,
    };
    let class = match (status, by_word) {
        (_, Some(class @ Class::Final(Reason::LoginRate))) => class,
        // The login host is not the org's own.
        (300..=399, _) => Class::Operator,
        // Not a page, and not whole: the code was taken, and the answer broke off.
        (200, None) if problem.is_none() && !is_page(body) => Class::Ambiguous,
        (429 | 500..=599, _) | (_, None) => Class::Transient { retry_after: retry_after.and_then(seconds) },
        (_, Some(class)) => class,
    };
    let error = problem.and_then(|problem| problem.error).map(|error| DenialError::from_untrusted(&error));
    Some(Refusal { class, error })
}

/// The class of an OAuth error; `None` for the codes after which a retry may succeed.
fn by_word(error: &str, description: &str) -> Option<Class> {
    let says = |words: &str| description.contains(words);
    Some(match error {
        _ if says("login rate exceeded") => Class::Final(Reason::LoginRate),
        "rate_limit_exceeded" | "login_rate_exceeded" => Class::Final(Reason::LoginRate),
        "invalid_grant" if says("ip restricted") || says("login hours") || says("approved") => {
            Class::Final(Reason::AppBlocked)
        }
        // The verifier is of our own making.
        "invalid_grant" if says("code verifier") => Class::Operator,
        "invalid_grant" => Class::Final(Reason::CodeExpired),
        "inactive_user" => Class::Final(Reason::UserInactive),
        "inactive_org" => Class::Final(Reason::OrgInactive),
        "access_denied" | "access-denied" => Class::Final(Reason::Denied),
        "invalid_app_access" | "invalid_app_org" => Class::Final(Reason::AppBlocked),
        "unknown_error" | "server_error" | "temporarily_unavailable" => return None,
        // invalid_client, invalid_client_id, redirect_uri_mismatch, unsupported_grant_type,
        // invalid_request, and what is not known yet: the operator has to look.
        _ => Class::Operator,
    })
}

/// Whether it is markup, in place of an answer.
fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// `Retry-After` in seconds; the form with a date is not used by Salesforce.
fn seconds(retry_after: &str) -> Option<Duration> {
    retry_after.trim().parse().ok().map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// Why `/userinfo` does not name the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserinfoFailure {
    /// Fresh tokens are refused: the org's IP rules or the app's policies block this app.
    Blocked,
    /// The tokens are valid, but their scope does not include the person's name.
    OutOfScope,
    /// Salesforce is unavailable.
    Transient {
        /// From the `Retry-After` header.
        retry_after: Option<Duration>,
    },
}

/// What an answer of `/userinfo` without a name means. A refusal is a plain word, such as
/// `Bad_OAuth_Token` or `Invalid_Scope`, or a JSON error; HTML comes from a proxy in between.
pub(super) fn userinfo(status: u16, retry_after: Option<&str>, body: &[u8]) -> UserinfoFailure {
    let body = String::from_utf8_lossy(body).to_ascii_lowercase();
    match status {
        401 | 403 if body.trim_start().starts_with('<') => UserinfoFailure::Transient { retry_after: None },
        401 | 403 if body.contains("scope") => UserinfoFailure::OutOfScope,
        401 | 403 => UserinfoFailure::Blocked,
        _ => UserinfoFailure::Transient { retry_after: retry_after.and_then(seconds) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Class = Class::Transient { retry_after: None };
    const PAGE: &str = "<!DOCTYPE html><html><body>We are down for maintenance</body></html>";
    const EXPIRED: &str = r#"{"error":"invalid_grant","error_description":"expired authorization code"}"#;

    /// The rows of the design's failure table that are answers, in its order.
    #[test]
    fn each_answer_has_its_class() {
        #[rustfmt::skip]
        let table: [(&str, u16, &str, Class); 31] = [
            // transient
            ("429", 429, r#"{"error":"too_many_requests"}"#, SOON),
            ("429 without a word", 429, "", SOON),
            ("5xx", 500, "", SOON),
            ("5xx with a word", 503, r#"{"error":"invalid_client"}"#, SOON),
            ("maintenance", 503, PAGE, SOON),
            ("maintenance with 200", 200, PAGE, SOON),
            ("maintenance with 404", 404, PAGE, SOON),
            ("retry your request", 400, r#"{"error":"unknown_error","error_description":"retry your request"}"#, SOON),
            // ambiguous
            ("an empty 200", 200, "", Class::Ambiguous),
            ("a 200 that broke off", 200, r#"{"access_token":"00D!x"#, Class::Ambiguous),
            ("a 200 that is no JSON", 200, "OK", Class::Ambiguous),
            // final
            ("expired or used", 400, EXPIRED, Class::Final(Reason::CodeExpired)),
            ("never a code", 400, r#"{"error":"invalid_grant"}"#, Class::Final(Reason::CodeExpired)),
            ("frozen", 400, r#"{"error":"inactive_user"}"#, Class::Final(Reason::UserInactive)),
            ("locked", 400, r#"{"error":"inactive_org"}"#, Class::Final(Reason::OrgInactive)),
            ("denied", 400, r#"{"error":"access_denied"}"#, Class::Final(Reason::Denied)),
            ("from an address not allowed", 400, r#"{"error":"invalid_grant","error_description":"IP restricted or invalid login hours"}"#, Class::Final(Reason::AppBlocked)),
            ("not approved", 400, r#"{"error":"invalid_grant","error_description":"user hasn't approved this consumer"}"#, Class::Final(Reason::AppBlocked)),
            ("app not assigned", 400, r#"{"error":"invalid_app_access"}"#, Class::Final(Reason::AppBlocked)),
            // the operator's
            ("wrong secret", 400, r#"{"error":"invalid_client","error_description":"invalid client credentials"}"#, Class::Operator),
            ("wrong id", 400, r#"{"error":"invalid_client_id"}"#, Class::Operator),
            ("wrong redirect", 400, r#"{"error":"redirect_uri_mismatch"}"#, Class::Operator),
            ("wrong grant type", 400, r#"{"error":"unsupported_grant_type"}"#, Class::Operator),
            ("PKCE", 400, r#"{"error":"invalid_request","error_description":"missing required code challenge"}"#, Class::Operator),
            ("wrong verifier", 400, r#"{"error":"invalid_grant","error_description":"invalid code verifier"}"#, Class::Operator),
            ("never seen", 400, r#"{"error":"brand_new"}"#, Class::Operator),
            ("no word", 400, "{}", Class::Operator),
            ("redirected", 302, "", Class::Operator),
            // login rate
            ("login rate", 400, r#"{"error":"rate_limit_exceeded"}"#, Class::Final(Reason::LoginRate)),
            ("login rate, described", 400, r#"{"error":"invalid_grant","error_description":"Login Rate Exceeded"}"#, Class::Final(Reason::LoginRate)),
            ("login rate with 429", 429, r#"{"error":"login_rate_exceeded"}"#, Class::Final(Reason::LoginRate)),
        ];
        for (name, status, body, class) in table {
            assert_eq!(
                token_endpoint(status, None, body.as_bytes()).map(|refusal| refusal.class),
                Some(class),
                "{name}"
            );
        }
    }

    #[test]
    fn tokens_are_no_refusal() {
        assert_eq!(token_endpoint(200, None, br#"{"access_token":"00D!x"}"#), None);
    }

    #[test]
    fn retry_after_is_honoured_up_to_an_hour() {
        let wait = |header| match token_endpoint(503, Some(header), b"").map(|refusal| refusal.class) {
            Some(Class::Transient { retry_after }) => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("99999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(wait("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }

    #[test]
    fn the_error_code_is_kept_if_it_is_a_plain_word() {
        let word = |body: &str| token_endpoint(400, None, body.as_bytes()).unwrap().error;
        assert_eq!(word(EXPIRED).unwrap().as_str(), "invalid_grant");
        assert_eq!(word(r#"{"error":"<script>"}"#).unwrap().as_str(), "unknown");
        assert_eq!(word(PAGE), None);
    }

    #[test]
    fn fresh_tokens_that_are_refused_mean_that_the_app_is_blocked() {
        let soon = UserinfoFailure::Transient { retry_after: None };
        for (status, body, meaning) in [
            (403, "Bad_OAuth_Token", UserinfoFailure::Blocked),
            (401, r#"[{"errorCode":"INVALID_SESSION_ID"}]"#, UserinfoFailure::Blocked),
            (403, "Invalid_Scope", UserinfoFailure::OutOfScope),
            (403, PAGE, soon),
            (500, "", soon),
            (404, PAGE, soon),
        ] {
            assert_eq!(userinfo(status, None, body.as_bytes()), meaning, "{status} {body}");
        }
        let later = UserinfoFailure::Transient { retry_after: Some(Duration::from_secs(1)) };
        assert_eq!(userinfo(429, Some("1"), b""), later);
    }
}
