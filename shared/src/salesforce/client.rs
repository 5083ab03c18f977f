//! The HTTP client for Salesforce, and how an answer is read.

use std::time::Duration;

use reqwest::{Client, Response};

use super::retry_after::retry_after;
pub use crate::http::BodyError;
use crate::http::{self, Roots};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a request may take, from connecting to the last byte, unless it is given another time: a refresh waits for its answer
/// for as long as its lease allows.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// A client for Salesforce, whatever the host that the person logged in at.
#[derive(Clone, Debug)]
pub struct Salesforce(pub(super) Client);

/// A complete answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
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
    pub(super) async fn read(response: Response) -> Result<Self, BodyError> {
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        Ok(Self { status, retry_after, body: http::read_body(response).await? })
    }
}
