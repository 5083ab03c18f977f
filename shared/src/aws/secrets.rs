//! AWS Secrets Manager: the settings that are secret, fetched in one batch, or each alone, and cached for some minutes.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use aws_sdk_secretsmanager::{
    error::SdkError,
    operation::{
        batch_get_secret_value::{BatchGetSecretValueInput, BatchGetSecretValueOutput},
        get_secret_value::GetSecretValueInput,
    },
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tracing::warn;

use super::{AwsError, SdkConfig, Service, service::requests};
use crate::{SettingError, Settings, Timestamp, secret_text};

requests!(aws_sdk_secretsmanager:
    batch_get_secret_value { BatchGetSecretValueInputBuilder
        -> BatchGetSecretValue(BatchGetSecretValueInput) -> BatchGetSecretValueOutput, BatchGetSecretValueError }
    get_secret_value { GetSecretValueInputBuilder
        -> GetSecretValue(GetSecretValueInput) -> GetSecretValueOutput, GetSecretValueError }
);

/// How long fetched secrets are used before they are fetched again.
const LIFETIME: Duration = Duration::from_mins(5);
/// How long expired secrets stay in use after a fetch failed. Every caller waits for a fetch, so it is not repeated at once.
const RETRY_PAUSE: Duration = Duration::from_secs(30);
/// Why a secret that exists cannot be read: it is binary.
const NO_TEXT: &str = "no text";

/// Where a setting's value comes from.
#[derive(Clone)]
pub enum Source {
    /// The environment holds the value itself.
    Value(SecretString),
    /// The name of a secret in Secrets Manager that holds the value.
    Secret(String),
}

impl Source {
    /// The value of the variable `value` or, where it is not set, the secret that the variable `secret_name` names.
    ///
    /// # Errors
    /// [`SettingError::Missing`] with the name of `value` where neither is set.
    pub fn read(
        settings: &Settings<impl Fn(&str) -> Option<String>>,
        value: &'static str,
        secret_name: &'static str,
    ) -> Result<Self, SettingError> {
        Self::read_optional(settings, value, secret_name).ok_or(SettingError::Missing(value))
    }

    /// Like [`Self::read`]; `None` where neither variable is set.
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

/// A secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// One secret does not exist, has no text, or may not be read by this function.
    #[error("secret {name} cannot be read: {why}")]
    Unreadable {
        /// The secret's name.
        name: String,
        /// Secrets Manager's error code for this secret.
        why: String,
    },
    /// The whole call failed.
    #[error(transparent)]
    Unavailable(#[from] AwsError),
}

/// Secrets by their names, each with its value, or with why it cannot be read.
type ByName = HashMap<String, Result<SecretString, String>>;

/// The secrets that one fetch returned. One that cannot be read is no reason to withhold the others.
pub struct Secrets {
    fetched_at: Timestamp,
    by_name: ByName,
}

impl Secrets {
    /// The value of a source.
    ///
    /// # Errors
    /// [`SecretsError::Unreadable`], also for a secret that the store was not made with.
    pub fn get<'a>(&'a self, source: &'a Source) -> Result<&'a str, SecretsError> {
        match source {
            Source::Value(value) => Ok(value.expose_secret()),
            Source::Secret(name) => {
                let unreadable = |why: &str| SecretsError::Unreadable { name: name.clone(), why: why.to_owned() };
                match self.by_name.get(name) {
                    Some(Ok(value)) => Ok(value.expose_secret()),
                    Some(Err(why)) => Err(unreadable(why)),
                    None => Err(unreadable("not requested")),
                }
            }
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("fetched_at", &self.fetched_at).finish_non_exhaustive()
    }
}

/// A function's secrets, fetched together and cached.
pub struct SecretStore {
    service: Service,
    names: Vec<String>,
    /// Locked during a fetch, so that concurrent callers share it.
    cache: Mutex<Option<Cached>>,
}

struct Cached {
    secrets: Arc<Secrets>,
    expires_at: Timestamp,
}

impl SecretStore {
    /// A store of the secrets among these sources. Nothing is fetched yet.
    pub fn new<'a>(config: &SdkConfig, sources: impl IntoIterator<Item = &'a Source>) -> Self {
        let mut names: Vec<_> = sources
            .into_iter()
            .filter_map(|source| match source {
                Source::Value(_) => None,
                Source::Secret(name) => Some(name.clone()),
            })
            .collect();
        names.sort();
        names.dedup();
        Self { service: Service::new(config, "secretsmanager"), names, cache: Mutex::new(None) }
    }

