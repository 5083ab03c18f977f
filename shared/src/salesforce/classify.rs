//! What an answer of Salesforce means. Pure functions of status, header and body; what follows
//! from it is for the caller to decide.
//!
//! Sources: Salesforce Help "OAuth 2.0 Authorization Errors"; RFC 6749 §5.2; the reports named beside the words.

use std::{fmt, time::Duration};

use super::{body::Fields, words::Words};
use crate::{
    Reason,
    attempt::EndReason,
    exchange::{DenialError, Description},
};

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
    /// No retry can help; the reason is the person's or their administrator's. [`Reason::WrongLoginHost`] stands for any code
    /// that this host does not know, or no longer: its age says which.
    Final(Reason),
    /// The settings here and at Salesforce do not agree: the operator has to act.
    Operator,
}

/// A refusal by the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it means for the code.
    pub class: Class,
    /// The status of the answer.
    pub status: u16,
    /// The OAuth error code, where the answer has one.
    pub error: Option<DenialError>,
    /// What Salesforce says of it.
    pub description: Option<Description>,
}

/// For operators, in logs and attempts.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Salesforce answered {}", self.status)?;
        match &self.error {
            Some(error) => write!(f, " {}", error.as_str())?,
            None => f.write_str(" without an error code")?,
        }
        self.description.as_ref().map_or(Ok(()), |description| write!(f, ": {}", description.as_str()))
    }
}

/// The refusal that an answer of the token endpoint is; `None` for one with tokens.
///
/// Whatever may have reached Salesforce is ambiguous, because the code may be used up: a failure of the application or of
/// a gateway that waited for it (500, 502, 504), and a success without a readable answer. 503 and 429 turn a request
/// away before it is processed (RFC 9110 §15.6.4, RFC 6585 §4), and Salesforce's own words say what it did.
pub(super) fn token_endpoint(status: u16, retry_after: Option<Duration>, fields: Option<&Fields>) -> Option<Refusal> {
    let soon = Class::Transient { retry_after };
    let error = fields.and_then(Fields::error);
    let by_word = match (&error, fields) {
        (Some(error), Some(fields)) => Some(by_word(&Words::new(error, &fields.description())).unwrap_or(soon)),
        (None, Some(fields)) if fields.text("access_token").is_some() => return None,
        _ => None,
    };
    let class = match (status, by_word) {
        (_, Some(class @ Class::Final(Reason::LoginRate))) => class,
        (429 | 503, _) => soon,
        // A page or a broken answer in place of tokens counts as well: maintenance, a proxy, a connection that broke off.
        (500..=599, _) | (200..=299, None) => Class::Ambiguous,
        // The login host is not the org's own.
        (300..=399, _) => Class::Operator,
        (_, Some(class)) => class,
        // A page of a proxy in between, or nothing: Salesforce's own refusals are never without a word.
        (_, None) if fields.is_none() => soon,
        (_, None) => Class::Operator,
    };
    let description = fields.and_then(|fields| Description::from_untrusted(&fields.description()));
    Some(Refusal { class, status, error: error.map(|error| DenialError::from_untrusted(&error)), description })
}

/// The class of an OAuth error; `None` for the codes after which a retry may succeed.
fn by_word(words: &Words) -> Option<Class> {
    if let Some(reason) = words.reason() {
        return Some(Class::Final(reason));
    }
    if words.is_outage() {
        return None;
    }
    Some(Class::Final(match words.error() {
        // The verifier is a function of the attempt: this is the code of another one.
        _ if words.says(&["code verifier", "code_verifier"]) => Reason::CodeExpired,
        // Expired, used, or another host's: the words are the same, and the code's age tells them apart.
        "invalid_grant" if words.is_of_the_code() => Reason::WrongLoginHost,
        // The login failed, and not because of the code's age or host: "authentication failure", and what is not known yet.
        "invalid_grant" => Reason::Unknown,
        "access_denied" => Reason::Denied,
        // invalid_client, invalid_client_id, redirect_uri_mismatch, unsupported_grant_type,
        // invalid_request, and what is not known yet: the operator has to look.
        _ => return Some(Class::Operator),
    }))
}

