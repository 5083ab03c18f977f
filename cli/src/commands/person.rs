//! `wasf person`: what the stack knows of one chat, and erasing it.
//!
//! An erasure begins at Salesforce, as a revocation does: tokens that are deleted here and valid there could no longer be
//! revoked. Logins that wait for the chat's code are given up first, so that none connects it meanwhile. The chat and the bot
//! are told that the connection has ended; then its attempts go, and the row at last, so
//! that a run that was interrupted, or left something that is still under way, is completed by another.

mod kept;
mod pending;

use std::{fmt::Write as _, io, time::Duration};

use serde_json::{Value, json};
use shared::{
    AttemptId, Reference, Status, Timestamp, WaId,
    attempt::Item,
    connection::{recorded_end, was_connected},
    timestamp::Clock,
};
use tokio::time::sleep;

use super::{
    chat::one_of,
    connection::{Revoked, end_and_record, salesforce_said},
};
use crate::{
    args::PersonCommand,
    aws::{AttemptTable, ConnectionTable, Erasure, KeptReference, Of, PendingRow, Wanted},
    commands::dlq,
    error::{Error, Exit},
    parties::Revocation,
    records::{Connection, Listed, attempt_summary, attempt_table, unreadable_json, unreadable_text},
    report::{Progress, Report, Table, count},
    target::Target,
};

/// The notifier retries for a day; what was not told by then is told by nobody but an operator.
const TOLD_WITHIN: Duration = Duration::from_hours(25);
/// Why a login is left that the chat's code, or the end of its time, has decided.
const HOLDING: &str = "its held tokens are not stored or revoked yet";
/// A code is exchanged while it lives, a quarter of an hour; later its message is a dead letter, or gone.
const EXCHANGED_WITHIN: Duration = Duration::from_hours(1);
/// How often, and how many times, it is asked whether the end of a connection has been told.
const POLL: Duration = Duration::from_millis(1_500);
const POLLS: usize = 20;

pub(crate) async fn run(command: PersonCommand, target: &Target, clock: Clock) -> Result<Report, Error> {
    let (chat, erasure) = match command {
        PersonCommand::Show { chat } => (chat, None),
        PersonCommand::Erase { chat, confirm } => (chat, Some(confirm)),
    };
    let (wa_id, known) = Known::find(chat.addresses(io::stdin())?, target, clock()).await?;
    match erasure {
        None => Ok(known.report(clock())),
        Some(confirm) => {
            let dead = dlq::of_chat(target, &wa_id, clock).await?;
            if confirm { erase(&wa_id, known, &dead, target, clock).await } else { Ok(dry_run(&known, &dead, clock())) }
        }
    }
}

/// What the tables have of a chat.
struct Known {
    connection: Option<Connection>,
    listed: Listed,
    /// Of links, whose logins have not begun perhaps.
    references: Vec<KeptReference>,
    /// Of logins that wait, or have waited, for a code, and of codes that the chat has sent.
    pending: Vec<PendingRow>,
}

impl Known {
    /// What is known of the one address, of those that a number can have, that something is known of.
    async fn find(addresses: Vec<WaId>, target: &Target, now: Timestamp) -> Result<(WaId, Self), Error> {
        let mut found = Vec::new();
        for address in addresses {
            let known = Self::read(&address, target, now).await?;
            if !known.is_nothing() {
                found.push((address, known));
            }
        }
        one_of(found)?.ok_or_else(|| {
            let why =
                "nothing is stored of this chat: neither a connection nor an attempt, a reference or a pending login";
            Error::NothingMatched(why.to_owned())
        })
    }

