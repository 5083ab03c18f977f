//! The settings of whoever holds tokens, read once from the environment.

use std::time::Duration;

use crate::{
    LoginUrls, SettingError, Settings,
    aws::secrets::{Secrets, SecretsError, Source},
    http::Roots,
    metrics::Meter,
    salesforce::AppCredentials,
};

/// Who holds the refresh tokens, and so refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenCustody {
    /// This stack: refresh tokens are sealed, and bots ask for live access tokens.
    Stack,
    /// The bots, as with the older system: refresh tokens stand in the row in plain, and this stack never refreshes.
    Bot,
}

/// Neither `Stack` nor `Bot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected Stack or Bot")]
pub struct InvalidCustody;

impl std::str::FromStr for TokenCustody {
    type Err = InvalidCustody;

    fn from_str(text: &str) -> Result<Self, InvalidCustody> {
        match text {
            "Stack" => Ok(Self::Stack),
            "Bot" => Ok(Self::Bot),
            _ => Err(InvalidCustody),
        }
    }
}

/// The settings.
#[derive(Debug)]
pub struct Config {
    pub(super) token_table: String,
    pub(super) attempt_table: String,
    pub(super) upkeep_queue_url: String,
    pub(super) token_key_id: String,
    /// Who refreshes.
    pub custody: TokenCustody,
    pub(super) max_age: Duration,
    /// The login hosts of the stack.
    pub login_urls: LoginUrls,
    pub(super) roots: Roots,
    /// The stack's metrics.
    pub meter: Meter,
    client_id: Source,
    client_secret: Source,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`SettingError`] with the name of the setting.
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        let minutes: u32 = settings.parsed("TOKEN_MAX_AGE_MINUTES")?;
        Ok(Self {
            token_table: settings.required("DYNAMODB_PROFILE_TABLE_NAME")?,
            attempt_table: settings.required("ATTEMPT_TABLE_NAME")?,
            upkeep_queue_url: settings.required("UPKEEP_QUEUE_URL")?,
            token_key_id: settings.required("TOKEN_KEY_ID")?,
            custody: settings.parsed("TOKEN_CUSTODY")?,
            max_age: Duration::from_secs(u64::from(minutes) * 60),
            login_urls: settings.parsed("LOGIN_URLS")?,
            roots: Roots::of(settings),
            meter: Meter::read(settings)?,
            client_id: Source::read(settings, "SF_CLIENT_ID", "SF_CLIENT_ID_SECRET_NAME")?,
            client_secret: Source::read(settings, "SF_CLIENT_SECRET", "SF_CLIENT_SECRET_SECRET_NAME")?,
        })
    }

    /// The settings that Secrets Manager may hold.
    pub(super) fn sources(&self) -> [&Source; 2] {
        [&self.client_id, &self.client_secret]
    }

    pub(super) fn credentials<'a>(&'a self, secrets: &'a Secrets) -> Result<AppCredentials<'a>, SecretsError> {
        Ok(AppCredentials {
            client_id: secrets.get(&self.client_id)?.trim(),
            client_secret: secrets.get(&self.client_secret)?.trim(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 10] = [
        ("DYNAMODB_PROFILE_TABLE_NAME", "salesforce_tokens"),
        ("ATTEMPT_TABLE_NAME", "connection_attempts"),
        ("UPKEEP_QUEUE_URL", "https://queue"),
        ("TOKEN_KEY_ID", "key"),
        ("TOKEN_CUSTODY", "Stack"),
        ("TOKEN_MAX_AGE_MINUTES", "60"),
        ("LOGIN_URLS", "https://login.salesforce.com"),
        ("STACK_NAME", "connect"),
        ("SF_CLIENT_ID", "id"),
        ("SF_CLIENT_SECRET", "s3cret"),
    ];

    fn read(settings: &[(&str, &str)]) -> Result<Config, SettingError> {
        Config::read(&Settings::new(|name| {
            settings.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        }))
    }

    #[test]
    fn a_missing_setting_is_named() {
        assert_eq!(read(&COMPLETE).unwrap().max_age, Duration::from_hours(1));
        for (name, _) in COMPLETE {
            let rest: Vec<_> = COMPLETE.into_iter().filter(|(key, _)| *key != name).collect();
            assert_eq!(read(&rest).unwrap_err(), SettingError::Missing(name));
        }
    }

    #[test]
    fn custody_is_the_stacks_or_the_bots() {
        let with = |custody| read(&[&COMPLETE[..], &[("TOKEN_CUSTODY", custody)]].concat());
        assert_eq!(with("Bot").unwrap().custody, TokenCustody::Bot);
        assert!(with("bot").is_err() && with("Nobody").is_err());
    }

    #[test]
    fn debug_hides_the_secrets() {
        assert!(!format!("{:?}", read(&COMPLETE).unwrap()).contains("s3cret"));
    }
}
