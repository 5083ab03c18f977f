//! How far a notification came, or why it ended early.

use std::time::Duration;

use shared::{
    Status, Timestamp,
    attempt::{
        Item, Ways, attr,
        last_error::{LastError, Party},
        ledger::Mark,
    },
    bot::event::MessageStatus,
    conditional_write::ConditionalWrite,
};

use crate::{outcome::OutcomeKey, setback::Setback, whatsapp::SendError};

/// How far a notification came.
pub(crate) struct Progress {
    pub(crate) status: Status,
    pub(crate) message: MessageStatus,
    /// The bot's ways that have not taken the event.
    pub(super) left: Ways,
    /// The item says that both are notified.
    pub(crate) complete: bool,
    /// When to ask what became of a message that was sent, and of which the provider may say more later.
    pub(crate) ask_after: Option<Duration>,
    /// An operator had it redelivered, so that any write puts it on the stream once more.
    pub(super) is_redelivered: bool,
    pub(super) setbacks: Vec<Setback>,
    /// What is written with the next mark for operators.
    pub(super) last_errors: Vec<(Party, LastError)>,
    /// The marks of what was done that could not be written; they are written with the next.
    pub(super) unwritten: Option<ConditionalWrite>,
}

/// Why a notification ends early.
pub(crate) enum Stop {
    Skip(Skip),
    Setback(Setback),
}

/// Why an outcome needs no notification.
#[derive(Clone, Copy)]
pub(crate) enum Skip {
    AttemptNotFound,
    /// An exchanger has claimed the attempt again, or its tokens wait for the chat's code: its next outcome has a record of
    /// its own.
    NoOutcome,
    Superseded,
    AlreadyNotified,
    /// Everybody was told; what became of the message is asked again after this time.
    OnItsWay(Duration),
}

impl From<Skip> for Stop {
    fn from(skip: Skip) -> Self {
        Self::Skip(skip)
    }
}

impl<E: Into<Setback>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Setback(error.into())
    }
}

impl Skip {
    /// For logs.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::AttemptNotFound => "attempt not found",
            Self::NoOutcome => "no outcome now",
            Self::Superseded => "superseded by a later outcome",
            Self::AlreadyNotified => "already notified",
            Self::OnItsWay(_) => "message on its way",
        }
    }
}

impl Progress {
    /// Nothing is done yet.
    pub(super) fn new(item: &Item, key: &OutcomeKey, left: Ways, ask_after: Option<Duration>) -> Self {
        Self {
            status: key.status,
            message: MessageStatus::Pending,
            left,
            complete: false,
            ask_after,
            is_redelivered: item.redelivered_at.is_some(),
            setbacks: Vec::new(),
            last_errors: Vec::new(),
            unwritten: None,
        }
    }

    pub(crate) const fn bot_is_notified(&self) -> bool {
        !self.left.are_any()
    }

    /// Whether nothing is left to do but to mark it.
    pub(super) fn is_done(&self) -> bool {
        self.bot_is_notified() && self.message != MessageStatus::Pending
    }

    /// A mark of an event that says how the message stands.
    pub(super) fn of_bot(&self, mark: Mark) -> Mark {
        if self.message == MessageStatus::Pending { Mark::WhilePending(Box::new(mark)) } else { mark }
    }

    /// WhatsApp did not take the message.
    pub(super) fn not_messaged(&mut self, error: SendError, now: Timestamp) {
        self.last_errors.push((Party::WhatsApp, LastError::new(&error.to_string(), now)));
        self.setbacks.push(error.into());
    }

    /// What a mark writes beside what it is about.
    pub(super) fn add_to(&self, write: ConditionalWrite) -> ConditionalWrite {
        let write = if self.is_redelivered { write.remove([attr::REDELIVERED_AT]) } else { write };
        self.last_errors.iter().fold(write, |write, (party, error)| error.added_to(write, *party))
    }

    /// The setbacks in one text, for the log.
    pub(crate) fn setbacks(&self) -> String {
        joined(&self.setbacks)
    }
}

/// Setbacks in one text.
pub(super) fn joined(setbacks: &[Setback]) -> String {
    setbacks.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
