//! The REST API.

use reqwest::Response;
use serde_json::{Value, json};

use super::{CHAT, Stage};
use crate::json;

const SOQL: &str = "SELECT Id, Name FROM Account LIMIT 2";

impl Stage {
    async fn query(&self, tokens: &Value, soql: &str) -> Response {
        let request = self.client.get(self.url("/services/data/v66.0/query")).query(&[("q", soql)]);
        request.bearer_auth(tokens["access_token"].as_str().unwrap()).send().await.unwrap()
    }
}

fn expired() -> (u16, Value) {
    (401, json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]))
}

#[tokio::test]
async fn rows_come_as_salesforce_writes_them() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    let (status, answer) = json(stage.query(&tokens, SOQL).await).await;
    assert_eq!((status, &answer["totalSize"], &answer["done"]), (200, &json!(2), &json!(true)));
    let first = json!({
        "attributes": {"type": "Account", "url": "/services/data/v66.0/sobjects/Account/0015g0000000001AAA"},
        "Id": "0015g0000000001AAA",
        "Name": "Difference Engines",
    });
    assert_eq!(answer["records"][0], first);
}

#[tokio::test]
async fn each_org_has_its_own_rows() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for user in ["ada@example.com", "alan@example.com"] {
        let tokens = stage.granted(CHAT, user).await;
        let (_, answer) = json(stage.query(&tokens, "select Id from contact").await).await;
        assert_eq!(answer["totalSize"], 3);
        ids.push(answer["records"][0]["Id"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_dead_token_is_told_that_its_session_has_expired() {
    let stage = Stage::new().await;
    let (revoked, aged) = (stage.tokens().await, stage.tokens().await);
    stage.revoke(&revoked["refresh_token"]).await;
    assert_eq!(json(stage.query(&revoked, SOQL).await).await, expired());
    stage.advance(7_200).await;
    assert_eq!(json(stage.query(&aged, SOQL).await).await, expired());
    assert_eq!(json(stage.query(&json!({"access_token": "00D!unknown"}), SOQL).await).await, expired());
    let without = stage.client.get(stage.url("/services/data/v66.0/query")).query(&[("q", SOQL)]);
    assert_eq!(json(without.send().await.unwrap()).await, expired());
    let refused = stage.userinfo(aged["access_token"].as_str().unwrap()).await;
    assert_eq!(refused.status(), 403);
}

#[tokio::test]
async fn a_token_without_the_scope_api_is_no_session_of_the_rest_api() {
    let stage = Stage::new().await;
    let grant = json!({"wa_id": CHAT, "username": "ada@example.com", "scope": "openid refresh_token"});
    let tokens = stage.control("/control/grants", &grant).await;
    let (status, answer) = json(stage.query(&tokens, SOQL).await).await;
    assert_eq!((status, &answer[0]["errorCode"]), (401, &json!("INVALID_SESSION_ID")));
}

#[tokio::test]
async fn a_query_that_is_wrong_is_refused() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    for (soql, code) in [
        ("SELECT Id FROM Weather", "INVALID_TYPE"),
        ("SELECT Mood FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Name = 'x'", "MALFORMED_QUERY"),
    ] {
        let (status, answer) = json(stage.query(&tokens, soql).await).await;
        assert_eq!((status, &answer[0]["errorCode"]), (400, &json!(code)), "{soql}");
    }
    let elsewhere = stage.client.get(stage.url("/services/data/66/query")).query(&[("q", SOQL)]);
    let elsewhere = elsewhere.bearer_auth(tokens["access_token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(elsewhere.status(), 404);
}

#[tokio::test]
async fn queries_are_in_the_journal_and_can_fail() {
    let stage = Stage::new().await;
    let tokens = stage.tokens().await;
    stage.query(&tokens, SOQL).await;
    stage.fault("salesforce.query", json!({"status": 503, "body": ""})).await;
    assert_eq!(stage.query(&tokens, SOQL).await.status(), 503);
    let journal = stage.journal("salesforce.query").await;
    assert_eq!((&journal["count"], &journal["succeeded"]), (&json!(2), &json!(1)));
    assert_eq!(journal["records"][0]["wa_id"], CHAT);
}

#[tokio::test]
async fn a_site_has_the_api_below_its_path() {
    let stage = Stage::new().await;
    let grant = json!({"wa_id": CHAT, "username": "ada@example.com", "login_url": stage.url("/portal")});
    let tokens = stage.control("/control/grants", &grant).await;
    let url = format!("{}/services/data/v66.0/query", tokens["instance_url"].as_str().unwrap());
    assert_eq!(tokens["instance_url"], stage.url("/portal"));
    let request = stage.client.get(url).query(&[("q", SOQL)]).bearer_auth(tokens["access_token"].as_str().unwrap());
    assert_eq!(request.send().await.unwrap().status(), 200);
}
