//! TLS for every client here: rustls with ring as its provider, and the system's root certificates.

use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};

use crate::Settings;

/// Makes ring the TLS provider of this process. May be called more than once.
pub fn use_ring() {
    // Fails only if a provider is installed already, and that is ring.
    let _ = ring::default_provider().install_default();
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
