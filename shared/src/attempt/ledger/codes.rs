//! What an attempt's item knows of each of its codes.
//!
//! A person who goes back in the browser, or approves in two tabs, brings several codes of one login. The code that was
//! tried last, or that the outcome belongs to, has attributes of its own; the others are in one text beside it. So a code
//! that comes back is never taken for another, and what one code went through says nothing of the next.

use serde::{Deserialize, Serialize};

use super::{DOUBTED, MAX_CODES, RELEASED};
use crate::{
    Timestamp,
    attempt::{
        Status, attr,
        item::{text, time},
    },
    conditional_write::{Attributes, Condition, ConditionalWrite, Value},
};

/// What a decision about codes rests on. The write that follows from it is made where none of these has changed.
const DECIDED_BY: [&str; 11] = [
    attr::ATTEMPT_ID,
    attr::STATUS,
    attr::REASON,
    attr::CODES,
    attr::CODE_SHA256,
    attr::CODE_RECEIVED_AT,
    attr::OTHER_CODES,
    attr::HOLDER,
    attr::LEASE_UNTIL,
    attr::TRIES,
    attr::RETRY_AT,
];

/// One code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Code {
    sha256: String,
    /// When its first callback was received: the later consent wins.
    pub(super) received_at: Timestamp,
    /// How many deliveries tried it.
    pub(super) tries: u32,
    /// Whether it may have been redeemed, by a request whose answer was lost.
    pub(super) maybe_redeemed: bool,
    /// Whether a gateway may have answered in Salesforce's place. An earlier version did not know.
    #[serde(default)]
    pub(super) doubted: bool,
    /// No delivery tries it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retry_at: Option<Timestamp>,
    /// It has an outcome, and is not tried again.
    pub(super) is_over: bool,
}

/// The codes of an attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Codes {
    /// The one that was tried last, or that the outcome belongs to.
    current: Option<Code>,
    others: Vec<Code>,
    /// How many there were, with those that an earlier version has forgotten.
    count: u64,
}

impl Code {
    /// A code of which nothing is known yet.
    pub(super) fn new(sha256: &str, received_at: Timestamp) -> Self {
        Self {
            sha256: sha256.to_owned(),
            received_at,
            tries: 0,
            maybe_redeemed: false,
            doubted: false,
            retry_at: None,
            is_over: false,
        }
    }
}

impl Codes {
    /// Reads them. What has another form than ours counts as absent.
    pub(super) fn read(item: &Attributes) -> Self {
        let status = text(item, attr::STATUS).and_then(Status::parse);
        let lease_until = time(item, attr::LEASE_UNTIL);
        let current = text(item, attr::CODE_SHA256).map(|sha256| Code {
            sha256: sha256.to_owned(),
            // An earlier version wrote the time of the first code alone.
            received_at: time(item, attr::CODE_RECEIVED_AT)
                .or_else(|| time(item, attr::CREATED_AT))
                .unwrap_or(RELEASED),
            tries: tries(item),
            // A holder that released its lease says so; one that was killed could not.
            maybe_redeemed: lease_until.is_some_and(|until| until > DOUBTED),
            doubted: lease_until == Some(DOUBTED),
            retry_at: time(item, attr::RETRY_AT),
            is_over: matches!(status, Some(Status::Unconfirmed | Status::Connected | Status::Failed | Status::Ended)),
        });
        let others: Vec<Code> =
            text(item, attr::OTHER_CODES).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let known = u64::from(current.is_some()).saturating_add(others.len().try_into().unwrap_or(u64::MAX));
        let count = item.get(attr::CODES).and_then(Value::as_number).unwrap_or_default().max(known);
        Self { current, others, count }
    }

    /// What is known of this code.
    pub(super) fn find(&self, sha256: &str) -> Option<&Code> {
        self.all().find(|code| code.sha256 == sha256)
    }

    /// Whether any code is known.
    pub(super) fn is_empty(&self) -> bool {
        self.current.is_none() && self.others.is_empty()
    }

    /// Whether it is this code that was tried last, or that the outcome belongs to.
    pub(super) fn is_current(&self, sha256: &str) -> bool {
        self.current.as_ref().is_some_and(|code| code.sha256 == sha256)
    }

    /// The current code, unless it has an outcome.
    pub(super) fn current_open(&self) -> Option<&Code> {
        self.current.as_ref().filter(|code| !code.is_over)
    }

    /// Whether no further code is tried.
    pub(super) const fn are_enough(&self) -> bool {
        self.count >= MAX_CODES
    }

    /// Whether a code of a later callback is on its way: it has no outcome, and fewer tries than this.
    pub(super) fn has_later(&self, received_at: Timestamp, max_tries: u32) -> bool {
        self.all().any(|code| !code.is_over && code.tries < max_tries && code.received_at > received_at)
    }

    /// Writes that this code is the current one, and was tried so often.
    pub(super) fn switch_to(mut self, code: &Code, tries: u32, write: ConditionalWrite) -> ConditionalWrite {
        let is_new = self.find(&code.sha256).is_none();
        self.others.extend(self.current.take());
        self.others.retain(|other| other.sha256 != code.sha256);
        write
            .set(attr::CODE_SHA256, code.sha256.as_str())
            .set(attr::CODE_RECEIVED_AT, code.received_at)
            .set(attr::TRIES, u64::from(tries))
            .set(attr::CODES, self.count + u64::from(is_new))
            .set_or_remove(attr::OTHER_CODES, self.others_as_text())
    }

    /// Writes that the others have an outcome.
    pub(super) fn end_others(mut self, write: ConditionalWrite) -> ConditionalWrite {
        self.others.iter_mut().for_each(|other| other.is_over = true);
        write.set_or_remove(attr::OTHER_CODES, self.others_as_text())
    }

    fn others_as_text(&self) -> Option<String> {
        (!self.others.is_empty()).then(|| serde_json::to_string(&self.others).unwrap_or_default())
    }

    fn all(&self) -> impl Iterator<Item = &Code> {
        self.current.iter().chain(&self.others)
    }
}

/// What the decision rests on is as it was seen.
pub(super) fn is_as_seen(item: &Attributes) -> Condition {
    if item.is_empty() {
        return Condition::Absent(attr::ATTEMPT_ID);
    }
    let is_same = |name| match item.get(name) {
        None => Some(Condition::Absent(name)),
        // Nothing of ours, and nothing that a decision rests on.
        Some(Value::Decimal(_) | Value::Other) => None,
        Some(value) => Some(Condition::Is(name, value.clone())),
    };
    Condition::All(DECIDED_BY.into_iter().filter_map(is_same).collect())
}

/// How many deliveries tried the code that was tried last.
fn tries(item: &Attributes) -> u32 {
    item.get(attr::TRIES).and_then(Value::as_number).and_then(|tries| u32::try_from(tries).ok()).unwrap_or_default()
}
