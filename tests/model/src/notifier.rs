//! One invocation of the notifier on one record, step by step.
//!
//! The order of the steps, and what each skips, is that of `notify`, `notify_person`, `notify_bot` and `mark` in its
//! `notify.rs`; the marks are the notifier's own code.

use shared::{Status, attempt::ledger::Mark};

use crate::{
    protocol::{Fault, Faults, Record, State, mark},
    rules::Broken,
};

/// An invocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Announcing {
    record: Record,
    at: At,
    person_knows: bool,
    bot_knows: bool,
    notified: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    Message,
    MarkMessage,
    /// And its mark: whether the bot or the table refuses, it is told again.
    Bot,
    MarkNothing,
    End,
}

/// How a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fortune {
    /// Well.
    Well,
    /// The table refuses.
    Refused,
    /// WhatsApp or the bot does not take it.
    NotTaken,
    /// WhatsApp takes it, and its answer is lost.
    TakenUnheard,
    /// It is done, and the stream delivers the record again.
    Replayed,
}

impl Fortune {
    const fn fault(self) -> Option<Fault> {
        match self {
            Self::Well => None,
            Self::Refused => Some(Fault::Refusal),
            Self::NotTaken => Some(Fault::Answer),
            Self::TakenUnheard => Some(Fault::Lost),
            Self::Replayed => Some(Fault::Duplicate),
        }
    }
}

impl Announcing {
    /// Reads the item for the stream's next record. `None` where nothing is to be done.
    #[must_use]
    pub fn read(state: &mut State) -> Option<Self> {
        let record = state.stream[0].clone();
        let row = &state.row;
        let is_another = row.status != Some(record.status) || row.outcome != record.outcome;
        if is_another || row.notified {
            state.stream.remove(0);
            return None;
        }
        let person_knows = row.messaged || (row.is(Status::Delayed) && row.delay_told);
        let bot_knows = row.bot_told;
        let mut this = Self { record, at: At::Message, person_knows, bot_knows, notified: false };
        if person_knows {
            this.at = this.after_message();
        }
        Some(this)
    }

    fn is_delay(&self) -> bool {
        self.record.status == Status::Delayed.as_str()
    }

    /// Which outcome.
    #[must_use]
    pub const fn outcome(&self) -> u8 {
        self.record.outcome
    }

    /// The outcome has this number now.
    pub const fn rename(&mut self, outcome: u8) {
        self.record.outcome = outcome;
    }

    /// Would nobody know, if it were killed now, that the person was told? Everything else is simply done again.
    #[must_use]
    pub fn leaves_a_doubt(&self) -> bool {
        self.at == At::MarkMessage
    }

    /// Nobody knows that the person was told.
    pub fn doubt(&self, state: &mut State) {
        state.told[usize::from(self.record.outcome) - 1].doubts += 1;
        state.delays_told -= i8::from(self.is_delay());
    }

    /// How the next step can go.
    pub fn steps(&self, left: &Faults, mut can: impl FnMut(Fortune)) {
        let fortunes: &[Fortune] = match self.at {
            At::MarkMessage | At::MarkNothing => &[Fortune::Well, Fortune::Refused, Fortune::Replayed],
            At::Message => &[Fortune::Well, Fortune::NotTaken, Fortune::TakenUnheard],
            At::Bot => &[Fortune::Well, Fortune::NotTaken, Fortune::Replayed],
            At::End => &[],
        };
        for fortune in fortunes {
            if fortune.fault().is_none_or(|fault| left.can(fault)) {
                can(*fortune);
            }
        }
    }

    /// The next step. `None` when it was the last.
    #[must_use]
    pub fn step(mut self, state: &mut State, broken: Broken, fortune: Fortune) -> Option<Self> {
        if let Some(fault) = fortune.fault() {
            state.left.spend(fault);
        }
        let done = match self.at {
            At::Message => {
                let told = &mut state.told[usize::from(self.record.outcome) - 1];
                if fortune != Fortune::NotTaken {
                    told.messages += 1;
                    state.delays_told += i8::from(self.is_delay());
                    state.told_needlessly |= told.messages > 1 + told.doubts;
                }
                if fortune == Fortune::TakenUnheard {
                    self.doubt(state);
                }
                self.person_knows = fortune == Fortune::Well;
                self.at = if self.person_knows { At::MarkMessage } else { self.after_message() };
                None
            }
            At::MarkMessage => {
                self.at = self.after_message();
                if fortune == Fortune::Refused {
                    self.doubt(state);
                }
                Some(Mark::Messaged)
            }
            At::Bot => {
                self.bot_knows = fortune != Fortune::NotTaken;
                self.at = self.after_bot();
                self.bot_knows.then_some(Mark::BotTold)
            }
            At::MarkNothing => {
                self.at = At::End;
                Some(Mark::Nothing)
            }
            At::End => None,
        };
        if let Some(done) = done.filter(|_| fortune != Fortune::Refused)
            && !self.mark(state, broken, &done)
        {
            // A later outcome stands: nothing is left to do, and what was done is not written down.
            state.delays_told -= i8::from(done == Mark::Messaged && self.is_delay());
            state.stream.remove(0);
            return None;
        }
        if fortune == Fortune::Replayed {
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
        if self.bot_knows { self.after_bot() } else { At::Bot }
    }

    const fn after_bot(&self) -> At {
        if self.person_knows && self.bot_knows { At::MarkNothing } else { At::End }
    }

    /// `false` where a later outcome stands.
    fn mark(&mut self, state: &mut State, broken: Broken, done: &Mark) -> bool {
        let complete = self.person_knows && self.bot_knows;
        let Some(change) = mark(broken, &state.row, &self.record, done, complete) else { return false };
        let made = state.write(&change);
        self.notified |= made && complete;
        made
    }
}
