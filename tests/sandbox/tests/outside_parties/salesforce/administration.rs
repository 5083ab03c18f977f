//! What an org's administrator does.

use serde_json::{Value, json};
use url::Url;

use super::{ADA, CHAT, Stage, dead, error, parameter};

const THEIRS: &str = "whatsapp:+15557654321";

impl Stage {
    async fn restrict(&self, restriction: Value) {
        self.control("/control/salesforce/restrictions", &restriction).await;
    }

    async fn lift(&self, whose: &[(&str, &str)]) {
        let request = self.client.delete(self.url("/control/salesforce/restrictions")).query(whose);
        assert!(request.send().await.unwrap().status().is_success());
    }
}

#[tokio::test]
async fn an_administrator_revokes_a_users_grants() {
    let stage = Stage::new().await;
    let [mine, theirs] = [stage.granted(CHAT, ADA).await, stage.granted(THEIRS, "grace@example.com").await];
    assert_eq!(stage.control("/control/salesforce/revocations", &json!({"username": ADA})).await["revoked"], 1);
    assert_eq!(stage.refresh(&mine["refresh_token"]).await, dead());
    assert!(!stage.opens(&mine).await && stage.opens(&theirs).await);
    assert_eq!(stage.grants(CHAT).await[0]["ended"], "administrator");
    assert_eq!(stage.control("/control/salesforce/revocations", &json!({"wa_id": CHAT})).await["revoked"], 0);
    assert_eq!(stage.counters().await["dead"], 1);
}

#[tokio::test]
async fn a_restriction_refuses_tokens_until_it_is_lifted() {
    for (restriction, refusal, opens) in [
        ("inactive_user", error("inactive_user", "user is inactive"), false),
        ("inactive_org", error("inactive_org", "organization is locked, closed, or suspended"), false),
        ("app_blocked", error("OAUTH_APP_BLOCKED", "this app is blocked by admin"), false),
        ("ip_restricted", error("invalid_grant", "ip restricted or invalid login hours"), true),
    ] {
        let stage = Stage::new().await;
        let (tokens, code) = (stage.tokens().await, stage.code().await);
        stage.restrict(json!({"restriction": restriction, "username": ADA})).await;
        assert_eq!(stage.refresh(&tokens["refresh_token"]).await, refusal);
        assert_eq!(stage.token(&stage.redemption(&code)).await, refusal);
        assert_eq!(stage.opens(&tokens).await, opens, "{restriction}");
        assert_eq!(stage.counters().await["restricted"], 1);
        assert_eq!(stage.grants(CHAT).await[0]["alive"], true, "a restriction can be lifted");

        stage.lift(&[("username", ADA)]).await;
        assert_eq!(stage.refresh(&tokens["refresh_token"]).await.0, 200);
        assert_eq!(stage.token(&stage.redemption(&code)).await.0, 200, "the code is not used");
        assert!(stage.opens(&tokens).await);
    }
}

#[tokio::test]
async fn a_restriction_keeps_to_its_user_org_or_chat() {
    let stage = Stage::new().await;
    let [mine, theirs] = [stage.granted(CHAT, ADA).await, stage.granted(THEIRS, "alan@example.com").await];
    for whose in [json!({"username": ADA}), json!({"org_id": "00D5g00000EngneEAB"}), json!({"wa_id": CHAT})] {
        let mut restriction = whose.clone();
        restriction["restriction"] = "inactive_user".into();
        stage.restrict(restriction).await;
        assert!(!stage.opens(&mine).await && stage.opens(&theirs).await, "{whose}");
        stage.lift(&[("wa_id", THEIRS)]).await;
        assert!(!stage.opens(&mine).await, "another's is lifted");
        stage.lift(&[]).await;
        assert!(stage.opens(&mine).await);
    }
}

#[tokio::test]
async fn a_restriction_without_an_owner_is_everybodys() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    stage.restrict(json!({"restriction": "app_blocked"})).await;
    assert!(!stage.opens(&tokens).await);
}

#[tokio::test]
async fn a_reuse_counts_though_a_restriction_stands() {
    let stage = Stage::new().await;
    stage.policy(json!({"rotation": true})).await;
    let tokens = stage.tokens().await;
    stage.refresh(&tokens["refresh_token"]).await;
    stage.restrict(json!({"restriction": "ip_restricted"})).await;
    assert_eq!(stage.refresh(&tokens["refresh_token"]).await, dead());
    assert_eq!(stage.counters().await["families_revoked"], 1);
}

#[tokio::test]
async fn an_inactive_user_does_not_log_in() {
    let stage = Stage::new().await;
    stage.restrict(json!({"restriction": "inactive_user", "username": ADA})).await;
    let url = Url::parse_with_params(&stage.url("/services/oauth2/authorize"), stage.authorization()).unwrap();
    let login = stage.client.post(stage.url("/control/login")).json(&json!({"authorize_url": url}));
    assert_eq!(login.send().await.unwrap().status(), 400);

    let mut form = stage.authorization();
    form.extend([("username", ADA), ("password", "sandbox")]);
    let page = stage.submit(&form).await.text().await.unwrap();
    assert!(page.contains("Your account is inactive."), "{page}");
}

#[tokio::test]
async fn a_login_to_a_blocked_app_comes_back_with_the_error() {
    let stage = Stage::new().await;
    stage.restrict(json!({"restriction": "app_blocked", "wa_id": CHAT})).await;
    let url = stage.log_in(&stage.authorization(), true).await;
    assert_eq!(parameter(&url, "error").as_deref(), Some("OAUTH_APP_BLOCKED"));
    assert_eq!(parameter(&url, "code"), None);
}
