//! The notifier: an attempt has ended, and the person and the bot are told.
//!
//! The attempt's item is the outbox. Each outcome is announced until its item says that everyone
//! knows. What is marked is not sent again; what was sent and could not be marked is, because
//! twice is better than never. The notifier sees no token: the table that it follows holds none.

mod announce;
mod attempts;
mod batch;
mod config;
mod event;
mod outcome;
mod whatsapp;
mod words;

#[cfg(test)]
mod local_server;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod webhook_tests;

use std::{panic::AssertUnwindSafe, time::Duration};

use aws_lambda_events::{dynamodb::Event, event::streams::DynamoDbEventResponse};
use futures::{FutureExt as _, future::join_all};
use shared::{
    aws::{SdkConfig, give_way},
    process::Random,
    timestamp::{Clock, millis},
};
use tokio::time::{Instant, timeout_at};
use tracing::{error, info, warn};

use self::{
    announce::{Announcer, Stop},
    batch::Record,
};
pub use config::Config;

/// The AWS services that a start asks, one connection each, as [`shared::aws::connect`] names them.
pub const SERVICES: [&str; 2] = ["dynamodb", "secretsmanager"];

/// All of a batch, inside the function's 30 seconds.
const BATCH_TIME: Duration = Duration::from_secs(25);

/// The notifier, ready for batches.
pub struct Notifier {
    announcer: Announcer,
    clock: Clock,
}

impl Notifier {
    /// A notifier; nothing is fetched yet.
    ///
    /// # Errors
    /// Where the system's root certificates cannot be read.
    pub fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Result<Self, reqwest::Error> {
        Ok(Self { announcer: Announcer::new(config, aws, clock, random)?, clock })
    }

    /// Fetches the secrets. What fails is tried again when an outcome needs it.
    pub async fn warm_up(&self) {
        give_way().await;
        self.announcer.warm_up().await;
    }

    /// Announces a batch of outcomes.
    pub async fn handle(&self, event: Event) -> DynamoDbEventResponse {
        let deadline = Instant::now() + BATCH_TIME;
        let records: Vec<_> = event.records.into_iter().map(Record::read).collect();
        let lanes = batch::lanes(&records).into_iter().map(|lane| self.follow(lane, deadline));
        let failed = join_all(lanes).await;
        batch::response(&records, failed.into_iter().flatten())
    }

    /// Announces the outcomes of one attempt in their order, up to the first that fails.
    async fn follow(&self, lane: Vec<(usize, &Record)>, deadline: Instant) -> Option<usize> {
        for (place, record) in lane {
            if !self.settle(record, deadline).await {
                return Some(place);
            }
        }
        None
    }

    /// Announces the outcome of one record and logs how that went; `false` where it must come again.
    async fn settle(&self, record: &Record, deadline: Instant) -> bool {
        let key = match &record.outcome {
            Ok(key) => key,
            Err(error) => {
                error!(event_id = record.event_id, %error, "stream record not announced");
                self.announcer.count_setback(&Stop::Unreadable(*error));
                return false;
            }
        };
        let began = (self.clock)();
        let announcing = AssertUnwindSafe(self.announcer.announce(key)).catch_unwind();
        let result = match timeout_at(deadline, announcing).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Stop::Panicked),
            Err(_) => Err(Stop::OutOfTime),
        };
        let (attempt_id, status) = (key.attempt_id, key.status.as_str());
        let duration_ms = millis((self.clock)().since(began));
        match result {
            Ok(report) => {
                let (person, bot) = (report.message.as_str(), if report.bot_knows { "told" } else { "pending" });
                if report.notified {
                    info!(%attempt_id, status, person, bot, duration_ms, "outcome announced");
                } else {
                    let error = report.troubles();
                    warn!(%attempt_id, status, person, bot, duration_ms, error, "outcome not wholly announced");
                }
                report.notified
            }
            Err(Stop::Needless(why)) => {
                info!(%attempt_id, status, duration_ms, why, "outcome needs no announcement");
                true
            }
            Err(error) => {
                error!(%attempt_id, status, duration_ms, %error, "outcome not announced");
                self.announcer.count_setback(&error);
                false
            }
        }
    }
}
