//! The settings, read once at the start.

use std::str::FromStr;

use shared::{
    LoginUrls, SettingError, Settings,
    metrics::Meter,
    page::BotPhoneNumber,
    state_settings::{STATE_PUBLIC_KEYS, StateSettings},
};

/// The receiver's settings.
#[derive(Debug)]
pub struct Config {
    /// What states are verified with.
    pub states: StateSettings,
    /// Whether a callback must come from the browser that began the login.
    pub browser: BrowserPolicy,
    /// The exchange queue.
    pub queue_url: String,
    /// The first is where people with a plain state log in.
    pub login_urls: LoginUrls,
    pub(super) meter: Meter,
    /// For the pages' link back to the chat.
    pub bot_phone_number: Option<BotPhoneNumber>,
}

/// What happens to a callback from another browser than the one that began the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserPolicy {
    /// It is refused.
    Enforce,
    /// It is allowed, with a warning in the log.
    Observe,
}

impl FromStr for BrowserPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "Enforce" => Ok(Self::Enforce),
            "Observe" => Ok(Self::Observe),
            _ => Err("neither Enforce nor Observe"),
        }
    }
}

/// The AWS services that connections are opened to at the start, as [`shared::aws::Start`] names them.
#[must_use]
pub fn services(settings: &Settings<impl Fn(&str) -> Option<String>>) -> &'static [&'static str] {
    if settings.optional(STATE_PUBLIC_KEYS).is_some() { &["sqs"] } else { &["sqs", "kms"] }
}

impl Config {
    /// # Errors
    /// [`SettingError`] with the name of a setting that is missing or invalid.
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        Ok(Self {
            states: StateSettings::read(settings)?,
            browser: settings.parsed("BROWSER_BINDING")?,
            queue_url: settings.required("EXCHANGE_QUEUE_URL")?,
            login_urls: settings.parsed("LOGIN_URLS")?,
            meter: Meter::read(settings)?,
            bot_phone_number: settings.parsed_optional("BOT_PHONE_NUMBER")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(changed: &'static str, value: &'static str) -> Result<Config, SettingError> {
        Config::read(&Settings::new(|name| {
            let usual = match name {
                "STATE_POLICY" => "Signed",
                "BROWSER_BINDING" => "Enforce",
                "STATE_KEY_IDS" => "arn:one, arn:two",
                "EXCHANGE_QUEUE_URL" => "https://queue",
                "LOGIN_URLS" => "https://login.salesforce.com",
                "BOT_PHONE_NUMBER" => "+14155238886",
                "STACK_NAME" => "connect",
                _ => return None,
            };
            Some(if name == changed { value } else { usual }.to_owned())
        }))
    }

    #[test]
    fn reads_every_setting() {
        let config = read_with("", "").unwrap();
        assert_eq!(config.browser, BrowserPolicy::Enforce);
        assert_eq!(config.bot_phone_number, Some("+14155238886".parse().unwrap()));
    }

    #[test]
    fn names_the_setting_that_is_missing_or_invalid() {
        assert_eq!(read_with("EXCHANGE_QUEUE_URL", "").unwrap_err(), SettingError::Missing("EXCHANGE_QUEUE_URL"));
        assert!(matches!(
            read_with("STATE_POLICY", "plain").unwrap_err(),
            SettingError::Invalid { name: "STATE_POLICY", .. }
        ));
        assert!(matches!(
            read_with("BOT_PHONE_NUMBER", "none").unwrap_err(),
            SettingError::Invalid { name: "BOT_PHONE_NUMBER", .. }
        ));
        assert_eq!(read_with("BOT_PHONE_NUMBER", "").unwrap().bot_phone_number, None);
    }
}
