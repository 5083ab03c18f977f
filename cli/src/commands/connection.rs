//! `wasf connection`: what chats are connected to, whether it works, refreshing it, and revoking it.

mod check;
mod listing;
mod refresh;

use std::time::Duration;

use serde_json::json;
use shared::{
    AttemptId, LoginUrls, WaId,
    attempt::{EndReason, attr},
    conditional_write::{Attributes, Value},
    connection::{ConnectionEnd, Origin, StoredTokens, ToRevoke, recorded_end, was_connected},
    custody::upkeep::{Revoke, Upkeep},
    timestamp::Clock,
};

use super::chat;
use crate::{
    args::ConnectionCommand,
    aws::{AttemptTable, ConnectionTable, Functions, Queue, clock_error},
    error::{Error, Exit},
    parties::{Revocation, hosts, revoke},
    report::Report,
    target::Target,
};

/// How far the operator's clock may be from AWS's, which links are dated by.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(10);
/// How often the tokens may change while they are revoked.
const ROUNDS: usize = 5;

/// By then the end is written: the refresher leaves alone what is in use, and the row's tokens are until then.
const ENDED_BY_THEN_SECONDS: i32 = 60;

/// How a connection was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// The record of the end.
    pub(super) record: AttemptId,
    /// What became of its tokens; `None` where the connection had none any more.
    pub(super) revocation: Option<Revoked>,
}

/// What became of a connection's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revoked {
    /// Salesforce was asked.
    AtSalesforce(Revocation),
    /// They are sealed, and the upkeep queue has them revoked.
    Queued,
}

/// Where tokens are revoked.
struct Revoker {
    login_urls: LoginUrls,
    /// For sealed tokens; a stack of an earlier version has none.
    upkeep: Option<Queue>,
}

pub(crate) async fn run(command: ConnectionCommand, target: &Target, clock: Clock) -> Result<Report, Error> {
    let tokens = ConnectionTable::new(&target.aws, target.stack.output("TokenTableName")?);
    let of = async |chat| chat::with_row(chat, &tokens).await?.ok_or_else(missing);
    match command {
        ConnectionCommand::List { status, limit, part } => {
            let about = tokens.about().await.ok();
            let part = part.unwrap_or_else(|| listing::first_part(about, limit));
            let walked = tokens.walk(part, limit).await?;
            Ok(listing::report(&walked, status, keep_alive(target), about, clock()))
        }
        ConnectionCommand::Check { chat } => check::check(&of(chat).await?, &tokens, target, clock()).await,
        ConnectionCommand::Refresh { chat, confirm } => {
            refresh::run(&of(chat).await?, confirm, &tokens, target, clock).await
        }
        ConnectionCommand::Show { chat } => Ok(tokens.read(&of(chat).await?).await?.ok_or_else(missing)?.report()),
        ConnectionCommand::Revoke { chat, confirm } => {
            let wa_id = of(chat).await?;
            let connection = tokens.read(&wa_id).await?.ok_or_else(missing)?;
            if confirm { revoke_connection(&wa_id, &tokens, target, clock).await } else { Ok(connection.dry_run()) }
        }
    }
}

/// After how long the stack refreshes tokens that nobody asks for; `None` where it never does.
fn keep_alive(target: &Target) -> Option<Duration> {
    let days: u64 = target.stack.parameter("KeepAliveDays").parse().ok()?;
    let holds = target.stack.parameter("TokenCustody") == "Stack";
    (holds && days > 0).then(|| Duration::from_hours(24 * days))
}

fn missing() -> Error {
    let why = "no connection for this chat; give its number, or its address exactly as the bot uses it. Logins that are under way are in wasf \
               attempt list --chat";
    Error::NothingMatched(why.to_owned())
}

async fn revoke_connection(
    wa_id: &WaId,
    tokens: &ConnectionTable,
    target: &Target,
    clock: Clock,
) -> Result<Report, Error> {
    let attempts = AttemptTable::new(&target.aws, target.stack.output("AttemptTableName")?);
    let ended = end_and_record(wa_id, (tokens, &attempts), target, clock).await?;
    let is_told = attempts.read(ended.record).await?.is_some_and(|record| record.notified_at.is_some());
    Ok(report(&ended, is_told))
}

/// Ends a connection at the login hosts that the stack has.
pub(super) async fn end_and_record(
    wa_id: &WaId,
    tables: (&ConnectionTable, &AttemptTable),
    target: &Target,
    clock: Clock,
) -> Result<Ended, Error> {
    if clock_error(&target.aws, clock()).await.is_some_and(|error| error > CLOCK_TOLERANCE) {
        let why = "this machine's clock is wrong, and links are compared with the time of the revocation; set it";
        return Err(Error::failed("end the connection", why));
    }
    let login_urls = login_urls(target, "revoke the tokens at Salesforce").await?;
    let upkeep = target.stack.output("UpkeepQueueUrl").ok().map(|url| Queue::new(&target.aws, url));
    end_connection(wa_id, tables, &Revoker { login_urls, upkeep }, clock).await
}

