//! Many people connect while everything around them fails at random; then a reckoning checks the promises.
//!
//! `N` people (60) connect on a deployed stack, a few at a time: once or twice, in one browser or in several, with links,
//! codes, cookies, messages and rows that are not theirs. What they do and their faults are drawn from `SEED`, which is
//! printed. Salesforce rotates their refresh tokens, and bots ask for everybody's tokens all the time, several workers at once,
//! while refreshes fail and are killed at each step, sweeps go by, people and administrators end connections, and some connect
//! again. Faults end by themselves or, if they outlast all tries, when everything else has settled; then the dead
//! letters are redriven, as an operator would. The reckoning looks from outside only: at the sandbox's journal and its
//! grants, the tables and the queues ([`system::reckoning`]).
//!
//! Where the stack with `ChatProof=Required` is deployed, some people connect there beside them ([`proof`]).
//!
//! Nobody waits for as long as in production: a message is tried `TRIES` times (6), an outcome is told `TELLINGS` times
//! (12) by the notifier's retry queue, and a message whose function was killed is delivered again after `VISIBILITY` seconds
//! (75), a little more than an exchanger's lease. `AT_ONCE` people (5) are on their way at a time.

#![expect(clippy::disallowed_methods, reason = "it reads the clock and the environment")]
#![expect(clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "its report")]

mod bots;
mod forge;
mod plan;
mod proof;
mod settle;
mod walk;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};

use self::{bots::Bots, plan::Edge, proof::Proofs, settle::Settling, walk::walk};
use system::{
    Cloud, now_ms,
    proof::PROOF,
    reckoning::{Evidence, Reckoning},
};

/// How many messages of a queue are processed at the same time: the machine has few cores, and a function that does not
/// get its share of them runs into its time-outs, which are another test's.
const CONCURRENCY: u32 = 8;

/// How long the upkeep queue hides a message whose receiver has failed a few times.
const LONGEST: Duration = Duration::from_mins(16);
/// How old an access token may be that a bot is given, in minutes: as young as the template allows.
const MAX_AGE_MINUTES: &str = "1";
/// How long an access token lives, in seconds.
const SESSION_S: u32 = 600;

/// How fast it goes, and how soon the stack gives up.
#[derive(Debug)]
struct Pace {
    /// How many people connect at the same time.
    at_once: u64,
    tries: u64,
    tellings: u64,
    /// In seconds.
    visibility: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let setting = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let count = setting("N").unwrap_or(60);
    let seed = setting("SEED").unwrap_or_else(|| now_ms() % 1_000_000);
    let pace = Pace {
        at_once: setting("AT_ONCE").unwrap_or(5),
        tries: setting("TRIES").unwrap_or(6),
        tellings: setting("TELLINGS").unwrap_or(12),
        visibility: setting("VISIBILITY").unwrap_or(75),
    };
    println!("soak: N={count} SEED={seed} {pace:?}");

