//! A refresh token as the row has it: plain, or sealed. Pure.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

/// What a sealed text begins with. No token of Salesforce's does.
const SEALED: &str = "sealed:";

/// A text that only the functions open which hold tokens ([`crate::custody::seal`]). It may be stored and sent within the stack,
/// and means nothing to Salesforce.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedText(String);

/// The refresh token in a row.
#[derive(Clone)]
pub enum RefreshTokenText {
    /// As Salesforce gave it: of an earlier version, or where bots have the custody.
    Plain(SecretString),
    /// Sealed.
    Sealed(SealedText),
}

impl SealedText {
    /// Takes a text that is sealed by its form; whether it opens is for the key to say.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.starts_with(SEALED).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RefreshTokenText {
    /// Takes what the row has.
    #[must_use]
    pub fn new(text: &str) -> Self {
        SealedText::parse(text).map_or_else(|| Self::Plain(text.into()), Self::Sealed)
    }

    /// As it stands in the row: for conditions on it.
    #[must_use]
    pub fn stored(&self) -> &str {
        match self {
            Self::Plain(token) => token.expose_secret(),
            Self::Sealed(text) => text.as_str(),
        }
    }
}

impl fmt::Debug for SealedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedText").finish_non_exhaustive()
    }
}

impl fmt::Debug for RefreshTokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain(..)",
            Self::Sealed(_) => "Sealed(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_is_no_token() {
        assert!(matches!(RefreshTokenText::new("5Aep861!"), RefreshTokenText::Plain(_)));
        assert!(matches!(RefreshTokenText::new("sealed:v1:a:b:c"), RefreshTokenText::Sealed(_)));
    }

    #[test]
    fn debug_hides_what_is_stored() {
        for text in ["5Aep861!SECRET", "sealed:v1:SECRET"] {
            let debug = format!("{:?} {:?}", RefreshTokenText::new(text), SealedText(text.to_owned()));
            assert!(!debug.contains("SECRET"), "{debug}");
        }
    }
}
