//! The upgrade from the version before: its messages, dead letters, rows, states and links meet today's functions.
//!
//! Its messages said themselves whose login they were, its attempts were shared by all presses of a link, and its token
//! rows did not say which consent they are of.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    digest::{SHA256, digest},
};
use serde_json::{Value, json};
use system::{
    Browser, Cloud, Journal, Link, Stack, consent::CONNECTED, hex, new_chat, now_ms, parameter, state::Claims,
    wait_until,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// Somebody's attempt of the version before.
struct Old {
    chat: String,
    attempt: String,
    code: String,
    /// When the callback came, in milliseconds since the epoch.
    received_at: u64,
}

impl Old {
    /// An attempt whose callback came so long ago.
    fn new(ago: u64) -> Self {
        let chat = new_chat();
        let digest = digest(&SHA256, chat.as_bytes());
        let attempt = hex(&digest.as_ref()[..16]);
        Self { code: format!("aPrxOld{}==", &chat[10..]), chat, attempt, received_at: now_ms() - ago }
    }

    /// Another code of the same attempt: its link was used twice.
    fn again(&self) -> Self {
        let code = format!("{}again", self.code.trim_end_matches('='));
        Self { chat: self.chat.clone(), attempt: self.attempt.clone(), code, received_at: self.received_at + 1_000 }
    }

    fn code_sha256(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.code.as_bytes()))
    }

    fn message(&self, cloud: &Cloud, content: Value) -> Value {
        let mut message = json!({"v": 1, "attempt_id": self.attempt, "wa_id": self.chat, "received_at": self.received_at,
            "login_url": login_url(cloud)});
        let Value::Object(content) = content else { panic!("no object") };
        message.as_object_mut().expect("an object").extend(content);
        message
    }

    fn granted(&self, cloud: &Cloud) -> Value {
        self.message(cloud, json!({"code": self.code, "pkce": true}))
    }

    fn denied(&self, cloud: &Cloud) -> Value {
        self.message(cloud, json!({"denied": "access_denied"}))
    }

    /// Tokens that the exchanger of the version before could not store.
    async fn exchanged(&self, cloud: &Cloud, stack: &Stack) -> Value {
        let environment = &cloud.configuration(stack, "TokenExchangerFunctionName").await["Environment"]["Variables"];
        let order = json!({"KeyId": environment["CHECKPOINT_KEY_ID"], "KeySpec": "AES_256",
            "EncryptionContext": {"purpose": "checkpoint", "attempt_id": self.attempt}});
        let key = cloud.aws("kms", "TrentService.GenerateDataKey", order).await;
        let bytes = STANDARD.decode(key["Plaintext"].as_str().expect("a key")).expect("base64");
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).expect("an AES key"));
        let binding = format!("checkpoint:v1\n{}\n{}\n{}", self.attempt, self.chat, login_url(cloud));
        let [access_token, refresh_token] = self.tokens();
        let tokens = json!({"access_token": access_token, "refresh_token": refresh_token,
            "instance_url": login_url(cloud), "issued_at": self.received_at, "scope": "api refresh_token",
            "org_id": "00D000000000001", "user_id": "005000000000001", "username": "old@example.com"});
        let mut data = tokens.to_string().into_bytes();
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        cipher.seal_in_place_append_tag(nonce, Aad::from(binding), &mut data).expect("a seal");
        let sealed =
            json!({"code_sha256": self.code_sha256(), "key": key["CiphertextBlob"], "data": STANDARD.encode(data)});
        self.message(cloud, json!({"traded": sealed}))
    }

    fn tokens(&self) -> [String; 2] {
        [format!("00DOLD!{}", self.attempt), format!("5AepOLD{}", self.attempt)]
    }

    /// The attempt's row, with these attributes beside those that every row had.
    async fn row(&self, cloud: &Cloud, stack: &Stack, status: &str, more: Value) {
        let number = |number: u64| json!({"N": number.to_string()});
        let mut row = json!({"attempt_id": {"S": self.attempt}, "wa_id": {"S": self.chat}, "status": {"S": status},
            "login_url": {"S": login_url(cloud)}, "receives": {"N": "1"}, "code_sha256": {"S": self.code_sha256()},
            "created_at": number(self.received_at), "updated_at": number(self.received_at + 500),
            "expires_at": number((self.received_at + 90 * DAY) / 1_000)});
        let Value::Object(more) = more else { panic!("no object") };
        row.as_object_mut().expect("an object").extend(more);
        put(cloud, stack.output("AttemptTableName"), row).await;
    }

    /// Waits until the attempt has ended, and everybody has been told.
    async fn ended(&self, cloud: &Cloud, stack: &Stack) -> (String, String) {
        let item = wait_until("the outcome", async || {
            let item = cloud.item(stack.output("AttemptTableName"), "attempt_id", &self.attempt).await?;
            (item["notified_at"]["N"].is_string() && item["status"]["S"] != "delayed").then_some(item)
        })
        .await;
        let text = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
        (text("status"), text("reason"))
    }
}

