//! Links in wrong hands: forwarded, stolen, approved and not confirmed, confirmed from elsewhere. No token ever stands under a
//! chat that did not send the code.

use futures::{future::join_all, join};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use system::{Browser, Cloud, attempt_of, consent::CONNECTED, new_chat, new_scoped_chat, proof::Answer, wait_until};

use super::{nothing_is_connected, only_event};

/// Asserts that the sender is warned, and gets no link.
fn is_warning(answer: &Answer) {
    assert_eq!((answer.status, answer.result()), (StatusCode::CONFLICT, "wrong_chat"));
    assert!(!answer.user_message().is_empty() && !answer.user_message().contains("http"), "{answer:?}");
}

/// Asserts that the link's chat hears that its login came from another chat, and gets no link.
async fn ends_with_wrong_chat(cloud: &Cloud, chat: &str, attempt: &str) {
    let item = cloud.proof_outcome(attempt).await;
    assert_eq!((&item["status"]["S"], &item["reason"]["S"]), (&json!("failed"), &json!("wrong_chat")));
    let journal = cloud.journal(chat).await;
    let of_attempt = |event: &&&Value| event["data"]["attempt_id"] == *attempt;
    let events = journal.events();
    let about: Vec<_> = events.iter().filter(of_attempt).collect();
    assert_eq!(about.len(), 1);
    assert_eq!((&about[0]["type"], &about[0]["data"]["reason"]), (&json!("connection.failed"), &json!("wrong_chat")));
    assert_eq!((&about[0]["data"]["next"], &about[0]["data"]["relink_url"]), (&Value::Null, &Value::Null));
    assert!(!journal.messages().iter().any(|message| message.contains("/connect/")), "{:?}", journal.messages());
    cloud.settled(attempt).await;
}

#[tokio::test]
async fn a_forwarded_link_connects_nobody_and_warns_who_approved() {
    forwarded(Cloud::read(), new_chat(), new_chat()).await;
}

#[tokio::test]
async fn a_link_that_is_forwarded_among_chats_at_meta_connects_nobody_and_warns_who_approved() {
    let cloud = || Cloud::read().by_meta();
    join!(forwarded(cloud(), new_scoped_chat(), new_scoped_chat()), forwarded(cloud(), new_chat(), new_scoped_chat()));
}

async fn forwarded(cloud: Cloud, attacker: String, victim: String) {
    let link = cloud.proof_link(&attacker).await;
    let login = cloud.held_over(&link).await;
    is_warning(&cloud.sends_code(&victim, &login.code).await);

    ends_with_wrong_chat(&cloud, &attacker, &login.attempt).await;
    only_event(&cloud.journal(&attacker).await);
    assert_eq!(cloud.journal(&attacker).await.messages().len(), 1);
    nothing_is_connected(&cloud, &attacker).await;
    assert_eq!(cloud.proof_row(&victim).await, None);
    // Whoever gets to know the code afterwards.
    let late = cloud.sends_code(&attacker, &login.code).await;
    assert_eq!((late.status, late.result()), (StatusCode::NOT_FOUND, "unknown_code"));
    is_warning(&cloud.sends_code(&victim, &login.code).await);
    assert_eq!(cloud.proof_row(&attacker).await, None);
}

#[tokio::test]
async fn a_login_that_nobody_confirms_is_revoked_and_its_chat_gets_a_link_that_works() {
    unconfirmed(Cloud::read(), new_chat()).await;
}

#[tokio::test]
async fn a_login_that_nobody_confirms_at_meta_is_revoked_and_its_chat_gets_a_link_that_works() {
    unconfirmed(Cloud::read().by_meta(), new_scoped_chat()).await;
}

async fn unconfirmed(cloud: Cloud, chat: String) {
    let login = cloud.held_over(&cloud.proof_link(&chat).await).await;
    let item = cloud.proof_outcome(&login.attempt).await;
    assert_eq!((&item["status"]["S"], &item["reason"]["S"]), (&json!("failed"), &json!("unconfirmed")));
    let journal = cloud.outcome(&chat).await;
    let event = only_event(&journal);
    let about = &event["data"];
    assert_eq!(
        (&event["type"], &about["reason"], &about["next"]),
        (&json!("connection.unconfirmed"), &json!("unconfirmed"), &json!("relink"))
    );
    let relink = about["relink_url"].as_str().expect("a link").to_owned();
    assert_eq!(journal.messages().len(), 1);
    assert!(journal.messages()[0].ends_with(&relink), "{:?}", journal.messages());
    cloud.settled(&login.attempt).await;
    nothing_is_connected(&cloud, &chat).await;

    let late = cloud.sends_code(&chat, &login.code).await;
    assert_eq!((late.status, late.result()), (StatusCode::NOT_FOUND, "unknown_code"));
    assert_ne!(late.user_message(), "");
    let link = system::Link { url: relink, link_id: String::new(), expires_at: String::new() };
    let again = cloud.held_over(&link).await;
    assert_eq!(cloud.sends_code(&chat, &again.code).await.status, StatusCode::OK);
    let journal = cloud.wait_for(&chat, "connected", |journal| journal.messages().len() == 2).await;
    assert_eq!(journal.messages()[1], CONNECTED);
}

#[tokio::test]
async fn a_stolen_link_connects_nothing_to_its_owners_chat() {
    stolen(&Cloud::read(), new_chat).await;
}

