//! Why a message goes back to the queue, who is notified, and when it comes back.

use std::time::Duration;

use shared::{
    Reason, Timestamp,
    aws::{AwsError, kms::KmsError},
    custody::seal::BrokenSeal,
    exchange::InvalidMessage,
    process::NoRandomness,
    salesforce::{Class, ExchangeError},
};

use crate::{
    checkpoint::{self, CheckpointError},
    config::CredentialsError,
    message::Forged,
    retry,
    revocation::NotRevoked,
    sealing::SealError,
    tables::TableError,
};

/// The visibility timeout of a message that no retry can help: only the dead-letter queue is left for it.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(1);

/// Why the attempt of a message got no outcome this time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Setback {
    #[error("unreadable message")]
    Unreadable(#[from] InvalidMessage),
    #[error("another message holds the attempt")]
    Held {
        /// When the other's lease ends at the latest.
        until: Timestamp,
    },
    #[error("the chat may still confirm the login")]
    NotYet {
        /// Until then.
        until: Timestamp,
    },
    #[error("the message that ends the time for a confirmation was not sent")]
    NoTimer(#[source] AwsError),
    #[error("the stack has no upkeep queue")]
    NoUpkeep,
    #[error("the login host is not allowed")]
    LoginUrl,
    #[error("the app's credentials are not available")]
    Credentials(#[from] CredentialsError),
    #[error("the code was not exchanged")]
    Exchange(#[source] ExchangeError),
    #[error("KMS is not available")]
    Kms(#[from] KmsError),
    #[error("cannot read or write the attempt")]
    Attempt(#[from] TableError),
    #[error("cannot store the tokens")]
    NotStored(#[source] TableError),
    #[error("the token row changed each time that it was read")]
    RowChanged,
    #[error("the tokens were neither stored nor put back on the queue")]
    TokensLost(#[source] CheckpointError),
    #[error("the message is not verified")]
    Forged(#[from] Forged),
    #[error("the tokens are not revoked")]
    NotRevoked(#[from] NotRevoked),
    #[error("the refresh token is not sealed")]
    NotSealed(#[source] BrokenSeal),
    #[error("the tokens of the message cannot be decrypted")]
    BrokenSeal(#[from] checkpoint::BrokenSeal),
    #[error("no tries left")]
    GivenUp,
    #[error("the person hears of the delay first")]
    Told,
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error("out of time")]
    OutOfTime,
    #[error("panic")]
    Panic,
}

impl From<SealError> for Setback {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Kms(error) => Self::Kms(error),
            SealError::Seal(error) => Self::NotSealed(error),
        }
    }
}

/// The class of an answer of Salesforce's in logs and metrics.
pub(crate) const fn class_label(class: Class) -> &'static str {
    match class {
        Class::Transient { .. } => "transient",
        Class::Ambiguous => "ambiguous",
        Class::Operator => "operator",
        Class::Final(_) => "final",
    }
}

impl Setback {
    /// The class in logs and metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Forged(_) => "forged",
            Self::NotRevoked(_) => "not_revoked",
            Self::Held { .. } => "held",
            Self::NotYet { .. } => "not_yet",
            Self::NoTimer(_) | Self::NoUpkeep => "no_timer",
            Self::LoginUrl => "login_url",
            Self::Credentials(_) => "credentials",
            Self::Exchange(error) => class_label(error.class()),
            Self::Kms(_) => "kms",
            Self::Attempt(_) => "attempt_table",
            Self::NotStored(_) => "not_stored",
            Self::RowChanged => "row_changed",
            Self::TokensLost(_) => "tokens_lost",
            Self::BrokenSeal(_) => "broken_seal",
            Self::NotSealed(_) => "not_sealed",
            Self::GivenUp => "given_up",
            Self::Told => "told",
            Self::Random(_) => "random",
            Self::OutOfTime => "out_of_time",
            Self::Panic => "panic",
        }
    }

    /// The reason of the delay that the person is notified of after the message's last try; `None` where nobody can
    /// be notified, or another message leads to that.
    pub(crate) fn delay_reason(&self) -> Option<Reason> {
        match self {
            Self::Unreadable(_)
            | Self::Forged(_)
            | Self::NotRevoked(_)
            | Self::Held { .. }
            | Self::NotYet { .. }
            | Self::GivenUp
            | Self::Told => None,
            Self::Exchange(error) => Some(match error.class() {
                Class::Transient { .. } | Class::Ambiguous => Reason::SalesforceUnavailable,
                Class::Operator | Class::Final(_) => Reason::Misconfigured,
            }),
            Self::LoginUrl
            | Self::NoTimer(_)
            | Self::NoUpkeep
            | Self::Credentials(_)
            | Self::Kms(_)
            | Self::Attempt(_)
            | Self::NotStored(_)
            | Self::RowChanged
            | Self::TokensLost(_)
            | Self::BrokenSeal(_)
            | Self::NotSealed(_)
            | Self::OutOfTime
            | Self::Random(_)
            | Self::Panic => Some(Reason::Misconfigured),
        }
    }

    /// Whether no retry can help, so that only the dead-letter queue is left for the message.
    pub(crate) fn is_hopeless(&self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::Forged(_) | Self::BrokenSeal(_) | Self::GivenUp)
    }

    /// The message's visibility timeout: by the schedule, but no shorter than Salesforce asked. As short as
    /// can be where only the dead-letter queue is left.
    pub(crate) fn visibility_timeout(&self, receives: u32, now: Timestamp) -> Duration {
        match self {
            hopeless if hopeless.is_hopeless() => AT_ONCE,
            // Nobody waits for it, and an outage may last for hours.
            Self::NotRevoked(_) => retry::revocation_timeout(receives),
            Self::NotYet { until } => until.since(now) + AT_ONCE,
            // By then the lease has ended; the holder may finish earlier.
            Self::Held { until } => retry::visibility_timeout(receives).min(until.since(now) + AT_ONCE),
            Self::Exchange(error) => match error.class() {
                Class::Transient { retry_after: Some(asked) } => retry::visibility_timeout(receives).max(asked),
                _ => retry::visibility_timeout(receives),
            },
            _ => retry::visibility_timeout(receives),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::salesforce::Refusal;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn refused(class: Class) -> Setback {
        Setback::Exchange(ExchangeError::Refused(Refusal {
            class,
            status: 503,
            error: None,
            description: None,
            is_definite: false,
        }))
    }

    fn seconds(setback: &Setback, receives: u32) -> u64 {
        setback.visibility_timeout(receives, NOW).as_secs()
    }

    #[test]
    fn a_message_comes_back_by_the_schedule_or_when_salesforce_asks() {
        assert_eq!(seconds(&refused(Class::Operator), 3), 15);
        let busy = refused(Class::Transient { retry_after: Some(Duration::from_secs(30)) });
        assert_eq!((seconds(&busy, 1), seconds(&busy, 5)), (30, 90));
    }

    #[test]
    fn a_message_comes_back_no_later_than_the_holders_lease_ends() {
        let held = Setback::Held { until: NOW.plus(Duration::from_mins(1)) };
        assert_eq!([1, 4, 5, 6].map(|receives| seconds(&held, receives)), [2, 40, 61, 61]);
    }

    #[test]
    fn a_message_that_no_retry_can_help_comes_back_at_once() {
        assert_eq!(seconds(&Setback::Unreadable(InvalidMessage::Malformed), 1), 1);
        assert_eq!(seconds(&Setback::GivenUp, 10), 1);
    }

    #[test]
    fn the_person_is_notified_whether_salesforce_or_the_setup_is_the_cause() {
        let transient = Class::Transient { retry_after: None };
        assert_eq!(refused(transient).delay_reason(), Some(Reason::SalesforceUnavailable));
        assert_eq!(refused(Class::Operator).delay_reason(), Some(Reason::Misconfigured));
        assert_eq!(Setback::LoginUrl.delay_reason(), Some(Reason::Misconfigured));
        assert_eq!(Setback::Held { until: NOW }.delay_reason(), None);
        assert_eq!(Setback::Unreadable(InvalidMessage::Malformed).delay_reason(), None);
    }
}
