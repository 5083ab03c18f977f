//! Faults of Salesforce, WhatsApp and the bot: the person ends up connected, or with a reason and, where
//! it helps, a new link. Each fault is limited to the test's own chat.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use system::{Browser, Cloud, Journal, attempt_of, consent::CONNECTED, faults::refusal, new_chat, wait_until};

/// The event's type, reason and next step.
pub(crate) fn first_event(journal: &Journal) -> (String, String, String) {
    let event = journal.events()[0];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (word(&event["type"]), word(&event["data"]["reason"]), word(&event["data"]["next"]))
}

/// Asserts that Salesforce's response fails the attempt with this reason and next step; the number of exchanges.
async fn ends_with(action: Value, times: u32, reason: &str, next: &str) -> u64 {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.fault(&chat, "salesforce.token", times, action).await;
    cloud.consent(&chat).await;
    let journal = cloud.outcome(&chat).await;
    assert_eq!(first_event(&journal), ("connection.failed".to_owned(), reason.to_owned(), next.to_owned()));
    assert_eq!(journal.messages().len(), 1);
    let linked = journal.messages()[0].contains("/connect/");
    assert_eq!(linked, next != "contact_admin", "{}", journal.messages()[0]);
    journal.count("salesforce.token")
}

/// Asserts that the person is connected in spite of a fault.
async fn connects_despite(endpoint: &str, times: u32, action: Value) -> Journal {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.fault(&chat, endpoint, times, action).await;
    cloud.consent(&chat).await;
    let journal = cloud.outcome(&chat).await;
    assert_eq!(journal.messages(), [CONNECTED]);
    journal
}

/// What the parties have seen of a connect with a fault, when nothing of it is left to do.
async fn settles_despite(endpoint: &str, action: Value) -> Journal {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.fault(&chat, endpoint, 1, action).await;
    cloud.consent(&chat).await;
    settled(&cloud, &chat).await;
    cloud.journal(&chat).await
}

#[tokio::test]
async fn a_maintenance_page_is_retried_even_with_status_200() {
    for status in [503, 200] {
        let page =
            json!({"status": status, "body": "<html>We are down for maintenance</html>", "content_type": "text/html"});
        let journal = connects_despite("salesforce.token", 2, page).await;
        assert_eq!(journal.count("salesforce.token"), 3);
    }
}

#[tokio::test]
async fn a_throttled_exchange_is_retried_as_salesforce_says() {
    let busy = json!({"status": 429, "body": "", "headers": {"Retry-After": "1"}});
    assert_eq!(connects_despite("salesforce.token", 1, busy).await.count("salesforce.token"), 2);
    let retry = refusal("unknown_error", "retry your request");
    assert_eq!(connects_despite("salesforce.token", 1, retry).await.count("salesforce.token"), 2);
}

#[tokio::test]
async fn a_longer_outage_is_retried_by_the_queue() {
    // More tries than one invocation makes, so the message returns to the queue.
    let journal = connects_despite("salesforce.token", 9, json!({"status": 503, "body": ""})).await;
    assert_eq!(journal.count("salesforce.token"), 10);
}

#[tokio::test]
async fn a_refused_grant_is_not_retried_and_brings_a_new_link() {
    let expired = refusal("invalid_grant", "expired authorization code");
    assert_eq!(ends_with(expired, 1, "wrong_login_host", "relink").await, 1);
}

#[tokio::test]
async fn a_lost_response_brings_a_new_link_without_blame() {
    assert_eq!(ends_with(json!({"drop": "after"}), 1, "unknown", "relink").await, 2);
}

#[tokio::test]
async fn what_only_an_administrator_can_fix_names_them() {
    assert_eq!(ends_with(refusal("inactive_user", "user is inactive"), 1, "user_inactive", "contact_admin").await, 1);
    assert_eq!(ends_with(refusal("inactive_org", "org is locked"), 1, "org_inactive", "contact_admin").await, 1);
}

#[tokio::test]
async fn too_many_logins_ask_the_person_to_wait() {
    assert_eq!(ends_with(refusal("invalid_grant", "login rate exceeded"), 1, "login_rate", "wait").await, 1);
}

#[tokio::test]
async fn invalid_tokens_connect_nobody() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.fault(&chat, "salesforce.userinfo", 1, json!({"status": 403, "body": "Bad_OAuth_Token"})).await;
    cloud.consent(&chat).await;
    let journal = cloud.outcome(&chat).await;
    assert_eq!(first_event(&journal).1, "app_blocked");
    assert_eq!(cloud.item(cloud.stack("main").output("TokenTableName"), "wa_id", &chat).await, None);
}

#[tokio::test]
async fn a_failed_userinfo_request_does_not_lose_the_consent() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.fault(&chat, "salesforce.userinfo", 30, json!({"status": 503, "body": ""})).await;
    cloud.consent(&chat).await;
    let journal = cloud.outcome(&chat).await;
    assert_eq!(journal.messages(), [CONNECTED]);
    assert_eq!(journal.events()[0]["data"].get("username"), None);
}

