//! The attempt's row, reduced to what the model needs, and the functions' own writes to it.
//!
//! Time is relative to now. The rules ask whether a lease has expired, whose it is, and whether an outcome is the same
//! as before; so leases and outcomes have small numbers here, and each number stands for a point in time that the rules
//! can compare.

use std::{sync::LazyLock, time::Duration};

use shared::{
    AttemptId, LoginUrl, Reason, Status, Timestamp, WaId,
    attempt::{
        Account, Outcome, attr,
        ledger::{Attempt, DOUBTED, Delivery, DeliveryId, LEASE, RELEASED},
    },
    conditional_write::{Attributes, ConditionalWrite},
};

/// The codes of two approvals in one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The first.
    A,
    /// The second.
    B,
}

/// When the lease expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeaseEnd {
    /// There is none.
    #[default]
    None,
    /// Released by a holder that knows the code to be unused.
    Released,
    /// The same, by an answer that a gateway may have given.
    Doubted,
    /// It has expired.
    Past,
    /// Held by the holder with this number.
    Of(u8),
}

/// The row; without a status there is none.
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute that is present or absent")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Row {
    /// Its status.
    pub status: Option<&'static str>,
    /// Why it failed or is delayed.
    pub reason: Option<&'static str>,
    /// Its code.
    pub code: Option<Code>,
    /// What it says of the other code.
    pub other_codes: Option<String>,
    /// Its lease.
    pub lease: LeaseEnd,
    /// How many deliveries tried the code.
    pub tries: u8,
    /// It is, or was, delayed.
    pub delayed: bool,
    /// The number of the outcome: its `updated_at`. 0 where there is no outcome.
    pub outcome: u8,
    /// The person was notified.
    pub messaged: bool,
    /// The person was notified of a delay.
    pub delay_told: bool,
    /// The bot was notified.
    pub bot_told: bool,
    /// Both were notified.
    pub notified: bool,
}

const NOW: u64 = 1_790_000_000_000;
const CLAIMS: u64 = 100;
const OUTCOMES: u64 = 1_000;

/// When the holder with this number claims.
#[must_use]
pub fn claim_time(number: u8) -> Timestamp {
    Timestamp::from_millis(NOW + CLAIMS + u64::from(number))
}

/// When the outcome with this number is written; 0 where there is no outcome.
#[must_use]
pub fn outcome_time(number: u8) -> Timestamp {
    Timestamp::from_millis(if number == 0 { NOW } else { NOW + OUTCOMES + u64::from(number) })
}

/// The id of the delivery of the holder with this number.
fn delivery_id(number: u8) -> DeliveryId {
    DeliveryId::from_bytes([number; DeliveryId::LENGTH])
}

/// A delivery of the holder with this number.
#[must_use]
pub fn delivery(number: u8, receives: u8, max_tries: u8) -> Delivery {
    Delivery { id: delivery_id(number), receives: receives.into(), max_tries: max_tries.into() }
}

/// What a message with this code says of the attempt.
#[must_use]
pub fn attempt(code: Option<Code>, delivery: Delivery) -> Attempt<'static> {
    static WA_ID: LazyLock<Option<WaId>> = LazyLock::new(|| "whatsapp:+15551234567".parse().ok());
    static LOGIN_URL: LazyLock<Option<LoginUrl>> = LazyLock::new(|| "https://login.salesforce.com".parse().ok());
    let (Some(wa_id), Some(login_url)) = (&*WA_ID, &*LOGIN_URL) else { unreachable!("both are well-formed") };
    Attempt {
        id: AttemptId::from_bytes([7; 16]),
        link_id: None,
        reference: None,
        language: None,
        is_plain: false,
        wa_id,
        login_url,
        code_sha256: code.map(|code| code.sha256().to_owned()),
        received_at: Timestamp::from_millis(0),
        delivery,
    }
}

/// The outcome that every code leads to.
pub const CONNECTED: Outcome<&str> = Outcome::Connected {
    account: Account { org_id: "00D", instance_url: "https://i", username: None, scope: None },
    renewed: false,
};

