//! The sweep: what it queues, seals and leaves alone.

use std::sync::atomic::{AtomicUsize, Ordering};

use fakes::{Answer, aws};
use serde_json::{Value, json};

use crate::world::{DAY_MS, NOW, TABLE, World, body, chat, entries, is_done, number, taking, text};

fn begin() -> Value {
    json!({ "v": 1, "sweep": {} })
}

fn page(start_key: Option<&str>) -> Value {
    let mut page = json!({ "segment": 0, "segments": 1, "started_at": NOW.millis() - 1_000, "pause_s": 60 });
    if let Some(key) = start_key {
        page["start_key"] = key.into();
    }
    json!({ "v": 1, "page": page })
}

#[tokio::test]
async fn a_sweep_begins_with_a_page_of_each_segment() {
    let world = World::start().await;
    let size = json!({ "Table": { "ItemCount": 10_000_000, "TableSizeBytes": 30_000_000_000_u64 } });
    world.server.next("DescribeTable", size);
    assert!(is_done(&world.function(), &begin()).await);
    let pages = world.pages();
    let mut segments: Vec<_> = pages.iter().map(|(body, _)| body["page"]["segment"].as_u64().unwrap()).collect();
    segments.sort_unstable();
    assert_eq!(segments, (0..24).collect::<Vec<_>>());
    for (body, delay) in &pages {
        let page = &body["page"];
        assert_eq!((&page["segments"], &page["pause_s"]), (&json!(24), &json!(60)), "{page}");
        assert_eq!(page["started_at"], NOW.millis());
        assert!(page.get("start_key").is_none() && *delay < 60, "{page}");
    }
    assert_eq!(world.server.count("Scan"), 0);
}

#[tokio::test]
async fn due_rows_are_queued_and_no_others() {
    let world = World::start().await;
    world.row(&chat(1), 25, json!({}));
    world.row(&chat(2), 19, json!({}));
    world.row(&chat(3), 1, json!({ "lease_until": number(NOW.millis() - 1) }));
    world.row(&chat(4), 1, json!({ "lost_at": number(NOW.millis() - DAY_MS) }));
    world.row(&chat(5), 25, json!({ "ended_at": number(NOW.millis() - DAY_MS) }));
    world.row(&chat(6), 19, json!({ "refresh_token": text("") }));
    world.row(&chat(7), 1, json!({ "lease_until": number(NOW.millis() + 9_000) }));
    assert!(is_done(&world.function(), &page(None)).await);
    assert_eq!(world.refreshes(), [chat(1), chat(3), chat(4)]);
    assert_eq!(world.pages(), [], "the segment is at its end");
}

/// Goes through a table of 2,500 rows, of which a third is due, that is said to have so many.
async fn sweep_whole(rows_said: u64) -> (World, usize) {
    let world = World::start().await;
    for number in 0..2_500 {
        world.row(&chat(number), if number % 3 == 0 { 25 } else { 2 }, json!({}));
    }
    let function = world.function_with(&[("SWEEP_HOURS", "0")]);
    world.server.next("DescribeTable", json!({ "Table": { "ItemCount": rows_said, "TableSizeBytes": 0 } }));
    assert!(is_done(&function, &begin()).await);
    let mut done = 0;
    while let Some((page, delay)) = world.pages().get(done).cloned() {
        assert_eq!(delay, 0, "nothing is paced");
        assert!(is_done(&function, &page).await);
        done += 1;
    }
    (world, done)
}

#[tokio::test]
async fn a_sweep_is_done_with_every_row_once_whatever_segments_and_pages() {
    let due: Vec<_> = (0..2_500).filter(|number| number % 3 == 0).map(chat).collect();
    for (rows_said, pages) in [(0, 3), (1_500, 4), (2_500, 3), (7_500, 8)] {
        let (world, done) = sweep_whole(rows_said).await;
        assert_eq!(done, pages, "{rows_said}");
        assert_eq!(world.refreshes(), due, "{rows_said}");
    }
}

#[tokio::test]
async fn the_next_page_begins_where_this_one_ended_after_the_pause() {
    let world = World::start().await;
    (0..1_001).for_each(|number| world.row(&chat(number), 2, json!({})));
    assert!(is_done(&world.function(), &page(None)).await);
    let [(next, delay)] = world.pages().try_into().unwrap();
    assert_eq!(next, page(Some(&chat(999))));
    assert_eq!(delay, 60);
    assert!(is_done(&world.function(), &next).await);
    assert_eq!(world.pages().len(), 1);
    let scan = world.server.requests("Scan").pop().unwrap().json();
    assert_eq!(scan["ExclusiveStartKey"], json!({ "wa_id": text(&chat(999)) }));
}

