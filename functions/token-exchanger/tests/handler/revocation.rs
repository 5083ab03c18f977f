//! Revoking tokens that nobody needs, and no other.

use fakes::{Answer, aws, salesforce::REVOKE};
use serde_json::{Value, json};

use crate::{
    storage::row,
    world::{RECEIVED_AT, World, ends, number, text},
};

/// The queue takes nothing for a while.
fn refuse_messages(world: &World) {
    for _ in 0..30 {
        world.0.next("SendMessage", aws::error("AccessDenied"));
    }
}

/// The chat's row, of a consent at that time, with this refresh token.
fn holding(refresh_token: &str, consented_at: u64) -> Value {
    let mut row = row(consented_at);
    row["Item"]["refresh_token"] = text(refresh_token);
    row
}

/// The revocation that a consent in place of one at `RECEIVED_AT - 1` has put on the queue.
async fn replaced(world: &World) -> Value {
    world.0.on(REVOKE, |_| Answer::new(200, ""));
    world.0.next("GetItem", row(RECEIVED_AT - 1));
    assert!(ends(world, &world.message()).await);
    world.queued("revoke").remove(0)
}

/// Salesforce may give one refresh token to two consents.
#[tokio::test]
async fn an_overtaken_consents_token_that_the_row_holds_is_not_revoked() {
    for (stored, revoked) in [("5AepREFRESH", 0), ("another", 1)] {
        let world = World::start().await;
        world.0.on(REVOKE, |_| Answer::new(200, ""));
        refuse_messages(&world);
        world.0.on("GetItem", move |_| holding(stored, RECEIVED_AT + 1).into());
        assert!(ends(&world, &world.message()).await);
        assert_eq!(world.last_update()["reason"], text("superseded"));
        assert_eq!(world.0.requests(REVOKE).len(), revoked, "{stored}");
    }
}

#[tokio::test]
async fn a_replaced_token_that_the_queue_did_not_take_is_revoked_unless_the_row_still_holds_it() {
    for (stored, revoked) in [("old refresh", 0), ("another", 1)] {
        let world = World::start().await;
        world.0.on(REVOKE, |_| Answer::new(200, ""));
        refuse_messages(&world);
        world.0.on("GetItem", move |_| holding(stored, RECEIVED_AT + 1).into());
        world.0.next("GetItem", row(RECEIVED_AT - 1));
        assert!(ends(&world, &world.message()).await);
        assert_eq!(world.stores().len(), 1);
        assert_eq!(world.0.requests(REVOKE).len(), revoked, "{stored}");
    }
}

/// The queue is waited for twice, which takes longer than storing may.
#[tokio::test]
async fn a_replaced_token_is_revoked_though_the_queue_never_answers() {
    let world = World::start().await;
    world.0.on(REVOKE, |_| Answer::new(200, ""));
    world.0.on("SendMessage", |_| Answer::Never);
    world.0.on("GetItem", |_| holding("another", RECEIVED_AT + 1).into());
    world.0.next("GetItem", row(RECEIVED_AT - 1));
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.stores().len(), 1);
    let revoked: Vec<_> = world.0.requests(REVOKE).iter().map(|request| request.body.clone()).collect();
    assert_eq!(revoked, ["token=old+refresh"]);
}

/// The invocation that was to replace it was killed, and the bot has refreshed since: with rotation, the old token revokes
/// the new one at Salesforce.
#[tokio::test]
async fn a_token_that_was_rotated_and_not_replaced_is_left_alone() {
    let world = World::start().await;
    let message = replaced(&world).await;
    world.0.on("GetItem", |_| holding("rotated", RECEIVED_AT - 1).into());
    assert!(ends(&world, &message).await);
    assert!(world.0.requests(REVOKE).is_empty());
}

#[tokio::test]
async fn a_token_is_revoked_once_the_row_is_another_consents_or_a_tombstone_or_gone() {
    let mut tombstone = row(RECEIVED_AT - 1);
    let item = tombstone["Item"].as_object_mut().unwrap();
    item.retain(|name, _| !name.ends_with("_token"));
    item.insert("ended_at".to_owned(), number(RECEIVED_AT));
    for after in [holding("newer", RECEIVED_AT), tombstone, json!({})] {
        let world = World::start().await;
        let message = replaced(&world).await;
        world.0.next("GetItem", after.clone());
        assert!(ends(&world, &message).await);
        assert_eq!(world.0.requests(REVOKE).len(), 1, "{after}");
    }
}

#[tokio::test]
async fn a_token_is_not_revoked_while_the_row_cannot_be_read() {
    let world = World::start().await;
    let message = replaced(&world).await;
    world.0.next("GetItem", aws::error("ResourceNotFoundException"));
    assert!(!ends(&world, &message).await);
    assert!(world.0.requests(REVOKE).is_empty());
}

#[tokio::test]
async fn a_token_that_salesforce_no_longer_knows_needs_no_more_tries() {
    for answer in [
        Answer::new(400, "error=invalid_token&error_description=invalid+token"),
        Answer::new(400, r#"{"error":"invalid_token","error_description":"invalid token"}"#),
        Answer::new(401, r#"{"error":"invalid_token"}"#),
    ] {
        let world = World::start().await;
        let message = replaced(&world).await;
        world.0.on(REVOKE, move |_| answer.clone());
        assert!(ends(&world, &message).await);
        assert_eq!(world.0.requests(REVOKE).len(), 1);
    }
}

#[tokio::test]
async fn a_token_that_one_host_does_not_know_is_revoked_at_the_next() {
    let world = World::start().await;
    world.0.next("GetItem", row(RECEIVED_AT + 1));
    assert!(ends(&world, &world.message()).await);
    let message = world.queued("revoke").remove(0);
    world.0.on(REVOKE, |_| Answer::new(200, ""));
    world.0.next(REVOKE, Answer::new(400, "error=invalid_token"));
    assert!(ends(&world, &message).await);
    assert_eq!(world.0.requests(REVOKE).len(), 2);
}
