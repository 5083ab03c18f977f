//! How attempts end: connected, denied, failed, or already finished.

use fakes::{
    Answer,
    salesforce::{TOKEN, USERINFO},
};
use serde_json::json;
use shared::state::Claims;

use crate::custody::opened;
use crate::world::{
    ATTEMPT, CALLBACK, CHAT, CLIENT_SECRET, CODE, CODE_SHA256, EXPIRED, LINK, NOW, RECEIVED_AT, World, ends, holding,
    message_of, number, sets, text, verifier,
};

#[tokio::test]
async fn a_consent_ends_connected() {
    let world = World::start().await;
    assert!(ends(&world, &world.message()).await);

    let request = world.0.only_request(TOKEN);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", TOKEN));
    assert_eq!(request.header("content-type"), "application/x-www-form-urlencoded");
    let userinfo = world.0.only_request(USERINFO);
    assert_eq!((userinfo.method.as_str(), userinfo.path.as_str()), ("GET", USERINFO));
    let form = world.token_forms().remove(0);
    let verifier = verifier(ATTEMPT);
    let expected = [
        ("grant_type", "authorization_code"),
        ("code", CODE),
        ("client_id", "3MVG9.client"),
        ("client_secret", CLIENT_SECRET),
        ("redirect_uri", CALLBACK),
        ("code_verifier", verifier.secret()),
        ("format", "json"),
    ];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(world.bearers(), ["Bearer 00Dxx!ACCESS"]);

    let claim = sets(&world.calls("UpdateItem")[0]);
    assert_eq!(claim["status"], text("exchanging"));
    assert_eq!(claim["lease_until"], number(NOW.millis() + 60_000));
    assert_eq!(claim["expires_at"], number(NOW.seconds() + 90 * 24 * 3600));

    let transaction = world.calls("TransactWriteItems").remove(0);
    let [tokens, attempt] = [0, 1].map(|index| transaction["TransactItems"][index]["Update"].clone());
    assert_eq!(tokens["TableName"], "salesforce_tokens");
    assert_eq!(tokens["Key"], json!({ "wa_id": text(CHAT) }));
    let tokens = sets(&tokens);
    assert_eq!(tokens["access_token"], text("00Dxx!ACCESS"));
    assert_eq!(opened(&tokens["refresh_token"]), "5AepREFRESH");
    assert_eq!(tokens["instance_url"], text(world.0.url()));
    assert_eq!(tokens["issued_at"], number(1_790_000_000_123));
    assert_eq!(tokens["username"], text("ada@acme.example"));
    assert_eq!(attempt["TableName"], "connection_attempts");
    assert_eq!(attempt["Key"], json!({ "attempt_id": text(ATTEMPT) }));
    assert!(!attempt.to_string().contains("ACCESS") && !attempt.to_string().contains("REFRESH"), "{attempt}");
    let attempt = sets(&attempt);
    assert_eq!(attempt["status"], text("connected"));
    assert_eq!(attempt["org_id"], text("00Dxx0000001gPLEAY"));
    assert_eq!(attempt["renewed"], json!({ "BOOL": false }));
}

#[tokio::test]
async fn a_consent_without_a_challenge_sends_no_verifier() {
    let world = World::start().await;
    let plain = json!({ "v": 2, "state": format!("wa:{CHAT}"), "received_at": RECEIVED_AT, "code": CODE });
    assert!(ends(&world, &plain).await);
    assert!(!world.token_forms()[0].contains_key("code_verifier"));
    assert!(world.calls("GenerateMac").is_empty());
}

#[tokio::test]
async fn a_connection_in_place_of_another_is_renewed() {
    let world = World::start().await;
    // A bot may keep an item of its own for a chat that was never connected.
    for (item, renewed) in [(json!({ "issued_at": number(1) }), true), (json!({}), false)] {
        world.0.next("GetItem", json!({ "Item": item }));
        assert!(ends(&world, &world.message()).await);
        let transaction = world.calls("TransactWriteItems").pop().unwrap();
        assert_eq!(sets(&transaction["TransactItems"][1]["Update"])["renewed"], json!({ "BOOL": renewed }));
    }
}

#[tokio::test]
async fn a_denial_is_an_outcome() {
    let world = World::start().await;
    let message = holding(world.message(), "denied", json!({ "error": "access_denied" }));
    assert!(ends(&world, &message).await);
    let outcome = world.last_update();
    assert_eq!(outcome["reason"], text("denied"));
    assert_eq!(outcome["salesforce_error"], text("access_denied"));
    assert_eq!(world.tries(), 0);

    world.refuse_next_outcome(&json!({ "status": text("connected") }));
    assert!(ends(&world, &message).await);
}

