//! A function's configuration, read once when it starts.

use std::{fmt::Display, str::FromStr};

/// The environment as a function from a name to a value: `std::env` in `main.rs`, a table in tests.
pub struct Settings<F>(F);

/// A setting that keeps the function from starting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// The setting is absent or empty.
    #[error("the setting {0} is missing")]
    Missing(&'static str),
    /// The setting has an unusable value. The text says why and does not quote the value.
    #[error("the setting {name} is invalid: {why}")]
    Invalid {
        /// The setting's name.
        name: &'static str,
        /// The reason.
        why: String,
    },
}

impl<F: Fn(&str) -> Option<String>> Settings<F> {
    /// Settings that `lookup` finds by name.
    pub const fn new(lookup: F) -> Self {
        Self(lookup)
    }

    /// The value without surrounding white space; `None` if it is absent or empty.
    pub fn optional(&self, name: &'static str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The value without surrounding white space.
    ///
    /// # Errors
    /// [`SettingError::Missing`].
    pub fn required(&self, name: &'static str) -> Result<String, SettingError> {
        self.optional(name).ok_or(SettingError::Missing(name))
    }

    /// The parsed value; `None` if it is absent or empty.
    ///
    /// # Errors
    /// [`SettingError::Invalid`].
    pub fn parsed_optional<T>(&self, name: &'static str) -> Result<Option<T>, SettingError>
    where
        T: FromStr<Err: Display>,
    {
        self.optional(name).map(|value| parse(name, &value)).transpose()
    }

    /// The parsed value.
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
    fn an_empty_setting_is_missing() {
        assert_eq!(settings().required("EMPTY"), Err(SettingError::Missing("EMPTY")));
        assert_eq!(settings().required("ABSENT").unwrap_err().to_string(), "the setting ABSENT is missing");
    }

    #[test]
    fn an_invalid_setting_is_named_with_the_reason() {
        assert_eq!(settings().parsed::<u64>("MINUTES"), Ok(15));
        assert_eq!(settings().parsed_optional::<u64>("ABSENT"), Ok(None));
        let error = settings().parsed::<LoginUrls>("LOGIN_URLS").unwrap_err();
        assert_eq!(error.to_string(), "the setting LOGIN_URLS is invalid: not https");
    }
}
