//! Grants and their tokens: what was issued, what is valid, and how a grant ended. The time is an argument.

use std::collections::HashMap;

use serde::Serialize;

use super::{
    User,
    authorize::{Authorization, OAuthError},
    codes::{Codes, Redemption},
    grant::{End, Grant},
    policies::Policies,
    restrictions::{Restrictions, Whose},
};
use crate::control::Verdict;

/// More approvals of one app by one user end the oldest.
const APPROVALS: usize = 5;

/// Everything granted since the start. Nothing is removed, so that a dead token differs from an unknown one.
#[derive(Default)]
pub(super) struct Ledger {
    codes: Codes,
    grants: Vec<Grant>,
    /// Every token that was issued, valid or not.
    issued: HashMap<String, Issued>,
    /// The grants with a refresh token, by user and app.
    approvals: HashMap<(&'static str, String), Vec<usize>>,
    pub(super) policies: Policies,
    pub(super) restrictions: Restrictions,
}

/// Where a token belongs.
#[derive(Clone, Copy)]
struct Issued {
    grant: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    AccessToken,
    RefreshToken,
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

/// One user's approval of one app.
#[derive(Clone)]
pub(super) struct Approval {
    pub(super) user: &'static User,
    pub(super) client_id: String,
    pub(super) scope: String,
    /// The host that was logged in at: its tokens are refreshed there.
    pub(super) base_url: String,
    pub(super) wa_id: Option<String>,
    /// Absent where there was no login.
    pub(super) code_sha256: Option<String>,
}

/// A grant, as the control interface shows it.
#[derive(Serialize)]
pub(crate) struct Granted {
    wa_id: Option<String>,
    username: &'static str,
    code_sha256: Option<String>,
    /// That of the newest refresh token, valid or not.
    refresh_token_sha256: Option<String>,
    /// Whether that one or, where there is none, an access token is valid. A restriction does not count: it can be lifted.
    alive: bool,
    /// How often its refresh token was replaced.
    rotations: u32,
    /// How it ended, unless by the idle limit.
    ended: Option<End>,
}

/// New tokens.
pub(super) struct Tokens {
    pub(super) approval: Approval,
    pub(super) access: String,
    /// With the first access token if the scope includes it, with another one by rotation.
    pub(super) refresh: Option<String>,
    pub(super) is_jwt: bool,
}

/// A request for new tokens by a refresh token.
pub(super) struct Renewal<'a> {
    pub(super) token: &'a str,
    pub(super) base_url: &'a str,
    pub(super) client_id: &'a str,
}

/// What introspection says of a token that is valid.
pub(super) struct Introspected<'a> {
    pub(super) approval: &'a Approval,
    pub(super) kind: Kind,
    pub(super) issued_at_ms: u64,
    pub(super) expires_at_ms: u64,
}

impl Approval {
    pub(super) fn of(authorization: &Authorization, user: &'static User) -> Self {
        Self {
            user,
            client_id: authorization.client_id.clone(),
            scope: authorization.scope.clone(),
            base_url: authorization.base_url.clone(),
            wa_id: authorization.wa_id(),
            code_sha256: None,
        }
    }

    /// The identity URL, which names org and user.
    pub(super) fn identity(&self) -> String {
        format!("{}/id/{}/{}", self.base_url, self.user.org_id, self.user.id)
    }
}

const DEAD: OAuthError = OAuthError { error: "invalid_grant", description: "expired access/refresh token" };

impl Ledger {
    pub(super) fn issue_code(&mut self, authorization: &Authorization, user: &'static User, now_ms: u64) -> String {
        self.codes.issue(authorization, user, now_ms)
    }

    /// Exchanges a code. A rejected request leaves the code valid.
    pub(super) fn redeem(&mut self, shown: &Redemption<'_>, now_ms: u64) -> Result<Tokens, OAuthError> {
        let approval = self.codes.check(shown, now_ms)?.clone();
        if let Some(restriction) = self.restrictions.on(&approval) {
            return Err(restriction.error());
        }
        self.codes.use_up(shown.code);
        Ok(self.grant(approval, now_ms))
    }

    /// The first tokens of an approval.
    pub(super) fn grant(&mut self, approval: Approval, now_ms: u64) -> Tokens {
        let id = self.grants.len();
        let is_lasting =
            approval.scope.split(' ').any(|scope| matches!(scope, "refresh_token" | "offline_access" | "full"));
        if is_lasting {
            self.make_room_for(&approval, id, now_ms);
        }
        self.grants.push(Grant::new(approval));
        self.issue(id, is_lasting, now_ms)
    }

    /// New tokens for a refresh token. One that was replaced is reused by somebody: its whole family ends.
    pub(super) fn refresh(&mut self, shown: &Renewal<'_>, now_ms: u64) -> (Verdict, Result<Tokens, OAuthError>) {
        let known = self.issued.get(shown.token).filter(|issued| issued.kind == Kind::RefreshToken);
        let Some(id) = known.map(|issued| issued.grant).filter(|id| self.grants[*id].belongs_to(shown)) else {
            return (Verdict::Unknown, Err(DEAD));
        };
        let grant = &mut self.grants[id];
        let policy = self.policies.of(grant.approval.wa_id.as_deref());
        let is_alive = grant.is_alive(policy, now_ms);
        if grant.was_replaced(shown.token) {
            grant.end(End::Reuse);
            return (if is_alive { Verdict::FamilyRevoked } else { Verdict::Reused }, Err(DEAD));
        }
        if !is_alive {
            return (Verdict::Dead, Err(DEAD));
        }
        if let Some(restriction) = self.restrictions.on(&grant.approval) {
            return (Verdict::Restricted, Err(restriction.error()));
        }
        grant.use_refresh_token(now_ms);
        let verdict = if policy.rotation { Verdict::Rotated } else { Verdict::Refreshed };
        (verdict, Ok(self.issue(id, policy.rotation, now_ms)))
    }