fn login_url(cloud: &Cloud) -> String {
    cloud.sandbox_url.replace("127.0.0.1", "localhost")
}

async fn put(cloud: &Cloud, table: &str, row: Value) {
    cloud.aws("dynamodb", "DynamoDB_20120810.PutItem", json!({"TableName": table, "Item": row})).await;
}

fn failed(reason: &str) -> (String, String) {
    ("failed".to_owned(), reason.to_owned())
}

fn told_at(at: u64) -> Value {
    json!({"notified_at": {"N": at.to_string()}, "messaged_at": {"N": at.to_string()}, "bot_told_at": {"N": at.to_string()}})
}

/// The same with more attributes.
fn and(mut attributes: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("no object") };
    attributes.as_object_mut().expect("an object").extend(more);
    attributes
}

/// The message after a code that was not exchanged has a link that works.
async fn connects_by_the_new_link(cloud: &Cloud, chat: &str, journal: &Journal) {
    let relink = journal.events().last().expect("an event")["data"]["relink_url"].as_str().expect("a link").to_owned();
    let mut browser = Browser::new(cloud);
    let callback = browser.approve(&relink).await;
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);
    cloud.wait_for(chat, "connected", |journal| journal.messages().contains(&CONNECTED)).await;
}

/// Nothing proves whose such a code is, so that it is not exchanged. Whatever the older exchanger left of the attempt,
/// the person gets a new link.
#[tokio::test]
async fn a_code_on_the_queue_ends_with_a_new_link_whatever_is_left_of_its_attempt() {
    let cloud = Cloud::read();
    let main = cloud.stack("main");
    let misconfigured = json!({"reason": {"S": "misconfigured"}, "lease_until": {"N": "0"}});
    let now = now_ms();
    let left: [(&str, Option<Value>); 6] = [
        ("", None),
        ("exchanging", Some(json!({"lease_until": {"N": "0"}}))),
        ("exchanging", Some(json!({"lease_until": {"N": (now - MINUTE).to_string()}}))),
        // Its holder was killed by the upgrade.
        ("exchanging", Some(json!({"lease_until": {"N": (now + 20_000).to_string()}}))),
        ("delayed", Some(misconfigured.clone())),
        ("delayed", Some(and(and(misconfigured, told_at(now)), json!({"delay_told_at": {"N": now.to_string()}})))),
    ];
    join_all(left.into_iter().enumerate().map(async |(index, (status, more))| {
        let old = Old::new(MINUTE);
        if let Some(more) = more {
            old.row(&cloud, main, status, more).await;
        }
        cloud.send(main, &old.granted(&cloud).to_string()).await;
        assert_eq!(old.ended(&cloud, main).await, failed("code_expired"), "{index}");
        let told = |journal: &Journal| journal.messages().iter().any(|message| message.contains("took too long"));
        let journal = cloud.wait_for(&old.chat, "the message", told).await;
        assert_eq!(journal.count("salesforce.token"), 0);
        assert_eq!(cloud.requests_with_codes(std::slice::from_ref(&old.code)).await, 0);
        connects_by_the_new_link(&cloud, &old.chat, &journal).await;
    }))
    .await;
}

