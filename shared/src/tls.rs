//! TLS as every client here speaks it: rustls with ring, and the system's root certificates where the
//! environment asks for them.

use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};

use crate::Settings;

/// Has rustls use ring.
pub fn use_ring() {
    // Fails only where a provider is installed already, which is as good.
    let _ = ring::default_provider().install_default();
}

/// A client that judges servers by these roots.
pub(crate) fn client_config(roots: RootCertStore) -> ClientConfig {
    use_ring();
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

/// Does the environment say where the system's root certificates are?
pub(crate) fn names_a_store(settings: &Settings<impl Fn(&str) -> Option<String>>) -> bool {
    ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| settings.optional(name).is_some())
}

/// The roots of this system; empty where there are none.
#[must_use]
pub fn system_roots() -> RootCertStore {
    roots(rustls_native_certs::load_native_certs().certs)
}

/// The certificates that can be read, as systems have some that cannot.
pub(crate) fn roots(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    roots
}
