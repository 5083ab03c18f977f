//! What the function is run against, and how a message is handed to it.

use std::collections::HashMap;

use fakes::{
    Answer, Server,
    aws::{self, setting},
    salesforce::{TOKEN, USERINFO},
};
use serde_json::{Value, json};
use shared::{AttemptId, Settings, Timestamp, pkce::PkceCodeVerifier};
use token_exchanger::{Config, TokenExchanger};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
pub(crate) const DEADLINE: Timestamp = Timestamp::from_millis(1_790_000_030_000);
pub(crate) const RECEIVED_AT: u64 = 1_789_999_995_000;
pub(crate) const CHAT: &str = "whatsapp:+15551234567";
pub(crate) const CODE: &str = "aPrxCODE==";
pub(crate) const CLIENT_SECRET: &str = "5A4D0B0C";
pub(crate) const ATTEMPT: &str = "00000000000000000000000000000007";
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
        for operation in ["ChangeMessageVisibility", "GetItem", "SendMessage", "TransactWriteItems", "UpdateItem"] {
            server.on(operation, |_| json!({}).into());
        }
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

    pub(crate) fn refuse_next_update(&self, item: &Value) {
        let body =
            json!({ "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "Item": item });
        self.0.next("UpdateItem", Answer::json(400, &body));
    }

    /// The tables take no write for a while.
    pub(crate) fn refuse_transactions(&self, times: usize) {
        for _ in 0..times {
            self.0.next("TransactWriteItems", aws::error("ResourceNotFoundException"));
        }
    }

    pub(crate) fn cancel_next_transaction(&self, codes: [&str; 2]) {
        let reasons = codes.map(|code| json!({ "Code": code }));
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
        sets(self.calls("UpdateItem").last().unwrap())
    }

    pub(crate) fn visibility_timeouts(&self) -> Vec<u64> {
        self.calls("ChangeMessageVisibility").iter().map(|call| call["VisibilityTimeout"].as_u64().unwrap()).collect()
    }

    pub(crate) fn function(&self) -> TokenExchanger {
        self.function_at(|| NOW)
    }

    pub(crate) fn function_at(&self, clock: fn() -> Timestamp) -> TokenExchanger {
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

    pub(crate) fn message(&self) -> Value {
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
