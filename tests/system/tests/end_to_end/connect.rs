//! From the link to the message, on the unchanged template, deployed on the local cloud: API, binaries,
//! queue, tables, stream. Only Salesforce, WhatsApp and the bot are the sandbox's.

use futures::future::join_all;
use reqwest::{Method, StatusCode, header};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use system::{
    Browser, Cloud, Journal, Stack, attempt_of, consent::CONNECTED, custody::is_sealed, hex, new_chat, now_ms,
    parameter, wait_until,
};

fn tokens_table(stack: &Stack) -> &str {
    stack.output("TokenTableName")
}

fn attempts_table(stack: &Stack) -> &str {
    stack.output("AttemptTableName")
}

/// Whether the person and the bot have been notified.
fn all_notified(journal: &Journal) -> bool {
    !journal.messages().is_empty() && !journal.events().is_empty()
}

#[tokio::test]
async fn a_tap_and_a_login_end_with_connected_in_the_chat() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    let link = cloud.link(&chat).await;
    assert!(!link.url.contains(&chat[10..]), "the link's address holds the number");

    let mut browser = Browser::new(&cloud).used_by("ada@example.com");
    let page = browser.visit(Method::GET, &link.url).await;
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    assert!(page.contains(&chat[chat.len() - 4..]) && !page.contains(&chat[10..]), "{page}");

    let authorize_url = browser.press(&link.url).await;
    assert_eq!(parameter(&authorize_url, "code_challenge_method"), "S256");
    assert_eq!(parameter(&authorize_url, "redirect_uri"), main.output("CallbackUrl"));
    let state = parameter(&authorize_url, "state");
    assert!(state.starts_with(&format!("wa:{chat}~")) && state.len() <= 255, "{} characters", state.len());

    let callback = browser.log_in(&authorize_url, true).await;
    let called_back = now_ms();
    let answer = browser.visit(Method::GET, &callback).await;
    let answered = now_ms();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    assert!(answer.text().await.unwrap().contains("go back to WhatsApp"));

    let journal = cloud.wait_for(&chat, "message and event", all_notified).await;
    assert_eq!(journal.whole_messages(), [format!("{CONNECTED} Connected as ada@example.com.")]);
    let messaged = journal.first_at_ms("twilio.messages").expect("a time");
    println!("callback answered in {} ms, message sent after {} ms", answered - called_back, messaged - called_back);
    let event = journal.events()[0];
    assert_eq!(event["type"], "connection.created");
    assert_eq!(event["subject"], chat);
    assert_eq!(event["data"]["attempt_id"], attempt_of(&authorize_url));
    assert_eq!(event["data"]["username"], "ada@example.com");

    let tokens = cloud.item(tokens_table(main), "wa_id", &chat).await.expect("tokens");
    for (name, kind) in [("access_token", "S"), ("refresh_token", "S"), ("instance_url", "S"), ("issued_at", "N")] {
        assert!(tokens[name][kind].is_string(), "{name} is no {kind}");
    }
    assert!(tokens["issued_at"]["N"].as_str().unwrap().len() >= 13, "issued_at is not in milliseconds");
    for name in ["attempt_id", "scope", "org_id", "user_id", "username", "login_url"] {
        assert!(tokens[name]["S"].is_string(), "{name} is missing");
    }
    assert!(tokens["connected_at"]["N"].is_string());

    let attempt = wait_until("the outbox's mark", async || {
        let item = cloud.item(attempts_table(main), "attempt_id", &attempt_of(&authorize_url)).await?;
        item["notified_at"]["N"].is_string().then_some(item)
    })
    .await;
    assert_eq!(attempt["status"]["S"], "connected");
    assert_eq!(attempt["link_id"]["S"], link.link_id);
    assert_eq!(attempt["renewed"]["BOOL"], false);
    assert!(attempt["messaged_at"]["N"].is_string() && attempt["bot_told_at"]["N"].is_string());
    let now_s = now_ms() / 1_000;
    let ttl: u64 = attempt["expires_at"]["N"].as_str().unwrap().parse().unwrap();
    assert!((89..=90).contains(&((ttl - now_s) / 86_400)), "expires_at is not 90 days away, in seconds");
}