    async fn read(wa_id: &WaId, target: &Target, now: Timestamp) -> Result<Self, Error> {
        let tokens = ConnectionTable::new(&target.aws, target.stack.output("TokenTableName")?);
        let attempts = AttemptTable::new(&target.aws, target.stack.output("AttemptTableName")?);
        let of = Of::Chat(vec![wa_id.clone()], None);
        let since = Timestamp::from_millis(0);
        let wanted = Wanted { of, since, until: None, unnotified_only: false, limit: usize::MAX };
        Ok(Self {
            connection: tokens.read(wa_id).await?,
            listed: attempts.list(&wanted, now).await?,
            references: attempts.references(wa_id).await?,
            pending: pending::read(wa_id, target).await?,
        })
    }

    fn is_nothing(&self) -> bool {
        let Self { connection, listed, references, pending } = self;
        let has_attempts = !listed.attempts.is_empty() || !listed.unreadable.is_empty();
        connection.is_none() && !has_attempts && references.is_empty() && pending.is_empty()
    }

    fn report(&self, now: Timestamp) -> Report {
        let (connection, mut exit) = match &self.connection {
            Some(connection) => {
                let report = connection.report();
                (Some((report.text, report.json)), report.exit)
            }
            None => (None, Exit::Done),
        };
        let Listed { attempts, unreadable, .. } = &self.listed;
        if !unreadable.is_empty() {
            exit = Exit::InPart;
        }
        let (row, json_of_row) = connection.unwrap_or(("No connection.\n".to_owned(), Value::Null));
        let text = format!(
            "{row}\n{}{}{}{}{}",
            attempt_table(attempts, now).text(),
            unreadable_text(unreadable),
            pending::text(&self.pending),
            references_text(&self.references),
            kept::text()
        );
        let json = json!({
            "connection": json_of_row,
            "attempts": attempts.iter().map(attempt_summary).collect::<Vec<_>>(),
            "unreadable": unreadable_json(unreadable),
            "references": self.references.iter().map(|it| &it.reference).collect::<Vec<_>>(),
            "pending": pending::json(&self.pending),
            "kept": kept::json(),
        });
        Report::new(text, json, exit)
    }
}

/// The references of the chat's links; empty where there are none.
fn references_text(references: &[KeptReference]) -> String {
    if references.is_empty() {
        return String::new();
    }
    let mut table = Table::with_header(["BOT'S REFERENCE OF A LINK"]);
    for KeptReference { reference, .. } in references {
        table.row([reference.as_ref().map_or("(unreadable)", Reference::as_str).to_owned()]);
    }
    format!("\n{}", table.text())
}

/// Something that is not erased yet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Left {
    /// An attempt's key, as it is stored, or the table of tokens.
    what: String,
    why: &'static str,
}

/// Which attempts are deleted: their keys, with the time of the last write where it is known.
#[derive(Debug)]
struct Plan {
    deleted: Vec<(String, Option<Timestamp>)>,
    left: Vec<Left>,
}

impl Plan {
    /// `holding` are the attempts whose tokens are held and still to be stored or revoked.
    fn of(listed: &Listed, holding: &[AttemptId], dead: &[AttemptId], now: Timestamp) -> Self {
        let mut plan = Self { deleted: Vec::new(), left: Vec::new() };
        for attempt in &listed.attempts {
            let what = attempt.attempt_id.to_string();
            match why_left(attempt, holding, dead, now) {
                Some(why) => plan.left.push(Left { what, why }),
                None => plan.deleted.push((what, attempt.updated_at)),
            }
        }
        plan.deleted.extend(listed.unreadable.iter().map(|item| (item.key.clone(), None)));
        plan
    }
}

