//! One chat's connection: its row, the grants at Salesforce, the upkeep queue, who is at work, and what the properties ask about.

use std::collections::BTreeSet;

use shared::{
    Timestamp, WaId,
    attempt::{EndReason, attr},
    conditional_write::{Attributes, ConditionalWrite, Value},
    connection::{self, ConnectionEnd, ENDED_AT, Origin},
};

use super::{
    row::{NOW, Row, Token},
    salesforce::{Answer, Grant, Request, Standing},
    scenario::Scenario,
    work::Work,
};
use crate::faults::{Fault, Faults};

/// The tokens of a refresh.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tokens {
    /// The refresh token that was used.
    pub used: Token,
    /// Whether it stood in the row in plain.
    pub was_plain: bool,
    /// The access token that stood in the row.
    pub replaces: u8,
    /// The access token.
    pub access: u8,
    /// The new refresh token, where Salesforce rotates.
    pub refresh: Option<u8>,
    /// When they came.
    pub at: u8,
}

/// A refresh token that is to be revoked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revoke {
    /// The token.
    pub token: Token,
    /// The consent by which it is in use.
    pub origin: Option<u8>,
}

/// What a message of the upkeep queue says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// Refresh, where it is due.
    Refresh,
    /// Store what the table had refused.
    Store(Tokens),
    /// Revoke, unless it is in use.
    Revoke(Revoke),
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Visible on the queue.
    Ready,
    /// Delayed until the disconnect that sent it is over.
    AfterDisconnect,
    /// Delayed until the exchange that sent it is over.
    AfterConsent,
    /// Delayed until a lost token can be given up.
    AfterLoss,
    /// Its receiver was killed.
    Left,
    /// Deleted, and may be delivered once more.
    Gone,
}

/// A message of the upkeep queue that nobody has received, or not deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    /// What it says.
    pub content: Content,
    /// Where it is.
    pub place: Place,
}

/// What a caller was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Called {
    /// A token of this grant, which was issued so.
    Token(u8, u8),
    /// The connection has ended.
    Ended,
    /// None for now.
    Unavailable,
}

/// What happened, for the properties alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations")]
pub struct Seen {
    /// A refresh token that was used up by a rotation reached the token endpoint.
    pub reuse: bool,
    /// A refresh token was sent whose definite answer somebody had received.
    pub sent_again: bool,
    /// A refresh token was revoked whose grant the chat is connected by.
    pub revoked_in_use: bool,
    /// The tokens of a refresh were stored in a row of another consent, or in one that had ended.
    pub overwritten: bool,
    /// A connection ended as dead whose refresh token was good, or was rotated for one that could still come.
    pub ended_early: bool,
    /// An end by Salesforce's word took tokens that came after that word.
    pub newer_ended: bool,
    /// How often it ended.
    pub ends: u8,
    /// Requests at the token endpoint, while nothing has failed.
    pub requests: u8,
    /// A caller got no token while nothing had failed.
    pub unavailable: bool,
    /// Tokens came back from the queue, and were stored.
    pub came_back: bool,
    /// The new tokens of a refresh found the row taken.
    pub superseded: bool,
    /// The last answer of a call, while a call is tried out.
    pub called: Option<Called>,
}

/// The state of one chat.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Its row.
    pub row: Row,
    /// The records of its ends.
    pub records: BTreeSet<String>,
    /// What its consents have brought at Salesforce.
    pub grants: [Grant; 2],
    /// The upkeep queue.
    pub messages: Vec<Message>,
    /// Whoever is at work.
    pub work: Vec<Work>,
    /// How many milliseconds later it is than [`NOW`].
    pub ticks: u8,
    /// Which events have happened.
    pub events: u8,
    /// The consent that the exchanger brings has its outcome.
    pub is_consent_over: bool,
    /// How many versions the step that is being taken has written.
    pub moved: u64,
    /// The faults that are left.
    pub left: Faults,
    /// Nothing has failed so far, and nobody but the stack has done anything.
    pub is_clean: bool,
    /// A call is tried out.
    pub is_trial: bool,
    /// See [`Seen`].
    pub seen: Seen,
}