/// With the custody of the stack, whoever reads the whole table finds no refresh token that they could use.
#[tokio::test]
async fn a_refresh_token_is_sealed_where_the_stack_has_the_custody() {
    let cloud = Cloud::read();
    join_all(["main", "plain"].map(async |name| {
        let (stack, chat) = (cloud.stack(name), new_chat());
        cloud.consent_of(name, &chat, 0).await;
        let row = wait_until("tokens", async || cloud.item(tokens_table(stack), "wa_id", &chat).await).await;
        let settings =
            cloud.configuration(stack, "TokenExchangerFunctionName").await["Environment"]["Variables"].take();
        assert_eq!(is_sealed(&row), settings["TOKEN_CUSTODY"] == "Stack", "{name}");
        let [_, refresh_token] = cloud.tokens_of(&row).await;
        let known = hex(digest(&SHA256, refresh_token.as_bytes()).as_ref());
        assert_eq!(cloud.live_tokens(&chat).await, [known], "{name}");
    }))
    .await;
}

#[tokio::test]
async fn connecting_again_renews() {
    let cloud = Cloud::read();
    let chat = new_chat();
    for (round, kind) in ["connection.created", "connection.renewed"].into_iter().enumerate() {
        let mut browser = Browser::new(&cloud);
        let callback = browser.approve(&cloud.link(&chat).await.url).await;
        assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);
        let journal = cloud.wait_for(&chat, kind, |journal| journal.events().len() > round).await;
        assert_eq!(journal.events()[round]["type"], kind);
    }
}

#[tokio::test]
async fn the_same_callback_five_times_at_once_connects_once() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let mut browser = Browser::new(&cloud);
    let link = cloud.link(&chat).await;
    let callback = browser.approve(&link.url).await;

    let answers = join_all((0..5).map(|_| browser.visit(Method::GET, &callback))).await;
    assert!(answers.iter().all(|answer| answer.status() == StatusCode::OK));

    cloud.wait_for(&chat, "message and event", all_notified).await;
    cloud.finished(&link.link_id, 5).await;
    let journal = cloud.journal(&chat).await;
    assert_eq!(journal.count("salesforce.token"), 1);
    assert_eq!(journal.messages(), [CONNECTED]);
    assert_eq!(journal.events().len(), 1);
}

#[tokio::test]
async fn opening_a_link_a_hundred_times_changes_nothing_and_it_still_works() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    let link = cloud.link(&chat).await;
    let scanner = Browser::new(&cloud);
    for method in [Method::GET, Method::HEAD] {
        for _ in 0..50 {
            let answer = scanner.visit(method.clone(), &link.url).await;
            assert_eq!(answer.status(), StatusCode::OK);
            assert!(!answer.headers().contains_key(header::SET_COOKIE));
        }
    }
    assert!(cloud.statuses(main, &chat).await.is_empty());

    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(&link.url).await;
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);
    let journal = cloud.wait_for(&chat, "the message", |journal| !journal.messages().is_empty()).await;
    assert_eq!(journal.messages(), [CONNECTED]);
}

#[tokio::test]
async fn a_link_finished_in_another_browser_is_refused() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    let link = cloud.link(&chat).await;
    let callback = Browser::new(&cloud).approve(&link.url).await;

    // A victim without a cookie, and one whose browser has pressed the button of another link.
    let mut other = Browser::new(&cloud);
    for attempt in 0..2 {
        if attempt == 1 {
            other.press(&cloud.link(&new_chat()).await.url).await;
        }
        let answer = cloud_json(&other, &callback).await;
        assert_eq!(answer, (StatusCode::BAD_REQUEST, json!("wrong_browser")));
    }
    cloud.finished(&link.link_id, 2).await;
    assert_eq!(cloud.journal(&chat).await.count("salesforce.token"), 0);
    let attempt = cloud.item(attempts_table(main), "attempt_id", &attempt_of(&callback)).await;
    assert!(attempt.is_none_or(|attempt| attempt["reason"]["S"] == "wrong_browser"));
}

/// Status and error of a callback, as a program sees them.
async fn cloud_json(browser: &Browser<'_>, url: &str) -> (StatusCode, Value) {
    let answer = browser.visit_as(Method::GET, url, "application/json").await;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    (status, body["error"].clone())
}

