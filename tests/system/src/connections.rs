//! Stored connections: people who are connected, their rows in the main stack's token table, the bot's calls for live tokens, and
//! the upkeep queue.

use std::time::Duration;

use reqwest::{Method, Response};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::{Browser, Cloud, Journal, Stack, hex, now_ms};

/// Connects somebody with an account of their own, so that nobody's approvals end somebody else's.
pub async fn connect(cloud: &Cloud, chat: &str) -> Journal {
    let mut browser = Browser::new(cloud);
    let authorize_url = browser.press(&cloud.link(chat).await.url).await;
    let order = json!({"authorize_url": authorize_url, "username": visitor(chat)});
    let callback = browser.order_login(&order).await;
    browser.visit(Method::GET, &callback).await;
    cloud.outcome(chat).await
}

/// Stores a connection as a login would, without one: its tokens came so long ago, and its refresh token is sealed.
pub async fn seed(cloud: &Cloud, chat: &str, age: Duration) {
    let tokens = cloud.grant(chat, &visitor(chat)).await;
    let text = |name: &str| tokens[name].as_str().expect("a token").to_owned();
    let at = json!({"N": (now_ms() - millis(age)).to_string()});
    let item = json!({
        "wa_id": {"S": chat},
        "access_token": {"S": text("access_token")},
        "refresh_token": {"S": cloud.seal(cloud.stack("main"), chat, &text("refresh_token")).await},
        "instance_url": {"S": text("instance_url")},
        "login_url": {"S": cloud.sandbox_url.replace("127.0.0.1", "localhost")},
        "issued_at": at,
        "refreshed_at": at,
        "version": {"N": "1"},
    });
    let put = json!({"TableName": token_table(cloud), "Item": item});
    cloud.aws("dynamodb", "DynamoDB_20120810.PutItem", put).await;
}

/// The username of a chat's own account.
pub fn visitor(chat: &str) -> String {
    format!("visitor-{}@example.com", &chat[chat.len() - 7..])
}

/// The main stack's token table.
pub fn token_table(cloud: &Cloud) -> &str {
    cloud.stack("main").output("TokenTableName")
}

/// The row of a chat.
pub async fn row(cloud: &Cloud, chat: &str) -> Value {
    cloud.item(token_table(cloud), "wa_id", chat).await.expect("a row")
}

/// A text of a row; empty where it has none.
pub fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name]["S"].as_str().unwrap_or_default()
}

/// A number of a row; 0 where it has none.
pub fn number(row: &Value, name: &str) -> u64 {
    row[name]["N"].as_str().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// Sets a time of a row to so long ago.
pub async fn set_ago(cloud: &Cloud, chat: &str, name: &str, ago: Duration) {
    let update = json!({
        "TableName": token_table(cloud),
        "Key": {"wa_id": {"S": chat}},
        "UpdateExpression": format!("SET {name} = :at"),
        "ExpressionAttributeValues": {":at": {"N": (now_ms() - millis(ago)).to_string()}},
    });
    cloud.aws("dynamodb", "DynamoDB_20120810.UpdateItem", update).await;
}

/// Makes a row look as if nobody had refreshed it for so long.
pub async fn age_row(cloud: &Cloud, chat: &str, age: Duration) {
    for name in ["refreshed_at", "issued_at"] {
        set_ago(cloud, chat, name, age).await;
    }
}

/// Puts a message on a stack's upkeep queue.
pub async fn send(cloud: &Cloud, stack: &Stack, body: &str) {
    let message = json!({"QueueUrl": stack.output("UpkeepQueueUrl"), "MessageBody": body});
    cloud.aws("sqs", "AmazonSQS.SendMessage", message).await;
}

/// The bot asks for a token in place of this one, which Salesforce has refused.
pub async fn reject(cloud: &Cloud, chat: &str, token: &str) -> Response {
    cloud.call("main", "token", json!({"wa_id": chat, "rejected": sha256(token)})).await
}

/// The hash that a bot names a token by.
pub fn sha256(token: &str) -> String {
    hex(digest(&SHA256, token.as_bytes()).as_ref())
}

/// The events of a kind that the bot has received.
pub fn events<'a>(journal: &'a Journal, kind: &str) -> Vec<&'a Value> {
    journal.events().into_iter().filter(|event| event["type"].as_str().is_some_and(|it| it.ends_with(kind))).collect()
}

/// Asserts that AWS was given tokens of the chat in clear in calls of the tables alone, and no refresh token: neither queue, key nor
/// secret has one, and whoever reads a whole table finds none that Salesforce would take.
pub async fn tables_alone_have_access_tokens(cloud: &Cloud, chat: &str) {
    let shown = cloud.tokens_in_clear(chat).await;
    assert!(!shown.is_empty(), "the row has the access token");
    for (operation, kind) in shown {
        assert!(operation.starts_with("dynamodb.") && kind == "access", "{kind} token in {operation}");
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("a time")
}
