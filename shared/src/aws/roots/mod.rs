//! Which root certificates AWS is judged by.
//!
//! A function talks to AWS's own endpoints, whose certificates lead to the roots of Amazon Trust
//! Services (<https://www.amazontrust.com/repository/>; AWS asks clients to trust all five:
//! <https://aws.amazon.com/blogs/security/how-to-prepare-for-aws-move-to-its-own-certificate-authority/>).
//! Reading the system's 140 roots to find these is most of a function's start, so they are compiled
//! in, as DER: decoding PEM was a twentieth of it. Taken on 2026-11-23 from Mozilla's store (Debian's
//! ca-certificates); a test holds their fingerprints. They end in 2037 and later; a test fails years
//! before.
//!
//! The system's store counts in their place, and is read as everywhere (`SSL_CERT_FILE` and
//! `SSL_CERT_DIR` say where it is), wherever something else than those endpoints may answer: where
//! `AWS_ENDPOINT_URL` leads elsewhere, in partitions with roots of their own, and where one of these
//! two variables is set. That is the way out should Amazon ever change its roots before this list
//! does: `SSL_CERT_FILE=/etc/pki/tls/certs/ca-bundle.crt` in the function's environment.

use rustls::{RootCertStore, pki_types::CertificateDer};

use super::partition;
use crate::{Settings, tls};

const AMAZONS: [&[u8]; 5] = [
    include_bytes!("amazon-root-ca-1.der"),
    include_bytes!("amazon-root-ca-2.der"),
    include_bytes!("amazon-root-ca-3.der"),
    include_bytes!("amazon-root-ca-4.der"),
    include_bytes!("starfield-services-root-g2.der"),
];

/// The roots for AWS's endpoints in this region.
pub(super) fn for_aws(settings: &Settings<impl Fn(&str) -> Option<String>>, region: &str) -> RootCertStore {
    if is_amazon(settings, region) { amazons() } else { tls::system_roots() }
}

fn amazons() -> RootCertStore {
    tls::roots(AMAZONS.map(CertificateDer::from))
}

/// Is it AWS's own endpoints that are spoken to, with certificates by Amazon?
fn is_amazon(settings: &Settings<impl Fn(&str) -> Option<String>>, region: &str) -> bool {
    settings.optional("AWS_ENDPOINT_URL").is_none()
        && !tls::names_a_store(settings)
        && partition::domain(region) == partition::COMMERCIAL
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
    fn are_those_that_amazon_publishes() {
        let fingerprints: Vec<String> = AMAZONS.iter().map(|der| hex(digest(&SHA256, der).as_ref())).collect();
        assert_eq!(fingerprints, FINGERPRINTS);
    }

    #[test]
    fn last_for_years() {
        // A UTCTime of thirteen characters (RFC 5280 §4.1.2.5.1); the second of a certificate is its end.
        let now = time::OffsetDateTime::from(
            std::time::UNIX_EPOCH + crate::process::now().since(crate::Timestamp::from_millis(0)),
        );
        for der in AMAZONS {
            let mut times = der.windows(15).filter(|at| at[..2] == [0x17, 13] && at[14] == b'Z');
            let end = std::str::from_utf8(&times.nth(1).unwrap()[2..4]).unwrap().parse::<i32>().unwrap();
            assert!(2000 + end >= now.year() + 5, "a root ends in 20{end}: take the new list");
        }
    }

    #[test]
    fn can_be_used() {
        assert_eq!(for_aws(&Settings::new(|_| None), "eu-central-1").len(), FINGERPRINTS.len());
    }

    #[test]
    fn judge_the_endpoints_of_amazon_alone() {
        let set = |name: &'static str| Settings::new(move |key: &str| (key == name).then(|| "somewhere".to_owned()));
        for region in ["us-east-1", "eu-central-1", "us-gov-west-1"] {
            assert!(is_amazon(&set("OTHER"), region), "{region}");
        }
        for region in ["cn-north-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "eusc-de-east-1"] {
            assert!(!is_amazon(&set("OTHER"), region), "{region}");
        }
        for name in ["AWS_ENDPOINT_URL", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            assert!(!is_amazon(&set(name), "us-east-1"), "{name}");
        }
    }
}
