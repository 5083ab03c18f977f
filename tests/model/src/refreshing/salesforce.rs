//! Salesforce, with rotation and without: what a token is worth there.

use super::row::Token;

/// How a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Nobody has consented yet.
    None,
    /// It is good.
    Live,
    /// An administrator has frozen the user: refused until that is undone.
    Frozen,
    /// It is over.
    Revoked,
}

/// What a consent has brought.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// How it stands.
    pub standing: Standing,
    /// The refresh token that works, of those that there were.
    pub newest: u8,
    /// The access token that was issued last.
    pub access: u8,
    /// How many access tokens have ended, the oldest first. One that has proves no death any more.
    pub ended: u8,
    /// A request that is still being processed.
    pub processing: Option<Request>,
    /// The refresh tokens that had a definite answer, which somebody received. Without rotation none is for good.
    pub answered: u8,
    /// The refresh tokens whose death was noted in the row.
    pub noted: u8,
    /// Salesforce has had a reason of its own to refuse it.
    pub was_refused: bool,
    /// The newest refresh token is known to nobody who could still store or revoke it: its answer was lost, or who had
    /// received it died, or both table and queue refused it.
    pub is_lost: bool,
}

/// A request at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// With this refresh token.
    pub number: u8,
    /// Salesforce could say whether that was alive, or was not asked.
    pub is_judged: bool,
}

/// The answer of the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// New tokens: an access token, and a refresh token where Salesforce rotates.
    Tokens {
        /// The access token.
        access: u8,
        /// The refresh token.
        refresh: Option<u8>,
    },
    /// `invalid_grant`.
    Refused,
}

impl Grant {
    /// A grant that stands so.
    #[must_use]
    pub const fn new(standing: Standing) -> Self {
        Self {
            standing,
            newest: 0,
            access: 0,
            ended: 0,
            processing: None,
            answered: 0,
            noted: 0,
            was_refused: false,
            is_lost: false,
        }
    }

    /// Whether the refresh token works.
    #[must_use]
    pub fn is_active(&self, token: Token) -> bool {
        self.standing == Standing::Live && token.number == self.newest
    }

    /// Whether the refresh token was used up by a rotation.
    #[must_use]
    pub const fn is_used_up(&self, token: Token) -> bool {
        token.number < self.newest
    }

    /// A request with this refresh token is processed. One that was used up revokes the whole grant.
    pub fn refresh(&mut self, token: Token, rotates: bool) -> Answer {
        if self.is_used_up(token) && self.standing != Standing::Revoked {
            self.end();
        }
        if !self.is_active(token) {
            return Answer::Refused;
        }
        self.access += 1;
        if !rotates {
            return Answer::Tokens { access: self.access, refresh: None };
        }
        self.newest += 1;
        Answer::Tokens { access: self.access, refresh: Some(self.newest) }
    }

    /// It is over.
    pub const fn end(&mut self) {
        self.standing = Standing::Revoked;
        self.was_refused = true;
    }
}
