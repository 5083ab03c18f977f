//! What the function is run against, and how a message is handed to it.

use std::{cell::Cell, time::Duration};

use fakes::{
    Answer, Request, Server,
    aws::{self, setting},
    dynamodb::Tables,
};
use serde_json::{Value, json};
use shared::{Settings, Timestamp, process::NoRandomness};
use token_refresher::{Config, TokenRefresher};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
pub(crate) const DEADLINE: Timestamp = Timestamp::from_millis(1_790_000_060_000);
pub(crate) const DAY_MS: u64 = 24 * 3_600_000;
pub(crate) const TABLE: &str = "salesforce_tokens";
pub(crate) const CLIENT_SECRET: &str = "5A4D0B0C";

/// Salesforce and AWS on one server.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) tables: Tables,
}

impl World {
    pub(crate) async fn start() -> Self {
        let server = Server::start()
            .await
            .with_kms()
            .with_secrets(&[("sf_client_secret", CLIENT_SECRET)])
            .with_salesforce(CLIENT_SECRET);
        server.on("ChangeMessageVisibility", |_| json!({}).into());
        server.on("SendMessage", |_| json!({ "MessageId": "m" }).into());
        server.on("SendMessageBatch", |request| taking(request, |_| true));
        // When opaque access tokens end.
        server.on("/services/oauth2/introspect", |_| {
            json!({ "active": true, "exp": NOW.plus(Duration::from_hours(2)).seconds() }).into()
        });
        server.on("GetSecretValue", |_| aws::error("ResourceNotFoundException"));
        let tables = Tables::on(&server);
        Self { server, tables }
    }

    pub(crate) fn function(&self) -> TokenRefresher {
        self.function_with(&[])
    }

    /// The function, with some other settings.
    pub(crate) fn function_with(&self, changed: &[(&str, &str)]) -> TokenRefresher {
        let settings = Settings::new(|name: &str| {
            if let Some((_, value)) = changed.iter().find(|(key, _)| *key == name) {
                return Some((*value).to_owned());
            }
            Some(match name {
                "LOGIN_URLS" => format!("{},https://test.salesforce.com", self.server.url()),
                "DYNAMODB_PROFILE_TABLE_NAME" => TABLE.to_owned(),
                "ATTEMPT_TABLE_NAME" => "connection_attempts".to_owned(),
                "UPKEEP_QUEUE_URL" => format!("{}/queue", self.server.url()),
                "EXCHANGE_QUEUE_URL" => format!("{}/exchange", self.server.url()),
                "TOKEN_KEY_ID" => "refresh".to_owned(),
                "TOKEN_CUSTODY" => "Stack".to_owned(),
                "TOKEN_MAX_AGE_MINUTES" => "60".to_owned(),
                "KEEP_ALIVE_DAYS" | "SWEEP_HOURS" => "20".to_owned(),
                "STACK_NAME" => "connect".to_owned(),
                "SF_CLIENT_ID" => "3MVG9".to_owned(),
                "SF_CLIENT_SECRET_SECRET_NAME" => "sf_client_secret".to_owned(),
                _ => return setting(name, &self.server),
            })
        });
        let aws = shared::aws::config(&settings).unwrap();
        TokenRefresher::new(Config::read(&settings).unwrap(), &aws, || NOW, random)
    }

    /// Puts a row into the token table: sealed and refreshed so many days ago, with some attributes changed.
    pub(crate) fn row(&self, wa_id: &str, days: u64, changes: Value) {
        let mut row = json!({
            "wa_id": text(wa_id),
            "access_token": text("00Dxx!OLD"),
            "refresh_token": text("sealed:v1:YQ:YQ:YQ"),
            "instance_url": text("https://acme.my.salesforce.com"),
            "issued_at": number(NOW.millis() - days * DAY_MS),
            "refreshed_at": number(NOW.millis() - days * DAY_MS),
            "version": number(3),
        });
        let Value::Object(changes) = changes else { panic!("changes are an object") };
        row.as_object_mut().unwrap().extend(changes);
        self.tables.put(TABLE, wa_id, row);
    }

    /// The messages that were put on the queue, in order, each with its delay.
    pub(crate) fn queued(&self) -> Vec<(Value, u64)> {
        let calls = self.server.requests("SendMessageBatch");
        calls.iter().flat_map(entries).map(|entry| (body(&entry), delay(&entry))).collect()
    }

    /// The chats that were queued to be refreshed, in the order of their names.
    pub(crate) fn refreshes(&self) -> Vec<String> {
        let chats = self.queued().into_iter();
        let mut chats: Vec<_> =
            chats.filter_map(|(body, _)| Some(body["refresh"]["wa_id"].as_str()?.to_owned())).collect();
        chats.sort();
        chats
    }

    /// The pages that were queued, each with its delay.
    pub(crate) fn pages(&self) -> Vec<(Value, u64)> {
        self.queued().into_iter().filter(|(body, _)| body.get("page").is_some()).collect()
    }

    pub(crate) fn visibility_timeouts(&self) -> Vec<u64> {
        let calls = self.server.requests("ChangeMessageVisibility");
        calls.iter().map(|call| call.json()["VisibilityTimeout"].as_u64().unwrap()).collect()
    }
}

/// What the queue answers that takes these messages and refuses the others.
pub(crate) fn taking(request: &Request, takes: impl Fn(&Value) -> bool) -> Answer {
    let (sent, refused): (Vec<_>, Vec<_>) = entries(request).into_iter().partition(|entry| takes(&body(entry)));
    let sent = sent.iter().map(|entry| json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "5" }));
    let refused = refused.iter().map(|entry| json!({ "Id": entry["Id"], "SenderFault": false, "Code": "Internal" }));
    json!({ "Successful": sent.collect::<Vec<_>>(), "Failed": refused.collect::<Vec<_>>() }).into()
}

pub(crate) fn entries(request: &Request) -> Vec<Value> {
    request.json()["Entries"].as_array().unwrap().clone()
}

pub(crate) fn body(entry: &Value) -> Value {
    serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap()
}

fn delay(entry: &Value) -> u64 {
    entry["DelaySeconds"].as_u64().unwrap_or_default()
}

/// A message as Lambda delivers it.
pub(crate) fn record(id: &str, body: &str, receives: u32) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": format!("receipt of {id}"),
        "body": body,
        "attributes": { "ApproximateReceiveCount": receives.to_string() },
    })
}

/// The messages that failed.
pub(crate) async fn handle(function: &TokenRefresher, records: &[Value]) -> Vec<String> {
    let batch = serde_json::from_value(json!({ "Records": records })).unwrap();
    let response = function.handle(batch, DEADLINE).await.unwrap();
    response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

/// Whether the one message of the batch is done.
pub(crate) async fn is_done(function: &TokenRefresher, message: &Value) -> bool {
    handle(function, &[record("one", &message.to_string(), 1)]).await.is_empty()
}

pub(crate) fn number(value: u64) -> Value {
    json!({ "N": value.to_string() })
}

pub(crate) fn text(value: &str) -> Value {
    json!({ "S": value })
}

pub(crate) fn chat(number: u32) -> String {
    format!("whatsapp:+1555{number:07}")
}

#[expect(clippy::unnecessary_wraps, reason = "the system's source may fail")]
fn random(buffer: &mut [u8]) -> Result<(), NoRandomness> {
    thread_local!(static COUNT: Cell<u8> = const { Cell::new(0) });
    COUNT.set(COUNT.get().wrapping_add(1));
    buffer.fill(COUNT.get());
    Ok(())
}