    /// The secrets, from the cache or fetched now. What cannot be fetched again stays in use: expired secrets mostly still
    /// work, and no secrets never do.
    ///
    /// # Errors
    /// [`SecretsError::Unavailable`] if the first fetch fails. That a single secret cannot be read is found by
    /// [`Secrets::get`].
    pub async fn current(&self, now: Timestamp) -> Result<Arc<Secrets>, SecretsError> {
        let mut cache = self.cache.lock().await;
        if let Some(Cached { secrets, expires_at }) = &*cache
            && now < *expires_at
        {
            return Ok(Arc::clone(secrets));
        }
        // Boxed, since the future is large and most callers find the secrets in the cache.
        match (Box::pin(self.fetch(now)).await, cache.as_mut()) {
            (Err(error), Some(old)) => {
                warn!(%error, "secrets not refreshed, cached ones stay in use");
                old.expires_at = now.plus(RETRY_PAUSE);
                Ok(Arc::clone(&old.secrets))
            }
            (fetched, _) => Ok(store(&mut cache, fetched?)),
        }
    }

    /// Secrets of which none can be read, for this reason: what needs none, or only some, is done all the same.
    #[must_use]
    pub fn unread(&self, reason: &SecretsError, now: Timestamp) -> Secrets {
        let why = reason.to_string();
        Secrets { fetched_at: now, by_name: self.names.iter().map(|name| (name.clone(), Err(why.clone()))).collect() }
    }

    /// Newer secrets than those that were refused: they may have been rotated. Callers that were refused at the same time
    /// share one fetch.
    ///
    /// # Errors
    /// [`SecretsError::Unavailable`].
    pub async fn newer_than(&self, refused: &Secrets, now: Timestamp) -> Result<Arc<Secrets>, SecretsError> {
        let mut cache = self.cache.lock().await;
        match &*cache {
            Some(Cached { secrets, .. }) if secrets.fetched_at > refused.fetched_at => Ok(Arc::clone(secrets)),
            _ => Ok(store(&mut cache, self.fetch(now).await?)),
        }
    }

    /// The value that a source had before its last change, as the secrets of that time; `None` where there is none, or it
    /// cannot be read.
    pub async fn previous(&self, source: &Source, now: Timestamp) -> Option<Secrets> {
        let Source::Secret(name) = source else { return None };
        let response =
            self.service.call(GetSecretValueInput::builder().secret_id(name).version_stage("AWSPREVIOUS")).await;
        let value = response.map_err(AwsError::of("GetSecretValue")).ok()?.secret_string?;
        Some(Secrets { fetched_at: now, by_name: HashMap::from([(name.clone(), Ok(plain(&value)))]) })
    }

    async fn fetch(&self, now: Timestamp) -> Result<Secrets, SecretsError> {
        if self.names.is_empty() {
            return Ok(Secrets { fetched_at: now, by_name: HashMap::new() });
        }
        let response =
            self.service.call(BatchGetSecretValueInput::builder().set_secret_id_list(Some(self.names.clone()))).await;
        let by_name = match response {
            Ok(batch) => self.read(batch),
            Err(refusal) if is_refused(&refusal) => {
                let error = AwsError::of("BatchGetSecretValue")(refusal);
                warn!(%error, "secrets not read together, each is read alone");
                self.fetch_each().await?
            }
            Err(error) => return Err(AwsError::of("BatchGetSecretValue")(error).into()),
        };
        for (name, value) in &by_name {
            if let Err(why) = value {
                warn!(name, why, "secret not read");
            }
        }
        Ok(Secrets { fetched_at: now, by_name })
    }

    fn read(&self, batch: BatchGetSecretValueOutput) -> ByName {
        let mut read = HashMap::with_capacity(self.names.len());
        for secret in batch.secret_values.unwrap_or_default() {
            if let (Some(name), Some(value)) = (secret.name, secret.secret_string) {
                read.insert(name, plain(&value));
            }
        }
        let errors = batch.errors.unwrap_or_default();
        let why = |name: &String| {
            let error = errors.iter().find(|error| error.secret_id.as_ref() == Some(name));
            error.and_then(|error| error.error_code.clone()).unwrap_or_else(|| NO_TEXT.to_owned())
        };
        self.names.iter().map(|name| (name.clone(), read.remove(name).ok_or_else(|| why(name)))).collect()
    }

