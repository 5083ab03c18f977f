//! DynamoDB's conditional writes on tables in memory: the expressions that the functions send, and no others.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value, json};

use crate::{Answer, Server, aws};

type Item = Map<String, Value>;

/// Tables in memory, by their name and the value of the key.
#[derive(Clone, Default)]
pub struct Tables(Arc<Mutex<HashMap<(String, String), Item>>>, Arc<Mutex<Course>>);

/// What happens to the requests that come.
#[derive(Default)]
struct Course {
    reads: usize,
    writes: usize,
    /// After so many writes none is taken.
    limit: Option<usize>,
    before: Vec<(Kind, usize, Hook)>,
}

type Hook = Box<dyn FnOnce(&Tables) + Send>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

impl Tables {
    /// Empty tables, behind this server.
    #[must_use]
    pub fn on(server: &Server) -> Self {
        let tables = Self::default();
        let (reads, updates, transactions) = (tables.clone(), tables.clone(), tables.clone());
        server.on("GetItem", move |request| reads.read(&request.json()));
        server.on("UpdateItem", move |request| updates.update(&request.json()));
        server.on("TransactWriteItems", move |request| transactions.transact(&request.json()));
        let (pages, sizes) = (tables.clone(), tables.clone());
        server.on("Scan", move |request| pages.scan(&request.json()));
        server.on("DescribeTable", move |request| sizes.describe(&request.json()));
        tables
    }

    /// Takes so many more writes, and refuses those after them.
    pub fn take_writes(&self, more: usize) {
        let mut course = self.course();
        course.limit = Some(course.writes + more);
    }

    /// Takes every write again.
    pub fn take_all_writes(&self) {
        self.course().limit = None;
    }

    /// Does this when the so-many-th write from the beginning comes, before it is carried out: somebody else was faster.
    pub fn before_write(&self, number: usize, act: impl FnOnce(&Self) + Send + 'static) {
        self.course().before.push((Kind::Write, number, Box::new(act)));
    }

