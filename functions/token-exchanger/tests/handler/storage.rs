//! Storing tokens, and sealing them on the queue where the tables refuse them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fakes::aws::{self, DATA_KEY};
use serde_json::{Value, json};
use shared::Timestamp;

use crate::world::{ATTEMPT, CODE, DEADLINE, NOW, RECEIVED_AT, World, ends, handle, number, record, sets, text};

#[tokio::test]
async fn newer_tokens_stay_and_the_attempt_ends_connected() {
    let world = World::start().await;
    world.cancel_next_transaction(["ConditionalCheckFailed", "None"]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.last_update()["status"], text("connected"));
}

#[tokio::test]
async fn a_connected_attempt_is_not_connected_again() {
    let world = World::start().await;
    world.cancel_next_transaction(["None", "ConditionalCheckFailed"]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.calls("UpdateItem").len(), 1);
}

#[tokio::test]
async fn a_transaction_in_conflict_is_repeated_as_it_was() {
    let world = World::start().await;
    world.cancel_next_transaction(["TransactionConflict", "None"]);
    world.0.next("GetItem", aws::error("ResourceNotFoundException"));
    assert!(ends(&world, &world.message()).await);
    let calls = world.calls("TransactWriteItems");
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0]["TransactItems"], calls[1]["TransactItems"]);
    assert_eq!(world.tries(), 1);
}

#[tokio::test]
async fn tokens_that_cannot_be_stored_are_put_back_sealed_and_stored_from_there() {
    let world = World::start().await;
    world.refuse_transactions(20);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.tries(), 1);
    assert!(world.calls("TransactWriteItems").len() > 2);

    let context = json!({ "purpose": "checkpoint", "attempt_id": ATTEMPT });
    let key = world.calls("GenerateDataKey").remove(0);
    assert_eq!(key["KeyId"], json!("checkpoint"));
    assert_eq!(key["EncryptionContext"], context);
    let sent = world.calls("SendMessage").remove(0);
    let body = sent["MessageBody"].as_str().unwrap();
    for secret in ["ACCESS", "REFRESH", CODE, &STANDARD.encode(DATA_KEY)] {
        assert!(!body.contains(secret), "{body}");
    }
    let message: Value = serde_json::from_str(body).unwrap();
    assert_eq!(message["received_at"], RECEIVED_AT);

    // Hours later, from the dead-letter queue: the code's age no longer matters.
    world.0.forget_script();
    let function = world.function_at(|| Timestamp::from_millis(NOW.millis() + 5 * 60 * 60 * 1000));
    let batch = serde_json::from_value(json!({ "Records": [record("sealed", &message, 1)] })).unwrap();
    let deadline = Timestamp::from_millis(DEADLINE.millis() + 5 * 60 * 60 * 1000);
    assert!(function.handle(batch, deadline).await.unwrap().batch_item_failures.is_empty());
    assert_eq!(world.tries(), 1);
    let open = world.calls("Decrypt").remove(0);
    assert_eq!(open["EncryptionContext"], context);
    assert_eq!(open["CiphertextBlob"], message["traded"]["key"]);
    let transaction = world.calls("TransactWriteItems").pop().unwrap();
    let [tokens, attempt] = [0, 1].map(|index| sets(&transaction["TransactItems"][index]["Update"]));
    assert_eq!(tokens["access_token"], text("00Dxx!ACCESS"));
    assert_eq!(tokens["refresh_token"], text("5AepREFRESH"));
    assert_eq!(attempt["status"], text("connected"));
    assert_eq!(attempt["username"], text("ada@acme.example"));
}

#[tokio::test]
async fn sealed_tokens_come_back_until_they_are_stored_and_the_person_is_notified_after_the_last_try() {
    let world = World::start().await;
    let mut message = world.message();
    let fields = message.as_object_mut().unwrap();
    fields.retain(|name, _| name != "code" && name != "pkce");
    fields.insert("traded".to_owned(), json!({ "code_sha256": "ab", "key": "a2V5", "data": "ZGF0YQ==" }));

    world.0.on("Decrypt", |_| json!({ "Plaintext": STANDARD.encode(DATA_KEY) }).into());
    world.0.next("Decrypt", aws::error("AccessDeniedException"));
    assert_eq!(handle(&world.function(), &[record("one", &message, 4)]).await, ["one"]);
    assert_eq!(world.visibility_timeouts(), [40]);
    assert_eq!(world.calls("UpdateItem").len(), 0);
    // What does not open now never will.
    assert_eq!(handle(&world.function(), &[record("one", &message, 10)]).await, ["one"]);
    assert_eq!(world.visibility_timeouts(), [40, 1]);
    assert_eq!(world.last_update()["status"], text("delayed"));
    // A failure that was written meanwhile does not discard the tokens; a connection does.
    for (status, left) in [("failed", true), ("connected", false)] {
        world.refuse_next_update(&json!({ "status": text(status) }));
        assert_eq!(handle(&world.function(), &[record("one", &message, 11)]).await.is_empty(), !left, "{status}");
    }
    assert!(world.calls("TransactWriteItems").is_empty());
}

#[tokio::test]
async fn after_tokens_are_lost_the_code_counts_as_maybe_used() {
    let world = World::start().await;
    world.refuse_transactions(30);
    for _ in 0..30 {
        world.0.next("SendMessage", aws::error("AccessDenied"));
    }
    // Just enough time for an exchange.
    let batch = serde_json::from_value(json!({ "Records": [record("one", &world.message(), 1)] })).unwrap();
    let deadline = Timestamp::from_millis(NOW.millis() + 13_500);
    let response = world.function().handle(batch, deadline).await.unwrap();
    assert_eq!(response.batch_item_failures.len(), 1);
    assert_eq!(world.last_update()["lease_until"], number(NOW.millis()), "the code may be used up");
}
