//! `wasf connection`: what a chat is connected to, and revoking it.

use std::time::Duration;

use serde_json::json;
use shared::{
    LoginUrls, Timestamp, WaId,
    conditional_write::Value,
    connection::{ENDED_AT, StoredTokens, revoke as end},
    timestamp::Clock,
};

use crate::{
    args::ConnectionCommand,
    aws::{ConnectionTable, Functions, clock_error},
    error::{Error, Exit},
    parties::{Revocation, notify_revocation, revoke},
    records::Connection,
    report::Report,
    target::Target,
};

/// How far the operator's clock may be from AWS's, which links are dated by.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(10);
/// How often the tokens may change while they are revoked.
const ROUNDS: usize = 5;

pub(crate) async fn run(command: ConnectionCommand, target: &Target, clock: Clock) -> Result<Report, Error> {
    let tokens = ConnectionTable::new(&target.aws, target.stack.output("TokenTableName")?);
    let (ConnectionCommand::Show { wa_id } | ConnectionCommand::Revoke { wa_id, .. }) = &command;
    let connection = tokens.read(wa_id).await?.ok_or_else(missing)?;
    match command {
        ConnectionCommand::Show { .. } => Ok(connection.report()),
        ConnectionCommand::Revoke { confirm: false, .. } => Ok(connection.dry_run()),
        ConnectionCommand::Revoke { confirm: true, .. } => revoke_connection(&connection, &tokens, target, clock).await,
    }
}

fn missing() -> Error {
    Error::NothingMatched("no connection for this chat; give its address exactly as the bot uses it".to_owned())
}

/// The bot comes last: then its event is true.
async fn revoke_connection(
    connection: &Connection,
    tokens: &ConnectionTable,
    target: &Target,
    clock: Clock,
) -> Result<Report, Error> {
    if clock_error(&target.aws, clock()).await.is_some_and(|error| error > CLOCK_TOLERANCE) {
        let why = "this machine's clock is wrong, and links are compared with the time of the revocation; set it";
        return Err(Error::failed("end the connection", why));
    }
    let exchanger = target.stack.output("TokenExchangerFunctionName")?;
    let settings = Functions::new(&target.aws).settings(exchanger).await?;
    let login_urls: LoginUrls = settings.get("LOGIN_URLS").unwrap_or_default().parse().map_err(|_| {
        Error::failed("revoke the tokens at Salesforce", "LoginUrls is invalid; run wasf doctor, correct it and deploy")
    })?;
    let (ended_at, revocation) = end_connection(&connection.wa_id, tokens, &login_urls, clock).await?;
    let (bot, exit, notified) = match notify_bot(connection, ended_at, target, clock).await {
        Ok(true) => ("The bot was notified.".to_owned(), Exit::Done, Some(true)),
        Ok(false) => ("No bot is configured.".to_owned(), Exit::Done, None),
        Err(error) => {
            (format!("The bot was not notified: {error}. Run it again to notify it."), Exit::InPart, Some(false))
        }
    };
    let (at_salesforce, done) = match revocation {
        Some(Revocation::Revoked) => ("revoked", "The tokens were revoked at Salesforce and deleted."),
        Some(Revocation::Unknown) => ("unknown", "Salesforce did not know the tokens any more; they were deleted."),
        None => ("none", "The connection had ended before, and has no tokens."),
    };
    let json = json!({"salesforce": at_salesforce, "deleted": revocation.is_some(), "bot_told": notified});
    Ok(Report::new(format!("{done} {bot}\n"), json, exit))
}

/// Revokes the tokens, and ends the connection if it has no others by then; else it starts over. Salesforce comes first:
/// tokens that are deleted here but still valid there could no longer be revoked. Returns when the connection ended, and
/// what Salesforce said; nothing where it had ended before.
async fn end_connection(
    wa_id: &WaId,
    table: &ConnectionTable,
    login_urls: &LoginUrls,
    clock: Clock,
) -> Result<(Timestamp, Option<Revocation>), Error> {
    for _ in 0..ROUNDS {
        let row = table.row(wa_id).await?;
        if row.is_empty() {
            return Err(missing());
        }
        let tokens = StoredTokens::read(&row);
        if let (None, Some(ended_at)) = (&tokens, row.get(ENDED_AT).and_then(Value::as_time)) {
            return Ok((ended_at, None));
        }
        let revocation = match &tokens {
            Some(tokens) => revoke(tokens, login_urls).await?,
            None => Revocation::Unknown,
        };
        let now = clock();
        if table.write(wa_id, &end(tokens.as_ref(), now)).await? {
            return Ok((now, Some(revocation)));
        }
    }
    Err(Error::failed("end the connection", "its tokens changed each time that they were revoked; run it again"))
}

/// Notifies the bot on the channels that the notifier uses; `false` where there is none.
async fn notify_bot(
    connection: &Connection,
    ended_at: Timestamp,
    target: &Target,
    clock: Clock,
) -> Result<bool, Error> {
    let notifier = target.stack.output("NotifierFunctionName")?;
    let settings = Functions::new(&target.aws).settings(notifier).await?;
    notify_revocation(&target.aws, &settings, connection, ended_at, clock()).await
}

#[cfg(test)]
mod tests;
