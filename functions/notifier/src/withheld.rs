//! Messages that are withheld: a stranger must not be able to make the stack pester a chat. A success and
//! the end of a connection are always told.

use std::time::Duration;

use shared::{attempt::Outcome, aws::limits::Limits, timestamp::Clock};
use tracing::warn;

use crate::{outcome::Ended, setback::Setback};

/// How long a failure waits for a limit table that cannot be reached. After that it is told without asking: whoever makes
/// callbacks cannot make outages, and one of the table must not leave people without a word.
const PATIENCE: Duration = Duration::from_mins(5);

/// Why a person is not messaged about an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// The person knows of the later consent that won, or has connected again since.
    Superseded,
    /// Anybody can make a plain state, and so a failure, for any chat.
    PlainState,
    /// The chat has been told of enough failures for now.
    ToldEnough,
}

impl Withheld {
    /// For logs.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Superseded => "superseded",
            Self::PlainState => "plain state",
            Self::ToldEnough => "the chat was told of enough failures for now",
        }
    }
}

/// Decides on what is withheld.
pub(crate) struct Restraint {
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
}

impl Restraint {
    /// Why the person is not messaged about this outcome; `None` where they are. The same outcome may ask again.
    pub(crate) async fn withheld(&self, ended: &Ended) -> Result<Option<Withheld>, Setback> {
        match &ended.outcome {
            Outcome::Connected { .. } => return Ok(None),
            outcome if outcome.is_silent() => return Ok(Some(Withheld::Superseded)),
            Outcome::Ended(_) => return Ok(None),
            _ if ended.plain => return Ok(Some(Withheld::PlainState)),
            Outcome::Failed { .. } | Outcome::Delayed { .. } => {}
        }
        let now = (self.clock)();
        match self.limits.allow_failure_message(&ended.wa_id, &ended.key.to_string(), now).await {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(Withheld::ToldEnough)),
            Err(error) if now.since(ended.key.updated_at) < PATIENCE => Err(Setback::Limits(error)),
            Err(error) => {
                warn!(attempt_id = %ended.key.attempt_id, %error, "limit table unavailable, told without asking");
                Ok(None)
            }
        }
    }
}
