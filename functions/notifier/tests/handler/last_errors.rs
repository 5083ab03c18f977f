//! What WhatsApp and the bot answered last where they did not take what they were sent stands in the item, for operators.

use fakes::{Answer, Server, attempts::item};
use serde_json::{Value, json};

use crate::{BOT, BOT_QUEUE, MESSAGE, NOW, POINTER, SIGNING_SECRET, Scene, TWILIO, World, table::Row, told};

/// A scene whose row keeps what is written to it.
async fn scene(item: Value, changed: fn(&str) -> Option<&'static str>) -> (Scene, Row) {
    let scene = Scene::configured(World::with(item.clone()), changed).await;
    let row = Row::behind(&scene.server, &item);
    (scene, row)
}

fn at(text: &str) -> String {
    format!("{NOW} {text}")
}

fn with_queue(name: &str) -> Option<&'static str> {
    (name == "BOT_QUEUE_URL").then_some(BOT_QUEUE)
}

fn refuse_on_queue(server: &Server) {
    server.on("SendMessage", |request| {
        let is_bots = request.json()["QueueUrl"] == BOT_QUEUE;
        if is_bots { fakes::aws::error("AccessDeniedException") } else { json!({"MessageId": "m"}).into() }
    });
}

#[tokio::test]
async fn a_message_that_twilio_does_not_take_leaves_its_code_in_the_item() {
    for (answer, error) in [
        (Answer::new(403, r#"{"code":63112}"#), "WhatsApp refused the account (63112)"),
        (Answer::new(401, r#"{"code":20003}"#), "WhatsApp refused the account (20003)"),
        (Answer::new(400, r#"{"code":63041}"#), "WhatsApp refused the template (63041)"),
        (Answer::new(503, "<html>secret</html>"), "WhatsApp is unavailable (http_503)"),
        (Answer::Endless(201), "WhatsApp did not say whether it took the message (answer_too_long)"),
    ] {
        let (scene, row) = scene(item(json!({})), |_| None).await;
        scene.server.on(TWILIO, move |_| answer.clone());
        scene.succeeds().await;
        assert_eq!(row.text("whatsapp_last_error").unwrap(), at(error));
        assert_eq!(row.text("bot_last_error"), None);
        assert_eq!(scene.aws_calls("UpdateItem").len(), 3, "intent, what stays of it, and the bot's mark");
    }
}

#[tokio::test]
async fn a_message_that_meta_does_not_take_leaves_its_code_in_the_item() {
    let by_meta = |name: &str| (name == "WHATSAPP_PROVIDER").then_some("Meta");
    let (scene, row) = scene(item(json!({})), by_meta).await;
    let secret = json!({"SecretValues": [
        {"Name": "whatsapp", "SecretString": r#"{"access_token":"t","phone_number_id":"1"}"#},
        {"Name": "webhook", "SecretString": SIGNING_SECRET},
    ]});
    scene.server.on("BatchGetSecretValue", move |_| secret.clone().into());
    let refusal = json!({"error": {"code": 131_031, "message": "a person's data"}});
    scene.server.on("/messages", move |_| Answer::json(403, &refusal));
    assert!(!scene.succeeds().await);
    assert_eq!(row.text("whatsapp_last_error").unwrap(), at("WhatsApp refused the account (131031)"));
}

#[tokio::test]
async fn a_message_that_is_refused_later_leaves_its_code_in_the_item() {
    for (code, error) in [
        (Some(63112), "WhatsApp refused the account (63112), after it had accepted the message"),
        (Some(69_999), "WhatsApp refused the account (69999), after it had accepted the message"),
        (Some(63024), "WhatsApp cannot deliver to the person (63024), after it had accepted the message"),
    ] {
        let (scene, row) = scene(told(json!({})), |_| None).await;
        scene.becomes("failed", code);
        scene.returned(&[POINTER], 15).await;
        assert_eq!(scene.server.requests(MESSAGE).len(), 1);
        assert_eq!(row.text("whatsapp_last_error").unwrap(), at(error));
    }
}

#[tokio::test]
async fn what_a_bot_answers_that_does_not_take_its_event_is_in_the_item() {
    for (answer, error) in [
        (Answer::new(500, "its body"), "the bot's webhook returned 500"),
        (Answer::new(401, ""), "the bot's webhook returned 401"),
        (Answer::Never, "the bot's webhook did not answer in time"),
    ] {
        let (scene, row) = scene(item(json!({})), |_| None).await;
        scene.server.on(BOT, move |_| answer.clone());
        assert!(!scene.succeeds().await);
        assert_eq!(row.text("bot_last_error").unwrap(), at(error));
        assert_eq!(row.text("whatsapp_last_error"), None);
    }
}

#[tokio::test]
async fn a_bots_queue_and_webhook_are_named_each_for_itself() {
    let (scene, row) = scene(item(json!({})), with_queue).await;
    refuse_on_queue(&scene.server);
    assert!(!scene.succeeds().await);
    let by_queue = "cannot send to the bot's queue: SendMessage failed: AccessDeniedException";
    assert_eq!(row.text("bot_last_error").unwrap(), at(by_queue));
    assert!(row.has("webhook_told_at"));
    assert_eq!(scene.aws_calls("UpdateItem").len(), 3, "it is written with the mark of the webhook");

    let (scene, row) = self::scene(item(json!({})), with_queue).await;
    refuse_on_queue(&scene.server);
    scene.server.on(BOT, |_| Answer::new(500, ""));
    assert!(!scene.succeeds().await);
    assert_eq!(row.text("bot_last_error").unwrap(), at(&format!("the bot's webhook returned 500; {by_queue}")));
}

#[tokio::test]
async fn a_bot_that_is_down_is_written_once_and_again_when_it_answers_otherwise() {
    let (scene, row) = scene(item(json!({"messaged_at": NOW})), |_| None).await;
    scene.server.on(BOT, |_| Answer::new(500, ""));
    for _ in 0..3 {
        scene.returned(&[POINTER], 60).await;
    }
    assert_eq!(scene.marks(), ["SET bot_last_error"]);
    scene.server.on(BOT, |_| Answer::new(404, ""));
    scene.returned(&[POINTER], 60).await;
    assert_eq!(row.text("bot_last_error").unwrap(), at("the bot's webhook returned 404"));
    scene.server.on(BOT, |_| Answer::new(200, ""));
    assert_eq!(scene.returned(&[POINTER], 60).await, json!([]));
    assert_eq!(scene.marks(), ["SET bot_last_error", "SET bot_last_error", "SET bot_told_at notified_at"]);
    assert!(row.has("bot_last_error"), "it stays, and is past");
}

/// The stream's filter lets an item pass without any mark, and one that was redelivered.
#[tokio::test]
async fn what_the_bot_answered_does_not_put_the_outcome_on_the_stream_again() {
    let bot_alone = |name: &str| (name == "WHATSAPP_PROVIDER").then_some("None");
    let (scene, row) = scene(item(json!({"redelivered_at": NOW})), bot_alone).await;
    scene.server.on(BOT, |_| Answer::new(500, ""));
    assert!(!scene.succeeds().await);
    assert!(row.has("bot_last_error") && !row.has("redelivered_at"));
}
