//! Rows of the three tables, and what the model has read in them.

use std::{
    cmp::Ordering,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, LazyLock},
    time::Duration,
};

use shared::{
    AttemptId, LoginUrl, Reason, Status, Timestamp, WaId,
    attempt::{attr, ledger::LEASE},
    conditional_write::{Attributes, ConditionalWrite, Value, text},
    connection::{self, StoredTokens, ToRevoke},
    proof::pending::{self, Decision, Held},
};

use super::scenario::{ATTACKER, Chat};
use crate::entry::Entries;

/// How long a login waits for its code.
pub const TIME: Duration = Duration::from_mins(10);
/// When everything begins, by the clock that ends the time of a confirmation.
const BEGIN: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// By the clock of consents: each approval is so long after the one before.
const BETWEEN: Duration = Duration::from_secs(100);
/// The time of every claim and outcome. Only the leases of those who are killed expire.
pub const CLAIMS: Timestamp = Timestamp::from_millis(1_790_010_000_000);
/// Leases are over by this.
const RELEASED: u64 = 0;

/// One of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The attempts.
    Attempts,
    /// The chats' tokens.
    Tokens,
    /// The logins that wait.
    Pending,
}

/// A row, as a table has it.
#[derive(Clone)]
pub struct Row(Arc<Known>);

/// What is in a row, and what many states ask of it.
struct Known {
    attributes: Attributes,
    entries: Entries,
    hash: u64,
    status: Option<Status>,
    reason: Option<Reason>,
    approval: Option<u8>,
    token: Option<u8>,
    held: Option<Held>,
    until: Option<u8>,
}

/// What conditions and readers look at. Other attributes would only multiply the states.
const READ: [&[&str]; 3] = [
    &[
        attr::ATTEMPT_ID,
        attr::WA_ID,
        attr::STATUS,
        attr::REASON,
        attr::CODE_SHA256,
        attr::CODES,
        attr::CODE_RECEIVED_AT,
        attr::OTHER_CODES,
        attr::SEALED_CODE,
        attr::LEASE_UNTIL,
        attr::HOLDER,
        attr::TRIES,
    ],
    &[
        attr::ATTEMPT_ID,
        connection::ACCESS_TOKEN,
        connection::REFRESH_TOKEN,
        connection::ISSUED_AT,
        connection::CONSENTED_AT,
        connection::ENDED_AT,
        connection::ENDED_REASON,
        connection::REVOKED_AT,
        connection::END_ID,
    ],
    &[
        pending::attr::ATTEMPT_ID,
        pending::attr::WA_ID,
        pending::attr::STATE,
        pending::attr::RECEIVED_AT,
        pending::attr::CODE_SHA256,
        pending::attr::SEALED_KEY,
        pending::attr::SEALED_TOKENS,
        pending::attr::CONFIRM_UNTIL,
        pending::attr::SENDER,
        pending::attr::SENT_AT,
        pending::attr::EXPIRED_AT,
        pending::attr::SETTLED_AT,
    ],
];
/// What none looks at.
const UNREAD: [&str; 21] = [
    attr::DELAYED_AT,
    attr::DELAY_TOLD_AT,
    attr::LOGIN_URL,
    attr::RECEIVES,
    attr::CREATED_AT,
    attr::UPDATED_AT,
    attr::STATUS_DAY,
    attr::EXPIRES_AT,
    attr::ORG_ID,
    attr::INSTANCE_URL,
    attr::RENEWED,
    attr::USERNAME,
    attr::SCOPE,
    attr::RETRY_AT,
    attr::LINK_ID,
    connection::USER_ID,
    connection::CONNECTED_AT,
    connection::VERSION,
    connection::REFRESHED_AT,
    pending::attr::HELD_AT,
    connection::EXPIRES_AT,
];
/// Numbers of which only that they are there is looked at: no code is tried as often as it may be.
const ANY_NUMBER: [&str; 3] = [pending::attr::EXPIRED_AT, pending::attr::SETTLED_AT, attr::TRIES];
const SOME_NUMBER: u64 = 1;

