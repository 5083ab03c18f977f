//! The notifier: notifies the person in WhatsApp, and the bot, of how an attempt ended.
//!
//! The attempt's item is a transactional outbox: its stream invokes this function for each outcome until the item is
//! marked as notified. A step that is marked is not repeated. A step that was done and could not be marked is, because two
//! messages are better than none. The notifier sees no token: the table that it follows holds none.

mod attempts;
mod batch;
mod bot;
mod config;
#[cfg(test)]
mod contract;
mod event;
mod messages;
mod messenger;
mod notify;
mod outcome;
mod relink;
mod setback;
mod whatsapp;
mod withheld;

use std::{panic::AssertUnwindSafe, time::Duration};

use aws_lambda_events::{dynamodb::Event, event::streams::DynamoDbEventResponse};
use futures::{FutureExt as _, future::join_all};
use shared::{
    aws::SdkConfig,
    process::Random,
    timestamp::{Clock, millis},
};
use tokio::time::{Instant, timeout_at};
use tracing::{error, info, warn};

pub use self::config::Config;
use self::{
    batch::Record,
    notify::{OutcomeNotifier, Stop},
    setback::Setback,
};

/// The AWS services that a start asks, one connection each, as [`shared::aws::Start`] names them.
pub const SERVICES: [&str; 2] = ["dynamodb", "secretsmanager"];

/// The time for a batch. The function's time-out must be longer.
pub const BATCH_TIME: Duration = Duration::from_secs(25);

/// The notifier, ready for batches.
pub struct Notifier {
    outcomes: OutcomeNotifier,
    clock: Clock,
}

impl Notifier {
    /// A notifier; nothing is fetched yet.
    ///
    /// # Errors
    /// Where the system's root certificates cannot be read.
    pub fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Result<Self, reqwest::Error> {
        Ok(Self { outcomes: OutcomeNotifier::new(config, aws, clock, random)?, clock })
    }

    /// Fetches the secrets. A failure is retried when an outcome needs them.
    pub async fn warm_up(&self) {
        if let Err(error) = self.outcomes.fetch_secrets().await {
            warn!(%error, "secrets not fetched");
        }
    }

    /// Notifies of a batch of outcomes: of those of one attempt in their order, of different attempts concurrently.
    pub async fn handle(&self, event: Event) -> DynamoDbEventResponse {
        let deadline = Instant::now() + BATCH_TIME;
        let records: Vec<_> = event.records.into_iter().map(Record::read).collect();
        let attempts = batch::by_attempt(&records).into_iter().map(|records| self.process_attempt(records, deadline));
        let failed = join_all(attempts).await;
        batch::response(&records, failed.into_iter().flatten())
    }

    /// Processes the records of one attempt up to the first that fails, and returns its place in the batch.
    async fn process_attempt(&self, records: Vec<(usize, &Record)>, deadline: Instant) -> Option<usize> {
        for (place, record) in records {
            if !self.process(record, deadline).await {
                return Some(place);
            }
        }
        None
    }

    /// Notifies of one record's outcome and logs the result; `false` where the record must be delivered again.
    async fn process(&self, record: &Record, deadline: Instant) -> bool {
        let key = match &record.outcome {
            Ok(key) => key,
            Err(error) => {
                error!(event_id = record.event_id, %error, "stream record unreadable");
                self.outcomes.count_setback(&Setback::Unreadable(*error));
                return false;
            }
        };
        let began = (self.clock)();
        let notifying = AssertUnwindSafe(self.outcomes.notify(key)).catch_unwind();
        let result = match timeout_at(deadline, notifying).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Setback::Panic.into()),
            Err(_) => Err(Setback::OutOfTime.into()),
        };
        let (attempt_id, status) = (key.attempt_id, key.status.as_str());
        let duration_ms = millis((self.clock)().since(began));
        match result {
            Ok(progress) => {
                let person = progress.message.as_str();
                let bot = if progress.bot_notified { "told" } else { "pending" };
                if progress.complete {
                    info!(%attempt_id, status, person, bot, duration_ms, "notification complete");
                } else {
                    let error = progress.setbacks();
                    warn!(%attempt_id, status, person, bot, duration_ms, error, "notification incomplete, will retry");
                }
                progress.complete
            }
            Err(Stop::Skip(skip)) => {
                info!(%attempt_id, status, duration_ms, why = skip.label(), "notification skipped");
                true
            }
            Err(Stop::Setback(error)) => {
                error!(%attempt_id, status, duration_ms, %error, "notification failed, will retry");
                self.outcomes.count_setback(&error);
                false
            }
        }
    }
}
