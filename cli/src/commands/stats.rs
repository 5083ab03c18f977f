//! `wasf stats`: how many links, logins and connections there were, what failed, and how long it took, as the functions
//! have measured it.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Map, Value, json};
use shared::{Reason, Timestamp, attempt::EndReason, metrics::Metric, timestamp::Clock};

use crate::{
    aws::{Query, Statistic, Statistics, statistics},
    error::{Error, Exit},
    report::{Report, Table, clock_time, count, duration_text},
    target::Target,
};

/// How long CloudWatch keeps metrics by the hour.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html>
const KEPT: Duration = Duration::from_hours(455 * 24);

/// What is counted: for people, for programs, and where it is measured.
const COUNTS: [(&str, &str, Metric, (&str, &str)); 8] = [
    ("links made", "links_made", Metric::Requests, ("Result", "link_made")),
    ("logins begun", "logins_begun", Metric::Logins, ("Step", "begun")),
    ("logins returned", "logins_returned", Metric::Logins, ("Step", "returned")),
    ("logins ended", "logins_ended", Metric::Logins, ("Step", "ended")),
    ("held for confirmation", "held_for_confirmation", Metric::Exchanges, ("Result", "held_for_confirmation")),
    ("confirmed by the chat", "confirmed", Metric::Confirmations, ("Result", "confirmed")),
    ("codes from a wrong chat", "wrong_chat_codes", Metric::Confirmations, ("Result", "wrong_chat")),
    ("connected", "connected", Metric::Exchanges, ("Result", "connected")),
];
/// What only a stack with `ChatProof=Required` measures: it is left out where there was none.
const OF_PROOF: [&str; 3] = ["held_for_confirmation", "confirmed", "wrong_chat_codes"];
/// How a refresh of tokens can end: `Result` of the metric.
const REFRESHES: [&str; 6] = ["refreshed", "superseded", "ended", "transient", "ambiguous", "operator"];
/// What is timed, from the callback on; [`CONFIRMED`] otherwise.
const TIMES: [(&str, &str, Metric); 2] = [
    ("callback to connected", "callback_to_connected_ms", Metric::TimeToConnected),
    ("callback to message", "callback_to_message_ms", Metric::TimeToMessage),
];
/// What is timed from the confirmation on, where chats are asked for it: a person's own time is none of the stack's.
const CONFIRMED: (&str, Metric) = ("confirmation to connected", Metric::TimeToConnected);
const PERCENTILES: [(&str, Statistic); 2] = [("median", Statistic::Median), ("p99", Statistic::P99)];

pub(crate) async fn run(since: Duration, target: &Target, clock: Clock) -> Result<Report, Error> {
    check(since)?;
    let found = statistics(&target.aws, target.stack.name(), &queries(), since, clock).await?;
    Ok(report(&found, since, clock()))
}

fn check(since: Duration) -> Result<(), Error> {
    if since > KEPT {
        return Err(Error::Usage(format!("invalid --since: CloudWatch keeps metrics for {}", duration_text(KEPT))));
    }
    Ok(())
}

/// The counts, the reasons, and each percentile of the times, in this order.
fn queries() -> Vec<Query> {
    let sum = |metric, by| Query { metric, by: Some(by), statistic: Statistic::Sum };
    let counts = COUNTS.into_iter().map(|(.., metric, by)| sum(metric, by));
    let reasons = Reason::ALL.into_iter().map(|reason| sum(Metric::Failures, ("Reason", reason.as_str())));
    let times = TIMES
        .into_iter()
        .flat_map(|(.., metric)| PERCENTILES.map(|(_, statistic)| Query { metric, by: None, statistic }));
    let refreshes = REFRESHES.into_iter().map(|result| sum(Metric::Refreshes, ("Result", result)));
    let ends = EndReason::ALL.into_iter().map(|reason| sum(Metric::ConnectionsEnded, ("Reason", reason.as_str())));
    counts.chain(reasons).chain(refreshes).chain(ends).chain(times).collect()
}

