//! Codes and tokens: what was granted, and whether it is still valid. The time is an argument.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;
use serde::Serialize;

use super::{
    User,
    authorize::{Authorization, OAuthError},
};
use crate::{ambient::random_text, control::journal::sha256};

const CODE_LIFETIME_MS: u64 = 15 * 60 * 1000;
const APPROVALS: usize = 5;
const CODE_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";

/// Everything granted since the start. Nothing is removed, so that a used code differs from an unknown one.
#[derive(Default)]
pub(super) struct Ledger {
    codes: HashMap<String, Code>,
    grants: Vec<Grant>,
    /// The hash of each grant's refresh token, valid or not.
    refresh_sha256: Vec<Option<String>>,
    /// The valid access and refresh tokens, and the grants that they belong to.
    access: HashMap<String, usize>,
    refresh: HashMap<String, usize>,
    /// Every token that was issued, valid or not.
    issued: HashMap<String, usize>,
}

/// What becomes of a token that is to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revocation {
    Done,
    /// It is dead already.
    Invalid,
    /// It was never issued.
    Unsupported,
}

struct Code {
    grant: Grant,
    base_url: String,
    redirect_uri: String,
    challenge: Option<String>,
    made_at_ms: u64,
    used: bool,
}

/// One user's approval of one app.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) user: &'static User,
    pub(super) client_id: String,
    pub(super) scope: String,
    wa_id: Option<String>,
    code_sha256: String,
}

/// A grant, as the control interface shows it.
#[derive(Serialize)]
pub(crate) struct Granted {
    wa_id: Option<String>,
    username: &'static str,
    code_sha256: String,
    refresh_token_sha256: Option<String>,
    /// Whether its refresh token or, where there is none, an access token is valid.
    alive: bool,
}

/// What a client presents with a code.
pub(super) struct Redemption<'a> {
    pub(super) code: &'a str,
    pub(super) base_url: &'a str,
    pub(super) client_id: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) verifier: Option<&'a str>,
}

/// New tokens.
pub(super) struct Tokens {
    pub(super) grant: Grant,
    pub(super) access: String,
    /// Only with the first access token, and only if the scope includes it.
    pub(super) refresh: Option<String>,
}

const fn refused(error: &'static str, description: &'static str) -> OAuthError {
    OAuthError { error, description }
}
const UNKNOWN_CODE: OAuthError = refused("invalid_grant", "invalid authorization code");
/// Salesforce's error for an expired and for a used code.
const EXPIRED_CODE: OAuthError = refused("invalid_grant", "expired authorization code");
const WRONG_REDIRECT: OAuthError = refused("redirect_uri_mismatch", "redirect_uri must match configuration");
const MISSING_VERIFIER: OAuthError = refused("invalid_request", "missing required code verifier");
const UNEXPECTED_VERIFIER: OAuthError = refused("invalid_request", "code verifier without code challenge");
const WRONG_VERIFIER: OAuthError = refused("invalid_grant", "invalid code verifier");
const DEAD_REFRESH_TOKEN: OAuthError = refused("invalid_grant", "expired access/refresh token");

impl Ledger {
    pub(super) fn issue_code(&mut self, authorization: &Authorization, user: &'static User, now_ms: u64) -> String {
        let code = format!("aPrx{}==", random_text(68, CODE_ALPHABET));
        let grant = Grant {
            user,
            client_id: authorization.client_id.clone(),
            scope: authorization.scope.clone(),
            wa_id: authorization.state.as_deref().and_then(wa_id_of_state),
            code_sha256: sha256(&code),
        };
        let made = Code {
            grant,
            base_url: authorization.base_url.clone(),
            redirect_uri: authorization.redirect_uri.clone(),
            challenge: authorization.challenge.clone(),
            made_at_ms: now_ms,
            used: false,
        };
        self.codes.insert(code.clone(), made);
        code
    }

    /// Exchanges a code. A rejected request leaves the code valid.
    pub(super) fn redeem(&mut self, shown: &Redemption<'_>, now_ms: u64) -> Result<Tokens, OAuthError> {
        let code = self.codes.get_mut(shown.code).ok_or(UNKNOWN_CODE)?;
        if code.base_url != shown.base_url || code.grant.client_id != shown.client_id {
            return Err(UNKNOWN_CODE);
        }
        if code.used || now_ms.saturating_sub(code.made_at_ms) >= CODE_LIFETIME_MS {
            return Err(EXPIRED_CODE);
        }
        if code.redirect_uri != shown.redirect_uri {
            return Err(WRONG_REDIRECT);
        }
        match (code.challenge.as_deref(), shown.verifier) {
            (None, None) => {}
            (Some(_), None) => return Err(MISSING_VERIFIER),
            (None, Some(_)) => return Err(UNEXPECTED_VERIFIER),
            (Some(challenge), Some(verifier)) if challenge == s256(verifier) => {}
            (Some(_), Some(_)) => return Err(WRONG_VERIFIER),
        }
        code.used = true;
        let grant = code.grant.clone();
        Ok(self.grant(grant))
    }

