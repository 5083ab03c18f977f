//! The ways in which a call can be refused, and what each of them is called and answered.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    Language,
    attempt::{EndReason, Next},
    aws::{
        AwsError,
        links::{CallbackUriError, LinkError},
        secrets::SecretsError,
    },
    custody::Trouble,
    limit::GUESS_WINDOW,
    process::NoRandomness,
    web::{Content, Response},
};

use crate::{
    confirmations::{
        InvalidConfirmation,
        messages::{self, UserMessage},
    },
    request::InvalidRequest,
};

/// For `Retry-After` where a table or a link is what does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// Why a call is refused. The text is for the bot's developer; it quotes nothing of the request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no such route")]
    UnknownRoute,
    #[error("the request must be signed by an authorized IAM principal")]
    Unauthorised,
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    #[error(transparent)]
    InvalidConfirmation(#[from] InvalidConfirmation),
    #[error("the chat has no connection; send it a link of POST /links")]
    NotConnected,
    #[error("the connection has ended; next says what helps")]
    NeedsReauthorization {
        /// Unknown where this stack did not end it, or an earlier version did.
        reason: Option<EndReason>,
        /// A new link for the chat; `None` where only the person's administrator can help, as in the event of the end.
        relink_url: Option<String>,
    },
    #[error("this stack has TokenCustody=Bot: the bot reads and refreshes tokens itself")]
    BotCustody,
    #[error("no login waits for a code in the text")]
    UnknownCode(Unknown),
    #[error("the code is of a login with a link that was made for another chat")]
    WrongChat {
        /// That chat has sent the code, and before this one.
        is_confirmed: bool,
        /// The language of that login.
        language: Option<Language>,
    },
    #[error("the chat has sent three wrong codes within ten minutes")]
    TooManyGuesses,
    #[error("try again after Retry-After")]
    Unavailable(#[from] Unavailable),
}

/// Why a text confirms nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Nothing in it has the form of a code: the message is about something else.
    NoCode,
    /// No login waits for its codes.
    NoLogin,
    /// Its code is of a login of this chat's that is over.
    TooLate(Option<Language>),
}

/// Why a call cannot be answered now. The text is for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error(transparent)]
    Custody(#[from] Trouble),
    #[error(transparent)]
    Table(#[from] AwsError),
    #[error("the token exchanger was not told")]
    Queue(#[source] AwsError),
    #[error("no new link")]
    Link(#[from] LinkError),
    #[error("no new link")]
    Random(#[from] NoRandomness),
    #[error("no new link")]
    Secrets(#[from] SecretsError),
    #[error("no new link")]
    CallbackUri(#[from] CallbackUriError),
    #[error("timed out")]
    Deadline,
}

impl Refusal {
    /// The HTTP status.
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::Invalid(_) | Self::InvalidConfirmation(_) => 400,
            Self::Unauthorised => 403,
            Self::UnknownRoute | Self::NotConnected | Self::UnknownCode(_) => 404,
            Self::NeedsReauthorization { .. } | Self::BotCustody | Self::WrongChat { .. } => 409,
            Self::TooManyGuesses => 429,
            Self::Unavailable(_) => 503,
        }
    }

    /// `error` in JSON, `result` in logs and metrics.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Invalid(_) | Self::InvalidConfirmation(_) => "invalid_request",
            Self::Unauthorised => "forbidden",
            Self::UnknownRoute => "not_found",
            Self::NotConnected => "not_connected",
            Self::NeedsReauthorization { .. } => "needs_reauthorization",
            Self::BotCustody => "bot_custody",
            Self::UnknownCode(_) => "unknown_code",
            Self::WrongChat { .. } => "wrong_chat",
            Self::TooManyGuesses => "too_many_guesses",
            Self::Unavailable(_) => "temporarily_unavailable",
        }
    }

    /// `reason` in logs.
    pub(crate) const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::NeedsReauthorization { reason: Some(reason), .. } => Some(reason.as_str()),
            Self::UnknownCode(Unknown::NoCode) => Some("no_code"),
            Self::UnknownCode(Unknown::NoLogin) => Some("no_login"),
            Self::UnknownCode(Unknown::TooLate(_)) => Some("too_late"),
            _ => None,
        }
    }

    /// Whether a code was sent, and this is what becomes of it.
    pub(crate) const fn answers_code(&self) -> bool {
        self.user_message().is_some()
    }

    /// The cause that an operator has to know, where the fault is not the caller's.
    pub(crate) const fn fault(&self) -> Option<&Unavailable> {
        match self {
            Self::Unavailable(fault) => Some(fault),
            _ => None,
        }
    }

    /// What the bot is to say to the chat, where the call is about a code that it has sent.
    const fn user_message(&self) -> Option<UserMessage> {
        let (text, language) = match self {
            Self::UnknownCode(Unknown::NoLogin) => (messages::UNKNOWN, None),
            Self::UnknownCode(Unknown::TooLate(language)) => (messages::TOO_LATE, *language),
            Self::WrongChat { is_confirmed: false, language } => (messages::WRONG_CHAT, *language),
            Self::WrongChat { is_confirmed: true, language } => (messages::CONFIRMED_ELSEWHERE, *language),
            Self::TooManyGuesses => (messages::TOO_MANY_GUESSES, None),
            _ => return None,
        };
        Some(UserMessage { text, language })
    }

    /// For `Retry-After`, in seconds.
    fn retry_after(&self) -> Option<u16> {
        match self {
            // By then the oldest guess, at the latest, counts no more.
            Self::TooManyGuesses => u16::try_from(GUESS_WINDOW.as_secs()).ok(),
            _ => self.fault().map(Unavailable::retry_after),
        }
    }

    /// The answer; what it says to a chat is in the login's language, else in the default one.
    pub(crate) fn response(&self, default: Language) -> Response {
        let content = Content::Json(self.body(default).to_string());
        Response { status: self.status(), content, retry_after: self.retry_after(), cookies: Vec::new() }
    }

    /// The JSON object that is answered.
    fn body(&self, default: Language) -> Value {
        let mut body = json!({ "error": self.label(), "error_description": self.to_string() });
        if let Some(user_message) = self.user_message() {
            body["user_message"] = json!(user_message.said(default));
        }
        if let Self::NeedsReauthorization { reason, relink_url } = self {
            if let Some(reason) = reason {
                body["reason"] = json!(reason);
            }
            body["next"] = json!(reason.map_or(Next::Relink, EndReason::next).as_str());
            if let Some(relink_url) = relink_url {
                body["relink_url"] = json!(relink_url);
            }
        }
        body
    }
}

impl Unavailable {
    /// Whether an operator can do nothing about it: Salesforce does not answer, or the person has to log in again.
    pub(crate) const fn needs_no_operator(&self) -> bool {
        matches!(
            self,
            Self::Custody(
                Trouble::Refresh(_)
                    | Trouble::Introspect(_)
                    | Trouble::Held { .. }
                    | Trouble::Paused { .. }
                    | Trouble::NoRefreshToken
                    | Trouble::Lost
            )
        )
    }

    /// For `Retry-After`, in seconds.
    pub(crate) fn retry_after(&self) -> u16 {
        let pause = match self {
            Self::Custody(trouble) => trouble.retry_after(),
            _ => RETRY_AFTER,
        };
        // Up to the next whole second.
        u16::try_from(pause.as_millis().div_ceil(1_000)).unwrap_or(u16::MAX)
    }
}
