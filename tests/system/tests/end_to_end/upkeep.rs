//! What keeps connections alive: the sweep, and what the upkeep queue brings.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};
use system::{Browser, Cloud, Journal, Stack, consent::CONNECTED, faults::throttled, new_chat, now_ms, wait_until};

const DAY: Duration = Duration::from_hours(24);

/// Connects somebody with an account of their own, so that nobody's approvals end somebody else's.
async fn connect(cloud: &Cloud, chat: &str) -> Journal {
    let mut browser = Browser::new(cloud);
    let authorize_url = browser.press(&cloud.link(chat).await.url).await;
    let order = json!({"authorize_url": authorize_url, "username": visitor(chat)});
    let callback = browser.order_login(&order).await;
    browser.visit(Method::GET, &callback).await;
    cloud.outcome(chat).await
}

fn visitor(chat: &str) -> String {
    format!("visitor-{}@example.com", &chat[chat.len() - 7..])
}

fn token_table(cloud: &Cloud) -> &str {
    cloud.stack("main").output("TokenTableName")
}

async fn row(cloud: &Cloud, chat: &str) -> Value {
    cloud.item(token_table(cloud), "wa_id", chat).await.expect("a row")
}

fn number(row: &Value, name: &str) -> u64 {
    row[name]["N"].as_str().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// Makes a row look as if nobody had refreshed it for so long.
async fn age_row(cloud: &Cloud, chat: &str, age: Duration) {
    let at = now_ms() - u64::try_from(age.as_millis()).unwrap();
    let update = json!({
        "TableName": token_table(cloud),
        "Key": {"wa_id": {"S": chat}},
        "UpdateExpression": "SET refreshed_at = :at, issued_at = :at",
        "ExpressionAttributeValues": {":at": {"N": at.to_string()}},
    });
    cloud.aws("dynamodb", "DynamoDB_20120810.UpdateItem", update).await;
}

async fn send(cloud: &Cloud, stack: &Stack, body: &str) {
    let message = json!({"QueueUrl": stack.output("UpkeepQueueUrl"), "MessageBody": body});
    cloud.aws("sqs", "AmazonSQS.SendMessage", message).await;
}

/// Goes through the table at once: a page without a pause.
async fn sweep(cloud: &Cloud) {
    let page = json!({"segment": 0, "segments": 1, "started_at": now_ms(), "pause_s": 0});
    send(cloud, cloud.stack("main"), &json!({"v": 1, "sweep": page}).to_string()).await;
}

/// Waits until a row was refreshed within the hour.
async fn refreshed(cloud: &Cloud, chat: &str) -> Value {
    wait_until("a refresh", async || {
        Some(row(cloud, chat).await).filter(|row| number(row, "refreshed_at") > now_ms() - 3_600_000)
    })
    .await
}

async fn expired(cloud: &Cloud, chat: &str) -> Journal {
    let is_told = |journal: &Journal| !events(journal, "connection.expired").is_empty() && journal.messages().len() > 1;
    cloud.wait_for(chat, "the end of the connection", is_told).await
}

fn events<'a>(journal: &'a Journal, kind: &str) -> Vec<&'a Value> {
    journal.events().into_iter().filter(|event| event["type"].as_str().is_some_and(|it| it.ends_with(kind))).collect()
}

#[tokio::test]
async fn a_sweep_refreshes_a_row_that_is_old_and_no_other() {
    let cloud = Cloud::read();
    let (old, young) = (new_chat(), new_chat());
    for chat in [&old, &young] {
        connect(&cloud, chat).await;
        cloud.rotate_refresh_tokens(chat).await;
    }
    age_row(&cloud, &old, 21 * DAY).await;
    let before = [row(&cloud, &old).await, row(&cloud, &young).await];
    sweep(&cloud).await;
    let after = refreshed(&cloud, &old).await;
    for name in ["access_token", "refresh_token"] {
        assert_ne!(after[name], before[0][name]);
    }
    assert!(after["refresh_token"]["S"].as_str().unwrap().starts_with("sealed:v1:"));
    sweep(&cloud).await;
    age_row(&cloud, &young, 21 * DAY).await;
    sweep(&cloud).await;
    refreshed(&cloud, &young).await;
    for chat in [&old, &young] {
        assert_eq!(cloud.journal(chat).await.refreshes(), ["rotated"], "once, and nobody's before it was due");
    }
}

