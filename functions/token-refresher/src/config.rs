//! The settings, read once from the environment.

use std::time::Duration;

use shared::{SettingError, Settings, custody};

/// The settings of this function.
#[derive(Debug)]
pub struct Config {
    pub(crate) custody: custody::Config,
    /// The table that a sweep goes through.
    pub(crate) token_table: String,
    pub(crate) queue_url: String,
    /// Where the exchanger ends the time for a chat's confirmation.
    pub(crate) exchange_queue_url: String,
    /// After how long without a refresh a row is due; `None`: age alone makes no row due.
    pub(crate) keep_alive: Option<Duration>,
    /// In how long a sweep goes through the table; zero: as fast as can be.
    pub(crate) sweep_time: Duration,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`SettingError`] with the name of the setting.
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        let days: u16 = settings.parsed("KEEP_ALIVE_DAYS")?;
        let hours: u16 = settings.parsed("SWEEP_HOURS")?;
        Ok(Self {
            custody: custody::Config::read(settings)?,
            token_table: settings.required("DYNAMODB_PROFILE_TABLE_NAME")?,
            queue_url: settings.required("UPKEEP_QUEUE_URL")?,
            exchange_queue_url: settings.required("EXCHANGE_QUEUE_URL")?,
            keep_alive: (days > 0).then(|| Duration::from_hours(24 * u64::from(days))),
            sweep_time: Duration::from_hours(hours.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 13] = [
        ("DYNAMODB_PROFILE_TABLE_NAME", "salesforce_tokens"),
        ("ATTEMPT_TABLE_NAME", "connection_attempts"),
        ("UPKEEP_QUEUE_URL", "https://queue"),
        ("EXCHANGE_QUEUE_URL", "https://exchange"),
        ("TOKEN_KEY_ID", "key"),
        ("TOKEN_CUSTODY", "Stack"),
        ("TOKEN_MAX_AGE_MINUTES", "60"),
        ("KEEP_ALIVE_DAYS", "20"),
        ("SWEEP_HOURS", "20"),
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
        assert!(read(&COMPLETE).is_ok());
        for (name, _) in COMPLETE {
            let rest: Vec<_> = COMPLETE.into_iter().filter(|(key, _)| *key != name).collect();
            assert_eq!(read(&rest).unwrap_err(), SettingError::Missing(name));
        }
    }

    #[test]
    fn no_days_are_no_keep_alive_and_no_hours_no_pace() {
        let config = read(&COMPLETE).unwrap();
        assert_eq!((config.keep_alive, config.sweep_time.as_secs()), (Some(Duration::from_hours(480)), 72_000));
        let config = read(&[&COMPLETE[..], &[("KEEP_ALIVE_DAYS", "0"), ("SWEEP_HOURS", "0")]].concat()).unwrap();
        assert_eq!((config.keep_alive, config.sweep_time), (None, Duration::ZERO));
    }

    #[test]
    fn debug_hides_the_secrets() {
        assert!(!format!("{:?}", read(&COMPLETE).unwrap()).contains("s3cret"));
    }
}
