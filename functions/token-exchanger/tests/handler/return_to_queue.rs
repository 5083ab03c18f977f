//! Returning a message to the queue: when it comes back, and who is notified.

use std::{sync::Mutex, time::Duration};

use fakes::{Answer, aws};
use serde_json::{Value, json};

use crate::world::{ATTEMPT, CODE_SHA256, NOW, WRONG_CLIENT, World, ends, handle, number, record, sets, text};

#[tokio::test]
async fn an_outage_longer_than_an_invocation_is_left_to_the_queue() {
    let world = World::start().await;
    world.token_endpoint_answers([Answer::retry_after("60")]);
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 3)]).await, ["one"]);
    assert_eq!(world.visibility_timeouts(), [60]);
    assert_eq!(world.last_update()["lease_until"], number(1), "released, and not in Salesforce's own words");
}

#[tokio::test]
async fn a_message_comes_back_no_later_than_its_code_expires() {
    let world = World::start().await;
    let mut message = world.message();
    message["received_at"] = (NOW.millis() - 14 * 60 * 1000 + 9_000).into();
    world.token_endpoint_answers([Answer::new(400, WRONG_CLIENT), Answer::new(400, WRONG_CLIENT)]);
    assert_eq!(handle(&world.function(), &[record("one", &message, 6)]).await, ["one"]);
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
    for receives in [11, 12, 13] {
        world.tried_before(10, &json!({}));
        assert_eq!(handle(&world.function(), &[record("one", &world.message(), receives)]).await, ["one"]);
        world.0.forget_script();
        let outcome = world.last_update();
        assert_eq!((&outcome["status"], &outcome["reason"]), (&text("delayed"), &text("misconfigured")));
    }
    assert_eq!(world.tries(), 0);
    assert_eq!(world.visibility_timeouts(), [1, 1, 1]);
}

#[tokio::test]
async fn a_code_that_was_tried_out_is_not_tried_by_another_message() {
    let world = World::start().await;
    let tried_out = json!({
        "status": text("exchanging"), "lease_until": number(0), "code_sha256": text(CODE_SHA256), "tries": number(10),
    });
    for _ in 0..3 {
        world.refuse_next_update(&tried_out);
    }
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 1)]).await, ["one"]);
    assert_eq!(world.tries(), 0);
    assert_eq!(world.last_update()["status"], text("delayed"));
}

#[tokio::test]
async fn a_live_code_that_was_never_sent_is_tried_whatever_the_count_of_receives() {
    for receives in [9, 11, 12, 13, 50] {
        let world = World::start().await;
        assert!(handle(&world.function(), &[record("one", &world.message(), receives)]).await.is_empty(), "{receives}");
        assert_eq!((world.tries(), world.stores().len()), (1, 1), "{receives}");
    }
}

#[tokio::test]
async fn a_code_with_tries_left_is_tried_when_the_person_knows_of_the_delay() {
    let world = World::start().await;
    world.tried_before(2, &json!({ "delayed_at": number(1), "delay_told_at": number(2) }));
    assert!(handle(&world.function(), &[record("one", &world.message(), 12)]).await.is_empty());
    assert_eq!(world.tries(), 1);
}

#[tokio::test]
async fn a_person_whose_holders_were_killed_is_told_before_the_next_try() {
    let world = World::start().await;
    world.tried_before(2, &json!({}));
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 11)]).await, ["one"]);
    assert_eq!(world.tries(), 0);
    assert_eq!(world.last_update()["status"], text("delayed"));
    assert_eq!(world.visibility_timeouts(), [180], "it is tried then");
}

#[tokio::test]
async fn after_the_last_try_the_person_is_notified_of_the_delay() {
    let world = World::start().await;
    world.tried_before(9, &json!({}));
    world.token_endpoint_answers([Answer::new(400, WRONG_CLIENT), Answer::new(400, WRONG_CLIENT)]);
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 10)]).await, ["one"]);
    let outcome = world.last_update();
    assert_eq!(outcome["status"], text("delayed"));
    assert_eq!(outcome["reason"], text("misconfigured"));
    assert_eq!(outcome["tries"], number(10));
    assert_eq!(world.visibility_timeouts(), [1]);
}

