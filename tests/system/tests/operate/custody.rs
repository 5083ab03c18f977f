//! Connections that the stack keeps: how they are listed, checked, refreshed, and what of their upkeep was given up.

use std::time::Duration;

use serde_json::{Value, json};
use system::{new_chat, now_ms, operator::Operator, wait_until};

const DAY: Duration = Duration::from_hours(24);

/// Somebody connects; the chat.
async fn connected(operator: &Operator) -> String {
    let chat = new_chat();
    operator.connect(&chat).await;
    operator.outcome(&chat).await;
    chat
}

/// The chat's lines in a list of connections, which shows the end of its number alone.
fn of_chat<'a>(listed: &'a Value, chat: &str) -> Vec<&'a Value> {
    let is_its = |line: &&Value| line["chat"].as_str().is_some_and(|shown| shown.ends_with(&chat[chat.len() - 4..]));
    listed["connections"].as_array().unwrap().iter().filter(is_its).collect()
}

#[tokio::test]
async fn a_connection_is_listed_checked_and_refreshed() {
    let operator = Operator::beside().await;
    let chat = connected(&operator).await;
    let before = operator.tokens(&chat).await.unwrap();
    let listed = operator.json("connection list --status connected --limit 10000", 0);
    let [line] = of_chat(&listed, &chat)[..] else { panic!("one line of {chat}: {listed}") };
    assert_eq!(
        (&line["status"], &line["refresh_token"], &line["due"]),
        (&"connected".into(), &"sealed".into(), &false.into())
    );
    assert_eq!(listed["complete"], true);
    let text = operator.wasf("connection list").out;
    assert!(text.contains("the whole table") && !text.contains(chat.trim_start_matches("whatsapp:")), "{text}");

    let checked = operator.json(&format!("connection check {chat}"), 0);
    assert_eq!((&checked["salesforce"], &checked["custody"]), (&json!("works"), &json!("Stack")));
    let planned = operator.json(&format!("connection refresh {chat}"), 0);
    assert_eq!(planned["dry_run"], true);
    assert_eq!(operator.cloud.journal(&chat).await.count("salesforce.refresh"), 0, "a dry run");
    let done = operator.json(&format!("connection refresh {chat} --confirm"), 0);
    assert_eq!(done["result"], "refreshed");
    assert!(done["refreshed_after"].as_u64() > done["refreshed_before"].as_u64(), "{done}");
    let after = operator.tokens(&chat).await.unwrap();
    assert_ne!(after[0], before[0]);
    assert_eq!(operator.cloud.journal(&chat).await.count("salesforce.refresh"), 1);
    assert_eq!(operator.json(&format!("connection check {chat}"), 0)["salesforce"], "works");
    operator.never_printed(&[before, after].concat(), &[]);
}

#[tokio::test]
async fn a_connection_that_salesforce_has_ended_is_found_by_a_check_and_told_by_a_refresh() {
    let operator = Operator::beside().await;
    let chat = connected(&operator).await;
    let tokens = operator.tokens(&chat).await.unwrap();
    operator.cloud.revoke_at_salesforce(&chat).await;
    let checked = operator.json(&format!("connection check {chat}"), 1);
    assert_eq!((&checked["salesforce"], &checked["status"]), (&json!("refused"), &json!("connected")));
    let done = operator.json(&format!("connection refresh {chat} --confirm"), 1);
    assert_eq!((&done["result"], &done["reason"]), (&json!("needs_reauthorization"), &json!("expired")));
    let is_told = |journal: &system::Journal| journal.events().len() == 2 && journal.messages().len() == 2;
    let journal = operator.cloud.wait_for(&chat, "the end of the connection", is_told).await;
    assert_eq!(journal.events()[1]["type"], "connection.expired");
    let listed = operator.json("connection list --status ended --limit 10000", 0);
    assert_eq!(of_chat(&listed, &chat)[0]["ended_reason"], "expired", "{listed}");
    assert_eq!(operator.json(&format!("connection check {chat}"), 4)["salesforce"], "not_asked");
    operator.json(&format!("connection refresh {chat} --confirm"), 3);
    let counted = async || {
        let counted = operator.json("stats --since 2h", 0);
        (counted["ended_by_reason"]["expired"].as_u64() > Some(0)).then_some(counted)
    };
    let counted = wait_until("the metrics", counted).await;
    assert!(counted["refreshes_by_result"]["ended"].as_u64() > Some(0), "{counted}");
    operator.never_printed(&tokens, &[]);
}

