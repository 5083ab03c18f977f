//! One invocation of the token exchanger on one message of the chat, step by step, as far as the order of consents
//! depends on it.
//!
//! What is written, and which consent wins, is the functions' own code. The order of the steps is mirrored here:
//! `connect`, `expire`, `tell_of_delay`, `fail`, `deny`, `refuse`, `give_up`, `end_apart` and `release` of the exchanger's `attempt.rs`, `store`,
//! `store_or_checkpoint` and `give_way` of its `storage.rs`, `finish` and `connect` of its `tables.rs`, and
//! `revoke_unused`, `revoke_replaced` and `revoke_sealed` of its `revocation.rs`. Retries within an invocation are left
//! to the [model of one attempt](crate::exchanger).

mod ending;
mod storing;

use shared::{
    Reason, Timestamp,
    attempt::{
        attr,
        ledger::{Attempt, Conflict, Delivery, Guard, Lease, Plan},
    },
    connection::Consent,
};

use self::ending::failed;
use super::{
    Consents,
    message::{Content, Form, Verified, delivery_id},
    rules::Broken,
    scenario::Scenario,
    state::{Item, Place, State, Token, bit},
};
use crate::faults::Fault;

/// An invocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work {
    /// Its number, which is its lease's too.
    pub id: u8,
    /// The message's place.
    pub slot: usize,
    content: Content,
    /// How often the message had been received.
    receives: u8,
    /// The attempt that it holds.
    lease: Option<usize>,
    maybe_redeemed: bool,
    tries: u32,
    sent: bool,
    /// What it replaces, once that is on the queue.
    queued: Option<u8>,
    /// What it replaces, where the queue did not take it.
    unqueued: Option<u8>,
    at: At,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum At {
    Claim,
    Expire,
    /// The person is told of the delay.
    Tell,
    Exchange,
    /// What this row holds is put on the queue, to be revoked.
    Queue(Item),
    /// Tokens and outcome are written, where the row holds this.
    Transact(Item),
    Checkpoint,
    /// Its own tokens are put on the queue, to be revoked.
    RevokeUnused(Unused),
    Supersede,
    /// The attempt's outcome is another code's: this approval ends in a row of its own.
    EndApart(&'static str),
    Finish(&'static str),
    /// Tokens of a message: the row is read.
    ReadRow,
    Revoke,
    /// The message returns.
    Return,
    Wait,
    Dead,
    Done,
}

/// Why tokens are not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Unused {
    /// A later consent has won.
    Overtaken,
    /// Another code connected the attempt.
    OtherCode,
    /// Salesforce blocks the app.
    Blocked,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepResult {
    /// It succeeds.
    Success,
    /// The table, the queue or Salesforce refuses.
    Refused,
    /// The token table refuses, and the attempts' takes the write.
    NoTokenTable,
    /// It succeeds, and the response is lost: the same is sent again.
    Retried,
    /// It succeeds, and the responses are lost.
    ResponseLost,
    /// Salesforce redeems the code, and refuses the tokens then.
    Blocked,
}

impl StepResult {
    const fn fault(self) -> Option<Fault> {
        match self {
            Self::Success => None,
            Self::Refused | Self::NoTokenTable => Some(Fault::Refusal),
            Self::Retried | Self::ResponseLost => Some(Fault::Lost),
            Self::Blocked => Some(Fault::Answer),
        }
    }
}

/// Any time will do for leases: only those of running holders have not expired.
const CLAIMS: Timestamp = Timestamp::from_millis(1_790_000_500_000);

impl Work {
    /// An invocation on a message that was just received.
    #[must_use]
    pub fn new(slot: usize, state: &State, model: &Consents) -> Self {
        let message = &state.messages[slot];
        let mut this = Self {
            id: state.next_id(),
            slot,
            content: message.content,
            receives: message.receives,
            lease: None,
            maybe_redeemed: false,
            tries: 0,
            sent: false,
            queued: None,
            unqueued: None,
            at: At::Dead,
        };
        let brings_code = model.scenario.code_of(message.content.event).is_some();
        let attempt = model.verified(message.content).map(|verified| verified.attempt.code_sha256.is_some());
        this.at = match (message.content.form, attempt) {
            // It is not verified.
            (_, None) => At::Dead,
            (Form::Own, _) if !brings_code => At::Finish(model.refusal(message.content.event).as_str()),
            // By the last receive the schedule has taken longer than a code lives.
            (Form::Own, _) if state.late || message.receives >= model.max_receives => At::Expire,
            (Form::Own, _) => At::Claim,
            // Perhaps this message is what kills its holders.
            (Form::Exchanged, _) if message.receives > model.max_tries => At::Tell,
            (Form::Exchanged, _) => this.look(state, model),
            (Form::Revoke(_), _) => At::ReadRow,
        };
        this
    }

    /// The attempt that it holds.
    #[must_use]
    pub const fn holds(&self) -> Option<usize> {
        self.lease
    }

    /// The attempt whose code it is sending.
    #[must_use]
    pub fn exchanges(&self) -> Option<usize> {
        self.lease.filter(|_| self.at == At::Exchange)
    }

    /// Whether its first write is still to come: that follows the receive at once.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        matches!(self.at, At::Claim | At::Expire | At::Tell | At::Dead)
    }

    /// The possible results of the next step.
    pub fn steps(&self, state: &State, mut can: impl FnMut(StepResult)) {
        use StepResult::{Blocked, NoTokenTable, Refused, ResponseLost, Retried, Success};
        let results: &[StepResult] = match &self.at {
            At::Claim => &[Success, Refused, Retried, ResponseLost],
            At::Expire | At::EndApart(_) | At::Finish(_) => &[Success, Refused, NoTokenTable, ResponseLost],
            At::Tell => &[Success, Refused, NoTokenTable],
            At::Exchange => &[Success, Refused, ResponseLost, Blocked],
            At::Transact(_) | At::Checkpoint | At::Revoke => &[Success, Refused, ResponseLost],
            At::Queue(_) | At::RevokeUnused(_) | At::Supersede | At::ReadRow => &[Success, Refused],
            At::Return | At::Wait | At::Dead | At::Done => &[Success],
        };
        for result in results {
            if result.fault().is_none_or(|fault| state.left.can(fault)) {
                can(*result);
            }
        }
    }

    /// It is killed: what it alone knows is lost.
    pub fn kill(&self, state: &mut State, model: &Consents) {
        if let Some(token) = model.scenario.code_of(self.content.event)
            && state.tokens[usize::from(token)] == Token::Live
            && !state.is_known(model.scenario, token)
        {
            state.seen.excused |= bit(token);
        }
        self.forget_unqueued(state);
    }

    /// Takes the next step. `None` when it was the last.
    #[must_use]
    pub fn step(mut self, state: &mut State, model: &Consents, result: StepResult) -> Option<Self> {
        if let Some(fault) = result.fault() {
            state.left.spend(fault);
        }
        self.at = match (self.at.clone(), model.verified(self.content)) {
            (_, None) => At::Dead,
            (At::Claim, Some(of)) => self.claim(state, model, of, result),
            (At::Expire, Some(of)) => {
                let reason = if self.may_be_redeemed(state, of) { Reason::Unknown } else { Reason::CodeExpired };
                self.finish(state, model, of, &failed(reason), Guard::Claimable, result)
            }
            (At::Tell, Some(of)) => self.tell(state, model, of, result),
            (At::Exchange, _) => self.exchange(state, model, result),
            (At::Queue(before), _) => self.queue(state, model, before, result),
            (At::Transact(before), Some(of)) => self.transact(state, model, of, &before, result),
            (At::Checkpoint, _) => self.checkpoint(state, model, result),
            (At::RevokeUnused(why), _) => self.revoke_unused(state, model, why, result),
            (At::Supersede, Some(of)) => self.supersede(state, of, result),
            (At::EndApart(reason), Some(of)) => self.end_apart(state, model, of, reason, result),
            (At::Finish(reason), Some(of)) => self.fail(state, model, of, reason, result),
            (At::ReadRow, _) => match (self.content.form, result) {
                (Form::Revoke(token), StepResult::Success)
                    if state.row.token() == Some(token) && model.broken != Broken::RevokeWhatIsStored =>
                {
                    At::Done
                }
                (_, StepResult::Success) => At::Revoke,
                _ => At::Return,
            },
            (At::Revoke, _) => {
                if let (Form::Revoke(token), false) = (self.content.form, result == StepResult::Refused) {
                    state.tokens[usize::from(token)] = Token::Revoked;
                }
                if result == StepResult::Success { At::Done } else { At::Return }
            }
            (At::Return | At::Wait | At::Dead | At::Done, _) => self.at,
        };
        match self.at {
            At::Return => {
                self.release(state, model);
                // After its tries the schedule's pauses are longer than a lease.
                let is_held = model.verified(self.content).is_some_and(|of| state.is_held(of.slot));
                let place = if is_held { Place::Waiting } else { Place::Ready };
                state.return_to_queue(self.slot, model.max_receives, place);
            }
            At::Wait => state.return_to_queue(self.slot, model.max_receives, Place::Waiting),
            At::Dead => state.return_to_queue(self.slot, 0, Place::Dead),
            At::Done => state.messages[self.slot].place = Place::Gone,
            _ => return Some(self),
        }
        None
    }

    fn claim(&mut self, state: &mut State, model: &Consents, of: &Verified, result: StepResult) -> At {
        if result == StepResult::Refused {
            return At::Return;
        }
        if model.broken == Broken::CodesUnbounded {
            state.attempts[of.slot].set(attr::CODES, None);
            state.attempts[of.slot].set(attr::OTHER_CODES, None);
        }
        let attempt = self.attempt(of);
        let before = state.attempts[of.slot].attributes();
        match attempt.plan(&before) {
            _ if !attempt.delivery.is_late() => {}
            Plan::Try => {}
            // The next receive tries it.
            Plan::Tell => {
                let told = self.tell(state, model, of, result);
                return if told == At::Dead { At::Wait } else { told };
            }
            Plan::GiveUp => return self.tell(state, model, of, result),
        }
        if model.broken == Broken::LeaseIgnored {
            state.expire_lease(of.slot);
        }
        let item = &mut state.attempts[of.slot];
        // What it has seen is what is there: a claim on what has changed since is refused, and decided anew.
        let before = item.attributes();
        match attempt.claim(&before, claim_time(self.id)) {
            Ok(claim) => {
                let made = item.write_attempt(&attempt, &claim);
                debug_assert!(made, "it is as it was seen");
            }
            Err(Conflict::OutOfTries) => return self.tell(state, model, of, result),
            // Should the later code fail, this one is tried.
            Err(Conflict::Overtaken) if !attempt.delivery.is_final() => return At::Wait,
            Err(conflict) => return Self::give_up(model, conflict),
        }
        let lease = match result {
            StepResult::ResponseLost => None,
            // It finds its own.
            StepResult::Retried => attempt.own_lease(&before, &item.attributes()),
            _ => Some(attempt.lease(&before)),
        };
        let Some(lease) = lease else { return At::Return };
        self.lease = Some(of.slot);
        (self.maybe_redeemed, self.tries) = (lease.maybe_redeemed.get(), lease.tries);
        At::Exchange
    }

    fn may_be_redeemed(&self, state: &State, of: &Verified) -> bool {
        let lease = self.attempt(of).lease(&state.attempts[of.slot].attributes());
        lease.maybe_redeemed.get()
    }

    /// Sends the code. A response that is lost is followed by another try, which is refused.
    fn exchange(&mut self, state: &mut State, model: &Consents, result: StepResult) -> At {
        let (Some(code), Some(slot)) = (model.scenario.code_of(self.content.event), self.lease) else {
            return At::Return;
        };
        state.seen.sent[slot] |= bit(code);
        self.sent = true;
        if result == StepResult::Refused {
            return At::Return;
        }
        let token = &mut state.tokens[usize::from(code)];
        if *token != Token::Code {
            let reason = if self.maybe_redeemed { Reason::Unknown } else { Reason::CodeExpired };
            return At::Finish(reason.as_str());
        }
        *token = Token::Live;
        self.maybe_redeemed = true;
        if result == StepResult::ResponseLost {
            state.seen.excused |= bit(code);
            return At::Finish(Reason::Unknown.as_str());
        }
        state.seen.received |= bit(code);
        if result == StepResult::Blocked {
            state.seen.unused |= bit(code);
            return At::RevokeUnused(Unused::Blocked);
        }
        self.look(state, model)
    }

    /// A claim or an outcome was refused: the next step.
    fn give_up(model: &Consents, conflict: Conflict) -> At {
        match conflict {
            Conflict::Finished { .. } => At::Done,
            Conflict::AnotherCode | Conflict::TooManyCodes if model.broken == Broken::SecondUnanswered => At::Done,
            Conflict::AnotherCode | Conflict::TooManyCodes => At::EndApart(Reason::UsedLogin.as_str()),
            Conflict::Overtaken => At::EndApart(Reason::Superseded.as_str()),
            Conflict::Held { .. } | Conflict::Delayed | Conflict::OutOfTries => At::Wait,
        }
    }

    fn attempt(&self, of: &Verified) -> Attempt<'static> {
        let delivery = Delivery { id: delivery_id(self.id), receives: self.receives.into(), ..of.attempt.delivery };
        Attempt { delivery, ..of.attempt.clone() }
    }

    fn lease(&self, of: &Verified) -> Option<Lease> {
        self.lease?;
        let mut lease = self.attempt(of).lease(&Item::default().attributes());
        lease.tries = self.tries;
        lease.maybe_redeemed.set(self.maybe_redeemed);
        lease.sent.set(self.sent);
        Some(lease)
    }
}

fn claim_time(id: u8) -> Timestamp {
    Timestamp::from_millis(CLAIMS.millis() + u64::from(id))
}

/// The consent by the rule.
fn consent(model: &Consents, of: &Verified) -> Consent {
    match model.broken {
        Broken::FirstWins => Consent { at: Scenario::time_of(0), ..of.consent },
        // In any row's future.
        Broken::LaterReplaced => Consent { at: Scenario::now(model.scenario.count()), ..of.consent },
        Broken::TombstoneIgnored => Consent { link_issued_at: None, ..of.consent },
        _ => of.consent,
    }
}

/// Whether the consent has lost, by the rule.
fn is_superseded(model: &Consents, of: &Verified, state: &State) -> bool {
    consent(model, of).is_superseded(&chats_row(state, of).attributes(), state.now())
}

fn chats_row<'a>(state: &'a State, of: &Verified) -> &'a Item {
    if of.is_foreign { &state.foreign } else { &state.row }
}
