//! The pages that people see: small, without outside assets, with nothing from the request in them.

mod brand;
mod colour;

use std::str::FromStr;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use url::form_urlencoded;

pub use self::brand::Brand;
use crate::{
    AttemptId, Language,
    language::Direction,
    texts::{self, PageNumber, Text},
    wa_id::MaskedNumber,
};

/// Removes the query, which holds the code, from the address bar and the history.
const HIDE_QUERY: &str = "history.replaceState(null,'',location.pathname)";

/// Leaves `attempt` and `language` in the address in place of the query, then asks connect-link how the login stands, and shows
/// what it is told. It asks at most 80 times, with pauses of 1 to 15 seconds, while the page is in sight, and never again after
/// a 404. The state stays with the entry of the history, so that the page says it again where it is loaded again. A page without
/// `attempt`, whose entry is of an earlier version, may show another login's code than the entry's, and then asks nothing.
const FOLLOW: &str = include_str!("page/follow.js");

const STYLE: &str = include_str!("page.css");

/// The hashes of [`STYLE`], [`HIDE_QUERY`] and [`FOLLOW`] (CSP Level 3 §2.3.1): to compute them took a fourteenth of a warm token call.
/// A test names the right values.
const STYLE_HASH: &str = "sha256-UrfGs78JP3as1AfZDbu+25RU6s9diRx0DeW+N12BeLg=";
const HIDE_QUERY_HASH: &str = "sha256-UBodp8UhLR9ASBc1PNRKcs3r2CjAFWxCbrUGPN7u1jo=";
const FOLLOW_HASH: &str = "sha256-xzOMozpEUVkbTiCzVyjKSs7Uvi+tZkGES8dTkZlKcg0=";

/// Headers of every response, pages and JSON alike: it is not cached, its address is not sent on as a referrer, its
/// content type is not guessed, and no window of another site that opened it, or that it opened, holds a reference to it.
pub const SECURITY_HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-opener-policy", "same-origin"),
    ("strict-transport-security", "max-age=31536000"),
];

/// The `Referrer-Policy` of a page with a form, in place of `no-referrer`: with that the form would be sent with `Origin: null`
/// (Fetch, "append a request Origin header"), and an old browser's POST would look like another site's.
pub const FORM_REFERRER_POLICY: &str = "same-origin";

/// The Content-Security-Policy of an answer that is no page: it allows nothing.
pub const BARE_POLICY: &str = "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// A page, as it is sent.
#[derive(Clone, Debug)]
pub struct Page {
    /// The whole document.
    pub html: String,
    /// The sources of `style-src`.
    styles: String,
    script: Script,
}

impl Page {
    /// The page's Content-Security-Policy: it allows its own styles and script, by hash, and its own pictures, and nothing
    /// else. `form_action` lists the sources that a form may lead to, e.g. `'self'`.
    #[must_use]
    pub fn policy(&self, form_action: &str) -> String {
        let styles = &self.styles;
        let script = match self.script {
            Script::None => String::new(),
            Script::HideQuery => format!("script-src '{HIDE_QUERY_HASH}'; "),
            Script::Follow => format!("script-src '{FOLLOW_HASH}'; connect-src 'self'; "),
        };
        format!(
            "default-src 'none'; style-src {styles}; {script}img-src data:; form-action {form_action}; base-uri 'none'; \
             frame-ancestors 'none'"
        )
    }
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

impl Mood {
    /// Its name in the style.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Neutral => "neutral",
            Self::Bad => "bad",
        }
    }

    /// The sign above a heading, which says nothing more than the heading does.
    #[must_use]
    pub const fn sign(self, direction: Direction) -> &'static str {
        match (self, direction) {
            (Self::Good, _) => "✓",
            (Self::Neutral, Direction::LeftToRight) => "→",
            (Self::Neutral, Direction::RightToLeft) => "←",
            (Self::Bad, _) => "!",
        }
    }
}

/// What is on a page.
struct Layout<'a> {
    mood: Mood,
    title: &'a Text,
    body: &'a Markup,
    /// For whoever shows a link to it; it is the same for every person.
    preview: Option<&'a Text>,
    script: Script,
}

/// What a page does by itself.
#[derive(Clone, Copy, Debug)]
enum Script {
    /// Nothing.
    None,
    /// [`HIDE_QUERY`].
    HideQuery,
    /// [`FOLLOW`].
    Follow,
}

impl Script {
    const fn text(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::HideQuery => Some(HIDE_QUERY),
            Self::Follow => Some(FOLLOW),
        }
    }
}

