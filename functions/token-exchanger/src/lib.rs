//! Trades authorization codes for tokens and stores them with the outcome.
//!
//! The batch loop is here: each message of a batch goes its own way, and none of them, not even
//! one that panics, takes another with it. A message is done when its attempt has an outcome;
//! until then it goes back to the queue. No code, token, verifier, secret or chat address is ever
//! logged, and no body of a message.

mod attempt;
mod checkpoint;
mod config;
pub mod course;
mod queue;
mod retry;
mod setback;
mod tables;
mod trace;

use std::{cell::OnceCell, panic::AssertUnwindSafe, time::Duration};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures::{FutureExt as _, future::join_all};
use shared::{
    AuthorizationCode, Timestamp,
    attempt::ledger::{Attempt, Conflict, Guard, Lease, Unconnected},
    aws::{SdkConfig, kms::Kms, secrets::SecretStore},
    exchange::{Consent, DenialError, ExchangeMessage, InvalidMessage},
    metrics::Metric,
    salesforce::Salesforce,
    timestamp::{Clock, millis},
};
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, Span, error, info, info_span, warn};

pub use crate::config::Config;
use crate::{
    attempt::{Ending, life_left},
    queue::ExchangeQueue,
    setback::Setback,
    tables::Tables,
};

/// The AWS services that a start asks, one connection each, as [`shared::aws::Start`] names them.
pub const SERVICES: [&str; 3] = ["dynamodb", "kms", "secretsmanager"];

/// What the work on a message must leave for giving it back.
const GIVE_BACK_RESERVE: Duration = Duration::from_secs(2);
/// What giving back must leave for the answer to Lambda.
const ANSWER_RESERVE: Duration = Duration::from_millis(300);

/// The function, ready for messages.
pub struct TokenExchanger {
    config: Config,
    secrets: SecretStore,
    kms: Kms,
    salesforce: Salesforce,
    tables: Tables,
    queue: ExchangeQueue,
    clock: Clock,
}

/// The function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no HTTP client, mostly for want of root certificates.
    #[error("no HTTP client")]
    Http(#[from] reqwest::Error),
}

/// A message that cannot be named cannot fail alone, and must not be acknowledged: the whole
/// batch comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of the batch has no id or no receipt handle")]
pub struct NamelessMessage;

/// One receive of one message.
struct Delivery {
    message_id: String,
    receipt: String,
    receives: u32,
    trace_id: Option<String>,
    message: Result<ExchangeMessage, InvalidMessage>,
}

impl Delivery {
    fn read(message: SqsMessage) -> Result<Self, NamelessMessage> {
        let named = |text: Option<String>| text.filter(|text| !text.is_empty()).ok_or(NamelessMessage);
        Ok(Self {
            message_id: named(message.message_id)?,
            receipt: named(message.receipt_handle)?,
            receives: message
                .attributes
                .get("ApproximateReceiveCount")
                .and_then(|count| count.parse().ok())
                .unwrap_or(1),
            trace_id: message
                .attributes
                .get("AWSTraceHeader")
                .and_then(|header| trace::root(header))
                .map(str::to_owned),
            message: ExchangeMessage::from_body(message.body.as_deref().unwrap_or_default()),
        })
    }

    /// Around the work on it: each message of a batch has a trace of its own, the callback's.
    fn span(&self) -> Span {
        info_span!("delivery", trace_id = self.trace_id)
    }

    fn attempt<'a>(&self, message: &'a ExchangeMessage) -> Attempt<'a> {
        let code_sha256 = match &message.consent {
            Consent::Granted { code, .. } => Some(AuthorizationCode::sha256(code)),
            Consent::Traded { code_sha256, .. } => Some(code_sha256.clone()),
            Consent::Denied { .. } => None,
        };
        Attempt {
            id: message.attempt_id,
            wa_id: &message.wa_id,
            login_url: &message.login_url,
            code_sha256,
            receives: self.receives,
            received_at: message.received_at,
        }
    }
}

