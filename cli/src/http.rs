//! The HTTP client for whoever is asked without an SDK.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, Url, redirect::Policy};
use shared::tls;

use crate::error::Error;

const CONNECT_TIME: Duration = Duration::from_secs(5);
const TOTAL_TIME: Duration = Duration::from_secs(15);

/// A client for this address. Names under `localhost` are this machine's (RFC 6761 §6.3), whatever
/// the resolver knows of them.
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
    builder.build().map_err(|_| Error::failed("set up HTTP", "the system's root certificates cannot be read"))
}

/// What kept a request from being answered. The error's own text has the address in it, which may
/// hold a secret.
pub(crate) fn word_for(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        "it took too long"
    } else {
        "the connection broke off"
    }
}
