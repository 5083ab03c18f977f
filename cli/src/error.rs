//! Why a command failed, and the exit code that says so.

use std::process::ExitCode;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use shared::aws::AwsError;

/// How a command ended: its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NothingMatched = 3,
    /// Done in part: the report says what is left.
    InPart = 4,
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
        move |cause| Self::failed(action, error(cause).to_string())
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::NothingMatched(_) => Exit::NothingMatched,
            Self::Failed { .. } => Exit::Failed,
        }
    }
}