fn dry_run(known: &Known, dead: &[AttemptId], now: Timestamp) -> Report {
    // Logins that wait are given up first, and what they hold is revoked.
    let waiting = pending::waiting(&known.pending);
    let mut holding = pending::holding(&known.pending);
    holding.retain(|attempt| !waiting.contains(attempt));
    let mut plan = Plan::of(&known.listed, &holding, dead, now);
    let is_given_up = |left: &Left| waiting.iter().any(|attempt| attempt.to_string() == left.what);
    let (given_up, left): (Vec<_>, Vec<_>) = plan.left.into_iter().partition(is_given_up);
    plan.deleted.extend(given_up.into_iter().map(|left| (left.what, None)));
    let row = match &known.connection {
        Some(Connection { ended: Some(_), .. }) => "delete the row of the ended connection",
        Some(_) => "revoke the tokens at Salesforce, have the chat and the bot told, delete the row",
        None => "find no row in the table of tokens",
    };
    let text = format!(
        "{}{}\nDry run: would {}{row}, and delete {}{}. Run it again with --confirm.\n",
        left_text(&left),
        kept::text(),
        pending::plan(&known.pending),
        count(plan.deleted.len(), "attempt"),
        and_references(known.references.len()),
    );
    let json = json!({
        "dry_run": true,
        "connection": known.connection.is_some(),
        "attempts": plan.deleted.len(),
        "references": known.references.len(),
        "waiting": waiting.len(),
        "pending": known.pending.len(),
        "left": left_json(&left),
        "kept": kept::json(),
    });
    Report::new(text, json, Exit::Done)
}

/// Why an attempt cannot be deleted yet: what is under way would write it anew, or be done twice.
fn why_left(attempt: &Item, holding: &[AttemptId], dead: &[AttemptId], now: Timestamp) -> Option<&'static str> {
    let age = attempt.updated_at.map(|at| now.since(at)).unwrap_or_default();
    match attempt.status() {
        _ if dead.contains(&attempt.attempt_id) => {
            Some("its message is a dead letter; wasf dlq redrive or drop it first")
        }
        _ if holding.contains(&attempt.attempt_id) => Some(HOLDING),
        Some(Status::Exchanging) if age < EXCHANGED_WITHIN => Some("its code is being exchanged"),
        Some(Status::Unconfirmed) if age < EXCHANGED_WITHIN => Some("it waits for its chat's code"),
        Some(Status::Exchanging | Status::Unconfirmed) => None,
        _ if attempt.notified_at.is_none() && age < TOLD_WITHIN => Some("its outcome has not been told yet"),
        _ => None,
    }
}

async fn erase(wa_id: &WaId, known: Known, dead: &[AttemptId], target: &Target, clock: Clock) -> Result<Report, Error> {
    let tokens = ConnectionTable::new(&target.aws, target.stack.output("TokenTableName")?);
    let attempts = AttemptTable::new(&target.aws, target.stack.output("AttemptTableName")?);
    let erasure = Erasure::new(&target.aws, &target.stack)?;
    let Known { mut listed, pending, .. } = known;
    for given_up in pending::give_up(wa_id, &pending, target, clock).await? {
        listed.attempts.retain(|attempt| attempt.attempt_id != given_up);
        listed.attempts.extend(told(&attempts, given_up).await?);
    }
    let mut revocation = None;
    let row = tokens.row(wa_id).await?;
    if was_connected(&row) && recorded_end(&row).is_none() {
        let ended = end_and_record(wa_id, (&tokens, &attempts), target, clock).await?;
        revocation = ended.revocation;
        // The index has it later than the table.
        listed.attempts.retain(|attempt| attempt.attempt_id != ended.record);
        listed.attempts.extend(told(&attempts, ended.record).await?);
    }
    let pending = pending::read(wa_id, target).await?;
    let plan = Plan::of(&listed, &pending::holding(&pending), dead, clock());
    // The message about the end has a new link, and with it a row more.
    let references = attempts.references(wa_id).await?;
    let erased = delete(wa_id, plan, (&references, &pending), &erasure).await?;
    Ok(erased.report(revocation))
}

