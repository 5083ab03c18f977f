//! The chats, their logins, the queue, and what the properties ask about.

use shared::{Reason, Status, proof::pending::Meaning};

use super::{
    exchanger::Work,
    keeper::Confirming,
    row::Row,
    scenario::{CHATS, Chat, Scenario},
};
use crate::faults::Faults;

/// A code of Salesforce's, and the refresh token that it was exchanged for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Token {
    /// No valid code.
    #[default]
    None,
    /// A code that can be exchanged.
    Code,
    /// A refresh token that is valid at Salesforce.
    Live,
    /// It is revoked, or on the queue to be.
    Revoked,
}

/// What a message is about: an approval, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// The callback brought a code.
    Granted(u8),
    /// The tokens that the tables did not take.
    Exchanged(u8),
    /// It is decided what becomes of held tokens, or time to.
    Decided(u8),
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Visible on the queue.
    Ready,
    /// Invisible while somebody holds the attempt.
    Waiting,
    /// Invisible until this tick.
    Until(u8),
}

/// A message on the exchange queue. Who receives it takes it, and puts it back where it is not done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    /// What it is about.
    pub content: Content,
    /// It was received before.
    pub is_again: bool,
    /// Where it is.
    pub place: Place,
}

/// What the bot has heard about a code that it passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Heard {
    /// How its last call stands.
    pub call: Call,
    /// The last answer.
    pub last: Option<Answer>,
}

/// How a call stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Call {
    /// None was made.
    #[default]
    None,
    /// The bot waits for the answer.
    Waits,
    /// No answer, or one that says to repeat.
    Trouble,
    /// It has the answer.
    Answered,
}

/// An answer of `POST /confirmations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// See [`Meaning`].
    Unknown,
    /// See [`Meaning`].
    Confirmed,
    /// See [`Meaning`].
    WrongChat,
    /// See [`Meaning`].
    TooLate,
}

impl From<Meaning> for Answer {
    fn from(meaning: Meaning) -> Self {
        match meaning {
            Meaning::Unknown => Self::Unknown,
            Meaning::Confirmed => Self::Confirmed,
            Meaning::WrongChat => Self::WrongChat,
            Meaning::TooLate => Self::TooLate,
        }
    }
}

/// How an approval ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Its tokens were stored.
    Connected,
    /// Another chat has sent the code.
    WrongChat,
    /// Nobody has in time, or nothing can confirm it.
    Unconfirmed,
    /// A later consent has won, or an end of the connection.
    Overtaken,
    /// The code was found used.
    Unknown,
    /// Another approval of its login has the outcome, and it ended in a row of its own.
    Apart,
}

impl End {
    /// The outcome in an attempt's row.
    fn of(row: &Row) -> Option<Self> {
        match (row.status()?, row.reason()) {
            (Status::Connected, _) => Some(Self::Connected),
            (Status::Failed, Some(Reason::WrongChat)) => Some(Self::WrongChat),
            (Status::Failed, Some(Reason::Unconfirmed)) => Some(Self::Unconfirmed),
            (Status::Failed, Some(Reason::Superseded | Reason::OutdatedLink)) => Some(Self::Overtaken),
            (Status::Failed, Some(Reason::UsedLogin)) => Some(Self::Apart),
            (Status::Failed, _) => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// What has happened. For the properties alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// The chats that have sent each login's code while there was time for it; the first of them.
    pub sent: Vec<(u8, Option<Chat>)>,
    /// Only a lost response, or an invocation that was killed, knew these tokens, or all that could take them refused.
    pub excused: u8,
    /// How each approval ended.
    pub ends: Vec<Option<End>>,
    /// The chats whose connection was ended, or that a later login has connected.
    pub overtaken: u8,
    /// The logins that were given up.
    pub withdrawn: u8,
    /// The code of a login came before its tokens were held.
    pub sent_before: u8,
    /// A decision has changed.
    pub redecided: bool,
    /// An outcome was overwritten.
    pub overwritten: bool,
    /// An answer has changed.
    pub contradicted: bool,
}

/// The state of everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// How often the time of a confirmation has passed.
    pub tick: u8,
    /// The events that have happened.
    pub events: u8,
    /// How many of them were callbacks.
    pub callbacks: u8,
    /// The logins that wait, by their numbers, and last the code that no login has.
    pub pending: Vec<Row>,
    /// The attempts, by their logins.
    pub attempts: Vec<Row>,
    /// The chats' tokens.
    pub chats: [Row; CHATS],
    /// Codes and tokens at Salesforce, by their approvals, and then those of the connection before, and of a later
    /// login.
    pub tokens: Vec<Token>,
    /// The exchange queue.
    pub messages: Vec<Message>,
    /// The exchanger's invocations.
    pub work: Vec<Work>,
    /// The keeper's.
    pub confirming: Vec<Confirming>,
    /// What the bot has heard, by the events.
    pub heard: Vec<Heard>,
    /// The faults that can still happen.
    pub left: Faults,
    /// For the properties.
    pub seen: Seen,
}

/// The bit of a number.
#[must_use]
pub const fn bit(number: u8) -> u8 {
    1 << number
}

impl State {
    /// The beginning of a scenario.
    #[must_use]
    pub fn new(scenario: &Scenario, left: Faults) -> Self {
        let logins = scenario.logins.len();
        let mut tokens = vec![Token::None; scenario.approvals.len() + 2];
        let mut chats: [Row; CHATS] = Default::default();
        if scenario.is_connected {
            tokens[scenario.approvals.len()] = Token::Live;
            chats[usize::from(super::scenario::VICTIM)] = super::row::connected(scenario.old_token(), false);
        }
        Self {
            tick: 0,
            events: 0,
            callbacks: 0,
            pending: vec![Row::default(); logins + 1],
            attempts: vec![Row::default(); logins],
            chats,
            tokens,
            messages: Vec::new(),
            work: Vec::new(),
            confirming: Vec::new(),
            heard: vec![Heard::default(); scenario.events.len()],
            left,
            seen: Seen {
                sent: vec![(0, None); logins + 1],
                ends: vec![None; scenario.approvals.len()],
                ..Seen::default()
            },
        }
    }