    /// The same when a read comes.
    pub fn before_read(&self, number: usize, act: impl FnOnce(&Self) + Send + 'static) {
        self.course().before.push((Kind::Read, number, Box::new(act)));
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request; `false` where it is refused.
    fn takes(&self, kind: Kind) -> bool {
        let (acts, is_taken) = {
            let mut course = self.course();
            let number = match kind {
                Kind::Read => &mut course.reads,
                Kind::Write => &mut course.writes,
            };
            *number += 1;
            let number = *number;
            let (now, later) =
                std::mem::take(&mut course.before).into_iter().partition(|(of, at, _)| (*of, *at) == (kind, number));
            course.before = later;
            let acts: Vec<(Kind, usize, Hook)> = now;
            (acts, kind == Kind::Read || course.limit.is_none_or(|limit| number <= limit))
        };
        for (_, _, act) in acts {
            act(self);
        }
        is_taken
    }

    /// The items of a table.
    #[must_use]
    pub fn items(&self, table: &str) -> Vec<Value> {
        let items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        items.iter().filter(|((name, _), _)| name == table).map(|(_, item)| Value::Object(item.clone())).collect()
    }

    /// The item with this key; `null` where there is none.
    #[must_use]
    pub fn item(&self, table: &str, key: &str) -> Value {
        let items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        items.get(&(table.to_owned(), key.to_owned())).map_or(Value::Null, |item| Value::Object(item.clone()))
    }

    /// Replaces an item.
    pub fn put(&self, table: &str, key: &str, item: Value) {
        let Value::Object(item) = item else { panic!("an item is an object") };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((table.to_owned(), key.to_owned()), item);
    }

    fn read(&self, request: &Value) -> Answer {
        self.takes(Kind::Read);
        match self.item(&text(&request["TableName"]), &key(request)) {
            Value::Null => json!({}).into(),
            item => json!({ "Item": item }).into(),
        }
    }

    /// A page of a segment, in the order of the keys; a key belongs to a segment by the sum of its bytes.
    fn scan(&self, request: &Value) -> Answer {
        let items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let table = text(&request["TableName"]);
        let (segment, segments) = (request["Segment"].as_u64().unwrap(), request["TotalSegments"].as_u64().unwrap());
        let limit = usize::try_from(request["Limit"].as_u64().unwrap()).unwrap();
        let start = request["ExclusiveStartKey"].as_object().map(|key| text(&key.values().next().unwrap()["S"]));
        let mut found: Vec<_> = items
            .iter()
            .filter(|((name, key), _)| *name == table && key.bytes().map(u64::from).sum::<u64>() % segments == segment)
            .filter(|((_, key), _)| start.as_ref().is_none_or(|start| key > start))
            .collect();
        found.sort_by_key(|((_, key), _)| key);
        let names = request["ExpressionAttributeNames"].as_object().unwrap();
        let projection = text(&request["ProjectionExpression"]);
        let projected: Vec<_> = projection.split(',').map(|name| names[name].as_str().unwrap()).collect();
        let page = || found.iter().take(limit);
        let project = |item: &Item| {
            let kept = item.iter().filter(|(name, _)| projected.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
        };
        let mut answer = json!({ "Items": page().map(|(_, item)| project(item)).collect::<Vec<_>>() });
        if found.len() > limit {
            let key = &page().next_back().unwrap().0.1;
            let name = request["ExclusiveStartKey"].as_object().and_then(|key| key.keys().next());
            answer["LastEvaluatedKey"] = json!({ name.map_or("wa_id", String::as_str): { "S": key } });
        }
        answer.into()
    }

    /// Each item is taken to have a kilobyte.
    fn describe(&self, request: &Value) -> Answer {
        let items = self.items(&text(&request["TableName"])).len();
        json!({ "Table": { "ItemCount": items, "TableSizeBytes": items * 1024 } }).into()
    }

    fn update(&self, request: &Value) -> Answer {
        if !self.takes(Kind::Write) {
            return aws::error("ResourceNotFoundException");
        }
        let mut items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (text(&request["TableName"]), key(request));
        let before = items.get(&place).cloned().unwrap_or_default();
        if !holds(request, &before) {
            let name = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
            let item = if before.is_empty() { Value::Null } else { before.into() };
            return Answer::json(400, &json!({ "__type": name, "Item": item }));
        }
        items.insert(place, after(request, before.clone()));
        json!({ "Attributes": before }).into()
    }

    /// Makes a transaction; what the service answers.
    #[must_use]
    pub fn transact(&self, request: &Value) -> Answer {
        if !self.takes(Kind::Write) {
            return aws::error("ResourceNotFoundException");
        }
        let mut items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let writes: Vec<_> = request["TransactItems"].as_array().unwrap().iter().collect();
        let parts: Vec<_> = writes
            .iter()
            .map(|write| write.get("Update").map_or((&write["ConditionCheck"], false), |update| (update, true)))
            .map(|(part, changes)| (part, changes, (text(&part["TableName"]), key(part))))
            .collect();
        let hold: Vec<_> =
            parts.iter().map(|(part, _, place)| holds(part, &items.get(place).cloned().unwrap_or_default())).collect();
        if hold.contains(&false) {
            let reasons: Vec<_> = hold
                .iter()
                .map(|holds| json!({ "Code": if *holds { "None" } else { "ConditionalCheckFailed" } }))
                .collect();
            let name = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
            return Answer::json(400, &json!({ "__type": name, "CancellationReasons": reasons }));
        }
        for (part, _, place) in parts.into_iter().filter(|(_, changes, _)| *changes) {
            let before = items.get(&place).cloned().unwrap_or_default();
            items.insert(place, after(part, before));
        }
        json!({}).into()
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").finish_non_exhaustive()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn key(request: &Value) -> String {
    text(&request["Key"].as_object().unwrap().values().next().unwrap()["S"])
}

fn holds(request: &Value, item: &Item) -> bool {
    let Some(condition) = request["ConditionExpression"].as_str() else { return true };
    let tokens = tokens(condition);
    let mut reader = Reader { tokens: &tokens, request, item };
    let holds = reader.any();
    assert!(reader.tokens.is_empty(), "{condition}");
    holds
}

fn after(request: &Value, mut item: Item) -> Item {
    for (name, value) in request["Key"].as_object().unwrap() {
        item.insert(name.clone(), value.clone());
    }
    let tokens = tokens(request["UpdateExpression"].as_str().unwrap());
    let before = item.clone();
    let mut written = Vec::new();
    let mut reader = Reader { tokens: &tokens, request, item: &before };
    if reader.takes("SET") {
        loop {
            let name = reader.name();
            assert!(reader.takes("="));
            let mut value = reader.operand().unwrap();
            if reader.takes("+") {
                let sum = number(&value).expect("DynamoDB adds to numbers alone")
                    + number(&reader.operand().unwrap()).unwrap();
                value = json!({ "N": sum.to_string() });
            }
            item.insert(name.clone(), value);
            written.push(name);
            if !reader.takes(",") {
                break;
            }
        }
    }
    if reader.takes("REMOVE") {
        loop {
            let name = reader.name();
            assert!(!written.contains(&name), "two document paths overlap: {name}");
            item.remove(&name);
            if !reader.takes(",") {
                break;
            }
        }
    }
    assert!(reader.tokens.is_empty());
    item
}

fn tokens(expression: &str) -> Vec<String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace(',', " , ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

fn number(value: &Value) -> Option<u64> {
    value["N"].as_str()?.parse().ok()
}

/// Reads an expression from its beginning.
struct Reader<'a> {
    tokens: &'a [String],
    request: &'a Value,
    item: &'a Item,
}

impl Reader<'_> {
    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.tokens.first().is_some_and(|token| token == word);
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    fn next(&mut self) -> String {
        let (first, rest) = self.tokens.split_first().unwrap();
        self.tokens = rest;
        first.clone()
    }

    fn name(&mut self) -> String {
        let placeholder = self.next();
        text(&self.request["ExpressionAttributeNames"][&placeholder])
    }

    fn operand(&mut self) -> Option<Value> {
        if self.takes("if_not_exists") {
            assert!(self.takes("("));
            let stored = self.operand();
            assert!(self.takes(","));
            let other = self.operand();
            assert!(self.takes(")"));
            return stored.or(other);
        }
        if self.tokens[0].starts_with(':') {
            let placeholder = self.next();
            return Some(self.request["ExpressionAttributeValues"][&placeholder].clone());
        }
        let name = self.name();
        self.item.get(&name).cloned()
    }

    fn any(&mut self) -> bool {
        let mut holds = self.all();
        while self.takes("OR") {
            holds |= self.all();
        }
        holds
    }

    fn all(&mut self) -> bool {
        let mut holds = self.one();
        while self.takes("AND") {
            holds &= self.one();
        }
        holds
    }

    fn one(&mut self) -> bool {
        if self.takes("NOT") {
            return !self.one();
        }
        if self.takes("(") {
            let holds = self.any();
            assert!(self.takes(")"));
            return holds;
        }
        if self.takes("attribute_not_exists") {
            assert!(self.takes("("));
            let stored = self.operand();
            assert!(self.takes(")"));
            return stored.is_none();
        }
        if self.takes("attribute_type") {
            assert!(self.takes("("));
            let stored = self.operand();
            assert!(self.takes(","));
            let of_type = self.operand().unwrap();
            assert!(self.takes(")"));
            return stored.is_some_and(|stored| stored.get(of_type["S"].as_str().unwrap()).is_some());
        }
        let left = self.operand();
        let comparison = self.next();
        let right = self.operand();
        let (Some(left), Some(right)) = (left, right) else { return false };
        match comparison.as_str() {
            "=" => left == right,
            "<>" => left != right,
            "<" => number(&left).zip(number(&right)).is_some_and(|(left, right)| left < right),
            ">" => number(&left).zip(number(&right)).is_some_and(|(left, right)| left > right),
            other => panic!("unknown comparison {other}"),
        }
    }
}
