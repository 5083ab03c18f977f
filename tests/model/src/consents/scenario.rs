//! What happens around a chat, in the order of time.

use shared::Timestamp;

/// One event outside of the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A callback with the state of this attempt, which began with this link.
    Callback {
        /// The attempt's number.
        attempt: u8,
        /// The link's number.
        link: u8,
        /// What it brings.
        brings: Brings,
    },
    /// An operator revokes the connection.
    Revoke,
    /// The bot refreshes the tokens in the row, and Salesforce rotates the refresh token.
    BotRefresh,
    /// Somebody who can write to the queue puts a message there: the code and attempt are their own.
    Forged(Forgery),
}

/// What a callback brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Brings {
    /// The code with this number.
    Code(u8),
    /// A code with this number that Salesforce does not know.
    BogusCode(u8),
    /// The person's denial.
    Denied,
    /// Nothing that the receiver accepts: the wrong browser.
    Refused,
    /// The same with the code of this number, which nobody may exchange.
    RefusedCode(u8),
}

/// What is wrong with a forged message, which has the code with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forgery {
    /// The state names another chat than was signed.
    OtherChat(u8),
    /// The callback's time is far ahead.
    Time(u8),
}

/// The chat's row before everything. Other parties write it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// None.
    Absent,
    /// As version 1 wrote it: tokens and when they were issued.
    Version1,
    /// Salesforce's own JSON: times are texts.
    Texts,
    /// The time of the consent is years ahead.
    Ahead,
    /// Attributes of other types.
    Odd,
    /// Revoked before everything, by a version that kept the time in the end alone.
    Revoked,
}

/// One configuration of the model.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// In the report.
    pub name: &'static str,
    /// In the order of time. Messages are received in any order.
    pub events: &'static [Event],
    /// After how many seconds each link was made. Events are ten seconds apart.
    pub links: &'static [u8],
    /// Each begins a run.
    pub rows: &'static [Shape],
    /// How often a code is tried.
    pub tries: u8,
    /// What else happens, and what in a wide check.
    pub bounds: [Bounds; 2],
}

/// What happens beside the events.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many faults happen at most.
    pub faults: u8,
    /// How many dead letters are put back on the queue.
    pub redrives: u8,
    /// Whether codes can expire.
    pub expiry: bool,
}

const fn callback(attempt: u8, link: u8, brings: Brings) -> Event {
    Event::Callback { attempt, link, brings }
}

const fn bounds(faults: u8, redrives: u8) -> Bounds {
    Bounds { faults, redrives, expiry: true }
}

/// Where neither a delay nor an expired code changes the question.
const fn at_once(faults: u8) -> Bounds {
    Bounds { faults, redrives: 0, expiry: false }
}

/// Each login makes an attempt of its own.
pub static TWO_PRESSES: Scenario = Scenario {
    name: "two presses of one link",
    events: &[callback(0, 0, Brings::Code(0)), callback(1, 0, Brings::Code(1))],
    links: &[5],
    rows: &[Shape::Absent],
    tries: 1,
    bounds: [bounds(2, 1), bounds(3, 1)],
};

/// Rows that do not compare are replaced.
pub static FOREIGN_ROWS: Scenario = Scenario {
    name: "two links, over rows of other parties",
    events: &[callback(0, 0, Brings::Code(0)), callback(1, 1, Brings::Code(1))],
    links: &[5, 15],
    rows: &[Shape::Version1, Shape::Texts, Shape::Ahead, Shape::Odd],
    tries: 1,
    bounds: [bounds(1, 1), bounds(2, 1)],
};

/// The bot writes the row too, in a form of its own.
pub static BOT_REFRESHES: Scenario = Scenario {
    name: "a bot that refreshes between two consents",
    events: &[callback(0, 0, Brings::Code(0)), Event::BotRefresh, callback(1, 0, Brings::Code(1))],
    links: &[5],
    rows: &[Shape::Version1],
    tries: 1,
    bounds: [bounds(1, 1), bounds(2, 1)],
};

/// What was consented to before a revocation does not survive it.
pub static REVOKED_BETWEEN: Scenario = Scenario {
    name: "a revocation between two consents",
    events: &[callback(0, 0, Brings::Code(0)), Event::Revoke, callback(1, 1, Brings::Code(1))],
    links: &[5, 25],
    rows: &[Shape::Absent],
    tries: 1,
    bounds: [bounds(1, 1), bounds(2, 1)],
};