    /// One after the other: there are a few of them. Where no answer comes, none of the others is waited for.
    async fn fetch_each(&self) -> Result<ByName, AwsError> {
        let mut by_name = HashMap::with_capacity(self.names.len());
        for name in &self.names {
            let value = match self.service.call(GetSecretValueInput::builder().secret_id(name)).await {
                Ok(secret) => secret.secret_string.map(|value| plain(&value)).ok_or_else(|| NO_TEXT.to_owned()),
                Err(SdkError::ServiceError(error)) => Err(error.err().code().unwrap_or("no error code").to_owned()),
                Err(error) => return Err(AwsError::of("GetSecretValue")(error)),
            };
            by_name.insert(name.clone(), value);
        }
        Ok(by_name)
    }
}

/// The batch was answered, and not with a server error: it is throttled, because far fewer batches a second are allowed
/// than calls for one secret (Secrets Manager's quotas), or denied, as by a policy that knows the older operation alone.
fn is_refused<E>(error: &SdkError<E>) -> bool {
    matches!(error, SdkError::ServiceError(refusal) if !refusal.raw().status().is_server_error())
}

fn plain(value: &str) -> SecretString {
    secret_text::plain(value).into()
}

/// Replaces the cached secrets. One that cannot be read any more keeps its value for a pause; one that never could is
/// fetched again whenever secrets are needed.
fn store(cache: &mut Option<Cached>, mut fetched: Secrets) -> Arc<Secrets> {
    let mut lifetime = LIFETIME;
    for (name, value) in fetched.by_name.iter_mut().filter(|(_, value)| value.is_err()) {
        match cache.as_ref().and_then(|cached| cached.secrets.by_name.get(name)) {
            Some(Ok(old)) => {
                *value = Ok(old.clone());
                lifetime = lifetime.min(RETRY_PAUSE);
            }
            _ => lifetime = Duration::ZERO,
        }
    }
    let expires_at = fetched.fetched_at.plus(lifetime);
    Arc::clone(&cache.insert(Cached { secrets: Arc::new(fetched), expires_at }).secrets)
}

#[cfg(test)]
mod tests {
    use fakes::{Answer, Server, aws::setting};
    use serde_json::json;

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
    fn a_setting_that_is_not_set_is_named() {
        let error = Source::read(&settings(), "SF_REDIRECT_URI", "SF_CALLBACK_URI_SECRET_NAME").unwrap_err();
        assert_eq!(error, SettingError::Missing("SF_REDIRECT_URI"));
    }

    /// What a fetch returns: names with values, or with `None` where a secret cannot be read.
    fn fetched(at: u64, secrets: &[(&str, Option<&str>)]) -> Secrets {
        let value = |value: Option<&str>| value.map(SecretString::from).ok_or_else(|| "AccessDenied".to_owned());
        let by_name = secrets.iter().map(|(name, text)| ((*name).to_owned(), value(*text))).collect();
        Secrets { fetched_at: Timestamp::from_millis(at), by_name }
    }

