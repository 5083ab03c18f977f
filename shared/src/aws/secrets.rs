//! AWS Secrets Manager: the settings that are secret, fetched in one batch and kept for a while.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use aws_sdk_secretsmanager::{Client, config::BehaviorVersion};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tracing::warn;

use super::SdkConfig;
use crate::{SettingError, Settings, Timestamp};

/// How long fetched secrets are used without asking again.
const LIFETIME: Duration = Duration::from_mins(5);
/// How long old ones serve on before it is tried again to renew them, since everybody waits for a try.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

/// Where a setting's value comes from.
#[derive(Clone)]
pub enum Source {
    /// The environment has it.
    Value(SecretString),
    /// Secrets Manager has it, under this name.
    Secret(String),
}

impl Source {
    /// The variable `value` first, else the secret that the variable `secret_name` names.
    ///
    /// # Errors
    /// [`SettingError::Missing`] with the name of `value` where neither is there.
    pub fn read(
        settings: &Settings<impl Fn(&str) -> Option<String>>,
        value: &'static str,
        secret_name: &'static str,
    ) -> Result<Self, SettingError> {
        Self::read_optional(settings, value, secret_name).ok_or(SettingError::Missing(value))
    }

    /// Like [`Self::read`], for a setting that may be absent.
    pub fn read_optional(
        settings: &Settings<impl Fn(&str) -> Option<String>>,
        value: &'static str,
        secret_name: &'static str,
    ) -> Option<Self> {
        settings
            .optional(value)
            .map(|text| Self::Value(text.into()))
            .or_else(|| settings.optional(secret_name).map(Self::Secret))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(..)"),
            Self::Secret(name) => f.debug_tuple("Secret").field(name).finish(),
        }
    }
}

/// A secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// There is no such secret, it has no text, or this function may not read it.
    #[error("the secret {name} cannot be read: {why}")]
    Unreadable {
        /// Which.
        name: String,
        /// Secrets Manager's error code.
        why: String,
    },
    /// Secrets Manager did not answer, or refused the whole call.
    #[error("Secrets Manager did not answer: {0}")]
    Unavailable(String),
}

/// The values of one fetch.
pub struct Secrets {
    fetched_at: Timestamp,
    by_name: HashMap<String, SecretString>,
}

impl Secrets {
    /// The value behind a source that the store was made for.
    ///
    /// # Errors
    /// [`SecretsError::Unreadable`] for a source that the store was not made for.
    pub fn get<'a>(&'a self, source: &'a Source) -> Result<&'a str, SecretsError> {
        match source {
            Source::Value(value) => Ok(value.expose_secret()),
            Source::Secret(name) => self
                .by_name
                .get(name)
                .map(ExposeSecret::expose_secret)
                .ok_or_else(|| SecretsError::Unreadable { name: name.clone(), why: "it was not asked for".to_owned() }),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("fetched_at", &self.fetched_at).finish_non_exhaustive()
    }
}

/// The secrets of a function, fetched together.
pub struct SecretStore {
    client: Client,
    names: Vec<String>,
    held: Mutex<Option<Held>>,
}

struct Held {
    secrets: Arc<Secrets>,
    renew_at: Timestamp,
}

impl SecretStore {
    /// A store for these sources; nothing is fetched yet.
    pub fn new<'a>(config: &SdkConfig, sources: impl IntoIterator<Item = &'a Source>) -> Self {
        let config = aws_sdk_secretsmanager::config::Builder::from(config)
            .behavior_version(BehaviorVersion::v2026_01_12())
            .build();
        let mut names: Vec<_> = sources
            .into_iter()
            .filter_map(|source| match source {
                Source::Value(_) => None,
                Source::Secret(name) => Some(name.clone()),
            })
            .collect();
        names.sort();
        names.dedup();
        Self { client: Client::from_conf(config), names, held: Mutex::new(None) }
    }