#[tokio::test]
async fn a_forged_or_changed_state_is_refused() {
    let cloud = Cloud::read();
    let (chat, victim) = (new_chat(), new_chat());
    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(&cloud.link(&chat).await.url).await;
    let redirected = callback.replace(&chat[10..], &victim[10..]);
    assert_ne!(callback, redirected);
    assert_eq!(cloud_json(&browser, &redirected).await, (StatusCode::BAD_REQUEST, json!("invalid_state")));
    let twice = format!("{callback}&state=x");
    assert_eq!(cloud_json(&browser, &twice).await, (StatusCode::BAD_REQUEST, json!("duplicate_parameter")));
    let bare = callback.split('?').next().unwrap();
    assert_eq!(cloud_json(&browser, bare).await, (StatusCode::BAD_REQUEST, json!("missing_state")));
}

#[tokio::test]
async fn a_denial_ends_with_a_new_link_that_works() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    let mut browser = Browser::new(&cloud);
    let link = cloud.link(&chat).await;
    let authorize_url = browser.press(&link.url).await;
    let callback = browser.log_in(&authorize_url, false).await;
    assert_eq!(cloud_json(&browser, &callback).await, (StatusCode::BAD_REQUEST, json!("access_denied")));

    let journal = cloud.wait_for(&chat, "message and event", all_notified).await;
    assert_eq!(journal.count("salesforce.token"), 0);
    let event = journal.events()[0];
    assert_eq!(event["type"], "connection.failed");
    assert_eq!(event["data"]["reason"], "denied");
    assert_eq!(event["data"]["next"], "relink");
    let relink = event["data"]["relink_url"].as_str().expect("a new link").to_owned();
    assert_eq!(journal.messages().len(), 1);
    assert!(journal.messages()[0].contains(&relink), "the chat has another link than the bot");
    assert_eq!(cloud.item(tokens_table(main), "wa_id", &chat).await, None);

    let callback = browser.approve(&relink).await;
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);
    let journal = cloud.wait_for(&chat, "connected", |journal| journal.messages().len() == 2).await;
    assert_eq!(journal.messages()[1], CONNECTED);
}

#[tokio::test]
async fn links_are_for_those_who_may_ask_and_for_hosts_that_are_listed() {
    let cloud = Cloud::read();
    let unsigned = cloud.client().post(cloud.links_url("main")).json(&json!({"wa_id": new_chat()})).send().await;
    assert_eq!(unsigned.unwrap().status(), StatusCode::FORBIDDEN);

    for (body, error) in [
        (json!({"wa_id": new_chat(), "login_url": "https://evil.my.salesforce.com"}), "login_url_not_allowed"),
        (json!({"wa_id": "someone"}), "invalid_wa_id"),
        (json!([]), "invalid_request"),
    ] {
        let answer = cloud.ask_for_link("main", body).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], error);
    }
}

#[tokio::test]
async fn a_link_that_was_not_made_here_opens_nothing() {
    let cloud = Cloud::read();
    let link = cloud.link(&new_chat()).await;
    assert!(link.expires_at.ends_with('Z'), "{}", link.expires_at);
    let browser = Browser::new(&cloud);
    let (start, end) = link.url.split_at(link.url.len() - 20);
    let flipped: String = end.chars().map(|c| if c == 'A' { 'B' } else { 'A' }).collect();
    for url in [format!("{start}{flipped}"), format!("{}x", link.url), format!("{}/", link.url)] {
        assert_eq!(browser.visit(Method::GET, &url).await.status(), StatusCode::NOT_FOUND, "{url}");
    }
}

#[tokio::test]
async fn a_plain_state_is_refused_by_default() {
    let cloud = Cloud::read();
    let callback = cloud.stack("main").output("CallbackUrl");
    let url = format!("{callback}?code=aPrx.anything==&state=wa:whatsapp:%2B15551234567");
    let answer = cloud_json(&Browser::new(&cloud), &url).await;
    assert_eq!(answer, (StatusCode::BAD_REQUEST, json!("invalid_state")));
}

