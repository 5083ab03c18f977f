//! AWS, from the operator's side: one file for each service, which turns its errors into ours.

mod cloudformation;
mod config;
mod functions;
mod keys;
mod queue;
mod roles;
mod secrets;
mod signed;
mod tables;
mod topics;

pub(crate) use aws_types::SdkConfig;

pub(crate) use self::{
    cloudformation::find_stack,
    config::config,
    functions::{EventSource, Functions, Settings},
    keys::Keys,
    queue::{Message, Queue},
    roles::{Context, Roles},
    secrets::{Presence, SecretsManager},
    signed::post_signed,
    tables::{AttemptTable, ConnectionTable, Deleted},
    topics::{Subscriptions, Topics},
};
