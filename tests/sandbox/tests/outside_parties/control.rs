//! Faults, journal and the other controls of a test.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Stage, json};

const WA_ID: &str = "whatsapp:+15551234567";

impl Stage {
    async fn send(&self) -> Result<reqwest::Response, reqwest::Error> {
        self.send_within(Duration::from_secs(30)).await
    }

    async fn send_within(&self, limit: Duration) -> Result<reqwest::Response, reqwest::Error> {
        let sid = &self.config.twilio_account_sid;
        let form = [("From", "whatsapp:+14155238886"), ("To", WA_ID), ("Body", "hi")];
        self.client
            .post(self.url(&format!("/2010-04-01/Accounts/{sid}/Messages.json")))
            .basic_auth(sid, Some(&self.config.twilio_auth_token))
            .form(&form)
            .timeout(limit)
            .send()
            .await
    }

    async fn only_record(&self) -> Value {
        let journal = self.journal("twilio.messages").await;
        assert_eq!(journal["count"], 1);
        journal["records"][0].clone()
    }
}

#[tokio::test]
async fn is_healthy() {
    let stage = Stage::new().await;
    let health = stage.client.get(stage.url("/control/health")).send().await.unwrap();
    assert_eq!(json(health).await, (200, json!({"status": "ok"})));
}

#[tokio::test]
async fn a_fault_answers_as_often_as_it_was_added_for() {
    let stage = Stage::new().await;
    let action = json!({"status": 503, "body": "<h1>Maintenance</h1>", "content_type": "text/html", "headers": {"Retry-After": "3"}});
    stage.control("/control/faults", &json!({"endpoint": "twilio.messages", "times": 2, "action": action})).await;
    for _ in 0..2 {
        let answer = stage.send().await.unwrap();
        assert_eq!(answer.status(), 503);
        assert_eq!(
            (&answer.headers()["content-type"], &answer.headers()["retry-after"]),
            (&"text/html".parse().unwrap(), &"3".parse().unwrap())
        );
        assert_eq!(answer.text().await.unwrap(), "<h1>Maintenance</h1>");
    }
    assert_eq!(stage.send().await.unwrap().status(), 201);
    let journal = stage.journal("twilio.messages").await;
    assert_eq!((&journal["count"], &journal["succeeded"]), (&json!(3), &json!(1)));
    assert_eq!((&journal["records"][0]["fault"], &journal["records"][2]["fault"]), (&json!("answer"), &Value::Null));
}

#[tokio::test]
async fn a_faults_answer_may_be_json() {
    let stage = Stage::new().await;
    stage.fault("twilio.messages", json!({"status": 400, "body": {"code": 63016}})).await;
    let answer = stage.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(json(answer).await, (400, json!({"code": 63016})));
}

#[tokio::test]
async fn a_connection_dropped_before_does_nothing() {
    let stage = Stage::new().await;
    stage.fault("twilio.messages", json!({"drop": "before"})).await;
    let error = stage.send().await.unwrap_err();
    assert!(error.is_request() && !error.is_timeout() && error.status().is_none(), "{error:?}");
    let record = stage.only_record().await;
    assert_eq!((&record["fault"], &record["succeeded"]), (&json!("drop_before"), &json!(false)));
    assert_eq!((&record["answered"], &record["wa_id"]), (&Value::Null, &json!(WA_ID)));
}

#[tokio::test]
async fn a_connection_dropped_after_has_done_it() {
    let stage = Stage::new().await;
    stage.fault("twilio.messages", json!({"drop": "after"})).await;
    let error = stage.send().await.unwrap_err();
    assert!(error.is_request() && !error.is_timeout(), "{error:?}");
    let record = stage.only_record().await;
    assert_eq!((&record["fault"], &record["succeeded"]), (&json!("drop_after"), &json!(true)));
    assert_eq!(stage.first_entry(WA_ID).await["text"], "hi");
}

#[tokio::test]
async fn a_delayed_request_is_processed_although_the_client_stopped_waiting() {
    let stage = Stage::new().await;
    stage.fault("twilio.messages", json!({"delay_ms": 300})).await;
    assert!(stage.send_within(Duration::from_millis(50)).await.unwrap_err().is_timeout());
    assert_eq!(stage.first_entry(WA_ID).await["text"], "hi");
}

