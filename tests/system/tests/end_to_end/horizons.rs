//! What outlasts an invocation: codes that expire on the queue, messages that become dead letters and are
//! redriven, settings that change at run time.

use serde_json::{Value, json};

use system::{Cloud, connections::events, consent::CONNECTED, faults::refusal, new_chat, now_ms, wait_until};

const OUTAGE: &str = "salesforce.token";

fn down() -> Value {
    json!({"status": 503, "body": ""})
}

#[tokio::test]
async fn a_code_that_expires_on_the_queue_brings_a_new_link() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.fault(&chat, OUTAGE, 1000, down()).await;
    // The code is tried at least once, on a busy machine too, before its fourteen minutes are over. Whether the person hears of the
    // delay before depends on how many tries these seconds are enough for.
    cloud.consent_of("main", &chat, 13 * 60_000 + 40_000).await;
    let journal =
        cloud.wait_for(&chat, "the failure", |journal| !events(journal, "connection.failed").is_empty()).await;
    let [failed] = events(&journal, "connection.failed")[..] else { panic!("told more than once") };
    // A 503 without a word of Salesforce's may be a gateway's, whatever became of the code.
    assert_eq!((&failed["data"]["reason"], &failed["data"]["next"]), (&json!("unknown"), &json!("relink")));
    let messages = journal.messages();
    assert!(!messages.is_empty() && messages.iter().all(|message| message.contains("/connect/")), "{messages:?}");
    assert!(journal.count(OUTAGE) > 0);
    assert_eq!(cloud.statuses(cloud.stack("main"), &chat).await, ["failed"]);
}

/// No server listens there: the code is never sent, so the reason is not a lost response.
#[tokio::test]
async fn an_unreachable_salesforce_is_retried_until_the_code_expires() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.consent_at("http://localhost:9", "plain", &chat, 13 * 60_000 + 58_000).await;
    let journal = cloud.meta_message(&chat, "took too long").await;
    assert_eq!(cloud.bot_queue_message(&chat).await["event"]["data"]["reason"], "code_expired");
    assert_eq!((journal.meta_messages().len(), journal.count(OUTAGE)), (1, 0));
}

/// Salesforce is down for longer than a message is retried: here, two tries.
#[tokio::test]
async fn the_last_try_tells_the_person_of_the_delay_and_a_redrive_ends_in_an_outcome() {
    let cloud = Cloud::read();
    let (plain, _turn) = cloud.plain_dead_letters().await;
    cloud.give_up_after(plain, 2, 3).await;
    let (valid, expired) = (new_chat(), new_chat());
    for chat in [&valid, &expired] {
        // Enough for two tries; after them Salesforce works again.
        let unknown = refusal("invalid_client", "invalid client credentials");
        cloud.fault(chat, OUTAGE, 4, unknown).await;
    }
    cloud.consent_of("plain", &valid, 0).await;
    cloud.consent_of("plain", &expired, 13 * 60_000 + 45_000).await;
    for chat in [&valid, &expired] {
        let journal = cloud.meta_message(chat, "takes longer than usual").await;
        assert!(journal.meta_messages()[0].contains("/connect/"));
        assert_eq!(cloud.bot_queue_message(chat).await["event"]["type"], "connection.delayed");
        cloud.dead_letter(plain, chat).await;
    }
    // One of the codes reaches its fourteen minutes.
    let started = now_ms();
    wait_until("the end of a code", async || (now_ms() > started + 15_000).then_some(())).await;

    cloud.redrive(plain).await;
    let connected = cloud.meta_message(&valid, CONNECTED).await;
    assert_eq!(connected.meta_messages().len(), 2);
    let over = cloud.meta_message(&expired, "took too long").await;
    assert_eq!((over.meta_messages().len(), over.count(OUTAGE)), (2, 4));
    assert_eq!(cloud.statuses(plain, &valid).await, ["connected"]);
    assert_eq!(cloud.statuses(plain, &expired).await, ["failed"]);
    assert_eq!(cloud.dead_letters(plain).await, 0);
}

#[tokio::test]
async fn of_ten_messages_nine_are_processed_and_the_unreadable_one_becomes_a_dead_letter() {
    let cloud = Cloud::read();
    let main = cloud.stack("main");
    let chats: Vec<_> = (0..9).map(|_| new_chat()).collect();
    let bad = format!("not a message: {}", new_chat());
    for (index, chat) in chats.iter().enumerate() {
        if index == 4 {
            cloud.send(main, &bad).await;
        }
        cloud.consent_of("main", chat, 0).await;
    }
    for chat in &chats {
        assert_eq!(cloud.outcome(chat).await.messages(), [CONNECTED]);
        assert_eq!(cloud.journal(chat).await.count(OUTAGE), 1);
    }
    assert_eq!(cloud.dead_letter(main, &bad).await, bad);
    assert!(!cloud.log_lines().await.iter().any(|line| line.contains("not a message: ")));
}

#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "each test has a thread and a runtime of its own")]
async fn a_client_secret_rotated_at_run_time_is_picked_up() {
    let (cloud, _exclusive) = Cloud::exclusive();
    let (before, after) = (new_chat(), new_chat());
    cloud.consent(&before).await;
    assert_eq!(cloud.outcome(&before).await.messages(), [CONNECTED]);

    let rotated = format!("ROTATED{}", now_ms());
    cloud.control("/control/salesforce", &json!({ "client_secret": rotated })).await;
    let change = json!({"SecretId": "sf_client_secret", "SecretString": rotated});
    cloud.aws("secretsmanager", "secretsmanager.PutSecretValue", change).await;

    cloud.consent(&after).await;
    let journal = cloud.outcome(&after).await;
    assert_eq!(journal.messages(), [CONNECTED]);
    assert_eq!(journal.count(OUTAGE), 2, "once with the old secret, once with the new one");

    // Other tests count exchanges, so no process may keep the old secret.
    for stack in ["main", "plain"] {
        let renew = |configuration: &mut Value| configuration["Description"] = "Knows the rotated secret.".into();
        cloud.change_exchanger(cloud.stack(stack), renew).await;
    }
}
