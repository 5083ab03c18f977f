//! DynamoDB: the attempt table, as an operator reads and changes it. Lists come from its indexes ([`listing`]).

mod listing;
mod references;

use std::{collections::HashMap, fmt::Write as _};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, KeysAndAttributes},
};
use aws_types::SdkConfig;
use shared::{
    AttemptId, Timestamp, WaId,
    attempt::{Item, UnreadableItem, attr},
    aws::{
        Service,
        dynamodb::{self, Update},
    },
    conditional_write::ConditionalWrite,
    reference,
};

pub(crate) use self::{
    listing::{Of, Wanted, oldest},
    references::KeptReference,
};
use super::writes::writes;
use crate::{
    error::Error,
    records::{Listed, Unreadable},
    report::Progress,
};

type Row = HashMap<String, AttributeValue>;

/// The most items that DynamoDB reads by key in one call.
const BATCH: usize = 100;

/// The table `connection_attempts`.
#[derive(Clone, Debug)]
pub(crate) struct AttemptTable {
    client: Client,
    writes: Service,
    pub(super) table: String,
}

impl AttemptTable {
    pub(crate) fn new(config: &SdkConfig, table: &str) -> Self {
        Self { client: Client::new(config), writes: writes(config), table: table.to_owned() }
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
        let read = answer.item.map(read_attempt).transpose();
        read.map_err(|unreadable| Error::failed("read the attempt", unreadable.why))
    }

    /// Several attempts by their ids; those that do not exist are missing from the result.
    pub(crate) async fn read_many(
        &self,
        ids: &[AttemptId],
    ) -> Result<HashMap<String, Result<Item, Unreadable>>, Error> {
        let keys: Vec<_> = ids.iter().map(AttemptId::to_string).collect();
        let items = self.items(&keys, "read the attempts").await?;
        Ok(items.into_iter().map(|item| (key_of(&item), read_attempt(item))).collect())
    }

    /// Several items by their keys; those that do not exist are missing from the result.
    async fn items(&self, ids: &[String], action: &'static str) -> Result<Vec<Row>, Error> {
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(BATCH) {
            let key = |id: &String| HashMap::from([(attr::ATTEMPT_ID.to_owned(), AttributeValue::S(id.clone()))]);
            let keys = some.iter().map(key).collect();
            let keys = KeysAndAttributes::builder().set_keys(Some(keys)).build();
            let keys = keys.map_err(|error| Error::failed(action, error.to_string()))?;
            let mut wanted = HashMap::from([(self.table.clone(), keys)]);
            while !wanted.is_empty() {
                let request = self.client.batch_get_item().set_request_items(Some(wanted));
                let answer = request.send().await.map_err(Error::aws(action, "BatchGetItem"))?;
                found.extend(answer.responses.unwrap_or_default().into_values().flatten());
                wanted = answer.unprocessed_keys.unwrap_or_default();
            }
        }
        Ok(found)
    }

    /// The latest attempts that are wanted, by reading the whole table; and what cannot be read, which may be of any time
    /// and chat. It also finds rows that no index has.
    pub(crate) async fn scan(&self, wanted: &Wanted, progress: &mut Progress) -> Result<Listed, Error> {
        let mut values = HashMap::from([
            (":since".to_owned(), number(wanted.since)),
            (":until".to_owned(), number(wanted.end())),
            (":number".to_owned(), AttributeValue::S("N".to_owned())),
            (":text".to_owned(), AttributeValue::S("S".to_owned())),
            (":reference".to_owned(), AttributeValue::S(reference::PREFIX.to_owned())),
        ]);
        let mut one_of = |name: &str, texts: Vec<&str>| {
            let names: Vec<String> = (0..texts.len()).map(|place| format!(":{name}{place}")).collect();
            let condition = format!(" AND #{name} IN ({})", names.join(", "));
            values.extend(names.into_iter().zip(texts.into_iter().map(|text| AttributeValue::S(text.to_owned()))));
            condition
        };
        let mut filter = "#updated_at BETWEEN :since AND :until".to_owned();
        match &wanted.of {
            Of::Chat(forms, status) => {
                filter += &one_of("wa_id", forms.iter().map(WaId::as_str).collect());
                filter += &status.map(|status| one_of("status", vec![status.as_str()])).unwrap_or_default();
            }
            Of::Statuses(statuses) => {
                filter += &one_of("status", statuses.iter().map(|status| status.as_str()).collect());
            }
        }
        if wanted.unnotified_only {
            let _ = write!(filter, " AND attribute_not_exists({})", attr::NOTIFIED_AT);
        }
        let foreign = "(NOT attribute_type(#updated_at, :number) OR NOT attribute_type(#status, :text)) AND \
                       NOT begins_with(#attempt_id, :reference)";
        let mut request = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression(format!("({filter}) OR ({foreign})"))
            .expression_attribute_names("#updated_at", attr::UPDATED_AT)
            .expression_attribute_names("#status", attr::STATUS)
            .expression_attribute_names("#attempt_id", attr::ATTEMPT_ID)
            .set_expression_attribute_values(Some(values));
        if matches!(wanted.of, Of::Chat(..)) {
            request = request.expression_attribute_names("#wa_id", attr::WA_ID);
        }
        let mut pages = request.into_paginator().send();
        let mut listed = Listed::default();
        while let Some(page) = pages.next().await {
            let page = page.map_err(Error::aws("scan the attempt table", "Scan"))?;
            listed.rows_read += usize::try_from(page.scanned_count).unwrap_or_default();
            progress.show(listed.rows_read, None);
            for item in page.items.unwrap_or_default() {
                listed.add(read_attempt(item));
            }
            listed.keep_latest(wanted.limit);
        }
        Ok(listed)
    }

