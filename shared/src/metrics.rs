//! Metrics, written to the log in CloudWatch's embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! Each metric has the stack as a dimension, and up to two more with few values: every combination is a metric of its own,
//! and billed as one. No dimension identifies a person.

use std::time::Duration;

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use tracing::info;

use crate::{SettingError, Settings, Timestamp, timestamp::millis};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "WhatsAppSalesforceConnect";
/// The dimension that every metric has.
const STACK: &str = "Stack";
/// The target of the events that are metrics: [`crate::logging`] writes them verbatim.
pub const TARGET: &str = "metrics";

/// The metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Requests for links, pages and logins; by `Result`.
    Requests,
    /// Callbacks; by `Result`.
    Callbacks,
    /// Deliveries of exchange messages; by `Result`: connected, failed, duplicate, checkpointed, returned, unreadable.
    Exchanges,
    /// Attempts that ended without a connection; by `Reason`.
    Failures,
    /// Deliveries and notifications that did not succeed; by `Class`.
    Setbacks,
    /// WhatsApp messages; by `Provider` and `Result`.
    Messages,
    /// Events for the bot; by `Result`.
    BotEvents,
    /// Logins by how far they got; by `Step`: begun (the button), returned (a callback with a genuine state), ended (its message
    /// is done).
    Logins,
    /// How old a code that still lives is, at each delivery of its message.
    CodeAge,
    /// From the callback to the stored tokens.
    TimeToConnected,
    /// From the callback to the moment at which WhatsApp accepts the message of an attempt that connected.
    TimeToMessage,
    /// How long an outcome has waited on the notifier's retry queue, each time that not everybody could be told of it.
    UntoldAge,
    /// Refreshes of a connection's tokens; by `Result`.
    Refreshes,
    /// Connections that Salesforce, the person or an operator ended, as far as this stack ended them; by `Reason`.
    ConnectionsEnded,
    /// How long a call for a token took.
    TokenCallDuration,
    /// Messages with a code that bots passed on; by `Result`: `confirmed`, `wrong_chat`, `unknown_code`, `too_many_guesses`.
    Confirmations,
    /// Segments of the token table that a sweep has gone through to their end.
    SweepFinished,
    /// For how long nobody had refreshed the tokens of the row that had waited longest, at a page of a sweep.
    OldestUnrefreshedAge,
    /// Refreshed tokens that neither the table nor the upkeep queue took.
    RefreshedTokensLost,
    /// Tokens that were to be revoked, and neither a queue nor Salesforce took them: nobody revokes them any more.
    TokensNotRevoked,
}

impl Metric {
    /// Its name in CloudWatch.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "Requests",
            Self::Callbacks => "Callbacks",
            Self::Exchanges => "Exchanges",
            Self::Failures => "Failures",
            Self::Setbacks => "Setbacks",
            Self::Messages => "Messages",
            Self::BotEvents => "BotEvents",
            Self::Logins => "Logins",
            Self::CodeAge => "CodeAge",
            Self::TimeToConnected => "TimeToConnected",
            Self::TimeToMessage => "TimeToMessage",
            Self::UntoldAge => "UntoldAge",
            Self::Refreshes => "Refreshes",
            Self::ConnectionsEnded => "ConnectionsEnded",
            Self::TokenCallDuration => "TokenCallDuration",
            Self::Confirmations => "Confirmations",
            Self::SweepFinished => "SweepFinished",
            Self::OldestUnrefreshedAge => "OldestUnrefreshedAge",
            Self::RefreshedTokensLost => "RefreshedTokensLost",
            Self::TokensNotRevoked => "TokensNotRevoked",
        }
    }
}

/// The dimensions of a measurement besides the stack: names and values.
pub type By<'a> = &'a [(&'static str, &'a str)];

/// One value of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Measurement<'a> {
    metric: Metric,
    unit: &'static str,
    value: u64,
    by: By<'a>,
}

impl<'a> Measurement<'a> {
    /// One occurrence.
    #[must_use]
    pub const fn one(metric: Metric, by: By<'a>) -> Self {
        Self { metric, unit: "Count", value: 1, by }
    }

    /// A duration, in milliseconds.
    #[must_use]
    pub fn duration(metric: Metric, took: Duration) -> Self {
        Self { metric, unit: "Milliseconds", value: millis(took), by: &[] }
    }
}