    #[test]
    fn a_secret_that_cannot_be_read_withholds_no_other() {
        let mut cache = None;
        let secrets = store(&mut cache, fetched(1, &[("one", Some("1")), ("two", None)]));
        assert_eq!(secrets.get(&Source::Secret("one".to_owned())).unwrap(), "1");
        let error = secrets.get(&Source::Secret("two".to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "secret two cannot be read: AccessDenied");
        assert_eq!(cache.unwrap().expires_at, Timestamp::from_millis(1), "it is fetched again when it is needed");
    }

    #[test]
    fn a_secret_that_cannot_be_read_any_more_stays_in_use_for_a_pause() {
        let mut cache = None;
        store(&mut cache, fetched(1, &[("one", Some("1")), ("two", Some("2"))]));
        let secrets = store(&mut cache, fetched(2, &[("one", Some("new")), ("two", None)]));
        assert_eq!(secrets.get(&Source::Secret("one".to_owned())).unwrap(), "new");
        assert_eq!(secrets.get(&Source::Secret("two".to_owned())).unwrap(), "2");
        assert_eq!(cache.unwrap().expires_at, Timestamp::from_millis(2).plus(RETRY_PAUSE));
    }

    async fn store_of(names: &[&str]) -> (Server, SecretStore) {
        let server = Server::start().await;
        let config = crate::aws::config(&Settings::new(|name: &str| setting(name, &server))).unwrap();
        let sources: Vec<_> = names.iter().map(|name| Source::Secret((*name).to_owned())).collect();
        (server.clone(), SecretStore::new(&config, &sources))
    }

    /// Answers as a Secrets Manager that knows `one` and `two`, one secret at a time.
    fn answers_each(server: &Server) {
        server.on("GetSecretValue", |request| match request.json()["SecretId"].as_str() {
            Some("one") => json!({ "Name": "one", "SecretString": " 1\n" }).into(),
            Some("two") => json!({ "Name": "two", "SecretString": "2" }).into(),
            Some("binary") => json!({ "Name": "binary", "SecretBinary": "AAAA" }).into(),
            _ => fakes::aws::error("ResourceNotFoundException"),
        });
    }

    /// As the console's key/value form and an editor leave them.
    #[tokio::test]
    async fn a_secret_is_understood_as_people_store_it_of_now_and_of_before() {
        let (server, store) = store_of(&["one", "two"]).await;
        server.on("BatchGetSecretValue", |_| {
            let one = json!({ "Name": "one", "SecretString": r#"{"one":"1"}"# });
            json!({ "SecretValues": [one, { "Name": "two", "SecretString": "\u{feff}\"2\"\u{200b}\n" }] }).into()
        });
        let secrets = store.current(Timestamp::from_millis(1)).await.unwrap();
        let [one, two] = ["one", "two"].map(|name| Source::Secret(name.to_owned()));
        assert_eq!((secrets.get(&one).unwrap(), secrets.get(&two).unwrap()), ("1", "2"));
        server.on("GetSecretValue", |_| json!({ "Name": "one", "SecretString": r#"{"one":"0"}"# }).into());
        let before = store.previous(&one, Timestamp::from_millis(1)).await.unwrap();
        assert_eq!(before.get(&one).unwrap(), "0");
    }

    #[tokio::test]
    async fn where_the_batch_is_refused_each_secret_is_read_alone() {
        for code in ["ThrottlingException", "AccessDeniedException", "UnknownOperationException", "LimitExceeded"] {
            let (server, store) = store_of(&["one", "two"]).await;
            answers_each(&server);
            server.on("BatchGetSecretValue", move |_| fakes::aws::error(code));
            let secrets = store.current(Timestamp::from_millis(1)).await.unwrap();
            assert_eq!(secrets.get(&Source::Secret("one".to_owned())).unwrap(), "1", "{code}");
            assert_eq!(secrets.get(&Source::Secret("two".to_owned())).unwrap(), "2", "{code}");
            store.current(Timestamp::from_millis(2)).await.unwrap();
            assert_eq!(server.requests("GetSecretValue").len(), 2, "{code}: they are cached");
        }
    }

    #[tokio::test]
    async fn a_secret_that_cannot_be_read_alone_withholds_no_other() {
        let (server, store) = store_of(&["gone", "one", "binary"]).await;
        answers_each(&server);
        server.on("BatchGetSecretValue", |_| fakes::aws::error("AccessDeniedException"));
        let secrets = store.current(Timestamp::from_millis(1)).await.unwrap();
        assert_eq!(secrets.get(&Source::Secret("one".to_owned())).unwrap(), "1");
        for (name, why) in [("gone", "ResourceNotFoundException"), ("binary", "no text")] {
            let source = Source::Secret(name.to_owned());
            let error = secrets.get(&source).unwrap_err();
            assert_eq!(error.to_string(), format!("secret {name} cannot be read: {why}"));
        }
    }

    #[tokio::test]
    async fn a_newer_secret_is_read_alone_too_where_the_batch_is_refused() {
        let (server, store) = store_of(&["one"]).await;
        server.on("BatchGetSecretValue", |_| fakes::aws::error("AccessDeniedException"));
        server.on("GetSecretValue", |_| json!({ "Name": "one", "SecretString": "before" }).into());
        let refused = store.current(Timestamp::from_millis(1)).await.unwrap();
        answers_each(&server);
        let newer = store.newer_than(&refused, Timestamp::from_millis(2)).await.unwrap();
        assert_eq!(newer.get(&Source::Secret("one".to_owned())).unwrap(), "1");
    }

    #[tokio::test]
    async fn a_secrets_manager_that_is_down_is_asked_for_the_batch_alone() {
        let (server, store) = store_of(&["one", "two"]).await;
        server.on("BatchGetSecretValue", |_| Answer::json(500, &json!({ "__type": "InternalServiceError" })));
        let error = store.current(Timestamp::from_millis(1)).await.unwrap_err();
        assert_eq!(error.to_string(), "BatchGetSecretValue failed: InternalServiceError");
        assert!(server.requests("GetSecretValue").is_empty());
    }

    #[test]
    fn debug_hides_the_value() {
        assert_eq!(format!("{:?}", Source::Value("s3cret".into())), "Value(..)");
        let by_name = HashMap::from([("name".to_owned(), Ok(SecretString::from("s3cret")))]);
        assert!(!format!("{:?}", Secrets { fetched_at: Timestamp::from_millis(1), by_name }).contains("s3cret"));
    }
}
