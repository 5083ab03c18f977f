//! A live token for whoever asks.

use std::time::Duration;

use fakes::{
    Answer, aws,
    logs::Logs,
    salesforce::{TOKEN, USERINFO},
};
use futures::future::join_all;
use secrecy::ExposeSecret as _;
use serde_json::json;
use shared::{
    Timestamp,
    attempt::EndReason,
    connection::LOST_AFTER,
    custody::{KeptAlive, LiveToken, TokenError, Trouble, Wish, upkeep::Upkeep},
};

use crate::{
    salesforce::INTROSPECT,
    world::{NOW, World, chat, deadline, other_host, rejecting},
};

/// How long nobody asks Salesforce again that was unavailable.
const PAUSE: Duration = Duration::from_secs(5);

fn access(token: &LiveToken) -> &str {
    token.access_token.expose_secret()
}

fn trouble(result: Result<LiveToken, TokenError>) -> Trouble {
    match result {
        Err(TokenError::Unavailable(trouble)) => trouble,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_young_token_costs_one_read() {
    let world = World::start().await;
    world.put(&json!({"refreshed_at": {"N": (NOW - 60_000).to_string()}}));
    assert_eq!(access(&world.token(&Wish::default()).await.unwrap()), "a1");
    assert_eq!(world.server.requests("").len(), 0);
    assert_eq!(world.server.operations(), ["GetItem"]);
}

#[tokio::test]
async fn an_old_token_is_refreshed_and_its_successor_is_stored_sealed() {
    let world = World::start().await;
    let token = world.token(&Wish::default()).await.unwrap();
    assert_eq!((access(&token), world.text("access_token")), ("a2", "a2".to_owned()));
    assert!(world.text("refresh_token").starts_with("sealed:v1:"));
    assert_eq!(token.expires_at.map(Timestamp::seconds), Some(1_790_007_200));
    assert_eq!(world.row()["expires_at"]["N"], "1790007200000");
    assert_eq!(world.row()["lease_until"], json!(null));
    world.shows_no_refresh_token();
}

#[tokio::test]
async fn a_sealed_token_is_opened_for_the_next_refresh() {
    let world = World::start().await;
    world.token(&Wish::default()).await.unwrap();
    World::pass(Duration::from_hours(2));
    assert_eq!(access(&world.token(&Wish::default()).await.unwrap()), "a3");
    assert_eq!(world.salesforce.with(|grant| (grant.refreshes, grant.reuses)), (2, 0));
}

#[tokio::test]
async fn many_callers_at_once_make_one_refresh_and_have_the_same_token() {
    let world = World::start().await;
    let wish = rejecting("a1");
    // No more: on a busy machine, a hundred requests in one thread outlast the client's time limit. `make crowd` asks a
    // thousand times.
    let tokens = join_all((0..10).map(|_| world.token(&wish))).await;
    assert!(tokens.iter().all(|token| access(token.as_ref().unwrap()) == "a2"));
    assert_eq!(world.salesforce.with(|grant| (grant.refreshes, grant.reuses)), (1, 0));
}

#[tokio::test]
async fn who_rejects_a_token_that_was_replaced_has_the_current_one() {
    let world = World::start().await;
    world.put(&json!({"refreshed_at": {"N": (NOW - 60_000).to_string()}}));
    assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");
    assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");
    assert_eq!(world.salesforce.with(|grant| grant.refreshes), 1);
}

#[tokio::test]
async fn a_rejected_token_that_salesforce_gives_again_is_not_handed_out_and_its_successor_is_kept() {
    let world = World::start().await;
    let again = json!({"access_token": "a1", "refresh_token": "r2", "instance_url": world.server.url()});
    world.server.next(TOKEN, again);
    assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::SameToken));
    assert!(world.text("refresh_token").starts_with("sealed:v1:"));
    assert_eq!(world.text("access_token"), "a1");
}

#[tokio::test]
async fn a_refresh_token_that_cannot_be_read_is_not_taken_for_none() {
    let world = World::start().await;
    let unreadable = json!({"access_token": "a2", "refresh_token": "r 2", "instance_url": world.server.url()});
    world.server.next(TOKEN, unreadable);
    world.salesforce.rotate();
    assert!(matches!(world.token(&rejecting("a1")).await, Err(TokenError::Ended(_))), "it went with the answer");
    assert_eq!(world.salesforce.with(|grant| grant.reuses), 0, "the used one is not presented");
}

