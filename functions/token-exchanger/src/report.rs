//! The result of a delivery: its one log line, and its metrics.

use std::time::Duration;

pub(crate) use shared::logging::chain;
use shared::{
    AttemptId, LinkId, Timestamp,
    exchange::DenialError,
    metrics::{Meter, Metric},
    timestamp::millis,
};
use tracing::{error, info, warn};

use crate::{
    delivery::Delivery,
    ending::{Ending, Failure},
    message::{Content, Message},
    setback::Setback,
};

/// A delivery and its result.
pub(crate) struct Report<'a> {
    pub(crate) delivery: &'a Delivery,
    /// `None` where it is unreadable or not verified.
    pub(crate) message: Option<&'a Message<'a>>,
    /// When the chat confirmed the login, where it had to.
    pub(crate) confirmed_at: Option<Timestamp>,
    pub(crate) result: &'a Result<Ending, Setback>,
    pub(crate) duration: Duration,
    pub(crate) is_last_try: bool,
    pub(crate) returned: Returned,
}

/// How a message went back to the queue.
#[derive(Clone, Copy, Default)]
pub(crate) struct Returned {
    /// When it comes back; the queue's own time where none could be set.
    pub(crate) back_in: Option<Duration>,
    /// Whether the person has been notified of the delay, or will be.
    pub(crate) told_of_delay: bool,
}

/// The log fields of every delivery whose message could be read.
struct Fields {
    attempt_id: AttemptId,
    link_id: Option<LinkId>,
    result: &'static str,
    receives: u32,
    code_age_ms: u64,
    duration_ms: u64,
}

impl Report<'_> {
    /// The one line about a delivery.
    pub(crate) fn log(&self, now: Timestamp) {
        let Delivery { message_id, receives, .. } = self.delivery;
        let (receives, result, duration_ms) = (*receives, self.label(), millis(self.duration));
        let Some(message) = self.message else {
            let Err(setback) = self.result else { return };
            let (error, class, next) = (chain(setback), setback.label(), self.next(setback));
            let back_in_s = self.returned.back_in_s();
            match setback {
                Setback::Unreadable(_) => {
                    error!(
                        message_id,
                        result, class, error, next, back_in_s, receives, duration_ms, "message unreadable"
                    );
                }
                Setback::Forged(_) => {
                    error!(
                        message_id,
                        result, class, error, next, back_in_s, receives, duration_ms, "message not verified"
                    );
                }
                _ => {
                    let text = "message returned to the queue";
                    warn!(message_id, result, class, error, next, back_in_s, receives, duration_ms, "{text}");
                }
            }
            return;
        };
        let code_age_ms = millis(now.since(message.received_at));
        let fields = Fields {
            attempt_id: message.attempt_id,
            link_id: message.link_id,
            result,
            receives,
            code_age_ms,
            duration_ms,
        };
        match self.result {
            Ok(ending) => fields.log_ending(ending),
            Err(setback) => fields.log_setback(setback, self.next(setback), self.returned),
        }
    }

    /// What the queue does with the message next.
    fn next(&self, setback: &Setback) -> &'static str {
        if self.is_last_try || setback.is_hopeless() { "dead_letter_queue" } else { "retry" }
    }

    /// The metrics of a delivery.
    pub(crate) fn measure(&self, meter: &Meter, now: Timestamp) {
        meter.count(now, Metric::Exchanges, &[("Result", self.label())]);
        let has_ended = match (self.message.map(|message| &message.content), self.result) {
            (None | Some(Content::Revoke { .. }), _) => false,
            (Some(_), Ok(Ending::Connected { .. } | Ending::Failed(_))) => true,
            // The message that comes when the time for a confirmation is over finds most logins ended.
            (Some(content), Ok(Ending::Duplicate)) => !matches!(content, Content::Decided { .. }),
            _ => false,
        };
        if has_ended {
            meter.count(now, Metric::Logins, &[("Step", "ended")]);
        }
        if let Some(message @ Message { content: Content::Granted { .. }, .. }) = self.message
            && !message.code_has_expired(now)
        {
            meter.time(now, Metric::CodeAge, now.since(message.received_at));
        }
        match (self.result, self.message) {
            (Ok(Ending::Connected { .. }), Some(message)) => {
                // A person's own time is none of the stack's.
                let began_at = self.confirmed_at.unwrap_or(message.received_at);
                meter.time(now, Metric::TimeToConnected, now.since(began_at));
            }
            (Ok(Ending::Checkpointed { .. }), _) => meter.count(now, Metric::Setbacks, &[("Class", "not_stored")]),
            (Ok(Ending::Failed(failure)), _) => {
                meter.count(now, Metric::Failures, &[("Reason", failure.reason.as_str())]);
                if let Some(class) = failure.class {
                    meter.count(now, Metric::Setbacks, &[("Class", class)]);
                }
            }
            (Err(setback), _) => meter.count(now, Metric::Setbacks, &[("Class", setback.label())]),
            _ => {}
        }
    }

    /// The result in logs and metrics.
    fn label(&self) -> &'static str {
        match self.result {
            Ok(Ending::Connected { .. }) => "connected",
            Ok(Ending::Checkpointed { .. }) => "checkpointed",
            Ok(Ending::Held) => "held_for_confirmation",
            Ok(Ending::Duplicate) => "duplicate",
            Ok(Ending::Failed(_)) => "failed",
            Ok(Ending::Revoked) => "revoked",
            Ok(Ending::HandedOver) => "handed_over",
            Err(Setback::Unreadable(_)) => "unreadable",
            Err(Setback::Forged(_)) => "forged",
            Err(_) => "returned",
        }
    }
}