/// The chat.
///
/// # Panics
/// Never.
#[must_use]
#[expect(clippy::expect_used, reason = "a literal")]
pub fn chat() -> WaId {
    "whatsapp:+15551234567".parse().expect("an address")
}

impl State {
    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        time(self.ticks)
    }

    /// The grant of a token.
    #[must_use]
    pub const fn grant(&self, token: Token) -> &Grant {
        &self.grants[token.grant as usize]
    }

    /// The same, to be changed.
    pub const fn grant_mut(&mut self, token: Token) -> &mut Grant {
        &mut self.grants[token.grant as usize]
    }

    /// Whether such a fault can happen.
    #[must_use]
    pub fn can(&self, fault: Fault) -> bool {
        self.left.can(fault)
    }

    /// A fault happens.
    pub fn spend(&mut self, fault: Fault) {
        self.left.spend(fault);
        self.is_clean = false;
    }

    /// Applies a write; `false` where it is refused.
    pub fn write(&mut self, change: &ConditionalWrite) -> bool {
        let written = self.row.written(change);
        written.map(|row| self.put(row)).is_some()
    }

    /// The row is another now.
    pub fn put(&mut self, row: Row) {
        self.row = row;
        let versions = self.row.ahead();
        self.row.renumber(versions);
        for work in &mut self.work {
            work.renumber(versions);
        }
        self.moved += versions;
    }

    /// Ends the connection: the row and its record, in one transaction. `false` where neither is written.
    pub fn end(&mut self, read: &Row, reason: EndReason, is_recorded: bool) -> bool {
        let (chat, row) = (chat(), read.attributes());
        let end = ConnectionEnd { wa_id: &chat, row: &row, reason, link_id: None, at: self.now() };
        let mut record = Attributes::new();
        if self.records.contains(&end.id().to_string()) {
            record.insert(attr::ATTEMPT_ID.to_owned(), end.id().to_string().into());
            record.insert(attr::STATUS.to_owned(), Value::from(shared::Status::Ended.as_str()));
        }
        let Some(written) = self.row.written(&end.tombstone()).filter(|_| end.record().apply(&mut record)) else {
            return false;
        };
        self.put(written);
        if is_recorded {
            self.records.insert(end.id().to_string());
        }
        self.seen.ends += 1;
        true
    }

    /// Whether the row is a connection with a refresh token of this grant.
    #[must_use]
    pub fn uses(&self, grant: u8) -> bool {
        !self.row.has(ENDED_AT) && self.row.token().is_some_and(|token| token.grant == grant)
    }

    /// The consent that a row is of.
    #[must_use]
    pub fn origin(row: &Row) -> Option<u8> {
        let id = row.text(attr::ATTEMPT_ID)?;
        (0..2).find(|consent| super::row::attempt_id(*consent).to_string() == id)
    }

    /// Whether the chat is connected by this token, or by what a rotation has made of it: `is_in_use` of `revoke.rs`.
    #[must_use]
    pub fn is_in_use(&self, revoke: &Revoke) -> bool {
        let row = self.row.attributes();
        if connection::StoredTokens::read(&row).is_none() {
            return false;
        }
        let at = row.get(connection::CONSENTED_AT).and_then(Value::as_time);
        let is_of = |consent| at.is_some_and(|at| Origin::of(&row) == super::row::origin(consent, at));
        revoke.origin.is_some_and(is_of) || self.row.token() == Some(revoke.token)
    }

    /// Salesforce processes a request at the token endpoint.
    pub fn present(&mut self, token: Token, is_judged: bool, scenario: &Scenario) -> Answer {
        self.seen.reuse |= self.grant(token).is_used_up(token) && self.has_something_to_lose(token, is_judged);
        self.grant_mut(token).refresh(token, scenario.rotates)
    }

    /// Whether it matters that a refresh token is presented once more. Where Salesforce could not be asked about it, and no row
    /// has noted what it said before, that is all that can be done for a grant whose newest token is lost.
    #[must_use]
    pub const fn has_something_to_lose(&self, token: Token, is_judged: bool) -> bool {
        let grant = self.grant(token);
        is_judged || !grant.is_lost || grant.noted & (1 << token.number) != 0
    }

    /// The request whose answer was lost is processed.
    pub fn process(&mut self, grant: usize, scenario: &Scenario) {
        let Some(Request { number, is_judged }) = self.grants[grant].processing.take() else { return };
        let token = Token { grant: u8::try_from(grant).unwrap_or_default(), number };
        if matches!(self.present(token, is_judged, scenario), Answer::Tokens { refresh: Some(_), .. }) {
            self.grant_mut(token).is_lost = true;
        }
    }

    /// Salesforce revokes a token. One that was used up stands for its whole grant.
    pub fn revoke(&mut self, token: Token) {
        self.seen.revoked_in_use |= self.uses(token.grant);
        let grant = self.grant_mut(token);
        if !grant.is_used_up(token) {
            grant.standing = Standing::Revoked;
        }
    }

    /// Puts a message on the queue.
    pub fn send(&mut self, content: Content, place: Place) {
        let message = Message { content, place };
        if message.content != Content::Refresh || !self.messages.contains(&message) {
            self.messages.push(message);
        }
    }

    /// Whether somebody can still store or revoke this token, which works.
    #[must_use]
    pub fn is_known(&self, token: Token) -> bool {
        let is_in = |message: &Message| message.place != Place::Gone && message.content.is_about(token);
        self.row.token() == Some(token)
            || self.messages.iter().any(is_in)
            || self.work.iter().any(|work| work.knows(token))
    }

    /// Whether nothing happens any more by itself.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.work.is_empty() && self.messages.iter().all(|message| message.place == Place::Gone) && !self.is_due()
    }

    /// Whether the daily sweep would have it refreshed, however young it is.
    #[must_use]
    pub fn is_due(&self) -> bool {
        connection::is_due(&self.row.attributes(), None, self.now()) || self.row.is_held(self.now())
    }

    /// Makes states equal that differ in nothing that can be observed.
    pub(super) fn canonicalize(&mut self) {
        if self.left.all == 0 {
            self.left = Faults::default();
        }
        let (disconnecting, exchanging) =
            (self.work.iter().any(Work::is_disconnect), self.work.iter().any(Work::is_consent));
        for message in &mut self.messages {
            match message.place {
                Place::AfterDisconnect if !disconnecting => message.place = Place::Ready,
                Place::AfterConsent if !exchanging => message.place = Place::Ready,
                _ => {}
            }
        }
        if !self.can(Fault::Duplicate) {
            self.messages.retain(|message| message.place != Place::Gone);
        }
        self.messages.sort();
        // One refresh does what two do.
        self.messages.dedup_by(|one, other| one == other && one.content == Content::Refresh);
        self.work.sort();
    }

    /// For traces.
    #[must_use]
    pub fn summary(&self) -> String {
        let Self { row, records, grants, messages, work, seen, .. } = self;
        let row = row.summary();
        format!("row [{row}], {} records, {grants:?}, {messages:?}, {work:?}, {seen:?}", records.len())
    }
}

impl Content {
    /// Whether it has this refresh token.
    #[must_use]
    pub fn is_about(&self, token: Token) -> bool {
        match self {
            Self::Refresh => false,
            Self::Store(tokens) => tokens.newest() == token,
            Self::Revoke(revoke) => revoke.token == token,
        }
    }
}

impl Tokens {
    /// The refresh token that works after them.
    #[must_use]
    pub fn newest(&self) -> Token {
        self.refresh.map_or(self.used, |number| Token { number, ..self.used })
    }
}

/// So many milliseconds after [`NOW`].
#[must_use]
pub fn time(ticks: u8) -> Timestamp {
    Timestamp::from_millis(NOW.millis() + u64::from(ticks))
}
