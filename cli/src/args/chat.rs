//! A chat, as an operator has it at hand: a phone number, or the address that the bot uses.

use std::{io::Read, str::FromStr};

use shared::WaId;

use crate::error::Error;

/// Longer than any address.
const MAX_BYTES: u64 = 1024;

/// Which chat is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chat {
    /// The addresses that it can have: more than one where only its number is given.
    Known(Vec<WaId>),
    /// `-`: it stands on standard input, and so in no process list.
    OnStandardInput,
}

/// The argument names no chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}, or - for standard input)", Self::WITHOUT_INPUT.trim_end_matches(')'))]
pub(crate) struct InvalidChat;

impl InvalidChat {
    /// The same where standard input cannot be named, or has been read.
    pub(crate) const WITHOUT_INPUT: &str =
        "not a chat (expected a phone number with its country code, whatsapp:…, or a business-scoped id)";
}

impl Chat {
    /// The addresses that it can have.
    pub(crate) fn addresses(self, input: impl Read) -> Result<Vec<WaId>, Error> {
        if let Self::Known(addresses) = self {
            return Ok(addresses);
        }
        let mut text = String::new();
        let read = input.take(MAX_BYTES).read_to_string(&mut text);
        read.map_err(|error| Error::failed("read the chat from standard input", error.to_string()))?;
        let text = bare(&text);
        if text.is_empty() {
            return Err(Error::Usage("there is no chat on standard input".to_owned()));
        }
        let invalid = |_| Error::Usage(format!("the text on standard input is {}", InvalidChat::WITHOUT_INPUT));
        addresses(text).map_err(invalid)
    }
}

impl FromStr for Chat {
    type Err = InvalidChat;

    fn from_str(text: &str) -> Result<Self, InvalidChat> {
        match bare(text) {
            "-" => Ok(Self::OnStandardInput),
            text => addresses(text).map(Self::Known),
        }
    }
}

/// The text without white space around it, and without the byte order mark that some editors and shells put before it.
fn bare(text: &str) -> &str {
    text.trim_matches(|one: char| one.is_whitespace() || one == '\u{feff}')
}

/// The addresses that a text can mean. One with `whatsapp:` is exact. A bot's address for a number has the `+` or has
/// it not, and no other spelling is guessed.
fn addresses(text: &str) -> Result<Vec<WaId>, InvalidChat> {
    if text.starts_with("whatsapp:") {
        return text.parse().map(|exact| vec![exact]).map_err(|_| InvalidChat);
    }
    let number: String = text.chars().filter(|one| !is_separator(*one)).collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let forms = if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        vec![format!("whatsapp:+{digits}"), format!("whatsapp:{digits}")]
    } else {
        vec![format!("whatsapp:{text}")]
    };
    forms.iter().map(|form| form.parse().map_err(|_| InvalidChat)).collect()
}

/// What people and address books write between a number's digits.
const fn is_separator(one: char) -> bool {
    matches!(one, ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}' | '\u{202f}' | '\u{2011}' | '\u{202a}' | '\u{202c}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    fn known(text: &str) -> Vec<String> {
        match text.parse() {
            Ok(Chat::Known(addresses)) => addresses.iter().map(|address| address.as_str().to_owned()).collect(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_number_means_the_address_with_and_without_a_plus_however_it_is_written() {
        for number in
            ["+15551234567", "15551234567", "+1 (555) 123-4567", "\u{202a}+1\u{a0}555\u{2011}123.4567\u{202c}"]
        {
            assert_eq!(known(number), ["whatsapp:+15551234567", "whatsapp:15551234567"], "{number}");
        }
    }

    #[test]
    fn an_address_means_itself_alone() {
        for exact in
            ["whatsapp:+15551234567", "whatsapp:15551234567", "whatsapp:US.ABC123XYZ", "whatsapp:US.ENT.ABC123"]
        {
            assert_eq!(known(exact), [exact]);
        }
        assert_eq!(known("US.ABC123XYZ"), ["whatsapp:US.ABC123XYZ"]);
    }

    #[test]
    fn anything_else_is_no_chat() {
        for text in ["", "+", "1234", "tomorrow", "+1555123456x", "++15551234567", "sms:+15551234567", "us.ABC123XYZ"] {
            assert_eq!(text.parse::<Chat>(), Err(InvalidChat), "{text}");
        }
    }

    #[test]
    fn a_dash_means_what_stands_on_standard_input() {
        let read = |input: &str| "-".parse::<Chat>().unwrap().addresses(input.as_bytes());
        assert_eq!(read("+1 555 123 4567\n").unwrap(), read("15551234567").unwrap());
        for wrong in ["", "\n", "\u{feff}", "+1555123456x\n"] {
            let error = read(wrong).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage);
            assert!(!error.to_string().contains("1555"), "{error}");
            assert!(!error.to_string().contains("- for standard input"), "{error}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_chat() {
        let read = |input: &str| "-".parse::<Chat>().unwrap().addresses(input.as_bytes());
        assert_eq!(read("\u{feff}+15551234567\r\n").unwrap(), read("15551234567").unwrap());
        assert_eq!(known("\u{feff}whatsapp:US.ABC123XYZ"), ["whatsapp:US.ABC123XYZ"]);
    }

    #[test]
    fn an_empty_standard_input_is_named_as_that() {
        let error = "-".parse::<Chat>().unwrap().addresses(&b" \n"[..]).unwrap_err();
        assert_eq!(error.to_string(), "there is no chat on standard input");
    }

    #[test]
    fn no_number_is_shown_by_debug() {
        assert!(!format!("{:?}", "+15551234567".parse::<Chat>()).contains("1555"));
    }
}
