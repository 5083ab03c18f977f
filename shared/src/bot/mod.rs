//! The bot: its events, and the adapters that deliver them by webhook, by queue, and by event bus.

mod bus;
#[cfg(test)]
mod contract;
pub mod event;
mod queue;
mod webhook;

pub use self::{
    bus::{BusEvent, EventBus},
    event::CloudEvent,
    queue::{BotQueue, QueueMessage},
    webhook::{CONTENT_TYPE, Webhook, header},
};
use crate::{Timestamp, aws::error::AwsError};

/// The bot was not notified. No variant holds anything of the event.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The signing secret is not base64, with or without `whsec_` in front.
    #[error("the webhook's signing secret is not base64, with or without whsec_ in front")]
    Secret,
    /// The webhook's response was not a 2xx.
    #[error("the bot's webhook returned {0}")]
    Refused(u16),
    /// There was no response; the text says why.
    #[error("no response from the bot's webhook: {0}")]
    NoResponse(&'static str),
    /// SQS did not accept the message.
    #[error("cannot send to the bot's queue: {0}")]
    Queue(AwsError),
    /// `EventBridge` did not accept the event.
    #[error("cannot put the event on the bot's bus: {0}")]
    Bus(AwsError),
}

/// An event, and what its delivery needs.
#[derive(Clone, Copy)]
pub struct Notification<'a> {
    /// The event.
    pub event: &'a CloudEvent<'a>,
    /// The text for the person: bots of the older system pass it on from the queue.
    pub user_message: &'a str,
    /// Signs a webhook: base64, with or without `whsec_` in front, or several of these, separated by spaces. Empty
    /// where there is no webhook.
    pub signing_secret: &'a str,
    /// The time of the signature.
    pub now: Timestamp,
}

/// # Panics
/// Never: every field of ours has a JSON form.
fn to_json(value: &impl serde::Serialize) -> String {
    #[expect(clippy::expect_used, reason = "every field of ours has a JSON form")]
    serde_json::to_string(value).expect("every field of ours has a JSON form")
}
