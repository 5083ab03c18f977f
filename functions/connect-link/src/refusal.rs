//! The ways in which a request is not served.

use shared::{
    AttemptId,
    aws::{
        kms::{KmsError, OpenError},
        secrets::SecretsError,
    },
    process::NoRandomness,
};

use crate::{config::CallbackUriError, order::InvalidOrder};

/// Why a request is not served. The text is for the caller.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is nothing here")]
    UnknownRoute,
    #[error("this needs a request signed by an allowed IAM principal")]
    Unauthorised,
    #[error(transparent)]
    Order(#[from] InvalidOrder),
    #[error("not a connect link, or a damaged one")]
    NotALink,
    #[error("the link has expired")]
    Expired(AttemptId),
    #[error("another site sent this request")]
    CrossSite,
    #[error("try again in a moment")]
    Unavailable(#[from] Unavailable),
}

/// What is in the way on our side. The text is for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error(transparent)]
    Kms(#[from] KmsError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    CallbackUri(#[from] CallbackUriError),
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error("AWS was too slow, all in all")]
    Deadline,
}

impl Refusal {
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::Order(_) => 400,
            Self::Unauthorised | Self::CrossSite => 403,
            Self::UnknownRoute | Self::NotALink => 404,
            Self::Expired(_) => 410,
            Self::Unavailable(_) => 503,
        }
    }

    /// The `error` of the answer and the `result` in the log.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::UnknownRoute => "not_found",
            Self::Unauthorised => "forbidden",
            Self::Order(InvalidOrder::Malformed) => "invalid_request",
            Self::Order(InvalidOrder::WaId) => "invalid_wa_id",
            Self::Order(InvalidOrder::LoginUrl) => "login_url_not_allowed",
            Self::Order(InvalidOrder::TooLong) => "too_long",
            Self::NotALink => "unknown_link",
            Self::Expired(_) => "expired_link",
            Self::CrossSite => "cross_site",
            Self::Unavailable(_) => "temporarily_unavailable",
        }
    }

    pub(crate) const fn attempt_id(&self) -> Option<AttemptId> {
        match self {
            Self::Expired(attempt_id) => Some(*attempt_id),
            _ => None,
        }
    }

    /// What an operator must hear of.
    pub(crate) const fn fault(&self) -> Option<&Unavailable> {
        match self {
            Self::Unavailable(fault) => Some(fault),
            _ => None,
        }
    }
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NotALink => Self::NotALink,
            OpenError::Kms(error) => Unavailable::from(error).into(),
        }
    }
}
