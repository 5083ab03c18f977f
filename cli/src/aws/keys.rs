//! KMS: whether a key can be used, and who may decide who uses it.

use aws_sdk_kms::Client;
use serde_json::Value;

use super::policy::statements;
use crate::error::Error;
use aws_types::SdkConfig;

/// KMS.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Client);

/// A key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) arn: String,
    /// `Enabled`, or why it cannot be used.
    pub(crate) state: String,
    /// The statements of its policy.
    pub(crate) statements: Vec<Value>,
}

impl Keys {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }

    pub(crate) async fn read(&self, key_id: &str) -> Result<Key, Error> {
        let about = self.0.describe_key().key_id(key_id).send().await.map_err(Error::aws("ask for a key"))?;
        let about = about.key_metadata.ok_or_else(|| Error::failed("ask for a key", "KMS says nothing of it"))?;
        let policy = self.0.get_key_policy().key_id(key_id).send().await;
        let policy = policy.map_err(Error::aws("read a key's policy"))?.policy.unwrap_or_default();
        let state = about.key_state.map(|state| state.as_str().to_owned()).unwrap_or_default();
        Ok(Key { arn: about.arn.unwrap_or_default(), state, statements: statements(&policy)? })
    }
}
