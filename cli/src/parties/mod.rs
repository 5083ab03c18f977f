//! The parties outside AWS, from the operator's side: one file for each, no retries.

mod bot;
mod links;
mod probe;
mod salesforce;
mod whatsapp;

pub(crate) use self::{
    bot::notify_revocation,
    links::{Link, request_link},
    probe::{Probe, probe_page, probe_webhook},
    salesforce::{AppStatus, Revocation, check_app, revoke},
    whatsapp::{CredentialStatus, check_meta, check_twilio},
};
