//! The settings, read once from the environment.

use std::num::NonZeroU32;

use shared::{
    CallbackUri, LoginUrls, SettingError, Settings,
    aws::secrets::{Secrets, SecretsError, Source},
    callback_uri::InvalidCallbackUri,
    http::Roots,
    metrics::Meter,
    salesforce::Credentials,
    state_settings::StateSettings,
};

/// The settings of this function.
#[derive(Debug)]
pub struct Config {
    pub(crate) token_table: String,
    pub(crate) attempt_table: String,
    pub(crate) queue_url: String,
    /// How often a code is tried. The queue delivers its message some more times, so that the person is still
    /// notified of the delay if the last try was killed.
    pub(crate) max_tries: u32,
    pub(crate) pkce_key_id: String,
    /// What the states of messages are verified with.
    pub(crate) states: StateSettings,
    /// Encrypts tokens that cannot be stored at once.
    pub(crate) checkpoint_key_id: String,
    pub(crate) login_urls: LoginUrls,
    pub(crate) roots: Roots,
    pub(crate) meter: Meter,
    client_id: Source,
    pub(crate) client_secret: Source,
    callback_uri: Source,
}

/// The app's credentials are not available.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error("invalid callback URI")]
    CallbackUri(#[from] InvalidCallbackUri),
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`SettingError`] with the name of the setting.
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        Ok(Self {
            token_table: settings.required("DYNAMODB_PROFILE_TABLE_NAME")?,
            attempt_table: settings.required("ATTEMPT_TABLE_NAME")?,
            queue_url: settings.required("EXCHANGE_QUEUE_URL")?,
            max_tries: settings.parsed::<NonZeroU32>("MAX_TRIES")?.get(),
            pkce_key_id: settings.required("PKCE_KEY_ID")?,
            states: StateSettings::read(settings)?,
            checkpoint_key_id: settings.required("CHECKPOINT_KEY_ID")?,
            login_urls: settings.parsed("LOGIN_URLS")?,
            roots: Roots::of(settings),
            meter: Meter::read(settings)?,
            client_id: Source::read(settings, "SF_CLIENT_ID", "SF_CLIENT_ID_SECRET_NAME")?,
            client_secret: Source::read(settings, "SF_CLIENT_SECRET", "SF_CLIENT_SECRET_SECRET_NAME")?,
            callback_uri: Source::read(settings, "SF_REDIRECT_URI", "SF_CALLBACK_URI_SECRET_NAME")?,
        })
    }

    /// The settings that Secrets Manager may hold.
    pub(crate) fn sources(&self) -> [&Source; 3] {
        [&self.client_id, &self.client_secret, &self.callback_uri]
    }

    /// The app's credentials. White space around them is trimmed: secrets often end in a line break.
    pub(crate) fn credentials<'a>(&'a self, secrets: &'a Secrets) -> Result<Credentials<'a>, CredentialsError> {
        Ok(Credentials {
            client_id: secrets.get(&self.client_id)?.trim(),
            client_secret: secrets.get(&self.client_secret)?.trim(),
            callback_uri: CallbackUri::parse(secrets.get(&self.callback_uri)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 13] = [
        ("DYNAMODB_PROFILE_TABLE_NAME", "salesforce_tokens"),
        ("ATTEMPT_TABLE_NAME", "connection_attempts"),
        ("EXCHANGE_QUEUE_URL", "https://queue"),
        ("MAX_TRIES", "10"),
        ("STACK_NAME", "connect"),
        ("PKCE_KEY_ID", "pkce"),
        ("STATE_KEY_IDS", "arn:one"),
        ("STATE_POLICY", "Signed"),
        ("CHECKPOINT_KEY_ID", "checkpoint"),
        ("LOGIN_URLS", "https://login.salesforce.com"),
        ("SF_CLIENT_ID_SECRET_NAME", "sf_client_id"),
        ("SF_CLIENT_SECRET_SECRET_NAME", "sf_client_secret"),
        ("SF_CALLBACK_URI_SECRET_NAME", "sf_callback_uri"),
    ];

    fn read(settings: &[(&str, &str)]) -> Result<Config, SettingError> {
        Config::read(&Settings::new(|name| {
            settings.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        }))
    }

    #[test]
    fn a_missing_setting_is_named() {
        assert_eq!(read(&COMPLETE).unwrap().max_tries, 10);
        for (name, _) in COMPLETE {
            let rest: Vec<_> = COMPLETE.into_iter().filter(|(key, _)| *key != name).collect();
            let named = match name {
                "SF_CLIENT_ID_SECRET_NAME" => "SF_CLIENT_ID",
                "SF_CLIENT_SECRET_SECRET_NAME" => "SF_CLIENT_SECRET",
                "SF_CALLBACK_URI_SECRET_NAME" => "SF_REDIRECT_URI",
                _ => name,
            };
            assert_eq!(read(&rest).unwrap_err(), SettingError::Missing(named));
        }
    }

    #[test]
    fn a_message_is_tried_at_least_once() {
        assert!(read(&[&COMPLETE[..], &[("MAX_TRIES", "0")]].concat()).is_err());
    }

    #[test]
    fn debug_hides_the_secrets() {
        let config = read(&[&COMPLETE[..], &[("SF_CLIENT_SECRET", "s3cret")]].concat()).unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
