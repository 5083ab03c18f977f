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
    /// Whether it says what became of the code, in words that only a token endpoint uses, and with a status that it refuses
    /// with (RFC 6749 §5.2). Any other may be a gateway's, in place of tokens: `{"error": "Not Found"}`.
    pub is_definite: bool,
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
/// away before it is processed (RFC 9110 §15.6.4, RFC 6585 §4), and Salesforce's own words say what it did. Without them a
/// gateway may have given any of these in place of the tokens: see [`Refusal::is_definite`].
pub(super) fn token_endpoint(status: u16, retry_after: Option<Duration>, fields: Option<&Fields>) -> Option<Refusal> {
    let soon = Class::Transient { retry_after };
    let error = fields.and_then(Fields::error);
    let words = error.as_ref().zip(fields).map(|(error, fields)| Words::new(error, &fields.description()));
    let by_word = match (&words, fields) {
        (Some(words), _) => Some(by_word(words).unwrap_or(soon)),
        (None, Some(fields)) if fields.token("access_token").is_some() => return None,
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
    let is_definite = match class {
        Class::Final(_) => true,
        Class::Operator => is_of_token_endpoint(status) && words.is_some_and(|words| words.is_of_the_settings()),
        Class::Transient { .. } | Class::Ambiguous => false,
    };
    let error = error.map(|error| DenialError::from_untrusted(&error));
    Some(Refusal { class, status, error, description, is_definite })
}

/// Whether the token endpoint refuses with this status (RFC 6749 §5.2).
const fn is_of_token_endpoint(status: u16) -> bool {
    matches!(status, 400 | 401 | 403)
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
    // Salesforce has made the refresh, whatever else it says.
    if matches!(status, 200..=299) && fields.is_some_and(|fields| fields.token("access_token").is_some()) {
        return None;
    }
    let refusal = token_endpoint(status, retry_after, fields)?;
    let words = fields.and_then(|fields| Some(Words::new(&fields.error()?, &fields.description())));
    let class = match (refusal.class, &words) {
        // Another request has it (sfdx-core#1342), and may have rotated it by now.
        (_, Some(words)) if words.says(&["being processed"]) => RefreshClass::Ambiguous,
        (Class::Transient { retry_after }, _) => RefreshClass::Transient { retry_after },
        (Class::Ambiguous, _) => RefreshClass::Ambiguous,
        // Tokens may have come with it.
        _ if matches!(status, 200..=299) => RefreshClass::Ambiguous,
        // This is another host's, or another path's, answer.
        _ if !is_of_token_endpoint(status) => RefreshClass::Operator,
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
        // Words about somebody under an error that may be Salesforce's own: the token says whether it is over.
        Class::Final(Reason::UserInactive | Reason::OrgInactive | Reason::AppBlocked) if !words.is_refusal() => {
            RefreshClass::Doubtful
        }
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
mod tests;
