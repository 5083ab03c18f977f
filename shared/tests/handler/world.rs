//! What custody is run against.

use std::{cell::Cell, time::Duration};

use fakes::{
    Server,
    aws::{self, setting},
    dynamodb::Tables,
};
use serde_json::{Value, json};
use shared::{
    Settings, Timestamp, WaId,
    aws::config,
    custody::{Config, Custody, LiveToken, TokenError, Wish, upkeep::Upkeep},
    process::NoRandomness,
};
use tokio::time::Instant;

use crate::salesforce::Salesforce;

pub(crate) const NOW: u64 = 1_790_000_000_000;
/// The consumer key of the stack's app.
pub(crate) const APP: &str = "3MVG9";
pub(crate) const CHAT: &str = "whatsapp:+15551234567";
const TOKENS: &str = "salesforce_tokens";
const ATTEMPTS: &str = "connection_attempts";
const HOUR: u64 = 3_600_000;

thread_local! {
    static CLOCK: Cell<u64> = const { Cell::new(NOW) };
    static DRAWN: Cell<u64> = const { Cell::new(0) };
}

fn now() -> Timestamp {
    Timestamp::from_millis(CLOCK.get())
}

#[expect(clippy::unnecessary_wraps, reason = "a source of random bytes can fail")]
fn random(buffer: &mut [u8]) -> Result<(), NoRandomness> {
    DRAWN.set(DRAWN.get() + 1);
    buffer.iter_mut().rev().zip(DRAWN.get().to_le_bytes()).for_each(|(byte, drawn)| *byte = drawn);
    Ok(())
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) salesforce: Salesforce,
    pub(crate) tables: Tables,
    pub(crate) custody: Custody,
}

impl World {
    /// A chat that connected two hours ago, with the tokens `a1` and `r1`.
    pub(crate) async fn start() -> Self {
        Self::with_custody("Stack").await
    }

    pub(crate) async fn with_custody(who: &str) -> Self {
        let server = Server::start().await.with_kms();
        let (salesforce, tables) = (Salesforce::on(&server), Tables::on(&server));
        server.on("SendMessage", |_| json!({ "MessageId": "m" }).into());
        server.on("GetSecretValue", |_| aws::error("ResourceNotFoundException"));
        let settings = Settings::new(|name| match name {
            "DYNAMODB_PROFILE_TABLE_NAME" => Some(TOKENS.to_owned()),
            "ATTEMPT_TABLE_NAME" => Some(ATTEMPTS.to_owned()),
            "UPKEEP_QUEUE_URL" => Some(format!("{}/upkeep", server.url())),
            "TOKEN_KEY_ID" => Some("key".to_owned()),
            "TOKEN_CUSTODY" => Some(who.to_owned()),
            "TOKEN_MAX_AGE_MINUTES" => Some("60".to_owned()),
            "LOGIN_URLS" => Some(format!("{},{}", server.url(), other_host(&server))),
            "STACK_NAME" => Some("connect".to_owned()),
            "SF_CLIENT_ID_SECRET_NAME" => Some("sf_client_id".to_owned()),
            "SF_CLIENT_SECRET_SECRET_NAME" => Some("sf_client_secret".to_owned()),
            _ => setting(name, &server),
        });
        CLOCK.set(NOW);
        let custody = Custody::new(Config::read(&settings).unwrap(), &config(&settings).unwrap(), now, random, None);
        let world = Self { server, salesforce, tables, custody };
        world.app(APP);
        world.put(&json!({}));
        world
    }

    /// An operator stores the credentials of this app, by its consumer key.
    pub(crate) fn app(&self, client_id: &str) {
        let secrets = [("sf_client_id", client_id), ("sf_client_secret", "5A4D0B0C")];
        let values = secrets.map(|(name, text)| json!({ "Name": name, "SecretString": text }));
        self.server.on("BatchGetSecretValue", move |_| json!({ "SecretValues": values }).into());
    }

    /// Replaces the chat's row by one with these attributes beside the usual.
    pub(crate) fn put(&self, more: &Value) {
        let mut row = json!({
            "wa_id": {"S": CHAT}, "access_token": {"S": "a1"}, "refresh_token": {"S": "r1"},
            "instance_url": {"S": self.server.url()}, "login_url": {"S": self.server.url()},
            "issued_at": {"N": (NOW - 2 * HOUR).to_string()}, "refreshed_at": {"N": (NOW - 2 * HOUR).to_string()},
            "consented_at": {"N": "7"}, "version": {"N": "3"}, "org_id": {"S": "00Dxx0000001gPLEAY"},
            "user_id": {"S": "005xx000001SwiUAAS"}, "attempt_id": {"S": "00000000000000000000000000000007"},
        });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.tables.put(TOKENS, CHAT, row);
    }

    pub(crate) fn row(&self) -> Value {
        self.tables.item(TOKENS, CHAT)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.row()[name]["S"].as_str().unwrap_or_default().to_owned()
    }

    /// The records of ended connections.
    pub(crate) fn ends(&self) -> Vec<Value> {
        self.tables.items(ATTEMPTS)
    }

    pub(crate) async fn token(&self, wish: &Wish) -> Result<LiveToken, TokenError> {
        self.custody.token(&chat(), wish, deadline()).await
    }

    pub(crate) fn pass(time: Duration) {
        CLOCK.set(CLOCK.get() + u64::try_from(time.as_millis()).unwrap());
    }

    /// What was put on the upkeep queue, with its delay in seconds.
    pub(crate) fn queued(&self) -> Vec<(Upkeep, u64)> {
        let calls = self.server.requests("SendMessage");
        let read = |call: Value| {
            let body = call["MessageBody"].as_str().unwrap();
            (Upkeep::parse(body).unwrap(), call["DelaySeconds"].as_u64().unwrap_or_default())
        };
        calls.iter().map(|call| read(call.json())).collect()
    }

    /// Nothing that was sent to AWS or stored there shows a refresh token of Salesforce's.
    pub(crate) fn shows_no_refresh_token(&self) {
        for operation in ["SendMessage", "UpdateItem", "TransactWriteItems"] {
            for request in self.server.requests(operation) {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                let shown = (2..20).map(|number| format!("\"r{number}\"")).find(|token| body.contains(token.as_str()));
                assert_eq!(shown, None, "{operation}");
            }
        }
    }
}

/// The same server under another name, as an org's own host is one beside the login host.
pub(crate) fn other_host(server: &Server) -> String {
    server.url().replace("127.0.0.1", "localhost")
}

pub(crate) fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

pub(crate) fn chat() -> WaId {
    CHAT.parse().unwrap()
}

pub(crate) fn rejecting(token: &str) -> Wish {
    use std::fmt::Write as _;
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    let rejected = digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Wish { rejected: Some(rejected), ..Wish::default() }
}
