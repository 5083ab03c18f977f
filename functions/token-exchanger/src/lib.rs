//! Exchanges authorization codes for tokens and stores them with the outcome.
//!
//! The batch loop is here: the messages of a batch are processed side by side, and none of them,
//! not even one that panics, fails another. A message is done when its attempt has an outcome;
//! until then it goes back to the queue. No code, token, verifier, secret, chat address, reference or
//! message body is ever logged.

mod attempt;
mod budget;
mod checkpoint;
mod config;
pub mod course;
mod delivery;
mod ending;
mod exchange;
mod holding;
pub mod message;
mod reference;
mod report;
mod resources;
mod retry;
mod revocation;
mod sealing;
mod setback;
mod storage;
mod tables;
mod trace;
mod work;

use std::panic::AssertUnwindSafe;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures::{FutureExt as _, future::join_all};
use shared::{
    Timestamp,
    aws::{SdkConfig, queue::NamelessMessage},
    process::Random,
    state::InvalidState,
    timestamp::Clock,
};
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, warn};

pub use crate::config::Config;
use crate::{
    budget::Budget,
    delivery::Delivery,
    ending::Ending,
    message::{Content, Forged, Message, Verifier},
    report::{Report, Returned, chain},
    resources::Resources,
    setback::{AT_ONCE, Setback},
    work::Work,
};

/// The AWS services that are asked at a cold start, one connection each, as [`shared::aws::Start`] names them.
pub const SERVICES: [&str; 3] = ["dynamodb", "kms", "secretsmanager"];

/// The function, ready for messages.
pub struct TokenExchanger(Resources);

impl TokenExchanger {
    /// The function; nothing is fetched or opened yet.
    #[must_use]
    pub fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Self {
        Self(Resources::new(config, aws, clock, random))
    }

    /// Fetches the secrets. Where that fails it is tried again when a message needs them, and
    /// the person is notified if that fails too.
    pub async fn warm_up(&self) {
        if let Err(error) = self.0.secrets.current((self.0.clock)()).await {
            warn!(error = chain(&error), "secrets not fetched");
        }
    }

    /// Processes a batch, all messages at once, and names those that are to be delivered again.
    ///
    /// # Errors
    /// [`NamelessMessage`], before anything is done.
    pub async fn handle(&self, batch: SqsEvent, deadline: Timestamp) -> Result<SqsBatchResponse, NamelessMessage> {
        let budget = Budget::new(Instant::now(), deadline.since((self.0.clock)()));
        let deliveries: Vec<_> = batch.records.into_iter().map(Delivery::parse).collect::<Result<_, _>>()?;
        let done =
            join_all(deliveries.iter().map(|delivery| self.process(delivery, budget).instrument(delivery.span())))
                .await;
        let mut response = SqsBatchResponse::default();
        for (delivery, done) in deliveries.into_iter().zip(done) {
            if !done {
                response.add_failure(delivery.message_id);
            }
        }
        Ok(response)
    }

    /// Processes one delivery. Returns whether its message is done and may be deleted.
    async fn process(&self, delivery: &Delivery, budget: Budget) -> bool {
        let began = Instant::now();
        let verified = AssertUnwindSafe(self.verify(delivery)).catch_unwind().await;
        let (verified, refused) = match verified.unwrap_or(Err(Setback::Panic)) {
            Ok(message) => (Some(message), None),
            Err(setback) => (None, Some(setback)),
        };
        let work = verified.as_ref().map(|message| Work::new(&self.0, message, delivery.receives, budget));
        let (work, unable) = match work.transpose() {
            Ok(work) => (work, None),
            Err(error) => (None, Some(error.into())),
        };
        let result = match (&work, refused.or(unable)) {
            (Some(work), None) => run(work, budget).await,
            (_, refused) => Err(refused.unwrap_or(Setback::OutOfTime)),
        };
        let mut returned = Returned::default();
        if let Err(setback) = &result {
            let returning = self.return_to_queue(delivery, work.as_ref(), setback);
            if let Ok(done) = timeout_at(budget.return_to_queue(), returning).await {
                returned = done;
            } else {
                let message_id = &delivery.message_id;
                warn!(message_id, "message not returned in time: it comes back after the queue's visibility timeout");
            }
        }
        let is_last_try = work.as_ref().is_some_and(Work::is_last);
        let (message, duration) = (verified.as_ref(), began.elapsed());
        let confirmed_at = work.as_ref().and_then(|work| work.confirmed_at.get().copied());
        let report = Report { delivery, message, confirmed_at, result: &result, duration, is_last_try, returned };
        report.log((self.0.clock)());
        report.measure(&self.0.config.meter, (self.0.clock)());
        result.is_ok()
    }

    /// Verifies a message's state. A key that the settings do not hold is fetched.
    async fn verify<'a>(&self, delivery: &'a Delivery) -> Result<Message<'a>, Setback> {
        let body = delivery.body.as_ref().map_err(|error| *error)?;
        let Resources { config, clock, .. } = &self.0;
        let with = |keys| {
            let (policy, login_urls, now) = (config.states.policy, &config.login_urls, clock());
            Verifier { keys, policy, login_urls, now }.verify(body)
        };
        let mut message = match with(&config.states.keys) {
            Err(Forged::State(InvalidState::UnknownKey)) => with(self.0.fetch_state_keys().await?)?,
            verified => verified?,
        };
        if message.is_unproven() {
            message.is_known_by(&self.0.tables.read_attempt(message.attempt_id).await?);
        }
        Ok(message)
    }

    /// Releases the attempt and sets when the message comes back. After the last try, or where the next one comes late, the
    /// person is notified of the delay.
    async fn return_to_queue(&self, delivery: &Delivery, work: Option<&Work<'_>>, setback: &Setback) -> Returned {
        let mut told_of_delay = false;
        let now = (self.0.clock)();
        let mut timeout = setback.visibility_timeout(delivery.receives, now);
        if let Some(work) = work {
            // No later than the code expires, so that the person is notified then.
            let time_left = work.message.code_time_left(now);
            if matches!(work.message.content, Content::Granted { .. }) && !time_left.is_zero() {
                timeout = timeout.min(time_left + AT_ONCE);
            }
            match work.release(setback, timeout, now).await {
                Ok(told) => {
                    told_of_delay = told;
                    // Only the dead-letter queue is left.
                    if told && work.is_last() {
                        timeout = AT_ONCE;
                    }
                }
                Err(error) => warn!(attempt_id = %work.attempt.id, error = chain(&error), "attempt not released"),
            }
        }
        if let Err(error) = self.0.queue.set_visibility(&delivery.receipt, timeout).await {
            let (message_id, error) = (&delivery.message_id, chain(&error));
            warn!(message_id, error, "visibility not set: the message comes back after the queue's visibility timeout");
            return Returned { back_in: None, told_of_delay };
        }
        Returned { back_in: Some(timeout), told_of_delay }
    }
}

/// Runs the work to its end, to a panic or to the end of its time.
async fn run(work: &Work<'_>, budget: Budget) -> Result<Ending, Setback> {
    match timeout_at(budget.work(), AssertUnwindSafe(work.run()).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Setback::Panic),
        Err(_) => Err(Setback::OutOfTime),
    }
}