/// The older system's bots: plain states, no PKCE. This stack also speaks to Meta in place of
/// Twilio, and to the bot by its queue.
#[tokio::test]
async fn a_plain_state_connects_where_the_operator_accepts_it_however_its_plus_arrives() {
    let cloud = Cloud::read();
    let plain = cloud.stack("plain");
    for spelling in ["%2B", "+", "%20", "%252B"] {
        let chat = new_chat();
        let browser = Browser::new(&cloud).used_by("ada@example.com");
        let code = browser.approve_plainly("plain", &chat).await.replace('=', "%3D");
        let state = format!("wa:whatsapp:{spelling}{}", &chat[10..]);
        let url = format!("{}?code={code}&state={state}", plain.output("CallbackUrl"));
        assert_eq!(browser.visit(Method::GET, &url).await.status(), StatusCode::OK);

        let journal = cloud.wait_for(&chat, "Meta's message", |journal| !journal.meta_messages().is_empty()).await;
        assert_eq!(journal.meta_messages(), [CONNECTED]);
        let tokens = cloud.item(tokens_table(plain), "wa_id", &chat).await.expect("tokens");
        assert_eq!(tokens["username"]["S"], "ada@example.com");

        let message = cloud.bot_queue_message(&chat).await;
        assert_eq!(message["channel_type"], "whatsapp");
        assert!(message["messages"].as_str().unwrap().starts_with(CONNECTED), "{message}");
        assert_eq!(message["event"]["type"], "connection.created");
    }
}

#[tokio::test]
async fn no_log_and_no_stream_record_holds_a_secret() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    let mut browser = Browser::new(&cloud);
    let link = cloud.link(&chat).await;
    let authorize_url = browser.press(&link.url).await;
    let attempt = attempt_of(&authorize_url);
    let callback = browser.log_in(&authorize_url, true).await;
    browser.visit(Method::GET, &callback).await;
    cloud_json(&browser, &format!("{callback}&code=again")).await;
    let journal = cloud.wait_for(&chat, "message and event", all_notified).await;
    let tokens = cloud.item(tokens_table(main), "wa_id", &chat).await.expect("tokens");

    let (code, state) = (parameter(&callback, "code"), parameter(&callback, "state"));
    let [access_token, refresh_token] = cloud.tokens_of(&tokens).await;
    let secrets = [
        code.as_str(),
        &access_token,
        &refresh_token,
        tokens["refresh_token"]["S"].as_str().unwrap(),
        &chat[10..],
        link.url.rsplit('/').next().unwrap(),
        state.split('~').nth(1).unwrap(),
    ];
    let verifiers = journal.verifier_hashes();
    assert_eq!(verifiers.len(), 1);

    // The last line of an attempt: the others have been written by then.
    let lines = wait_until("the notifier's line", async || {
        let lines = cloud.log_lines().await;
        let of_attempt = |line: &&String| line.contains(&attempt);
        (lines.iter().filter(of_attempt).any(|line| line.contains("notifier"))).then_some(lines)
    })
    .await;
    for function in ["callback_receiver", "token_exchanger", "notifier", "connect_link"] {
        assert!(lines.iter().any(|line| line.contains(function)), "{function} left no line");
    }
    let records = cloud.stream_records(attempts_table(main)).await;
    assert!(records.iter().any(|record| record.to_string().contains(&attempt)));

    for line in &lines {
        for secret in secrets {
            assert!(!line.contains(secret), "a log line holds a secret: {line}");
        }
        assert!(!holds_preimage(line, &verifiers), "a log line holds a verifier: {line}");
    }
    for record in records.iter().map(Value::to_string) {
        for token in &secrets[..3] {
            assert!(!record.contains(token), "a stream record holds a code or token: {record}");
        }
    }
}

/// Whether a word of the text has one of these SHA-256 hashes.
fn holds_preimage(text: &str, hashes: &[&str]) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).filter(|word| word.len() == 43).any(
        |word| {
            let digest = ring::digest::digest(&ring::digest::SHA256, word.as_bytes());
            hashes.contains(&hex(digest.as_ref()).as_str())
        },
    )
}

/// An Experience Cloud site has a path, which all of its endpoints are below.
#[tokio::test]
async fn a_person_connects_at_a_site() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    let site = format!("{}/portal", cloud.sandbox_url.replace("127.0.0.1", "localhost"));
    let link: Value = cloud.ask_for_link("main", json!({"wa_id": chat, "login_url": site})).await.json().await.unwrap();
    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(link["url"].as_str().expect("a link")).await;
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);
    assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED]);
    let tokens = cloud.item(tokens_table(main), "wa_id", &chat).await.expect("tokens");
    assert_eq!((&tokens["login_url"]["S"], &tokens["instance_url"]["S"]), (&json!(site), &json!(site)));
    assert!(tokens["username"]["S"].is_string(), "asked for below the path, too");
}