#[tokio::test]
async fn faults_can_be_limited_to_one_chat_and_removed() {
    let stage = Stage::new().await;
    let fault = |wa_id: &str| json!({"endpoint": "twilio.messages", "wa_id": wa_id, "action": {"status": 500}});
    stage.control("/control/faults", &fault("whatsapp:+15557654321")).await;
    assert_eq!(stage.send().await.unwrap().status(), 201);
    stage.control("/control/faults", &fault(WA_ID)).await;
    assert_eq!(stage.client.delete(stage.url("/control/faults")).send().await.unwrap().status(), 204);
    assert_eq!(stage.send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn an_invalid_fault_is_refused() {
    let stage = Stage::new().await;
    for fault in [
        json!({"endpoint": "salesforce.mood", "action": {"status": 500}}),
        json!({"endpoint": "twilio.messages", "action": {"status": 42}}),
        json!({"endpoint": "twilio.messages", "action": {"explode": true}}),
        json!({"endpoint": "twilio.messages", "action": {"status": 500, "headers": {"a b": "c"}}}),
    ] {
        let response = stage.client.post(stage.url("/control/faults")).json(&fault).send().await.unwrap();
        assert!(response.status().is_client_error(), "{fault}");
    }
    assert_eq!(stage.send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn every_endpoint_can_fail() {
    let stage = Stage::new().await;
    let message = format!("/v26.0/{}/messages", stage.config.meta_phone_number_id);
    for (endpoint, path) in [
        ("salesforce.token", "/services/oauth2/token"),
        ("salesforce.userinfo", "/services/oauth2/userinfo"),
        ("salesforce.introspect", "/services/oauth2/introspect"),
        ("salesforce.revoke", "/services/oauth2/revoke"),
        ("salesforce.query", "/services/data/v66.0/query"),
        ("meta.messages", message.as_str()),
        ("bot.events", "/bot/events"),
    ] {
        stage.fault(endpoint, json!({"status": 418})).await;
        assert_eq!(stage.client.post(stage.url(path)).send().await.unwrap().status(), 418, "{endpoint}");
        assert_eq!(stage.journal(endpoint).await["count"], 1);
    }
}

#[tokio::test]
async fn the_journal_can_be_filtered_by_chat() {
    let stage = Stage::new().await;
    stage.send().await.unwrap();
    for (wa_id, count) in [(WA_ID, 1), ("whatsapp:+15557654321", 0)] {
        let url = stage.client.get(stage.url("/control/journal")).query(&[("wa_id", wa_id)]);
        let (_, journal) = json(url.send().await.unwrap()).await;
        assert_eq!(
            (&journal["twilio.messages"]["count"], &journal["salesforce.token"]["count"]),
            (&json!(count), &json!(0))
        );
    }
}

#[tokio::test]
async fn the_journal_follows_a_code_from_chat_to_userinfo_and_stores_no_secret() {
    let stage = Stage::new().await;
    let redirect = "http://localhost:1/callback";
    let authorize = url::Url::parse_with_params(
        &stage.url("/services/oauth2/authorize"),
        [
            ("response_type", "code"),
            ("client_id", &stage.config.client_id),
            ("redirect_uri", redirect),
            ("state", &format!("wa:{WA_ID}")),
        ],
    )
    .unwrap();
    let answer = stage.control("/control/login", &json!({"authorize_url": authorize})).await;
    let location: url::Url = answer["location"].as_str().unwrap().parse().unwrap();
    let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", &stage.config.client_id),
        ("client_secret", &stage.config.client_secret),
        ("redirect_uri", redirect),
        ("code", &code),
    ];
    let (_, tokens) =
        json(stage.client.post(stage.url("/services/oauth2/token")).form(&form).send().await.unwrap()).await;
    let access_token = tokens["access_token"].as_str().unwrap();
    stage.client.get(stage.url("/services/oauth2/userinfo")).bearer_auth(access_token).send().await.unwrap();

    let journal = stage.client.get(stage.url("/control/journal")).query(&[("wa_id", WA_ID)]);
    let journal = journal.send().await.unwrap().text().await.unwrap();
    for secret in [&code, &stage.config.client_secret, access_token, tokens["refresh_token"].as_str().unwrap()] {
        assert!(!journal.contains(secret));
    }
    let journal: Value = serde_json::from_str(&journal).unwrap();
    let (token, userinfo) = (&journal["salesforce.token"]["records"][0], &journal["salesforce.userinfo"]["records"][0]);
    assert_eq!(token["asked"]["body"]["code_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(token["answered"]["body"]["access_token_sha256"], userinfo["asked"]["bearer_sha256"]);
    assert_eq!(userinfo["wa_id"], WA_ID);
}

#[tokio::test]
async fn a_login_without_pages_is_refused_like_one_with_them() {
    let stage = Stage::new().await;
    let authorize = stage.url("/services/oauth2/authorize?client_id=someone-else");
    for login in
        [json!({"authorize_url": authorize}), json!({"authorize_url": authorize, "username": "eve@example.com"})]
    {
        let response = stage.client.post(stage.url("/control/login")).json(&login).send().await.unwrap();
        assert_eq!(response.status(), 400);
    }
}

#[tokio::test]
async fn a_sandbox_that_is_dropped_frees_its_port() {
    let stage = Stage::new().await;
    let url = stage.url("/control/health");
    let client = stage.client.clone();
    drop(stage);
    for _ in 0..100 {
        if client.get(&url).send().await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the port still answers");
}