impl Known {
    fn new(attributes: Attributes) -> Self {
        let entries: Entries = attributes.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let mut hasher = DefaultHasher::new();
        entries.hash(&mut hasher);
        let text = |name| text(&attributes, name);
        let tokens = StoredTokens::read(&attributes);
        let token = tokens.as_ref().and_then(|tokens| match tokens.to_revoke() {
            ToRevoke::Token(token) => token.trim_start_matches('r').parse().ok(),
            ToRevoke::Sealed(_) => None,
        });
        let until = attributes.get(pending::attr::CONFIRM_UNTIL).and_then(Value::as_time);
        Self {
            hash: hasher.finish(),
            status: text(attr::STATUS).and_then(Status::parse),
            reason: text(attr::REASON).and_then(Reason::parse),
            approval: text(attr::CODE_SHA256).and_then(|code| code.strip_prefix("code")?.parse().ok()),
            token,
            held: Held::read(&attributes),
            until: until.map(tick_of),
            entries,
            attributes,
        }
    }
}

impl Row {
    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> &Attributes {
        &self.0.attributes
    }

    /// A row with these attributes.
    ///
    /// # Panics
    /// On an attribute that the model does not know, because it could not check a rule about it.
    #[must_use]
    pub fn of(table: Table, attributes: Attributes) -> Self {
        let read = READ[table as usize];
        let is_waiting = attributes.contains_key(pending::attr::CONFIRM_UNTIL);
        let is_exchanging = text(&attributes, attr::STATUS) == Some(Status::Exchanging.as_str());
        let is_kept = |name: &str| {
            assert!(read.contains(&name) || UNREAD.contains(&name), "the model does not know {name}");
            // Nobody asks for a holder who holds nothing, nor for the time of a code once its login is held.
            let is_over = name == attr::HOLDER && !is_exchanging || name == pending::attr::SENT_AT && is_waiting;
            read.contains(&name) && !is_over
        };
        let mut known: Attributes = attributes.into_iter().filter(|(name, _)| is_kept(name)).collect();
        for name in ANY_NUMBER {
            if let Some(number) = known.get_mut(name) {
                *number = SOME_NUMBER.into();
            }
        }
        Self(Arc::new(Known::new(known)))
    }

    /// Applies a write; `false` where it is refused.
    pub fn write(&mut self, table: Table, change: &ConditionalWrite) -> bool {
        if !change.is_allowed(self.attributes()) {
            return false;
        }
        let mut attributes = self.attributes().clone();
        let made = change.apply(&mut attributes);
        *self = Self::of(table, attributes);
        made
    }

    /// Changes one attribute by hand.
    pub fn set(&mut self, table: Table, name: &str, value: impl Into<Value>) {
        let mut attributes = self.attributes().clone();
        attributes.insert(name.to_owned(), value.into());
        *self = Self::of(table, attributes);
    }

    /// The attempt's status.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.0.status
    }

    /// Why the attempt failed.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.0.reason
    }

    /// The approval that an attempt's row, or a pending one, is of.
    #[must_use]
    pub fn approval(&self) -> Option<u8> {
        self.0.approval
    }

    /// Whether an exchanger holds the attempt.
    #[must_use]
    pub fn is_leased(&self) -> bool {
        let until = self.attributes().get(attr::LEASE_UNTIL).and_then(Value::as_number);
        self.status() == Some(Status::Exchanging) && until.is_some_and(|until| until > RELEASED)
    }

    /// The lease is over.
    pub fn expire_lease(&mut self) {
        if self.is_leased() {
            self.set(Table::Attempts, attr::LEASE_UNTIL, RELEASED);
        }
    }

    /// The number of the token in a chat's row.
    #[must_use]
    pub fn token(&self) -> Option<u8> {
        self.0.token
    }

    /// What the pending row says of its login; `None` where none is held.
    #[must_use]
    pub fn held(&self) -> Option<&Held> {
        self.0.held.as_ref()
    }

    /// What it has decided.
    #[must_use]
    pub fn decision(&self) -> Option<Decision> {
        self.held()?.decision
    }

    /// The approval whose tokens are in it.
    #[must_use]
    pub fn held_token(&self) -> Option<u8> {
        self.held()?.sealed.as_ref()?.data.first().copied()
    }

    /// Until which tick a code may be sent.
    #[must_use]
    pub fn until(&self) -> Option<u8> {
        self.0.until
    }
}

