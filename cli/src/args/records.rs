//! Attempts, connections, and the outcomes that somebody was not notified of.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use shared::AttemptId;

use super::{Chat, When, at_least_one, when::duration};

#[derive(Debug, Subcommand)]
pub(crate) enum AttemptCommand {
    /// Show one attempt: its timeline and its chat, unmasked.
    #[command(after_help = "Example: wasf attempt show 0123456789abcdef0123456789abcdef")]
    Show {
        /// The attempt's id, as in logs, events and wasf attempt list; a link's `link_id` is none.
        attempt_id: AttemptId,
    },
    /// List attempts, the latest first, with masked phone numbers.
    #[command(after_help = "\
Lists come from the table's indexes, and read little more than they show. An attempt appears there within a second. The \
index by status lacks attempts of before it: wasf says how many there are, and finds them by their chat, or with --scan. \
They expire within 90 days.

A chat that is given by its number is looked for with and without the plus. Nothing but the bot's own spelling finds a \
number that a country writes in two ways.

Examples:
  wasf attempt list
  wasf attempt list --chat +15551234567
  wasf attempt list --chat - < chat.txt                     the number stands in no list of processes
  wasf attempt list --status failed --since 1d
  wasf attempt list --status unconfirmed                    who has not sent their code yet (ChatProof=Required)
  wasf attempt list --since 2026-11-26T08:00:00Z --until 2026-11-26T09:30:00+01:00
  wasf attempt list --status exchanging --json | jq '.attempts[].attempt_id'")]
    List(AttemptList),
}

/// Which attempts are listed.
#[derive(Debug, ClapArgs)]
pub(crate) struct AttemptList {
    /// Only attempts of this chat: its phone number, its address as the bot uses it, or - for standard input.
    #[arg(long, value_name = "CHAT")]
    pub(crate) chat: Option<Chat>,
    /// Only attempts with this status.
    #[arg(long)]
    pub(crate) status: Option<StatusArg>,
    /// Only what was updated since: 15m, 2h, 7d ago, or RFC 3339 [default: 2h before the end; with --chat, any time].
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<When>,
    /// Only what was updated until then, given in the same way [default: now].
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<When>,
    /// Show at most this many.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = at_least_one, allow_negative_numbers = true, alias = "max")]
    pub(crate) limit: usize,
    /// Read the whole table instead of an index: it also finds attempts that no index has, and unreadable items.
    #[arg(long)]
    pub(crate) scan: bool,
}

/// An attempt's status, as it is stored.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StatusArg {
    Exchanging,
    /// Its tokens are held until the chat has sent the login's code.
    Unconfirmed,
    Connected,
    Failed,
    Delayed,
    Ended,
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConnectionStatus {
    Connected,
    Ended,
    /// Connected, and looked at by the next sweep.
    Due,
}

/// A part of a table: all its parts are of about equal size, and no row is in two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// From 1.
    pub(crate) number: u32,
    pub(crate) of: u32,
}

impl Part {
    pub(crate) const WHOLE: Self = Self { number: 1, of: 1 };
    /// `TotalSegments` of a `Scan`, at most.
    pub(crate) const MOST: u32 = 1_000_000;