#[tokio::test]
async fn a_link_that_is_stolen_from_a_chat_at_meta_connects_nothing_to_it() {
    stolen(&Cloud::read().by_meta(), new_scoped_chat).await;
}

/// The owner of the link is connected already, and stays so. The thief sends the code, or nobody does.
async fn stolen(cloud: &Cloud, chat: fn() -> String) {
    join_all([true, false].map(async |is_sent| {
        let (owner, thief) = (chat(), chat());
        cloud.connect_with_proof(&owner).await;
        let row = cloud.proof_row(&owner).await.expect("a row");
        let link = cloud.proof_link(&owner).await;
        let login = cloud.held_over(&link).await;
        assert_eq!(cloud.proof_row(&owner).await.as_ref(), Some(&row));
        if is_sent {
            is_warning(&cloud.sends_code(&thief, &login.code).await);
            ends_with_wrong_chat(cloud, &owner, &login.attempt).await;
        } else {
            assert_eq!(cloud.proof_outcome(&login.attempt).await["reason"]["S"], "unconfirmed");
        }
        cloud.wait_for(&owner, "the revocation", |journal| journal.succeeded("salesforce.revoke") == 1).await;
        assert_eq!(cloud.proof_row(&owner).await, Some(row.clone()));
        assert_eq!(cloud.proof_row(&thief).await, None);
        let [access_token, _] = cloud.tokens_of(&row).await;
        assert!(cloud.is_live(row["instance_url"]["S"].as_str().unwrap(), &access_token).await);
        assert_eq!(cloud.live_tokens(&owner).await.len(), 1);
        assert_eq!(cloud.proof_status(&owner).await["status"], "connected");

        // The link is its owner's still.
        let own = cloud.held_over(&link).await;
        assert_eq!(cloud.sends_code(&owner, &own.code).await.status, StatusCode::OK);
        assert_eq!(cloud.proof_outcome(&own.attempt).await["status"]["S"], "connected");
    }))
    .await;
}

/// The attacker presses the button, and forwards the login and not the link.
#[tokio::test]
async fn a_login_that_comes_back_in_another_browser_shows_no_code() {
    let cloud = Cloud::read();
    let mut with_another_cookie = Browser::new(&cloud);
    with_another_cookie.press(&cloud.proof_link(&new_chat()).await.url).await;
    join_all([Browser::new(&cloud), with_another_cookie].map(async |victim| {
        let chat = new_chat();
        let mut attacker = Browser::new(&cloud);
        let authorize_url = attacker.press(&cloud.proof_link(&chat).await.url).await;
        let callback = victim.log_in(&authorize_url, true).await;
        let answer = victim.visit_as(Method::GET, &callback, "application/json").await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!((&answer["error"], &answer["confirmation_code"]), (&json!("wrong_browser"), &Value::Null));

        let attempt = attempt_of(&callback);
        assert_eq!(cloud.proof_outcome(&attempt).await["reason"]["S"], "wrong_browser");
        assert_eq!(cloud.pending("attempt_id", &attempt).await, None);
        let journal = cloud.outcome(&chat).await;
        assert_eq!(only_event(&journal)["data"]["next"], "relink");
        assert_eq!(journal.count("salesforce.token"), 0);
    }))
    .await;
}

/// What was approved before the person ended their connection does not connect the chat again.
#[tokio::test]
async fn a_login_that_is_confirmed_after_a_disconnect_connects_nothing() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.connect_with_proof(&chat).await;
    let login = cloud.held_over(&cloud.proof_link(&chat).await).await;
    // A link's time is known to the second.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let ended = cloud.call("proof", "disconnect", json!({"wa_id": chat})).await;
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);

    assert_eq!(cloud.sends_code(&chat, &login.code).await.status, StatusCode::OK);
    let item = cloud.proof_outcome(&login.attempt).await;
    assert_eq!((&item["status"]["S"], &item["reason"]["S"]), (&json!("failed"), &json!("outdated_link")));
    cloud.settled(&login.attempt).await;
    assert_eq!(cloud.proof_status(&chat).await["status"], "ended");
    wait_until("no live token", async || cloud.live_tokens(&chat).await.is_empty().then_some(())).await;
}

/// The code is one of the browser and of the login: a second press in the same browser has another.
#[tokio::test]
async fn the_code_of_one_login_confirms_no_other_of_the_chat() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let link = cloud.proof_link(&chat).await;
    let first = cloud.held_over(&link).await;
    let second = cloud.held_over(&link).await;
    assert_ne!(first.code, second.code);
    assert_eq!(cloud.sends_code(&chat, &second.code).await.status, StatusCode::OK);
    cloud.outcome(&chat).await;
    let row = cloud.proof_row(&chat).await.expect("a row");
    assert_eq!(row["username"]["S"], second.browser.username());
    let item = cloud.proof_outcome(&first.attempt).await;
    assert_eq!(item["status"]["S"], "failed");
    let reason = item["reason"]["S"].as_str().expect("a reason");
    assert!(["unconfirmed", "superseded"].contains(&reason), "{reason}");
    assert_eq!(cloud.proof_row(&chat).await.expect("a row")["attempt_id"], row["attempt_id"]);
    wait_until("one live token", async || (cloud.live_tokens(&chat).await.len() == 1).then_some(())).await;
}
