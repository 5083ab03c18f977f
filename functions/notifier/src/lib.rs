//! The notifier: notifies the person in WhatsApp, and the bot, of how an attempt ended.
//!
//! The attempt's item is a transactional outbox. Its stream invokes this function for each outcome, and the stream only
//! starts the telling: what is not complete then goes as a pointer to the retry queue, which comes back by the
//! schedule, and the record is done, so that nobody waits behind it. Only where that hand-over fails does the record
//! fail. A step that is marked is not repeated. A step that was done and could not be marked is, because two messages are
//! better than none. The notifier sees no token: the table that it follows holds none.

mod attempts;
mod batch;
mod bot;
mod config;
#[cfg(test)]
mod contract;
mod delivery;
mod event;
mod invocation;
mod messages;
mod messenger;
mod notify;
mod outcome;
mod pointer;
mod relink;
mod schedule;
mod setback;
mod whatsapp;
mod withheld;

use std::{panic::AssertUnwindSafe, time::Duration};

use aws_lambda_events::{
    dynamodb::Event,
    event::streams::DynamoDbEventResponse,
    sqs::{SqsBatchResponse, SqsEvent},
};
use futures::{FutureExt as _, future::join_all};
use shared::{
    AttemptId,
    aws::{
        SdkConfig,
        queue::{NamelessMessage, Queue},
    },
    process::Random,
    timestamp::{Clock, millis},
};
use tokio::time::{Instant, timeout_at};
use tracing::{error, info, warn};

use self::{
    batch::Record,
    delivery::Delivery,
    notify::{Checked, Occasion, OutcomeNotifier, Stop},
    pointer::Pointer,
    setback::Setback,
};
pub use self::{
    config::Config,
    invocation::{Batch, Response},
};

/// The AWS services that a start asks, one connection each, as [`shared::aws::Start`] names them.
pub const SERVICES: [&str; 2] = ["dynamodb", "secretsmanager"];

/// The time for telling what a batch is about.
const TELLING_TIME: Duration = Duration::from_secs(22);
/// The time for a batch, with the return of what is not complete to the retry queue. The function's time-out must be
/// longer.
pub const BATCH_TIME: Duration = Duration::from_secs(27);

/// The notifier, ready for batches.
pub struct Notifier {
    outcomes: OutcomeNotifier,
    retries: Queue,
    clock: Clock,
}

/// The times by which parts of a batch have to end.
#[derive(Clone, Copy)]
struct Deadlines {
    telling: Instant,
    batch: Instant,
}

impl Deadlines {
    fn begin() -> Self {
        let now = Instant::now();
        Self { telling: now + TELLING_TIME, batch: now + BATCH_TIME }
    }
}

impl Notifier {
    /// A notifier; nothing is fetched yet.
    ///
    /// # Errors
    /// Where the system's root certificates cannot be read.
    pub fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Result<Self, reqwest::Error> {
        let retries = Queue::new(aws, config.retry_queue_url.clone());
        Ok(Self { outcomes: OutcomeNotifier::new(config, aws, clock, random)?, retries, clock })
    }

    /// Fetches the secrets. A failure is retried when an outcome needs them.
    pub async fn warm_up(&self) {
        if let Err(error) = self.outcomes.fetch_secrets().await {
            warn!(%error, "secrets not fetched");
        }
    }

    /// Handles a batch of the stream or of the retry queue.
    ///
    /// # Errors
    /// [`NamelessMessage`], before anything is done.
    pub async fn handle(&self, batch: Batch) -> Result<Response, NamelessMessage> {
        Ok(match batch {
            Batch::Stream(event) => Response::Stream(self.handle_stream(event).await),
            Batch::Queue(event) => Response::Queue(self.handle_queue(event).await?),
        })
    }

    /// Notifies of a batch of outcomes: of those of one attempt in their order, of different attempts concurrently. Names
    /// the first that could neither be told nor handed over.
    async fn handle_stream(&self, event: Event) -> DynamoDbEventResponse {
        let deadlines = Deadlines::begin();
        let records: Vec<_> = event.records.into_iter().map(Record::read).collect();
        let attempts = batch::by_attempt(&records).into_iter().map(|records| self.process_attempt(records, deadlines));
        let failed = join_all(attempts).await;
        batch::response(&records, failed.into_iter().flatten())
    }

    /// Processes the records of one attempt up to the first that fails, and returns its place in the batch.
    async fn process_attempt(&self, records: Vec<(usize, &Record)>, deadlines: Deadlines) -> Option<usize> {
        for (place, record) in records {
            if !self.process_record(record, deadlines).await {
                return Some(place);
            }
        }
        None
    }

    /// Tells what a record is about, or hands it over to the retry queue; `false` where both fail.
    async fn process_record(&self, record: &Record, deadlines: Deadlines) -> bool {
        let told = match &record.outcome {
            Ok(key) => self.tell(key.attempt_id, Occasion::Record(key), deadlines).await,
            Err(error) => {
                error!(event_id = record.event_id, %error, "stream record unreadable, set aside");
                self.outcomes.count_setback(&Setback::Unreadable(*error));
                false
            }
        };
        match record.attempt_id {
            // Of an item that cannot be read too: a later version may have written it, and be able to tell it.
            Some(attempt_id) => told || self.hand_over(attempt_id, deadlines).await,
            None => true,
        }
    }

    /// Puts a pointer on the retry queue.
    async fn hand_over(&self, attempt_id: AttemptId, deadlines: Deadlines) -> bool {
        let pointer = Pointer { attempt_id, check: None };
        let sending = self.retries.send(pointer.to_body(), schedule::FIRST);
        let sent = timeout_at(deadlines.batch, sending).await;
        let Err(setback) = sent.map_or(Err(Setback::OutOfTime), |sent| sent.map_err(Setback::RetryQueue)) else {
            return true;
        };
        error!(%attempt_id, error = %setback, "notification not handed over to the retry queue, the stream will retry");
        self.outcomes.count_setback(&setback);
        false
    }