    /// The part that comes after this one; `None` after the last.
    pub(crate) fn next(self) -> Option<Self> {
        (self.number < self.of).then(|| Self { number: self.number + 1, ..self })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| (1..=Self::MOST).contains(number));
        let read = text.split_once('/').and_then(|(part, of)| Some(Self { number: number(part)?, of: number(of)? }));
        let part = read.filter(|part| part.number <= part.of);
        part.ok_or_else(|| "give the number of the part and how many there are: 2/8".to_owned())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// Show which Salesforce user a chat is connected to. Tokens are neither shown nor read.
    #[command(after_help = "Example: wasf connection show +15551234567")]
    Show {
        /// The chat: its phone number, its address as the bot uses it, or - for standard input.
        chat: Chat,
    },
    /// List connections, with masked phone numbers. Tokens are neither shown nor read.
    #[command(after_help = "\
The token table has no index: wasf scans it in its own order, which is none that means anything, and --limit bounds how many \
rows are read. A table that has more is read in parts of about that many rows, one for each run: each says which is the next. \
Each row is read three times, because DynamoDB alone says whether a refresh token is \
sealed, plain or missing. A row that is written meanwhile may be left out.

A connection is due if the next sweep will look at it: its tokens are as old as KeepAliveDays, or a refresh was left \
unfinished. The sweep refreshes it or, without a refresh token, asks Salesforce whether it lives. Exits with 4 if rows are of a foreign form.

Examples:
  wasf connection list
  wasf connection list --status due --limit 100000
  wasf connection list --part 2/12                      what the first run said comes next
  wasf connection list --json | jq '.connections[] | select(.refresh_token == \"plain\")'")]
    List {
        /// Only connections with this status.
        #[arg(long)]
        status: Option<ConnectionStatus>,
        /// Read at most this many rows.
        #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = at_least_one, allow_negative_numbers = true)]
        limit: usize,
        /// Read the second of eight parts of the table: 2/8 [default: the first of as many as --limit asks for].
        #[arg(long, value_name = "N/OF")]
        part: Option<Part>,
    },
    /// Ask Salesforce whether a connection's access token works, and show how the row stands. Changes nothing.
    #[command(after_help = "\
Exits with 0 if the token works, with 1 if Salesforce refuses it, and with 4 if it was not asked or did not say. A refused \
access token is no end: the next token call refreshes it.

Example: wasf connection check +15551234567")]
    Check {
        /// The chat: its phone number, its address as the bot uses it, or - for standard input.
        chat: Chat,
    },
    /// Have the stack refresh a connection's tokens now. The tokens are not shown.
    #[command(after_help = "\
Calls the stack's own POST /connections/token, with the hash of the stored access token as the one that was rejected. Needs \
the permission execute-api:Invoke on it, and TokenCustody=Stack. If the connection turns out to have ended, the chat and the \
bot are told.

Examples:
  wasf connection refresh +15551234567             show what would be done
  wasf connection refresh +15551234567 --confirm   do it")]
    Refresh {
        /// The chat: its phone number, its address as the bot uses it, or - for standard input.
        chat: Chat,
        /// Do it; without this flag it is a dry run.
        #[arg(long)]
        confirm: bool,
    },
    /// End a connection: revoke its tokens at Salesforce and delete them; the chat and the bot are told.
    #[command(after_help = "\
Changes nothing while Salesforce is unreachable: run it again then. Tokens that are renewed at the same time are revoked \
too, and links from before connect no more; a new link does. The row stays, as that of a connection that has ended. The \
end is recorded like an outcome, and the notifier tells the chat and the bot of it: see `wasf attempt show`. Run again, it \
completes what was interrupted, and tells nobody twice.

Examples:
  wasf connection revoke +15551234567             show what would be done
  wasf connection revoke +15551234567 --confirm   do it")]
    Revoke {
        /// The chat: its phone number, its address as the bot uses it, or - for standard input.
        chat: Chat,
        /// Do it; without this flag it is a dry run.
        #[arg(long)]
        confirm: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PersonCommand {
    /// Show what is stored of a chat: its connection, without tokens, its attempts and pending logins; and what is kept elsewhere.
    #[command(after_help = "\
Examples:
  wasf person show +15551234567
  wasf person show - < chat.txt   the number stands in no list of processes")]
    Show {
        /// The chat: its phone number, its address as the bot uses it, or - for standard input.
        chat: Chat,
    },
    /// Erase a chat: revoke its tokens at Salesforce, and delete its connection, its attempts and its pending logins.
    #[command(after_help = "\
Changes nothing while Salesforce is unreachable: run it again then. The chat and the bot are told that the connection has \
ended, and wasf waits half a minute for that. What is still under way is left (an outcome that is not told yet, a code that \
is being exchanged, a dead letter), and the row of the connection with it; then it exits with 4. Run again, it completes \
what was left or interrupted. A login that waits for the chat's code (ChatProof=Required) is given up first: its tokens are \
revoked, and the chat hears that it was not confirmed.

The attributes that a bot keeps in the row go too. Backups, queues and logs are not searched: the command says what they \
keep, and for how long. A link from before still connects the chat if somebody opens it, and the person approves anew.

Examples:
  wasf person erase +15551234567             show what would be done
  wasf person erase +15551234567 --confirm   do it")]
    Erase {
        /// The chat: its phone number, its address as the bot uses it, or - for standard input.
        chat: Chat,
        /// Do it; without this flag it is a dry run.
        #[arg(long)]
        confirm: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Send the bot's webhook and its event bus an event that means nothing, and say how they answer.
    #[command(after_help = "\
The event's type is connection.test, and its chat is nobody's. Nobody is notified. The bot may log it. The webhook's is \
signed. Putting an event on the bus takes events:PutEvents.

Example: wasf events test")]
    Test,
    /// Put outcomes with an incomplete notification on the stream again.
    #[command(after_help = "\
Updates redelivered_at of outcomes that have no notified_at, which puts them on the table's stream again; the notifier \
resumes where it stopped. Nobody is notified twice, and an event keeps its webhook-id.

With --attempt, the notification may be complete: then notified_at is removed. With --again, the person or the bot is \
notified once more, which they may notice.

Examples:
  wasf events redeliver --since 1d               show what would be done
  wasf events redeliver --since 1d --confirm     do it
  wasf events redeliver --attempt 0123456789abcdef0123456789abcdef --again bot --confirm")]
    Redeliver {
        /// Only what was updated within this time: 90s, 15m, 2h, 7d.
        #[arg(long, default_value = "2h", value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
        since: Duration,
        /// Read the whole table instead of an index: it also finds outcomes that no index has.
        #[arg(long, conflicts_with = "attempt")]
        scan: bool,
        /// Only this attempt.
        #[arg(long, value_name = "ID", conflicts_with = "since")]
        attempt: Option<AttemptId>,
        /// Notify them even if they were notified before.
        #[arg(long, value_name = "WHO", requires = "attempt")]
        again: Vec<Again>,
        /// Do it; without this flag it is a dry run.
        #[arg(long)]
        confirm: bool,
    },
    /// Put outcomes that were retried for a day back on the notifier's retry queue.
    #[command(after_help = "\
Starts SQS's own redrive of the retry queue's dead letters, and follows it. They are pointers to attempts: the notifier \
reads from each what is left to tell, so a redrive may be repeated, and nobody is notified twice.

Examples:
  wasf events redrive             show how many there are
  wasf events redrive --confirm   redrive all")]
    Redrive {
        /// At most this many a second.
        #[arg(long, value_name = "N")]
        rate: Option<NonZeroU32>,
        /// Do it; without this flag it is a dry run.
        #[arg(long)]
        confirm: bool,
    },
}

/// Who is notified again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Again {
    Person,
    Bot,
}
