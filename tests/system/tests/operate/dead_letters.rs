//! Two hundred dead letters of all kinds, and an operator whose `wasf` is killed half-way.

use std::process::Stdio;

use serde_json::json;

use system::{
    Journal, consent::CONNECTED, dead_letters::Person, faults::throttled, new_chat, now_ms, operator::Operator,
    wait_until,
};

const OF_EACH: usize = 50;
/// Of the fifty whose code has been exchanged or denied.
const SEALED: usize = 10;
const MINUTE_MS: u64 = 60_000;

/// The people whose messages are dead letters; beside them are fifty unreadable messages.
struct People {
    live: Vec<Person>,
    expired: Vec<Person>,
    denied: Vec<Person>,
    sealed: Vec<Person>,
}

/// Makes two hundred dead letters.
async fn two_hundred(operator: &Operator) -> People {
    let cloud = &operator.cloud;

    // Tokens that the table rejects are put back on the queue encrypted, and become dead letters there.
    operator.give_up_after(1).await;
    let sealed = operator.people_who_approve(SEALED).await;
    for person in &sealed {
        cloud.aws_fault("dynamodb.TransactWriteItems", &*person.chat, 10_000, throttled()).await;
        operator.send_consent(person).await;
    }
    wait_until("sealed dead letters", async || (operator.dead_letter_count().await == SEALED).then_some(())).await;
    operator.change_event_source("TokenExchanger", json!({"Enabled": false})).await;
    cloud.end_all_faults().await;

    let live = operator.people_who_approve(OF_EACH).await;
    for person in &live {
        operator.send_consent(person).await;
    }
    let nobody = |number: usize| Person {
        chat: new_chat(),
        attempt: format!("{:032x}", (u128::from(now_ms()) << 16) | number as u128),
        code: None,
    };
    let expired: Vec<_> = (0..OF_EACH).map(nobody).collect();
    for person in &expired {
        let mut message = operator.message(person, 20 * MINUTE_MS).await;
        message["code"] = format!("aPrx{}==", person.attempt).into();
        operator.send(&message.to_string()).await;
    }
    let denied: Vec<_> = (OF_EACH..2 * OF_EACH - SEALED).map(nobody).collect();
    for person in &denied {
        let mut message = operator.message(person, MINUTE_MS).await;
        message["denied"] = json!({"error": "access_denied"});
        operator.send(&message.to_string()).await;
    }
    for _ in 0..OF_EACH {
        operator.send(&format!("not a message: {}", new_chat())).await;
    }
    operator.exhaust_receives(4 * OF_EACH).await;
    operator.give_up_after(11).await;
    operator.change_event_source("TokenExchanger", json!({"Enabled": true})).await;
    People { live, expired, denied, sealed }
}

#[tokio::test]
async fn two_hundred_dead_letters_end_in_one_outcome_each_though_wasf_is_killed() {
    let operator = Operator::ready().await;
    let cloud = &operator.cloud;
    let People { live, expired, denied, sealed } = two_hundred(&operator).await;

    // Reading removes nothing.
    let kinds = operator.json("dlq stats", 0)["kinds"].take();
    let of_kind = |holds: &str| -> u64 {
        let kinds = kinds.as_array().unwrap().iter().filter(|kind| kind["holds"] == holds);
        kinds.map(|kind| kind["number"].as_u64().unwrap()).sum()
    };
    let counted = ["live code", "expired code", "denial", "sealed tokens", "unreadable"].map(of_kind);
    assert_eq!(counted, [50, 50, 40, 10, 50]);
    let listed = operator.json("dlq list", 0);
    assert_eq!(listed["found"], 200);
    assert_eq!(operator.json("dlq list --only-alive", 0)["found"], 50);
    assert_eq!(operator.json("dlq list --reason unreadable --max 7", 0)["found"], 7);
    let shown = operator.json(&format!("dlq show {}", live[0].attempt), 0);
    assert_eq!((&shown["holds"], &shown["code_alive"]), (&json!("live code"), &json!(true)));
    assert_eq!(operator.json("dlq redrive", 0)["found"], 150);
    assert_eq!(operator.json("dlq redrive --native", 0)["found"], 200);
    assert_eq!(operator.json("dlq drop --only-alive --confirm", 3)["spared"], 50);
    assert!(operator.wasf("dlq list").out.contains("200 dead letters."));
    assert_eq!((operator.dead_letter_count().await, cloud.invisible_dead_letters(operator.stack()).await), (200, 0));

    // wasf is killed after a part of the redrive.
    let mut wasf = operator.command();
    let wasf = wasf.args("dlq redrive --only-alive --rate 20 --confirm".split(' ')).stdout(Stdio::null());
    let mut wasf = wasf.stderr(Stdio::null()).spawn().unwrap();
    wait_until("a part of it", async || (operator.dead_letter_count().await < 180).then_some(())).await;
    wasf.kill().unwrap();
    assert_eq!(wasf.wait().unwrap().code(), None, "it was killed before its end");
    let left = operator.dead_letter_count().await;
    assert!(left > 150, "{left}");

    // What it had received becomes visible again after a minute; then the same command does the rest.
    wait_until("all letters to be seen", async || {
        (cloud.invisible_dead_letters(operator.stack()).await == 0).then_some(())
    })
    .await;
    let done = operator.json("dlq redrive --only-alive --rate 20 --confirm", 0);
    assert_eq!(done["redriven"].as_u64().unwrap(), left as u64 - 150);
    operator.json("dlq redrive --only-alive --confirm", 3);
    let journals = operator.all_end_with(&live, "connected", "", 1).await;
    for journal in &journals {
        assert_eq!(journal.messages(), [CONNECTED]);
        assert_eq!(journal.count("salesforce.token"), 1, "a code is sent once");
    }

    assert_eq!(operator.json("dlq redrive --confirm", 0)["redriven"], 100);
    for journal in operator.all_end_with(&expired, "failed", "code_expired", 1).await {
        assert!(journal.messages()[0].contains("/connect/"), "a new link");
    }
    operator.all_end_with(&denied, "failed", "denied", 1).await;
    operator.all_end_with(&sealed, "connected", "", 1).await;

    // Unreadable messages return after SQS's own redrive, and stay until they are dropped.
    assert_eq!(operator.dead_letter_count().await, OF_EACH);
    operator.json("dlq redrive --confirm", 3);
    operator.give_up_after(1).await;
    assert_eq!(operator.json("dlq redrive --native --rate 100 --confirm", 0)["redriven"], 50);
    wait_until("the unreadable ones", async || (operator.dead_letter_count().await == OF_EACH).then_some(())).await;
    operator.give_up_after(11).await;
    assert_eq!(operator.json("dlq drop --reason unreadable", 0)["found"], 50);
    assert_eq!(operator.dead_letter_count().await, OF_EACH);
    assert_eq!(operator.json("dlq drop --reason unreadable --confirm", 0)["dropped"], 50);
    assert_eq!(operator.dead_letter_count().await, 0);

    let mut secrets: Vec<_> = live.iter().chain(&sealed).filter_map(|person| person.code.clone()).collect();
    secrets.extend(expired.iter().map(|person| format!("aPrx{}==", person.attempt)));
    for person in live.iter().chain(&sealed) {
        secrets.extend(operator.tokens(&person.chat).await.unwrap());
    }
    let verifiers: Vec<_> = journals.iter().flat_map(Journal::verifier_hashes).collect();
    operator.never_printed(&secrets, &verifiers);
}
