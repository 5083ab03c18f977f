//! What becomes of a message after WhatsApp's provider has accepted it, as data: Twilio says `queued` at once, and refuses
//! later, where it can be asked.
//!
//! Each write is about one message: where another was sent since, or there is a later outcome, it is not made. Pure.

use std::time::Duration;

use super::{Status, attr, ledger::BOT_TOLD};
use crate::{
    Timestamp,
    conditional_write::{Condition, ConditionalWrite},
};

/// How long a message is not sent again that was refused for no fault of the person's, or whose senders died, by how often
/// that happened.
pub(super) const PAUSES: [Duration; 4] =
    [Duration::from_mins(1), Duration::from_mins(5), Duration::from_mins(15), Duration::from_hours(1)];

/// The state of a message of which the provider could not say in time what became of it.
pub const UNKNOWN: &str = "unknown";

/// A message that the provider has accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted<'a> {
    /// The provider's id of it, where it gave a usable one.
    pub id: Option<&'a str>,
    /// It was sent by the template, because nothing else reaches the person.
    pub by_template: bool,
}

/// What is known later of a message that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later<'a> {
    /// It arrived, or nothing more can be known of it: the provider's word for its state, or [`UNKNOWN`].
    Settled(&'a str),
    /// Only the template reaches the person: it is sent at once, and once.
    WindowClosed,
    /// It cannot be delivered to this person, with the provider's error code. The bot is told of that too.
    Undeliverable(&'a str),
    /// It was refused for nobody's fault, or for the account's: it is sent again, after a pause.
    Refused {
        /// How often that happened to this outcome's messages before.
        before: u64,
    },
}

impl Accepted<'_> {
    /// Adds to the mark that the person was sent a message which message that was.
    #[must_use]
    pub fn marked_by(&self, mark: ConditionalWrite, now: Timestamp) -> ConditionalWrite {
        let mark = match self.id {
            Some(id) => mark.set(attr::MESSAGE_ID, id),
            None => mark,
        };
        if self.by_template { mark.set_once(attr::TEMPLATE_AT, now) } else { mark }
    }
}

