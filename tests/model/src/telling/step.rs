//! The steps of an invocation of the notifier, and their results.

use shared::{
    attempt::{
        Ways,
        last_error::{LastError, Party},
        ledger::Mark,
        message::Accepted,
    },
    conditional_write::ConditionalWrite,
};

use super::state::{NOW, STATUS, UPDATED_AT};
use crate::faults::Fault;

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum At {
    /// The intent is written next.
    Intend,
    /// It is taken back, after its answer was lost.
    TakeBack,
    /// The message is sent.
    Send,
    /// What became of it is marked.
    MarkMessage(Deed),
    /// What stays of the intent is written: it counts as a send, or not.
    MarkIntent { is_send: bool },
    /// The bot is notified.
    Bot,
    /// That is marked.
    MarkBot(Deed),
    /// Whatever is not marked yet is.
    MarkRest,
    /// What is left to tell is handed over to the retry queue.
    HandOver,
    /// It answers: whether its record or message is done.
    Answer { is_done: bool },
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Deed {
    Messaged,
    MaybeMessaged,
    Undeliverable,
    /// The bot took the event on these of its ways.
    Ways(Ways),
    Bot,
    /// The bot did not take the event on any way, and what it answered is news.
    BotRefused,
    Nothing,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepResult {
    /// It succeeds.
    Success,
    /// Table or queue refuses.
    Refused,
    /// It succeeds, and the answer is lost.
    Lost,
    /// It succeeds, the answer is lost, and the SDK asks again.
    AskedAgain,
    /// It does not, and the answer is lost.
    NotTaken,
    /// The provider is down.
    Down,
    /// The provider says that the message cannot be delivered.
    Undeliverable,
    /// The bot is down on these of its ways.
    WaysDown(Ways),
    /// The webhook took the event, and its answer is lost.
    WebhookLost,
}

/// The result of writing a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marked {
    Done,
    Held,
    Failed,
}

impl StepResult {
    pub(super) const fn fault(self) -> Option<Fault> {
        match self {
            Self::Success => None,
            Self::Refused => Some(Fault::Refusal),
            Self::Lost | Self::AskedAgain | Self::NotTaken | Self::WebhookLost => Some(Fault::Lost),
            Self::Down | Self::Undeliverable | Self::WaysDown(_) => Some(Fault::Answer),
        }
    }
}

/// What the party that did not take what it was sent answered.
pub(super) fn refused_by(party: Party, write: ConditionalWrite) -> ConditionalWrite {
    LastError::new("refused", NOW).added_to(write, party)
}

impl Deed {
    /// The write that marks it: `marking` of `attempts.rs`.
    pub(super) fn write(self, mark: &Mark, complete: bool) -> ConditionalWrite {
        let write = mark.write(STATUS, UPDATED_AT, complete, NOW);
        match self {
            Self::Messaged => Accepted { id: Some("SM1"), by_template: false }.marked_by(write, NOW),
            _ => write,
        }
    }
}