/// What a refused refresh means for the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshClass {
    /// It was not used, and the same request may succeed later.
    Transient {
        /// From the `Retry-After` header, or what the words ask for.
        retry_after: Option<Duration>,
    },
    /// It may be used up: by this request, or by another that Salesforce is processing.
    Ambiguous,
    /// The connection is over.
    Ended(EndReason),
    /// It may be over: only Salesforce's word about the token itself decides.
    Doubtful,
    /// The settings here and at Salesforce do not agree: the operator has to act, and nothing is over.
    Operator,
}

/// A refusal of a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshRefusal {
    /// What it means for the refresh token.
    pub class: RefreshClass,
    /// As the token endpoint gave it.
    pub refusal: Refusal,
}

impl fmt::Display for RefreshRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

/// How long Salesforce refuses logins of a user once there were too many (Salesforce Help 000232413), or outside of their hours.
const LOGIN_PAUSE: Duration = Duration::from_hours(1);

/// How long a user is locked out after too many wrong passwords, unless the org says otherwise (Salesforce Help "Set Password
/// Policies").
const LOCKOUT: Duration = Duration::from_mins(15);
const LOCKED_USER: &[&str] = &["user is locked", "user account is locked"];

/// The refusal that an answer to a refresh is; `None` for one with tokens.
pub(super) fn refresh(status: u16, retry_after: Option<Duration>, fields: Option<&Fields>) -> Option<RefreshRefusal> {
    let refusal = token_endpoint(status, retry_after, fields)?;
    let words = fields.and_then(|fields| Some(Words::new(&fields.error()?, &fields.description())));
    let class = match (refusal.class, &words) {
        // Another request has it (sfdx-core#1342), and may have rotated it by now.
        (_, Some(words)) if words.says(&["being processed"]) => RefreshClass::Ambiguous,
        (Class::Transient { retry_after }, _) => RefreshClass::Transient { retry_after },
        (Class::Ambiguous, _) => RefreshClass::Ambiguous,
        (_, Some(words)) => refresh_by_word(refusal.class, words),
        _ => RefreshClass::Operator,
    };
    Some(RefreshRefusal { class, refusal })
}

fn refresh_by_word(class: Class, words: &Words) -> RefreshClass {
    match class {
        Class::Final(Reason::LoginRate) => RefreshClass::Transient { retry_after: Some(LOGIN_PAUSE) },
        // The stack's own address may not be on a list: nobody's connection is over, and only an operator can tell.
        _ if words.is_of_the_address() => RefreshClass::Operator,
        _ if words.says(&["login hours"]) => RefreshClass::Transient { retry_after: Some(LOGIN_PAUSE) },
        // By wrong passwords, which are anybody's: it passes.
        _ if words.says(LOCKED_USER) => RefreshClass::Transient { retry_after: Some(LOCKOUT) },
        Class::Final(Reason::UserInactive) => RefreshClass::Ended(EndReason::UserInactive),
        Class::Final(Reason::OrgInactive) => RefreshClass::Ended(EndReason::OrgInactive),
        Class::Final(Reason::AppBlocked) => RefreshClass::Ended(EndReason::AppBlocked),
        _ if words.error() == "invalid_grant" && words.says(DEAD_TOKEN) => RefreshClass::Ended(EndReason::Expired),
        _ if matches!(words.error(), "invalid_grant" | "access_denied") => RefreshClass::Doubtful,
        _ => RefreshClass::Operator,
    }
}

/// What `invalid_grant` says of a refresh token that is revoked, expired, or used up.
const DEAD_TOKEN: &[&str] = &[
    "expired access/refresh token",
    "refresh token expired",
    "refresh token is expired",
    "invalid refresh token",
    "token has been revoked",
    "token is revoked",
];