impl Later<'_> {
    /// Whether something is left to tell then: to the person, or to the bot.
    #[must_use]
    pub const fn is_untold(&self) -> bool {
        !matches!(self, Self::Settled(_))
    }

    /// Writes it to the outcome that was written at that time, where this message is the last that was sent of it.
    #[must_use]
    pub fn write(self, status: Status, updated_at: Timestamp, message_id: &str, now: Timestamp) -> ConditionalWrite {
        let write = ConditionalWrite::only_if(Condition::All(vec![
            Condition::Is(attr::STATUS, status.as_str().into()),
            Condition::Is(attr::UPDATED_AT, updated_at.into()),
            Condition::Is(attr::MESSAGE_ID, message_id.into()),
        ]));
        let told = [attr::MESSAGED_AT, attr::DELAY_TOLD_AT, attr::NOTIFIED_AT];
        match self {
            Self::Settled(state) => write.set(attr::MESSAGE_STATE, state),
            Self::WindowClosed => {
                write.set(attr::TEMPLATE_AT, now).remove(told).remove([attr::MESSAGE_ID, attr::MESSAGE_INTENT])
            }
            Self::Undeliverable(code) => write.set(attr::MESSAGE_ERROR, code).remove(told).remove(BOT_TOLD),
            Self::Refused { before } => {
                let place = usize::try_from(before).unwrap_or(usize::MAX).min(PAUSES.len() - 1);
                write
                    .set(attr::MESSAGE_RETRY_AT, now.plus(PAUSES[place]))
                    .add(attr::MESSAGE_REFUSALS, 1)
                    .remove(told)
                    .remove([attr::MESSAGE_ID, attr::MESSAGE_INTENT])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        attempt::{Item, ledger::Mark},
        conditional_write::Attributes,
    };

    const WRITTEN: Timestamp = Timestamp::from_millis(1_000);
    const NOW: Timestamp = Timestamp::from_millis(2_000);

    /// An outcome of which everybody was told, with this message.
    fn told(id: &str, by_template: bool) -> Attributes {
        let mut row: Attributes = [
            (attr::ATTEMPT_ID, "07".repeat(16).into()),
            (attr::STATUS, "connected".into()),
            (attr::UPDATED_AT, WRITTEN.into()),
        ]
        .map(|(name, value): (&str, crate::conditional_write::Value)| (name.to_owned(), value))
        .into();
        let mark = Mark::Messaged.write(Status::Connected, WRITTEN, false, WRITTEN);
        assert!(Accepted { id: Some(id), by_template }.marked_by(mark, WRITTEN).apply(&mut row));
        assert!(Mark::BotNotified.write(Status::Connected, WRITTEN, true, WRITTEN).apply(&mut row));
        row
    }

    fn after(later: Later<'_>) -> Item {
        let mut row = told("SM1", false);
        assert!(later.write(Status::Connected, WRITTEN, "SM1", NOW).apply(&mut row));
        Item::read(&row, &[]).unwrap()
    }

    #[test]
    fn what_arrived_stays_told() {
        let item = after(Later::Settled("delivered"));
        assert_eq!(item.message_state.as_deref(), Some("delivered"));
        assert!(item.messaged_at.is_some() && item.bot_told_at.is_some() && item.notified_at.is_some());
        assert!(!Later::Settled(UNKNOWN).is_untold());
    }

    #[test]
    fn a_closed_window_leaves_the_template_to_be_sent_and_the_bot_told() {
        let item = after(Later::WindowClosed);
        assert_eq!((item.messaged_at, item.message_id, item.notified_at), (None, None, None));
        assert_eq!((item.template_at, item.bot_told_at), (Some(NOW), Some(WRITTEN)));
    }

    #[test]
    fn what_cannot_be_delivered_is_final_and_the_bot_hears_of_it() {
        let item = after(Later::Undeliverable("63024"));
        assert_eq!(item.message_error.as_deref(), Some("63024"));
        assert_eq!((item.messaged_at, item.bot_told_at, item.notified_at), (None, None, None));
    }

    #[test]
    fn what_is_nobodys_fault_is_sent_again_after_pauses_that_grow() {
        let pause = |before| {
            let item = after(Later::Refused { before });
            assert_eq!((item.messaged_at, item.notified_at, item.message_refusals), (None, None, Some(1)));
            item.message_retry_at.unwrap().since(NOW)
        };
        assert_eq!([0, 1, 2, 3, 4, u64::MAX].map(|before| pause(before).as_secs()), [60, 300, 900, 3600, 3600, 3600]);
    }

    #[test]
    fn nothing_is_said_of_a_message_that_another_has_followed_or_of_an_earlier_outcome() {
        for later in
            [Later::Settled("read"), Later::WindowClosed, Later::Undeliverable("1"), Later::Refused { before: 0 }]
        {
            let mut row = told("SM2", false);
            assert!(!later.write(Status::Connected, WRITTEN, "SM1", NOW).apply(&mut row));
            assert!(!later.write(Status::Connected, NOW, "SM2", NOW).apply(&mut row));
            assert!(!later.write(Status::Failed, WRITTEN, "SM2", NOW).apply(&mut row));
        }
    }

    #[test]
    fn a_message_by_template_says_so() {
        assert!(
            told("SM1", true).contains_key(attr::TEMPLATE_AT) && !told("SM1", false).contains_key(attr::TEMPLATE_AT)
        );
    }

    #[test]
    fn the_next_outcome_knows_nothing_of_the_messages_of_the_last() {
        for name in
            [attr::MESSAGE_ID, attr::MESSAGE_STATE, attr::TEMPLATE_AT, attr::MESSAGE_RETRY_AT, attr::MESSAGE_REFUSALS]
        {
            assert!(attr::MARKS.contains(&name), "{name}");
        }
    }
}
