//! Storing tokens, and sealing them on the queue where the tables refuse them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fakes::{
    Answer,
    aws::{self, DATA_KEY},
    salesforce::REVOKE,
};
use serde_json::{Value, json};
use shared::Timestamp;

use crate::custody::opened;
use crate::world::{
    ATTEMPT, CHAT, CODE, CODE_SHA256, DEADLINE, NOW, RECEIVED_AT, World, ends, handle, holding, number, record, sets,
    text,
};

/// The chat's row, of a consent at that time.
pub(crate) fn row(consented_at: u64) -> Value {
    json!({ "Item": {
        "wa_id": text(CHAT), "attempt_id": text("99999999999999999999999999999999"), "issued_at": number(1),
        "access_token": text("old access"), "refresh_token": text("old refresh"), "consented_at": number(consented_at),
        "instance_url": text("https://evil.example"), "login_url": text("https://evil.example"),
    } })
}

#[tokio::test]
async fn a_consent_that_a_later_one_has_overtaken_ends_superseded_and_its_tokens_are_revoked() {
    let world = World::start().await;
    world.0.next("GetItem", row(RECEIVED_AT + 1));
    assert!(ends(&world, &world.message()).await);
    assert!(world.stores().is_empty());
    let outcome = world.last_update();
    assert_eq!((&outcome["status"], &outcome["reason"]), (&text("failed"), &text("superseded")));
    let [message] = &world.queued("revoke")[..] else { panic!("one revocation") };
    assert!(!message.to_string().contains("REFRESH"), "{message}");

    world.0.on(REVOKE, |_| Answer::new(200, ""));
    assert!(ends(&world, message).await);
    assert_eq!(world.0.only_request(REVOKE).form(), [("token".to_owned(), "5AepREFRESH".to_owned())]);
}

#[tokio::test]
async fn what_a_consent_replaces_is_revoked_at_salesforce_and_nowhere_else() {
    let world = World::start().await;
    world.0.next("GetItem", row(RECEIVED_AT - 1));
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.stores().len(), 1);
    assert_eq!(sets(&world.stores()[0]["TransactItems"][1]["Update"])["renewed"], json!({ "BOOL": true }));
    let sent = world.calls("SendMessage").remove(0);
    assert_eq!(sent["DelaySeconds"], 60, "longer than the invocation that replaces them");
    let message = world.queued("revoke").remove(0);

    world.0.on(REVOKE, |_| Answer::new(200, ""));
    assert!(ends(&world, &message).await);
    // The row names a host that is neither Salesforce's nor the operator's.
    assert_eq!(world.0.only_request(REVOKE).form(), [("token".to_owned(), "old refresh".to_owned())]);
}

/// The chat's row after its connection ended, with the record of that.
fn ended() -> Value {
    json!({ "Item": {
        "wa_id": text(CHAT), "attempt_id": text("99999999999999999999999999999999"),
        "consented_at": number(RECEIVED_AT - 2), "ended_at": number(RECEIVED_AT - 2), "ended_reason": text("expired"),
        "end_id": text(&"0e".repeat(16)),
    } })
}

/// Else the chat could hear that it is disconnected after it has heard that it is connected.
#[tokio::test]
async fn a_new_connection_marks_the_end_of_the_one_before_as_replaced_in_the_same_transaction() {
    let world = World::start().await;
    world.0.next("GetItem", ended());
    assert!(ends(&world, &world.message()).await);
    let [store] = &world.stores()[..] else { panic!("one transaction") };
    let (row, mark) = (&store["TransactItems"][0]["Update"], &store["TransactItems"][2]["Update"]);
    assert_eq!(mark["Key"], json!({ "attempt_id": text(&"0e".repeat(16)) }));
    assert_eq!(sets(mark).get("replaced_at"), Some(&number(NOW.millis())));
    assert!(row["UpdateExpression"].as_str().unwrap().split("REMOVE").nth(1).unwrap().contains("end_id"));
    assert_eq!(sets(&store["TransactItems"][1]["Update"])["renewed"], json!({ "BOOL": false }));
}