/// It goes over the connection of the token request.
#[tokio::test]
async fn a_userinfo_request_that_is_cut_is_repeated_and_the_code_is_sent_once() {
    for cut in ["before", "after"] {
        let journal = connects_despite("salesforce.userinfo", 1, json!({"drop": cut})).await;
        assert_eq!(journal.count("salesforce.token"), 1, "{cut}");
        assert!(journal.events()[0]["data"]["username"].is_string(), "{cut}");
    }
}

/// The connection was opened ahead.
#[tokio::test]
async fn a_token_request_that_is_lost_unprocessed_is_sent_once_more() {
    let journal = connects_despite("salesforce.token", 1, json!({"drop": "before"})).await;
    assert_eq!(journal.messages().len(), 1);
}

/// The connection to WhatsApp was opened ahead. What was sent and not answered may have reached the chat.
#[tokio::test]
async fn a_message_that_is_cut_is_sent_once_more_and_no_event_is_repeated() {
    for (cut, reached) in [("before", 1), ("after", 2)] {
        let journal = settles_despite("twilio.messages", json!({"drop": cut})).await;
        assert_eq!(journal.sent(), vec![CONNECTED; reached], "{cut}");
        assert_eq!(journal.count("twilio.messages"), 2, "{cut}");
        assert_eq!(journal.count("bot.events"), 1, "{cut}");
        assert_eq!(first_event(&journal).0, "connection.created", "{cut}");
    }
}

/// The connection to the bot was opened ahead.
#[tokio::test]
async fn an_event_that_is_cut_is_sent_again_with_its_id_and_no_message_is_repeated() {
    for (cut, reached) in [("before", 1), ("after", 2)] {
        let journal = settles_despite("bot.events", json!({"drop": cut})).await;
        assert_eq!(journal.succeeded("bot.events"), reached, "{cut}");
        let [first, again] = &journal.events()[..] else { panic!("{cut}: {} events", journal.events().len()) };
        assert_eq!(first["id"], again["id"], "{cut}");
        assert_eq!(journal.count("twilio.messages"), 1, "{cut}");
    }
}

#[tokio::test]
async fn rejected_credentials_are_fetched_again_once() {
    let journal =
        connects_despite("salesforce.token", 1, refusal("invalid_client", "invalid client credentials")).await;
    assert_eq!(journal.count("salesforce.token"), 2);
}

#[tokio::test]
async fn a_throttled_message_is_sent_once() {
    let busy = json!({"status": 429, "body": {"code": 20429, "message": "Too Many Requests", "status": 429}});
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.fault(&chat, "twilio.messages", 2, busy).await;
    cloud.consent(&chat).await;
    let journal = cloud.wait_for(&chat, "the message", |journal| journal.succeeded("twilio.messages") == 1).await;
    assert_eq!(journal.count("twilio.messages"), 3);
    settled(&cloud, &chat).await;
    assert_eq!(cloud.journal(&chat).await.succeeded("twilio.messages"), 1);
}

#[tokio::test]
async fn the_bot_is_notified_that_a_person_cannot_be_reached() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let closed =
        json!({"status": 400, "body": {"code": 63016, "message": "outside the allowed window", "status": 400}});
    cloud.fault(&chat, "twilio.messages", 1, closed).await;
    cloud.consent(&chat).await;
    let journal = cloud.wait_for(&chat, "the event", |journal| !journal.events().is_empty()).await;
    assert_eq!(journal.events()[0]["data"]["message"], "undeliverable");
    settled(&cloud, &chat).await;
    assert_eq!(cloud.journal(&chat).await.count("twilio.messages"), 1);
}

/// This stack has a template, and speaks to Meta.
#[tokio::test]
async fn outside_the_24_hours_the_approved_template_is_used_once() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let closed = json!({"status": 400, "body": {"error": {"code": 131_047, "message": "Re-engagement message"}}});
    cloud.fault(&chat, "meta.messages", 1, closed).await;
    cloud.consent_of("plain", &chat, 0).await;
    let is_template = |record: &Value| record["asked"]["body"]["type"] == "template";
    let journal = cloud.wait_for(&chat, "the template", |journal| journal.succeeded("meta.messages") == 1).await;
    let records = journal.records("meta.messages");
    assert_eq!(records.iter().map(is_template).collect::<Vec<_>>(), [false, true]);
    assert_eq!(records[1]["asked"]["body"]["template"]["name"], "account_news");
    assert_eq!(cloud.bot_queue_message(&chat).await["event"]["data"]["message"], "sent");
}

