//! Salesforce: revoking tokens, and whether it accepts the app.

use reqwest::Url;
pub(crate) use shared::salesforce::Revocation;
use shared::{
    LoginUrl, LoginUrls,
    http::Roots,
    salesforce::{Grant, RevocationAnswers, RevokeError, Salesforce, TIMEOUT, instance_origin},
};

use super::answer::{Answer, is_code};
use crate::{error::Error, http::client_for};

/// The host of Salesforce's where this row's tokens were issued, and the org's own. Bots may have written the row: no
/// other host is sent a token.
pub(crate) fn hosts(login_url: Option<&str>, instance_url: Option<&str>, login_urls: &LoginUrls) -> Vec<String> {
    let known = login_host(login_url, login_urls);
    let instance = instance_at(instance_url, known.as_ref(), login_urls);
    let login = known.as_ref().map(|url| url.as_str().to_owned());
    let mut hosts: Vec<_> = login.into_iter().chain(instance).collect();
    hosts.dedup();
    hosts
}

/// The org's own host, as the row names it; none where it is not Salesforce's.
pub(crate) fn instance_host(
    login_url: Option<&str>,
    instance_url: Option<&str>,
    login_urls: &LoginUrls,
) -> Option<String> {
    instance_at(instance_url, login_host(login_url, login_urls).as_ref(), login_urls)
}

fn login_host(login_url: Option<&str>, login_urls: &LoginUrls) -> Option<LoginUrl> {
    let stored: Option<LoginUrl> = login_url.and_then(|url| url.parse().ok());
    stored.filter(|url| login_urls.contains(url) || instance_origin(url.as_str(), login_urls.default_url()).is_some())
}

fn instance_at(instance_url: Option<&str>, login: Option<&LoginUrl>, login_urls: &LoginUrls) -> Option<String> {
    instance_url.and_then(|url| instance_origin(url, login.unwrap_or_else(|| login_urls.default_url())))
}

/// What Salesforce says of an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenStatus {
    /// It works.
    Works,
    /// It is refused.
    Refused,
    /// It was not refused, and the account was not named either; the text says why.
    Unclear(String),
}

/// Salesforce, by way of the environment's proxies.
fn salesforce() -> Salesforce {
    Salesforce::new(&Salesforce::client_by_proxies(Roots::System))
}

/// Asks the org's `/userinfo` whether an access token works.
pub(crate) async fn check_token(grant: &Grant) -> Result<TokenStatus, Error> {
    let answer = salesforce().username(grant, TIMEOUT).await;
    Ok(match answer {
        Ok(_) => TokenStatus::Works,
        Err(error) if error.failure().refuses_fresh_tokens() => TokenStatus::Refused,
        Err(error) => TokenStatus::Unclear(error.to_string()),
    })
}

/// Revokes a token at one of these hosts: a refresh token takes its access tokens with it. A host that does not know the
/// token says nothing of another (`404` at the login host), so each is asked until one has revoked it.
pub(crate) async fn revoke(token: &str, hosts: Vec<String>) -> Result<Revocation, Error> {
    let failed = |why: &str, tokens: &str| {
        let why = format!("{why}; {tokens}, and the row stays as it is. Run it again later");
        Error::failed("revoke the tokens at Salesforce", why)
    };
    let live = |why: &str| failed(why, "the tokens live");
    let salesforce = salesforce();
    let (mut answers, mut may_be_dead, mut refused) = (RevocationAnswers::default(), false, None);
    for host in hosts {
        let answer = salesforce.revoke(&host, token, TIMEOUT).await;
        if let Err(error) = &answer {
            may_be_dead |= matches!(error, RevokeError::NoAnswer(_));
            refused = Some(format!("{error} at {host}"));
        }
        if answers.hear(answer) {
            return Ok(Revocation::Revoked);
        }
    }
    match refused {
        _ if answers.end().is_ok() => Ok(Revocation::Unknown),
        Some(why) if may_be_dead => Err(failed(&why, "the tokens may be revoked or live")),
        Some(why) => Err(live(&why)),
        None => Err(live("the row names no host of Salesforce's")),
    }
}

/// What Salesforce says of the app before anybody logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AppStatus {
    /// It takes the app: it shows its login page, or answers as only an app of its own is answered.
    Accepted,
    /// Salesforce's error code, which names the app.
    Refused(String),
    /// Nothing answered; the text says why.
    NoAnswer(&'static str),
    /// Something answered that is neither; the text says what was seen.
    Unclear(String),
}

/// The errors about the app that Salesforce shows by itself, because it cannot redirect to the app with them.
const OF_THE_APP: [&str; 4] = ["redirect_uri_mismatch", "invalid_client_id", "invalid_client", "app_not_found"];
/// The page that an accepted request is led to, by way of the login, in lower case; and the page for its errors.
const LOGIN: &str = "remoteaccessauthorizationpage";
const ERROR_PAGE: &str = "remoteaccesserrorpage";
/// In place of a PKCE challenge, which an app may require; nobody will answer it.
const CHALLENGE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const OAUTH_ERROR: &str = "OAuth error";

