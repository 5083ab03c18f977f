//! What the bot says to a chat about the code that it has sent: `user_message`. Pure; the texts are in `shared/texts`.

use shared::{
    Language,
    texts::{self, Text},
};

/// A text, and the language of the login that it is about, where its link has one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserMessage {
    pub(crate) text: &'static Text,
    pub(crate) language: Option<Language>,
}

impl UserMessage {
    /// The text that is said: in the login's language, else in the operator's.
    pub(crate) fn said(self, default: Language) -> &'static str {
        self.text.text(self.language.unwrap_or(default))
    }
}

/// It is the code of this chat's login. Also the answer to a repetition, whatever has become of the login since, but for
/// [`OVERTAKEN`] and [`ENDED`].
pub(crate) const CONFIRMED: &Text = &texts::CODE_CONFIRMED;
/// The same, and a later login of the chat is connected by now.
pub(crate) const OVERTAKEN: &Text = &texts::FAILED_SUPERSEDED;
/// The same, and the chat was disconnected after the login, or after its link was made.
pub(crate) const ENDED: &Text = &texts::FAILED_OUTDATED_LINK;
/// No login waits for it.
pub(crate) const UNKNOWN: &Text = &texts::CODE_UNKNOWN;
/// It is the code of this chat's login, which is over.
pub(crate) const TOO_LATE: &Text = &texts::CODE_TOO_LATE;
/// It is the code of a login with another chat's link, and that chat has not sent it.
pub(crate) const WRONG_CHAT: &Text = &texts::CODE_WRONG_CHAT;
/// It is the code of a login with another chat's link, and that chat has sent it first.
pub(crate) const CONFIRMED_ELSEWHERE: &Text = &texts::CODE_CONFIRMED_ELSEWHERE;
/// The chat has sent too many codes that no login of its own waits for.
pub(crate) const TOO_MANY_GUESSES: &Text = &texts::CODE_TOO_MANY_GUESSES;

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&Text; 8] =
        [CONFIRMED, OVERTAKEN, ENDED, UNKNOWN, TOO_LATE, WRONG_CHAT, CONFIRMED_ELSEWHERE, TOO_MANY_GUESSES];

    fn in_every_language() -> impl Iterator<Item = &'static str> {
        ALL.into_iter().flat_map(|text| Language::ALL.map(|language| text.text(language)))
    }

    #[test]
    fn a_text_is_plain_and_short() {
        for text in in_every_language() {
            assert!(text.chars().count() <= 500, "{text}");
            assert!(text.ends_with(['.', '।']) && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn no_text_offers_a_link_or_a_code() {
        for text in in_every_language() {
            assert!(!text.contains("http") && shared::proof::ChatCode::find(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn only_the_text_of_success_is_about_success() {
        for text in [OVERTAKEN, ENDED, UNKNOWN, TOO_LATE, WRONG_CHAT, TOO_MANY_GUESSES] {
            assert!(!text.text(Language::English).contains("is connected"), "{text:?}");
        }
    }

    #[test]
    fn a_login_without_a_language_is_answered_in_the_operators() {
        let message = |language| UserMessage { text: CONFIRMED, language }.said(Language::German);
        assert!(message(None).starts_with("Danke"));
        assert!(message(Some(Language::Spanish)).starts_with("Gracias"));
    }
}
