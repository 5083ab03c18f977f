//! The bot's event on each of its ways: the webhook, the queue, the event bus. One being broken never stops the others.

use std::{sync::Arc, time::Duration};

use shared::{
    attempt::Ways,
    aws::secrets::{SecretStore, Secrets, Source},
    bot::{BotQueue, CloudEvent, EventBus, Notification, NotifyError, Webhook},
    http::Connections,
    timestamp::Clock,
};
use tokio::time::timeout;

use crate::setback::Setback;

/// The ways to the bot; there may be none.
pub(crate) struct Bot {
    /// With the secret that signs its events.
    pub(crate) webhook: Option<(Webhook, Source)>,
    pub(crate) queue: Option<BotQueue>,
    pub(crate) bus: Option<EventBus>,
    pub(crate) secrets: Arc<SecretStore>,
    pub(crate) clock: Clock,
}

impl Bot {
    /// Every way that there is.
    pub(crate) const fn ways(&self) -> Ways {
        Ways { webhook: self.webhook.is_some(), queue: self.queue.is_some(), bus: self.bus.is_some() }
    }

    /// Sends the event on these ways, each within this time. Returns those that did not take it, and why. The caller repeats
    /// the event on them: a bot recognizes it by its id, which stays the same.
    pub(crate) async fn notify(
        &self,
        http: &Connections,
        event: &CloudEvent<'_>,
        user_message: &str,
        secrets: &Secrets,
        on: Ways,
        patience: Duration,
    ) -> (Ways, Vec<Setback>) {
        let notification = Notification { event, user_message, signing_secret: "", now: (self.clock)() };
        let by_webhook = async {
            match &self.webhook {
                Some((webhook, source)) if on.webhook => {
                    in_time("webhook", patience, Box::pin(self.post(http, webhook, source, &notification, secrets)))
                        .await
                }
                _ => Ok(()),
            }
        };
        let by_queue = async {
            match &self.queue {
                Some(queue) if on.queue => {
                    in_time("queue", patience, Box::pin(async { Ok(queue.send(&notification).await?) })).await
                }
                _ => Ok(()),
            }
        };
        let by_bus = async {
            match &self.bus {
                Some(bus) if on.bus => {
                    in_time("event bus", patience, Box::pin(async { Ok(bus.put(&notification).await?) })).await
                }
                _ => Ok(()),
            }
        };
        let (webhook, queue, bus) = tokio::join!(by_webhook, by_queue, by_bus);
        let left = Ways { webhook: webhook.is_err(), queue: queue.is_err(), bus: bus.is_err() };
        (left, [webhook, queue, bus].into_iter().filter_map(Result::err).collect())
    }

    /// Posts the event, and once more where its signature is refused and the secret has changed since it was fetched.
    async fn post(
        &self,
        http: &Connections,
        webhook: &Webhook,
        source: &Source,
        notification: &Notification<'_>,
        secrets: &Secrets,
    ) -> Result<(), Setback> {
        let signing_secret = secrets.get(source)?;
        let refusal = match webhook.post(http, &Notification { signing_secret, ..*notification }).await {
            Err(refusal @ (NotifyError::Refused(401 | 403) | NotifyError::Secret)) => refusal,
            result => return Ok(result?),
        };
        let fresh = self.secrets.newer_than(secrets, (self.clock)()).await;
        match fresh.as_ref().map(|fresh| fresh.get(source)) {
            Ok(Ok(renewed)) if renewed != signing_secret => {
                Ok(webhook.post(http, &Notification { signing_secret: renewed, ..*notification }).await?)
            }
            _ => Err(refusal.into()),
        }
    }
}

async fn in_time(
    way: &'static str,
    patience: Duration,
    sending: impl Future<Output = Result<(), Setback>>,
) -> Result<(), Setback> {
    timeout(patience, sending).await.unwrap_or(Err(Setback::BotSilent(way)))
}
