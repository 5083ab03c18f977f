//! One HTTP client configuration for the parties outside AWS.

use std::time::Duration;

use reqwest::{Client, redirect::Policy};

/// A client that never follows a redirect (a redirected POST loses its body), never reuses a
/// connection (Lambda freezes between invocations, and a POST on a dead connection is not
/// retried for us), and gives up within `connect` and `total`.
///
/// # Errors
/// [`reqwest::Error`] where the system's root certificates cannot be read.
pub fn client(connect: Duration, total: Duration) -> Result<Client, reqwest::Error> {
    // Fails only where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .connect_timeout(connect)
        .timeout(total)
        .user_agent(concat!("whatsapp-salesforce-connect/", env!("CARGO_PKG_VERSION")))
        .build()
}
