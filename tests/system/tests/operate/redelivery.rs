//! Outcomes that the bot was not notified of: they are found and redelivered, and nobody is notified twice.

use serde_json::{Value, json};

use system::{consent::CONNECTED, new_chat, operator::Operator, wait_until};

const NEVER: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn an_outcome_whose_notification_failed_is_notified_of_once() {
    let operator = Operator::ready().await;
    let cloud = &operator.cloud;
    assert_eq!(operator.json("events redeliver", 3)["found"], 0);
    operator.json(&format!("events redeliver --attempt {NEVER}"), 3);

    // The bot is down until the retry queue gives up.
    cloud.give_up_telling_after(operator.stack(), 2).await;
    let chat = new_chat();
    cloud.fault(&chat, "bot.events", 1000, json!({"status": 503, "body": ""})).await;
    let attempt = operator.connect(&chat).await;
    wait_until("a dead letter of the retry queue", async || {
        (operator.messages_in("NotifierRetryDlqUrl").await == 1).then_some(())
    })
    .await;
    cloud.give_up_telling_after(operator.stack(), 500).await;
    cloud.end_all_faults().await;
    let before = cloud.journal(&chat).await;
    assert_eq!((before.messages(), before.succeeded("bot.events")), (vec![CONNECTED], 0));

    let planned = operator.json("events redeliver --since 1h", 0);
    assert_eq!((&planned["dry_run"], &planned["redelivered"]), (&json!(true), &json!(0)));
    assert_eq!(planned["outcomes"][0]["attempt_id"], attempt.as_str());
    assert_eq!(operator.json("events redeliver --since 1h --confirm", 0)["redelivered"], 1);
    let journal = cloud.wait_for(&chat, "the event", |journal| journal.succeeded("bot.events") == 1).await;
    assert_eq!(journal.messages(), [CONNECTED], "the person is not notified twice");
    wait_until("a complete notification", async || {
        let known = operator.json(&format!("attempt show {attempt}"), 0)["timeline"].to_string();
        known.contains("notification complete").then_some(())
    })
    .await;
    assert_eq!(operator.json("events redeliver --since 1h --confirm", 3)["found"], 0);

    // Whoever was notified is notified again only on request.
    operator.json(&format!("events redeliver --attempt {attempt} --again bot --confirm"), 0);
    let journal = cloud.wait_for(&chat, "the event", |journal| journal.succeeded("bot.events") == 2).await;
    assert_eq!(journal.messages(), [CONNECTED]);
    let accepted = journal.records("bot.events").iter().filter(|record| record["succeeded"] == true);
    let ids: Vec<&Value> = accepted.map(|record| &record["asked"]["webhook_id"]).collect();
    assert_eq!(ids[0], ids[1], "the bot recognizes the repetition");

    // The dead letter points to an outcome that is told by now.
    assert_eq!(operator.json("events redrive", 0)["found"], 1);
    assert_eq!(operator.json("events redrive --confirm", 0)["redriven"], 1);
    wait_until("an empty retry queue", async || {
        (operator.messages_in("NotifierRetryQueueUrl").await == 0).then_some(())
    })
    .await;
    assert_eq!(cloud.journal(&chat).await.succeeded("bot.events"), 2);
    assert_eq!(operator.json("events redrive --confirm", 3)["redriven"], 0);
    operator.never_printed(&operator.tokens(&chat).await.unwrap(), &journal.verifier_hashes());
}

/// Twilio accepts the message, and says 15 seconds later that the 24-hour window is closed.
#[tokio::test]
async fn a_window_that_turns_out_to_be_closed_is_passed_by_the_template_within_a_minute() {
    let operator = Operator::ready().await;
    let cloud = &operator.cloud;
    let before = operator.set("Notifier", "WHATSAPP_TEMPLATE", "HX0123").await;
    let chat = new_chat();
    let later = json!({"later": {"status": "undelivered", "error_code": 63016}});
    cloud.fault(&chat, "twilio.messages", 1, later).await;
    let attempt = operator.connect(&chat).await;
    let journal = cloud.wait_for(&chat, "the template", |journal| !journal.templates().is_empty()).await;
    assert!(journal.templates()[0].contains(CONNECTED), "{:?}", journal.templates());
    let shown = wait_until("the template's message to arrive", async || {
        let shown = operator.json(&format!("attempt show {attempt}"), 0);
        (shown["message_state"] == "delivered").then_some(shown)
    })
    .await;
    operator.set("Notifier", "WHATSAPP_TEMPLATE", &before).await;
    assert!(shown["timeline"].to_string().contains("template needed"), "{shown}");
    let journal = cloud.journal(&chat).await;
    assert_eq!((journal.messages(), journal.templates().len()), (vec![CONNECTED], 1));
    let [event] = &journal.events()[..] else { panic!("one event: {:?}", journal.events()) };
    assert_eq!(event["data"]["message"], "sent", "and it is, by the template");
}