    /// A new access token for a refresh token.
    pub(super) fn refresh(&mut self, refresh_token: &str, client_id: &str) -> Result<Tokens, OAuthError> {
        let id = *self.refresh.get(refresh_token).ok_or(DEAD_REFRESH_TOKEN)?;
        let grant = self.grants[id].clone();
        if grant.client_id != client_id {
            return Err(DEAD_REFRESH_TOKEN);
        }
        let access = self.issue_access(id);
        Ok(Tokens { grant, access, refresh: None })
    }

    /// The user of an access token.
    pub(super) fn user_of(&self, access_token: &str) -> Option<&'static User> {
        self.access.get(access_token).map(|&id| self.grants[id].user)
    }

    /// Revokes an access token, or a refresh token with all its access tokens.
    pub(super) fn revoke(&mut self, token: &str) -> Revocation {
        if let Some(id) = self.refresh.get(token).copied() {
            self.end(id);
            return Revocation::Done;
        }
        match (self.access.remove(token), self.issued.contains_key(token)) {
            (Some(_), _) => Revocation::Done,
            (None, true) => Revocation::Invalid,
            (None, false) => Revocation::Unsupported,
        }
    }

    pub(super) fn wa_id_of_code(&self, code: &str) -> Option<String> {
        self.codes.get(code)?.grant.wa_id.clone()
    }

    pub(super) fn wa_id_of_token(&self, token: &str) -> Option<String> {
        self.grants[*self.issued.get(token)?].wa_id.clone()
    }

    pub(super) fn age_codes(&mut self, wa_id: &str, by_ms: u64) -> usize {
        let of_chat = self.codes.values_mut().filter(|code| code.grant.wa_id.as_deref() == Some(wa_id));
        of_chat.map(|code| code.made_at_ms = code.made_at_ms.saturating_sub(by_ms)).count()
    }

    /// Every grant, oldest first.
    pub(super) fn granted(&self) -> Vec<Granted> {
        let each = self.grants.iter().zip(&self.refresh_sha256).enumerate();
        each.map(|(id, (grant, refresh_sha256))| Granted {
            wa_id: grant.wa_id.clone(),
            username: grant.user.username,
            code_sha256: grant.code_sha256.clone(),
            refresh_token_sha256: refresh_sha256.clone(),
            alive: self.refresh.values().any(|of| *of == id) || self.access.values().any(|of| *of == id),
        })
        .collect()
    }

    fn grant(&mut self, grant: Grant) -> Tokens {
        let id = self.grants.len();
        self.grants.push(grant.clone());
        let access = self.issue_access(id);
        let lasting = grant.scope.split(' ').any(|scope| matches!(scope, "refresh_token" | "offline_access" | "full"));
        let refresh = lasting.then(|| {
            self.make_room_for(&grant);
            let token = format!("5Aep861{}", random_text(80, CODE_ALPHABET));
            self.refresh.insert(token.clone(), id);
            self.issued.insert(token.clone(), id);
            token
        });
        self.refresh_sha256.push(refresh.as_deref().map(sha256));
        Tokens { grant, access, refresh }
    }

    fn issue_access(&mut self, id: usize) -> String {
        let org = &self.grants[id].user.org_id[..15];
        let token = format!("{org}!AQ{}", random_text(94, CODE_ALPHABET));
        self.access.insert(token.clone(), id);
        self.issued.insert(token.clone(), id);
        token
    }

    /// A sixth approval revokes the oldest.
    fn make_room_for(&mut self, grant: &Grant) {
        let same = |id: &usize| self.grants[*id].user == grant.user && self.grants[*id].client_id == grant.client_id;
        let mut standing: Vec<usize> = self.refresh.values().copied().filter(same).collect();
        standing.sort_unstable();
        if standing.len() >= APPROVALS {
            self.end(standing[0]);
        }
    }

    fn end(&mut self, id: usize) {
        self.refresh.retain(|_, grant| *grant != id);
        self.access.retain(|_, grant| *grant != id);
    }
}

/// BASE64URL(SHA256(ASCII(verifier))) (RFC 7636 §4.6).
fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// The chat in the bot's state, `wa:<wa_id>` with an optional `~…`. Salesforce itself does not read states.
fn wa_id_of_state(state: &str) -> Option<String> {
    state.strip_prefix("wa:")?.split('~').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s256_is_that_of_rfc_7636_appendix_b() {
        assert_eq!(s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_state_names_its_chat() {
        assert_eq!(wa_id_of_state("wa:whatsapp:+15551234567").as_deref(), Some("whatsapp:+15551234567"));
        assert_eq!(wa_id_of_state("wa:whatsapp:US.ABC~token").as_deref(), Some("whatsapp:US.ABC"));
        assert_eq!(wa_id_of_state("something else"), None);
    }
}
