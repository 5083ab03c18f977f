//! Failures of AWS: the tables, the queue, the keys, the secrets.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use system::{
    Browser, Cloud, Link,
    consent::CONNECTED,
    faults::{server_error, throttled},
    new_chat, parameter,
};

#[tokio::test]
async fn tokens_survive_two_minutes_of_throttled_writes_after_the_exchange() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let refusal = json!({"operation": "dynamodb.TransactWriteItems", "containing": chat, "times": 10_000,
        "for_ms": 120_000, "action": throttled()});
    cloud.control("/control/aws/faults", &refusal).await;
    cloud.consent(&chat).await;
    let journal = cloud.outcome(&chat).await;
    assert_eq!(journal.messages(), [CONNECTED]);
    assert_eq!(journal.count("salesforce.token"), 1, "the code is not sent again");
    let tokens = cloud.tokens("main", &chat).await;
    let lines = cloud.log_lines().await;
    assert!(lines.iter().any(|line| line.contains(r#""result":"checkpointed""#)));
    assert!(!lines.iter().any(|line| tokens.iter().any(|token| line.contains(token))));
}

#[tokio::test]
async fn encrypted_tokens_in_a_dead_letter_are_stored_after_a_redrive() {
    let cloud = Cloud::read();
    let (plain, _turn) = cloud.plain_dead_letters().await;
    cloud.give_up_after(plain, 2, 1).await;
    let chat = new_chat();
    cloud.aws_fault("dynamodb.TransactWriteItems", &*chat, 10_000, throttled()).await;
    cloud.consent_of("plain", &chat, 0).await;
    cloud.meta_message(&chat, "takes longer than usual").await;
    let dead_letter = cloud.dead_letter(plain, &chat).await;
    let body: Value = serde_json::from_str(&dead_letter).unwrap();
    assert_eq!((body.get("code"), body["traded"]["data"].is_string()), (None, true));

    cloud.end_aws_faults(&chat).await;
    cloud.redrive(plain).await;
    let journal = cloud.meta_message(&chat, CONNECTED).await;
    assert_eq!((journal.count("salesforce.token"), journal.meta_messages().len()), (1, 2));
    let tokens = cloud.tokens("plain", &chat).await;
    assert!(!tokens.iter().any(|token| dead_letter.contains(token)));
    assert_eq!(cloud.statuses(plain, &chat).await, ["connected"]);
}

/// The code is still valid, so a reload works.
#[tokio::test]
async fn a_queue_that_fails_is_answered_with_a_page_to_reload() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let mut browser = Browser::new(&cloud);
    let link: Link = cloud.link(&chat).await;
    let callback = browser.approve(&link.url).await;
    // The receiver's SDK client tries three times.
    cloud.aws_fault("sqs.SendMessage", &*parameter(&callback, "code"), 3, server_error()).await;
    let answer = browser.visit(Method::GET, &callback).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);
    assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED]);
}

/// Each call of the tables: throttled, failed, lost before it and after it.
#[tokio::test]
async fn whichever_table_call_fails_for_a_while_the_person_is_connected_once() {
    let cloud = Cloud::read();
    let actions = [throttled(), server_error(), json!({"drop": "before"}), json!({"drop": "after"})];
    let operations = ["dynamodb.UpdateItem", "dynamodb.TransactWriteItems", "dynamodb.GetItem"];
    let faults = operations.iter().flat_map(|operation| actions.iter().map(move |action| (operation, action)));
    join_all(faults.map(async |(operation, action)| {
        let chat = new_chat();
        let login = cloud.begin_login(&chat).await;
        for containing in [&chat, &login.attempt] {
            cloud.aws_fault(operation, &**containing, 2, action.clone()).await;
        }
        login.approve().await;
        let journal = cloud.outcome(&chat).await;
        assert_eq!(journal.messages(), [CONNECTED], "{operation} {action}");
        assert_eq!(journal.succeeded("salesforce.token"), 1, "{operation} {action}");
    }))
    .await;
}