    /// Whose access token it is, if it is valid.
    pub(super) fn approval_of(&self, access_token: &str, now_ms: u64) -> Option<&Approval> {
        let grant = &self.grants[self.issued.get(access_token)?.grant];
        grant.access(access_token, now_ms)?;
        (!self.restrictions.end_access(&grant.approval)).then_some(&grant.approval)
    }

    /// What is known of a valid token of this client. Asking is no use of it.
    pub(super) fn introspect(&self, token: &str, client_id: &str, now_ms: u64) -> Option<Introspected<'_>> {
        let Issued { grant, kind } = *self.issued.get(token)?;
        let grant = &self.grants[grant];
        let approval = &grant.approval;
        if approval.client_id != client_id || self.restrictions.end_access(approval) {
            return None;
        }
        let policy = self.policies.of(approval.wa_id.as_deref());
        let (issued_at_ms, expires_at_ms) = match kind {
            Kind::AccessToken => grant.access(token, now_ms)?,
            Kind::RefreshToken => grant.refresh(token, policy, now_ms)?,
        };
        Some(Introspected { approval, kind, issued_at_ms, expires_at_ms })
    }

    /// Revokes an access token, or a refresh token with all its access tokens.
    pub(super) fn revoke(&mut self, token: &str, now_ms: u64) -> Revocation {
        let Some(Issued { grant, kind }) = self.issued.get(token).copied() else { return Revocation::Unsupported };
        let grant = &mut self.grants[grant];
        let policy = self.policies.of(grant.approval.wa_id.as_deref());
        let is_revoked = match kind {
            Kind::AccessToken => grant.forget_access(token, now_ms),
            Kind::RefreshToken => {
                let is_valid = grant.refresh(token, policy, now_ms).is_some();
                if is_valid {
                    grant.end(End::Revoked);
                }
                is_valid
            }
        };
        if is_revoked { Revocation::Done } else { Revocation::Invalid }
    }

    /// Ends the grants of these, as their administrator does; how many there were.
    pub(super) fn revoke_all(&mut self, whose: &Whose, now_ms: u64) -> usize {
        let alive = self.grants.iter_mut().filter(|grant| {
            let policy = self.policies.of(grant.approval.wa_id.as_deref());
            whose.covers(&grant.approval) && grant.is_alive(policy, now_ms)
        });
        alive.map(|grant| grant.end(End::Administrator)).count()
    }

    pub(super) fn wa_id_of_code(&self, code: &str) -> Option<String> {
        self.codes.wa_id(code)
    }

    pub(super) fn wa_id_of_token(&self, token: &str) -> Option<String> {
        self.grants[self.issued.get(token)?.grant].approval.wa_id.clone()
    }

    /// Makes the codes and grants of one chat, or all, so much older; how many of each there are.
    pub(super) fn age(&mut self, wa_id: Option<&str>, by_ms: u64) -> (usize, usize) {
        let of_chat = |grant: &&mut Grant| wa_id.is_none() || grant.approval.wa_id.as_deref() == wa_id;
        let grants = self.grants.iter_mut().filter(of_chat).map(|grant| grant.age(by_ms)).count();
        (self.codes.age(wa_id, by_ms), grants)
    }

    /// The grants of one chat, or all, oldest first.
    pub(super) fn granted(&self, wa_id: Option<&str>, now_ms: u64) -> Vec<Granted> {
        let of_chat = |grant: &&Grant| wa_id.is_none() || grant.approval.wa_id.as_deref() == wa_id;
        let shown = |grant: &Grant| Granted {
            wa_id: grant.approval.wa_id.clone(),
            username: grant.approval.user.username,
            code_sha256: grant.approval.code_sha256.clone(),
            refresh_token_sha256: grant.refresh_sha256(),
            alive: grant.is_alive(self.policies.of(grant.approval.wa_id.as_deref()), now_ms),
            rotations: grant.rotations(),
            ended: grant.ended(),
        };
        self.grants.iter().filter(of_chat).map(shown).collect()
    }

    fn issue(&mut self, id: usize, with_refresh_token: bool, now_ms: u64) -> Tokens {
        let grant = &mut self.grants[id];
        let policy = self.policies.of(grant.approval.wa_id.as_deref());
        let access = grant.issue_access(policy, now_ms);
        self.issued.insert(access.clone(), Issued { grant: id, kind: Kind::AccessToken });
        let refresh = with_refresh_token.then(|| grant.issue_refresh(now_ms));
        if let Some(token) = &refresh {
            self.issued.insert(token.clone(), Issued { grant: id, kind: Kind::RefreshToken });
        }
        Tokens { approval: grant.approval.clone(), access, refresh, is_jwt: policy.is_jwt() }
    }

    /// A sixth approval revokes the oldest.
    fn make_room_for(&mut self, approval: &Approval, id: usize, now_ms: u64) {
        let standing = self.approvals.entry((approval.user.id, approval.client_id.clone())).or_default();
        standing.retain(|id| {
            let grant = &self.grants[*id];
            grant.is_alive(self.policies.of(grant.approval.wa_id.as_deref()), now_ms)
        });
        if standing.len() >= APPROVALS {
            self.grants[standing.remove(0)].end(End::SixthApproval);
        }
        standing.push(id);
    }
}
