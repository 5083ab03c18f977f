//! The row of a login that waits for its chat's confirmation: its names, how it is read, and the rules of writing it.
//!
//! Its key is the hash of the code. Two parties write to it in either order: the exchanger that the tokens are held, sealed,
//! and the keeper who has sent the code. Whoever is second sees the first, and then the login is decided, once and for all:
//! by the right chat, by another one, or by the end of its time.

use std::time::Duration;

use super::ChatProof;
use crate::{
    AttemptId, Language, Timestamp, WaId,
    conditional_write::{Attributes, Condition, ConditionalWrite, Value, text},
    exchange::{Consent, ExchangeMessage, Sealed, StateText},
};

/// How long a row is kept that nobody settles: longer than the dead-letter queue keeps the message that would.
const RETENTION: Duration = Duration::from_hours(30 * 24);
/// How long a settled row is kept, so that a confirmation which is repeated is answered as before.
const SETTLED_RETENTION: Duration = Duration::from_hours(24);
/// How long a code is remembered that came before its login: as long as Salesforce's code can be exchanged.
const EARLY_RETENTION: Duration = Duration::from_mins(15);

/// The names of a row's attributes. All times are numbers, in milliseconds since the epoch, but
/// [`EXPIRES_AT`](attr::EXPIRES_AT).
pub mod attr {
    /// Key (S): [`crate::proof::ChatProof`].
    pub const PROOF: &str = "proof";
    /// S: the attempt whose tokens are held.
    pub const ATTEMPT_ID: &str = "attempt_id";
    /// S: the chat that the link is for.
    pub const WA_ID: &str = "wa_id";
    /// S: the [language](crate::Language) of the link, where it has one.
    pub const LANGUAGE: &str = crate::attempt::attr::LANGUAGE;
    /// S: the state of the login, as it came.
    pub const STATE: &str = "state";
    /// N: when the login's link was made, where its state says so. It stays once the login is settled.
    pub const LINK_ISSUED_AT: &str = "link_issued_at";
    /// N: when the callback was received.
    pub const RECEIVED_AT: &str = "received_at";
    /// S: the SHA-256 of the authorization code.
    pub const CODE_SHA256: &str = "code_sha256";
    /// S: the tokens, encrypted and in base64.
    pub const SEALED_TOKENS: &str = "sealed_tokens";
    /// S: their key, encrypted by KMS and in base64.
    pub const SEALED_KEY: &str = "sealed_key";
    /// N: when the tokens were held.
    pub const HELD_AT: &str = "held_at";
    /// N: until when the code may be sent.
    pub const CONFIRM_UNTIL: &str = "confirm_until";
    /// S: the chat that has sent the code.
    pub const SENDER: &str = "sender";
    /// N: when it did.
    pub const SENT_AT: &str = "sent_at";
    /// N: when the time had passed without a code.
    pub const EXPIRED_AT: &str = "expired_at";
    /// N: when the decision was carried out, and the tokens left the row.
    pub const SETTLED_AT: &str = "settled_at";
    /// N: when DynamoDB may delete the row, in **seconds** since the epoch (TTL).
    pub const EXPIRES_AT: &str = "expires_at";
}

/// A login that waits, or has waited, for its confirmation.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its attempt.
    pub attempt_id: AttemptId,
    /// The chat that its link is for.
    pub wa_id: WaId,
    /// The SHA-256 of the authorization code.
    pub code_sha256: String,
    /// When its callback was received.
    pub received_at: Timestamp,
    /// When its link was made, where that is known.
    pub link_issued_at: Option<Timestamp>,
    /// Its state; `None` once it is settled.
    pub state: Option<StateText>,
    /// The tokens; `None` once it is settled.
    pub sealed: Option<Sealed>,
    /// Until when the code may be sent.
    pub confirm_until: Timestamp,
    /// What is decided.
    pub decision: Option<Decision>,
    /// When a chat sent the code.
    pub sent_at: Option<Timestamp>,
}