#[tokio::test]
async fn without_rotation_the_refresh_token_stays_as_it_is_stored() {
    let world = World::start().await;
    world.salesforce.with(|grant| grant.rotates = false);
    assert_eq!(access(&world.token(&Wish::default()).await.unwrap()), "a2");
    assert_eq!(world.text("refresh_token"), "r1");
}

#[tokio::test]
async fn while_salesforce_is_unavailable_the_old_token_is_handed_out_and_the_rejected_one_is_not() {
    let world = World::start().await;
    let down = || Answer::new(503, "<html>maintenance</html>");
    (0..6).for_each(|_| world.server.next(TOKEN, down()));
    assert_eq!(access(&world.token(&Wish::default()).await.unwrap()), "a1");
    assert_eq!(world.row()["lease_until"], json!(null), "nobody holds it");
    World::pass(PAUSE);
    assert_eq!(trouble(world.token(&rejecting("a1")).await).label(), "transient");
    World::pass(PAUSE);
    assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");
    assert!(world.ends().is_empty());
}

#[tokio::test]
async fn what_salesforce_has_just_not_given_it_is_not_asked_for_by_every_caller() {
    for (outage, pause) in [
        (Answer::new(503, ""), PAUSE),
        (Answer::retry_after("120"), Duration::from_mins(2)),
        (Answer::Lost, Duration::from_secs(30)),
        (Answer::json(400, &json!({"error": "invalid_client", "error_description": "x"})), Duration::from_mins(1)),
    ] {
        let world = World::start().await;
        world.salesforce.with(|grant| grant.outage = Some(outage.clone()));
        assert_eq!(access(&world.token(&Wish::default()).await.unwrap()), "a1");
        let (requests, writes) = (world.server.count(TOKEN), world.server.count("UpdateItem"));
        for _ in 0..3 {
            assert_eq!(access(&world.token(&Wish::default()).await.unwrap()), "a1");
            let trouble = trouble(world.token(&rejecting("a1")).await);
            assert_eq!((trouble.label(), trouble.retry_after()), ("transient", pause), "{outage:?}");
        }
        assert_eq!((world.server.count(TOKEN), world.server.count("UpdateItem")), (requests, writes), "{outage:?}");
        world.salesforce.with(|grant| grant.outage = None);
        World::pass(pause);
        assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");
        assert_eq!(world.row()["retry_at"], json!(null));
    }
}

#[tokio::test]
async fn a_pause_that_cannot_be_this_stacks_is_none() {
    let world = World::start().await;
    world.put(&json!({"retry_at": {"N": (NOW + 24 * 60 * 60 * 1000).to_string()}}));
    assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");
}

#[tokio::test]
async fn while_a_host_is_silent_nothing_is_kept_alive_there() {
    let world = World::start().await;
    world.salesforce.with(|grant| grant.outage = Some(Answer::Lost));
    let hour = Some(Duration::from_hours(1));
    assert!(world.custody.keep_alive(&chat(), hour, deadline()).await.is_err());
    world.put(&json!({}));
    let requests = world.server.count(TOKEN);
    let trouble = world.custody.keep_alive(&chat(), hour, deadline()).await.unwrap_err();
    assert!(matches!(trouble, Trouble::Paused { .. }), "{trouble}");
    assert_eq!(world.server.count(TOKEN), requests);
    assert_eq!(access(&world.token(&Wish::default()).await.unwrap()), "a1", "who asks is served");
    assert!(world.server.count(TOKEN) > requests);
}

