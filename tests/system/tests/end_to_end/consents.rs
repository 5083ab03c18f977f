//! Which consent wins, and what becomes of the tokens of the others.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::connect::drained;
use system::{Browser, Cloud, attempt_of, consent::CONNECTED, new_chat, parameter, wait_until};

/// The user name in the chat's row.
async fn username(cloud: &Cloud, chat: &str) -> String {
    let table = cloud.stack("main").output("TokenTableName");
    let row = cloud.item(table, "wa_id", chat).await.expect("tokens");
    row["username"]["S"].as_str().expect("a name").to_owned()
}

/// Somebody of this name approves over the link; the callback is visited.
async fn approves(cloud: &Cloud, link: &str, name: &str) {
    let mut browser = Browser::new(cloud).used_by(name);
    let callback = browser.approve(link).await;
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), 200);
}

#[tokio::test]
async fn a_second_approval_over_one_link_connects_the_second_account() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let link = cloud.link(&chat).await.url;
    approves(&cloud, &link, "visitor-500001@example.com").await;
    cloud.outcome(&chat).await;
    let replaced = cloud.tokens("main", &chat).await;

    approves(&cloud, &link, "visitor-500002@example.com").await;
    let journal = cloud.wait_for(&chat, "the second event", |journal| journal.events().len() == 2).await;
    assert_eq!(journal.messages(), [CONNECTED, CONNECTED]);
    assert_eq!(journal.events()[1]["type"], "connection.renewed");
    assert_eq!(username(&cloud, &chat).await, "visitor-500002@example.com");
    assert_ne!(cloud.tokens("main", &chat).await, replaced);
    // What was replaced does not stay alive at Salesforce.
    wait_until("the revocation", async || {
        (cloud.journal(&chat).await.succeeded("salesforce.revoke") == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_older_consent_that_is_exchanged_last_changes_nothing_and_nothing_is_said_of_it() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    approves(&cloud, &cloud.link(&chat).await.url, "visitor-500003@example.com").await;
    cloud.outcome(&chat).await;

    let older = cloud.consent_of("main", &chat, 5 * 60_000).await;
    let attempt = wait_until("the outcome", async || {
        let attempt = cloud.item(main.output("AttemptTableName"), "attempt_id", &older).await?;
        attempt["notified_at"]["N"].is_string().then_some(attempt)
    })
    .await;
    assert_eq!((&attempt["status"]["S"], &attempt["reason"]["S"]), (&json!("failed"), &json!("superseded")));
    assert_eq!(username(&cloud, &chat).await, "visitor-500003@example.com");
    let journal = cloud.wait_for(&chat, "the event", |journal| journal.events().len() == 2).await;
    assert_eq!(journal.messages(), [CONNECTED]);
    assert_eq!(journal.events()[1]["data"]["reason"], "superseded");
    wait_until("the revocation", async || {
        (cloud.journal(&chat).await.succeeded("salesforce.revoke") == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_row_that_a_bot_wrote_in_its_own_way_is_replaced() {
    let cloud = Cloud::read();
    let table = cloud.stack("main").output("TokenTableName");
    for (issued_at, consented_at) in [
        (json!({"S": "1790000000123"}), json!({"S": "soon"})),
        (json!({"N": "4102444800000"}), json!({"N": "99999999999999"})),
        (json!({"N": "1"}), json!({"N": "-1.5"})),
    ] {
        let chat = new_chat();
        let row = json!({"wa_id": {"S": chat}, "issued_at": issued_at, "consented_at": consented_at,
            "access_token": {"S": "old"}, "instance_url": {"S": "https://evil.example"}});
        cloud.aws("dynamodb", "DynamoDB_20120810.PutItem", json!({"TableName": table, "Item": row})).await;
        approves(&cloud, &cloud.link(&chat).await.url, "visitor-500004@example.com").await;
        assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED], "{row}");
        assert_eq!(username(&cloud, &chat).await, "visitor-500004@example.com", "{row}");
    }
}

/// The most codes of one attempt that are sent to Salesforce.
const MAX_CODES: usize = 3;
/// The most messages about failures that a chat gets in a quarter of an hour.
const MAX_MESSAGES: usize = 3;

#[tokio::test]
async fn of_thirty_made_up_codes_of_one_state_a_few_are_sent_and_the_next_press_connects() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    let link = cloud.link(&chat).await.url;
    let mut browser = Browser::new(&cloud);
    let authorize_url = browser.press(&link).await;
    let state = parameter(&authorize_url, "state");
    let codes: Vec<_> = (0..30).map(|number| format!("aPrx{number}{}==", &chat[10..])).collect();
    join_all(codes.iter().map(async |code| {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", code)
            .append_pair("state", &state)
            .finish();
        let callback = format!("{}?{query}", main.output("CallbackUrl"));
        assert_eq!(browser.visit(Method::GET, &callback).await.status(), 200);
    }))
    .await;
    let attempt = attempt_of(&authorize_url);
    drained(&cloud, "main").await;
    let item = wait_until("the outcome", async || {
        let item = cloud.item(main.output("AttemptTableName"), "attempt_id", &attempt).await?;
        item["notified_at"]["N"].is_string().then_some(item)
    })
    .await;
    assert_eq!(item["codes"]["N"], MAX_CODES.to_string());
    let sent = cloud.requests_with_codes(&codes).await;
    assert!((1..=MAX_CODES).contains(&sent), "{sent} token requests");
    // Of the others some are told as further approvals, in rows of their own.
    wait_until("everything that is told", async || {
        let attempts = cloud.attempts(main, &chat).await;
        attempts.iter().all(|attempt| attempt["notified_at"]["N"].is_string()).then_some(())
    })
    .await;
    let told = cloud.journal(&chat).await.messages().len();
    assert!((1..=MAX_MESSAGES).contains(&told), "{told} messages");

    approves(&cloud, &link, "visitor-500005@example.com").await;
    let journal = cloud.wait_for(&chat, "connected", |journal| journal.messages().contains(&CONNECTED)).await;
    assert_eq!(journal.messages().len(), told + 1);
    assert_eq!(username(&cloud, &chat).await, "visitor-500005@example.com");
}
