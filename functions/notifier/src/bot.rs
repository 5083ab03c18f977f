//! The bot's event on each of its ways: the webhook, the queue, or both. One being broken never stops the other.

use std::sync::Arc;

use shared::{
    aws::secrets::{SecretStore, Secrets, Source},
    bot::{BotQueue, CloudEvent, Notification, NotifyError, Webhook},
    timestamp::Clock,
};

use crate::setback::Setback;

/// The ways to the bot; there may be none.
pub(crate) struct Bot {
    /// With the secret that signs its events.
    pub(crate) webhook: Option<(Webhook, Source)>,
    pub(crate) queue: Option<BotQueue>,
    pub(crate) secrets: Arc<SecretStore>,
    pub(crate) clock: Clock,
}

impl Bot {
    pub(crate) const fn is_configured(&self) -> bool {
        self.webhook.is_some() || self.queue.is_some()
    }

    /// Sends the event on each way, and returns the setbacks of those that failed. The caller repeats the event on all of
    /// them: a bot recognizes it by its id, which stays the same.
    pub(crate) async fn notify(&self, event: &CloudEvent<'_>, user_message: &str, secrets: &Secrets) -> Vec<Setback> {
        let notification = Notification { event, user_message, signing_secret: "", now: (self.clock)() };
        let by_webhook = async {
            match &self.webhook {
                Some((webhook, source)) => self.post(webhook, source, &notification, secrets).await,
                None => Ok(()),
            }
        };
        let by_queue = async {
            match &self.queue {
                Some(queue) => queue.send(&notification).await.map_err(Setback::from),
                None => Ok(()),
            }
        };
        let (webhook, queue) = tokio::join!(by_webhook, by_queue);
        [webhook, queue].into_iter().filter_map(Result::err).collect()
    }

    /// Posts the event, and once more where its signature is refused and the secret has changed since it was fetched.
    async fn post(
        &self,
        webhook: &Webhook,
        source: &Source,
        notification: &Notification<'_>,
        secrets: &Secrets,
    ) -> Result<(), Setback> {
        let signing_secret = secrets.get(source)?;
        let refusal = match webhook.post(&Notification { signing_secret, ..*notification }).await {
            Err(refusal @ (NotifyError::Refused(401 | 403) | NotifyError::Secret)) => refusal,
            result => return Ok(result?),
        };
        let fresh = self.secrets.newer_than(secrets, (self.clock)()).await;
        match fresh.as_ref().map(|fresh| fresh.get(source)) {
            Ok(Ok(renewed)) if renewed != signing_secret => {
                Ok(webhook.post(&Notification { signing_secret: renewed, ..*notification }).await?)
            }
            _ => Err(refusal.into()),
        }
    }
}
