//! The faults that can happen, and how many of them.

/// How many faults may still happen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// In total.
    pub all: u8,
    /// An invocation is killed, or runs out of time.
    pub crashes: u8,
    /// A table or queue refuses a request.
    pub refusals: u8,
    /// A request to them, to Salesforce or to WhatsApp succeeds, and its response is lost.
    pub lost: u8,
    /// Salesforce, WhatsApp or the bot is down, or the settings are wrong.
    pub answers: u8,
    /// SQS or the stream delivers twice.
    pub duplicates: u8,
    /// An operator redrives a dead letter: not a fault, but bounded like one.
    pub redrives: u8,
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// See [`Faults`].
    Crash,
    /// See [`Faults`].
    Refusal,
    /// See [`Faults`].
    Lost,
    /// See [`Faults`].
    Answer,
    /// See [`Faults`].
    Duplicate,
}

impl Faults {
    fn of(&mut self, fault: Fault) -> &mut u8 {
        match fault {
            Fault::Crash => &mut self.crashes,
            Fault::Refusal => &mut self.refusals,
            Fault::Lost => &mut self.lost,
            Fault::Answer => &mut self.answers,
            Fault::Duplicate => &mut self.duplicates,
        }
    }

    /// Whether it can still happen.
    #[must_use]
    pub fn can(&self, fault: Fault) -> bool {
        self.all > 0 && *self.clone().of(fault) > 0
    }

    /// Counts a fault that happened.
    pub fn spend(&mut self, fault: Fault) {
        self.all -= 1;
        *self.of(fault) -= 1;
    }
}
