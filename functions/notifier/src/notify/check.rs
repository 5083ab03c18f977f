//! Asks what became of a message that was accepted, and writes it into the item: what has to be told again, by the template
//! or to the bot, is told from there like everything else.

use shared::attempt::{
    Item,
    message::{Later, UNKNOWN},
};

use super::{AttemptId, Messenger, Metric, OutcomeKey, OutcomeNotifier, SendError, Setback, info, warn};
use crate::whatsapp::DeliveryStatus;

/// What is to be done next about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Nothing.
    Settled,
    /// The provider does not know yet.
    AskAgain,
    /// Something may be left to tell.
    Tell,
}

impl OutcomeNotifier {
    /// Asks about a message, for the last time or not.
    pub(crate) async fn check(
        &self,
        attempt_id: AttemptId,
        message_id: &str,
        is_last: bool,
    ) -> Result<Checked, Setback> {
        let (item, secrets) = tokio::join!(self.attempts.read(attempt_id), self.fetch_secrets());
        let (Some(item), Some(messenger)) = (item?, &self.messenger) else { return Ok(Checked::Settled) };
        if item.message_id.as_deref() != Some(message_id) || item.message_error.is_some() {
            return Ok(Checked::Tell);
        }
        if item.message_state.is_some() {
            return Ok(Checked::Settled);
        }
        let status = match messenger.ask(message_id, &*secrets?).await {
            Ok(DeliveryStatus::Refused(refusal)) if item.template_at.is_some() => {
                Ok(DeliveryStatus::Refused(refusal.of_template()))
            }
            status => status,
        };
        let later = match &status {
            Ok(DeliveryStatus::Delivered(state)) => Later::Settled(state),
            Ok(DeliveryStatus::Refused(refusal)) => {
                let provider = messenger.account.provider.name();
                self.meter.count(self.now(), Metric::Messages, &[("Provider", provider), ("Result", refusal.label())]);
                warn!(%attempt_id, error = %refusal, "message refused after it was accepted");
                later(messenger, &item, refusal)
            }
            // WhatsApp has it, and the person's phone may be off.
            Ok(DeliveryStatus::Pending(state)) if is_last && state == "sent" => Later::Settled(state),
            Ok(DeliveryStatus::Pending(_)) | Err(_) if is_last => {
                info!(%attempt_id, "unknown what became of the message");
                Later::Settled(UNKNOWN)
            }
            Ok(DeliveryStatus::Pending(_)) => return Ok(Checked::AskAgain),
            Err(error) => {
                warn!(%attempt_id, %error, "provider not asked what became of the message");
                return Ok(Checked::AskAgain);
            }
        };
        let noted = self.attempts.note(&OutcomeKey::of(&item)?, message_id, later, self.now()).await?;
        // An outcome that was redelivered once is on the stream again by this write, and is told from there.
        let is_settled = noted && (!later.is_untold() || item.redelivered_at.is_some());
        Ok(if is_settled { Checked::Settled } else { Checked::Tell })
    }
}

/// What a refusal means that comes after the message was accepted.
fn later<'a>(messenger: &Messenger, item: &Item, refusal: &'a SendError) -> Later<'a> {
    match refusal {
        SendError::WindowClosed(_) if messenger.account.template.is_some() => Later::WindowClosed,
        SendError::WindowClosed(code) | SendError::Undeliverable(code) => Later::Undeliverable(code),
        SendError::Retry(_) | SendError::Unsure(_) | SendError::Operator(_) | SendError::Template(_) => {
            Later::Refused { before: item.message_refusals.unwrap_or_default() }
        }
    }
}
