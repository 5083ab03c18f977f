//! One grant: the family of a refresh token, of those that replaced it, and of their access tokens.

use serde::Serialize;

use super::{
    ledger::{Approval, Renewal},
    policies::Policy,
    tokens,
};
use crate::control::journal::sha256;

/// One approval's tokens.
pub(super) struct Grant {
    pub(super) approval: Approval,
    /// The newest refresh token; the ones before it are dead.
    refresh: Option<Refresh>,
    /// The access tokens that were not revoked.
    access: Vec<Access>,
    ended: Option<End>,
    rotations: u32,
}

struct Refresh {
    token: String,
    issued_at_ms: u64,
    used_at_ms: u64,
}

struct Access {
    token: String,
    issued_at_ms: u64,
    expires_at_ms: u64,
}

/// How a grant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    /// Its token was revoked by who had it.
    Revoked,
    /// A refresh token that had been replaced was presented.
    Reuse,
    /// The org's administrator revoked it.
    Administrator,
    /// The same user approved the app once too often.
    SixthApproval,
}

impl Grant {
    pub(super) fn new(approval: Approval) -> Self {
        Self { approval, refresh: None, access: Vec::new(), ended: None, rotations: 0 }
    }

    /// Ends it, with all its tokens. The first end counts.
    pub(super) fn end(&mut self, how: End) {
        self.ended.get_or_insert(how);
        self.access.clear();
    }

    pub(super) fn ended(&self) -> Option<End> {
        self.ended
    }

    pub(super) fn rotations(&self) -> u32 {
        self.rotations
    }

    pub(super) fn refresh_sha256(&self) -> Option<String> {
        self.refresh.as_ref().map(|refresh| sha256(&refresh.token))
    }

    /// Whether the refresh token or, without one, an access token is valid.
    pub(super) fn is_alive(&self, policy: Policy, now_ms: u64) -> bool {
        self.ended.is_none()
            && match &self.refresh {
                Some(refresh) => now_ms < refresh.expires_at_ms(policy),
                None => self.access.iter().any(|access| now_ms < access.expires_at_ms),
            }
    }

    /// Whether this client got it, at this host.
    pub(super) fn belongs_to(&self, shown: &Renewal<'_>) -> bool {
        self.approval.client_id == shown.client_id && self.approval.base_url == shown.base_url
    }

    /// Whether this refresh token of the grant's is not the newest.
    pub(super) fn was_replaced(&self, token: &str) -> bool {
        self.refresh.as_ref().is_some_and(|refresh| refresh.token != token)
    }

    /// When a valid refresh token was issued and when it ends, if it is not used.
    pub(super) fn refresh(&self, token: &str, policy: Policy, now_ms: u64) -> Option<(u64, u64)> {
        let refresh = self.refresh.as_ref().filter(|refresh| refresh.token == token)?;
        self.is_alive(policy, now_ms).then(|| (refresh.issued_at_ms, refresh.expires_at_ms(policy)))
    }

    /// When a valid access token was issued and when it ends.
    pub(super) fn access(&self, token: &str, now_ms: u64) -> Option<(u64, u64)> {
        let access = self.access.iter().find(|access| access.token == token && now_ms < access.expires_at_ms)?;
        Some((access.issued_at_ms, access.expires_at_ms))
    }

    /// Begins the idle time anew.
    pub(super) fn use_refresh_token(&mut self, now_ms: u64) {
        if let Some(refresh) = &mut self.refresh {
            refresh.used_at_ms = now_ms;
        }
    }

    pub(super) fn issue_access(&mut self, policy: Policy, now_ms: u64) -> String {
        let expires_at_ms = now_ms.saturating_add(policy.session_timeout_ms);
        let token = if policy.is_jwt() {
            tokens::jwt(&self.approval, now_ms, expires_at_ms)
        } else {
            tokens::opaque(&self.approval)
        };
        self.access.retain(|access| now_ms < access.expires_at_ms);
        self.access.push(Access { token: token.clone(), issued_at_ms: now_ms, expires_at_ms });
        token
    }

    /// A refresh token in place of the one before.
    pub(super) fn issue_refresh(&mut self, now_ms: u64) -> String {
        let token = tokens::refresh();
        self.rotations += u32::from(self.refresh.is_some());
        self.refresh = Some(Refresh { token: token.clone(), issued_at_ms: now_ms, used_at_ms: now_ms });
        token
    }

    /// Whether this access token was valid; it is not any more.
    pub(super) fn forget_access(&mut self, token: &str, now_ms: u64) -> bool {
        let is_valid = self.access(token, now_ms).is_some();
        self.access.retain(|access| access.token != token);
        is_valid
    }

    /// Makes its tokens so much older.
    pub(super) fn age(&mut self, by_ms: u64) {
        let older = |time: &mut u64| *time = time.saturating_sub(by_ms);
        for access in &mut self.access {
            older(&mut access.issued_at_ms);
            older(&mut access.expires_at_ms);
        }
        if let Some(refresh) = &mut self.refresh {
            older(&mut refresh.issued_at_ms);
            older(&mut refresh.used_at_ms);
        }
    }
}

impl Refresh {
    fn expires_at_ms(&self, policy: Policy) -> u64 {
        self.used_at_ms.saturating_add(policy.idle_limit_ms)
    }
}
