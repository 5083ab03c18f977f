//! What a person calls themself in WhatsApp, as a page may show it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};

use crate::printable::is_hidden;

/// The name of a chat's owner, as the bot sees it. They choose it themselves, so it proves nothing, and everything is
/// taken out of it that could change how the rest of a page looks.
///
/// `Debug` hides it: it is personal.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DisplayName(String);

/// The text is not a name that can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDisplayName {
    /// Nothing of it is visible.
    #[error("a display name without a visible character")]
    Empty,
    /// It has more than [`DisplayName::MAX_LENGTH`] characters.
    #[error("a display name longer than {} characters", DisplayName::MAX_LENGTH)]
    TooLong,
}

impl DisplayName {
    /// The longest name, in Unicode code points, as it is given.
    pub const MAX_LENGTH: usize = 64;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DisplayName {
    type Err = InvalidDisplayName;

    /// Takes out what nobody sees or what changes the direction of other text, and makes each run of white space a space.
    fn from_str(text: &str) -> Result<Self, InvalidDisplayName> {
        if text.chars().count() > Self::MAX_LENGTH {
            return Err(InvalidDisplayName::TooLong);
        }
        let visible: String =
            text.chars().filter(|character| character.is_whitespace() || !is_hidden(*character)).collect();
        let name = visible.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.is_empty() { Err(InvalidDisplayName::Empty) } else { Ok(Self(name)) }
    }
}

impl<'de> Deserialize<'de> for DisplayName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DisplayName").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::printable::has_hidden;

    fn cleaned(text: &str) -> Result<String, InvalidDisplayName> {
        text.parse().map(|DisplayName(name)| name)
    }

    #[test]
    fn names_in_any_script_stay_as_they_are() {
        for name in ["Ada", "José María", "李雷", "عائشة", "Zoë 🦀", "O’Neill & <b>", &"🦀".repeat(64)]
        {
            assert_eq!(cleaned(name).as_deref(), Ok(name));
        }
    }

    #[test]
    fn what_nobody_sees_is_taken_out() {
        for text in
            ["  Ada\tLovelace\n", "Ada\u{202e} \u{200b}Lovelace\u{7}", "\u{2066}Ada\u{a0}\u{2028}Lovelace\u{feff}"]
        {
            assert_eq!(cleaned(text).as_deref(), Ok("Ada Lovelace"), "{text:?}");
        }
    }

    #[test]
    fn a_name_without_a_visible_character_is_none() {
        for text in ["", " ", "\u{200b}\u{202e}", "\u{3164}\n\t"] {
            assert_eq!(cleaned(text), Err(InvalidDisplayName::Empty), "{text:?}");
        }
    }

    #[test]
    fn a_name_has_64_characters_at_most() {
        assert_eq!(cleaned(&"é".repeat(65)), Err(InvalidDisplayName::TooLong));
    }

    #[test]
    fn debug_hides_the_name() {
        assert_eq!(format!("{:?}", DisplayName("Ada".to_owned())), "DisplayName { .. }");
    }

    proptest! {
        #[test]
        fn a_cleaned_name_is_visible_and_stays_the_same(text in "\\PC{0,40}[\\x00-\\x20\u{202a}-\u{202e}]{0,8}\\PC{0,8}") {
            if let Ok(name) = cleaned(&text) {
                prop_assert!(!has_hidden(&name) && !name.is_empty());
                prop_assert_eq!(cleaned(&name), Ok(name));
            }
        }
    }
}
