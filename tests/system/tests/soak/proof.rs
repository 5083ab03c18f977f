//! Some people connect on the stack with `ChatProof=Required`, while the others do on the main one: honest ones, and those whose
//! link was forwarded, or whose code is sent late, early, twice or never. The reckoning is [`system::reckoning::proof`].

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use fastrand::Rng;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use system::{
    Browser, Cloud, attempt_of,
    faults::{server_error, throttled},
    new_chat,
    proof::{PROOF, shown_code},
    reckoning::proof::{ProofEvidence, Provable, complaints},
};

use crate::settle::{opened, read, scan};

/// How many at a time: they stand beside those of the main stack.
const AT_ONCE: usize = 2;
/// The soak fails if something is undecided for this long: longer than some killed deliveries and the time of a code.
const PATIENCE: Duration = Duration::from_mins(8);
/// What an exchanger takes with it that is killed at this call.
const LOSING: [&str; 2] = ["killed after the exchange", "killed before the tokens are held"];

/// What becomes of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Sent,
    Twice,
    /// Salesforce takes a while, and the person does not.
    Early,
    /// The link was forwarded: who approved sends the code from their own chat.
    Elsewhere,
    Never,
}

/// Somebody's way, drawn from the seed.
struct Plan {
    place: usize,
    chat: String,
    code: Code,
    fault: Option<(&'static str, &'static str, u32, Value)>,
}

/// The people who have to confirm, or nobody where the stack is not deployed.
pub(crate) struct Proofs<'a> {
    cloud: &'a Cloud,
    plans: Vec<Plan>,
}

impl<'a> Proofs<'a> {
    /// One for every five of the others, but six at least.
    pub(crate) fn plan(cloud: &'a Cloud, seed: u64, count: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x50_524f_4f46);
        let people = if cloud.has_stack(PROOF) { (count / 5).max(6) } else { 0 };
        let plans = (0..people).map(|place| plan(&mut rng, usize::try_from(place).expect("few people"))).collect();
        Self { cloud, plans }
    }

    /// Everybody goes their way; what is to be reckoned of it.
    pub(crate) async fn walk(&self) -> Vec<Provable> {
        stream::iter(&self.plans).map(|plan| walk(self.cloud, plan)).buffer_unordered(AT_ONCE).collect().await
    }

    /// Waits until everything is decided, told and carried out, and says how the promise was broken.
    pub(crate) async fn reckon(&self, logins: &[Provable]) -> Vec<String> {
        let began = Instant::now();
        while !self.plans.is_empty() {
            let found = complaints(logins, &self.evidence(logins).await);
            if found.is_empty() {
                break;
            }
            if began.elapsed() > PATIENCE {
                return found;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        Vec::new()
    }

    /// The chats, which the other reckoning does not know.
    pub(crate) fn chats(logins: &[Provable]) -> BTreeSet<&str> {
        let senders = logins.iter().filter_map(|login| login.sender.as_deref());
        logins.iter().map(|login| &*login.chat).chain(senders).collect()
    }

    async fn evidence(&self, logins: &[Provable]) -> ProofEvidence {
        let stack = self.cloud.proof();
        let rows = scan(self.cloud, stack.output("TokenTableName")).await;
        ProofEvidence {
            attempts: scan(self.cloud, stack.output("AttemptTableName")).await,
            rows: opened(self.cloud, &Self::chats(logins), rows).await,
            pending: scan(self.cloud, stack.output("PendingTableName")).await,
            grants: read(self.cloud, "/control/grants").await.as_array().expect("grants").clone(),
        }
    }
}

fn plan(rng: &mut Rng, place: usize) -> Plan {
    let code = match rng.u32(..100) {
        0..35 => Code::Sent,
        35..50 => Code::Twice,
        50..65 => Code::Early,
        65..85 => Code::Elsewhere,
        _ => Code::Never,
    };
    let few = rng.u32(1..=3);
    let kill = |when: &str| json!({"kill": when});
    let faults = [
        ("Salesforce 503", "salesforce.token", few, json!({"status": 503, "body": ""})),
        ("tokens not held for a while", "dynamodb.TransactWriteItems", rng.u32(3..=12), throttled()),
        ("hold's answer lost", "dynamodb.TransactWriteItems", 1, json!({"drop": "after"})),
        ("row throttled", "dynamodb.UpdateItem", few, throttled()),
        ("row not read", "dynamodb.GetItem", few, server_error()),
        ("revocation fails", "salesforce.revoke", few, json!({"status": 503, "body": ""})),
        (LOSING[0], "salesforce.token", 1, kill("after")),
        (LOSING[1], "dynamodb.TransactWriteItems", 1, kill("before")),
        ("killed after the tokens are held", "dynamodb.TransactWriteItems", 1, kill("after")),
    ];
    let fault = (rng.u32(..100) < 60).then(|| faults[rng.usize(..faults.len())].clone());
    Plan { place, chat: new_chat(), code, fault }
}

async fn walk(cloud: &Cloud, plan: &Plan) -> Provable {
    static USERS: AtomicU32 = AtomicU32::new(2_000_000);
    let Plan { place, chat, code, fault } = plan;
    let user = format!("visitor-{}@example.com", USERS.fetch_add(1, Ordering::Relaxed));
    let mut browser = Browser::new(cloud).used_by(&user);
    let authorize_url = browser.press_until_answered(&cloud.proof_link(chat).await.url).await;
    let callback = browser.log_in(&authorize_url, true).await;
    let attempt = attempt_of(&callback);
    if let Some((_, at, times, action)) = fault {
        match at.strip_prefix("salesforce.") {
            Some(_) => cloud.fault(chat, at, *times, action.clone()).await,
            None => cloud.aws_fault(at, &*attempt, *times, action.clone()).await,
        }
    }
    if *code == Code::Early {
        cloud.fault(chat, "salesforce.token", 1, json!({"delay_ms": 6_000})).await;
    }
    let shown = shown_code(&browser, &callback).await;
    let sender = match code {
        Code::Never => None,
        Code::Elsewhere => Some(new_chat()),
        _ => Some(chat.clone()),
    };
    if let Some(sender) = &sender {
        for _ in 0..if *code == Code::Twice { 2 } else { 1 } {
            cloud.sends_code_until_answered(sender, &shown).await;
        }
    }
    let fault = fault.as_ref().map_or("-", |(name, ..)| name);
    Provable {
        name: format!("provable person {place} ({code:?}, {fault})"),
        chat: chat.clone(),
        attempt,
        sender,
        may_be_lost: LOSING.contains(&fault),
    }
}

/// A journal without the records of these chats.
pub(crate) fn without(chats: &BTreeSet<&str>, mut journal: Value) -> Value {
    for of_endpoint in journal.as_object_mut().into_iter().flat_map(|journal| journal.values_mut()) {
        if let Some(records) = of_endpoint["records"].as_array_mut() {
            records.retain(|record| !record["wa_id"].as_str().is_some_and(|chat| chats.contains(chat)));
        }
    }
    journal
}