    let cloud = Cloud::read();
    hasten(&cloud, &pace).await;
    let proofs = Proofs::plan(&cloud, seed, count);
    let plans = plan::people(seed, count);
    let is_of_verifiers = |edge| matches!(edge, Edge::Anybody("kms.GenerateMac", _));
    let verifiers_not_made = plans.iter().flat_map(|person| &person.faults).any(|fault| is_of_verifiers(fault.edge));
    let began = Instant::now();
    let bots = Bots::new(&cloud, seed);
    let walks = plans.iter().enumerate().map(|(place, person)| walk(&bots, person, place, verifiers_not_made));
    let walking = async {
        let at_once = usize::try_from(pace.at_once).expect("some people");
        let walked: Vec<_> = stream::iter(walks).buffer_unordered(at_once).collect().await;
        println!("soak: everybody has been at Salesforce after {} s", began.elapsed().as_secs());
        let (mut people, mut bystanders, mut unprocessable) = (Vec::new(), Vec::new(), Vec::new());
        for one in walked {
            people.push(one.person);
            bystanders.extend(one.bystanders);
            unprocessable.extend(one.unprocessable);
        }
        Settling { cloud: &cloud, people: &people, unprocessable: unprocessable.len() as u64 }.settle().await;
        bots.end();
        (people, bystanders, unprocessable)
    };
    let ((people, bystanders, unprocessable), (), provable) = futures::join!(walking, bots.work(), proofs.walk());
    println!("soak: settled after {} s; the bots were answered {}", began.elapsed().as_secs(), bots.report());
    let settling = Settling { cloud: &cloud, people: &people, unprocessable: unprocessable.len() as u64 };
    let (turned_at, asked) = settling.rest(&bots).await;
    println!("soak: at rest after {} s", began.elapsed().as_secs());
    let unproven = proofs.reckon(&provable).await;
    let apart = Proofs::chats(&provable);
    println!("soak: {} people had to confirm, {} complaints\n{}", provable.len(), unproven.len(), unproven.join("\n"));
    let rested = Instant::now();
    let mut reckoning;
    loop {
        let mut evidence =
            Evidence { asked: asked.clone(), turned_at: Some(turned_at), ..settle::evidence(&cloud, &people).await };
        evidence.journal = proof::without(&apart, evidence.journal);
        evidence.bus.retain(|event| !apart.iter().any(|chat| event["detail"]["subject"] == **chat));
        reckoning = Reckoning::of(&people, &bystanders, &unprocessable, &evidence);
        let hidden = settling.hidden().await;
        if reckoning.is_good() || hidden == 0 || rested.elapsed() > LONGEST {
            break;
        }
        // A token may be revoked, or stored, when its message is received again.
        println!("{}\nsoak: the upkeep queue hides {hidden} messages", reckoning.complaints().join("\n"));
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    println!("{reckoning}");
    println!("soak: N={count} SEED={seed} took {} s", began.elapsed().as_secs());
    let is_refreshing = reckoning.rotations() >= people.len();
    if !is_refreshing {
        println!("soak: hardly anything was refreshed, so that nothing is proven");
    }
    if reckoning.is_good() && unproven.is_empty() && is_refreshing { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Makes the stack give up sooner, and a kill affect one message only.
async fn hasten(cloud: &Cloud, pace: &Pace) {
    for name in ["main", PROOF].into_iter().filter(|name| cloud.has_stack(name)) {
        let stack = cloud.stack(name);
        cloud.give_one_at_a_time(name).await;
        cloud.give_up_after(stack, u32::try_from(pace.tries).expect("a few tries"), 3).await;
        cloud.give_up_telling_after(stack, u32::try_from(pace.tellings).expect("a few tries")).await;
        for queue in ["ExchangeQueueUrl", "NotifierRetryQueueUrl", "UpkeepQueueUrl"] {
            let attributes = json!({"VisibilityTimeout": pace.visibility.to_string()});
            let change = json!({"QueueUrl": stack.output(queue), "Attributes": attributes});
            cloud.aws("sqs", "AmazonSQS.SetQueueAttributes", change).await;
        }
        for function in ["TokenExchanger", "Notifier", "TokenRefresher"] {
            limit(cloud, stack.output(&format!("{function}FunctionName"))).await;
        }
    }
    let main = cloud.stack("main");
    let keeper = |configuration: &mut Value| {
        configuration["Environment"]["Variables"]["TOKEN_MAX_AGE_MINUTES"] = MAX_AGE_MINUTES.into();
    };
    cloud.change_function(main, "TokenKeeperFunctionName", keeper).await;
    // Each refresh token works once, and access tokens do not live long.
    let policy = json!({"rotation": true, "session_timeout_s": SESSION_S});
    cloud.control("/control/salesforce/policy", &policy).await;
}

/// Limits how many messages a function takes at once from its queue.
async fn limit(cloud: &Cloud, function: &str) {
    let mappings = format!("{}/2015-03-31/event-source-mappings/", cloud.endpoint);
    let url = format!("{mappings}?FunctionName={function}");
    let found = cloud.signed("lambda", Method::GET, &url, &[], String::new()).await;
    let found: Value = found.json().await.expect("mappings");
    let of_queue = |mapping: &&Value| mapping["EventSourceArn"].as_str().is_some_and(|arn| arn.contains(":sqs:"));
    for mapping in found["EventSourceMappings"].as_array().expect("mappings").iter().filter(of_queue) {
        let url = format!("{mappings}{}", mapping["UUID"].as_str().expect("a mapping"));
        let change = json!({"BatchSize": 1, "ScalingConfig": {"MaximumConcurrency": CONCURRENCY}}).to_string();
        let headers = [("content-type", "application/json")];
        assert!(cloud.signed("lambda", Method::PUT, &url, &headers, change).await.status().is_success());
    }
}