impl TokenExchanger {
    /// The function; nothing is fetched or opened yet.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(config: Config, aws: &SdkConfig, clock: Clock) -> Result<Self, StartError> {
        Ok(Self {
            secrets: SecretStore::new(aws, config.sources()),
            kms: Kms::new(aws),
            salesforce: Salesforce::new(config.roots)?,
            tables: Tables::new(aws, config.attempt_table.clone(), config.token_table.clone()),
            queue: ExchangeQueue::new(aws, config.queue_url.clone()),
            config,
            clock,
        })
    }

    /// Fetches the secrets. What fails is tried again when a message needs it, and the person then hears of it.
    pub async fn warm_up(&self) {
        if let Err(error) = self.secrets.current((self.clock)()).await {
            warn!(error = %error, "secrets not fetched");
        }
    }

    /// Works on a batch, all messages at once, and names those that are to come back.
    ///
    /// # Errors
    /// [`NamelessMessage`], before anything is done.
    pub async fn handle(&self, batch: SqsEvent, deadline: Timestamp) -> Result<SqsBatchResponse, NamelessMessage> {
        let deadline = Instant::now() + deadline.since((self.clock)());
        let deliveries: Vec<_> = batch.records.into_iter().map(Delivery::read).collect::<Result<_, _>>()?;
        let done =
            join_all(deliveries.iter().map(|delivery| self.meet(delivery, deadline).instrument(delivery.span()))).await;
        let mut response = SqsBatchResponse::default();
        for (delivery, done) in deliveries.into_iter().zip(done) {
            if !done {
                response.add_failure(delivery.message_id);
            }
        }
        Ok(response)
    }

    /// Meets one delivery. Is its message done?
    async fn meet(&self, delivery: &Delivery, deadline: Instant) -> bool {
        let began = Instant::now();
        // Outside the work, so that it survives a panic and the end of the time.
        let held = OnceCell::new();
        let until = deadline - GIVE_BACK_RESERVE;
        let work = AssertUnwindSafe(self.work(delivery, &held, until)).catch_unwind();
        let result = match timeout_at(until, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Setback::Panic),
            Err(_) => Err(Setback::OutOfTime),
        };
        if let Err(setback) = &result {
            let back = self.give_back(delivery, setback, held.get());
            if timeout_at(deadline - ANSWER_RESERVE, back).await.is_err() {
                warn!(message_id = delivery.message_id, "message not given back in time");
            }
        }
        self.log(delivery, &result, began.elapsed());
        self.measure(delivery, &result);
        result.is_ok()
    }

    async fn work(&self, delivery: &Delivery, held: &OnceCell<Lease>, until: Instant) -> Result<Ending, Setback> {
        let message = delivery.message.as_ref().map_err(|error| *error)?;
        let attempt = delivery.attempt(message);
        let given_up = delivery.receives > self.config.max_tries;
        match &message.consent {
            Consent::Denied { error } => self.deny(&attempt, error).await,
            Consent::Granted { code, pkce } => {
                let consent = attempt::Consent { code, pkce: *pkce, received_at: message.received_at };
                if given_up && !consent.is_dead((self.clock)()) {
                    return self.give_up(&attempt, false).await;
                }
                self.connect(&attempt, &consent, held, until).await
            }
            Consent::Traded { .. } if given_up => self.give_up(&attempt, true).await,
            Consent::Traded { sealed, .. } => self.connect_traded(&attempt, sealed, until).await,
        }
    }

    /// Sees to it that the message can be taken up again, and when; after its last try, that the
    /// person hears of it.
    async fn give_back(&self, delivery: &Delivery, setback: &Setback, lease: Option<&Lease>) {
        let now = (self.clock)();
        let is_last = delivery.receives >= self.config.max_tries;
        let mut told = false;
        if let Ok(message) = &delivery.message {
            let attempt = delivery.attempt(message);
            let written = match (setback.delay_reason(), lease) {
                (Some(reason), lease) if is_last => {
                    let guard = lease.map_or(Guard::Claimable, Guard::Lease);
                    let delayed = Unconnected::Delayed { reason };
                    let obstacle = self.tables.finish(&attempt, &delayed, guard, now).await;
                    obstacle.map(|obstacle| told = !matches!(obstacle, Some(Conflict::Held { .. })))
                }
                (_, Some(lease)) => self.tables.release(attempt.id, lease, now).await,
                (_, None) => Ok(()),
            };
            if let Err(error) = written {
                warn!(attempt_id = %attempt.id, error = %error, "attempt not given back");
            }
        }
        let mut pause = setback.pause(delivery.receives, told, now);
        if let Ok(message) = &delivery.message {
            // No later than the code's end, so that the person hears of it then.
            let life = life_left(message.received_at, now);
            if matches!(message.consent, Consent::Granted { .. }) && !life.is_zero() {
                pause = pause.min(life + Duration::from_secs(1));
            }
        }
        if let Err(error) = self.queue.hide(&delivery.receipt, pause).await {
            warn!(message_id = delivery.message_id, error = %error, "message comes back by the queue's own schedule");
        }
    }

    /// The one line about a delivery.
    fn log(&self, delivery: &Delivery, outcome: &Result<Ending, Setback>, duration: Duration) {
        let Delivery { message_id, receives, message, .. } = delivery;
        let (result, duration_ms) = (word(delivery, outcome), millis(duration));
        let Ok(ExchangeMessage { attempt_id, received_at, .. }) = message else {
            error!(message_id, result, receives, duration_ms, "message not readable");
            return;
        };
        let code_age_ms = millis((self.clock)().since(*received_at));
        match outcome {
            Ok(Ending::Connected { renewed }) => {
                info!(%attempt_id, result, renewed, receives, code_age_ms, duration_ms, "attempt over");
            }
            Ok(Ending::Checkpointed { cause }) => {
                let error = causes(cause);
                warn!(
                    %attempt_id, result, error, receives, code_age_ms, duration_ms,
                    "tokens put back on the queue",
                );
            }
            Ok(Ending::Duplicate) => {
                info!(%attempt_id, result, receives, code_age_ms, duration_ms, "attempt over before");
            }
            Ok(Ending::Failed(failure)) => {
                let reason = failure.reason.as_str();
                let salesforce_error = failure.oauth_error().map(DenialError::as_str);
                let error = failure.cause.as_ref().map(|error| causes(error));
                info!(
                    %attempt_id, result, reason, salesforce_error, error, receives, code_age_ms, duration_ms,
                    "attempt over",
                );
            }
            Err(setback) => {
                let class = setback.word();
                let salesforce_error = match setback {
                    Setback::Exchange(error) => error.oauth_error().map(DenialError::as_str),
                    _ => None,
                };
                let error = causes(setback);
                let is_last = *receives >= self.config.max_tries;
                warn!(
                    %attempt_id, result, class, salesforce_error, error, is_last, receives, code_age_ms,
                    duration_ms, "attempt not over",
                );
            }
        }
    }

    fn measure(&self, delivery: &Delivery, result: &Result<Ending, Setback>) {
        let (meter, now) = (&self.config.meter, (self.clock)());
        meter.count(now, Metric::Exchanges, &[("Result", word(delivery, result))]);
        match (result, &delivery.message) {
            (Ok(Ending::Connected { .. }), Ok(message)) => {
                meter.time(now, Metric::TimeToConnected, now.since(message.received_at));
            }
            (Ok(Ending::Checkpointed { .. }), _) => meter.count(now, Metric::Setbacks, &[("Class", "not_stored")]),
            (Ok(Ending::Failed(failure)), _) => {
                meter.count(now, Metric::Failures, &[("Reason", failure.reason.as_str())]);
            }
            (Err(setback), _) => meter.count(now, Metric::Setbacks, &[("Class", setback.word())]),
            _ => {}
        }
    }
}

/// What a delivery came to, in one word for logs and metrics.
fn word(delivery: &Delivery, result: &Result<Ending, Setback>) -> &'static str {
    match result {
        Ok(Ending::Connected { .. }) => "connected",
        Ok(Ending::Checkpointed { .. }) => "checkpointed",
        Ok(Ending::Duplicate) => "duplicate",
        Ok(Ending::Failed(_)) => "failed",
        Err(_) if delivery.message.is_err() => "unreadable",
        Err(_) => "returned",
    }
}

/// The error and what is behind it. None of ours quotes a secret or an address.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_events_are_understood() {
        for (name, denied) in [("exchange-sqs", false), ("exchange-denied-sqs", true)] {
            let path = format!("{}/../../events/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let batch: SqsEvent = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let deliveries: Vec<_> = batch.records.into_iter().map(|record| Delivery::read(record).unwrap()).collect();
            assert_eq!(deliveries.len(), 1);
            let message = deliveries[0].message.as_ref().unwrap();
            assert_eq!(matches!(message.consent, Consent::Denied { .. }), denied, "{name}");
        }
    }
}
