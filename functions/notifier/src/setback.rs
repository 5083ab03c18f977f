//! The ways in which a notification can fail. After each of them the retry queue brings the attempt back.

use shared::{
    attempt::UnreadableItem,
    aws::{AwsError, kms::KmsError, links::LinkError, secrets::SecretsError},
    bot::NotifyError,
    callback_uri::InvalidCallbackUri,
    process::NoRandomness,
};

use crate::{attempts::AttemptsError, pointer::InvalidPointer, whatsapp::SendError};

/// Why the person or the bot was not notified this time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Setback {
    #[error(transparent)]
    Attempts(#[from] AttemptsError),
    #[error(transparent)]
    Unreadable(#[from] UnreadableItem),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Link(KmsError),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error("invalid callback URI: {0}")]
    CallbackUri(#[from] InvalidCallbackUri),
    #[error(transparent)]
    Message(#[from] SendError),
    #[error("WhatsApp refused the message after it had accepted it; it is sent again later")]
    RefusedLater,
    #[error("another delivery may be sending the message")]
    Held,
    #[error("nobody has marked what became of the messages before; it is sent again later")]
    Unmarked,
    #[error(transparent)]
    Bot(#[from] NotifyError),
    #[error("the bot's {0} did not answer in time")]
    BotSilent(&'static str),
    #[error("limit table: {0}")]
    Limits(AwsError),
    #[error("retry queue: {0}")]
    RetryQueue(AwsError),
    #[error(transparent)]
    ForeignMessage(#[from] InvalidPointer),
    #[error("out of time")]
    OutOfTime,
    #[error("panic")]
    Panic,
}

impl From<LinkError> for Setback {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Kms(error) => Self::Link(error),
            LinkError::Randomness(error) => Self::Randomness(error),
        }
    }
}

impl Setback {
    /// The dimension `Class` of the metric `Setbacks`: the exchanger's label where it has the same setback.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Attempts(_) => "attempt_table",
            Self::Unreadable(_) | Self::ForeignMessage(_) => "unreadable",
            Self::Secrets(_) | Self::CallbackUri(_) => "credentials",
            Self::Link(_) => "kms",
            Self::Randomness(_) => "randomness",
            Self::Message(_) | Self::RefusedLater => "whatsapp",
            Self::Held | Self::Unmarked => "held",
            Self::Bot(_) | Self::BotSilent(_) => "bot",
            Self::Limits(_) => "limit_table",
            Self::RetryQueue(_) => "retry_queue",
            Self::OutOfTime => "out_of_time",
            Self::Panic => "panic",
        }
    }
}
