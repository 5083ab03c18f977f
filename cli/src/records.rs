//! Attempts and connections, as the tables have them and as `wasf` prints them.

mod attempt;
pub(crate) mod connection;
mod custody;

use serde::Serialize;
use serde_json::{Map, Value, json};
use shared::attempt::Item;

#[cfg(test)]
pub(crate) use self::attempt::tests;
pub(crate) use self::{
    attempt::{attempt_report, attempt_summary, attempt_table, outcome_table},
    connection::Connection,
    custody::{Custody, Form},
};
use crate::{
    error::Exit,
    report::{Report, Table, count},
};

/// What is shown of one row: each field once, as a line for people and as a value for programs.
#[derive(Debug, Default)]
struct Record {
    table: Table,
    json: Map<String, Value>,
}

impl Record {
    /// A field that people and programs get in one form; people get no line without a value.
    fn field(&mut self, label: &str, name: &str, value: Option<impl Serialize + ToString>) {
        self.value(name, &value);
        self.table.field(label, value);
    }

    /// A field that is put into words for people.
    fn worded(&mut self, label: &str, words: Option<impl ToString>, name: &str, value: impl Serialize) {
        self.table.field(label, words);
        self.value(name, value);
    }

    /// A field for programs alone.
    fn value(&mut self, name: &str, value: impl Serialize) {
        self.json.insert(name.to_owned(), json!(value));
    }

    fn report(self, exit: Exit) -> Report {
        Report::new(self.table.text(), Value::Object(self.json), exit)
    }
}

/// An item of the attempt table that is not what this stack writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// Its key, as it is stored.
    pub(crate) key: String,
    /// Which attribute is missing or of another form; never a value.
    pub(crate) why: String,
}

/// A list of attempts.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) attempts: Vec<Item>,
    pub(crate) unreadable: Vec<Unreadable>,
    /// Whether there are earlier ones that the limit has cut off.
    pub(crate) has_more: bool,
    /// How many rows were read for it.
    pub(crate) rows_read: usize,
}

impl Listed {
    pub(crate) fn add(&mut self, read: Result<Item, Unreadable>) {
        match read {
            Ok(item) => self.attempts.push(item),
            Err(unreadable) => self.unreadable.push(unreadable),
        }
    }

    /// Sorts the attempts, the latest first, and drops what is more than the limit.
    pub(crate) fn keep_latest(&mut self, limit: usize) {
        self.attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.updated_at));
        self.has_more |= self.attempts.len() > limit;
        self.attempts.truncate(limit);
    }
}

/// Says that a list from an index is not complete, or may not be: nothing where it is, as far as DynamoDB knows.
pub(crate) fn not_indexed_text(index: &str, items: Option<u64>) -> String {
    match items {
        Some(0) => String::new(),
        Some(items) => format!(
            "Not listed: {} of the table that the index {index} lacks, being older than it or unreadable (as DynamoDB \
             counted within the last six hours). --scan finds them.\n",
            count(usize::try_from(items).unwrap_or(usize::MAX), "item")
        ),
        None => format!(
            "The list may not be complete: how many items the index {index} lacks is not known (dynamodb:DescribeTable). \
             --scan reads the whole table.\n"
        ),
    }
}

/// The items that could not be read, below a list; empty where there are none.
pub(crate) fn unreadable_text(items: &[Unreadable]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let mut table = Table::with_header(["UNREADABLE", "WHY"]);
    for Unreadable { key, why } in items {
        table.row([key.clone(), why.clone()]);
    }
    format!("\n{}", table.text())
}

/// The same for programs.
pub(crate) fn unreadable_json(items: &[Unreadable]) -> Value {
    items.iter().map(|Unreadable { key, why }| json!({"attempt_id": key, "why": why})).collect()
}

/// A row of a table for tests: these values, and what is changed of them.
#[cfg(test)]
fn stored(row: &Value, changes: &Value) -> shared::conditional_write::Attributes {
    use shared::conditional_write::Value as Stored;
    let stored = |value: &Value| match value {
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => number.as_u64().unwrap_or_default().into(),
        _ => Stored::Other,
    };
    let fields = [row, changes].into_iter().filter_map(Value::as_object).flatten();
    fields.map(|(name, value)| (name.clone(), stored(value))).collect()
}
