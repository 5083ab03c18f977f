//! Why a refresh, or what follows from it, did not come to its end.

use std::time::Duration;

use super::seal::BrokenSeal;
use crate::{
    aws::{AwsError, kms::KmsError, secrets::SecretsError},
    process::NoRandomness,
    salesforce::{IntrospectError, RefreshClass, RefreshError, RevokeError, UserinfoError},
};

/// How long a caller is asked to wait where nothing else is known.
const SOON: Duration = Duration::from_secs(5);
/// The same, where Salesforce did not answer at all: asking costs a caller and an invocation their time.
const AFTER_SILENCE: Duration = Duration::from_secs(30);
/// The same, where only an operator can help.
const LATER: Duration = Duration::from_mins(1);
/// The longest that a caller is asked to wait.
const LONGEST: Duration = Duration::from_hours(1);

/// Nothing has ended: the same may succeed later.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A table or a queue.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The key that seals refresh tokens.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// The app's credentials.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The row's refresh token, or a message's, does not open: of another key, another chat, or damaged.
    #[error(transparent)]
    Seal(#[from] BrokenSeal),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// Salesforce did not give new tokens.
    #[error(transparent)]
    Refresh(#[from] RefreshError),
    /// The credentials are another app's than the tokens': whatever Salesforce has answered, it says nothing about the connection.
    #[error("the connection's tokens are of another app than the configured one")]
    OtherApp(#[source] Option<RefreshError>),
    /// Salesforce gave the access token once more that the bot has found refused.
    #[error("Salesforce gave the rejected access token again")]
    SameToken,
    /// Salesforce gave tokens of another user or org.
    #[error("Salesforce's answer is about another account")]
    OtherAccount,
    /// Salesforce did not say whether a refresh token is alive, without which it is not presented.
    #[error(transparent)]
    Introspect(#[from] IntrospectError),
    /// A token was not revoked.
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    /// The refresh token is used up, and its successor may be on the upkeep queue.
    #[error("the refresh token was used by an invocation that did not store its successor")]
    Lost,
    /// Another invocation refreshes.
    #[error("another refresh is under way")]
    Held {
        /// How long it may take.
        time: Duration,
    },
    /// A refresh has just failed, and none is tried so soon.
    #[error("a refresh has just failed")]
    Paused {
        /// Until the next is tried.
        time: Duration,
    },
    /// The row changed each time.
    #[error("the row changed each time that it was read")]
    Changed,
    /// The org refuses the app, or the address that it calls from: that says nothing about the access token.
    #[error("the org refuses the app or its address")]
    Blocked(#[source] UserinfoError),
    /// The row has no refresh token.
    #[error("the connection has no refresh token")]
    NoRefreshToken,
    /// No host of Salesforce's is known for the connection.
    #[error("no host of Salesforce's is known for the connection")]
    NoHost,
    /// The invocation's time is over.
    #[error("out of time")]
    OutOfTime,
}

impl Trouble {
    /// `Result` in metrics: whose it is.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Refresh(error) => match error.class() {
                RefreshClass::Transient { .. } => "transient",
                RefreshClass::Ambiguous => "ambiguous",
                RefreshClass::Ended(_) | RefreshClass::Doubtful | RefreshClass::Operator => "operator",
            },
            Self::Secrets(_)
            | Self::Seal(_)
            | Self::OtherApp(_)
            | Self::OtherAccount
            | Self::Blocked(_)
            | Self::NoHost => "operator",
            Self::Kms(error) if error.is_of_the_key() => "operator",
            Self::Lost => "ambiguous",
            _ => "transient",
        }
    }

    /// Whether the request for new tokens was not answered at all.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Refresh(RefreshError::Connect(_) | RefreshError::Lost(_)))
    }

    /// When to ask again.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        let time = match self {
            Self::Refresh(RefreshError::Lost(_)) | Self::Introspect(IntrospectError::NoAnswer(_)) => AFTER_SILENCE,
            Self::Refresh(error) => match error.class() {
                RefreshClass::Transient { retry_after } => retry_after.unwrap_or(SOON),
                RefreshClass::Ambiguous => SOON,
                RefreshClass::Ended(_) | RefreshClass::Doubtful | RefreshClass::Operator => LATER,
            },
            Self::Held { time } | Self::Paused { time } => *time,
            Self::Lost | Self::SameToken => LATER,
            _ if self.label() == "operator" => LATER,
            _ => SOON,
        };
        time.clamp(Duration::from_secs(1), LONGEST)
    }
}
