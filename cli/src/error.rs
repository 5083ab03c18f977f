//! Why a command failed, and the exit code that says so.

use std::process::ExitCode;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use shared::aws::AwsError;

/// How the cause of an error begins where something else has answered in AWS's place.
pub(crate) const NOT_OF_AWS: &str = "not AWS's answer";

/// How a command ended: its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NothingMatched = 3,
    /// Done in part: the report says what is left.
    InPart = 4,
    /// Done, and whoever read the output did not read it all: what a shell says of a program that a closed pipe has ended.
    Unread = 141,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        (exit as u8).into()
    }
}

/// Why there is no report. No text quotes a message, a secret or an item.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The arguments are invalid, or not sufficient.
    #[error("{0}")]
    Usage(String),
    /// Answers that nobody gave, and that nobody can be asked for, each with how to give it.
    #[error("missing: {}", .0.join("; "))]
    Missing(Vec<String>),
    /// What the command is about does not exist.
    #[error("{0}")]
    NothingMatched(String),
    /// An operation of AWS, of another party or of this machine failed.
    #[error("cannot {action}: {why}")]
    Failed {
        /// In the infinitive: `read the queue`.
        action: String,
        /// The reason and, where there is one, the remedy.
        why: String,
    },
}

impl Error {
    pub(crate) fn failed(action: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Failed { action: action.into(), why: why.into() }
    }

    /// Makes the error of an AWS operation, for `map_err`.
    pub(crate) fn aws<E, R>(action: &'static str, operation: &'static str) -> impl Fn(SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug,
    {
        let error = AwsError::of(operation);
        move |cause| Self::of_code(action, operation, error(cause).cause())
    }

    /// Makes the error of an AWS operation from the code that it was answered with, or from what kept it from being
    /// answered.
    pub(crate) fn of_code(action: &str, operation: &str, cause: &str) -> Self {
        // In an SDK's error it stands behind its own words for it.
        let cause = cause.find(NOT_OF_AWS).map_or(cause, |at| &cause[at..]);
        let remedy = remedy(cause).map(|remedy| format!("; {remedy}")).unwrap_or_default();
        Self::failed(action, format!("{operation} failed: {cause}{remedy}"))
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Missing(_) => Exit::Usage,
            Self::NothingMatched(_) => Exit::NothingMatched,
            Self::Failed { .. } => Exit::Failed,
        }
    }
}

/// What to do about a refusal that has nothing to do with the request: the caller's credentials, clock or network.
fn remedy(cause: &str) -> Option<&'static str> {
    let code = cause.strip_suffix("Exception").unwrap_or(cause);
    match code {
        "ExpiredToken" => Some("the credentials have expired: log in again (aws sso login), or get new ones"),
        "RequestExpired" | "RequestTimeTooSkewed" => {
            Some("this machine's clock is wrong, or the credentials have expired")
        }
        "InvalidClientTokenId" | "UnrecognizedClient" | "InvalidAccessKeyId" => {
            Some("AWS does not know the credentials: aws sts get-caller-identity shows whose they are")
        }
        "SignatureDoesNotMatch" | "InvalidSignature" | "IncompleteSignature" => {
            Some("the secret key is not that of the access key, or this machine's clock is wrong")
        }
        "AccessDenied" | "UnauthorizedOperation" | "NotAuthorized" => {
            Some("the credentials lack the permission for this call: ask for it, or give another --profile")
        }
        "OptInRequired" | "SubscriptionRequired" => Some("the account does not use this service or region yet"),
        _ if cause.starts_with(NOT_OF_AWS) => Some(
            "something else answers in AWS's place: check AWS_ENDPOINT_URL, the proxy (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), \
             and whether this network wants a login",
        ),
        _ if cause.contains("(Connect)") => Some(
            "nothing answers there: check the region, the network, the proxy, and AWS_ENDPOINT_URL; a local cloud may be down",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(cause: &str) -> String {
        Error::of_code("list the alarms", "DescribeAlarms", cause).to_string()
    }

    #[test]
    fn what_credentials_clock_and_network_are_to_blame_for_says_what_to_do() {
        for (cause, remedy) in [
            ("ExpiredToken", "log in again"),
            ("ExpiredTokenException", "log in again"),
            ("InvalidClientTokenId", "does not know the credentials"),
            ("UnrecognizedClientException", "does not know the credentials"),
            ("SignatureDoesNotMatch", "clock is wrong"),
            ("AccessDenied", "lack the permission for this call"),
            ("AccessDeniedException", "lack the permission for this call"),
            ("dispatch failure: io error: client error (Connect): refused", "nothing answers there"),
        ] {
            let said = said(cause);
            assert!(said.starts_with(&format!("cannot list the alarms: DescribeAlarms failed: {cause}; ")), "{said}");
            assert!(said.contains(remedy), "{said}");
        }
    }

    #[test]
    fn any_other_refusal_is_named_as_it_is() {
        assert_eq!(
            said("ResourceNotFoundException"),
            "cannot list the alarms: DescribeAlarms failed: ResourceNotFoundException"
        );
    }
}
