//! Why a message goes back to the queue.

use std::time::Duration;

use shared::{
    aws::AwsError,
    custody::{Trouble, upkeep::UnreadableUpkeep},
};

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
    #[error("the connection was not refreshed")]
    NotRefreshed(#[source] Trouble),
    #[error("the refreshed tokens were not stored")]
    NotStored(#[source] Trouble),
    #[error("the tokens are not revoked")]
    NotRevoked(#[source] Trouble),
    #[error("the exchange queue did not take the message")]
    NotDecided(#[source] AwsError),
    #[error("no tries left")]
    GivenUp,
    #[error("out of time")]
    OutOfTime,
    #[error("panic")]
    Panic,
}

impl Setback {
    /// The class in logs and metrics: the exchanger's label where it has the same setback.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Table(_) => "token_table",
            Self::NotQueued(_) => "upkeep_queue",
            Self::NotRefreshed(_) => "not_refreshed",
            Self::NotStored(_) => "not_stored",
            Self::NotRevoked(_) => "not_revoked",
            Self::NotDecided(_) => "exchange_queue",
            Self::GivenUp => "given_up",
            Self::OutOfTime => "out_of_time",
            Self::Panic => "panic",
        }
    }

    /// How long nothing can change, where that is known: Salesforce has asked for a pause, or another refresh is under way.
    pub(crate) fn pause(&self) -> Duration {
        match self {
            Self::NotRefreshed(trouble) => trouble.retry_after(),
            _ => Duration::ZERO,
        }
    }
}