/// The record of an end, once the chat and the bot have been told; after half a minute as it is.
async fn told(attempts: &AttemptTable, record: AttemptId) -> Result<Option<Item>, Error> {
    let mut progress = Progress::of("asked whether the chat and the bot have been told");
    for asked in 1.. {
        let item = attempts.read(record).await?;
        if asked == POLLS || item.as_ref().is_none_or(|item| item.notified_at.is_some()) {
            return Ok(item);
        }
        progress.show(asked, Some(POLLS));
        sleep(POLL).await;
    }
    Ok(None)
}

/// What was erased.
#[derive(Debug)]
struct Erased {
    attempts: usize,
    references: usize,
    /// Rows of pending logins.
    pending: usize,
    row: bool,
    left: Vec<Left>,
}

/// Deletes the attempts, and what is left of the chat once none is.
async fn delete(
    wa_id: &WaId,
    plan: Plan,
    (references, rows): (&[KeptReference], &[PendingRow]),
    erasure: &Erasure,
) -> Result<Erased, Error> {
    let Plan { deleted, mut left } = plan;
    let mut progress = Progress::of("attempts deleted");
    let mut attempts = 0;
    for (key, updated_at) in &deleted {
        if erasure.attempt(key, wa_id, *updated_at).await? {
            attempts += 1;
        } else {
            left.push(Left { what: key.clone(), why: "it has changed meanwhile" });
        }
        progress.show(attempts, Some(deleted.len()));
    }
    let mut pending = 0;
    for PendingRow { proof, attempt_id, .. } in rows {
        if erasure.pending(proof).await? {
            pending += 1;
            continue;
        }
        let what = attempt_id.map(|id| id.to_string()).unwrap_or_default();
        if left.iter().all(|left| left.what != what) {
            left.push(Left { what, why: HOLDING });
        }
    }
    let (mut row, mut erased) = (false, 0);
    if left.is_empty() {
        for KeptReference { key, .. } in references {
            erasure.reference(key).await?;
            erased += 1;
        }
        erasure.limit(wa_id).await?;
        row = erasure.connection(wa_id).await?;
        if !row {
            left.push(Left { what: "the row of the connection".to_owned(), why: "the chat has connected meanwhile" });
        }
    }
    Ok(Erased { attempts, references: erased, pending, row, left })
}

impl Erased {
    fn report(&self, revocation: Option<Revoked>) -> Report {
        let at_salesforce = match revocation {
            Some(Revoked::AtSalesforce(Revocation::Revoked)) => "The tokens were revoked at Salesforce. ",
            Some(Revoked::AtSalesforce(Revocation::Unknown)) => "Salesforce did not know the tokens any more. ",
            Some(Revoked::Queued) => "The upkeep queue has the tokens revoked at Salesforce in about a minute. ",
            None => "",
        };
        let attempts = count(self.attempts, "attempt");
        let (done, exit) = if self.left.is_empty() {
            let references = and_references(self.references);
            (format!("Erased: {attempts}{references}, and the row of the connection."), Exit::Done)
        } else {
            let done = format!("Erased: {attempts}. The rest is under way; run it again in a quarter of an hour.");
            (done, Exit::InPart)
        };
        let json = json!({
            "dry_run": false,
            "salesforce": salesforce_said(revocation),
            "attempts": self.attempts,
            "references": self.references,
            "pending": self.pending,
            "connection": self.row,
            "left": left_json(&self.left),
            "kept": kept::json(),
        });
        Report::new(format!("{}{}\n{at_salesforce}{done}\n", left_text(&self.left), kept::text()), json, exit)
    }
}

/// For a sentence that has counted attempts; nothing where there are none.
fn and_references(number: usize) -> String {
    if number == 0 { String::new() } else { format!(", {}", count(number, "reference")) }
}

fn left_text(left: &[Left]) -> String {
    let mut text = String::new();
    for Left { what, why } in left {
        let _ = writeln!(text, "left: {what}: {why}");
    }
    text
}

fn left_json(left: &[Left]) -> Value {
    left.iter().map(|Left { what, why }| json!({"what": what, "why": why})).collect()
}

#[cfg(test)]
mod tests;
