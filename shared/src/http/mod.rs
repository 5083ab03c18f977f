//! One HTTP client configuration for the parties outside AWS, and the root certificates that they are verified against.
//!
//! Requests go over [`Connections`], which belong to one piece of work and end with it: Lambda freezes a function between its
//! invocations, and a connection of an earlier one may be dead without a sign. Within a piece of work connections are opened
//! ahead, and used again. No redirect is followed: a redirected POST loses its body. Nothing is sent twice.

use std::{fmt, sync::Arc, time::Duration};

use hyper::StatusCode;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::RootCertStore;

pub use self::{
    connections::Connections,
    request::{Answer, Request},
};
use crate::{Settings, tls};

mod connections;
#[cfg(feature = "proxy")]
mod proxy;
mod request;

/// The longest body of an answer that is read, in bytes: whoever answers must not choose how much memory that takes.
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

    fn store(self) -> RootCertStore {
        match self {
            Self::System => tls::system_roots(),
            Self::Mozilla => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
        }
    }
}

/// A client: whom it trusts, and its time-outs. Clones share what they are made of.
#[derive(Clone)]
pub struct Client(Arc<Settled>);

struct Settled {
    https: HttpsConnector<HttpConnector>,
    #[cfg(feature = "proxy")]
    proxies: Option<proxy::Proxies>,
    connect: Duration,
    total: Duration,
}

impl Client {
    /// A client that gives up after `connect` for a connection, and after `total` for a request where that is not given another
    /// time.
    #[must_use]
    pub fn new(roots: Roots, connect: Duration, total: Duration) -> Self {
        let https = tls::connector(tls::tcp(), tls::client_config(roots.store()));
        Self(Arc::new(Settled {
            https,
            #[cfg(feature = "proxy")]
            proxies: None,
            connect,
            total,
        }))
    }

    /// The same by way of the proxies that the environment names.
    #[cfg(feature = "proxy")]
    #[must_use]
    pub fn by_proxies_of_environment(roots: Roots, connect: Duration, total: Duration) -> Self {
        let config = tls::client_config(roots.store());
        let proxies = Some(proxy::Proxies::of_environment(config.clone()));
        Self(Arc::new(Settled { https: tls::connector(tls::tcp(), config), proxies, connect, total }))
    }

    /// For one piece of work; nothing is open yet.
    #[must_use]
    pub fn connections(&self) -> Connections {
        Connections::of(self.clone())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// What went wrong with a connection or on it. It has no URL in it.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A request has no complete answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request was not sent.
    #[error("no connection")]
    Connect(#[source] Cause),
    /// The time was over after the request was sent.
    #[error("no answer in time")]
    TimedOut,
    /// The connection failed after the request was sent.
    #[error("the connection failed")]
    Lost(#[source] Cause),
    /// The answer is longer than any that the parties outside AWS send.
    #[error("the answer is longer than {MAX_BODY_BYTES} bytes")]
    TooLong(StatusCode),
    /// The answer is compressed, and cannot be read.
    #[error("the answer cannot be decompressed")]
    Encoding(StatusCode),
}

impl Error {
    /// Whether it is certain that nothing of the request was sent.
    #[must_use]
    pub const fn is_connect(&self) -> bool {
        matches!(self, Self::Connect(_))
    }

    fn connect(cause: impl Into<Cause>) -> Self {
        Self::Connect(cause.into())
    }

    fn lost(cause: impl Into<Cause>) -> Self {
        Self::Lost(cause.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
