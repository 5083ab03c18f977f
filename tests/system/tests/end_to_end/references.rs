//! The bot's own reference of a person, deployed: given with a link, given back with everything that is said of the chat.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use system::{Browser, Cloud, Link, new_chat};

/// Of this chat alone: logs are searched for it.
fn reference_of(chat: &str) -> String {
    format!("Zoë 🦀 crm/{}", &chat[10..])
}

async fn link(cloud: &Cloud, chat: &str, reference: &str) -> Link {
    let answer = cloud.ask_for_link("main", json!({"wa_id": chat, "reference": reference})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.unwrap()
}

/// Somebody logs in over the link, and allows or denies.
async fn answers(cloud: &Cloud, link: &str, allow: bool) {
    let mut browser = Browser::new(cloud);
    let authorize_url = browser.press(link).await;
    let callback = browser.log_in(&authorize_url, allow).await;
    let page = browser.visit(Method::GET, &callback).await;
    assert_eq!(page.status(), if allow { StatusCode::OK } else { StatusCode::BAD_REQUEST });
}

/// The chat's event with this number, counted from 1.
async fn event(cloud: &Cloud, chat: &str, number: usize) -> Value {
    let journal = cloud.wait_for(chat, "an event", |journal| journal.events().len() >= number).await;
    journal.events()[number - 1].clone()
}

async fn status(cloud: &Cloud, chat: &str) -> Value {
    cloud.call("main", "status", json!({"wa_id": chat})).await.json().await.unwrap()
}

fn relink(event: &Value) -> &str {
    event["data"]["relink_url"].as_str().expect("a new link")
}

#[tokio::test]
async fn a_reference_comes_back_in_the_life_of_a_connection_and_by_its_new_link() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let reference = reference_of(&chat);
    answers(&cloud, &link(&cloud, &chat, &reference).await.url, true).await;
    let created = event(&cloud, &chat, 1).await;
    assert_eq!((&created["type"], &created["data"]["reference"]), (&json!("connection.created"), &json!(reference)));
    let connected = status(&cloud, &chat).await;
    assert_eq!((&connected["status"], &connected["reference"]), (&json!("connected"), &json!(reference)));

    let ended = cloud.call("main", "disconnect", json!({"wa_id": chat})).await;
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    let revoked = event(&cloud, &chat, 2).await;
    assert_eq!((&revoked["type"], &revoked["data"]["reference"]), (&json!("connection.revoked"), &json!(reference)));
    let ended = status(&cloud, &chat).await;
    assert_eq!((&ended["status"], &ended["reference"]), (&json!("ended"), &json!(reference)));

    answers(&cloud, relink(&revoked), true).await;
    let again = event(&cloud, &chat, 3).await;
    assert_eq!((&again["type"], &again["data"]["reference"]), (&json!("connection.created"), &json!(reference)));
    let lines = cloud.log_lines().await;
    assert!(!lines.iter().any(|line| line.contains(&reference)), "a reference in a log");
}

#[tokio::test]
async fn a_failure_gives_the_reference_back_and_its_new_link_carries_it_on() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let reference = reference_of(&chat);
    answers(&cloud, &link(&cloud, &chat, &reference).await.url, false).await;
    let failed = event(&cloud, &chat, 1).await;
    assert_eq!((&failed["data"]["reason"], &failed["data"]["reference"]), (&json!("denied"), &json!(reference)));
    answers(&cloud, relink(&failed), true).await;
    let created = event(&cloud, &chat, 2).await;
    assert_eq!((&created["type"], &created["data"]["reference"]), (&json!("connection.created"), &json!(reference)));
}

#[tokio::test]
async fn a_new_links_reference_replaces_the_connections_and_a_link_without_one_keeps_it() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let [first, second] = ["first", "second"].map(|which| format!("{which} {}", reference_of(&chat)));
    answers(&cloud, &link(&cloud, &chat, &first).await.url, true).await;
    assert_eq!(event(&cloud, &chat, 1).await["data"]["reference"], first);
    answers(&cloud, &link(&cloud, &chat, &second).await.url, true).await;
    assert_eq!(event(&cloud, &chat, 2).await["data"]["reference"], second);
    answers(&cloud, &cloud.link(&chat).await.url, true).await;
    let renewed = event(&cloud, &chat, 3).await;
    assert_eq!((&renewed["type"], &renewed["data"]["reference"]), (&json!("connection.renewed"), &json!(second)));
    assert_eq!(status(&cloud, &chat).await["reference"], second);
}