fn report(found: &[Statistics], since: Duration, now: Timestamp) -> Report {
    let incomplete = found.iter().filter(|one| !one.is_complete).count();
    let (counts, rest) = found.split_at(COUNTS.len());
    let (reasons, rest) = rest.split_at(Reason::ALL.len());
    let (refreshes, rest) = rest.split_at(REFRESHES.len());
    let (ends, times) = rest.split_at(EndReason::ALL.len());
    let (mut table, mut json) = (Table::default(), Map::new());
    let is_proven = COUNTS.iter().zip(counts).any(|((_, name, ..), found)| OF_PROOF.contains(name) && whole(found) > 0);
    for ((label, name, ..), found) in COUNTS.iter().zip(counts) {
        if !OF_PROOF.contains(name) || is_proven {
            table.field(label, Some(whole(found)));
        }
        json.insert((*name).to_owned(), json!(whole(found)));
    }
    let parts = [
        ("failed", "failed", "failed_by_reason", named(Reason::ALL.map(Reason::as_str), reasons)),
        ("refreshes", "refreshes", "refreshes_by_result", named(REFRESHES, refreshes)),
        ("connections ended", "ended", "ended_by_reason", named(EndReason::ALL.map(EndReason::as_str), ends)),
    ];
    for (label, name, by, parts) in parts {
        let all: u64 = parts.iter().map(|(_, number)| number).sum();
        table.field(label, Some(all));
        json.insert(name.to_owned(), json!(all));
        for (part, number) in &parts {
            table.field(&format!("  {part}"), Some(number));
        }
        json.insert(by.to_owned(), parts.into_iter().map(|(part, number)| (part.to_owned(), json!(number))).collect());
    }
    for ((label, name, metric), times) in TIMES.iter().zip(times.chunks(PERCENTILES.len())) {
        let words = PERCENTILES
            .iter()
            .zip(times)
            .filter_map(|((label, _), time)| Some(format!("{} ({label})", took(time.value?))));
        let words = words.collect::<Vec<_>>().join(", ");
        let label = if is_proven && *metric == CONFIRMED.1 { CONFIRMED.0 } else { *label };
        table.field(label, Some(if words.is_empty() { "–".to_owned() } else { words }));
        let values = PERCENTILES
            .iter()
            .zip(times)
            .map(|((_, statistic), time)| (statistic.as_str().to_owned(), json!(time.value)));
        json.insert((*name).to_owned(), Value::Object(values.collect()));
    }
    let begin = now.minus(since);
    json.insert("since".to_owned(), json!(begin.rfc3339()));
    json.insert("incomplete".to_owned(), json!(incomplete));
    let mut text = format!("The last {}, since {}\n\n{}", duration_text(since), clock_time(begin), table.text());
    let exit = if incomplete == 0 { Exit::Done } else { Exit::InPart };
    if incomplete > 0 {
        let metrics = count(incomplete, "metric");
        let _ = write!(text, "\nCloudWatch did not return all data of {metrics}; run it again.\n");
    }
    Report::new(text, Value::Object(json), exit)
}

