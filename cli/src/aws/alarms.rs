//! CloudWatch: the state of alarms.

use aws_types::SdkConfig;
use serde_json::{Value, json};
use shared::{Timestamp, timestamp::Clock};

use super::json_api::CLOUDWATCH;
use crate::error::Error;

/// The most alarms that are described by their names in one call.
const BATCH: usize = 100;
const ACTION: &str = "list the alarms";

/// An alarm, as CloudWatch has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) state: AlarmState,
    /// When it came into that state.
    pub(crate) since: Option<Timestamp>,
    /// Whether anybody is notified of it.
    pub(crate) notifies: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlarmState {
    Firing,
    Ok,
    /// There are no data to judge by, as for some minutes after it was made.
    Unknown,
}

impl AlarmState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Ok => "ok",
            Self::Unknown => "unknown",
        }
    }
}

/// The alarms of these names; those that do not exist are missing from the result.
pub(crate) async fn alarms(aws: &SdkConfig, names: &[&str], clock: Clock) -> Result<Vec<Alarm>, Error> {
    let mut found = Vec::with_capacity(names.len());
    for some in names.chunks(BATCH) {
        let mut next = Value::Null;
        loop {
            let mut input = json!({"AlarmNames": some, "AlarmTypes": ["MetricAlarm"], "MaxRecords": BATCH});
            if !next.is_null() {
                input["NextToken"] = next;
            }
            let answer = CLOUDWATCH.read(aws, (ACTION, "DescribeAlarms"), &input, clock).await?;
            found.extend(answer["MetricAlarms"].as_array().into_iter().flatten().filter_map(alarm));
            next = answer["NextToken"].clone();
            if next.is_null() {
                break;
            }
        }
    }
    Ok(found)
}

fn alarm(described: &Value) -> Option<Alarm> {
    let text = |name: &str| described[name].as_str().unwrap_or_default().to_owned();
    // The other time changes too when the reason does.
    let since = ["StateTransitionedTimestamp", "StateUpdatedTimestamp"].iter().find_map(|name| time(&described[*name]));
    Some(Alarm {
        name: described["AlarmName"].as_str()?.to_owned(),
        description: text("AlarmDescription"),
        state: match described["StateValue"].as_str()? {
            "ALARM" => AlarmState::Firing,
            "OK" => AlarmState::Ok,
            _ => AlarmState::Unknown,
        },
        since,
        notifies: described["ActionsEnabled"].as_bool().unwrap_or(true),
    })
}

/// A time, in seconds since the epoch, with or without a fraction.
fn time(value: &Value) -> Option<Timestamp> {
    let (seconds, fraction) = match value {
        Value::Number(number) => (number.as_u64(), number.as_f64()),
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time of this century in seconds")]
    let whole = || fraction.filter(|seconds| (0.0..1e11).contains(seconds)).map(|seconds| seconds as u64);
    seconds.or_else(whole).map(Timestamp::from_seconds)
}

#[cfg(test)]
mod tests {
    use fakes::Server;

    use super::*;
    use crate::aws::tests::config_of;

    const NOW: Clock = || Timestamp::from_millis(1_790_000_000_000);

    #[tokio::test]
    async fn alarms_are_read_page_by_page() {
        let server = Server::start().await;
        server.next(
            "DescribeAlarms",
            json!({
                "MetricAlarms": [{
                    "AlarmName": "a", "AlarmDescription": "Codes.", "StateValue": "ALARM", "ActionsEnabled": false,
                    "StateTransitionedTimestamp": 1_789_999_990.25, "StateUpdatedTimestamp": 1_789_999_999,
                }],
                "NextToken": "b",
            }),
        );
        server.next("DescribeAlarms", json!({
            "MetricAlarms": [{"AlarmName": "b", "StateValue": "INSUFFICIENT_DATA", "StateUpdatedTimestamp": 1_789_999_999}],
        }));
        let found = alarms(&config_of(&server).await, &["a", "b", "gone"], NOW).await.unwrap();
        let expected = [
            Alarm {
                name: "a".to_owned(),
                description: "Codes.".to_owned(),
                state: AlarmState::Firing,
                since: Some(Timestamp::from_seconds(1_789_999_990)),
                notifies: false,
            },
            Alarm {
                name: "b".to_owned(),
                description: String::new(),
                state: AlarmState::Unknown,
                since: Some(Timestamp::from_seconds(1_789_999_999)),
                notifies: true,
            },
        ];
        assert_eq!(found, expected);
        let asked: Vec<_> =
            server.requests("DescribeAlarms").iter().map(|request| request.json()["NextToken"].clone()).collect();
        assert_eq!(asked, [Value::Null, json!("b")]);
    }

    #[test]
    fn what_is_no_time_is_none() {
        for value in [json!(null), json!("yesterday"), json!(-1), json!(1e300)] {
            assert_eq!(time(&value), None, "{value}");
        }
    }
}