#[tokio::test]
async fn due_rows_are_spread_over_the_pause() {
    let world = World::start().await;
    (0..100).for_each(|number| world.row(&chat(number), 25, json!({})));
    assert!(is_done(&world.function(), &page(None)).await);
    let delays: Vec<_> = world.queued().into_iter().map(|(_, delay)| delay).collect();
    assert!(delays.iter().all(|delay| *delay < 60));
    assert!(delays.iter().any(|delay| *delay < 15) && delays.iter().any(|delay| *delay > 45), "{delays:?}");
}

#[tokio::test]
async fn a_page_is_read_cheaply() {
    let world = World::start().await;
    world.row(&chat(1), 2, json!({}));
    assert!(is_done(&world.function(), &page(None)).await);
    let scan = world.server.only_request("Scan").json();
    assert!(scan.get("ConsistentRead").is_none_or(|consistent| consistent == false));
    let names = scan["ExpressionAttributeNames"].as_object().unwrap();
    assert!(!names.values().any(|name| name == "access_token"), "{names:?}");
    assert_eq!(world.server.count("GenerateDataKey"), 0, "nothing is to be sealed");
}

#[tokio::test]
async fn rows_of_a_foreign_form_hold_up_no_other() {
    let world = World::start().await;
    world.row(&chat(1), 25, json!({}));
    world.row("somebody", 25, json!({}));
    world.row(&chat(2), 25, json!({ "refresh_token": { "M": {} } }));
    world.row(&chat(3), 25, json!({ "refreshed_at": text("yesterday"), "issued_at": text("1790000000123") }));
    world.row(&chat(4), 25, json!({ "version": text("three"), "lease_until": { "L": [] } }));
    // It would be read as another row.
    world.row(&chat(5).replace('+', "%2B"), 25, json!({}));
    assert!(is_done(&world.function(), &page(None)).await);
    assert_eq!(world.refreshes(), [chat(1), chat(3), chat(4)]);
}

#[tokio::test]
async fn a_connection_without_a_refresh_token_is_queued_once_it_is_old() {
    let world = World::start().await;
    world.row(&chat(1), 25, json!({ "refresh_token": text("") }));
    world.row(&chat(2), 2, json!({ "refresh_token": text("") }));
    assert!(is_done(&world.function(), &page(None)).await);
    assert_eq!(world.refreshes(), [chat(1)]);
}

#[tokio::test]
async fn plain_refresh_tokens_are_sealed_on_the_way() {
    let world = World::start().await;
    let plain = || json!({ "refresh_token": text("5Aep861!PLAIN") });
    world.row(&chat(1), 2, plain());
    world.row(&chat(2), 25, plain());
    let mut held = plain();
    held["lease_until"] = number(NOW.millis() + 9_000);
    world.row(&chat(3), 2, held);
    assert!(is_done(&world.function(), &page(None)).await);
    for sealed in [chat(1), chat(2)] {
        let row = world.tables.item(TABLE, &sealed);
        assert!(row["refresh_token"]["S"].as_str().unwrap().starts_with("sealed:v1:"), "{row}");
        assert_eq!(row["version"], number(4));
        assert_eq!(row["access_token"], text("00Dxx!OLD"));
    }
    let held = world.tables.item(TABLE, &chat(3));
    assert_eq!(held["refresh_token"], text("5Aep861!PLAIN"), "a refresh is under way");
}

#[tokio::test]
async fn a_row_in_which_a_bot_keeps_a_version_of_its_own_is_sealed_too() {
    let world = World::start().await;
    world.row(&chat(1), 2, json!({ "refresh_token": text("5Aep861!PLAIN"), "version": text("v2") }));
    assert!(is_done(&world.function(), &page(None)).await);
    let row = world.tables.item(TABLE, &chat(1));
    assert!(row["refresh_token"]["S"].as_str().unwrap().starts_with("sealed:v1:"), "{row}");
}

#[tokio::test]
async fn a_row_that_changed_since_it_was_read_keeps_its_new_token() {
    let world = World::start().await;
    world.row(&chat(1), 2, json!({ "refresh_token": text("5Aep861!NEWER") }));
    let mut stale = world.tables.item(TABLE, &chat(1));
    stale["refresh_token"] = text("5Aep861!OLDER");
    world.server.next("Scan", json!({ "Items": [stale] }));
    assert!(is_done(&world.function(), &page(None)).await);
    assert_eq!(world.tables.item(TABLE, &chat(1))["refresh_token"], text("5Aep861!NEWER"));
}

