//! What the error of an authorization response (RFC 6749 §4.1.2.1) means: who said no, the person or somebody else. Pure.

use super::words::Words;
use crate::Reason;

/// The reason of the attempt that ends with this `error` and `error_description` at the callback.
///
/// The person's own no is told from their administrator's, from the app's wrong settings and from an outage, because a
/// new link helps only after the first. Words that are not known mean no denial: whether the person said no is unknown.
#[must_use]
pub fn callback_error(error: &str, description: Option<&str>) -> Reason {
    let words = Words::new(error, description.unwrap_or_default());
    if let Some(reason) = words.reason() {
        return reason;
    }
    match words.error() {
        "access_denied" | "user_denied" | "end_user_denied" => Reason::Denied,
        // The request was made wrong here: by the app's settings, the stack's parameters, or the product.
        "invalid_request"
        | "invalid_scope"
        | "invalid_client"
        | "invalid_client_id"
        | "invalid_client_credentials"
        | "unauthorized_client"
        | "unsupported_response_type"
        | "unsupported_grant_type"
        | "unsupported_response_mode"
        | "invalid_response_type"
        | "invalid_redirect_uri"
        | "invalid_code_challenge"
        | "invalid_code_challenge_method" => Reason::Misconfigured,
        error if error.starts_with("redirect_uri") => Reason::Misconfigured,
        _ if words.says(&["code challenge", "redirect_uri"]) => Reason::Misconfigured,
        _ if words.is_outage() => Reason::SalesforceUnavailable,
        _ if words.says(&["denied authorization", "user denied", "denied access"]) => Reason::Denied,
        // immediate_unsuccessful, login_required, invalid_grant, and what is not known yet.
        _ => Reason::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Denial, Description};

    /// A description that comes to the point late.
    const LATE: &str = "We were asked to grant an external client app the access that it needs, and looked for the account with \
        which somebody has just logged in here. It turned out that this cannot be done today, because of the settings of the \
        account itself: the user is frozen.";

    #[test]
    fn each_error_has_its_reason() {
        #[rustfmt::skip]
        let table: [(&str, &str, Reason); 59] = [
            // Salesforce Help, "OAuth 2.0 Authorization Errors"; RFC 6749 §4.1.2.1.
            ("access_denied", "end-user denied authorization", Reason::Denied),
            ("access-denied", "", Reason::Denied),
            ("ACCESS_DENIED", "", Reason::Denied),
            ("access denied", "", Reason::Denied),
            ("other", "end-user denied authorization", Reason::Denied),
            ("other", "End-User denied authorization.", Reason::Denied),
            // The administrator's: the app is not installed, not approved, or blocked.
            ("OAUTH_APP_BLOCKED", "this app is blocked by admin", Reason::AppBlocked),
            ("oauth_app_blocked", "", Reason::AppBlocked),
            ("OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app", Reason::AppBlocked),
            ("access_denied", "User is not admin  approved to access this app", Reason::AppBlocked),
            ("OAUTH_EC_APP_NOT_FOUND", "", Reason::AppBlocked),
            ("OAUTH_APPROVAL_ERROR_GENERIC", "An unexpected error has occurred during authentication", Reason::AppBlocked),
            ("OAUTH_AUTHORIZATION_BLOCKED", "Cross-org OAuth flows are not supported for this external client app", Reason::AppBlocked),
            ("invalid_client_id", "External client app is not installed in this org", Reason::AppBlocked),
            ("invalid_client_id", "External client app isn't installed in this org.", Reason::AppBlocked),
            ("oauth-ec-app-not-found", "", Reason::AppBlocked),
            ("server_error", "This app is blocked by your admin", Reason::AppBlocked),
            ("invalid_request", "App must be installed into org", Reason::AppBlocked),
            ("invalid_app_access", "", Reason::AppBlocked),
            ("invalid_grant", "ip restricted or invalid login hours", Reason::AppBlocked),
            ("OAUTH_APP_BLOCKED: this app is blocked", "", Reason::AppBlocked),
            ("invalid_client_id", "External Client App isn\u{2019}t installed\u{a0}in this org.", Reason::AppBlocked),
            ("access_denied", "User hasn\u{2019}t been approved to access this app", Reason::AppBlocked),
            // The user's and the org's state.
            ("inactive_user", "", Reason::UserInactive),
            ("invalid_grant: inactive user", "", Reason::UserInactive),
            ("access_denied", "The user isn\u{2019}t active", Reason::UserInactive),
            ("access_denied", "The user\nis\tfrozen.", Reason::UserInactive),
            ("access_denied", LATE, Reason::UserInactive),
            ("access_denied", "inactive user", Reason::UserInactive),
            ("access_denied", "The user is frozen.", Reason::UserInactive),
            ("inactive_org", "", Reason::OrgInactive),
            ("access_denied", "Organization is locked, closed, or suspended.", Reason::OrgInactive),
            ("invalid_grant", "Inactive Organization", Reason::OrgInactive),
            ("rate_limit_exceeded", "", Reason::LoginRate),
            ("access_denied", "login rate exceeded", Reason::LoginRate),
            // The operator's.
            ("invalid_scope", "the requested scope is not allowed", Reason::Misconfigured),
            ("invalid_request", "missing required code challenge", Reason::Misconfigured),
            ("redirect_uri_mismatch", "redirect_uri must match configuration", Reason::Misconfigured),
            ("redirect_uri_missing", "", Reason::Misconfigured),
            ("REDIRECT_URI_INVALID", "", Reason::Misconfigured),
            ("invalid_grant", "Missing required code challenge.", Reason::Misconfigured),
            ("invalid_scope", "", Reason::Misconfigured),
            ("unsupported_response_type", "response type not supported", Reason::Misconfigured),
            ("unauthorized_client", "", Reason::Misconfigured),
            ("invalid_client_id", "client identifier invalid", Reason::Misconfigured),
            ("invalid_client", "", Reason::Misconfigured),
            // Salesforce's own.
            ("server_error", "", Reason::SalesforceUnavailable),
            ("Server-Error", "", Reason::SalesforceUnavailable),
            ("temporarily_unavailable", "", Reason::SalesforceUnavailable),
            ("unknown_error", "retry your request", Reason::SalesforceUnavailable),
            ("service_unavailable", "", Reason::SalesforceUnavailable),
            ("other", "The service is down for maintenance.", Reason::SalesforceUnavailable),
            // Nobody's no.
            ("immediate_unsuccessful", "", Reason::Unknown),
            ("login_required", "", Reason::Unknown),
            // OpenID Connect Core §3.1.2.6.
            ("interaction_required", "", Reason::Unknown),
            ("consent_required", "", Reason::Unknown),
            ("account_selection_required", "", Reason::Unknown),
            ("brand_new", "", Reason::Unknown),
            ("", "", Reason::Unknown),
        ];
        for (error, description, reason) in table {
            assert_eq!(callback_error(error, Some(description)), reason, "{error} {description}");
            let kept = Denial::from_untrusted(error, Some(description));
            let kept: Denial = serde_json::from_value(serde_json::to_value(kept).unwrap()).unwrap();
            let description = kept.description.as_ref().map(Description::as_str);
            assert_eq!(callback_error(kept.error.as_str(), description), reason, "{kept:?} of {error}");
        }
    }

    #[test]
    fn a_description_may_be_absent() {
        assert_eq!(callback_error("access_denied", None), Reason::Denied);
    }
}
