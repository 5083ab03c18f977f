//! Which consent wins, and what becomes of the tokens of the others.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use system::{Browser, Cloud, Journal, Link, attempt_of, consent::CONNECTED, hex, new_chat, parameter, wait_until};

/// The user name in the chat's row.
async fn username(cloud: &Cloud, chat: &str) -> String {
    let table = cloud.stack("main").output("TokenTableName");
    let row = cloud.item(table, "wa_id", chat).await.expect("tokens");
    row["username"]["S"].as_str().expect("a name").to_owned()
}

/// Somebody of this name approves over the link; the callback is visited.
async fn approves(cloud: &Cloud, link: &str, name: &str) {
    let mut browser = Browser::new(cloud).used_by(name);
    let callback = browser.approve(link).await;
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), 200);
}

#[tokio::test]
async fn a_second_approval_over_one_link_connects_the_second_account() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let link = cloud.link(&chat).await.url;
    approves(&cloud, &link, "visitor-500001@example.com").await;
    cloud.outcome(&chat).await;
    let replaced = cloud.tokens("main", &chat).await;

    approves(&cloud, &link, "visitor-500002@example.com").await;
    let journal = cloud.wait_for(&chat, "the second event", |journal| journal.events().len() == 2).await;
    assert_eq!(journal.messages(), [CONNECTED, CONNECTED]);
    assert_eq!(journal.events()[1]["type"], "connection.renewed");
    assert_eq!(username(&cloud, &chat).await, "visitor-500002@example.com");
    assert_ne!(cloud.tokens("main", &chat).await, replaced);
    // What was replaced does not stay alive at Salesforce.
    wait_until("the revocation", async || {
        (cloud.journal(&chat).await.succeeded("salesforce.revoke") == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_older_consent_that_is_exchanged_last_changes_nothing_and_nothing_is_said_of_it() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    approves(&cloud, &cloud.link(&chat).await.url, "visitor-500003@example.com").await;
    cloud.outcome(&chat).await;

    let older = cloud.consent_of("main", &chat, 5 * 60_000).await;
    let attempt = wait_until("the outcome", async || {
        let attempt = cloud.item(main.output("AttemptTableName"), "attempt_id", &older).await?;
        attempt["notified_at"]["N"].is_string().then_some(attempt)
    })
    .await;
    assert_eq!((&attempt["status"]["S"], &attempt["reason"]["S"]), (&json!("failed"), &json!("superseded")));
    assert_eq!(username(&cloud, &chat).await, "visitor-500003@example.com");
    let journal = cloud.wait_for(&chat, "the event", |journal| journal.events().len() == 2).await;
    assert_eq!(journal.messages(), [CONNECTED]);
    assert_eq!(journal.events()[1]["data"]["reason"], "superseded");
    wait_until("the revocation", async || {
        (cloud.journal(&chat).await.succeeded("salesforce.revoke") == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_row_that_a_bot_wrote_in_its_own_way_is_replaced() {
    let cloud = Cloud::read();
    let table = cloud.stack("main").output("TokenTableName");
    for (issued_at, consented_at) in [
        (json!({"S": "1790000000123"}), json!({"S": "soon"})),
        (json!({"N": "4102444800000"}), json!({"N": "99999999999999"})),
        (json!({"N": "1"}), json!({"N": "-1.5"})),
    ] {
        let chat = new_chat();
        let row = json!({"wa_id": {"S": chat}, "issued_at": issued_at, "consented_at": consented_at,
            "access_token": {"S": "old"}, "instance_url": {"S": "https://evil.example"}});
        cloud.aws("dynamodb", "DynamoDB_20120810.PutItem", json!({"TableName": table, "Item": row})).await;
        approves(&cloud, &cloud.link(&chat).await.url, "visitor-500004@example.com").await;
        assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED], "{row}");
        assert_eq!(username(&cloud, &chat).await, "visitor-500004@example.com", "{row}");
    }
}

/// The most codes of one attempt that are sent to Salesforce.
const MAX_CODES: usize = 3;
/// The most messages about failures that a chat gets in a quarter of an hour.
const MAX_MESSAGES: usize = 3;

#[tokio::test]
async fn of_thirty_made_up_codes_of_one_state_a_few_are_sent_and_the_next_press_connects() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    let Link { url: link, link_id, .. } = cloud.link(&chat).await;
    let mut browser = Browser::new(&cloud);
    let authorize_url = browser.press(&link).await;
    let state = parameter(&authorize_url, "state");
    let codes: Vec<_> = (0..30).map(|number| format!("aPrx{number}{}==", &chat[10..])).collect();
    join_all(codes.iter().map(async |code| {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", code)
            .append_pair("state", &state)
            .finish();
        let callback = format!("{}?{query}", main.output("CallbackUrl"));
        assert_eq!(browser.visit(Method::GET, &callback).await.status(), 200);
    }))
    .await;
    let attempt = attempt_of(&authorize_url);
    cloud.finished(&link_id, codes.len()).await;
    let item = wait_until("the outcome", async || {
        let item = cloud.item(main.output("AttemptTableName"), "attempt_id", &attempt).await?;
        item["notified_at"]["N"].is_string().then_some(item)
    })
    .await;
    assert_eq!(item["codes"]["N"], MAX_CODES.to_string());
    let sent = cloud.requests_with_codes(&codes).await;
    assert!((1..=MAX_CODES).contains(&sent), "{sent} token requests");
    // Of the others some are told as further approvals, in rows of their own.
    wait_until("everything that is told", async || {
        let attempts = cloud.attempts(main, &chat).await;
        attempts.iter().all(|attempt| attempt["notified_at"]["N"].is_string()).then_some(())
    })
    .await;
    let told = cloud.journal(&chat).await.messages().len();
    assert!((1..=MAX_MESSAGES).contains(&told), "{told} messages");

    approves(&cloud, &link, "visitor-500005@example.com").await;
    let journal = cloud.wait_for(&chat, "connected", |journal| journal.messages().contains(&CONNECTED)).await;
    assert_eq!(journal.messages().len(), told + 1);
    assert_eq!(username(&cloud, &chat).await, "visitor-500005@example.com");
}

/// A press of a new link's button, and two accounts.
struct TwoAllow<'a> {
    browser: Browser<'a>,
    authorize_url: String,
    accounts: [String; 2],
}

impl<'a> TwoAllow<'a> {
    async fn begin(cloud: &'a Cloud, chat: &str) -> Self {
        let mut browser = Browser::new(cloud);
        let authorize_url = browser.press(&cloud.link(chat).await.url).await;
        let accounts = [browser.username().to_owned(), Browser::new(cloud).username().to_owned()];
        Self { browser, authorize_url, accounts }
    }

    /// Where Salesforce sends the browser once this account has allowed.
    async fn allow(&self, account: usize) -> String {
        self.browser.clone().used_by(&self.accounts[account]).log_in(&self.authorize_url, true).await
    }
}

/// Message and event go their own ways.
fn both_told(journal: &Journal) -> bool {
    journal.messages().len() == 2 && journal.events().len() == 2
}

/// The second time before the first is connected, and after.
#[tokio::test]
async fn allow_back_and_allow_with_another_account_is_told_and_the_fresh_link_connects_it() {
    let cloud = Cloud::read();
    join_all([false, true].map(async |is_connected| {
        let chat = new_chat();
        let mut login = TwoAllow::begin(&cloud, &chat).await;
        let first = login.allow(0).await;
        assert_eq!(login.browser.follow(&first).await.status(), StatusCode::OK);
        if is_connected {
            cloud.outcome(&chat).await;
        }
        let second = login.allow(1).await;
        let page = login.browser.follow(&second).await;
        assert_eq!(page.status(), StatusCode::BAD_REQUEST);
        assert!(page.text().await.unwrap().contains("This login was used already"));

        let journal = cloud.wait_for(&chat, "both messages and events", both_told).await;
        let (messages, events) = (journal.messages(), journal.events());
        assert_eq!((messages[0], &events[0]["type"]), (CONNECTED, &json!("connection.created")));
        let about = &events[1]["data"];
        assert_eq!((&about["reason"], &about["next"]), (&json!("used_login"), &json!("relink")));
        let relink = about["relink_url"].as_str().expect("a new link");
        assert!(messages[1].contains(relink));
        assert_eq!(journal.count("salesforce.token"), 1, "a state is for one login");
        assert_eq!(username(&cloud, &chat).await, login.accounts[0]);

        approves(&cloud, relink, &login.accounts[1]).await;
        let journal = cloud.wait_for(&chat, "connected", |journal| journal.messages().len() == 3).await;
        assert_eq!(journal.messages()[2], CONNECTED);
        assert_eq!(username(&cloud, &chat).await, login.accounts[1]);
    }))
    .await;
}

#[tokio::test]
async fn the_callbacks_page_loaded_again_is_the_same_and_nothing_more_is_said() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(&cloud.link(&chat).await.url).await;
    let first = browser.follow(&callback).await;
    assert_eq!(first.status(), StatusCode::OK);
    let first = first.text().await.unwrap();
    for is_connected in [false, true] {
        if is_connected {
            assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED]);
        }
        let again = browser.follow(&callback).await;
        assert_eq!(again.status(), StatusCode::OK);
        assert_eq!(again.text().await.unwrap(), first);
    }

    // Whatever a reload might have put on the queue has been processed once a later refusal has: they are delayed alike.
    let later = new_chat();
    let refused = Browser::new(&cloud).approve(&cloud.link(&later).await.url).await;
    assert_eq!(Browser::new(&cloud).visit(Method::GET, &refused).await.status(), StatusCode::BAD_REQUEST);
    cloud.outcome(&later).await;
    let journal = cloud.journal(&chat).await;
    assert_eq!((journal.messages().len(), journal.events().len(), journal.count("salesforce.token")), (1, 1, 1));
    assert_eq!(cloud.statuses(main, &chat).await, ["connected"]);
}

