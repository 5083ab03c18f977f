//! Salesforce as a custodian of tokens: how those of a chat live, what an administrator does, and what became of refreshes.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::{Cloud, wait_until};

/// What an administrator forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// The user is frozen or deactivated.
    InactiveUser,
    /// The org is closed or suspended.
    InactiveOrg,
    /// The app is blocked.
    AppBlocked,
    /// The stack's address is not on the allow-list for refresh tokens.
    IpRestricted,
}

impl Restriction {
    fn as_str(self) -> &'static str {
        match self {
            Self::InactiveUser => "inactive_user",
            Self::InactiveOrg => "inactive_org",
            Self::AppBlocked => "app_blocked",
            Self::IpRestricted => "ip_restricted",
        }
    }
}

impl Cloud {
    /// Turns rotation on for a chat: each of its refresh tokens works once.
    pub async fn rotate_refresh_tokens(&self, chat: &str) {
        self.token_policy(chat, json!({"rotation": true})).await;
    }

    /// Sets how the tokens of a chat live: `rotation`, `token_format` (`opaque` or `jwt`), `session_timeout_s`, `idle_limit_s`.
    pub async fn token_policy(&self, chat: &str, mut policy: Value) {
        policy["wa_id"] = chat.into();
        self.control("/control/salesforce/policy", &policy).await;
    }

    /// Makes the codes and tokens of a chat so much older at Salesforce.
    pub async fn age_tokens(&self, chat: &str, by: Duration) {
        let advance_ms = u64::try_from(by.as_millis()).expect("an age");
        self.control("/control/clock", &json!({"wa_id": chat, "advance_ms": advance_ms})).await;
    }

    /// An administrator restricts what concerns this chat alone.
    pub async fn restrict(&self, chat: &str, restriction: Restriction) {
        let order = json!({"wa_id": chat, "restriction": restriction.as_str()});
        self.control("/control/salesforce/restrictions", &order).await;
    }

    /// Lifts the restrictions of a chat.
    pub async fn lift_restrictions(&self, chat: &str) {
        let url = format!("{}/control/salesforce/restrictions", self.sandbox_url);
        let answer = self.client().delete(url).query(&[("wa_id", chat)]).send().await;
        assert!(answer.expect("the sandbox").status().is_success());
    }

    /// An administrator revokes the grants of a chat.
    pub async fn revoke_at_salesforce(&self, chat: &str) {
        self.control("/control/salesforce/revocations", &json!({"wa_id": chat})).await;
    }

    /// Tokens of a chat without a login, as the token endpoint answers them, from the host that tests log in at.
    pub async fn grant(&self, chat: &str, username: &str) -> Value {
        let login_url = self.sandbox_url.replace("127.0.0.1", "localhost");
        let order = json!({"wa_id": chat, "username": username, "login_url": login_url});
        let answer = self.client().post(format!("{}/control/grants", self.sandbox_url)).json(&order).send().await;
        answer.expect("the sandbox").json().await.expect("tokens")
    }

    /// What Salesforce granted for a chat, oldest first: `refresh_token_sha256` (the newest one's), `alive`, `rotations`, `ended`.
    pub async fn grants(&self, chat: &str) -> Vec<Value> {
        self.of_chat("/control/grants", chat).await.as_array().expect("grants").clone()
    }

    /// How often a chat's tokens were refreshed, reused and asked for: `refreshes`, `rotations`, `reuses`, `families_revoked`,
    /// `dead`, `unknown`, `restricted`, `busy`, `introspections`.
    pub async fn token_counter(&self, chat: &str, name: &str) -> u64 {
        self.of_chat("/control/salesforce/counters", chat).await[name].as_u64().expect("a counter")
    }

    async fn of_chat(&self, path: &str, chat: &str) -> Value {
        let request = self.client().get(format!("{}{path}", self.sandbox_url)).query(&[("wa_id", chat)]);
        request.send().await.expect("the sandbox").json().await.expect("an answer")
    }

    /// Waits until a fault `{"hold": …}` holds a chat's request at this endpoint, or at this operation of AWS.
    pub async fn wait_until_held(&self, at: &str, chat: &str) {
        self.wait_until_so_many_held(at, chat, 1).await;
    }

    /// The same, for so many requests.
    pub async fn wait_until_so_many_held(&self, at: &str, chat: &str, requests: usize) {
        wait_until("requests that are held", async || {
            let request = self.client().get(format!("{}/control/held", self.sandbox_url));
            let held = request.query(&[("at", at), ("wa_id", chat)]).send().await.expect("the sandbox");
            let held: Value = held.json().await.expect("an answer");
            (held.as_array().expect("a list").len() >= requests).then_some(())
        })
        .await;
    }

    /// Lets go of a chat's requests that are held there.
    pub async fn release(&self, at: &str, chat: &str) {
        self.control("/control/release", &json!({"at": at, "wa_id": chat})).await;
    }

    /// Reads two accounts by Salesforce's REST API, as a bot does.
    pub async fn query(&self, instance_url: &str, access_token: &str) -> Response {
        let request = self.client().get(format!("{instance_url}/services/data/v66.0/query"));
        let request = request.query(&[("q", "SELECT Id, Name FROM Account LIMIT 2")]).bearer_auth(access_token);
        request.send().await.expect("an answer")
    }

    /// Whether this access token opens the org.
    pub async fn is_live(&self, instance_url: &str, access_token: &str) -> bool {
        self.query(instance_url, access_token).await.status() == StatusCode::OK
    }
}
