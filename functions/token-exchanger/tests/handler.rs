//! The whole function, with Salesforce and AWS behind real HTTP. What DynamoDB makes of the
//! conditions is for the tests of the deployed stack; here it answers as a test wants it.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy takes for other code")]

use std::{cell::Cell, collections::HashMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fakes::{
    Answer, Server,
    aws::{self, DATA_KEY, setting},
    logs::Logs,
    salesforce::{TOKEN, USERINFO},
};
use serde_json::{Value, json};
use shared::{AttemptId, Settings, Timestamp, pkce::PkceCodeVerifier};
use token_exchanger::{Config, NamelessMessage, TokenExchanger};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const DEADLINE: Timestamp = Timestamp::from_millis(1_790_000_030_000);
const RECEIVED_AT: u64 = 1_789_999_995_000;
const CHAT: &str = "whatsapp:+15551234567";
const CODE: &str = "aPrxCODE==";
const CLIENT_SECRET: &str = "5A4D0B0C";
const ATTEMPT: &str = "00000000000000000000000000000007";
const CALLBACK: &str = "https://abc.execute-api.us-east-1.amazonaws.com/callback";

/// Salesforce and AWS on one server.
struct World(Server);

impl World {
    async fn start() -> Self {
        let server = Server::start()
            .await
            .with_kms()
            .with_secrets(&[("sf_client_secret", &format!("{CLIENT_SECRET}\n"))])
            .with_salesforce(CLIENT_SECRET);
        for operation in ["ChangeMessageVisibility", "GetItem", "SendMessage", "TransactWriteItems", "UpdateItem"] {
            server.on(operation, |_| json!({}).into());
        }
        Self(server)
    }

    /// What the token endpoint answers, before the usual.
    fn trades(&self, answers: impl IntoIterator<Item = Answer>) {
        answers.into_iter().for_each(|answer| self.0.next(TOKEN, answer));
    }

    /// What `/userinfo` answers, before the usual.
    fn names(&self, answers: impl IntoIterator<Item = Answer>) {
        answers.into_iter().for_each(|answer| self.0.next(USERINFO, answer));
    }

    fn refuse_next_update(&self, item: &Value) {
        let body =
            json!({ "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "Item": item });
        self.0.next("UpdateItem", Answer::json(400, &body));
    }

    /// The tables take no write for a while.
    fn refuse_transactions(&self, times: usize) {
        for _ in 0..times {
            self.0.next("TransactWriteItems", aws::error("ResourceNotFoundException"));
        }
    }

    fn cancel_next_transaction(&self, codes: [&str; 2]) {
        let reasons = codes.map(|code| json!({ "Code": code }));
        let name = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
        let body = json!({ "__type": name, "CancellationReasons": reasons });
        self.0.next("TransactWriteItems", Answer::json(400, &body));
    }

    fn calls(&self, operation: &str) -> Vec<Value> {
        self.0.requests(operation).iter().map(fakes::Request::json).collect()
    }

    /// The forms that the token endpoint got.
    fn token_forms(&self) -> Vec<HashMap<String, String>> {
        self.0.requests(TOKEN).iter().map(|request| request.form().into_iter().collect()).collect()
    }

    /// The tokens that `/userinfo` was shown.
    fn bearers(&self) -> Vec<String> {
        self.0.requests(USERINFO).iter().map(|request| request.header("authorization").to_owned()).collect()
    }

    fn tries(&self) -> usize {
        self.0.requests(TOKEN).len()
    }

    /// What the last write to the attempt set.
    fn last_update(&self) -> HashMap<String, Value> {
        sets(self.calls("UpdateItem").last().unwrap())
    }

    fn hidden_for(&self) -> Vec<u64> {
        self.calls("ChangeMessageVisibility").iter().map(|call| call["VisibilityTimeout"].as_u64().unwrap()).collect()
    }

    fn function(&self) -> TokenExchanger {
        self.function_at(|| NOW)
    }

    fn function_at(&self, clock: fn() -> Timestamp) -> TokenExchanger {
        let settings = Settings::new(|name| {
            Some(match name {
                "LOGIN_URLS" => self.0.url().to_owned(),
                "DYNAMODB_PROFILE_TABLE_NAME" => "salesforce_tokens".to_owned(),
                "ATTEMPT_TABLE_NAME" => "connection_attempts".to_owned(),
                "EXCHANGE_QUEUE_URL" => format!("{}/queue", self.0.url()),
                "MAX_TRIES" => "10".to_owned(),
                "STACK_NAME" => "connect".to_owned(),
                "PKCE_KEY_ID" => "pkce".to_owned(),
                "CHECKPOINT_KEY_ID" => "checkpoint".to_owned(),
                "SF_CLIENT_ID" => "3MVG9.client".to_owned(),
                "SF_CLIENT_SECRET_SECRET_NAME" => "sf_client_secret".to_owned(),
                "SF_REDIRECT_URI" => CALLBACK.to_owned(),
                _ => return setting(name, &self.0),
            })
        });
        TokenExchanger::new(Config::read(&settings).unwrap(), &shared::aws::config(&settings).unwrap(), clock).unwrap()
    }

    fn message(&self) -> Value {
        json!({
            "v": 1,
            "attempt_id": ATTEMPT,
            "wa_id": CHAT,
            "received_at": RECEIVED_AT,
            "login_url": self.0.url(),
            "code": CODE,
            "pkce": true,
        })
    }
}

/// The values that a write sets, by attribute.
fn sets(write: &Value) -> HashMap<String, Value> {
    let values = write["ExpressionAttributeValues"].as_object().unwrap();
    values.iter().map(|(name, value)| (name.trim_start_matches(':').to_owned(), value.clone())).collect()
}

fn record(id: &str, body: &Value, receives: u32) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": format!("receipt of {id}"),
        "body": body.to_string(),
        "attributes": { "ApproximateReceiveCount": receives.to_string() },
    })
}

