//! The intent to send a person their message, which is written before it is sent: who sends, and how often it may have
//! been sent before. Pure.
//!
//! Everybody hears at least once: an intent alone proves no message, because whoever wrote it may have died before the
//! send. Only a send that was made and whose answer was lost counts as one, and after it the message is repeated once.
//! An intent that somebody died with is repeated too, ever later, so that whatever ends its holders each time makes few
//! messages.

use std::{fmt, str::FromStr, time::Duration};

use super::message::PAUSES;
use crate::Timestamp;

/// How long an intent without a result is its holder's alone: longer than the notifier's time-out.
pub const LEASE: Duration = Duration::from_secs(31);
/// How many messages may be sent of which no answer says so, where one of them was sent for certain.
const MAX_SENDS: u32 = 2;

/// The intent to send a message: `<sends>.<certain>.<when, in milliseconds>.<who>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// How many messages may have been sent without an answer, with the one that is about to be.
    pub sends: u32,
    /// How many of them were handed to the provider for certain.
    pub certain: u32,
    /// When it was written.
    pub at: Timestamp,
    /// Who is about to send: a random text without a dot. Empty where they are done, and know no result.
    pub holder: String,
}

/// What an intent leaves to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To send the message, once this intent is written.
    Send(Intent),
    /// Somebody else may be sending it right now.
    Held,
    /// To wait: its last holders all died.
    Wait,
    /// Nothing more: it may have arrived, and is not sent again.
    Unknown,
}

/// The text is no intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an intent")]
pub struct InvalidIntent;

impl Intent {
    /// What is to be done where this is the last intent; `holder` is who asks.
    #[must_use]
    pub fn step(last: Option<&Self>, holder: String, now: Timestamp) -> Step {
        let Some(last) = last else { return Step::Send(Self { sends: 1, certain: 0, at: now, holder }) };
        let age = now.since(last.at);
        if last.is_open() && age < LEASE {
            return Step::Held;
        }
        if last.sends >= MAX_SENDS && last.certain > 0 {
            return Step::Unknown;
        }
        if last.is_open() && age < last.pause() {
            return Step::Wait;
        }
        Step::Send(Self { sends: last.sends.saturating_add(1), certain: last.certain, at: now, holder })
    }

    /// What stays of it after the message was handed to the provider, and its answer lost.
    #[must_use]
    pub fn unanswered(&self) -> Self {
        Self { certain: self.certain.saturating_add(1), holder: String::new(), ..self.clone() }
    }

    /// What stays of it where the message was certainly not sent: what was there before.
    #[must_use]
    pub fn undone(&self, last: Option<&Self>) -> Self {
        // Never nothing: a row without any mark is on the stream again.
        last.cloned().unwrap_or_else(|| Self { sends: 0, certain: 0, at: self.at, holder: String::new() })
    }

    /// Nobody has said what became of it.
    const fn is_open(&self) -> bool {
        !self.holder.is_empty()
    }

    /// How long it is left alone after its holder died: one death may happen to anybody.
    fn pause(&self) -> Duration {
        let deaths = usize::try_from(self.sends - self.certain.min(self.sends)).unwrap_or(usize::MAX);
        deaths.checked_sub(2).map_or(LEASE, |place| PAUSES[place.min(PAUSES.len() - 1)])
    }
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.sends, self.certain, self.at.millis(), self.holder)
    }
}

impl FromStr for Intent {
    type Err = InvalidIntent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(4, '.');
        let mut part = || parts.next().ok_or(InvalidIntent);
        let sends = part()?.parse().map_err(|_| InvalidIntent)?;
        let certain = part()?.parse().map_err(|_| InvalidIntent)?;
        let at = part()?.parse().map_err(|_| InvalidIntent)?;
        Ok(Self { sends, certain, at: Timestamp::from_millis(at), holder: part()?.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_000_000);

    fn intent(text: &str) -> Intent {
        text.parse().unwrap()
    }

    /// What is to be done so long after the intent was written.
    fn step(text: &str, after: Duration) -> Step {
        Intent::step(Some(&intent(text)), "b".to_owned(), AT.plus(after))
    }

    /// The sends and the certain ones of the next intent, and after which time it may be written.
    fn next(text: &str) -> (u32, u32, u64) {
        let seconds = (0..7200).find(|seconds| matches!(step(text, Duration::from_secs(*seconds)), Step::Send(_)));
        let seconds = seconds.unwrap();
        let Step::Send(next) = step(text, Duration::from_secs(seconds)) else { panic!("a send") };
        assert_eq!(next.holder, "b");
        (next.sends, next.certain, seconds)
    }

    #[test]
    fn an_intent_is_read_as_it_was_written() {
        for text in ["1.0.1000000.a0", "2.1.1000000."] {
            assert_eq!(intent(text).to_string(), text);
        }
        for text in ["", "1", "1.0", "1.0.9", "x.0.9.a", "1.x.9.a", "1.0.x.a", "-1.0.9.a"] {
            assert_eq!(text.parse::<Intent>(), Err(InvalidIntent), "{text}");
        }
    }

    #[test]
    fn a_message_is_sent_where_there_was_no_intent() {
        let first = Intent { sends: 1, certain: 0, at: AT, holder: "b".to_owned() };
        assert_eq!(Intent::step(None, "b".to_owned(), AT), Step::Send(first));
    }

    #[test]
    fn of_two_at_the_same_time_one_sends() {
        assert_eq!(step("1.0.1000000.a", LEASE.saturating_sub(Duration::from_millis(1))), Step::Held);
        assert_eq!(step("2.1.1000000.a", Duration::ZERO), Step::Held, "its result may be known in a moment");
    }

    #[test]
    fn a_send_whose_answer_is_lost_is_repeated_once() {
        let first = intent("1.0.1000000.a").unanswered();
        assert_eq!(first.to_string(), "1.1.1000000.");
        assert_eq!(next("1.1.1000000."), (2, 1, 0));
        assert_eq!(step("2.2.1000000.", Duration::ZERO), Step::Unknown);
    }

    #[test]
    fn what_was_certainly_not_sent_counts_for_nothing() {
        let (last, this) = (intent("1.1.7."), intent("2.1.1000000.a"));
        assert_eq!(this.undone(Some(&last)), last);
        let nothing = intent("1.0.1000000.a").undone(None);
        assert_eq!(nothing.to_string(), "0.0.1000000.");
        assert_eq!(next("0.0.1000000."), (1, 0, 0));
    }

    #[test]
    fn a_death_is_followed_by_a_send_until_one_was_made_for_certain() {
        assert_eq!(next("1.0.1000000.a"), (2, 0, 31));
        assert_eq!(next("2.0.1000000.a"), (3, 0, 60));
        assert_eq!(next("3.0.1000000.a"), (4, 0, 300));
        assert_eq!(next("99.0.1000000.a"), (100, 0, 3600));
        assert_eq!(step("2.0.1000000.a", LEASE), Step::Wait);
    }

    #[test]
    fn a_death_and_a_lost_answer_are_no_more_than_two_lost_answers() {
        for text in ["2.1.1000000.a", "2.1.1000000.", "3.1.1000000."] {
            assert_eq!(step(text, LEASE), Step::Unknown, "{text}");
        }
        assert_eq!(next("1.1.1000000.a"), (2, 1, 31));
    }
}
