//! DynamoDB: the two tables, as an operator reads and changes them.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    operation::delete_item::DeleteItemError,
    types::{AttributeValue, KeysAndAttributes, Select},
};
use aws_types::SdkConfig;
use secrecy::SecretString;
use serde::Deserialize;
use shared::{
    AttemptId, LoginUrl, Status, Timestamp, WaId,
    attempt::{Item, attr},
    aws::dynamodb::{self, Update},
    conditional_write::ConditionalWrite,
    connection::{self, ACCESS_TOKEN, ISSUED_AT, REFRESH_TOKEN},
};

use crate::{
    error::Error,
    records::{Connection, Tokens},
    report::Progress,
};

/// The most items that DynamoDB reads by key in one call.
const BATCH: usize = 100;

/// The table `connection_attempts`.
#[derive(Clone, Debug)]
pub(crate) struct AttemptTable {
    client: Client,
    table: String,
}

impl AttemptTable {
    pub(crate) fn new(config: &SdkConfig, table: &str) -> Self {
        Self { client: Client::new(config), table: table.to_owned() }
    }

    pub(crate) async fn read(&self, attempt_id: AttemptId) -> Result<Option<Item>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(attr::ATTEMPT_ID, text(&attempt_id))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read the attempt", "GetItem"))?;
        answer.item.map(read_attempt).transpose()
    }

    /// Several attempts by their ids; those that do not exist are missing from the result.
    pub(crate) async fn read_many(&self, ids: &[AttemptId]) -> Result<HashMap<AttemptId, Item>, Error> {
        let mut found = HashMap::with_capacity(ids.len());
        for some in ids.chunks(BATCH) {
            let keys = some.iter().map(|id| HashMap::from([(attr::ATTEMPT_ID.to_owned(), text(id))])).collect();
            let keys = KeysAndAttributes::builder().set_keys(Some(keys)).build();
            let keys = keys.map_err(|error| Error::failed("read the attempts", error.to_string()))?;
            let mut wanted = HashMap::from([(self.table.clone(), keys)]);
            while !wanted.is_empty() {
                let request = self.client.batch_get_item().set_request_items(Some(wanted));
                let answer = request.send().await.map_err(Error::aws("read the attempts", "BatchGetItem"))?;
                for item in answer.responses.unwrap_or_default().into_values().flatten() {
                    let attempt = read_attempt(item)?;
                    found.insert(attempt.attempt_id, attempt);
                }
                wanted = answer.unprocessed_keys.unwrap_or_default();
            }
        }
        Ok(found)
    }

    /// The attempts of these statuses that were updated since, the latest first. It scans the whole table.
    pub(crate) async fn since(
        &self,
        since: Timestamp,
        statuses: &[Status],
        unnotified_only: bool,
        progress: &mut Progress,
    ) -> Result<Vec<Item>, Error> {
        let names: Vec<String> = (0..statuses.len()).map(|place| format!(":status{place}")).collect();
        let unnotified =
            if unnotified_only { format!(" AND attribute_not_exists({})", attr::NOTIFIED_AT) } else { String::new() };
        let filter = format!("#updated_at >= :since AND #status IN ({}){unnotified}", names.join(", "));
        let statuses = statuses.iter().map(|status| AttributeValue::S(status.as_str().to_owned()));
        let since = (":since".to_owned(), AttributeValue::N(since.millis().to_string()));
        let mut pages = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression(filter)
            .expression_attribute_names("#updated_at", attr::UPDATED_AT)
            .expression_attribute_names("#status", attr::STATUS)
            .set_expression_attribute_values(Some(names.into_iter().zip(statuses).chain([since]).collect()))
            .into_paginator()
            .send();
        let (mut found, mut scanned) = (Vec::new(), 0);
        while let Some(page) = pages.next().await {
            let page = page.map_err(Error::aws("scan the attempt table", "Scan"))?;
            scanned += usize::try_from(page.scanned_count).unwrap_or_default();
            progress.show(scanned, None);
            for item in page.items.unwrap_or_default() {
                found.push(read_attempt(item)?);
            }
        }
        found.sort_by_key(|attempt| std::cmp::Reverse(attempt.updated_at.map(Timestamp::millis)));
        Ok(found)
    }

    /// Puts the outcome on the stream again; `false` where a later one has replaced it.
    pub(crate) async fn redeliver(&self, attempt_id: AttemptId, redelivery: &ConditionalWrite) -> Result<bool, Error> {
        let key = (attr::ATTEMPT_ID, &*attempt_id.to_string());
        let done = dynamodb::update(&self.client, &self.table, key, redelivery).await;
        let done = done.map_err(|error| Error::failed("update the attempt", error.to_string()))?;
        Ok(matches!(done, Update::Done(_)))
    }
}

/// The table of tokens.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionTable {
    client: Client,
    table: String,
}

