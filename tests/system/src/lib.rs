//! What the tests of the deployed system share: the local cloud and its stacks, browsers, an
//! operator with `wasf`, the sandbox's journal, and AWS calls that look behind the scenes.
//!
//! | module | owns |
//! | --- | --- |
//! | [`cloud`] | the stacks, by the state file that `LOCAL_CLOUD_STATE` names; AWS and the sandbox's controls |
//! | [`browser`] | a person's browser, made of HTTP calls |
//! | [`chromium`] | a person's browser, Chromium |
//! | [`siblings`] | two host names of one domain: the stack's, and an attacker's |
//! | [`connections`] | people who are connected: their rows, the bot's calls for tokens, the upkeep queue |
//! | [`custody`] | refresh tokens as a row has them, sealed or not |
//! | [`consent`] | people who consent, and how that ends |
//! | [`alarms`] | the stack's alarms |
//! | [`journal`] | what Salesforce, WhatsApp and the bot saw of a chat |
//! | [`faults`] | answers of a party or of AWS that fails |
//! | [`operator`] | a checkout deployed by the README's commands, and what `wasf` printed |
//! | [`salesforce`] | Salesforce's tokens: how they live, what an administrator does |
//! | [`proof`] | logins that their chat has to confirm, and the codes that people send |
//! | [`reckoning`] | whether the promises were kept in a soak |
//! | [`state`] | states that a test signs itself |
//! | [`dead_letters`] | people whose messages an operator finds among the dead letters |
//!
//! The tests are in `tests/`: `end_to_end` (with its kills and alarms), `operate` and `soak`. It never depends on
//! `shared` or a function: it sees the system from outside.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "support of tests, which panic to fail"
)]
#![expect(clippy::disallowed_methods, reason = "tests are at the edge: they read the clock and the environment")]

pub mod alarms;
pub mod browser;
pub mod chromium;
pub mod cloud;
pub mod connections;
pub mod consent;
pub mod custody;
pub mod dead_letters;
pub mod faults;
pub mod journal;
pub mod operator;
pub mod proof;
pub mod reckoning;
pub mod runbook;
pub mod salesforce;
pub mod siblings;
pub mod state;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant, SystemTime},
};

pub use crate::{
    browser::{Browser, parameter},
    cloud::{Cloud, Link, Stack},
    journal::Journal,
    salesforce::Restriction,
    state::attempt_of,
};

/// How long something asynchronous may take before a test gives up on it: longer than the exchange queue's visibility
/// timeout (3 minutes) on a busy machine, and shorter than two of them, so that it is the next delivery that ends an attempt
/// whose exchanger was killed.
const PATIENCE: Duration = Duration::from_mins(5);

/// Asks again until there is an answer; panics when `PATIENCE` ends.
pub async fn wait_until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Now, in milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since_epoch.as_millis()).expect("a clock before the year 584 million")
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// A chat that no other test uses.
pub fn new_chat() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let process = std::process::id() % 10_000;
    format!("whatsapp:+1555{process:04}{:03}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The same, of a person whose number the business does not know: by an id that Meta has made for the two of them.
pub fn new_scoped_chat() -> String {
    new_chat().replace("whatsapp:+1", "whatsapp:US.1")
}
