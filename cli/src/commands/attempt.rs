//! `wasf attempt`: one attempt in full, or a list.

use std::{fmt::Write as _, time::Duration};

use serde_json::json;
use shared::{AttemptId, Status, Timestamp, timestamp::Clock};

use crate::{
    args::{AttemptCommand, StatusArg},
    aws::AttemptTable,
    error::{Error, Exit},
    records::{attempt_report, attempt_summary, attempt_table},
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

const ALL: [Status; 4] = [Status::Exchanging, Status::Connected, Status::Failed, Status::Delayed];

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
    let statuses = status.map_or(ALL.to_vec(), |status| vec![status.into()]);
    let since = now.minus(within);
    let found = attempts.since(since, &statuses, false, &mut Progress::of("attempts scanned")).await?;
    let shown = &found[..found.len().min(max)];
    let left = found.len() - shown.len();
    let mut text = format!(
        "{}\n{} in the last {}",
        attempt_table(shown, now).text(),
        count(found.len(), "attempt"),
        duration_text(within)
    );
    if left > 0 {
        let _ = write!(text, "; {left} not shown (--max)");
    }
    text.push_str(".\n");
    let json = json!({
        "attempts": shown.iter().map(attempt_summary).collect::<Vec<_>>(),
        "found": found.len(),
        "since": since.rfc3339(),
    });
    Ok(Report::new(text, json, if found.is_empty() { Exit::NothingMatched } else { Exit::Done }))
}
