//! Keeps connections alive: goes through the token table, refreshes what grows old, and does for a connection what could not be
//! done when it was due.
//!
//! The batch loop is here: the messages of a batch are processed side by side, and none of them, not even one that panics, fails
//! another. No token, secret, chat address or message body is ever logged.

mod config;
mod delivery;
mod ending;
mod outbox;
mod report;
mod resources;
mod schedule;
mod setback;
mod sweep;
mod table;

use std::{panic::AssertUnwindSafe, time::Duration};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures::{FutureExt as _, future::join_all};
use shared::{
    Timestamp,
    aws::{SdkConfig, queue::NamelessMessage},
    custody::{TokenCustody, upkeep::Upkeep},
    logging::chain,
    process::Random,
    timestamp::Clock,
};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

pub use crate::config::Config;
use crate::{delivery::Delivery, ending::Ending, report::Report, resources::Resources, setback::Setback};

/// The AWS services that connections are opened to at the start, as [`shared::aws::Start`] names them. Each message reads a row
/// first. A refresh opens its own: it waits for Salesforce much longer, and nobody waits for it.
pub const SERVICES: [&str; 1] = ["dynamodb"];

/// For returning a message to the queue, and for all that follows.
const RETURN_RESERVE: Duration = Duration::from_secs(3);
/// For the end of a refresh within its own time: it is never cut off, because it may hold the only token that works.
const WORK_RESERVE: Duration = Duration::from_secs(2);
/// For the response to Lambda.
const RESPONSE_RESERVE: Duration = Duration::from_millis(500);

/// The function, ready for messages.
pub struct TokenRefresher(Resources);

/// By when the parts of an invocation must be done.
#[derive(Clone, Copy)]
struct Deadlines {
    custody: Instant,
    work: Instant,
    return_to_queue: Instant,
}

impl Deadlines {
    /// The deadlines of an invocation that has so much time left.
    fn new(time_left: Duration) -> Self {
        let leaving = |reserve| Instant::now() + time_left.saturating_sub(reserve);
        Self {
            custody: leaving(RETURN_RESERVE + WORK_RESERVE),
            work: leaving(RETURN_RESERVE),
            return_to_queue: leaving(RESPONSE_RESERVE),
        }
    }
}

impl TokenRefresher {
    /// The function; nothing is fetched or opened yet.
    #[must_use]
    pub fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Self {
        Self(Resources::new(config, aws, clock, random))
    }

    /// Processes a batch, all messages at once, and names those that are to be delivered again.
    ///
    /// # Errors
    /// [`NamelessMessage`], before anything is done.
    pub async fn handle(&self, batch: SqsEvent, deadline: Timestamp) -> Result<SqsBatchResponse, NamelessMessage> {
        let deadlines = Deadlines::new(deadline.since(self.0.now()));
        let deliveries: Vec<_> = batch.records.into_iter().map(Delivery::parse).collect::<Result<_, _>>()?;
        let done = join_all(deliveries.iter().map(|delivery| self.process(delivery, deadlines))).await;
        let mut response = SqsBatchResponse::default();
        for (delivery, done) in deliveries.into_iter().zip(done) {
            if !done {
                response.add_failure(delivery.message_id);
            }
        }
        Ok(response)
    }

    /// Processes one delivery. Returns whether its message may be deleted.
    async fn process(&self, delivery: &Delivery, deadlines: Deadlines) -> bool {
        let began = Instant::now();
        let result = self.run(delivery, deadlines).await;
        let message = delivery.message.as_ref().ok();
        let is_for_the_sweep =
            message.is_some_and(|message| schedule::is_left_to_the_sweep(message, delivery.receives));
        let is_done = result.is_ok() || is_for_the_sweep;
        let back_in = match &result {
            Err(setback) if !is_done => self.return_to_queue(delivery, setback, deadlines).await,
            _ => None,
        };
        let report = Report { delivery, result: &result, is_done, back_in, duration: began.elapsed() };
        report.log();
        report.measure(&self.0.custody.config().meter, self.0.now());
        is_done
    }

    /// Does what a message asks for, to its end, to a panic or to the end of the time.
    async fn run(&self, delivery: &Delivery, deadlines: Deadlines) -> Result<Ending, Setback> {
        if schedule::is_given_up(delivery.message.as_ref().ok(), delivery.receives) {
            return Err(Setback::GivenUp);
        }
        let message = delivery.message.as_ref().map_err(|error| *error)?;
        match timeout_at(deadlines.work, AssertUnwindSafe(self.perform(message, deadlines.custody)).catch_unwind())
            .await
        {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Setback::Panic),
            Err(_) => Err(Setback::OutOfTime),
        }
    }

    async fn perform(&self, message: &Upkeep, deadline: Instant) -> Result<Ending, Setback> {
        let Resources { custody, keep_alive, .. } = &self.0;
        let is_bots = custody.config().custody == TokenCustody::Bot;
        match message {
            Upkeep::Sweep | Upkeep::Page(_) | Upkeep::Refresh { .. } if is_bots => Ok(Ending::BotCustody),
            Upkeep::Sweep => sweep::begin(&self.0).await,
            Upkeep::Page(page) => sweep::read(&self.0, page).await,
            Upkeep::Refresh { wa_id } => {
                let kept_alive = custody.keep_alive(wa_id, *keep_alive, deadline).await;
                kept_alive.map(Ending::KeptAlive).map_err(Setback::NotRefreshed)
            }
            Upkeep::Store { wa_id, tokens } => {
                custody.store_sealed(wa_id, tokens).await.map(Ending::Stored).map_err(Setback::NotStored)
            }
            Upkeep::Decide(message) => {
                let sent = self.0.exchange_queue.send(message.to_body(), Duration::ZERO).await;
                sent.map(|()| Ending::Decided).map_err(Setback::NotDecided)
            }
            Upkeep::Revoke(revoke) => {
                custody.revoke(revoke, deadline).await.map(Ending::Revoked).map_err(Setback::NotRevoked)
            }
        }
    }

    /// Sets when the message comes back; `None` where that fails, and the queue's own time holds.
    async fn return_to_queue(&self, delivery: &Delivery, setback: &Setback, deadlines: Deadlines) -> Option<Duration> {
        let scheduled = schedule::visibility_timeout(delivery.message.as_ref().ok(), delivery.receives);
        let timeout = scheduled.max(setback.pause());
        let message_id = &delivery.message_id;
        let returning = self.0.queue.set_visibility(&delivery.receipt, timeout);
        match timeout_at(deadlines.return_to_queue, returning).await {
            Ok(Ok(())) => return Some(timeout),
            Ok(Err(error)) => warn!(message_id, error = chain(&error), "visibility not set"),
            Err(_) => warn!(message_id, "visibility not set in time"),
        }
        None
    }
}
