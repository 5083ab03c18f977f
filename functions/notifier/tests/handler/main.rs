//! The notifier as Lambda invokes it, against a server that stands for AWS, Twilio and the bot.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy takes for other code")]

mod bus;
mod last_errors;
mod sends;
mod table;

use std::sync::Mutex;

use fakes::{
    Answer, Request, Server,
    attempts::{attributes, item, stream_event},
    aws::{mac, setting},
    logs::Logs,
};
use notifier::{Config, Notifier};
use secrecy::SecretBox;
use serde_json::{Value, json};
use shared::{
    Language, Settings, Timestamp,
    link::LinkKey,
    process::{NoRandomness, Random},
};

use table::Row;

const SIGNING_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const NOW: u64 = 1_790_000_060_000;
const BOT: &str = "/bot/events";
const LIMITS: &str = "limits";
const RETRIES: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/retries";
const BOT_QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/bot";
const TWILIO: &str = "/Messages.json";
const ACCEPTED: (u16, &str) = (201, r#"{"sid":"SM1","status":"queued","error_code":null}"#);
const WHATSAPP_SECRET: (&str, &str) = ("whatsapp", r#"{"account_sid":"AC1","auth_token":"t"}"#);

const CONNECTED: &str = "✅ Your Salesforce account is now connected! Connected as ada@example.com (acme).";

/// A source that panics where a link is made.
#[expect(clippy::unnecessary_wraps, reason = "as the system's source")]
fn no_link(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    assert!(bytes.len() == 8, "no link can be made");
    Ok(())
}

/// The key that links are sealed with, as the fake of KMS derives it.
fn link_key() -> LinkKey {
    LinkKey::new(SecretBox::new(Box::new(mac(LinkKey::DERIVED_FROM))))
}

/// How the outside parties respond.
#[derive(Clone)]
struct World {
    /// The items in the table.
    items: Vec<Value>,
    /// Twilio's responses, in order; the last one repeats.
    twilio: Vec<(u16, &'static str)>,
    /// The status of the webhook's response.
    bot: u16,
    /// The status of `UpdateItem`'s response.
    mark: u16,
}

impl World {
    fn with(item: Value) -> Self {
        Self { items: vec![item], twilio: vec![ACCEPTED], bot: 200, mark: 200 }
    }

    /// The server that responds so.
    async fn serve(self) -> Server {
        let server = Server::start().await.with_kms().with_secrets(&[WHATSAPP_SECRET, ("webhook", SIGNING_SECRET)]);
        let Self { items, twilio, bot, mark } = self;
        server.on("GetItem", move |request| {
            let id = &request.json()["Key"]["attempt_id"]["S"];
            let item = items.iter().find(|item| item["attempt_id"] == *id).map(attributes);
            item.map_or_else(|| json!({}), |item| json!({"Item": item})).into()
        });
        server.on("UpdateItem", move |request| match mark {
            _ if request.json()["TableName"] == LIMITS => json!({}).into(),
            200 => json!({}).into(),
            status => {
                let error = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
                Answer::json(status, &json!({"__type": error}))
            }
        });
        server.on("SendMessage", |_| json!({"MessageId": "m"}).into());
        server.on("PutEvents", |_| event_taken());
        server.on("ChangeMessageVisibility", |_| json!({}).into());
        server.on(BOT, move |_| Answer::new(bot, ""));
        let messages = Mutex::new(0);
        server.on(TWILIO, move |_| {
            let mut messages = messages.lock().unwrap();
            let (status, body) = twilio[(*messages).min(twilio.len() - 1)];
            *messages += 1;
            Answer::new(status, body)
        });
        server
    }
}

/// What `EventBridge` answers that accepts an event.
fn event_taken() -> Answer {
    json!({"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}).into()
}

/// What Secrets Manager answers where one of the secrets may not be read.
fn secrets_but(unreadable: &str) -> Value {
    let all = [WHATSAPP_SECRET, ("webhook", SIGNING_SECRET), ("callback", "https://connect.example.com/callback")];
    let read = all.iter().filter(|(name, _)| *name != unreadable);
    json!({
        "SecretValues": read.map(|(name, text)| json!({"Name": name, "SecretString": text})).collect::<Vec<_>>(),
        "Errors": [{"SecretId": unreadable, "ErrorCode": "AccessDeniedException", "Message": "no"}],
    })
}

/// A notifier with its outside parties.
struct Scene {
    server: Server,
    notifier: Notifier,
    stream: Vec<Value>,
}

impl Scene {
    async fn new(world: World) -> Self {
        Self::configured(world, |_| None).await
    }

    async fn configured(world: World, changed: impl Fn(&str) -> Option<&'static str>) -> Self {
        let random = |bytes: &mut [u8]| -> Result<(), NoRandomness> {
            bytes.fill(9);
            Ok(())
        };
        Self::with_random(world, changed, random).await
    }

    async fn with_random(world: World, changed: impl Fn(&str) -> Option<&'static str>, random: Random) -> Self {
        Self::at(world, changed, random, || Timestamp::from_millis(NOW)).await
    }

    async fn at(
        world: World,
        changed: impl Fn(&str) -> Option<&'static str>,
        random: Random,
        clock: fn() -> Timestamp,
    ) -> Self {
        let stream = world.items.clone();
        let server = world.serve().await;
        let settings = Settings::new(|name| {
            if let Some(value) = changed(name) {
                return Some(value.to_owned());
            }
            let usual = match name {
                "WHATSAPP_API_URL" => server.url(),
                "ATTEMPT_TABLE_NAME" => "connection_attempts",
                "LIMIT_TABLE_NAME" => LIMITS,
                "RETRY_QUEUE_URL" => RETRIES,
                "WHATSAPP_PROVIDER" => "Twilio",
                "WHATSAPP_SENDER" => "+14155238886",
                "WHATSAPP_SECRET_NAME" => "whatsapp",
                "BOT_WEBHOOK_URL" => &format!("{}{BOT}", server.url()),
                "BOT_WEBHOOK_SECRET_NAME" => "webhook",
                "SF_REDIRECT_URI" => "https://connect.example.com/callback",
                "LINK_KEY_ID" => "arn:link",
                "LINK_LIFETIME_MINUTES" => "15",
                "RELINK_LIFETIME_HOURS" => "24",
                "STACK_NAME" => "connect",
                "LOGIN_URLS" => "https://login.salesforce.com,https://test.salesforce.com",
                "CHAT_PROOF" => "Off",
                "DEFAULT_LANGUAGE" => "en",
                _ => return setting(name, &server),
            };
            Some(usual.to_owned())
        });
        let aws = shared::aws::config(&settings).unwrap();
        let notifier = Notifier::new(Config::read(&settings).unwrap(), &aws, clock, random);
        Self { server, notifier, stream }
    }

    /// Handles a batch with a record of each item; `false` if something is left to tell.
    async fn succeeds(&self) -> bool {
        let before = self.handed_over().len();
        assert_eq!(self.failures(&self.stream).await, json!([]), "nobody may wait behind a record");
        self.handed_over().len() == before
    }

    /// The failures in the response to a batch with a record of each of these items.
    async fn failures(&self, items: &[Value]) -> Value {
        self.response(stream_event(items)).await
    }

    /// The failures in the response to a batch of the retry queue: a message for each body, which is so many seconds old.
    async fn returned(&self, bodies: &[&str], age: u64) -> Value {
        self.returned_of(bodies, NOW - age * 1000).await
    }

    /// The same, of messages that were sent then.
    async fn returned_of(&self, bodies: &[&str], sent_at: u64) -> Value {
        let message = |(place, body): (usize, &&str)| {
            let sent_at = sent_at.to_string();
            json!({"messageId": format!("m{place}"), "receiptHandle": format!("r{place}"), "body": body,
                "attributes": {"SentTimestamp": sent_at, "ApproximateReceiveCount": "1"}, "eventSource": "aws:sqs"})
        };
        self.response(json!({"Records": bodies.iter().enumerate().map(message).collect::<Vec<_>>()})).await
    }

    async fn response(&self, event: Value) -> Value {
        let response = self.notifier.handle(serde_json::from_value(event).unwrap()).await.unwrap();
        serde_json::to_value(response).unwrap()["batchItemFailures"].clone()
    }

    fn sent_to(&self, queue: &str) -> Vec<Value> {
        self.aws_calls("SendMessage").into_iter().filter(|sent| sent["QueueUrl"] == queue).collect()
    }

    /// The messages that were put on the retry queue because something is left to tell.
    fn handed_over(&self) -> Vec<Value> {
        self.pointers(5)
    }

    /// Those that were put there only to ask what became of a message.
    fn checks(&self) -> Vec<Value> {
        self.pointers(15)
    }

    fn pointers(&self, delay: u64) -> Vec<Value> {
        self.sent_to(RETRIES).into_iter().filter(|sent| sent["DelaySeconds"] == delay).collect()
    }

    /// After how many seconds the pointers come back that are not done.
    fn pauses(&self) -> Vec<u64> {
        let calls = self.aws_calls("ChangeMessageVisibility");
        calls.iter().filter_map(|call| call["VisibilityTimeout"].as_u64()).collect()
    }

    /// The texts that were sent to WhatsApp, also those that it refused.
    fn messages(&self) -> Vec<String> {
        self.server.requests(TWILIO).iter().map(|request| request.form()[2].1.clone()).collect()
    }

    /// The events that the webhook received.
    fn events(&self) -> Vec<Value> {
        self.server.requests(BOT).iter().map(Request::json).collect()
    }

    /// The attributes that each mark set and removed.
    fn marks(&self) -> Vec<String> {
        let updates = self.aws_calls("UpdateItem").into_iter().filter(|update| update["TableName"] != LIMITS);
        let names = |update: &Value| {
            let words = update["UpdateExpression"].as_str().unwrap().split(' ');
            let names: Vec<_> = words.filter(|word| !word.starts_with([':', '='])).collect();
            names.join(" ").replace('#', "")
        };
        // That a message is about to be sent is marked before each, and whether it was not.
        updates.map(|update| names(&update)).filter(|names| !names.starts_with("SET message_intent")).collect()
    }

    /// The requests for an operation of AWS.
    fn aws_calls(&self, operation: &str) -> Vec<Value> {
        self.server.requests(operation).iter().map(Request::json).collect()
    }
}

#[tokio::test]
async fn the_person_and_the_bot_are_notified_once_and_both_are_marked() {
    let scene = Scene::new(World::with(item(json!({})))).await;
    assert!(scene.succeeds().await);
    assert_eq!(scene.messages(), [CONNECTED]);
    let events = scene.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["type"], "connection.created");
    assert_eq!(events[0]["data"]["message"], "sent");
    assert_eq!(scene.marks(), ["SET message_id messaged_at REMOVE message_intent", "SET bot_told_at notified_at"]);
    let mark = &scene.aws_calls("UpdateItem")[0];
    let is_current = "(#status = :if0 AND #updated_at = :if1)";
    let absent =
        ["message_intent", "messaged_at", "message_error"].map(|name| format!("attribute_not_exists(#{name})"));
    let condition = format!("({is_current} AND {})", absent.join(" AND "));
    assert_eq!(mark["ConditionExpression"], condition);
    assert_eq!(mark["ExpressionAttributeValues"][":if1"], json!({"N": "1790000000123"}));
    assert_eq!(scene.aws_calls("GetItem")[0]["ConsistentRead"], true);
}

#[tokio::test]
async fn the_secrets_are_fetched_even_where_the_attempt_is_not_found() {
    let scene = Scene::new(World { items: Vec::new(), ..World::with(Value::Null) }).await;
    assert_eq!(scene.failures(&[item(json!({}))]).await, json!([]));
    assert_eq!(scene.aws_calls("GetItem").len(), 1);
    assert_eq!(scene.aws_calls("BatchGetSecretValue").len(), 1);
}

#[tokio::test]
async fn a_warm_start_spares_the_first_outcome_the_wait_for_the_secrets() {
    let scene = Scene::new(World::with(item(json!({})))).await;
    scene.notifier.warm_up().await;
    assert!(scene.aws_calls("GetItem").is_empty());
    assert_eq!(scene.aws_calls("BatchGetSecretValue").len(), 1);
    assert!(scene.succeeds().await);
    assert_eq!(scene.aws_calls("GetItem").len(), 1);
    assert_eq!(scene.aws_calls("BatchGetSecretValue").len(), 1);
}

#[tokio::test]
async fn what_is_marked_is_not_sent_again() {
    let messaged = Scene::new(World::with(item(json!({"messaged_at": NOW})))).await;
    assert!(messaged.succeeds().await);
    assert!(messaged.messages().is_empty());
    assert_eq!(messaged.events().len(), 1);

    let notified = Scene::new(World::with(item(json!({"bot_told_at": NOW})))).await;
    assert!(notified.succeeds().await);
    assert_eq!(notified.messages().len(), 1);
    assert!(notified.events().is_empty());
    assert_eq!(notified.marks(), ["SET message_id messaged_at notified_at REMOVE message_intent"]);

    let both = Scene::new(World::with(item(json!({"messaged_at": NOW, "bot_told_at": NOW})))).await;
    assert!(both.succeeds().await);
    assert!(both.messages().is_empty());
    assert!(both.events().is_empty());
    assert_eq!(both.marks(), ["SET notified_at"]);
}

#[tokio::test]
async fn an_outcome_that_is_notified_superseded_or_gone_is_skipped() {
    let seen = item(json!({"status": "delayed", "reason": "misconfigured", "updated_at": 5}));
    for now in [item(json!({"notified_at": NOW})), item(json!({})), Value::Null] {
        let known = now["notified_at"].is_number();
        let scene = Scene::new(World::with(now.clone())).await;
        let stream = if known { now } else { seen.clone() };
        assert_eq!(scene.failures(&[stream]).await, json!([]));
        assert!(scene.messages().is_empty());
        assert!(scene.events().is_empty());
        assert!(scene.marks().is_empty());
    }
}

#[tokio::test]
async fn a_bot_that_is_down_leaves_the_message_sent_and_marked() {
    let scene = Scene::new(World { bot: 503, ..World::with(item(json!({}))) }).await;
    assert!(!scene.succeeds().await);
    assert_eq!(scene.messages().len(), 1);
    assert_eq!(scene.marks(), ["SET message_id messaged_at REMOVE message_intent", "SET bot_last_error"]);
}

#[tokio::test]
async fn the_bot_is_notified_while_whatsapp_is_down() {
    let scene = Scene::new(World { twilio: vec![(503, "")], ..World::with(item(json!({}))) }).await;
    assert!(!scene.succeeds().await);
    assert_eq!(scene.events()[0]["data"]["message"], "pending");
    assert_eq!(scene.marks(), ["SET bot_told_at"]);
}

#[tokio::test]
async fn an_undeliverable_message_is_final_and_reported_to_a_bot_that_was_notified_before() {
    let notified_while_pending = item(json!({"bot_told_at": NOW}));
    let world = World { twilio: vec![(400, r#"{"code":63024}"#)], ..World::with(notified_while_pending) };
    let scene = Scene::new(world).await;
    assert!(scene.succeeds().await);
    let event = &scene.events()[0];
    assert_eq!(event["data"]["message"], "undeliverable");
    assert_eq!(event["id"], "evt_07070707070707070707070707070707_connected_1790000000123_undeliverable");
    assert_eq!(
        scene.marks(),
        [
            "SET message_error REMOVE message_intent, bot_told_at, webhook_told_at, queue_told_at, bus_told_at",
            "SET bot_told_at notified_at"
        ]
    );
}

#[tokio::test]
async fn outside_the_24_hour_window_the_template_is_sent_once() {
    let world = World { twilio: vec![(400, r#"{"code":63016}"#), ACCEPTED], ..World::with(item(json!({}))) };
    let template = |name: &str| (name == "WHATSAPP_TEMPLATE").then_some("HX0123");
    let scene = Scene::configured(world.clone(), template).await;
    assert!(scene.succeeds().await);
    assert_eq!(scene.messages(), [CONNECTED, "HX0123"]);
    assert_eq!(scene.events()[0]["data"]["message"], "sent");

    let scene = Scene::new(world).await;
    assert!(scene.succeeds().await);
    assert_eq!(scene.messages().len(), 1);
    assert_eq!(scene.events()[0]["data"]["message"], "undeliverable");
}

#[tokio::test]
async fn refused_credentials_are_fetched_again_once() {
    let refused = (401, r#"{"code":20003}"#);
    let scene = Scene::new(World { twilio: vec![refused, ACCEPTED], ..World::with(item(json!({}))) }).await;
    assert!(scene.succeeds().await);
    assert_eq!(scene.messages().len(), 2);
    assert_eq!(scene.aws_calls("BatchGetSecretValue").len(), 2);

    let scene = Scene::new(World { twilio: vec![refused], ..World::with(item(json!({}))) }).await;
    assert!(!scene.succeeds().await);
    assert_eq!(scene.messages().len(), 2);
}

#[tokio::test]
async fn a_signing_secret_that_cannot_be_read_does_not_stop_the_message_or_the_queue() {
    let with_queue = |name: &str| (name == "BOT_QUEUE_URL").then_some(BOT_QUEUE);
    let scene = Scene::configured(World::with(item(json!({}))), with_queue).await;
    scene.server.on("BatchGetSecretValue", |_| secrets_but("webhook").into());
    assert!(!scene.succeeds().await, "the webhook has to be retried");
    assert_eq!(scene.messages(), [CONNECTED]);
    assert_eq!(scene.sent_to(BOT_QUEUE).len(), 1);
    assert!(scene.events().is_empty());
    let marks = ["SET message_id messaged_at REMOVE message_intent", "SET bot_last_error queue_told_at"];
    assert_eq!(scene.marks(), marks);
}

#[tokio::test]
async fn secrets_that_cannot_be_fetched_at_all_do_not_stop_the_queue() {
    let with_queue = |name: &str| (name == "BOT_QUEUE_URL").then_some(BOT_QUEUE);
    let scene = Scene::configured(World::with(item(json!({}))), with_queue).await;
    scene.server.on("BatchGetSecretValue", |_| Answer::new(500, ""));
    assert!(!scene.succeeds().await, "message and webhook have to be retried");
    assert_eq!(scene.sent_to(BOT_QUEUE).len(), 1);
    assert!(scene.messages().is_empty() && scene.events().is_empty());
}

#[tokio::test]
async fn a_webhook_that_is_down_does_not_stop_the_queue_and_a_queue_that_is_down_not_the_webhook() {
    let with_queue = |name: &str| (name == "BOT_QUEUE_URL").then_some(BOT_QUEUE);
    let scene = Scene::configured(World { bot: 503, ..World::with(item(json!({}))) }, with_queue).await;
    assert!(!scene.succeeds().await);
    assert_eq!(scene.sent_to(BOT_QUEUE).len(), 1);

    let scene = Scene::configured(World::with(item(json!({}))), with_queue).await;
    scene.server.on("SendMessage", |request| {
        let is_bots = request.json()["QueueUrl"] == BOT_QUEUE;
        if is_bots { fakes::aws::error("AccessDeniedException") } else { json!({"MessageId": "m"}).into() }
    });
    assert!(!scene.succeeds().await);
    assert_eq!(scene.events().len(), 1);
    assert_eq!(scene.messages().len(), 1);
}

#[tokio::test]
async fn an_event_is_repeated_on_the_way_that_failed_alone() {
    let with_queue = |name: &str| (name == "BOT_QUEUE_URL").then_some(BOT_QUEUE);
    let refused = |server: &Server| {
        server.on("SendMessage", |request| {
            let is_bots = request.json()["QueueUrl"] == BOT_QUEUE;
            if is_bots { fakes::aws::error("AccessDeniedException") } else { json!({"MessageId": "m"}).into() }
        });
    };
    for (webhook_fails, events, queued) in [(true, 4, 1), (false, 1, 4)] {
        let scene = Scene::configured(World::with(item(json!({}))), with_queue).await;
        let row = Row::behind(&scene.server, &item(json!({})));
        if webhook_fails {
            scene.server.on(BOT, |_| Answer::new(503, ""));
        } else {
            refused(&scene.server);
        }
        for _ in 0..3 {
            assert_ne!(scene.returned(&[&pointer("07")], 60).await, json!([]));
        }
        scene.server.on(BOT, |_| Answer::new(200, ""));
        scene.server.on("SendMessage", |_| json!({"MessageId": "m"}).into());
        assert_eq!(scene.returned(&[&pointer("07")], 60).await, back(), "to ask what became of the message");
        assert!(row.has("notified_at"));
        assert_eq!((scene.events().len(), scene.sent_to(BOT_QUEUE).len()), (events, queued));
        assert_eq!(scene.messages().len(), 1);
    }
}

#[tokio::test]
async fn a_message_that_becomes_undeliverable_is_told_on_every_way() {
    let with_queue = |name: &str| (name == "BOT_QUEUE_URL").then_some(BOT_QUEUE);
    for told in ["webhook_told_at", "queue_told_at", "bot_told_at"] {
        let world = World { twilio: vec![(400, r#"{"code":63024}"#)], ..World::with(item(json!({ told: NOW }))) };
        let scene = Scene::configured(world, with_queue).await;
        assert!(scene.succeeds().await);
        assert_eq!((scene.events().len(), scene.sent_to(BOT_QUEUE).len()), (1, 1), "{told}");
    }
}

#[tokio::test]
async fn whatsapp_credentials_that_cannot_be_read_do_not_stop_the_event() {
    let scene = Scene::new(World::with(item(json!({})))).await;
    scene.server.on("BatchGetSecretValue", |_| secrets_but("whatsapp").into());
    assert!(!scene.succeeds().await, "the message has to be retried");
    assert!(scene.messages().is_empty());
    assert_eq!(scene.events()[0]["data"]["message"], "pending");
    assert_eq!(scene.marks(), ["SET bot_told_at"]);
}

#[tokio::test]
async fn where_no_link_can_be_made_people_are_told_without_it() {
    let failed = item(json!({"status": "failed", "reason": "code_expired"}));
    let denied = |scene: &Scene| {
        let denied = || Answer::json(400, &json!({"__type": "AccessDeniedException"}));
        for operation in ["Encrypt", "GenerateMac", "Sign"] {
            scene.server.on(operation, move |_| denied());
        }
    };
    let without_kms = Scene::new(World::with(failed.clone())).await;
    denied(&without_kms);
    let by_secret = |name: &str| match name {
        "SF_REDIRECT_URI" => Some(""),
        "SF_CALLBACK_URI_SECRET_NAME" => Some("callback"),
        _ => None,
    };
    let without_uri = Scene::configured(World::with(failed), by_secret).await;
    without_uri.server.on("BatchGetSecretValue", |_| secrets_but("callback").into());
    for scene in [without_kms, without_uri] {
        assert!(scene.succeeds().await);
        let text = "Nothing was connected: the login took too long. Please ask here for a new \
                    link, and log in again.";
        assert_eq!(scene.messages(), [text]);
        let data = &scene.events()[0]["data"];
        assert_eq!(data["user_message"], text);
        assert_eq!(data["next"], "relink");
        assert_eq!(data.get("relink_url"), None);
    }
}

#[tokio::test]
async fn a_refused_signature_is_made_once_more_with_a_secret_that_has_changed() {
    for status in [401, 403] {
        let scene = Scene::new(World { bot: status, ..World::with(item(json!({}))) }).await;
        let mended = json!({"SecretValues": [
            {"Name": "whatsapp", "SecretString": WHATSAPP_SECRET.1},
            {"Name": "webhook", "SecretString": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
        ]});
        scene.notifier.warm_up().await;
        scene.server.on("BatchGetSecretValue", move |_| mended.clone().into());
        scene.server.next(BOT, Answer::new(status, ""));
        scene.server.on(BOT, |_| Answer::new(204, ""));
        assert!(scene.succeeds().await);
        let signatures: Vec<_> =
            scene.server.requests(BOT).iter().map(|request| request.header("webhook-signature").to_owned()).collect();
        assert_eq!(signatures.len(), 2);
        assert_ne!(signatures[0], signatures[1]);
        assert_eq!(scene.messages().len(), 1);
    }
}

#[tokio::test]
async fn a_refused_signature_is_not_repeated_with_the_same_secret() {
    let scene = Scene::new(World { bot: 401, ..World::with(item(json!({}))) }).await;
    assert!(!scene.succeeds().await);
    assert_eq!(scene.events().len(), 1);
    assert_eq!(scene.aws_calls("BatchGetSecretValue").len(), 2);
}

#[tokio::test]
async fn what_is_wrong_with_the_account_or_the_template_is_nobodys_fault_and_is_retried() {
    for refusal in [r#"{"code":63112}"#, r#"{"code":63041}"#] {
        let scene = Scene::new(World { twilio: vec![(400, refusal)], ..World::with(item(json!({}))) }).await;
        assert!(!scene.succeeds().await);
        assert_eq!(scene.events()[0]["data"]["message"], "pending");
        assert_eq!(scene.marks(), ["SET bot_told_at"]);
    }
}

#[tokio::test]
async fn the_person_and_the_bot_receive_the_same_new_link_after_a_failure() {
    let failed = item(json!({"status": "failed", "reason": "login_rate"}));
    let scene = Scene::new(World::with(failed)).await;
    assert!(scene.succeeds().await);
    let text = scene.messages().remove(0);
    let url = text.lines().last().unwrap();
    assert_eq!(scene.events()[0]["data"]["relink_url"], url);
    assert_eq!(scene.events()[0]["data"]["user_message"], text);
    assert!(url.starts_with("https://connect.example.com/connect/"));
    let sealed = url.rsplit_once('/').unwrap().1.parse().unwrap();
    let link = link_key().open(&sealed).unwrap();
    assert_eq!(link.link_id.to_string(), "09".repeat(16));
    assert_eq!(link.wa_id.as_str(), "whatsapp:+15551234567");
    assert_eq!(link.login_url.as_str(), "https://test.salesforce.com");
    assert_eq!(link.issued_at.millis(), NOW);
    // The hour that Salesforce wants, and then the usual lifetime.
    assert_eq!(link.expires_at.millis(), NOW + (60 + 15) * 60 * 1000);
}

/// Failures that nobody may hear of, and why.
fn withheld() -> [Value; 3] {
    [
        item(json!({"status": "failed", "reason": "superseded"})),
        item(json!({"status": "failed", "reason": "code_expired", "plain": true})),
        item(json!({"status": "delayed", "reason": "salesforce_unavailable", "plain": true})),
    ]
}

#[tokio::test]
async fn of_what_is_superseded_or_a_strangers_plain_state_the_bot_alone_hears() {
    let bot_sends = |name: &str| (name == "WHATSAPP_PROVIDER").then_some("None");
    for failure in withheld() {
        for scene in [
            Scene::new(World::with(failure.clone())).await,
            Scene::configured(World::with(failure.clone()), bot_sends).await,
        ] {
            assert!(scene.succeeds().await);
            assert!(scene.messages().is_empty());
            assert_eq!(scene.events()[0]["data"]["message"], "withheld");
            assert_eq!(scene.marks(), ["SET bot_told_at notified_at"]);
        }
    }
}

#[tokio::test]
async fn an_event_of_what_is_superseded_offers_nothing() {
    let scene = Scene::new(World::with(withheld()[0].clone())).await;
    assert!(scene.succeeds().await);
    let data = &scene.events()[0]["data"];
    assert_eq!(data["reason"], "superseded");
    assert_eq!(data.get("next"), None);
    assert_eq!(data.get("relink_url"), None);
}

#[tokio::test]
async fn a_success_of_a_plain_state_is_told_without_asking_for_a_limit() {
    let scene = Scene::new(World::with(item(json!({"plain": true})))).await;
    assert!(scene.succeeds().await);
    assert_eq!(scene.messages(), [CONNECTED]);
    assert!(scene.aws_calls("UpdateItem").iter().all(|update| update["TableName"] != LIMITS));
}

#[tokio::test]
async fn a_new_link_carries_the_reference_on_that_the_event_gives_back() {
    for outcome in [json!({"status": "failed", "reason": "denied"}), json!({"status": "ended", "reason": "expired"})] {
        let mut changes = outcome;
        changes["reference"] = "crm/42".into();
        let scene = Scene::new(World::with(item(changes))).await;
        assert!(scene.succeeds().await);
        let data = scene.events()[0]["data"].clone();
        assert_eq!(data["reference"], "crm/42");
        let sealed = data["relink_url"].as_str().unwrap().rsplit_once('/').unwrap().1;
        let link = link_key().open(&sealed.parse().unwrap()).unwrap();
        assert!(link.has_reference);
        let writes = scene.aws_calls("UpdateItem");
        let key = format!("reference#{}", link.link_id);
        let kept = writes.iter().find(|write| write["Key"]["attempt_id"]["S"] == key).unwrap();
        assert_eq!(kept["ExpressionAttributeValues"][":reference"]["S"], "crm/42");
    }
}

#[tokio::test]
async fn people_are_told_in_the_language_of_their_link_and_a_new_link_carries_it_on() {
    for outcome in [json!({"status": "failed", "reason": "denied"}), json!({"status": "ended", "reason": "expired"})] {
        let mut changes = outcome;
        changes["language"] = "hi".into();
        let scene = Scene::new(World::with(item(changes))).await;
        assert!(scene.succeeds().await);
        let (text, data) = (scene.messages().remove(0), scene.events()[0]["data"].clone());
        assert!(text.starts_with("आपका Salesforce अकाउंट"), "{text}");
        assert_eq!((&data["user_message"], &data["language"]), (&json!(text), &json!("hi")));
        let sealed = data["relink_url"].as_str().unwrap().rsplit_once('/').unwrap().1;
        let link = link_key().open(&sealed.parse().unwrap()).unwrap();
        assert_eq!(link.language, Some(Language::Hindi));
    }
}

#[tokio::test]
async fn people_whose_link_has_no_language_are_told_in_the_operators() {
    let scene =
        Scene::configured(World::with(item(json!({}))), |name| (name == "DEFAULT_LANGUAGE").then_some("fr")).await;
    assert!(scene.succeeds().await);
    assert!(scene.messages()[0].starts_with("✅ Votre compte Salesforce est maintenant connecté"));
    assert_eq!(scene.events()[0]["data"].get("language"), None);
}

#[tokio::test]
async fn the_template_is_that_of_the_persons_language() {
    for (language, template) in [("es", "HX02"), ("hi", "HX01")] {
        let connected = item(json!({"language": language}));
        let world = World { twilio: vec![(400, r#"{"code":63016}"#), ACCEPTED], ..World::with(connected) };
        let templates = |name: &str| (name == "WHATSAPP_TEMPLATE").then_some("en:HX01,es:HX02");
        let scene = Scene::configured(world, templates).await;
        assert!(scene.succeeds().await);
        assert_eq!(scene.messages()[1], template);
    }
}

#[tokio::test]
async fn an_event_names_the_link_that_the_attempt_began_with() {
    let link_id = "0a".repeat(16);
    for end in [json!({"link_id": link_id}), json!({"link_id": link_id, "status": "failed", "reason": "denied"})] {
        let scene = Scene::new(World::with(item(end))).await;
        assert!(scene.succeeds().await);
        assert_eq!(scene.events()[0]["data"]["link_id"], link_id);
    }
}

/// Twilio's URL of the message that it accepted.
const MESSAGE: &str = "/Messages/SM1.json";
const TEMPLATE: fn(&str) -> Option<&'static str> = |name| (name == "WHATSAPP_TEMPLATE").then_some("HX0123");
/// What comes back of a batch of one pointer.
fn back() -> Value {
    json!([{"itemIdentifier": "m0"}])
}
const POINTER: &str = r#"{"v":1,"attempt_id":"07070707070707070707070707070707"}"#;

/// How long outcomes have waited that could not be told, as measured in milliseconds.
fn untold_ages(logs: &Logs) -> Vec<u64> {
    let text = logs.text();
    text.lines()
        .filter_map(|line| line.split_once(r#"\"UntoldAge\":"#)?.1.split(['}', ',']).next()?.parse().ok())
        .collect()
}

#[tokio::test]
async fn it_is_measured_how_long_an_outcome_waits_that_is_still_not_told() {
    let logs = Logs::capture();
    let down = || World { bot: 503, ..World::with(item(json!({"messaged_at": NOW}))) };
    for age in [611, 86_399] {
        assert_eq!(Scene::new(down()).await.returned(&[POINTER], age).await, json!([{"itemIdentifier": "m0"}]));
        assert!(untold_ages(&logs).contains(&(age * 1000)), "{age}");
    }
    assert_eq!(Scene::new(World { bot: 200, ..down() }).await.returned(&[POINTER], 613).await, json!([]));
    assert!(!untold_ages(&logs).contains(&613_000), "it is told");
}

/// An outcome of which everybody was told, before it is known what became of the message.
fn told(changes: Value) -> Value {
    let mut told = item(json!({"messaged_at": NOW, "message_id": "SM1", "bot_told_at": NOW, "notified_at": NOW}));
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    told.as_object_mut().unwrap().extend(changes);
    told
}

impl Scene {
    /// Twilio says this of the message.
    fn becomes(&self, state: &str, error_code: Option<u64>) {
        let answer = json!({"sid": "SM1", "status": state, "error_code": error_code});
        self.server.on(MESSAGE, move |_| Answer::json(200, &answer));
    }

    /// The item is this at its first reading, and that at the next.
    fn item_is(&self, items: [&Value; 2]) {
        for item in items {
            self.server.next("GetItem", Answer::json(200, &json!({"Item": attributes(item)})));
        }
    }
}

#[tokio::test]
async fn what_becomes_of_a_message_is_asked_some_seconds_later() {
    let scene = Scene::new(World::with(item(json!({})))).await;
    assert!(scene.succeeds().await);
    let [check] = &scene.checks()[..] else { panic!("one check") };
    let body: Value = serde_json::from_str(check["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({"v": 1, "attempt_id": "07".repeat(16)}));
    let values = &scene.aws_calls("UpdateItem")[1]["ExpressionAttributeValues"];
    assert_eq!(values[":message_id"], json!({"S": "SM1"}));
}

#[tokio::test]
async fn a_message_that_arrived_is_asked_for_no_more() {
    for state in ["delivered", "read"] {
        let scene = Scene::new(World::with(told(json!({})))).await;
        scene.becomes(state, None);
        assert_eq!(scene.returned(&[POINTER], 15).await, json!([]));
        assert_eq!(scene.marks(), ["SET message_state"]);
        assert_eq!(scene.server.requests(MESSAGE).len(), 1);
        assert!(scene.messages().is_empty() && scene.events().is_empty());
    }
}

#[tokio::test]
async fn a_message_that_is_on_its_way_is_asked_for_again_and_at_last_left() {
    for (state, at_last) in [("queued", "unknown"), ("sent", "sent")] {
        let scene = Scene::new(World::with(told(json!({})))).await;
        scene.becomes(state, None);
        let told_before = |age: u64| told(json!({"messaged_at": NOW - age * 1000}));
        for age in [15, 30, 50, 300] {
            let item = json!({"Item": attributes(&told_before(age))});
            scene.server.next("GetItem", Answer::json(200, &item));
            assert_eq!(scene.returned(&[POINTER], age).await, back());
        }
        assert_eq!(scene.pauses(), [15, 20, 250, 3300]);
        assert!(scene.marks().is_empty());
        scene.server.next("GetItem", Answer::json(200, &json!({"Item": attributes(&told_before(3600))})));
        assert_eq!(scene.returned(&[POINTER], 3600).await, json!([]));
        let noted = scene.aws_calls("UpdateItem").pop().unwrap();
        assert_eq!(noted["ExpressionAttributeValues"][":message_state"], json!({"S": at_last}));
    }
}

#[tokio::test]
async fn a_provider_that_says_nothing_is_asked_again() {
    let scene = Scene::new(World::with(told(json!({})))).await;
    for answer in [Answer::new(503, "<html>"), Answer::new(404, r#"{"code":20404}"#), Answer::Endless(200)] {
        scene.server.on(MESSAGE, move |_| answer.clone());
        assert_eq!(scene.returned(&[POINTER], 15).await, json!([{"itemIdentifier": "m0"}]));
    }
    assert!(scene.marks().is_empty() && scene.messages().is_empty());
}

#[tokio::test]
async fn a_window_that_turns_out_to_be_closed_is_passed_by_the_template_at_once() {
    let scene = Scene::configured(World::with(Value::Null), TEMPLATE).await;
    scene.becomes("undelivered", Some(63016));
    let without = item(json!({"bot_told_at": NOW, "template_at": NOW}));
    scene.item_is([&told(json!({})), &without]);
    assert_eq!(scene.returned(&[POINTER], 15).await, back());
    assert_eq!(scene.messages(), ["HX0123"]);
    assert!(scene.events().is_empty(), "the bot heard that the message was sent, and it is");
    let marks = scene.marks();
    assert_eq!(
        marks[0],
        "SET template_at whatsapp_last_error REMOVE messaged_at, delay_told_at, notified_at, message_id, message_intent"
    );
    assert_eq!(scene.pauses(), [15], "of the template's message too it is asked what became of it");
    assert!(scene.sent_to(RETRIES).is_empty(), "there is one pointer for an outcome");
}

/// Any write to such an outcome would put it on the stream again, and so tell it at once, and with another pointer.
#[tokio::test]
async fn the_first_write_to_a_redelivered_outcome_takes_it_off_the_stream() {
    let closed = Scene::configured(World::with(Value::Null), TEMPLATE).await;
    closed.becomes("undelivered", Some(63016));
    let without = item(json!({"bot_told_at": NOW, "template_at": NOW}));
    closed.item_is([&told(json!({"redelivered_at": NOW})), &without]);
    assert_eq!(closed.returned(&[POINTER], 15).await, back());
    assert_eq!(closed.messages(), ["HX0123"]);
    assert!(closed.marks()[0].ends_with(", redelivered_at"), "{:?}", closed.marks());

    let redelivered = item(json!({"redelivered_at": NOW, "bot_told_at": NOW}));
    let refused = Scene::new(World { twilio: vec![(503, "")], ..World::with(redelivered.clone()) }).await;
    let row = Row::behind(&refused.server, &redelivered);
    assert!(!refused.succeeds().await);
    assert!(!row.has("redelivered_at") && row.has("message_intent"));
}

#[tokio::test]
async fn where_the_window_is_closed_and_there_is_no_template_the_bot_hears_the_truth() {
    let refused = item(json!({"message_error": "63016", "message_id": "SM1"}));
    let scene = Scene::new(World::with(Value::Null)).await;
    scene.becomes("failed", Some(63016));
    scene.item_is([&told(json!({})), &refused]);
    assert_eq!(scene.returned(&[POINTER], 15).await, json!([]));
    assert!(scene.messages().is_empty());
    assert_eq!(scene.events()[0]["data"]["message"], "undeliverable");
}

#[tokio::test]
async fn a_template_that_is_taken_for_free_text_is_the_operators_and_is_retried() {
    let closed = (400, r#"{"code":63016}"#);
    let scene = Scene::configured(World { twilio: vec![closed], ..World::with(item(json!({}))) }, TEMPLATE).await;
    assert!(!scene.succeeds().await);
    assert_eq!(scene.messages(), [CONNECTED, "HX0123"]);
    assert_eq!(scene.events()[0]["data"]["message"], "pending");
    assert_eq!(scene.marks(), ["SET bot_told_at"]);

    let scene = Scene::configured(World::with(Value::Null), TEMPLATE).await;
    scene.becomes("failed", Some(63016));
    let waits =
        json!({"bot_told_at": NOW, "message_refusals": 1, "message_retry_at": NOW + 60_000, "template_at": NOW});
    scene.item_is([&told(json!({"template_at": NOW})), &item(waits)]);
    assert_eq!(scene.returned(&[POINTER], 15).await, back(), "it is sent again later");
    assert!(scene.messages().is_empty() && scene.events().is_empty());
}

#[tokio::test]
async fn a_persons_own_refusal_that_comes_later_is_final_and_the_bot_hears_of_it_by_a_further_event() {
    for code in [63003, 63024, 63032, 21610] {
        let scene = Scene::new(World::with(Value::Null)).await;
        scene.becomes("undelivered", Some(code));
        let refused = item(json!({"message_error": code.to_string(), "message_id": "SM1"}));
        scene.item_is([&told(json!({})), &refused]);
        assert_eq!(scene.returned(&[POINTER], 15).await, json!([]));
        assert!(scene.messages().is_empty());
        let [event] = &scene.events()[..] else { panic!("one event") };
        assert_eq!(
            (&event["type"], &event["data"]["message"]),
            (&json!("connection.created"), &json!("undeliverable"))
        );
        assert_eq!(event["id"], "evt_07070707070707070707070707070707_connected_1790000000123_undeliverable");
        assert_eq!(
            scene.marks(),
            [
                "SET message_error whatsapp_last_error REMOVE messaged_at, delay_told_at, notified_at, bot_told_at, webhook_told_at, queue_told_at, bus_told_at",
                "SET bot_told_at notified_at"
            ]
        );
    }
}

#[tokio::test]
async fn what_is_the_accounts_is_sent_again_after_a_pause_and_rings() {
    for code in [63112, 63041, 63018, 69_999] {
        let scene = Scene::new(World::with(Value::Null)).await;
        scene.becomes("failed", Some(code));
        let waits = item(json!({"bot_told_at": NOW, "message_refusals": 1, "message_retry_at": NOW + 60_000}));
        scene.item_is([&told(json!({})), &waits]);
        assert_eq!(scene.returned(&[POINTER], 15).await, back(), "it is sent again later");
        assert!(scene.messages().is_empty() && scene.events().is_empty());
        let noted = &scene.aws_calls("UpdateItem")[0]["ExpressionAttributeValues"];
        assert_eq!(noted[":message_retry_at"], json!({"N": (NOW + 60_000).to_string()}));

        let waited = item(json!({"bot_told_at": NOW, "message_refusals": 1, "message_retry_at": NOW}));
        scene.server.next("GetItem", Answer::json(200, &json!({"Item": attributes(&waited)})));
        assert_eq!(scene.returned(&[POINTER], 75).await, back(), "of this message too it is asked what became of it");
        assert_eq!(scene.messages().len(), 1);
        assert!(scene.sent_to(RETRIES).is_empty(), "there is one pointer for an outcome");
    }
}

#[tokio::test]
async fn what_another_delivery_has_learnt_of_the_message_stands() {
    let scene = Scene::new(World::with(Value::Null)).await;
    scene.becomes("failed", Some(63112));
    scene.server.on("UpdateItem", |_| {
        let error = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        Answer::json(400, &json!({"__type": error}))
    });
    scene.item_is([&told(json!({})), &told(json!({"message_id": "SM2"}))]);
    assert_eq!(scene.returned(&[POINTER], 15).await, json!([]));
    assert!(scene.messages().is_empty() && scene.events().is_empty());
}

#[tokio::test]
async fn a_bot_that_is_down_does_not_make_the_provider_be_asked_more_often() {
    let scene = Scene::new(World { bot: 503, ..World::with(Value::Null) }).await;
    scene.becomes("queued", None);
    for (age, asked) in [(5, 0), (10, 1), (15, 1), (50, 2), (65, 3), (110, 3), (245, 3)] {
        let since = json!({"messaged_at": NOW - age * 1000, "message_id": "SM1"});
        scene.server.next("GetItem", Answer::json(200, &json!({"Item": attributes(&item(since))})));
        assert_eq!(scene.returned(&[POINTER], age).await, back());
        assert_eq!(scene.server.requests(MESSAGE).len(), asked, "{age}");
    }
    assert_eq!(scene.events().len(), 7);
}

#[tokio::test]
async fn credentials_that_cannot_be_read_leave_a_message_to_be_asked_for_and_nothing_untold() {
    let logs = Logs::capture();
    let scene = Scene::new(World::with(told(json!({})))).await;
    scene.server.on("BatchGetSecretValue", |_| secrets_but("whatsapp").into());
    assert_eq!(scene.returned(&[POINTER], 617).await, back());
    assert!(!untold_ages(&logs).contains(&617_000));
}

#[tokio::test]
async fn meta_cannot_be_asked_and_is_not() {
    let by_meta = |name: &str| (name == "WHATSAPP_PROVIDER").then_some("Meta");
    let scene = Scene::configured(World::with(item(json!({}))), by_meta).await;
    let secret = json!({"SecretValues": [
        {"Name": "whatsapp", "SecretString": r#"{"access_token":"t","phone_number_id":"1"}"#},
        {"Name": "webhook", "SecretString": SIGNING_SECRET},
    ]});
    scene.server.on("BatchGetSecretValue", move |_| secret.clone().into());
    scene.server.on("/messages", |_| Answer::json(200, &json!({"messages": [{"id": "wamid.x"}]})));
    assert!(scene.succeeds().await);
    assert_eq!(scene.events()[0]["data"]["message"], "sent");
    assert!(scene.checks().is_empty());
}

/// The record of a connection's end.
fn end(changes: Value) -> Value {
    let mut end = item(changes);
    for (name, value) in [("status", json!("ended")), ("reason", json!("revoked")), ("scope", Value::Null)] {
        end[name] = value;
    }
    end["connected_by"] = json!("0a".repeat(16));
    end
}

#[tokio::test]
async fn an_end_is_told_to_the_chat_and_to_the_bot_with_the_same_new_link() {
    // Whoever ended it may have a clock that is ahead.
    let ended_at = NOW + 8_000;
    let scene = Scene::new(World::with(end(json!({"updated_at": ended_at})))).await;
    assert!(scene.succeeds().await);
    let text = scene.messages().remove(0);
    assert!(text.starts_with("Your Salesforce account is no longer connected."), "{text}");
    let event = &scene.events()[0];
    assert_eq!((&event["type"], &event["data"]["message"]), (&json!("connection.revoked"), &json!("sent")));
    assert_eq!(event["data"]["attempt_id"], "0a".repeat(16));
    assert_eq!(event["data"]["user_message"], text);
    let url = event["data"]["relink_url"].as_str().unwrap();
    assert!(text.ends_with(url));
    let link = link_key().open(&url.rsplit_once('/').unwrap().1.parse().unwrap()).unwrap();
    assert_eq!(link.login_url.as_str(), "https://test.salesforce.com");
    assert_eq!(link.issued_at.millis(), ended_at, "a link from before the end connects nobody");
    assert_eq!(link.expires_at.millis(), ended_at + 24 * 60 * 60 * 1000);
    assert_eq!(scene.marks(), ["SET message_id messaged_at REMOVE message_intent", "SET bot_told_at notified_at"]);
}

#[tokio::test]
async fn an_end_is_told_whatever_failures_the_chat_has_heard_of() {
    let scene = Scene::new(World::with(end(json!({})))).await;
    scene.server.on("UpdateItem", told_enough);
    assert!(scene.succeeds().await);
    assert_eq!(scene.messages().len(), 1);
    assert!(scene.aws_calls("UpdateItem").iter().all(|update| update["TableName"] != LIMITS));
}

#[tokio::test]
async fn an_end_is_retried_until_the_bot_has_it_and_the_chat_hears_it_once() {
    let scene = Scene::new(World { bot: 503, ..World::with(end(json!({}))) }).await;
    assert!(!scene.succeeds().await);
    assert_eq!(scene.messages().len(), 1);
    assert_eq!(scene.marks(), ["SET message_id messaged_at REMOVE message_intent", "SET bot_last_error"]);
    let told = Scene::new(World::with(end(json!({"messaged_at": NOW})))).await;
    assert!(told.succeeds().await);
    assert!(told.messages().is_empty());
    assert_eq!(told.events()[0]["id"], scene.events()[0]["id"]);
}

#[tokio::test]
async fn a_chat_that_is_connected_again_does_not_hear_that_it_is_not() {
    let bot_sends = |name: &str| (name == "WHATSAPP_PROVIDER").then_some("None");
    let replaced = end(json!({"replaced_at": NOW}));
    for scene in [
        Scene::new(World::with(replaced.clone())).await,
        Scene::configured(World::with(replaced.clone()), bot_sends).await,
    ] {
        assert!(scene.succeeds().await);
        assert!(scene.messages().is_empty());
        let event = &scene.events()[0];
        assert_eq!((&event["type"], &event["data"]["message"]), (&json!("connection.revoked"), &json!("withheld")));
        assert_eq!(event["data"]["attempt_id"], "0a".repeat(16));
        assert_eq!((event["data"].get("next"), event["data"].get("relink_url")), (None, None));
    }
}

/// The limit table refuses: the chat's places are taken.
fn told_enough(request: &Request) -> Answer {
    if request.json()["TableName"] != LIMITS {
        return json!({}).into();
    }
    let slots = (0..3).flat_map(|slot| {
        let told_at = (format!("told_at_{slot}"), json!({"N": (NOW - 1000).to_string()}));
        [told_at, (format!("outcome_{slot}"), json!({"S": format!("another {slot}")}))]
    });
    let item: Value = slots.collect();
    let error = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    Answer::json(400, &json!({"__type": error, "Item": item}))
}

#[tokio::test]
async fn a_chat_that_was_told_of_enough_failures_hears_of_no_more_and_of_every_success() {
    let failed = item(json!({"status": "failed", "reason": "code_expired"}));
    let scene = Scene::new(World::with(failed)).await;
    scene.server.on("UpdateItem", told_enough);
    assert!(scene.succeeds().await);
    assert!(scene.messages().is_empty());
    assert_eq!(scene.events()[0]["data"]["message"], "withheld");
    assert_eq!(scene.marks(), ["SET withheld_at", "SET bot_told_at notified_at"]);

    let scene = Scene::new(World::with(item(json!({})))).await;
    scene.server.on("UpdateItem", told_enough);
    assert!(scene.succeeds().await);
    assert_eq!(scene.messages().len(), 1);
}

/// The chat's places become free while the bot, which heard that nothing was sent, is told again.
#[tokio::test]
async fn a_message_that_was_withheld_stays_withheld() {
    let withheld = item(json!({"status": "failed", "reason": "code_expired", "withheld_at": NOW}));
    let scene = Scene::new(World::with(withheld)).await;
    assert!(scene.succeeds().await);
    assert!(scene.messages().is_empty());
    assert_eq!(scene.events()[0]["data"]["message"], "withheld");
}

#[tokio::test]
async fn a_failure_takes_one_of_its_chats_places_under_its_own_name() {
    let scene = Scene::new(World::with(item(json!({"status": "failed", "reason": "code_expired"})))).await;
    assert!(scene.succeeds().await);
    let asked: Vec<_> =
        scene.aws_calls("UpdateItem").into_iter().filter(|update| update["TableName"] == LIMITS).collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["Key"], json!({"id": {"S": "chat:whatsapp:+15551234567"}}));
    let values = asked[0]["ExpressionAttributeValues"].to_string();
    assert!(values.contains("07070707070707070707070707070707_failed_1790000000123"), "{values}");
}

#[tokio::test]
async fn a_limit_table_that_cannot_be_reached_delays_a_failure_for_minutes_and_silences_nobody() {
    let unreachable = |request: &Request| -> Answer {
        if request.json()["TableName"] == LIMITS {
            return Answer::json(400, &json!({"__type": "AccessDeniedException"}));
        }
        json!({}).into()
    };
    let failed_at = |at: u64| item(json!({"status": "failed", "reason": "code_expired", "updated_at": at}));
    let fresh = Scene::new(World::with(failed_at(NOW - 60_000))).await;
    fresh.server.on("UpdateItem", unreachable);
    assert!(!fresh.succeeds().await, "it is retried");
    assert!(fresh.messages().is_empty());
    assert_eq!(fresh.events()[0]["data"]["message"], "pending");

    let old = Scene::new(World::with(failed_at(NOW - 5 * 60_000))).await;
    old.server.on("UpdateItem", unreachable);
    assert!(old.succeeds().await);
    assert_eq!(old.messages().len(), 1);
    assert_eq!(old.events()[0]["data"]["message"], "sent");
}

#[tokio::test]
async fn without_whatsapp_and_bot_there_is_nothing_to_send() {
    let alone = |name: &str| match name {
        "WHATSAPP_PROVIDER" => Some("None"),
        "BOT_WEBHOOK_URL" => Some(""),
        _ => None,
    };
    let scene = Scene::configured(World::with(item(json!({}))), alone).await;
    assert!(scene.succeeds().await);
    assert_eq!(scene.marks(), ["SET notified_at"]);
}

#[tokio::test]
async fn a_bot_with_a_queue_receives_the_text_to_pass_on() {
    let by_queue = |name: &str| match name {
        "WHATSAPP_PROVIDER" => Some("None"),
        "BOT_WEBHOOK_URL" => Some(""),
        "BOT_QUEUE_URL" => Some(BOT_QUEUE),
        _ => None,
    };
    let scene = Scene::configured(World::with(item(json!({}))), by_queue).await;
    assert!(scene.succeeds().await);
    let body: Value = serde_json::from_str(scene.sent_to(BOT_QUEUE)[0]["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(body["messages"], CONNECTED);
    assert_eq!(body["event"]["data"]["message"], "off");
}

#[tokio::test]
async fn an_outcome_superseded_during_its_notification_is_left_to_its_successor() {
    let scene = Scene::new(World { mark: 400, ..World::with(item(json!({}))) }).await;
    assert!(scene.succeeds().await);
    assert!(scene.messages().is_empty() && scene.events().is_empty());
}

#[tokio::test]
async fn nothing_is_sent_that_cannot_be_marked_before() {
    let scene = Scene::new(World::with(item(json!({})))).await;
    scene.server.on("UpdateItem", |_| fakes::aws::error("AccessDeniedException"));
    for _ in 0..3 {
        assert_eq!(scene.failures(&[item(json!({}))]).await, json!([]), "it is handed over");
    }
    assert!(scene.messages().is_empty());
}

#[tokio::test]
async fn what_is_left_to_tell_is_handed_over_to_the_retry_queue_and_the_record_is_done() {
    let scene = Scene::new(World { bot: 503, ..World::with(item(json!({}))) }).await;
    assert_eq!(scene.failures(&scene.stream).await, json!([]));
    let handed_over = scene.handed_over();
    assert_eq!(handed_over.len(), 1);
    let body: Value = serde_json::from_str(handed_over[0]["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({"v": 1, "attempt_id": "07".repeat(16)}));
    assert_eq!(handed_over[0]["DelaySeconds"], 5);
}

#[tokio::test]
async fn a_record_fails_only_where_the_hand_over_fails() {
    let others = item(json!({"attempt_id": "08".repeat(16)}));
    let world = World { bot: 503, items: vec![others.clone(), item(json!({}))], ..World::with(Value::Null) };
    let scene = Scene::new(world).await;
    scene.server.on("SendMessage", |request| {
        let is_one = request.json()["MessageBody"].as_str().unwrap().contains("0707");
        if is_one { fakes::aws::error("AccessDeniedException") } else { json!({"MessageId": "m"}).into() }
    });
    assert_eq!(scene.failures(&scene.stream).await, json!([{"itemIdentifier": "101"}]));
}

#[tokio::test]
async fn a_bot_that_hangs_holds_the_stream_for_seconds_at_most() {
    let scene = Scene::new(World::with(item(json!({})))).await;
    scene.server.on(BOT, |_| Answer::Never);
    assert!(!scene.succeeds().await);
    assert_eq!(scene.messages().len(), 1);
    assert_eq!(scene.marks(), ["SET message_id messaged_at REMOVE message_intent", "SET bot_last_error"]);
}

fn pointer(attempt: &str) -> String {
    json!({"v": 1, "attempt_id": attempt.repeat(16)}).to_string()
}

#[tokio::test]
async fn a_pointer_tells_only_what_is_missing() {
    let scene = Scene::new(World::with(item(json!({"messaged_at": NOW})))).await;
    assert_eq!(scene.returned(&[&pointer("07")], 5).await, json!([]));
    assert!(scene.messages().is_empty());
    assert_eq!(scene.events().len(), 1);
    assert_eq!(scene.marks(), ["SET bot_told_at notified_at"]);
    assert!(scene.aws_calls("ChangeMessageVisibility").is_empty());
}

#[tokio::test]
async fn a_pointer_tells_of_the_attempts_latest_outcome() {
    let later = item(json!({"updated_at": NOW}));
    let scene = Scene::new(World::with(later)).await;
    assert_eq!(scene.returned(&[&pointer("07")], 5).await, back(), "to ask what became of the message");
    assert_eq!(scene.events()[0]["id"], format!("evt_{}_connected_{NOW}", "07".repeat(16)));
}

#[tokio::test]
async fn a_pointer_with_nothing_to_tell_is_done() {
    for now in [item(json!({"notified_at": NOW})), item(json!({"status": "exchanging"})), Value::Null] {
        let scene = Scene::new(World::with(now)).await;
        assert_eq!(scene.returned(&[&pointer("07")], 5).await, json!([]));
        assert!(scene.messages().is_empty());
        assert!(scene.events().is_empty());
    }
}

#[tokio::test]
async fn while_a_login_waits_for_its_code_nobody_is_told_or_asked() {
    let waiting = json!({"status": "unconfirmed", "message_id": "SM1", "messaged_at": NOW - 20_000});
    let scene = Scene::new(World::with(item(waiting))).await;
    assert!(scene.succeeds().await);
    assert_eq!(scene.returned(&[&pointer("07")], 20).await, json!([]));
    assert!(scene.server.requests("/Messages").is_empty());
    assert!(scene.events().is_empty());
    assert!(scene.marks().is_empty());
}

#[tokio::test]
async fn a_bot_that_passes_messages_on_is_one_that_disconnects() {
    let scene =
        Scene::configured(World::with(item(json!({}))), |name| (name == "CHAT_PROOF").then_some("Required")).await;
    assert!(scene.succeeds().await);
    assert_eq!(scene.messages(), [format!("{CONNECTED} Not you? Reply *disconnect*.")]);
}

#[tokio::test]
async fn a_login_that_its_chat_did_not_confirm_is_told_with_a_new_link() {
    let unconfirmed = json!({"status": "failed", "reason": "unconfirmed"});
    let scene = Scene::new(World::with(item(unconfirmed))).await;
    assert!(scene.succeeds().await);
    let event = &scene.events()[0];
    assert_eq!(event["type"], "connection.unconfirmed");
    assert!(scene.messages()[0].ends_with(event["data"]["relink_url"].as_str().unwrap()));
}

#[tokio::test]
async fn a_code_from_another_chat_is_told_to_the_links_own_without_a_link() {
    let wrong_chat = json!({"status": "failed", "reason": "wrong_chat"});
    let scene = Scene::with_random(World::with(item(wrong_chat)), |_| None, no_link).await;
    assert!(scene.succeeds().await);
    let (event, message) = (&scene.events()[0], &scene.messages()[0]);
    assert_eq!(event["type"], "connection.failed");
    assert_eq!(event["data"].get("relink_url"), None);
    assert!(!message.contains("http"), "{message}");
}

#[tokio::test]
async fn a_pointer_that_is_not_told_comes_back_by_its_age_and_not_by_its_receives() {
    for (age, pause) in [(5, 5), (60, 45), (2 * 3_600, 45), (4 * 3_600, 300), (12 * 3_600, 900), (30 * 3_600, 60)] {
        let scene = Scene::new(World { bot: 503, ..World::with(item(json!({"messaged_at": NOW}))) }).await;
        assert_eq!(scene.returned(&[&pointer("07")], age).await, json!([{"itemIdentifier": "m0"}]));
        let changed = scene.aws_calls("ChangeMessageVisibility");
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0]["VisibilityTimeout"], pause, "{age}");
        assert_eq!(changed[0]["ReceiptHandle"], "r0");
        assert!(scene.handed_over().is_empty(), "there is one message for an attempt");
    }
}

#[tokio::test]
async fn of_a_batch_only_the_messages_that_failed_come_back() {
    let told = item(json!({"attempt_id": "08".repeat(16), "messaged_at": NOW, "bot_told_at": NOW}));
    let scene = Scene::new(World { bot: 503, items: vec![told, item(json!({}))], ..World::with(Value::Null) }).await;
    let bodies = [&*pointer("08"), "not a pointer", &pointer("07")];
    assert_eq!(scene.returned(&bodies, 5).await, json!([{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]));
    assert_eq!(scene.messages().len(), 1);
}

#[tokio::test]
async fn a_message_that_cannot_be_named_fails_its_batch() {
    let scene = Scene::new(World::with(item(json!({})))).await;
    let event = json!({"Records": [{"messageId": "", "receiptHandle": "r", "body": pointer("07")}]});
    scene.notifier.handle(serde_json::from_value(event).unwrap()).await.unwrap_err();
    assert!(scene.messages().is_empty());
}

#[tokio::test]
async fn a_foreign_item_is_set_aside_and_nobody_waits_behind_it() {
    let scene = Scene::new(World::with(item(json!({})))).await;
    let foreign = json!({"attempt_id": "0a".repeat(16), "status": "connected", "wa_id": 7});
    let items = [json!({"wa_id": "?"}), foreign, item(json!({})), json!({"status": "lost"})];
    assert_eq!(scene.failures(&items).await, json!([]));
    assert_eq!(scene.messages().len(), 1);
    let kept: Vec<_> = scene.handed_over().iter().map(|sent| sent["MessageBody"].clone()).collect();
    assert_eq!(kept.len(), 1, "a later version may be able to read it");
    assert!(kept[0].as_str().unwrap().contains("0a0a"));
}

#[tokio::test]
async fn a_panic_hands_its_own_record_over_alone() {
    let fails = item(json!({"status": "failed", "reason": "denied"}));
    let connects = item(json!({"attempt_id": "08".repeat(16)}));
    let world = World { items: vec![connects, fails], ..World::with(Value::Null) };
    let scene = Scene::with_random(world, |_| None, no_link).await;
    assert_eq!(scene.failures(&scene.stream).await, json!([]));
    assert_eq!(scene.handed_over().len(), 1);
    assert_eq!(scene.messages(), [CONNECTED]);
}

#[tokio::test]
async fn a_record_that_fails_holds_back_the_later_ones_of_its_attempt() {
    let scene = Scene::new(World { bot: 503, ..World::with(item(json!({}))) }).await;
    scene.server.on("SendMessage", |_| fakes::aws::error("AccessDeniedException"));
    let twice = [item(json!({})), item(json!({}))];
    assert_eq!(scene.failures(&twice).await, json!([{"itemIdentifier": "100"}]));
    assert_eq!(scene.messages().len(), 1);
}

#[test]
fn a_batch_ends_before_the_functions_timeout() {
    let timeout = fakes::template::timeout("NotifierFunction");
    assert!(notifier::BATCH_TIME < timeout);
    assert!(shared::attempt::intent::LEASE > timeout, "whoever sends a message has ended by then");
}
