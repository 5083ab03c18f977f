//! Many people connect while everything around them fails at random; then a reckoning checks the promises.
//!
//! `N` people (60) connect on a deployed stack, a few at a time: once or twice, in one browser or in several, with links,
//! codes, cookies, messages and rows that are not theirs. What they do and their faults are drawn from `SEED`, which is
//! printed. Faults end by themselves or, if they outlast all tries, when everything else has settled; then the dead
//! letters are redriven, as an operator would. The reckoning looks from outside only: at the sandbox's journal and its
//! grants, the tables and the queues ([`system::reckoning`]).
//!
//! Nobody waits for as long as in production: a message is tried `TRIES` times (6), an outcome is told `TELLINGS` times
//! (12) by the notifier's retry queue, and a message whose function was killed is delivered again after `VISIBILITY` seconds
//! (75), a little more than an exchanger's lease.

#![expect(clippy::disallowed_methods, reason = "it reads the clock and the environment")]
#![expect(clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "its report")]

mod forge;
mod plan;
mod settle;
mod walk;

use std::{process::ExitCode, time::Instant};

use futures::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};

use self::{plan::Edge, settle::Settling, walk::walk};
use system::{Cloud, now_ms, reckoning::Reckoning};

/// How many people connect at the same time.
const AT_ONCE: usize = 5;
/// How many messages of a queue are processed at the same time: the machine has few cores, and a function that does not
/// get its share of them runs into its time-outs, which are another test's.
const CONCURRENCY: u32 = 8;

/// How soon the stack gives up.
#[derive(Debug)]
struct Pace {
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
        tries: setting("TRIES").unwrap_or(6),
        tellings: setting("TELLINGS").unwrap_or(12),
        visibility: setting("VISIBILITY").unwrap_or(75),
    };
    println!("soak: N={count} SEED={seed} {pace:?}");

    let cloud = Cloud::read();
    hasten(&cloud, &pace).await;
    let plans = plan::people(seed, count);
    let is_of_verifiers = |edge| matches!(edge, Edge::Anybody("kms.GenerateMac", _));
    let verifiers_not_made = plans.iter().flat_map(|person| &person.faults).any(|fault| is_of_verifiers(fault.edge));
    let began = Instant::now();
    let walks = plans.iter().enumerate().map(|(place, person)| walk(&cloud, person, place, verifiers_not_made));
    let walked: Vec<_> = stream::iter(walks).buffer_unordered(AT_ONCE).collect().await;
    println!("soak: everybody has been at Salesforce after {} s", began.elapsed().as_secs());

    let (mut people, mut bystanders, mut unprocessable) = (Vec::new(), Vec::new(), Vec::new());
    for one in walked {
        people.push(one.person);
        bystanders.extend(one.bystanders);
        unprocessable.extend(one.unprocessable);
    }
    Settling { cloud: &cloud, people: &people, unprocessable: unprocessable.len() as u64 }.settle().await;
    println!("soak: settled after {} s", began.elapsed().as_secs());
    let evidence = settle::evidence(&cloud).await;
    let reckoning = Reckoning::of(&people, &bystanders, &unprocessable, &evidence);
    println!("{reckoning}");
    println!("soak: N={count} SEED={seed} took {} s", began.elapsed().as_secs());
    if reckoning.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Makes the stack give up sooner, and a kill affect one message only.
async fn hasten(cloud: &Cloud, pace: &Pace) {
    let main = cloud.stack("main");
    cloud.give_one_at_a_time("main").await;
    cloud.give_up_after(main, u32::try_from(pace.tries).expect("a few tries"), 3).await;
    cloud.give_up_telling_after(main, u32::try_from(pace.tellings).expect("a few tries")).await;
    for queue in ["ExchangeQueueUrl", "NotifierRetryQueueUrl"] {
        let attributes = json!({"VisibilityTimeout": pace.visibility.to_string()});
        let change = json!({"QueueUrl": main.output(queue), "Attributes": attributes});
        cloud.aws("sqs", "AmazonSQS.SetQueueAttributes", change).await;
    }
    for function in ["TokenExchanger", "Notifier"] {
        limit(cloud, main.output(&format!("{function}FunctionName"))).await;
    }
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
        let change = json!({"ScalingConfig": {"MaximumConcurrency": CONCURRENCY}}).to_string();
        let headers = [("content-type", "application/json")];
        assert!(cloud.signed("lambda", Method::PUT, &url, &headers, change).await.status().is_success());
    }
}