/// The messages that failed.
async fn handle(function: &TokenExchanger, records: &[Value]) -> Vec<String> {
    let batch = serde_json::from_value(json!({ "Records": records })).unwrap();
    let response = function.handle(batch, DEADLINE).await.unwrap();
    response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

/// Does the one message of the batch end here?
async fn ends(world: &World, message: &Value) -> bool {
    handle(&world.function(), &[record("one", message, 1)]).await.is_empty()
}

/// The PKCE verifier of an attempt, as KMS makes it.
fn verifier(attempt_id: &str) -> PkceCodeVerifier {
    let attempt_id: AttemptId = attempt_id.parse().unwrap();
    PkceCodeVerifier::from_bytes(&aws::mac(&PkceCodeVerifier::mac_input(attempt_id)))
}

fn number(value: u64) -> Value {
    json!({ "N": value.to_string() })
}

fn text(value: &str) -> Value {
    json!({ "S": value })
}

#[tokio::test]
async fn a_consent_ends_connected() {
    let world = World::start().await;
    assert!(ends(&world, &world.message()).await);

    let form = world.token_forms().remove(0);
    let verifier = verifier(ATTEMPT);
    let expected = [
        ("grant_type", "authorization_code"),
        ("code", CODE),
        ("client_id", "3MVG9.client"),
        ("client_secret", CLIENT_SECRET),
        ("redirect_uri", CALLBACK),
        ("code_verifier", verifier.secret()),
        ("format", "json"),
    ];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(world.bearers(), ["Bearer 00Dxx!ACCESS"]);

    let claim = world.last_update();
    assert_eq!(claim["status"], text("exchanging"));
    assert_eq!(claim["lease_until"], number(NOW.millis() + 60_000));
    assert_eq!(claim["expires_at"], number(NOW.seconds() + 90 * 24 * 3600));

    let transaction = world.calls("TransactWriteItems").remove(0);
    let [tokens, attempt] = [0, 1].map(|index| transaction["TransactItems"][index]["Update"].clone());
    assert_eq!(tokens["TableName"], "salesforce_tokens");
    assert_eq!(tokens["Key"], json!({ "wa_id": text(CHAT) }));
    let tokens = sets(&tokens);
    assert_eq!(tokens["access_token"], text("00Dxx!ACCESS"));
    assert_eq!(tokens["refresh_token"], text("5AepREFRESH"));
    assert_eq!(tokens["instance_url"], text(world.0.url()));
    assert_eq!(tokens["issued_at"], number(1_790_000_000_123));
    assert_eq!(tokens["username"], text("ada@acme.example"));
    assert_eq!(attempt["TableName"], "connection_attempts");
    assert_eq!(attempt["Key"], json!({ "attempt_id": text(ATTEMPT) }));
    assert!(!attempt.to_string().contains("ACCESS") && !attempt.to_string().contains("REFRESH"), "{attempt}");
    let attempt = sets(&attempt);
    assert_eq!(attempt["status"], text("connected"));
    assert_eq!(attempt["org_id"], text("00Dxx0000001gPLEAY"));
    assert_eq!(attempt["renewed"], json!({ "BOOL": false }));
}

#[tokio::test]
async fn a_consent_without_a_challenge_sends_no_verifier() {
    let world = World::start().await;
    let mut message = world.message();
    message["pkce"] = false.into();
    assert!(ends(&world, &message).await);
    assert!(!world.token_forms()[0].contains_key("code_verifier"));
    assert!(world.calls("GenerateMac").is_empty());
}

#[tokio::test]
async fn a_connection_in_place_of_another_is_renewed() {
    let world = World::start().await;
    // A bot may keep an item of its own for a chat that was never connected.
    for (item, renewed) in [(json!({ "issued_at": number(1) }), true), (json!({}), false)] {
        world.0.next("GetItem", json!({ "Item": item }));
        assert!(ends(&world, &world.message()).await);
        let transaction = world.calls("TransactWriteItems").pop().unwrap();
        assert_eq!(sets(&transaction["TransactItems"][1]["Update"])["renewed"], json!({ "BOOL": renewed }));
    }
}

#[tokio::test]
async fn a_denial_is_an_outcome() {
    let world = World::start().await;
    let mut message = world.message();
    let fields = message.as_object_mut().unwrap();
    fields.retain(|name, _| name != "code" && name != "pkce");
    fields.insert("denied".to_owned(), "access_denied".into());
    assert!(ends(&world, &message).await);
    let outcome = world.last_update();
    assert_eq!((&outcome["reason"], &outcome["salesforce_error"]), (&text("denied"), &text("access_denied")));
    assert_eq!(world.tries(), 0);

    world.refuse_next_update(&json!({ "status": text("connected") }));
    assert!(ends(&world, &message).await);
}

#[tokio::test]
async fn an_unreadable_message_fails_alone_and_is_soon_gone() {
    let world = World::start().await;
    let batch = [record("bad", &json!({ "v": 1, "code": CODE }), 1), record("good", &world.message(), 1)];
    assert_eq!(handle(&world.function(), &batch).await, ["bad"]);
    assert_eq!(world.hidden_for(), [1]);
    assert_eq!(world.calls("TransactWriteItems").len(), 1);
}

#[tokio::test]
async fn a_message_without_an_id_brings_the_batch_back_untouched() {
    let world = World::start().await;
    for id in [json!(""), Value::Null] {
        let mut record = record("one", &world.message(), 1);
        record["messageId"] = id;
        let batch = serde_json::from_value(json!({ "Records": [record] })).unwrap();
        assert_eq!(world.function().handle(batch, DEADLINE).await.unwrap_err(), NamelessMessage);
    }
    assert_eq!(world.tries(), 0);
}

thread_local! {
    static READS_UNTIL_PANIC: Cell<Option<u32>> = const { Cell::new(None) };
}

/// A clock that breaks once.
fn breaking_clock() -> Timestamp {
    match READS_UNTIL_PANIC.get() {
        Some(0) => {
            READS_UNTIL_PANIC.set(None);
            panic!("the clock broke");
        }
        reads => READS_UNTIL_PANIC.set(reads.map(|reads| reads - 1)),
    }
    NOW
}

#[tokio::test]
async fn a_panic_fails_its_own_message_alone() {
    let world = World::start().await;
    let mut other = world.message();
    other["attempt_id"] = "00000000000000000000000000000008".into();
    // Read once by the batch, and then by the first message.
    READS_UNTIL_PANIC.set(Some(1));
    let batch = [record("first", &world.message(), 1), record("second", &other, 1)];
    assert_eq!(handle(&world.function_at(breaking_clock), &batch).await, ["first"]);
    assert_eq!(world.calls("TransactWriteItems").len(), 1);
}

#[tokio::test]
async fn a_dead_code_is_not_sent() {
    let world = World::start().await;
    let mut message = world.message();
    message["received_at"] = (NOW.millis() - 14 * 60 * 1000).into();
    assert!(ends(&world, &message).await);
    assert_eq!(world.last_update()["reason"], text("code_expired"));
    assert_eq!(world.tries(), 0);
}

#[tokio::test]
async fn a_dead_code_that_may_have_been_used_is_nobodys_fault() {
    let world = World::start().await;
    let mut message = world.message();
    message["received_at"] = (NOW.millis() - 14 * 60 * 1000).into();
    let code_sha256 = "q8ORMjtiigeNmXWryCC2nkyahqYiZYPg1fuDJtmNpHk";
    let killed = json!({ "status": text("exchanging"), "lease_until": number(1), "code_sha256": text(code_sha256) });
    world.0.next("GetItem", json!({ "Item": killed }));
    assert!(ends(&world, &message).await);
    assert_eq!(world.calls("UpdateItem").len(), 1, "no claim, which would hide an outcome");
    assert_eq!((world.last_update()["reason"].clone(), world.tries()), (text("unknown"), 0));
}

#[tokio::test]
async fn a_login_host_that_is_not_allowed_gets_no_code() {
    let world = World::start().await;
    let mut message = world.message();
    message["login_url"] = "https://evil.my.salesforce.com".into();
    assert!(!ends(&world, &message).await);
    assert_eq!((world.tries(), world.hidden_for()), (0, vec![2]));
}

#[tokio::test]
async fn a_redelivered_message_exchanges_once() {
    let world = World::start().await;
    for status in ["connected", "failed"] {
        world.refuse_next_update(&json!({ "status": text(status) }));
        assert!(ends(&world, &world.message()).await);
    }
    assert_eq!(world.tries(), 0);
}

#[tokio::test]
async fn what_an_exchange_needs_is_asked_for_beside_the_claim_and_not_after_it() {
    let world = World::start().await;
    world.refuse_next_update(&json!({ "status": text("connected") }));
    assert!(ends(&world, &world.message()).await);
    let asked = ["UpdateItem", "GenerateMac", "BatchGetSecretValue"].map(|operation| world.calls(operation).len());
    assert_eq!((asked, world.tries()), ([1, 1, 1], 0));
}

#[tokio::test]
async fn an_attempt_is_given_back_though_the_time_was_over_beside_the_claim() {
    let world = World::start().await;
    world.0.on("BatchGetSecretValue", |_| Answer::Never);
    let batch = serde_json::from_value(json!({ "Records": [record("one", &world.message(), 1)] })).unwrap();
    let deadline = NOW.plus(Duration::from_secs(3));
    let response = world.function().handle(batch, deadline).await.unwrap();
    assert_eq!((response.batch_item_failures.len(), world.hidden_for()), (1, vec![2]));
    assert_eq!((world.last_update()["lease_until"].clone(), world.tries()), (number(0), 0));
}

#[tokio::test]
async fn a_message_waits_while_another_holds_the_attempt() {
    let world = World::start().await;
    let lease = number(NOW.millis() + 40_000);
    world.refuse_next_update(&json!({ "status": text("exchanging"), "lease_until": lease }));
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 6)]).await, ["one"]);
    assert_eq!((world.tries(), world.hidden_for()), (0, vec![41]));
    assert_eq!(world.calls("UpdateItem").len(), 1);
}

