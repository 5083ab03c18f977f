//! Every text that people read, on pages and in the chat, in each language. Pure.
//!
//! They are written in `texts/*.ftl`, in Fluent's syntax, and compiled by `build/`: a text without variables is a
//! [`Text`], one with variables a struct of them. What a function does not use its binary does not have.

use crate::Language;

/// A text in every language.
#[derive(Debug, PartialEq, Eq)]
pub struct Text([&'static str; Language::COUNT]);

/// A text with variables in every language.
struct Pattern([&'static [Piece]; Language::COUNT]);

/// A part of a text with variables.
enum Piece {
    Literal(&'static str),
    /// Its place among the values.
    Variable(usize),
}

impl Text {
    /// A text that is the same in every language, for tests.
    #[cfg(test)]
    pub(crate) const fn same(text: &'static str) -> Self {
        Self([text; Language::COUNT])
    }

    /// The text in a language.
    #[must_use]
    pub const fn text(&self, language: Language) -> &'static str {
        self.0[language as usize]
    }

    /// The text in a language, on a page: what stands between two `*` is strong.
    #[cfg(feature = "pages")]
    #[must_use]
    pub fn markup(&self, language: Language) -> maud::Markup {
        strong(self.text(language))
    }
}

impl Pattern {
    fn text(&self, language: Language, values: &[&str]) -> String {
        let pieces = self.0[language as usize].iter();
        pieces.map(|piece| piece.of(values)).collect()
    }

    #[cfg(feature = "pages")]
    fn markup(&self, language: Language, values: &[&maud::Markup]) -> maud::Markup {
        maud::html! {
            @for piece in self.0[language as usize] {
                @match piece {
                    Piece::Literal(text) => (strong(text)),
                    Piece::Variable(place) => (values[*place]),
                }
            }
        }
    }
}

impl Piece {
    fn of<'a>(&self, values: &[&'a str]) -> &'a str {
        match self {
            Self::Literal(text) => text,
            Self::Variable(place) => values[*place],
        }
    }
}

#[cfg(feature = "pages")]
fn strong(text: &str) -> maud::Markup {
    maud::html! {
        @for (place, part) in text.split('*').enumerate() {
            @if place % 2 == 1 { strong { (part) } } @else { (part) }
        }
    }
}

#[allow(clippy::doc_markdown, reason = "generated")]
mod compiled {
    use super::{Language, Pattern, Piece, Text};

    include!(concat!(env!("OUT_DIR"), "/texts.rs"));
}

pub use compiled::*;

#[cfg(test)]
#[path = "../build/catalogue.rs"]
mod catalogue;

#[cfg(test)]
mod tests;
