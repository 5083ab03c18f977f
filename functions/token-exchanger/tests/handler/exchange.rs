//! The exchange at Salesforce: what is retried, and which tokens are trusted.

use std::{cell::Cell, time::Duration};

use fakes::{
    Answer,
    aws::{self},
};
use futures::future::join_all;
use serde_json::json;

use crate::world::{EXPIRED, NOW, WRONG_CLIENT, World, ends, handle, number, record, sets, text};

#[tokio::test]
async fn what_an_exchange_needs_is_fetched_while_the_claim_is_made() {
    let world = World::start().await;
    world.refuse_next_update(&json!({ "status": text("connected") }));
    assert!(ends(&world, &world.message()).await);
    let asked = ["UpdateItem", "GenerateMac", "BatchGetSecretValue"].map(|operation| world.calls(operation).len());
    assert_eq!(asked, [1, 1, 1]);
    assert_eq!(world.tries(), 0);
}

#[tokio::test]
async fn a_short_outage_is_retried_within_the_invocation() {
    let world = World::start().await;
    world.token_endpoint_answers([Answer::new(503, ""), Answer::new(200, "<html>We are down for maintenance</html>")]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.tries(), 3);
    assert_eq!(world.calls("GenerateMac").len(), 1);
}

#[tokio::test]
async fn a_rotated_secret_is_fetched_again() {
    let world = World::start().await;
    world.token_endpoint_answers([Answer::new(400, WRONG_CLIENT)]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.tries(), 2);
    assert_eq!(world.calls("BatchGetSecretValue").len(), 2);
}

thread_local! {
    static MINUTES_AGO: Cell<u64> = const { Cell::new(0) };
}

#[tokio::test]
async fn expired_secrets_stay_in_use_and_only_one_message_waits_for_new_ones() {
    let world = World::start().await;
    let function = world.function_at(|| NOW.minus(Duration::from_mins(MINUTES_AGO.get())));
    MINUTES_AGO.set(5);
    function.warm_up().await;
    MINUTES_AGO.set(0);
    world.0.next("BatchGetSecretValue", aws::error("AccessDeniedException"));
    let batch = ["one", "two", "three"].map(|id| record(id, &world.message(), 1));
    assert!(handle(&function, &batch).await.is_empty());
    assert_eq!(world.tries(), 3);
    assert_eq!(world.calls("BatchGetSecretValue").len(), 2);
}

#[tokio::test]
async fn after_a_lost_answer_a_used_code_fails_as_unknown() {
    let world = World::start().await;
    world.token_endpoint_answers([Answer::Lost, Answer::new(400, EXPIRED)]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.last_update()["reason"], text("unknown"));
}

