//! The bots: they ask for everybody's tokens all the time, several workers at once, use what they get, and reject what is dead.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use fastrand::Rng;
use futures::future::join_all;
use reqwest::StatusCode;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use system::{Cloud, hex, now_ms, reckoning::Asked};

/// How many workers ask at the same time; now and then one of them asks several times at once.
const WORKERS: usize = 4;
/// How long a sweep's owner waits for the next one.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(15);
/// How old a sweep makes the rows that it is to find.
const AGED_MS: u64 = 21 * 24 * 3_600_000;
/// How often somebody asks at the end, where the stack has no token for now, and how long they wait in between.
const LAST_TRIES: u32 = 24;
const BETWEEN_TRIES: Duration = Duration::from_secs(5);

/// What a bot was answered.
pub(crate) struct Answer {
    status: StatusCode,
    token: Option<Token>,
    seconds: u64,
}

/// A token that a bot was given.
#[derive(Clone)]
struct Token {
    access: String,
    instance_url: String,
}

/// The bots of a soak.
pub(crate) struct Bots<'a> {
    cloud: &'a Cloud,
    seed: u64,
    chats: RefCell<Vec<String>>,
    /// The token that a chat's workers share.
    held: RefCell<HashMap<String, Token>>,
    is_over: Cell<bool>,
    /// How often they were answered so.
    answers: RefCell<BTreeMap<u16, usize>>,
    /// How often a token that they had just been given was refused by Salesforce.
    refused: Cell<usize>,
    sweeps: Cell<usize>,
}

impl<'a> Bots<'a> {
    pub(crate) fn new(cloud: &'a Cloud, seed: u64) -> Self {
        Self {
            cloud,
            seed,
            chats: RefCell::default(),
            held: RefCell::default(),
            is_over: Cell::new(false),
            answers: RefCell::default(),
            refused: Cell::new(0),
            sweeps: Cell::new(0),
        }
    }