impl Default for Row {
    fn default() -> Self {
        Self(Arc::new(Known::new(Attributes::new())))
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.hash == other.0.hash && self.0.entries == other.0.entries
    }
}

impl Eq for Row {}

impl PartialOrd for Row {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Row {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.entries.cmp(&other.0.entries)
    }
}

impl Hash for Row {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash.hash(state);
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: [&str; 11] = [
            attr::STATUS,
            attr::REASON,
            attr::CODE_SHA256,
            attr::SEALED_CODE,
            attr::LEASE_UNTIL,
            connection::REFRESH_TOKEN,
            connection::ENDED_REASON,
            pending::attr::SEALED_TOKENS,
            pending::attr::SENDER,
            pending::attr::EXPIRED_AT,
            pending::attr::SETTLED_AT,
        ];
        let mut map = f.debug_map();
        for (name, entry) in self.0.entries.iter().filter(|(name, _)| SHOWN.contains(&name.as_str())) {
            map.entry(&format_args!("{name}"), entry);
        }
        map.finish()
    }
}

/// The time at a tick of the clock that ends the time of a confirmation.
#[must_use]
pub fn at(tick: u8) -> Timestamp {
    BEGIN.plus(TIME * tick.into())
}

fn tick_of(time: Timestamp) -> u8 {
    u8::try_from(time.since(BEGIN).as_secs() / TIME.as_secs()).unwrap_or(u8::MAX)
}

/// When the callback of an approval was received.
#[must_use]
pub fn received_at(approval: u8) -> Timestamp {
    BEGIN.plus(BETWEEN * (u32::from(approval) + 1))
}

/// When a link was made that an approval came of.
#[must_use]
pub fn link_issued_at(approval: u8) -> Timestamp {
    received_at(approval).minus(BETWEEN / 4)
}

/// The time after so many callbacks, by the clock of consents.
#[must_use]
pub fn after_callbacks(callbacks: u8) -> Timestamp {
    BEGIN.plus(BETWEEN * u32::from(callbacks) + BETWEEN / 2)
}

/// The attempt of a login.
#[must_use]
pub const fn attempt_id(login: u8) -> AttemptId {
    AttemptId::from_bytes([login + 1; 16])
}

/// The SHA-256 of an approval's authorization code.
#[must_use]
pub fn code_sha256(approval: u8) -> String {
    format!("code{approval}")
}

/// The address of a chat.
///
/// # Panics
/// Never: it is well-formed.
#[must_use]
pub fn wa_id(chat: Chat) -> &'static WaId {
    static CHATS: LazyLock<Option<[WaId; 2]>> =
        LazyLock::new(|| Some(["whatsapp:+15557654321".parse().ok()?, "whatsapp:+15551234567".parse().ok()?]));
    let Some([attacker, victim]) = &*CHATS else { unreachable!("they are well-formed") };
    if chat == ATTACKER { attacker } else { victim }
}

/// Where everybody logs in.
///
/// # Panics
/// Never: it is well-formed.
#[must_use]
pub fn login_url() -> &'static LoginUrl {
    static URL: LazyLock<Option<LoginUrl>> = LazyLock::new(|| "https://login.salesforce.com".parse().ok());
    let Some(url) = &*URL else { unreachable!("it is well-formed") };
    url
}

/// The row of a chat that is connected with this token, before everything or after it.
#[must_use]
pub fn connected(token: u8, is_newest: bool) -> Row {
    let consented_at = if is_newest { received_at(u8::MAX - 1) } else { BEGIN.minus(LEASE) };
    let attributes: [(&str, Value); 4] = [
        (attr::ATTEMPT_ID, attempt_id(u8::MAX - 1).to_string().into()),
        (connection::ACCESS_TOKEN, format!("a{token}").into()),
        (connection::REFRESH_TOKEN, format!("r{token}").into()),
        (connection::CONSENTED_AT, consented_at.into()),
    ];
    Row::of(Table::Tokens, attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
