//! What Salesforce says of an error, in a form that may be stored, logged and shown: a stranger's text. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest description that is kept, in characters.
const MAX_LENGTH: usize = 1000;
/// Words of this length are tokens, codes or keys, and not a language's.
const LONG_WORD: usize = 32;
/// So many digits can be a phone number.
pub(super) const NUMBER: usize = 7;
/// In place of what is hidden.
const HIDDEN: &str = "***";

/// A description that came from outside: printable ASCII, at most 1,000 characters, and nothing in it that could be a
/// secret, a phone number or an e-mail address. It is classified by its words, so typographic marks are kept as plain ones.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Description(String);

impl Description {
    /// Keeps what may be shown of the text; `None` where nothing is left.
    #[must_use]
    pub fn from_untrusted(text: &str) -> Option<Self> {
        let printable: String = text.chars().filter_map(printable).take(4 * MAX_LENGTH).collect();
        let kept: String = without_numbers(&without_secrets(printable.trim())).chars().take(MAX_LENGTH).collect();
        let kept = kept.trim_end();
        (!kept.is_empty()).then(|| Self(kept.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The character, or the one of ASCII that is meant; `None` where there is none.
fn printable(character: char) -> Option<char> {
    Some(match character {
        ' '..='~' => character,
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2bc}' | '\u{b4}' => '\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        _ if character.is_whitespace() => ' ',
        _ => return None,
    })
}

fn without_secrets(text: &str) -> String {
    let is_hidden = |word: &str| word.len() >= LONG_WORD || word.contains('@');
    text.split(' ').map(|word| if is_hidden(word) { HIDDEN } else { word }).collect::<Vec<_>>().join(" ")
}

/// Without runs of digits that are as long as a phone number, however it is grouped.
fn without_numbers(text: &str) -> String {
    let (mut kept, mut run) = (String::new(), String::new());
    for character in text.chars() {
        let goes_on = !run.is_empty() && " -().".contains(character);
        if character.is_ascii_digit() || goes_on {
            run.push(character);
        } else {
            kept.push_str(&hide_number(&run));
            run.clear();
            kept.push(character);
        }
    }
    kept + &hide_number(&run)
}

fn hide_number(run: &str) -> String {
    let number = run.trim_end_matches(|c: char| !c.is_ascii_digit());
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    if digits < NUMBER { run.to_owned() } else { format!("{HIDDEN}{}", &run[number.len()..]) }
}

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Description").finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Description {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_untrusted(&text).ok_or_else(|| serde::de::Error::custom("an empty description"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> Option<String> {
        Description::from_untrusted(text).map(|description| description.0)
    }

    #[test]
    fn a_description_is_kept_as_printable_text() {
        assert_eq!(kept("end-user \u{1b}[2Jdenied\u{202e}\n").as_deref(), Some("end-user [2Jdenied"));
        assert_eq!(kept(&"ab ".repeat(400)).map(|text| text.len()), Some(MAX_LENGTH));
        assert_eq!(
            kept("user isn\u{2019}t\u{a0}active\nhere \u{2013} yet\n").as_deref(),
            Some("user isn't active here - yet")
        );
        assert_eq!(kept(" \u{200b}"), None);
    }

    #[test]
    fn what_may_be_a_secret_or_a_phone_number_is_hidden() {
        for (text, shown) in [
            ("token 00D000000000001!AQEAQJ.abcdefghijklmnop is dead", "token *** is dead"),
            ("call +1 (555) 123-4567 now", "call +*** now"),
            ("15551234567", "***"),
            ("user ada@acme.example is frozen", "user *** is frozen"),
            ("expired authorization code", "expired authorization code"),
            ("retry after 120 seconds, error 1042-77", "retry after 120 seconds, error 1042-77"),
        ] {
            assert_eq!(kept(text).as_deref(), Some(shown));
            assert_eq!(kept(shown).as_deref(), Some(shown), "what is shown stays");
        }
    }
}