    pub(crate) fn cloud(&self) -> &'a Cloud {
        self.cloud
    }

    /// The bots know a chat from now on.
    pub(crate) fn meet(&self, chat: &str) {
        self.chats.borrow_mut().push(chat.to_owned());
    }

    /// Asks for everybody, and sweeps beside it, until it is over.
    pub(crate) async fn work(&self) {
        let workers = join_all((0..WORKERS).map(|number| self.ask_on(Rng::with_seed(self.seed ^ number as u64))));
        futures::join!(workers, self.sweep_on(Rng::with_seed(!self.seed)));
    }

    /// No new calls are made.
    pub(crate) fn end(&self) {
        self.is_over.set(true);
    }

    pub(crate) fn report(&self) -> String {
        let answers = self.answers.borrow();
        let answers: Vec<_> = answers.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        let (refused, sweeps) = (self.refused.get(), self.sweeps.get());
        format!("{}; {refused} tokens refused by Salesforce; {sweeps} sweeps", answers.join(", "))
    }

    async fn ask_on(&self, mut rng: Rng) {
        while !self.is_over.get() {
            let Some(chat) = self.somebody(&mut rng) else {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            };
            match rng.u32(..10) {
                0..6 => drop(self.use_token(&chat, json!({})).await),
                6 => drop(self.use_token(&chat, json!({"min_validity": rng.u32(1..=10) * 60})).await),
                7 => drop(self.call("status", &chat, json!({})).await),
                _ => self.press(&chat, rng.usize(2..=4)).await,
            }
        }
    }

    fn somebody(&self, rng: &mut Rng) -> Option<String> {
        let chats = self.chats.borrow();
        // Those who came lately have more to do with the stack.
        let lately = chats.len().saturating_sub(12);
        let from = if rng.bool() { lately } else { 0 };
        (!chats.is_empty()).then(|| chats[rng.usize(from..chats.len())].clone())
    }

    /// So many workers at once reject the chat's token, so that it is refreshed.
    pub(crate) async fn press(&self, chat: &str, workers: usize) {
        if !self.held.borrow().contains_key(chat) {
            self.call("token", chat, json!({})).await;
        }
        let rejected = self.held.borrow().get(chat).map(|token| sha256(&token.access));
        let more = rejected.map_or_else(|| json!({}), |rejected| json!({"rejected": rejected}));
        join_all((0..workers).map(|_| self.call("token", chat, more.clone()))).await;
    }

    /// Asks for a token and uses it; whether it works. A dead one is rejected once, as the contract has it.
    async fn use_token(&self, chat: &str, more: Value) -> Answer {
        let answer = self.call("token", chat, more).await;
        let Some(token) = &answer.token else { return answer };
        if self.cloud.is_live(&token.instance_url, &token.access).await {
            return answer;
        }
        self.refused.set(self.refused.get() + 1);
        self.call("token", chat, json!({"rejected": sha256(&token.access)})).await
    }

    async fn call(&self, call: &str, chat: &str, mut body: Value) -> Answer {
        body["wa_id"] = chat.into();
        let answer = self.cloud.call("main", call, body).await;
        let status = answer.status();
        *self.answers.borrow_mut().entry(status.as_u16()).or_default() += 1;
        let seconds = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let body: Value = answer.json().await.unwrap_or(Value::Null);
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let token = text("access_token").zip(text("instance_url"));
        let token = token.map(|(access, instance_url)| Token { access, instance_url });
        match &token {
            Some(token) => drop(self.held.borrow_mut().insert(chat.to_owned(), token.clone())),
            None if status == StatusCode::CONFLICT => drop(self.held.borrow_mut().remove(chat)),
            None => {}
        }
        Answer { status, token, seconds: seconds.unwrap_or_default() }
    }

    /// Ends the chat's connection, as its person wishes; asked again until the stack says that it is done.
    pub(crate) async fn disconnect(&self, chat: &str) {
        for _ in 0..LAST_TRIES {
            if self.call("disconnect", chat, json!({})).await.status == StatusCode::NO_CONTENT {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("a connection cannot be ended");
    }

    /// Makes some rows as old as the sweep looks for, and goes through the table; the queue delivers that twice now and then.
    async fn sweep_on(&self, mut rng: Rng) {
        while !self.is_over.get() {
            for _ in 0..BETWEEN_SWEEPS.as_secs() {
                if self.is_over.get() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            for chat in (0..5).filter_map(|_| self.somebody(&mut rng)) {
                self.age(&chat).await;
            }
            for _ in 0..rng.u32(1..=2) {
                sweep(self.cloud).await;
            }
            self.sweeps.set(self.sweeps.get() + 1);
        }
    }

    /// Makes a row look as if nobody had refreshed it for weeks, if it is a connection.
    async fn age(&self, chat: &str) {
        let update = json!({
            "TableName": self.cloud.stack("main").output("TokenTableName"),
            "Key": {"wa_id": {"S": chat}},
            "ConditionExpression": "attribute_exists(refresh_token)",
            "UpdateExpression": "SET refreshed_at = :at",
            "ExpressionAttributeValues": {":at": {"N": (now_ms() - AGED_MS).to_string()}},
        });
        try_update(self.cloud, update).await;
    }

    /// What the bots are told of each of these chats at last, as long as the stack asks them to wait.
    pub(crate) async fn ask_at_last(&self, chat: &str) -> Asked {
        for _ in 0..LAST_TRIES {
            let answer = self.use_token(chat, json!({})).await;
            if answer.status.is_server_error() {
                let pause = Duration::from_secs(answer.seconds).min(BETWEEN_TRIES);
                tokio::time::sleep(pause.max(Duration::from_secs(1))).await;
                continue;
            }
            let works = match &answer.token {
                Some(token) => self.cloud.is_live(&token.instance_url, &token.access).await,
                None => false,
            };
            return Asked { chat: chat.to_owned(), status: answer.status.as_u16(), works };
        }
        Asked { chat: chat.to_owned(), status: 503, works: false }
    }
}

/// Goes through the token table at once: a page without a pause.
pub(crate) async fn sweep(cloud: &Cloud) {
    let page = json!({"segment": 0, "segments": 1, "started_at": now_ms(), "pause_s": 0});
    send_upkeep(cloud, &json!({"v": 1, "page": page}), 0).await;
}

/// Puts a message on the upkeep queue, to be received after so many seconds.
pub(crate) async fn send_upkeep(cloud: &Cloud, message: &Value, delay_s: u32) {
    let queue = cloud.stack("main").output("UpkeepQueueUrl");
    let message = json!({"QueueUrl": queue, "MessageBody": message.to_string(), "DelaySeconds": delay_s});
    cloud.aws("sqs", "AmazonSQS.SendMessage", message).await;
}

/// Writes an item; whether its condition allowed it.
pub(crate) async fn try_update(cloud: &Cloud, update: Value) -> bool {
    let headers = [("x-amz-target", "DynamoDB_20120810.UpdateItem"), ("content-type", "application/x-amz-json-1.0")];
    let answer = cloud.signed("dynamodb", reqwest::Method::POST, &cloud.endpoint, &headers, update.to_string()).await;
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    assert!(status.is_success() || text.contains("ConditionalCheckFailed"), "UpdateItem answered {status}: {text}");
    status.is_success()
}

fn sha256(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}
