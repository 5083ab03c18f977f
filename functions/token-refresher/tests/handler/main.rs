//! The whole function, with AWS and Salesforce behind real HTTP, and the token table in memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy takes for other code")]

mod batch;
mod connection;
mod sweep;
mod world;
