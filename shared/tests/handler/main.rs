//! Token custody against AWS and Salesforce on one local server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apps;
mod ends;
mod queue;
mod refresh;
mod salesforce;
mod world;
