//! CloudWatch: statistics of the stack's own metrics over one span of time.

use std::time::Duration;

use aws_types::SdkConfig;
use serde_json::{Value, json};
use shared::{
    Timestamp,
    metrics::{Metric, NAMESPACE},
    timestamp::Clock,
};

use super::json_api::CLOUDWATCH;
use crate::error::Error;

const ACTION: &str = "read the metrics";
/// The most metrics that one call may ask for.
const MAX_QUERIES: usize = 500;
const DAY: Duration = Duration::from_hours(24);
/// A span begins up to so much earlier than it is asked for.
const ROUNDING: Duration = Duration::from_hours(1);

/// A metric of the stack, and what is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) metric: Metric,
    /// Its dimension besides the stack, and the value.
    pub(crate) by: Option<(&'static str, &'static str)>,
    pub(crate) statistic: Statistic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statistic {
    /// How many there were.
    Sum,
    /// The median.
    Median,
    /// What 99 of 100 do not exceed.
    P99,
}

impl Statistic {
    /// As CloudWatch calls it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "Sum",
            Self::Median => "p50",
            Self::P99 => "p99",
        }
    }
}

/// What a query was answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Statistics {
    /// `None` where nothing was measured.
    pub(crate) value: Option<f64>,
    /// CloudWatch returned all of it.
    pub(crate) is_complete: bool,
}

/// A span of time in one period of CloudWatch's, in seconds. It begins where CloudWatch keeps data apart: by the minute
/// for 15 days, by five minutes for 63, and then by the hour
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    begin: u64,
    period: u64,
}

impl Span {
    fn of(since: Duration, now: Timestamp) -> Self {
        let earliest = since.saturating_add(ROUNDING);
        let grain = match earliest {
            _ if earliest < 15 * DAY => 60,
            _ if earliest < 63 * DAY => 300,
            _ => 3_600,
        };
        let begin = now.minus(since).seconds() / grain * grain;
        let period = (now.seconds() - begin).div_ceil(grain).max(1) * grain;
        Self { begin, period }
    }
}

/// The statistics of these metrics of a stack since then, in the queries' order, by one call.
pub(crate) async fn statistics(
    aws: &SdkConfig,
    stack: &str,
    queries: &[Query],
    since: Duration,
    clock: Clock,
) -> Result<Vec<Statistics>, Error> {
    debug_assert!(queries.len() <= MAX_QUERIES, "more than one call");
    let Span { begin, period } = Span::of(since, clock());
    let asked: Vec<Value> =
        queries.iter().enumerate().map(|(place, query)| wire_form(query, place, stack, period)).collect();
    let mut input = json!({"MetricDataQueries": asked, "StartTime": begin, "EndTime": begin + period});
    let mut found = vec![(Vec::new(), false); queries.len()];
    loop {
        let answer = CLOUDWATCH.read(aws, (ACTION, "GetMetricData"), &input, clock).await?;
        for result in answer["MetricDataResults"].as_array().into_iter().flatten() {
            let place = result["Id"].as_str().and_then(|id| id.strip_prefix('q')?.parse::<usize>().ok());
            if let Some((values, is_complete)) = place.and_then(|place| found.get_mut(place)) {
                values.extend(result["Values"].as_array().into_iter().flatten().filter_map(Value::as_f64));
                // Of several pages the last one says so.
                *is_complete = result["StatusCode"] == "Complete";
            }
        }
        match &answer["NextToken"] {
            Value::Null => break,
            next => input["NextToken"] = next.clone(),
        }
    }
    let statistics = queries.iter().zip(found);
    Ok(statistics
        .map(|(query, (values, is_complete))| Statistics { value: together(query.statistic, &values), is_complete })
        .collect())
}

fn wire_form(query: &Query, place: usize, stack: &str, period: u64) -> Value {
    let mut dimensions = vec![json!({"Name": "Stack", "Value": stack})];
    dimensions.extend(query.by.map(|(name, value)| json!({"Name": name, "Value": value})));
    json!({
        "Id": format!("q{place}"),
        "MetricStat": {
            "Metric": {"Namespace": NAMESPACE, "MetricName": query.metric.name(), "Dimensions": dimensions},
            "Period": period,
            "Stat": query.statistic.as_str(),
        },
    })
}

