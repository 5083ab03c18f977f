//! `wasf connection`: what bots have for a chat, and the end of it.

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
    let none = || {
        Error::NothingMatched("this chat has no connection; its address must be just as the bot knows it".to_owned())
    };
    let connection = tokens.read(wa_id).await?.ok_or_else(none)?;
    match command {
        ConnectionCommand::Show { .. } => Ok(connection.report()),
        ConnectionCommand::Revoke { confirm: false, .. } => Ok(connection.dry_run()),
        ConnectionCommand::Revoke { confirm: true, .. } => end(&connection, &tokens, target, clock).await,
    }
}

/// Salesforce first: what is deleted here and lives on there is out of anybody's sight. The bot last:
/// what it is told is then true.
async fn end(
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
        let text = "The tokens were revoked, but the chat has been connected anew meanwhile: that connection stays.\n";
        let json = json!({"salesforce": at_salesforce, "deleted": false, "bot_told": false});
        return Ok(Report::new(text.to_owned(), json, Exit::InPart));
    }
    let (bot, exit, told) = match tell_bot(connection, target, clock).await {
        Ok(true) => ("The bot was told.".to_owned(), Exit::Done, Some(true)),
        Ok(false) => ("There is no bot to tell.".to_owned(), Exit::Done, None),
        Err(error) => (format!("The bot does not know yet: {error}."), Exit::InPart, Some(false)),
    };
    let known = match revocation {
        Revocation::Revoked => "The tokens are revoked at Salesforce and deleted here.",
        Revocation::Unknown => "Salesforce no longer knew the tokens; they are deleted here.",
    };
    let json = json!({"salesforce": at_salesforce, "deleted": true, "bot_told": told});
    Ok(Report::new(format!("{known} {bot}\n"), json, exit))
}

/// Tells the bot, in the ways that the notifier is set up for; `false` where there is none.
async fn tell_bot(connection: &Connection, target: &Target, clock: Clock) -> Result<bool, Error> {
    let notifier = target.stack.output("NotifierFunctionName")?;
    let settings = Functions::new(&target.aws).settings(notifier, clock()).await?;
    notify_revocation(&target.aws, &settings, connection, clock()).await
}
