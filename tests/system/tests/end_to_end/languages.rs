//! The language of a link, deployed: pages, messages and events are in it, and new links carry it on.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use system::{Browser, Cloud, Link, new_chat};

async fn link_in(cloud: &Cloud, chat: &str, language: &str) -> Link {
    let answer = cloud.ask_for_link("main", json!({"wa_id": chat, "language": language})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.unwrap()
}

/// Somebody logs in over the link, and allows or denies; the last page.
async fn answers(cloud: &Cloud, link: &str, allow: bool) -> String {
    let mut browser = Browser::new(cloud);
    let authorize_url = browser.press(link).await;
    let callback = browser.log_in(&authorize_url, allow).await;
    browser.visit(Method::GET, &callback).await.text().await.unwrap()
}

/// The page behind a link, as a browser gets it that prefers this language.
async fn page_of(cloud: &Cloud, link: &str, accepted: &str) -> String {
    let request = cloud.client().get(link).header("accept", "text/html").header("accept-language", accepted);
    request.send().await.unwrap().text().await.unwrap()
}

/// The chat's event and message with this number, counted from 1.
async fn told(cloud: &Cloud, chat: &str, number: usize) -> (Value, String) {
    let journal = cloud
        .wait_for(chat, "a message and an event", |journal| {
            journal.events().len() >= number && journal.messages().len() >= number
        })
        .await;
    (journal.events()[number - 1].clone(), journal.whole_messages()[number - 1].to_owned())
}

#[tokio::test]
async fn a_person_is_told_in_the_language_of_their_link_and_new_links_carry_it_on() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let link = link_in(&cloud, &chat, "hi-IN").await.url;
    let page = page_of(&cloud, &link, "de").await;
    assert!(page.contains(r#"<html lang="hi" dir="ltr">"#) && page.contains("Salesforce जोड़ें"), "{page}");
    let page = answers(&cloud, &link, false).await;
    assert!(page.contains("<h1>नहीं जुड़ा</h1>"), "{page}");
    let (failed, message) = told(&cloud, &chat, 1).await;
    assert_eq!((&failed["data"]["reason"], &failed["data"]["language"]), (&json!("denied"), &json!("hi")));
    let user_message = failed["data"]["user_message"].as_str().unwrap();
    assert!(user_message.starts_with("आपका Salesforce अकाउंट नहीं जोड़ा गया"), "{user_message}");
    assert!(message.contains("आपका Salesforce अकाउंट नहीं जोड़ा गया"), "{message}");

    let page = answers(&cloud, failed["data"]["relink_url"].as_str().unwrap(), true).await;
    assert!(page.contains("लगभग हो गया: WhatsApp पर वापस जाएँ"), "{page}");
    let (created, message) = told(&cloud, &chat, 2).await;
    assert_eq!((&created["type"], &created["data"]["language"]), (&json!("connection.created"), &json!("hi")));
    assert!(message.contains("✅ आपका Salesforce अकाउंट अब जुड़ गया है!"), "{message}");

    let ended = cloud.call("main", "disconnect", json!({"wa_id": chat})).await;
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    let (revoked, message) = told(&cloud, &chat, 3).await;
    assert_eq!((&revoked["type"], &revoked["data"]["language"]), (&json!("connection.revoked"), &json!("hi")));
    assert!(message.contains("आपका Salesforce अकाउंट अब जुड़ा नहीं है।"), "{message}");
}

#[tokio::test]
async fn a_page_of_a_link_without_a_language_is_in_the_browsers() {
    let cloud = Cloud::read();
    let link = cloud.link(&new_chat()).await.url;
    let page = page_of(&cloud, &link, "zh, ar;q=0.9, de;q=0.5").await;
    assert!(page.contains(r#"<html lang="ar" dir="rtl">"#) && page.contains("<h1>ربط Salesforce</h1>"), "{page}");
    assert!(page_of(&cloud, &link, "zh").await.contains(r#"<html lang="en" dir="ltr">"#));
}

#[tokio::test]
async fn who_asks_for_a_language_without_texts_is_told_in_the_default_one() {
    let cloud = Cloud::read();
    let chat = new_chat();
    answers(&cloud, &link_in(&cloud, &chat, "zh-Hant-TW").await.url, true).await;
    let (created, message) = told(&cloud, &chat, 1).await;
    assert_eq!(created["data"].get("language"), None);
    assert!(message.contains("✅ Your Salesforce account is now connected!"), "{message}");
}
