//! Items of both tables, as they are stored.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use shared::{
    Status,
    attempt::{attr, ledger::Attempt},
    conditional_write::{Attributes, ConditionalWrite, Value},
    connection::{self, StoredTokens, ToRevoke},
};

use super::scenario::{REVOKED, Shape};
use crate::entry::{Entries, Entry};

/// An item of a table, as the table has it.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item(Arc<Entries>);

/// Years ahead of every consent.
pub const AHEAD: u64 = 4_000_000_000_000;

/// What conditions read. Other attributes would only multiply the states.
const READ: [&str; 21] = [
    attr::ATTEMPT_ID,
    attr::WA_ID,
    attr::STATUS,
    attr::REASON,
    attr::CODE_SHA256,
    attr::CODES,
    attr::CODE_RECEIVED_AT,
    attr::OTHER_CODES,
    attr::LEASE_UNTIL,
    attr::HOLDER,
    attr::TRIES,
    attr::DELAYED_AT,
    attr::DELAY_TOLD_AT,
    connection::ACCESS_TOKEN,
    connection::REFRESH_TOKEN,
    connection::ISSUED_AT,
    connection::CONSENTED_AT,
    connection::ENDED_AT,
    connection::ENDED_REASON,
    connection::REVOKED_AT,
    connection::END_ID,
];
/// What no condition reads. A pause may end at any moment, and a delay counts as told when it is written.
const UNREAD: [&str; 18] = [
    attr::RETRY_AT,
    attr::LOGIN_URL,
    attr::LINK_ID,
    attr::RECEIVES,
    attr::CREATED_AT,
    attr::UPDATED_AT,
    attr::STATUS_DAY,
    attr::EXPIRES_AT,
    attr::SALESFORCE_ERROR,
    attr::ORG_ID,
    attr::INSTANCE_URL,
    attr::RENEWED,
    attr::USERNAME,
    attr::SCOPE,
    connection::USER_ID,
    connection::CONNECTED_AT,
    connection::VERSION,
    connection::REFRESHED_AT,
];

impl Item {
    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        self.0.iter().map(|(name, entry)| (name.clone(), entry.into())).collect()
    }

    /// An item with these attributes.
    ///
    /// # Panics
    /// On an attribute that the model does not know, because it could not check a rule about it.
    #[must_use]
    pub fn of(attributes: Attributes) -> Self {
        let is_read = |name: &str| {
            let is_read = READ.contains(&name);
            let is_known = is_read || UNREAD.contains(&name);
            assert!(is_known, "the model does not know {name}");
            is_read
        };
        let known = attributes.into_iter().filter(|(name, _)| is_read(name));
        Self(Arc::new(known.map(|(name, value)| (name, value.into())).collect()))
    }

    /// Applies a write; `false` where it is refused.
    pub fn write(&mut self, change: &ConditionalWrite) -> bool {
        let mut attributes = self.attributes();
        let made = change.apply(&mut attributes);
        if made {
            *self = Self::of(attributes);
        }
        made
    }

    /// The same to an attempt's item, whose key is in it from its first write on.
    pub fn write_attempt(&mut self, attempt: &Attempt<'_>, change: &ConditionalWrite) -> bool {
        let mut attributes = self.attributes();
        let made = change.apply(&mut attributes);
        if made {
            attributes.insert(attr::ATTEMPT_ID.to_owned(), attempt.id.to_string().into());
            *self = Self::of(attributes);
        }
        made
    }

    /// Changes attributes by hand.
    pub fn set(&mut self, name: &str, value: Option<Value>) {
        let mut attributes = self.attributes();
        match value {
            Some(value) => attributes.insert(name.to_owned(), value),
            None => attributes.remove(name),
        };
        *self = Self::of(attributes);
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Entry::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A number of it.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.0.get(name) {
            Some(Entry::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The attempt's status.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        Status::parse(self.text(attr::STATUS)?)
    }

    /// Whether it has an outcome of this code.
    #[must_use]
    pub fn is_outcome_of(&self, code_sha256: &str) -> bool {
        self.status().is_some_and(|status| status != Status::Exchanging)
            && self.text(attr::CODE_SHA256) == Some(code_sha256)
    }

    /// Whether a code of the attempt was tried.
    #[must_use]
    pub fn has_code(&self) -> bool {
        self.0.contains_key(attr::CODE_SHA256)
    }

    /// The number of the token in the row.
    #[must_use]
    pub fn token(&self) -> Option<u8> {
        let tokens = StoredTokens::read(&self.attributes())?;
        let ToRevoke::Token(token) = tokens.to_revoke() else { return None };
        token.trim_start_matches('r').parse().ok()
    }
}

impl Hash for Item {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut map = f.debug_map();
        let unchanging = [attr::ATTEMPT_ID, attr::WA_ID, connection::ACCESS_TOKEN];
        for (name, entry) in self.0.iter().filter(|(name, _)| !unchanging.contains(&name.as_str())) {
            map.entry(name, entry);
        }
        map.finish()
    }
}

impl Shape {
    /// The row, with this token.
    #[must_use]
    pub fn row(self, token: u8) -> Item {
        let refresh = (connection::REFRESH_TOKEN, Value::Text(format!("r{token}")));
        let attributes: Vec<(&str, Value)> = match self {
            Self::Absent => Vec::new(),
            Self::Version1 => vec![refresh, (connection::ISSUED_AT, 1_600_000_000_000.into())],
            Self::Texts => vec![
                refresh,
                (connection::ISSUED_AT, "1890000000123".into()),
                (connection::CONSENTED_AT, "1890000000123".into()),
            ],
            Self::Ahead => vec![
                refresh,
                (connection::ISSUED_AT, u64::MAX.into()),
                (connection::CONSENTED_AT, AHEAD.into()),
                (connection::ENDED_AT, AHEAD.into()),
                (connection::ENDED_REASON, connection::REVOKED.into()),
            ],
            Self::Odd => vec![
                (connection::REFRESH_TOKEN, "".into()),
                (connection::ACCESS_TOKEN, Value::Other),
                (connection::CONSENTED_AT, Value::Other),
                (connection::ENDED_AT, "soon".into()),
                (connection::ENDED_REASON, connection::REVOKED.into()),
            ],
            Self::Revoked => vec![
                (connection::CONSENTED_AT, REVOKED.into()),
                (connection::ENDED_AT, REVOKED.into()),
                (connection::ENDED_REASON, connection::REVOKED.into()),
            ],
        };
        Item::of(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}
