//! The chat's row in the token table, and the tokens in it.

use std::sync::Arc;

use shared::{
    AttemptId, Timestamp,
    attempt::attr,
    conditional_write::{Attributes, ConditionalWrite, Value},
    connection::{
        self, ACCESS_TOKEN, CONSENTED_AT, DEAD_AT, LEASE_HOLDER, LEASE_UNTIL, LOST_AT, Obstacle, Origin, REFRESH_TOKEN,
        RefreshTokenText, VERSION,
    },
};

use crate::entry::{Entries, Entry};

/// The earliest time of a write.
pub const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// The version of the row as it is. Those of rows that were read before are counted from it.
const CURRENT: u64 = 100;
/// A version so old is no other than any that is older.
const OLDEST: u64 = CURRENT - 2;

/// The row, as the table has it, or had it when it was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(Arc<Entries>);

/// A token, by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Which consent it came of.
    pub grant: u8,
    /// How many there were of that before.
    pub number: u8,
}

/// What conditions read.
const READ: [&str; 15] = [
    attr::ATTEMPT_ID,
    ACCESS_TOKEN,
    REFRESH_TOKEN,
    connection::ISSUED_AT,
    CONSENTED_AT,
    connection::ENDED_AT,
    connection::ENDED_REASON,
    connection::END_ID,
    connection::REVOKED_AT,
    VERSION,
    connection::REFRESHED_AT,
    LEASE_UNTIL,
    LEASE_HOLDER,
    LOST_AT,
    DEAD_AT,
];
/// What none reads. The end of an access token is written, which makes a version, and nobody waits for it; pauses are not modelled.
const UNREAD: [&str; 9] = [
    attr::INSTANCE_URL,
    attr::SCOPE,
    attr::ORG_ID,
    attr::USERNAME,
    attr::LOGIN_URL,
    connection::USER_ID,
    connection::CONNECTED_AT,
    connection::EXPIRES_AT,
    connection::RETRY_AT,
];

impl Token {
    /// As Salesforce gave it.
    #[must_use]
    pub fn text(self) -> String {
        format!("r{}{}", self.grant, self.number)
    }

    /// As it stands in a row.
    #[must_use]
    pub fn stored(self, is_plain: bool) -> RefreshTokenText {
        RefreshTokenText::new(&if is_plain { self.text() } else { format!("sealed:{}", self.text()) })
    }

    fn parse(text: &str) -> Option<Self> {
        let [_, grant, number] = *text.strip_prefix("sealed:").unwrap_or(text).as_bytes() else { return None };
        Some(Self { grant: grant - b'0', number: number - b'0' })
    }
}

/// The consent of this number, as rows name it.
#[must_use]
pub fn origin(consent: u8, at: Timestamp) -> Origin {
    Origin::new(attempt_id(consent), at)
}

/// The attempt of the consent of this number.
#[must_use]
pub const fn attempt_id(consent: u8) -> AttemptId {
    AttemptId::from_bytes([consent + 1; 16])
}

/// The name of an access token.
#[must_use]
pub fn access_token(grant: u8, number: u8) -> String {
    format!("a{grant}{number}")
}