/// Both tabs come back before either has lost the cookie. Salesforce asks for a pause in which the exchanger waits, and for
/// one in which the message goes back to the queue.
#[tokio::test]
async fn of_two_tabs_while_salesforce_is_busy_the_later_consent_wins_or_is_told() {
    let cloud = Cloud::read();
    join_all([("1", 2), ("8", 2), ("30", 1)].map(async |(retry_after, times)| {
        let (main, chat) = (cloud.stack("main"), new_chat());
        let login = TwoAllow::begin(&cloud, &chat).await;
        let callbacks = [login.allow(0).await, login.allow(1).await];
        let busy = json!({"status": 503, "body": "", "headers": {"Retry-After": retry_after}});
        cloud.fault(&chat, "salesforce.token", times, busy).await;
        for callback in &callbacks {
            assert_eq!(login.browser.visit(Method::GET, callback).await.status(), StatusCode::OK);
        }

        let is_settled = |item: &Value| item["notified_at"]["N"].is_string() && item["status"]["S"] != "delayed";
        wait_until("both outcomes", async || {
            let attempts = cloud.attempts(main, &chat).await;
            (attempts.len() == 2 && attempts.iter().all(is_settled)).then_some(())
        })
        .await;
        let journal = cloud.journal(&chat).await;
        let (messages, events) = (journal.messages(), journal.events());
        let winner = username(&cloud, &chat).await;
        let is_connection = |event: &&&Value| event["data"]["username"].is_string();
        let last = events.iter().rfind(is_connection).expect("a connection");
        assert_eq!(last["data"]["username"], winner, "the row is what was told last");
        assert_eq!(messages.iter().filter(|message| **message == CONNECTED).count(), 1, "{messages:?}");
        let reasons: Vec<_> = events.iter().map(|event| &event["data"]["reason"]).collect();
        if winner == login.accounts[0] {
            // The later consent lost, so the person hears of it.
            assert!(reasons.contains(&&json!("used_login")), "{retry_after} {reasons:?}");
            assert!(messages.iter().any(|message| message.contains("/connect/")), "{messages:?}");
        } else {
            assert_eq!(winner, login.accounts[1]);
            let told = |reason: &&&Value| **reason == "superseded" || **reason == "used_login";
            assert_eq!(reasons.iter().filter(told).count(), 1, "{retry_after} {reasons:?}");
        }
        let in_row = hex(digest(&SHA256, cloud.tokens("main", &chat).await[1].as_bytes()).as_ref());
        wait_until("no other live token", async || (cloud.live_tokens(&chat).await == [&*in_row]).then_some(())).await;
    }))
    .await;
}
