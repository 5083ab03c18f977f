//! Lambda: the functions' settings, and what invokes them.
//!
//! Two questions, asked over plain signed HTTP: the SDK's client for Lambda brings event streams, and Cargo would
//! compile those into the functions too, since features are unified over a workspace.

use std::collections::HashMap;

use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use shared::{Timestamp, aws::partition};

use aws_types::SdkConfig;

use super::{config::region, signed::send_signed};
use crate::error::Error;

/// The functions of a stack.
#[derive(Clone, Debug)]
pub(crate) struct Functions<'a>(&'a SdkConfig);

/// How a function is set up. It does not print: a secret may be set in the environment.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Settings {
    #[serde(rename = "Timeout")]
    pub(crate) timeout_seconds: u64,
    #[serde(rename = "Role")]
    pub(crate) role_arn: String,
    #[serde(default)]
    environment: Environment,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    #[serde(default)]
    variables: HashMap<String, String>,
}

/// What invokes a function.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EventSource {
    #[serde(rename = "State")]
    pub(crate) state: String,
    #[serde(rename = "EventSourceArn", default)]
    pub(crate) source_arn: String,
    #[serde(rename = "UUID")]
    pub(crate) id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EventSources {
    event_source_mappings: Vec<EventSource>,
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(alias = "Message")]
    message: Option<String>,
}

impl Settings {
    /// A setting; `None` where it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.environment.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl<'a> Functions<'a> {
    pub(crate) fn new(config: &'a SdkConfig) -> Self {
        Self(config)
    }

    /// Lambda API Reference, `GetFunctionConfiguration`.
    pub(crate) async fn settings(&self, function: &str, now: Timestamp) -> Result<Settings, Error> {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        self.ask("read a function's settings", &path, now).await
    }

    /// Lambda API Reference, `ListEventSourceMappings`; its first hundred.
    pub(crate) async fn event_sources(&self, function: &str, now: Timestamp) -> Result<Vec<EventSource>, Error> {
        let path = format!("/2015-03-31/event-source-mappings?FunctionName={function}");
        let answer: EventSources = self.ask("list a function's event sources", &path, now).await?;
        Ok(answer.event_source_mappings)
    }

    async fn ask<T: DeserializeOwned>(&self, action: &'static str, path: &str, now: Timestamp) -> Result<T, Error> {
        let url = format!("{}{path}", self.endpoint());
        let (status, body) = send_signed(self.0, action, "lambda", Method::GET, &url, String::new(), now).await?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| Error::failed(action, "the response is unreadable"));
        }
        let said = serde_json::from_slice::<Refusal>(&body).unwrap_or_default().message;
        let said = said.as_deref().unwrap_or("no reason given");
        Err(Error::failed(action, format!("Lambda returned {}: {said}", status.as_u16())))
    }

    /// AWS General Reference, "Lambda endpoints and quotas".
    fn endpoint(&self) -> String {
        if let Some(elsewhere) = self.0.endpoint_url() {
            return elsewhere.trim_end_matches('/').to_owned();
        }
        let region = region(self.0);
        format!("https://lambda.{region}.{}", partition::domain(region))
    }
}