#[tokio::test]
async fn a_redelivered_message_exchanges_once() {
    let world = World::start().await;
    for status in ["connected", "failed"] {
        world.refuse_next_update(&json!({ "status": text(status), "code_sha256": text(CODE_SHA256) }));
        assert!(ends(&world, &world.message()).await);
    }
    assert_eq!(world.tries(), 0);
}

#[tokio::test]
async fn a_final_refusal_is_an_outcome() {
    let world = World::start().await;
    for (body, reason) in [
        (EXPIRED, "wrong_login_host"),
        (r#"{"error":"inactive_user"}"#, "user_inactive"),
        (r#"{"error":"inactive_org"}"#, "org_inactive"),
        (r#"{"error":"rate_limit_exceeded"}"#, "login_rate"),
        (r#"{"error":"invalid_grant","error_description":"Inactive User."}"#, "user_inactive"),
        (
            r#"{"error":"invalid_client_id","error_description":"External client app isn't installed in this org"}"#,
            "app_blocked",
        ),
        ("error=invalid_grant&error_description=ip+restricted+or+invalid+login+hours", "app_blocked"),
    ] {
        world.token_endpoint_answers([Answer::new(400, body)]);
        assert!(ends(&world, &world.message()).await);
        let outcome = world.last_update();
        assert_eq!(outcome["status"], text("failed"));
        assert_eq!(outcome["reason"], text(reason));
        assert!(body.contains(outcome["salesforce_error"]["S"].as_str().unwrap()));
    }
    assert_eq!(world.tries(), 7);
    assert!(world.stores().is_empty());
}

#[tokio::test]
async fn an_expired_code_is_not_sent() {
    let world = World::start().await;
    let mut message = world.message();
    message["received_at"] = (NOW.millis() - 14 * 60 * 1000).into();
    assert!(ends(&world, &message).await);
    assert_eq!(world.last_update()["reason"], text("code_expired"));
    assert_eq!(world.tries(), 0);
}

#[tokio::test]
async fn an_expired_code_that_may_have_been_used_fails_as_unknown() {
    let world = World::start().await;
    let mut message = world.message();
    message["received_at"] = (NOW.millis() - 14 * 60 * 1000).into();
    let until = number(NOW.millis() - 1);
    let killed = json!({ "status": text("exchanging"), "lease_until": until, "code_sha256": text(CODE_SHA256) });
    world.0.next("GetItem", json!({ "Item": killed }));
    assert!(ends(&world, &message).await);
    assert_eq!(world.calls("UpdateItem").len(), 0, "no claim, which would hide an outcome");
    assert_eq!(world.last_update()["reason"], text("unknown"));
    assert_eq!(world.tries(), 0);
}

#[tokio::test]
async fn a_login_host_that_is_not_allowed_gets_no_code() {
    let world = World::start().await;
    let login_url = "https://evil.my.salesforce.com".parse().unwrap();
    let message = message_of(Claims { login_url, ..world.claims() });
    assert!(!ends(&world, &message).await);
    assert_eq!(world.tries(), 0);
    assert_eq!(world.visibility_timeouts(), [2]);
}

#[tokio::test]
async fn a_refused_callback_ends_with_the_reason() {
    let world = World::start().await;
    let refused = holding(world.message(), "refused", json!("wrong_browser"));
    assert!(ends(&world, &refused).await);
    let outcome = world.last_update();
    assert_eq!((&outcome["status"], &outcome["reason"]), (&text("failed"), &text("wrong_browser")));
    assert_eq!(outcome["link_id"], text(LINK));
    // The right browser was there first.
    world.refuse_next_outcome(&json!({ "status": text("exchanging"), "lease_until": number(NOW.millis() + 9) }));
    assert!(ends(&world, &refused).await);
    assert_eq!(world.tries(), 0);
}

#[tokio::test]
async fn a_refused_code_was_anothers_hosts_while_it_is_young_and_has_expired_when_it_is_old() {
    let world = World::start().await;
    for description in ["expired authorization code", "invalid authorization code", ""] {
        for (seconds, reason) in [(2, "wrong_login_host"), (9 * 60, "wrong_login_host"), (13 * 60, "code_expired")] {
            let mut message = world.message();
            message["received_at"] = (NOW.millis() - seconds * 1000).into();
            let body = json!({ "error": "invalid_grant", "error_description": description });
            world.token_endpoint_answers([Answer::json(400, &body)]);
            assert!(ends(&world, &message).await);
            assert_eq!(world.last_update()["reason"], text(reason), "{description} {seconds}");
        }
    }
}
