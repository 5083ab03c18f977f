//! What the function is run against, and how a message is handed to it.

use std::{cell::Cell, collections::HashMap, time::Duration};

use fakes::{
    Answer, Server,
    aws::{self, setting, state_key_pair, state_public_key},
    salesforce::{TOKEN, USERINFO},
};
use serde_json::{Value, json};
use shared::{
    AttemptId, Settings, Timestamp,
    pkce::PkceCodeVerifier,
    process::NoRandomness,
    state::{Claims, LinkOrigin, StateKey},
};
use token_exchanger::{Config, TokenExchanger};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
pub(crate) const DEADLINE: Timestamp = Timestamp::from_millis(1_790_000_030_000);
pub(crate) const RECEIVED_AT: u64 = 1_789_999_995_000;
pub(crate) const CHAT: &str = "whatsapp:+15551234567";
pub(crate) const CODE: &str = "aPrxCODE==";
/// Of the usual code.
pub(crate) const CODE_SHA256: &str = "q8ORMjtiigeNmXWryCC2nkyahqYiZYPg1fuDJtmNpHk";
pub(crate) const CLIENT_SECRET: &str = "5A4D0B0C";
pub(crate) const ATTEMPT: &str = "00000000000000000000000000000007";
pub(crate) const LINK: &str = "00000000000000000000000000000008";
pub(crate) const CALLBACK: &str = "https://abc.execute-api.us-east-1.amazonaws.com/callback";

/// Salesforce and AWS on one server.
pub(crate) struct World(pub(crate) Server);

impl World {
    pub(crate) async fn start() -> Self {
        let server = Server::start()
            .await
            .with_kms()
            .with_secrets(&[("sf_client_secret", &format!("{CLIENT_SECRET}\n"))])
            .with_salesforce(CLIENT_SECRET);
        server.on("GetSecretValue", |_| aws::error("ResourceNotFoundException"));
        for operation in ["ChangeMessageVisibility", "GetItem", "TransactWriteItems", "UpdateItem"] {
            server.on(operation, |_| json!({}).into());
        }
        server.on("SendMessage", |_| json!({ "MessageId": "m" }).into());
        Self(server)
    }

    /// What the token endpoint answers, before the usual.
    pub(crate) fn token_endpoint_answers(&self, answers: impl IntoIterator<Item = Answer>) {
        answers.into_iter().for_each(|answer| self.0.next(TOKEN, answer));
    }

    /// What `/userinfo` answers, before the usual.
    pub(crate) fn userinfo_answers(&self, answers: impl IntoIterator<Item = Answer>) {
        answers.into_iter().for_each(|answer| self.0.next(USERINFO, answer));
    }

