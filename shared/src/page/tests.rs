use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};

use super::*;

const TITLE: &Text = &Text::same("Title");

fn in_language<T>(language: Language, make: impl FnOnce(Frame<'_>) -> T) -> T {
    make(Frame { brand: &Brand::default(), language, bot: None })
}

fn in_english<T>(make: impl FnOnce(Frame<'_>) -> T) -> T {
    in_language(Language::English, make)
}

fn plain(title: &Text, body: &Markup) -> Page {
    in_english(|frame| frame.page(Mood::Neutral, title, body))
}

#[test]
fn the_policy_allows_the_pages_style_and_script() {
    let source_hash = |text: &str| format!("sha256-{}", STANDARD.encode(digest(&SHA256, text.as_bytes())));
    let page = plain(TITLE, &html! {});
    let policy = page.policy("'none'");
    assert!(policy.contains(&format!("style-src '{}';", source_hash(STYLE))), "it is {}", source_hash(STYLE));
    assert!(
        policy.contains(&format!("script-src '{}';", source_hash(HIDE_QUERY))),
        "it is {}",
        source_hash(HIDE_QUERY)
    );
    let text = page.html;
    assert!(text.contains(&format!("<script>{HIDE_QUERY}</script>")), "{text}");
    assert!(text.contains(&format!("<style>{STYLE}</style>")), "{text}");
}

fn following() -> Page {
    in_english(|frame| {
        let attempt_id = AttemptId::from_bytes([7; 16]);
        frame.following_page(Mood::Neutral, TITLE, &html! { p { "Now" } }, attempt_id)
    })
}

#[test]
fn only_a_page_that_follows_its_login_may_ask_its_own_host() {
    let hash = STANDARD.encode(digest(&SHA256, FOLLOW.as_bytes()));
    let policy = following().policy("'none'");
    assert!(policy.contains(&format!("script-src 'sha256-{hash}'; connect-src 'self';")), "it is {hash}: {policy}");
    assert!(!plain(TITLE, &html! {}).policy("'none'").contains("connect-src"));
    assert!(!in_english(|frame| frame.retry_page(TITLE, &html! {})).policy("'none'").contains("script-src"));
}

#[test]
fn a_page_that_follows_its_login_has_a_place_for_what_it_is_told() {
    let text = following().html;
    assert!(text.contains(&format!("<script>{FOLLOW}</script>")), "{text}");
    assert!(
        text.contains(r#"<p>Now</p><div role="status" data-attempt="07070707070707070707070707070707"></div></main>"#),
        "{text}"
    );
}

#[test]
fn a_page_escapes_what_is_put_into_it() {
    assert!(plain(&Text::same("<b>"), &html! {}).html.contains("<h1>&lt;b&gt;</h1>"));
}

#[test]
fn a_page_to_reload_keeps_its_query() {
    assert!(!in_english(|frame| frame.retry_page(TITLE, &html! {})).html.contains("replaceState"));
}

#[test]
fn a_page_needs_nothing_from_outside() {
    let back = in_english(|frame| Frame { bot: None, ..frame }.back_to_whatsapp());
    let text = plain(TITLE, &back).html;
    assert!(!text.contains("http"), "{text}");
}

#[test]
fn only_a_page_with_a_preview_has_one() {
    let preview =
        in_english(|frame| frame.page_with_preview(Mood::Neutral, TITLE, &Text::same("What it is."), &html! {}).html);
    assert!(preview.contains(r#"<meta property="og:title" content="Title">"#), "{preview}");
    assert!(preview.contains(r#"<meta property="og:description" content="What it is.">"#), "{preview}");
    assert!(!preview.contains("og:site_name") && !plain(TITLE, &html! {}).html.contains("og:"));
}

#[test]
fn the_link_to_the_chat_has_digits_only() {
    assert_eq!("none".parse::<BotPhoneNumber>(), Err(InvalidBotPhoneNumber));
    let bot = "+1 (415) 523-8886".parse().unwrap();
    let link = in_english(|frame| Frame { bot: Some(&bot), ..frame }.back_to_whatsapp()).into_string();
    assert!(link.contains(r#"href="https://wa.me/14155238886""#), "{link}");
}

#[test]
fn a_text_that_is_typed_in_is_percent_encoded() {
    let bot: BotPhoneNumber = "+14155238886".parse().unwrap();
    let url = bot.chat_url_with("Confirmation code: K7PW-4MXR + é");
    assert_eq!(url, "https://wa.me/14155238886?text=Confirmation%20code%3A%20K7PW-4MXR%20%2B%20%C3%A9");
}

#[test]
fn a_number_is_said_by_its_last_digits() {
    let number = "whatsapp:+5511987654567".parse::<crate::WaId>().unwrap().masked_number().unwrap();
    let text = in_english(|frame| frame.masked_number(&number)).into_string();
    assert!(text.contains(r#"<span aria-hidden="true" dir="ltr">+55 •• ••••• 4567</span>"#), "{text}");
    assert!(text.contains(r#"<span class="spoken">number ending in 4567</span> (Brazil)"#), "{text}");
}

#[test]
fn a_page_says_its_language_and_in_which_direction_it_is_written() {
    for language in Language::ALL {
        let html = in_language(language, |frame| frame.page(Mood::Neutral, &texts::LINK_TITLE, &html! {})).html;
        let is_arabic = language == Language::Arabic;
        let (dir, sign) = if is_arabic { ("rtl", "←") } else { ("ltr", "→") };
        assert!(html.contains(&format!(r#"<html lang="{language}" dir="{dir}">"#)), "{html}");
        assert!(html.contains(&format!(r#"<div class="sign" aria-hidden="true">{sign}</div>"#)), "{html}");
        assert!(html.contains(&format!("<h1>{}</h1>", texts::LINK_TITLE.text(language))), "{html}");
    }
}

#[test]
fn a_number_is_said_in_the_pages_language_and_a_country_in_english_alone() {
    let number = "whatsapp:+5511987654567".parse::<crate::WaId>().unwrap().masked_number().unwrap();
    let text = in_language(Language::Spanish, |frame| frame.masked_number(&number)).into_string();
    assert!(text.contains("número que termina en 4567") && !text.contains("Brazil"), "{text}");
}