/// Whether it is markup, in place of an answer.
pub(super) fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// Why `/userinfo` does not name the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserinfoFailure {
    /// The access token has ended: revoked or expired, in Salesforce's own word about it.
    Dead,
    /// Fresh tokens are refused: the org's IP rules or the app's policies block this app. It says nothing about older ones.
    Blocked,
    /// The answer says nothing against the tokens, and another try would bring no name either: their scope does not
    /// include it.
    Undisclosed,
    /// The same: the org has no API calls left for today.
    NoCallsLeft,
    /// Salesforce is unavailable.
    Transient {
        /// From the `Retry-After` header.
        retry_after: Option<Duration>,
    },
}

impl UserinfoFailure {
    /// Whether tokens that have just come will never work here.
    #[must_use]
    pub const fn refuses_fresh_tokens(self) -> bool {
        matches!(self, Self::Dead | Self::Blocked)
    }
}

/// How an answer says that it is the token that is refused: Salesforce Help "Identity URLs and `/userinfo`" for the
/// plain words, REST API Developer Guide "Status Codes and Error Responses" for the others.
const DEAD_ACCESS_TOKEN: &[&str] = &["bad_oauth_token", "invalid_session_id", "invalid_token"];
/// The same, where it is the app that is refused, or no token was understood.
const REFUSED_TOKEN: &[&str] = &["missing_oauth_token", "oauth_app_"];

/// Whether a text names a reason why these tokens will never work here.
fn refuses(text: &str) -> bool {
    let reason = Words::new("", text).reason();
    matches!(reason, Some(Reason::AppBlocked | Reason::UserInactive | Reason::OrgInactive))
}

