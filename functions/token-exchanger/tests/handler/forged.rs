//! Messages that say of themselves whose login they are: nothing is trusted but what a state or a seal proves.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{Timestamp, state::Claims};

use crate::world::{ATTEMPT, CHAT, CODE, NOW, RECEIVED_AT, World, ends, handle, message_of, record, text};

/// Whether nothing was asked of Salesforce or written, and the message goes to the dead-letter queue.
async fn is_refused(world: &World, message: &Value) -> bool {
    let failed = handle(&world.function(), &[record("one", message, 1)]).await;
    let untouched = ["UpdateItem", "TransactWriteItems"].iter().all(|operation| world.calls(operation).is_empty());
    failed == ["one"] && untouched && world.tries() == 0 && world.visibility_timeouts() == [1]
}

#[tokio::test]
async fn another_chat_in_the_state_is_refused() {
    let world = World::start().await;
    let mut message = world.message();
    message["state"] = message["state"].as_str().unwrap().replace("15551234567", "15557654321").into();
    assert!(is_refused(&world, &message).await);
}

#[tokio::test]
async fn a_chat_beside_the_state_is_ignored() {
    let world = World::start().await;
    let mut message = world.message();
    message["wa_id"] = "whatsapp:+15557654321".into();
    message["attempt_id"] = "99999999999999999999999999999999".into();
    assert!(ends(&world, &message).await);
    let key = &world.stores()[0]["TransactItems"][0]["Update"]["Key"];
    assert_eq!(*key, json!({ "wa_id": text(CHAT) }));
}

#[tokio::test]
async fn a_time_outside_the_states_life_is_refused() {
    let issued_at = Timestamp::from_millis(NOW.millis() - 20 * 60 * 1000);
    let expires_at = NOW.plus(Duration::from_mins(5));
    for time in [0, issued_at.millis() - 1, expires_at.millis(), 99_999_999_999_999, u64::MAX] {
        let world = World::start().await;
        let mut message = world.message();
        message["received_at"] = time.into();
        assert!(is_refused(&world, &message).await, "{time}");
    }
}

#[tokio::test]
async fn a_time_ahead_of_the_clock_is_refused_whatever_the_state_says() {
    let world = World::start().await;
    let claims = Claims { expires_at: NOW.plus(Duration::from_hours(20)), ..world.claims() };
    let mut message = message_of(claims);
    message["received_at"] = (NOW.millis() + 60 * 60 * 1000).into();
    assert!(is_refused(&world, &message).await);
    let plain = json!({ "v": 2, "state": format!("wa:{CHAT}"), "received_at": u64::MAX, "code": CODE });
    assert!(is_refused(&World::start().await, &plain).await);
}

#[tokio::test]
async fn a_code_of_version_1_is_not_exchanged_and_ends_as_an_outcome() {
    let world = World::start().await;
    let message = json!({
        "v": 1, "attempt_id": ATTEMPT, "wa_id": "whatsapp:+15557654321", "received_at": RECEIVED_AT,
        "login_url": world.0.url(), "code": CODE, "pkce": true,
    });
    assert!(ends(&world, &message).await);
    assert_eq!((world.tries(), world.stores().len()), (0, 0));
    assert_eq!(world.last_update()["reason"], text("code_expired"));
}

fn denial_of_version_1(world: &World) -> Value {
    json!({
        "v": 1, "attempt_id": ATTEMPT, "wa_id": CHAT, "received_at": RECEIVED_AT, "login_url": world.0.url(),
        "denied": "access_denied",
    })
}

#[tokio::test]
async fn a_denial_of_version_1_ends_as_an_outcome() {
    let world = World::start().await;
    assert!(ends(&world, &denial_of_version_1(&world)).await);
    assert_eq!(world.last_update()["reason"], text("denied"));
}

#[tokio::test]
async fn a_denial_of_version_1_messages_nobody_whose_login_is_unknown() {
    let of_another = json!({ "attempt_id": text(ATTEMPT), "wa_id": text("whatsapp:+15557654321") });
    let of_a_plain_state = json!({ "attempt_id": text(ATTEMPT), "wa_id": text(CHAT), "plain": { "BOOL": true } });
    for item in [None, Some(of_another), Some(of_a_plain_state)] {
        let world = World::start().await;
        world.0.next("GetItem", item.map_or_else(|| json!({}), |item| json!({ "Item": item })));
        assert!(ends(&world, &denial_of_version_1(&world)).await);
        assert_eq!(world.last_update()["plain"], json!({ "BOOL": true }));
    }
    let world = World::start().await;
    let known = json!({ "attempt_id": text(ATTEMPT), "wa_id": text(CHAT), "status": text("exchanging") });
    world.0.next("GetItem", json!({ "Item": known }));
    assert!(ends(&world, &denial_of_version_1(&world)).await);
    assert!(!world.last_update().contains_key("plain"));
}