/// Nothing proves whose it is: the chat is messaged only where the attempt's row knows it.
#[tokio::test]
async fn a_denial_on_the_queue_is_told_to_the_chat_where_its_attempt_is_known() {
    let cloud = Cloud::read();
    let main = cloud.stack("main");
    join_all([false, true].map(async |is_known| {
        let old = Old::new(MINUTE);
        if is_known {
            let delayed = json!({"reason": {"S": "misconfigured"}, "lease_until": {"N": "0"}});
            old.row(&cloud, main, "delayed", and(delayed, told_at(old.received_at + 900))).await;
        }
        cloud.send(main, &old.denied(&cloud).to_string()).await;
        assert_eq!(old.ended(&cloud, main).await, failed("denied"));
        let told = |journal: &Journal| journal.events().iter().any(|event| event["data"]["reason"] == "denied");
        let journal = cloud.wait_for(&old.chat, "the event", told).await;
        assert_eq!(journal.messages().len(), usize::from(is_known));
    }))
    .await;
}

#[tokio::test]
async fn a_message_of_an_attempt_that_has_ended_changes_nothing_and_nothing_is_said() {
    let cloud = Cloud::read();
    let main = cloud.stack("main");
    let connected = json!({"org_id": {"S": "00D000000000001"}, "instance_url": {"S": login_url(&cloud)},
        "renewed": {"BOOL": false}, "username": {"S": "old@example.com"}});
    let failed = json!({"reason": {"S": "unknown"}});
    join_all([("connected", connected), ("failed", failed)].map(async |(status, more)| {
        let old = Old::new(MINUTE);
        old.row(&cloud, main, status, and(more, told_at(old.received_at + 900))).await;
        for message in [old.granted(&cloud), old.granted(&cloud)] {
            cloud.send(main, &message.to_string()).await;
        }
        // They have been processed once a later one has.
        let later = Old::new(MINUTE);
        cloud.send(main, &later.granted(&cloud).to_string()).await;
        later.ended(&cloud, main).await;
        assert_eq!(old.ended(&cloud, main).await.0, status);
        let journal = cloud.journal(&old.chat).await;
        assert_eq!((journal.messages().len(), journal.events().len()), (0, 0), "{status}");
    }))
    .await;
}

/// Only the exchanger can have sealed them, for this attempt and chat.
#[tokio::test]
async fn sealed_tokens_on_the_queue_are_stored_whatever_is_left_of_their_attempt() {
    let cloud = Cloud::read();
    let main = cloud.stack("main");
    let now = now_ms();
    let left: [(&str, Option<Value>); 4] = [
        ("", None),
        ("exchanging", Some(json!({"lease_until": {"N": (now + MINUTE).to_string()}}))),
        ("delayed", Some(and(json!({"reason": {"S": "misconfigured"}}), told_at(now)))),
        ("failed", Some(and(json!({"reason": {"S": "unknown"}}), told_at(now)))),
    ];
    join_all(left.map(async |(status, more)| {
        // Older than a code lives.
        let old = Old::new(DAY);
        if let Some(more) = more {
            old.row(&cloud, main, status, more).await;
        }
        cloud.send(main, &old.exchanged(&cloud, main).await.to_string()).await;
        let told = |journal: &Journal| journal.messages() == [CONNECTED];
        let journal = cloud.wait_for(&old.chat, "connected", told).await;
        assert_eq!(journal.count("salesforce.token"), 0, "{status}");
        assert_eq!(cloud.tokens("main", &old.chat).await, old.tokens(), "{status}");
        assert_eq!(old.ended(&cloud, main).await.0, "connected", "{status}");
    }))
    .await;
}