#[tokio::test]
async fn six_hours_without_salesforce_end_nothing() {
    let world = World::start().await;
    let page = "<html>We are down for maintenance.</html>";
    let outages = [
        Answer::new(503, page),
        Answer::new(200, page),
        Answer::Lost,
        Answer::new(429, ""),
        Answer::json(400, &json!({"error": "unknown_error", "error_description": "retry your request"})),
        Answer::new(504, ""),
    ];
    for outage in outages.iter().cycle().take(12) {
        world.salesforce.with(|grant| grant.outage = Some(outage.clone()));
        assert!(world.token(&rejecting("a1")).await.is_err(), "{outage:?}");
        assert!(
            world.custody.keep_alive(&chat(), Some(Duration::from_hours(1)), deadline()).await.is_err(),
            "{outage:?}"
        );
        World::pass(Duration::from_mins(30));
    }
    assert_eq!((world.ends(), world.salesforce.with(|grant| grant.reuses)), (Vec::new(), 0));
    world.salesforce.with(|grant| grant.outage = None);
    assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");
}

#[tokio::test]
async fn a_pause_that_salesforce_asks_for_is_the_callers_too() {
    let world = World::start().await;
    world.server.next(TOKEN, Answer::retry_after("120"));
    assert_eq!(trouble(world.token(&rejecting("a1")).await).retry_after(), Duration::from_mins(2));
}

#[tokio::test]
async fn the_operators_errors_end_nothing() {
    for (error, description) in
        [("invalid_client", "invalid client credentials"), ("invalid_grant", "ip restricted or invalid login hours")]
    {
        let world = World::start().await;
        let refusal = || Answer::json(400, &json!({"error": error, "error_description": description}));
        (0..2).for_each(|_| world.server.next(TOKEN, refusal()));
        let trouble = trouble(world.token(&rejecting("a1")).await);
        assert_eq!(trouble.label(), "operator");
        assert!(trouble.retry_after() <= Duration::from_mins(1), "{error}");
        assert_eq!(world.server.count("BatchGetSecretValue"), 2, "the secrets may have been rotated");
        assert!(world.ends().is_empty());
        World::pass(Duration::from_mins(1));
        assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");
    }
}

#[tokio::test]
async fn words_that_are_not_definite_end_a_connection_only_where_its_token_is_dead() {
    let refusal =
        || Answer::json(400, &json!({"error": "invalid_grant", "error_description": "authentication failure"}));
    let world = World::start().await;
    world.server.next(TOKEN, refusal());
    assert_eq!(trouble(world.token(&rejecting("a1")).await).label(), "operator");
    World::pass(Duration::from_mins(1));
    world.put(&json!({"expires_at": {"N": NOW.to_string()}}));
    world.salesforce.with(|grant| grant.current = None);
    world.server.next(TOKEN, refusal());
    assert!(matches!(world.token(&rejecting("a1")).await, Err(TokenError::Ended(_))));
}

#[tokio::test]
async fn an_answer_that_was_lost_before_the_refresh_was_made_is_asked_for_again() {
    let world = World::start().await;
    world.server.next(TOKEN, Answer::new(504, ""));
    assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");
    assert_eq!(world.server.count(INTROSPECT), 2, "whether the refresh token lives, and when the access token ends");
}

#[tokio::test]
async fn a_token_whose_request_may_still_be_processed_is_not_presented_a_third_time() {
    for refusal in [Answer::new(503, ""), Answer::json(400, &json!({"error": "invalid_client"}))] {
        let world = World::start().await;
        world.server.next(TOKEN, Answer::new(504, ""));
        world.server.next(TOKEN, refusal);
        trouble(world.token(&rejecting("a1")).await);
        assert_eq!(world.server.count(TOKEN), 2);
        assert_ne!(world.row()["lease_until"], json!(null), "who comes next asks whether it is alive");
        // The first request is processed only now.
        world.salesforce.rotate();
        World::pass(Duration::from_mins(2));
        assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::Lost));
        assert_eq!(world.salesforce.with(|grant| grant.reuses), 0);
    }
}

#[tokio::test]
async fn a_used_token_is_not_presented_again_when_the_answer_was_lost() {
    let world = World::start().await;
    world.server.next(TOKEN, Answer::new(504, ""));
    world.salesforce.rotate();
    assert!(matches!(world.token(&rejecting("a1")).await, Err(TokenError::Ended(_))));
    assert_eq!(world.salesforce.with(|grant| grant.reuses), 0);
    assert_eq!(world.ends().len(), 1);
}