impl Row {
    /// The row of the first consent, whose access token is so old.
    #[must_use]
    pub fn connected(is_plain: bool, refreshed_at: Timestamp) -> Self {
        let token = Token { grant: 0, number: 0 };
        let attributes = [
            (attr::ATTEMPT_ID, attempt_id(0).to_string().into()),
            (ACCESS_TOKEN, access_token(0, 0).into()),
            (REFRESH_TOKEN, token.stored(is_plain).stored().into()),
            (connection::ISSUED_AT, refreshed_at.into()),
            (CONSENTED_AT, refreshed_at.into()),
            (connection::REFRESHED_AT, refreshed_at.into()),
            (VERSION, CURRENT.into()),
        ];
        Self::of(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// A row with these attributes.
    ///
    /// # Panics
    /// On an attribute that the model does not know, because it could not check a rule about it.
    #[must_use]
    pub fn of(attributes: Attributes) -> Self {
        let is_read = |name: &str| {
            let is_read = READ.contains(&name);
            assert!(is_read || UNREAD.contains(&name), "the model does not know {name}");
            is_read
        };
        let mut known: Attributes = attributes.into_iter().filter(|(name, _)| is_read(name)).collect();
        // That it is there is read, and not its time.
        if let Some(at) = known.get_mut(DEAD_AT) {
            *at = NOW.into();
        }
        Self(Arc::new(known.into_iter().map(|(name, value)| (name, value.into())).collect()))
    }

    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        self.0.iter().map(|(name, entry)| (name.clone(), entry.into())).collect()
    }

    /// Applies a write; `None` where it is refused. Its version is not renumbered.
    #[must_use]
    pub fn written(&self, change: &ConditionalWrite) -> Option<Self> {
        let mut attributes = self.attributes();
        change.apply(&mut attributes).then(|| Self::of(attributes))
    }

    /// The row with an attribute as another has it.
    #[must_use]
    pub fn with(&self, names: &[&'static str], other: &Self) -> Self {
        let mut entries = Entries::clone(&self.0);
        for name in names {
            match other.0.get(*name) {
                Some(entry) => entries.insert((*name).to_owned(), entry.clone()),
                None => entries.remove(*name),
            };
        }
        Self(Arc::new(entries))
    }

    /// The row without attributes.
    #[must_use]
    pub fn without(&self, names: &[&'static str]) -> Self {
        let mut entries = Entries::clone(&self.0);
        entries.retain(|name, _| !names.contains(&name.as_str()));
        Self(Arc::new(entries))
    }

    /// The row with such a time.
    #[must_use]
    pub fn with_time(&self, name: &'static str, at: Timestamp) -> Self {
        let mut entries = Entries::clone(&self.0);
        entries.insert(name.to_owned(), Entry::Number(at.millis()));
        Self(Arc::new(entries))
    }

    /// The time of an attribute passes, where it has it.
    pub fn set_back(&mut self, name: &'static str, to: Timestamp) {
        if self.0.contains_key(name) {
            *self = self.with_time(name, to);
        }
    }

    /// Its version.
    fn version(&self) -> u64 {
        match self.0.get(VERSION) {
            Some(Entry::Number(version)) => *version,
            _ => 0,
        }
    }

    /// How many versions it is ahead of the current one.
    #[must_use]
    pub fn ahead(&self) -> u64 {
        self.version().saturating_sub(CURRENT)
    }

    /// Whether nobody has written the row since it was read.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.version() == CURRENT
    }

    /// The row where so many versions came since: versions are told apart, and no two states by how many there were.
    pub fn renumber(&mut self, versions: u64) {
        let version = self.version().saturating_sub(versions).max(OLDEST);
        if version != self.version() {
            let mut entries = Entries::clone(&self.0);
            entries.insert(VERSION.to_owned(), Entry::Number(version));
            self.0 = Arc::new(entries);
        }
    }

    /// Its refresh token.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        Token::parse(self.text(REFRESH_TOKEN)?)
    }

    /// Its access token, by the same numbers.
    #[must_use]
    pub fn access(&self) -> Option<Token> {
        Token::parse(self.text(ACCESS_TOKEN)?)
    }

    /// Whether its refresh token stands there in plain.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.text(REFRESH_TOKEN).is_some_and(|text| matches!(RefreshTokenText::new(text), RefreshTokenText::Plain(_)))
    }

    /// A text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Entry::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether an attribute is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether somebody refreshes it.
    #[must_use]
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.has(LEASE_UNTIL)
            && matches!(connection::claim(&self.attributes(), String::new(), now), Err(Obstacle::Held { .. }))
    }

    /// For traces.
    #[must_use]
    pub fn summary(&self) -> String {
        let short = |(name, entry): (&String, &Entry)| match Value::from(entry) {
            Value::Text(text) if text.len() < 20 => format!("{name} {text}"),
            Value::Number(number) if number < NOW.millis() / 2 => format!("{name} {number}"),
            Value::Number(time) => format!("{name} {}", i128::from(time) - i128::from(NOW.millis())),
            _ => name.clone(),
        };
        self.0.iter().map(short).collect::<Vec<_>>().join(", ")
    }
}
