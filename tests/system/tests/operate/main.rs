//! Operators at work: from an empty account to a working link by the README's own commands, then
//! everything that `wasf` is for. Each test has the cloud for itself: it breaks what the others need.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod announcing;
mod commands;
mod dead_letters;
mod diagnosis;
mod newcomer;
