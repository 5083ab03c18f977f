//! Why a command did not do what it was asked, and the exit code that says so.

use std::process::ExitCode;

use aws_sdk_sqs::error::ProvideErrorMetadata;
use shared::aws::describe;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0
    Done,
    /// 1
    Failed,
    /// 2
    Usage,
    /// 3: there was nothing to do it to.
    NothingMatched,
    /// 4: the report says what is left.
    InPart,
}

impl Exit {
    /// The code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NothingMatched => 3,
            Self::InPart => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why there is no report. No text quotes a message, a secret or an item.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command makes no sense as it stands.
    #[error("{0}")]
    Usage(String),
    /// There is no such thing.
    #[error("{0}")]
    NothingMatched(String),
    /// AWS, or another party, did not do it.
    #[error("could not {doing}: {why}")]
    Failed {
        /// What was tried.
        doing: String,
        /// In the party's words, or ours.
        why: String,
    },
}

impl Error {
    pub(crate) fn failed(doing: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Failed { doing: doing.into(), why: why.into() }
    }

    /// What an AWS client's error comes to.
    pub(crate) fn aws<E>(doing: &'static str) -> impl Fn(E) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata,
    {
        move |error| Self::failed(doing, describe(&error))
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::NothingMatched(_) => Exit::NothingMatched,
            Self::Failed { .. } => Exit::Failed,
        }
    }
}
