//! One HTTP client configuration for the parties outside AWS, and the root certificates that they are judged by.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect::Policy};
use rustls::RootCertStore;

use crate::{Settings, tls};

/// Which root certificates Salesforce, WhatsApp's providers and the bot are judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// Mozilla's, compiled in (<https://wiki.mozilla.org/CA>, by the crate webpki-roots): the list that
    /// Linux systems are given too. Reading the system's copy of it is most of a function's start.
    #[default]
    Mozillas,
    /// The system's store, wherever `SSL_CERT_FILE` or `SSL_CERT_DIR` says that it is: for a bot with a
    /// certificate of its own, and the way out should the list have grown too old.
    Systems,
}

impl Roots {
    /// As the environment has it.
    pub fn of(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Self {
        if tls::names_a_store(settings) { Self::Systems } else { Self::Mozillas }
    }

    fn trusted_by(self, client: ClientBuilder) -> ClientBuilder {
        match self {
            Self::Systems => {
                tls::use_ring();
                client
            }
            Self::Mozillas => {
                let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
                let mut config = tls::client_config(roots);
                config.alpn_protocols = vec![b"http/1.1".to_vec()];
                client.tls_backend_preconfigured(config)
            }
        }
    }
}

/// A client that never follows a redirect (a redirected POST loses its body), never reuses a
/// connection (Lambda freezes between invocations, and a POST on a dead connection is not
/// retried for us), and gives up within `connect` and `total`.
///
/// # Errors
/// [`reqwest::Error`] where the system's root certificates are asked for and cannot be read.
pub fn client(roots: Roots, connect: Duration, total: Duration) -> Result<Client, reqwest::Error> {
    roots
        .trusted_by(Client::builder())
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .connect_timeout(connect)
        .timeout(total)
        .user_agent(concat!("whatsapp-salesforce-connect/", env!("CARGO_PKG_VERSION")))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots_where(name: &'static str) -> Roots {
        Roots::of(&Settings::new(move |asked: &str| (asked == name).then(|| "/certificates".to_owned())))
    }

    #[test]
    fn the_systems_store_counts_where_the_environment_names_one() {
        assert_eq!(roots_where("SSL_CERT_FILE"), Roots::Systems);
        assert_eq!(roots_where("SSL_CERT_DIR"), Roots::Systems);
        assert_eq!(roots_where("HOME"), Roots::Mozillas);
    }

    /// Salesforce and Meta have certificates of `DigiCert`, Twilio of `DigiCert` and Amazon, bots of anybody.
    #[test]
    fn the_list_has_the_roots_of_those_that_we_speak_to() {
        let subjects: Vec<_> =
            webpki_roots::TLS_SERVER_ROOTS.iter().map(|root| String::from_utf8_lossy(&root.subject)).collect();
        for name in ["DigiCert Global Root G2", "Amazon Root CA 1", "ISRG Root X1"] {
            assert!(subjects.iter().any(|subject| subject.contains(name)), "{name}");
        }
    }
}
