//! The parties outside AWS, from the operator's side: one file for each, no retries.

mod bot;
mod links;
mod probe;
mod salesforce;
mod whatsapp;

pub(crate) use self::{
    bot::notify_revocation,
    links::{Link, ask_for_link},
    probe::{Probe, probe_page, probe_webhook},
    salesforce::{AppStanding, Revocation, ask_salesforce, revoke},
    whatsapp::{Standing, ask_meta, ask_twilio},
};
