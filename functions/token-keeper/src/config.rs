//! The settings, read once at the start.

use std::time::Duration;

use shared::{Language, SettingError, Settings, aws::links::CallbackUriSource, custody};

use crate::confirmations::WAIT;

/// The settings of this function.
#[derive(Debug)]
pub struct Config {
    pub(crate) custody: custody::Config,
    pub(crate) attempt_table: String,
    pub(crate) link_key_id: String,
    /// How long the link lives that a call gets for a connection that has ended.
    pub(crate) link_lifetime: Duration,
    pub(crate) callback_uri: CallbackUriSource,
    pub(crate) confirmations: ConfirmationConfig,
    /// What chats are answered in whose link has no language.
    pub(crate) default_language: Language,
}

/// Where logins wait for their confirmation, and who hears of it.
#[derive(Debug)]
pub(crate) struct ConfirmationConfig {
    pub(crate) pending_table: String,
    pub(crate) limit_table: String,
    /// The exchange queue's.
    pub(crate) queue_url: String,
    /// How long a call waits for the login of a code that came first.
    pub(crate) wait: Duration,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`SettingError`] with the name of a setting that is missing or invalid.
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        let hours: u32 = settings.parsed("RELINK_LIFETIME_HOURS")?;
        Ok(Self {
            custody: custody::Config::read(settings)?,
            attempt_table: settings.required("ATTEMPT_TABLE_NAME")?,
            link_key_id: settings.required("LINK_KEY_ID")?,
            link_lifetime: Duration::from_hours(hours.into()),
            callback_uri: CallbackUriSource::read(settings)?,
            confirmations: ConfirmationConfig {
                pending_table: settings.required("PENDING_TABLE_NAME")?,
                limit_table: settings.required("LIMIT_TABLE_NAME")?,
                queue_url: settings.required("EXCHANGE_QUEUE_URL")?,
                wait: WAIT,
            },
            default_language: settings.parsed("DEFAULT_LANGUAGE")?,
        })
    }

    /// The same with another time to wait for the login of a code that came first: tests need not wait for none.
    #[must_use]
    pub fn waiting(mut self, wait: Duration) -> Self {
        self.confirmations.wait = wait;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 17] = [
        ("DYNAMODB_PROFILE_TABLE_NAME", "salesforce_tokens"),
        ("ATTEMPT_TABLE_NAME", "connection_attempts"),
        ("UPKEEP_QUEUE_URL", "https://queue"),
        ("TOKEN_KEY_ID", "key"),
        ("TOKEN_CUSTODY", "Stack"),
        ("TOKEN_MAX_AGE_MINUTES", "60"),
        ("LINK_KEY_ID", "link"),
        ("RELINK_LIFETIME_HOURS", "24"),
        ("LOGIN_URLS", "https://login.salesforce.com"),
        ("STACK_NAME", "connect"),
        ("SF_CLIENT_ID_SECRET_NAME", "sf_client_id"),
        ("SF_CLIENT_SECRET_SECRET_NAME", "sf_client_secret"),
        ("API_DOMAIN_SUFFIX", "execute-api.us-east-1.amazonaws.com"),
        ("PENDING_TABLE_NAME", "pending_connections"),
        ("LIMIT_TABLE_NAME", "limits"),
        ("EXCHANGE_QUEUE_URL", "https://exchange"),
        ("DEFAULT_LANGUAGE", "en"),
    ];

    fn read(settings: &[(&str, &str)]) -> Result<Config, SettingError> {
        Config::read(&Settings::new(|name| {
            settings.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        }))
    }

    #[test]
    fn the_lifetime_of_a_link_is_in_hours() {
        assert_eq!(read(&COMPLETE).unwrap().link_lifetime, Duration::from_hours(24));
    }

    #[test]
    fn a_missing_setting_is_named() {
        for (name, _) in COMPLETE {
            let rest: Vec<_> = COMPLETE.into_iter().filter(|(key, _)| *key != name).collect();
            let named = match name {
                "SF_CLIENT_ID_SECRET_NAME" => "SF_CLIENT_ID",
                "SF_CLIENT_SECRET_SECRET_NAME" => "SF_CLIENT_SECRET",
                "API_DOMAIN_SUFFIX" => "SF_REDIRECT_URI",
                _ => name,
            };
            assert_eq!(read(&rest).unwrap_err(), SettingError::Missing(named));
        }
    }
}