/// Writes the metrics of one stack.
#[derive(Clone, Debug)]
pub struct Meter {
    stack: String,
}

impl Meter {
    /// A meter for the stack that the settings name.
    ///
    /// # Errors
    /// [`SettingError`] without `STACK_NAME`.
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        Ok(Self { stack: settings.required("STACK_NAME")? })
    }

    /// Counts one occurrence.
    pub fn count(&self, at: Timestamp, metric: Metric, by: By<'_>) {
        self.record(at, &[Measurement::one(metric, by)]);
    }

    /// Records a duration, in milliseconds.
    pub fn time(&self, at: Timestamp, metric: Metric, took: Duration) {
        self.record(at, &[Measurement::duration(metric, took)]);
    }

    /// Records these in one line: of different metrics, and no two with the same dimension.
    pub fn record(&self, at: Timestamp, measurements: &[Measurement<'_>]) {
        let line = Line { stack: &self.stack, at, measurements };
        if let Ok(line) = serde_json::to_string(&line) {
            info!(target: TARGET, "{line}");
        }
    }
}

/// A line of the log: what CloudWatch finds in it, and then the values.
struct Line<'a> {
    stack: &'a str,
    at: Timestamp,
    measurements: &'a [Measurement<'a>],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    timestamp: u64,
    cloud_watch_metrics: Vec<Directive<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'static str,
    dimensions: [Vec<&'a str>; 1],
    metrics: [Definition; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

impl Measurement<'_> {
    fn directive(&self) -> Directive<'_> {
        Directive {
            namespace: NAMESPACE,
            dimensions: [[STACK].into_iter().chain(self.by.iter().map(|(name, _)| *name)).collect()],
            metrics: [Definition { name: self.metric.name(), unit: self.unit }],
        }
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cloud_watch_metrics = self.measurements.iter().map(Measurement::directive).collect();
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("_aws", &Metadata { timestamp: self.at.millis(), cloud_watch_metrics })?;
        line.serialize_entry(STACK, self.stack)?;
        for Measurement { metric, value, by, .. } in self.measurements {
            for (name, value) in *by {
                line.serialize_entry(name, value)?;
            }
            line.serialize_entry(metric.name(), value)?;
        }
        line.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_123);

    fn meter() -> Meter {
        Meter::read(&Settings::new(|name| (name == "STACK_NAME").then(|| "connect".to_owned()))).unwrap()
    }

    fn line(measurements: &[Measurement<'_>]) -> Value {
        let stack = &meter().stack;
        serde_json::from_str(&serde_json::to_string(&Line { stack, at: NOW, measurements }).unwrap()).unwrap()
    }

    #[test]
    fn a_count_has_the_documented_form() {
        assert_eq!(
            line(&[Measurement::one(Metric::Callbacks, &[("Result", "accepted")])]),
            json!({
                "_aws": {
                    "Timestamp": 1_790_000_000_123_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "WhatsAppSalesforceConnect",
                        "Dimensions": [["Stack", "Result"]],
                        "Metrics": [{"Name": "Callbacks", "Unit": "Count"}],
                    }],
                },
                "Stack": "connect",
                "Result": "accepted",
                "Callbacks": 1,
            })
        );
    }

    #[test]
    fn every_dimension_and_metric_that_a_line_declares_is_in_it() {
        let line = line(&[
            Measurement::one(Metric::Requests, &[("Result", "token")]),
            Measurement::duration(Metric::TokenCallDuration, Duration::from_millis(84)),
        ]);
        let declared = |index: usize| {
            let directive = &line["_aws"]["CloudWatchMetrics"][index];
            let named = |name: &Value| (name.clone(), line[name.as_str().unwrap()].clone());
            let dimensions: Vec<_> = directive["Dimensions"][0].as_array().unwrap().iter().map(named).collect();
            (dimensions, named(&directive["Metrics"][0]["Name"]))
        };
        let (stack, result) = ((json!("Stack"), json!("connect")), (json!("Result"), json!("token")));
        assert_eq!(declared(0), (vec![stack.clone(), result], (json!("Requests"), json!(1))));
        assert_eq!(declared(1), (vec![stack], (json!("TokenCallDuration"), json!(84))));
    }

    #[test]
    fn a_stack_without_a_name_is_an_error() {
        assert_eq!(Meter::read(&Settings::new(|_| None)).unwrap_err(), SettingError::Missing("STACK_NAME"));
    }
}