/// What there was of each, the most first.
fn named<const N: usize>(names: [&'static str; N], found: &[Statistics]) -> Vec<(&'static str, u64)> {
    let mut parts: Vec<_> = names.into_iter().zip(found.iter().map(whole)).filter(|(_, number)| *number > 0).collect();
    parts.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    parts
}

/// A number of occurrences, which CloudWatch returns as a float.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, clamped by the cast")]
fn whole(found: &Statistics) -> u64 {
    found.value.unwrap_or_default().round() as u64
}

/// A time in milliseconds.
fn took(milliseconds: f64) -> String {
    match milliseconds {
        time if time < 1_000.0 => format!("{time:.0} ms"),
        time if time < 60_000.0 => format!("{:.1} s", time / 1_000.0),
        time => duration_text(Duration::from_secs_f64((time / 1_000.0).min(1e9))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_that_cloudwatch_has_metrics_of() {
        assert!(check(Duration::from_secs(1)).is_ok() && check(KEPT).is_ok());
        assert_eq!(check(KEPT + Duration::from_secs(1)).unwrap_err().exit(), Exit::Usage);
    }

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    /// What the stack measured: nothing but these.
    fn measured(values: &[(Metric, &str, f64)]) -> Vec<Statistics> {
        let value_of = |query: &Query| {
            let is_meant = |by: &str| query.by.is_some_and(|(_, value)| value == by) || query.statistic.as_str() == by;
            let found = values.iter().find(|(metric, by, _)| *metric == query.metric && is_meant(by));
            found.map(|(.., value)| *value)
        };
        queries().iter().map(|query| Statistics { value: value_of(query), is_complete: true }).collect()
    }

    #[test]
    fn counts_and_times_are_shown_with_the_failures_by_reason() {
        let found = measured(&[
            (Metric::Requests, "link_made", 12.0),
            (Metric::Exchanges, "connected", 7.0),
            (Metric::Failures, "denied", 1.0),
            (Metric::Failures, "code_expired", 2.0),
            (Metric::Refreshes, "refreshed", 9.0),
            (Metric::ConnectionsEnded, "expired", 1.0),
            (Metric::TimeToConnected, "p50", 812.4),
            (Metric::TimeToConnected, "p99", 2_340.0),
        ]);
        let shown = report(&found, Duration::from_hours(24), NOW);
        let lines = "The last 1 d, since 2026-09-20T14:13:20Z\n\n\
                     links made             12\nlogins begun           0\nlogins returned        0\nlogins ended           0\n\
                     connected              7\nfailed                 3\n  code_expired         2\n  denied               1\n\
                     refreshes              9\n  refreshed            9\n\
                     connections ended      1\n  expired              1\n\
                     callback to connected  812 ms (median), 2.3 s (p99)\ncallback to message    –\n";
        assert_eq!((shown.text.as_str(), shown.exit), (lines, Exit::Done));
        assert_eq!(shown.json["failed_by_reason"], json!({"denied": 1, "code_expired": 2}));
        assert_eq!((&shown.json["refreshes"], &shown.json["ended_by_reason"]), (&json!(9), &json!({"expired": 1})));
        assert_eq!(shown.json["callback_to_connected_ms"], json!({"p50": 812.4, "p99": 2_340.0}));
        assert_eq!(shown.json["callback_to_message_ms"], json!({"p50": null, "p99": null}));
    }

    #[test]
    fn confirmations_are_counted_where_chats_are_asked_for_them() {
        let found = measured(&[
            (Metric::Exchanges, "held_for_confirmation", 5.0),
            (Metric::Confirmations, "confirmed", 3.0),
            (Metric::Confirmations, "wrong_chat", 1.0),
            (Metric::Exchanges, "connected", 3.0),
            (Metric::Failures, "wrong_chat", 1.0),
            (Metric::Failures, "unconfirmed", 1.0),
            (Metric::TimeToConnected, "p50", 812.4),
        ]);
        let shown = report(&found, Duration::from_hours(24), NOW);
        let lines = "held for confirmation      5\nconfirmed by the chat      3\ncodes from a wrong chat    1\n\
                     connected                  3\nfailed                     2\n";
        assert!(shown.text.contains(lines), "{}", shown.text);
        let times = "\nconfirmation to connected  812 ms (median)\ncallback to message        –\n";
        assert!(shown.text.ends_with(times), "{}", shown.text);
        assert_eq!(shown.json["failed_by_reason"], json!({"wrong_chat": 1, "unconfirmed": 1}));
        let without = report(&measured(&[]), Duration::from_hours(24), NOW);
        assert!(!without.text.contains("confirm"), "{}", without.text);
        assert_eq!((&without.json["confirmed"], &without.json["held_for_confirmation"]), (&json!(0), &json!(0)));
    }

    #[test]
    fn numbers_that_are_not_complete_say_so() {
        let mut found = measured(&[]);
        found[0].is_complete = false;
        let shown = report(&found, Duration::from_mins(5), NOW);
        assert_eq!((shown.exit, &shown.json["incomplete"]), (Exit::InPart, &json!(1)));
        assert!(
            shown.text.ends_with("\nCloudWatch did not return all data of 1 metric; run it again.\n"),
            "{}",
            shown.text
        );
    }

    #[test]
    fn a_time_is_written_as_people_say_it() {
        for (milliseconds, words) in [(0.0, "0 ms"), (999.0, "999 ms"), (1_000.0, "1.0 s"), (61_000.0, "1 min 1 s")] {
            assert_eq!(took(milliseconds), words);
        }
    }

    /// A word that no function measures would read as nothing for ever.
    #[test]
    fn what_is_counted_is_what_the_functions_measure() {
        let sources = [
            include_str!("../../../functions/connect-link/src/lib.rs"),
            include_str!("../../../functions/callback-receiver/src/lib.rs"),
            include_str!("../../../functions/token-exchanger/src/report.rs"),
            include_str!("../../../functions/token-keeper/src/lib.rs"),
            include_str!("../../../functions/token-keeper/src/refusal.rs"),
        ]
        .concat();
        for (_, _, metric, (name, value)) in COUNTS {
            let is_measured = sources.contains(&format!("Metric::{}, &[(\"{name}\"", metric.name()));
            assert!(is_measured && sources.contains(&format!("\"{value}\"")), "{} {name}={value}", metric.name());
        }
    }
    /// The same of refreshes, by what the shared code measures.
    #[test]
    fn the_results_of_refreshes_are_those_that_are_measured() {
        let sources = [
            include_str!("../../../shared/src/custody/refresh.rs"),
            include_str!("../../../shared/src/custody/trouble.rs"),
        ]
        .concat();
        for result in REFRESHES {
            assert!(sources.contains(&format!("\"{result}\"")), "{result}");
        }
    }
}
