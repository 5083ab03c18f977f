//! The texts of codes and tokens.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Value, json};

use super::ledger::Approval;
use crate::ambient::{ALPHANUMERIC, random_text};

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";

/// What a refresh token begins with, and its length.
const REFRESH: &str = "5Aep861";
const REFRESH_LENGTH: usize = 87;
/// What follows the org's id in an opaque access token, the length from there on, and that of the id.
const ACCESS: &str = "!AQ";
const ACCESS_LENGTH: usize = 97;
const ORG: usize = 15;

/// A kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenKind {
    Access,
    Refresh,
}

pub(super) fn code() -> String {
    format!("aPrx{}==", random_text(68, ALPHABET))
}

pub(super) fn refresh() -> String {
    format!("{REFRESH}{}", random_text(REFRESH_LENGTH - REFRESH.len(), ALPHABET))
}

/// An access token whose end cannot be read.
pub(super) fn opaque(approval: &Approval) -> String {
    format!("{}{ACCESS}{}", &approval.user.org_id[..ORG], random_text(ACCESS_LENGTH - ACCESS.len(), ALPHABET))
}

/// The refresh tokens and opaque access tokens in a text, by their form.
pub(crate) fn tokens_in(text: &str) -> impl Iterator<Item = (TokenKind, &str)> {
    let of = move |kind, mark: &'static str, before: usize, length: usize| {
        text.match_indices(mark)
            .filter_map(move |(at, _)| Some((kind, text.get(at.checked_sub(before)?..at + length)?)))
    };
    of(TokenKind::Refresh, REFRESH, 0, REFRESH_LENGTH).chain(of(TokenKind::Access, ACCESS, ORG, ACCESS_LENGTH))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_in_a_text() {
        let (refresh, access) = (refresh(), format!("00Dxx0000001gPL{ACCESS}{}", "a".repeat(94)));
        let text = format!(r#"!AQ 5Aep861 {{"refresh_token":"{refresh}","access_token":"{access}"}} !AQ"#);
        let found: Vec<_> = tokens_in(&text).collect();
        assert!(found.contains(&(TokenKind::Refresh, &*refresh)) && found.contains(&(TokenKind::Access, &*access)));
    }
}
