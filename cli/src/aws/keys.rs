//! KMS: the keys of the account, and a key's state and policy.

use aws_sdk_kms::{
    Client,
    types::{KeyManagerType, KeyMetadata, KeyState},
};
use aws_types::SdkConfig;
use serde_json::Value;

use crate::error::Error;

#[derive(Clone, Debug)]
pub(crate) struct Keys(Client);

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

    /// Whether a key is the account's own, and nobody has it deleted yet. One of which nothing may be read counts as such.
    pub(crate) async fn stays(&self, key_id: &str) -> bool {
        let answer = self.0.describe_key().key_id(key_id).send().await;
        let Some(key) = answer.ok().and_then(|answer| answer.key_metadata) else { return true };
        key.key_manager != Some(KeyManagerType::Aws) && key.key_state != Some(KeyState::PendingDeletion)
    }

    /// The account's keys with this description, and how many of its keys may not be read.
    pub(crate) async fn described(&self, description: &str) -> Result<(Vec<Key>, usize), Error> {
        let (mut found, mut unread) = (Vec::new(), 0);
        let mut pages = self.0.list_keys().into_paginator().items().send();
        while let Some(key) = pages.next().await {
            let key = key.map_err(Error::aws("list the account's keys", "ListKeys"))?;
            let Some(id) = key.key_id else { continue };
            match self.describe(&id).await {
                Ok(key) if key.description.as_deref() != Some(description) => {}
                Ok(_) => match self.read(&id).await {
                    Ok(key) => found.push(key),
                    Err(_) => unread += 1,
                },
                Err(_) => unread += 1,
            }
        }
        Ok((found, unread))
    }

    async fn describe(&self, key_id: &str) -> Result<KeyMetadata, Error> {
        let answer = self.0.describe_key().key_id(key_id).send().await;
        let answer = answer.map_err(Error::aws("describe a key", "DescribeKey"))?;
        answer.key_metadata.ok_or_else(|| Error::failed("describe a key", "the response is empty"))
    }

    pub(crate) async fn read(&self, key_id: &str) -> Result<Key, Error> {
        let key = self.describe(key_id).await?;
        let answer = self
            .0
            .get_key_policy()
            .key_id(key_id)
            .send()
            .await
            .map_err(Error::aws("read a key's policy", "GetKeyPolicy"))?;
        Ok(Key {
            arn: key.arn.unwrap_or_default(),
            state: key.key_state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            statements: statements(&answer.policy.unwrap_or_default())?,
        })
    }
}

fn statements(policy: &str) -> Result<Vec<Value>, Error> {
    let mut document: Value =
        serde_json::from_str(policy).map_err(|_| Error::failed("read a key's policy", "it is not JSON"))?;
    Ok(match document["Statement"].take() {
        Value::Array(several) => several,
        Value::Null => Vec::new(),
        one => vec![one],
    })
}
