//! Many people connect while everything around them fails at random; then an audit checks that no
//! consent is lost and nobody has been notified twice.
//!
//! `N` people (60) connect on a deployed stack, a few at a time. Their faults are drawn from `SEED`,
//! which is printed. Faults end by themselves or, if they outlast all tries, when everything else has
//! settled; then the dead letters are redriven, as an operator would. The audit looks from outside
//! only: at the sandbox's journal, the tables and the queues.

#![expect(clippy::disallowed_methods, reason = "it reads the clock and the environment")]
#![expect(clippy::print_stdout, reason = "its report")]

mod audit;
mod plan;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, future::join_all, stream};
use reqwest::{Method, StatusCode};
use serde_json::json;

use self::{
    audit::{Attempts, Audit},
    plan::{Edge, Person},
};
use system::{Browser, Cloud, attempt_of, now_ms, parameter};

/// How many people connect at the same time.
const AT_ONCE: usize = 12;
/// The soak fails if nothing changes for this long, which is longer than a message is retried.
const STALLED: Duration = Duration::from_mins(15);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let setting = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let count = setting("N").unwrap_or(60);
    let seed = setting("SEED").unwrap_or_else(|| now_ms() % 1_000_000);
    println!("soak: N={count} SEED={seed}");

    let cloud = Cloud::read();
    cloud.give_one_at_a_time("main").await;
    let people = plan::people(seed, count);
    let began = Instant::now();
    let unreadable = stream::iter(&people).map(|person| connect(&cloud, person)).buffer_unordered(AT_ONCE);
    let unreadable = unreadable.collect::<Vec<_>>().await.into_iter().filter(|unreadable| *unreadable).count();
    println!("soak: everybody has been at Salesforce after {} s", began.elapsed().as_secs());

    settle(&cloud, &people, unreadable as u64).await;
    println!("soak: settled after {} s", began.elapsed().as_secs());
    let audit = Audit::make(&cloud, &people, unreadable as u64).await;
    println!("{audit}");
    println!("soak: N={count} SEED={seed} took {} s", began.elapsed().as_secs());
    if audit.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One person's way through Salesforce and back; whether an unreadable message was sent beside it.
async fn connect(cloud: &Cloud, person: &Person) -> bool {
    let chat = &person.chat;
    let link = cloud.link(chat).await;
    let mut browser = Browser::new(cloud);
    let authorize_url = browser.press(&link.url).await;
    let callback = browser.log_in(&authorize_url, !person.denies).await;
    let code = if person.denies { String::new() } else { parameter(&callback, "code") };
    for fault in &person.faults {
        let (times, action) = (fault.times, fault.action.clone());
        match fault.edge {
            Edge::Party(endpoint) => cloud.fault(chat, endpoint, times, action).await,
            Edge::Attempt(operation) => cloud.aws_fault(operation, &*attempt_of(&authorize_url), times, action).await,
            Edge::Chat(operation) => cloud.aws_fault(operation, &**chat, times, action).await,
            Edge::Code(operation) if !code.is_empty() => cloud.aws_fault(operation, &*code, times, action).await,
            Edge::Code(_) => {}
            // It affects the next caller, because these calls do not name a person.
            Edge::Anybody(operation) => cloud.aws_fault(operation, None, times, action).await,
        }
    }
    join_all((0..person.callbacks).map(|_| call_back(&browser, &callback))).await;
    if person.duplicate && !person.denies {
        let message = json!({"v": 2, "state": parameter(&callback, "state"), "received_at": now_ms(), "code": code});
        cloud.send(cloud.stack("main"), &message.to_string()).await;
    }
    if person.unreadable {
        cloud.send(cloud.stack("main"), &json!({"v": 2, "nobody": chat}).to_string()).await;
    }
    person.unreadable
}

/// A browser at the callback; the person reloads a page that says so.
async fn call_back(browser: &Browser<'_>, callback: &str) {
    for _ in 0..20 {
        match browser.visit(Method::GET, callback).await.status() {
            StatusCode::SERVICE_UNAVAILABLE => tokio::time::sleep(Duration::from_millis(500)).await,
            // A denial is answered with a page as well.
            StatusCode::OK | StatusCode::BAD_REQUEST => return,
            other => panic!("the callback answered {other}"),
        }
    }
    panic!("the callback cannot be reached");
}

/// Waits until everybody has been notified of an outcome; redrives dead letters where it takes that.
async fn settle(cloud: &Cloud, people: &[Person], unreadable: u64) {
    let main = cloud.stack("main");
    let mut last = (usize::MAX, 0);
    let mut changed = Instant::now();
    loop {
        let attempts = Attempts::read(cloud).await;
        let (open, delayed) = attempts.unfinished(people);
        let letters = cloud.dead_letters(main).await;
        if (open + delayed, letters) != last {
            last = (open + delayed, letters);
            changed = Instant::now();
            println!("soak: {open} on their way, {delayed} delayed, {letters} dead letters");
        }
        if open + delayed == 0 && letters == unreadable {
            return;
        }
        if delayed > 0 && letters >= delayed as u64 + unreadable && open == 0 {
            println!("soak: the faults end, and {letters} dead letters are redriven");
            cloud.end_all_faults().await;
            cloud.redrive(main).await;
            changed = Instant::now();
        }
        if changed.elapsed() > STALLED {
            println!("soak: nothing has changed for {} s", STALLED.as_secs());
            return;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}
