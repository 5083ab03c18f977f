//! `wasf alarms`: which of the stack's alarms are firing, since when, and what to do first.
//!
//! What an alarm means and the command to begin with stand in its description, which is deployed with it; the runbook,
//! which is compiled in, has the section's title.

use std::fmt::Write as _;

use serde_json::{Value, json};
use shared::{Timestamp, printable::printable, timestamp::Clock};

use crate::{
    args::TargetArgs,
    aws::{Alarm, AlarmState, alarms},
    error::{Error, Exit},
    report::{Report, clock_time, count, duration_text},
    target::Target,
};

const RUNBOOK: &str = include_str!("../../../docs/RUNBOOK.md");
const RUNBOOK_FILE: &str = "docs/RUNBOOK.md";
const KIND: &str = "AWS::CloudWatch::Alarm";

pub(crate) async fn run(all: bool, target: &Target, given: &TargetArgs, clock: Clock) -> Result<Report, Error> {
    let (found, missing) = of_stack(target, clock).await?;
    Ok(report(found, &missing, all, &given.flags(), clock()))
}

/// The stack's alarms; and the logical names of those that CloudWatch does not have.
pub(super) async fn of_stack(target: &Target, clock: Clock) -> Result<(Vec<Alarm>, Vec<&str>), Error> {
    let known: Vec<_> = target.stack.of_kind(KIND).collect();
    let names: Vec<_> = known.iter().map(|(_, physical)| *physical).collect();
    let found = alarms(&target.aws, &names, clock).await?;
    let missing = known.iter().filter(|(_, name)| !found.iter().any(|alarm| alarm.name == *name));
    let missing = missing.map(|(logical, _)| *logical).collect();
    Ok((found, missing))
}

/// What an alarm's description says: `MEANING Run: COMMAND. See docs/RUNBOOK.md#SECTION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Advice<'a> {
    pub(super) meaning: &'a str,
    /// The first command, for the stack of the usual name.
    pub(super) command: &'a str,
    /// The anchor of the runbook's section.
    section: &'a str,
}

impl<'a> Advice<'a> {
    pub(super) fn parse(description: &'a str) -> Option<Self> {
        let (rest, section) = description.trim().rsplit_once(" See docs/RUNBOOK.md#")?;
        let (meaning, command) = rest.rsplit_once(" Run: ")?;
        Some(Self { meaning, command: command.strip_suffix('.')?, section })
    }

    /// The section's title; its anchor where this version's runbook has no such section.
    pub(super) fn title(&self) -> &'a str {
        let headings = RUNBOOK.lines().filter_map(|line| line.strip_prefix("## "));
        headings.into_iter().find(|title| anchor(title) == self.section).unwrap_or(self.section)
    }

    /// Where its section is.
    pub(super) fn runbook(&self) -> String {
        format!("{RUNBOOK_FILE}#{}", self.section)
    }

    /// The command, for the stack that this one was for.
    fn command(&self, flags: &str) -> String {
        match self.command.strip_prefix("wasf ") {
            Some(rest) if !flags.is_empty() => format!("wasf {flags} {rest}"),
            _ => self.command.to_owned(),
        }
    }
}

/// A heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn report(mut found: Vec<Alarm>, missing: &[&str], all: bool, flags: &str, now: Timestamp) -> Report {
    let total = found.len();
    let firing = found.iter().filter(|alarm| alarm.state == AlarmState::Firing).count();
    found.retain(|alarm| all || alarm.state == AlarmState::Firing);
    // The longest first, because later ones often follow from it.
    found.sort_by_key(|alarm| (alarm.state != AlarmState::Firing, alarm.since.map(Timestamp::millis)));
    let mut text = String::new();
    for alarm in &found {
        describe(alarm, flags, now, &mut text);
    }
    let mut exit = if firing == 0 && !all { Exit::NothingMatched } else { Exit::Done };
    let verb = if firing == 1 { "is" } else { "are" };
    let _ = writeln!(text, "{firing} of {} {verb} firing.", count(total, "alarm"));
    if !missing.is_empty() {
        exit = Exit::InPart;
        let (number, names) = (count(missing.len(), "alarm"), missing.join(", "));
        let _ =
            writeln!(text, "{number} of the stack cannot be found in CloudWatch: {names}. Deploy again to restore.");
    }
    let json = json!({
        "alarms": found.iter().map(|alarm| summary(alarm, flags)).collect::<Vec<_>>(),
        "firing": firing,
        "total": total,
        "missing": missing,
    });
    Report::new(text, json, exit)
}

fn describe(alarm: &Alarm, flags: &str, now: Timestamp, text: &mut String) {
    let advice = Advice::parse(&alarm.description);
    let title = advice.map_or(alarm.name.as_str(), |advice| advice.title());
    let since =
        alarm.since.map(|since| format!("for {}, since {}", duration_text(now.since(since)), clock_time(since)));
    let _ = writeln!(text, "{:7}  {}  {}", alarm.state.as_str(), printable(title), since.unwrap_or_default());
    if alarm.state != AlarmState::Firing {
        return;
    }
    let mut line = |words: &str| {
        let _ = writeln!(text, "{:9}{}", "", printable(words));
    };
    match advice {
        Some(advice) => {
            line(advice.meaning);
            line(&advice.runbook());
            line(&format!("→ {}", advice.command(flags)));
        }
        None => line(&alarm.description),
    }
    if !alarm.notifies {
        let name = &alarm.name;
        line(&format!(
            "Its notifications are off; aws cloudwatch enable-alarm-actions --alarm-names {name} turns them on."
        ));
    }
    text.push('\n');
}