    /// The secrets, at most some minutes old. Where they cannot be fetched again the old ones
    /// serve on: a stale secret mostly works, and no secret never does.
    ///
    /// # Errors
    /// [`SecretsError`] where none were ever fetched.
    pub async fn current(&self, now: Timestamp) -> Result<Arc<Secrets>, SecretsError> {
        let mut held = self.held.lock().await;
        if let Some(Held { secrets, renew_at }) = &*held
            && now < *renew_at
        {
            return Ok(Arc::clone(secrets));
        }
        // Boxed: it is large, and what waits for it mostly needs none.
        match (Box::pin(self.fetch(now)).await, held.as_mut()) {
            (Err(error), Some(old)) => {
                warn!(error = %error, "secrets not renewed, the old ones serve on");
                old.renew_at = now.plus(RENEWAL_PAUSE);
                Ok(Arc::clone(&old.secrets))
            }
            (fetched, _) => Ok(hold(&mut held, fetched?)),
        }
    }

    /// The secrets, newer than those that were just refused: they may have been rotated. Several
    /// callers who were refused at once share one fetch.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub async fn newer_than(&self, refused: &Secrets, now: Timestamp) -> Result<Arc<Secrets>, SecretsError> {
        let mut held = self.held.lock().await;
        match &*held {
            Some(Held { secrets, .. }) if secrets.fetched_at > refused.fetched_at => Ok(Arc::clone(secrets)),
            _ => Ok(hold(&mut held, self.fetch(now).await?)),
        }
    }

    async fn fetch(&self, now: Timestamp) -> Result<Secrets, SecretsError> {
        let mut by_name = HashMap::with_capacity(self.names.len());
        if self.names.is_empty() {
            return Ok(Secrets { fetched_at: now, by_name });
        }
        let answer = self
            .client
            .batch_get_secret_value()
            .set_secret_id_list(Some(self.names.clone()))
            .send()
            .await
            .map_err(|error| SecretsError::Unavailable(super::describe(&error)))?;
        for secret in answer.secret_values.unwrap_or_default() {
            if let (Some(name), Some(value)) = (secret.name, secret.secret_string) {
                // A secret that was read from a file often ends in a line break.
                by_name.insert(name, SecretString::from(value.trim()));
            }
        }
        let errors = answer.errors.unwrap_or_default();
        match self.names.iter().find(|name| !by_name.contains_key(*name)) {
            None => Ok(Secrets { fetched_at: now, by_name }),
            Some(name) => {
                let why = errors
                    .into_iter()
                    .find(|error| error.secret_id.as_deref() == Some(name))
                    .and_then(|error| error.error_code)
                    .unwrap_or_else(|| "no text in the answer".to_owned());
                Err(SecretsError::Unreadable { name: name.clone(), why })
            }
        }
    }
}

fn hold(held: &mut Option<Held>, fetched: Secrets) -> Arc<Secrets> {
    let renew_at = fetched.fetched_at.plus(LIFETIME);
    Arc::clone(&held.insert(Held { secrets: Arc::new(fetched), renew_at }).secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings<impl Fn(&str) -> Option<String>> {
        Settings::new(|name| match name {
            "SF_CLIENT_ID" => Some("3MVG9".to_owned()),
            "SF_CLIENT_ID_SECRET_NAME" | "SF_CLIENT_SECRET_SECRET_NAME" => Some("named".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn the_environment_comes_before_secrets_manager() {
        let id = Source::read(&settings(), "SF_CLIENT_ID", "SF_CLIENT_ID_SECRET_NAME").unwrap();
        assert!(matches!(id, Source::Value(value) if value.expose_secret() == "3MVG9"));
        let secret = Source::read(&settings(), "SF_CLIENT_SECRET", "SF_CLIENT_SECRET_SECRET_NAME").unwrap();
        assert!(matches!(secret, Source::Secret(name) if name == "named"));
    }

    #[test]
    fn a_setting_that_is_nowhere_is_named() {
        let error = Source::read(&settings(), "SF_REDIRECT_URI", "SF_CALLBACK_URI_SECRET_NAME").unwrap_err();
        assert_eq!(error, SettingError::Missing("SF_REDIRECT_URI"));
    }

    #[test]
    fn debug_hides_the_value() {
        assert_eq!(format!("{:?}", Source::Value("s3cret".into())), "Value(..)");
        let by_name = HashMap::from([("name".to_owned(), SecretString::from("s3cret"))]);
        assert!(!format!("{:?}", Secrets { fetched_at: Timestamp::from_millis(1), by_name }).contains("s3cret"));
    }
}
