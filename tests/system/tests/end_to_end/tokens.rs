//! The bot's calls about a connection, deployed: a live token, how the connection stands, its end.

use std::{collections::HashSet, time::Duration};

use futures::{StreamExt as _, future::join_all, stream};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use system::{
    Browser, Cloud,
    connections::{seed, sha256, tables_alone_have_access_tokens},
    custody::sealing_key,
    new_chat, now_ms, wait_until,
};
use tokio::time::sleep;

/// How many of a bot's workers ask at once; each is a process of its own on the local cloud.
const WORKERS: usize = 20;

async fn connected(cloud: &Cloud) -> String {
    let chat = new_chat();
    cloud.consent(&chat).await;
    cloud.outcome(&chat).await;
    chat
}

async fn status(cloud: &Cloud, chat: &str) -> Value {
    let answer = cloud.call("main", "status", json!({"wa_id": chat})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.unwrap()
}

/// A token of the chat, by a call with these further fields.
async fn token(cloud: &Cloud, chat: &str, more: Value) -> Value {
    let mut body = json!({"wa_id": chat});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = cloud.call("main", "token", body).await;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let answer = answer.text().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    serde_json::from_str(&answer).unwrap()
}

fn text<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer[field].as_str().unwrap_or_else(|| panic!("no {field}"))
}

/// What Salesforce answers to a query with this token.
async fn query(cloud: &Cloud, live: &Value) -> StatusCode {
    let url = format!("{}/services/data/v66.0/query", text(live, "instance_url"));
    let asked = cloud.client().get(url).query(&[("q", "SELECT Id, Name FROM Account")]);
    asked.bearer_auth(text(live, "access_token")).send().await.unwrap().status()
}

#[tokio::test]
async fn a_fresh_token_is_the_rows_and_works() {
    let cloud = Cloud::read();
    let chat = connected(&cloud).await;
    let live = token(&cloud, &chat, json!({})).await;
    let [access_token, _] = cloud.tokens("main", &chat).await;
    assert_eq!((text(&live, "access_token"), text(&live, "token_type")), (&*access_token, "Bearer"));
    assert_eq!(query(&cloud, &live).await, StatusCode::OK);
    assert_eq!(cloud.journal(&chat).await.count("salesforce.refresh"), 0);
}

#[tokio::test]
async fn the_rejected_token_is_replaced_by_one_that_works() {
    let cloud = Cloud::read();
    let chat = connected(&cloud).await;
    let old = token(&cloud, &chat, json!({})).await;
    let new = token(&cloud, &chat, json!({"rejected": sha256(text(&old, "access_token"))})).await;
    assert_ne!(text(&new, "access_token"), text(&old, "access_token"));
    assert_eq!(query(&cloud, &new).await, StatusCode::OK);
    assert_eq!(cloud.journal(&chat).await.count("salesforce.refresh"), 1);
    let row = cloud.item(cloud.stack("main").output("TokenTableName"), "wa_id", &chat).await.unwrap();
    assert_eq!(text(&row["access_token"], "S"), text(&new, "access_token"));
    assert!(text(&row["refresh_token"], "S").starts_with("sealed:v1:"), "a refresh token in plain");
    // Another worker that had the old one.
    let again = token(&cloud, &chat, json!({"rejected": sha256(text(&old, "access_token"))})).await;
    assert_eq!(text(&again, "access_token"), text(&new, "access_token"));
    assert_eq!(cloud.journal(&chat).await.count("salesforce.refresh"), 1);
}

/// It goes over the connection of the refresh.
#[tokio::test]
async fn a_question_for_the_new_tokens_end_that_is_cut_costs_no_refresh() {
    let cloud = Cloud::read();
    for cut in ["before", "after"] {
        let chat = connected(&cloud).await;
        cloud.rotate_refresh_tokens(&chat).await;
        let old = token(&cloud, &chat, json!({})).await;
        cloud.fault(&chat, "salesforce.introspect", 1, json!({"drop": cut})).await;
        let new = token(&cloud, &chat, json!({"rejected": sha256(text(&old, "access_token"))})).await;
        assert_eq!(query(&cloud, &new).await, StatusCode::OK, "{cut}");
        let again = token(&cloud, &chat, json!({})).await;
        assert_eq!(text(&again, "access_token"), text(&new, "access_token"), "{cut}");
        let journal = cloud.journal(&chat).await;
        assert_eq!(journal.count("salesforce.refresh"), 1, "{cut}");
        assert_eq!(journal.faults("salesforce.introspect").len(), 1, "{cut}");
    }
}

