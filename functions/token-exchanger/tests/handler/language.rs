//! The language of the link: taken over into every outcome and into the connection.

use serde_json::{Value, json};
use shared::{
    Language,
    state::{Claims, LinkOrigin},
};

use crate::world::{NOW, RECEIVED_AT, World, ends, holding, message_of, number, sets, text};

/// The usual message, of a link in Hindi.
pub(crate) fn message(world: &World) -> Value {
    let claims = world.claims();
    let link = claims.link.map(|link| LinkOrigin { language: Some(Language::Hindi), ..link });
    message_of(Claims { link, ..claims })
}

/// The chat's row in the token table.
fn connected_before(world: &World, row: Value) {
    world.0.on("GetItem", move |request| match request.json() {
        call if call["TableName"] == "salesforce_tokens" => json!({ "Item": row }).into(),
        _ => json!({}).into(),
    });
}

/// The language that the transaction which stores tokens wrote to both rows: the connection's and the attempt's.
fn stored(world: &World) -> [Option<Value>; 2] {
    let transaction = world.stores().remove(0);
    [0, 1].map(|place| sets(&transaction["TransactItems"][place]["Update"]).remove("language"))
}

#[tokio::test]
async fn a_connection_and_its_outcome_have_the_links_language() {
    let world = World::start().await;
    assert!(ends(&world, &message(&world)).await);
    assert_eq!(stored(&world), [Some(text("hi")), Some(text("hi"))]);
}

#[tokio::test]
async fn an_attempt_that_is_claimed_has_its_language_already() {
    let world = World::start().await;
    assert!(ends(&world, &message(&world)).await);
    assert_eq!(sets(&world.calls("UpdateItem")[0])["language"], text("hi"));
}

#[tokio::test]
async fn a_link_without_a_language_keeps_the_connections_and_the_outcome_is_told_in_it() {
    let world = World::start().await;
    connected_before(&world, json!({ "issued_at": number(1), "language": text("es") }));
    assert!(ends(&world, &world.message()).await);
    assert_eq!(stored(&world), [None, Some(text("es"))]);
}

#[tokio::test]
async fn a_link_without_a_language_writes_none() {
    let world = World::start().await;
    assert!(ends(&world, &world.message()).await);
    assert_eq!(stored(&world), [None, None]);
}

#[tokio::test]
async fn outcomes_without_a_connection_have_the_links_language() {
    let world = World::start().await;
    let message = message(&world);
    for (name, content, reason) in [
        ("denied", json!({ "error": "access_denied" }), "denied"),
        ("refused", json!("wrong_browser"), "wrong_browser"),
        ("refused", json!("expired_state"), "expired_state"),
    ] {
        assert!(ends(&world, &holding(message.clone(), name, content)).await);
        let outcome = world.last_update();
        assert_eq!((&outcome["reason"], &outcome["language"]), (&text(reason), &text("hi")));
    }
}

#[tokio::test]
async fn a_superseded_consent_has_its_own_links_language() {
    let world = World::start().await;
    let consented_at = number(RECEIVED_AT + 1);
    connected_before(
        &world,
        json!({ "consented_at": consented_at, "access_token": text("x"), "language": text("es") }),
    );
    assert!(ends(&world, &message(&world)).await);
    let outcome = world.last_update();
    assert_eq!((&outcome["reason"], &outcome["language"]), (&text("superseded"), &text("hi")));
}

#[tokio::test]
async fn a_code_that_has_expired_ends_in_the_links_language() {
    let world = World::start().await;
    let mut message = message(&world);
    message["received_at"] = json!(NOW.millis() - 15 * 60 * 1_000);
    assert!(ends(&world, &message).await);
    let outcome = world.last_update();
    assert_eq!((&outcome["reason"], &outcome["language"]), (&text("code_expired"), &text("hi")));
}
