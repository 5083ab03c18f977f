//! An OAuth error and its description as Salesforce writes them, and the reasons that both endpoints give with them.
//!
//! The error alone is often too general (`invalid_grant`, `access_denied`): the reason then stands in the description,
//! which is text for people and differs in case and spacing. Sources: Salesforce Help "OAuth 2.0 Authorization Errors",
//! articles 005132365 and 000232413; forcedotcom/cli#3482; PipedreamHQ/pipedream#21557.

use crate::Reason;

/// An error and its description: lower case, single spaces, `is not` in place of `isn't`; `_` in place of `-` and of spaces
/// in the error.
pub(super) struct Words {
    error: String,
    description: String,
}

impl Words {
    /// Some answers append the description to the error, after a colon.
    pub(super) fn new(error: &str, description: &str) -> Self {
        let (error, appended) = error.split_once(':').unwrap_or((error, ""));
        Self {
            error: plain(error).replace(['-', ' '], "_"),
            description: plain(&format!("{appended} {description}")).replace('\u{2019}', "'").replace("n't ", " not "),
        }
    }

    /// The error.
    pub(super) fn error(&self) -> &str {
        &self.error
    }

    /// Whether the description has one of these phrases.
    pub(super) fn says(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.description.contains(phrase))
    }

    /// Whether the address that calls is refused, or may be: Salesforce has one description for that and for the user's login
    /// hours, `ip restricted or invalid login hours`.
    pub(super) fn is_of_the_address(&self) -> bool {
        self.says(ADDRESS_PHRASES)
    }

    /// Whether there is no description, or one about the code itself.
    pub(super) fn is_of_the_code(&self) -> bool {
        self.description.is_empty() || self.says(&["authorization code", "access/refresh token", "grant is invalid"])
    }

    /// The reason of the person or of their administrator, where the words name one.
    pub(super) fn reason(&self) -> Option<Reason> {
        let is = |errors: &[&str]| errors.contains(&self.error());
        if is(&["rate_limit_exceeded", "login_rate_exceeded"]) || self.says(&["login rate"]) {
            Some(Reason::LoginRate)
        } else if is(&["inactive_user"]) || self.says(INACTIVE_USER) {
            Some(Reason::UserInactive)
        } else if is(INACTIVE_ORGS) || self.says(INACTIVE_ORG) {
            Some(Reason::OrgInactive)
        } else if self.is_blocked() || self.says(BLOCKED_PHRASES) || self.is_of_the_address() {
            Some(Reason::AppBlocked)
        } else {
            None
        }
    }

    fn is_blocked(&self) -> bool {
        BLOCKED.contains(&self.error()) || BLOCKED_PREFIXES.iter().any(|prefix| self.error.starts_with(prefix))
    }

    /// Whether the error is one by which Salesforce refuses a person, their org or the app. Under another one, words that are known
    /// from these may speak of something else.
    pub(super) fn is_refusal(&self) -> bool {
        const OTHERS: [&str; 6] = [
            "access_denied",
            "inactive_user",
            "invalid_client",
            "invalid_client_id",
            "invalid_grant",
            "unauthorized_client",
        ];
        OTHERS.contains(&self.error()) || INACTIVE_ORGS.contains(&self.error()) || self.is_blocked()
    }

    /// Whether it is the settings here and at Salesforce that do not agree, in an error of RFC 6749 §5.2 or of Salesforce's own.
    pub(super) fn is_of_the_settings(&self) -> bool {
        const OF_THE_SETTINGS: [&str; 8] = [
            "invalid_client",
            "invalid_client_id",
            "invalid_request",
            "invalid_scope",
            "redirect_uri_mismatch",
            "redirect_uri_missing",
            "unauthorized_client",
            "unsupported_grant_type",
        ];
        OF_THE_SETTINGS.contains(&self.error())
    }

    /// Whether Salesforce says that it failed itself, so that the same request may succeed later.
    pub(super) fn is_outage(&self) -> bool {
        OUTAGES.contains(&self.error()) || self.says(OUTAGE_PHRASES)
    }
}

const OUTAGES: &[&str] = &[
    "unknown_error",
    "server_error",
    "temporarily_unavailable",
    "internal_error",
    "internal_server_error",
    "service_unavailable",
    "server_unavailable",
];
const OUTAGE_PHRASES: &[&str] = &[
    "retry your request",
    "being processed",
    "try again later",
    "temporarily unavailable",
    "down for maintenance",
    "undergoing maintenance",
];
const INACTIVE_ORGS: &[&str] = &["inactive_org", "inactive_organization"];
const INACTIVE_USER: &[&str] = &[
    "inactive user",
    "user is inactive",
    "user is not active",
    "user is frozen",
    "frozen user",
    "user is locked",
    "user is deactivated",
    "user account is inactive",
    "user account is frozen",
    "user account is locked",
];
const INACTIVE_ORG: &[&str] = &[
    "inactive org",
    "org is inactive",
    "org is not active",
    "org is locked",
    "org is suspended",
    "organization is inactive",
    "organization is not active",
    "organization is locked",
    "organization is closed",
    "organization is suspended",
];
const BLOCKED: &[&str] = &["invalid_app_access", "invalid_app_org", "oauth_authorization_blocked"];
/// `OAUTH_APP_BLOCKED`, `OAUTH_APP_ACCESS_DENIED`; `OAUTH_EC_APP_NOT_FOUND`; `OAUTH_APPROVAL_ERROR_GENERIC`, which is what an
/// app that is not installed in the org ends with.
const BLOCKED_PREFIXES: &[&str] = &["oauth_app_", "oauth_ec_app_", "oauth_approval_"];
const BLOCKED_PHRASES: &[&str] = &[
    "app is blocked",
    "application is blocked",
    "blocked by admin",
    "blocked by your admin",
    "app is not installed",
    "app not installed",
    "app must be installed",
    "app is not available in this org",
    "not admin approved",
    "not approved",
    "has not been approved",
    "approved this consumer",
    "cross-org oauth flows are not supported",
    "login hours",
];
const ADDRESS_PHRASES: &[&str] = &["ip restricted", "ip address", "ip range", "ip allow"];

fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
