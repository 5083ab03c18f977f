//! One receive of one message of the retry queue, as Lambda delivers it.

use aws_lambda_events::sqs::SqsMessage;
use shared::{
    Timestamp,
    aws::queue::{NamelessMessage, Receive},
};

use crate::pointer::{InvalidPointer, Pointer};

/// One receive of one message.
pub(crate) struct Delivery {
    pub(crate) message_id: String,
    pub(crate) receipt: String,
    /// When it was put on the queue; a redrive puts it there anew.
    pub(crate) sent_at: Option<Timestamp>,
    pub(crate) pointer: Result<Pointer, InvalidPointer>,
}

impl Delivery {
    /// Parses a record of the batch. A body that cannot be read is kept as an error, because the message fails alone
    /// then.
    pub(crate) fn parse(message: SqsMessage) -> Result<Self, NamelessMessage> {
        let Receive { message_id, receipt } = Receive::parse(message.message_id, message.receipt_handle)?;
        let sent_at = message.attributes.get("SentTimestamp").and_then(|millis| millis.parse().ok());
        Ok(Self {
            message_id,
            receipt,
            sent_at: sent_at.map(Timestamp::from_millis),
            pointer: Pointer::parse(message.body.as_deref().unwrap_or_default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::sqs::SqsEvent;

    use super::*;

    #[test]
    fn the_sample_event_is_understood() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/notifier-retry-sqs.json");
        let batch: SqsEvent = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let deliveries: Vec<_> = batch.records.into_iter().map(|record| Delivery::parse(record).unwrap()).collect();
        assert_eq!(deliveries.len(), 1);
        assert!(deliveries[0].pointer.is_ok());
        assert!(deliveries[0].sent_at.is_some());
    }
}
