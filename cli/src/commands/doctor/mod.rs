//! `wasf doctor`: checks the deployed stack, and gives a remedy for each problem.

mod bus;
mod checks;
mod custody;
mod deployment;
mod finding;
mod proof;
mod safety;
mod secrets;
mod tables;
mod trouble;
mod upkeep;

use std::fmt::Write as _;

use serde_json::json;
use shared::{printable::printable, timestamp::Clock};

use self::{checks::Checks, finding::Finding};
use crate::{
    aws::failed_resources,
    error::{Error, Exit},
    report::{Report, count},
    target::Target,
};

pub(crate) async fn run(target: &Target, clock: Clock) -> Result<Report, Error> {
    let stack = &target.stack;
    if !stack.is_created() {
        let failed = failed_resources(&target.aws, stack).await?;
        return Ok(report(stack.name(), &deployment::not_created(stack, &failed)));
    }
    let findings = Checks::prepare(target, clock).await?.run().await;
    Ok(report(target.stack.name(), &findings))
}

fn report(stack: &str, findings: &[Finding]) -> Report {
    let mut text = format!("Stack {stack}\n\n");
    for Finding { check, level, title, meaning, remedy } in findings {
        let _ = writeln!(text, "{:5}  {check:13}  {}", level.as_str(), printable(title));
        if !meaning.is_empty() {
            let _ = writeln!(text, "{:22}{}", "", printable(meaning));
        }
        if !remedy.is_empty() {
            let _ = writeln!(text, "{:22}→ {}", "", printable(remedy));
        }
    }
    let problems = findings.iter().filter(|finding| finding.is_problem()).count();
    let (summary, exit) = match problems {
        0 => ("No problems found.".to_owned(), Exit::Done),
        problems => (format!("{} found.", count(problems, "problem")), Exit::Failed),
    };
    let _ = write!(text, "\n{summary}\n");
    let json = json!({
        "stack": stack,
        "well": problems == 0,
        "findings": findings.iter().map(Finding::json).collect::<Vec<_>>(),
    });
    Report::new(text, json, exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> [Finding; 3] {
        [
            Finding::ok("kms", "fine"),
            Finding::note("alarms", "no subscriber", "Outages go unnoticed.", "Subscribe."),
            Finding::problem("secrets", "missing", "Nobody can connect.", "Create it."),
        ]
    }

    #[test]
    fn a_note_is_not_a_problem() {
        let report = report("s", &findings()[..2]);
        assert_eq!(report.exit, Exit::Done);
        assert!(report.text.ends_with("\nNo problems found.\n"), "{}", report.text);
    }

    #[test]
    fn a_problem_fails_the_command() {
        let report = report("s", &findings());
        assert_eq!(report.exit, Exit::Failed);
        assert!(report.text.ends_with("\n1 problem found.\n"), "{}", report.text);
    }

    #[test]
    fn a_finding_has_a_title_a_meaning_and_a_remedy() {
        let report = report("s", &findings());
        assert_eq!(report.json["findings"][2]["remedy"], "Create it.");
        let lines = "wrong  secrets        missing\n                      Nobody can connect.\n                      → Create it.\n";
        assert!(report.text.contains(lines), "{}", report.text);
    }
}
