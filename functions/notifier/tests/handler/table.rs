//! One row of the attempt table that keeps what is written to it, with writes that fail or end their writer.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use fakes::{Answer, Request, Server, attempts::attributes};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use crate::LIMITS;

/// What becomes of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not made.
    Refused,
    /// It is made, and its answer does not say so.
    AnswerLost,
    /// It is made, and the connection breaks, so that the SDK asks again.
    Broken,
    /// It is not made, and whoever asked for it dies.
    DeathBefore,
    /// It is made, and whoever asked for it dies.
    DeathAfter,
}

/// A row behind a server.
#[derive(Clone)]
pub(crate) struct Row {
    item: Arc<Mutex<Map<String, Value>>>,
    /// What the next reads give, instead of what is there.
    old: Arc<Mutex<VecDeque<Map<String, Value>>>>,
    /// The faults of the next writes that set an attribute.
    faults: Arc<Mutex<VecDeque<(&'static str, Fault)>>>,
    death: Arc<Notify>,
}

impl Row {
    /// Puts the row behind the server.
    pub(crate) fn behind(server: &Server, item: &Value) -> Self {
        let Value::Object(item) = attributes(item) else { panic!("an item is an object") };
        let row = Self {
            item: Arc::new(Mutex::new(item)),
            old: Arc::default(),
            faults: Arc::default(),
            death: Arc::default(),
        };
        let (reads, writes) = (row.clone(), row.clone());
        server.on("GetItem", move |_| {
            let old = reads.old.lock().unwrap().pop_front();
            json!({"Item": old.unwrap_or_else(|| reads.item.lock().unwrap().clone())}).into()
        });
        server.on("UpdateItem", move |request| writes.answer(request));
        row
    }

    /// The next so many reads give the row as it is now.
    pub(crate) fn read_late(&self, times: usize) {
        let now = self.item.lock().unwrap().clone();
        self.old.lock().unwrap().extend(std::iter::repeat_n(now, times));
    }

    /// The next so many writes that set this attribute fare so.
    pub(crate) fn next(&self, times: usize, attribute: &'static str, fault: Fault) {
        self.faults.lock().unwrap().extend(std::iter::repeat_n((attribute, fault), times));
    }

    /// Whoever asks the server dies now.
    pub(crate) fn kill(&self) {
        self.death.notify_one();
    }

    /// Waits until somebody dies.
    pub(crate) async fn death(&self) {
        self.death.notified().await;
    }

    /// An attribute as text, if it is there.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let item = self.item.lock().unwrap();
        let value = item.get(name)?.as_object()?.values().next()?;
        value.as_str().map(str::to_owned)
    }

    /// Whether an attribute is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.item.lock().unwrap().contains_key(name)
    }

    /// What somebody else writes, or removes.
    pub(crate) fn put(&self, name: &str, value: Option<&Value>) {
        let mut item = self.item.lock().unwrap();
        match value {
            Some(value) => item.insert(name.to_owned(), value.clone()),
            None => item.remove(name),
        };
    }

    fn answer(&self, request: &Request) -> Answer {
        let update = request.json();
        if update["TableName"] == LIMITS {
            return json!({}).into();
        }
        let expression = update["UpdateExpression"].as_str().unwrap();
        let mut faults = self.faults.lock().unwrap();
        let place = faults.iter().position(|(attribute, _)| expression.contains(&format!("#{attribute} =")));
        let fault = place.and_then(|place| faults.remove(place)).map(|(_, fault)| fault);
        let is_made = !matches!(fault, Some(Fault::Refused | Fault::DeathBefore));
        let mut item = self.item.lock().unwrap();
        let answer = if !is_made || holds(&update, &item) {
            if is_made {
                write(&update, &mut item);
            }
            json!({}).into()
        } else {
            let error = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
            Answer::json(400, &json!({"__type": error, "Item": &*item}))
        };
        match fault {
            Some(Fault::Refused | Fault::AnswerLost) => fakes::aws::error("AccessDeniedException"),
            Some(Fault::DeathBefore | Fault::DeathAfter) => {
                self.kill();
                Answer::Never
            }
            Some(Fault::Broken) => Answer::Lost,
            None => answer,
        }
    }
}

/// The real name of a placeholder, `#name`.
fn name<'a>(update: &'a Value, placeholder: &str) -> &'a str {
    update["ExpressionAttributeNames"][placeholder].as_str().unwrap()
}

fn write(update: &Value, item: &mut Map<String, Value>) {
    let expression = update["UpdateExpression"].as_str().unwrap();
    let (sets, removes) = expression.split_once("REMOVE ").unwrap_or((expression, ""));
    for set in sets.trim().strip_prefix("SET ").unwrap_or_default().split(", #") {
        let (attribute, value) = set.split_once(" = ").unwrap();
        let attribute = name(update, &format!("#{}", attribute.trim_start_matches('#')));
        if let Some((_, added)) = value.split_once(" + ") {
            let number =
                |value: &Value| value["N"].as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
            let sum = number(&item.get(attribute).cloned().unwrap_or_default())
                + number(&update["ExpressionAttributeValues"][added.trim()]);
            item.insert(attribute.to_owned(), json!({"N": sum.to_string()}));
        } else if value.starts_with(':') {
            item.insert(attribute.to_owned(), update["ExpressionAttributeValues"][value.trim()].clone());
        } else if !item.contains_key(attribute) {
            let (_, value) = value.split_once(", ").unwrap();
            let value = update["ExpressionAttributeValues"][value.trim_end_matches(')')].clone();
            item.insert(attribute.to_owned(), value);
        }
    }
    for attribute in removes.split(", ").filter(|attribute| !attribute.is_empty()) {
        item.remove(name(update, attribute));
    }
}

/// Whether a conjunction is true of the item: of `#name = :value`, `attribute_not_exists(#name)`, and of alternatives of
/// these and of `#name <> :value`.
fn holds(update: &Value, item: &Map<String, Value>) -> bool {
    let condition = update["ConditionExpression"].as_str().unwrap();
    let is = |attribute: &str, value: &str| {
        item.get(name(update, attribute)) == Some(&update["ExpressionAttributeValues"][value])
    };
    let is_true = |part: &str| {
        let part = part.trim_matches(['(', ')']);
        if let Some((attribute, value)) = part.split_once(" = ") {
            return is(attribute, value);
        }
        if let Some((attribute, value)) = part.split_once(" <> ") {
            return !is(attribute, value);
        }
        let absent = part.strip_prefix("attribute_not_exists(").unwrap();
        !item.contains_key(name(update, absent))
    };
    condition.split(" AND ").all(|part| part.split(" OR ").any(is_true))
}