#[tokio::test]
async fn outcomes_that_nobody_was_told_of_are_told() {
    let cloud = Cloud::read();
    let main = cloud.stack("main");
    let account = json!({"org_id": {"S": "00D000000000001"}, "instance_url": {"S": login_url(&cloud)},
        "renewed": {"BOOL": true}, "username": {"S": "old@example.com"}, "scope": {"S": "api"}});
    let denied = json!({"reason": {"S": "denied"}, "salesforce_error": {"S": "access_denied"}});
    let delayed = json!({"reason": {"S": "misconfigured"}, "lease_until": {"N": "0"}});
    join_all(
        [
            ("connected", account, "connection.renewed", CONNECTED),
            ("failed", denied, "connection.failed", "access was not allowed"),
            ("delayed", delayed, "connection.delayed", "takes longer than usual"),
        ]
        .map(async |(status, more, event, text)| {
            let old = Old::new(2 * MINUTE);
            old.row(&cloud, main, status, more).await;
            let journal = cloud.outcome(&old.chat).await;
            assert_eq!(journal.events()[0]["type"], event);
            assert_eq!(journal.messages().len(), 1, "{status}");
            assert!(journal.messages()[0].contains(text), "{}", journal.messages()[0]);
        }),
    )
    .await;
}

/// Its row says nothing of a consent, and its time of issue is another party's.
#[tokio::test]
async fn a_consent_wins_over_a_token_row_of_the_version_before() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    let table = main.output("TokenTableName");
    cloud.consent(&chat).await;
    cloud.outcome(&chat).await;
    let row = cloud.item(table, "wa_id", &chat).await.expect("tokens");
    let mut old = json!({"issued_at": {"N": (now_ms() + 60 * MINUTE).to_string()}});
    for name in [
        "wa_id",
        "access_token",
        "refresh_token",
        "instance_url",
        "attempt_id",
        "scope",
        "org_id",
        "user_id",
        "username",
        "login_url",
        "connected_at",
    ] {
        old[name] = row[name].clone();
        assert!(old[name].is_object(), "{name}");
    }
    put(&cloud, table, old).await;
    let before = cloud.tokens("main", &chat).await;

    cloud.consent(&chat).await;
    let journal = cloud.wait_for(&chat, "the second event", |journal| journal.events().len() == 2).await;
    assert_eq!(journal.messages(), [CONNECTED, CONNECTED]);
    assert_eq!(journal.events()[1]["type"], "connection.renewed");
    assert_ne!(cloud.tokens("main", &chat).await, before);
    wait_until("the revocation", async || {
        (cloud.journal(&chat).await.succeeded("salesforce.revoke") == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_login_that_began_before_the_upgrade_ends_connected() {
    let cloud = Cloud::read();
    let (main, chat) = (cloud.stack("main"), new_chat());
    let (browser, callback) = began_before(&cloud, main, &chat).await;
    assert_eq!(Browser::new(&cloud).visit(Method::GET, &callback).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);
    assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED]);
}

/// A login with a state and a cookie of the version before.
async fn began_before<'a>(cloud: &'a Cloud, stack: &Stack, chat: &str) -> (Browser<'a>, String) {
    const SECRET: &str = "c2VjcmV0IG9mIHRoZSBicm93c2VyLCAzMiBieXRlcyE";
    let now = Browser::new(cloud).approve(&cloud.link(chat).await.url).await;
    let (attempt, login_url) = (system::attempt_of(&now), login_url(cloud));
    let claims = Claims { attempt: &attempt, chat, login_url: &login_url, received_at: now_ms() };
    let state = cloud.sign_state_of_version_1(stack, claims, SECRET).await;
    let mut callback = url::Url::parse(&now).expect("an address");
    callback.query_pairs_mut().clear().append_pair("code", &parameter(&now, "code")).append_pair("state", &state);
    (Browser::new(cloud).with_cookie(format!("__Host-connect={SECRET}")), callback.into())
}

