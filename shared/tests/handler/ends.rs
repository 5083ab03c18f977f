//! The end of a connection is written once, with its record.

use fakes::{
    Answer, aws,
    logs::Logs,
    salesforce::{REVOKE, TOKEN},
};
use serde_json::json;
use shared::custody::{Disconnected, Revoked, TokenError, Wish, upkeep::Upkeep};

use crate::world::{World, chat, deadline, other_host, rejecting};

#[tokio::test]
async fn what_salesforce_has_ended_leaves_no_token_and_one_record_with_its_reason() {
    for (error, description, reason) in [
        ("invalid_grant", "expired access/refresh token", "expired"),
        ("invalid_grant", "inactive user", "user_inactive"),
        ("invalid_grant", "inactive organization", "org_inactive"),
        ("OAUTH_APP_BLOCKED", "this app is blocked by admin", "app_blocked"),
    ] {
        let world = World::start().await;
        world.server.next(TOKEN, Answer::json(400, &json!({"error": error, "error_description": description})));
        for _ in 0..2 {
            let Err(TokenError::Ended(end)) = world.token(&Wish::default()).await else { panic!("{reason}") };
            assert_eq!(end.reason.map(shared::attempt::EndReason::as_str), Some(reason));
        }
        assert_eq!((world.text("access_token"), world.text("refresh_token")), (String::new(), String::new()));
        assert_eq!(world.text("ended_reason"), reason);
        let ends = world.ends();
        let [record] = &ends[..] else { panic!("{ends:?}") };
        assert_eq!((&record["status"]["S"], &record["reason"]["S"]), (&json!("ended"), &json!(reason)));
    }
}

#[tokio::test]
async fn a_consent_while_salesforce_refuses_the_old_token_is_not_ended() {
    let world = World::start().await;
    world.salesforce.with(|grant| grant.current = None);
    world.tables.before_read(2, |tables| {
        let mut row = tables.item("salesforce_tokens", crate::world::CHAT);
        row["refresh_token"] = json!({"S": "of a new consent"});
        row["access_token"] = json!({"S": "new"});
        row["version"] = json!({"N": "9"});
        row["refreshed_at"] = json!({"N": crate::world::NOW.to_string()});
        tables.put("salesforce_tokens", crate::world::CHAT, row);
    });
    assert!(world.token(&rejecting("a1")).await.is_ok());
    assert!(world.ends().is_empty());
}

#[tokio::test]
async fn a_disconnect_queues_the_revocation_first_ends_the_row_and_revokes_at_once() {
    let world = World::start().await;
    world.token(&Wish::default()).await.unwrap();
    assert_eq!(world.custody.disconnect(&chat(), deadline()).await.unwrap(), Disconnected::Ended);
    let operations = world.server.operations();
    let place = |name: &str| operations.iter().position(|operation| operation == name).unwrap();
    assert!(place("SendMessage") < place("TransactWriteItems"));
    let queued = world.queued();
    let [(Upkeep::Revoke(revoke), 60)] = &queued[..] else { panic!("{queued:?}") };
    assert_eq!(world.salesforce.with(|grant| grant.revoked.clone()), ["r2"]);
    assert_eq!((world.text("access_token"), world.text("ended_reason")), (String::new(), "disconnected".to_owned()));
    assert_eq!(world.ends().len(), 1);
    // The message comes as well, and finds it dead.
    assert_eq!(world.custody.revoke(revoke, deadline()).await.unwrap(), Revoked::Dead);
    assert_eq!(world.custody.disconnect(&chat(), deadline()).await.unwrap(), Disconnected::Nothing);
    assert_eq!(world.ends().len(), 1);
}

#[tokio::test]
async fn a_token_that_one_host_does_not_know_is_not_revoked_while_the_other_is_down() {
    let world = World::start().await;
    world.put(&json!({"instance_url": {"S": other_host(&world.server)}}));
    let unknown = || Answer::new(400, "error=invalid_token");
    for answer in [unknown(), Answer::new(503, "")] {
        world.server.next(REVOKE, answer);
    }
    assert_eq!(world.custody.disconnect(&chat(), deadline()).await.unwrap(), Disconnected::Ended);
    let Some((Upkeep::Revoke(revoke), _)) = world.queued().pop() else { panic!("not queued") };
    for answer in [Answer::new(503, ""), unknown()] {
        world.server.next(REVOKE, answer);
    }
    assert!(world.custody.revoke(&revoke, deadline()).await.is_err(), "its message comes back");
    assert_eq!(world.custody.revoke(&revoke, deadline()).await.unwrap(), Revoked::Dead);
    assert!(world.salesforce.with(|grant| grant.current.is_none()));
}

