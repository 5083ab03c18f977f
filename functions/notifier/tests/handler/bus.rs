//! The bot's event bus, beside its webhook and its queue: a failure of one repeats the event on that one alone.

use fakes::{Answer, Server, attempts::item};
use serde_json::{Value, json};

use crate::{BOT, BOT_QUEUE, CONNECTED, NOW, Scene, World, back, pointer, secrets_but, table::Row};

const BUS: &str = "bot-events";

fn on_every_way(name: &str) -> Option<&'static str> {
    match name {
        "BOT_QUEUE_URL" => Some(BOT_QUEUE),
        "EVENT_BUS_NAME" => Some(BUS),
        _ => None,
    }
}

fn by_bus_alone(name: &str) -> Option<&'static str> {
    match name {
        "WHATSAPP_PROVIDER" => Some("None"),
        "BOT_WEBHOOK_URL" => Some(""),
        "EVENT_BUS_NAME" => Some(BUS),
        _ => None,
    }
}

/// A 200 that refuses the entry.
fn entry_refused(code: &str) -> Answer {
    json!({"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "a person's data"}]}).into()
}

/// The answers of a bus that does not take the event, and what stands in the item of each.
fn failures() -> Vec<(Answer, String)> {
    let failed = |cause: &str| format!("cannot put the event on the bot's bus: PutEvents failed: {cause}");
    let mut failures = Vec::new();
    for code in ["InternalFailure", "ThrottlingException", "NotAuthorizedForSourceException", "MalformedDetail"] {
        failures.push((entry_refused(code), failed(code)));
    }
    // Not a throttled call: the SDK repeats it after a random time, which the bot's may not outlast.
    for code in ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"] {
        failures.push((fakes::aws::error(code), failed(code)));
    }
    failures.push((json!({"FailedEntryCount": 0, "Entries": []}).into(), failed("unexpected response")));
    failures.push((Answer::Never, "the bot's event bus did not answer in time".to_owned()));
    failures
}

fn refuse_on_queue(server: &Server) {
    server.on("SendMessage", |request| {
        let is_bots = request.json()["QueueUrl"] == BOT_QUEUE;
        if is_bots { fakes::aws::error("AccessDeniedException") } else { json!({"MessageId": "m"}).into() }
    });
}

impl Scene {
    /// The entries that were put on the bus, also those that it refused.
    fn entries(&self) -> Vec<Value> {
        let calls = self.aws_calls("PutEvents");
        calls.iter().flat_map(|call| call["Entries"].as_array().unwrap().clone()).collect()
    }

    /// The events in them.
    fn details(&self) -> Vec<Value> {
        self.entries().iter().map(|entry| serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap()).collect()
    }
}

#[tokio::test]
async fn a_bot_with_a_bus_alone_is_notified_and_needs_no_secret() {
    let scene = Scene::configured(World::with(item(json!({}))), by_bus_alone).await;
    scene.server.on("BatchGetSecretValue", |_| Answer::new(500, ""));
    assert!(scene.succeeds().await);
    let entries = scene.entries();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["EventBusName"], BUS);
    assert_eq!(entries[0]["DetailType"], "connection.created");
    assert_eq!(scene.details()[0]["data"]["message"], "off");
    assert_eq!(scene.marks(), ["SET bot_told_at notified_at"]);
}

#[tokio::test]
async fn the_bus_is_told_what_the_webhook_is_told() {
    let scene = Scene::configured(World::with(item(json!({}))), on_every_way).await;
    assert!(scene.succeeds().await);
    assert_eq!(scene.details(), scene.events());
    assert_eq!(scene.sent_to(BOT_QUEUE).len(), 1);
    assert_eq!(scene.marks(), ["SET message_id messaged_at REMOVE message_intent", "SET bot_told_at notified_at"]);
}

#[tokio::test]
async fn a_stack_without_a_bus_puts_no_event() {
    let scene = Scene::new(World::with(item(json!({})))).await;
    assert!(scene.succeeds().await);
    assert!(scene.entries().is_empty());
}

#[tokio::test]
async fn a_bus_that_fails_is_retried_alone_and_named_in_the_item() {
    for (answer, error) in failures() {
        let scene = Scene::configured(World::with(item(json!({}))), on_every_way).await;
        let row = Row::behind(&scene.server, &item(json!({})));
        scene.server.on("PutEvents", move |_| answer.clone());
        assert!(!scene.succeeds().await, "{error}");
        assert_eq!(row.text("bot_last_error").unwrap(), format!("{NOW} {error}"));
        assert_eq!(scene.messages(), [CONNECTED], "{error}");
        assert!(row.has("webhook_told_at") && row.has("queue_told_at"), "{error}");
        assert!(!row.has("bus_told_at") && !row.has("bot_told_at"), "{error}");

        scene.server.on("PutEvents", |_| crate::event_taken());
        assert_eq!(scene.returned(&[&pointer("07")], 60).await, back(), "to ask what became of the message");
        assert!(row.has("notified_at"), "{error}");
        assert_eq!((scene.events().len(), scene.sent_to(BOT_QUEUE).len()), (1, 1), "{error}");
        let details = scene.details();
        assert!(details.len() > 1 && details.iter().all(|detail| detail["id"] == scene.events()[0]["id"]), "{error}");
    }
}

#[tokio::test]
async fn the_ways_that_took_the_event_are_marked_in_one_write() {
    let scene = Scene::configured(World::with(item(json!({}))), on_every_way).await;
    scene.server.on("PutEvents", |_| entry_refused("InternalFailure"));
    assert!(!scene.succeeds().await);
    assert_eq!(scene.marks()[1..], ["SET bot_last_error queue_told_at webhook_told_at"]);
}

#[tokio::test]
async fn a_webhook_and_a_queue_that_are_down_do_not_stop_the_bus() {
    let scene = Scene::configured(World { bot: 503, ..World::with(item(json!({}))) }, on_every_way).await;
    let row = Row::behind(&scene.server, &item(json!({})));
    refuse_on_queue(&scene.server);
    for _ in 0..3 {
        assert_ne!(scene.returned(&[&pointer("07")], 60).await, json!([]));
    }
    assert!(row.has("bus_told_at"));
    assert_eq!(scene.entries().len(), 1);
    scene.server.on(BOT, |_| Answer::new(200, ""));
    scene.server.on("SendMessage", |_| json!({"MessageId": "m"}).into());
    assert_eq!(scene.returned(&[&pointer("07")], 60).await, back());
    assert!(row.has("notified_at"));
    assert_eq!(scene.entries().len(), 1, "it has the event already");
}

#[tokio::test]
async fn a_signing_secret_that_cannot_be_read_does_not_stop_the_bus() {
    let scene = Scene::configured(World::with(item(json!({}))), on_every_way).await;
    scene.server.on("BatchGetSecretValue", |_| secrets_but("webhook").into());
    assert!(!scene.succeeds().await, "the webhook has to be retried");
    assert_eq!(scene.entries().len(), 1);
    assert!(scene.events().is_empty());
}

#[tokio::test]
async fn a_message_that_becomes_undeliverable_is_told_on_the_bus_too() {
    for told in ["bus_told_at", "webhook_told_at", "bot_told_at"] {
        let world = World { twilio: vec![(400, r#"{"code":63024}"#)], ..World::with(item(json!({ told: NOW }))) };
        let scene = Scene::configured(world, on_every_way).await;
        assert!(scene.succeeds().await, "{told}");
        let details = scene.details();
        assert_eq!(details.len(), 1, "{told}");
        assert_eq!(details[0]["data"]["message"], "undeliverable", "{told}");
    }
}