const EXPIRED: &str = r#"{"error":"invalid_grant","error_description":"expired authorization code"}"#;
const WRONG_CLIENT: &str = r#"{"error":"invalid_client","error_description":"invalid client credentials"}"#;

#[tokio::test]
async fn a_final_refusal_is_an_outcome() {
    let world = World::start().await;
    for (body, reason) in [
        (EXPIRED, "code_expired"),
        (r#"{"error":"inactive_user"}"#, "user_inactive"),
        (r#"{"error":"inactive_org"}"#, "org_inactive"),
        (r#"{"error":"rate_limit_exceeded"}"#, "login_rate"),
    ] {
        world.trades([Answer::new(400, body)]);
        assert!(ends(&world, &world.message()).await);
        let outcome = world.last_update();
        assert_eq!((&outcome["status"], &outcome["reason"]), (&text("failed"), &text(reason)));
        assert!(body.contains(outcome["salesforce_error"]["S"].as_str().unwrap()));
    }
    assert_eq!(world.tries(), 4);
    assert!(world.calls("TransactWriteItems").is_empty());
}

#[tokio::test]
async fn an_outage_is_outlived_within_the_invocation() {
    let world = World::start().await;
    world.trades([Answer::new(503, ""), Answer::new(200, "<html>We are down for maintenance</html>")]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.tries(), 3);
    assert_eq!(world.calls("GenerateMac").len(), 1);
}

#[tokio::test]
async fn an_outage_longer_than_an_invocation_is_left_to_the_queue() {
    let world = World::start().await;
    world.trades([Answer::retry_after("60")]);
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 3)]).await, ["one"]);
    assert_eq!(world.hidden_for(), [60]);
    assert_eq!(world.last_update()["lease_until"], number(0));
}

