//! The token endpoint: a refresh token for new tokens (RFC 6749 §6). Once, whatever the answer is.
//!
//! Where Salesforce rotates, the refresh token is used up by it: nobody presents it again who does not know the answer.

use std::{fmt, time::Duration};

use reqwest::header;
use serde::Serialize;

use super::{
    body::Fields,
    classify::{self, RefreshClass, RefreshRefusal},
    client::{Answer, BodyError, Salesforce},
    grant::{self, Refreshed},
    token::RefreshToken,
};

const TOKEN_PATH: &str = "/services/oauth2/token";

/// What Salesforce knows this app by, where no redirect is part of the request.
#[derive(Clone, Copy)]
pub struct AppCredentials<'a> {
    /// The consumer key.
    pub client_id: &'a str,
    /// The consumer secret.
    pub client_secret: &'a str,
}

/// RFC 6749 §6.
#[derive(Serialize)]
struct RefreshForm<'a> {
    grant_type: &'static str,
    refresh_token: &'a str,
    client_id: &'a str,
    client_secret: &'a str,
    format: &'static str,
}

/// No new tokens, as far as we know.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The refresh token was not sent.
    #[error("cannot connect to Salesforce")]
    Connect(#[source] reqwest::Error),
    /// It was sent, and may be used up.
    #[error("Salesforce's answer was lost")]
    Lost(#[source] BodyError),
    /// An OAuth error, or a page in place of an answer.
    #[error("{0}")]
    Refused(RefreshRefusal),
    /// A success whose token is none.
    #[error("Salesforce's answer has no tokens")]
    NoTokens,
}

impl Salesforce {
    /// Asks this host of Salesforce's for new tokens, once.
    ///
    /// # Errors
    /// [`RefreshError`]; [`RefreshError::class`] says what it means for the refresh token.
    pub async fn refresh(
        &self,
        host: &str,
        token: &RefreshToken,
        credentials: AppCredentials<'_>,
        time: Duration,
    ) -> Result<Refreshed, RefreshError> {
        let AppCredentials { client_id, client_secret } = credentials;
        let form = RefreshForm {
            grant_type: "refresh_token",
            refresh_token: token.secret(),
            client_id,
            client_secret,
            format: "json",
        };
        let response = self
            .0
            .post(format!("{}{TOKEN_PATH}", host.trim_end_matches('/')))
            .header(header::ACCEPT, "application/json")
            .form(&form)
            .timeout(time)
            .send()
            .await
            .map_err(RefreshError::unanswered)?;
        let answer = Answer::read(response).await.map_err(RefreshError::Lost)?;
        let fields = Fields::read(&answer.body);
        if let Some(refusal) = classify::refresh(answer.status, answer.retry_after, fields.as_ref()) {
            return Err(RefreshError::Refused(refusal));
        }
        fields.and_then(|fields| grant::refreshed(&fields, client_secret)).ok_or(RefreshError::NoTokens)
    }
}

impl RefreshError {
    fn unanswered(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_connect() { Self::Connect(error) } else { Self::Lost(BodyError::Connection(error)) }
    }

    /// What it means for the refresh token.
    #[must_use]
    pub fn class(&self) -> RefreshClass {
        match self {
            Self::Connect(_) => RefreshClass::Transient { retry_after: None },
            // What a success without a token has done with the refresh token is not known either.
            Self::Lost(_) | Self::NoTokens => RefreshClass::Ambiguous,
            Self::Refused(refusal) => refusal.class,
        }
    }
}

impl fmt::Debug for AppCredentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppCredentials").finish_non_exhaustive()
    }
}
