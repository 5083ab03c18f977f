//! The language of a page: the link's, else the browser's, else the operator's.

use shared::texts;

use super::*;

async fn link_in(function: &Function, language: Value) -> String {
    let made = call(&function.connect_link, link_request(&json!({ "wa_id": CHAT, "language": language }))).await;
    json_of(&made)["url"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned()
}

/// The page behind the link, as this browser gets it.
async fn page(function: &ConnectLink, link: &str, accepted: &str) -> String {
    let shown = call(function, connect("GET", link, &json!({ "accept-language": accepted }))).await;
    text(&shown).to_owned()
}

fn is_in(page: &str, language: Language) {
    assert!(page.contains(&format!(r#"<html lang="{language}""#)), "{language}: {page}");
}

#[tokio::test]
async fn a_page_is_in_the_language_of_its_link_whatever_the_browser_prefers() {
    let function = Function::start().await;
    let link = link_in(&function, "hi".into()).await;
    let page = page(&function.connect_link, &link, "de").await;
    is_in(&page, Language::Hindi);
    for said in [&texts::LINK_TITLE, &texts::LINK_CHAT, &texts::LINK_CONTINUE, &texts::LINK_FOREIGN] {
        assert!(page.contains(said.text(Language::Hindi)), "{page}");
    }
}

#[tokio::test]
async fn a_page_of_a_link_without_a_language_is_in_the_browsers() {
    let function = Function::start().await;
    for of_link in [Value::Null, "zh".into()] {
        let link = link_in(&function, of_link).await;
        is_in(&page(&function.connect_link, &link, "zh, fr-CA;q=0.9, en;q=0.1").await, Language::French);
        is_in(&page(&function.connect_link, &link, "zh").await, Language::English);
    }
}

#[tokio::test]
async fn where_neither_says_a_language_the_page_is_in_the_operators() {
    let aws = Server::start().await.with_kms().with_secrets(&[]);
    let connect_link = started(&aws, &[("DEFAULT_LANGUAGE", "id")], || NOW).await;
    is_in(&page(&connect_link, "nonsense", "").await, Language::Indonesian);
}

#[tokio::test]
async fn a_page_in_arabic_is_written_from_right_to_left() {
    let function = Function::start().await;
    let link = link_in(&function, "ar-EG".into()).await;
    let page = page(&function.connect_link, &link, "en").await;
    assert!(page.contains(r#"<html lang="ar" dir="rtl">"#), "{page}");
    assert!(page.contains(r#"<span aria-hidden="true" dir="ltr">+1 ••• ••• 4567</span>"#), "{page}");
    assert!(page.contains(r#"<strong dir="ltr">login.salesforce.com</strong>"#), "{page}");
}

#[tokio::test]
async fn a_link_that_has_expired_says_so_in_its_own_language() {
    let function = Function::start().await;
    let link = link_in(&function, "pt-BR".into()).await;
    let later = started(&function.aws, &[], || AFTER_THE_LINK).await;
    let page = page(&later, &link, "de").await;
    assert!(page.contains(texts::LINK_EXPIRED.text(Language::Portuguese)), "{page}");
}

#[tokio::test]
async fn a_refusal_of_no_link_is_in_the_browsers_language() {
    let function = Function::start().await;
    let page = page(&function.connect_link, "nonsense", "es").await;
    assert!(page.contains(texts::LINK_USELESS.text(Language::Spanish)), "{page}");
}

#[tokio::test]
async fn a_press_that_another_site_sends_is_refused_in_the_language_of_the_link() {
    let function = Function::start().await;
    let link = link_in(&function, "ar".into()).await;
    let headers = json!({ "accept-language": "de", "sec-fetch-site": "cross-site" });
    let refused = call(&function.connect_link, connect("POST", &link, &headers)).await;
    assert_eq!(refused.status_code, 403);
    is_in(text(&refused), Language::Arabic);
}
