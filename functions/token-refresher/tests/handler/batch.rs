//! The batch: each message by itself.

use fakes::{aws, logs::Logs};
use serde_json::json;

use crate::world::{DEADLINE, NOW, World, chat, handle, record};

#[tokio::test]
async fn a_message_that_cannot_be_read_fails_alone_and_is_not_logged() {
    let logs = Logs::capture();
    let world = World::start().await;
    world.row(&chat(1), 25, json!({}));
    let page = json!({ "segment": 0, "segments": 1, "started_at": NOW.millis(), "pause_s": 0 });
    let good = json!({ "v": 1, "sweep": page }).to_string();
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