/// Every attribute of a connection but its tokens.
const PUBLIC: [&str; 10] = [
    attr::WA_ID,
    attr::ATTEMPT_ID,
    attr::USERNAME,
    connection::USER_ID,
    attr::ORG_ID,
    attr::INSTANCE_URL,
    attr::LOGIN_URL,
    attr::SCOPE,
    ISSUED_AT,
    connection::CONNECTED_AT,
];

/// The result of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deleted {
    Done,
    /// A newer connection has replaced it.
    Superseded,
}

#[derive(Deserialize)]
struct Row {
    wa_id: WaId,
    attempt_id: Option<AttemptId>,
    username: Option<String>,
    user_id: Option<String>,
    org_id: Option<String>,
    instance_url: Option<String>,
    login_url: Option<LoginUrl>,
    scope: Option<String>,
    issued_at: Option<Timestamp>,
    connected_at: Option<Timestamp>,
}

impl ConnectionTable {
    pub(crate) fn new(config: &SdkConfig, table: &str) -> Self {
        Self { client: Client::new(config), table: table.to_owned() }
    }

    /// The chat's connection. Its tokens stay in the table.
    pub(crate) async fn read(&self, wa_id: &WaId) -> Result<Option<Connection>, Error> {
        let names = PUBLIC.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
        let projection = PUBLIC.map(|name| format!("#{name}")).join(", ");
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(attr::WA_ID, AttributeValue::S(wa_id.as_str().to_owned()))
            .projection_expression(projection)
            .set_expression_attribute_names(Some(names))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read the connection", "GetItem"))?;
        let Some(item) = answer.item else { return Ok(None) };
        // serde's error text can quote the item.
        let item: Row = serde_dynamo::from_item(item)
            .map_err(|_| Error::failed("read the connection", "the item is unreadable"))?;
        let refreshable = self.has_refresh_token(wa_id).await?;
        let Row { wa_id, attempt_id, username, user_id, org_id, instance_url, login_url, scope, .. } = item;
        Ok(Some(Connection {
            wa_id,
            attempt_id,
            username,
            user_id,
            org_id,
            instance_url,
            login_url,
            scope,
            issued_at: item.issued_at,
            connected_at: item.connected_at,
            refreshable,
        }))
    }

    async fn has_refresh_token(&self, wa_id: &WaId) -> Result<bool, Error> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression(format!("{} = :wa_id", attr::WA_ID))
            .filter_expression(format!("attribute_exists({REFRESH_TOKEN})"))
            .expression_attribute_values(":wa_id", AttributeValue::S(wa_id.as_str().to_owned()))
            .consistent_read(true)
            .select(Select::Count)
            .send()
            .await
            .map_err(Error::aws("read the connection", "Query"))?;
        Ok(answer.count > 0)
    }

    /// The chat's tokens, to revoke them at Salesforce.
    pub(crate) async fn tokens(&self, wa_id: &WaId) -> Result<Tokens, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(attr::WA_ID, AttributeValue::S(wa_id.as_str().to_owned()))
            .projection_expression(format!("{ACCESS_TOKEN}, {REFRESH_TOKEN}"))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read the tokens", "GetItem"))?;
        let mut item = answer.item.unwrap_or_default();
        let mut secret = |name| match item.remove(name) {
            Some(AttributeValue::S(token)) => Some(SecretString::from(token)),
            _ => None,
        };
        Ok(Tokens { refresh: secret(REFRESH_TOKEN), access: secret(ACCESS_TOKEN) })
    }

    /// Deletes the chat's connection if its tokens are still those that were issued then.
    pub(crate) async fn delete(&self, wa_id: &WaId, issued_at: Option<Timestamp>) -> Result<Deleted, Error> {
        let request = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(attr::WA_ID, AttributeValue::S(wa_id.as_str().to_owned()));
        let request = match issued_at {
            Some(at) => request
                .condition_expression(format!("{ISSUED_AT} = :issued_at"))
                .expression_attribute_values(":issued_at", AttributeValue::N(at.millis().to_string())),
            None => request.condition_expression(format!("attribute_not_exists({ISSUED_AT})")),
        };
        match request.send().await {
            Ok(_) => Ok(Deleted::Done),
            Err(error)
                if matches!(error.as_service_error(), Some(DeleteItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(Deleted::Superseded)
            }
            Err(error) => Err(Error::aws("delete the connection", "DeleteItem")(error)),
        }
    }
}

fn text(id: &AttemptId) -> AttributeValue {
    AttributeValue::S(id.to_string())
}

fn read_attempt(item: HashMap<String, AttributeValue>) -> Result<Item, Error> {
    // `wasf` does not print the scopes of an attempt.
    let item = Item::read(&dynamodb::attributes(item), &[attr::SCOPE]);
    item.map_err(|error| Error::failed("read an attempt", error.to_string()))
}
