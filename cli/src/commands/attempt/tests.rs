//! Lists of attempts, against an index of DynamoDB's on a local port. It knows no `Scan` unless a test adds it.

use std::sync::Arc;

use fakes::{Answer, Request, Server};
use serde_json::Value as Json;
use shared::attempt::index;

use super::*;
use crate::{
    args::Chat,
    local::LocalCloud,
    records::{Unreadable, tests::attempt},
};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const MINUTE: u64 = 60_000;

/// A row of an index: its partition, the number that its id is made of, and how many minutes ago it was updated.
#[derive(Clone, Debug)]
struct Row {
    partition: String,
    id: u8,
    minutes_ago: u64,
    status: Status,
}

impl Row {
    fn by_status(id: u8, minutes_ago: u64, status: Status) -> Self {
        let partition = index::status_day(AttemptId::from_bytes([id; 16]), status, updated_at(minutes_ago));
        Self { partition, id, minutes_ago, status }
    }

    fn of_chat(partition: &str, id: u8, minutes_ago: u64, status: Status) -> Self {
        Self { partition: partition.to_owned(), id, minutes_ago, status }
    }

    fn item(&self) -> Json {
        json!({
            "attempt_id": {"S": AttemptId::from_bytes([self.id; 16]).to_string()},
            "wa_id": {"S": "whatsapp:+15551234567"},
            "status": {"S": self.status.as_str()},
            "updated_at": {"N": updated_at(self.minutes_ago).millis().to_string()},
        })
    }
}

fn updated_at(minutes_ago: u64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() - minutes_ago * MINUTE)
}

struct World {
    server: Server,
    attempts: AttemptTable,
}

impl World {
    /// An index with these rows, of a table with so many more items.
    async fn of(rows: Vec<Row>, not_indexed: usize) -> Self {
        let server = Server::start().await;
        let in_index = rows.len();
        let described: Vec<_> = [index::BY_CHAT, index::BY_STATUS]
            .iter()
            .map(|name| json!({"IndexName": name, "ItemCount": in_index}))
            .collect();
        server.on("DescribeTable", move |_| {
            json!({"Table": {"ItemCount": in_index + not_indexed, "GlobalSecondaryIndexes": described}}).into()
        });
        let rows = Arc::new(rows);
        server.on("Query", move |request| query(&rows, &request.json()).into());
        let local = LocalCloud {
            endpoint: server.url().to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: "id".to_owned(),
            secret_access_key: "key".to_owned(),
        };
        let aws = crate::aws::config(None, None, Some(&local)).await.unwrap();
        Self { server, attempts: AttemptTable::new(&aws, "connection_attempts") }
    }

    async fn list(&self, args: AttemptList) -> Report {
        list(&self.attempts, args, NOW).await.unwrap()
    }

    fn queries(&self) -> Vec<Json> {
        self.server.requests("Query").iter().map(Request::json).collect()
    }

    /// The partitions that were read, each once.
    fn partitions(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.queries().iter().map(|query| text(query, ":key").to_owned()).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

/// What DynamoDB answers a query of rows that are sorted by their time, with an optional filter by status.
fn query(rows: &[Row], query: &Json) -> Json {
    let number =
        |name: &str| -> u64 { query["ExpressionAttributeValues"][name]["N"].as_str().unwrap().parse().unwrap() };
    let (since, until) = (number(":since"), number(":until"));
    let mut found: Vec<_> = rows.iter().filter(|row| row.partition == text(query, ":key")).collect();
    found.sort_by_key(|row| (row.minutes_ago, row.id));
    let after = query["ExclusiveStartKey"]["attempt_id"]["S"].as_str();
    let begin = after.map_or(0, |id| found.iter().position(|row| row.item()["attempt_id"]["S"] == id).unwrap() + 1);
    let in_time = |row: &&&Row| (since..=until).contains(&updated_at(row.minutes_ago).millis());
    let limit = usize::try_from(query["Limit"].as_u64().unwrap()).unwrap();
    assert!(limit > 0, "DynamoDB refuses a query with the limit 0");
    let page: Vec<_> = found[begin..].iter().filter(in_time).take(limit).collect();
    let status = query["ExpressionAttributeValues"][":status"]["S"].as_str();
    let items: Vec<_> = page
        .iter()
        .filter(|row| status.is_none_or(|status| row.status.as_str() == status))
        .map(|row| row.item())
        .collect();
    let mut answer = json!({"Items": items, "Count": items.len(), "ScannedCount": page.len()});
    if let Some(last) = page.last().filter(|_| page.len() == limit) {
        answer["LastEvaluatedKey"] = last.item();
    }
    answer
}

fn text<'a>(query: &'a Json, value: &str) -> &'a str {
    query["ExpressionAttributeValues"][value]["S"].as_str().unwrap()
}

fn args() -> AttemptList {
    AttemptList { chat: None, status: None, since: None, until: None, limit: 100, scan: false }
}

fn of_chat(chat: &str) -> AttemptList {
    AttemptList { chat: Some(chat.parse::<Chat>().unwrap()), ..args() }
}

