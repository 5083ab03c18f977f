//! Returning a message to the queue: when it comes back, and who is notified.

use std::time::Duration;

use fakes::Answer;
use serde_json::json;

use crate::world::{NOW, WRONG_CLIENT, World, ends, handle, number, record, text};

#[tokio::test]
async fn an_outage_longer_than_an_invocation_is_left_to_the_queue() {
    let world = World::start().await;
    world.token_endpoint_answers([Answer::retry_after("60")]);
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 3)]).await, ["one"]);
    assert_eq!(world.visibility_timeouts(), [60]);
    assert_eq!(world.last_update()["lease_until"], number(0));
}

#[tokio::test]
async fn a_message_comes_back_no_later_than_its_code_expires() {
    let world = World::start().await;
    let mut message = world.message();
    message["received_at"] = (NOW.millis() - 14 * 60 * 1000 + 9_000).into();
    world.token_endpoint_answers([Answer::retry_after("60")]);
    assert!(!ends(&world, &message).await);
    assert_eq!(world.visibility_timeouts(), [10]);
}

#[tokio::test]
async fn a_message_waits_while_another_holds_the_attempt() {
    let world = World::start().await;
    let lease = number(NOW.millis() + 40_000);
    world.refuse_next_update(&json!({ "status": text("exchanging"), "lease_until": lease }));
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 6)]).await, ["one"]);
    assert_eq!(world.tries(), 0);
    assert_eq!(world.visibility_timeouts(), [41]);
    assert_eq!(world.calls("UpdateItem").len(), 1);
}

#[tokio::test]
async fn an_attempt_is_released_when_the_time_ends_during_the_claim() {
    let world = World::start().await;
    world.0.on("BatchGetSecretValue", |_| Answer::Never);
    let batch = serde_json::from_value(json!({ "Records": [record("one", &world.message(), 1)] })).unwrap();
    let deadline = NOW.plus(Duration::from_secs(3));
    let response = world.function().handle(batch, deadline).await.unwrap();
    assert_eq!(response.batch_item_failures.len(), 1);
    assert_eq!(world.visibility_timeouts(), [2]);
    assert_eq!(world.last_update()["lease_until"], number(0));
    assert_eq!(world.tries(), 0);
}

#[tokio::test]
async fn what_an_operator_has_to_fix_is_tried_twice_and_returned() {
    let world = World::start().await;
    world.token_endpoint_answers([Answer::new(400, WRONG_CLIENT), Answer::new(400, WRONG_CLIENT)]);
    assert!(!ends(&world, &world.message()).await);
    assert_eq!(world.tries(), 2);
    assert_eq!(world.visibility_timeouts(), [2]);
    assert_eq!(world.last_update()["lease_until"], number(0));
}

#[tokio::test]
async fn after_its_last_try_a_message_only_reports_the_delay() {
    let world = World::start().await;
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 11)]).await, ["one"]);
    assert_eq!(world.tries(), 0);
    assert_eq!(world.visibility_timeouts(), [1]);
    let outcome = world.last_update();
    assert_eq!(outcome["status"], text("delayed"));
    assert_eq!(outcome["reason"], text("misconfigured"));
    // A person who was notified is not notified again, and an attempt with an outcome is finished.
    world.refuse_next_outcome(&json!({ "status": text("delayed") }));
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 11)]).await, ["one"]);
    world.refuse_next_outcome(&json!({ "status": text("connected") }));
    assert!(handle(&world.function(), &[record("one", &world.message(), 11)]).await.is_empty());
    // An expired code is an outcome, whenever it comes.
    let mut expired = world.message();
    expired["received_at"] = (NOW.millis() - 14 * 60 * 1000).into();
    assert!(handle(&world.function(), &[record("one", &expired, 11)]).await.is_empty());
}

#[tokio::test]
async fn after_the_last_try_the_person_is_notified_of_the_delay() {
    let world = World::start().await;
    world.token_endpoint_answers([Answer::new(400, WRONG_CLIENT), Answer::new(400, WRONG_CLIENT)]);
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 10)]).await, ["one"]);
    let outcome = world.last_update();
    assert_eq!(outcome["status"], text("delayed"));
    assert_eq!(outcome["reason"], text("misconfigured"));
    assert_eq!(world.visibility_timeouts(), [1]);
}
