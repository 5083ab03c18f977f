//! `wasf attempt`: one attempt in full, or a list.

use std::{fmt::Write as _, time::Duration};

use serde_json::json;
use shared::{AttemptId, Status, Timestamp, timestamp::Clock};

use crate::{
    args::{AttemptCommand, AttemptList, StatusArg},
    aws::{AttemptTable, Of, Wanted},
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
            StatusArg::Ended => Self::Ended,
        }
    }
}

/// How far back is listed where neither a time nor a chat is given.
const RECENT: Duration = Duration::from_hours(2);

pub(crate) async fn run(command: AttemptCommand, target: &Target, clock: Clock) -> Result<Report, Error> {
    let attempts = AttemptTable::new(&target.aws, target.stack.output("AttemptTableName")?);
    let now = clock();
    match command {
        AttemptCommand::Show { attempt_id } => show(&attempts, attempt_id, now).await,
        AttemptCommand::List(args) => list(&attempts, args, now).await,
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

async fn list(attempts: &AttemptTable, args: AttemptList, now: Timestamp) -> Result<Report, Error> {
    let AttemptList { chat, status, since, limit, scan } = args;
    let status = status.map(Status::from);
    let statuses = status.map_or(Status::ALL.to_vec(), |status| vec![status]);
    let since = since.or_else(|| chat.is_none().then_some(RECENT)).map(|within| now.minus(within));
    let from = since.unwrap_or(Timestamp::from_millis(0));
    let mut listed = if scan {
        attempts.scan(&statuses, from, false, &mut Progress::of("attempts scanned")).await?
    } else {
        let of = chat.map_or(Of::Statuses(statuses), |chat| Of::Chat(chat, status));
        // One more than is shown tells whether there are more.
        let wanted = Wanted { of, since: from, unnotified_only: false, limit: limit.saturating_add(1) };
        attempts.list(&wanted, now).await?
    };
    let is_cut = listed.attempts.len() > limit;
    listed.attempts.truncate(limit);
    Ok(listing(&listed, is_cut, since, now))
}

fn listing(listed: &Listed, is_cut: bool, since: Option<Timestamp>, now: Timestamp) -> Report {
    let Listed { attempts: found, unreadable } = listed;
    let mut text = format!(
        "{}{}\n{}",
        attempt_table(found, now).text(),
        unreadable_text(unreadable),
        count(found.len(), "attempt")
    );
    if let Some(since) = since {
        let _ = write!(text, " in the last {}", duration_text(now.since(since)));
    }
    if is_cut {
        text.push_str("; there are more (--limit)");
    }
    if !unreadable.is_empty() {
        let _ = write!(text, "; {} unreadable", unreadable.len());
    }
    text.push_str(".\n");
    let json = json!({
        "attempts": found.iter().map(attempt_summary).collect::<Vec<_>>(),
        "unreadable": unreadable_json(unreadable),
        "found": found.len(),
        "more": is_cut,
        "since": since.map(Timestamp::rfc3339),
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
        let report = listing(&listed, false, Some(now.minus(Duration::from_mins(1))), now);
        assert_eq!(report.exit, Exit::InPart);
        assert_eq!(report.json["unreadable"][0]["why"], "attempt unreadable: no status");
        for text in ["07070707070707070707070707070707", r"f0\u{1b}[2J", "1 attempt in the last 1 min; 1 unreadable."] {
            assert!(report.text.contains(text), "{}", report.text);
        }
    }

    #[test]
    fn a_list_that_was_cut_says_so() {
        let now = Timestamp::from_millis(1_790_000_002_000);
        let listed = Listed { attempts: vec![attempt(&json!({}))], unreadable: Vec::new() };
        let cut = listing(&listed, true, None, now);
        assert_eq!((&cut.json["more"], &cut.json["since"]), (&json!(true), &json!(null)));
        assert!(cut.text.ends_with("\n1 attempt; there are more (--limit).\n"), "{}", cut.text);
        assert_eq!(listing(&listed, false, None, now).json["more"], false);
    }
}
