//! Refreshes, with and without rotation of the refresh token.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde_json::{Value, json};

use super::{ADA, CHAT, Stage, dead, error};
use crate::json;

impl Stage {
    async fn with_rotation() -> Self {
        let stage = Self::new().await;
        stage.policy(json!({"rotation": true})).await;
        stage
    }

    /// New tokens for a refresh token.
    async fn renewed(&self, tokens: &Value) -> Value {
        let (status, renewed) = self.refresh(&tokens["refresh_token"]).await;
        assert_eq!(status, 200, "{renewed}");
        renewed
    }

    async fn verdicts(&self) -> Vec<String> {
        let journal = self.journal("salesforce.refresh").await;
        let records = journal["records"].as_array().unwrap().iter();
        records.map(|record| record["verdict"].as_str().unwrap_or("none").to_owned()).collect()
    }

    /// Waits until so many requests are held.
    async fn held(&self, count: usize) {
        loop {
            let held: Value = self.client.get(self.url("/control/held")).send().await.unwrap().json().await.unwrap();
            if held.as_array().unwrap().len() == count {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn without_rotation_a_refresh_token_stays() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    for _ in 0..2 {
        let refreshed = stage.renewed(&tokens).await;
        assert_eq!(refreshed["refresh_token"], Value::Null);
        assert_ne!(refreshed["access_token"], tokens["access_token"]);
        assert!(stage.opens(&refreshed).await);
    }
    assert!(stage.opens(&tokens).await);
    assert_eq!(stage.verdicts().await, ["refreshed", "refreshed"]);
}

#[tokio::test]
async fn a_refresh_is_answered_as_the_exchange_is() {
    let stage = Stage::with_rotation().await;
    let tokens = stage.tokens().await;
    let renewed = stage.renewed(&tokens).await;
    for name in ["id", "instance_url", "scope", "token_type"] {
        assert_eq!(renewed[name], tokens[name], "{name}");
    }
    assert_eq!(renewed["issued_at"].as_str().unwrap().len(), 13);
    let key = hmac::Key::new(hmac::HMAC_SHA256, stage.config.client_secret.as_bytes());
    let signed = format!("{}{}", renewed["id"].as_str().unwrap(), renewed["issued_at"].as_str().unwrap());
    hmac::verify(&key, signed.as_bytes(), &STANDARD.decode(renewed["signature"].as_str().unwrap()).unwrap()).unwrap();
}

#[tokio::test]
async fn with_rotation_each_refresh_replaces_the_refresh_token() {
    let stage = Stage::with_rotation().await;
    let first = stage.tokens().await;
    let second = stage.renewed(&first).await;
    let third = stage.renewed(&second).await;
    assert!(first["refresh_token"] != second["refresh_token"] && second["refresh_token"] != third["refresh_token"]);
    for tokens in [&first, &second, &third] {
        assert!(stage.opens(tokens).await, "a rotation leaves access tokens alone");
    }
}

#[tokio::test]
async fn a_refresh_token_that_was_replaced_ends_its_family() {
    let stage = Stage::with_rotation().await;
    let (first, other) = (stage.tokens().await, stage.tokens().await);
    let second = stage.renewed(&first).await;
    assert_eq!(stage.refresh(&first["refresh_token"]).await, dead());
    assert_eq!(stage.refresh(&second["refresh_token"]).await, dead());
    assert!(!stage.opens(&first).await && !stage.opens(&second).await);
    assert!(stage.opens(&other).await, "another grant of the same user is left alone");
    assert_eq!(stage.renewed(&other).await["token_type"], "Bearer");
}

#[tokio::test]
async fn the_journal_says_what_became_of_each_refresh() {
    let stage = Stage::with_rotation().await;
    let first = stage.tokens().await;
    stage.renewed(&first).await;
    stage.refresh(&first["refresh_token"]).await;
    stage.refresh(&first["refresh_token"]).await;
    assert_eq!(stage.refresh(&json!("5Aep861unknown")).await, dead());
    assert_eq!(stage.verdicts().await, ["rotated", "family_revoked", "reused", "unknown"]);
    assert_eq!(stage.journal("salesforce.token").await["count"], 1, "refreshes are journalled apart");
    let counters = json!({"refreshes": 1, "rotations": 1, "reuses": 2, "families_revoked": 1, "dead": 0, "unknown": 0,
        "restricted": 0, "busy": 0, "introspections": 0});
    assert_eq!(stage.counters().await, counters);
}

#[tokio::test]
async fn the_journal_has_hashes_of_refresh_tokens_alone() {
    let stage = Stage::with_rotation().await;
    let first = stage.tokens().await;
    let second = stage.renewed(&first).await;
    let journal = stage.journal("salesforce.refresh").await;
    for secret in [&first["refresh_token"], &second["refresh_token"], &second["access_token"]] {
        assert!(!journal.to_string().contains(secret.as_str().unwrap()));
    }
    let record = &journal["records"][0];
    assert_eq!(record["wa_id"], CHAT);
    assert_eq!(record["asked"]["body"]["refresh_token_sha256"].as_str().unwrap().len(), 64);
    let grants = stage.grants(CHAT).await;
    assert_eq!(grants[0]["refresh_token_sha256"], record["answered"]["body"]["refresh_token_sha256"]);
}

#[tokio::test]
async fn a_grant_shows_its_newest_refresh_token_and_how_it_ended() {
    let stage = Stage::with_rotation().await;
    let first = stage.tokens().await;
    stage.renewed(&first).await;
    let alive = stage.grants(CHAT).await[0].clone();
    assert_eq!([&alive["alive"], &alive["rotations"], &alive["ended"]], [&json!(true), &json!(1), &Value::Null]);
    stage.refresh(&first["refresh_token"]).await;
    let ended = stage.grants(CHAT).await[0].clone();
    assert_eq!([&ended["alive"], &ended["ended"]], [&json!(false), &json!("reuse")]);
    assert_eq!(ended["refresh_token_sha256"], alive["refresh_token_sha256"]);
    assert!(stage.grants("whatsapp:+15557654321").await.is_empty());
}

#[tokio::test]
async fn rotation_can_be_one_chats_alone() {
    let stage = Stage::new().await;
    stage.policy(json!({"wa_id": "whatsapp:+15557654321", "rotation": true})).await;
    let theirs = stage.granted("whatsapp:+15557654321", "grace@example.com").await;
    assert!(stage.renewed(&theirs).await["refresh_token"].is_string());
    let mine = stage.granted(CHAT, ADA).await;
    assert_eq!(stage.renewed(&mine).await["refresh_token"], Value::Null);
}

#[tokio::test]
async fn a_refresh_token_works_at_its_own_host_and_for_its_own_app() {
    let stage = Stage::with_rotation().await;
    let tokens = stage.tokens().await;
    let other = format!("http://localhost:{}/services/oauth2/token", stage.sandbox.address.port());
    let form = stage.renewal(&tokens["refresh_token"]);
    let elsewhere = stage.client.post(other).form(&form).send().await.unwrap();
    assert_eq!(json(elsewhere).await, dead());
    stage.control("/control/salesforce", &json!({"client_id": "another"})).await;
    let mut form = stage.renewal(&tokens["refresh_token"]);
    super::set(&mut form, "client_id", "another");
    assert_eq!(stage.token(&form).await, dead());
    stage.control("/control/salesforce", &json!({"client_id": stage.config.client_id})).await;
    stage.renewed(&tokens).await;
    assert_eq!(stage.verdicts().await, ["unknown", "unknown", "rotated"]);
}

#[tokio::test]
async fn a_wrong_secret_leaves_the_refresh_token_alone() {
    let stage = Stage::with_rotation().await;
    let tokens = stage.tokens().await;
    let mut form = stage.renewal(&tokens["refresh_token"]);
    super::set(&mut form, "client_secret", "guess");
    assert_eq!(stage.token(&form).await, error("invalid_client", "invalid client credentials"));
    stage.renewed(&tokens).await;
    assert_eq!(stage.verdicts().await, ["none", "rotated"]);
}

#[tokio::test]
async fn an_access_token_is_no_refresh_token() {
    let stage = Stage::with_rotation().await;
    let tokens = stage.tokens().await;
    assert_eq!(stage.refresh(&tokens["access_token"]).await, dead());
    stage.renewed(&tokens).await;
}

#[tokio::test]
async fn a_token_whose_refresh_is_held_is_already_being_processed() {
    for hold in ["before", "after"] {
        let stage = Stage::with_rotation().await;
        let tokens = stage.tokens().await;
        stage.fault("salesforce.refresh", json!({"hold": hold})).await;
        let second = async {
            stage.held(1).await;
            let busy = error("invalid_grant", "token request is already being processed");
            assert_eq!(stage.refresh(&tokens["refresh_token"]).await, busy);
            stage.control("/control/release", &json!({"at": "salesforce.refresh", "wa_id": CHAT})).await
        };
        let (renewed, released) = tokio::join!(stage.renewed(&tokens), second);
        assert_eq!(released["released"], 1);
        stage.renewed(&renewed).await;
        assert_eq!(stage.verdicts().await, ["busy", "rotated", "rotated"], "{hold}");
        assert_eq!(stage.counters().await["families_revoked"], 0);
    }
}

#[tokio::test]
async fn what_is_held_is_let_go_with_the_chats_faults() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    stage.fault("salesforce.refresh", json!({"hold": "before"})).await;
    let let_go = async {
        stage.held(1).await;
        let faults = stage.client.delete(stage.url("/control/faults")).query(&[("wa_id", "whatsapp:+15557654321")]);
        faults.send().await.unwrap();
        stage.held(1).await;
        stage.client.delete(stage.url("/control/faults")).query(&[("wa_id", CHAT)]).send().await.unwrap();
    };
    tokio::join!(stage.renewed(&tokens), let_go);
    stage.held(0).await;
}

#[tokio::test]
async fn a_refresh_whose_answer_is_lost_was_carried_out() {
    let stage = Stage::with_rotation().await;
    let tokens = stage.tokens().await;
    stage.fault("salesforce.refresh", json!({"drop": "after"})).await;
    let form = stage.renewal(&tokens["refresh_token"]);
    stage.client.post(stage.url("/services/oauth2/token")).form(&form).send().await.unwrap_err();
    assert_eq!(stage.grants(CHAT).await[0]["rotations"], 1);
    assert_eq!(stage.refresh(&tokens["refresh_token"]).await, dead());
    assert_eq!(stage.verdicts().await, ["rotated", "family_revoked"]);
}

#[tokio::test]
async fn a_refresh_that_failed_before_leaves_the_token_alone() {
    let stage = Stage::with_rotation().await;
    let tokens = stage.tokens().await;
    for action in [json!({"status": 503, "body": "<h1>Maintenance</h1>"}), json!({"oauth_error": "unknown_error"})] {
        stage.fault("salesforce.refresh", action).await;
        let form = stage.renewal(&tokens["refresh_token"]);
        let answer = stage.client.post(stage.url("/services/oauth2/token")).form(&form).send().await.unwrap();
        assert!(!answer.status().is_success());
    }
    stage.renewed(&tokens).await;
    assert_eq!(stage.verdicts().await, ["none", "none", "rotated"]);
}

#[tokio::test]
async fn a_fault_of_the_token_endpoint_is_one_of_refreshes_too() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    stage.fault("salesforce.token", json!({"oauth_error": "inactive_user"})).await;
    assert_eq!(stage.refresh(&tokens["refresh_token"]).await, error("inactive_user", "user is inactive"));
    stage.fault("salesforce.refresh", json!({"oauth_error": "inactive_user"})).await;
    let code = stage.code().await;
    assert_eq!(stage.token(&stage.redemption(&code)).await.0, 200, "it is no refresh");
}

#[tokio::test]
async fn a_sixth_approval_revokes_the_oldest() {
    let stage = Stage::with_rotation().await;
    let mut approvals = Vec::new();
    for _ in 0..5 {
        approvals.push(stage.tokens().await);
    }
    let renewed = stage.renewed(&approvals[0]).await;
    let of_another = stage.granted(CHAT, "grace@example.com").await;
    assert!(stage.opens(&renewed).await, "a rotation is no approval, and another user's is none of this one's");
    approvals.push(stage.tokens().await);
    assert_eq!(stage.refresh(&renewed["refresh_token"]).await, dead());
    assert!(!stage.opens(&renewed).await && !stage.opens(&approvals[0]).await);
    for standing in approvals[1..].iter().chain([&of_another]) {
        stage.renewed(standing).await;
    }
    assert_eq!(stage.grants(CHAT).await[0]["ended"], "sixth_approval");
}

#[tokio::test]
async fn an_approval_that_has_ended_makes_room() {
    let stage = Stage::new().await;
    let mut approvals = Vec::new();
    for _ in 0..5 {
        approvals.push(stage.tokens().await);
    }
    stage.revoke(&approvals[2]["refresh_token"]).await;
    stage.tokens().await;
    assert!(stage.opens(&approvals[0]).await);
}
