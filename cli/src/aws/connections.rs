//! DynamoDB: the table of tokens, as an operator reads and changes it.

mod walk;

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    operation::get_item::builders::GetItemFluentBuilder,
    types::{AttributeValue, Select},
};
use aws_types::SdkConfig;
use shared::{
    WaId,
    attempt::attr,
    aws::{
        Service,
        dynamodb::{self, Transaction},
    },
    conditional_write::Attributes,
    connection::{self, ConnectionEnd, REFRESH_TOKEN},
};

pub(crate) use self::walk::{HasSealed, Walked};
use super::{AttemptTable, writes::writes};
use crate::{error::Error, records::Connection};

/// The table of tokens.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionTable {
    client: Client,
    writes: Service,
    table: String,
}

/// Every attribute of a connection that is shown: all but its tokens.
const PUBLIC: [&str; 22] = [
    attr::WA_ID,
    attr::ATTEMPT_ID,
    attr::USERNAME,
    connection::USER_ID,
    attr::ORG_ID,
    attr::INSTANCE_URL,
    attr::LOGIN_URL,
    attr::SCOPE,
    attr::REFERENCE,
    connection::ISSUED_AT,
    connection::CONNECTED_AT,
    connection::CONSENTED_AT,
    connection::ENDED_AT,
    connection::ENDED_REASON,
    connection::END_ID,
    connection::VERSION,
    connection::REFRESHED_AT,
    connection::EXPIRES_AT,
    connection::LEASE_UNTIL,
    connection::LOST_AT,
    connection::DEAD_AT,
    connection::RETRY_AT,
];

/// The names in a projection of [`PUBLIC`], and what they stand for.
fn projection() -> (String, HashMap<String, String>) {
    let names = PUBLIC.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
    (PUBLIC.map(|name| format!("#{name}")).join(", "), names)
}

impl ConnectionTable {
    pub(crate) fn new(config: &SdkConfig, table: &str) -> Self {
        Self { client: Client::new(config), writes: writes(config), table: table.to_owned() }
    }

    /// A consistent read of the chat's row.
    fn get(&self, wa_id: &WaId) -> GetItemFluentBuilder {
        let key = AttributeValue::S(wa_id.as_str().to_owned());
        self.client.get_item().table_name(&self.table).key(attr::WA_ID, key).consistent_read(true)
    }

    /// The chat's connection. Its tokens stay in the table.
    pub(crate) async fn read(&self, wa_id: &WaId) -> Result<Option<Connection>, Error> {
        let (projection, names) = projection();
        let answer = self
            .get(wa_id)
            .projection_expression(projection)
            .set_expression_attribute_names(Some(names))
            .send()
            .await
            .map_err(Error::aws("read the connection", "GetItem"))?;
        let Some(item) = answer.item else { return Ok(None) };
        let refreshable = self.has_refresh_token(wa_id).await?;
        Ok(Some(Connection::read(wa_id, &dynamodb::attributes(item), refreshable)))
    }

    /// Whether the chat has a row.
    pub(crate) async fn has_row(&self, wa_id: &WaId) -> Result<bool, Error> {
        let answer = self
            .get(wa_id)
            .projection_expression(attr::WA_ID)
            .send()
            .await
            .map_err(Error::aws("read the connection", "GetItem"))?;
        Ok(answer.item.is_some())
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

    /// The chat's row with its tokens, to revoke them at Salesforce; empty where there is none.
    pub(crate) async fn row(&self, wa_id: &WaId) -> Result<Attributes, Error> {
        let answer = self.get(wa_id).send().await.map_err(Error::aws("read the tokens", "GetItem"))?;
        Ok(answer.item.map(dynamodb::attributes).unwrap_or_default())
    }

    /// Ends the chat's connection and records it, in one transaction; `false` where the row has changed since.
    pub(crate) async fn end(&self, attempts: &AttemptTable, end: &ConnectionEnd<'_>) -> Result<bool, Error> {
        let (tombstone, record, id) = (end.tombstone(), end.record(), end.id().to_string());
        let writes = [
            (&tombstone, &*self.table, (attr::WA_ID, end.wa_id.as_str())),
            (&record, &*attempts.table, (attr::ATTEMPT_ID, &*id)),
        ];
        match dynamodb::transact(&self.writes, writes).await {
            Ok(done) => Ok(matches!(done, Transaction::Done)),
            Err(error) => Err(Error::failed("end the connection", format!("{error}; run it again"))),
        }
    }
}