/// The login hosts that the stack has.
async fn login_urls(target: &Target, action: &'static str) -> Result<LoginUrls, Error> {
    let exchanger = target.stack.output("TokenExchangerFunctionName")?;
    let settings = Functions::new(&target.aws).settings(exchanger).await?;
    let invalid = |_| Error::failed(action, "LoginUrls is invalid; run wasf doctor, correct it and deploy");
    settings.get("LOGIN_URLS").unwrap_or_default().parse().map_err(invalid)
}

/// What became of the tokens at Salesforce, for programs.
pub(super) const fn salesforce_said(revocation: Option<Revoked>) -> &'static str {
    match revocation {
        Some(Revoked::AtSalesforce(Revocation::Revoked)) => "revoked",
        Some(Revoked::AtSalesforce(Revocation::Unknown)) => "unknown",
        Some(Revoked::Queued) => "queued",
        None => "none",
    }
}

/// Who is told is the notifier's business, and stands in the record.
fn report(ended: &Ended, is_told: bool) -> Report {
    let Ended { record, revocation } = ended;
    let done = match revocation {
        Some(Revoked::AtSalesforce(Revocation::Revoked)) => "The tokens were revoked at Salesforce and deleted.",
        Some(Revoked::AtSalesforce(Revocation::Unknown)) => {
            "Salesforce did not know the tokens any more; they were deleted."
        }
        Some(Revoked::Queued) => {
            "The tokens were deleted. They are sealed, so the upkeep queue has them revoked at Salesforce in about a minute."
        }
        None => "The connection had ended before, and has no tokens.",
    };
    let at_salesforce = salesforce_said(*revocation);
    let told = match (is_told, revocation) {
        (true, _) => "The chat and the bot have been told:",
        (false, Some(_)) => "The notifier tells the chat and the bot:",
        (false, None) => "The notifier has not yet told both the chat and the bot:",
    };
    let json =
        json!({"salesforce": at_salesforce, "deleted": revocation.is_some(), "end_id": record, "notified": is_told});
    Report::new(format!("{done} {told} wasf attempt show {record}\n"), json, Exit::Done)
}

/// Revokes the tokens, and ends the connection if it has no others by then; else it starts over. Salesforce comes first, or
/// the queue: tokens that are deleted here but still valid there could no longer be revoked. Where the end is recorded already
/// it changes nothing.
async fn end_connection(
    wa_id: &WaId,
    (tokens, attempts): (&ConnectionTable, &AttemptTable),
    revoker: &Revoker,
    clock: Clock,
) -> Result<Ended, Error> {
    for _ in 0..ROUNDS {
        let row = tokens.row(wa_id).await?;
        if !was_connected(&row) {
            return Err(missing());
        }
        if let Some(record) = recorded_end(&row) {
            return Ok(Ended { record, revocation: None });
        }
        let revocation = match StoredTokens::read(&row) {
            Some(stored) => Some(revoker.revoke(wa_id, &stored, Origin::of(&row)).await?),
            None => None,
        };
        let link_id = link_of(&row, attempts).await;
        let end = ConnectionEnd { wa_id, row: &row, reason: EndReason::Revoked, link_id, at: clock() };
        if tokens.end(attempts, &end).await? {
            return Ok(Ended { record: end.id(), revocation });
        }
    }
    Err(Error::failed("end the connection", "its tokens changed each time that they were revoked; run it again"))
}

impl Revoker {
    /// Revokes the tokens of a row, or puts them on the upkeep queue, where they wait until the end is written.
    async fn revoke(&self, wa_id: &WaId, stored: &StoredTokens, origin: Origin) -> Result<Revoked, Error> {
        let hosts = hosts(stored.login_url.as_deref(), stored.instance_url.as_deref(), &self.login_urls);
        let token = match stored.to_revoke() {
            ToRevoke::Token(token) => return revoke(token, hosts).await.map(Revoked::AtSalesforce),
            ToRevoke::Sealed(token) => token.clone(),
        };
        let failed = |why| Error::failed("have the tokens revoked", why);
        if hosts.is_empty() {
            return Err(failed("the row names no host of Salesforce's; the tokens live, and the row stays as it is"));
        }
        let why =
            "they are sealed, and the stack has no output UpkeepQueueUrl; deploy wasf's own version of the template";
        let queue = self.upkeep.as_ref().ok_or_else(|| failed(why))?;
        let revoke = Upkeep::Revoke(Revoke { wa_id: wa_id.clone(), token, hosts, origin: Some(origin) });
        queue.send_later(revoke.to_body(), ENDED_BY_THEN_SECONDS).await?;
        Ok(Revoked::Queued)
    }
}

/// The link that the connection's attempt began with. It is an extra: an old attempt is gone, and nothing waits for it.
async fn link_of(row: &Attributes, attempts: &AttemptTable) -> Option<shared::LinkId> {
    let id = row.get(attr::ATTEMPT_ID).and_then(Value::as_text)?.parse().ok()?;
    attempts.read(id).await.ok().flatten()?.link_id
}

#[cfg(test)]
mod tests;
