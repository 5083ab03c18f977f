//! What the page after a login is told: how the login stands, and what the page shows then, in its language.
//!
//! Nothing in it is about a person. Where a text names the chat, the page, which has its number, puts it in.

use serde_json::{Map, Value, json};
use shared::{
    Next,
    page::{Frame, Mood},
    texts::{self, ResultConnectedTextNamed, Text},
};

use crate::login_status::LoginStatus;

/// Stands for the chat's number (U+FFFC OBJECT REPLACEMENT CHARACTER).
const NUMBER: &str = "\u{fffc}";

/// The answer: `status`; `next` where something helps; and `page` where the page is to show something else than before, or
/// something beside it.
pub(crate) fn answer(status: LoginStatus, frame: Frame<'_>) -> Value {
    let mut answer = Map::from_iter([("status".to_owned(), status.label().into())]);
    if let Some(next) = status.next() {
        answer.insert("next".to_owned(), json!(next));
    }
    if let Some(page) = page(status, frame) {
        answer.insert("page".to_owned(), page);
    }
    answer.into()
}

fn page(status: LoginStatus, frame: Frame<'_>) -> Option<Value> {
    let (mood, title, text) = texts_of(status)?;
    let mut page = json!({ "mood": mood.class(), "text": text.text(frame.language) });
    if let Some(title) = title {
        page["title"] = title.text(frame.language).into();
        page["sign"] = mood.sign(frame.language.direction()).into();
        if let Some(bot) = frame.bot {
            page["button"] = json!({ "text": texts::PAGE_BACK.text(frame.language), "url": bot.chat_url() });
        }
    }
    if status == LoginStatus::Connected {
        page["text_named"] = ResultConnectedTextNamed { number: NUMBER }.text(frame.language).into();
    }
    Some(page)
}

/// The mood, the heading and the text. A delay has no heading: it stands beside what the page has shown before.
fn texts_of(status: LoginStatus) -> Option<(Mood, Option<&'static Text>, &'static Text)> {
    let (title, text) = match status {
        LoginStatus::Pending { is_delayed: false } | LoginStatus::Unconfirmed => return None,
        LoginStatus::Pending { is_delayed: true } => return Some((Mood::Neutral, None, &texts::RESULT_DELAYED)),
        LoginStatus::Connected => {
            return Some((Mood::Good, Some(&texts::RESULT_CONNECTED), &texts::RESULT_CONNECTED_TEXT));
        }
        LoginStatus::Failed { next: Some(Next::Relink) } => (&texts::RESULT_RELINK, &texts::RESULT_RELINK_TEXT),
        LoginStatus::Failed { next: Some(Next::ContactAdmin) } => {
            (&texts::RESULT_CONTACT_ADMIN, &texts::RESULT_CONTACT_ADMIN_TEXT)
        }
        LoginStatus::Failed { next: Some(Next::Wait) } => (&texts::RESULT_WAIT, &texts::RESULT_WAIT_TEXT),
        LoginStatus::Failed { next: None } => (&texts::RESULT_FAILED, &texts::RESULT_FAILED_TEXT),
    };
    Some((Mood::Bad, Some(title), text))
}

#[cfg(test)]
mod tests {
    use shared::{
        Language,
        page::{BotPhoneNumber, Brand},
    };

    use super::*;

    fn page_of(status: LoginStatus, language: Language) -> Value {
        let bot: BotPhoneNumber = "+14155238886".parse().unwrap();
        answer(status, Frame { brand: &Brand::default(), language, bot: Some(&bot) })["page"].clone()
    }

    #[test]
    fn every_failure_says_so_and_leads_back_to_the_chat() {
        for next in [Some(Next::Relink), Some(Next::ContactAdmin), Some(Next::Wait), None] {
            let page = page_of(LoginStatus::Failed { next }, Language::English);
            assert!(page["title"].as_str().unwrap().starts_with("Not connected"), "{page}");
            let back = json!({ "text": "Back to WhatsApp", "url": "https://wa.me/14155238886" });
            assert_eq!((&page["button"], &page["mood"], &page["sign"]), (&back, &json!("bad"), &json!("!")));
        }
    }

    #[test]
    fn a_delay_has_no_heading_since_it_stands_beside_the_page() {
        let page = page_of(LoginStatus::Pending { is_delayed: true }, Language::English);
        assert_eq!(page.as_object().unwrap().keys().collect::<Vec<_>>(), ["mood", "text"]);
    }

    #[test]
    fn a_page_is_told_nothing_to_show_while_nothing_is_known() {
        assert_eq!(page_of(LoginStatus::Pending { is_delayed: false }, Language::English), Value::Null);
        assert_eq!(page_of(LoginStatus::Unconfirmed, Language::English), Value::Null);
    }

    #[test]
    fn the_page_puts_the_number_in_where_a_text_has_a_place_for_it() {
        for language in Language::ALL {
            let page = page_of(LoginStatus::Connected, language);
            let named = page["text_named"].as_str().unwrap();
            assert_eq!(named.matches(NUMBER).count(), 1, "{language}: {named}");
            assert!(!page["text"].as_str().unwrap().contains(NUMBER), "{language}: {page}");
        }
    }

    #[test]
    fn what_a_page_shows_as_it_is_has_nothing_in_it_that_is_to_be_strong() {
        for (status, language) in
            LoginStatus::ALL.into_iter().flat_map(|it| Language::ALL.map(|language| (it, language)))
        {
            assert!(!page_of(status, language).to_string().contains('*'), "{status:?}, {language}");
        }
    }
}
