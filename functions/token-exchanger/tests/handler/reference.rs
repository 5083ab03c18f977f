//! The bot's reference of the person: taken over from the link into the outcome and the connection.

use std::collections::HashMap;

use fakes::{Answer, aws};
use serde_json::{Value, json};
use shared::state::{Claims, LinkOrigin};

use crate::world::{
    CHAT, LINK, NOW, RECEIVED_AT, WRONG_CLIENT, World, ends, handle, holding, message_of, number, record, sets, text,
};

const REFERENCE: &str = "Zoë 🦀/42";

/// The usual message, of a link that has a reference.
fn message(world: &World) -> Value {
    let claims = world.claims();
    let link = claims.link.map(|link| LinkOrigin { has_reference: true, ..link });
    message_of(Claims { link, ..claims })
}

/// The rows of the references that were read.
fn read(world: &World) -> Vec<String> {
    let keys =
        world.calls("GetItem").into_iter().filter_map(|call| Some(call["Key"]["attempt_id"]["S"].as_str()?.to_owned()));
    keys.filter(|key| key.starts_with("reference#")).collect()
}

/// The table has this row for the link, and this one for the chat's connection.
fn answers(world: &World, reference: impl Fn() -> Answer + Send + Sync + 'static, connection: Value) {
    answers_of(world, reference, connection, json!({}));
}

/// The same, and this one for the attempt.
fn answers_of(
    world: &World,
    reference: impl Fn() -> Answer + Send + Sync + 'static,
    connection: Value,
    attempt: Value,
) {
    world.0.on("GetItem", move |request| match request.json() {
        call if call["TableName"] == "salesforce_tokens" => json!({ "Item": connection }).into(),
        call if call["Key"]["attempt_id"]["S"] == format!("reference#{LINK}") => reference(),
        _ => json!({ "Item": attempt }).into(),
    });
}

fn kept() -> Answer {
    json!({ "Item": { "wa_id": text(&format!("reference#{CHAT}")), "reference": text(REFERENCE) } }).into()
}

/// What the one transaction that stores tokens wrote to both rows: the connection's and the attempt's.
fn stored(world: &World) -> [Value; 2] {
    let mut stores = world.stores();
    assert_eq!(stores.len(), 1);
    let transaction = stores.remove(0);
    [0, 1].map(|place| transaction["TransactItems"][place]["Update"].clone())
}

fn reference(write: &Value) -> Option<Value> {
    sets(write).remove("reference")
}

#[tokio::test]
async fn a_connection_and_its_outcome_have_the_links_reference() {
    let world = World::start().await;
    answers(&world, kept, json!({ "issued_at": number(1), "reference": text("of the link before") }));
    assert!(ends(&world, &message(&world)).await);
    let [connection, attempt] = stored(&world);
    assert_eq!([reference(&connection), reference(&attempt)], [Some(text(REFERENCE)), Some(text(REFERENCE))]);
    assert_eq!(read(&world), [format!("reference#{LINK}")]);
}

#[tokio::test]
async fn a_consent_without_a_reference_reads_none() {
    let world = World::start().await;
    answers(&world, kept, json!({}));
    assert!(ends(&world, &world.message()).await);
    assert_eq!(read(&world), Vec::<String>::new());
    assert_eq!(stored(&world).each_ref().map(reference), [None, None]);
}

#[tokio::test]
async fn a_link_without_a_reference_keeps_the_connections_and_the_outcome_tells_it() {
    let world = World::start().await;
    answers(&world, kept, json!({ "issued_at": number(1), "reference": text("of the link before") }));
    assert!(ends(&world, &world.message()).await);
    let [connection, attempt] = stored(&world);
    assert_eq!([reference(&connection), reference(&attempt)], [None, Some(text("of the link before"))]);
    assert!(!connection["UpdateExpression"].as_str().unwrap().contains("#reference"), "{connection}");
}

#[tokio::test]
async fn outcomes_without_a_connection_have_the_links_reference() {
    let world = World::start().await;
    answers(&world, kept, json!({}));
    let message = message(&world);
    for (name, content, reason) in [
        ("denied", json!({ "error": "access_denied" }), "denied"),
        ("refused", json!("wrong_browser"), "wrong_browser"),
        ("refused", json!("expired_state"), "expired_state"),
    ] {
        assert!(ends(&world, &holding(message.clone(), name, content)).await);
        let outcome = world.last_update();
        assert_eq!((&outcome["reason"], &outcome["reference"]), (&text(reason), &text(REFERENCE)));
    }
}

