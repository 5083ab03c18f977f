//! Asks what became of a message that was accepted, and writes it into the item: what has to be told again, by the template
//! or to the bot, is told from there like everything else.

use std::time::Duration;

use shared::{
    attempt::{
        Item, Status,
        message::{Later, UNKNOWN},
    },
    aws::secrets::{Secrets, SecretsError},
};

use super::{Connections, Messenger, Metric, OutcomeNotifier, SendError, Skip, Stop, Timestamp, info, schedule, warn};
use crate::whatsapp::DeliveryStatus;

/// A message that was accepted, and of which more may be known by now.
struct Unsettled<'a> {
    messenger: &'a Messenger,
    id: &'a str,
    sent_at: Timestamp,
}

impl OutcomeNotifier {
    /// Asks what became of the item's message, where it is time to, because of a pointer that is so old. Returns the item as
    /// it is then, and after which time to ask again.
    pub(super) async fn check(
        &self,
        http: &Connections,
        item: Item,
        secrets: Result<&Secrets, &SecretsError>,
        age: Duration,
    ) -> Result<(Item, Option<Duration>), Stop> {
        let Some(message) = self.unsettled(&item) else { return Ok((item, None)) };
        let message_age = self.now().since(message.sent_at);
        let next = schedule::next_check(message_age);
        // A pointer that comes back because the bot is down does so more often.
        if item.notified_at.is_none() && !schedule::is_check(message_age, schedule::pause(age)) {
            return Ok((item, next));
        }
        let status = self.ask(http, &item, &message, secrets).await;
        let Some(later) = message.later(&item, status.as_ref(), next.is_none()) else { return Ok((item, next)) };
        let noted = self
            .attempts
            .note(&item, message.id, later, status.as_ref().and_then(DeliveryStatus::refusal), self.now())
            .await?;
        if noted && !later.is_untold() {
            return Ok((item, None));
        }
        let now = self.attempts.read(item.attempt_id).await?;
        Ok((now.ok_or(Skip::AttemptNotFound)?, None))
    }

    /// The message that its provider can be asked about.
    fn unsettled<'a>(&'a self, item: &'a Item) -> Option<Unsettled<'a>> {
        let messenger = self.messenger.as_ref().filter(|messenger| messenger.account.provider.can_be_asked())?;
        let is_open = item.message_state.is_none() && item.message_error.is_none();
        if !is_open || matches!(item.status(), Some(Status::Exchanging | Status::Unconfirmed)) {
            return None;
        }
        Some(Unsettled { messenger, id: item.message_id.as_deref()?, sent_at: item.messaged_at? })
    }

    /// What the provider says of it; `None` where it says nothing.
    async fn ask(
        &self,
        http: &Connections,
        item: &Item,
        message: &Unsettled<'_>,
        secrets: Result<&Secrets, &SecretsError>,
    ) -> Option<DeliveryStatus> {
        let (messenger, attempt_id) = (message.messenger, item.attempt_id);
        let asked = match secrets {
            Ok(secrets) => messenger.ask(http, message.id, secrets).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match asked {
            Ok(DeliveryStatus::Refused(refusal)) => {
                let refusal = if item.template_at.is_some() { refusal.of_template() } else { refusal };
                let provider = messenger.account.provider.name();
                self.meter.count(self.now(), Metric::Messages, &[("Provider", provider), ("Result", refusal.label())]);
                warn!(%attempt_id, error = %refusal, "message refused after it was accepted");
                Some(DeliveryStatus::Refused(refusal))
            }
            Ok(status) => Some(status),
            Err(error) => {
                warn!(%attempt_id, error, "provider not asked what became of the message");
                None
            }
        }
    }
}

impl Unsettled<'_> {
    /// What this status means, at the last time of asking or before; `None` where it is asked again.
    fn later<'a>(&self, item: &Item, status: Option<&'a DeliveryStatus>, is_last: bool) -> Option<Later<'a>> {
        match status {
            Some(DeliveryStatus::Delivered(state)) => Some(Later::Settled(state)),
            Some(DeliveryStatus::Refused(refusal)) => Some(self.refused(item, refusal)),
            // WhatsApp has it, and the person's phone may be off.
            Some(DeliveryStatus::Pending(state)) if is_last && state == "sent" => Some(Later::Settled(state)),
            Some(DeliveryStatus::Pending(_)) | None if is_last => {
                info!(attempt_id = %item.attempt_id, "unknown what became of the message");
                Some(Later::Settled(UNKNOWN))
            }
            Some(DeliveryStatus::Pending(_)) | None => None,
        }
    }

    /// What a refusal means that comes after the message was accepted.
    fn refused<'a>(&self, item: &Item, refusal: &'a SendError) -> Later<'a> {
        match refusal {
            SendError::WindowClosed(_) if self.messenger.account.templates.is_some() => Later::WindowClosed,
            SendError::WindowClosed(code) | SendError::Undeliverable(code) => Later::Undeliverable(code),
            SendError::Retry(_) | SendError::Unsure(_) | SendError::Operator(_) | SendError::Template(_) => {
                Later::Refused { before: item.message_refusals.unwrap_or_default() }
            }
        }
    }
}