/// A row that was idle for days has no access token by which Salesforce's word could be believed.
#[tokio::test]
async fn a_token_that_may_be_used_is_not_presented_again_by_the_call_whose_answer_was_lost() {
    let looks: [Answer; 4] = [
        json!({"active": false}).into(),
        Answer::new(403, ""),
        Answer::new(404, "<html>"),
        Answer::json(401, &json!({"error": "invalid_client"})),
    ];
    for look in looks {
        let world = World::start().await;
        world.server.on(INTROSPECT, move |_| look.clone());
        world.server.next(TOKEN, Answer::new(504, ""));
        world.salesforce.rotate();
        assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::Lost));
        assert_eq!((world.server.count(TOKEN), world.salesforce.with(|grant| grant.reuses)), (1, 0));
        assert!(world.ends().is_empty() && !world.row()["lost_at"].is_null());
    }
}

/// Salesforce ends a refresh token that nobody has used for thirty days, whatever words it refuses it with.
#[tokio::test]
async fn what_is_refused_without_a_reason_ends_when_nobody_could_have_used_it_any_more() {
    for (days, ends) in [(29, 0), (31, 1)] {
        let world = World::start().await;
        let refreshed_at = NOW - days * 24 * 60 * 60 * 1_000;
        world.put(&json!({"refreshed_at": {"N": refreshed_at.to_string()}}));
        world.server.on(INTROSPECT, |_| json!({"active": false}).into());
        world.server.on(TOKEN, |_| Answer::json(400, &json!({"error": "invalid_grant"})));
        world.token(&rejecting("a1")).await.unwrap_err();
        assert_eq!(world.ends().len(), ends, "{days} days");
    }
}

/// With it, each call would refresh anew.
#[tokio::test]
async fn an_end_of_the_access_token_that_is_over_already_is_another_clocks() {
    let world = World::start().await;
    world.server.on(INTROSPECT, |_| json!({"active": true, "exp": NOW / 1_000 - 60}).into());
    assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");
    assert!(world.row()["expires_at"].is_null());
    assert_eq!(access(&world.token(&Wish::default()).await.unwrap()), "a2");
    assert_eq!(world.server.count(TOKEN), 1);
}

#[tokio::test]
async fn an_answer_whose_tokens_are_no_text_stores_nothing() {
    for (access_token, refresh_token) in
        [(json!(5), json!("r2")), (json!("a2"), json!(12)), (json!("a2"), json!({"a": 1}))]
    {
        let world = World::start().await;
        world.server.on(INTROSPECT, |_| json!({"active": false}).into());
        let answer = json!({"access_token": access_token, "refresh_token": refresh_token});
        world.server.next(TOKEN, answer);
        trouble(world.token(&rejecting("a1")).await);
        assert_eq!((world.text("access_token"), world.text("refresh_token")), ("a1".to_owned(), "r1".to_owned()));
        assert!(world.ends().is_empty());
    }
}

#[tokio::test]
async fn after_a_holder_that_is_gone_a_living_token_is_used_and_a_dead_one_waits_for_its_successor() {
    let left = json!({"lease_until": {"N": (NOW - 1).to_string()}, "lease_holder": {"S": "gone"}});
    let world = World::start().await;
    world.put(&left);
    assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");

    let world = World::start().await;
    world.put(&left);
    world.salesforce.rotate();
    assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::Lost));
    assert_eq!(world.server.count(TOKEN), 0);
    assert_eq!(
        world.queued().iter().map(|(message, delay)| (message.label(), *delay)).collect::<Vec<_>>(),
        [("refresh", 900)]
    );
    World::pass(Duration::from_mins(1));
    assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::Lost), "its successor may still come");
    World::pass(LOST_AFTER);
    assert!(matches!(world.token(&rejecting("a1")).await, Err(TokenError::Ended(_))));
    assert_eq!((world.ends().len(), world.salesforce.with(|grant| grant.reuses)), (1, 0));
}

