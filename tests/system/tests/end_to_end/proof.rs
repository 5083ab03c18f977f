//! Logins on the stack with `ChatProof=Required`: who has approved sends the code that the page shows from the link's own chat,
//! and is connected. `ProofMinutes` is 1 there.

mod attacks;
mod browser;
mod failures;

use futures::{future::join_all, join};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use system::{
    Browser, Cloud, Journal,
    consent::CONNECTED,
    custody::is_sealed,
    new_chat, new_scoped_chat,
    proof::{PROOF, shown_code},
    wait_until,
};

/// A code that no page shows: there is a code in 5 · 10¹⁰ logins.
const MADE_UP: [&str; 4] = ["CDFH-2345", "CDFH-2346", "CDFH-2347", "CDFH-2348"];

/// Asserts that nothing of this chat is connected, or can be: it has no row, Salesforce has ended what it granted, and no
/// call of AWS ever had a token of it in clear.
async fn nothing_is_connected(cloud: &Cloud, chat: &str) {
    cloud.wait_for(chat, "the revocation", |journal| journal.succeeded("salesforce.revoke") > 0).await;
    for grant in cloud.grants(chat).await {
        assert_eq!((&grant["alive"], &grant["ended"]), (&json!(false), &json!("revoked")));
    }
    assert_eq!(cloud.proof_row(chat).await, None);
    assert_eq!(cloud.tokens_in_clear(chat).await, [], "a token in clear");
    assert_ne!(cloud.proof_status(chat).await["status"], "connected");
}

/// The only event of the chat.
fn only_event(journal: &Journal) -> &Value {
    let events = journal.events();
    assert_eq!(events.len(), 1, "{events:?}");
    events[0]
}

/// What was processed before is done once this is: another person's way, from the link to the message.
async fn somebody_else_connects(cloud: &Cloud) {
    cloud.connect_with_proof(&new_chat()).await;
}

#[tokio::test]
async fn who_sends_the_code_from_the_links_chat_is_connected_once() {
    honest(Cloud::read(), new_chat()).await;
}

#[tokio::test]
async fn who_sends_the_code_from_the_links_chat_at_meta_is_connected_once() {
    let cloud = || Cloud::read().by_meta();
    join!(honest(cloud(), new_scoped_chat()), honest(cloud(), new_chat()));
}

async fn honest(cloud: Cloud, chat: String) {
    let link = cloud.proof_link(&chat).await;
    let login = cloud.held_over(&link).await;

    // Until then there is nothing to read, and nobody is told.
    assert_eq!(cloud.proof_row(&chat).await, None);
    assert_eq!(cloud.proof_status(&chat).await["status"], "unconfirmed");
    assert_eq!(cloud.call(PROOF, "token", json!({"wa_id": chat})).await.status(), StatusCode::NOT_FOUND);
    let journal = cloud.journal(&chat).await;
    assert_eq!((journal.messages().len(), journal.events().len()), (0, 0));

    let answer = cloud.sends_code(&chat, &login.code).await;
    assert_eq!((answer.status, answer.result()), (StatusCode::OK, "confirmed"));
    let journal = cloud.outcome(&chat).await;
    let whole = format!("{CONNECTED} Connected as {}. Not you? Reply *disconnect*.", login.browser.username());
    assert_eq!(journal.whole_messages(), [whole]);
    let event = only_event(&journal);
    assert_eq!((&event["type"], &event["data"]["attempt_id"]), (&json!("connection.created"), &json!(login.attempt)));
    assert_eq!(event["data"]["link_id"], link.link_id);
    assert_eq!(journal.count("salesforce.token"), 1);
    cloud.settled(&login.attempt).await;

    let row = cloud.proof_row(&chat).await.expect("a row");
    assert!(is_sealed(&row));
    assert_eq!(cloud.proof_status(&chat).await["status"], "connected");
    let [access_token, _] = cloud.tokens_of(&row).await;
    assert!(cloud.is_live(row["instance_url"]["S"].as_str().unwrap(), &access_token).await);
    assert_eq!(cloud.proof_outcome(&login.attempt).await["status"]["S"], "connected");
}

