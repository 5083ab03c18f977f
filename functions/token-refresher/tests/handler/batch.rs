//! The batch: each message by itself.

use fakes::{aws, logs::Logs};
use serde_json::json;

use crate::world::{DEADLINE, NOW, TABLE, World, chat, handle, record, text};

#[tokio::test]
async fn a_message_that_cannot_be_read_fails_alone_and_is_not_logged() {
    let logs = Logs::capture();
    let world = World::start().await;
    world.row(&chat(1), 25, json!({}));
    let page = json!({ "segment": 0, "segments": 1, "started_at": NOW.millis(), "pause_s": 0 });
    let good = json!({ "v": 1, "page": page }).to_string();
    let bad = [
        "",
        r#"{"v":1,"refresh":{"wa_id":"s3cret"}}"#,
        r#"{"v":2,"sweep":{"s3cret":1}}"#,
        r#"{"v":1,"store":{"wa_id":"whatsapp:+15551234567","tokens":"5Aep s3cret"}}"#,
        "s3cret",
    ];
    let mut records: Vec<_> = bad.iter().zip(["a", "b", "c", "d", "e"]).map(|(body, id)| record(id, body, 1)).collect();
    records.insert(2, record("good", &good, 1));
    assert_eq!(handle(&world.function(), &records).await, ["a", "b", "c", "d", "e"]);
    assert_eq!(world.refreshes(), [chat(1)]);
    assert_eq!(world.visibility_timeouts(), [60; 5]);
    assert!(!logs.text().contains("s3cret"));
}

#[tokio::test]
async fn a_message_without_an_id_fails_the_batch_before_anything_is_done() {
    let world = World::start().await;
    let batch = json!({ "Records": [record("", r#"{"v":1,"sweep":{}}"#, 1)] });
    assert!(world.function().handle(serde_json::from_value(batch).unwrap(), DEADLINE).await.is_err());
    assert_eq!(world.server.operations(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_message_fails_where_its_visibility_cannot_be_set() {
    let world = World::start().await;
    world.server.on("ChangeMessageVisibility", |_| aws::error("AccessDenied"));
    world.server.on("DescribeTable", |_| aws::error("AccessDeniedException"));
    assert_eq!(handle(&world.function(), &[record("one", r#"{"v":1,"sweep":{}}"#, 1)]).await, ["one"]);
}

#[tokio::test]
async fn each_message_of_a_batch_ends_by_itself_and_none_shows_chats_or_tokens_in_the_log() {
    let logs = Logs::capture();
    let world = World::start().await;
    world.row(&chat(1), 25, json!({ "refresh_token": text("5Aep861!s3cret"), "login_url": text(world.server.url()) }));
    world.row(&chat(2), 25, json!({ "refresh_token": text("sealed:v1:broken") }));
    let sealed = "sealed:v1:YQ:YQ:YQ";
    let page = json!({ "segment": 0, "segments": 1, "started_at": NOW.millis(), "pause_s": 0 });
    let records = [
        record("refreshed", &json!({ "v": 1, "refresh": { "wa_id": chat(1) } }).to_string(), 1),
        record("broken", &json!({ "v": 1, "refresh": { "wa_id": chat(2) } }).to_string(), 2),
        record("not stored", &json!({ "v": 1, "store": { "wa_id": chat(3), "tokens": sealed } }).to_string(), 6),
        record("unreadable", "5Aep861!s3cret", 1),
        record("swept", &json!({ "v": 1, "page": page }).to_string(), 1),
    ];
    assert_eq!(handle(&world.function(), &records).await, ["broken", "not stored", "unreadable"]);
    assert_eq!(world.tables.item(TABLE, &chat(1))["access_token"], text("00Dxx!ACCESS"));
    let mut timeouts = world.visibility_timeouts();
    timeouts.sort_unstable();
    assert_eq!(timeouts, [60, 60, 300]);
    let logs = logs.text();
    for secret in ["+1555000000", "5Aep", "00Dxx!", sealed] {
        assert!(!logs.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn the_end_of_the_time_for_a_confirmation_goes_on_to_the_exchanger() {
    let world = World::start().await;
    let proof = "A".repeat(43);
    let decided = json!({
        "v": 3, "state": "wa:whatsapp:+15551234567~YQ", "received_at": NOW.millis(),
        "decided": { "proof": proof, "code_sha256": "YQ" },
    });
    let message = json!({ "v": 1, "decide": decided }).to_string();
    assert!(handle(&world.function(), &[record("one", &message, 1)]).await.is_empty());
    let sent = world.server.only_request("SendMessage").json();
    assert_eq!(sent["QueueUrl"], format!("{}/exchange", world.server.url()));
    assert_eq!(serde_json::from_str::<serde_json::Value>(sent["MessageBody"].as_str().unwrap()).unwrap(), decided);

    let logs = Logs::capture();
    world.server.on("SendMessage", |_| aws::error("AccessDenied"));
    assert_eq!(handle(&world.function(), &[record("one", &message, 300)]).await, ["one"]);
    assert_eq!(world.visibility_timeouts(), [60], "it is never given up");
    assert!(!logs.text().contains(&proof) && !logs.text().contains("1555123"));
}