fn summary(alarm: &Alarm, flags: &str) -> Value {
    let advice = Advice::parse(&alarm.description);
    json!({
        "name": alarm.name,
        "state": alarm.state.as_str(),
        "since": alarm.since.map(Timestamp::rfc3339),
        "title": advice.map(|advice| advice.title()),
        "meaning": advice.map_or(alarm.description.as_str(), |advice| advice.meaning),
        "runbook": advice.map(|advice| advice.runbook()),
        "command": advice.map(|advice| advice.command(flags)),
        "notifies": alarm.notifies,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn alarm(name: &str, state: AlarmState, since: u64) -> Alarm {
        Alarm {
            name: format!("connect-{name}"),
            description: "Codes wait. Run: wasf dlq list. See docs/RUNBOOK.md#dead-letters".to_owned(),
            state,
            since: Some(Timestamp::from_seconds(since)),
            notifies: true,
        }
    }

    #[test]
    fn an_alarm_that_fires_says_since_when_and_what_to_do_first() {
        let fires = alarm("DeadLetter", AlarmState::Firing, 1_789_992_500);
        let shown = report(vec![fires, alarm("Kms", AlarmState::Ok, 1)], &[], false, "--config-env prod", NOW);
        let lines = "firing   Dead letters  for 2 h 5 min, since 2026-09-21T12:08:20Z\n         Codes wait.\n         \
                     docs/RUNBOOK.md#dead-letters\n         → wasf --config-env prod dlq list\n\n1 of 2 alarms is firing.\n";
        assert_eq!((shown.text.as_str(), shown.exit), (lines, Exit::Done));
        let json = &shown.json["alarms"][0];
        assert_eq!(
            (&json["title"], &json["command"]),
            (&json!("Dead letters"), &json!("wasf --config-env prod dlq list"))
        );
        assert_eq!(shown.json["alarms"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn silence_is_no_match_unless_all_are_asked_for() {
        let silent = || vec![alarm("Kms", AlarmState::Ok, 1), alarm("New", AlarmState::Unknown, 2)];
        let shown = report(silent(), &[], false, "", NOW);
        assert_eq!((shown.text.as_str(), shown.exit), ("0 of 2 alarms are firing.\n", Exit::NothingMatched));
        let all = report(silent(), &[], true, "", NOW);
        assert_eq!((all.exit, all.json["alarms"].as_array().unwrap().len()), (Exit::Done, 2));
        assert!(
            all.text.contains("ok       Dead letters") && all.text.contains("unknown  Dead letters"),
            "{}",
            all.text
        );
    }

    #[test]
    fn the_alarm_that_has_fired_longest_comes_first() {
        let firing = [("B", 20), ("A", 10)].map(|(name, since)| alarm(name, AlarmState::Firing, since));
        let shown = report(firing.into(), &[], false, "", NOW);
        let names: Vec<_> = shown.json["alarms"].as_array().unwrap().iter().map(|alarm| &alarm["name"]).collect();
        assert_eq!(names, ["connect-A", "connect-B"]);
    }

    #[test]
    fn an_alarm_that_somebody_deleted_or_muted_is_named() {
        let muted = Alarm { notifies: false, ..alarm("Kms", AlarmState::Firing, 1) };
        let shown = report(vec![muted], &["BotRefusedAlarm"], false, "", NOW);
        assert_eq!((shown.exit, &shown.json["missing"]), (Exit::InPart, &json!(["BotRefusedAlarm"])));
        assert!(shown.text.contains("notifications are off; aws cloudwatch"), "{}", shown.text);
        assert!(shown.text.contains("cannot be found in CloudWatch: BotRefusedAlarm."), "{}", shown.text);
    }

    #[test]
    fn a_description_of_somebody_elses_is_shown_as_it_is() {
        let foreign = Alarm { description: "Call\u{1b}[2J Ada".to_owned(), ..alarm("Kms", AlarmState::Firing, 1) };
        let shown = report(vec![foreign], &[], false, "", NOW);
        assert!(shown.text.contains(r"Call\u{1b}[2J Ada") && shown.text.contains("connect-Kms"), "{}", shown.text);
        assert_eq!(shown.json["alarms"][0]["command"], Value::Null);
    }

    /// As CloudFormation reads the template: lines that are folded into one.
    #[test]
    fn every_alarm_of_the_template_has_a_section_with_a_title_and_a_command() {
        let template = include_str!("../../../template.yaml");
        let descriptions: Vec<String> = template
            .split("AlarmDescription: >-")
            .skip(1)
            .map(|rest| rest.split("\n      Namespace:").next().and_then(|text| text.split("\n      Metrics:").next()))
            .map(|text| text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert!(descriptions.len() > 20, "{}", descriptions.len());
        for description in &descriptions {
            let advice = Advice::parse(description).unwrap_or_else(|| panic!("{description}"));
            assert_ne!(advice.title(), advice.section, "{description}");
            assert!(advice.meaning.ends_with('.') && !advice.command.is_empty(), "{description}");
        }
    }
}
