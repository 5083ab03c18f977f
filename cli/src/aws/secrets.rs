//! Secrets Manager: whether secrets exist, and storing them. Reading them is in `shared`.

use aws_sdk_secretsmanager::{Client, error::ProvideErrorMetadata as _};
use aws_types::SdkConfig;
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::Error;

#[derive(Clone, Debug)]
pub(crate) struct SecretsManager(Client);

/// Whether a secret exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Present,
    Absent,
    /// Scheduled for deletion: it can still be restored.
    Deleted,
}

/// What a secret is encrypted with, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub(crate) arn: String,
    /// The key of the account's own, if it is one.
    pub(crate) key: Option<String>,
}

impl SecretsManager {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }

    pub(crate) async fn presence(&self, name: &str) -> Result<Presence, Error> {
        match self.0.describe_secret().secret_id(name).send().await {
            Ok(answer) if answer.deleted_date.is_some() => Ok(Presence::Deleted),
            Ok(_) => Ok(Presence::Present),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(Presence::Absent),
            Err(error) => Err(Error::aws("describe a secret", "DescribeSecret")(error)),
        }
    }

    /// A secret's address and key; `None` where there is no such secret.
    pub(crate) async fn describe(&self, name: &str) -> Result<Option<Description>, Error> {
        match self.0.describe_secret().secret_id(name).send().await {
            Ok(answer) => {
                // AWS's own key, which every role may use through Secrets Manager.
                let key = answer.kms_key_id.filter(|key| !key.ends_with("alias/aws/secretsmanager"));
                Ok(Some(Description { arn: answer.arn.unwrap_or_default(), key }))
            }
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(Error::aws("describe a secret", "DescribeSecret")(error)),
        }
    }

    /// Why nothing is stored in a secret that is deleted.
    pub(crate) fn deleted(name: &str) -> Error {
        let why = format!("it is deleted; restore it with aws secretsmanager restore-secret --secret-id {name}");
        Error::failed(format!("store the secret {name}"), why)
    }

    /// Stores a value, in a new secret or in the one that exists. A new one is encrypted with this key, or with AWS's own;
    /// one that exists keeps its key.
    pub(crate) async fn store(
        &self,
        name: &str,
        value: &SecretString,
        presence: Presence,
        key: Option<&str>,
    ) -> Result<(), Error> {
        match presence {
            Presence::Present => self.replace(name, value).await,
            Presence::Absent => self.create(name, value, key.filter(|key| !key.is_empty())).await,
            Presence::Deleted => Err(Self::deleted(name)),
        }
    }

    async fn create(&self, name: &str, value: &SecretString, key: Option<&str>) -> Result<(), Error> {
        let request = self.0.create_secret().name(name).secret_string(value.expose_secret());
        let request = request.set_kms_key_id(key.map(str::to_owned));
        request.send().await.map(drop).map_err(Error::aws("create a secret", "CreateSecret"))
    }

    async fn replace(&self, name: &str, value: &SecretString) -> Result<(), Error> {
        let request = self.0.put_secret_value().secret_id(name).secret_string(value.expose_secret());
        request.send().await.map(drop).map_err(Error::aws("replace a secret", "PutSecretValue"))
    }
}
