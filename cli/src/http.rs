//! The HTTP client for services that have no SDK.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, Url, redirect::Policy};
use shared::tls;

use crate::error::Error;

const CONNECT_TIME: Duration = Duration::from_secs(5);
const TOTAL_TIME: Duration = Duration::from_secs(15);

/// A client for this URL. Names under `localhost` are this machine's (RFC 6761 §6.3), whatever the resolver says.
pub(crate) fn client_for(url: &Url) -> Result<Client, Error> {
    tls::use_ring();
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIME)
        .timeout(TOTAL_TIME)
        .user_agent(concat!("wasf/", env!("CARGO_PKG_VERSION")));
    if let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default())
        && host.ends_with(".localhost")
    {
        builder = builder.resolve(host, SocketAddr::from(([127, 0, 0, 1], port)));
    }
    builder.build().map_err(|_| {
        Error::failed("set up HTTPS", "the system's root certificates are unreadable; install ca-certificates")
    })
}

/// A URL without its path, query and user, any of which may hold a secret.
pub(crate) fn host_alone(url: &str) -> String {
    Url::parse(url).map_or_else(|_| "(not a URL)".to_owned(), |url| url.origin().ascii_serialization())
}

/// Why a request got no response. The error's own text quotes the URL, which may hold a secret.
pub(crate) fn failure(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "connection failed"
    } else if error.is_timeout() {
        "timed out"
    } else {
        "connection lost"
    }
}
