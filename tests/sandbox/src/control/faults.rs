//! Faults: failures of the parties, on demand.
//!
//! ```json
//! {"endpoint": "salesforce.token", "times": 2, "wa_id": "whatsapp:+15551234567",
//!  "action": {"status": 503, "body": "<html>…", "content_type": "text/html", "headers": {"Retry-After": "3"}}}
//! ```
//!
//! `times` defaults to 1. With `wa_id`, only that chat's requests fail, so that tests can run side by
//! side. The actions:
//!
//! - `{"status", "body"?, "content_type"?, "headers"?}` is the response, and the request is not
//!   processed. A `body` that is not a string is sent as JSON.
//! - `{"oauth_error", "description"?}` is Salesforce's answer with that error, which has to be one of those in
//!   [`crate::salesforce`]; without a description it is the usual one.
//! - `{"delay_ms"}` processes the request after a delay, even if the client has stopped waiting.
//! - `{"drop": "before"}` closes the connection and processes nothing.
//! - `{"kill": "before"}` and `{"kill": "after"}` do the same, and kill the calling function (SIGKILL).
//! - `{"later": {"status", "error_code"?, "after_asks"?}}` lets Twilio accept the message and give it up later: so says it who
//!   asks, once it was asked so often before. The message does not reach the chat.
//! - `{"drop": "after"}` processes the request, then closes the connection: the code is used, the
//!   message is sent, and the caller does not know.
//! - `{"hold": "before"}` and `{"hold": "after"}` hold the request before, or the answer after it was processed, until the test
//!   lets go, see [`super::holds`].
//!
//! A fault of `salesforce.token` concerns refreshes too, one of `salesforce.refresh` refreshes alone.
//! The faults of one endpoint happen in the order in which they were added.

use std::{collections::BTreeMap, sync::Mutex};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::Value;

use super::Endpoint;
use crate::{lock, salesforce::errors};

/// A fault.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    endpoint: Endpoint,
    #[serde(default = "once")]
    times: u32,
    wa_id: Option<String>,
    action: Action,
}

fn once() -> u32 {
    1
}

/// What happens instead of, or before, normal processing.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Action {
    OAuth(OAuthAnswer),
    Answer(Answer),
    Delay(Delay),
    Drop(Drop),
    Kill(Kill),
    Hold(Hold),
    Later(Later),
}

/// A response of the test's choice.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    status: u16,
    #[serde(default)]
    body: Value,
    content_type: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// One of Salesforce's errors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuthAnswer {
    oauth_error: String,
    description: Option<String>,
}

/// A delay before normal processing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delay {
    pub(crate) delay_ms: u64,
}

/// A connection that closes without an answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drop {
    pub(crate) drop: When,
}

/// A kill of the calling process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kill {
    pub(crate) kill: When,
}

/// A request that is held until the test lets go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hold {
    pub(crate) hold: When,
}

/// A message that is accepted and given up later.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Later {
    pub(crate) later: GivenUp,
}

/// What becomes of a message after it was accepted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenUp {
    pub(crate) status: String,
    pub(crate) error_code: Option<u32>,
    /// How often the message is still queued when it is asked for.
    #[serde(default)]
    pub(crate) after_asks: u32,
}

/// Whether it happens before the request is processed, or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum When {
    Before,
    After,
}

/// A fault's response is not valid HTTP.
#[derive(Debug, thiserror::Error)]
#[error("the action's status or headers are not valid HTTP, or its error is not one of Salesforce's")]
pub(crate) struct InvalidAnswer;

impl Fault {
    /// Kills the client of the next such request before it is carried out.
    pub(crate) fn kill_before(endpoint: Endpoint, wa_id: Option<String>) -> Self {
        Self { endpoint, wa_id, times: 1, action: Action::Kill(Kill { kill: When::Before }) }
    }

    /// Checks that it can be carried out.
    pub(crate) fn check(&self) -> Result<(), InvalidAnswer> {
        self.action.check()
    }
}

impl Action {
    /// Checks that it can be carried out.
    pub(crate) fn check(&self) -> Result<(), InvalidAnswer> {
        match self {
            Self::OAuth(answer) => answer.response().map(drop),
            Self::Answer(answer) => answer.response().map(drop),
            Self::Delay(_) | Self::Drop(_) | Self::Kill(_) | Self::Hold(_) | Self::Later(_) => Ok(()),
        }
    }
}

