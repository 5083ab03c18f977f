//! The whole function, with Salesforce and AWS behind real HTTP. What DynamoDB makes of the
//! conditions is for the tests of the deployed stack; here it answers as a test wants it, but for several approvals of one
//! login, whose tables are kept in memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy takes for other code")]

mod approvals;
mod batch;
mod custody;
mod exchange;
mod forged;
mod language;
mod outcome;
mod proof;
mod reference;
mod return_to_queue;
mod revocation;
mod storage;
mod world;
