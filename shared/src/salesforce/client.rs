//! The HTTP client for Salesforce, and how an answer is read.

use std::time::Duration;

use reqwest::{Client, Response, header};

use crate::http::{self, Roots};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest that one request may take, from connecting to the last byte.
pub const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A client for Salesforce, whatever the host that the person logged in at.
#[derive(Clone, Debug)]
pub struct Salesforce(pub(super) Client);

/// There is no answer, or an incomplete one.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection failed after the request was sent.
    #[error("the connection failed")]
    Connection(#[source] reqwest::Error),
    /// The answer is longer than any that Salesforce sends.
    #[error("the answer is longer than {MAX_BODY_BYTES} bytes")]
    TooLong,
}

/// A complete answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Salesforce {
    /// A client; no connection outlives its request.
    ///
    /// # Errors
    /// [`reqwest::Error`] where the system's root certificates are asked for and cannot be read.
    pub fn new(roots: Roots) -> Result<Self, reqwest::Error> {
        http::client(roots, CONNECT_TIMEOUT, TIMEOUT).map(Self)
    }
}

impl Answer {
    pub(super) async fn read(mut response: Response) -> Result<Self, BodyError> {
        let status = response.status().as_u16();
        let retry_after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| BodyError::Connection(error.without_url()))? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(BodyError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Self { status, retry_after, body })
    }
}