/// What becomes of a login that was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The link's chat has sent the code: the tokens are stored.
    Confirmed,
    /// Another chat has: the tokens are revoked.
    WrongChat,
    /// Nobody has in time: the tokens are revoked.
    Expired,
}

/// What a code means that a chat has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// No login waits for it, or none yet.
    Unknown,
    /// It is this chat's login, and is confirmed.
    Confirmed,
    /// It is another chat's login.
    WrongChat,
    /// It was this chat's, and is decided otherwise: its time is over, or another chat has sent it.
    TooLate,
}

/// The tokens of a login, to be held until the chat confirms it.
#[derive(Clone, Copy, Debug)]
pub struct Hold<'a> {
    /// The attempt.
    pub attempt_id: AttemptId,
    /// The chat that its link is for.
    pub wa_id: &'a WaId,
    /// The language of the link, for what its chat is answered.
    pub language: Option<Language>,
    /// The state as it came.
    pub state: &'a StateText,
    /// When the callback was received.
    pub received_at: Timestamp,
    /// When the link was made, where the state says so.
    pub link_issued_at: Option<Timestamp>,
    /// The SHA-256 of the authorization code.
    pub code_sha256: &'a str,
    /// The tokens.
    pub sealed: &'a Sealed,
    /// Until when the code may be sent.
    pub confirm_until: Timestamp,
}

impl Hold<'_> {
    /// Holds the tokens. Allowed where no login has this code, and so once: an attempt that has its outcome by what was held
    /// must not wait again, because its tokens come a second time from the queue. [`Self::is_in`] tells whether these are held.
    ///
    /// A code that came long before is none of this login's: DynamoDB deletes its row late, and a guess must not count for days.
    #[must_use]
    pub fn write(&self, now: Timestamp) -> ConditionalWrite {
        let fresh = Condition::Above(attr::SENT_AT, now.minus(EARLY_RETENTION).millis());
        let is_fresh = Condition::Any(vec![Condition::Absent(attr::SENDER), fresh]);
        let [key, tokens] = self.sealed.to_texts();
        let write = ConditionalWrite::only_if(Condition::All(vec![Condition::Absent(attr::ATTEMPT_ID), is_fresh]));
        let write = match self.language {
            Some(language) => write.set(attr::LANGUAGE, language.tag()),
            None => write,
        };
        let write = match self.link_issued_at {
            Some(issued_at) => write.set(attr::LINK_ISSUED_AT, issued_at),
            None => write,
        };
        write
            .set(attr::ATTEMPT_ID, self.attempt_id.to_string())
            .set(attr::WA_ID, self.wa_id.as_str())
            .set(attr::STATE, self.state.as_str())
            .set(attr::RECEIVED_AT, self.received_at)
            .set(attr::CODE_SHA256, self.code_sha256)
            .set(attr::SEALED_KEY, key)
            .set(attr::SEALED_TOKENS, tokens)
            .set(attr::HELD_AT, now)
            .set(attr::CONFIRM_UNTIL, self.confirm_until)
            .set(attr::EXPIRES_AT, now.plus(RETENTION).seconds())
    }

    /// Whether this row holds these tokens, or has held them.
    #[must_use]
    pub fn is_in(&self, row: &Attributes) -> bool {
        text(row, attr::ATTEMPT_ID) == Some(&*self.attempt_id.to_string())
            && text(row, attr::CODE_SHA256) == Some(self.code_sha256)
    }
}

/// A chat has sent the code. Allowed where nobody has, and where its time is not over: who is first decides.
#[must_use]
pub fn send(sender: &WaId, now: Timestamp) -> ConditionalWrite {
    let in_time = Condition::Any(vec![
        Condition::Absent(attr::CONFIRM_UNTIL),
        Condition::Above(attr::CONFIRM_UNTIL, now.millis()),
    ]);
    let undecided = [attr::SENDER, attr::EXPIRED_AT].map(Condition::Absent);
    ConditionalWrite::only_if(Condition::All(undecided.into_iter().chain([in_time]).collect()))
        .set(attr::SENDER, sender.as_str())
        .set(attr::SENT_AT, now)
        .set_once(attr::EXPIRES_AT, now.plus(EARLY_RETENTION).seconds())
}

