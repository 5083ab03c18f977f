//! How the processing of a message ends when no retry follows.

use shared::{
    Reason,
    exchange::DenialError,
    salesforce::{ExchangeError, Untrusted},
};

use crate::{
    report::chain,
    setback::{Setback, class_label},
};

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
    /// No outcome yet: the tokens are held until the chat confirms the login.
    Held,
    /// The outcome: no retry can help.
    Failed(Failure),
    /// Tokens that nobody needs any more are revoked.
    Revoked,
    /// They are on the upkeep queue to be revoked, because the chat's sealed row may hold them.
    HandedOver,
    /// The attempt had its outcome before, or another message brings it.
    Duplicate,
}

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    /// The OAuth error code that Salesforce gave, if any.
    pub(crate) salesforce_error: Option<DenialError>,
    /// What happened, for operators.
    pub(crate) last_error: Option<String>,
    /// What the operators' metrics call it, where they have to know.
    pub(crate) class: Option<&'static str>,
    /// The class of Salesforce's answer, for logs.
    pub(crate) answer: Option<&'static str>,
}

impl Failure {
    /// Salesforce's answer to the exchange is the reason.
    pub(crate) fn of(reason: Reason, cause: &ExchangeError) -> Self {
        let class = match cause {
            ExchangeError::Untrusted(tokens) => Some(match tokens.why() {
                Untrusted::Signature => "untrusted_signature",
                Untrusted::Instance => "untrusted_instance",
                Untrusted::Identity | Untrusted::IssuedAt => "untrusted_identity",
            }),
            _ => None,
        };
        let salesforce_error = cause.oauth_error().cloned();
        let answer = Some(class_label(cause.class()));
        Self { reason, salesforce_error, last_error: Some(chain(cause)), class, answer }
    }

    /// Salesforce's error at the callback is the reason.
    pub(crate) fn denied(reason: Reason, error: &DenialError, description: Option<&str>) -> Self {
        let description = description.map(|text| format!(": {text}")).unwrap_or_default();
        let last_error = format!("Salesforce answered the login with {}{description}", error.as_str());
        let class = (reason == Reason::Misconfigured).then_some("callback_error");
        Self { reason, salesforce_error: Some(error.clone()), last_error: Some(last_error), class, answer: None }
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self { reason, salesforce_error: None, last_error: None, class: None, answer: None }
    }
}
