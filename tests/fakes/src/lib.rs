//! One server on a local port that stands for whatever a function speaks to: AWS, Salesforce,
//! WhatsApp, the bot. Every handler test of the workspace uses it.
//!
//! An endpoint is named by what reaches it: an operation of AWS by its name (`SendMessage`), any other
//! request by the end of its path (`/services/oauth2/token`). A test says what an endpoint answers
//! ([`Server::on`]), or answers next ([`Server::next`]), and reads what it was asked ([`Server::requests`]).
//! A request to an unknown endpoint panics, because the function then asks for something that the test does not expect.

#![allow(clippy::expect_used, clippy::missing_panics_doc, clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;
pub mod attempts;
pub mod aws;
pub mod dynamodb;
pub mod logs;
mod request;
pub mod salesforce;
mod server;
pub mod template;

pub use self::{answer::Answer, request::Request, server::Server};

/// The endpoint of all requests but those to AWS.
pub const ANY: &str = "";
