//! CloudWatch Logs: the events of a log group.

use aws_types::SdkConfig;
use serde_json::{Value, json};
use shared::{AttemptId, Timestamp, timestamp::Clock};

use super::json_api::LOGS;
use crate::error::Error;

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogEvent {
    /// Unique in its group.
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) message: String,
}

/// Which events of a group are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogQuery<'a> {
    pub(crate) group: &'a str,
    /// Only those that contain this id.
    pub(crate) id: Option<AttemptId>,
    pub(crate) from: Timestamp,
    /// Up to and with this time; `None`: up to now.
    pub(crate) to: Option<Timestamp>,
}

/// Hands the events over page by page, in order of time within a page.
pub(crate) async fn log_events(
    aws: &SdkConfig,
    query: LogQuery<'_>,
    clock: Clock,
    mut take: impl FnMut(Vec<LogEvent>),
) -> Result<(), Error> {
    let mut input = json!({"logGroupName": query.group, "startTime": query.from.millis()});
    if let Some(to) = query.to {
        input["endTime"] = json!(to.millis());
    }
    if let Some(id) = query.id {
        input["filterPattern"] = json!(pattern(id));
    }
    loop {
        let page = LOGS.read(aws, ("read the logs", "FilterLogEvents"), &input, clock).await?;
        take(page["events"].as_array().into_iter().flatten().filter_map(event).collect());
        // A page may be empty, and more may follow all the same.
        match &page["nextToken"] {
            Value::Null => return Ok(()),
            next => input["nextToken"] = next.clone(),
        }
    }
}

/// A filter pattern that matches lines with this id, as a quoted term
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>). An id has nothing but
/// hexadecimal digits, so that nothing in it ends the quotes.
fn pattern(id: AttemptId) -> String {
    format!("\"{id}\"")
}

fn event(event: &Value) -> Option<LogEvent> {
    let (at, message) = (event["timestamp"].as_u64()?, event["message"].as_str()?);
    let stream = event["logStreamName"].as_str().unwrap_or_default();
    let id = event["eventId"].as_str().map_or_else(|| format!("{stream} {at} {message}"), str::to_owned);
    Some(LogEvent { id, at: Timestamp::from_millis(at), message: message.trim_end().to_owned() })
}

#[cfg(test)]
mod tests {
    use fakes::Server;

    use super::*;
    use crate::aws::tests::config_of;

    const NOW: Clock = || Timestamp::from_millis(1_790_000_000_000);

    #[tokio::test]
    async fn every_page_is_read_also_behind_an_empty_one() {
        let server = Server::start().await;
        let line = |id: &str| json!({"eventId": id, "timestamp": 5, "message": "callback accepted\n"});
        server.next("FilterLogEvents", json!({"events": [line("a")], "nextToken": "1"}));
        server.next("FilterLogEvents", json!({"events": [], "nextToken": "2"}));
        server.next("FilterLogEvents", json!({"events": [line("b")]}));
        let id = Some(AttemptId::from_bytes([7; 16]));
        let query = LogQuery { group: "receiver", id, from: Timestamp::from_millis(3), to: None };
        let mut found = Vec::new();
        log_events(&config_of(&server).await, query, NOW, |page| found.extend(page)).await.unwrap();
        assert_eq!(found.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(found[0].message, "callback accepted");
        let requests = server.requests("FilterLogEvents");
        let pattern = format!("\"{}\"", "07".repeat(16));
        assert_eq!(requests[0].json(), json!({"logGroupName": "receiver", "startTime": 3, "filterPattern": pattern}));
        assert_eq!((&requests[1].json()["nextToken"], &requests[2].json()["nextToken"]), (&json!("1"), &json!("2")));
    }
}
