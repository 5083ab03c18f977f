//! `wasf logs`: the lines of all functions in order of time, or those of one attempt.

mod line;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    io,
    time::Duration,
};

use serde_json::{Value, json};
use shared::{AttemptId, Timestamp, printable::printable_json, timestamp::Clock};
use tokio::time::sleep;

use self::line::Line;
use crate::{
    args::{FunctionArg, LogsArgs},
    aws::{AttemptTable, LogEvent, LogQuery, log_events},
    commands::signals::stop_signals,
    error::{Error, Exit},
    report::{Report, count},
    target::Target,
};

/// How far back is read where nothing is said of it.
const RECENT: Duration = Duration::from_mins(15);
const RECENT_FOLLOWED: Duration = Duration::from_mins(1);
/// How far back the lines of an id are looked for whose attempt is not known: a link's, or one without a callback.
const RECENT_OF_ID: Duration = Duration::from_hours(24);
/// An attempt begins at the press of a button, before its callback: links live no longer than this.
const BEFORE: Duration = Duration::from_hours(24);
/// Its outcome is told for a day, and asked about after it.
const AFTER: Duration = Duration::from_hours(48);
/// How often new lines are looked for.
const POLL: Duration = Duration::from_secs(2);
/// How much later than its own time a line may arrive.
const LATE: Duration = Duration::from_mins(1);

/// Whose lines are read: a function, and its group.
type Group<'a> = (&'static str, &'a str);

/// The times that lines are read of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: Timestamp,
    to: Option<Timestamp>,
}

impl FunctionArg {
    /// Its name, and that of its log group in the template.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::ConnectLink => ("connect-link", "ConnectLinkLogGroup"),
            Self::CallbackReceiver => ("callback-receiver", "CallbackReceiverLogGroup"),
            Self::TokenExchanger => ("token-exchanger", "TokenExchangerLogGroup"),
            Self::Notifier => ("notifier", "NotifierLogGroup"),
            Self::TokenKeeper => ("token-keeper", "TokenKeeperLogGroup"),
            Self::TokenRefresher => ("token-refresher", "TokenRefresherLogGroup"),
        }
    }
}

pub(crate) async fn run(
    args: LogsArgs,
    target: &Target,
    as_json: bool,
    clock: Clock,
    output: &mut impl io::Write,
) -> Result<Report, Error> {
    let is_wanted = |function: &FunctionArg| args.function.is_empty() || args.function.contains(function);
    let wanted = FunctionArg::ALL.into_iter().filter(is_wanted);
    let groups: Vec<Group<'_>> = wanted.map(|function| group(target, function)).collect::<Result<_, _>>()?;
    if args.follow {
        let from = clock().minus(args.since.unwrap_or(RECENT_FOLLOWED));
        return follow(&groups, from, args.id, target, as_json, clock, output).await;
    }
    let span = span(&args, target, clock()).await?;
    let mut lines = Latest::of(args.limit);
    for (function, group) in groups {
        let query = LogQuery { group, id: args.id, from: span.from, to: span.to };
        log_events(&target.aws, query, clock, |page| lines.add(page.iter().filter_map(|event| read(function, event))))
            .await?;
    }
    Ok(report(lines, span, args.id))
}

fn group(target: &Target, function: FunctionArg) -> Result<Group<'_>, Error> {
    let (name, logical) = function.names();
    let missing = || Error::failed(format!("read the log of {name}"), format!("the stack has no {logical}"));
    Ok((name, target.stack.resource(logical).ok_or_else(missing)?))
}

fn read(function: &'static str, event: &LogEvent) -> Option<Line> {
    Line::read(event.at, function, &event.message)
}

/// An attempt's lines are looked for in the time that its row says, however long ago that was.
async fn span(args: &LogsArgs, target: &Target, now: Timestamp) -> Result<Span, Error> {
    let last = |time| Span { from: now.minus(time), to: None };
    match (args.since, args.id) {
        (Some(since), _) => Ok(last(since)),
        (None, None) => Ok(last(RECENT)),
        (None, Some(id)) => {
            let attempts = AttemptTable::new(&target.aws, target.stack.output("AttemptTableName")?);
            let attempt = attempts.read(id).await?;
            let times =
                attempt.and_then(|attempt| Some((attempt.created_at.or(attempt.updated_at)?, attempt.updated_at?)));
            Ok(times.map_or(last(RECENT_OF_ID), |(created_at, updated_at)| Span {
                from: created_at.minus(BEFORE),
                to: Some(updated_at.plus(AFTER)),
            }))
        }
    }
}

/// The latest lines, in order of time.
#[derive(Debug)]
struct Latest {
    limit: usize,
    found: usize,
    lines: VecDeque<Line>,
}

impl Latest {
    fn of(limit: usize) -> Self {
        Self { limit, found: 0, lines: VecDeque::new() }
    }

    fn add(&mut self, lines: impl Iterator<Item = Line>) {
        let before = self.lines.len();
        self.lines.extend(lines);
        self.found += self.lines.len() - before;
        // Lines of one time stay in the order in which they were written.
        self.lines.make_contiguous().sort_by_key(|line| line.at);
        self.lines.drain(..self.lines.len().saturating_sub(self.limit));
    }
}

