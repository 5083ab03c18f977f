//! What keeps connections alive: the sweep, and what the upkeep queue brings.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use reqwest::StatusCode;
use serde_json::{Value, json};
use system::{
    Cloud, Journal,
    connections::{
        age_row, connect, events, number, reject, row, send, sha256, tables_alone_have_access_tokens, text,
        token_table, visitor,
    },
    consent::CONNECTED,
    faults::throttled,
    new_chat, now_ms, wait_until,
};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Goes through the table at once: a page without a pause.
async fn sweep(cloud: &Cloud) {
    let page = json!({"segment": 0, "segments": 1, "started_at": now_ms(), "pause_s": 0});
    send(cloud, cloud.stack("main"), &json!({"v": 1, "page": page}).to_string()).await;
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

/// Lets the claim of the next refresh through, and refuses all that follows for so long.
async fn refuse_writes_after_the_claim(cloud: &Cloud, chat: &str, time: Duration) {
    cloud.aws_fault("dynamodb.UpdateItem", chat, 1, json!({"delay_ms": 0})).await;
    let refusal = json!({"operation": "dynamodb.UpdateItem", "containing": chat, "times": 10_000,
        "for_ms": u64::try_from(time.as_millis()).unwrap(), "action": throttled()});
    cloud.control("/control/aws/faults", &refusal).await;
}

/// What came of a refresh that the table refused to store: one rotation, whose tokens are in the row now, work, and were seen
/// nowhere but there.
async fn stored_later(cloud: &Cloud, chat: &str) -> Value {
    let row = refreshed(cloud, chat).await;
    let [access_token, refresh_token] = cloud.tokens_of(&row).await;
    let journal = cloud.journal(chat).await;
    let processed: Vec<_> = journal.refreshes().into_iter().filter(|verdict| *verdict != "none").collect();
    assert_eq!(processed, ["rotated"]);
    assert_eq!(cloud.live_tokens(chat).await, [sha256(&refresh_token)], "the newest");
    assert!(cloud.is_live(text(&row, "instance_url"), &access_token).await);
    let lines = cloud.log_lines().await;
    assert!(lines.iter().any(|line| line.contains("refreshed tokens not stored, and put on the upkeep queue")));
    assert!(!lines.iter().any(|line| line.contains(&access_token) || line.contains(&refresh_token)));
    tables_alone_have_access_tokens(cloud, chat).await;
    for queue in ["UpkeepDlqUrl", "ExchangeDlqUrl"] {
        let letters = cloud.peek(cloud.stack("main").output(queue)).await;
        assert!(!letters.iter().any(|letter| letter.contains(&access_token) || letter.contains(&refresh_token)));
    }
    row
}

#[tokio::test]
async fn refreshed_tokens_that_the_table_refuses_are_stored_from_the_queue() {
    let cloud = Cloud::read();
    let chat = new_chat();
    connect(&cloud, &chat).await;
    cloud.rotate_refresh_tokens(&chat).await;
    age_row(&cloud, &chat, 21 * DAY).await;
    refuse_writes_after_the_claim(&cloud, &chat, Duration::from_secs(20)).await;
    sweep(&cloud).await;
    stored_later(&cloud, &chat).await;
}

#[tokio::test]
async fn a_table_that_refuses_writes_for_two_minutes_after_a_refresh_keeps_no_bot_from_a_token() {
    let cloud = Cloud::read();
    let chat = new_chat();
    connect(&cloud, &chat).await;
    cloud.rotate_refresh_tokens(&chat).await;
    age_row(&cloud, &chat, 2 * HOUR).await;
    let old = row(&cloud, &chat).await;
    refuse_writes_after_the_claim(&cloud, &chat, Duration::from_mins(2)).await;
    // The refresh is this call's.
    let answer = reject(&cloud, &chat, text(&old, "access_token")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let new: Value = answer.json().await.unwrap();
    assert_ne!(new["access_token"], old["access_token"]["S"]);
    assert!(is_live(&cloud, &new).await);
    // Meanwhile the old one serves, which no rotation ends; nothing is asked of Salesforce with what was used up.
    let answer = cloud.call("main", "token", json!({"wa_id": chat})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(is_live(&cloud, &answer.json().await.unwrap()).await);
    assert_eq!(row(&cloud, &chat).await["access_token"], old["access_token"], "refused all the while");
    let row = stored_later(&cloud, &chat).await;
    assert_eq!(row["access_token"]["S"], new["access_token"]);
    let answer: Value = cloud.call("main", "token", json!({"wa_id": chat})).await.json().await.unwrap();
    assert_eq!(answer["access_token"], new["access_token"]);
    assert_eq!(cloud.journal(&chat).await.messages(), [CONNECTED]);
}

async fn is_live(cloud: &Cloud, answer: &Value) -> bool {
    let text = |name: &str| answer[name].as_str().unwrap();
    cloud.is_live(text("instance_url"), text("access_token")).await
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
        send(&cloud, cloud.stack("main"), &json!({"v": 1, "page": page}).to_string()).await;
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
