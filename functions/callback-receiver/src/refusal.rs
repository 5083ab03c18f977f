//! The ways in which a callback can be wrong, and what each of them is called, answered and explained.

use shared::{
    Reason,
    page::Mood,
    texts::{self, Text},
};

/// Why a callback is refused. The text is for programs; it quotes nothing of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Neither a code nor an error.
    #[error("the callback has no code")]
    MissingCode,
    /// Nothing says whose login it is.
    #[error("the callback has no state")]
    MissingState,
    /// A parameter occurs twice (RFC 6749 §3.1).
    #[error("a parameter occurs more than once")]
    DuplicateParameter,
    /// The state was not issued by this stack, or the callback comes from another host than the state names.
    #[error("the state was not issued by this stack")]
    InvalidState,
    /// The state is genuine and too old.
    #[error("the state has expired")]
    ExpiredState,
    /// The login was started in another browser.
    #[error("the login was started in another browser")]
    WrongBrowser,
    /// A parameter is longer than any that Salesforce sends.
    #[error("a parameter is too long")]
    TooLong,
}

/// How a refusal is answered.
pub(crate) struct Explanation {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `error` in JSON, `result` in logs and metrics.
    pub(crate) label: &'static str,
    /// The look, heading and paragraph of the page.
    pub(crate) mood: Mood,
    pub(crate) title: &'static Text,
    pub(crate) text: &'static Text,
}

impl Refusal {
    pub(crate) const fn explain(self) -> Explanation {
        match self {
            Self::MissingCode => Explanation::nothing_to_do("missing_code"),
            Self::MissingState => Explanation::nothing_to_do("missing_state"),
            Self::DuplicateParameter => Explanation::unusable("duplicate_parameter"),
            Self::InvalidState => Explanation::unusable("invalid_state"),
            Self::TooLong => Explanation::unusable("too_long"),
            Self::ExpiredState => Explanation {
                status: 400,
                label: "expired_state",
                mood: Mood::Bad,
                title: &texts::CALLBACK_EXPIRED,
                text: &texts::CALLBACK_EXPIRED_TEXT,
            },
            Self::WrongBrowser => Explanation {
                status: 400,
                label: "wrong_browser",
                mood: Mood::Bad,
                title: &texts::CALLBACK_WRONG_BROWSER,
                text: &texts::CALLBACK_WRONG_BROWSER_TEXT,
            },
        }
    }

    pub(crate) const fn label(self) -> &'static str {
        self.explain().label
    }

    /// How the attempt ends that the callback belongs to, if its state is genuine and nothing better follows.
    pub(crate) const fn reason(self) -> Reason {
        match self {
            Self::ExpiredState => Reason::ExpiredState,
            Self::WrongBrowser => Reason::WrongBrowser,
            Self::MissingCode | Self::MissingState | Self::DuplicateParameter | Self::InvalidState | Self::TooLong => {
                Reason::InvalidCallback
            }
        }
    }
}

impl Explanation {
    const fn nothing_to_do(label: &'static str) -> Self {
        Self {
            status: 400,
            label,
            mood: Mood::Neutral,
            title: &texts::CALLBACK_NOTHING_TO_DO,
            text: &texts::CALLBACK_NOTHING_TO_DO_TEXT,
        }
    }

    const fn unusable(label: &'static str) -> Self {
        Self {
            status: 400,
            label,
            mood: Mood::Bad,
            title: &texts::CALLBACK_UNUSABLE,
            text: &texts::CALLBACK_UNUSABLE_TEXT,
        }
    }
}
