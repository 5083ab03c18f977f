//! Lists of attempts, from a table that has many.

use serde_json::{Value, json};

use std::time::{Duration, UNIX_EPOCH};

use system::{hex, new_chat, now_ms, operator::Operator};

const DAY: u64 = 24 * 60 * 60 * 1000;
/// How many attempts there are before a test begins.
const MANY: usize = 3_000;
/// The most that DynamoDB takes in one batch.
const BATCH: usize = 25;

/// Rows that no outcome is told of, because it has been.
struct Rows<'a> {
    operator: &'a Operator,
    /// The first bytes of the ids of this test.
    test: u8,
}

impl Rows<'_> {
    fn id(&self, number: usize) -> String {
        let mut id = [self.test; 16];
        id[12..].copy_from_slice(&u32::try_from(number).unwrap().to_be_bytes());
        hex(&id)
    }

    /// An attempt of this chat that ended at this time.
    fn row(&self, number: usize, chat: &str, status: &str, at: u64) -> Value {
        let time = |at: u64| json!({"N": at.to_string()});
        let shard = number % 8;
        let at_text = rfc3339(at);
        let day = &at_text[..10];
        json!({
            "attempt_id": {"S": self.id(number)}, "wa_id": {"S": chat}, "status": {"S": status},
            "status_day": {"S": format!("{status}#{day}#{shard}")}, "reason": {"S": "denied"}, "receives": {"N": "1"},
            "created_at": time(at - 500), "updated_at": time(at), "notified_at": time(at + 500),
            "expires_at": {"N": ((at + 90 * DAY) / 1000).to_string()},
        })
    }

    async fn put(&self, rows: Vec<Value>) {
        let table = self.operator.stack().output("AttemptTableName");
        for some in rows.chunks(BATCH) {
            let writes: Vec<_> = some.iter().map(|row| json!({"PutRequest": {"Item": row}})).collect();
            let batch = json!({"RequestItems": {table: writes}});
            let answer = self.operator.cloud.aws("dynamodb", "DynamoDB_20120810.BatchWriteItem", batch).await;
            assert_eq!(answer["UnprocessedItems"], json!({}));
        }
    }

    async fn delete(&self, numbers: usize) {
        let table = self.operator.stack().output("AttemptTableName");
        for some in (0..numbers).collect::<Vec<_>>().chunks(BATCH) {
            let key = |number: &usize| json!({"DeleteRequest": {"Key": {"attempt_id": {"S": self.id(*number)}}}});
            let batch = json!({"RequestItems": {table: some.iter().map(key).collect::<Vec<_>>()}});
            self.operator.cloud.aws("dynamodb", "DynamoDB_20120810.BatchWriteItem", batch).await;
        }
    }
}

/// A time, to the second.
fn rfc3339(at: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(at)).to_string()
}

