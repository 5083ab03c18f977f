//! `wasf doctor`: is the deployed stack as it must be, and what is to be done where it is not?

mod examination;
mod finding;
mod policy;

use std::fmt::Write as _;

use serde_json::json;
use shared::timestamp::Clock;

use self::{examination::Patient, finding::Finding};
use crate::{
    error::{Error, Exit},
    report::{Report, count},
    target::Target,
};

pub(crate) async fn run(target: &Target, clock: Clock) -> Result<Report, Error> {
    let findings = Patient::admit(target, clock).await?.examine().await;
    Ok(report(target.stack.name(), &findings))
}

fn report(stack: &str, findings: &[Finding]) -> Report {
    let mut text = format!("The stack {stack}\n\n");
    for Finding { check, level, text: found, remedy } in findings {
        let _ = writeln!(text, "{:5}  {check:13}  {found}", level.as_str());
        if !remedy.is_empty() {
            let _ = writeln!(text, "{:22}→ {remedy}", "");
        }
    }
    let wrong = findings.iter().filter(|finding| finding.is_wrong()).count();
    let (said, exit) = match wrong {
        0 => ("All is well.".to_owned(), Exit::Done),
        wrong => (format!("{} to be seen to.", count(wrong, "thing")), Exit::Failed),
    };
    let _ = write!(text, "\n{said}\n");
    let json = json!({
        "stack": stack,
        "well": wrong == 0,
        "findings": findings.iter().map(Finding::json).collect::<Vec<_>>(),
    });
    Report::new(text, json, exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_well_only_where_nothing_is_wrong() {
        let well = Finding::well("kms", "fine");
        let note = Finding::note("alarms", "nobody hears", "subscribe");
        assert_eq!(report("s", &[well.clone(), note.clone()]).exit, Exit::Done);
        let wrong = report("s", &[well, note, Finding::wrong("secrets", "missing", "make it")]);
        assert_eq!(wrong.exit, Exit::Failed);
        assert_eq!(wrong.json["findings"][2]["remedy"], "make it");
        assert!(wrong.text.contains("→ make it") && wrong.text.ends_with("1 thing to be seen to.\n"), "{}", wrong.text);
    }
}
