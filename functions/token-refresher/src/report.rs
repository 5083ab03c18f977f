//! The result of a delivery: its one log line, and its metrics. Neither names a chat.

use std::time::Duration;

use shared::{
    Timestamp,
    custody::upkeep::Upkeep,
    logging::chain,
    metrics::{Meter, Metric},
    timestamp::millis,
};
use tracing::{error, info, warn};

use crate::{
    delivery::Delivery,
    ending::{Ending, Swept},
    setback::Setback,
};

/// A delivery and its result.
pub(crate) struct Report<'a> {
    pub(crate) delivery: &'a Delivery,
    pub(crate) result: &'a Result<Ending, Setback>,
    /// Whether the message is deleted: with a setback, because the row is the record of what is left to do.
    pub(crate) is_done: bool,
    /// When it comes back; the queue's own time where none could be set.
    pub(crate) back_in: Option<Duration>,
    pub(crate) duration: Duration,
}

impl Report<'_> {
    /// The one line about a delivery.
    pub(crate) fn log(&self) {
        let Delivery { message_id, receives, message, .. } = self.delivery;
        let (kind, duration_ms) = (message.as_ref().map_or("unreadable", Upkeep::label), millis(self.duration));
        match self.result {
            Ok(Ending::Begun { segments, pause }) => {
                let pause_s = pause.as_secs();
                info!(message_id, segments, pause_s, duration_ms, "sweep begun");
            }
            Ok(Ending::Swept(swept)) => log_page(swept, duration_ms, "sweep page read"),
            Ok(Ending::Finished(swept)) => log_page(swept, duration_ms, "sweep segment finished"),
            Ok(ending) => {
                let result = ending.label();
                info!(message_id, kind, result, receives, duration_ms, "upkeep done");
            }
            Err(setback) => {
                let (error, class) = (chain(setback), setback.label());
                let back_in_s = self.back_in.map(|back_in| back_in.as_secs());
                match setback {
                    Setback::Unreadable(_) => {
                        error!(message_id, class, error, back_in_s, receives, duration_ms, "upkeep message unreadable");
                    }
                    // It comes back every two seconds until it is a dead letter.
                    Setback::GivenUp => {
                        info!(message_id, kind, class, next = "dead_letter_queue", receives, "upkeep given up");
                    }
                    _ if self.is_done => {
                        let next = "sweep";
                        warn!(message_id, kind, class, error, next, receives, duration_ms, "upkeep given up for now");
                    }
                    _ => {
                        let text = "upkeep message returned to the queue";
                        warn!(message_id, kind, class, error, back_in_s, receives, duration_ms, "{text}");
                    }
                }
            }
        }
    }

    /// The metrics of a delivery.
    pub(crate) fn measure(&self, meter: &Meter, now: Timestamp) {
        match self.result {
            Ok(Ending::Swept(swept)) => measure_page(swept, meter, now),
            Ok(Ending::Finished(swept)) => {
                measure_page(swept, meter, now);
                meter.count(now, Metric::SweepFinished, &[]);
            }
            Ok(_) | Err(Setback::GivenUp) => {}
            Err(setback) => {
                meter.count(now, Metric::Setbacks, &[("Class", setback.label())]);
                if self.is_done {
                    meter.count(now, Metric::Setbacks, &[("Class", "refresh_given_up")]);
                }
            }
        }
    }
}

fn log_page(swept: &Swept, duration_ms: u64, text: &str) {
    let Swept { segment, segments, rows, due, sealed, unsealed, foreign, oldest } = swept;
    let oldest_h = oldest.map(|oldest| oldest.as_secs() / 3_600);
    info!(segment, segments, rows, due, sealed, unsealed, foreign, oldest_h, duration_ms, "{text}");
}

fn measure_page(swept: &Swept, meter: &Meter, now: Timestamp) {
    if let Some(oldest) = swept.oldest {
        meter.time(now, Metric::OldestUnrefreshedAge, oldest);
    }
    if swept.unsealed > 0 {
        meter.count(now, Metric::Setbacks, &[("Class", "not_sealed")]);
    }
}
