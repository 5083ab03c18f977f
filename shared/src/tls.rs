//! TLS for every client here: rustls with ring as its provider, and the system's root certificates.

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, RootCertStore, client::Resumption, crypto::ring, pki_types::CertificateDer};

use crate::Settings;

/// Makes ring the TLS provider of this process. May be called more than once.
pub fn use_ring() {
    // Fails only if a provider is installed already, and that is ring.
    let _ = ring::default_provider().install_default();
}

/// TLS sessions that are kept for later connections: eight for each of four parties. rustls allocates room for all of
/// them at once.
const TLS_SESSIONS: usize = 4 * 8;

/// Opens TCP connections.
pub(crate) fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp
}

/// Opens connections over what opens TCP's: to `https` with this TLS, to `http` without.
pub(crate) fn connector<T>(tcp: T, mut tls: ClientConfig) -> HttpsConnector<T> {
    tls.resumption = Resumption::in_memory_sessions(TLS_SESSIONS);
    HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp)
}

/// A client that verifies servers against these roots.
pub(crate) fn client_config(roots: RootCertStore) -> ClientConfig {
    use_ring();
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

/// Whether the environment says where the system's root certificates are.
pub(crate) fn is_store_set(settings: &Settings<impl Fn(&str) -> Option<String>>) -> bool {
    ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| settings.optional(name).is_some())
}

/// The root certificates of this system, from `SSL_CERT_FILE` and `SSL_CERT_DIR` if they are set. Empty if there are none.
pub(crate) fn system_roots() -> RootCertStore {
    roots(rustls_native_certs::load_native_certs().certs)
}

/// Those of these certificates that can be parsed: system stores hold some that cannot.
pub(crate) fn roots(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    roots
}
