//! AWS, from the operator's side: one file for each service, which turns its errors into ours.

mod attempts;
mod cloudformation;
mod config;
mod connections;
mod functions;
mod http;
mod identity;
mod keys;
mod queue;
mod roles;
mod secrets;
mod signed;
mod tables;
mod topics;

pub(crate) use aws_types::SdkConfig;

pub(crate) use self::{
    attempts::{AttemptTable, Of, Wanted},
    cloudformation::{FailedResource, delete_stack, failed_resources, find_stack, stack_exists},
    config::{config, region},
    connections::ConnectionTable,
    functions::{EventSource, Functions, Settings},
    identity::{account_id, clock_error},
    keys::Keys,
    queue::{Counts, Message, Queue},
    roles::{Context, Roles},
    secrets::{Presence, SecretsManager},
    signed::{Answer, Signed},
    tables::{TableSettings, Tables},
    topics::{Subscriptions, Topics},
};