    /// Tells what is left to tell of each attempt that a batch of the retry queue points to.
    async fn handle_queue(&self, event: SqsEvent) -> Result<SqsBatchResponse, NamelessMessage> {
        let deadlines = Deadlines::begin();
        let deliveries: Vec<_> = event.records.into_iter().map(Delivery::parse).collect::<Result<_, _>>()?;
        let done = join_all(deliveries.iter().map(|delivery| self.process_delivery(delivery, deadlines))).await;
        let mut response = SqsBatchResponse::default();
        for (delivery, done) in deliveries.into_iter().zip(done) {
            if !done {
                response.add_failure(delivery.message_id);
            }
        }
        Ok(response)
    }

    /// Puts a pointer on the retry queue that asks what became of a message. Without it nobody hears of a refusal that comes
    /// later, and everything else goes on.
    async fn check_later(&self, attempt_id: AttemptId, message_id: &str, deadlines: Deadlines) {
        let pointer = Pointer { attempt_id, check: Some(message_id.to_owned()) };
        let sending = self.retries.send(pointer.to_body(), schedule::FIRST_CHECK);
        match timeout_at(deadlines.batch, sending).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%attempt_id, %error, "nobody will ask what became of the message"),
            Err(_) => warn!(%attempt_id, "nobody will ask what became of the message: out of time"),
        }
    }

    /// Does what a pointer is about, which is so old; the pause until it comes back, where something is left to do.
    async fn follow(&self, pointer: &Pointer, age: Duration, deadlines: Deadlines) -> Option<Duration> {
        let attempt_id = pointer.attempt_id;
        if let Some(message_id) = &pointer.check {
            let next = schedule::next_check(age);
            let checking = AssertUnwindSafe(self.outcomes.check(attempt_id, message_id, next.is_none())).catch_unwind();
            let checked = match timeout_at(deadlines.telling, checking).await {
                Ok(Ok(checked)) => checked,
                Ok(Err(_)) => Err(Setback::Panic),
                Err(_) => Err(Setback::OutOfTime),
            };
            match checked {
                Ok(Checked::Settled) => return None,
                Ok(Checked::AskAgain) => return next,
                Ok(Checked::Tell) => {}
                Err(setback) => {
                    warn!(%attempt_id, error = %setback, "message not checked, will retry");
                    self.outcomes.count_setback(&setback);
                    return Some(schedule::pause(age));
                }
            }
        }
        if self.tell(attempt_id, Occasion::Pointer, deadlines).await {
            return None;
        }
        // What a check has found to be left is not as old as the check.
        if pointer.check.is_none() {
            self.outcomes.measure_untold(age);
        }
        Some(schedule::pause(age))
    }

    /// Does what a message of the retry queue is about; `false` where it comes back.
    async fn process_delivery(&self, delivery: &Delivery, deadlines: Deadlines) -> bool {
        let age = delivery.sent_at.map(|sent_at| (self.clock)().since(sent_at)).unwrap_or_default();
        let pause = match &delivery.pointer {
            Ok(pointer) => self.follow(pointer, age, deadlines).await,
            Err(error) => {
                error!(message_id = delivery.message_id, %error, "retry message unreadable");
                self.outcomes.count_setback(&Setback::ForeignMessage(*error));
                Some(schedule::pause(age))
            }
        };
        if let Some(pause) = pause {
            let returning = self.retries.set_visibility(&delivery.receipt, pause);
            match timeout_at(deadlines.batch, returning).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!(message_id = delivery.message_id, %error, "visibility not set"),
                Err(_) => warn!(message_id = delivery.message_id, "visibility not set in time"),
            }
        }
        pause.is_none()
    }

    /// Tells of one attempt's outcome and logs the result; `false` where something is left to tell.
    async fn tell(&self, attempt_id: AttemptId, occasion: Occasion<'_>, deadlines: Deadlines) -> bool {
        let began = (self.clock)();
        let notifying = AssertUnwindSafe(self.outcomes.notify(attempt_id, occasion)).catch_unwind();
        let result = match timeout_at(deadlines.telling, notifying).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Setback::Panic.into()),
            Err(_) => Err(Setback::OutOfTime.into()),
        };
        let duration_ms = millis((self.clock)().since(began));
        match result {
            Ok(progress) => {
                if let Some(message_id) = &progress.to_check {
                    self.check_later(attempt_id, message_id, deadlines).await;
                }
                let (status, person) = (progress.status.as_str(), progress.message.as_str());
                let bot = if progress.bot_is_notified() { "told" } else { "pending" };
                if progress.complete {
                    info!(%attempt_id, status, person, bot, duration_ms, "notification complete");
                } else {
                    let error = progress.setbacks();
                    warn!(%attempt_id, status, person, bot, duration_ms, error, "notification incomplete, will retry");
                }
                progress.complete
            }
            Err(Stop::Skip(skip)) => {
                info!(%attempt_id, duration_ms, why = skip.label(), "notification skipped");
                true
            }
            // Most often after a kill; the retry queue asks again in seconds.
            Err(Stop::Setback(error @ Setback::Held)) => {
                info!(%attempt_id, duration_ms, %error, "notification incomplete, will retry");
                self.outcomes.count_setback(&error);
                false
            }
            Err(Stop::Setback(error)) => {
                error!(%attempt_id, duration_ms, %error, "notification failed, will retry");
                self.outcomes.count_setback(&error);
                false
            }
        }
    }
}
