//! A stack that is deleted, and deployed again on the tables and with the key that it has left.

use serde_json::{Value, json};
use system::{hex, new_chat, now_ms, operator::Operator};

use ring::digest::{SHA256, digest};

const STACK: &str = "again";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The chat's live token, by the call of a bot; `refused`: one that Salesforce does not take any more.
async fn token(operator: &Operator, chat: &str, refused: Option<&Value>) -> Value {
    let hash = |token: &Value| hex(digest(&SHA256, token.as_str().unwrap().as_bytes()).as_ref());
    let answer = operator.cloud.call(STACK, "token", json!({"wa_id": chat, "rejected": refused.map(hash)})).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
    serde_json::from_str::<Value>(&text).unwrap()["access_token"].take()
}

/// Puts a connection into the table, as the older system did: with a plain refresh token.
async fn put_plain(operator: &Operator, chat: &str) {
    let tokens = operator.cloud.grant(chat, "grace@example.com").await;
    let text = |name: &str| json!({"S": tokens[name]});
    let row = json!({
        "wa_id": {"S": chat},
        "access_token": text("access_token"),
        "refresh_token": text("refresh_token"),
        "instance_url": text("instance_url"),
        "login_url": {"S": operator.login_url()},
        "issued_at": {"N": (now_ms() - 2 * DAY_MS).to_string()},
    });
    let order = json!({"TableName": operator.cloud.stack(STACK).output("TokenTableName"), "Item": row});
    operator.cloud.aws("dynamodb", "DynamoDB_20120810.PutItem", order).await;
}

#[tokio::test]
async fn a_stack_that_is_deployed_again_opens_the_refresh_tokens_that_it_has_left() {
    let mut operator = Operator::beside().await.in_checkout_of(STACK);
    let callback = operator.callback_at(&format!("{STACK}.localhost"));
    let prepare = format!("init --no-input --confirm --callback-uri {callback}");
    assert_eq!(operator.json(&prepare, 0)["adopted"], json!(null));
    operator.deploy_new(STACK);
    let (table, key) = {
        let stack = operator.cloud.stack(STACK);
        (stack.output("TokenTableName").to_owned(), stack.output("RefreshTokenKeyArn").to_owned())
    };
    let chat = new_chat();
    operator.cloud.rotate_refresh_tokens(&chat).await;
    put_plain(&operator, &chat).await;
    let first = token(&operator, &chat, None).await;
    let row = operator.cloud.item(&table, "wa_id", &chat).await.unwrap();
    assert!(system::custody::is_sealed(&row), "{row}");

    let stays = |planned: &Value| {
        let left = planned["stays"].as_array().unwrap().iter();
        let mut of_key = left.filter(|left| key.ends_with(left["name"].as_str().unwrap()));
        of_key.next().unwrap()["why"].as_str().unwrap().starts_with("opens the refresh tokens")
    };
    assert!(stays(&operator.json("destroy", 0)));
    assert_eq!(operator.json("destroy --confirm", 0)["deleted"], true);
    assert_eq!(operator.cloud.item(&table, "wa_id", &chat).await, Some(row), "the table stays");
    let adopted = operator.json(&prepare, 0);
    assert_eq!(adopted["adopted"]["refresh_token_key"], json!(key), "{adopted}");
    assert_eq!(adopted["parameters"]["RefreshTokenKeyArn"], json!(key));
    let said = operator.wasf("init --no-input").out;
    assert!(said.contains(&format!("opens the refresh tokens with {key}")), "{said}");
    operator.deploy_new(STACK);
    let again = operator.cloud.stack(STACK);
    assert_eq!((again.output("TokenTableName"), again.output("RefreshTokenKeyArn")), (&*table, &*key));
    // With rotation the first token's successor is nowhere but in the row, sealed.
    let second = token(&operator, &chat, Some(&first)).await;
    assert_ne!(second, first);
    assert_eq!(operator.cloud.journal(&chat).await.refreshes(), ["rotated", "rotated"]);
    assert!(stays(&operator.json("destroy", 0)), "a key that the stack was given stays too");
    operator.never_printed(&[first, second].map(|token| token.as_str().unwrap().to_owned()), &[]);
}