#[tokio::test]
async fn a_message_comes_back_when_its_code_dies_at_the_latest() {
    let world = World::start().await;
    let mut message = world.message();
    message["received_at"] = (NOW.millis() - 14 * 60 * 1000 + 9_000).into();
    world.trades([Answer::retry_after("60")]);
    assert!(!ends(&world, &message).await);
    assert_eq!(world.hidden_for(), [10]);
}

#[tokio::test]
async fn a_rotated_secret_is_fetched_again() {
    let world = World::start().await;
    world.trades([Answer::new(400, WRONG_CLIENT)]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!((world.tries(), world.calls("BatchGetSecretValue").len()), (2, 2));
}

thread_local! {
    static MINUTES_AGO: Cell<u64> = const { Cell::new(0) };
}

#[tokio::test]
async fn old_secrets_serve_on_and_only_one_message_waits_for_newer_ones() {
    let world = World::start().await;
    let function = world.function_at(|| NOW.minus(Duration::from_mins(MINUTES_AGO.get())));
    MINUTES_AGO.set(5);
    function.warm_up().await;
    MINUTES_AGO.set(0);
    world.0.next("BatchGetSecretValue", aws::error("AccessDeniedException"));
    let batch = ["one", "two", "three"].map(|id| record(id, &world.message(), 1));
    assert!(handle(&function, &batch).await.is_empty());
    assert_eq!((world.tries(), world.calls("BatchGetSecretValue").len()), (3, 2));
}

#[tokio::test]
async fn what_an_operator_has_to_mend_is_tried_twice_and_goes_back() {
    let world = World::start().await;
    world.trades([Answer::new(400, WRONG_CLIENT), Answer::new(400, WRONG_CLIENT)]);
    assert!(!ends(&world, &world.message()).await);
    assert_eq!((world.tries(), world.hidden_for()), (2, vec![2]));
    assert_eq!(world.last_update()["lease_until"], number(0));
}

#[tokio::test]
async fn what_was_tried_often_enough_is_only_told_of() {
    let world = World::start().await;
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 11)]).await, ["one"]);
    assert_eq!((world.tries(), world.hidden_for()), (0, vec![1]));
    let outcome = world.last_update();
    assert_eq!((&outcome["status"], &outcome["reason"]), (&text("delayed"), &text("misconfigured")));
    // Whoever has been told is not told again, and an attempt with an outcome is done.
    world.refuse_next_update(&json!({ "status": text("delayed") }));
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 11)]).await, ["one"]);
    world.refuse_next_update(&json!({ "status": text("connected") }));
    assert!(handle(&world.function(), &[record("one", &world.message(), 11)]).await.is_empty());
    // A dead code is an outcome, whenever it comes.
    let mut dead = world.message();
    dead["received_at"] = (NOW.millis() - 14 * 60 * 1000).into();
    assert!(handle(&world.function(), &[record("one", &dead, 11)]).await.is_empty());
}