#[tokio::test]
async fn a_confirmation_that_is_repeated_is_answered_alike_and_changes_nothing() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let login = cloud.connect_with_proof(&chat).await;
    cloud.settled(&login.attempt).await;
    let row = cloud.proof_row(&chat).await;
    let bare = login.code.replace('-', "").to_lowercase();
    for text in [login.code.clone(), bare.clone(), format!("it says {bare}, thanks"), format!("*{}*", login.code)] {
        let answer = cloud.writes(&chat, &text).await;
        assert_eq!((answer.status, answer.result()), (StatusCode::OK, "confirmed"), "{text}");
    }
    somebody_else_connects(&cloud).await;
    assert_eq!(cloud.proof_row(&chat).await, row);
    let journal = cloud.journal(&chat).await;
    assert_eq!((journal.messages().len(), journal.events().len(), journal.count("salesforce.token")), (1, 1, 1));
}

/// Salesforce has not answered when the person sends the code: from the link's chat, and from another one.
#[tokio::test]
async fn a_code_that_comes_before_salesforces_answer_decides_the_login() {
    let cloud = Cloud::read();
    join_all([true, false].map(async |is_own| {
        let chat = new_chat();
        let sender = if is_own { chat.clone() } else { new_chat() };
        cloud.fault(&chat, "salesforce.token", 1, json!({"hold": "after"})).await;
        let login = cloud.log_in_over(&cloud.proof_link(&chat).await).await;
        cloud.wait_until_held("salesforce.token", &chat).await;
        let (answer, ()) = futures::join!(cloud.sends_code(&sender, &login.code), async {
            wait_until("the sender", async || cloud.pending("sender", &sender).await).await;
            cloud.release("salesforce.token", &chat).await;
        });
        // The call waits for the login, but not for ever.
        let expected = if is_own { StatusCode::OK } else { StatusCode::CONFLICT };
        assert!([expected, StatusCode::NOT_FOUND].contains(&answer.status), "{answer:?}");

        let item = cloud.proof_outcome(&login.attempt).await;
        cloud.settled(&login.attempt).await;
        if is_own {
            assert_eq!(item["status"]["S"], "connected");
            assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED]);
        } else {
            assert_eq!((&item["status"]["S"], &item["reason"]["S"]), (&json!("failed"), &json!("wrong_chat")));
            nothing_is_connected(&cloud, &chat).await;
        }
    }))
    .await;
}

#[tokio::test]
async fn a_second_login_renews_when_it_is_confirmed_and_not_before() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.connect_with_proof(&chat).await;
    let first = cloud.proof_row(&chat).await.expect("a row");
    let login = cloud.held_over(&cloud.proof_link(&chat).await).await;
    assert_eq!(cloud.proof_row(&chat).await.as_ref(), Some(&first));
    assert_eq!(cloud.live_tokens(&chat).await.len(), 2, "what is there stays alive");

    assert_eq!(cloud.sends_code(&chat, &login.code).await.status, StatusCode::OK);
    let journal = cloud.wait_for(&chat, "the second event", |journal| journal.events().len() == 2).await;
    assert_eq!(journal.events()[1]["type"], "connection.renewed");
    assert_eq!(cloud.proof_row(&chat).await.expect("a row")["username"]["S"], login.browser.username());
    wait_until("the revocation of what was replaced", async || {
        (cloud.live_tokens(&chat).await.len() == 1).then_some(())
    })
    .await;
}

/// The page's script has removed the query, too.
#[tokio::test]
async fn the_page_loaded_again_shows_the_same_code() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let (mut browser, callback) = cloud.approved(&cloud.proof_link(&chat).await).await;
    let page = browser.follow(&callback).await;
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    let code = shown_code(&browser, &callback).await;
    let bot = cloud.proof().output("CallbackUrl").to_owned();
    assert_eq!(shown_code(&browser, &bot).await, code, "without the query");
    assert!(page.contains(&code) && page.contains("https://wa.me/"), "{page}");
    assert_eq!(cloud.sends_code(&chat, &code).await.status, StatusCode::OK);
    let journal = cloud.outcome(&chat).await;
    assert_eq!((journal.messages(), journal.count("salesforce.token")), (vec![CONNECTED], 1));
}

/// A business-scoped user id means nothing to anybody, and is a chat as any other.
#[tokio::test]
async fn a_chat_without_a_number_is_connected_too() {
    let cloud = Cloud::read();
    let chat = format!("whatsapp:US.{}", &new_chat()[10..]);
    let login = cloud.connect_with_proof(&chat).await;
    let page = login.browser.visit(Method::GET, &login.callback).await.text().await.unwrap();
    assert!(!page.contains(&chat[12..]), "{page}");
    assert_eq!(cloud.journal(&chat).await.messages(), [CONNECTED]);
}