#[tokio::test]
async fn a_connection_that_nobody_has_refreshed_is_due_and_the_sweep_refreshes_it() {
    let operator = Operator::beside().await;
    let chat = connected(&operator).await;
    operator.age_row(&chat, 21 * DAY).await;
    let due = operator.json("connection list --status due --limit 10000", 0);
    let [line] = of_chat(&due, &chat)[..] else { panic!("one line of {chat}: {due}") };
    assert_eq!((&line["due"], line["age_seconds"].as_u64() > Some(20 * 86_400)), (&json!(true), true), "{line}");
    let text = operator.wasf("connection list --status due --limit 10000").out;
    assert!(text.contains("21 d ago") && text.contains("due"), "{text}");
    // A whole sweep spreads its refreshes over minutes.
    let page = json!({"segment": 0, "segments": 1, "started_at": now_ms(), "pause_s": 0});
    let body = json!({"v": 1, "page": page}).to_string();
    let sweep = json!({"QueueUrl": operator.stack().output("UpkeepQueueUrl"), "MessageBody": body});
    operator.cloud.aws("sqs", "AmazonSQS.SendMessage", sweep).await;
    wait_until("the refresh", async || {
        let shown = operator.wasf("connection list --status due --limit 10000 --json").out;
        of_chat(&serde_json::from_str(&shown).ok()?, &chat).is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn upkeep_that_was_given_up_is_listed_redriven_and_dropped() {
    let operator = Operator::beside().await;
    let (chat, old) = (connected(&operator).await, connected(&operator).await);
    operator.age_row(&old, 21 * DAY).await;
    let [_, in_use] = operator.tokens(&chat).await.unwrap();
    let extra = operator.cloud.grant(&chat, "ada@example.com").await["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(operator.cloud.live_tokens(&chat).await.len(), 2);
    let revoke = async |token: &str| {
        let token = operator.cloud.seal(operator.stack(), &chat, token).await;
        json!({"v": 1, "revoke": {"wa_id": chat, "token": token, "hosts": [operator.login_url()]}}).to_string()
    };
    let dead = async |body: String| {
        let letter = json!({"QueueUrl": operator.stack().output("UpkeepDlqUrl"), "MessageBody": body});
        operator.cloud.aws("sqs", "AmazonSQS.SendMessage", letter).await;
    };
    dead(revoke(&extra).await).await;
    dead(json!({"v": 1, "refresh": {"wa_id": old}}).to_string()).await;
    dead("nonsense".to_owned()).await;

    assert_eq!(operator.json("dlq stats", 0)["upkeep_dead_letters"]["waiting"], 3);
    let listed = operator.json("dlq list --queue upkeep", 0);
    let holds: Vec<_> = listed["messages"].as_array().unwrap().iter().map(|letter| &letter["holds"]).collect();
    for kind in ["tokens to revoke", "refresh", "unreadable"] {
        assert!(holds.contains(&&json!(kind)), "{listed}");
    }
    let of_revoke = listed["messages"].as_array().unwrap().iter().find(|letter| letter["sealed"] == true).unwrap();
    let id = of_revoke["message_id"].as_str().unwrap();
    assert_eq!(operator.json(&format!("dlq show {id} --queue upkeep"), 0)["reason"], "not revoked");
    let found = operator.doctor();
    let custody = found.iter().find(|finding| finding["text"] == "3 upkeep dead letters").unwrap();
    assert!(custody["remedy"].as_str().unwrap().contains("wasf dlq redrive --queue upkeep --confirm"), "{custody}");

    assert_eq!(operator.json("dlq redrive --queue upkeep", 0)["found"], 2, "what can be read");
    assert_eq!(operator.json("dlq redrive --queue upkeep --confirm", 0)["redriven"], 2);
    wait_until("the revocation", async || (operator.cloud.live_tokens(&chat).await.len() == 1).then_some(())).await;
    wait_until("the refresh", async || {
        (operator.cloud.journal(&old).await.count("salesforce.refresh") == 1).then_some(())
    })
    .await;
    // A token that the chat is connected by is never revoked, whoever asks for it.
    dead(revoke(&in_use).await).await;
    let dropped = operator.json("dlq drop --queue upkeep --confirm", 0);
    assert_eq!((&dropped["dropped"], &dropped["spared"]), (&json!(1), &json!(1)), "the unreadable one");
    assert_eq!(operator.json("dlq redrive --queue upkeep --confirm", 0)["redriven"], 1);
    let in_use_still = async || {
        let lines = operator.json("logs --since 10m --function token-refresher", 0)["lines"].to_string();
        lines.contains("in_use").then_some(())
    };
    wait_until("the answer to it", in_use_still).await;
    assert_eq!(operator.json(&format!("connection check {chat}"), 0)["salesforce"], "works");
    operator.json("dlq list --queue upkeep", 3);
    operator.never_printed(&[extra, in_use], &[]);
}
