//! Proof Key for Code Exchange (RFC 7636), method S256.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

use crate::AttemptId;

/// The code verifier, which is secret. It is the MAC of the attempt's id under a key that never leaves KMS: it need not be
/// stored, because both the function that starts the login and the one that redeems the code can compute it.
#[derive(Clone)]
pub struct PkceCodeVerifier(SecretString);

impl PkceCodeVerifier {
    /// The input of the MAC.
    #[must_use]
    pub fn mac_input(attempt: AttemptId) -> Vec<u8> {
        format!("pkce-verifier:v1:{attempt}").into_bytes()
    }

    /// The verifier with these bytes: 43 unreserved characters (RFC 7636 §4.1).
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// The verifier itself: only for the token request.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.0.expose_secret()
    }

    /// The code challenge for the authorization request: the base64url of the verifier's SHA-256 (RFC 7636 §4.2).
    #[must_use]
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, self.secret().as_bytes()))
    }
}

impl fmt::Debug for PkceCodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PkceCodeVerifier").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn computes_the_challenge_of_the_rfcs_example() {
        let bytes = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105, 214, 191,
            240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let verifier = PkceCodeVerifier::from_bytes(&bytes);
        assert_eq!(verifier.secret(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn debug_hides_the_verifier() {
        assert_eq!(format!("{:?}", PkceCodeVerifier::from_bytes(&[7; 32])), "PkceCodeVerifier { .. }");
    }
}
