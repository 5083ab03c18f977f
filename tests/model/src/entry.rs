//! Values of attributes that can be hashed and sorted.

use std::{collections::BTreeMap, fmt};

use shared::conditional_write::Value;

/// The value of an attribute.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    /// S.
    Text(String),
    /// N.
    Number(u64),
    /// BOOL.
    Flag(bool),
    /// Anything else.
    Other,
}

/// Attributes.
pub type Entries = BTreeMap<String, Entry>;

impl From<Value> for Entry {
    fn from(value: Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text),
            Value::Number(number) => Self::Number(number),
            Value::Flag(flag) => Self::Flag(flag),
            Value::Decimal(_) | Value::Other => Self::Other,
        }
    }
}

impl From<&Entry> for Value {
    fn from(entry: &Entry) -> Self {
        match entry {
            Entry::Text(text) => Self::Text(text.clone()),
            Entry::Number(number) => Self::Number(*number),
            Entry::Flag(flag) => Self::Flag(*flag),
            Entry::Other => Self::Other,
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Other => f.write_str("other"),
        }
    }
}