#[tokio::test]
async fn a_superseded_consent_has_its_own_links_reference() {
    let world = World::start().await;
    let later = json!({ "consented_at": number(RECEIVED_AT + 1), "access_token": text("x"), "reference": text("of the later link") });
    answers(&world, kept, later);
    assert!(ends(&world, &message(&world)).await);
    let outcome = world.last_update();
    assert_eq!((&outcome["reason"], &outcome["reference"]), (&text("superseded"), &text(REFERENCE)));
}

#[tokio::test]
async fn a_consent_whose_reference_cannot_be_read_is_connected_without_one() {
    let world = World::start().await;
    let before = json!({ "issued_at": number(1), "reference": text("perhaps another's by now") });
    answers(&world, || aws::error("ResourceNotFoundException"), before);
    assert!(ends(&world, &message(&world)).await);
    assert!(read(&world).len() > 1, "it is tried again");
    let [connection, attempt] = stored(&world);
    assert_eq!([reference(&connection), reference(&attempt)], [None, None]);
    let update = connection["UpdateExpression"].as_str().unwrap();
    assert!(update.split_once("REMOVE").unwrap().1.contains("#reference"), "{update}");
}

#[tokio::test]
async fn a_reference_that_is_gone_or_another_chats_is_none() {
    let world = World::start().await;
    let other = json!({ "Item": { "wa_id": text("reference#whatsapp:+15557654321"), "reference": text("another's") } });
    for row in [json!({}), other] {
        answers(&world, move || row.clone().into(), json!({}));
        assert!(ends(&world, &message(&world)).await);
        let outcome: HashMap<_, _> = world.last_update();
        assert_eq!((&outcome["status"], outcome.get("reference")), (&text("connected"), None));
    }
}

#[tokio::test]
async fn where_the_links_is_gone_or_unreadable_the_one_in_the_attempts_row_counts() {
    let gone: fn() -> Answer = || json!({}).into();
    for links in [gone, || aws::error("ResourceNotFoundException")] {
        let world = World::start().await;
        let before = json!({ "issued_at": number(1), "reference": text("of the link before") });
        let attempt = json!({ "wa_id": text(CHAT), "reference": text(REFERENCE) });
        answers_of(&world, links, before, attempt);
        assert!(ends(&world, &message(&world)).await);
        let [connection, attempt] = stored(&world);
        assert_eq!([reference(&connection), reference(&attempt)], [Some(text(REFERENCE)), Some(text(REFERENCE))]);
    }
}

#[tokio::test]
async fn a_reference_in_another_chats_attempt_is_none() {
    let world = World::start().await;
    let attempt = json!({ "wa_id": text("whatsapp:+15557654321"), "reference": text("another's") });
    answers_of(&world, || json!({}).into(), json!({}), attempt);
    assert!(ends(&world, &message(&world)).await);
    assert_eq!(stored(&world).each_ref().map(reference), [None, None]);
}

#[tokio::test]
async fn a_revocation_reads_no_reference() {
    let world = World::start().await;
    answers(
        &world,
        kept,
        json!({ "wa_id": text(CHAT), "access_token": text("old"), "refresh_token": text("old refresh") }),
    );
    assert!(ends(&world, &message(&world)).await);
    let revocation = world.queued("revoke").remove(0);
    let before = read(&world);
    ends(&world, &revocation).await;
    assert_eq!(read(&world), before);
}

#[tokio::test]
async fn an_attempt_that_returns_to_the_queue_has_its_reference_already() {
    let world = World::start().await;
    answers(&world, kept, json!({}));
    world.token_endpoint_answers([401, 401].map(|status| Answer::new(status, WRONG_CLIENT)));
    let failed = handle(&world.function_at(|| NOW), &[record("one", &message(&world), 1)]).await;
    assert_eq!(failed, ["one"]);
    assert_eq!(world.last_update()["reference"], text(REFERENCE));
}