#[tokio::test]
async fn a_link_of_the_version_before_asks_for_a_new_one() {
    let cloud = Cloud::read();
    let link: Link = cloud.link(&new_chat()).await;
    let (address, _) = link.url.rsplit_once('/').unwrap();
    // KMS's ciphertexts begin so.
    let old = format!("{address}/AQICAHh{}", "A".repeat(200));
    for method in [Method::GET, Method::POST] {
        let page = Browser::new(&cloud).visit(method, &old).await;
        assert_eq!(page.status(), StatusCode::GONE);
        assert!(page.text().await.unwrap().contains("ask the bot for a new one"));
    }
}

/// By the plain AWS API, as the console does it.
#[tokio::test]
async fn redriven_dead_letters_all_end_in_an_outcome() {
    let cloud = Cloud::read();
    let (plain, _turn) = cloud.plain_dead_letters().await;
    let delayed = json!({"reason": {"S": "misconfigured"}, "lease_until": {"N": "0"}});
    let told = |old: &Old| and(delayed.clone(), told_at(old.received_at + 900));

    // A code that still lives, one that does not, two of one attempt, a denial, tokens.
    let (young, old, denied, sealed) = (Old::new(MINUTE), Old::new(13 * DAY), Old::new(DAY), Old::new(13 * DAY));
    for each in [&young, &old, &denied, &sealed] {
        each.row(&cloud, plain, "delayed", told(each)).await;
    }
    // Connected since, by the link in the message about the delay: nothing is to be said of the older consent.
    let since = Old::new(DAY);
    since.row(&cloud, plain, "delayed", told(&since)).await;
    cloud.consent_of("plain", &since.chat, 0).await;
    cloud.meta_message(&since.chat, CONNECTED).await;
    let tokens = cloud.tokens("plain", &since.chat).await;

    for letter in [
        young.granted(&cloud),
        young.again().granted(&cloud),
        old.granted(&cloud),
        denied.denied(&cloud),
        sealed.exchanged(&cloud, plain).await,
        since.granted(&cloud),
    ] {
        let letter = json!({"QueueUrl": plain.output("ExchangeDlqUrl"), "MessageBody": letter.to_string()});
        cloud.aws("sqs", "AmazonSQS.SendMessage", letter).await;
    }
    // SQS knows the way back only of messages that it made dead letters itself.
    let query = json!({"QueueUrl": plain.output("ExchangeQueueUrl"), "AttributeNames": ["QueueArn"]});
    let queue = cloud.aws("sqs", "AmazonSQS.GetQueueAttributes", query).await;
    let task = json!({"SourceArn": plain.output("ExchangeDlqArn"), "DestinationArn": queue["Attributes"]["QueueArn"]});
    cloud.aws("sqs", "AmazonSQS.StartMessageMoveTask", task).await;

    for (each, text) in
        [(&young, "took too long"), (&old, "took too long"), (&denied, "not allowed"), (&sealed, CONNECTED)]
    {
        let journal = cloud.meta_message(&each.chat, text).await;
        assert_eq!(journal.meta_messages().len(), 1, "{text}");
    }
    assert_eq!(young.ended(&cloud, plain).await, failed("code_expired"));
    assert_eq!(old.ended(&cloud, plain).await, failed("code_expired"));
    assert_eq!(denied.ended(&cloud, plain).await, failed("denied"));
    assert_eq!(sealed.ended(&cloud, plain).await.0, "connected");
    assert_eq!(since.ended(&cloud, plain).await, failed("superseded"));
    assert_eq!(cloud.dead_letters(plain).await, 0);
    assert_eq!(cloud.tokens("plain", &sealed.chat).await, sealed.tokens());
    assert_eq!(cloud.tokens("plain", &since.chat).await, tokens);
    assert_eq!(cloud.journal(&since.chat).await.meta_messages(), [CONNECTED]);
}
