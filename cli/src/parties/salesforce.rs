//! Salesforce: revoking tokens, and whether it accepts the app.

use reqwest::Url;
use serde_json::Value;
pub(crate) use shared::salesforce::Revocation;
use shared::{
    LoginUrl, LoginUrls,
    http::Roots,
    salesforce::{Grant, RevocationAnswers, RevokeError, Salesforce, TIMEOUT, instance_origin},
};

use crate::{
    error::Error,
    http::{client_for, failure},
};

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
    /// It shows its login page.
    Accepted,
    /// Salesforce's error code, or a status.
    Refused(String),
    /// No usable response; the text says why.
    Unclear(&'static str),
}

/// The errors that Salesforce shows on a page, because it cannot redirect to the app with them.
const ON_A_PAGE: [&str; 4] = ["redirect_uri_mismatch", "invalid_client_id", "invalid_client", "app_not_found"];
/// In place of a PKCE challenge, which an app may require; nobody will answer it.
const CHALLENGE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Requests the login page for this app and callback URL, and goes no further.
pub(crate) async fn check_app(host: &str, client_id: &str, callback: &str) -> Result<AppStatus, Error> {
    let endpoint = host.parse::<LoginUrl>().map(|host| host.endpoint("/services/oauth2/authorize"));
    let url = endpoint.ok().and_then(|url| Url::parse(&url).ok());
    let Some(url) = url else { return Ok(AppStatus::Unclear("invalid URL")) };
    let request = client_for(&url)?.get(url).query(&[
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", callback),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Ok(AppStatus::Unclear(failure(&error))),
    };
    let status = response.status();
    let location = response.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned();
    let page = response.text().await.unwrap_or_default();
    let code = ON_A_PAGE.into_iter().find(|code| page.contains(code) || location.contains(code));
    Ok(match code {
        Some(code) => AppStatus::Refused(code.to_owned()),
        None if let Some(why) = no_answer(status.as_u16()) => AppStatus::Unclear(why),
        None if status.is_client_error() => AppStatus::Refused(format!("status {}", status.as_u16())),
        None => AppStatus::Accepted,
    })
}

/// A token that nobody has issued.
const NO_TOKEN: &str = "00D000000000000!none";

/// Asks this login host about a token that nobody has issued, with the consumer key and secret. The answer says whether they
/// are right, and nothing changes: no code or token is used, and there is no user whose logins it counts among.
pub(crate) async fn check_secret(host: &str, client_id: &str, client_secret: &str) -> Result<AppStatus, Error> {
    let endpoint = host.parse::<LoginUrl>().map(|host| host.endpoint("/services/oauth2/introspect"));
    let url = endpoint.ok().and_then(|url| Url::parse(&url).ok());
    let Some(url) = url else { return Ok(AppStatus::Unclear("invalid URL")) };
    let request = client_for(&url)?.post(url).header("accept", "application/json").form(&[
        ("token", NO_TOKEN),
        ("token_type_hint", "access_token"),
        ("client_id", client_id),
        ("client_secret", client_secret),
    ]);
    Ok(match request.send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            about_the_secret(status, &response.text().await.unwrap_or_default())
        }
        Err(error) => AppStatus::Unclear(failure(&error)),
    })
}

/// What the introspection's answer says of the credentials that it was asked with (RFC 7662 §2.2 and §2.3, RFC 6749 §5.2). An
/// answer that is none of these says nothing of them.
fn about_the_secret(status: u16, body: &str) -> AppStatus {
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    // An app that is not installed in an org is refused with the same error, whatever its secret.
    let is_of_the_org = text("error_description").to_lowercase().contains("install");
    match (status, text("error")) {
        (200..=299, _) if answer["active"].is_boolean() => AppStatus::Accepted,
        (400 | 401, error @ ("invalid_client" | "invalid_client_id")) if !is_of_the_org => {
            AppStatus::Refused(error.to_owned())
        }
        _ => AppStatus::Unclear(no_answer(status).unwrap_or("unexpected response")),
    }
}

/// Why a response with this status says nothing of what was asked.
const fn no_answer(status: u16) -> Option<&'static str> {
    match status {
        408 => Some("timed out"),
        429 => Some("rate limited"),
        500.. => Some("server error"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_answer_says_whether_the_secret_is_right() {
        let refused = |error: &str| AppStatus::Refused(error.to_owned());
        let unexpected = AppStatus::Unclear("unexpected response");
        for (status, body, expected) in [
            (200, r#"{"active":false}"#, AppStatus::Accepted),
            (200, r#"{"active":true}"#, AppStatus::Accepted),
            (
                401,
                r#"{"error":"invalid_client","error_description":"invalid client credentials"}"#,
                refused("invalid_client"),
            ),
            (400, r#"{"error":"invalid_client"}"#, refused("invalid_client")),
            (400, r#"{"error":"invalid_client_id"}"#, refused("invalid_client_id")),
            (
                400,
                r#"{"error":"invalid_client","error_description":"External client app is not installed in this org"}"#,
                unexpected.clone(),
            ),
            (400, r#"{"error":"invalid_request"}"#, unexpected.clone()),
            (401, "", unexpected.clone()),
            (403, "<html>", unexpected.clone()),
            (200, "<html>", unexpected.clone()),
            (302, "", unexpected),
            (408, "", AppStatus::Unclear("timed out")),
            (429, "", AppStatus::Unclear("rate limited")),
            (503, r#"{"error":"invalid_client"}"#, AppStatus::Unclear("server error")),
        ] {
            assert_eq!(about_the_secret(status, body), expected, "{status} {body}");
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
