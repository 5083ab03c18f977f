//! From an empty account to a working link by the README's own commands, then everything that `wasf`
//! does. A test that changes the stack's settings, or says what the whole of it holds, has it alone; the others, each about
//! chats of its own, run beside each other.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod again;
mod commands;
mod custody;
mod dead_letters;
mod diagnosis;
mod lists;
mod mcp;
mod newcomer;
mod person;
mod redelivery;
mod release;
mod watching;
