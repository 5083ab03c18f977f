//! The bot: told of what becomes of a connection, by webhook, by queue, or by both.

mod queue;
mod webhook;

use serde::Serialize;

pub use self::{queue::BotQueue, webhook::Webhook};
use crate::{Timestamp, event::CloudEvent};

/// The ways in which this stack's bot wants to be told; there may be none.
#[derive(Clone, Debug)]
pub struct Bot {
    /// By HTTP.
    pub webhook: Option<Webhook>,
    /// By SQS.
    pub queue: Option<BotQueue>,
}

/// The bot was not told. No variant holds anything of the event.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    /// The signing secret is not in the form `whsec_<base64>`.
    #[error("the webhook's secret is not one of Standard Webhooks")]
    Secret,
    /// The webhook's answer was not a 2xx.
    #[error("the bot's webhook answered {0}")]
    Refused(u16),
    /// There was no answer.
    #[error("the bot's webhook did not answer ({0})")]
    NoAnswer(&'static str),
    /// The text is the SDK's, which quotes no message.
    #[error("the bot's queue took no message: {0}")]
    Queue(String),
}

impl Bot {
    /// Is there anyone to tell?
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.webhook.is_some() || self.queue.is_some()
    }

    /// Tells the bot in each of its ways. Where one of two fails both are told again later: the
    /// event's id, which stays, is how a bot knows a repetition.
    ///
    /// # Errors
    /// [`TellError`] of one that failed.
    pub async fn tell<D: Serialize>(&self, telling: &Telling<'_, D>) -> Result<(), TellError> {
        let by_webhook = async {
            match &self.webhook {
                Some(webhook) => webhook.post(telling).await,
                None => Ok(()),
            }
        };
        let by_queue = async {
            match &self.queue {
                Some(queue) => queue.send(telling).await,
                None => Ok(()),
            }
        };
        let (webhook, queue) = tokio::join!(by_webhook, by_queue);
        webhook.and(queue)
    }
}

/// An event and what goes with it.
pub struct Telling<'a, D> {
    /// What happened.
    pub event: &'a CloudEvent<'a, D>,
    /// The message to the person, for bots of the older system, which pass it on.
    pub user_message: &'a str,
    /// What signs a webhook; empty where there is none.
    pub signing_secret: &'a str,
    /// The signature's time.
    pub now: Timestamp,
}

/// # Panics
/// Never: every field of ours has a JSON form.
fn to_json(value: &impl serde::Serialize) -> String {
    #[expect(clippy::expect_used, reason = "every field of ours has a JSON form")]
    serde_json::to_string(value).expect("every field of ours has a JSON form")
}
