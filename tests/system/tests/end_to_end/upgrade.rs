//! The steps of docs/UPGRADE.md: the older system's table, states and queue keep working until plain
//! states are refused.
//!
//! The plain stack is deployed as the document says, except that it has a table of its own, which the
//! tests fill as the older system did.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use system::{Browser, Cloud, new_chat};

/// A row as the older system wrote it.
fn old_row(chat: &str) -> Value {
    json!({
        "wa_id": {"S": chat},
        "access_token": {"S": "00Dold!ACCESS"},
        "refresh_token": {"S": "5Aep.OLD"},
        "instance_url": {"S": "https://old.my.salesforce.com"},
        "issued_at": {"N": "1700000000000"},
    })
}

/// The browser and the callback URL of a login that a bot of the older system started.
async fn old_login<'a>(cloud: &'a Cloud, stack: &str, chat: &str) -> (Browser<'a>, String) {
    let browser = Browser::new(cloud);
    let code = browser.approve_plainly(stack, chat).await.replace('=', "%3D");
    let callback = cloud.stack(stack).output("CallbackUrl");
    (browser, format!("{callback}?code={code}&state=wa:{chat}"))
}

#[tokio::test]
async fn people_of_the_older_system_stay_connected_and_connect_again() {
    let cloud = Cloud::read();
    let (stays, returns) = (new_chat(), new_chat());
    let table = cloud.stack("plain").output("TokenTableName");
    for chat in [&stays, &returns] {
        cloud.aws("dynamodb", "DynamoDB_20120810.PutItem", json!({"TableName": table, "Item": old_row(chat)})).await;
    }

    let (browser, callback) = old_login(&cloud, "plain", &returns).await;
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);
    let message = cloud.bot_queue_message(&returns).await;
    assert_eq!((&message["channel_type"], &message["from"]), (&json!("whatsapp"), &json!(returns)));
    assert!(message["messages"].is_string());
    assert_eq!(message["event"]["type"], "connection.renewed");

    let renewed = cloud.item(table, "wa_id", &returns).await.expect("tokens");
    for name in ["access_token", "refresh_token", "instance_url"] {
        assert!(renewed[name]["S"].is_string(), "{name}");
        assert_ne!(renewed[name], old_row(&returns)[name], "{name}");
    }
    assert!(renewed["issued_at"]["N"].as_str().unwrap() > "1700000000000");
    assert_eq!(cloud.item(table, "wa_id", &stays).await, Some(old_row(&stays)));
}

#[tokio::test]
async fn a_plain_state_is_refused_after_the_switch_to_signed() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let (browser, callback) = old_login(&cloud, "main", &chat).await;
    let answer = browser.visit_as(Method::GET, &callback, "application/json").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["error"], "invalid_state");
    assert_eq!(cloud.journal(&chat).await.count("salesforce.token"), 0);
}
