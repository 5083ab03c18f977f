//! `wasf doctor` with a fault of each kind, one after the other: each is found, alone and with a remedy, and when
//! it is repaired no problem is left.

use std::net::Ipv4Addr;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use system::{consent::CONNECTED, new_chat, operator::Operator};

const IAM: &str = "2010-05-08";
const SNS: &str = "2010-03-31";

#[tokio::test]
async fn a_missing_secret() {
    let operator = Operator::ready().await;
    for name in ["sf_client_secret", "sf_client_id", "whatsapp"] {
        let order = json!({"SecretId": name, "ForceDeleteWithoutRecovery": true});
        operator.cloud.aws("secretsmanager", "secretsmanager.DeleteSecret", order).await;
        operator.doctor_finds("secrets", "wasf init");
        operator.json("init --no-input --confirm", 0);
    }
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn a_callback_address_that_differs() {
    let operator = Operator::ready().await;
    let ours = operator.stack().output("CallbackUrl");
    operator.cloud.control("/control/salesforce", &json!({"redirect_uris": ["https://example.com/callback"]})).await;
    operator.doctor_finds("salesforce", "CallbackUrl");
    operator.cloud.control("/control/salesforce", &json!({"redirect_uris": [ours]})).await;
    operator.doctor_finds_nothing();

    let before = operator.set("Notifier", "SF_REDIRECT_URI", "https://example.com/callback").await;
    operator.doctor_finds("callback", "the same CallbackUri");
    operator.set("Notifier", "SF_REDIRECT_URI", &before).await;
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn a_consumer_secret_of_another_app_before_anybody_has_logged_in() {
    let operator = Operator::ready().await;
    let before = operator.secret("sf_client_secret").await;
    operator.put_secret("sf_client_secret", "A1B2C3D4E5F60718293A4B5C6D7E8F90").await;
    operator.doctor_finds("salesforce", "wasf secret set sf_client_secret --confirm");
    operator.put_secret("sf_client_secret", &before).await;
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn a_host_that_does_not_answer_for_the_secret_proves_nothing() {
    let operator = Operator::ready().await;
    for action in
        [json!({"status": 503, "body": ""}), json!({"status": 404, "body": "<html>"}), json!({"drop": "after"})]
    {
        operator
            .cloud
            .control("/control/faults", &json!({"endpoint": "salesforce.introspect", "times": 1, "action": action}))
            .await;
        let found = operator.doctor();
        let unknown = found.iter().find(|finding| finding["text"].as_str().unwrap().starts_with("not known: "));
        assert!(unknown.is_some_and(|finding| finding["level"] == "note"), "{action}: {found:#?}");
    }
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn a_login_address_without_tls() {
    let operator = Operator::ready().await;
    for function in ["TokenExchanger", "ConnectLink"] {
        let with_http = format!("{},http://login.example.com", operator.login_url());
        let before = operator.set(function, "LOGIN_URLS", &with_http).await;
        operator.doctor_finds("login-urls", "https://host");
        operator.set(function, "LOGIN_URLS", &before).await;
    }
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn a_role_that_may_not_decrypt() {
    let operator = Operator::ready().await;
    for (function, policy) in [("CallbackReceiver", "callback-receiver"), ("TokenExchanger", "token-exchanger")] {
        let role = operator.configuration(function).await["Role"].as_str().unwrap().to_owned();
        let named = [("RoleName", role.rsplit('/').next().unwrap()), ("PolicyName", policy)];
        let answer = operator.query("iam", IAM, &[&[("Action", "GetRolePolicy")], &named[..]].concat()).await;
        let encoded = format!("document={}", between(&answer, "PolicyDocument"));
        let (_, document) = form_urlencoded::parse(encoded.as_bytes()).next().unwrap();
        let mut without: Value = serde_json::from_str(&document).unwrap();
        for statement in without["Statement"].as_array_mut().unwrap() {
            // Of the exchanger's two statements, the one for reading messages and items.
            if statement["Action"] == "kms:Decrypt" || statement["Sid"] == "EncryptMessages" {
                statement["Action"] = "kms:GenerateDataKey".into();
            }
        }
        let put = async |document: &str| {
            let order = [("Action", "PutRolePolicy"), ("PolicyDocument", document)];
            operator.query("iam", IAM, &[&order[..], &named].concat()).await
        };
        put(&without.to_string()).await;
        operator.doctor_finds("kms", "Deploy again");
        put(&document).await;
        operator.doctor_finds_nothing();
    }
}

#[tokio::test]
async fn a_visibility_timeout_below_six_times_the_functions() {
    let operator = Operator::ready().await;
    operator.set_queue_attribute("VisibilityTimeout", "179").await;
    operator.doctor_finds("visibility", "180");
    operator.set_queue_attribute("VisibilityTimeout", "180").await;
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn an_event_source_that_is_disabled() {
    let operator = Operator::ready().await;
    for (function, sources) in [("TokenExchanger", 1), ("Notifier", 2)] {
        operator.change_event_source(function, json!({"Enabled": false})).await;
        operator.doctor_finds_each("event-sources", "update-event-source-mapping", sources);
        operator.change_event_source(function, json!({"Enabled": true})).await;
    }
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn a_function_that_holds_tokens_and_has_other_settings_than_the_stack() {
    let operator = Operator::ready().await;
    for (function, variable, value) in [
        ("TokenKeeper", "SF_REDIRECT_URI", "https://example.com/callback"),
        ("TokenRefresher", "TOKEN_CUSTODY", "Bot"),
        ("TokenRefresher", "HTTPS_PROXY", "http://127.0.0.1:9"),
    ] {
        let before = operator.set(function, variable, value).await;
        let check = if variable == "HTTPS_PROXY" { "environment" } else { "custody" };
        operator.doctor_finds(check, variable);
        operator.set(function, variable, &before).await;
    }
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn a_key_of_refresh_tokens_that_administrators_can_use() {
    let operator = Operator::ready().await;
    let key = operator.stack().output("RefreshTokenKeyArn");
    let policy = json!({"KeyId": key, "PolicyName": "default"});
    let policy = operator.cloud.aws("kms", "TrentService.GetKeyPolicy", policy).await["Policy"].take();
    let mut open: Value = serde_json::from_str(policy.as_str().unwrap()).unwrap();
    open["Statement"].as_array_mut().unwrap().retain(|statement| statement["Effect"] == "Allow");
    let put = async |policy: &str| {
        let order = json!({"KeyId": key, "PolicyName": "default", "Policy": policy});
        operator.cloud.aws("kms", "TrentService.PutKeyPolicy", order).await;
    };
    put(&open.to_string()).await;
    operator.doctor_finds_each("custody", "aws kms put-key-policy", 2);
    put(policy.as_str().unwrap()).await;
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn a_sweep_that_is_not_begun() {
    let operator = Operator::ready().await;
    operator.change_event_source("TokenRefresher", json!({"Enabled": false})).await;
    operator.doctor_finds("event-sources", "update-event-source-mapping");
    operator.change_event_source("TokenRefresher", json!({"Enabled": true})).await;

    let schedules = format!("{}/schedules", operator.cloud.endpoint);
    let get = async |url: &str| -> Value {
        operator.cloud.signed("scheduler", Method::GET, url, &[], String::new()).await.json().await.unwrap()
    };
    let listed = get(&schedules).await["Schedules"].take();
    let named = |schedule: &&Value| schedule["Name"].as_str().unwrap().starts_with("whatsapp-salesforce-connect-");
    let name = listed.as_array().unwrap().iter().find(named).unwrap()["Name"].as_str().unwrap().to_owned();
    let url = format!("{schedules}/{name}");
    let before = get(&url).await;
    let put = async |schedule: &Value| {
        let headers = [("content-type", "application/json")];
        let answer = operator.cloud.signed("scheduler", Method::PUT, &url, &headers, schedule.to_string()).await;
        assert!(answer.status().is_success());
    };
    let mut changed = before.clone();
    changed["State"] = "DISABLED".into();
    put(&changed).await;
    operator.doctor_finds("custody", &format!("Enable the schedule {name}"));
    put(&before).await;
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn a_webhook_that_does_not_exist() {
    let operator = Operator::ready().await;
    let nowhere = format!("{}/nowhere", operator.cloud.sandbox_url);
    let before = operator.set("Notifier", "BOT_WEBHOOK_URL", &nowhere).await;
    operator.doctor_finds("webhook", "BotWebhookUrl");
    operator.set("Notifier", "BOT_WEBHOOK_URL", &before).await;
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn a_webhook_that_is_too_busy_to_say() {
    let operator = Operator::ready().await;
    operator
        .cloud
        .control(
            "/control/faults",
            &json!({"endpoint": "bot.events", "times": 1, "action": {"status": 429, "body": ""}}),
        )
        .await;
    let found = operator.doctor();
    let webhook = found.iter().find(|finding| finding["check"] == "webhook").unwrap();
    assert!(webhook["level"] == "note" && webhook["meaning"].as_str().unwrap().contains("unknown"), "{webhook}");
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn a_webhook_that_refuses_the_signature() {
    let operator = Operator::ready().await;
    assert_eq!(operator.json("events test", 0)["accepted"], true);
    let before = operator.secret("bot_webhook").await;
    operator.put_secret("bot_webhook", "whsec_b2YgYW5vdGhlciBib3Q=").await;
    let said = operator.json("events test", 1);
    let why = said["error"].as_str().unwrap();
    assert!(why.contains("does not accept the signature") && why.contains("bot_webhook"), "{why}");
    operator.put_secret("bot_webhook", &before).await;
    assert_eq!(operator.json("events test", 0)["accepted"], true);
}

#[tokio::test]
async fn an_event_bus_that_the_notifier_may_not_put_events_on() {
    let operator = Operator::ready().await;
    let before = operator.set("Notifier", "EVENT_BUS_NAME", "default").await;
    operator.doctor_finds("event-bus", "events:PutEvents");
    assert_eq!(operator.json("events test", 0)["ways"], json!(["webhook", "event_bus"]), "the operator may");
    operator.set("Notifier", "EVENT_BUS_NAME", &before).await;
    operator.doctor_finds_nothing();
    assert_eq!(operator.json("events test", 0)["ways"], json!(["webhook"]));
}

#[tokio::test]
async fn a_secret_under_a_key_that_the_functions_may_not_use_until_the_key_is_a_parameter() {
    let operator = Operator::ready().await;
    let key = operator.cloud.aws("kms", "TrentService.CreateKey", json!({})).await;
    let key = key["KeyMetadata"]["Arn"].as_str().unwrap();
    let encrypt = async |key: &str| {
        let order = json!({"SecretId": "sf_client_secret", "KmsKeyId": key});
        operator.cloud.aws("secretsmanager", "secretsmanager.UpdateSecret", order).await;
    };
    encrypt(key).await;
    operator.doctor_finds("secrets", "SecretsKeyArn");
    operator.deploy(&format!("SecretsKeyArn={key}"));
    operator.doctor_finds_nothing();
    // In an environment that has read no secret before.
    let before = operator.set("TokenExchanger", "LOG_LEVEL", "warn").await;
    let chat = new_chat();
    operator.connect(&chat).await;
    assert_eq!(operator.outcome(&chat).await.messages(), [CONNECTED]);
    operator.set("TokenExchanger", "LOG_LEVEL", &before).await;
    encrypt("alias/aws/secretsmanager").await;
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn a_function_whose_environment_asks_for_what_it_does_not_know() {
    let operator = Operator::ready().await;
    for (variable, value) in [("HTTPS_PROXY", "http://127.0.0.1:9"), ("AWS_USE_FIPS_ENDPOINT", "true")] {
        operator.set("TokenExchanger", variable, value).await;
        operator.doctor_finds("environment", variable);
        operator.set("TokenExchanger", variable, "").await;
    }
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn credentials_that_whatsapp_rejects() {
    let operator = Operator::ready().await;
    operator.put_secret("whatsapp", r#"{"account_sid":"AC1","auth_token":"of-another-account"}"#).await;
    operator.doctor_finds("whatsapp", "the secret whatsapp");
    operator.json("init --no-input --confirm --replace --bot-webhook-url -", 0);
    operator.json("init --no-input --confirm", 0);
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn a_subscription_that_nobody_has_confirmed() {
    let operator = Operator::ready().await;
    let topics = operator.query("sns", SNS, &[("Action", "ListTopics")]).await;
    let topic = between(&topics, "TopicArn");
    let subscriber = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = format!("http://{}/", subscriber.local_addr().unwrap());
    let order = [("Action", "Subscribe"), ("TopicArn", topic), ("Protocol", "http"), ("Endpoint", &address)];
    operator.query("sns", SNS, &order).await;
    let token = asked_to_confirm(&subscriber).await;
    operator.doctor_finds("alarms", "subscribe again");
    operator.query("sns", SNS, &[("Action", "ConfirmSubscription"), ("TopicArn", topic), ("Token", &token)]).await;
    operator.doctor_finds_nothing();
}

/// The token with which SNS asks for a confirmation.
async fn asked_to_confirm(subscriber: &TcpListener) -> String {
    let (mut connection, _) = subscriber.accept().await.unwrap();
    let mut request = String::new();
    loop {
        let mut part = [0; 4096];
        let length = connection.read(&mut part).await.unwrap();
        assert!(length > 0, "SNS sent no token: {request}");
        request.push_str(std::str::from_utf8(&part[..length]).unwrap());
        let body = request.split("\r\n\r\n").nth(1).unwrap_or_default();
        if let Ok(message) = serde_json::from_str::<Value>(body) {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            return message["Token"].as_str().unwrap().to_owned();
        }
    }
}

/// The text of an XML element.
fn between<'a>(xml: &'a str, element: &str) -> &'a str {
    let rest = xml.split(&format!("<{element}>")).nth(1).unwrap_or_else(|| panic!("no {element}: {xml}"));
    rest.split(&format!("</{element}>")).next().unwrap()
}
