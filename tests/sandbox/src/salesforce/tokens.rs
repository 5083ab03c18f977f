//! The texts of codes and tokens.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::ledger::Approval;
use crate::ambient::{ALPHANUMERIC, random_text};

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";

pub(super) fn code() -> String {
    format!("aPrx{}==", random_text(68, ALPHABET))
}

pub(super) fn refresh() -> String {
    format!("5Aep861{}", random_text(80, ALPHABET))
}

/// An access token whose end cannot be read.
pub(super) fn opaque(approval: &Approval) -> String {
    format!("{}!AQ{}", &approval.user.org_id[..15], random_text(94, ALPHABET))
}

/// An access token with its end in it, claims as in Salesforce Help "JWT-Based Access Tokens". The signature is random: no
/// public key belongs to it.
pub(super) fn jwt(approval: &Approval, issued_at_ms: u64, expires_at_ms: u64) -> String {
    let Approval { user, client_id, scope, base_url, .. } = approval;
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "sandbox", "tnk": format!("core/prod/{}", user.org_id), "ver": "1.0"});
    let claims = json!({
        "iss": base_url,
        "aud": [base_url],
        "sub": format!("uid:{}", user.id),
        "scp": scope,
        "client_id": client_id,
        "iat": issued_at_ms / 1000,
        "nbf": issued_at_ms / 1000,
        "exp": expires_at_ms / 1000,
        "jti": random_text(32, ALPHANUMERIC),
        "mty": "oauth",
        "roles": [],
    });
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    // 256 bytes, as of RSA with 2,048 bits.
    let signature = URL_SAFE_NO_PAD.encode(random_text(256, ALPHANUMERIC));
    format!("{}.{}.{signature}", part(header), part(claims))
}
