//! `wasf attempt`: one attempt in full, or a list.

use std::{fmt::Write as _, time::Duration};

use serde_json::json;
use shared::{AttemptId, Status, Timestamp, timestamp::Clock};

use crate::{
    args::{AttemptCommand, StatusArg},
    aws::AttemptTable,
    error::{Error, Exit},
    records::{Listed, attempt_report, attempt_summary, attempt_table, unreadable_json, unreadable_text},
    report::{Progress, Report, count, duration_text},
    target::Target,
};

impl From<StatusArg> for Status {
    fn from(status: StatusArg) -> Self {
        match status {
            StatusArg::Exchanging => Self::Exchanging,
            StatusArg::Connected => Self::Connected,
            StatusArg::Failed => Self::Failed,
            StatusArg::Delayed => Self::Delayed,
        }
    }
}

pub(crate) async fn run(command: AttemptCommand, target: &Target, clock: Clock) -> Result<Report, Error> {
    let attempts = AttemptTable::new(&target.aws, target.stack.output("AttemptTableName")?);
    match command {
        AttemptCommand::Show { attempt_id } => show(&attempts, attempt_id, clock()).await,
        AttemptCommand::List { status, since, max } => list(&attempts, status, since, max, clock()).await,
    }
}

async fn show(attempts: &AttemptTable, attempt_id: AttemptId, now: Timestamp) -> Result<Report, Error> {
    let missing = || {
        let why = "its link has not led to a callback yet, or the attempt is older than 90 days";
        Error::NothingMatched(format!("no attempt {attempt_id}: {why}"))
    };
    let attempt = attempts.read(attempt_id).await?.ok_or_else(missing)?;
    Ok(attempt_report(&attempt, now))
}

async fn list(
    attempts: &AttemptTable,
    status: Option<StatusArg>,
    within: Duration,
    max: usize,
    now: Timestamp,
) -> Result<Report, Error> {
    let status: Option<[Status; 1]> = status.map(|status| [status.into()]);
    let since = now.minus(within);
    let mut progress = Progress::of("attempts scanned");
    let listed = attempts.since(since, status.as_ref().map(<[_; 1]>::as_slice), false, &mut progress).await?;
    drop(progress);
    Ok(listing(&listed, since, max, now))
}

fn listing(Listed { attempts: found, unreadable }: &Listed, since: Timestamp, max: usize, now: Timestamp) -> Report {
    let shown = &found[..found.len().min(max)];
    let left = found.len() - shown.len();
    let mut text = format!(
        "{}{}\n{} in the last {}",
        attempt_table(shown, now).text(),
        unreadable_text(unreadable),
        count(found.len(), "attempt"),
        duration_text(now.since(since))
    );
    if left > 0 {
        let _ = write!(text, "; {left} not shown (--max)");
    }
    if !unreadable.is_empty() {
        let _ = write!(text, "; {} unreadable", unreadable.len());
    }
    text.push_str(".\n");
    let json = json!({
        "attempts": shown.iter().map(attempt_summary).collect::<Vec<_>>(),
        "unreadable": unreadable_json(unreadable),
        "found": found.len(),
        "since": since.rfc3339(),
    });
    let exit = match (found.is_empty(), unreadable.is_empty()) {
        (_, false) => Exit::InPart,
        (true, true) => Exit::NothingMatched,
        (false, true) => Exit::Done,
    };
    Report::new(text, json, exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Unreadable, tests::attempt};

    #[test]
    fn an_unreadable_item_is_listed_by_its_key_beside_the_rest() {
        let now = Timestamp::from_millis(1_790_000_002_000);
        let foreign = Unreadable { key: "f0\u{1b}[2J".to_owned(), why: "attempt unreadable: no status".to_owned() };
        let listed = Listed { attempts: vec![attempt(&json!({}))], unreadable: vec![foreign] };
        let report = listing(&listed, now.minus(Duration::from_mins(1)), 10, now);
        assert_eq!(report.exit, Exit::InPart);
        assert_eq!(report.json["unreadable"][0]["why"], "attempt unreadable: no status");
        for text in ["07070707070707070707070707070707", r"f0\u{1b}[2J", "1 attempt in the last 1 min; 1 unreadable."] {
            assert!(report.text.contains(text), "{}", report.text);
        }
    }
}
