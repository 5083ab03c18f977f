//! `wasf connection check`: whether Salesforce takes the stored access token. Changes nothing.

use serde_json::{Value as Json, json};
use shared::{
    LoginUrls, Timestamp, WaId,
    conditional_write::Attributes,
    connection::StoredTokens,
    salesforce::{AccessToken, Grant},
};

use super::{keep_alive, login_urls, missing};
use crate::{
    aws::ConnectionTable,
    error::{Error, Exit},
    parties::{TokenStatus, check_token, instance_host},
    records::{Connection, Custody, Form},
    report::{Report, Table},
    target::Target,
};

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Salesforce(TokenStatus),
    /// The text says why not.
    Nobody(&'static str),
}

pub(super) async fn check(
    wa_id: &WaId,
    tokens: &ConnectionTable,
    target: &Target,
    now: Timestamp,
) -> Result<Report, Error> {
    let row = tokens.row(wa_id).await?;
    if row.is_empty() {
        return Err(missing());
    }
    let form = Form::of(&row);
    let connection = Connection::read(wa_id, &row, form != Form::Missing);
    let custody = Custody::read(&row, form, keep_alive(target), now);
    let asked = match grant(&row, &connection, &login_urls(target, "ask Salesforce").await?, now) {
        Ok(grant) => Asked::Salesforce(check_token(&grant).await?),
        Err(why) => Asked::Nobody(why),
    };
    Ok(report(&connection, &custody, target.stack.parameter("TokenCustody"), &asked))
}

/// The access token and its account, or why Salesforce cannot be asked.
fn grant(
    row: &Attributes,
    connection: &Connection,
    login_urls: &LoginUrls,
    now: Timestamp,
) -> Result<Grant, &'static str> {
    if connection.ended.is_some() {
        return Err("the connection has ended");
    }
    let stored = StoredTokens::read(row);
    let token = stored.as_ref().and_then(StoredTokens::access_token).ok_or("the row has no access token")?;
    let access_token = AccessToken::from_secret(token).map_err(|_| "the row's access token is none of Salesforce's")?;
    let account = connection.org_id.clone().zip(connection.user_id.clone());
    let (org_id, user_id) = account.ok_or("the row does not name user and org")?;
    let instance_url = instance_host(connection.login_url.as_deref(), connection.instance_url.as_deref(), login_urls)
        .ok_or("the row names no host of Salesforce's")?;
    let issued_at = connection.issued_at.unwrap_or(now);
    Ok(Grant { access_token, refresh_token: None, instance_url, issued_at, scope: None, org_id, user_id })
}

fn report(connection: &Connection, custody: &Custody, holder: &str, asked: &Asked) -> Report {
    let (label, words, exit) = match asked {
        Asked::Salesforce(TokenStatus::Works) => ("works", "takes the access token".to_owned(), Exit::Done),
        Asked::Salesforce(TokenStatus::Refused) => ("refused", "refuses the access token".to_owned(), Exit::Failed),
        Asked::Salesforce(TokenStatus::Unclear(why)) => ("unclear", format!("unclear: {why}"), Exit::InPart),
        Asked::Nobody(why) => ("not_asked", format!("not asked: {why}"), Exit::InPart),
    };
    let (ended, mut table) = (connection.ended.is_some(), Table::default());
    table.field("chat", Some(connection.wa_id.as_str()));
    table.field("status", Some(if ended { "ended" } else { "connected" }));
    table.field("Salesforce", Some(words));
    table.field("custody", Some(holder).filter(|holder| !holder.is_empty()));
    custody.fields(&mut table);
    let mut json = custody.json();
    for (name, value) in [
        ("wa_id", json!(connection.wa_id)),
        ("status", json!(if ended { "ended" } else { "connected" })),
        ("salesforce", json!(label)),
        ("custody", json!(holder)),
    ] {
        json.insert(name.to_owned(), value);
    }
    Report::new(table.text(), Json::Object(json), exit)
}

#[cfg(test)]
mod tests {
    use fakes::{Answer, Server};
    use shared::{
        attempt::attr,
        connection::{ACCESS_TOKEN, REFRESH_TOKEN, REFRESHED_AT, USER_ID},
    };

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
    const USERINFO: &str = "/services/oauth2/userinfo";

    fn row(server: &Server) -> Attributes {
        let texts = [
            (ACCESS_TOKEN, "00Dxx!ACCESS"),
            (REFRESH_TOKEN, "sealed:v1:REFRESH"),
            (attr::ORG_ID, "00D000000000001"),
            (USER_ID, "005000000000001"),
            (attr::INSTANCE_URL, server.url()),
            (attr::LOGIN_URL, server.url()),
        ];
        let mut row: Attributes = texts.map(|(name, text)| (name.to_owned(), text.into())).into();
        row.insert(REFRESHED_AT.to_owned(), NOW.into());
        row
    }

    async fn checked(server: &Server, row: &Attributes) -> Report {
        let wa_id = "whatsapp:+15551234567".parse().unwrap();
        let connection = Connection::read(&wa_id, row, true);
        let custody = Custody::read(row, Form::of(row), None, NOW);
        let asked = match grant(row, &connection, &server.url().parse().unwrap(), NOW) {
            Ok(grant) => Asked::Salesforce(check_token(&grant).await.unwrap()),
            Err(why) => Asked::Nobody(why),
        };
        report(&connection, &custody, "Stack", &asked)
    }

    #[tokio::test]
    async fn a_token_that_salesforce_takes_works() {
        let server = Server::start().await;
        server.on(USERINFO, |_| json!({"preferred_username": "ada@example.com"}).into());
        let checked = checked(&server, &row(&server)).await;
        assert_eq!((&checked.json["salesforce"], checked.exit), (&json!("works"), Exit::Done));
        assert_eq!(checked.json["refresh_token"], "sealed");
        let shown = format!("{} {}", checked.text, checked.json);
        assert!(!shown.contains("ACCESS") && !shown.contains("REFRESH"), "{shown}");
    }

    #[tokio::test]
    async fn a_token_that_salesforce_refuses_fails_the_command() {
        let server = Server::start().await;
        server.on(USERINFO, |_| Answer::json(401, &json!({"error": "invalid_session"})));
        let checked = checked(&server, &row(&server)).await;
        assert_eq!((&checked.json["salesforce"], checked.exit), (&json!("refused"), Exit::Failed));
    }

    #[tokio::test]
    async fn no_other_host_is_sent_a_token() {
        let server = Server::start().await;
        let mut row = row(&server);
        row.insert(attr::INSTANCE_URL.to_owned(), "https://attacker.example".into());
        let checked = checked(&server, &row).await;
        assert_eq!((&checked.json["salesforce"], checked.exit), (&json!("not_asked"), Exit::InPart));
        assert!(server.requests(USERINFO).is_empty());
    }
}
