//! Metrics, written to the log in CloudWatch's embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! Each metric has the stack as a dimension, and up to two more with few values: every combination is a metric of its own,
//! and billed as one. No dimension identifies a person.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tracing::info;

use crate::{SettingError, Settings, Timestamp, timestamp::millis};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "WhatsAppSalesforceConnect";
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
            Self::SweepFinished => "SweepFinished",
            Self::OldestUnrefreshedAge => "OldestUnrefreshedAge",
            Self::RefreshedTokensLost => "RefreshedTokensLost",
            Self::TokensNotRevoked => "TokensNotRevoked",
        }
    }
}

/// Writes the metrics of one stack.
#[derive(Clone, Debug)]
pub struct Meter {
    stack: String,
}

/// The dimensions of a measurement besides the stack: names and values.
pub type By<'a> = &'a [(&'static str, &'a str)];

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
        let line = self.line(at, metric, "Count", 1, by);
        info!(target: TARGET, "{line}");
    }

    /// Records a duration, in milliseconds.
    pub fn time(&self, at: Timestamp, metric: Metric, took: Duration) {
        let line = self.line(at, metric, "Milliseconds", millis(took), &[]);
        info!(target: TARGET, "{line}");
    }

    fn line(&self, at: Timestamp, metric: Metric, unit: &str, value: u64, by: By<'_>) -> Value {
        let names: Vec<_> = ["Stack"].into_iter().chain(by.iter().map(|(name, _)| *name)).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": at.millis(),
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [names],
                    "Metrics": [{"Name": metric.name(), "Unit": unit}],
                }],
            }),
        );
        line.insert("Stack".to_owned(), self.stack.as_str().into());
        line.extend(by.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())));
        line.insert(metric.name().to_owned(), value.into());
        Value::Object(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_123);

    fn meter() -> Meter {
        Meter::read(&Settings::new(|name| (name == "STACK_NAME").then(|| "connect".to_owned()))).unwrap()
    }

    #[test]
    fn a_count_has_the_documented_form() {
        let line = meter().line(NOW, Metric::Callbacks, "Count", 1, &[("Result", "accepted")]);
        assert_eq!(
            line,
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
        let line = meter().line(NOW, Metric::TimeToMessage, "Milliseconds", 84, &[]);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], json!([["Stack"]]));
        assert_eq!(line["Stack"], "connect");
        assert_eq!(line[directive["Metrics"][0]["Name"].as_str().unwrap()], 84);
    }

    #[test]
    fn a_stack_without_a_name_is_an_error() {
        assert_eq!(Meter::read(&Settings::new(|_| None)).unwrap_err(), SettingError::Missing("STACK_NAME"));
    }
}
