//! `wasf connection`: what a chat is connected to, and revoking it.

use serde_json::json;
use shared::timestamp::Clock;

use crate::{
    args::ConnectionCommand,
    aws::{ConnectionTable, Deleted, Functions},
    error::{Error, Exit},
    parties::{Revocation, notify_revocation, revoke},
    records::Connection,
    report::Report,
    target::Target,
};

pub(crate) async fn run(command: ConnectionCommand, target: &Target, clock: Clock) -> Result<Report, Error> {
    let tokens = ConnectionTable::new(&target.aws, target.stack.output("TokenTableName")?);
    let (ConnectionCommand::Show { wa_id } | ConnectionCommand::Revoke { wa_id, .. }) = &command;
    let missing =
        || Error::NothingMatched("no connection for this chat; give its address exactly as the bot uses it".to_owned());
    let connection = tokens.read(wa_id).await?.ok_or_else(missing)?;
    match command {
        ConnectionCommand::Show { .. } => Ok(connection.report()),
        ConnectionCommand::Revoke { confirm: false, .. } => Ok(connection.dry_run()),
        ConnectionCommand::Revoke { confirm: true, .. } => revoke_connection(&connection, &tokens, target, clock).await,
    }
}

/// Salesforce comes first: tokens that are deleted here but still valid there could no longer be revoked. The bot comes
/// last: then its event is true.
async fn revoke_connection(
    connection: &Connection,
    tokens: &ConnectionTable,
    target: &Target,
    clock: Clock,
) -> Result<Report, Error> {
    let pair = tokens.tokens(&connection.wa_id).await?;
    let revocation = match pair.refresh.as_ref().or(pair.access.as_ref()) {
        Some(token) => revoke(connection.host(), token).await?,
        None => Revocation::Unknown,
    };
    let at_salesforce = match revocation {
        Revocation::Revoked => "revoked",
        Revocation::Unknown => "unknown",
    };
    if tokens.delete(&connection.wa_id, connection.issued_at).await? == Deleted::Superseded {
        let text = "The tokens were revoked, but the chat was connected again meanwhile: the new connection stays.\n";
        let json = json!({"salesforce": at_salesforce, "deleted": false, "bot_told": false});
        return Ok(Report::new(text.to_owned(), json, Exit::InPart));
    }
    let (bot, exit, notified) = match notify_bot(connection, target, clock).await {
        Ok(true) => ("The bot was notified.".to_owned(), Exit::Done, Some(true)),
        Ok(false) => ("No bot is configured.".to_owned(), Exit::Done, None),
        Err(error) => (format!("The bot was not notified: {error}."), Exit::InPart, Some(false)),
    };
    let tokens = match revocation {
        Revocation::Revoked => "The tokens were revoked at Salesforce and deleted.",
        Revocation::Unknown => "Salesforce did not know the tokens; they were deleted.",
    };
    let json = json!({"salesforce": at_salesforce, "deleted": true, "bot_told": notified});
    Ok(Report::new(format!("{tokens} {bot}\n"), json, exit))
}

/// Notifies the bot on the channels that the notifier uses; `false` where there is none.
async fn notify_bot(connection: &Connection, target: &Target, clock: Clock) -> Result<bool, Error> {
    let notifier = target.stack.output("NotifierFunctionName")?;
    let settings = Functions::new(&target.aws).settings(notifier).await?;
    notify_revocation(&target.aws, &settings, connection, clock()).await
}
