//! The root certificates that AWS's endpoints are verified against.
//!
//! A function talks to AWS's own endpoints, whose certificates are issued under the roots of Amazon Trust
//! Services (<https://www.amazontrust.com/repository/>; AWS asks clients to trust all five:
//! <https://aws.amazon.com/blogs/security/how-to-prepare-for-aws-move-to-its-own-certificate-authority/>).
//! Reading the system's 140 roots to find these is most of a function's start, so they are compiled
//! in, as DER: decoding PEM was a twentieth of it. Taken on 2026-11-23 from Mozilla's store (Debian's
//! ca-certificates); a test holds their fingerprints. They end in 2037 and later; a test fails years
//! before.
//!
//! The system's store is used instead (`SSL_CERT_FILE` and `SSL_CERT_DIR` say where it is, as everywhere) wherever
//! something other than those endpoints may answer: with `AWS_ENDPOINT_URL`, in partitions with roots of their own, and
//! whenever one of these two variables is set. That is the way out if Amazon ever changes its roots before this list
//! does: `SSL_CERT_FILE=/etc/pki/tls/certs/ca-bundle.crt`, which is the template's `SslCertFile`.

use rustls::{RootCertStore, pki_types::CertificateDer};

use super::partition;
use crate::{Settings, tls};

const AMAZON_ROOTS: [&[u8]; 5] = [
    include_bytes!("amazon-root-ca-1.der"),
    include_bytes!("amazon-root-ca-2.der"),
    include_bytes!("amazon-root-ca-3.der"),
    include_bytes!("amazon-root-ca-4.der"),
    include_bytes!("starfield-services-root-g2.der"),
];

/// The roots to verify AWS's endpoints in this region against.
pub(super) fn for_aws(settings: &Settings<impl Fn(&str) -> Option<String>>, region: &str) -> RootCertStore {
    if uses_amazon_roots(settings, region) { amazon_roots() } else { tls::system_roots() }
}

fn amazon_roots() -> RootCertStore {
    tls::roots(AMAZON_ROOTS.map(CertificateDer::from))
}

/// Whether requests go to AWS's own endpoints, in the partitions whose certificates Amazon Trust Services issues.
fn uses_amazon_roots(settings: &Settings<impl Fn(&str) -> Option<String>>, region: &str) -> bool {
    settings.optional("AWS_ENDPOINT_URL").is_none()
        && !tls::is_store_set(settings)
        && partition::domain(region) == partition::DEFAULT_DOMAIN
        && !region.contains("-iso") // an isolated partition that the table does not know yet
}

#[cfg(test)]
mod tests {
    use ring::digest::{SHA256, digest};

    use super::*;

    /// SHA-256 of each certificate, as <https://www.amazontrust.com/repository/> lists them.
    const FINGERPRINTS: [&str; 5] = [
        "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
        "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
        "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
        "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
        "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
    ];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    #[test]
    fn the_roots_are_those_that_amazon_publishes() {
        let fingerprints: Vec<String> = AMAZON_ROOTS.iter().map(|der| hex(digest(&SHA256, der).as_ref())).collect();
        assert_eq!(fingerprints, FINGERPRINTS);
    }

    #[test]
    fn the_roots_are_valid_for_years() {
        // A UTCTime of thirteen characters (RFC 5280 §4.1.2.5.1); the second one of a certificate is `notAfter`.
        let now = time::OffsetDateTime::from(
            std::time::UNIX_EPOCH + crate::process::now().since(crate::Timestamp::from_millis(0)),
        );
        for der in AMAZON_ROOTS {
            let mut times = der.windows(15).filter(|at| at[..2] == [0x17, 13] && at[14] == b'Z');
            let end = std::str::from_utf8(&times.nth(1).unwrap()[2..4]).unwrap().parse::<i32>().unwrap();
            assert!(2000 + end >= now.year() + 5, "a root expires in 20{end}: update the list");
        }
    }

    #[test]
    fn the_roots_can_be_parsed() {
        assert_eq!(for_aws(&Settings::new(|_| None), "eu-central-1").len(), FINGERPRINTS.len());
    }

    #[test]
    fn the_roots_verify_amazons_own_endpoints_alone() {
        let set = |name: &'static str| Settings::new(move |key: &str| (key == name).then(|| "somewhere".to_owned()));
        for region in ["us-east-1", "eu-central-1", "us-gov-west-1"] {
            assert!(uses_amazon_roots(&set("OTHER"), region), "{region}");
        }
        for region in
            ["cn-north-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "eu-isox-west-1", "eusc-de-east-1"]
        {
            assert!(!uses_amazon_roots(&set("OTHER"), region), "{region}");
        }
        for name in ["AWS_ENDPOINT_URL", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            assert!(!uses_amazon_roots(&set(name), "us-east-1"), "{name}");
        }
    }
}
