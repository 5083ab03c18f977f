//! Lambda: the functions' settings, and what invokes them.

use std::collections::HashMap;

use aws_sdk_lambda::Client;

use super::SdkConfig;
use crate::error::Error;

/// The functions of a stack.
#[derive(Clone, Debug)]
pub(crate) struct Functions(Client);

/// How a function is set up.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) timeout_seconds: u64,
    pub(crate) role_arn: String,
    environment: HashMap<String, String>,
}

/// What invokes a function.
#[derive(Clone, Debug)]
pub(crate) struct EventSource {
    pub(crate) state: String,
    pub(crate) source_arn: String,
    pub(crate) id: String,
}

impl Settings {
    /// A setting; `None` where it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl Functions {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }

    pub(crate) async fn settings(&self, function: &str) -> Result<Settings, Error> {
        let answer = self
            .0
            .get_function_configuration()
            .function_name(function)
            .send()
            .await
            .map_err(Error::aws("read a function's settings"))?;
        Ok(Settings {
            timeout_seconds: answer.timeout.and_then(|seconds| seconds.try_into().ok()).unwrap_or_default(),
            role_arn: answer.role.unwrap_or_default(),
            environment: answer.environment.and_then(|environment| environment.variables).unwrap_or_default(),
        })
    }

    pub(crate) async fn event_sources(&self, function: &str) -> Result<Vec<EventSource>, Error> {
        let answer = self
            .0
            .list_event_source_mappings()
            .function_name(function)
            .send()
            .await
            .map_err(Error::aws("read what invokes a function"))?;
        let source = |mapping: aws_sdk_lambda::types::EventSourceMappingConfiguration| EventSource {
            state: mapping.state.unwrap_or_default(),
            source_arn: mapping.event_source_arn.unwrap_or_default(),
            id: mapping.uuid.unwrap_or_default(),
        };
        Ok(answer.event_source_mappings.unwrap_or_default().into_iter().map(source).collect())
    }
}