    /// Puts a message on the queue.
    pub fn send(&mut self, content: Content, place: Place) {
        self.messages.push(Message { content, is_again: false, place });
    }

    /// A holder's number that is not in use.
    #[must_use]
    pub fn next_holder(&self) -> u8 {
        (1..u8::MAX).find(|id| self.work.iter().all(|work| work.holder != *id)).unwrap_or(u8::MAX)
    }

    /// Writes an attempt's row, and notes its outcome, and where one is overwritten. Before tokens are held a second holder may
    /// find the code used whose first one still brings them.
    pub fn put_attempt(&mut self, login: u8, row: Row) {
        let old = &self.attempts[usize::from(login)];
        let before = old.approval().zip(End::of(old));
        let after = row.approval().zip(End::of(&row));
        let is_held = |approval| self.pending[usize::from(login)].approval() == Some(approval);
        self.seen.overwritten |= match before {
            Some((_, End::Connected)) => after != before,
            Some((approval, _)) => is_held(approval) && row.approval() == Some(approval) && after != before,
            None => false,
        };
        if let Some((approval, end)) = after {
            self.seen.ends[usize::from(approval)] = Some(end);
        }
        self.attempts[usize::from(login)] = row;
    }

    /// Writes a pending row, and notes where a decision changes.
    pub fn put_pending(&mut self, login: u8, row: Row) {
        let old = self.pending[usize::from(login)].decision();
        self.seen.redecided |= old.is_some() && row.decision() != old;
        self.pending[usize::from(login)] = row;
    }

    /// Whether nothing can happen any more but by an event.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.work.is_empty() && self.confirming.is_empty() && self.messages.is_empty()
    }

    /// Whether somebody still has the token.
    #[must_use]
    pub fn is_known(&self, token: u8) -> bool {
        self.chats.iter().any(|row| row.token() == Some(token))
            || self.pending.iter().any(|row| row.held_token() == Some(token))
            || self.messages.iter().any(|message| message.content == Content::Exchanged(token))
            || self.work.iter().any(|work| work.has_tokens_of(token))
    }

    /// Tokens that nobody has any more: the fault that lost them is known.
    pub fn excuse(&mut self, token: u8) {
        if self.tokens[usize::from(token)] == Token::Live && !self.is_known(token) {
            self.seen.excused |= bit(token);
        }
    }

    /// One line.
    #[must_use]
    pub fn summary(&self) -> String {
        let Self { tick, pending, attempts, chats, tokens, messages, heard, .. } = self;
        let messages: Vec<_> =
            messages.iter().map(|message| format!("{:?} {:?}", message.content, message.place)).collect();
        let work: Vec<_> = self.work.iter().map(|work| format!("{work:?}")).collect();
        format!(
            "tick {tick}, pending {pending:?}, attempts {attempts:?}, chats {chats:?}, tokens {tokens:?}, {messages:?}, {work:?}, {:?}, {heard:?}",
            self.confirming
        )
    }

    /// Makes states equal that differ in nothing that can be observed.
    pub(super) fn canonicalize(&mut self) {
        let all = self.left.all;
        let duplicates = self.left.duplicates.min(all);
        self.left = Faults { all, crashes: all, refusals: all, lost: all, answers: 0, duplicates, redrives: 0 };
        for message in &mut self.messages {
            if matches!(message.place, Place::Until(tick) if tick <= self.tick) {
                message.place = Place::Ready;
            }
        }
        self.messages.sort_unstable();
        self.work.sort();
        self.confirming.sort_unstable();
    }
}