    /// The attempt's item is as this says, and forbids the next write.
    pub(crate) fn refuse_next_update(&self, item: &Value) {
        let mut item = item.clone();
        item["attempt_id"] = text(ATTEMPT);
        let body =
            json!({ "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "Item": item });
        self.0.next("UpdateItem", Answer::json(400, &body));
    }

    /// The attempt's item before the claim that comes next: its code was tried so often and returned to the queue.
    pub(crate) fn tried_before(&self, tries: u64, more: &Value) {
        let mut item = json!({
            "attempt_id": text(ATTEMPT), "status": text("exchanging"), "lease_until": number(0),
            "code_sha256": text(CODE_SHA256), "tries": number(tries),
        });
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.0.next("GetItem", json!({ "Item": item }));
        self.0.next("UpdateItem", json!({ "Attributes": item }));
    }

    /// The tables take no write for a while.
    pub(crate) fn refuse_transactions(&self, times: usize) {
        for _ in 0..times {
            self.0.next("TransactWriteItems", aws::error("ResourceNotFoundException"));
        }
    }

    pub(crate) fn cancel_next_transaction<const N: usize>(&self, codes: [&str; N]) {
        let reasons: Vec<_> = codes.iter().map(|code| json!({ "Code": code })).collect();
        let name = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
        let body = json!({ "__type": name, "CancellationReasons": reasons });
        self.0.next("TransactWriteItems", Answer::json(400, &body));
    }

    pub(crate) fn calls(&self, operation: &str) -> Vec<Value> {
        self.0.requests(operation).iter().map(fakes::Request::json).collect()
    }

    /// The forms that the token endpoint got.
    pub(crate) fn token_forms(&self) -> Vec<HashMap<String, String>> {
        self.0.requests(TOKEN).iter().map(|request| request.form().into_iter().collect()).collect()
    }

    /// The tokens that `/userinfo` was shown.
    pub(crate) fn bearers(&self) -> Vec<String> {
        self.0.requests(USERINFO).iter().map(|request| request.header("authorization").to_owned()).collect()
    }

    pub(crate) fn tries(&self) -> usize {
        self.0.requests(TOKEN).len()
    }

    /// What the last write to the attempt set.
    pub(crate) fn last_update(&self) -> HashMap<String, Value> {
        let operations = ["UpdateItem", "TransactWriteItems"];
        let last = self.0.operations().into_iter().rfind(|operation| operations.contains(&operation.as_str())).unwrap();
        let call = self.calls(&last).pop().unwrap();
        if last == "UpdateItem" { sets(&call) } else { sets(&call["TransactItems"][1]["Update"]) }
    }

    /// What was put on the queue with this content.
    pub(crate) fn queued(&self, content: &str) -> Vec<Value> {
        self.bodies("queue").into_iter().filter(|body| body.get(content).is_some()).collect()
    }

    /// What was put on the upkeep queue, or was to be.
    pub(crate) fn upkeep(&self) -> Vec<Value> {
        self.bodies("upkeep")
    }

    fn bodies(&self, queue: &str) -> Vec<Value> {
        let url = format!("{}/{queue}", self.0.url());
        let calls = self.calls("SendMessage").into_iter().filter(|call| call["QueueUrl"] == *url);
        calls.map(|call| serde_json::from_str(call["MessageBody"].as_str().unwrap()).unwrap()).collect()
    }

    /// The transactions that store tokens.
    pub(crate) fn stores(&self) -> Vec<Value> {
        let calls = self.calls("TransactWriteItems").into_iter();
        calls.filter(|call| call["TransactItems"][0].get("Update").is_some()).collect()
    }

    /// The attempt is as this says, and takes no outcome.
    pub(crate) fn refuse_next_outcome(&self, item: &Value) {
        self.cancel_next_transaction(["None", "ConditionalCheckFailed"]);
        self.refuse_next_update(item);
    }

    pub(crate) fn visibility_timeouts(&self) -> Vec<u64> {
        self.calls("ChangeMessageVisibility").iter().map(|call| call["VisibilityTimeout"].as_u64().unwrap()).collect()
    }

    pub(crate) fn function(&self) -> TokenExchanger {
        self.function_at(|| NOW)
    }

    pub(crate) fn function_at(&self, clock: fn() -> Timestamp) -> TokenExchanger {
        self.function_of("Stack", clock)
    }

    /// The function with this custody of refresh tokens.
    pub(crate) fn function_of(&self, custody: &str, clock: fn() -> Timestamp) -> TokenExchanger {
        self.function_with(custody, "Off", clock)
    }

    /// The function where chats have to confirm logins.
    pub(crate) fn function_with_proof(&self, clock: fn() -> Timestamp) -> TokenExchanger {
        self.function_with("Stack", "Required", clock)
    }

    fn function_with(&self, custody: &str, chat_proof: &str, clock: fn() -> Timestamp) -> TokenExchanger {
        let settings = Settings::new(|name| {
            Some(match name {
                "CHAT_PROOF" => chat_proof.to_owned(),
                "PENDING_TABLE_NAME" => "pending".to_owned(),
                "TOKEN_CUSTODY" => custody.to_owned(),
                "TOKEN_KEY_ID" => "tokens".to_owned(),
                "UPKEEP_QUEUE_URL" => format!("{}/upkeep", self.0.url()),
                "LOGIN_URLS" => format!("{},https://test.salesforce.com", self.0.url()),
                "STATE_POLICY" => "AcceptPlain".to_owned(),
                "STATE_KEY_IDS" => "state".to_owned(),
                "DYNAMODB_PROFILE_TABLE_NAME" => "salesforce_tokens".to_owned(),
                "ATTEMPT_TABLE_NAME" => "connection_attempts".to_owned(),
                "EXCHANGE_QUEUE_URL" => format!("{}/queue", self.0.url()),
                "MAX_TRIES" | "PROOF_MINUTES" => "10".to_owned(),
                "STACK_NAME" => "connect".to_owned(),
                "PKCE_KEY_ID" => "pkce".to_owned(),
                "CHECKPOINT_KEY_ID" => "checkpoint".to_owned(),
                "SF_CLIENT_ID" => "3MVG9.client".to_owned(),
                "SF_CLIENT_SECRET_SECRET_NAME" => "sf_client_secret".to_owned(),
                "SF_REDIRECT_URI" => CALLBACK.to_owned(),
                _ => return setting(name, &self.0),
            })
        });
        TokenExchanger::new(Config::read(&settings).unwrap(), &shared::aws::config(&settings).unwrap(), clock, random)
    }

    pub(crate) fn message(&self) -> Value {
        message_of(self.claims())
    }

    /// What the state of the usual message claims.
    pub(crate) fn claims(&self) -> Claims {
        let issued_at = Timestamp::from_millis(NOW.millis() - 20 * 60 * 1000);
        Claims {
            attempt_id: ATTEMPT.parse().unwrap(),
            link: Some(LinkOrigin { link_id: LINK.parse().unwrap(), issued_at, has_reference: false, language: None }),
            wa_id: CHAT.parse().unwrap(),
            expires_at: NOW.plus(Duration::from_mins(5)),
            login_url: self.0.url().parse().unwrap(),
            binding: None,
        }
    }
}

/// A message with a code and a state that claims this.
pub(crate) fn message_of(claims: Claims) -> Value {
    json!({ "v": 2, "state": signed(claims), "received_at": RECEIVED_AT, "code": CODE })
}

/// The state that claims this.
pub(crate) fn signed(claims: Claims) -> String {
    let unsigned = claims.unsigned(StateKey::from_der(&state_public_key()).unwrap().id());
    let signature = state_key_pair().sign(&unsigned.message());
    unsigned.with_signature(signature.as_ref().try_into().unwrap())
}

/// The message with another content in place of the code.
pub(crate) fn holding(mut message: Value, name: &str, content: Value) -> Value {
    message.as_object_mut().unwrap().remove("code");
    message[name] = content;
    message
}

/// The values that a write sets, by attribute.
pub(crate) fn sets(write: &Value) -> HashMap<String, Value> {
    let values = write["ExpressionAttributeValues"].as_object().unwrap();
    values.iter().map(|(name, value)| (name.trim_start_matches(':').to_owned(), value.clone())).collect()
}

pub(crate) fn record(id: &str, body: &Value, receives: u32) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": format!("receipt of {id}"),
        "body": body.to_string(),
        "attributes": { "ApproximateReceiveCount": receives.to_string() },
    })
}

