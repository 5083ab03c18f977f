//! Why a message goes back to the queue.

use shared::{aws::AwsError, custody::upkeep::UnreadableUpkeep};

use crate::outbox::NotQueued;

/// Why a message could not be done this time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Setback {
    #[error("unreadable message")]
    Unreadable(#[from] UnreadableUpkeep),
    #[error("cannot read the token table")]
    Table(#[source] AwsError),
    #[error("not everything was put on the upkeep queue")]
    NotQueued(#[from] NotQueued),
    #[error("out of time")]
    OutOfTime,
    #[error("panic")]
    Panic,
}

impl Setback {
    /// The class in logs and metrics.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Table(_) => "token_table",
            Self::NotQueued(_) => "upkeep_queue",
            Self::OutOfTime => "out_of_time",
            Self::Panic => "panic",
        }
    }
}
