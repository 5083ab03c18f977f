//! What an answer of Salesforce means. Pure functions of status, header and body; what is then
//! done is for the caller to decide.

use std::time::Duration;

use serde::Deserialize;
use shared::{Reason, exchange::DenialError};

/// Nobody waits longer: the code is dead before.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// What a failed exchange means for the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Salesforce is not well; the same request may work soon.
    Transient {
        /// As Salesforce asked.
        retry_after: Option<Duration>,
    },
    /// The request was sent and its answer lost: the code may be used up.
    Ambiguous,
    /// It is over, for the person's or their administrator's reason.
    Final(Reason),
    /// The settings here and at Salesforce do not agree: the operator's.
    Operator,
}

/// A refusal by the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) class: Class,
    /// Salesforce's own word, where there was one.
    pub(crate) error: Option<DenialError>,
}

/// RFC 6749 §5.2.
#[derive(Deserialize)]
struct Problem {
    error: Option<String>,
    error_description: Option<String>,
}

/// Does the token endpoint refuse? `None` for an answer that should hold tokens.
pub(crate) fn refusal(status: u16, retry_after: Option<&str>, body: &[u8]) -> Option<Refusal> {
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
    let error = problem.and_then(|problem| problem.error).map(|error| DenialError::from_stranger(&error));
    Some(Refusal { class, error })
}

/// The class of an OAuth error; `None` where the word says that a retry may do.
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
        // invalid_request, and what nobody has seen yet: somebody has to look.
        _ => Class::Operator,
    })
}

/// Is it markup, in place of an answer?
fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// `Retry-After` in seconds; the form with a date is not used by Salesforce.
fn seconds(retry_after: &str) -> Option<Duration> {
    retry_after.trim().parse().ok().map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// Why `/userinfo` does not name the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nameless {
    /// Fresh tokens that open nothing: the org's IP rules, or the app's policies, keep us out.
    Blocked,
    /// The tokens are good but do not extend to the person's name.
    NotAllowed,
    /// Salesforce is not well.
    Transient {
        /// As Salesforce asked.
        retry_after: Option<Duration>,
    },
}

/// What an answer of `/userinfo` means that is not 200. A refusal is a plain word, such as
/// `Bad_OAuth_Token` or `Invalid_Scope`, or a JSON error; a page is from something in between.
pub(crate) fn nameless(status: u16, retry_after: Option<&str>, body: &[u8]) -> Nameless {
    let body = String::from_utf8_lossy(body).to_ascii_lowercase();
    match status {
        401 | 403 if body.trim_start().starts_with('<') => Nameless::Transient { retry_after: None },
        401 | 403 if body.contains("scope") => Nameless::NotAllowed,
        401 | 403 => Nameless::Blocked,
        _ => Nameless::Transient { retry_after: retry_after.and_then(seconds) },
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
            assert_eq!(refusal(status, None, body.as_bytes()).map(|refusal| refusal.class), Some(class), "{name}");
        }
    }

    #[test]
    fn tokens_are_no_refusal() {
        assert_eq!(refusal(200, None, br#"{"access_token":"00D!x"}"#), None);
    }

    #[test]
    fn salesforce_is_heard_on_when_to_come_back() {
        let wait = |header| match refusal(503, Some(header), b"").map(|refusal| refusal.class) {
            Some(Class::Transient { retry_after }) => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("99999999"), Some(LONGEST_WAIT));
        assert_eq!(wait("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }

    #[test]
    fn the_word_is_kept_if_it_is_one() {
        let word = |body: &str| refusal(400, None, body.as_bytes()).unwrap().error;
        assert_eq!(word(EXPIRED).unwrap().as_str(), "invalid_grant");
        assert_eq!(word(r#"{"error":"<script>"}"#).unwrap().as_str(), "unknown");
        assert_eq!(word(PAGE), None);
    }

    #[test]
    fn fresh_tokens_that_open_nothing_are_blocked() {
        let soon = Nameless::Transient { retry_after: None };
        for (status, body, meaning) in [
            (403, "Bad_OAuth_Token", Nameless::Blocked),
            (401, r#"[{"errorCode":"INVALID_SESSION_ID"}]"#, Nameless::Blocked),
            (403, "Invalid_Scope", Nameless::NotAllowed),
            (403, PAGE, soon),
            (500, "", soon),
            (404, PAGE, soon),
        ] {
            assert_eq!(nameless(status, None, body.as_bytes()), meaning, "{status} {body}");
        }
        let later = Nameless::Transient { retry_after: Some(Duration::from_secs(1)) };
        assert_eq!(nameless(429, Some("1"), b""), later);
    }
}