fn report(latest: Latest, span: Span, id: Option<AttemptId>) -> Report {
    let Latest { found, lines, .. } = latest;
    let mut text: String = lines.iter().map(|line| line.text(id) + "\n").collect();
    let _ = write!(text, "\n{} since {}", count(found, "line"), span.from.rfc3339());
    if found > lines.len() {
        let _ = write!(text, "; the last {} are shown (--limit)", lines.len());
    }
    text.push_str(".\n");
    let json = json!({
        "lines": lines.iter().map(Line::json).collect::<Vec<_>>(),
        "found": found,
        "since": span.from.rfc3339(),
    });
    Report::new(text, json, if found == 0 { Exit::NothingMatched } else { Exit::Done })
}

/// Prints lines as they come, until it is interrupted.
async fn follow(
    groups: &[Group<'_>],
    begin: Timestamp,
    id: Option<AttemptId>,
    target: &Target,
    as_json: bool,
    clock: Clock,
    output: &mut impl io::Write,
) -> Result<Report, Error> {
    let mut stop = stop_signals()?;
    let mut following = Following::from(begin);
    loop {
        let now = clock();
        let mut events = Vec::new();
        for (function, group) in groups {
            let query = LogQuery { group, id, from: following.from, to: None };
            let page = |page: Vec<LogEvent>| events.extend(page.into_iter().map(|event| (*function, event)));
            log_events(&target.aws, query, clock, page).await?;
        }
        for line in following.new_lines(events, now) {
            let line = if as_json { printable_json(&line.json().to_string()).into_owned() } else { line.text(id) };
            match writeln!(output, "{line}").and_then(|()| output.flush()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ended(Exit::Unread)),
                Err(error) => return Err(Error::failed("write the output", error.to_string())),
            }
        }
        tokio::select! {
            () = stop.wait() => return Ok(ended(Exit::Done)),
            () = sleep(POLL) => {}
        }
    }
}

/// Everything has been printed, as far as somebody read it.
fn ended(exit: Exit) -> Report {
    Report::new(String::new(), Value::Null, exit)
}

/// What has been printed already. A line arrives later than its own time, so the last minute is read again each time.
#[derive(Debug)]
struct Following {
    from: Timestamp,
    /// The lines since then, by function and id.
    printed: BTreeMap<(&'static str, String), Timestamp>,
}

impl Following {
    const fn from(begin: Timestamp) -> Self {
        Self { from: begin, printed: BTreeMap::new() }
    }

    /// The lines that have not been printed, in order of time.
    fn new_lines(&mut self, events: Vec<(&'static str, LogEvent)>, now: Timestamp) -> Vec<Line> {
        let mut lines = Vec::new();
        for (function, event) in events {
            let line = read(function, &event);
            if self.printed.insert((function, event.id), event.at).is_none() {
                lines.extend(line);
            }
        }
        self.from = self.from.max(now.minus(LATE));
        self.printed.retain(|_, at| *at >= self.from);
        lines.sort_by_key(|line| line.at);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, at: u64, message: &str) -> LogEvent {
        LogEvent { id: id.to_owned(), at: Timestamp::from_millis(at), message: message.to_owned() }
    }

    fn lines(events: &[LogEvent]) -> impl Iterator<Item = Line> {
        events.iter().filter_map(|event| read("notifier", event))
    }

    fn messages(latest: &Latest) -> Vec<String> {
        latest.lines.iter().map(|line| line.json()["message"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn lines_of_all_functions_are_in_order_of_time_and_the_latest_are_kept() {
        let mut latest = Latest::of(3);
        latest.add(lines(&[event("1", 10, "first"), event("2", 30, "third")]));
        latest.add(lines(&[event("3", 20, "second"), event("4", 40, "fourth")]));
        assert_eq!(messages(&latest), ["second", "third", "fourth"]);
        let shown = report(latest, Span { from: Timestamp::from_millis(0), to: None }, None);
        assert!(
            shown.text.ends_with("\n4 lines since 1970-01-01T00:00:00Z; the last 3 are shown (--limit).\n"),
            "{}",
            shown.text
        );
        assert_eq!((shown.exit, &shown.json["found"]), (Exit::Done, &json!(4)));
    }

    #[test]
    fn no_line_is_no_match() {
        let shown = report(Latest::of(3), Span { from: Timestamp::from_millis(0), to: None }, None);
        assert_eq!(
            (shown.exit, shown.text.as_str()),
            (Exit::NothingMatched, "\n0 lines since 1970-01-01T00:00:00Z.\n")
        );
    }

    #[test]
    fn a_line_that_is_read_again_is_printed_once_and_one_that_comes_late_is_printed() {
        let mut following = Following::from(Timestamp::from_millis(0));
        let mut poll = |events: &[LogEvent], now: u64| {
            let events = events.iter().map(|event| ("notifier", event.clone())).collect();
            let new = following.new_lines(events, Timestamp::from_millis(now));
            new.iter().map(|line| line.at.millis()).collect::<Vec<_>>()
        };
        let (first, second, late) = (event("1", 100_000, "a"), event("2", 130_000, "b"), event("3", 110_000, "c"));
        assert_eq!(poll(std::slice::from_ref(&first), 120_000), [100_000]);
        assert_eq!(poll(&[first.clone(), second.clone()], 140_000), [130_000]);
        assert_eq!(poll(&[first, late, second.clone()], 142_000), [110_000]);
        assert_eq!(poll(&[second], 150_000), [0; 0]);
    }

    #[test]
    fn another_functions_line_with_the_same_id_is_another_line() {
        let mut following = Following::from(Timestamp::from_millis(0));
        let events = vec![("notifier", event("1", 5, "a")), ("token-exchanger", event("1", 4, "b"))];
        let new = following.new_lines(events, Timestamp::from_millis(9));
        assert_eq!(new.iter().map(|line| line.at.millis()).collect::<Vec<_>>(), [4, 5]);
    }
}
