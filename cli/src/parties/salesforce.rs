//! Salesforce: revoking tokens, and whether it accepts the app.

use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use shared::{LoginUrl, login::is_confidential};

use crate::{
    error::Error,
    http::{client_for, failure},
};

/// The result of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revocation {
    Revoked,
    /// Salesforce does not know the token: it was revoked before, or has expired.
    Unknown,
}

/// Revokes a token; with a refresh token, its access tokens too.
pub(crate) async fn revoke(host: &str, token: &SecretString) -> Result<Revocation, Error> {
    let failed = |why: String| Error::failed("revoke the tokens at Salesforce", why);
    let url = Url::parse(host).and_then(|host| host.join("/services/oauth2/revoke"));
    let url = url.ok().filter(is_confidential);
    let url = url.ok_or_else(|| failed("the connection's host is not an HTTPS URL".to_owned()))?;
    let request = client_for(&url)?.post(url).form(&[("token", token.expose_secret())]);
    let response = request.send().await.map_err(|error| failed(failure(&error).to_owned()))?;
    match response.status() {
        StatusCode::OK => Ok(Revocation::Revoked),
        StatusCode::BAD_REQUEST => Ok(Revocation::Unknown),
        status => Err(failed(format!("it returned {}; try again later", status.as_u16()))),
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
        None if status.is_server_error() => AppStatus::Unclear("server error"),
        None if status.is_client_error() => AppStatus::Refused(format!("status {}", status.as_u16())),
        None => AppStatus::Accepted,
    })
}
