//! One receive of one message, as Lambda delivers it.

use aws_lambda_events::sqs::SqsMessage;
use shared::{
    aws::queue::{NamelessMessage, Receive},
    exchange::{Body, InvalidMessage},
};
use tracing::{Span, info_span};

use crate::trace;

/// One receive of one message.
pub(crate) struct Delivery {
    pub(crate) message_id: String,
    pub(crate) receipt: String,
    pub(crate) receives: u32,
    trace_id: Option<String>,
    pub(crate) body: Result<Body, InvalidMessage>,
}

impl Delivery {
    /// Parses a record of the batch. A body that cannot be read is kept as an error, because the message
    /// fails alone then.
    pub(crate) fn parse(message: SqsMessage) -> Result<Self, NamelessMessage> {
        let Receive { message_id, receipt } = Receive::parse(message.message_id, message.receipt_handle)?;
        Ok(Self {
            message_id,
            receipt,
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
            body: Body::parse(message.body.as_deref().unwrap_or_default()),
        })
    }

    /// The span of the work on it: each message of a batch has a trace of its own, the callback's.
    pub(crate) fn span(&self) -> Span {
        info_span!("delivery", trace_id = self.trace_id)
    }
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::sqs::SqsEvent;
    use shared::exchange::Consent;

    use super::*;

    #[test]
    fn the_sample_events_are_understood() {
        for (name, denied) in [("exchange-sqs", false), ("exchange-denied-sqs", true)] {
            let path = format!("{}/../../events/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let batch: SqsEvent = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let deliveries: Vec<_> = batch.records.into_iter().map(|record| Delivery::parse(record).unwrap()).collect();
            assert_eq!(deliveries.len(), 1);
            let Body::Current(message) = deliveries[0].body.as_ref().unwrap() else { panic!("an older version") };
            assert_eq!(matches!(message.consent, Consent::Denied(_)), denied, "{name}");
        }
    }
}
