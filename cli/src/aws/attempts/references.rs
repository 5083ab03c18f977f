//! The references that the table of attempts keeps for a chat's links: rows that are no attempts and in no list of them.

use aws_sdk_dynamodb::{error::ProvideErrorMetadata as _, types::AttributeValue};
use shared::{
    Reference, WaId,
    attempt::{attr, index},
    aws::dynamodb,
    reference,
};

use super::{AttemptTable, key_of, listing::no_index};
use crate::error::Error;

const ACTION: &str = "list the references";

/// A reference that is kept for a link.
#[derive(Clone, Debug)]
pub(crate) struct KeptReference {
    /// The row's key, as it is stored.
    pub(crate) key: String,
    /// `None` where the row has gone since it was listed, or has another form.
    pub(crate) reference: Option<Reference>,
}

impl AttemptTable {
    /// The references of the chat's links, the latest first.
    pub(crate) async fn references(&self, wa_id: &WaId) -> Result<Vec<KeptReference>, Error> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index::BY_CHAT)
            .key_condition_expression("#chat = :chat")
            .expression_attribute_names("#chat", attr::WA_ID)
            .expression_attribute_values(":chat", AttributeValue::S(reference::of_chat(wa_id)))
            .scan_index_forward(false)
            .into_paginator()
            .send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| match error.code() {
                Some("ValidationException") => no_index(index::BY_CHAT),
                _ => Error::aws(ACTION, "Query")(error),
            })?;
            keys.extend(page.items.unwrap_or_default().iter().map(key_of));
        }
        let rows: Vec<_> = self.items(&keys, ACTION).await?.into_iter().map(dynamodb::attributes).collect();
        let of = |key: &String| {
            let is_it = |row: &&_| shared::conditional_write::text(row, attr::ATTEMPT_ID) == Some(key);
            Reference::kept_in(rows.iter().find(is_it)?, wa_id)
        };
        Ok(keys.iter().map(|key| KeptReference { key: key.clone(), reference: of(key) }).collect())
    }
}
