//! One HTTP client configuration for the parties outside AWS, and the root certificates that they are verified against.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, Response, redirect::Policy};
use rustls::RootCertStore;

use crate::{Settings, gzip, tls};

/// The longest body of an answer that is read, in bytes. The client bounds the headers and the time.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The root certificates that Salesforce, WhatsApp's providers and the bot are verified against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// Mozilla's list, compiled in (<https://wiki.mozilla.org/CA>, by the crate webpki-roots). Linux distributions ship
    /// the same list; reading the system's copy would be most of a function's start.
    #[default]
    Mozilla,
    /// The system's store, where `SSL_CERT_FILE` or `SSL_CERT_DIR` says that it is: for a bot with a private
    /// certificate authority, and the way out if the compiled list is outdated.
    System,
}

impl Roots {
    /// [`Self::System`] if the environment names a store.
    pub fn of(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Self {
        if tls::is_store_set(settings) { Self::System } else { Self::Mozilla }
    }

    fn configure(self, client: ClientBuilder) -> ClientBuilder {
        match self {
            Self::System => {
                tls::use_ring();
                client
            }
            Self::Mozilla => {
                let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
                let mut config = tls::client_config(roots);
                config.alpn_protocols = vec![b"http/1.1".to_vec()];
                client.tls_backend_preconfigured(config)
            }
        }
    }
}

/// The most response headers that are read. Gateways in front of Salesforce add many; hyper's own limit is 100.
const MAX_RESPONSE_HEADERS: usize = 512;

/// A client that never follows a redirect (a redirected POST loses its body), never reuses a
/// connection (Lambda freezes between invocations, and reqwest does not retry a POST on a dead connection), and times out
/// after `connect` for a connection and `total` for a request.
///
/// # Errors
/// [`reqwest::Error`] if the system's root certificates are asked for and cannot be read.
pub fn client(roots: Roots, connect: Duration, total: Duration) -> Result<Client, reqwest::Error> {
    roots
        .configure(Client::builder())
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .http1_max_headers(MAX_RESPONSE_HEADERS)
        .connect_timeout(connect)
        .timeout(total)
        .user_agent(concat!("whatsapp-salesforce-connect/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// The body of an answer was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection failed after the request was sent.
    #[error("the connection failed")]
    Connection(#[source] reqwest::Error),
    /// The answer is longer than any that the parties outside AWS send.
    #[error("the answer is longer than {MAX_BODY_BYTES} bytes")]
    TooLong,
    /// The answer is compressed, and cannot be read.
    #[error("the answer cannot be decompressed")]
    Encoding,
}

/// Reads the body of an answer, up to 64 KiB: whoever answers must not choose how much memory that takes.
///
/// # Errors
/// [`BodyError`]; the connection's error comes without its URL.
pub async fn read_body(mut response: Response) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| BodyError::Connection(error.without_url()))? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(BodyError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    gzip::decompress(body, MAX_BODY_BYTES).map_err(|gzip::Broken| BodyError::Encoding)
}

#[cfg(test)]
mod tests {
    use fakes::Server;

    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_a_limit() {
        let http = client(Roots::default(), Duration::from_secs(2), Duration::from_secs(5)).unwrap();
        for (length, is_read) in [(MAX_BODY_BYTES, true), (MAX_BODY_BYTES + 1, false), (300 * MAX_BODY_BYTES, false)] {
            let server = Server::answering(201, &"x".repeat(length)).await;
            let response = http.get(server.url()).send().await.unwrap();
            let body = read_body(response).await;
            assert_eq!(body.is_ok_and(|body| body.len() == length), is_read, "{length}");
        }
    }

    fn roots_where(name: &'static str) -> Roots {
        Roots::of(&Settings::new(move |asked: &str| (asked == name).then(|| "/certificates".to_owned())))
    }

    #[test]
    fn the_systems_store_is_used_if_the_environment_names_one() {
        assert_eq!(roots_where("SSL_CERT_FILE"), Roots::System);
        assert_eq!(roots_where("SSL_CERT_DIR"), Roots::System);
        assert_eq!(roots_where("HOME"), Roots::Mozilla);
    }

    /// Salesforce and Meta have certificates by `DigiCert`, Twilio by `DigiCert` and Amazon, bots by anyone.
    #[test]
    fn the_list_has_the_roots_of_the_parties_that_we_call() {
        let subjects: Vec<_> =
            webpki_roots::TLS_SERVER_ROOTS.iter().map(|root| String::from_utf8_lossy(&root.subject)).collect();
        for name in ["DigiCert Global Root G2", "Amazon Root CA 1", "ISRG Root X1"] {
            assert!(subjects.iter().any(|subject| subject.contains(name)), "{name}");
        }
    }
}
