//! The parties outside AWS, from the operator's side: one file for each, no retries.

mod answer;
mod bot;
mod links;
mod probe;
mod salesforce;
mod tokens;
mod whatsapp;

/// The address of a chat that does not exist. A link for it leaves no trace, and an event about it means nothing.
pub(crate) const TEST_CHAT: &str = "whatsapp:+00000000";

pub(crate) use self::{
    bot::{TestWay, send_test_event},
    links::{Link, request_link},
    probe::{Probe, probe_page, probe_webhook},
    salesforce::{
        AppStatus, Revocation, TokenStatus, check_app, check_secret, check_token, hosts, instance_host, revoke,
    },
    tokens::{Refreshed, refresh_token},
    whatsapp::{CredentialStatus, check_meta, check_twilio},
};
