//! Which faults each person has, drawn from a seed.

use fastrand::Rng;
use serde_json::{Value, json};

use system::{
    faults::{refusal, server_error, throttled},
    new_chat,
};

/// Somebody who connects.
pub(crate) struct Person {
    pub(crate) chat: String,
    /// They deny.
    pub(crate) denies: bool,
    /// How many browser tabs call back at once.
    pub(crate) callbacks: u32,
    /// The queue delivers the message twice.
    pub(crate) duplicate: bool,
    /// An unreadable message is sent beside theirs.
    pub(crate) unreadable: bool,
    pub(crate) faults: Vec<Fault>,
}

/// A fault, so many times.
#[derive(Clone)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) edge: Edge,
    pub(crate) times: u32,
    pub(crate) action: Value,
}

/// The call that fails, and what identifies the person's.
#[derive(Clone, Copy)]
pub(crate) enum Edge {
    /// An outside party: the chat.
    Party(&'static str),
    /// A call of AWS with the attempt's id.
    Attempt(&'static str),
    /// A call of AWS with the chat.
    Chat(&'static str),
    /// A call of AWS with the code.
    Code(&'static str),
    /// A call of AWS that does not name a person.
    Anybody(&'static str),
}

/// Until the soak ends all faults.
const FOREVER: u32 = 1_000_000;

const TOKEN: Edge = Edge::Party("salesforce.token");
const NAME: Edge = Edge::Party("salesforce.userinfo");
const TWILIO: Edge = Edge::Party("twilio.messages");
const BOT: Edge = Edge::Party("bot.events");
const RECORD: Edge = Edge::Attempt("dynamodb.UpdateItem");
const STORE: Edge = Edge::Chat("dynamodb.TransactWriteItems");
const READ: Edge = Edge::Chat("dynamodb.GetItem");
const REREAD: Edge = Edge::Attempt("dynamodb.GetItem");

/// The people for a seed.
pub(crate) fn people(seed: u64, count: u64) -> Vec<Person> {
    let mut rng = Rng::with_seed(seed);
    (0..count).map(|_| person(&mut rng)).collect()
}

fn person(rng: &mut Rng) -> Person {
    let denies = rng.u32(..100) < 6;
    let faults = (0..[0, 1, 1, 2, 3][rng.usize(..5)]).map(|_| fault(rng)).collect();
    Person {
        chat: new_chat(),
        denies,
        callbacks: if rng.u32(..100) < 15 { rng.u32(2..=5) } else { 1 },
        duplicate: rng.u32(..100) < 8,
        unreadable: rng.u32(..100) < 3,
        faults,
    }
}

fn fault(rng: &mut Rng) -> Fault {
    let few = rng.u32(1..=3);
    let page = || json!({"status": 200, "body": "<html>maintenance</html>", "content_type": "text/html"});
    let status = |status: u16| json!({"status": status, "body": ""});
    let drop = |when: &str| json!({"drop": when});
    let kill = |when: &str| json!({"kill": when});
    let busy = json!({"status": 429, "body": "", "headers": {"Retry-After": "1"}});
    let twilio =
        |status: u16, code: u32| json!({"status": status, "body": {"code": code, "message": "", "status": status}});
    let kinds: [(&str, Edge, u32, Value); 51] = [
        ("Salesforce 503", TOKEN, rng.u32(1..=9), status(503)),
        ("Salesforce maintenance page", TOKEN, few, page()),
        ("Salesforce 429", TOKEN, few, busy),
        ("Salesforce slow", TOKEN, 1, json!({"delay_ms": rng.u32(500..4_000)})),
        ("Salesforce slower than we wait", TOKEN, 1, json!({"delay_ms": 11_000})),
        ("Salesforce drops the request", TOKEN, few, drop("before")),
        ("Salesforce's answer lost", TOKEN, 1, drop("after")),
        ("Salesforce: unknown_error", TOKEN, few, refusal("unknown_error", "retry your request")),
        ("Salesforce: invalid_client", TOKEN, rng.u32(1..=4), refusal("invalid_client", "invalid client credentials")),
        ("Salesforce: invalid_grant", TOKEN, 1, refusal("invalid_grant", "expired authorization code")),
        ("Salesforce: inactive_user", TOKEN, 1, refusal("inactive_user", "user is inactive")),
        ("Salesforce: login rate", TOKEN, 1, refusal("invalid_grant", "login rate exceeded")),
        ("Salesforce down for a code's life", TOKEN, FOREVER, status(503)),
        ("settings wrong for a code's life", TOKEN, FOREVER, refusal("invalid_client_id", "client identifier invalid")),
        ("userinfo 503", NAME, few, status(503)),
        ("userinfo never", NAME, FOREVER, status(502)),
        ("userinfo 403", NAME, 1, status(403)),
        ("userinfo drops", NAME, few, drop("before")),
        ("WhatsApp 500", TWILIO, few, status(500)),
        ("WhatsApp 429", TWILIO, few, twilio(429, 20_429)),
        ("WhatsApp drops the request", TWILIO, few, drop("before")),
        ("WhatsApp's answer lost", TWILIO, 1, drop("after")),
        ("WhatsApp: window closed", TWILIO, 1, twilio(400, 63_016)),
        ("WhatsApp: no such number", TWILIO, 1, twilio(400, 63_024)),
        ("WhatsApp: credentials refused", TWILIO, 1, twilio(401, 20_003)),
        ("bot 503", BOT, rng.u32(1..=6), status(503)),
        ("bot's answer lost", BOT, 1, drop("after")),
        ("bot drops the request", BOT, few, drop("before")),
        ("record throttled", RECORD, rng.u32(1..=5), throttled()),
        ("record 500", RECORD, rng.u32(1..=5), server_error()),
        ("record not reached", RECORD, few, drop("before")),
        ("record's answer lost", RECORD, few, drop("after")),
        ("tokens throttled", STORE, rng.u32(1..=9), throttled()),
        ("tokens' answer lost", STORE, few, drop("after")),
        ("tokens not stored for long", STORE, rng.u32(40..=90), throttled()),
        ("tokens not stored for a code's life", STORE, FOREVER, throttled()),
        ("old tokens not read", READ, few, server_error()),
        ("record not read", REREAD, few, server_error()),
        ("queue not reached", Edge::Code("sqs.SendMessage"), rng.u32(1..=7), drop("before")),
        ("queue's answer lost", Edge::Code("sqs.SendMessage"), 1, drop("after")),
        ("visibility not changed", Edge::Anybody("sqs.ChangeMessageVisibility"), 1, server_error()),
        ("verifier not made", Edge::Anybody("kms.GenerateMac"), few, server_error()),
        ("secrets not read", Edge::Anybody("secretsmanager.BatchGetSecretValue"), few, server_error()),
        ("killed before the claim", RECORD, 1, kill("before")),
        ("killed after the claim", RECORD, 1, kill("after")),
        ("killed before the exchange", TOKEN, 1, kill("before")),
        ("killed after the exchange", TOKEN, 1, kill("after")),
        ("killed before the tokens are stored", STORE, 1, kill("before")),
        ("killed after the tokens are stored", STORE, 1, kill("after")),
        ("killed after the message", TWILIO, 1, kill("after")),
        ("killed after the event", BOT, 1, kill("after")),
    ];
    let (name, edge, times, action) = kinds[rng.usize(..kinds.len())].clone();
    Fault { name, edge, times, action }
}