/// What all pages of an answer have in common.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Whose pages they are.
    pub brand: &'a Brand,
    /// The language that they are in.
    pub language: Language,
    /// Where they lead back to, where that is known.
    pub bot: Option<&'a BotPhoneNumber>,
}

impl Frame<'_> {
    /// A whole page: a heading and the body under it. Its script removes the query from the address bar.
    #[must_use]
    pub fn page(self, mood: Mood, title: &Text, body: &Markup) -> Page {
        self.render(&Layout { mood, title, body, preview: None, script: Script::HideQuery })
    }

    /// A page that chats show a preview of, with this description, where its link is sent (<https://ogp.me>).
    #[must_use]
    pub fn page_with_preview(self, mood: Mood, title: &Text, description: &Text, body: &Markup) -> Page {
        self.render(&Layout { mood, title, body, preview: Some(description), script: Script::HideQuery })
    }

    /// A page that says by itself how the login of its query's `state` went on: its script asks connect-link, which has the
    /// texts. In the address the script leaves the attempt and the page's language in place of the query, so that the page which is
    /// loaded again is of the same login. Without scripts it stays as it is.
    #[must_use]
    pub fn following_page(self, mood: Mood, title: &Text, body: &Markup, attempt_id: AttemptId) -> Page {
        let body = html! { (body) div role="status" data-attempt=(attempt_id) {} };
        self.render(&Layout { mood, title, body: &body, preview: None, script: Script::Follow })
    }

    /// A page that can be reloaded: the address keeps its query.
    #[must_use]
    pub fn retry_page(self, title: &Text, body: &Markup) -> Page {
        self.render(&Layout { mood: Mood::Bad, title, body, preview: None, script: Script::None })
    }

    /// A text in the page's language.
    #[must_use]
    pub fn say(self, text: &Text) -> Markup {
        text.markup(self.language)
    }

    /// A button that opens the chat; empty where the bot's number is not known.
    #[must_use]
    pub fn back_to_whatsapp(self) -> Markup {
        html! {
            @if let Some(bot) = self.bot {
                a.button href=(bot.chat_url()) { (self.say(&texts::PAGE_BACK)) }
            }
        }
    }

    /// The number of a chat, for its owner. A screen reader says its last digits, and not every dot. Countries have a name in
    /// English alone: in every language they would weigh more than all that a page says.
    #[must_use]
    pub fn masked_number(self, number: &MaskedNumber) -> Markup {
        let country = number.country.filter(|_| self.language == Language::English);
        html! {
            span.number {
                span aria-hidden="true" dir="ltr" { (number.number) }
                span.spoken { (PageNumber { digits: &*number.last }.text(self.language)) }
                @if let Some(country) = country { " (" (country) ")" }
            }
        }
    }

    fn render(self, layout: &Layout<'_>) -> Page {
        let Self { brand, language, .. } = self;
        let Layout { mood, title, body, preview, script } = layout;
        let html = html! {
            (DOCTYPE)
            html lang=(language.tag()) dir=(language.direction().as_str()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="robots" content="noindex";
                    title { (brand.title(title.text(language))) }
                    @if let Some(description) = preview { (self.open_graph(title, description)) }
                    link rel="icon" href=(brand.icon());
                    style { (PreEscaped(STYLE)) }
                    @if let Some(css) = brand.css() { style { (PreEscaped(css)) } }
                }
                body {
                    (brand.header())
                    main class=(mood.class()) {
                        (self.heading(*mood, title))
                        (body)
                    }
                    (brand.footer(texts::PAGE_PRIVACY.text(language)))
                    @if let Some(script) = script.text() {
                        script { (PreEscaped(script)) }
                    }
                }
            }
        };
        let hashes = [Some(STYLE_HASH), brand.style_hash()].into_iter().flatten();
        let styles = hashes.map(|hash| format!("'{hash}'")).collect::<Vec<_>>().join(" ");
        Page { html: html.into_string(), styles, script: *script }
    }

    fn heading(self, mood: Mood, title: &Text) -> Markup {
        html! {
            div.sign aria-hidden="true" { (mood.sign(self.language.direction())) }
            h1 { (self.say(title)) }
        }
    }

    fn open_graph(self, title: &Text, description: &Text) -> Markup {
        html! {
            meta property="og:type" content="website";
            meta property="og:title" content=(title.text(self.language));
            meta property="og:description" content=(description.text(self.language));
            @if let Some(name) = self.brand.name() { meta property="og:site_name" content=(name); }
        }
    }
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

#[cfg(test)]
mod tests;
