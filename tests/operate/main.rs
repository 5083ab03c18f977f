//! Operators at work: from an empty account to a working link by the README's own commands, then
//! everything that `wasf` is for. Each test has the cloud for itself: it breaks what the others need.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "tests are at the edge: they read the clock and the environment")]

mod announcing;
mod commands;
mod dead_letters;
mod diagnosis;
mod newcomer;
mod operator;
#[allow(dead_code, reason = "shared with the end-to-end tests, which use all of it")]
#[path = "../e2e/support.rs"]
mod support;
