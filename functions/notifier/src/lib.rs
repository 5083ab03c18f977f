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
    notify::{Occasion, OutcomeNotifier, Skip, Stop},
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

/// What is left to do about an attempt's outcome.
#[derive(Clone, Copy, Default)]
struct Left {
    untold: bool,
    /// When to ask what became of the message.
    ask_after: Option<Duration>,
}

impl Left {
    const UNTOLD: Self = Self { untold: true, ask_after: None };

    /// When its pointer comes back, where its next try comes after this pause; `None` where nothing is left.
    fn pause(self, retry: Duration) -> Option<Duration> {
        let retry = self.untold.then_some(retry);
        retry.into_iter().chain(self.ask_after).min()
    }
}

impl Notifier {
    /// A notifier; nothing is fetched yet.
    #[must_use]
    pub fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Self {
        let retries = Queue::new(aws, config.retry_queue_url.clone());
        Self { outcomes: OutcomeNotifier::new(config, aws, clock, random), retries, clock }
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
        let left = match &record.outcome {
            Ok(key) => self.tell(key.attempt_id, Occasion::Record(key), deadlines).await,
            Err(error) => {
                error!(event_id = record.event_id, %error, "stream record unreadable, set aside");
                self.outcomes.count_setback(&Setback::Unreadable(*error));
                Left::UNTOLD
            }
        };
        match (record.attempt_id, left.pause(schedule::FIRST)) {
            // Of an item that cannot be read too: a later version may have written it, and be able to tell it.
            (Some(attempt_id), Some(pause)) => self.hand_over(attempt_id, left, pause, deadlines).await,
            _ => true,
        }
    }

    /// Puts a pointer on the retry queue, to be delivered after this pause; `false` where it must not be lost and is not there.
    async fn hand_over(&self, attempt_id: AttemptId, left: Left, pause: Duration, deadlines: Deadlines) -> bool {
        let sending = self.retries.send(Pointer { attempt_id }.to_body(), pause);
        let sent = timeout_at(deadlines.batch, sending).await;
        let Err(setback) = sent.map_or(Err(Setback::OutOfTime), |sent| sent.map_err(Setback::RetryQueue)) else {
            return true;
        };
        if left.untold {
            error!(%attempt_id, error = %setback, "notification not handed over to the retry queue, the stream will retry");
            self.outcomes.count_setback(&setback);
        } else {
            warn!(%attempt_id, error = %setback, "nobody will ask what became of the message");
        }
        !left.untold
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

    /// Does what a pointer is about, which is so old; the pause until it comes back, where something is left to do.
    async fn follow(&self, pointer: Pointer, age: Duration, deadlines: Deadlines) -> Option<Duration> {
        let left = self.tell(pointer.attempt_id, Occasion::Pointer(age), deadlines).await;
        if left.untold {
            self.outcomes.measure_untold(age);
        }
        left.pause(schedule::pause(age))
    }

    /// Does what a message of the retry queue is about; `false` where it comes back.
    async fn process_delivery(&self, delivery: &Delivery, deadlines: Deadlines) -> bool {
        let age = delivery.sent_at.map(|sent_at| (self.clock)().since(sent_at)).unwrap_or_default();
        let pause = match &delivery.pointer {
            Ok(pointer) => self.follow(*pointer, age, deadlines).await,
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

    /// Tells of one attempt's outcome and logs the result.
    async fn tell(&self, attempt_id: AttemptId, occasion: Occasion<'_>, deadlines: Deadlines) -> Left {
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
                let (status, person) = (progress.status.as_str(), progress.message.as_str());
                let bot = if progress.bot_is_notified() { "told" } else { "pending" };
                if progress.complete {
                    info!(%attempt_id, status, person, bot, duration_ms, "notification complete");
                } else {
                    let error = progress.setbacks();
                    warn!(%attempt_id, status, person, bot, duration_ms, error, "notification incomplete, will retry");
                }
                Left { untold: !progress.complete, ask_after: progress.ask_after }
            }
            Err(Stop::Skip(skip)) => {
                info!(%attempt_id, duration_ms, why = skip.label(), "notification skipped");
                let ask_after = if let Skip::OnItsWay(pause) = skip { Some(pause) } else { None };
                Left { untold: false, ask_after }
            }
            // Most often after a kill; the retry queue asks again in seconds.
            Err(Stop::Setback(error @ Setback::Held)) => {
                info!(%attempt_id, duration_ms, %error, "notification incomplete, will retry");
                self.outcomes.count_setback(&error);
                Left::UNTOLD
            }
            Err(Stop::Setback(error)) => {
                error!(%attempt_id, duration_ms, %error, "notification failed, will retry");
                self.outcomes.count_setback(&error);
                Left::UNTOLD
            }
        }
    }
}