/// Requests the login page for this app and callback URL, and goes no further.
pub(crate) async fn check_app(host: &str, client_id: &str, callback: &str) -> Result<AppStatus, Error> {
    let Some(url) = endpoint(host, "/services/oauth2/authorize") else { return Ok(AppStatus::NoAnswer("invalid URL")) };
    let request = client_for(&url)?.get(url).query(&[
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", callback),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    Ok(Answer::to(request).await.map_or_else(AppStatus::NoAnswer, |answer| about_the_app(&answer)))
}

fn endpoint(host: &str, path: &str) -> Option<Url> {
    let host = host.parse::<LoginUrl>().ok()?;
    Url::parse(&host.endpoint(path)).ok()
}

/// What the answer says of the app. Salesforce leads on to its login with a redirect, or with a page whose script does; both
/// name [`LOGIN`]. It leads to [`ERROR_PAGE`] in the same ways, or names the error in the answer itself.
fn about_the_app(answer: &Answer) -> AppStatus {
    let is_redirect = (300..=399).contains(&answer.status);
    let text = if is_redirect { answer.header("location") } else { &answer.body };
    let leads_to = |page| text.to_ascii_lowercase().contains(page);
    let code = OF_THE_APP.into_iter().find(|code| text.contains(code));
    let tells_error = match answer.status {
        400 | 401 | 403 => true,
        200..=299 => leads_to(ERROR_PAGE),
        300..=399 => leads_to(ERROR_PAGE) || text.contains("error="),
        _ => false,
    };
    match code {
        Some(code) if tells_error => AppStatus::Refused(code.to_owned()),
        _ if (answer.is_success() || is_redirect) && leads_to(LOGIN) => AppStatus::Accepted,
        _ => AppStatus::Unclear(answer.seen("login page of Salesforce", OAUTH_ERROR)),
    }
}

/// A token that nobody has issued.
const NO_TOKEN: &str = "00D000000000000!none";

/// Asks this login host about a token that nobody has issued, with the consumer key and secret. The answer says whether they
/// are right, and nothing changes: no code or token is used, and there is no user whose logins it counts among.
pub(crate) async fn check_secret(host: &str, client_id: &str, client_secret: &str) -> Result<AppStatus, Error> {
    let Some(url) = endpoint(host, "/services/oauth2/introspect") else {
        return Ok(AppStatus::NoAnswer("invalid URL"));
    };
    let request = client_for(&url)?.post(url).header("accept", "application/json").form(&[
        ("token", NO_TOKEN),
        ("token_type_hint", "access_token"),
        ("client_id", client_id),
        ("client_secret", client_secret),
    ]);
    Ok(Answer::to(request).await.map_or_else(AppStatus::NoAnswer, |answer| about_the_secret(&answer)))
}

/// What the introspection's answer says of the credentials that it was asked with (RFC 7662 §2.2 and §2.3, RFC 6749 §5.2). An
/// answer that is none of these says nothing of them.
fn about_the_secret(answer: &Answer) -> AppStatus {
    let json = answer.json();
    let text = |name: &str| json[name].as_str().unwrap_or_default();
    // An app that is not installed in an org is refused with the same error, whatever its secret.
    let is_of_the_org = text("error_description").to_lowercase().contains("install");
    match (answer.status, text("error")) {
        (200..=299, "") if json["active"].is_boolean() => AppStatus::Accepted,
        (400 | 401 | 403, error @ ("invalid_client" | "invalid_client_id")) if !is_of_the_org => {
            AppStatus::Refused(error.to_owned())
        }
        (status @ (400 | 401 | 403), error) if is_code(error) => {
            AppStatus::Unclear(format!("status {status} with the error {error}"))
        }
        _ => AppStatus::Unclear(answer.seen("introspection", OAUTH_ERROR)),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::answer::tests::{answer, leading_to},
        *,
    };

    #[test]
    fn only_a_clear_answer_says_whether_the_secret_is_right() {
        let refused = |error: &str| AppStatus::Refused(error.to_owned());
        let unclear = |why: &str| AppStatus::Unclear(why.to_owned());
        for (status, body, expected) in [
            (200, r#"{"active":false}"#, AppStatus::Accepted),
            (200, r#"{"active":true}"#, AppStatus::Accepted),
            (
                401,
                r#"{"error":"invalid_client","error_description":"invalid client credentials"}"#,
                refused("invalid_client"),
            ),
            (400, r#"{"error":"invalid_client"}"#, refused("invalid_client")),
            (403, r#"{"error":"invalid_client"}"#, refused("invalid_client")),
            (400, r#"{"error":"invalid_client_id"}"#, refused("invalid_client_id")),
            (
                400,
                r#"{"error":"invalid_client","error_description":"External client app is not installed in this org"}"#,
                unclear("status 400 with the error invalid_client"),
            ),
            (400, r#"{"error":"invalid_request"}"#, unclear("status 400 with the error invalid_request")),
            (401, "", unclear("status 401 without content, no OAuth error")),
            (401, r#"{"error":"Forbidden"}"#, unclear("status 401 with JSON, no OAuth error")),
            (404, r#"{"error":"invalid_client"}"#, unclear("status 404 with JSON, no OAuth error")),
            (403, "<html>", unclear("status 403 with a page, no OAuth error")),
            (200, "<html>", unclear("status 200 with a page, no introspection")),
            (200, r#"{"status":"ok"}"#, unclear("status 200 with JSON, no introspection")),
            (200, r#"{"active":"false"}"#, unclear("status 200 with JSON, no introspection")),
            (302, "", unclear("status 302, which leads elsewhere")),
            (408, "", unclear("timed out (status 408)")),
            (429, "", unclear("rate limited (status 429)")),
            (503, r#"{"error":"invalid_client"}"#, unclear("server error (status 503)")),
        ] {
            assert_eq!(about_the_secret(&answer(status, body)), expected, "{status} {body}");
        }
    }

    /// As Salesforce writes it: by a script, or by a redirect.
    const LOGIN_URL: &str = "https://acme.my.salesforce.com/?ec=302&startURL=%2Fsetup%2Fsecur%2FRemoteAccessAuthorizationPage.apexp%3Fsource%3DCAAA";

    #[test]
    fn an_app_is_accepted_where_salesforce_leads_on_to_its_login() {
        let script = format!("<html><script>window.location.replace('{LOGIN_URL}');</script></html>");
        assert_eq!(about_the_app(&answer(200, &script)), AppStatus::Accepted);
        for location in
            [LOGIN_URL, "/portal/login?startURL=%2Fportal%2Fsetup%2Fsecur%2FRemoteAccessAuthorizationPage.apexp"]
        {
            assert_eq!(about_the_app(&leading_to(302, location)), AppStatus::Accepted, "{location}");
        }
    }

    #[test]
    fn an_app_is_refused_by_an_oauth_error_that_names_it() {
        let refused = |error: &str| AppStatus::Refused(error.to_owned());
        let mismatch = "error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration";
        assert_eq!(about_the_app(&answer(400, mismatch)), refused("redirect_uri_mismatch"));
        assert_eq!(about_the_app(&answer(401, "<code>invalid_client_id</code>")), refused("invalid_client_id"));
        assert_eq!(about_the_app(&answer(403, r#"{"error":"invalid_client"}"#)), refused("invalid_client"));
        let page = "/setup/secur/RemoteAccessErrorPage.apexp?error=invalid_client&error_description=x";
        assert_eq!(about_the_app(&leading_to(302, page)), refused("invalid_client"));
        assert_eq!(about_the_app(&answer(200, &format!("<script>go('{page}')</script>"))), refused("invalid_client"));
    }

    #[test]
    fn an_answer_that_is_not_salesforces_says_nothing_of_the_app() {
        for (answer, why) in [
            (answer(200, "<html>Maintenance</html>"), "status 200 with a page, no login page of Salesforce"),
            (
                answer(200, "<html>What invalid_client means</html>"),
                "status 200 with a page, no login page of Salesforce",
            ),
            (answer(200, r#"{"active":false}"#), "status 200 with JSON, no login page of Salesforce"),
            (answer(404, "<html>"), "status 404 with a page, no OAuth error"),
            (answer(404, r#"{"status":404,"error":"Not Found"}"#), "status 404 with JSON, no OAuth error"),
            (answer(401, r#"{"error":"Forbidden"}"#), "status 401 with JSON, no OAuth error"),
            (answer(403, "<html>Request blocked</html>"), "status 403 with a page, no OAuth error"),
            (answer(503, "invalid_client_id"), "server error (status 503)"),
            (leading_to(302, "https://portal.example.com/login"), "status 302, which leads elsewhere"),
            (
                leading_to(302, "https://api.example.com/callback?error=invalid_scope"),
                "status 302, which leads elsewhere",
            ),
        ] {
            assert_eq!(about_the_app(&answer), AppStatus::Unclear(why.to_owned()));
        }
    }

    fn asked(login_url: Option<&str>, instance_url: Option<&str>) -> Vec<String> {
        let login_urls = "https://login.salesforce.com,http://localhost:1".parse().unwrap();
        hosts(login_url, instance_url, &login_urls)
    }

    #[test]
    fn tokens_are_revoked_where_they_were_issued_or_at_the_orgs_own_host() {
        let both = asked(Some("https://test.salesforce.com"), Some("https://acme.my.salesforce.com"));
        assert_eq!(both, ["https://test.salesforce.com", "https://acme.my.salesforce.com"]);
        assert_eq!(asked(None, Some("https://acme.my.salesforce.com")), ["https://acme.my.salesforce.com"]);
        assert_eq!(asked(Some("http://localhost:1"), None), ["http://localhost:1"]);
    }

    #[test]
    fn no_host_but_salesforces_is_sent_a_token() {
        for elsewhere in
            ["https://evil.example", "http://login.salesforce.com", "https://salesforce.com.evil.example", "x"]
        {
            assert_eq!(asked(Some(elsewhere), Some(elsewhere)), [""; 0], "{elsewhere}");
        }
    }
}
