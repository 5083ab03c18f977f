//! Which consent wins, and what becomes of the tokens of the others.

use reqwest::Method;
use serde_json::json;

use super::connect::drained;
use system::{Browser, Cloud, attempt_of, consent::CONNECTED, new_chat, wait_until};

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

#[tokio::test]
async fn a_few_codes_of_one_state_are_sent_and_no_more() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(&cloud.link(&chat).await.url).await;
    let (address, query) = callback.split_once('?').expect("a query");
    let state = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "state").expect("a state").1;
    for number in 0..12 {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &format!("aPrxBogus{number}=="))
            .append_pair("state", &state)
            .finish();
        assert_eq!(browser.visit(Method::GET, &format!("{address}?{query}")).await.status(), 200);
        drained(&cloud, "main").await;
    }
    let attempt = attempt_of(&callback);
    let item =
        cloud.item(cloud.stack("main").output("AttemptTableName"), "attempt_id", &attempt).await.expect("attempt");
    assert_eq!(item["codes"]["N"], "3");
    let messages = cloud.journal(&chat).await.messages().len();
    assert!(messages <= 3, "{messages}");
}