/// A link from before a revocation stays invalid after the chat has connected again.
pub static REVOKED_BEFORE: Scenario = Scenario {
    name: "a revocation, and then a newer and an older link",
    events: &[Event::Revoke, callback(0, 1, Brings::Code(0)), callback(1, 0, Brings::Code(1))],
    links: &[5, 15],
    rows: &[Shape::Version1],
    tries: 1,
    bounds: [at_once(1), bounds(2, 1)],
};

/// An end of a version that kept no time of a revocation beside it.
pub static REVOKED_BY_VERSION_1: Scenario = Scenario {
    name: "an older revocation, and then a newer and an older link",
    events: &[callback(0, 1, Brings::Code(0)), callback(1, 0, Brings::Code(1))],
    links: &[5, 8],
    rows: &[Shape::Revoked],
    tries: 1,
    bounds: [bounds(1, 1), bounds(2, 1)],
};

/// A person goes back in the browser, and presses again too.
pub static TWO_CODES: Scenario = Scenario {
    name: "two codes of one login, and another press",
    events: &[callback(0, 0, Brings::Code(0)), callback(1, 0, Brings::Code(1)), callback(0, 0, Brings::Code(2))],
    links: &[5],
    rows: &[Shape::Absent],
    tries: 1,
    bounds: [bounds(1, 1), bounds(2, 1)],
};

/// An earlier code waits for a later one.
pub static TWO_CODES_TRIED: Scenario = Scenario {
    name: "two codes of one login, each tried twice",
    events: &[callback(0, 0, Brings::Code(0)), callback(0, 0, Brings::Code(1))],
    links: &[5],
    rows: &[Shape::Absent],
    tries: 2,
    bounds: [bounds(2, 1), bounds(3, 1)],
};

/// As many as are sent.
pub static THREE_CODES: Scenario = Scenario {
    name: "three codes of one login",
    events: &[callback(0, 0, Brings::BogusCode(1)), callback(0, 0, Brings::Code(0)), callback(0, 0, Brings::Code(2))],
    links: &[5],
    rows: &[Shape::Absent],
    tries: 1,
    bounds: [bounds(1, 1), bounds(2, 1)],
};

/// One more than is sent.
pub static FOUR_CODES: Scenario = Scenario {
    name: "four codes of one login",
    events: &[
        callback(0, 0, Brings::BogusCode(1)),
        callback(0, 0, Brings::BogusCode(2)),
        callback(0, 0, Brings::Code(0)),
        callback(0, 0, Brings::BogusCode(3)),
    ],
    links: &[5],
    rows: &[Shape::Absent],
    tries: 1,
    bounds: [at_once(1), bounds(2, 1)],
};

/// What brings no code ends nothing that a code has begun.
pub static REFUSED_BESIDE_RIGHT: Scenario = Scenario {
    name: "a refused callback and a denial beside the right callback",
    events: &[
        callback(0, 0, Brings::Refused),
        callback(0, 0, Brings::Code(0)),
        callback(0, 0, Brings::Denied),
        callback(0, 0, Brings::Refused),
    ],
    links: &[5],
    rows: &[Shape::Version1],
    tries: 1,
    bounds: [bounds(1, 1), bounds(2, 1)],
};

/// The browser has lost its secret with the first approval.
pub static REFUSED_AGAIN: Scenario = Scenario {
    name: "a refused callback with a second code of the login",
    events: &[callback(0, 0, Brings::Code(0)), callback(0, 0, Brings::RefusedCode(1))],
    links: &[5],
    rows: &[Shape::Absent],
    tries: 1,
    bounds: [bounds(1, 1), bounds(2, 1)],
};

/// Attempts of the same link are apart.
pub static REFUSED_PRESS: Scenario = Scenario {
    name: "a refused press beside a right one",
    events: &[callback(0, 0, Brings::Refused), callback(1, 0, Brings::Code(0)), callback(2, 0, Brings::BogusCode(1))],
    links: &[5],
    rows: &[Shape::Absent],
    tries: 1,
    bounds: [bounds(1, 1), bounds(2, 1)],
};

