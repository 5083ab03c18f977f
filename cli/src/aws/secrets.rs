//! Secrets Manager: whether secrets are there, and putting them there. What reads them is in `shared`.

use aws_sdk_secretsmanager::{Client, error::ProvideErrorMetadata as _};
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::Error;
use aws_types::SdkConfig;

/// Secrets Manager.
#[derive(Clone, Debug)]
pub(crate) struct SecretsManager(Client);

/// Is a secret there?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    There,
    Absent,
    /// Deleted, and kept for some days still: it can be restored.
    Deleted,
}

impl SecretsManager {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }

    pub(crate) async fn presence(&self, name: &str) -> Result<Presence, Error> {
        match self.0.describe_secret().secret_id(name).send().await {
            Ok(answer) if answer.deleted_date.is_some() => Ok(Presence::Deleted),
            Ok(_) => Ok(Presence::There),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(Presence::Absent),
            Err(error) => Err(Error::aws("ask for a secret")(error)),
        }
    }

    /// Stores a secret that is not there yet.
    pub(crate) async fn create(&self, name: &str, value: &SecretString) -> Result<(), Error> {
        let request = self.0.create_secret().name(name).secret_string(value.expose_secret());
        request.send().await.map(drop).map_err(Error::aws("store a secret"))
    }

    /// Gives a secret that is there a new value.
    pub(crate) async fn replace(&self, name: &str, value: &SecretString) -> Result<(), Error> {
        let request = self.0.put_secret_value().secret_id(name).secret_string(value.expose_secret());
        request.send().await.map(drop).map_err(Error::aws("replace a secret"))
    }
}