#[tokio::test]
async fn a_token_that_was_known_to_be_dead_is_not_presented_when_nobody_can_say_so_any_more() {
    let world = World::start().await;
    let (gone, ends) = (NOW - 1, NOW + 60_000);
    world.put(&json!({"lease_until": {"N": gone.to_string()}, "expires_at": {"N": ends.to_string()}}));
    world.salesforce.rotate();
    assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::Lost));
    // The access token, by which Salesforce's word was believed, is no proof any more.
    let mut row = world.row();
    row.as_object_mut().unwrap().remove("expires_at");
    world.tables.put("salesforce_tokens", crate::world::CHAT, row);
    world.server.on(INTROSPECT, |_| json!({"active": false}).into());
    World::pass(LOST_AFTER);
    assert!(matches!(world.token(&rejecting("a1")).await, Err(TokenError::Ended(_))));
    assert_eq!((world.server.count(TOKEN), world.ends().len()), (0, 1));
}

#[tokio::test]
async fn a_token_that_was_called_dead_and_is_alive_is_presented_without_the_marks_of_that() {
    let world = World::start().await;
    let long_ago = (NOW - 1_000 * LOST_AFTER.as_secs() + 1_000).to_string();
    world.put(&json!({"lost_at": {"N": long_ago}, "dead_at": {"N": long_ago}}));
    // Its answer is lost, and nobody can say what became of it.
    world.server.next(TOKEN, Answer::new(504, ""));
    world.server.next(INTROSPECT, json!({"active": true}));
    world.server.next(INTROSPECT, Answer::new(403, ""));
    trouble(world.token(&rejecting("a1")).await);
    assert_eq!(world.server.count(TOKEN), 1);
    world.salesforce.rotate();
    World::pass(Duration::from_mins(2));
    assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::Lost), "its successor may come");
    assert!(world.ends().is_empty());
}

#[tokio::test]
async fn a_mark_that_cannot_be_taken_away_keeps_a_living_token_from_being_presented() {
    let world = World::start().await;
    world.put(&json!({"lost_at": {"N": NOW.to_string()}}));
    world.tables.before_write(2, |tables| {
        let mut row = tables.item("salesforce_tokens", crate::world::CHAT);
        row["version"] = json!({"N": "99"});
        row.as_object_mut().unwrap().retain(|name, _| !name.starts_with("lease_"));
        tables.put("salesforce_tokens", crate::world::CHAT, row);
    });
    assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2", "the row that it is now is looked at");
    assert_eq!((world.server.count(TOKEN), world.salesforce.with(|grant| grant.reuses)), (1, 0));
}

#[tokio::test]
async fn an_end_of_the_access_token_that_salesforce_has_not_told_this_stack_proves_nothing() {
    let of_a_bot = json!({"lease_until": {"N": (NOW - 1).to_string()}, "expires_at": {"N": (NOW + 60_000).to_string()},
        "refreshed_at": {"NULL": true}});
    let unreadable = json!({"lease_until": {"N": (NOW - 1).to_string()}, "expires_at": {"S": "soon"}});
    for row in [of_a_bot, unreadable] {
        let world = World::start().await;
        world.put(&row);
        world.server.on(INTROSPECT, |_| json!({"active": false}).into());
        assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::Lost));
        assert!(world.row()["dead_at"].is_null(), "{row}");
    }
}

/// A row that a holder has left, of a token that lives at a host beside the login host.
async fn left_at_two_hosts() -> World {
    let world = World::start().await;
    world.put(&json!({"lease_until": {"N": (NOW - 1).to_string()}, "expires_at": {"N": (NOW + 60_000).to_string()},
        "instance_url": {"S": other_host(&world.server)}}));
    world
}

#[tokio::test]
async fn a_host_that_calls_a_token_inactive_is_not_the_last_to_be_asked() {
    let world = left_at_two_hosts().await;
    world.server.next(INTROSPECT, json!({"active": false}));
    assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");
}

#[tokio::test]
async fn a_token_is_dead_only_where_each_of_its_hosts_says_so() {
    let inactive = || Answer::from(json!({"active": false}));
    for other in [Answer::new(503, ""), Answer::new(403, ""), Answer::new(200, "<html>")] {
        for answers in [[inactive(), other.clone()], [other.clone(), inactive()]] {
            let world = left_at_two_hosts().await;
            for answer in answers {
                world.server.next(INTROSPECT, answer);
            }
            trouble(world.token(&rejecting("a1")).await);
            assert!(world.ends().is_empty() && world.row()["dead_at"].is_null());
            assert_eq!(world.server.count(TOKEN), 0);
        }
    }
    let world = left_at_two_hosts().await;
    for answer in [inactive(), inactive()] {
        world.server.next(INTROSPECT, answer);
    }
    assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::Lost));
    assert!(!world.row()["dead_at"].is_null());
}

