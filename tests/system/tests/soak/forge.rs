//! What others do to a chat: forged messages, rows that another program writes, an operator who revokes.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    bots,
    plan::{ForeignRow, Forgery},
    walk::approve,
};
use system::{Cloud, now_ms, parameter, reckoning::Span};

/// How long another program tries to write a row that is being refreshed.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long the upkeep queue keeps a revocation to itself: by then the row has ended.
const REVOKED_AFTER: u32 = 10;

/// A message about the victim, or in the name of their login.
pub(crate) async fn forge(cloud: &Cloud, forgery: Forgery, victim: &str) -> Value {
    // The forger has a code and a state of a login of their own.
    let own = match forgery {
        Forgery::AnotherChat | Forgery::AnotherKey | Forgery::PlainState => system::new_chat(),
        Forgery::FarAhead | Forgery::AfterItsEnd | Forgery::BeforeItsLink => victim.to_owned(),
    };
    let (_, callback) = approve(cloud, &own).await;
    let (code, state) = (parameter(&callback, "code"), parameter(&callback, "state"));
    let token = state.rsplit_once('~').expect("a signed state").1;
    let now = now_ms();
    let (state, received_at) = match forgery {
        Forgery::AnotherChat => (format!("wa:{victim}~{token}"), now),
        Forgery::AnotherKey => {
            // The signature is at the end.
            let (rest, signature) = token.split_at(token.len() - 40);
            let other: String = signature.chars().map(|c| if c == 'A' { 'B' } else { 'A' }).collect();
            (format!("wa:{victim}~{rest}{other}"), now)
        }
        Forgery::PlainState => (format!("wa:{victim}"), now),
        Forgery::FarAhead => (state, 99_999_999_999_999),
        Forgery::AfterItsEnd => (state, now + 20 * 60_000),
        Forgery::BeforeItsLink => (state, now - 2 * 60_000),
    };
    json!({"v": 2, "state": state, "received_at": received_at, "code": code})
}

/// Writes the chat's row as another program does, at a moment in which nobody refreshes; whether it could. Tokens that are in it
/// stay.
pub(crate) async fn foreign_row(cloud: &Cloud, chat: &str, shape: ForeignRow) -> bool {
    let (began, table) = (Instant::now(), cloud.stack("main").output("TokenTableName"));
    while began.elapsed() < PATIENCE {
        let row = cloud.item(table, "wa_id", chat).await;
        let mut write = json!({"TableName": table, "Item": foreign(cloud, chat, row.as_ref(), shape)});
        match row.as_ref().and_then(|row| row.get("refresh_token")) {
            Some(token) => {
                write["ConditionExpression"] =
                    "refresh_token = :token AND attribute_not_exists(lease_until) AND attribute_not_exists(lost_at)"
                        .into();
                write["ExpressionAttributeValues"] = json!({":token": token});
            }
            None => write["ConditionExpression"] = "attribute_not_exists(refresh_token)".into(),
        }
        let headers = [("x-amz-target", "DynamoDB_20120810.PutItem"), ("content-type", "application/x-amz-json-1.0")];
        let answer = cloud.signed("dynamodb", Method::POST, &cloud.endpoint, &headers, write.to_string()).await;
        if answer.status().is_success() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    false
}

fn foreign(cloud: &Cloud, chat: &str, row: Option<&Value>, shape: ForeignRow) -> Value {
    // Without tokens: Salesforce knows none that it has not issued, and the stack asks it about them for a day.
    let old = json!({"wa_id": {"S": chat}, "instance_url": {"S": cloud.sandbox_url}});
    let kept = ["wa_id", "access_token", "refresh_token", "instance_url"];
    let row = row.unwrap_or(&old);
    let mut foreign: Value =
        kept.iter().filter_map(|name| Some(((*name).to_owned(), row.get(name)?.clone()))).collect();
    match shape {
        ForeignRow::AsSalesforceAnswers => {
            foreign["issued_at"] = json!({"S": now_ms().to_string()});
            foreign["signature"] = json!({"S": "c2lnbmF0dXJl"});
            foreign["token_type"] = json!({"S": "Bearer"});
        }
        ForeignRow::FarAhead => {
            foreign["issued_at"] = json!({"N": "4102444800000"});
            foreign["consented_at"] = json!({"N": "99999999999999"});
        }
        ForeignRow::Texts => {
            foreign["issued_at"] = json!({"S": "today"});
            foreign["consented_at"] = json!({"S": now_ms().to_string()});
        }
        ForeignRow::OfTheOlderSystem => foreign["issued_at"] = json!({"N": "1700000000000"}),
    }
    foreign
}

/// An operator revokes the chat's connection, as `wasf` did before it recorded ends: the upkeep queue has its sealed token revoked
/// later, and the row ends, if it still holds the same tokens. `None` where there is nothing to revoke.
pub(crate) async fn revoke(cloud: &Cloud, chat: &str) -> Option<Span> {
    let table = cloud.stack("main").output("TokenTableName");
    loop {
        let row = cloud.item(table, "wa_id", chat).await?;
        let token = row["refresh_token"]["S"].as_str()?;
        let consented_at: Option<u64> = row["consented_at"]["N"].as_str().and_then(|number| number.parse().ok());
        let origin = json!({"attempt_id": row["attempt_id"]["S"], "consented_at": consented_at});
        let hosts = [&row["login_url"]["S"], &row["instance_url"]["S"]];
        let revoke = json!({"wa_id": chat, "token": token, "hosts": hosts, "origin": origin});
        bots::send_upkeep(cloud, &json!({"v": 1, "revoke": revoke}), REVOKED_AFTER).await;
        let from = now_ms();
        let update = json!({
            "TableName": table,
            "Key": {"wa_id": {"S": chat}},
            "ConditionExpression": "refresh_token = :token",
            "UpdateExpression": "SET consented_at = :now, ended_at = :now, ended_reason = :revoked \
                REMOVE access_token, refresh_token, issued_at, connected_at, #scope, \
                refreshed_at, expires_at, lease_until, lease_holder, lost_at, retry_at",
            "ExpressionAttributeNames": {"#scope": "scope"},
            "ExpressionAttributeValues":
                {":token": {"S": token}, ":now": {"N": from.to_string()}, ":revoked": {"S": "revoked"}},
        });
        if bots::try_update(cloud, update).await {
            return Some(Span { from, to: now_ms() });
        }
    }
}