#[tokio::test]
async fn on_the_last_try_the_person_hears_of_the_delay() {
    let world = World::start().await;
    world.trades([Answer::new(400, WRONG_CLIENT), Answer::new(400, WRONG_CLIENT)]);
    assert_eq!(handle(&world.function(), &[record("one", &world.message(), 10)]).await, ["one"]);
    let outcome = world.last_update();
    assert_eq!((&outcome["status"], &outcome["reason"]), (&text("delayed"), &text("misconfigured")));
    assert_eq!(world.hidden_for(), [1]);
}

#[tokio::test]
async fn after_a_lost_answer_a_used_code_is_nobodys_fault() {
    let world = World::start().await;
    world.trades([Answer::Lost, Answer::new(400, EXPIRED)]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.last_update()["reason"], text("unknown"));
}

#[tokio::test]
async fn a_lost_answer_is_remembered_over_the_next_receive() {
    let world = World::start().await;
    world.trades([Answer::Lost, Answer::Lost]);
    assert!(!ends(&world, &world.message()).await);
    assert_eq!(world.tries(), 2);
    assert_eq!(world.last_update()["lease_until"], number(NOW.millis()));

    let claimed = world.calls("UpdateItem").remove(0);
    let code_sha256 = sets(&claimed)["code_sha256"].clone();
    let before = json!({ "status": text("exchanging"), "lease_until": number(1), "code_sha256": code_sha256 });
    world.0.next("UpdateItem", json!({ "Attributes": before }));
    world.trades([Answer::new(400, EXPIRED)]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.last_update()["reason"], text("unknown"));
}

