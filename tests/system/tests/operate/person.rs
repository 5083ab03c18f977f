//! Somebody asks what is stored of them, and to be erased.

use serde_json::{Value, json};

use system::{new_chat, operator::Operator, wait_until};

/// A link that the bot gave with a reference of its own.
async fn link_with_reference(operator: &Operator, chat: &str) -> String {
    let answer = operator.cloud.ask_for_link("main", json!({"wa_id": chat, "reference": "crm/42"})).await;
    let answer: Value = answer.json().await.unwrap();
    answer["url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn whoever_is_erased_is_known_to_nobody_and_has_no_token_that_works() {
    let operator = Operator::beside().await;
    let chat = new_chat();
    let attempt = operator.consent(&link_with_reference(&operator, &chat).await).await;
    operator.outcome(&chat).await;
    let tokens = operator.tokens(&chat).await.unwrap();

    let shown = operator.json(&format!("person show {chat}"), 0);
    assert_eq!([&shown["references"][0], &shown["connection"]["reference"]], ["crm/42", "crm/42"]);
    assert_eq!(
        (&shown["connection"]["status"], &shown["attempts"][0]["attempt_id"]),
        (&json!("connected"), &json!(attempt))
    );
    wait_until("a complete notification", async || {
        let planned = operator.json(&format!("person erase {chat}"), 0);
        (planned["left"] == json!([])).then_some(())
    })
    .await;
    assert!(operator.tokens(&chat).await.is_some(), "a dry run");

    let number = chat.strip_prefix("whatsapp:").unwrap();
    let shown = operator.typing("person show -", number);
    assert!(shown.code == 0 && shown.out.contains(&attempt), "{shown:?}");
    let erased = operator.json(&format!("person erase {number} --confirm"), 0);
    assert_eq!(
        (&erased["salesforce"], &erased["attempts"], &erased["connection"]),
        (&json!("queued"), &json!(2), &json!(true))
    );
    wait_until("the revocation", async || operator.cloud.live_tokens(&chat).await.is_empty().then_some(())).await;
    assert_eq!(operator.row(&chat).await, None);
    assert_eq!(operator.cloud.item(operator.stack().output("AttemptTableName"), "attempt_id", &attempt).await, None);
    let journal = operator.cloud.journal(&chat).await;
    let is_told =
        journal.messages().iter().any(|message| message.starts_with("Your Salesforce account is no longer connected."));
    assert!(is_told, "{:?}", journal.messages());
    operator.json(&format!("person show {chat}"), 3);
    operator.json(&format!("person erase {chat} --confirm"), 3);
    operator.never_printed(&tokens, &[]);
}

#[tokio::test]
async fn the_reference_of_a_link_that_nobody_opened_is_shown_and_erased_and_is_no_attempt() {
    let operator = Operator::beside().await;
    let chat = new_chat();
    link_with_reference(&operator, &chat).await;
    let shown = operator.json(&format!("person show {chat}"), 0);
    assert_eq!((&shown["references"], &shown["attempts"]), (&json!(["crm/42"]), &json!([])));
    for how in ["", " --scan"] {
        let listed = operator.wasf(&format!("attempt list --chat {chat}{how}"));
        assert!(!listed.out.is_empty() && !listed.out.contains("reference#"), "{listed:?}");
    }
    let erased = operator.json(&format!("person erase {chat} --confirm"), 0);
    assert_eq!((&erased["references"], &erased["attempts"]), (&json!(1), &json!(0)));
    operator.json(&format!("person show {chat}"), 3);
}

#[tokio::test]
async fn an_end_that_the_bot_was_not_told_of_is_left_and_erased_by_another_run() {
    let operator = Operator::beside().await;
    let chat = new_chat();
    operator.connect(&chat).await;
    operator.outcome(&chat).await;
    operator.cloud.fault(&chat, "bot.events", 1000, json!({"status": 503, "body": ""})).await;
    let erased = operator.json(&format!("person erase {chat} --confirm"), 4);
    assert_eq!((&erased["salesforce"], &erased["connection"]), (&json!("queued"), &json!(false)));
    assert!(erased["left"].to_string().contains("has not been told yet"), "{erased}");
    assert!(operator.row(&chat).await.is_some() && operator.tokens(&chat).await.is_none());
    operator.cloud.end_faults(&chat).await;
    wait_until("the rest to be erased", async || {
        (operator.wasf(&format!("person erase {chat} --confirm")).code == 0).then_some(())
    })
    .await;
    assert_eq!(operator.row(&chat).await, None);
}