#[tokio::test]
async fn after_an_answer_that_does_not_say_what_became_of_the_code_a_refusal_fails_as_unknown() {
    const PAGE: &str = "<html>We are down for maintenance</html>";
    let answers = [
        (500, ""),
        (502, PAGE),
        (504, ""),
        (500, r#"{"error":"unknown_error"}"#),
        (200, PAGE),
        (200, r#"{"access_tok"#),
        // By these statuses it was not processed: but a gateway may give them after it was.
        (302, ""),
        (400, "{}"),
        (401, PAGE),
        (403, PAGE),
        (404, PAGE),
        (408, ""),
        (421, PAGE),
        (429, PAGE),
        (503, PAGE),
        // With an error that is no token endpoint's, or that is anybody's.
        (404, r#"{"timestamp":"2026-01-01","status":404,"error":"Not Found","path":"/services/oauth2/token"}"#),
        (403, r#"{"error":"Forbidden"}"#),
        (401, r#"{"error":"unauthorized","error_description":"Full authentication is required"}"#),
        (400, r#"{"error":"Bad Request","message":"no upstream"}"#),
        (400, r#"{"error":"temporarily_unavailable"}"#),
        (400, r#"{"error":"server_error"}"#),
        (400, r#"[{"errorCode":"UNKNOWN_EXCEPTION","message":"An unexpected error"}]"#),
        (404, r#"[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]"#),
        (404, r#"{"error":"invalid_request"}"#),
        (429, r#"{"error":"too_many_requests"}"#),
        (503, r#"{"error":503}"#),
        (503, r#"{"error":"invalid_client"}"#),
    ];
    // Side by side, since each waits before it tries again.
    join_all(answers.map(async |(status, body)| {
        let world = World::start().await;
        world.token_endpoint_answers([Answer::new(status, body), Answer::new(400, EXPIRED)]);
        assert!(ends(&world, &world.message()).await);
        assert_eq!(world.last_update()["reason"], text("unknown"), "{status} {body}");
    }))
    .await;
}

#[tokio::test]
async fn after_an_answer_about_the_settings_a_refusal_is_about_the_code() {
    for status in [400, 401, 403] {
        let world = World::start().await;
        world.token_endpoint_answers([Answer::new(status, WRONG_CLIENT), Answer::new(400, EXPIRED)]);
        assert!(ends(&world, &world.message()).await);
        assert_ne!(world.last_update()["reason"], text("unknown"), "{status}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_remembered_over_the_next_receive() {
    let world = World::start().await;
    world.token_endpoint_answers([Answer::Lost, Answer::Lost]);
    assert!(!ends(&world, &world.message()).await);
    assert_eq!(world.tries(), 2);
    assert_eq!(world.last_update()["lease_until"], number(NOW.millis()));

    let claimed = world.calls("UpdateItem").remove(0);
    let code_sha256 = sets(&claimed)["code_sha256"].clone();
    let before =
        json!({ "status": text("exchanging"), "lease_until": number(NOW.millis()), "code_sha256": code_sha256 });
    world.0.next("UpdateItem", json!({ "Attributes": before }));
    world.token_endpoint_answers([Answer::new(400, EXPIRED)]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.last_update()["reason"], text("unknown"));
}

#[tokio::test]
async fn an_answer_that_a_gateway_may_have_given_is_remembered_over_the_next_receive() {
    let world = World::start().await;
    world.token_endpoint_answers((0..9).map(|_| Answer::new(503, "<html>no upstream</html>")));
    assert!(!ends(&world, &world.message()).await);
    let doubted = world.last_update()["lease_until"].clone();
    assert_ne!(doubted, number(0), "as after Salesforce's own word");
    assert!(NOW.millis() > 1 && doubted != number(NOW.millis()), "as after a lost answer");

    let code_sha256 = sets(&world.calls("UpdateItem").remove(0))["code_sha256"].clone();
    let before = json!({ "status": text("exchanging"), "lease_until": doubted, "code_sha256": code_sha256 });
    let again = async |age: u64, answer: Answer| {
        let world = World::start().await;
        world.0.next("UpdateItem", json!({ "Attributes": before }));
        world.0.next("GetItem", json!({ "Item": before }));
        world.token_endpoint_answers([answer]);
        let mut message = world.message();
        message["received_at"] = (NOW.millis() - age * 1000).into();
        assert!(ends(&world, &message).await);
        world.last_update()["reason"].clone()
    };
    assert_eq!(again(40, Answer::new(400, EXPIRED)).await, text("unknown"));
    assert_eq!(again(15 * 60, Answer::new(503, "")).await, text("unknown"), "its time is over");
    // Who asks for a pause that is longer than the code's life is Salesforce, or speaks for it.
    assert_eq!(again(40, Answer::retry_after("3600")).await, text("salesforce_unavailable"));
}

#[tokio::test]
async fn tokens_signed_by_the_secret_of_before_a_rotation_are_stored() {
    let world = World::start().await;
    world.0.on("GetSecretValue", |_| json!({ "Name": "sf_client_secret", "SecretString": "before" }).into());
    world.token_endpoint_answers([world.0.tokens("before")]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!((world.tries(), world.stores().len()), (1, 1));
    assert_eq!(world.calls("GetSecretValue")[0]["VersionStage"], "AWSPREVIOUS");
}

#[tokio::test]
async fn tokens_signed_by_the_secret_of_after_a_rotation_are_stored() {
    let world = World::start().await;
    let before = json!({ "SecretValues": [{ "Name": "sf_client_secret", "SecretString": "before" }] });
    world.0.next("BatchGetSecretValue", before);
    assert!(ends(&world, &world.message()).await);
    assert_eq!((world.tries(), world.stores().len()), (1, 1));
}

#[tokio::test]
async fn tokens_signed_by_another_are_not_stored() {
    let world = World::start().await;
    world.token_endpoint_answers([world.0.tokens("another secret")]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.last_update()["reason"], text("misconfigured"));
    assert!(world.bearers().is_empty() && world.stores().is_empty());
    assert_eq!(world.calls("SendMessage").len(), 1, "they are revoked");
}

#[tokio::test]
async fn tokens_that_the_org_refuses_are_not_stored() {
    let world = World::start().await;
    world.userinfo_answers([Answer::new(403, "Bad_OAuth_Token")]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.last_update()["reason"], text("app_blocked"));
    assert!(world.stores().is_empty());
    assert_eq!(world.queued("revoke").len(), 1, "they would stay alive at Salesforce");
}

#[tokio::test]
async fn an_org_that_keeps_the_name_to_itself_is_connected_without() {
    for (status, body) in [
        (403, r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]"#),
        (403, r#"[{"errorCode":"API_DISABLED_FOR_ORG"}]"#),
        (403, "Invalid_Scope"),
        (200, r#"{"sub":"https://login.salesforce.com/id/00D/005","preferred_username":null}"#),
        // Of another account than the tokens.
        (200, r#"{"preferred_username":"eve@evil.example","user_id":"005xx000001SwiXAAS"}"#),
        (200, r#"{"preferred_username":"eve@evil.example","organization_id":"00Dxx0000009999EAA"}"#),
    ] {
        let world = World::start().await;
        world.userinfo_answers([Answer::new(status, body)]);
        assert!(ends(&world, &world.message()).await);
        assert_eq!(world.stores().len(), 1, "{body}");
        assert!(!world.stores()[0].to_string().contains("eve@"), "{body}");
        assert!(world.queued("revoke").is_empty(), "{body}");
    }
}

#[tokio::test]
async fn an_account_without_a_name_is_connected() {
    let world = World::start().await;
    world.userinfo_answers([Answer::new(502, ""), Answer::retry_after("60")]);
    assert!(ends(&world, &world.message()).await);
    let transaction = world.calls("TransactWriteItems").remove(0);
    let attempt = &transaction["TransactItems"][1]["Update"];
    assert_eq!(sets(attempt)["status"], text("connected"));
    assert!(!sets(attempt).contains_key("username"));
}