#[tokio::test]
async fn tokens_signed_by_another_are_not_stored() {
    let world = World::start().await;
    world.trades([world.0.tokens("another secret")]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.last_update()["reason"], text("misconfigured"));
    assert!(world.bearers().is_empty() && world.calls("TransactWriteItems").is_empty());
}

#[tokio::test]
async fn tokens_that_open_nothing_are_not_stored() {
    let world = World::start().await;
    world.names([Answer::new(403, "Bad_OAuth_Token")]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.last_update()["reason"], text("app_blocked"));
    assert!(world.calls("TransactWriteItems").is_empty());
}

#[tokio::test]
async fn a_consent_is_worth_more_than_a_name() {
    let world = World::start().await;
    world.names([Answer::new(502, ""), Answer::retry_after("60")]);
    assert!(ends(&world, &world.message()).await);
    let transaction = world.calls("TransactWriteItems").remove(0);
    let attempt = &transaction["TransactItems"][1]["Update"];
    assert_eq!(sets(attempt)["status"], text("connected"));
    assert!(!sets(attempt).contains_key("username"));
}

#[tokio::test]
async fn newer_tokens_stay_and_the_attempt_ends_connected() {
    let world = World::start().await;
    world.cancel_next_transaction(["ConditionalCheckFailed", "None"]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.last_update()["status"], text("connected"));
}