fn listed(report: &Report) -> Vec<u8> {
    let ids = report.json["attempts"].as_array().unwrap().iter();
    ids.map(|attempt| u8::from_str_radix(&attempt["attempt_id"].as_str().unwrap()[..2], 16).unwrap()).collect()
}

#[tokio::test]
async fn a_list_is_of_the_latest_whatever_partition_they_are_in() {
    let rows = (1..=40).map(|id| Row::by_status(id, id.into(), Status::Failed)).collect();
    let world = World::of(rows, 0).await;
    let report = world.list(AttemptList { status: Some(StatusArg::Failed), limit: 5, ..args() }).await;
    assert_eq!(listed(&report), [1, 2, 3, 4, 5]);
    assert_eq!((&report.json["more"], &report.json["not_indexed"]), (&json!(true), &json!(0)));
    assert!(!report.text.contains("Not listed"), "{}", report.text);
}

#[tokio::test]
async fn a_list_reads_little_more_than_it_shows_however_many_there_are() {
    let rows = (0..=u8::MAX).map(|id| Row::by_status(id, u64::from(id) / 3, Status::Connected)).collect();
    let world = World::of(rows, 0).await;
    let report = world.list(AttemptList { status: Some(StatusArg::Connected), limit: 8, ..args() }).await;
    assert_eq!(world.partitions().len(), 8);
    let read = report.json["rows_read"].as_u64().unwrap();
    assert!(read <= 2 * 8, "{read} rows were read for 8");
}

#[tokio::test]
async fn no_day_is_asked_for_whose_attempts_have_all_been_deleted() {
    let world = World::of(vec![Row::by_status(1, 1, Status::Failed)], 0).await;
    let since = Some("1970-01-01T00:00:00Z".parse().unwrap());
    let report = world.list(AttemptList { status: Some(StatusArg::Failed), since, ..args() }).await;
    assert_eq!(listed(&report), [1]);
    assert_eq!(world.queries().len(), 8 * 101, "the retention, and some days until DynamoDB deletes what has expired");
    assert!(report.text.contains("expire after 90 days"), "{}", report.text);
}