impl Fields {
    fn log_ending(&self, ending: &Ending) {
        let Self { attempt_id, link_id, result, receives, code_age_ms, duration_ms } = *self;
        let link_id = link_id.map(tracing::field::display);
        match ending {
            Ending::Connected { renewed } => {
                info!(%attempt_id, link_id, result, renewed, receives, code_age_ms, duration_ms, "attempt finished");
            }
            Ending::Checkpointed { cause } => {
                let (error, class) = (chain(cause), cause.label());
                warn!(
                    %attempt_id, link_id, result, class, error, next = "store", receives, code_age_ms, duration_ms,
                    "tokens put back on the queue",
                );
            }
            Ending::Held => {
                info!(%attempt_id, link_id, result, receives, code_age_ms, duration_ms, "tokens held for confirmation");
            }
            Ending::Revoked => {
                info!(%attempt_id, link_id, result, receives, duration_ms, "tokens revoked at Salesforce");
            }
            Ending::HandedOver => {
                let text = "revocation handed to the upkeep queue";
                info!(%attempt_id, link_id, result, receives, duration_ms, "{text}");
            }
            Ending::Duplicate => {
                info!(%attempt_id, link_id, result, receives, code_age_ms, duration_ms, "duplicate delivery ignored");
            }
            Ending::Failed(failure) => {
                let reason = failure.reason.as_str();
                let salesforce_error = failure.salesforce_error.as_ref().map(DenialError::as_str);
                let Failure { last_error: error, class, answer, .. } = failure;
                let class = class.or(*answer);
                info!(
                    %attempt_id, link_id, result, reason, class, salesforce_error, error, receives, code_age_ms, duration_ms,
                    "attempt finished",
                );
            }
        }
    }

    fn log_setback(&self, setback: &Setback, next: &str, returned: Returned) {
        let Self { attempt_id, link_id, result, receives, code_age_ms, duration_ms } = *self;
        let link_id = link_id.map(tracing::field::display);
        let class = setback.label();
        let salesforce_error = match setback {
            Setback::Exchange(error) => error.oauth_error().map(DenialError::as_str),
            _ => None,
        };
        let error = chain(setback);
        let (back_in_s, told_of_delay) = (returned.back_in_s(), returned.told_of_delay);
        warn!(
            %attempt_id, link_id, result, class, salesforce_error, error, next, back_in_s, told_of_delay, receives,
            code_age_ms, duration_ms, "attempt returned to the queue",
        );
    }
}

impl Returned {
    fn back_in_s(self) -> Option<u64> {
        self.back_in.map(|back_in| back_in.as_secs())
    }
}
