//! What cannot be stored or revoked at once goes by way of the upkeep queue.

use std::time::Duration;

use fakes::{aws, salesforce::TOKEN};
use secrecy::ExposeSecret as _;
use serde_json::json;
use shared::{
    connection::{LOST_AFTER, RefreshTokenText, SealedText},
    custody::{
        Revoked, StoredLater, TokenError, Wish,
        upkeep::{Revoke, Upkeep},
    },
};

use crate::world::{World, chat, deadline, rejecting};

/// A refresh whose tokens the table refuses: the message that they wait in.
async fn refused(world: &World) -> SealedText {
    let before = world.row();
    // The claim is written; then the table takes nothing more.
    let served = world.server.count("UpdateItem");
    assert_eq!(served, 0);
    world.tables.take_writes(1);
    let token = world.token(&rejecting("a1")).await.unwrap();
    assert_eq!(token.access_token.expose_secret(), "a2", "the bot has its token meanwhile");
    assert_eq!(world.text("refresh_token"), before["refresh_token"]["S"].as_str().unwrap());
    let Some((Upkeep::Store { tokens, .. }, 0)) = world.queued().pop() else { panic!("not queued") };
    world.tables.take_all_writes();
    world.shows_no_refresh_token();
    tokens
}

#[tokio::test]
async fn tokens_that_the_table_refuses_are_stored_from_the_queue() {
    let world = World::start().await;
    let tokens = refused(&world).await;
    assert_eq!(world.custody.store_sealed(&chat(), &tokens).await.unwrap(), StoredLater::Stored);
    assert_eq!(world.text("access_token"), "a2");
    assert_eq!(world.custody.store_sealed(&chat(), &tokens).await.unwrap(), StoredLater::Stored, "delivered twice");
    World::pass(Duration::from_hours(2));
    assert_eq!(world.token(&Wish::default()).await.unwrap().access_token.expose_secret(), "a3");
    assert_eq!(world.salesforce.with(|grant| grant.reuses), 0);
}

#[tokio::test]
async fn whoever_asks_before_the_queue_brings_them_ends_nothing() {
    let world = World::start().await;
    let tokens = refused(&world).await;
    World::pass(Duration::from_secs(30));
    assert!(matches!(world.token(&rejecting("a1")).await, Err(TokenError::Unavailable(_))));
    assert_eq!(world.custody.store_sealed(&chat(), &tokens).await.unwrap(), StoredLater::Stored);
    assert_eq!(world.token(&rejecting("a1")).await.unwrap().access_token.expose_secret(), "a2");
    assert_eq!((world.ends().len(), world.salesforce.with(|grant| grant.reuses)), (0, 0));
}

#[tokio::test]
async fn tokens_from_the_queue_never_replace_a_new_consents_and_are_revoked() {
    let world = World::start().await;
    let tokens = refused(&world).await;
    let consented_at = json!({"N": crate::world::NOW.to_string()});
    world.put(&json!({
        "refresh_token": {"S": "of a new consent"}, "access_token": {"S": "new"}, "consented_at": consented_at,
        "login_url": {"S": "https://other.example"}, "instance_url": {"S": "https://other.my.salesforce.com"},
    }));
    assert_eq!(world.custody.store_sealed(&chat(), &tokens).await.unwrap(), StoredLater::Superseded);
    assert_eq!(world.text("access_token"), "new");
    let Some((Upkeep::Revoke(revoke), _)) = world.queued().pop() else { panic!("not revoked") };
    assert_eq!(world.custody.revoke(&revoke, deadline()).await.unwrap(), Revoked::Dead);
    assert_eq!(world.salesforce.with(|grant| grant.revoked.clone()), ["r2"]);
}

#[tokio::test]
async fn sealed_tokens_of_another_chat_do_not_open() {
    let world = World::start().await;
    let tokens = refused(&world).await;
    let stranger = "whatsapp:+15557654321".parse().unwrap();
    assert!(world.custody.store_sealed(&stranger, &tokens).await.is_err());
}

#[tokio::test]
async fn a_consent_in_between_wins_over_a_refresh() {
    let world = World::start().await;
    world.tables.before_write(2, |tables| {
        let mut row = tables.item("salesforce_tokens", crate::world::CHAT);
        row["refresh_token"] = json!({"S": "of a new consent"});
        row["access_token"] = json!({"S": "new"});
        row["consented_at"] = json!({"N": crate::world::NOW.to_string()});
        row["refreshed_at"] = json!({"N": crate::world::NOW.to_string()});
        tables.put("salesforce_tokens", crate::world::CHAT, row);
    });
    let token = world.token(&rejecting("a1")).await.unwrap();
    assert_eq!((token.access_token.expose_secret(), world.text("access_token")), ("new", "new".to_owned()));
    let queued = world.queued();
    let [(Upkeep::Revoke(revoke), _)] = &queued[..] else { panic!("{queued:?}") };
    assert_eq!(world.custody.revoke(revoke, deadline()).await.unwrap(), Revoked::Dead);
}

#[tokio::test]
async fn where_neither_table_nor_queue_takes_them_the_bot_is_served_and_the_end_is_told_later() {
    let world = World::start().await;
    world.tables.take_writes(1);
    world.server.on("SendMessage", |_| aws::error("AccessDenied"));
    let soon = tokio::time::Instant::now() + Duration::from_secs(8);
    let token = world.custody.token(&chat(), &rejecting("a1"), soon).await.unwrap();
    assert_eq!(token.access_token.expose_secret(), "a2");
    world.tables.take_all_writes();
    world.server.on("SendMessage", |_| json!({ "MessageId": "m" }).into());
    for pause in [Duration::from_secs(30), LOST_AFTER] {
        World::pass(pause);
        assert!(world.token(&rejecting("a1")).await.is_err());
    }
    assert_eq!((world.ends().len(), world.salesforce.with(|grant| grant.reuses)), (1, 0));
}

#[tokio::test]
async fn a_token_that_is_in_use_is_not_revoked() {
    let world = World::start().await;
    world.token(&Wish::default()).await.unwrap();
    let token = SealedText::parse(&world.text("refresh_token")).unwrap();
    let revoke = Revoke { wa_id: chat(), token, hosts: vec![world.server.url().to_owned()], origin: None };
    assert_eq!(world.custody.revoke(&revoke, deadline()).await.unwrap(), Revoked::InUse);
    assert!(world.salesforce.with(|grant| grant.revoked.is_empty()));
}

#[tokio::test]
async fn a_plain_row_is_sealed_once() {
    let world = World::start().await;
    let plain = RefreshTokenText::new("r1");
    assert!(world.custody.seal_row(&chat(), &plain, true).await.unwrap());
    assert!(world.text("refresh_token").starts_with("sealed:v1:"));
    assert!(!world.custody.seal_row(&chat(), &plain, true).await.unwrap());
    assert_eq!(world.token(&Wish::default()).await.unwrap().access_token.expose_secret(), "a2");
}

#[tokio::test]
async fn a_key_that_kms_does_not_open_ends_nothing_and_sends_nothing() {
    let world = World::start().await;
    world.put(&json!({"refresh_token": {"S": "sealed:v1:YQ:AAAAAAAAAAAAAAAA:YQ"}}));
    let Err(TokenError::Unavailable(trouble)) = world.token(&rejecting("a1")).await else { panic!("available") };
    assert_eq!(trouble.label(), "operator");
    assert_eq!((world.server.count(TOKEN), world.ends().len()), (0, 0));
}
