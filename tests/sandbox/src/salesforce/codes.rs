//! Authorization codes: 74 characters that end in `==`, valid once, for 15 minutes and on the host that issued them.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;

use super::{
    User,
    authorize::{Authorization, OAuthError},
    ledger::Approval,
    tokens,
};
use crate::control::journal::sha256;

const LIFETIME_MS: u64 = 15 * 60 * 1000;

/// Every code since the start. Nothing is removed, so that a used code differs from an unknown one.
#[derive(Default)]
pub(super) struct Codes(HashMap<String, Code>);

struct Code {
    approval: Approval,
    redirect_uri: String,
    challenge: Option<String>,
    made_at_ms: u64,
    used: bool,
}

/// What a client presents with a code.
pub(super) struct Redemption<'a> {
    pub(super) code: &'a str,
    pub(super) base_url: &'a str,
    pub(super) client_id: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) verifier: Option<&'a str>,
}

const fn refused(error: &'static str, description: &'static str) -> OAuthError {
    OAuthError { error, description }
}
const UNKNOWN: OAuthError = refused("invalid_grant", "invalid authorization code");
/// Salesforce's error for an expired and for a used code.
const EXPIRED: OAuthError = refused("invalid_grant", "expired authorization code");
const WRONG_REDIRECT: OAuthError = refused("redirect_uri_mismatch", "redirect_uri must match configuration");
const MISSING_VERIFIER: OAuthError = refused("invalid_request", "missing required code verifier");
const UNEXPECTED_VERIFIER: OAuthError = refused("invalid_request", "code verifier without code challenge");
const WRONG_VERIFIER: OAuthError = refused("invalid_grant", "invalid code verifier");

impl Codes {
    pub(super) fn issue(&mut self, authorization: &Authorization, user: &'static User, now_ms: u64) -> String {
        let code = tokens::code();
        let approval = Approval { code_sha256: Some(sha256(&code)), ..Approval::of(authorization, user) };
        let made = Code {
            approval,
            redirect_uri: authorization.redirect_uri.clone(),
            challenge: authorization.challenge.clone(),
            made_at_ms: now_ms,
            used: false,
        };
        self.0.insert(code.clone(), made);
        code
    }

    /// What a code is good for. It stays valid until [`Self::use_up`].
    pub(super) fn check(&self, shown: &Redemption<'_>, now_ms: u64) -> Result<&Approval, OAuthError> {
        let code = self.0.get(shown.code).ok_or(UNKNOWN)?;
        if code.approval.base_url != shown.base_url || code.approval.client_id != shown.client_id {
            return Err(UNKNOWN);
        }
        if code.used || now_ms.saturating_sub(code.made_at_ms) >= LIFETIME_MS {
            return Err(EXPIRED);
        }
        if code.redirect_uri != shown.redirect_uri {
            return Err(WRONG_REDIRECT);
        }
        match (code.challenge.as_deref(), shown.verifier) {
            (None, None) => Ok(&code.approval),
            (Some(_), None) => Err(MISSING_VERIFIER),
            (None, Some(_)) => Err(UNEXPECTED_VERIFIER),
            (Some(challenge), Some(verifier)) if challenge == s256(verifier) => Ok(&code.approval),
            (Some(_), Some(_)) => Err(WRONG_VERIFIER),
        }
    }

    pub(super) fn use_up(&mut self, code: &str) {
        if let Some(code) = self.0.get_mut(code) {
            code.used = true;
        }
    }

    pub(super) fn wa_id(&self, code: &str) -> Option<String> {
        self.0.get(code)?.approval.wa_id.clone()
    }

    /// Makes the codes of one chat, or all, so much older; how many there are.
    pub(super) fn age(&mut self, wa_id: Option<&str>, by_ms: u64) -> usize {
        let of_chat = self.0.values_mut().filter(|code| wa_id.is_none() || code.approval.wa_id.as_deref() == wa_id);
        of_chat.map(|code| code.made_at_ms = code.made_at_ms.saturating_sub(by_ms)).count()
    }
}

/// BASE64URL(SHA256(ASCII(verifier))) (RFC 7636 §4.6).
fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s256_is_that_of_rfc_7636_appendix_b() {
        assert_eq!(s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
