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
fn an_answer_is_definite_in_words_that_only_a_token_endpoint_uses() {
    let is_definite = |status, body: &str| {
        let refusal = token_endpoint(status, None, Fields::read(body.as_bytes()).as_ref());
        refusal.unwrap().is_definite
    };
    for error in
        ["invalid_client", "invalid_client_id", "redirect_uri_mismatch", "invalid_scope", "unauthorized_client"]
    {
        let body = serde_json::json!({"error": error}).to_string();
        for status in [400, 401, 403] {
            assert!(is_definite(status, &body), "{status} {body}");
        }
        for status in [200, 302, 404, 429, 500, 503] {
            assert!(!is_definite(status, &body), "{status} {body}");
        }
    }
    assert!(is_definite(400, r#"{"error":"invalid_grant","error_description":"inactive user"}"#));
    for body in [
        "",
        "{}",
        PAGE,
        r#"{"status":404,"error":"Not Found"}"#,
        r#"{"error":"Forbidden"}"#,
        r#"{"error":"server_error"}"#,
        r#"{"error":"temporarily_unavailable"}"#,
        r#"{"error":"invalid_grant","error_description":"token request is already being processed"}"#,
        r#"[{"errorCode":"NOT_FOUND"}]"#,
    ] {
        for status in [400, 401, 403, 404, 429, 503] {
            assert!(!is_definite(status, body), "{status} {body}");
        }
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
    let says =
        |status, body: &str| token_endpoint(status, None, Fields::read(body.as_bytes()).as_ref()).unwrap().to_string();
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
    for (error, description) in [
        ("server_error", "inactive user lookup failed, try again later"),
        ("SERVER_UNAVAILABLE", "inactive user"),
        ("org_maintenance", "organization is inactive during maintenance"),
        ("5", "inactive user"),
    ] {
        assert_eq!(of(400, error, description), Doubtful, "{error} {description}");
    }
    assert_eq!(of(200, "invalid_grant", "expired access/refresh token"), Ambiguous);
    let made = br#"{"access_token":"00D!x","error":"inactive_user"}"#;
    assert!(refresh(200, None, Fields::read(made).as_ref()).is_none(), "tokens count");
    for status in [302, 402, 404, 410] {
        assert_eq!(of(status, "invalid_grant", "expired access/refresh token"), Operator, "{status}");
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
