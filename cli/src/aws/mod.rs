//! AWS, from the operator's side: one file for each service, which turns its errors into ours.

mod alarms;
mod attempts;
mod buses;
mod cloudformation;
mod config;
mod connections;
mod erasure;
mod foreign;
mod functions;
mod http;
mod identity;
mod json_api;
mod keys;
mod logs;
mod metrics;
mod pending;
mod queue;
mod roles;
mod schedules;
mod secrets;
mod signed;
mod tables;
mod topics;
mod writes;

pub(crate) use aws_types::SdkConfig;

pub(crate) use self::{
    alarms::{Alarm, AlarmState, alarms},
    attempts::{AttemptTable, KeptReference, Of, Wanted, oldest},
    buses::Bus,
    cloudformation::{FailedResource, delete_stack, failed_resources, find_stack, retained_resources, stack_exists},
    config::{check_environment, config, region},
    connections::{ConnectionTable, HasSealed, Walked},
    erasure::Erasure,
    functions::{EventSource, Functions, SMALL_ACCOUNT, Settings},
    identity::{account_id, clock_error},
    keys::{Key, Keys},
    logs::{LogEvent, LogQuery, log_events},
    metrics::{Query, Statistic, Statistics, statistics},
    pending::{PendingRow, PendingTable, Standing},
    queue::{Counts, Message, Queue},
    roles::{Context, Holder, Roles},
    schedules::{Schedule, schedule},
    secrets::{Presence, SecretsManager},
    signed::{Answer, Signed},
    tables::{TableSettings, Tables},
    topics::{Subscriptions, Topics},
};

#[cfg(test)]
pub(crate) mod tests {
    use fakes::Server;

    use super::{SdkConfig, config};
    use crate::local::LocalCloud;

    /// The configuration of an account whose services are all this server.
    pub(crate) async fn config_of(server: &Server) -> SdkConfig {
        let local = LocalCloud {
            endpoint: server.url().to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: "id".to_owned(),
            secret_access_key: "key".to_owned(),
        };
        config(None, None, Some(&local)).await.unwrap()
    }
}
