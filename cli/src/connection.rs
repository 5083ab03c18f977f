//! `wasf connection`: what bots have for a chat, and the end of it.

use secrecy::SecretString;
use serde_json::json;
use shared::{AttemptId, LoginUrl, Timestamp, WaId, timestamp::Clock};

use crate::{
    args::ConnectionCommand,
    aws::{self, Deleted},
    bot,
    error::{Error, Exit},
    parties::{Revocation, revoke},
    report::{Report, Table, clock_time},
    target::Target,
};

/// A connection without its tokens.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) wa_id: WaId,
    pub(crate) attempt_id: Option<AttemptId>,
    pub(crate) username: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) org_id: Option<String>,
    pub(crate) instance_url: Option<String>,
    pub(crate) login_url: Option<LoginUrl>,
    pub(crate) scope: Option<String>,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) connected_at: Option<Timestamp>,
    pub(crate) refreshable: bool,
}

/// Its tokens, for Salesforce alone.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) refresh: Option<SecretString>,
    pub(crate) access: Option<SecretString>,
}

pub(crate) async fn run(command: ConnectionCommand, target: &Target, clock: Clock) -> Result<Report, Error> {
    let tokens = aws::Tokens::new(&target.aws, target.stack.output("TokenTableName")?);
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

impl Connection {
    fn report(&self) -> Report {
        let mut table = Table::default();
        table.field("chat", Some(self.wa_id.as_str()));
        table.field("user", self.username.as_deref());
        table.field("user's id", self.user_id.as_deref());
        table.field("org", self.org_id.as_deref());
        table.field("org's address", self.instance_url.as_deref());
        table.field("logged in at", self.login_url.as_ref().map(LoginUrl::as_str));
        table.field("scopes", self.scope.as_deref());
        table.field("tokens issued", self.issued_at.map(clock_time));
        table.field("connected", self.connected_at.map(clock_time));
        table.field("can be renewed", Some(if self.refreshable { "yes" } else { "no, there is no refresh token" }));
        table.field("attempt", self.attempt_id);
        let json = json!({
            "wa_id": self.wa_id,
            "username": self.username,
            "user_id": self.user_id,
            "org_id": self.org_id,
            "instance_url": self.instance_url,
            "login_url": self.login_url,
            "scope": self.scope,
            "issued_at": self.issued_at,
            "connected_at": self.connected_at,
            "refreshable": self.refreshable,
            "attempt_id": self.attempt_id,
        });
        Report::new(table.text(), json, Exit::Done)
    }

    fn dry_run(&self) -> Report {
        let whose = self.username.as_deref().unwrap_or("an unnamed user");
        let text = format!(
            "This would revoke the tokens of {whose} at {}, delete them here, and tell the bot.\nDo it with --confirm.\n",
            self.host()
        );
        Report::new(text, json!({"dry_run": true, "username": self.username, "host": self.host()}), Exit::Done)
    }

    /// Where its tokens can be revoked.
    fn host(&self) -> &str {
        self.login_url.as_ref().map(LoginUrl::as_str).or(self.instance_url.as_deref()).unwrap_or_default()
    }
}

/// Salesforce first: what is deleted here and lives on there is out of anybody's sight. The bot last:
/// what it is told is then true.
async fn end(connection: &Connection, tokens: &aws::Tokens, target: &Target, clock: Clock) -> Result<Report, Error> {
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
    let (bot, exit, told) = match bot::tell_of_revocation(&target.aws, &target.stack, connection, clock()).await {
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn connection() -> Connection {
        Connection {
            wa_id: "whatsapp:+15551234567".parse().unwrap(),
            attempt_id: Some(AttemptId::from_bytes([7; 16])),
            username: Some("ada@example.com".to_owned()),
            user_id: None,
            org_id: Some("00D000000000001".to_owned()),
            instance_url: Some("https://acme.my.salesforce.com".to_owned()),
            login_url: Some("https://test.salesforce.com".parse().unwrap()),
            scope: None,
            issued_at: Some(Timestamp::from_millis(1_790_000_000_000)),
            connected_at: None,
            refreshable: true,
        }
    }

    #[test]
    fn tokens_are_revoked_where_they_were_made() {
        assert_eq!(connection().host(), "https://test.salesforce.com");
        let of_an_older_system = Connection { login_url: None, ..connection() };
        assert_eq!(of_an_older_system.host(), "https://acme.my.salesforce.com");
    }

    #[test]
    fn tokens_do_not_print() {
        let tokens = Tokens { refresh: Some("5Aep".into()), access: Some("00Dx".into()) };
        let shown = format!("{tokens:?}");
        assert!(!shown.contains("5Aep") && !shown.contains("00Dx"), "{shown}");
    }
}