/// Each partition has given its share when the fullest has later rows than the others' last.
#[tokio::test]
async fn the_latest_are_all_found_where_one_partition_has_nearly_all_of_them() {
    let full = (1..=31).map(|number: u8| 8 * number).map(|id| (id, u64::from(id)));
    let others =
        (1..=7_u8).flat_map(|shard| (0..8_u8).map(move |number| (shard + 8 * number, 700 + u64::from(number))));
    let rows = full.chain(others).map(|(id, ago)| Row::by_status(id, ago, Status::Failed)).collect();
    let world = World::of(rows, 0).await;
    let since = Some(When::Ago(Duration::from_hours(14)));
    let report = world.list(AttemptList { status: Some(StatusArg::Failed), since, limit: 20, ..args() }).await;
    assert_eq!(listed(&report), (1..=20).map(|number: u8| 8 * number).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_number_is_looked_for_with_and_without_its_plus() {
    let forms = ["whatsapp:+15551234567", "whatsapp:15551234567"];
    let rows = vec![
        Row::of_chat(forms[0], 1, 10, Status::Failed),
        Row::of_chat(forms[1], 2, 20, Status::Connected),
        Row::of_chat(forms[0], 3, 30, Status::Failed),
        Row::of_chat("whatsapp:+15550000000", 4, 5, Status::Failed),
    ];
    for (chat, found) in [("+1 (555) 123-4567", vec![1, 2, 3]), ("15551234567", vec![1, 2, 3]), (forms[1], vec![2])] {
        let world = World::of(rows.clone(), 0).await;
        let report = world.list(of_chat(chat)).await;
        assert_eq!(listed(&report), found, "{chat}");
        assert!(!report.text.contains("5551234567") && !report.json.to_string().contains("5551234567"));
    }
}

#[tokio::test]
async fn a_status_of_a_chat_is_found_behind_many_others_in_few_pages() {
    let chat = "whatsapp:+15551234567";
    let mut rows: Vec<_> = (0..200).map(|id| Row::of_chat(chat, id, id.into(), Status::Failed)).collect();
    rows.push(Row::of_chat(chat, 250, 250, Status::Connected));
    let world = World::of(rows, 0).await;
    let report = world.list(AttemptList { status: Some(StatusArg::Connected), limit: 1, ..of_chat(chat) }).await;
    assert_eq!(listed(&report), [250]);
    assert!(world.queries().len() < 8, "{} pages", world.queries().len());
}

#[tokio::test]
async fn only_what_was_updated_in_the_time_asked_for_is_listed() {
    let rows = [10, 70, 130].map(|minutes| Row::by_status(minutes, minutes.into(), Status::Failed)).into();
    let world = World::of(rows, 0).await;
    let time = |minutes_ago| Some(When::At(updated_at(minutes_ago)));
    let between = world.list(AttemptList { since: time(80), until: time(60), ..args() }).await;
    assert_eq!(listed(&between), [70]);
    assert!(between.text.contains(" between 2026-09-21T12:53:20Z and 2026-09-21T13:13:20Z."), "{}", between.text);
    let before = world.list(AttemptList { until: Some(When::Ago(Duration::from_hours(1))), ..args() }).await;
    assert_eq!(listed(&before), [70, 130], "two hours before the end");
    let error =
        list(&world.attempts, AttemptList { since: time(60), until: time(80), ..args() }, NOW).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
}

/// It was read under its old status, and then under its new one.
#[tokio::test]
async fn a_row_that_moves_while_it_is_read_is_listed_once_as_it_is_now() {
    let rows = vec![
        Row::by_status(1, 2, Status::Exchanging),
        Row::by_status(1, 1, Status::Connected),
        Row::by_status(2, 3, Status::Failed),
    ];
    let report = World::of(rows, 0).await.list(args()).await;
    assert_eq!(listed(&report), [1, 2]);
    assert_eq!(report.json["attempts"][0]["status"], "connected");
}

#[tokio::test]
async fn a_list_that_lacks_items_without_an_index_says_so() {
    let world = World::of(vec![Row::by_status(1, 1, Status::Failed)], 12).await;
    let report = world.list(args()).await;
    assert_eq!((report.exit, &report.json["not_indexed"]), (Exit::Done, &json!(12)));
    assert!(report.text.contains("Not listed: 12 items") && report.text.contains("--scan"), "{}", report.text);
}

#[tokio::test]
async fn a_list_whose_completeness_is_unknown_says_so() {
    let world = World::of(Vec::new(), 0).await;
    world.server.next("DescribeTable", Answer::json(400, &json!({"__type": "AccessDeniedException"})));
    let report = world.list(args()).await;
    assert_eq!((report.exit, &report.json["not_indexed"]), (Exit::NothingMatched, &json!(null)));
    assert!(report.text.contains("may not be complete"), "{}", report.text);
}

#[tokio::test]
async fn a_scan_finds_a_chat_where_there_is_no_index() {
    let world = World::of(Vec::new(), 5).await;
    let chat = "whatsapp:+15551234567";
    let rows = [3, 1, 2].map(|id| Row::of_chat(chat, id, id.into(), Status::Failed).item());
    world.server.on("Scan", move |_| json!({"Items": rows, "Count": 3, "ScannedCount": 9}).into());
    let report = world.list(AttemptList { scan: true, limit: 2, ..of_chat(chat) }).await;
    assert_eq!(listed(&report), [1, 2]);
    assert_eq!((&report.json["more"], &report.json["rows_read"]), (&json!(true), &json!(9)));
    assert_eq!((&report.json["not_indexed"], world.queries().len()), (&json!(0), 0));
    let scan = world.server.only_request("Scan").json();
    assert!(scan["FilterExpression"].as_str().unwrap().contains("#wa_id IN (:wa_id0)"), "{scan}");
}

#[test]
fn an_unreadable_item_is_listed_by_its_key_beside_the_rest() {
    let now = Timestamp::from_millis(1_790_000_002_000);
    let foreign = Unreadable { key: "f0\u{1b}[2J".to_owned(), why: "attempt unreadable: no status".to_owned() };
    let listed = Listed { attempts: vec![attempt(&json!({}))], unreadable: vec![foreign], ..Listed::default() };
    let span = Span { since: Some(now.minus(Duration::from_mins(1))), until: None };
    let report = listing(&listed, span, None, now);
    assert_eq!(report.exit, Exit::InPart);
    assert_eq!(report.json["unreadable"][0]["why"], "attempt unreadable: no status");
    for text in ["07070707070707070707070707070707", r"f0\u{1b}[2J", "1 attempt in the last 1 min; 1 unreadable."] {
        assert!(report.text.contains(text), "{}", report.text);
    }
}

#[test]
fn a_list_that_was_cut_says_so() {
    let now = Timestamp::from_millis(1_790_000_002_000);
    let listed = Listed { attempts: vec![attempt(&json!({}))], has_more: true, ..Listed::default() };
    let cut = listing(&listed, Span::default(), None, now);
    assert_eq!((&cut.json["more"], &cut.json["since"]), (&json!(true), &json!(null)));
    assert!(cut.text.ends_with("\n1 attempt; there are more (--limit).\n"), "{}", cut.text);
}

#[test]
fn an_end_in_the_future_lists_what_is_recent() {
    let until = Some(When::At(NOW.plus(Duration::from_hours(24))));
    let span = Span::of(None, until, false, NOW).unwrap();
    assert_eq!(span.since, Some(NOW.minus(RECENT)));
    let begin = Some(When::At(NOW.plus(Duration::from_hours(1))));
    let error = Span::of(begin, until, false, NOW).unwrap_err();
    assert_eq!(error.to_string(), "--since is later than now");
}

#[test]
fn attempts_can_be_listed_by_every_status() {
    for status in Status::ALL {
        let given = <StatusArg as clap::ValueEnum>::from_str(status.as_str(), false);
        assert_eq!(given.map(Status::from), Ok(status));
    }
}