/// One value of the whole span. CloudWatch returns one, unless it cuts periods where the clock is a multiple of them: then
/// a span has parts of two. Their sums add up; of their percentiles the greater is at least the span's.
fn together(statistic: Statistic, values: &[f64]) -> Option<f64> {
    match statistic {
        Statistic::Sum => Some(values.iter().sum()),
        Statistic::Median | Statistic::P99 => values.iter().copied().max_by(f64::total_cmp),
    }
}

#[cfg(test)]
mod tests {
    use fakes::Server;

    use super::*;
    use crate::aws::tests::config_of;

    /// 2026-09-21T14:13:20Z.
    const NOW: Clock = || Timestamp::from_seconds(1_790_000_000);

    fn queries() -> [Query; 2] {
        [
            Query { metric: Metric::Failures, by: Some(("Reason", "denied")), statistic: Statistic::Sum },
            Query { metric: Metric::TimeToConnected, by: None, statistic: Statistic::Median },
        ]
    }

    async fn read(server: &Server) -> Result<Vec<Statistics>, Error> {
        statistics(&config_of(server).await, "connect", &queries(), Duration::from_hours(24), NOW).await
    }

    #[tokio::test]
    async fn all_metrics_are_asked_for_in_one_call() {
        let server = Server::start().await;
        let results = json!([
            {"Id": "q1", "Values": [812.5], "StatusCode": "Complete"},
            {"Id": "q0", "Values": [2.0, 3.0], "StatusCode": "Complete"},
        ]);
        server.on("GetMetricData", move |_| json!({"MetricDataResults": results.clone()}).into());
        let expected = [5.0, 812.5].map(|value| Statistics { value: Some(value), is_complete: true });
        assert_eq!(read(&server).await.unwrap(), expected);
        let asked = server.only_request("GetMetricData").json();
        let (begin, end) = (asked["StartTime"].as_u64().unwrap(), asked["EndTime"].as_u64().unwrap());
        assert_eq!((begin % 60, begin <= 1_790_000_000 - 86_400, end >= 1_790_000_000), (0, true, true));
        let stat = &asked["MetricDataQueries"][0]["MetricStat"];
        assert_eq!((&stat["Period"], &stat["Stat"]), (&json!(end - begin), &json!("Sum")));
        let dimensions = json!([{"Name": "Stack", "Value": "connect"}, {"Name": "Reason", "Value": "denied"}]);
        assert_eq!(stat["Metric"]["Dimensions"], dimensions);
    }

    #[tokio::test]
    async fn pages_are_put_together() {
        let server = Server::start().await;
        let page = |status: &str, value: f64| json!([{"Id": "q0", "Values": [value], "StatusCode": status}]);
        server.next("GetMetricData", json!({"MetricDataResults": page("PartialData", 1.0), "NextToken": "more"}));
        server.next("GetMetricData", json!({"MetricDataResults": page("Complete", 2.0)}));
        assert_eq!(read(&server).await.unwrap()[0], Statistics { value: Some(3.0), is_complete: true });
        assert_eq!(server.requests("GetMetricData")[1].json()["NextToken"], "more");
    }

    #[tokio::test]
    async fn what_cloudwatch_kept_back_is_not_taken_for_everything() {
        let server = Server::start().await;
        let results = json!([{"Id": "q0", "Values": [], "StatusCode": "InternalError"}]);
        server.on("GetMetricData", move |_| json!({"MetricDataResults": results.clone()}).into());
        let found = read(&server).await.unwrap();
        assert_eq!(found, [Some(0.0), None].map(|value| Statistics { value, is_complete: false }));
    }

    #[test]
    fn a_span_begins_where_cloudwatch_still_keeps_data_apart() {
        for (days, grain) in [(1_u32, 60), (14, 60), (15, 300), (62, 300), (63, 3_600), (400, 3_600)] {
            let Span { begin, period } = Span::of(days * DAY, NOW());
            assert_eq!((begin % grain, period % grain), (0, 0), "{days} days");
            assert!(begin <= NOW().minus(days * DAY).seconds() && begin + period >= NOW().seconds(), "{days} days");
            assert!(period <= u64::from(days) * 86_400 + 2 * grain, "{days} days");
        }
    }
}
