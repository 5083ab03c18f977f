//! Salesforce: the end of tokens, and what it says of the app.

use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use shared::login::is_confidential;

use crate::{
    error::Error,
    http::{client_for, word_for},
};

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revocation {
    Revoked,
    /// Salesforce does not know it: it was revoked before, or has run out.
    Unknown,
}

/// Revokes a token, and with a refresh token all that came of it.
pub(crate) async fn revoke(host: &str, token: &SecretString) -> Result<Revocation, Error> {
    let failed = |why: String| Error::failed("revoke the tokens at Salesforce", why);
    let url = Url::parse(host).and_then(|host| host.join("/services/oauth2/revoke"));
    let url =
        url.ok().filter(is_confidential).ok_or_else(|| failed("the host is no address for secrets".to_owned()))?;
    let request = client_for(&url)?.post(url).form(&[("token", token.expose_secret())]);
    let answer = request.send().await.map_err(|error| failed(word_for(&error).to_owned()))?;
    match answer.status() {
        StatusCode::OK => Ok(Revocation::Revoked),
        StatusCode::BAD_REQUEST => Ok(Revocation::Unknown),
        status => Err(failed(format!("it answered {}", status.as_u16()))),
    }
}

/// What Salesforce says of the app before anybody logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AppStanding {
    /// It would let people log in.
    Welcome,
    /// In Salesforce's word.
    Refused(String),
    Unclear(&'static str),
}

/// The refusals that come on a page, because they cannot go back to the app.
const ON_A_PAGE: [&str; 4] = ["redirect_uri_mismatch", "invalid_client_id", "invalid_client", "app_not_found"];
/// Stands in for a PKCE challenge, which an app may require; nobody will answer it.
const CHALLENGE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Goes as far as the login page, with this app and callback address.
pub(crate) async fn ask_salesforce(host: &str, client_id: &str, callback: &str) -> Result<AppStanding, Error> {
    let url = Url::parse(host).and_then(|host| host.join("/services/oauth2/authorize"));
    let Ok(url) = url else { return Ok(AppStanding::Unclear("its address is none")) };
    let request = client_for(&url)?.get(url).query(&[
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", callback),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return Ok(AppStanding::Unclear(word_for(&error))),
    };
    let status = answer.status();
    let location = answer.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned();
    let page = answer.text().await.unwrap_or_default();
    let word = ON_A_PAGE.into_iter().find(|word| page.contains(word) || location.contains(word));
    Ok(match word {
        Some(word) => AppStanding::Refused(word.to_owned()),
        None if status.is_server_error() => AppStanding::Unclear("it is out of order"),
        None if status.is_client_error() => AppStanding::Refused(format!("status {}", status.as_u16())),
        None => AppStanding::Welcome,
    })
}