#[tokio::test]
async fn a_failure_never_replaces_a_connection() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    let link = cloud.link(&chat).await;
    let mut browser = Browser::new(&cloud);
    let authorize_url = browser.press(&link.url).await;
    let approved = browser.log_in(&authorize_url, true).await;
    assert_eq!(browser.visit(Method::GET, &approved).await.status(), StatusCode::OK);
    assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED]);
    settled(&cloud, &chat).await;

    // A denial in a second tab, and a code that Salesforce rejects.
    let denied = browser.log_in(&authorize_url, false).await;
    browser.visit(Method::GET, &denied).await;
    cloud.fault(&chat, "salesforce.token", 1, refusal("invalid_grant", "expired authorization code")).await;
    let again = browser.log_in(&authorize_url, true).await;
    browser.visit(Method::GET, &again).await;
    // The browser has finished its login, so the denial is not queued.
    cloud.finished(&link.link_id, 2).await;
    let item = cloud
        .item(main.output("AttemptTableName"), "attempt_id", &attempt_of(&authorize_url))
        .await
        .expect("the attempt");
    assert_eq!(item["status"]["S"], "connected");
    // The account of the second approval is not connected, and the person hears how it could be.
    // Message and event go their own ways.
    let told = |journal: &Journal| journal.events().len() == 2 && journal.messages().len() == 2;
    let journal = cloud.wait_for(&chat, "its message and event", told).await;
    assert!(journal.messages()[1].contains("/connect/"));
    assert_eq!(journal.events()[1]["data"]["reason"], "used_login");
}

#[tokio::test]
async fn a_bot_that_is_down_delays_nobody_and_is_notified_later() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.fault(&chat, "bot.events", 2, json!({"status": 503, "body": ""})).await;
    cloud.consent(&chat).await;
    let journal = cloud.wait_for(&chat, "the event", |journal| journal.succeeded("bot.events") == 1).await;
    assert_eq!(journal.messages(), [CONNECTED]);
    let ids: Vec<_> = journal.events().iter().map(|event| event["id"].clone()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]), "a repeated event has another id");
}

#[tokio::test]
async fn an_unreadable_message_ends_in_the_dead_letter_queue_alone() {
    let cloud = Cloud::read();
    let main = cloud.stack("main");
    let chat = new_chat();
    let body = format!("{{\"v\":2,\"unreadable\":\"{chat}\"}}");
    let message = json!({"QueueUrl": main.output("ExchangeQueueUrl"), "MessageBody": body});
    cloud.aws("sqs", "AmazonSQS.SendMessage", message).await;
    cloud.consent(&chat).await;
    assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED]);

    assert_eq!(cloud.dead_letter(main, &chat).await, body);
    assert!(!cloud.log_lines().await.iter().any(|line| line.contains(&body) || line.contains(&chat[10..])));
}

/// Waits until the chat's attempt is marked as notified.
pub(crate) async fn settled(cloud: &Cloud, chat: &str) {
    let scan = json!({
        "TableName": cloud.stack("main").output("AttemptTableName"),
        "ConsistentRead": true,
        "FilterExpression": "wa_id = :chat AND attribute_exists(notified_at)",
        "ExpressionAttributeValues": {":chat": {"S": chat}},
    });
    wait_until("the outbox's mark", async || {
        let found = cloud.aws("dynamodb", "DynamoDB_20120810.Scan", scan.clone()).await;
        (found["Count"] == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_outage_that_outlasts_the_code_is_told_at_once() {
    let down = json!({"status": 503, "body": "", "headers": {"Retry-After": "3600"}});
    assert_eq!(ends_with(down, 1, "salesforce_unavailable", "wait").await, 1);
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_delays_nobody() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let login = cloud.begin_login(&chat).await;
    cloud.aws_fault("dynamodb.UpdateItem", &*login.attempt, 1, json!({"drop": "after"})).await;
    login.approve().await;
    assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED]);
    let item = cloud.item(cloud.stack("main").output("AttemptTableName"), "attempt_id", &login.attempt).await;
    let item = item.expect("the attempt");
    assert_eq!((&item["receives"]["N"], &item["tries"]["N"]), (&json!("1"), &json!("1")));
}

/// The person logged in at another host than the link's: the page of the fresh link offers every host.
#[tokio::test]
async fn after_a_login_at_another_host_the_fresh_link_offers_them_all() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.fault(&chat, "salesforce.token", 1, json!({"oauth_error": "invalid_grant"})).await;
    cloud.consent(&chat).await;
    let journal = cloud.outcome(&chat).await;
    assert_eq!(first_event(&journal).1, "wrong_login_host");
    let message = journal.messages()[0].to_owned();
    let (_, url) = message.rsplit_once('\n').expect("a link");
    let page = Browser::new(&cloud).visit(Method::GET, url).await.text().await.unwrap();
    for host in [cloud.sandbox_url.clone(), cloud.sandbox_url.replace("127.0.0.1", "localhost")] {
        assert!(page.contains(&format!("value=\"{host}\"")), "{page}");
    }
}
