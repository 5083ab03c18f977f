//! Callbacks that are refused although their state is genuine: the browser is told at once, and the chat a little later,
//! unless the right callback follows.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use system::{Browser, Cloud, attempt_of, consent::CONNECTED, new_chat, now_ms, parameter, state::Claims, wait_until};

use crate::faults::first_event;

/// A code that is longer than any of Salesforce's.
const TOO_LONG: usize = 2_049;

/// Salesforce's answer to a press of a new link's button, and the browser that it was pressed in.
async fn approved<'a>(cloud: &'a Cloud, chat: &str) -> (Browser<'a>, String) {
    let mut browser = Browser::new(cloud);
    let callback = browser.approve(&cloud.link(chat).await.url).await;
    (browser, callback)
}

/// The callback without a code, with another parameter in its place.
fn with(callback: &str, name: &str, value: &str) -> String {
    let mut url = url::Url::parse(callback).expect("an address");
    let state = parameter(callback, "state");
    url.query_pairs_mut().clear().append_pair("state", &state).append_pair(name, value);
    url.into()
}

/// Asserts that the callback is refused at once for this reason.
async fn is_refused(browser: &Browser<'_>, callback: &str, error: &str) {
    let answer = browser.visit_as(Method::GET, callback, "application/json").await;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &json!(error)));
}

/// Asserts that nothing was sent to Salesforce, that the chat is told once, and that the link in that message works.
async fn ends_with_a_new_link(cloud: &Cloud, chat: &str, attempt: &str, reason: &str) {
    let journal = cloud.outcome(chat).await;
    assert_eq!(first_event(&journal), ("connection.failed".to_owned(), reason.to_owned(), "relink".to_owned()));
    assert_eq!((journal.count("salesforce.token"), journal.messages().len()), (0, 1), "{reason}");
    let event = journal.events()[0];
    assert_eq!(event["data"]["attempt_id"], attempt);
    let relink = event["data"]["relink_url"].as_str().expect("a new link").to_owned();
    assert!(journal.messages()[0].contains(&relink), "{reason}");
    let table = cloud.stack("main").output("AttemptTableName");
    let item = cloud.item(table, "attempt_id", attempt).await.expect("the attempt");
    assert_eq!((&item["status"]["S"], &item["reason"]["S"]), (&json!("failed"), &json!(reason)));

    let mut browser = Browser::new(cloud);
    let callback = browser.approve(&relink).await;
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);
    let journal = cloud.wait_for(chat, "connected", |journal| journal.messages().len() == 2).await;
    assert_eq!(journal.messages()[1], CONNECTED, "{reason}");
}

#[tokio::test]
async fn a_callback_in_another_browser_ends_with_a_new_link_where_the_right_one_does_not_follow() {
    let cloud = Cloud::read();
    let mut with_another_cookie = Browser::new(&cloud);
    with_another_cookie.press(&cloud.link(&new_chat()).await.url).await;
    join_all([Browser::new(&cloud), with_another_cookie].iter().map(async |wrong| {
        let chat = new_chat();
        let (_, callback) = approved(&cloud, &chat).await;
        let page = wrong.visit(Method::GET, &callback).await;
        assert_eq!(page.status(), StatusCode::BAD_REQUEST);
        assert!(page.text().await.unwrap().contains("Please finish where you began"));
        ends_with_a_new_link(&cloud, &chat, &attempt_of(&callback), "wrong_browser").await;
    }))
    .await;
}

#[tokio::test]
async fn a_callback_after_the_states_end_ends_with_a_new_link() {
    let cloud = Cloud::read();
    let salesforce = cloud.sandbox_url.replace("127.0.0.1", "localhost");
    let main = cloud.stack("main");
    join_all(["code", "error"].map(async |name| {
        let chat = new_chat();
        let (browser, callback) = approved(&cloud, &chat).await;
        let attempt = attempt_of(&callback);
        // A state of the same login that ended a minute ago.
        let claims =
            Claims { attempt: &attempt, chat: &chat, login_url: &salesforce, received_at: now_ms() - 11 * 60_000 };
        let state = cloud.sign_state(main, claims).await;
        let mut late = url::Url::parse(&callback).unwrap();
        late.query_pairs_mut().clear().append_pair("state", &state).append_pair(name, "access_denied");
        is_refused(&browser, late.as_str(), "expired_state").await;
        ends_with_a_new_link(&cloud, &chat, &attempt, "expired_state").await;
    }))
    .await;
}

#[tokio::test]
async fn a_callback_that_brings_nothing_of_use_ends_with_a_new_link() {
    let cloud = Cloud::read();
    join_all((0..useless("http://localhost/?state=").len()).map(async |index| {
        let chat = new_chat();
        let (browser, callback) = approved(&cloud, &chat).await;
        let (useless, error) = &useless(&callback)[index];
        is_refused(&browser, useless, error).await;
        ends_with_a_new_link(&cloud, &chat, &attempt_of(&callback), "invalid_callback").await;
    }))
    .await;
}

/// Callbacks with the state of this one, and how they are answered.
fn useless(callback: &str) -> [(String, &'static str); 5] {
    [
        (with(callback, "nothing", "here"), "missing_code"),
        (with(callback, "code", ""), "missing_code"),
        (format!("{callback}&code=another"), "duplicate_parameter"),
        (format!("{}&error=another", with(callback, "error", "access_denied")), "duplicate_parameter"),
        (with(callback, "code", &"c".repeat(TOO_LONG)), "too_long"),
    ]
}

#[tokio::test]
async fn where_the_right_browser_follows_at_once_nothing_is_said_of_refused_callbacks() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    let (browser, callback) = approved(&cloud, &chat).await;
    is_refused(&Browser::new(&cloud), &callback, "wrong_browser").await;
    is_refused(&browser, &with(&callback, "nothing", "here"), "missing_code").await;
    is_refused(&browser, &format!("{callback}&code=another"), "duplicate_parameter").await;
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);

    assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED]);
    // The refusals have been processed once a later one has: they are delayed alike.
    let later = new_chat();
    let (_, callback) = approved(&cloud, &later).await;
    is_refused(&Browser::new(&cloud), &callback, "wrong_browser").await;
    cloud.outcome(&later).await;
    let journal = cloud.journal(&chat).await;
    assert_eq!((journal.messages().len(), journal.events().len()), (1, 1));
    assert_eq!(cloud.statuses(main, &chat).await, ["connected"]);
}

/// Anybody can make a plain state, and so a failure, for any chat.
#[tokio::test]
async fn nobody_is_messaged_of_a_failure_with_a_plain_state() {
    let cloud = Cloud::read();
    let (plain, chat) = (cloud.stack("plain"), new_chat());
    let browser = Browser::new(&cloud);
    let callback = format!("{}?state=wa:{chat}", plain.output("CallbackUrl"));
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::BAD_REQUEST);
    for answer in ["code=aPrxBogus==", "error=access_denied"] {
        browser.visit(Method::GET, &format!("{callback}&{answer}")).await;
    }
    wait_until("both outcomes", async || {
        let attempts = cloud.attempts(plain, &chat).await;
        let is_settled = |item: &Value| item["notified_at"]["N"].is_string();
        (attempts.len() == 2 && attempts.iter().all(is_settled)).then_some(())
    })
    .await;
    assert_eq!(cloud.statuses(plain, &chat).await, ["failed", "failed"]);
    assert_eq!(cloud.journal(&chat).await.meta_messages().len(), 0);
}