#[tokio::test]
async fn a_connected_attempt_is_not_connected_again() {
    let world = World::start().await;
    world.cancel_next_transaction(["None", "ConditionalCheckFailed"]);
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.calls("UpdateItem").len(), 1);
}

#[tokio::test]
async fn a_transaction_in_conflict_is_repeated_as_it_was() {
    let world = World::start().await;
    world.cancel_next_transaction(["TransactionConflict", "None"]);
    world.0.next("GetItem", aws::error("ResourceNotFoundException"));
    assert!(ends(&world, &world.message()).await);
    let calls = world.calls("TransactWriteItems");
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0]["TransactItems"], calls[1]["TransactItems"]);
    assert_eq!(world.tries(), 1);
}

#[tokio::test]
async fn tokens_that_cannot_be_stored_go_back_sealed_and_are_stored_from_there() {
    let world = World::start().await;
    world.refuse_transactions(20);
    assert!(ends(&world, &world.message()).await);
    assert_eq!((world.tries(), world.calls("TransactWriteItems").len() > 2), (1, true));

    let context = json!({ "purpose": "checkpoint", "attempt_id": ATTEMPT });
    let key = world.calls("GenerateDataKey").remove(0);
    assert_eq!((&key["KeyId"], &key["EncryptionContext"]), (&json!("checkpoint"), &context));
    let sent = world.calls("SendMessage").remove(0);
    let body = sent["MessageBody"].as_str().unwrap();
    for secret in ["ACCESS", "REFRESH", CODE, &STANDARD.encode(DATA_KEY)] {
        assert!(!body.contains(secret), "{body}");
    }
    let message: Value = serde_json::from_str(body).unwrap();
    assert_eq!(message["received_at"], RECEIVED_AT);

    // Hours later, from the dead-letter queue: the code's age is of no account any more.
    world.0.forget_script();
    let function = world.function_at(|| Timestamp::from_millis(NOW.millis() + 5 * 60 * 60 * 1000));
    let batch = serde_json::from_value(json!({ "Records": [record("sealed", &message, 1)] })).unwrap();
    let deadline = Timestamp::from_millis(DEADLINE.millis() + 5 * 60 * 60 * 1000);
    assert!(function.handle(batch, deadline).await.unwrap().batch_item_failures.is_empty());
    assert_eq!(world.tries(), 1);
    let open = world.calls("Decrypt").remove(0);
    assert_eq!((&open["EncryptionContext"], &open["CiphertextBlob"]), (&context, &message["traded"]["key"]));
    let transaction = world.calls("TransactWriteItems").pop().unwrap();
    let [tokens, attempt] = [0, 1].map(|index| sets(&transaction["TransactItems"][index]["Update"]));
    assert_eq!(tokens["access_token"], text("00Dxx!ACCESS"));
    assert_eq!(tokens["refresh_token"], text("5AepREFRESH"));
    assert_eq!((&attempt["status"], &attempt["username"]), (&text("connected"), &text("ada@acme.example")));
}

