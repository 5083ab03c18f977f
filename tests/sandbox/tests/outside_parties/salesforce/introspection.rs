//! Introspection of access and refresh tokens.

use serde_json::{Value, json};

use super::{CHAT, Fields, Stage, set, unset};
use crate::json;

impl Stage {
    fn question<'a>(&'a self, token: &'a Value) -> Fields<'a> {
        vec![
            ("client_id", &self.config.client_id),
            ("client_secret", &self.config.client_secret),
            ("token", token.as_str().unwrap()),
        ]
    }

    async fn ask(&self, form: &Fields<'_>) -> (u16, Value) {
        json(self.client.post(self.url("/services/oauth2/introspect")).form(form).send().await.unwrap()).await
    }

    async fn introspect(&self, token: &Value) -> Value {
        let (status, answer) = self.ask(&self.question(token)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

fn inactive() -> Value {
    json!({"active": false})
}

#[tokio::test]
async fn an_access_token_has_an_end_and_an_owner() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    let found = stage.introspect(&tokens["access_token"]).await;
    for (name, value) in [
        ("active", json!(true)),
        ("token_type", json!("access_token")),
        ("username", json!("ada@example.com")),
        ("sub", tokens["id"].clone()),
        ("scope", json!("api refresh_token")),
        ("client_id", json!(stage.config.client_id)),
    ] {
        assert_eq!(found[name], value, "{name}");
    }
    assert_eq!(found["exp"].as_u64().unwrap() - found["iat"].as_u64().unwrap(), 7_200);
    assert_eq!(found["iat"].as_u64().unwrap(), tokens["issued_at"].as_str().unwrap().parse::<u64>().unwrap() / 1000);
}

#[tokio::test]
async fn a_refresh_token_ends_by_the_idle_limit() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    let mut form = stage.question(&tokens["refresh_token"]);
    form.push(("token_type_hint", "refresh_token"));
    let (_, found) = stage.ask(&form).await;
    assert_eq!((&found["active"], &found["token_type"]), (&json!(true), &json!("refresh_token")));
    assert_eq!(found["exp"].as_u64().unwrap() - found["iat"].as_u64().unwrap(), 30 * 86_400);
}

#[tokio::test]
async fn the_end_moves_with_the_clock() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    let before = stage.introspect(&tokens["access_token"]).await;
    stage.advance(3_600).await;
    let after = stage.introspect(&tokens["access_token"]).await;
    assert_eq!(before["exp"].as_u64().unwrap() - after["exp"].as_u64().unwrap(), 3_600);
    stage.advance(3_600).await;
    assert_eq!(stage.introspect(&tokens["access_token"]).await, inactive());
}

#[tokio::test]
async fn a_replaced_refresh_token_is_inactive_and_harms_nobody() {
    let stage = Stage::new().await;
    stage.policy(json!({"rotation": true})).await;
    let first = stage.tokens().await;
    let (_, second) = stage.refresh(&first["refresh_token"]).await;
    assert_eq!(stage.introspect(&first["refresh_token"]).await, inactive());
    assert_eq!(stage.introspect(&second["refresh_token"]).await["active"], true);
    assert_eq!(stage.refresh(&second["refresh_token"]).await.0, 200);
    assert_eq!(
        (stage.counters().await["introspections"].clone(), stage.counters().await["reuses"].clone()),
        (json!(2), json!(0))
    );
}

#[tokio::test]
async fn asking_is_no_use_of_a_refresh_token() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    stage.advance(20 * 86_400).await;
    assert_eq!(stage.introspect(&tokens["refresh_token"]).await["active"], true);
    stage.advance(10 * 86_400).await;
    assert_eq!(stage.introspect(&tokens["refresh_token"]).await, inactive());
}

#[tokio::test]
async fn unknown_and_revoked_tokens_are_inactive() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    stage.revoke(&tokens["refresh_token"]).await;
    for token in [&tokens["refresh_token"], &tokens["access_token"], &json!("unknown")] {
        assert_eq!(stage.introspect(token).await, inactive());
    }
    let journal = stage.journal("salesforce.introspect").await;
    assert_eq!((&journal["count"], &journal["records"][0]["wa_id"]), (&json!(3), &json!(CHAT)));
    assert_eq!(journal["records"][0]["verdict"], "inactive");
    assert!(!journal.to_string().contains(tokens["access_token"].as_str().unwrap()));
}

#[tokio::test]
async fn wrong_credentials_are_an_invalid_client() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    for (name, value) in [("client_secret", Some("guess")), ("client_id", Some("another")), ("client_id", None)] {
        let mut form = stage.question(&tokens["access_token"]);
        unset(&mut form, name);
        if let Some(value) = value {
            set(&mut form, name, value);
        }
        let (status, answer) = stage.ask(&form).await;
        assert_eq!((status, &answer["error"]), (401, &json!("invalid_client")), "{name}");
    }
}

#[tokio::test]
async fn a_question_without_a_token_is_invalid() {
    let stage = Stage::new().await;
    let nothing = json!("");
    let (status, answer) = stage.ask(&stage.question(&nothing)).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_request")));
}
