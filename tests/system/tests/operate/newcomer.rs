//! The first day: from an empty account to somebody who is connected, and disconnected again.

use serde_json::json;

use system::{consent::CONNECTED, new_chat, operator::Operator, wait_until};

#[tokio::test]
async fn from_an_empty_account_to_a_connection_and_its_end() {
    let operator = Operator::beside().await;
    let chat = new_chat();

    let link = operator.json(&format!("link {chat}"), 0);
    let link_id = link["link_id"].as_str().unwrap();
    assert_eq!(operator.json(&format!("attempt show {link_id}"), 3)["timeline"], json!(null));
    let attempt = operator.consent(link["url"].as_str().unwrap()).await;
    let attempt = attempt.as_str();
    let journal = operator.outcome(&chat).await;
    assert_eq!(journal.messages(), [CONNECTED]);
    let tokens = operator.tokens(&chat).await.unwrap();

    let shown = operator.json(&format!("attempt show {attempt}"), 0);
    assert_eq!((&shown["status"], &shown["wa_id"]), (&json!("connected"), &json!(chat)));
    let listed = operator.json("attempt list --status connected --since 1h", 0);
    let listed: Vec<_> = listed["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["attempt_id"]).collect();
    assert!(listed.contains(&&json!(attempt)));
    let of_chat = operator.json(&format!("attempt list --chat {chat}"), 0);
    assert_eq!((&of_chat["attempts"][0]["attempt_id"], &of_chat["found"]), (&json!(attempt), &json!(1)));
    let listed = operator.wasf("attempt list");
    assert!(listed.out.contains(attempt) && !listed.out.contains(&chat), "{}", listed.out);

    let connection = operator.json(&format!("connection show {chat}"), 0);
    assert_eq!((&connection["attempt_id"], &connection["refreshable"]), (&json!(attempt), &json!(true)));

    let planned = operator.json(&format!("connection revoke {chat}"), 0);
    assert_eq!(planned["dry_run"], true);
    assert_eq!(operator.tokens(&chat).await.as_ref(), Some(&tokens), "a dry run changes nothing");
    assert_eq!(operator.cloud.journal(&chat).await.count("salesforce.revoke"), 0);

    let done = operator.json(&format!("connection revoke {chat} --confirm"), 0);
    let end = done["end_id"].as_str().unwrap();
    assert_eq!((&done["salesforce"], &done["deleted"]), (&json!("queued"), &json!(true)));
    assert_eq!(operator.tokens(&chat).await, None);
    revoked(&operator, &chat).await;
    told_of(&operator, end).await;
    let journal = operator.cloud.journal(&chat).await;
    let events: Vec<_> = journal.events().into_iter().map(|event| event["type"].clone()).collect();
    assert_eq!(events, ["connection.created", "connection.revoked"]);
    assert_eq!(journal.events()[1]["data"]["attempt_id"], attempt);
    assert_eq!(journal.events()[1]["data"]["link_id"], link_id);
    let messages = journal.messages();
    assert!(messages[1].starts_with("Your Salesforce account is no longer connected."), "{messages:?}");
    let ended = operator.json(&format!("connection show {chat}"), 0);
    assert_eq!((&ended["status"], &ended["ended_reason"]), (&json!("ended"), &json!("revoked")));

    operator.never_printed(&tokens, &journal.verifier_hashes());
}

/// Waits until no token of the chat is alive at Salesforce.
async fn revoked(operator: &Operator, chat: &str) {
    wait_until("the revocation at Salesforce", async || {
        operator.cloud.live_tokens(chat).await.is_empty().then_some(())
    })
    .await;
}

/// Waits until both the chat and the bot have been told of the end.
async fn told_of(operator: &Operator, end: &str) {
    wait_until("the end told", async || {
        let shown = operator.json(&format!("attempt show {end}"), 0);
        let steps = shown["timeline"].as_array().unwrap().clone();
        steps.iter().any(|step| step["what"] == "notification complete").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_revocation_reaches_a_bot_that_was_down_and_the_chat_hears_it_once() {
    let operator = Operator::beside().await;
    let chat = new_chat();
    operator.connect(&chat).await;
    operator.outcome(&chat).await;
    operator.cloud.fault(&chat, "bot.events", 100, json!({"status": 503, "body": ""})).await;
    let done = operator.json(&format!("connection revoke {chat} --confirm"), 0);
    assert_eq!((&done["salesforce"], &done["notified"]), (&json!("queued"), &json!(false)));
    let end = done["end_id"].as_str().unwrap();
    wait_until("the message to the chat", async || {
        (operator.cloud.journal(&chat).await.messages().len() == 2).then_some(())
    })
    .await;
    let again = operator.json(&format!("connection revoke {chat} --confirm"), 0);
    assert_eq!(again, json!({"salesforce": "none", "deleted": false, "end_id": end, "notified": false}));
    operator.cloud.end_faults(&chat).await;
    told_of(&operator, end).await;
    let journal = operator.cloud.journal(&chat).await;
    assert_eq!((journal.messages().len(), journal.succeeded("bot.events")), (2, 2));
    assert_eq!(journal.events().last().unwrap()["type"], "connection.revoked");
    assert_eq!(operator.json(&format!("connection revoke {chat} --confirm"), 0)["notified"], true);
}

#[tokio::test]
async fn sealed_tokens_are_revoked_once_salesforce_is_back_and_the_connection_ends_at_once() {
    let operator = Operator::beside().await;
    let chat = new_chat();
    operator.connect(&chat).await;
    operator.outcome(&chat).await;
    operator.cloud.fault(&chat, "salesforce.revoke", 2, json!({"status": 503, "body": ""})).await;
    assert_eq!(operator.json(&format!("connection revoke {chat} --confirm"), 0)["salesforce"], "queued");
    assert_eq!(operator.tokens(&chat).await, None);
    assert_eq!(operator.cloud.live_tokens(&chat).await.len(), 1, "not before the end is written");
    revoked(&operator, &chat).await;
    assert_eq!(operator.cloud.journal(&chat).await.count("salesforce.revoke"), 3);
}

/// As versions before stored them.
#[tokio::test]
async fn plain_tokens_that_salesforce_does_not_revoke_stay_and_the_revocation_can_be_repeated() {
    let operator = Operator::beside().await;
    let chat = new_chat();
    operator.connect(&chat).await;
    operator.outcome(&chat).await;
    let tokens = operator.tokens(&chat).await;
    operator.unseal(&chat).await;
    for refusal in [json!({"status": 503, "body": ""}), json!({"status": 400, "body": "error=unsupported_token_type"})]
    {
        operator.cloud.fault(&chat, "salesforce.revoke", 2, refusal).await;
        let said = operator.json(&format!("connection revoke {chat} --confirm"), 1);
        assert!(said["error"].as_str().unwrap().contains("the tokens live"), "{said}");
        operator.cloud.end_faults(&chat).await;
        assert_eq!(operator.tokens(&chat).await, tokens);
    }
    assert_eq!(operator.json(&format!("connection revoke {chat} --confirm"), 0)["salesforce"], "revoked");
}

#[tokio::test]
async fn a_link_from_before_a_revocation_connects_no_more() {
    let operator = Operator::beside().await;
    let chat = new_chat();
    let before = operator.cloud.link(&chat).await;
    operator.connect(&chat).await;
    operator.outcome(&chat).await;
    // A link's time is known to the second.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    operator.json(&format!("connection revoke {chat} --confirm"), 0);
    operator.consent(&before.url).await;
    let answered = |journal: &system::Journal| journal.messages().iter().any(|text| text.contains("That link is from"));
    operator.cloud.wait_for(&chat, "the answer to the older link", answered).await;
    let failed = operator.json(&format!("attempt list --chat {chat} --status failed"), 0);
    assert_eq!(failed["attempts"][0]["reason"], "outdated_link");
    assert_eq!(operator.tokens(&chat).await, None);
    operator.connect(&chat).await;
    wait_until("the new connection", async || operator.tokens(&chat).await.map(drop)).await;
}

#[tokio::test]
async fn a_second_init_keeps_the_secrets_unless_they_are_to_be_replaced() {
    let operator = Operator::ready().await;
    let kept = |answer: &serde_json::Value| -> Vec<bool> {
        answer["secrets"].as_array().unwrap().iter().map(|secret| secret["kept"].as_bool().unwrap()).collect()
    };
    assert_eq!(kept(&operator.json("init --no-input --confirm", 0)), [true; 4]);
    let planned = operator.json("init --no-input --replace", 0);
    // The bot verifies with the webhook's secret: only `wasf secret set` replaces it.
    assert_eq!((kept(&planned), &planned["dry_run"]), (vec![false, false, false, true], &json!(true)));
    assert_eq!(planned["callback_url"], operator.stack().output("CallbackUrl"));
}

#[tokio::test]
async fn one_secret_is_replaced_and_no_other() {
    let operator = Operator::ready().await;
    let value = async |name: &str| operator.secret(name).await;
    let before = value("sf_client_secret").await;
    let others = [value("sf_client_id").await, value("whatsapp").await, value("bot_webhook").await];

    let planned = operator.json("secret set sf_client_secret", 0);
    assert_eq!((&planned["dry_run"], &planned["secret"]), (&json!(true), &json!("sf_client_secret")));
    assert_eq!(operator.typing("secret set sf_client_secret --confirm", "two words").code, 2);
    assert_eq!(operator.typing("secret set of_somebody_else --confirm", "A1B2").code, 3);
    assert_eq!(value("sf_client_secret").await, before);

    let pasted = format!("{{\"sf_client_secret\": \"{before}\"}}\n");
    operator.put_secret("sf_client_secret", "two words").await;
    operator.doctor_finds("secrets", "wasf secret set sf_client_secret");
    assert_eq!(operator.typing("secret set sf_client_secret --confirm", &pasted).code, 0);
    assert_eq!(value("sf_client_secret").await, before);
    assert_eq!([value("sf_client_id").await, value("whatsapp").await, value("bot_webhook").await], others);
    operator.put_secret("sf_client_secret", &pasted).await;
    operator.doctor_finds_nothing();
    operator.put_secret("sf_client_secret", &before).await;
}
