//! What goes wrong right now, whatever its cause: attempts that are delayed, alarms that are firing. Pure.

use std::time::Duration;

use shared::{Reason, Status, Timestamp, attempt::Item, exchange::CODE_LIFETIME};

use super::finding::Finding;
use crate::{
    aws::{Alarm, AlarmState},
    commands::alarms::Advice,
    report::{count, duration_text},
};

/// How long after its last try an attempt may still be tried: a code's life, and a minute. Then it has ended, or its message
/// is a dead letter, which is another finding.
pub(super) const TRIED_WITHIN: Duration = CODE_LIFETIME.saturating_add(Duration::from_mins(1));
/// The most errors that are named.
const NAMED: usize = 3;
const NO_ERROR: &str = "no error is known";

/// The attempts of people who wait for another try, by what their last try ended with. Those of whom an operator was to hear are
/// problems; a first setback may pass by itself. Where there are more attempts than these, their numbers are lower bounds.
pub(super) fn waiting(attempts: &[Item], has_more: bool, now: Timestamp) -> Vec<Finding> {
    let are = |number, what| are(number, has_more, what);
    let recent = |attempt: &&Item| attempt.updated_at.is_some_and(|at| now.since(at) < TRIED_WITHIN);
    let (delayed, others): (Vec<_>, Vec<_>) = attempts.iter().filter(recent).partition(|attempt| is_delayed(attempt));
    let retried: Vec<_> = others.into_iter().filter(|attempt| is_retried(attempt)).collect();
    let mut findings: Vec<_> = by_error(&delayed)
        .into_iter()
        .map(|(error, of_it)| {
            let title = format!("{}: {error}", are(of_it.len(), "delayed"));
            let meaning = "Their people were told that it takes longer. A code is tried for 14 minutes; then they need a new link.";
            Finding::problem("attempts", title, meaning, remedy(&of_it))
        })
        .collect();
    findings.extend(by_error(&retried).into_iter().map(|(error, of_it)| {
        let title = format!("{}: {error}", are(of_it.len(), "being tried again"));
        let meaning = "A code is tried for 14 minutes. If it fails for a minute, its person is told of the delay.";
        Finding::note("attempts", title, meaning, "Run wasf doctor again in a minute.")
    }));
    if findings.is_empty() { vec![Finding::ok("attempts", "no attempt is delayed")] } else { findings }
}

/// While it is tried again, its row says that it is exchanging.
fn is_delayed(attempt: &Item) -> bool {
    match attempt.status() {
        Some(Status::Delayed) => true,
        Some(Status::Exchanging) => attempt.delayed_at.is_some(),
        _ => false,
    }
}

fn is_retried(attempt: &Item) -> bool {
    attempt.status() == Some(Status::Exchanging) && attempt.last_error.is_some()
}

fn are(number: usize, has_more: bool, what: &str) -> String {
    let at_least = if has_more { "at least " } else { "" };
    format!("{at_least}{} {} {what}", count(number, "attempt"), if number == 1 { "is" } else { "are" })
}

/// Groups of attempts with the same last error, the largest first. Beyond some they are one.
fn by_error<'a>(attempts: &[&'a Item]) -> Vec<(String, Vec<&'a Item>)> {
    let mut groups: Vec<(String, Vec<&Item>)> = Vec::new();
    for attempt in attempts {
        let error = attempt.last_error.as_deref().unwrap_or(NO_ERROR);
        match groups.iter_mut().find(|(known, _)| known == error) {
            Some((_, group)) => group.push(attempt),
            None => groups.push((error.to_owned(), vec![attempt])),
        }
    }
    groups.sort_by_key(|(_, group)| usize::MAX - group.len());
    if groups.len() > NAMED {
        let rest = groups.split_off(NAMED).into_iter().flat_map(|(_, group)| group).collect();
        groups.push(("other errors".to_owned(), rest));
    }
    groups
}

/// What to do, by the reason that one of them was delayed for: a row has none while it is tried.
fn remedy(attempts: &[&Item]) -> &'static str {
    let reason = attempts.iter().find_map(|attempt| attempt.reason.as_deref().and_then(Reason::parse));
    match reason {
        Some(Reason::Misconfigured) => {
            "Correct the app or its secrets, as docs/RUNBOOK.md#misconfigured says: they are tried again by themselves."
        }
        Some(Reason::SalesforceUnavailable) => {
            "Check https://status.salesforce.com, and see docs/RUNBOOK.md#salesforce: they are tried again by themselves."
        }
        _ => "Run wasf attempt list --status delayed, then wasf attempt show ID for one of them.",
    }
}

/// The stack's alarms: each that is firing, and those of these names that CloudWatch does not have.
pub(super) fn alarms(found: &[Alarm], missing: &[&str], now: Timestamp) -> Vec<Finding> {
    let mut findings: Vec<_> =
        found.iter().filter(|alarm| alarm.state == AlarmState::Firing).map(|alarm| firing(alarm, now)).collect();
    if findings.is_empty() {
        findings.push(Finding::ok("firing", format!("none of {} is firing", count(found.len(), "alarm"))));
    }
    if !missing.is_empty() {
        findings.push(Finding::note(
            "firing",
            format!("CloudWatch does not have {}: {}", count(missing.len(), "alarm"), missing.join(", ")),
            "What they are for goes unnoticed.",
            "Somebody has deleted them: create them again, as template.yaml has them.",
        ));
    }
    findings
}