/// The same of a bot's worker among many: where a crowd leaves no room it repeats the call, as the answer asks (docs/API.md,
/// "Errors").
async fn token_for_a_worker(cloud: &Cloud, chat: &str, rejected: &str) -> Value {
    for _ in 0..10 {
        let answer = cloud.call("main", "token", json!({"wa_id": chat, "rejected": rejected})).await;
        if answer.status() != StatusCode::SERVICE_UNAVAILABLE {
            assert_eq!(answer.status(), StatusCode::OK);
            return answer.json().await.unwrap();
        }
        let seconds = answer.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        sleep(Duration::from_secs(seconds)).await;
    }
    panic!("no room for a call")
}

/// So many workers reject the chat's token at once; the tokens that they get.
async fn reject_at_once(cloud: &Cloud, chat: &str, workers: usize) -> HashSet<String> {
    let old = token(cloud, chat, json!({})).await;
    let rejected = sha256(text(&old, "access_token"));
    let answers = join_all((0..workers).map(|_| token_for_a_worker(cloud, chat, &rejected))).await;
    let tokens: HashSet<_> = answers.iter().map(|live| text(live, "access_token").to_owned()).collect();
    assert!(!tokens.contains(text(&old, "access_token")));
    tokens
}

#[tokio::test]
async fn many_workers_with_one_dead_token_make_one_refresh() {
    let cloud = Cloud::read();
    let chat = connected(&cloud).await;
    let tokens = reject_at_once(&cloud, &chat, WORKERS).await;
    assert_eq!(tokens.len(), 1, "equal answers");
    assert_eq!(cloud.journal(&chat).await.count("salesforce.refresh"), 1);
}

#[tokio::test]
async fn ten_chats_at_once_make_a_refresh_each() {
    let cloud = Cloud::read();
    let chats = join_all((0..10).map(|_| connected(&cloud))).await;
    let tokens = join_all(chats.iter().map(|chat| reject_at_once(&cloud, chat, 5))).await;
    assert!(tokens.iter().all(|tokens| tokens.len() == 1));
    for chat in &chats {
        assert_eq!(cloud.journal(chat).await.count("salesforce.refresh"), 1);
    }
}

#[tokio::test]
async fn a_status_tells_the_life_of_a_connection() {
    let cloud = Cloud::read();
    let chat = new_chat();
    assert_eq!(status(&cloud, &chat).await, json!({"status": "never"}));
    let answer = cloud.call("main", "token", json!({"wa_id": chat})).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);

    cloud.fault(&chat, "salesforce.token", 1, json!({"delay_ms": 5_000})).await;
    cloud.consent(&chat).await;
    let pending = async || (status(&cloud, &chat).await["status"] == "pending").then_some(());
    wait_until("a login that is being processed", pending).await;
    cloud.outcome(&chat).await;
    let connected = status(&cloud, &chat).await;
    assert_eq!(connected["status"], "connected");
    for field in ["username", "org_id", "instance_url", "scope", "connected_at", "refreshed_at"] {
        assert!(connected[field].is_string(), "no {field} in {connected}");
    }

    let ended = cloud.call("main", "disconnect", json!({"wa_id": chat})).await;
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    let ended = status(&cloud, &chat).await;
    assert_eq!((&ended["status"], &ended["reason"]), (&json!("ended"), &json!("disconnected")));
    assert_eq!(ended["username"], connected["username"]);
}

