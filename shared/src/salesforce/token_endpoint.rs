//! The token endpoint: an authorization code for tokens (RFC 6749 §4.1.3).

use std::time::Duration;

use hyper::header;

use super::{
    body::Fields,
    classify::{self, Class, Refusal},
    client::{Answer, Salesforce},
    grant::{self, Grant, UntrustedTokens},
};
use crate::{AuthorizationCode, CallbackUri, LoginUrl, Reason, exchange::DenialError, http, pkce::PkceCodeVerifier};

/// What Salesforce knows this app by.
pub struct Credentials<'a> {
    /// The consumer key.
    pub client_id: &'a str,
    /// The consumer secret. It also signs the token endpoint's answers.
    pub client_secret: &'a str,
    /// The redirect URI that the authorization request named.
    pub callback_uri: CallbackUri,
}

/// An authorization code that is to be exchanged for tokens.
pub struct Redemption<'a> {
    /// The host that issued the code.
    pub login_url: &'a LoginUrl,
    /// The code.
    pub code: &'a AuthorizationCode,
    /// Only where the authorization request had a challenge: Salesforce refuses a verifier that it did not expect.
    pub verifier: Option<&'a PkceCodeVerifier>,
    /// The app's.
    pub credentials: &'a Credentials<'a>,
}

/// The code was not exchanged, as far as we know.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The code was not sent.
    #[error("cannot connect to Salesforce")]
    Connect(#[source] http::Error),
    /// The code was sent, and may be used up.
    #[error("Salesforce's answer was lost")]
    Lost(#[source] http::Error),
    /// An OAuth error, or a page in place of an answer.
    #[error("{0}")]
    Refused(Refusal),
    /// A success whose token is none.
    #[error("Salesforce's answer has no tokens")]
    NoTokens,
    /// Tokens that fail verification.
    #[error("Salesforce's answer cannot be trusted")]
    Untrusted(#[source] Box<UntrustedTokens>),
}

impl Salesforce {
    /// Exchanges a code for tokens, once, and verifies the answer.
    ///
    /// # Errors
    /// [`ExchangeError`]; [`ExchangeError::class`] says what it means for the code.
    pub async fn exchange(&self, redemption: &Redemption<'_>, time: Duration) -> Result<Grant, ExchangeError> {
        let Redemption { login_url, code, verifier, credentials } = redemption;
        // RFC 6749 §4.1.3.
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.secret()),
            ("client_id", credentials.client_id),
            ("client_secret", credentials.client_secret),
            ("redirect_uri", credentials.callback_uri.as_str()),
        ];
        let verifier = verifier.map(|verifier| ("code_verifier", verifier.secret()));
        let form = form.into_iter().chain(verifier).chain([("format", "json")]);
        let request = self.post(&login_url.endpoint("/services/oauth2/token")).map_err(ExchangeError::Connect)?;
        let request = request.header(header::ACCEPT, "application/json").form(form).timeout(time);
        let answer = Answer::to(request).await.map_err(ExchangeError::unanswered)?;
        let fields = Fields::read(&answer.body);
        if let Some(refusal) = classify::token_endpoint(answer.status, answer.retry_after, fields.as_ref()) {
            return Err(ExchangeError::Refused(refusal));
        }
        let grant = fields.and_then(|fields| grant::verify(&fields, credentials.client_secret, login_url));
        grant.ok_or(ExchangeError::NoTokens)?.map_err(ExchangeError::Untrusted)
    }
}

impl ExchangeError {
    fn unanswered(error: http::Error) -> Self {
        if error.is_connect() { Self::Connect(error) } else { Self::Lost(error) }
    }

    /// What it means for the code.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Connect(_) => Class::Transient { retry_after: None },
            Self::Lost(_) => Class::Ambiguous,
            Self::Refused(refusal) => refusal.class,
            // The code is used up, and what it gave is useless.
            Self::NoTokens => Class::Final(Reason::Unknown),
            // A new link would end the same way: the operator has to look.
            Self::Untrusted(_) => Class::Final(Reason::Misconfigured),
        }
    }

    /// Whether a gateway may have answered in place of Salesforce, whatever became of the code there.
    #[must_use]
    pub fn may_be_of_a_gateway(&self) -> bool {
        matches!(self, Self::Refused(refusal) if !refusal.is_definite)
    }

    /// The OAuth error code that Salesforce gave, if any.
    #[must_use]
    pub fn oauth_error(&self) -> Option<&DenialError> {
        match self {
            Self::Refused(refusal) => refusal.error.as_ref(),
            _ => None,
        }
    }
}
