//! Tokens of one app, and the credentials of another.

use std::time::Duration;

use fakes::{Answer, salesforce::TOKEN};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use shared::{
    attempt::EndReason,
    connection::app_hash,
    custody::{TokenError, Trouble},
};

use crate::{
    salesforce::INTROSPECT,
    world::{APP, NOW, World, chat, deadline, rejecting},
};

const DAY: u64 = 86_400_000;

/// Another app that Salesforce knows, with its own secret.
const OTHER: &str = "3MVG9.other";

fn of(app: &str) -> Value {
    json!({"app_hash": {"S": app_hash(app)}})
}

/// What a call for another token finds.
async fn trouble(world: &World) -> Trouble {
    match world.token(&rejecting("a1")).await {
        Err(TokenError::Unavailable(trouble)) => trouble,
        other => panic!("{other:?}"),
    }
}

async fn works(world: &World) -> bool {
    world.token(&rejecting("a1")).await.is_ok_and(|token| token.access_token.expose_secret() == "a2")
}

#[tokio::test]
async fn a_refresh_writes_down_whose_tokens_they_are() {
    let world = World::start().await;
    assert!(works(&world).await);
    assert_eq!(world.text("app_hash"), app_hash(APP));
}

#[tokio::test]
async fn the_credentials_of_another_app_end_nobody_and_the_right_ones_work_again() {
    let world = World::start().await;
    world.put(&of(APP));
    world.app(OTHER);
    for _ in 0..6 {
        let trouble = trouble(&world).await;
        assert!(matches!(trouble, Trouble::OtherApp(Some(_))), "{trouble}");
        assert_eq!(trouble.label(), "operator");
        World::pass(Duration::from_mins(10));
        assert!(world.custody.keep_alive(&chat(), Some(Duration::from_hours(1)), deadline()).await.is_err());
        World::pass(Duration::from_mins(10));
    }
    assert!(world.ends().is_empty());
    world.app(APP);
    World::pass(Duration::from_mins(10));
    assert!(works(&world).await);
    assert_eq!(world.salesforce.with(|grant| grant.reuses), 0);
}

#[tokio::test]
async fn credentials_that_were_put_right_meanwhile_are_used_at_once() {
    let world = World::start().await;
    world.put(&of(APP));
    world.app(OTHER);
    assert!(world.custody.secrets().await.is_ok());
    world.app(APP);
    assert!(works(&world).await);
    assert!(world.salesforce.with(|grant| grant.others) > 0, "the cached ones were sent first");
}

#[tokio::test]
async fn an_app_that_is_not_installed_ends_no_connection_of_another_app() {
    let world = World::start().await;
    world.put(&of(OTHER));
    let description = "External client app is not installed in this org";
    let refusal = || Answer::json(400, &json!({"error": "invalid_client_id", "error_description": description}));
    (0..2).for_each(|_| world.server.next(TOKEN, refusal()));
    assert!(matches!(trouble(&world).await, Trouble::OtherApp(Some(_))));

    let world = World::start().await;
    world.put(&of(APP));
    world.server.next(TOKEN, refusal());
    let ended = world.token(&rejecting("a1")).await;
    assert!(matches!(ended, Err(TokenError::Ended(end)) if end.reason == Some(EndReason::AppBlocked)), "its own");
}

#[tokio::test]
async fn what_salesforce_says_of_the_person_is_true_whoever_asks() {
    for (error, reason) in [("inactive_user", EndReason::UserInactive), ("inactive_org", EndReason::OrgInactive)] {
        let world = World::start().await;
        world.put(&of(OTHER));
        world.server.next(TOKEN, Answer::json(400, &json!({"error": error, "error_description": "it is inactive"})));
        let ended = world.token(&rejecting("a1")).await;
        assert!(matches!(ended, Err(TokenError::Ended(end)) if end.reason == Some(reason)), "{error}");
    }
}

#[tokio::test]
async fn an_app_whose_key_has_changed_knows_its_tokens_by_the_living_one() {
    let world = World::start().await;
    world.put(&of("3MVG9.before"));
    let dead = json!({"error": "invalid_grant", "error_description": "expired access/refresh token"});
    (0..2).for_each(|_| world.server.next(TOKEN, Answer::json(400, &dead)));
    for is_active in [false, true] {
        world.server.next(INTROSPECT, json!({"active": is_active}));
    }
    let ended = world.token(&rejecting("a1")).await;
    assert!(matches!(ended, Err(TokenError::Ended(end)) if end.reason == Some(EndReason::Expired)));
    assert_eq!(world.ends().len(), 1);
}

#[tokio::test]
async fn what_another_app_is_told_of_a_token_that_may_be_used_ends_nothing() {
    let world = World::start().await;
    let mut row = of(APP);
    row["lease_until"] = json!({"N": (NOW - 1).to_string()});
    row["expires_at"] = json!({"N": (NOW + DAY).to_string()});
    world.put(&row);
    world.app(OTHER);
    assert!(matches!(trouble(&world).await, Trouble::OtherApp(None)));
    assert_eq!(world.server.count(TOKEN), 0);
    assert!(world.ends().is_empty() && !world.row()["lease_until"].is_null());
    world.app(APP);
    World::pass(Duration::from_mins(10));
    assert!(works(&world).await);
}

#[tokio::test]
async fn tokens_of_another_app_that_nobody_has_used_for_thirty_days_have_ended_in_any_case() {
    for (age, is_over) in [(30 * DAY - 1, false), (30 * DAY, true)] {
        let world = World::start().await;
        let mut row = of(APP);
        row["refreshed_at"] = json!({"N": (NOW - age).to_string()});
        world.put(&row);
        world.app(OTHER);
        let ended = world.token(&rejecting("a1")).await;
        assert_eq!(matches!(ended, Err(TokenError::Ended(_))), is_over, "{age}");
        assert_eq!(world.ends().len(), usize::from(is_over), "{age}");
    }
}

#[tokio::test]
async fn a_row_of_an_earlier_version_is_ended_by_whatever_app_asks() {
    let world = World::start().await;
    world.app(OTHER);
    assert!(matches!(world.token(&rejecting("a1")).await, Err(TokenError::Ended(_))));
}