#[tokio::test]
async fn a_disconnect_ends_the_connection_everywhere_and_its_link_leads_back() {
    let cloud = Cloud::read();
    let chat = connected(&cloud).await;
    let live = token(&cloud, &chat, json!({})).await;
    let (older, made_at) = (cloud.link(&chat).await, now_ms());
    wait_until("a link that is older by its second", async || (now_ms() > made_at + 1_000).then_some(())).await;
    for _ in 0..2 {
        let answer = cloud.call("main", "disconnect", json!({"wa_id": chat})).await;
        assert_eq!((answer.status(), answer.text().await.unwrap().as_str()), (StatusCode::NO_CONTENT, ""));
    }
    let table = cloud.stack("main").output("TokenTableName");
    let row = cloud.item(table, "wa_id", &chat).await.unwrap();
    assert!(row.get("access_token").is_none() && row.get("refresh_token").is_none());
    assert_eq!(cloud.live_tokens(&chat).await, Vec::<String>::new());
    assert_eq!(query(&cloud, &live).await, StatusCode::UNAUTHORIZED);

    let told = cloud.wait_for(&chat, "the end", |journal| journal.events().len() > 1 && journal.messages().len() > 1);
    let journal = told.await;
    let event = journal.events()[1];
    assert_eq!((&event["type"], &event["data"]["reason"]), (&json!("connection.revoked"), &json!("disconnected")));
    assert_eq!(journal.messages().len(), 2, "one message about the end");

    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(&older.url).await;
    browser.visit(Method::GET, &callback).await;
    let told = cloud.wait_for(&chat, "the older link's end", |journal| journal.events().len() > 2).await;
    let event = told.events()[2];
    assert_eq!((&event["type"], &event["data"]["reason"]), (&json!("connection.failed"), &json!("outdated_link")));
    assert!(cloud.item(table, "wa_id", &chat).await.unwrap().get("access_token").is_none());

    let answer = cloud.call("main", "token", json!({"wa_id": chat})).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!((text(&answer, "error"), text(&answer, "reason")), ("needs_reauthorization", "disconnected"));
    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(text(&answer, "relink_url")).await;
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);
    cloud.wait_for(&chat, "the new connection", |journal| journal.events().len() > 3).await;
    assert_eq!(query(&cloud, &token(&cloud, &chat, json!({})).await).await, StatusCode::OK);
}

#[tokio::test]
async fn a_call_that_is_not_signed_is_refused() {
    let cloud = Cloud::read();
    for call in ["token", "status", "disconnect"] {
        let unsigned = cloud.client().post(cloud.call_url("main", call)).json(&json!({"wa_id": new_chat()}));
        assert_eq!(unsigned.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{call}");
    }
}

#[tokio::test]
async fn a_bot_with_its_policy_alone_makes_its_calls_and_nothing_else() {
    let cloud = Cloud::read();
    let (bot, chat) = (cloud.as_bot(), new_chat());
    bot.consent(&chat).await;
    cloud.outcome(&chat).await;
    let old = token(&bot, &chat, json!({})).await;
    let new = token(&bot, &chat, json!({"rejected": sha256(text(&old, "access_token"))})).await;
    assert_eq!(query(&cloud, &new).await, StatusCode::OK);
    assert_eq!(status(&bot, &chat).await["status"], "connected");

    let main = cloud.stack("main");
    let (tokens, attempts) = (main.output("TokenTableName"), main.output("AttemptTableName"));
    let sealed = cloud.item(tokens, "wa_id", &chat).await.unwrap();
    let key = json!({"CiphertextBlob": sealing_key(&sealed), "EncryptionContext": {"purpose": "refresh-token"}});
    let message = |queue: &str| json!({"QueueUrl": main.output(queue), "MessageBody": "{}"});
    for (service, target, body) in [
        ("dynamodb", "DynamoDB_20120810.GetItem", json!({"TableName": tokens, "Key": {"wa_id": {"S": chat}}})),
        ("dynamodb", "DynamoDB_20120810.Scan", json!({"TableName": tokens})),
        ("dynamodb", "DynamoDB_20120810.Scan", json!({"TableName": attempts})),
        ("kms", "TrentService.Decrypt", key),
        ("sqs", "AmazonSQS.SendMessage", message("UpkeepQueueUrl")),
        ("sqs", "AmazonSQS.SendMessage", message("ExchangeQueueUrl")),
        ("secretsmanager", "secretsmanager.GetSecretValue", json!({"SecretId": "sf_client_secret"})),
    ] {
        let (status, answer) = bot.try_aws(service, target, body).await;
        let word = answer["__type"].as_str().unwrap_or_default();
        assert!(status.is_client_error() && word.contains("AccessDenied"), "{target}: {status} {answer}");
    }

    let ended = bot.call("main", "disconnect", json!({"wa_id": chat})).await;
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    tables_alone_have_access_tokens(&cloud, &chat).await;
}

#[tokio::test]
async fn a_bad_body_is_refused_with_a_word() {
    let cloud = Cloud::read();
    for body in
        [json!({}), json!({"wa_id": "sms:+15551234567"}), json!([]), json!({"wa_id": new_chat(), "rejected": "x"})]
    {
        let answer = cloud.call("main", "token", body.clone()).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], "invalid_request");
    }
}

