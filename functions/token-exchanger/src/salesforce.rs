//! Salesforce: the token endpoint and `/userinfo`. It says what an answer means and never tries
//! again by itself.

use std::time::Duration;

use reqwest::{Client, Response, header};
use serde::{Deserialize, Serialize};
use shared::{
    AuthorizationCode, LoginUrl, Reason,
    exchange::DenialError,
    http::{self, Roots},
    pkce::PkceCodeVerifier,
};

use crate::{
    classify::{self, Class, Nameless, Refusal},
    config::Credentials,
    grant::{Grant, TokenAnswer, Untrusted},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// For one request, from connecting to the last byte.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);
const LARGEST_BODY: usize = 64 * 1024;

/// Salesforce, wherever the person logged in.
#[derive(Clone, Debug)]
pub(crate) struct Salesforce(Client);

/// A code to be traded.
pub(crate) struct Redemption<'a> {
    pub(crate) login_url: &'a LoginUrl,
    pub(crate) code: &'a AuthorizationCode,
    /// Where there was a challenge, and only there: Salesforce refuses one that it did not expect.
    pub(crate) verifier: Option<&'a PkceCodeVerifier>,
    pub(crate) credentials: &'a Credentials<'a>,
}

/// RFC 6749 §4.1.3.
#[derive(Serialize)]
struct TokenForm<'a> {
    grant_type: &'static str,
    code: &'a str,
    client_id: &'a str,
    client_secret: &'a str,
    redirect_uri: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_verifier: Option<&'a str>,
    format: &'static str,
}

/// The code was not traded, as far as we know.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error("Salesforce was not reached")]
    Unreached(#[source] reqwest::Error),
    #[error("the answer of Salesforce was lost")]
    Lost(#[source] BodyError),
    #[error("Salesforce refused the code")]
    Refused(Refusal),
    #[error("the answer of Salesforce holds no tokens")]
    NoTokens,
    #[error("the answer of Salesforce is not to be trusted")]
    Untrusted(#[from] Untrusted),
}

/// The account could not be asked for its name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountError {
    #[error("/userinfo was not answered")]
    Unanswered(#[source] BodyError),
    #[error("/userinfo did not name the account: {0:?}")]
    Nameless(Nameless),
}

/// An answer that did not arrive whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the connection failed")]
    Connection(#[source] reqwest::Error),
    #[error("the answer is longer than {LARGEST_BODY} bytes")]
    TooLong,
}

#[derive(Deserialize)]
struct UserInfo {
    preferred_username: String,
}

/// An answer, whole.
struct Answer {
    status: u16,
    retry_after: Option<String>,
    body: Vec<u8>,
}

impl Salesforce {
    /// A client; no connection outlives its request.
    pub(crate) fn new(roots: Roots) -> Result<Self, reqwest::Error> {
        http::client(roots, CONNECT_TIMEOUT, TIMEOUT).map(Self)
    }

    /// Trades a code for tokens, once, and checks what comes back.
    pub(crate) async fn exchange(&self, redemption: &Redemption<'_>, time: Duration) -> Result<Grant, ExchangeError> {
        let Redemption { login_url, code, verifier, credentials } = redemption;
        let form = TokenForm {
            grant_type: "authorization_code",
            code: code.secret(),
            client_id: credentials.client_id,
            client_secret: credentials.client_secret,
            redirect_uri: credentials.callback_uri.as_str(),
            code_verifier: verifier.map(PkceCodeVerifier::secret),
            format: "json",
        };
        let response = self
            .0
            .post(login_url.endpoint("/services/oauth2/token"))
            .header(header::ACCEPT, "application/json")
            .form(&form)
            .timeout(time)
            .send()
            .await
            .map_err(|error| {
                let error = error.without_url();
                if error.is_connect() {
                    ExchangeError::Unreached(error)
                } else {
                    ExchangeError::Lost(BodyError::Connection(error))
                }
            })?;
        let answer = Answer::read(response).await.map_err(ExchangeError::Lost)?;
        if let Some(refusal) = classify::refusal(answer.status, answer.retry_after.as_deref(), &answer.body) {
            return Err(ExchangeError::Refused(refusal));
        }
        let tokens: TokenAnswer = serde_json::from_slice(&answer.body).map_err(|_| ExchangeError::NoTokens)?;
        Ok(tokens.verify(credentials.client_secret, login_url)?)
    }

    /// The username of the account, which also shows that the tokens work from here.
    pub(crate) async fn username(&self, grant: &Grant, time: Duration) -> Result<String, AccountError> {
        let response = self
            .0
            .get(format!("{}/services/oauth2/userinfo", grant.instance_url))
            .header(header::ACCEPT, "application/json")
            .bearer_auth(grant.access_token.secret())
            .timeout(time)
            .send()
            .await
            .map_err(|error| AccountError::Unanswered(BodyError::Connection(error.without_url())))?;
        let answer = Answer::read(response).await.map_err(AccountError::Unanswered)?;
        match serde_json::from_slice(&answer.body) {
            Ok(UserInfo { preferred_username }) if answer.status == 200 => Ok(preferred_username),
            _ => Err(AccountError::Nameless(classify::nameless(
                answer.status,
                answer.retry_after.as_deref(),
                &answer.body,
            ))),
        }
    }
}

impl Answer {
    async fn read(mut response: Response) -> Result<Self, BodyError> {
        let status = response.status().as_u16();
        let retry_after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| BodyError::Connection(error.without_url()))? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(BodyError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Self { status, retry_after, body })
    }
}

impl ExchangeError {
    /// What it means for the code.
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Unreached(_) => Class::Transient { retry_after: None },
            Self::Lost(_) => Class::Ambiguous,
            Self::Refused(refusal) => refusal.class,
            // The code is used up, and what was got for it is of no use.
            Self::NoTokens => Class::Final(Reason::Unknown),
            // A fresh link would end here too: the operator has to look.
            Self::Untrusted(_) => Class::Final(Reason::Misconfigured),
        }
    }

    /// Salesforce's own word for it.
    pub(crate) fn word(&self) -> Option<&DenialError> {
        match self {
            Self::Refused(refusal) => refusal.error.as_ref(),
            _ => None,
        }
    }
}

impl AccountError {
    /// What it means for the connection.
    pub(crate) fn meaning(&self) -> Nameless {
        match self {
            Self::Unanswered(_) => Nameless::Transient { retry_after: None },
            Self::Nameless(meaning) => *meaning,
        }
    }
}
