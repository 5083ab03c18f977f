//! A stack that is deleted, and deployed again on the tables and with the key that it has left.

use serde_json::{Value, json};
use system::{hex, new_chat, now_ms, operator::Operator, wait_until};

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

/// `wasf init` on a terminal: what is wrong is said, and asked for again.
fn typed_with_three_mistakes(operator: &Operator, callback: &str) {
    let (hosts, webhook) = (operator.login_url(), format!("{}/bot/events", operator.cloud.sandbox_url));
    let typed = operator.on_a_terminal(
        "init --confirm",
        &[
            ("The provider of WhatsApp messages", "Twillio"),
            ("The provider of WhatsApp messages", "Twilio"),
            ("Twilio's sender", "the usual one"),
            ("Twilio's sender", "whatsapp:+14155238886"),
            ("The login hosts", &hosts),
            ("The callback URL on your own domain", "https://connect.example.com/"),
            ("The callback URL on your own domain", callback),
            ("Have chats confirm their logins", "Off"),
            ("The bot's phone number", "+14155238886"),
            ("The bot's webhook for events", &webhook),
            ("An EventBridge event bus", ""),
            ("The e-mail address that receives alarms", "-"),
            ("a KMS key of your own", ""),
            ("Whose service it is", "Acme"),
            ("your privacy policy", ""),
            ("The language of people", ""),
        ],
    );
    assert_eq!(typed.code, 0, "{typed:?}");
    for why in ["Twillio: ", "the usual one: ", "https://connect.example.com/: "] {
        assert!(typed.out.contains(why), "{why} is not explained: {}", typed.out);
    }
}

/// A link of the stack, as an operator makes it, connects its chat.
async fn connects(operator: &Operator, chat: &str) {
    let link = operator.json(&format!("link {chat}"), 0);
    operator.consent(link["url"].as_str().unwrap()).await;
    operator.outcome(chat).await;
    let table = operator.cloud.stack(STACK).output("TokenTableName");
    let row = operator.cloud.item(table, "wa_id", chat).await.unwrap();
    assert!(row["access_token"].is_object(), "{row}");
}

#[tokio::test]
async fn a_stack_that_is_deployed_again_opens_the_refresh_tokens_that_it_has_left() {
    let mut operator = Operator::beside().await.in_checkout_of(STACK);
    let callback = operator.callback_at(&format!("{STACK}.localhost"));
    let prepare = format!("init --no-input --confirm --callback-uri {callback}");
    typed_with_three_mistakes(&operator, &callback);
    operator.deploy_new(STACK);
    // The sandbox's bot has one secret, which it verifies the events of all stacks with.
    operator.put_secret(&format!("{STACK}/bot_webhook"), &operator.secret("bot_webhook").await).await;
    let callbacks = ["main", STACK].map(|stack| operator.cloud.stack(stack).output("CallbackUrl"));
    operator.cloud.control("/control/salesforce", &json!({"redirect_uris": callbacks})).await;
    operator.doctor_finds_nothing();
    connects(&operator, &new_chat()).await;
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
    // The retry queue holds whether WhatsApp refuses a message later, for a minute or so: what waits is named, and kept.
    wait_until("queues that are empty", async || {
        let said = operator.wasf("destroy --confirm");
        assert!(said.code == 0 || said.err.contains("in its queues"), "{said:?}");
        (said.code == 0).then_some(())
    })
    .await;
    assert_eq!(operator.cloud.item(&table, "wa_id", &chat).await, Some(row), "the table stays");
    let adopted = operator.json(&prepare, 0);
    assert_eq!(adopted["adopted"]["refresh_token_key"], json!(key), "{adopted}");
    assert_eq!(adopted["parameters"]["RefreshTokenKeyArn"], json!(key));
    let said = operator.wasf("init --no-input").out;
    assert!(said.contains(&format!("opens the refresh tokens with {key}")), "{said}");
    operator.deploy_new(STACK);
    let again = operator.cloud.stack(STACK);
    assert_eq!((again.output("TokenTableName"), again.output("RefreshTokenKeyArn")), (&*table, &*key));
    connects(&operator, &new_chat()).await;
    // With rotation the first token's successor is nowhere but in the row, sealed.
    let second = token(&operator, &chat, Some(&first)).await;
    assert_ne!(second, first);
    assert_eq!(operator.cloud.journal(&chat).await.refreshes(), ["rotated", "rotated"]);
    assert!(stays(&operator.json("destroy", 0)), "a key that the stack was given stays too");
    operator.never_printed(&[first, second].map(|token| token.as_str().unwrap().to_owned()), &[]);
}
