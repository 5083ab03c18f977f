//! The token endpoint: a refresh token for new tokens (RFC 6749 §6). Once, whatever the answer is.
//!
//! Where Salesforce rotates, the refresh token is used up by it: nobody presents it again who does not know the answer.

use std::{fmt, time::Duration};

use hyper::header;

use super::{
    body::Fields,
    classify::{self, RefreshClass, RefreshRefusal},
    client::{Answer, Salesforce},
    grant::{self, Refreshed},
    token::RefreshToken,
};
use crate::http;

const TOKEN_PATH: &str = "/services/oauth2/token";

/// What Salesforce knows this app by, where no redirect is part of the request.
#[derive(Clone, Copy)]
pub struct AppCredentials<'a> {
    /// The consumer key.
    pub client_id: &'a str,
    /// The consumer secret.
    pub client_secret: &'a str,
}

/// No new tokens, as far as we know.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The refresh token was not sent.
    #[error("cannot connect to Salesforce")]
    Connect(#[source] http::Error),
    /// It was sent, and may be used up.
    #[error("Salesforce's answer was lost")]
    Lost(#[source] http::Error),
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
        // RFC 6749 §6.
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token.secret()),
            ("client_id", client_id),
            ("client_secret", client_secret),
            ("format", "json"),
        ];
        let request = self.post(&format!("{}{TOKEN_PATH}", host.trim_end_matches('/')));
        let request = request.map_err(RefreshError::Connect)?.header(header::ACCEPT, "application/json").form(form);
        let answer = Answer::to(request.timeout(time)).await.map_err(RefreshError::unanswered)?;
        let fields = Fields::read(&answer.body);
        if let Some(refusal) = classify::refresh(answer.status, answer.retry_after, fields.as_ref()) {
            return Err(RefreshError::Refused(refusal));
        }
        fields.and_then(|fields| grant::refreshed(&fields, client_secret)).ok_or(RefreshError::NoTokens)
    }
}

impl RefreshError {
    fn unanswered(error: http::Error) -> Self {
        if error.is_connect() { Self::Connect(error) } else { Self::Lost(error) }
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