#[tokio::test]
async fn an_app_that_may_not_introspect_is_not_told_the_truth_and_tries_when_no_successor_can_come() {
    let world = World::start().await;
    world.put(&json!({"lease_until": {"N": (NOW - 1).to_string()}}));
    world.server.on(INTROSPECT, |_| json!({"active": false}).into());
    assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::Lost));
    assert_eq!(world.server.count(TOKEN), 0, "what it may have become waits on the queue, perhaps");
    World::pass(LOST_AFTER);
    assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");
    world.server.next(TOKEN, Answer::new(504, ""));
    assert!(matches!(trouble(world.token(&rejecting("a2")).await), Trouble::Lost), "nobody can say whether it is used");
    World::pass(LOST_AFTER);
    assert_eq!(access(&world.token(&rejecting("a2")).await.unwrap()), "a3");
    assert!(world.ends().is_empty() && world.row()["expires_at"].is_null());
}

#[tokio::test]
async fn what_salesforce_says_of_a_token_that_nobody_could_judge_is_the_end_and_its_reason() {
    for (error, reason) in [("inactive_user", EndReason::UserInactive), ("invalid_grant", EndReason::Expired)] {
        let world = World::start().await;
        let long_ago = (NOW - 1_000 * LOST_AFTER.as_secs()).to_string();
        world.put(&json!({"lost_at": {"N": long_ago}}));
        world.server.on(INTROSPECT, |_| json!({"active": false}).into());
        let refusal = json!({"error": error, "error_description": "expired access/refresh token"});
        world.server.next(TOKEN, Answer::json(400, &refusal));
        let ended = world.token(&rejecting("a1")).await;
        assert!(matches!(ended, Err(TokenError::Ended(end)) if end.reason == Some(reason)), "{error}");
    }
}

#[tokio::test]
async fn a_connection_without_a_refresh_token_lives_as_long_as_its_access_token() {
    let world = World::start().await;
    let mut row = world.row();
    row.as_object_mut().unwrap().remove("refresh_token");
    world.tables.put("salesforce_tokens", crate::world::CHAT, row);
    assert_eq!(access(&world.token(&Wish::default()).await.unwrap()), "a1", "old, and all there is");
    assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::NoRefreshToken));
    world.server.next(USERINFO, Answer::new(503, ""));
    assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::NoRefreshToken), "nobody has said so");
    for (status, blocked) in [(403, "IP restricted"), (403, r#"[{"errorCode":"OAUTH_APP_ACCESS_DENIED"}]"#), (401, "")]
    {
        world.server.next(USERINFO, Answer::new(status, blocked));
        let trouble = trouble(world.token(&rejecting("a1")).await);
        assert!(matches!(trouble, Trouble::Blocked(_)) && trouble.label() == "operator", "{blocked}: {trouble}");
    }
    assert!(world.ends().is_empty());
    world.server.next(USERINFO, Answer::new(401, "Bad_OAuth_Token"));
    assert!(matches!(world.token(&rejecting("a1")).await, Err(TokenError::Ended(_))));
    assert_eq!(world.ends().len(), 1);
}

#[tokio::test]
async fn a_row_whose_access_token_a_bot_has_removed_is_refreshed() {
    let world = World::start().await;
    let mut row = world.row();
    row.as_object_mut().unwrap().remove("access_token");
    world.tables.put("salesforce_tokens", crate::world::CHAT, row);
    assert_eq!(access(&world.token(&Wish::default()).await.unwrap()), "a2");
}

#[tokio::test]
async fn an_app_that_is_refused_an_introspection_waits_and_tries_once_more() {
    let world = World::start().await;
    world.put(&json!({"lease_until": {"N": (NOW - 1).to_string()}}));
    world.server.on(INTROSPECT, |_| Answer::json(403, &json!({"error": "insufficient_scope"})));
    assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::Lost));
    World::pass(LOST_AFTER);
    world.server.next(TOKEN, Answer::new(503, ""));
    world.server.next(TOKEN, Answer::new(503, ""));
    world.server.next(TOKEN, Answer::new(503, ""));
    assert_eq!(trouble(world.token(&rejecting("a1")).await).label(), "transient");
    assert!(!world.row()["lease_until"].is_null(), "it is not forgotten that the token may be used");
    World::pass(LOST_AFTER);
    assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");
}