    /// How many items of the table an index lacks, because they were written before there was an index or are not this
    /// stack's. DynamoDB counts both about every six hours, so that the number is an estimate.
    ///
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html>
    pub(crate) async fn not_in(&self, index: &str) -> Result<u64, Error> {
        let described = self.client.describe_table().table_name(&self.table).send().await;
        let table = described.map_err(Error::aws("read the table's settings", "DescribeTable"))?.table;
        let counts = table.as_ref().and_then(|table| {
            let index = table.global_secondary_indexes().iter().find(|each| each.index_name() == Some(index))?;
            Some((table.item_count()?, index.item_count()?))
        });
        let (all, indexed) = counts.ok_or_else(|| Error::failed("read the table's settings", "unexpected response"))?;
        Ok(u64::try_from(all - indexed).unwrap_or_default())
    }

    /// Puts the outcome on the stream again; `false` where a later one has replaced it.
    pub(crate) async fn redeliver(&self, attempt_id: AttemptId, redelivery: &ConditionalWrite) -> Result<bool, Error> {
        let key = (attr::ATTEMPT_ID, &*attempt_id.to_string());
        let done = dynamodb::update(&self.writes, &self.table, key, redelivery).await;
        let done = done.map_err(|error| Error::failed("update the attempt", error.to_string()))?;
        Ok(matches!(done, Update::Done(_)))
    }
}

fn text(id: &AttemptId) -> AttributeValue {
    AttributeValue::S(id.to_string())
}

fn number(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.millis().to_string())
}

fn read_attempt(item: HashMap<String, AttributeValue>) -> Result<Item, Unreadable> {
    let key = key_of(&item);
    // `wasf` does not print the scopes of an attempt.
    let item = Item::read(&dynamodb::attributes(item), &[attr::SCOPE]);
    let item = item.map_err(|error| Unreadable { key: key.clone(), why: error.to_string() })?;
    let missing = [(attr::STATUS, item.status.is_none()), (attr::UPDATED_AT, item.updated_at.is_none())];
    match missing.into_iter().find(|(_, is_missing)| *is_missing) {
        Some((name, _)) => Err(Unreadable { key, why: UnreadableItem::Missing(name).to_string() }),
        None => Ok(item),
    }
}

/// The key of an attempt, as it is stored.
fn key_of(item: &HashMap<String, AttributeValue>) -> String {
    match item.get(attr::ATTEMPT_ID) {
        Some(AttributeValue::S(key)) => key.clone(),
        _ => "(no text)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(changes: &[(&str, Option<AttributeValue>)]) -> HashMap<String, AttributeValue> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let mut item = HashMap::from([
            (attr::ATTEMPT_ID.to_owned(), text("07070707070707070707070707070707")),
            (attr::STATUS.to_owned(), text("connected")),
            (attr::UPDATED_AT.to_owned(), AttributeValue::N("1790000000000".to_owned())),
        ]);
        for (name, value) in changes {
            match value {
                Some(value) => item.insert((*name).to_owned(), value.clone()),
                None => item.remove(*name),
            };
        }
        item
    }

    #[test]
    fn an_unreadable_item_is_set_aside_with_its_key_and_the_rest_is_listed() {
        let text = |text: &str| Some(AttributeValue::S(text.to_owned()));
        let mut listed = Listed::default();
        for foreign in [
            item(&[(attr::STATUS, None)]),
            item(&[(attr::UPDATED_AT, text("yesterday"))]),
            item(&[(attr::UPDATED_AT, None)]),
            item(&[(attr::CREATED_AT, text("1790000000000"))]),
            item(&[(attr::WA_ID, text("+15551234567"))]),
            item(&[(attr::ATTEMPT_ID, text("another system's"))]),
        ] {
            listed.add(read_attempt(foreign));
        }
        listed.add(read_attempt(item(&[])));
        assert_eq!((listed.attempts.len(), listed.unreadable.len()), (1, 6));
        assert_eq!(listed.unreadable[0].key, "07070707070707070707070707070707");
        assert_eq!(listed.unreadable[5].key, "another system's");
        assert!(listed.unreadable.iter().all(|item| !item.why.contains("1555") && !item.why.contains("yesterday")));
    }
}
