//! The settings, read once from the environment.

use std::time::Duration;

use shared::{LoginUrls, SettingError, Settings, aws::secrets::Source, http::Roots, metrics::Meter};

/// The settings of this function.
#[derive(Debug)]
pub struct Config {
    pub(crate) token_table: String,
    pub(crate) attempt_table: String,
    pub(crate) queue_url: String,
    /// Seals refresh tokens.
    pub(crate) token_key_id: String,
    /// Who refreshes tokens: where bots do, this function leaves every row alone.
    pub(crate) custody: Custody,
    /// After how long without a refresh a row is due; `None`: age alone makes no row due.
    pub(crate) keep_alive: Option<Duration>,
    /// In how long a sweep goes through the table; zero: as fast as can be.
    pub(crate) sweep_time: Duration,
    pub(crate) login_urls: LoginUrls,
    pub(crate) roots: Roots,
    pub(crate) meter: Meter,
    client_id: Source,
    client_secret: Source,
}

/// Who refreshes tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Custody {
    Stack,
    Bot,
}

impl std::str::FromStr for Custody {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "Stack" => Ok(Self::Stack),
            "Bot" => Ok(Self::Bot),
            _ => Err("neither Stack nor Bot"),
        }
    }
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`SettingError`] with the name of the setting.
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        let days: u64 = settings.parsed("KEEP_ALIVE_DAYS")?;
        Ok(Self {
            token_table: settings.required("DYNAMODB_PROFILE_TABLE_NAME")?,
            attempt_table: settings.required("ATTEMPT_TABLE_NAME")?,
            queue_url: settings.required("UPKEEP_QUEUE_URL")?,
            token_key_id: settings.required("TOKEN_KEY_ID")?,
            custody: settings.parsed("TOKEN_CUSTODY")?,
            keep_alive: (days > 0).then(|| Duration::from_hours(24 * days)),
            sweep_time: Duration::from_hours(settings.parsed("SWEEP_HOURS")?),
            login_urls: settings.parsed("LOGIN_URLS")?,
            roots: Roots::of(settings),
            meter: Meter::read(settings)?,
            client_id: Source::read(settings, "SF_CLIENT_ID", "SF_CLIENT_ID_SECRET_NAME")?,
            client_secret: Source::read(settings, "SF_CLIENT_SECRET", "SF_CLIENT_SECRET_SECRET_NAME")?,
        })
    }
}
