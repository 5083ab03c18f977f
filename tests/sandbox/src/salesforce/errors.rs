//! The OAuth errors of Salesforce's, with their descriptions: said on demand.
//!
//! Sources: Salesforce Help "OAuth 2.0 Authorization Errors", articles 005132365 and 000232413; forcedotcom/sfdx-core#1342,
//! forcedotcom/cli#3482, PipedreamHQ/pipedream#21557.

use super::authorize::OAuthError;

const fn error(error: &'static str, description: &'static str) -> OAuthError {
    OAuthError { error, description }
}

/// Each error of the token endpoint. Of several with one word, the first is said where no description is asked for.
pub(crate) const TOKEN_ERRORS: [OAuthError; 24] = [
    error("access_denied", "end-user denied authorization"),
    error("inactive_org", "organization is locked, closed, or suspended"),
    error("inactive_user", "user is inactive"),
    error("invalid_app_access", "user is not admin approved to access this app"),
    error("invalid_client", "invalid client credentials"),
    error("invalid_client", "external client app is not installed in this org"),
    error("invalid_client_id", "client identifier invalid"),
    error("invalid_client_id", "External client app is not installed in this org"),
    error("invalid_grant", "expired authorization code"),
    error("invalid_grant", "invalid authorization code"),
    error("invalid_grant", "authentication failure"),
    error("invalid_grant", "inactive user"),
    error("invalid_grant", "inactive organization"),
    error("invalid_grant", "ip restricted or invalid login hours"),
    error("invalid_grant", "token request is already being processed"),
    error("invalid_grant", "invalid code verifier"),
    error("invalid_request", "missing required code verifier"),
    error("invalid_scope", "the requested scope is not allowed"),
    error("login_rate_exceeded", "login rate exceeded"),
    error("OAUTH_APP_BLOCKED", "this app is blocked by admin"),
    error("OAUTH_EC_APP_NOT_FOUND", "external client app is not installed in this org"),
    error("redirect_uri_mismatch", "redirect_uri must match configuration"),
    error("unknown_error", "retry your request"),
    error("unsupported_grant_type", "grant type not supported"),
];

/// The error with this word and, where one is asked for, this description.
pub(crate) fn find(word: &str, description: Option<&str>) -> Option<OAuthError> {
    let is_asked_for =
        |found: &&OAuthError| found.error == word && description.is_none_or(|text| found.description == text);
    TOKEN_ERRORS.iter().find(is_asked_for).copied()
}