#[tokio::test]
async fn a_disconnect_holds_while_salesforce_is_down_and_the_queue_revokes() {
    let world = World::start().await;
    world.server.next(REVOKE, Answer::new(503, ""));
    assert_eq!(world.custody.disconnect(&chat(), deadline()).await.unwrap(), Disconnected::Ended);
    assert!(world.salesforce.with(|grant| grant.current.is_some()));
    let Some((Upkeep::Revoke(revoke), _)) = world.queued().pop() else { panic!("not queued") };
    assert_eq!(world.custody.revoke(&revoke, deadline()).await.unwrap(), Revoked::Dead);
    assert!(world.salesforce.with(|grant| grant.current.is_none()));
}

#[tokio::test]
async fn a_disconnect_that_neither_the_queue_nor_salesforce_takes_holds_and_is_counted() {
    let logs = Logs::capture();
    let world = World::start().await;
    world.server.on("SendMessage", |_| aws::error("AccessDenied"));
    world.server.on(REVOKE, |_| Answer::new(503, ""));
    assert_eq!(world.custody.disconnect(&chat(), deadline()).await.unwrap(), Disconnected::Ended);
    assert_eq!((world.text("access_token"), world.ends().len()), (String::new(), 1));
    assert!(logs.text().contains("TokensNotRevoked"));
}

#[tokio::test]
async fn a_disconnect_that_was_killed_before_the_end_leaves_the_connection_alone() {
    let world = World::start().await;
    world.tables.take_writes(0);
    assert!(world.custody.disconnect(&chat(), deadline()).await.is_err());
    world.tables.take_all_writes();
    let Some((Upkeep::Revoke(revoke), 60)) = world.queued().pop() else { panic!("not queued") };
    assert_eq!(world.custody.revoke(&revoke, deadline()).await.unwrap(), Revoked::InUse);
    assert!(world.token(&Wish::default()).await.is_ok());
}

#[tokio::test]
async fn a_disconnect_whose_answer_is_lost_revokes_where_the_queue_has_no_message() {
    let world = World::start().await;
    world.server.on("SendMessage", |_| aws::error("AccessDenied"));
    let tables = world.tables.clone();
    world.server.on("TransactWriteItems", move |request| {
        let _ = tables.transact(&request.json());
        aws::error("AccessDeniedException")
    });
    assert!(world.custody.disconnect(&chat(), deadline()).await.is_err());
    assert!(world.salesforce.with(|grant| grant.current.is_none()), "the row is dead, and so is the token");
    assert_eq!(world.custody.disconnect(&chat(), deadline()).await.unwrap(), Disconnected::Nothing);
}

#[tokio::test]
async fn a_disconnect_beside_a_refresh_wins_and_what_the_refresh_brought_is_revoked() {
    let world = World::start().await;
    world.tables.before_write(2, |tables| {
        let mut row = tables.item("salesforce_tokens", crate::world::CHAT);
        for name in ["refresh_token", "access_token", "issued_at", "refreshed_at", "lease_until", "lease_holder"] {
            row.as_object_mut().unwrap().remove(name);
        }
        row["ended_at"] = json!({"N": "9"});
        row["ended_reason"] = json!({"S": "disconnected"});
        tables.put("salesforce_tokens", crate::world::CHAT, row);
    });
    assert!(matches!(world.token(&rejecting("a1")).await, Err(TokenError::Ended(_))));
    let Some((Upkeep::Revoke(revoke), _)) = world.queued().pop() else { panic!("not queued") };
    assert_eq!(world.custody.revoke(&revoke, deadline()).await.unwrap(), Revoked::Dead);
    assert!(world.salesforce.with(|grant| grant.current.is_none()));
}

#[tokio::test]
async fn whoever_never_connected_is_disconnected_already() {
    let world = World::start().await;
    let stranger = "whatsapp:+15557654321".parse().unwrap();
    assert_eq!(world.custody.disconnect(&stranger, deadline()).await.unwrap(), Disconnected::Nothing);
    world.server.next("GetItem", aws::error("AccessDeniedException"));
    assert!(world.custody.disconnect(&stranger, deadline()).await.is_err());
}
