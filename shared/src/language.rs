//! The languages that people are spoken to in, and which of them somebody means. Pure.
//!
//! Tags are those of BCP 47. Whoever names a language that there is no text in is no error: the next one who knows one is
//! asked, at last the operator (`DefaultLanguage`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    attempt::attr,
    conditional_write::{Attributes, text},
};

/// A language that every text is there in.
///
/// Its place is in states, so a new language comes last, and none is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Spanish.
    Spanish,
    /// Portuguese, as in Brazil.
    Portuguese,
    /// French.
    French,
    /// German.
    German,
    /// Hindi.
    Hindi,
    /// Indonesian.
    Indonesian,
    /// Arabic.
    Arabic,
}

/// In which direction a language is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From left to right.
    LeftToRight,
    /// From right to left.
    RightToLeft,
}

/// A tag of BCP 47, as far as its form goes: whatever language it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanguageTag<'a>(&'a str);

/// The text is no language tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "language must be a language tag (BCP 47) of at most {} characters, such as es or pt-BR",
    LanguageTag::MAX_LENGTH
)]
pub struct InvalidLanguageTag;

/// The text is none of the tags of [`Language::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a language that the texts are there in: expected en, es, pt-BR, fr, de, hi, id or ar")]
pub struct UnknownLanguage;

impl Language {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Every language, by its place.
    pub const ALL: [Self; 8] = [
        Self::English,
        Self::Spanish,
        Self::Portuguese,
        Self::French,
        Self::German,
        Self::Hindi,
        Self::Indonesian,
        Self::Arabic,
    ];

    /// Its tag: as stored, as sent to the bot, as the `lang` of a page.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
            Self::Portuguese => "pt-BR",
            Self::French => "fr",
            Self::German => "de",
            Self::Hindi => "hi",
            Self::Indonesian => "id",
            Self::Arabic => "ar",
        }
    }

    /// In which direction it is written.
    #[must_use]
    pub const fn direction(self) -> Direction {
        match self {
            Self::Arabic => Direction::RightToLeft,
            _ => Direction::LeftToRight,
        }
    }

    /// The language of this place, counted from zero.
    #[must_use]
    pub fn at(place: u8) -> Option<Self> {
        Self::ALL.get(usize::from(place)).copied()
    }

    /// The language of an attempt's row, a connection's or a pending login's. What has another form, which a bot or a later
    /// version may keep there, is none.
    #[must_use]
    pub fn of(row: &Attributes) -> Option<Self> {
        text(row, attr::LANGUAGE)?.parse().ok()
    }

    /// The language that a range of `Accept-Language` or a tag means, by lookup (RFC 4647 §3.4): without its last subtag, again
    /// and again. Portuguese is Brazil's, wherever it is asked for, and `in` is what Indonesian was called before 1989.
    #[must_use]
    pub fn lookup(range: &str) -> Option<Self> {
        let mut range = range.trim();
        loop {
            let is_meant = |language: &Self| {
                let tag = language.tag();
                let other = match language {
                    Self::Portuguese => "pt",
                    Self::Indonesian => "in",
                    _ => tag,
                };
                [tag, other].iter().any(|known| known.eq_ignore_ascii_case(range))
            };
            if let Some(language) = Self::ALL.into_iter().find(is_meant) {
                return Some(language);
            }
            (range, _) = range.rsplit_once('-')?;
        }
    }
}

impl Direction {
    /// As the `dir` of a page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeftToRight => "ltr",
            Self::RightToLeft => "rtl",
        }
    }
}

impl<'a> LanguageTag<'a> {
    /// The longest, in characters (RFC 5646 §4.4.1).
    pub const MAX_LENGTH: usize = 35;

    /// Parses a tag by the form that all tags have: subtags of letters and digits, the first of letters alone
    /// (RFC 4647 §2.1).
    ///
    /// # Errors
    /// [`InvalidLanguageTag`].
    pub fn parse(text: &'a str) -> Result<Self, InvalidLanguageTag> {
        let is_subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|it| it.is_ascii_alphanumeric());
        let is_first = text.split('-').next().is_some_and(|first| first.bytes().all(|it| it.is_ascii_alphabetic()));
        let is_tag = text.len() <= Self::MAX_LENGTH && is_first && text.split('-').all(is_subtag);
        if is_tag { Ok(Self(text)) } else { Err(InvalidLanguageTag) }
    }

    /// The language that it means; `None` where there is no text in it.
    #[must_use]
    pub fn language(self) -> Option<Language> {
        Language::lookup(self.0)
    }
}

/// One of the tags of [`Language::ALL`], exactly.
impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL.into_iter().find(|language| language.tag() == text).ok_or(UnknownLanguage)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.tag())
    }
}

/// Reads a tag; `None` where it is none of ours, which is not worth a link that cannot be opened.
pub(crate) fn if_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Language>, D::Error> {
    Ok(String::deserialize(deserializer)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_found_by_its_tag_and_by_longer_ones() {
        for (range, tag) in [
            ("en", "en"),
            ("EN-us", "en"),
            ("es-MX", "es"),
            ("es-419", "es"),
            ("pt", "pt-BR"),
            ("pt-PT", "pt-BR"),
            ("PT-br", "pt-BR"),
            ("pt-BR-x-formal", "pt-BR"),
            ("fr-CA", "fr"),
            ("de-AT-1996", "de"),
            ("de-x-test", "de"),
            ("hi-Deva-IN", "hi"),
            ("id-ID", "id"),
            ("in", "id"),
            ("in-ID", "id"),
            ("ar-EG", "ar"),
            (" ar ", "ar"),
        ] {
            assert_eq!(Language::lookup(range).map(Language::tag), Some(tag), "{range}");
        }
    }

    #[test]
    fn a_language_without_texts_is_none() {
        for range in ["zh", "zh-Hant-TW", "*", "", "eng", "esp", "e", "x-en", "-en", "i-default"] {
            assert_eq!(Language::lookup(range), None, "{range}");
        }
    }

    #[test]
    fn a_tag_has_the_form_of_one_whatever_it_names() {
        let of_length = |length: usize| "abcde-".repeat(6)[..length].to_owned();
        for tag in ["en", "zh-Hant-TW", "es-419", "x-whatever", "i-klingon", "sl-rozaj-biske-1994", &of_length(35)] {
            assert_eq!(LanguageTag::parse(tag), Ok(LanguageTag(tag)));
        }
        let too_long = of_length(35) + "e";
        for wrong in ["", "en_US", "en-", "-en", "e n", "ninechars", "12", "1-en", "en--us", "é", &too_long] {
            assert_eq!(LanguageTag::parse(wrong), Err(InvalidLanguageTag), "{wrong}");
        }
    }

    #[test]
    fn what_is_stored_is_read_back_and_nothing_else() {
        for language in Language::ALL {
            assert_eq!(language.tag().parse(), Ok(language));
            assert_eq!(Language::at(language as u8), Some(language));
        }
        for other in ["EN", "pt", "es-MX", "xx", ""] {
            assert_eq!(other.parse::<Language>(), Err(UnknownLanguage), "{other}");
        }
        assert_eq!(Language::at(8), None);
    }

    #[test]
    fn the_place_of_a_language_never_changes() {
        // States and whoever signed them rely on it.
        let tags = Language::ALL.map(Language::tag);
        assert_eq!(tags, ["en", "es", "pt-BR", "fr", "de", "hi", "id", "ar"]);
    }

    #[test]
    fn the_error_names_every_language() {
        let text = UnknownLanguage.to_string();
        for language in Language::ALL {
            assert!(text.contains(language.tag()), "{language}");
        }
    }
}