#[tokio::test]
async fn what_a_bot_wrote_in_place_of_an_id_is_no_other_account() {
    let world = World::start().await;
    world.put(&json!({"user_id": {"S": "ada"}, "org_id": {"N": "7"}}));
    assert_eq!(access(&world.token(&rejecting("a1")).await.unwrap()), "a2");
}

#[tokio::test]
async fn tokens_of_another_account_are_never_stored() {
    let world = World::start().await;
    world.put(&json!({"user_id": {"S": "005xx000009OTHR"}}));
    assert!(matches!(trouble(world.token(&rejecting("a1")).await), Trouble::OtherAccount));
    assert_eq!(world.text("access_token"), "a1");
    let Some((Upkeep::Revoke(revoke), 0)) = world.queued().pop() else { panic!("nobody revokes them") };
    world.custody.revoke(&revoke, deadline()).await.unwrap();
    assert_eq!(world.salesforce.with(|grant| grant.revoked.clone()), ["r2"]);
    world.shows_no_refresh_token();
}

#[tokio::test]
async fn a_bots_own_tokens_are_handed_out_while_they_are_young_and_never_refreshed() {
    let world = World::with_custody("Bot").await;
    assert!(matches!(world.token(&Wish::default()).await, Err(TokenError::BotCustody)));
    assert_eq!(world.server.count(TOKEN), 0);
}

#[tokio::test]
async fn who_never_connected_and_who_has_ended_are_told_apart() {
    let world = World::start().await;
    let stranger = "whatsapp:+15557654321".parse().unwrap();
    let asked = world.custody.token(&stranger, &Wish::default(), deadline()).await;
    assert!(matches!(asked, Err(TokenError::NotConnected)));
}

#[tokio::test]
async fn a_table_that_cannot_be_read_is_no_answer_about_the_connection() {
    let world = World::start().await;
    world.server.next("GetItem", aws::error("AccessDeniedException"));
    assert_eq!(trouble(world.token(&Wish::default()).await).label(), "transient");
}

#[tokio::test]
async fn a_claim_that_the_table_refuses_is_counted_and_sends_nothing() {
    let logs = Logs::capture();
    let world = World::start().await;
    // By its time the count is told from other tests'.
    let time = Duration::from_millis(7_654_321);
    World::pass(time);
    world.tables.take_writes(0);
    let trouble = trouble(world.token(&rejecting("a1")).await);
    assert!(matches!(trouble, Trouble::Aws(_)), "{trouble}");
    world.tables.take_all_writes();
    let counted = format!(r#""Timestamp\":{}"#, NOW + 7_654_321);
    let text = logs.text();
    let line = text.lines().find(|line| line.contains(&counted)).expect("a count");
    assert!(line.contains(r#""Refreshes\":1"#) && line.contains(r#""Result\":\"transient"#), "{line}");
    assert_eq!(world.server.count(TOKEN), 0);
}

#[tokio::test]
async fn what_nobody_asks_for_is_refreshed_when_it_is_due_and_not_before() {
    let days = |days: u64| Some(Duration::from_hours(24 * days));
    let world = World::start().await;
    let chat = chat();
    assert_eq!(world.custody.keep_alive(&chat, days(1), deadline()).await.unwrap(), KeptAlive::NotDue);
    World::pass(Duration::from_hours(24));
    assert_eq!(world.custody.keep_alive(&chat, days(1), deadline()).await.unwrap(), KeptAlive::Refreshed);
    assert_eq!(world.custody.keep_alive(&chat, days(1), deadline()).await.unwrap(), KeptAlive::NotDue);
}