impl Action {
    /// The response in place of the party's.
    pub(crate) fn response(&self) -> Result<Response, InvalidAnswer> {
        match self {
            Self::OAuth(answer) => answer.response(),
            Self::Answer(answer) => answer.response(),
            Self::Delay(_) | Self::Drop(_) | Self::Kill(_) | Self::Hold(_) | Self::Later(_) => Err(InvalidAnswer),
        }
    }
}

impl OAuthAnswer {
    /// The response as HTTP.
    pub(crate) fn response(&self) -> Result<Response, InvalidAnswer> {
        let error = errors::find(&self.oauth_error, self.description.as_deref()).ok_or(InvalidAnswer)?;
        Ok(error.into_response())
    }
}

impl Answer {
    /// The response as HTTP.
    pub(crate) fn response(&self) -> Result<Response, InvalidAnswer> {
        let (body, usual_type) = match &self.body {
            Value::Null => (String::new(), "text/plain"),
            Value::String(text) => (text.clone(), "text/plain"),
            json => (json.to_string(), "application/json"),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(self.status).map_err(|_| InvalidAnswer)?;
        let content_type = self.content_type.as_deref().unwrap_or(usual_type);
        let named = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in std::iter::once((header::CONTENT_TYPE.as_str(), content_type)).chain(named) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| InvalidAnswer)?;
            let value = HeaderValue::from_str(value).map_err(|_| InvalidAnswer)?;
            response.headers_mut().insert(name, value);
        }
        Ok(response)
    }
}

/// The faults that have not been used up yet.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        lock(&self.0).push(fault);
    }

    /// Removes the faults of a chat, or all.
    pub(crate) fn clear(&self, wa_id: Option<&str>) {
        lock(&self.0).retain(|fault| wa_id.is_some() && fault.wa_id.as_deref() != wa_id);
    }

    /// The fault for this request, which counts as used once more.
    pub(crate) fn take(&self, endpoint: Endpoint, wa_id: Option<&str>) -> Option<Action> {
        let mut faults = lock(&self.0);
        faults.retain(|fault| fault.times > 0);
        let matches = |fault: &Fault| {
            fault.endpoint.includes(endpoint) && (fault.wa_id.is_none() || fault.wa_id.as_deref() == wa_id)
        };
        let fault = faults.iter_mut().find(|fault| matches(fault))?;
        fault.times -= 1;
        Some(fault.action.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(json: Value) -> Fault {
        serde_json::from_value(json).unwrap()
    }

    fn status_of(action: Option<Action>) -> Option<u16> {
        match action {
            Some(Action::Answer(answer)) => Some(answer.status),
            _ => None,
        }
    }

    #[test]
    fn happen_in_order_and_as_often_as_asked() {
        let faults = Faults::default();
        faults.add(fault(json!({"endpoint": "bot.events", "times": 2, "action": {"status": 500}})));
        faults.add(fault(json!({"endpoint": "bot.events", "action": {"status": 503}})));
        faults.add(fault(json!({"endpoint": "meta.messages", "times": 0, "action": {"status": 503}})));
        let next = || status_of(faults.take(Endpoint::BotEvents, None));
        assert_eq!([next(), next(), next(), next()], [Some(500), Some(500), Some(503), None]);
        assert!(faults.take(Endpoint::MetaMessages, None).is_none());
    }

    #[test]
    fn keep_to_their_chat() {
        let faults = Faults::default();
        faults.add(fault(json!({"endpoint": "bot.events", "wa_id": "whatsapp:+1", "action": {"status": 500}})));
        assert!(faults.take(Endpoint::BotEvents, Some("whatsapp:+2")).is_none());
        assert!(faults.take(Endpoint::BotEvents, None).is_none());
        assert!(faults.take(Endpoint::BotEvents, Some("whatsapp:+1")).is_some());
    }

    #[test]
    fn an_unknown_action_is_refused() {
        for action in [json!({"explode": true}), json!({"drop": "during"}), json!({"status": 500, "delay_ms": 1})] {
            assert!(serde_json::from_value::<Fault>(json!({"endpoint": "bot.events", "action": action})).is_err());
        }
        let invalid = fault(json!({"endpoint": "bot.events", "action": {"status": 42}}));
        assert!(invalid.check().is_err());
    }
}
