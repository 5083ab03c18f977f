//! Lambda: the functions' settings, and what invokes them.

use std::collections::HashMap;

use aws_sdk_lambda::Client;
use aws_types::SdkConfig;

use crate::error::Error;

#[derive(Clone, Debug)]
pub(crate) struct Functions(Client);

/// How many functions an account may run at once, below which AWS lets nothing be reserved, and callbacks compete with
/// everything else (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>).
pub(crate) const SMALL_ACCOUNT: u32 = 100;

/// A function's settings. No `Debug`: the environment may hold a secret.
pub(crate) struct Settings {
    pub(crate) timeout_seconds: u64,
    pub(crate) role_arn: String,
    variables: HashMap<String, String>,
}

/// What invokes a function.
#[derive(Clone, Debug)]
pub(crate) struct EventSource {
    /// `Enabled`, `Disabled`, or on the way from one to the other.
    pub(crate) state: String,
    pub(crate) source_arn: String,
    pub(crate) id: String,
}

impl Settings {
    /// A variable of the environment; `None` where it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl Functions {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }

    pub(crate) async fn settings(&self, function: &str) -> Result<Settings, Error> {
        let request = self.0.get_function_configuration().function_name(function);
        let answer =
            request.send().await.map_err(Error::aws("read a function's settings", "GetFunctionConfiguration"))?;
        let lacking =
            |what| move || Error::failed("read a function's settings", format!("Lambda's answer has no {what}"));
        Ok(Settings {
            timeout_seconds: answer
                .timeout
                .and_then(|seconds| seconds.try_into().ok())
                .ok_or_else(lacking("Timeout"))?,
            role_arn: answer.role.ok_or_else(lacking("Role"))?,
            variables: answer.environment.and_then(|environment| environment.variables).unwrap_or_default(),
        })
    }

    /// How many functions of the account may run at once, in this region.
    pub(crate) async fn account_limit(&self) -> Result<u32, Error> {
        const ACTION: &str = "read the account's limits";
        let request = self.0.get_account_settings();
        let answer = request.send().await.map_err(Error::aws(ACTION, "GetAccountSettings"))?;
        let limit = answer.account_limit.and_then(|limit| limit.concurrent_executions.try_into().ok());
        limit.ok_or_else(|| Error::failed(ACTION, "Lambda's answer has no AccountLimit"))
    }

    /// How many of a function are reserved, which is also how many may run at once.
    pub(crate) async fn reserved(&self, function: &str) -> Result<Option<u32>, Error> {
        let request = self.0.get_function_concurrency().function_name(function);
        let answer =
            request.send().await.map_err(Error::aws("read a function's concurrency", "GetFunctionConcurrency"))?;
        Ok(answer.reserved_concurrent_executions.and_then(|reserved| reserved.try_into().ok()))
    }

    pub(crate) async fn event_sources(&self, function: &str) -> Result<Vec<EventSource>, Error> {
        let request = self.0.list_event_source_mappings().function_name(function);
        let mut mappings = request.into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(mapping) = mappings.next().await {
            let mapping = mapping.map_err(Error::aws("list a function's event sources", "ListEventSourceMappings"))?;
            found.push(EventSource {
                state: mapping.state.unwrap_or_default(),
                source_arn: mapping.event_source_arn.unwrap_or_default(),
                id: mapping.uuid.unwrap_or_default(),
            });
        }
        Ok(found)
    }
}
