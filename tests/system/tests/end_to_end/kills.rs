//! Functions that are killed (SIGKILL) during each of their calls: the next delivery ends in an outcome.
//! A killed exchanger's message becomes visible again after the queue's visibility timeout, so these
//! tests wait for three minutes, side by side. They run on a cloud of their own with batches of one
//! message, because a kill affects a whole batch.

mod proof;
mod refresh;

use serde_json::json;
use tokio::sync::OnceCell;

use crate::faults::first_event;
use system::{Cloud, Journal, consent::CONNECTED, new_chat};

/// The cloud, with batches of one message.
async fn one_by_one() -> Cloud {
    static SET: OnceCell<()> = OnceCell::const_new();
    let cloud = Cloud::read();
    SET.get_or_init(|| cloud.give_one_at_a_time("main")).await;
    cloud
}

/// Connects somebody while the exchanger is killed at this call; what they were notified of. A busy machine may find the process
/// to kill when its SDK has given the call up: then nobody was killed, and it is somebody else's turn.
async fn exchanger_dies(when: &str, at: &str) -> Journal {
    let cloud = one_by_one().await;
    loop {
        let chat = new_chat();
        let login = cloud.begin_login(&chat).await;
        match at.strip_prefix("salesforce.") {
            Some(_) => cloud.fault(&chat, at, 1, json!({"kill": when})).await,
            None => cloud.aws_fault(at, &*login.attempt, 1, json!({"kill": when})).await,
        }
        login.approve().await;
        let journal = cloud.outcome(&chat).await;
        if cloud.is_used_up(&login.attempt).await {
            return journal;
        }
    }
}

fn is_connected_once(journal: &Journal) {
    assert_eq!(journal.messages(), [CONNECTED]);
    assert_eq!(journal.succeeded("salesforce.token"), 1);
}

/// The code has been used and the tokens are lost: the person is notified of that, with a new link.
fn is_told_to_log_in_again(journal: &Journal) {
    assert_eq!(first_event(journal), ("connection.failed".to_owned(), "unknown".to_owned(), "relink".to_owned()));
    assert!(journal.messages()[0].contains("/connect/"));
    assert_eq!(journal.messages().len(), 1);
}

/// Killed during a write of the tokens: they are lost, or on a busy machine the call took so long that they are on the queue by
/// then, and the person is connected by it.
fn is_told_or_connected(journal: &Journal) {
    if journal.messages() == [CONNECTED] { is_connected_once(journal) } else { is_told_to_log_in_again(journal) }
}

#[tokio::test]
async fn killed_before_the_claim() {
    is_connected_once(&exchanger_dies("before", "dynamodb.UpdateItem").await);
}

#[tokio::test]
async fn killed_after_the_claim() {
    is_connected_once(&exchanger_dies("after", "dynamodb.UpdateItem").await);
}

#[tokio::test]
async fn killed_before_the_code_is_sent() {
    is_connected_once(&exchanger_dies("before", "salesforce.token").await);
}

#[tokio::test]
async fn killed_after_the_code_is_exchanged() {
    is_told_to_log_in_again(&exchanger_dies("after", "salesforce.token").await);
}

#[tokio::test]
async fn killed_during_the_userinfo_request() {
    is_told_to_log_in_again(&exchanger_dies("before", "salesforce.userinfo").await);
}

#[tokio::test]
async fn killed_before_the_tokens_are_stored() {
    is_told_or_connected(&exchanger_dies("before", "dynamodb.TransactWriteItems").await);
}

#[tokio::test]
async fn killed_after_the_tokens_are_stored() {
    is_connected_once(&exchanger_dies("after", "dynamodb.TransactWriteItems").await);
}

#[tokio::test]
async fn killed_while_the_message_is_returned_to_the_queue() {
    let cloud = one_by_one().await;
    let chat = new_chat();
    let login = cloud.begin_login(&chat).await;
    let unknown = json!({"status": 400, "body": {"error": "invalid_client"}});
    cloud.fault(&chat, "salesforce.token", 2, unknown).await;
    // The claim succeeds; the release is killed.
    cloud.aws_fault("dynamodb.UpdateItem", &*login.attempt, 1, json!({"delay_ms": 0})).await;
    cloud.aws_fault("dynamodb.UpdateItem", &*login.attempt, 1, json!({"kill": "before"})).await;
    login.approve().await;
    is_connected_once(&cloud.outcome(&chat).await);
}

/// A kill during the send is the only case in which the person may get the message twice.
#[tokio::test]
async fn a_notifier_killed_during_the_send_tells_everyone_at_most_twice() {
    for (when, most) in [("before", 1), ("after", 2)] {
        let cloud = one_by_one().await;
        let chat = new_chat();
        cloud.fault(&chat, "twilio.messages", 1, json!({"kill": when})).await;
        cloud.consent(&chat).await;
        let journal = cloud.outcome(&chat).await;
        assert_eq!(journal.succeeded("twilio.messages"), most, "{when}");
        assert!(journal.messages().iter().all(|message| *message == CONNECTED));
    }
}

#[tokio::test]
async fn a_notifier_killed_while_it_tells_the_bot_repeats_the_event_with_the_same_id() {
    let cloud = one_by_one().await;
    let chat = new_chat();
    cloud.fault(&chat, "bot.events", 1, json!({"kill": "after"})).await;
    cloud.consent(&chat).await;
    let journal = cloud.wait_for(&chat, "the event again", |journal| journal.events().len() == 2).await;
    assert_eq!(journal.events()[0]["id"], journal.events()[1]["id"]);
    assert_eq!(journal.messages(), [CONNECTED]);
}
