//! The bot's event bus: what a rule's target receives, and what happens where the bus takes no events.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use system::{Cloud, consent::CONNECTED, faults::entry_refused, new_chat};

use crate::faults::settled;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[tokio::test]
async fn a_rules_target_receives_the_webhooks_event_once_in_eventbridges_envelope() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.consent(&chat).await;
    settled(&cloud, &chat).await;
    let received = cloud.wait_for_bus_events(&chat, 1).await;
    let [event] = received.as_slice() else { panic!("{received:?}") };
    let journal = cloud.journal(&chat).await;
    assert_eq!([&event["detail"]], *journal.events());
    assert_eq!(event["source"], "whatsapp-salesforce-connect");
    assert_eq!(event["detail-type"], "connection.created");
    let (second, _) = text(&event["detail"], "time").split_at("2026-09-21T14:13:20".len());
    assert_eq!(text(event, "time"), format!("{second}Z"));
    let names: BTreeSet<_> = event.as_object().unwrap().keys().map(String::as_str).collect();
    let all = ["account", "detail", "detail-type", "id", "region", "resources", "source", "time", "version"];
    assert_eq!(names, all.into());
}

#[tokio::test]
async fn a_bus_that_takes_no_events_keeps_nobody_waiting_and_is_retried_alone() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.aws_fault("events.PutEvents", chat.as_str(), 3, entry_refused()).await;
    cloud.consent(&chat).await;
    let journal =
        cloud.wait_for(&chat, "message and event", |it| !it.messages().is_empty() && !it.events().is_empty()).await;
    assert_eq!(journal.messages(), [CONNECTED]);
    cloud.used_up(&chat).await;
    let received = cloud.wait_for_bus_events(&chat, 1).await;
    settled(&cloud, &chat).await;
    let journal = cloud.journal(&chat).await;
    assert_eq!((journal.count("twilio.messages"), journal.count("bot.events")), (1, 1));
    assert_eq!(cloud.bus_events(&chat).await.len(), 1);
    assert_eq!(&received[0]["detail"], journal.events()[0]);
}

/// `EventBridge` may have taken an event whose answer is lost: it comes again with the same id in its detail.
#[tokio::test]
async fn an_event_whose_answer_is_lost_comes_again_with_the_same_id() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.aws_fault("events.PutEvents", chat.as_str(), 1, json!({"drop": "after"})).await;
    cloud.consent(&chat).await;
    let received = cloud.wait_for_bus_events(&chat, 2).await;
    settled(&cloud, &chat).await;
    assert_eq!(received[0]["detail"]["id"], received[1]["detail"]["id"]);
    assert_ne!(received[0]["id"], received[1]["id"], "EventBridge's own");
}

/// This stack has no webhook.
#[tokio::test]
async fn the_bus_and_the_queue_receive_the_same_event() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.consent_of("plain", &chat, 0).await;
    let received = cloud.wait_for_bus_events(&chat, 1).await;
    assert_eq!(received[0]["detail"], cloud.bot_queue_message(&chat).await["event"]);
}