#[tokio::test]
async fn the_schedulers_message_goes_through_the_table() {
    let cloud = Cloud::read();
    send(&cloud, cloud.stack("main"), r#"{"v":1,"sweep":{}}"#).await;
    wait_until("the end of a segment", async || {
        cloud.log_lines().await.iter().any(|line| line.contains("SweepFinished")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn refreshed_tokens_that_the_table_refuses_are_stored_from_the_queue() {
    let cloud = Cloud::read();
    let chat = new_chat();
    connect(&cloud, &chat).await;
    cloud.rotate_refresh_tokens(&chat).await;
    age_row(&cloud, &chat, 21 * DAY).await;
    // The claim is written.
    cloud.aws_fault("dynamodb.UpdateItem", &*chat, 1, json!({"delay_ms": 0})).await;
    let refusal = json!({"operation": "dynamodb.UpdateItem", "containing": chat, "times": 10_000,
        "for_ms": 20_000, "action": throttled()});
    cloud.control("/control/aws/faults", &refusal).await;
    sweep(&cloud).await;
    let row = refreshed(&cloud, &chat).await;
    assert_eq!(cloud.journal(&chat).await.refreshes(), ["rotated"]);
    let (access_token, instance_url) = (row["access_token"]["S"].as_str(), row["instance_url"]["S"].as_str());
    assert!(cloud.is_live(instance_url.unwrap(), access_token.unwrap()).await);
    let lines = cloud.log_lines().await;
    assert!(lines.iter().any(|line| line.contains("refreshed tokens not stored, and put on the upkeep queue")));
    assert!(!lines.iter().any(|line| line.contains(access_token.unwrap())));
}

#[tokio::test]
async fn a_connection_that_an_administrator_has_revoked_ends_with_the_next_sweep_and_is_told_once() {
    let cloud = Cloud::read();
    let chat = new_chat();
    connect(&cloud, &chat).await;
    cloud.revoke_at_salesforce(&chat).await;
    age_row(&cloud, &chat, 21 * DAY).await;
    sweep(&cloud).await;
    let journal = expired(&cloud, &chat).await;
    assert!(journal.messages()[1].contains("/connect/"), "with a way back");
    sweep(&cloud).await;
    let other = new_chat();
    connect(&cloud, &other).await;
    age_row(&cloud, &other, 21 * DAY).await;
    sweep(&cloud).await;
    refreshed(&cloud, &other).await;
    let journal = cloud.journal(&chat).await;
    assert_eq!((events(&journal, "connection.expired").len(), journal.messages().len()), (1, 2));
    let row = row(&cloud, &chat).await;
    assert_eq!(row["ended_reason"]["S"], "expired");
    assert!(row.get("access_token").is_none() && row.get("refresh_token").is_none());
}

#[tokio::test]
async fn with_the_sweep_a_connection_outlives_salesforces_idle_limit() {
    let cloud = Cloud::read();
    let chat = new_chat();
    connect(&cloud, &chat).await;
    cloud.rotate_refresh_tokens(&chat).await;
    for _ in 0..2 {
        cloud.age_tokens(&chat, 29 * DAY).await;
        age_row(&cloud, &chat, 29 * DAY).await;
        sweep(&cloud).await;
        let row = refreshed(&cloud, &chat).await;
        let (instance_url, access_token) = (row["instance_url"]["S"].as_str(), row["access_token"]["S"].as_str());
        assert!(cloud.is_live(instance_url.unwrap(), access_token.unwrap()).await);
    }
    assert_eq!(cloud.journal(&chat).await.messages(), [CONNECTED]);
}

#[tokio::test]
async fn without_the_sweep_a_connection_ends_after_the_idle_limit_is_told_once_and_a_new_login_connects() {
    let cloud = Cloud::read();
    let chat = new_chat();
    connect(&cloud, &chat).await;
    cloud.age_tokens(&chat, 31 * DAY).await;
    age_row(&cloud, &chat, 31 * DAY).await;
    sweep(&cloud).await;
    expired(&cloud, &chat).await;
    sweep(&cloud).await;
    connect(&cloud, &chat).await;
    let is_connected = |journal: &Journal| journal.messages().iter().filter(|text| **text == CONNECTED).count() == 2;
    let journal = cloud.wait_for(&chat, "the new connection", is_connected).await;
    assert_eq!(events(&journal, "connection.expired").len(), 1);
    let row = row(&cloud, &chat).await;
    assert!(row.get("ended_at").is_none() && row.get("refresh_token").is_some(), "{row}");
}

#[tokio::test]
async fn what_cannot_be_read_on_the_upkeep_queue_becomes_a_dead_letter_and_is_not_logged() {
    let cloud = Cloud::read();
    let (plain, _turn) = cloud.plain_dead_letters().await;
    let policy = json!({"deadLetterTargetArn": plain.output("UpkeepDlqArn"), "maxReceiveCount": 1}).to_string();
    let change = json!({"QueueUrl": plain.output("UpkeepQueueUrl"), "Attributes": {"RedrivePolicy": policy}});
    cloud.aws("sqs", "AmazonSQS.SetQueueAttributes", change).await;
    let bodies = [
        r#"{"v":2,"sweep":{"upkeep-nonsense":1}}"#,
        r#"{"v":1,"refresh":{"wa_id":"upkeep-nonsense"}}"#,
        "upkeep-nonsense",
    ];
    for body in bodies {
        send(&cloud, plain, body).await;
    }
    wait_until("the dead letters", async || {
        let letters = cloud.peek(plain.output("UpkeepDlqUrl")).await;
        bodies.iter().all(|body| letters.iter().any(|letter| letter == body)).then_some(())
    })
    .await;
    assert!(!cloud.log_lines().await.iter().any(|line| line.contains("upkeep-nonsense")));
}

/// The bench: `make sweep-bench`. It prints what it measures.
#[tokio::test]
#[ignore = "a bench of some minutes, on a cloud of its own"]
async fn a_hundred_thousand_rows_of_which_three_in_a_hundred_are_due() {
    const ROWS: usize = 100_000;
    const SEGMENTS: usize = 4;
    let chat = |number: usize| format!("whatsapp:+1777{number:07}");
    let is_due = |number: usize| number % 100 < 3;
    let cloud = Cloud::read();
    cloud.control("/control/salesforce/policy", &json!({"rotation": true})).await;
    let batches = (0..ROWS).collect::<Vec<_>>();
    let writing = stream::iter(batches.chunks(25)).map(async |numbers| {
        let mut requests = Vec::new();
        for number in numbers {
            let days = if is_due(*number) { 21 } else { 1 };
            requests.push(json!({"PutRequest": {"Item": seeded(&cloud, &chat(*number), days).await}}));
        }
        let write = json!({"RequestItems": {token_table(&cloud): requests}});
        cloud.aws("dynamodb", "DynamoDB_20120810.BatchWriteItem", write).await;
    });
    writing.buffer_unordered(4).collect::<Vec<_>>().await;

    let began = now_ms();
    for segment in 0..SEGMENTS {
        let page = json!({"segment": segment, "segments": SEGMENTS, "started_at": now_ms(), "pause_s": 0});
        send(&cloud, cloud.stack("main"), &json!({"v": 1, "sweep": page}).to_string()).await;
    }
    let due: Vec<_> = (0..ROWS).filter(|number| is_due(*number)).map(chat).collect();
    let mut swept = None;
    loop {
        let refreshes = counted(&cloud, None).await;
        if swept.is_none() && finished_segments(&cloud).await >= SEGMENTS {
            swept = Some(now_ms() - began);
        }
        if refreshes >= due.len() as u64 && swept.is_some() {
            break;
        }
        assert!(now_ms() - began < 30 * 60_000, "{refreshes} refreshes, {swept:?}");
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    let took = now_ms() - began;
    // Nothing is left that could be refreshed twice.
    wait_until("an empty queue", async || (waiting(&cloud).await == 0).then_some(())).await;
    for chat in &due {
        assert_eq!(counted(&cloud, Some(chat)).await, 1, "{chat}");
    }
    assert_eq!(counted(&cloud, None).await, due.len() as u64, "and nobody else's");
    println!(
        "{ROWS} rows read in {} s; {} due rows refreshed once each, and no other, in {} s: {} a minute",
        swept.unwrap_or_default() / 1_000,
        due.len(),
        took / 1_000,
        due.len() as u64 * 60_000 / took,
    );
}

/// A row of somebody whose tokens were refreshed so many days ago. Those of rows that are not due are not Salesforce's.
async fn seeded(cloud: &Cloud, chat: &str, days: u32) -> Value {
    let at = now_ms() - u64::try_from((days * DAY).as_millis()).unwrap();
    let mut item = json!({
        "wa_id": {"S": chat},
        "access_token": {"S": "00D000000000001!".to_owned() + &"a".repeat(100)},
        "refresh_token": {"S": format!("sealed:v1:{}:YQ:YQ", "b".repeat(200))},
        "instance_url": {"S": "https://acme.my.salesforce.com"},
        "refreshed_at": {"N": at.to_string()},
        "issued_at": {"N": at.to_string()},
        "version": {"N": "1"},
    });
    if days > 20 {
        let tokens = cloud.grant(chat, &visitor(chat)).await;
        for name in ["access_token", "refresh_token", "instance_url"] {
            item[name] = json!({"S": tokens[name]});
        }
        item["login_url"] = json!({"S": cloud.sandbox_url.replace("127.0.0.1", "localhost")});
    }
    item
}

async fn counted(cloud: &Cloud, chat: Option<&str>) -> u64 {
    let request = cloud.client().get(format!("{}/control/salesforce/counters", cloud.sandbox_url));
    let request = request.query(&chat.map(|chat| [("wa_id", chat)]).into_iter().flatten().collect::<Vec<_>>());
    let counters: Value = request.send().await.unwrap().json().await.unwrap();
    counters["refreshes"].as_u64().unwrap()
}

async fn finished_segments(cloud: &Cloud) -> usize {
    cloud.log_lines().await.iter().filter(|line| line.contains("sweep segment finished")).count()
}

/// How many messages are on the upkeep queue, in flight, or delayed.
async fn waiting(cloud: &Cloud) -> u64 {
    let names = ["", "NotVisible", "Delayed"].map(|kind| format!("ApproximateNumberOfMessages{kind}"));
    let query = json!({"QueueUrl": cloud.stack("main").output("UpkeepQueueUrl"), "AttributeNames": names});
    let answer = cloud.aws("sqs", "AmazonSQS.GetQueueAttributes", query).await;
    names.iter().filter_map(|name| answer["Attributes"][name].as_str()?.parse::<u64>().ok()).sum()
}
