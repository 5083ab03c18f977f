//! Items of a table, and conditional writes to them, as data.
//!
//! A write is defined once and used twice: `aws::dynamodb` sends it as expressions, and [`ConditionalWrite::apply`]
//! carries it out in memory, so that the model of the protocol checks the very writes that are sent. It knows no table
//! and no attribute.

mod decimal;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    fmt,
};

pub use self::decimal::Decimal;
use crate::Timestamp;

/// The value of an attribute: a string, a number, or a flag. Equal numbers are equal values.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// S.
    Text(String),
    /// N: a count or time.
    Number(u64),
    /// N: any other number. It is read and compared, and never written.
    Decimal(Decimal),
    /// BOOL.
    Flag(bool),
    /// Any other type. It is read, and never written.
    Other,
}

/// The attributes of an item; none where there is no item.
pub type Attributes = BTreeMap<String, Value>;

/// What must be true of an item. An attribute that is absent is equal to nothing and below nothing, as in DynamoDB.
/// Comparisons whose result on absent attributes DynamoDB does not document are not offered.
#[derive(Clone)]
pub enum Condition {
    /// It has no such attribute.
    Absent(&'static str),
    /// The attribute has this value.
    Is(&'static str, Value),
    /// The attribute has another value, or is absent.
    IsNot(&'static str, Value),
    /// The attribute is a smaller number.
    Below(&'static str, u64),
    /// The attribute is a greater number.
    Above(&'static str, u64),
    /// The attribute is of another type than a number, or absent: it compares with no number.
    NotNumber(&'static str),
    /// The attribute is of another type than a string, empty, or absent.
    NoText(&'static str),
    /// One of these is true.
    Any(Vec<Condition>),
    /// All of these are true.
    All(Vec<Condition>),
}

/// An update of one item, made where a condition holds.
#[derive(Clone)]
pub struct ConditionalWrite {
    condition: Condition,
    sets: BTreeMap<&'static str, (When, Value)>,
    removes: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    WhereAbsent,
    /// Added to the number that is there, or to zero.
    Added,
}

/// A write as DynamoDB's expressions: `#name` stands for the attribute `name`, `:name` for its new value, and `:if0`,
/// `:if1` … for the values of the condition.
#[derive(Clone)]
pub struct Expressions {
    /// The update expression.
    pub update: String,
    /// The condition expression.
    pub condition: String,
    /// The attribute that each `#name` stands for.
    pub names: HashMap<String, String>,
    /// The value that each `:name` stands for.
    pub values: HashMap<String, Value>,
}

impl ConditionalWrite {
    /// A write that is made where the condition holds.
    #[must_use]
    pub fn only_if(condition: Condition) -> Self {
        Self { condition, sets: BTreeMap::new(), removes: Vec::new() }
    }

    /// Sets an attribute.
    #[must_use]
    pub fn set(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.sets.insert(name, (When::Always, value.into()));
        self
    }

    /// Sets an attribute where it is absent.
    #[must_use]
    pub fn set_once(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.sets.insert(name, (When::WhereAbsent, value.into()));
        self
    }

    /// Adds to a number; an absent one counts as zero.
    #[must_use]
    pub fn add(mut self, name: &'static str, number: u64) -> Self {
        self.sets.insert(name, (When::Added, number.into()));
        self
    }

    /// Whether the condition holds for this item.
    #[must_use]
    pub fn is_allowed(&self, item: &Attributes) -> bool {
        self.condition.holds(item)
    }

    /// Whether it changes nothing, and only checks its condition.
    #[must_use]
    pub fn only_checks(&self) -> bool {
        self.sets.is_empty() && self.removes.is_empty()
    }

    /// Sets an attribute, or removes it.
    #[must_use]
    pub fn set_or_remove(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self.remove([name]),
        }
    }

    /// Removes attributes.
    #[must_use]
    pub fn remove<const N: usize>(mut self, names: [&'static str; N]) -> Self {
        self.removes.extend(names);
        self
    }

    /// This write, with what an earlier one would have changed that was not made: under this one's condition alone.
    #[must_use]
    pub fn after(mut self, earlier: Self) -> Self {
        for (name, set) in earlier.sets {
            if !self.removes.contains(&name) {
                self.sets.entry(name).or_insert(set);
            }
        }
        for name in earlier.removes {
            if !self.sets.contains_key(name) && !self.removes.contains(&name) {
                self.removes.push(name);
            }
        }
        self
    }

    /// Writes to an item in memory; `false` where the condition does not hold.
    pub fn apply(&self, item: &mut Attributes) -> bool {
        if !self.condition.holds(item) {
            return false;
        }
        for (name, (when, value)) in &self.sets {
            let before = item.get(*name);
            let value = match (when, before) {
                (When::WhereAbsent, Some(_)) => continue,
                (When::Added, Some(Value::Number(before))) => {
                    before.saturating_add(value.as_number().unwrap_or_default()).into()
                }
                _ => value.clone(),
            };
            item.insert((*name).to_owned(), value);
        }
        for name in &self.removes {
            item.remove(*name);
        }
        true
    }

    /// The write as DynamoDB's expressions.
    #[must_use]
    pub fn expressions(&self) -> Expressions {
        let mut expressions = Expressions {
            update: String::new(),
            condition: String::new(),
            names: HashMap::new(),
            values: HashMap::new(),
        };
        expressions.condition = expressions.condition(&self.condition);
        let mut sets = Vec::new();
        for (name, (when, value)) in &self.sets {
            let attribute = expressions.name(name);
            expressions.values.insert(format!(":{name}"), value.clone());
            sets.push(match when {
                When::Always => format!("{attribute} = :{name}"),
                When::WhereAbsent => format!("{attribute} = if_not_exists({attribute}, :{name})"),
                When::Added => {
                    expressions.values.insert(":zero".to_owned(), 0.into());
                    format!("{attribute} = if_not_exists({attribute}, :zero) + :{name}")
                }
            });
        }
        let removes: Vec<_> = self.removes.iter().map(|name| expressions.name(name)).collect();
        let clause = |word: &str, parts: &[String]| (!parts.is_empty()).then(|| format!("{word} {}", parts.join(", ")));
        let clauses: Vec<_> = [clause("SET", &sets), clause("REMOVE", &removes)].into_iter().flatten().collect();
        expressions.update = clauses.join(" ");
        expressions
    }
}

impl Expressions {
    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#{name}");
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, value: &Value) -> String {
        let count = self.values.len();
        let placeholder = format!(":if{count}");
        self.values.insert(placeholder.clone(), value.clone());
        placeholder
    }

    fn condition(&mut self, condition: &Condition) -> String {
        match condition {
            Condition::Absent(name) => format!("attribute_not_exists({})", self.name(name)),
            Condition::Is(name, value) => format!("{} = {}", self.name(name), self.value(value)),
            Condition::IsNot(name, value) => {
                let (name, value) = (self.name(name), self.value(value));
                format!("(attribute_not_exists({name}) OR {name} <> {value})")
            }
            Condition::Below(name, number) => format!("{} < {}", self.name(name), self.value(&Value::Number(*number))),
            Condition::Above(name, number) => format!("{} > {}", self.name(name), self.value(&Value::Number(*number))),
            Condition::NotNumber(name) => {
                let (name, number) = (self.name(name), self.value(&"N".into()));
                format!("(attribute_not_exists({name}) OR NOT attribute_type({name}, {number}))")
            }
            Condition::NoText(name) => {
                let (name, text, empty) = (self.name(name), self.value(&"S".into()), self.value(&"".into()));
                format!("(attribute_not_exists({name}) OR NOT attribute_type({name}, {text}) OR {name} = {empty})")
            }
            Condition::Any(conditions) => self.joined(conditions, " OR "),
            Condition::All(conditions) => self.joined(conditions, " AND "),
        }
    }

    fn joined(&mut self, conditions: &[Condition], word: &str) -> String {
        let parts: Vec<_> = conditions.iter().map(|condition| self.condition(condition)).collect();
        format!("({})", parts.join(word))
    }
}

impl Condition {
    /// Whether it is true of this item.
    #[must_use]
    pub fn holds(&self, item: &Attributes) -> bool {
        match self {
            Self::Absent(name) => !item.contains_key(*name),
            Self::Is(name, value) => item.get(*name) == Some(value),
            Self::IsNot(name, value) => item.get(*name) != Some(value),
            Self::Below(name, number) => compare(item, name, *number) == Some(Ordering::Less),
            Self::Above(name, number) => compare(item, name, *number) == Some(Ordering::Greater),
            Self::NotNumber(name) => !matches!(item.get(*name), Some(Value::Number(_) | Value::Decimal(_))),
            Self::NoText(name) => !matches!(item.get(*name), Some(Value::Text(text)) if !text.is_empty()),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(item)),
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(item)),
        }
    }
}

/// A text of an item; `None` where it is absent, empty, or of another type.
#[must_use]
pub fn text<'a>(item: &'a Attributes, name: &str) -> Option<&'a str> {
    item.get(name).and_then(Value::as_text).filter(|text| !text.is_empty())
}

/// How the attribute compares with a number; `None` where it is none.
fn compare(item: &Attributes, name: &str, number: u64) -> Option<Ordering> {
    match item.get(name)? {
        Value::Number(own) => Some(own.cmp(&number)),
        Value::Decimal(own) => Some(own.cmp(&number.into())),
        Value::Text(_) | Value::Flag(_) | Value::Other => None,
    }
}

impl Value {
    /// A number as DynamoDB writes it.
    #[must_use]
    pub fn number(text: &str) -> Self {
        let Some(decimal) = Decimal::parse(text) else { return Self::Other };
        decimal.as_u64().map_or(Self::Decimal(decimal), Self::Number)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Decimal(_) | Self::Flag(_) | Self::Other => None,
        }
    }

    /// The point in time, if it can be one.
    #[must_use]
    pub const fn as_time(&self) -> Option<Timestamp> {
        match self {
            Self::Number(millis) => Some(Timestamp::from_millis(*millis)),
            Self::Text(_) | Self::Decimal(_) | Self::Flag(_) | Self::Other => None,
        }
    }

    /// The number, if it is a count or time.
    #[must_use]
    pub const fn as_number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) | Self::Decimal(_) | Self::Flag(_) | Self::Other => None,
        }
    }

    /// The flag, if it is one.
    #[must_use]
    pub const fn as_flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Text(_) | Self::Number(_) | Self::Decimal(_) | Self::Other => None,
        }
    }
}

/// The kind alone: values can be tokens and addresses.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Text(_) => "Text",
            Self::Number(_) => "Number",
            Self::Decimal(_) => "Decimal",
            Self::Flag(_) => "Flag",
            Self::Other => "Other",
        };
        f.debug_struct(kind).finish_non_exhaustive()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// In milliseconds since the epoch.
impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Self::Number(time.millis())
    }
}

#[cfg(test)]
mod tests;