#[tokio::test]
async fn after_three_made_up_codes_a_chat_is_refused_and_no_other_chat_is() {
    let cloud = Cloud::read();
    let (chat, other) = (new_chat(), new_chat());
    for text in ["hello", "connect salesforce", ""] {
        let answer = cloud.writes(&chat, text).await;
        assert_eq!((answer.status, answer.result()), (StatusCode::NOT_FOUND, "unknown_code"), "{text}");
        assert_eq!(answer.user_message(), "", "the bot goes on with the message");
    }
    for code in &MADE_UP[..3] {
        let answer = cloud.sends_code(&chat, code).await;
        assert_eq!((answer.status, answer.result()), (StatusCode::NOT_FOUND, "unknown_code"), "{code}");
        assert_ne!(answer.user_message(), "", "{code}");
    }
    let answer = cloud.sends_code(&chat, MADE_UP[3]).await;
    assert_eq!((answer.status, answer.result()), (StatusCode::TOO_MANY_REQUESTS, "too_many_guesses"));
    assert!(answer.retry_after.is_some() && !answer.user_message().is_empty(), "{answer:?}");

    // What has no code in it is no guess.
    let answer = cloud.writes(&chat, "hello").await;
    assert_eq!((answer.status, answer.user_message()), (StatusCode::NOT_FOUND, ""));
    // The right one is one too many as well.
    let login = cloud.held_over(&cloud.proof_link(&chat).await).await;
    assert_eq!(cloud.sends_code(&chat, &login.code).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(cloud.proof_row(&chat).await, None);
    cloud.connect_with_proof(&other).await;
}

#[tokio::test]
async fn what_is_no_message_of_a_chat_is_invalid() {
    let cloud = Cloud::read();
    let (chat, url) = (new_chat(), cloud.proof().output("ConfirmationsUrl"));
    assert!(url.ends_with("/confirmations"), "{url}");
    let long = "x".repeat(4_097);
    for (chat, text) in [("someone", "CDFH-2345"), ("", "CDFH-2345"), (&*chat, &*long)] {
        let answer = cloud.writes(chat, text).await;
        assert_eq!((answer.status, answer.result()), (StatusCode::BAD_REQUEST, "invalid_request"), "{chat}");
    }
    let url = cloud.links_url(PROOF).replace("/links", "/confirmations");
    let body = json!({"wa_id": chat, "text": "CDFH-2345"});
    let unsigned = cloud.client().post(url).json(&body).send().await.unwrap();
    assert_eq!(unsigned.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn neither_log_nor_stream_has_a_code_its_hash_or_what_people_write() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let login = cloud.connect_with_proof(&chat).await;
    let row = cloud.pending("attempt_id", &login.attempt).await.expect("a row");
    let bare = login.code.replace('-', "");
    let secrets = [&*login.code, &bare, row["proof"]["S"].as_str().expect("a hash"), "Confirmation code", &chat[10..]];
    let lines = wait_until("the keeper's line", async || {
        let lines = cloud.log_lines().await;
        lines.iter().any(|line| line.contains("/confirmations")).then_some(lines)
    })
    .await;
    let records = cloud.stream_records(cloud.proof().output("AttemptTableName")).await;
    for secret in &secrets {
        assert!(!lines.iter().any(|line| line.contains(secret)), "{secret} in a log line");
    }
    for secret in &secrets[..3] {
        assert!(!records.iter().any(|record| record.to_string().contains(secret)), "{secret} in a stream record");
    }
}

/// Who can write to the queue can leave the proof out, and that connects nobody.
#[tokio::test]
async fn a_message_without_a_proof_connects_nobody() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let attempt = cloud.consent_of(PROOF, &chat, 0).await;
    let item = cloud.proof_outcome(&attempt).await;
    assert_eq!((&item["status"]["S"], &item["reason"]["S"]), (&json!("failed"), &json!("unconfirmed")));
    assert_eq!(cloud.proof_row(&chat).await, None);
    assert_eq!(cloud.journal(&chat).await.count("salesforce.token"), 0);
}

/// A page of the receiver for a browser that has no login.
#[tokio::test]
async fn a_browser_without_a_login_is_shown_no_code() {
    let cloud = Cloud::read();
    let callback = cloud.proof().output("CallbackUrl");
    let answer = Browser::new(&cloud).visit_as(Method::GET, callback, "application/json").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(answer.json::<Value>().await.unwrap()["confirmation_code"].is_null());
}