/// The time is over. Allowed where it is, and nobody has sent the code.
#[must_use]
pub fn expire(now: Timestamp) -> ConditionalWrite {
    let over = Condition::Below(attr::CONFIRM_UNTIL, now.millis().saturating_add(1));
    let undecided = [attr::SENDER, attr::EXPIRED_AT].map(Condition::Absent);
    ConditionalWrite::only_if(Condition::All(undecided.into_iter().chain([over]).collect())).set(attr::EXPIRED_AT, now)
}

/// The login is given up before its time is over, as if nobody sent the code. Allowed where one waits, and nobody has.
#[must_use]
pub fn withdraw(now: Timestamp) -> ConditionalWrite {
    let waits = Condition::Above(attr::CONFIRM_UNTIL, 0);
    let undecided = [attr::SENDER, attr::EXPIRED_AT].map(Condition::Absent);
    ConditionalWrite::only_if(Condition::All(undecided.into_iter().chain([waits]).collect())).set(attr::EXPIRED_AT, now)
}

/// The decision on this attempt was carried out: its tokens leave the row.
#[must_use]
pub fn settle(attempt_id: AttemptId, now: Timestamp) -> ConditionalWrite {
    ConditionalWrite::only_if(Condition::Is(attr::ATTEMPT_ID, attempt_id.to_string().into()))
        .set_once(attr::SETTLED_AT, now)
        .set(attr::EXPIRES_AT, now.plus(SETTLED_RETENTION).seconds())
        .remove([attr::SEALED_KEY, attr::SEALED_TOKENS, attr::STATE])
}

/// What the code means that this chat has sent, by the row after [`send`].
#[must_use]
pub fn meaning(row: &Attributes, sender: &WaId) -> Meaning {
    let Some(wa_id) = text(row, attr::WA_ID) else { return Meaning::Unknown };
    if wa_id != sender.as_str() {
        return Meaning::WrongChat;
    }
    let is_first = text(row, attr::SENDER) == Some(sender.as_str());
    if is_first { Meaning::Confirmed } else { Meaning::TooLate }
}

impl Held {
    /// Reads the row; `None` where no login is held in it, or it is not of this form.
    #[must_use]
    pub fn read(row: &Attributes) -> Option<Self> {
        let time = |name| row.get(name).and_then(Value::as_time);
        let wa_id: WaId = text(row, attr::WA_ID)?.parse().ok()?;
        let sender = text(row, attr::SENDER);
        let decision = match sender {
            Some(sender) if sender == wa_id.as_str() => Some(Decision::Confirmed),
            Some(_) => Some(Decision::WrongChat),
            None => row.contains_key(attr::EXPIRED_AT).then_some(Decision::Expired),
        };
        let sealed = text(row, attr::SEALED_KEY).zip(text(row, attr::SEALED_TOKENS));
        Some(Self {
            attempt_id: text(row, attr::ATTEMPT_ID)?.parse().ok()?,
            wa_id,
            code_sha256: text(row, attr::CODE_SHA256)?.to_owned(),
            received_at: time(attr::RECEIVED_AT)?,
            link_issued_at: time(attr::LINK_ISSUED_AT),
            state: text(row, attr::STATE).map(|state| StateText::new(state.to_owned())),
            sealed: sealed.and_then(|(key, tokens)| Sealed::from_texts(key, tokens)),
            confirm_until: time(attr::CONFIRM_UNTIL)?,
            decision,
            sent_at: time(attr::SENT_AT),
        })
    }

    /// Whether the decision was carried out.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.sealed.is_none()
    }

    /// The message of the exchange queue that has the decision carried out; `None` where it was.
    #[must_use]
    pub fn message(&self, proof: &ChatProof) -> Option<ExchangeMessage> {
        let state = self.state.clone()?;
        let consent = Consent::Decided { proof: proof.clone(), code_sha256: self.code_sha256.clone() };
        Some(ExchangeMessage { state, received_at: self.received_at, consent })
    }
}

#[cfg(test)]
mod tests;