#[tokio::test]
async fn sealed_tokens_come_back_until_they_are_stored_and_the_person_hears_of_the_last_time() {
    let world = World::start().await;
    let mut message = world.message();
    let fields = message.as_object_mut().unwrap();
    fields.retain(|name, _| name != "code" && name != "pkce");
    fields.insert("traded".to_owned(), json!({ "code_sha256": "ab", "key": "a2V5", "data": "ZGF0YQ==" }));

    world.0.on("Decrypt", |_| json!({ "Plaintext": STANDARD.encode(DATA_KEY) }).into());
    world.0.next("Decrypt", aws::error("AccessDeniedException"));
    assert_eq!(handle(&world.function(), &[record("one", &message, 4)]).await, ["one"]);
    assert_eq!((world.hidden_for(), world.calls("UpdateItem").len()), (vec![40], 0));
    // What does not open, never will.
    assert_eq!(handle(&world.function(), &[record("one", &message, 10)]).await, ["one"]);
    assert_eq!(world.hidden_for(), [40, 1]);
    assert_eq!(world.last_update()["status"], text("delayed"));
    // A failure that was written meanwhile is no reason to throw tokens away; a connection is.
    for (status, left) in [("failed", true), ("connected", false)] {
        world.refuse_next_update(&json!({ "status": text(status) }));
        assert_eq!(handle(&world.function(), &[record("one", &message, 11)]).await.is_empty(), !left, "{status}");
    }
    assert!(world.calls("TransactWriteItems").is_empty());
}

#[tokio::test]
async fn tokens_that_can_neither_be_stored_nor_put_back_leave_the_truth_behind() {
    let world = World::start().await;
    world.refuse_transactions(30);
    for _ in 0..30 {
        world.0.next("SendMessage", aws::error("AccessDenied"));
    }
    // Just time enough for an exchange.
    let batch = serde_json::from_value(json!({ "Records": [record("one", &world.message(), 1)] })).unwrap();
    let deadline = Timestamp::from_millis(NOW.millis() + 13_500);
    let response = world.function().handle(batch, deadline).await.unwrap();
    assert_eq!(response.batch_item_failures.len(), 1);
    assert_eq!(world.last_update()["lease_until"], number(NOW.millis()), "the code may be used up");
}

#[tokio::test]
async fn warming_up_needs_nothing_to_work() {
    let world = World::start().await;
    world.0.next("BatchGetSecretValue", aws::error("AccessDeniedException"));
    let function = world.function();
    function.warm_up().await;
    assert_eq!(world.0.operations(), ["BatchGetSecretValue"], "nothing else is asked for");
    assert!(handle(&function, &[record("one", &world.message(), 1)]).await.is_empty());
}

#[tokio::test]
async fn a_line_for_each_message_with_its_trace_and_nothing_secret_in_it() {
    const TRACE: &str = "1-5759e988-bd862e3fe1be46a994272793";
    let logs = Logs::capture();
    let world = World::start().await;
    world.trades([
        Answer::Lost,
        Answer::new(400, WRONG_CLIENT),
        world.0.tokens(CLIENT_SECRET),
        world.0.tokens("another"),
    ]);
    let function = world.function();
    let mut message = world.message();
    message["attempt_id"] = "00000000000000000000000000000109".into();
    let unreadable = json!({ "v": 1, "code": CODE, "wa_id": CHAT });
    for (id, message) in [("connects", &message), ("fails", &message), ("unreadable-109", &unreadable)] {
        let mut record = record(id, message, 1);
        record["attributes"]["AWSTraceHeader"] = format!("Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=0").into();
        handle(&function, &[record]).await;
    }
    let text = logs.text();
    let ours: Vec<_> = text.lines().filter(|line| line.contains("109\"")).collect();
    let [connected, failed, unreadable] = ours[..] else { panic!("{text}") };
    assert!(ours.iter().all(|line| line.contains(&format!(r#""trace_id":"{TRACE}""#))), "{text}");
    assert!(connected.contains(r#""result":"connected""#), "{connected}");
    assert!(failed.contains(r#""result":"failed","reason":"misconfigured""#), "{failed}");
    assert!(unreadable.contains(r#""result":"unreadable""#), "{unreadable}");
    let verifier = verifier("00000000000000000000000000000109");
    let of_function = || text.lines().filter(|line| line.contains(r#""target":"token_exchanger"#));
    for secret in ["CODE", "15551234567", "ACCESS", "REFRESH", CLIENT_SECRET, "ada@", verifier.secret(), "/services/"] {
        assert!(of_function().all(|line| !line.contains(secret)), "{secret}: {text}");
    }
}
