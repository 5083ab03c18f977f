//! How tokens live: the policies of the app, and those of single chats, so that tests can run side by side.

use std::collections::HashMap;

use serde::Deserialize;

/// How an access token is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TokenFormat {
    Opaque,
    Jwt,
}

/// The policies that hold for a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// Whether each refresh token works once.
    pub(super) rotation: bool,
    token_format: TokenFormat,
    /// How long an access token lives.
    pub(super) session_timeout_ms: u64,
    /// How long a refresh token lives unused.
    pub(super) idle_limit_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            rotation: false,
            token_format: TokenFormat::Opaque,
            session_timeout_ms: 2 * 3_600_000,
            idle_limit_ms: 30 * 24 * 3_600_000,
        }
    }
}

impl Policy {
    pub(super) fn is_jwt(self) -> bool {
        self.token_format == TokenFormat::Jwt
    }
}

/// Changes of the app's policies, or of one chat's; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyChange {
    wa_id: Option<String>,
    rotation: Option<bool>,
    token_format: Option<TokenFormat>,
    session_timeout_s: Option<u64>,
    idle_limit_s: Option<u64>,
}

/// All changes since the start.
#[derive(Default)]
pub(super) struct Policies {
    app: PolicyChange,
    chats: HashMap<String, PolicyChange>,
}

impl Policies {
    pub(super) fn change(&mut self, change: &PolicyChange) {
        match change.wa_id.clone() {
            Some(wa_id) => self.chats.entry(wa_id).or_default().merge(change),
            None => self.app.merge(change),
        }
    }

    /// The policies of a chat: its own before the app's.
    pub(super) fn of(&self, wa_id: Option<&str>) -> Policy {
        let own = wa_id.and_then(|wa_id| self.chats.get(wa_id));
        own.into_iter().fold(self.app.apply(Policy::default()), |policy, change| change.apply(policy))
    }
}

impl PolicyChange {
    fn merge(&mut self, later: &Self) {
        self.rotation = later.rotation.or(self.rotation);
        self.token_format = later.token_format.or(self.token_format);
        self.session_timeout_s = later.session_timeout_s.or(self.session_timeout_s);
        self.idle_limit_s = later.idle_limit_s.or(self.idle_limit_s);
    }

    fn apply(&self, policy: Policy) -> Policy {
        let ms = |seconds: u64| seconds.saturating_mul(1000);
        Policy {
            rotation: self.rotation.unwrap_or(policy.rotation),
            token_format: self.token_format.unwrap_or(policy.token_format),
            session_timeout_ms: self.session_timeout_s.map_or(policy.session_timeout_ms, ms),
            idle_limit_ms: self.idle_limit_s.map_or(policy.idle_limit_ms, ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn after(changes: impl IntoIterator<Item = Value>) -> Policies {
        let mut policies = Policies::default();
        changes.into_iter().for_each(|change| policies.change(&serde_json::from_value(change).unwrap()));
        policies
    }

    #[test]
    fn a_chats_own_policy_comes_before_the_apps() {
        let policies = after([
            json!({"wa_id": "whatsapp:+1", "rotation": false, "idle_limit_s": 60}),
            json!({"wa_id": "whatsapp:+1", "token_format": "jwt"}),
            json!({"rotation": true, "session_timeout_s": 900}),
        ]);
        let expected = Policy {
            rotation: false,
            token_format: TokenFormat::Jwt,
            session_timeout_ms: 900_000,
            idle_limit_ms: 60_000,
        };
        assert_eq!(policies.of(Some("whatsapp:+1")), expected);
    }

    #[test]
    fn a_chat_without_a_policy_has_the_apps() {
        let policies = after([json!({"wa_id": "whatsapp:+1", "token_format": "jwt"}), json!({"rotation": true})]);
        let expected = Policy { rotation: true, ..Policy::default() };
        assert_eq!((policies.of(Some("whatsapp:+2")), policies.of(None)), (expected, expected));
    }
}