#[tokio::test]
async fn a_sweep_goes_on_where_nothing_can_be_sealed() {
    for operation in ["GenerateDataKey", "UpdateItem"] {
        let world = World::start().await;
        (0..30).for_each(|number| world.row(&chat(number), 25, json!({ "refresh_token": text("5Aep861!") })));
        let items: Vec<_> = (0..30).map(|number| world.tables.item(TABLE, &chat(number))).collect();
        let last = json!({ "wa_id": items[29]["wa_id"] });
        world.server.next("Scan", json!({ "Items": items, "LastEvaluatedKey": last }));
        world.server.on(operation, |_| aws::error("AccessDeniedException"));
        assert!(is_done(&world.function(), &page(None)).await, "{operation}");
        assert_eq!(world.refreshes().len(), 30, "{operation}");
        assert_eq!(world.pages().len(), 1, "{operation}");
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_read_is_read_again() {
    let world = World::start().await;
    world.server.on("Scan", |_| aws::error("AccessDeniedException"));
    assert!(!is_done(&world.function(), &page(None)).await);
    assert_eq!(world.visibility_timeouts(), [5]);
    assert_eq!(world.queued(), []);
}

#[tokio::test]
async fn a_sweep_does_not_begin_without_the_tables_size() {
    let world = World::start().await;
    world.server.on("DescribeTable", |_| aws::error("AccessDeniedException"));
    assert!(!is_done(&world.function(), &begin()).await);
    assert_eq!(world.queued(), []);
}

#[tokio::test]
async fn what_the_queue_refuses_of_a_batch_is_sent_again() {
    let world = World::start().await;
    (0..1_001).for_each(|number| world.row(&chat(number), 25, json!({})));
    let calls = AtomicUsize::new(0);
    world.server.on("SendMessageBatch", move |request| {
        let first = calls.fetch_add(1, Ordering::Relaxed) < 60;
        taking(request, |body| !first || !body["refresh"]["wa_id"].as_str().unwrap().ends_with('7'))
    });
    assert!(is_done(&world.function(), &page(None)).await);
    let mut queued = world.refreshes();
    queued.dedup();
    assert_eq!(queued, (0..1_000).map(chat).collect::<Vec<_>>());
    let batches: Vec<_> = world.server.requests("SendMessageBatch").iter().map(entries).collect();
    assert!(batches.last().unwrap().iter().all(|entry| body(entry).get("page").is_some()), "the next page comes last");
    assert_eq!(world.pages().len(), 1);
}

#[tokio::test]
async fn a_page_is_not_done_before_the_queue_has_every_due_row() {
    let world = World::start().await;
    (0..1_001).for_each(|number| world.row(&chat(number), 25, json!({})));
    world.server.on("SendMessageBatch", |request| taking(request, |body| body["refresh"]["wa_id"] != *chat(7)));
    assert!(!is_done(&world.function(), &page(None)).await);
    assert_eq!(world.pages(), [], "no page follows");
    assert_eq!(world.visibility_timeouts(), [5]);
}

#[tokio::test]
async fn a_page_is_not_done_before_the_queue_has_the_next_one() {
    let world = World::start().await;
    (0..1_001).for_each(|number| world.row(&chat(number), 2, json!({})));
    world.server.on("SendMessageBatch", |_| Answer::json(400, &json!({ "__type": "com.amazonaws.sqs#KmsDisabled" })));
    assert!(!is_done(&world.function(), &page(None)).await);
}

#[tokio::test]
async fn a_sweep_that_has_had_its_time_goes_on_without_a_pause() {
    let world = World::start().await;
    (0..1_001).for_each(|number| world.row(&chat(number), 25, json!({})));
    let mut late = page(None);
    late["page"]["started_at"] = (NOW.millis() - DAY_MS).into();
    assert!(is_done(&world.function(), &late).await);
    assert!(world.queued().into_iter().all(|(_, delay)| delay == 0));
}

#[tokio::test]
async fn where_bots_have_the_custody_no_row_is_read() {
    let world = World::start().await;
    world.row(&chat(1), 25, json!({ "refresh_token": text("5Aep861!") }));
    let function = world.function_with(&[("TOKEN_CUSTODY", "Bot")]);
    for message in [begin(), page(None), json!({ "v": 1, "refresh": { "wa_id": chat(1) } })] {
        assert!(is_done(&function, &message).await);
    }
    assert_eq!(world.server.operations(), [] as [&str; 0]);
}

#[tokio::test]
async fn without_keep_alive_a_sweep_finds_what_a_refresh_has_left_behind() {
    let world = World::start().await;
    world.row(&chat(1), 90, json!({}));
    world.row(&chat(2), 1, json!({ "lost_at": number(NOW.millis() - DAY_MS) }));
    assert!(is_done(&world.function_with(&[("KEEP_ALIVE_DAYS", "0")]), &page(None)).await);
    assert_eq!(world.refreshes(), [chat(2)]);
}
