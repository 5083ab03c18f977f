//! The commands of `wasf`: each is a function from its arguments to a report.

pub(crate) mod alarms;
pub(crate) mod attempt;
mod chat;
pub(crate) mod completions;
pub(crate) mod connection;
pub(crate) mod destroy;
pub(crate) mod dlq;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod init;
mod key_policy;
pub(crate) mod link;
pub(crate) mod logs;
pub(crate) mod person;
pub(crate) mod secret;
pub(crate) mod signals;
pub(crate) mod stats;
