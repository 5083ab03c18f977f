//! Text of other parties, as it may be shown to people: on a terminal, on a page, in a message or in a log line. Pure.
//!
//! A name or an error of another party can contain characters that a terminal obeys, that reverse the direction of what
//! follows, or that nobody sees. They are shown as escapes and change nothing.

use std::{borrow::Cow, fmt::Write as _};

/// The text with an escape (`\n`, `\u{1b}`) in place of each character that is not itself visible. It has one line, and
/// stays the same if it is passed through again.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden, |character, to| to.extend(character.escape_default()))
}

/// JSON in which all such characters are escaped as JSON does it (`\u202e`); its values stay the same. Line breaks
/// between its values stay too.
#[must_use]
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let hidden = |character| is_hidden(character) && character != '\n';
    escaped(json, hidden, |character, to| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(to, "\\u{unit:04x}");
        }
    })
}

/// Whether the text has a character that is not itself visible.
#[must_use]
pub fn has_hidden(text: &str) -> bool {
    text.chars().any(is_hidden)
}

/// Control characters, and those of the Unicode category "format" (Cf) with their like: directions, joiners, zero
/// widths, separators of lines, tags, fillers.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn escaped(text: &str, hidden: impl Fn(char) -> bool, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.chars().any(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if hidden(character) {
            escape(character, &mut shown);
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clears a screen, sets a title, the same in one byte, reverses a name, hides a letter, and starts a line.
    const HOSTILE: [&str; 7] =
        ["\u{1b}[2J", "\u{1b}]0;title\u{7}", "\u{9b}2J", "ada\u{202e}moc", "ad\u{200b}a", "a\nb", "\u{e0041}"];

    #[test]
    fn what_a_terminal_obeys_is_shown_as_an_escape() {
        assert_eq!(printable("ada\u{1b}[2J"), r"ada\u{1b}[2J");
        assert_eq!(printable("a\r\n\tb\u{202e}"), r"a\r\n\tb\u{202e}");
        for text in HOSTILE {
            assert!(!has_hidden(&printable(text)), "{text:?}");
        }
    }

    #[test]
    fn names_in_any_script_stay_as_they_are() {
        for text in ["Ada", "José", "李雷", "Łukasz ☎ 4567", "عائشة", "•••• 4567", r"back\slash"] {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn what_was_escaped_stays_the_same() {
        for text in HOSTILE {
            assert_eq!(printable(&printable(text)), printable(text));
        }
    }

    #[test]
    fn json_keeps_its_values() {
        for text in HOSTILE {
            let json = format!("{:#}", serde_json::json!({"name": text}));
            let shown = printable_json(&json);
            assert!(!shown.chars().any(|character| is_hidden(character) && character != '\n'), "{shown}");
            let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(read["name"], text);
        }
    }
}
