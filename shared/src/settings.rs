//! A function's configuration, read once at its start.

use std::{fmt::Display, str::FromStr};

/// The environment, as a function from a name to a value: `std::env` in `main.rs`, a table in tests.
pub struct Settings<F>(F);

/// A setting that stops the function at its start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// Not there, or empty.
    #[error("the setting {0} is missing")]
    Missing(&'static str),
    /// There, and not usable; the text says why and does not quote it.
    #[error("the setting {name} is wrong: {why}")]
    Invalid {
        /// Which.
        name: &'static str,
        /// Why.
        why: String,
    },
}

impl<F: Fn(&str) -> Option<String>> Settings<F> {
    /// Settings that are looked up with `lookup`.
    pub const fn new(lookup: F) -> Self {
        Self(lookup)
    }

    /// The value; `None` where it is absent or empty.
    pub fn optional(&self, name: &'static str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The value.
    ///
    /// # Errors
    /// [`SettingError::Missing`].
    pub fn required(&self, name: &'static str) -> Result<String, SettingError> {
        self.optional(name).ok_or(SettingError::Missing(name))
    }

    /// The value, parsed; `None` where it is absent or empty.
    ///
    /// # Errors
    /// [`SettingError::Invalid`].
    pub fn parsed_optional<T>(&self, name: &'static str) -> Result<Option<T>, SettingError>
    where
        T: FromStr<Err: Display>,
    {
        self.optional(name).map(|value| parse(name, &value)).transpose()
    }

    /// The value, parsed.
    ///
    /// # Errors
    /// [`SettingError`].
    pub fn parsed<T>(&self, name: &'static str) -> Result<T, SettingError>
    where
        T: FromStr<Err: Display>,
    {
        parse(name, &self.required(name)?)
    }
}

fn parse<T: FromStr<Err: Display>>(name: &'static str, value: &str) -> Result<T, SettingError> {
    value.parse().map_err(|why: T::Err| SettingError::Invalid { name, why: why.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LoginUrls;

    fn settings() -> Settings<impl Fn(&str) -> Option<String>> {
        Settings::new(|name| match name {
            "EMPTY" => Some(" ".to_owned()),
            "LOGIN_URLS" => Some("http://example.com".to_owned()),
            "MINUTES" => Some("15".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn an_empty_setting_is_a_missing_one() {
        assert_eq!(settings().required("EMPTY"), Err(SettingError::Missing("EMPTY")));
        assert_eq!(settings().required("ABSENT").unwrap_err().to_string(), "the setting ABSENT is missing");
    }

    #[test]
    fn a_wrong_setting_is_named_with_the_reason() {
        assert_eq!(settings().parsed::<u64>("MINUTES"), Ok(15));
        assert_eq!(settings().parsed_optional::<u64>("ABSENT"), Ok(None));
        let error = settings().parsed::<LoginUrls>("LOGIN_URLS").unwrap_err();
        assert_eq!(error.to_string(), "the setting LOGIN_URLS is wrong: not https");
    }
}
