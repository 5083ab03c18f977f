//! Who was notified of an outcome, and an outcome that is to be notified again.

use super::is;
use crate::{
    Status, Timestamp,
    attempt::{Ways, attr, intent::Intent, message::UNKNOWN},
    conditional_write::{Attributes, Condition, ConditionalWrite},
};

/// What says that the bot was notified, on all its ways or on one.
pub const BOT_TOLD: [&str; 4] = [attr::BOT_TOLD_AT, attr::WEBHOOK_TOLD_AT, attr::QUEUE_TOLD_AT, attr::BUS_TOLD_AT];

/// Who was notified of an outcome, or could not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The person is about to be sent the message: only where the last intent is still this one, and no result is known.
    Messaging {
        /// The intent that was there; `None` where there was none.
        last: Option<Intent>,
        /// The new one.
        this: Intent,
    },
    /// The person was not sent the message, or no answer says so: this is what stays of the intent.
    NotMessaged {
        /// The intent.
        this: Intent,
        /// What stays of it.
        left: Intent,
    },
    /// The person was sent the message.
    Messaged,
    /// The person may have been sent the message, as often as it may be tried on that chance: only where the last intent is
    /// still this one.
    MaybeMessaged {
        /// The intent that says so.
        last: Option<Intent>,
    },
    /// The message cannot be delivered. The bot is notified of that too. Only where nobody has marked a message that was
    /// sent.
    Undeliverable {
        /// The intent that it was sent with.
        this: Intent,
        /// WhatsApp's error code.
        code: String,
    },
    /// The chat was told of enough failures: this one is not asked about again.
    Withheld,
    /// The bot was notified on these of its ways, and not on each.
    NotifiedBy(Ways),
    /// The bot was notified on each of its ways.
    BotNotified,
    /// There was nothing left to send.
    Nothing,
    /// This mark, of an event that said that the message is on its way: only where it is not known by now that none arrives,
    /// because the bot has to hear of that.
    WhilePending(Box<Self>),
}

impl Mark {
    /// Marks the outcome that was written at that time, and no later one. With `complete`, nobody is left to notify.
    #[must_use]
    pub fn write(&self, status: Status, updated_at: Timestamp, complete: bool, now: Timestamp) -> ConditionalWrite {
        let mut conditions = vec![is_current(status, updated_at)];
        conditions.extend(self.conditions());
        let condition = if conditions.len() == 1 { conditions.remove(0) } else { Condition::All(conditions) };
        let write = self.change(ConditionalWrite::only_if(condition), status, now);
        if complete { write.set(attr::NOTIFIED_AT, now) } else { write }
    }

    /// What must be true beside that the outcome is the attempt's.
    fn conditions(&self) -> Vec<Condition> {
        match self {
            // A result removes the intent: whoever read the row before would find it as it was.
            Self::Messaging { last, .. } => vec![
                is_intent(last.as_ref()),
                Condition::Absent(attr::MESSAGED_AT),
                Condition::Absent(attr::MESSAGE_ERROR),
            ],
            Self::NotMessaged { this, .. } | Self::Undeliverable { this, .. } => vec![is_intent(Some(this))],
            Self::MaybeMessaged { last } => vec![is_intent(last.as_ref())],
            Self::WhilePending(mark) => {
                let mut conditions = mark.conditions();
                conditions.push(Condition::Absent(attr::MESSAGE_ERROR));
                conditions.push(Condition::IsNot(attr::MESSAGE_STATE, UNKNOWN.into()));
                conditions
            }
            _ => Vec::new(),
        }
    }

    fn change(&self, write: ConditionalWrite, status: Status, now: Timestamp) -> ConditionalWrite {
        match self {
            Self::Messaged if status == Status::Delayed => {
                write.set(attr::MESSAGED_AT, now).set(attr::DELAY_TOLD_AT, now).remove([attr::MESSAGE_INTENT])
            }
            Self::Messaged => write.set(attr::MESSAGED_AT, now).remove([attr::MESSAGE_INTENT]),
            Self::Messaging { this, .. } => write.set(attr::MESSAGE_INTENT, this.to_string()),
            Self::NotMessaged { left, .. } => write.set(attr::MESSAGE_INTENT, left.to_string()),
            // The bot may have been notified that the message is on its way.
            Self::MaybeMessaged { .. } => {
                let write = write.set(attr::MESSAGED_AT, now).set(attr::MESSAGE_STATE, UNKNOWN);
                write.remove([attr::MESSAGE_INTENT]).remove(BOT_TOLD)
            }
            // The bot may have been notified that the message is on its way.
            Self::Undeliverable { code, .. } => {
                write.set(attr::MESSAGE_ERROR, code.as_str()).remove([attr::MESSAGE_INTENT]).remove(BOT_TOLD)
            }
            Self::Withheld => write.set(attr::WITHHELD_AT, now),
            Self::NotifiedBy(ways) => ways.marks().fold(write, |write, mark| write.set(mark, now)),
            Self::BotNotified => write.set(attr::BOT_TOLD_AT, now),
            Self::WhilePending(mark) => mark.change(write, status, now),
            Self::Nothing => write,
        }
    }

    /// Whether it says what was done, so that it may be written with the next such mark where it could not be itself.
    #[must_use]
    pub const fn is_of_a_deed(&self) -> bool {
        !matches!(self, Self::Messaging { .. } | Self::NotMessaged { .. } | Self::Withheld)
    }

    /// Whether an item that refused this mark needs it no more: it was written and the answer was lost, or the intent that it
    /// takes back is not there.
    #[must_use]
    pub fn is_in(&self, item: &Attributes) -> bool {
        match self {
            Self::Messaging { this, .. } => is_intent(Some(this)).holds(item),
            Self::NotMessaged { this, .. } => !is_intent(Some(this)).holds(item),
            Self::MaybeMessaged { .. } => Condition::Is(attr::MESSAGE_STATE, UNKNOWN.into()).holds(item),
            Self::Undeliverable { code, .. } => Condition::Is(attr::MESSAGE_ERROR, code.as_str().into()).holds(item),
            _ => false,
        }
    }
}

/// Whether the outcome that was written at that time is still the item's.
#[must_use]
pub fn is_of(status: Status, updated_at: Timestamp, item: &Attributes) -> bool {
    is_current(status, updated_at).holds(item)
}

/// The last intent to send a message is still this one.
fn is_intent(intent: Option<&Intent>) -> Condition {
    intent.map_or(Condition::Absent(attr::MESSAGE_INTENT), |intent| {
        Condition::Is(attr::MESSAGE_INTENT, intent.to_string().into())
    })
}

/// Puts the outcome that was written at that time, and no later one, on the stream again, without these marks.
///
/// `updated_at` stays: it is in the event's id, by which a bot recognises a repetition.
#[must_use]
pub fn redelivery(status: Status, updated_at: Timestamp, without: &[&'static str], now: Timestamp) -> ConditionalWrite {
    let write = ConditionalWrite::only_if(is_current(status, updated_at)).set(attr::REDELIVERED_AT, now);
    without.iter().fold(write, |write, mark| write.remove([*mark]))
}

/// The outcome that was written at that time is still the attempt's.
fn is_current(status: Status, updated_at: Timestamp) -> Condition {
    Condition::All(vec![is(status), Condition::Is(attr::UPDATED_AT, updated_at.into())])
}
