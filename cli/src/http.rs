//! The HTTP client: for services that have no SDK, and under the SDK's clients (`aws::http`).

use std::{fs, net::SocketAddr, sync::OnceLock, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, Proxy, Url, redirect::Policy};
use serde_json::Value;
use shared::tls;

use crate::{Variable, error::Error, proxy::Proxies};

const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Longer than the stack's own calls take: a refresh waits for Salesforce, and for another refresh of the chat.
const TOTAL_TIME: Duration = Duration::from_secs(30);

/// The way from this machine to the outside: one for the whole process.
static NETWORK: OnceLock<Network> = OnceLock::new();

#[derive(Debug, Default)]
struct Network {
    proxies: Proxies,
    /// Root certificates beside the system's.
    roots: Vec<Certificate>,
}

/// Has all clients from now on use the environment's proxies, and trust the certificates in `AWS_CA_BUNDLE`, as with the AWS
/// CLI: a proxy that looks into TLS has a root certificate of its own. The local cloud is asked directly.
pub(crate) fn use_environment(variable: Variable, is_local: bool) -> Result<(), Error> {
    let proxies = if is_local { Proxies::default() } else { Proxies::read(variable)? };
    let roots = variable("AWS_CA_BUNDLE").map(|file| read_roots(&file)).transpose()?.unwrap_or_default();
    // Set before: by an earlier run in the same process.
    let _ = NETWORK.set(Network { proxies, roots });
    Ok(())
}

fn read_roots(file: &str) -> Result<Vec<Certificate>, Error> {
    let failed = |why: &str| Error::failed("use the certificates in AWS_CA_BUNDLE", format!("{file}: {why}"));
    let pem = fs::read(file).map_err(|error| failed(&error.to_string()))?;
    let roots = Certificate::from_pem_bundle(&pem).map_err(|_| failed("it is not PEM"))?;
    if roots.is_empty() { Err(failed("it holds no certificate")) } else { Ok(roots) }
}

/// What every client has.
pub(crate) fn builder() -> ClientBuilder {
    tls::use_ring();
    let builder = Client::builder().redirect(Policy::none()).connect_timeout(CONNECT_TIME).no_proxy();
    let Some(Network { proxies, roots }) = NETWORK.get() else { return builder };
    let builder = builder.proxy(Proxy::custom(|url| proxies.url_for(url)));
    if roots.is_empty() { builder } else { builder.tls_certs_merge(roots.iter().cloned()) }
}

/// A client for this URL. Names under `localhost` are this machine's (RFC 6761 §6.3), whatever the resolver says.
pub(crate) fn client_for(url: &Url) -> Result<Client, Error> {
    let mut builder = builder().timeout(TOTAL_TIME).user_agent(concat!("wasf/", env!("CARGO_PKG_VERSION")));
    if let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default())
        && host.ends_with(".localhost")
    {
        builder = builder.no_proxy().resolve(host, SocketAddr::from(([127, 0, 0, 1], port)));
    }
    build(builder)
}

/// The client; where that fails it is for the system's certificates.
pub(crate) fn build(builder: ClientBuilder) -> Result<Client, Error> {
    builder.build().map_err(|_| {
        Error::failed("set up HTTPS", "the system's root certificates are unreadable; install ca-certificates")
    })
}

/// A URL without its path, query and user, any of which may hold a secret.
pub(crate) fn host_alone(url: &str) -> String {
    Url::parse(url).map_or_else(|_| "(not a URL)".to_owned(), |url| url.origin().ascii_serialization())
}

/// The kind of content that a body is, as the end of a sentence: `with a page`.
pub(crate) fn content(body: &str) -> &'static str {
    match body.trim_start_matches('\u{feff}').trim() {
        "" => "without content",
        page if page.starts_with('<') => "with a page",
        text if serde_json::from_str::<Value>(text).is_ok_and(|json| !json.is_null()) => "with JSON",
        _ => "with a text",
    }
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
