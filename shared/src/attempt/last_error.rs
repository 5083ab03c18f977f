//! What kept the person or the bot from being notified, as the attempt's row keeps it for operators. Pure.

use std::{fmt, str::FromStr};

use super::attr;
use crate::{Timestamp, conditional_write::ConditionalWrite};

/// The longest text, in characters.
const MAX_LENGTH: usize = 200;

/// What WhatsApp or the bot answered last where it did not take what it was sent: `<when, in milliseconds> <text>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    /// When it answered, or its time was over.
    pub at: Timestamp,
    /// Class and status or code: printable ASCII, at most 200 characters, without secrets.
    pub text: String,
}

/// Whose answer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// WhatsApp's provider.
    WhatsApp,
    /// The bot, on its webhook, its queue, or both.
    Bot,
}

/// The text is no [`LastError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a last error")]
pub struct InvalidLastError;

impl LastError {
    /// The error of this text, shortened where it is too long; what is not printable ASCII becomes `?`.
    #[must_use]
    pub fn new(text: &str, at: Timestamp) -> Self {
        let printable = |char: char| if char.is_ascii_graphic() || char == ' ' { char } else { '?' };
        Self { at, text: text.chars().take(MAX_LENGTH).map(printable).collect() }
    }

    /// Adds it to a write about the outcome: it needs none of its own where there is one anyway.
    #[must_use]
    pub fn added_to(&self, write: ConditionalWrite, party: Party) -> ConditionalWrite {
        write.set(party.attribute(), self.to_string())
    }
}

impl Party {
    const fn attribute(self) -> &'static str {
        match self {
            Self::WhatsApp => attr::WHATSAPP_LAST_ERROR,
            Self::Bot => attr::BOT_LAST_ERROR,
        }
    }
}

impl fmt::Display for LastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at.millis(), self.text)
    }
}

impl FromStr for LastError {
    type Err = InvalidLastError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (at, text) = text.split_once(' ').ok_or(InvalidLastError)?;
        let at = at.parse().map_err(|_| InvalidLastError)?;
        Ok(Self::new(text, Timestamp::from_millis(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    #[test]
    fn a_last_error_is_read_as_it_was_written() {
        let error = LastError::new("the bot's webhook returned 500", AT);
        assert_eq!(error.to_string(), "1790000000000 the bot's webhook returned 500");
        assert_eq!(error.to_string().parse(), Ok(error));
        for text in ["", "1790000000000", "now returned 500"] {
            assert_eq!(text.parse::<LastError>(), Err(InvalidLastError), "{text}");
        }
    }

    #[test]
    fn a_text_is_bounded_and_printable() {
        let error = LastError::new(&format!("a\n\u{7f}\u{e9}{}", "x".repeat(1000)), AT);
        assert_eq!((&error.text[..5], error.text.len()), ("a???x", 200));
    }

    #[test]
    fn the_next_outcome_knows_nothing_of_the_errors_of_the_last() {
        for party in [Party::WhatsApp, Party::Bot] {
            assert!(attr::MARKS.contains(&party.attribute()), "{party:?}");
        }
    }
}