/// How many calls `make crowd` makes of each kind, and how many of them are in flight at any time, each in a process of its own.
const CROWD: usize = 1_000;
const IN_FLIGHT: usize = 150;

/// A connection whose refresh token rotates, and whose tokens are old; its access token.
async fn old_connection(cloud: &Cloud) -> (String, String) {
    let chat = new_chat();
    seed(cloud, &chat, Duration::from_hours(2)).await;
    cloud.rotate_refresh_tokens(&chat).await;
    let row = cloud.item(cloud.stack("main").output("TokenTableName"), "wa_id", &chat).await.unwrap();
    (chat, text(&row["access_token"], "S").to_owned())
}

/// Starts as many processes as calls will be in flight.
async fn warm_up(cloud: &Cloud) {
    let nobody = new_chat();
    cloud.aws_fault("dynamodb.GetItem", &*nobody, u32::MAX, json!({"delay_ms": 2_500})).await;
    join_all((0..IN_FLIGHT).map(|_| cloud.call("main", "token", json!({"wa_id": nobody})))).await;
    cloud.end_aws_faults(&nobody).await;
}

/// `CROWD` calls for these chats' tokens, `IN_FLIGHT` at a time: no refresh but one for each chat, and equal answers. The first
/// calls are held at their reads until all of them are there, and go on at once.
#[expect(clippy::print_stdout, reason = "the report of a long test")]
async fn crowd(cloud: &Cloud, what: &str, chats: &[String], more: impl Fn() -> Value) {
    const READ: &str = "dynamodb.GetItem";
    let first = IN_FLIGHT / chats.len();
    for chat in chats {
        cloud.aws_fault(READ, &**chat, u32::try_from(first).unwrap(), json!({"hold": "before"})).await;
    }
    let began = now_ms();
    let asking = stream::iter((0..CROWD).map(|number| &chats[number % chats.len()]))
        .map(async |chat| (chat, text(&token(cloud, chat, more()).await, "access_token").to_owned()))
        .buffer_unordered(IN_FLIGHT)
        .collect::<Vec<_>>();
    let releasing = async {
        for chat in chats {
            cloud.wait_until_so_many_held(READ, chat, first).await;
        }
        let all_there = now_ms() - began;
        join_all(chats.iter().map(|chat| cloud.release(READ, chat))).await;
        all_there
    };
    let (answers, all_there) = futures::join!(asking, releasing);
    let took = now_ms() - began;
    let (mut refreshes, mut tokens) = (0, HashSet::new());
    for chat in chats {
        refreshes += cloud.journal(chat).await.count("salesforce.refresh");
        assert_eq!(cloud.token_counter(chat, "families_revoked").await, 0);
    }
    tokens.extend(answers.iter().map(|(chat, token)| (*chat, token)));
    println!(
        "{what}: {} answers in {took} ms, {IN_FLIGHT} in flight, the first of them at once after {all_there} ms: {refreshes} \
         refreshes, {} different tokens",
        answers.len(),
        tokens.len(),
    );
    assert_eq!((answers.len(), refreshes, tokens.len()), (CROWD, chats.len() as u64, chats.len()));
}

/// `make crowd`: a thousand calls for a token that is old, a thousand for one that Salesforce has refused, and a thousand for those
/// of ten chats.
#[tokio::test]
#[ignore = "thousands of calls and a hundred and fifty processes, on a cloud of its own"]
async fn a_thousand_calls_make_one_refresh_for_each_connection() {
    let cloud = Cloud::read();
    warm_up(&cloud).await;
    let (chat, _) = old_connection(&cloud).await;
    crowd(&cloud, "old", &[chat], || json!({})).await;
    let (chat, dead) = old_connection(&cloud).await;
    crowd(&cloud, "rejected", &[chat], || json!({"rejected": sha256(&dead)})).await;
    let mut chats = Vec::new();
    for _ in 0..10 {
        chats.push(old_connection(&cloud).await.0);
    }
    crowd(&cloud, "ten chats", &chats, || json!({})).await;
}
