//! How the processing of a message ends when no retry follows.

use shared::{Reason, exchange::DenialError, salesforce::ExchangeError};

use crate::setback::Setback;

/// How the processing of a message ended. Lambda deletes the message.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The outcome: tokens are stored.
    Connected {
        /// In place of older ones.
        renewed: bool,
    },
    /// No outcome yet: the tokens are on the queue, sealed, in a message of their own.
    Checkpointed {
        /// Why they are not stored.
        cause: Setback,
    },
    /// The outcome: no retry can help.
    Failed(Failure),
    /// Tokens that nobody needs any more are revoked.
    Revoked,
    /// The attempt had its outcome before, or another message brings it.
    Duplicate,
}

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    /// Where Salesforce's answer is the reason.
    pub(crate) cause: Option<ExchangeError>,
}

impl Failure {
    /// The OAuth error code that Salesforce gave, if any.
    pub(crate) fn oauth_error(&self) -> Option<&DenialError> {
        self.cause.as_ref().and_then(ExchangeError::oauth_error)
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self { reason, cause: None }
    }
}
