//! From an empty account to a working link by the README's own commands, then everything that `wasf`
//! does. Tests take turns, because each breaks what the others need.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
mod dead_letters;
mod diagnosis;
mod lists;
mod newcomer;
mod person;
mod redelivery;
mod watching;
