//! The language of the page after a login: the link's, as the state says, else the browser's, else the operator's.

use shared::{Language, texts};

use super::*;

/// A callback of a link's login in this language, in a browser that prefers another.
fn callback_in(language: Option<Language>, accepted: &str) -> Value {
    let claims = link_claims();
    let link = claims.link.map(|link| LinkOrigin { language, ..link });
    let mut event = callback(Claims { link, ..claims }, &[("code", SAMPLE_CODE)]);
    event["headers"]["accept-language"] = accepted.into();
    event
}

async fn page(receiver: &Receiver, event: &Value) -> String {
    text(&call(receiver, event).await).to_owned()
}

#[tokio::test]
async fn the_page_is_in_the_language_of_the_link() {
    let page = page(&receiver(&aws().await), &callback_in(Some(Language::Hindi), "de")).await;
    assert!(page.contains(r#"<html lang="hi" dir="ltr">"#), "{page}");
    assert!(page.contains(texts::CALLBACK_WAIT.text(Language::Hindi)), "{page}");
}

#[tokio::test]
async fn the_page_of_a_link_without_a_language_is_in_the_browsers_or_the_operators() {
    let receiver = receiver_with(&aws().await, &[("DEFAULT_LANGUAGE", "fr")]);
    for (accepted, language) in [("zh, de;q=0.5", Language::German), ("zh", Language::French)] {
        let page = page(&receiver, &callback_in(None, accepted)).await;
        assert!(page.contains(texts::CALLBACK_WAIT.text(language)), "{accepted}: {page}");
    }
}

#[tokio::test]
async fn a_refusal_is_in_the_language_of_the_link_too() {
    let mut event = callback_in(Some(Language::Spanish), "de");
    event["cookies"] = json!([]);
    let page = page(&receiver(&aws().await), &event).await;
    assert!(page.contains(texts::CALLBACK_WRONG_BROWSER.text(Language::Spanish)), "{page}");
}

#[tokio::test]
async fn a_page_in_arabic_shows_its_code_from_left_to_right() {
    let page = page(&proving(&aws().await), &callback_in(Some(Language::Arabic), "en")).await;
    assert!(page.contains(r#"<html lang="ar" dir="rtl">"#), "{page}");
    assert!(page.contains(r#"<p class="code" translate="no" dir="ltr">"#), "{page}");
    assert!(page.contains(texts::CONFIRM_TITLE.text(Language::Arabic)), "{page}");
}