/// The messages that failed.
pub(crate) async fn handle(function: &TokenExchanger, records: &[Value]) -> Vec<String> {
    let batch = serde_json::from_value(json!({ "Records": records })).unwrap();
    let response = function.handle(batch, DEADLINE).await.unwrap();
    response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

/// Whether the one message of the batch is done.
pub(crate) async fn ends(world: &World, message: &Value) -> bool {
    handle(&world.function(), &[record("one", message, 1)]).await.is_empty()
}

/// The PKCE verifier of an attempt, as KMS makes it.
pub(crate) fn verifier(attempt_id: &str) -> PkceCodeVerifier {
    let attempt_id: AttemptId = attempt_id.parse().unwrap();
    PkceCodeVerifier::from_bytes(&aws::mac(&PkceCodeVerifier::mac_input(attempt_id)))
}

pub(crate) fn number(value: u64) -> Value {
    json!({ "N": value.to_string() })
}

pub(crate) fn text(value: &str) -> Value {
    json!({ "S": value })
}

pub(crate) const EXPIRED: &str = r#"{"error":"invalid_grant","error_description":"expired authorization code"}"#;
pub(crate) const WRONG_CLIENT: &str = r#"{"error":"invalid_client","error_description":"invalid client credentials"}"#;

#[expect(clippy::unnecessary_wraps, reason = "the system's source may fail")]
fn random(buffer: &mut [u8]) -> Result<(), NoRandomness> {
    thread_local!(static COUNT: Cell<u8> = const { Cell::new(0) });
    COUNT.set(COUNT.get().wrapping_add(1));
    buffer.fill(COUNT.get());
    Ok(())
}