#[tokio::test]
async fn a_person_hears_of_a_delay_when_the_next_try_comes_late() {
    for (seconds_ago, retry_after, status) in [(5, "45", "exchanging"), (100, "60", "delayed"), (5, "600", "delayed")] {
        let world = World::start().await;
        let mut message = world.message();
        message["received_at"] = (NOW.millis() - seconds_ago * 1000).into();
        world.token_endpoint_answers([Answer::retry_after(retry_after)]);
        assert!(!ends(&world, &message).await);
        assert_eq!(world.visibility_timeouts(), [retry_after.parse::<u64>().unwrap()]);
        let last = world.last_update();
        if status == "delayed" {
            assert_eq!((&last["status"], &last["reason"]), (&text("delayed"), &text("salesforce_unavailable")));
        } else {
            assert!(!last.contains_key("status"), "{last:?}");
        }
        let back_at = NOW.millis() + 1000 * (retry_after.parse::<u64>().unwrap() - 1);
        assert_eq!(last["retry_at"], number(back_at), "nobody tries it before");
    }
}

#[tokio::test]
async fn a_delay_that_was_told_keeps_its_marks() {
    let world = World::start().await;
    world.tried_before(2, &json!({ "delayed_at": number(1), "notified_at": number(2) }));
    let mut message = world.message();
    message["received_at"] = (NOW.millis() - 300_000).into();
    world.token_endpoint_answers([Answer::retry_after("60")]);
    assert_eq!(handle(&world.function(), &[record("one", &message, 4)]).await, ["one"]);
    assert_eq!(world.last_update()["status"], text("delayed"));
    let write = world.calls("TransactWriteItems").pop().unwrap()["TransactItems"][1].to_string();
    assert!(!write.contains("notified_at"), "{write}");
}

#[tokio::test]
async fn an_outage_that_outlasts_the_code_is_told_at_once() {
    let world = World::start().await;
    world.token_endpoint_answers([Answer::retry_after("3600")]);
    assert!(ends(&world, &world.message()).await);
    let outcome = world.last_update();
    assert_eq!((&outcome["status"], &outcome["reason"]), (&text("failed"), &text("salesforce_unavailable")));
    // The code may have been used before.
    world.token_endpoint_answers([Answer::Lost, Answer::retry_after("3600")]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.last_update()["reason"], text("unknown"));
    assert_eq!(world.tries(), 3);
}

#[tokio::test]
async fn a_later_try_makes_two_token_requests() {
    let world = World::start().await;
    world.tried_before(3, &json!({}));
    world.token_endpoint_answers((0..9).map(|_| Answer::new(503, "")));
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 4)]).await, ["one"]);
    assert_eq!(world.tries(), 2);
    assert_eq!(world.last_update()["tries"], number(4));
}

#[tokio::test]
async fn a_try_that_sends_nothing_does_not_count() {
    let world = World::start().await;
    world.0.on("GenerateMac", |_| aws::error("AccessDeniedException"));
    assert!(!ends(&world, &world.message()).await);
    assert_eq!((world.tries(), &world.last_update()["tries"]), (0, &number(0)));
    assert_eq!(
        world.last_update()["last_error"],
        text("KMS is not available: GenerateMac failed: AccessDeniedException")
    );
}

/// Each write of the claim is made, and its answer is lost so often.
fn lose_claims(world: &World, times: usize) {
    let made: Mutex<(Option<Value>, usize)> = Mutex::default();
    world.0.on("UpdateItem", move |request| {
        let mut made = made.lock().unwrap();
        let values = sets(&request.json());
        if made.0.is_none() {
            let named = ["status", "holder", "lease_until", "code_sha256", "tries", "updated_at"];
            let mut item: serde_json::Map<_, _> =
                named.into_iter().map(|name| (name.to_owned(), values[name].clone())).collect();
            item.insert("attempt_id".to_owned(), text(ATTEMPT));
            made.0 = Some(item.into());
        }
        made.1 += 1;
        if made.1 <= times {
            return Answer::Lost;
        }
        let name = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        Answer::json(400, &json!({ "__type": name, "Item": made.0 }))
    });
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_goes_on() {
    for times in [1, 2] {
        let world = World::start().await;
        lose_claims(&world, times);
        assert!(ends(&world, &world.message()).await, "{times}");
        assert_eq!((world.tries(), world.stores().len()), (1, 1), "{times}");
    }
}
