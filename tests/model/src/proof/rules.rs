//! The rules of the proof, each broken in turn.

use shared::{
    Timestamp, WaId,
    conditional_write::{Condition, ConditionalWrite},
    proof::pending::{self, Hold, attr},
};

use super::scenario::{FORWARDED, HONEST, OVERTAKEN, Scenario, TOLD, TWO_TABS, UNPROVEN};

/// The broken rule, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Broken {
    /// None: the functions' own rules.
    #[default]
    Nothing,
    /// Tokens are held over those of another approval.
    HoldUnconditional,
    /// Tokens that are held are held again.
    HeldAgain,
    /// The second sender takes the place of the first.
    SendOverwrites,
    /// A code is taken after its time.
    SendLate,
    /// A login expires whoever has sent its code.
    ExpireIgnoresSender,
    /// A login expires before its time is over.
    ExpireEarly,
    /// Any chat's code stores the tokens.
    DecisionIgnoresChat,
    /// Any chat is told that its code was right.
    MeaningIgnoresChat,
    /// The message is believed, and the row not read for who sent the code.
    MessageBelieved,
    /// Tokens are stored as soon as there are any.
    StoreAtOnce,
    /// A message without a proof stores its tokens.
    UnprovenAccepted,
    /// The tokens leave the row before they are stored.
    SettleFirst,
    /// The tokens stay in the row.
    NotSettled,
    /// Tokens that are not stored are not revoked.
    NotRevoked,
    /// They leave the row although neither queue nor Salesforce took the revocation.
    SettledUnrevoked,
    /// Tokens that neither table nor queue has taken, as far as is known, are revoked although they are held.
    HeldRevoked,
    /// No message comes when the time is over.
    NoTimer,
    /// It is sent when the tokens are held.
    TimerAfterwards,
    /// It is dropped where it comes too soon.
    TimerDropped,
    /// The row is not read after the tokens are held.
    EarlyCodeUnread,
    /// The keeper only records who has sent a code.
    NotQueued,
    /// An approval of a login whose tokens are held leaves the lease that it holds.
    LeaseLeft,
    /// The outcome of what was held is written under the lease of its exchange.
    UnderLease,
    /// The failure of what was held is written again where it has an outcome.
    FailedTwice,
    /// The delay of a confirmed login is written over its outcome.
    DelayedAfterwards,
    /// Tokens are stored over those of a later consent.
    LaterReplaced,
}

impl Broken {
    /// Each of them, with its description and the scenario that detects it.
    pub const ALL: [(Self, &'static str, &'static Scenario); 26] = [
        (Self::HoldUnconditional, "tokens are held over those of another approval", &TWO_TABS),
        (Self::HeldAgain, "tokens that are held are held again", &FORWARDED),
        (Self::SendOverwrites, "the second sender takes the place of the first", &TOLD),
        (Self::SendLate, "a code is taken after its time", &HONEST),
        (Self::ExpireIgnoresSender, "a login expires whoever has sent its code", &HONEST),
        (Self::ExpireEarly, "a login expires before its time is over", &HONEST),
        (Self::DecisionIgnoresChat, "any chat's code stores the tokens", &FORWARDED),
        (Self::MeaningIgnoresChat, "any chat is told that its code was right", &FORWARDED),
        (Self::MessageBelieved, "a message decides without the row", &FORWARDED),
        (Self::StoreAtOnce, "tokens are stored at once", &HONEST),
        (Self::UnprovenAccepted, "a message without a proof is accepted", &UNPROVEN),
        (Self::SettleFirst, "the tokens leave the row before they are stored", &HONEST),
        (Self::NotSettled, "the tokens stay in the row", &HONEST),
        (Self::NotRevoked, "tokens that are not stored are not revoked", &FORWARDED),
        (Self::SettledUnrevoked, "tokens leave the row that nobody took to be revoked", &FORWARDED),
        (Self::HeldRevoked, "tokens are revoked that are held, where no answer said so", &HONEST),
        (Self::NoTimer, "no message comes when the time is over", &HONEST),
        (Self::TimerAfterwards, "it is sent after the tokens are held", &HONEST),
        (Self::TimerDropped, "it is dropped where it comes too soon", &HONEST),
        (Self::EarlyCodeUnread, "the row is not read once the tokens are held", &HONEST),
        (Self::NotQueued, "the keeper queues nothing", &HONEST),
        (Self::LeaseLeft, "a second approval leaves its lease", &TWO_TABS),
        (Self::UnderLease, "the outcome of held tokens is written under the lease of their exchange", &FORWARDED),
        (Self::FailedTwice, "the failure of held tokens is written over their outcome", &OVERTAKEN),
        (Self::DelayedAfterwards, "a delay is written over the outcome", &OVERTAKEN),
        (Self::LaterReplaced, "tokens are stored over those of a later consent", &OVERTAKEN),
    ];

    /// [`Hold::write`].
    #[must_use]
    pub fn hold(self, hold: &Hold<'_>, now: Timestamp) -> ConditionalWrite {
        let write = hold.write(now);
        match self {
            Self::HoldUnconditional => unconditional(write),
            Self::HeldAgain => {
                let is_same = Condition::All(vec![
                    Condition::Is(attr::CODE_SHA256, hold.code_sha256.into()),
                    Condition::Absent(attr::SETTLED_AT),
                ]);
                let is_new = Condition::Absent(attr::ATTEMPT_ID);
                ConditionalWrite::only_if(Condition::Any(vec![is_new, is_same])).after(write)
            }
            _ => write,
        }
    }

    /// [`pending::send`].
    #[must_use]
    pub fn send(self, sender: &WaId, now: Timestamp) -> ConditionalWrite {
        let write = pending::send(sender, now);
        let undecided = [attr::SENDER, attr::EXPIRED_AT].map(Condition::Absent);
        match self {
            Self::SendOverwrites => unconditional(write),
            Self::SendLate => ConditionalWrite::only_if(Condition::All(undecided.into())).after(write),
            _ => write,
        }
    }

    /// [`pending::expire`].
    #[must_use]
    pub fn expire(self, now: Timestamp) -> ConditionalWrite {
        let write = pending::expire(now);
        match self {
            Self::ExpireIgnoresSender => unconditional(write),
            Self::ExpireEarly => {
                let undecided = [attr::SENDER, attr::EXPIRED_AT].map(Condition::Absent);
                ConditionalWrite::only_if(Condition::All(undecided.into())).after(write)
            }
            _ => write,
        }
    }
}

fn unconditional(write: ConditionalWrite) -> ConditionalWrite {
    ConditionalWrite::only_if(Condition::All(Vec::new())).after(write)
}