fn firing(alarm: &Alarm, now: Timestamp) -> Finding {
    let advice = Advice::parse(&alarm.description);
    let since = alarm.since.map(|since| format!(" for {}", duration_text(now.since(since)))).unwrap_or_default();
    let title = format!("an alarm is firing{since}: {}", advice.map_or(alarm.name.as_str(), |advice| advice.title()));
    let Some(advice) = advice else {
        return Finding::problem("firing", title, alarm.description.clone(), "Run wasf alarms.");
    };
    let remedy = match advice.command {
        "wasf doctor" => format!("See the other findings, and {}.", advice.runbook()),
        command => format!("Run {command}; see {}.", advice.runbook()),
    };
    Finding::problem("firing", title, advice.meaning.to_owned(), remedy)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::finding::Level, *};
    use crate::records::tests::attempt;

    const NOW: u64 = 1_790_000_300_000;

    fn found(attempts: &[Value]) -> Vec<(Level, String, String)> {
        let attempts: Vec<_> = attempts.iter().map(attempt).collect();
        let findings = waiting(&attempts, false, Timestamp::from_millis(NOW));
        findings.into_iter().map(|found| (found.level, found.title, found.remedy)).collect()
    }

    fn delayed(error: &str) -> Value {
        json!({"status": "delayed", "reason": "misconfigured", "last_error": error, "updated_at": NOW - 60_000})
    }

    #[test]
    fn delayed_attempts_are_a_problem_with_their_last_error_and_what_to_do() {
        let found = found(&[delayed("400 invalid_client"), delayed("400 invalid_client"), delayed("none")]);
        assert_eq!(found.len(), 2);
        let (level, title, remedy) = &found[0];
        assert_eq!((*level, &**title), (Level::Problem, "2 attempts are delayed: 400 invalid_client"));
        assert!(remedy.contains("docs/RUNBOOK.md#misconfigured"), "{remedy}");
    }

    #[test]
    fn a_delayed_attempt_that_is_tried_again_is_still_delayed() {
        let tried = json!({
            "status": "exchanging", "last_error": "503", "delayed_at": NOW - 120_000, "updated_at": NOW,
        });
        let found = found(&[tried]);
        assert_eq!((found[0].0, &*found[0].1), (Level::Problem, "1 attempt is delayed: 503"));
    }

    #[test]
    fn a_first_setback_is_a_note() {
        let tried = json!({"status": "exchanging", "last_error": "503", "updated_at": NOW});
        let found = found(&[tried]);
        assert_eq!((found[0].0, &*found[0].1), (Level::Note, "1 attempt is being tried again: 503"));
    }

    #[test]
    fn what_is_not_tried_any_more_is_no_delay() {
        let mut old = delayed("400 invalid_client");
        old["updated_at"] = json!(NOW - 15 * 60_000);
        let connected = json!({"status": "connected", "updated_at": NOW});
        let first = json!({"status": "exchanging", "updated_at": NOW});
        assert_eq!(found(&[old, connected, first]), [(Level::Ok, "no attempt is delayed".to_owned(), String::new())]);
    }

    #[test]
    fn many_errors_are_one_finding_beyond_some() {
        let attempts: Vec<_> = (0..9).map(|number| delayed(&number.to_string())).collect();
        let found = found(&attempts);
        assert_eq!((found.len(), &*found[3].1), (4, "6 attempts are delayed: other errors"));
    }

    fn alarm(command: &str, state: AlarmState) -> Alarm {
        Alarm {
            name: "connect-DeadLetter".to_owned(),
            description: format!("Codes wait. Run: {command}. See docs/RUNBOOK.md#dead-letters"),
            state,
            since: Some(Timestamp::from_millis(NOW - 120_000)),
            notifies: true,
        }
    }

    #[test]
    fn an_alarm_that_fires_is_a_problem_with_its_section_and_first_command() {
        let judged = |command| alarms(&[alarm(command, AlarmState::Firing)], &[], Timestamp::from_millis(NOW));
        let [found] = &judged("wasf dlq list")[..] else { panic!("one finding") };
        assert!(found.is_problem() && found.title == "an alarm is firing for 2 min: Dead letters", "{found:?}");
        assert_eq!(
            (&*found.meaning, &*found.remedy),
            ("Codes wait.", "Run wasf dlq list; see docs/RUNBOOK.md#dead-letters.")
        );
        assert!(!judged("wasf doctor")[0].remedy.contains("wasf doctor"));
    }

    #[test]
    fn silent_alarms_are_well_and_deleted_ones_are_named() {
        let silent = [alarm("wasf dlq list", AlarmState::Ok), alarm("wasf dlq list", AlarmState::Unknown)];
        let found = alarms(&silent, &["KmsAlarm"], Timestamp::from_millis(NOW));
        assert_eq!(found.iter().map(|found| found.level).collect::<Vec<_>>(), [Level::Ok, Level::Note]);
        assert!(found[0].title == "none of 2 alarms is firing" && found[1].title.ends_with(": KmsAlarm"), "{found:?}");
    }
}