impl Code {
    const fn sha256(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

impl Row {
    /// Applies a write of the functions; `false` where it is refused.
    pub fn write(&mut self, change: &ConditionalWrite) -> bool {
        let mut item = self.item();
        let made = change.apply(&mut item);
        if made {
            *self = Self::read(&item);
        }
        made
    }

    /// Whether it has this status.
    #[must_use]
    pub fn is(&self, status: Status) -> bool {
        self.status == Some(status.as_str())
    }

    /// The row as the table has it.
    #[must_use]
    pub fn item(&self) -> Attributes {
        let mut item = Attributes::new();
        let Some(status) = self.status else { return item };
        let mut put = |name: &str, value| item.insert(name.to_owned(), value);
        put(attr::ATTEMPT_ID, "07".into());
        put(attr::STATUS, status.into());
        put(attr::UPDATED_AT, outcome_time(self.outcome).into());
        if let Some(reason) = self.reason {
            put(attr::REASON, reason.into());
        }
        if let Some(code) = self.code {
            put(attr::CODE_SHA256, code.sha256().into());
        }
        if let Some(others) = &self.other_codes {
            put(attr::OTHER_CODES, others.as_str().into());
        }
        if self.tries > 0 {
            put(attr::TRIES, u64::from(self.tries).into());
        }
        if self.delayed {
            put(attr::DELAYED_AT, NOW.into());
        }
        if let LeaseEnd::Of(number) = self.lease {
            put(attr::HOLDER, delivery_id(number).to_string().into());
        }
        match self.lease {
            LeaseEnd::None => None,
            LeaseEnd::Released => put(attr::LEASE_UNTIL, RELEASED.into()),
            LeaseEnd::Doubted => put(attr::LEASE_UNTIL, DOUBTED.into()),
            LeaseEnd::Past => put(attr::LEASE_UNTIL, (NOW - 1).into()),
            LeaseEnd::Of(number) => put(attr::LEASE_UNTIL, claim_time(number).plus(LEASE).into()),
        };
        for (mark, name) in [
            (self.messaged, attr::MESSAGED_AT),
            (self.delay_told, attr::DELAY_TOLD_AT),
            (self.bot_told, attr::BOT_TOLD_AT),
            (self.notified, attr::NOTIFIED_AT),
        ] {
            if mark {
                put(name, NOW.into());
            }
        }
        item
    }

    /// The row after a write.
    ///
    /// # Panics
    /// On an attribute that the model does not know, because it could not check a rule about it.
    fn read(item: &Attributes) -> Self {
        let mut row = Self::default();
        for (name, value) in item {
            let text = || value.as_text().unwrap_or_default();
            let time = || value.as_time().unwrap_or(Timestamp::from_millis(0));
            match name.as_str() {
                attr::STATUS => row.status = Status::parse(text()).map(Status::as_str),
                attr::REASON => row.reason = Reason::parse(text()).map(Reason::as_str),
                attr::CODE_SHA256 => row.code = [Code::A, Code::B].into_iter().find(|code| code.sha256() == text()),
                attr::OTHER_CODES => row.other_codes = Some(text().to_owned()),
                attr::LEASE_UNTIL => row.lease = LeaseEnd::at(time()),
                attr::TRIES => row.tries = value.as_number().and_then(|tries| tries.try_into().ok()).unwrap_or(u8::MAX),
                attr::DELAYED_AT => row.delayed = true,
                attr::UPDATED_AT => row.outcome = number(time(), outcome_time(1)).map_or(0, |number| number + 1),
                attr::MESSAGED_AT => row.messaged = true,
                attr::DELAY_TOLD_AT => row.delay_told = true,
                attr::BOT_TOLD_AT => row.bot_told = true,
                attr::NOTIFIED_AT => row.notified = true,
                // No condition reads these; the holder is its lease's, and a pause may end at any moment.
                attr::HOLDER
                | attr::RETRY_AT
                | attr::ATTEMPT_ID
                | attr::WA_ID
                | attr::LOGIN_URL
                | attr::RECEIVES
                | attr::CREATED_AT
                | attr::STATUS_DAY
                | attr::EXPIRES_AT
                | attr::SALESFORCE_ERROR
                | attr::LAST_ERROR
                | attr::ORG_ID
                | attr::INSTANCE_URL
                | attr::RENEWED
                // Both codes come at one time, and two are fewer than may be tried.
                | attr::CODE_RECEIVED_AT
                | attr::CODES => {}
                other => panic!("the model does not know {other}"),
            }
        }
        row
    }
}

impl LeaseEnd {
    fn at(time: Timestamp) -> Self {
        match number(time, claim_time(0).plus(LEASE)) {
            Some(number) => Self::Of(number),
            None if time == RELEASED => Self::Released,
            None if time == DOUBTED => Self::Doubted,
            None => Self::Past,
        }
    }
}

/// How many milliseconds after the first; `None` where it is earlier.
fn number(time: Timestamp, first: Timestamp) -> Option<u8> {
    let after = time.since(first);
    if time < first || after > Duration::from_millis(99) { None } else { u8::try_from(after.as_millis()).ok() }
}