/// Who can write to the queue cannot choose the chat, nor the time.
pub static FORGED: Scenario = Scenario {
    name: "forged messages beside a consent",
    events: &[Event::Forged(Forgery::OtherChat(1)), Event::Forged(Forgery::Time(2)), callback(0, 0, Brings::Code(0))],
    links: &[5],
    rows: &[Shape::Version1],
    tries: 1,
    bounds: [bounds(1, 1), bounds(2, 1)],
};

/// All of them.
pub static ALL: [&Scenario; 14] = [
    &TWO_PRESSES,
    &FOREIGN_ROWS,
    &BOT_REFRESHES,
    &REVOKED_BETWEEN,
    &REVOKED_BEFORE,
    &REVOKED_BY_VERSION_1,
    &TWO_CODES,
    &TWO_CODES_TRIED,
    &THREE_CODES,
    &FOUR_CODES,
    &REFUSED_AGAIN,
    &REFUSED_BESIDE_RIGHT,
    &REFUSED_PRESS,
    &FORGED,
];

/// The first event comes ten seconds later.
pub(super) const START: u64 = 1_790_000_000_000;
/// When the connection of [`Shape::Revoked`] was revoked.
pub(super) const REVOKED: u64 = START + 6_500;
const BETWEEN: u64 = 10_000;

impl Scenario {
    /// When an event happens.
    #[must_use]
    pub fn time_of(event: u8) -> Timestamp {
        Timestamp::from_millis(START + BETWEEN * (u64::from(event) + 1))
    }

    /// When a link was made.
    #[must_use]
    pub fn link_time(&self, link: u8) -> Timestamp {
        Timestamp::from_millis(START + 1_000 * u64::from(self.links[usize::from(link)]))
    }

    /// The clock after so many events.
    #[must_use]
    pub fn now(events: u8) -> Timestamp {
        Timestamp::from_millis(START + BETWEEN * u64::from(events) + 1_000)
    }

    /// The attempt of an event.
    #[must_use]
    pub fn attempt_of(&self, event: u8) -> Option<u8> {
        match self.events[usize::from(event)] {
            Event::Callback { attempt, .. } => Some(attempt),
            Event::Forged(Forgery::OtherChat(code) | Forgery::Time(code)) => Some(code + 10),
            Event::Revoke | Event::BotRefresh => None,
        }
    }

    /// The code of an event.
    #[must_use]
    pub fn code_of(&self, event: u8) -> Option<u8> {
        match self.events[usize::from(event)] {
            Event::Callback { brings: Brings::Code(code) | Brings::BogusCode(code), .. }
            | Event::Forged(Forgery::OtherChat(code) | Forgery::Time(code)) => Some(code),
            _ => None,
        }
    }

    /// How many codes and tokens there are: one for each code, one that the row had before, and one for the bot.
    #[must_use]
    pub fn tokens(&self) -> u8 {
        2 + self.old_token()
    }

    /// The token that the row had before.
    #[must_use]
    pub fn old_token(&self) -> u8 {
        (0..self.count()).filter_map(|event| self.code_of(event)).max().map_or(0, |code| code + 1)
    }

    /// The token that the bot's refresh brings.
    #[must_use]
    pub fn refreshed_token(&self) -> u8 {
        1 + self.old_token()
    }

    /// The attempts' numbers, each once.
    #[must_use]
    pub fn attempts(&self) -> Vec<u8> {
        let mut attempts: Vec<_> = (0..self.count()).filter_map(|event| self.attempt_of(event)).collect();
        attempts.sort_unstable();
        attempts.dedup();
        attempts
    }

    /// How many approvals of one attempt may end apart, as far as there are callbacks for it.
    #[must_use]
    pub fn rows_apart(&self) -> usize {
        let of = |attempt: u8| {
            let brings = |event: &u8| self.attempt_of(*event) == Some(attempt) && self.brings_code(*event).is_some();
            (0..self.count()).filter(brings).count()
        };
        self.attempts().into_iter().map(of).max().unwrap_or_default().saturating_sub(1)
    }

    /// How many events there are.
    #[must_use]
    pub fn count(&self) -> u8 {
        u8::try_from(self.events.len()).unwrap_or(u8::MAX)
    }
}