#[tokio::test]
async fn a_record_of_an_end_that_is_gone_keeps_nobody_from_connecting() {
    let world = World::start().await;
    world.0.next("GetItem", ended());
    world.cancel_next_transaction(["None", "None", "ConditionalCheckFailed"]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.stores().len(), 2);
    assert_eq!(world.stores()[1]["TransactItems"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn tokens_that_are_still_in_the_row_are_not_revoked() {
    let world = World::start().await;
    world.0.next("GetItem", row(RECEIVED_AT - 1));
    assert!(ends(&world, &world.message()).await);
    world.0.next("GetItem", row(RECEIVED_AT - 1));
    assert!(ends(&world, &world.queued("revoke").remove(0)).await);
    assert!(world.0.requests(REVOKE).is_empty());
}

#[tokio::test]
async fn a_revocation_that_fails_is_tried_again_later() {
    let world = World::start().await;
    world.0.next("GetItem", row(RECEIVED_AT + 1));
    assert!(ends(&world, &world.message()).await);
    world.0.on(REVOKE, |_| Answer::new(400, "error=unsupported_token_type"));
    let message = world.queued("revoke").remove(0);
    assert_eq!(handle(&world.function(), &[record("one", &message, 3)]).await, ["one"]);
    assert_eq!(world.visibility_timeouts(), [300]);
}

#[tokio::test]
async fn a_row_that_another_wrote_meanwhile_is_read_again() {
    let world = World::start().await;
    world.0.next("GetItem", json!({}));
    world.0.next("GetItem", row(RECEIVED_AT - 1));
    world.cancel_next_transaction(["ConditionalCheckFailed", "None"]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.stores().len(), 2);
    assert_eq!(world.queued("revoke").len(), 1, "what the second look found is replaced");
}

#[tokio::test]
async fn a_failure_of_an_overtaken_consent_is_superseded() {
    let world = World::start().await;
    let mut message = world.message();
    message["received_at"] = (NOW.millis() - 14 * 60 * 1000).into();
    world.cancel_next_transaction(["ConditionalCheckFailed", "None"]);
    assert!(ends(&world, &message).await);
    assert_eq!(world.last_update()["reason"], text("superseded"));
}

/// The row of a chat whose connection was revoked before the callback came, and after the link was made.
fn revoked_row() -> Value {
    let at = number(RECEIVED_AT - 1);
    json!({ "Item": {
        "wa_id": text(CHAT), "consented_at": at, "ended_at": at, "ended_reason": text("revoked"),
    } })
}

#[tokio::test]
async fn who_approves_after_a_revocation_by_an_older_link_is_answered() {
    let world = World::start().await;
    world.0.next("GetItem", revoked_row());
    assert!(ends(&world, &world.message()).await);
    assert!(world.stores().is_empty());
    assert_eq!(world.last_update()["reason"], text("outdated_link"));
    assert_eq!(world.queued("revoke").len(), 1);

    let world = World::start().await;
    world.cancel_next_transaction(["ConditionalCheckFailed", "None"]);
    world.0.next("GetItem", revoked_row());
    assert!(ends(&world, &holding(world.message(), "denied", json!({ "error": "access_denied" }))).await);
    assert_eq!(world.last_update()["reason"], text("outdated_link"));
}

#[tokio::test]
async fn a_second_approval_of_a_connected_login_is_answered_once() {
    let world = World::start().await;
    let connected = json!({ "status": text("connected"), "wa_id": text(CHAT), "code_sha256": text("another") });
    world.refuse_next_update(&connected);
    assert!(ends(&world, &world.message()).await);
    assert_eq!((world.tries(), world.stores().len()), (0, 0), "the code is not exchanged");
    assert_eq!(world.last_update()["reason"], text("used_login"));
    let written = &world.calls("TransactWriteItems")[0]["TransactItems"][1]["Update"];
    assert_ne!(written["Key"]["attempt_id"], text(ATTEMPT), "the connected attempt stays as it is");
    assert_eq!(sets(written)["wa_id"], text(CHAT));

    // Further approvals write to the same row, which takes one.
    let world = World::start().await;
    world.refuse_next_update(&connected);
    world.refuse_next_outcome(&json!({ "status": text("failed"), "reason": text("used_login"), "wa_id": text(CHAT) }));
    assert!(ends(&world, &world.message()).await);
    let again = &world.calls("TransactWriteItems")[0]["TransactItems"][1]["Update"];
    assert_eq!(again["Key"], written["Key"]);
    assert_eq!(again["ConditionExpression"], written["ConditionExpression"]);
}

#[tokio::test]
async fn the_code_that_connected_is_a_duplicate() {
    let world = World::start().await;
    let connected = json!({ "status": text("connected"), "wa_id": text(CHAT), "code_sha256": text(CODE_SHA256) });
    world.refuse_next_update(&connected);
    assert!(ends(&world, &world.message()).await);
    assert!(world.calls("TransactWriteItems").is_empty());
}

/// The bot writes the row just then.
#[tokio::test]
async fn a_transaction_in_conflict_does_not_skip_the_check() {
    let world = World::start().await;
    world.cancel_next_transaction(["TransactionConflict", "None"]);
    world.cancel_next_transaction(["ConditionalCheckFailed", "None"]);
    assert!(ends(&world, &denial(&world)).await);
    assert_eq!(world.last_update()["reason"], text("superseded"));
}

#[tokio::test]
async fn where_the_transaction_stays_in_conflict_the_row_decides() {
    for (consented_at, reason) in [(RECEIVED_AT + 1, "superseded"), (RECEIVED_AT - 1, "denied")] {
        let world = World::start().await;
        for _ in 0..9 {
            world.cancel_next_transaction(["TransactionConflict", "None"]);
        }
        world.0.next("GetItem", row(consented_at));
        assert!(ends(&world, &denial(&world)).await);
        assert_eq!(sets(&world.calls("UpdateItem")[0])["reason"], text(reason));
    }
}

#[tokio::test]
async fn a_failure_waits_for_the_token_table_and_is_told_without_it_at_the_last_try() {
    let world = World::start().await;
    for (receives, comes_back) in [(1, true), (10, false)] {
        world.refuse_transactions(9);
        world.0.next("GetItem", aws::error("ResourceNotFoundException"));
        let failed = handle(&world.function(), &[record("one", &denial(&world), receives)]).await;
        assert_eq!(!failed.is_empty(), comes_back, "{receives}");
        assert_eq!(world.calls("UpdateItem").is_empty(), comes_back, "{receives}");
        world.0.forget_script();
    }
    assert_eq!(sets(&world.calls("UpdateItem")[0])["reason"], text("denied"));
}

fn denial(world: &World) -> Value {
    holding(world.message(), "denied", json!({ "error": "access_denied" }))
}

#[tokio::test]
async fn a_row_that_changes_each_time_sends_the_tokens_back_to_the_queue() {
    let world = World::start().await;
    for _ in 0..1_000 {
        world.cancel_next_transaction(["ConditionalCheckFailed", "None"]);
    }
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.queued("traded").len(), 1);
    let tries = world.stores().len();
    assert!((2..20).contains(&tries), "{tries}");
}

/// DynamoDB compares any number, and so must we: else one says that a row can be replaced, and the other that it cannot.
#[tokio::test]
async fn a_later_time_in_another_form_supersedes_as_well() {
    let world = World::start().await;
    let mut later = row(0);
    later["Item"]["consented_at"] = json!({ "N": format!("{RECEIVED_AT}.5") });
    world.0.next("GetItem", later);
    assert!(ends(&world, &world.message()).await);
    assert!(world.stores().is_empty());
    assert_eq!(world.last_update()["reason"], text("superseded"));
}

#[tokio::test]
async fn a_revocation_of_an_earlier_version_is_remembered_when_the_chat_connects_again() {
    let world = World::start().await;
    let mut revoked = ended();
    revoked["Item"]["ended_reason"] = text("revoked");
    // Before the link was made.
    revoked["Item"]["ended_at"] = number(NOW.millis() - 60 * 60 * 1000);
    world.0.next("GetItem", revoked);
    assert!(ends(&world, &world.message()).await);
    let store = sets(&world.stores()[0]["TransactItems"][0]["Update"]);
    assert_eq!(store["revoked_at"], number(NOW.millis() - 60 * 60 * 1000));
}

/// The attempt's item, connected with this code.
fn connected_with(code_sha256: &str) -> Value {
    json!({
        "attempt_id": text(ATTEMPT), "wa_id": text(CHAT), "status": text("connected"), "code_sha256": text(code_sha256),
    })
}

#[tokio::test]
async fn tokens_of_a_later_code_of_a_connected_attempt_are_revoked() {
    let world = World::start().await;
    world.0.next("GetItem", json!({}));
    world.0.next("GetItem", json!({ "Item": connected_with("another") }));
    world.cancel_next_transaction(["None", "ConditionalCheckFailed"]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!((world.stores().len(), world.queued("revoke").len()), (1, 1));
}

/// Tokens on the queue, in a message that has no tries left.
async fn sealed(world: &World) -> Value {
    world.refuse_transactions(20);
    assert!(ends(world, &world.message()).await);
    world.0.forget_script();
    record("one", &world.queued("traded").remove(0), 11)
}

#[tokio::test]
async fn overtaken_tokens_without_tries_are_revoked_and_done() {
    let world = World::start().await;
    let sealed = sealed(&world).await;
    world.cancel_next_transaction(["ConditionalCheckFailed", "None"]);
    world.0.on("GetItem", |_| row(RECEIVED_AT + 1).into());
    assert!(handle(&world.function(), &[sealed]).await.is_empty());
    assert_eq!(world.queued("revoke").len(), 1);
    assert_eq!(world.last_update()["reason"], text("superseded"));
}

#[tokio::test]
async fn tokens_without_tries_whose_attempt_is_connected_are_revoked_unless_they_are_its_own() {
    for (code, revoked) in [("another", 1), (CODE_SHA256, 0)] {
        let world = World::start().await;
        let sealed = sealed(&world).await;
        world.cancel_next_transaction(["None", "ConditionalCheckFailed"]);
        for _ in 0..2 {
            world.0.next("GetItem", json!({ "Item": connected_with(code) }));
        }
        assert!(handle(&world.function(), &[sealed]).await.is_empty());
        assert_eq!(world.queued("revoke").len(), revoked, "{code}");
    }
}

#[tokio::test]
async fn a_connected_attempt_is_not_connected_again() {
    let world = World::start().await;
    world.0.next("GetItem", json!({}));
    world.0.next("GetItem", json!({ "Item": connected_with(CODE_SHA256) }));
    world.cancel_next_transaction(["None", "ConditionalCheckFailed"]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.calls("UpdateItem").len(), 1, "the claim");
    assert_eq!((world.stores().len(), world.queued("revoke").len()), (1, 0));
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
    let keys = world.calls("GenerateDataKey");
    let keys: Vec<_> = keys.iter().filter(|key| key["KeyId"] == "checkpoint").collect();
    assert_eq!((keys.len(), &keys[0]["EncryptionContext"]), (1, &context));
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
    let batch = serde_json::from_value(json!({ "Records": [record("sealed", &message, 50)] })).unwrap();
    let deadline = Timestamp::from_millis(DEADLINE.millis() + 5 * 60 * 60 * 1000);
    assert!(function.handle(batch, deadline).await.unwrap().batch_item_failures.is_empty());
    assert_eq!(world.tries(), 1);
    let open = world.calls("Decrypt").remove(0);
    assert_eq!(open["EncryptionContext"], context);
    assert_eq!(open["CiphertextBlob"], message["traded"]["key"]);
    let transaction = world.stores().pop().unwrap();
    let [tokens, attempt] = [0, 1].map(|index| sets(&transaction["TransactItems"][index]["Update"]));
    assert_eq!(tokens["access_token"], text("00Dxx!ACCESS"));
    assert_eq!(opened(&tokens["refresh_token"]), "5AepREFRESH");
    assert_eq!(attempt["status"], text("connected"));
    assert_eq!(attempt["username"], text("ada@acme.example"));
}

#[tokio::test]
async fn sealed_tokens_come_back_until_they_are_stored_and_the_person_is_notified_after_the_last_try() {
    let world = World::start().await;
    let sealed = json!({ "code_sha256": "ab", "key": "a2V5", "data": "ZGF0YQ==" });
    let message = holding(world.message(), "traded", sealed);

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
        world.cancel_next_transaction(["None", "ConditionalCheckFailed"]);
        for _ in 0..2 {
            world.0.next("GetItem", json!({ "Item": { "attempt_id": text(ATTEMPT), "status": text(status) } }));
        }
        assert_eq!(handle(&world.function(), &[record("one", &message, 11)]).await.is_empty(), !left, "{status}");
        world.0.forget_script();
    }
    assert!(world.stores().is_empty());
}

/// Just enough time for an exchange, whose tokens the tables refuse, and the queue with this answer.
async fn lose_tokens(world: &World, answer: impl Fn() -> Answer) {
    world.refuse_transactions(30);
    for _ in 0..30 {
        world.0.next("SendMessage", answer());
    }
    let batch = serde_json::from_value(json!({ "Records": [record("one", &world.message(), 1)] })).unwrap();
    let deadline = Timestamp::from_millis(NOW.millis() + 13_500);
    let response = world.function().handle(batch, deadline).await.unwrap();
    assert_eq!(response.batch_item_failures.len(), 1);
}

#[tokio::test]
async fn lost_tokens_are_revoked_and_the_code_counts_as_maybe_used() {
    let world = World::start().await;
    world.0.on(REVOKE, |_| Answer::new(200, ""));
    lose_tokens(&world, || aws::error("AccessDenied")).await;
    assert_eq!(world.last_update()["lease_until"], number(NOW.millis()), "the code may be used up");
    assert_eq!(world.0.requests(REVOKE).len(), 1);
}

#[tokio::test]
async fn lost_tokens_that_may_be_on_the_queue_are_not_revoked() {
    let world = World::start().await;
    lose_tokens(&world, || Answer::Lost).await;
    assert_eq!(world.0.requests(REVOKE).len(), 0);
}
