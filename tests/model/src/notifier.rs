//! One invocation of the notifier on one record, step by step.
//!
//! A simple one: it sends, marks what it has sent with the notifier's own marks, and is invoked again by the stream. It
//! knows neither the intent before a send, nor the retry queue, nor that there are two ways to the bot: those are in
//! [`telling`](crate::telling). What it adds are the outcomes that follow each other in one attempt.

use shared::{Status, attempt::ledger::Mark};

use crate::{
    protocol::{Fault, Faults, Record, State, mark},
    rules::Broken,
};

/// An invocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notifying {
    record: Record,
    at: At,
    person_notified: bool,
    bot_notified: bool,
    notified: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    Message,
    MarkMessage,
    /// And its mark: whether the bot or the table refuses, it is notified again.
    Bot,
    MarkNothing,
    End,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepResult {
    /// It succeeds.
    Success,
    /// The table refuses.
    Refused,
    /// WhatsApp or the bot rejects it.
    Rejected,
    /// WhatsApp accepts it, and the response is lost.
    ResponseLost,
    /// It succeeds, and the stream delivers the record again.
    Redelivered,
}

impl StepResult {
    const fn fault(self) -> Option<Fault> {
        match self {
            Self::Success => None,
            Self::Refused => Some(Fault::Refusal),
            Self::Rejected => Some(Fault::Answer),
            Self::ResponseLost => Some(Fault::Lost),
            Self::Redelivered => Some(Fault::Duplicate),
        }
    }
}

impl Notifying {
    /// Reads the item for the stream's next record. `None` where there is nothing to do.
    #[must_use]
    pub fn read(state: &mut State) -> Option<Self> {
        let record = state.stream[0].clone();
        let row = &state.row;
        let is_another = row.status != Some(record.status) || row.outcome != record.outcome;
        if is_another || row.notified {
            state.stream.remove(0);
            return None;
        }
        let person_notified = row.messaged || (row.is(Status::Delayed) && row.delay_told);
        let bot_notified = row.bot_told;
        let mut this = Self { record, at: At::Message, person_notified, bot_notified, notified: false };
        if person_notified {
            this.at = this.after_message();
        }
        Some(this)
    }

    fn is_delay(&self) -> bool {
        self.record.status == Status::Delayed.as_str()
    }

    /// The number of the outcome.
    #[must_use]
    pub const fn outcome(&self) -> u8 {
        self.record.outcome
    }

    /// Gives the outcome another number.
    pub const fn rename(&mut self, outcome: u8) {
        self.record.outcome = outcome;
    }

    /// Whether the mark of a sent message would be lost if it were killed now. Everything else is simply repeated.
    #[must_use]
    pub fn loses_a_mark(&self) -> bool {
        self.at == At::MarkMessage
    }

    /// The mark of a sent message is lost.
    pub fn lose_mark(&self, state: &mut State) {
        state.notifications[usize::from(self.record.outcome) - 1].doubts += 1;
        state.delays_notified -= i8::from(self.is_delay());
    }

    /// The possible results of the next step.
    pub fn steps(&self, left: &Faults, mut can: impl FnMut(StepResult)) {
        let results: &[StepResult] = match self.at {
            At::MarkMessage | At::MarkNothing => &[StepResult::Success, StepResult::Refused, StepResult::Redelivered],
            At::Message => &[StepResult::Success, StepResult::Rejected, StepResult::ResponseLost],
            At::Bot => &[StepResult::Success, StepResult::Rejected, StepResult::Redelivered],
            At::End => &[],
        };
        for result in results {
            if result.fault().is_none_or(|fault| left.can(fault)) {
                can(*result);
            }
        }
    }

    /// Takes the next step. `None` when it was the last.
    #[must_use]
    pub fn step(mut self, state: &mut State, broken: Broken, result: StepResult) -> Option<Self> {
        if let Some(fault) = result.fault() {
            state.left.spend(fault);
        }
        let done = match self.at {
            At::Message => {
                let notifications = &mut state.notifications[usize::from(self.record.outcome) - 1];
                if result != StepResult::Rejected {
                    notifications.messages += 1;
                    state.delays_notified += i8::from(self.is_delay());
                    state.notified_needlessly |= notifications.messages > 1 + notifications.doubts;
                }
                if result == StepResult::ResponseLost {
                    self.lose_mark(state);
                }
                self.person_notified = result == StepResult::Success;
                self.at = if self.person_notified { At::MarkMessage } else { self.after_message() };
                None
            }
            At::MarkMessage => {
                self.at = self.after_message();
                if result == StepResult::Refused {
                    self.lose_mark(state);
                }
                Some(Mark::Messaged)
            }
            At::Bot => {
                self.bot_notified = result != StepResult::Rejected;
                self.at = self.after_bot();
                self.bot_notified.then_some(Mark::BotNotified)
            }
            At::MarkNothing => {
                self.at = At::End;
                Some(Mark::Nothing)
            }
            At::End => None,
        };
        if let Some(done) = done.filter(|_| result != StepResult::Refused)
            && !self.mark(state, broken, &done)
        {
            // There is a later outcome: nothing is left to do, and what was done is not marked.
            state.delays_notified -= i8::from(done == Mark::Messaged && self.is_delay());
            state.stream.remove(0);
            return None;
        }
        if result == StepResult::Redelivered {
            return None;
        }
        if self.at == At::MarkNothing && self.notified {
            self.at = At::End;
        }
        if self.at == At::End {
            if self.notified {
                state.stream.remove(0);
            }
            return None;
        }
        Some(self)
    }

    const fn after_message(&self) -> At {
        if self.bot_notified { self.after_bot() } else { At::Bot }
    }

    const fn after_bot(&self) -> At {
        if self.person_notified && self.bot_notified { At::MarkNothing } else { At::End }
    }

    /// Makes a mark; `false` where there is a later outcome.
    fn mark(&mut self, state: &mut State, broken: Broken, done: &Mark) -> bool {
        let complete = self.person_notified && self.bot_notified;
        let Some(change) = mark(broken, &state.row, &self.record, done, complete) else { return false };
        let made = state.write(&change);
        self.notified |= made && complete;
        made
    }
}