/// What an answer of `/userinfo` without a name means. A refusal is a plain word, such as
/// `Bad_OAuth_Token` or `Invalid_Scope`, or a JSON error; HTML comes from a proxy in between.
///
/// Only what definitely refuses the tokens fails the attempt: a consent is worth more than a name.
pub(super) fn userinfo(status: u16, retry_after: Option<Duration>, body: &[u8]) -> UserinfoFailure {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match status {
        401 | 403 if is_page(body) => UserinfoFailure::Transient { retry_after: None },
        401 | 403 if says(&["limit_exceeded"]) => UserinfoFailure::NoCallsLeft,
        401 | 403 if says(&["scope"]) => UserinfoFailure::Undisclosed,
        401 | 403 if says(DEAD_ACCESS_TOKEN) => UserinfoFailure::Dead,
        401 => UserinfoFailure::Blocked,
        403 if says(REFUSED_TOKEN) || refuses(&text) => UserinfoFailure::Blocked,
        200..=299 if !is_page(body) => UserinfoFailure::Undisclosed,
        403 => UserinfoFailure::Undisclosed,
        _ => UserinfoFailure::Transient { retry_after },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Class = Class::Transient { retry_after: None };
    const PAGE: &str = "<!DOCTYPE html><html><body>We are down for maintenance</body></html>";

    fn class(status: u16, retry_after: Option<Duration>, body: &str) -> Option<Class> {
        let fields = Fields::read(body.as_bytes());
        token_endpoint(status, retry_after, fields.as_ref()).map(|refusal| refusal.class)
    }

    fn described(error: &str, description: &str) -> Option<Class> {
        class(400, None, &serde_json::json!({"error": error, "error_description": description}).to_string())
    }

    #[test]
    fn each_status_has_its_class() {
        #[rustfmt::skip]
        let table: [(&str, u16, &str, Class); 21] = [
            // Turned away before it was processed.
            ("429", 429, r#"{"error":"too_many_requests"}"#, SOON),
            ("429 without a word", 429, "", SOON),
            ("429 with a page", 429, PAGE, SOON),
            ("503", 503, "", SOON),
            ("503 with a word", 503, r#"{"error":"invalid_client"}"#, SOON),
            ("maintenance", 503, PAGE, SOON),
            ("a page with 404", 404, PAGE, SOON),
            ("a page with 403", 403, PAGE, SOON),
            ("nothing with 400", 400, "", SOON),
            // It may have been processed.
            ("500", 500, "", Class::Ambiguous),
            ("500 with a word", 500, r#"{"error":"unknown_error"}"#, Class::Ambiguous),
            ("502", 502, PAGE, Class::Ambiguous),
            ("504", 504, PAGE, Class::Ambiguous),
            ("maintenance with 200", 200, PAGE, Class::Ambiguous),
            ("an empty 200", 200, "", Class::Ambiguous),
            ("a 200 that broke off", 200, r#"{"access_token":"00D!x"#, Class::Ambiguous),
            ("a 200 that is no JSON", 200, "OK", Class::Ambiguous),
            ("a 200 of somebody else", 200, r#"{"status":"maintenance"}"#, Class::Ambiguous),
            // The operator's.
            ("no word", 400, "{}", Class::Operator),
            ("redirected", 302, "", Class::Operator),
            ("redirected with a page", 301, PAGE, Class::Operator),
        ];
        for (name, status, body, expected) in table {
            assert_eq!(class(status, None, body), Some(expected), "{name}");
        }
    }

    #[test]
    fn each_error_has_its_class() {
        const EXPIRED: Class = Class::Final(Reason::CodeExpired);
        const NOT_KNOWN: Class = Class::Final(Reason::WrongLoginHost);
        const BLOCKED: Class = Class::Final(Reason::AppBlocked);
        const USER: Class = Class::Final(Reason::UserInactive);
        const ORG: Class = Class::Final(Reason::OrgInactive);
        const RATE: Class = Class::Final(Reason::LoginRate);
        #[rustfmt::skip]
        let table: [(&str, &str, Class); 70] = [
            // Salesforce Help "OAuth 2.0 Authorization Errors".
            ("unknown_error", "retry your request", SOON),
            ("server_error", "", SOON),
            ("temporarily_unavailable", "", SOON),
            ("access_denied", "end-user denied authorization", Class::Final(Reason::Denied)),
            ("access-denied", "", Class::Final(Reason::Denied)),
            ("inactive_user", "user is inactive", USER),
            ("inactive_org", "organization is locked, closed, or suspended", ORG),
            ("rate_limit_exceeded", "", RATE),
            ("login_rate_exceeded", "", RATE),
            ("invalid_grant", "Login Rate Exceeded", RATE),
            ("invalid_app_access", "user is not admin approved to access this app", BLOCKED),
            ("server_error", "organization is locked, closed, or suspended", ORG),
            ("service_unavailable", "", SOON),
            ("invalid_request", "The service is temporarily unavailable. Please try again later.", SOON),
            ("invalid_grant", "", NOT_KNOWN),
            ("INVALID-GRANT", "Expired Authorization Code.", NOT_KNOWN),
            ("invalid_grant: expired authorization code", "", NOT_KNOWN),
            ("invalid_grant", "expired authorization code", NOT_KNOWN),
            ("invalid_grant", "invalid authorization code", NOT_KNOWN),
            ("invalid_grant", "expired access/refresh token", NOT_KNOWN),
            ("invalid_grant", "authentication failure", Class::Final(Reason::Unknown)),
            ("invalid_grant", "expired password", Class::Final(Reason::Unknown)),
            ("invalid_grant", "API is disabled for this User", Class::Final(Reason::Unknown)),
            ("invalid_grant", "Benutzer ist inaktiv", Class::Final(Reason::Unknown)),
            ("invalid_grant", "organization is undergoing maintenance", SOON),
            ("invalid_grant", "inactive user", USER),
            ("Invalid_Grant", "  Inactive\tUSER ", USER),
            ("invalid_grant", "inactive user.", USER),
            ("invalid_grant", "user isn't active", USER),
            ("invalid_grant", "This user is frozen.", USER),
            ("access_denied", "The user account is locked", USER),
            ("invalid_grant: inactive user", "", USER),
            ("invalid_grant", "inactive organization", ORG),
            ("invalid_grant", "The organization isn\u{2019}t active.", ORG),
            ("invalid_request", "Organization is suspended", ORG),
            ("invalid_grant", "Inactive  Organization", ORG),
            ("invalid_grant", "ip restricted or invalid login hours", BLOCKED),
            ("invalid_grant", "IP restricted", BLOCKED),
            ("invalid_grant", "IP Restricted or Invalid Login Hours.", BLOCKED),
            ("invalid_grant", "IP address isn't in the allowed range", BLOCKED),
            ("invalid_request", "login is outside of the user's login hours", BLOCKED),
            ("invalid_grant", "user isn't admin approved to access this app", BLOCKED),
            ("access_denied", "User hasn't approved this consumer.", BLOCKED),
            ("invalid_grant", "user hasn't approved this consumer", BLOCKED),
            ("invalid_grant", "user hasn\u{2019}t approved this consumer", BLOCKED),
            ("invalid_client", "invalid client credentials", Class::Operator),
            ("invalid_client_id", "client identifier invalid", Class::Operator),
            ("redirect_uri_mismatch", "redirect_uri must match configuration", Class::Operator),
            ("redirect_uri_missing", "", Class::Operator),
            ("unsupported_grant_type", "grant type not supported", Class::Operator),
            ("invalid_scope", "", Class::Operator),
            ("invalid_request", "missing required code challenge", Class::Operator),
            ("brand_new", "", Class::Operator),
            // forcedotcom/sfdx-core#1342: an earlier request with this code or token is still being processed.
            ("invalid_grant", "token request is already being processed", SOON),
            ("invalid_grant", "Token Request Is Already Being Processed", SOON),
            ("invalid_request", "token request is already  being processed", SOON),
            ("invalid_grant", "Token request is being processed.", SOON),
            // forcedotcom/cli#3482, PipedreamHQ/pipedream#21557, articles 005132365 and 000232413: the app in this org.
            ("invalid_client_id", "External client app is not installed in this org", BLOCKED),
            ("invalid_client", "external client app is not  installed in this org", BLOCKED),
            ("invalid_client_id", "External Client App isn\u{2019}t installed in this org.", BLOCKED),
            ("oauth_ec_app_not_found", "", BLOCKED),
            ("oauth-app-blocked", "", BLOCKED),
            ("OAUTH_APP_ACCESS_DENIED", "An unexpected error. Try again later.", BLOCKED),
            ("OAUTH_EC_APP_NOT_FOUND", "", BLOCKED),
            ("OAUTH_APP_BLOCKED", "this app is blocked by admin", BLOCKED),
            ("OAUTH_APPROVAL_ERROR_GENERIC", "An unexpected error has occurred", BLOCKED),
            // A code of another link: a stranger can cause it, and no setting helps.
            ("invalid_grant", "invalid code verifier", EXPIRED),
            ("invalid_grant", "Code verifier does not match code challenge", EXPIRED),
            ("invalid_request", "code verifier without code challenge", EXPIRED),
            ("invalid_request", "missing required code verifier", EXPIRED),
        ];
        for (error, description, expected) in table {
            assert_eq!(described(error, description), Some(expected), "{error}: {description}");
        }
    }

    #[test]
    fn the_login_rate_counts_whatever_the_status() {
        let rate = r#"{"error":"login_rate_exceeded"}"#;
        for status in [400, 403, 429, 503] {
            assert_eq!(class(status, None, rate), Some(Class::Final(Reason::LoginRate)), "{status}");
        }
    }

    #[test]
    fn tokens_are_no_refusal() {
        for status in [200, 201, 203] {
            assert_eq!(class(status, None, r#"{"access_token":"00D!x"}"#), None, "{status}");
        }
    }

    #[test]
    fn a_pause_that_is_asked_for_is_kept() {
        let pause = Some(Duration::from_secs(7));
        for status in [429, 503] {
            assert_eq!(class(status, pause, ""), Some(Class::Transient { retry_after: pause }), "{status}");
        }
    }

    #[test]
    fn the_error_code_is_kept_if_it_is_a_plain_word() {
        let word = |body: &str| token_endpoint(400, None, Fields::read(body.as_bytes()).as_ref()).unwrap().error;
        assert_eq!(word(r#"{"error":"invalid_grant"}"#).unwrap().as_str(), "invalid_grant");
        assert_eq!(word(r#"{"error":"<script>"}"#).unwrap().as_str(), "unknown");
        assert_eq!(word(PAGE), None);
    }

    #[test]
    fn a_refusal_says_the_status_and_what_salesforce_says() {
        let says = |status, body: &str| {
            token_endpoint(status, None, Fields::read(body.as_bytes()).as_ref()).unwrap().to_string()
        };
        assert_eq!(says(503, PAGE), "Salesforce answered 503 without an error code");
        assert_eq!(
            says(400, r#"{"error":"invalid_grant","error_description":"expired authorization code"}"#),
            "Salesforce answered 400 invalid_grant: expired authorization code"
        );
        assert_eq!(
            says(400, r#"{"error":"invalid_client","error_description":"\u001b[2J +15551234567"}"#),
            "Salesforce answered 400 invalid_client: [2J +***"
        );
    }

    #[test]
    fn each_answer_of_userinfo_has_its_meaning() {
        const BLOCKED: UserinfoFailure = UserinfoFailure::Blocked;
        const DEAD: UserinfoFailure = UserinfoFailure::Dead;
        const UNDISCLOSED: UserinfoFailure = UserinfoFailure::Undisclosed;
        const SOON: UserinfoFailure = UserinfoFailure::Transient { retry_after: None };
        #[rustfmt::skip]
        let table: [(u16, &str, UserinfoFailure); 36] = [
            // Salesforce Help "Identity URLs", "Identity URL Response Parameters": plain words.
            (403, "Bad_OAuth_Token", DEAD),
            (401, "Bad_OAuth_Token", DEAD),
            (403, "Missing_OAuth_Token", BLOCKED),
            (403, "Wrong_Org", UNDISCLOSED),
            (403, "Invalid_Scope", UNDISCLOSED),
            (404, "Bad_Id", SOON),
            (500, "Internal_Error", SOON),
            // RFC 6750 §3.1.
            (401, r#"{"error":"invalid_token"}"#, DEAD),
            (403, r#"{"error":"insufficient_scope"}"#, UNDISCLOSED),
            // REST API Developer Guide "Status Codes and Error Responses".
            (401, r#"[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]"#, DEAD),
            (403, r#"[{"errorCode":"INVALID_SESSION_ID"}]"#, DEAD),
            (401, r#"[{"errorCode":"INVALID_AUTH_HEADER"}]"#, BLOCKED),
            (403, r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]"#, UserinfoFailure::NoCallsLeft),
            (403, r#"[{"errorCode":"API_DISABLED_FOR_ORG"}]"#, UNDISCLOSED),
            (403, r#"[{"errorCode":"FUNCTIONALITY_NOT_ENABLED"}]"#, UNDISCLOSED),
            (503, r#"[{"errorCode":"SERVER_UNAVAILABLE"}]"#, SOON),
            // Articles 005132365 and 000232413: the app, or the address that it calls from, is not allowed in the org.
            (403, r#"[{"errorCode":"OAUTH_APP_ACCESS_DENIED"}]"#, BLOCKED),
            (403, "IP restricted", BLOCKED),
            (403, "ip Restricted or invalid login hours.", BLOCKED),
            (403, r#"{"error":"access_denied","error_description":"IP address isn't allowed"}"#, BLOCKED),
            (403, r#"{"error":"access_denied","error_description":"this app is blocked by admin"}"#, BLOCKED),
            (403, r#"[{"errorCode":"FORBIDDEN","message":"inactive user"}]"#, BLOCKED),
            (401, r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#, UserinfoFailure::NoCallsLeft),
            (403, r#"[{"errorCode":"request_limit_exceeded","more":{"unknown":1}}]"#, UserinfoFailure::NoCallsLeft),
            (403, "BAD_OAUTH_TOKEN", DEAD),
            // Without a word, without a name, or a page of a proxy in between.
            (401, "", BLOCKED),
            (403, "", UNDISCLOSED),
            (200, r#"{"sub":"https://login.salesforce.com/id/00D/005"}"#, UNDISCLOSED),
            (200, r#"{"preferred_username":""}"#, UNDISCLOSED),
            (200, PAGE, SOON),
            (302, "", SOON),
            (500, PAGE, SOON),
            (502, "", SOON),
            (403, PAGE, SOON),
            (401, PAGE, SOON),
            (404, PAGE, SOON),
        ];
        for (status, body, meaning) in table {
            assert_eq!(userinfo(status, None, body.as_bytes()), meaning, "{status} {body}");
        }
        let later = UserinfoFailure::Transient { retry_after: Some(Duration::from_secs(1)) };
        assert_eq!(userinfo(429, Some(Duration::from_secs(1)), b""), later);
    }

    #[test]
    fn each_answer_to_a_refresh_has_its_meaning() {
        use RefreshClass::{Ambiguous, Doubtful, Ended, Operator};
        const LATER: RefreshClass = RefreshClass::Transient { retry_after: None };
        const IN_AN_HOUR: RefreshClass = RefreshClass::Transient { retry_after: Some(LOGIN_PAUSE) };
        let of = |status, error: &str, description: &str| {
            let body = serde_json::json!({"error": error, "error_description": description}).to_string();
            refresh(status, None, Fields::read(body.as_bytes()).as_ref()).unwrap().class
        };
        for (error, description, class) in [
            ("invalid_grant", "expired access/refresh token", Ended(EndReason::Expired)),
            ("invalid_grant", "inactive user", Ended(EndReason::UserInactive)),
            ("inactive_user", "user is frozen", Ended(EndReason::UserInactive)),
            ("invalid_grant", "inactive organization", Ended(EndReason::OrgInactive)),
            ("OAUTH_APP_BLOCKED", "this app is blocked by admin", Ended(EndReason::AppBlocked)),
            ("invalid_grant", "Token request is already being processed", Ambiguous),
            ("invalid_grant", "authentication failure", Doubtful),
            ("invalid_grant", "", Doubtful),
            ("access_denied", "", Doubtful),
            ("invalid_grant", "ip restricted or invalid login hours", Operator),
            ("invalid_grant", "IP Restricted", Operator),
            ("invalid_grant", "IP address isn't in the allowed range", Operator),
            ("access_denied", "ip restricted or invalid login hours", Operator),
            ("invalid_client", "invalid client credentials", Operator),
            ("unsupported_grant_type", "grant type not supported", Operator),
            ("new_error", "never seen", Operator),
            ("invalid_grant", "user is outside of their login hours", IN_AN_HOUR),
            ("invalid_grant", "login rate exceeded", IN_AN_HOUR),
            ("inactive_user", "The user account is locked", RefreshClass::Transient { retry_after: Some(LOCKOUT) }),
            ("inactive_org", "organization is locked, closed, or suspended", Ended(EndReason::OrgInactive)),
            ("unknown_error", "retry your request", LATER),
            ("server_error", "", LATER),
        ] {
            assert_eq!(of(400, error, description), class, "{error} {description}");
        }
        assert_eq!(of(500, "invalid_grant", "expired access/refresh token"), Ambiguous);
        assert_eq!(of(503, "invalid_grant", "expired access/refresh token"), LATER);
    }

    #[test]
    fn a_page_in_place_of_an_answer_to_a_refresh_ends_nothing() {
        for (status, class) in [
            (200, RefreshClass::Ambiguous),
            (400, RefreshClass::Transient { retry_after: None }),
            (401, RefreshClass::Transient { retry_after: None }),
            (302, RefreshClass::Operator),
            (502, RefreshClass::Ambiguous),
            (503, RefreshClass::Transient { retry_after: None }),
        ] {
            assert_eq!(refresh(status, None, None).unwrap().class, class, "{status}");
        }
    }
}
