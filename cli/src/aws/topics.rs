//! SNS: who receives alarms.

use aws_sdk_sns::Client;
use aws_types::SdkConfig;

use crate::error::Error;

#[derive(Clone, Debug)]
pub(crate) struct Topics(Client);

/// In place of an ARN until the subscriber has confirmed. SNS writes it with and without a space.
const PENDING: &str = "PendingConfirmation";

/// The subscriptions of a topic.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subscriptions {
    pub(crate) confirmed: usize,
    pub(crate) pending: usize,
}

impl Topics {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }

    pub(crate) async fn subscriptions(&self, topic_arn: &str) -> Result<Subscriptions, Error> {
        let mut found = Subscriptions::default();
        let mut pages = self.0.list_subscriptions_by_topic().topic_arn(topic_arn).into_paginator().items().send();
        while let Some(subscription) = pages.next().await {
            let subscription =
                subscription.map_err(Error::aws("list the subscriptions to alarms", "ListSubscriptionsByTopic"))?;
            let arn = subscription.subscription_arn.unwrap_or_default();
            if arn.replace(' ', "").eq_ignore_ascii_case(PENDING) { found.pending += 1 } else { found.confirmed += 1 }
        }
        Ok(found)
    }
}
