//! WhatsApp's providers: whether they accept the credentials. No message is sent.

use reqwest::{RequestBuilder, StatusCode, Url};
use secrecy::ExposeSecret as _;
use shared::whatsapp::{Meta, Twilio};

use crate::{
    error::Error,
    http::{client_for, failure},
};

/// What the provider says of the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialStatus {
    Accepted,
    /// The secret does not have the provider's format.
    Malformed,
    /// The response's status.
    Refused(u16),
    /// No usable response; the text says why.
    Unclear(&'static str),
}

/// Lists one of the account's messages at Twilio, and reads none: API keys may not read the account itself.
pub(crate) async fn check_twilio(base: Option<&Url>, credentials: &str) -> Result<CredentialStatus, Error> {
    let parsed = Twilio::parse(credentials).and_then(|twilio| Ok((twilio.messages_url(base)?, twilio)));
    let Ok((url, Twilio { user, password, .. })) = parsed else { return Ok(CredentialStatus::Malformed) };
    let request = client_for(&url)?.get(url).query(&[("PageSize", "1")]);
    Ok(check(request.basic_auth(user, Some(password.expose_secret()))).await)
}

/// Reads the phone number at Meta.
pub(crate) async fn check_meta(base: Option<&Url>, credentials: &str) -> Result<CredentialStatus, Error> {
    let parsed = Meta::parse(credentials).and_then(|meta| Ok((meta.phone_number_url(base)?, meta)));
    let Ok((url, Meta { access_token, .. })) = parsed else { return Ok(CredentialStatus::Malformed) };
    Ok(check(client_for(&url)?.get(url).bearer_auth(access_token.expose_secret())).await)
}

async fn check(request: RequestBuilder) -> CredentialStatus {
    match request.send().await {
        Ok(response) => match response.status() {
            status if status.is_success() => CredentialStatus::Accepted,
            StatusCode::TOO_MANY_REQUESTS => CredentialStatus::Unclear("rate limited"),
            StatusCode::REQUEST_TIMEOUT => CredentialStatus::Unclear("timed out"),
            status if status.is_server_error() => CredentialStatus::Unclear("server error"),
            status => CredentialStatus::Refused(status.as_u16()),
        },
        Err(error) => CredentialStatus::Unclear(failure(&error)),
    }
}