fn ids(listed: &Value) -> Vec<&str> {
    listed["attempts"].as_array().unwrap().iter().map(|attempt| attempt["attempt_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_reads_little_more_than_it_shows_of_a_table_with_many_attempts() {
    let operator = Operator::ready().await;
    let (rows, chat, now) = (Rows { operator: &operator, test: 0xa1 }, new_chat(), now_ms());
    // From now back, one a minute; one in a hundred is of the chat.
    let other = new_chat();
    let of = |number: usize| if number.is_multiple_of(100) { &chat } else { &other };
    let at = |number: usize| now - 60_000 * u64::try_from(number).unwrap();
    rows.put((0..MANY).map(|number| rows.row(number, of(number), "failed", at(number))).collect()).await;

    let (listed, calls) = operator.counted("attempt list --status failed --since 7d --limit 20", 0).await;
    assert_eq!(calls.get("dynamodb.Scan"), None);
    // The eight partitions of this day and, where it is young, those of the days before.
    let queries = calls["dynamodb.Query"];
    assert!((8..=8 * 9).contains(&queries), "{calls:?}");
    assert_eq!((listed["found"].as_u64(), &listed["more"]), (Some(20), &json!(true)));
    assert!(listed["rows_read"].as_u64().unwrap() <= 8 * queries, "{}", listed["rows_read"]);
    let times: Vec<_> = listed["attempts"].as_array().unwrap().iter().map(|row| row["updated_at"].as_u64()).collect();
    assert!(times.is_sorted_by(|one, next| one >= next), "the latest first");

    let number = chat.trim_start_matches("whatsapp:+");
    for list in [format!("attempt list --chat {chat}"), format!("attempt list --chat {number} --status failed")] {
        let (listed, calls) = operator.counted(&format!("{list} --limit 10"), 0).await;
        assert_eq!(calls.get("dynamodb.Scan"), None);
        assert_eq!(ids(&listed), (0..10).map(|place| rows.id(place * 100)).collect::<Vec<_>>(), "{list}");
        assert!(listed["rows_read"].as_u64().unwrap() <= 20, "{list}: {}", listed["rows_read"]);
    }
    let typed = operator.typing("attempt list --chat - --limit 10 --json", &format!("+{number}\n"));
    assert!(typed.out.contains(&rows.id(900)) && !typed.out.contains(number), "{}", typed.out);

    let (since, until) = (at(1_500), at(1_490));
    let between = format!("attempt list --since {} --until {}", rfc3339(since), rfc3339(until));
    let listed = operator.json(&between, 0);
    assert!(listed["found"].as_u64().unwrap() >= 9, "{listed}");
    assert!(listed["rows_read"].as_u64().unwrap() <= 12, "{}", listed["rows_read"]);
    rows.delete(MANY).await;
}

#[tokio::test]
async fn attempts_that_are_delayed_are_a_problem_with_their_last_error() {
    let operator = Operator::ready().await;
    let (rows, chat, now) = (Rows { operator: &operator, test: 0xa3 }, new_chat(), now_ms());
    let mut delayed = rows.row(0, &chat, "delayed", now);
    delayed["reason"] = json!({"S": "misconfigured"});
    delayed["last_error"] = json!({"S": "Salesforce answered 400 invalid_client"});
    let mut over = delayed.clone();
    over["attempt_id"] = json!({"S": rows.id(1)});
    over["updated_at"] = json!({"N": (now - 60 * 60 * 1000).to_string()});
    rows.put(vec![delayed, over]).await;
    let found = operator.doctor();
    rows.delete(2).await;
    let title = "1 attempt is delayed: Salesforce answered 400 invalid_client";
    let delayed = found.iter().find(|finding| finding["check"] == "attempts" && finding["text"] == title);
    let delayed = delayed.unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(delayed["level"], "wrong", "{delayed}");
    assert!(delayed["remedy"].as_str().unwrap().contains("docs/RUNBOOK.md#misconfigured"), "{delayed}");
    operator.doctor_finds_nothing();
}

#[tokio::test]
async fn attempts_of_before_the_index_are_found_by_their_chat_and_what_lists_lack_is_said() {
    let operator = Operator::ready().await;
    let (rows, chat, now) = (Rows { operator: &operator, test: 0xa2 }, new_chat(), now_ms());
    let mut older = rows.row(0, &chat, "failed", now);
    older.as_object_mut().unwrap().remove("status_day");
    let foreign = json!({"attempt_id": {"S": rows.id(1)}, "wa_id": {"S": chat}});
    rows.put(vec![older, foreign, rows.row(2, &chat, "failed", now)]).await;

    let listed = operator.json("attempt list --status failed --limit 1000", 0);
    assert!(ids(&listed).contains(&&*rows.id(2)) && !ids(&listed).contains(&&*rows.id(0)), "{listed}");
    assert_eq!(listed["not_indexed"], 2);
    let said = operator.wasf("attempt list --status failed");
    assert!(said.out.contains("Not listed: 2 items") && said.out.contains("--scan"), "{}", said.out);
    let of_chat = operator.json(&format!("attempt list --chat {chat}"), 0);
    assert_eq!(ids(&of_chat).len(), 2);
    assert_eq!(of_chat["not_indexed"], 1);

    for scan in ["attempt list --scan --limit 1000".to_owned(), format!("attempt list --scan --chat {chat}")] {
        let scanned = operator.json(&scan, 4);
        assert!([0, 2].iter().all(|number| ids(&scanned).contains(&&*rows.id(*number))), "{scan}: {scanned}");
        assert_eq!(scanned["unreadable"][0]["attempt_id"], rows.id(1), "{scan}");
    }
    assert!(operator.json("events redeliver", 3)["not_indexed"] == 2);
    let hints = json!(operator.doctor()).to_string();
    assert!(hints.contains("2 items of connection_attempts not in the index by_status"), "{hints}");
    rows.delete(3).await;
}
