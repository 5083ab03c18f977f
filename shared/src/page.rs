//! The pages that people see: small, without outside assets, with nothing from the request in them.

use std::str::FromStr;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use url::form_urlencoded;

use crate::wa_id::MaskedNumber;

/// Removes the query, which holds the code, from the address bar and the history.
const HIDE_QUERY: &str = "history.replaceState(null,'',location.pathname)";

const STYLE: &str = include_str!("page.css");

/// The hashes of [`STYLE`] and [`HIDE_QUERY`] (CSP Level 3 §2.3.1): to compute them took a fourteenth of a warm token call.
/// A test names the right values.
const STYLE_HASH: &str = "sha256-nGFV58tRuEapWeTh9GHurJo1ENWKNl1j43+4sP1k+Js=";
const HIDE_QUERY_HASH: &str = "sha256-UBodp8UhLR9ASBc1PNRKcs3r2CjAFWxCbrUGPN7u1jo=";

/// Headers of every response, pages and JSON alike: it is not cached, its address is not sent on as a referrer, its
/// content type is not guessed, and no window of another site that opened it, or that it opened, holds a reference to it.
pub const SECURITY_HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-opener-policy", "same-origin"),
    ("strict-transport-security", "max-age=31536000"),
];

/// The Content-Security-Policy of the pages: it allows their own style and script, by hash, and nothing else.
/// `form_action` lists the sources that a form may lead to, e.g. `'self'`.
#[must_use]
pub fn content_security_policy(form_action: &str) -> String {
    format!(
        "default-src 'none'; style-src '{STYLE_HASH}'; script-src '{HIDE_QUERY_HASH}'; form-action {form_action}; \
         base-uri 'none'; frame-ancestors 'none'"
    )
}

/// How the page looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Success.
    Good,
    /// The person has to do something.
    Neutral,
    /// Failure.
    Bad,
}

/// A whole page: a heading and the body under it. Its script removes the query from the address bar.
#[must_use]
pub fn page(mood: Mood, title: &str, body: &Markup) -> String {
    render(mood, title, body, true)
}

/// A page that can be reloaded: the address keeps its query.
#[must_use]
pub fn retry_page(title: &str, body: &Markup) -> String {
    render(Mood::Bad, title, body, false)
}

fn render(mood: Mood, title: &str, body: &Markup, hide_query: bool) -> String {
    let (class, sign) = match mood {
        Mood::Good => ("good", "✓"),
        Mood::Neutral => ("neutral", "→"),
        Mood::Bad => ("bad", "!"),
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main class=(class) {
                    div.sign aria-hidden="true" { (sign) }
                    h1 { (title) }
                    (body)
                }
                @if hide_query {
                    script { (PreEscaped(HIDE_QUERY)) }
                }
            }
        }
    }
    .into_string()
}

/// The bot's phone number in the form of `wa.me`: 5 to 15 digits
/// (<https://faq.whatsapp.com/5913398998672934>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotPhoneNumber(String);

/// The text has too few digits, or too many, for a phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a phone number")]
pub struct InvalidBotPhoneNumber;

impl FromStr for BotPhoneNumber {
    type Err = InvalidBotPhoneNumber;

    /// Drops everything but the digits.
    fn from_str(text: &str) -> Result<Self, InvalidBotPhoneNumber> {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if (5..=15).contains(&digits.len()) { Ok(Self(digits)) } else { Err(InvalidBotPhoneNumber) }
    }
}

impl BotPhoneNumber {
    /// The address that opens the chat in WhatsApp.
    #[must_use]
    pub fn chat_url(&self) -> String {
        format!("https://wa.me/{}", self.0)
    }

    /// The address that opens the chat in WhatsApp with this text typed in. A space is `%20`: WhatsApp shows a `+`.
    #[must_use]
    pub fn chat_url_with(&self, text: &str) -> String {
        let text: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        format!("{}?text={}", self.chat_url(), text.replace('+', "%20"))
    }
}

/// A button that opens the chat; empty where the bot's number is not known.
#[must_use]
pub fn back_to_whatsapp(bot: Option<&BotPhoneNumber>) -> Markup {
    html! {
        @if let Some(bot) = bot {
            a.button href=(bot.chat_url()) { "Back to WhatsApp" }
        }
    }
}

/// The number of a chat, for its owner. A screen reader says its last digits, and not every dot.
#[must_use]
pub fn masked_number(number: &MaskedNumber) -> Markup {
    html! {
        span.number {
            span aria-hidden="true" { (number.number) }
            span.spoken { "number ending in " (number.last) }
            @if let Some(country) = number.country { " (" (country) ")" }
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use ring::digest::{SHA256, digest};

    use super::*;

    #[test]
    fn the_policy_allows_the_pages_style_and_script() {
        let source_hash = |text: &str| format!("sha256-{}", STANDARD.encode(digest(&SHA256, text.as_bytes())));
        let policy = content_security_policy("'none'");
        assert!(policy.contains(&format!("style-src '{}'", source_hash(STYLE))), "it is {}", source_hash(STYLE));
        assert!(
            policy.contains(&format!("script-src '{}'", source_hash(HIDE_QUERY))),
            "it is {}",
            source_hash(HIDE_QUERY)
        );
        let text = page(Mood::Good, "Done", &html! {});
        assert!(text.contains(&format!("<script>{HIDE_QUERY}</script>")), "{text}");
        assert!(text.contains(&format!("<style>{STYLE}</style>")), "{text}");
    }

    #[test]
    fn a_page_escapes_what_is_put_into_it() {
        assert!(page(Mood::Bad, "<b>", &html! {}).contains("<h1>&lt;b&gt;</h1>"));
    }

    #[test]
    fn a_page_to_reload_keeps_its_query() {
        assert!(!retry_page("Again", &html! {}).contains("replaceState"));
    }

    #[test]
    fn a_page_needs_nothing_from_outside() {
        let text = page(Mood::Neutral, "Title", &back_to_whatsapp(None));
        assert!(!text.contains("http"), "{text}");
    }

    #[test]
    fn the_link_to_the_chat_has_digits_only() {
        assert_eq!("none".parse::<BotPhoneNumber>(), Err(InvalidBotPhoneNumber));
        let bot = "+1 (415) 523-8886".parse().unwrap();
        let link = back_to_whatsapp(Some(&bot)).into_string();
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
        let text = masked_number(&number).into_string();
        assert!(text.contains(r#"<span aria-hidden="true">+55 •• ••••• 4567</span>"#), "{text}");
        assert!(text.contains(r#"<span class="spoken">number ending in 4567</span> (Brazil)"#), "{text}");
    }
}
