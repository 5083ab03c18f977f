//! One receive of one message of the upkeep queue, as Lambda delivers it.

use aws_lambda_events::sqs::SqsMessage;
use shared::{
    aws::queue::{NamelessMessage, Receive},
    custody::upkeep::{UnreadableUpkeep, Upkeep},
};

/// One receive of one message.
pub(crate) struct Delivery {
    pub(crate) message_id: String,
    pub(crate) receipt: String,
    pub(crate) receives: u32,
    pub(crate) message: Result<Upkeep, UnreadableUpkeep>,
}

impl Delivery {
    /// Parses a record of the batch. A body that cannot be read is kept as an error, because the message fails alone then.
    pub(crate) fn parse(message: SqsMessage) -> Result<Self, NamelessMessage> {
        let Receive { message_id, receipt } = Receive::parse(message.message_id, message.receipt_handle)?;
        let receives = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
        Ok(Self {
            message_id,
            receipt,
            receives: receives.unwrap_or(1),
            message: Upkeep::parse(message.body.as_deref().unwrap_or_default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::sqs::SqsEvent;

    use super::*;

    #[test]
    fn the_sample_events_are_understood() {
        for kind in ["sweep", "sweep-page", "refresh", "store", "revoke", "decide"] {
            let path = format!("{}/../../events/upkeep-{kind}-sqs.json", env!("CARGO_MANIFEST_DIR"));
            let batch: SqsEvent = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let deliveries: Vec<_> = batch.records.into_iter().map(|record| Delivery::parse(record).unwrap()).collect();
            assert_eq!(deliveries.len(), 1);
            let message = deliveries[0].message.as_ref().unwrap();
            assert_eq!(Some(message.label()), kind.split('-').next());
            assert_eq!(matches!(message, Upkeep::Page(_)), kind == "sweep-page");
        }
    }
}
