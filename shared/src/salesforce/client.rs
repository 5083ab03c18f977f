//! The HTTP client for Salesforce, and how an answer is read.

use std::time::Duration;

use url::Url;

use super::retry_after::retry_after;
use crate::http::{self, Client, Connections, Request, Roots};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a request may take, from connecting to the last byte, unless it is given another time: a refresh waits for its answer
/// for as long as its lease allows.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Salesforce, whatever the host that the person logged in at, over the connections of one piece of work. Clones share them.
#[derive(Clone, Debug)]
pub struct Salesforce(Connections);

/// A complete answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl Salesforce {
    /// The client for Salesforce, of which each piece of work has connections of its own.
    #[must_use]
    pub fn client(roots: Roots) -> Client {
        Client::new(roots, CONNECT_TIMEOUT, TIMEOUT)
    }

    /// The same by way of the proxies that the environment names.
    #[cfg(feature = "proxy")]
    #[must_use]
    pub fn client_by_proxies(roots: Roots) -> Client {
        Client::by_proxies_of_environment(roots, CONNECT_TIMEOUT, TIMEOUT)
    }

    /// For one piece of work; nothing is open yet.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        Self(client.connections())
    }

    /// Begins to open a connection to this host of Salesforce's, for the next request to it.
    pub fn open_ahead(&self, host: &str) {
        if let Ok(url) = Url::parse(host) {
            self.0.open_ahead(&url);
        }
    }

    pub(super) fn get(&self, url: &str) -> Result<Request, http::Error> {
        Ok(self.0.get(parsed(url)?))
    }

    pub(super) fn post(&self, url: &str) -> Result<Request, http::Error> {
        Ok(self.0.post(parsed(url)?))
    }
}

fn parsed(url: &str) -> Result<Url, http::Error> {
    Url::parse(url).map_err(|error| http::Error::Connect(error.into()))
}

impl Answer {
    /// Sends a request, once, and reads the answer.
    pub(super) async fn to(request: Request) -> Result<Self, http::Error> {
        let http::Answer { status, headers, body } = request.send().await?;
        Ok(Self { status: status.as_u16(), retry_after: retry_after(&headers), body })
    }
}
