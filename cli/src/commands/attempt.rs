//! `wasf attempt`: one attempt in full, or a list.

use std::{fmt::Write as _, io, time::Duration};

use serde_json::json;
use shared::{AttemptId, Status, Timestamp, attempt::index::BY_STATUS, timestamp::Clock};

use crate::{
    args::{AttemptCommand, AttemptList, StatusArg, When},
    aws::{AttemptTable, Of, Wanted, oldest},
    error::{Error, Exit},
    records::{
        Listed, attempt_report, attempt_summary, attempt_table, not_indexed_text, unreadable_json, unreadable_text,
    },
    report::{Progress, Report, count, duration_text},
    target::Target,
};

impl From<StatusArg> for Status {
    fn from(status: StatusArg) -> Self {
        match status {
            StatusArg::Exchanging => Self::Exchanging,
            StatusArg::Unconfirmed => Self::Unconfirmed,
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
        AttemptCommand::Show { attempt_id } => show(&attempts, attempt_id, proof_time(target), now).await,
        AttemptCommand::List(args) => list(&attempts, args, now).await,
    }
}

/// How long a chat has to confirm a login; `None` in a stack of an earlier version, which asks for none.
fn proof_time(target: &Target) -> Option<Duration> {
    target.stack.parameter("ProofMinutes").parse().ok().map(Duration::from_mins)
}

async fn show(
    attempts: &AttemptTable,
    attempt_id: AttemptId,
    proof_time: Option<Duration>,
    now: Timestamp,
) -> Result<Report, Error> {
    let missing = || {
        let why = "its link has not led to a callback yet, or the attempt is older than 90 days";
        Error::NothingMatched(format!("no attempt {attempt_id}: {why}"))
    };
    let attempt = attempts.read(attempt_id).await?.ok_or_else(missing)?;
    Ok(attempt_report(&attempt, proof_time, now))
}

async fn list(attempts: &AttemptTable, args: AttemptList, now: Timestamp) -> Result<Report, Error> {
    let AttemptList { chat, status, since, until, limit, scan } = args;
    let span = Span::of(since, until, chat.is_some(), now)?;
    let chat = chat.map(|chat| chat.addresses(io::stdin())).transpose()?;
    let status = status.map(Status::from);
    let statuses = status.map_or(Status::ALL.to_vec(), |status| vec![status]);
    let of = chat.map_or(Of::Statuses(statuses), |forms| Of::Chat(forms, status));
    let index = of.index();
    let since = span.since.unwrap_or(Timestamp::from_millis(0));
    let wanted = Wanted { of, since, until: span.until, unnotified_only: false, limit };
    if scan {
        let listed = attempts.scan(&wanted, &mut Progress::of("attempts scanned")).await?;
        return Ok(listing(&listed, span, None, now));
    }
    let (listed, not_indexed) = tokio::join!(attempts.list(&wanted, now), attempts.not_in(index));
    Ok(listing(&listed?, span, Some((index, not_indexed.ok())), now))
}

/// The time that is listed: its begin and its end, where there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Span {
    fn of(since: Option<When>, until: Option<When>, is_of_chat: bool, now: Timestamp) -> Result<Self, Error> {
        let until = until.map(|until| until.before(now));
        // Nothing is in the future: its last two hours are those before now.
        let end = until.map_or(now, |until| until.min(now));
        let since = since.map(|since| since.before(now)).or_else(|| (!is_of_chat).then(|| end.minus(RECENT)));
        if since.is_some_and(|since| since > end) {
            return Err(Error::Usage(format!("--since is later than {}", if end == now { "now" } else { "--until" })));
        }
        Ok(Self { since, until })
    }

    fn text(self, now: Timestamp) -> String {
        match (self.since, self.until) {
            (Some(since), None) => format!(" in the last {}", duration_text(now.since(since))),
            (Some(since), Some(until)) => format!(" between {} and {}", since.rfc3339(), until.rfc3339()),
            (None, Some(until)) => format!(" until {}", until.rfc3339()),
            (None, None) => String::new(),
        }
    }
}

/// The report. A list from an index comes with its name, and with the number of items that the index lacks, if known.
fn listing(listed: &Listed, span: Span, index: Option<(&str, Option<u64>)>, now: Timestamp) -> Report {
    let Listed { attempts: found, unreadable, has_more, rows_read } = listed;
    let mut text = format!(
        "{}{}\n{}{}",
        attempt_table(found, now).text(),
        unreadable_text(unreadable),
        count(found.len(), "attempt"),
        span.text(now)
    );
    if *has_more {
        text.push_str("; there are more (--limit)");
    }
    if !unreadable.is_empty() {
        let _ = write!(text, "; {} unreadable", unreadable.len());
    }
    text.push_str(".\n");
    text.extend(index.map(|(index, lacks)| not_indexed_text(index, lacks)));
    if index.is_some_and(|(index, _)| index == BY_STATUS) && span.since.is_some_and(|since| since < oldest(now)) {
        text.push_str("Attempts expire after 90 days; --scan finds older ones that have not been deleted.\n");
    }
    let json = json!({
        "attempts": found.iter().map(attempt_summary).collect::<Vec<_>>(),
        "unreadable": unreadable_json(unreadable),
        "found": found.len(),
        "more": has_more,
        "since": span.since.map(Timestamp::rfc3339),
        "until": span.until.map(Timestamp::rfc3339),
        "rows_read": rows_read,
        "not_indexed": index.map_or(Some(0), |(_, lacks)| lacks),
    });
    let exit = match (found.is_empty(), unreadable.is_empty()) {
        (_, false) => Exit::InPart,
        (true, true) => Exit::NothingMatched,
        (false, true) => Exit::Done,
    };
    Report::new(text, json, exit)
}

#[cfg(test)]
mod tests;
