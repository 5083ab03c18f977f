//! One invocation of the token exchanger on one message, step by step, as far as the proof of the chat depends on it.
//!
//! What is written is the functions' own code. The order of the steps is mirrored here: `connect`, `fail`, `end_apart` and
//! `release` of the exchanger's `attempt.rs`, `hold`, `decide` and `carry_out` of its `holding.rs`, `store_or_checkpoint`, `store` and
//! `give_way` of its `storage.rs`, and `hold`, `finish` and `connect` of its tables.

mod ending;
mod holding;

use shared::{
    Reason,
    attempt::ledger::{Attempt, Conflict, Delivery, DeliveryId, Guard, Lease},
    conditional_write::Attributes,
    connection::Consent,
    proof::pending::Decision,
};

use super::{
    Proving,
    row::{self, CLAIMS, Row, Table},
    rules::Broken,
    scenario::Brings,
    state::{Content, Message, Place, State, Token},
};
use crate::faults::Fault;

/// How often a code is tried. No message is received as often.
const MAX_TRIES: u32 = 8;

/// An invocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work {
    /// Its lease's number, where it holds the attempt; zero else.
    pub holder: u8,
    content: Content,
    is_again: bool,
    /// It has tokens that nobody else may have.
    has_tokens: bool,
    /// Its tokens are held, and nobody holds the attempt any more.
    has_held: bool,
    /// What it carries out.
    decision: Option<Decided>,
    at: At,
}

/// See [`Decision`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Decided {
    Confirmed,
    WrongChat,
    Expired,
}

impl From<Decision> for Decided {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Confirmed => Self::Confirmed,
            Decision::WrongChat => Self::WrongChat,
            Decision::Expired => Self::Expired,
        }
    }
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum At {
    Claim,
    Exchange,
    /// The message is sent that comes when the time is over.
    Timer,
    /// Tokens are held and the attempt is unconfirmed, in one transaction.
    Hold,
    /// The row is read after that.
    Look(Refusal),
    /// The tokens go back to the queue.
    Checkpoint,
    NoteSealed,
    /// The row is read, for a message that says that it is time to.
    Read,
    Expire,
    /// The chat's row is read.
    Store,
    /// Tokens and outcome are written, where the chat's row holds this.
    Transact(Row),
    /// The tokens are put on the queue, to be revoked.
    Revoke(Unused),
    Supersede,
    Fail(Failure),
    EndApart,
    Settle,
    Return(Place),
    Done,
}

/// Which conditions of the transaction that holds tokens have failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Refusal {
    None,
    Pending,
    Attempt,
}

/// Why tokens are not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Unused {
    /// A later consent has won.
    Overtaken,
    /// Another approval has the outcome.
    OtherCode,
    /// Another approval's tokens are held.
    Taken,
    /// By this.
    Failed(Failure),
}

/// Why an attempt fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Failure {
    Unknown,
    UsedLogin,
    WrongChat,
    Unconfirmed,
    /// No code is exchanged that nothing can confirm.
    Unproven,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepResult {
    /// It succeeds.
    Success,
    /// The table, the queue or Salesforce refuses.
    Refused,
    /// It succeeds, and the response is lost: the same is sent again.
    Retried,
    /// It succeeds, and the responses are lost.
    Lost,
}

impl StepResult {
    const fn fault(self) -> Option<Fault> {
        match self {
            Self::Success => None,
            Self::Refused => Some(Fault::Refusal),
            Self::Retried | Self::Lost => Some(Fault::Lost),
        }
    }
}

impl Work {
    /// An invocation on a message that it has just received.
    #[must_use]
    pub fn new(message: Message, model: &Proving) -> Self {
        let Message { content, is_again, .. } = message;
        let mut this = Self {
            holder: 0,
            content,
            is_again,
            has_tokens: matches!(content, Content::Exchanged(_)),
            has_held: false,
            decision: None,
            at: At::Read,
        };
        let is_accepted = this.is_proven(model) || model.broken == Broken::UnprovenAccepted;
        this.at = match content {
            Content::Granted(_) if !is_accepted => At::Fail(Failure::Unproven),
            Content::Granted(_) => At::Claim,
            Content::Exchanged(_) if !is_accepted => At::Revoke(Unused::Failed(Failure::Unconfirmed)),
            Content::Exchanged(_) => this.keep(model),
            Content::Decided(_) => At::Read,
        };
        this
    }

    /// The approval that its message is about.
    const fn approval(&self) -> u8 {
        match self.content {
            Content::Granted(approval) | Content::Exchanged(approval) | Content::Decided(approval) => approval,
        }
    }

    /// Whether it has tokens of this approval that only it may have.
    #[must_use]
    pub fn has_tokens_of(&self, token: u8) -> bool {
        self.has_tokens && self.approval() == token
    }

    /// The possible results of the next step.
    pub fn steps(&self, state: &State, mut can: impl FnMut(StepResult)) {
        use StepResult::{Lost, Refused, Retried, Success};
        let results: &[StepResult] = match &self.at {
            At::Hold => &[Success, Refused, Retried, Lost],
            At::Look(_) | At::NoteSealed | At::Read | At::Store | At::Revoke(_) => &[Success, Refused],
            At::Return(_) | At::Done => &[Success],
            _ => &[Success, Refused, Lost],
        };
        for result in results {
            if result.fault().is_none_or(|fault| state.left.can(fault)) {
                can(*result);
            }
        }
    }

    /// It is killed: what it alone knows is lost, and the message comes back.
    pub fn kill(self, state: &mut State, model: &Proving) {
        if self.holder > 0 {
            let login = usize::from(self.login(model));
            state.attempts[login].expire_lease();
        }
        self.put_back(state, Place::Waiting);
        if self.decision.is_none() {
            state.excuse(self.approval());
        }
    }

    /// Takes the next step. `None` when it was the last.
    #[must_use]
    pub fn step(mut self, state: &mut State, model: &Proving, result: StepResult) -> Option<Self> {
        if let Some(fault) = result.fault() {
            state.left.spend(fault);
        }
        self.at = match self.at.clone() {
            At::Claim => self.claim(state, model, result),
            At::Exchange => self.exchange(state, model, result),
            At::Timer => self.timer(state, model, result),
            At::Hold => self.hold(state, model, result),
            At::Look(refusal) => self.look(state, model, refusal, result),
            At::Checkpoint => self.checkpoint(state, model, result),
            At::NoteSealed => self.note_sealed(state, model, result),
            At::Read => self.read(state, model, result),
            At::Expire => self.expire(state, model, result),
            At::Store => self.store(state, model, result),
            At::Transact(before) => self.transact(state, model, &before, result),
            At::Revoke(why) => self.revoke(state, model, why, result),
            At::Supersede => self.supersede(state, model, result),
            At::Fail(failure) => self.fail(state, model, failure, result),
            At::EndApart => self.end_apart(state, model, result),
            At::Settle => self.settle(state, model, result),
            at @ (At::Return(_) | At::Done) => at,
        };
        match self.at {
            At::Return(place) => {
                self.release(state, model);
                self.put_back(state, place);
            }
            At::Done => {}
            _ => return Some(self),
        }
        None
    }

    fn put_back(&self, state: &mut State, place: Place) {
        let is_again = matches!(self.content, Content::Granted(_));
        state.messages.push(Message { content: self.content, is_again, place });
    }

    /// The lease ends, and by the time of the next receive nobody waits for it. Who has confirmed their login hears of the delay.
    fn release(&self, state: &mut State, model: &Proving) {
        let login = self.login(model);
        if self.decision == Some(Decided::Confirmed) {
            self.delay(state, model);
        }
        let Some(lease) = self.lease(model) else { return };
        let mut row = state.attempts[usize::from(login)].clone();
        row.write(Table::Attempts, &lease.release(CLAIMS));
        row.expire_lease();
        state.put_attempt(login, row);
    }

    fn claim(&mut self, state: &mut State, model: &Proving, result: StepResult) -> At {
        if result == StepResult::Refused {
            return At::Return(Place::Waiting);
        }
        let login = self.login(model);
        let holder = state.next_holder();
        let attempt = self.attempt_of(model, holder);
        let mut row = state.attempts[usize::from(login)].clone();
        let seen = row.attributes().clone();
        if self.is_again && attempt.waits_sealed(&seen) {
            return At::Read;
        }
        let claim = match attempt.claim(&seen, CLAIMS) {
            Ok(claim) => claim,
            Err(conflict) => return self.give_up(conflict),
        };
        write_attempt(&mut row, &attempt, &claim);
        state.put_attempt(login, row);
        if result == StepResult::Lost {
            state.attempts[usize::from(login)].expire_lease();
            return At::Return(Place::Waiting);
        }
        (self.holder, self.is_again) = (holder, false);
        At::Exchange
    }

    /// Sends the code. A response that is lost is followed by another try, which is refused.
    fn exchange(&mut self, state: &mut State, model: &Proving, result: StepResult) -> At {
        let token = &mut state.tokens[usize::from(self.approval())];
        match (result, *token) {
            (StepResult::Refused, _) => return At::Return(Place::Waiting),
            (_, Token::Code) => *token = Token::Live,
            _ => return At::Fail(Failure::Unknown),
        }
        if result == StepResult::Lost {
            state.excuse(self.approval());
            return At::Fail(Failure::Unknown);
        }
        self.has_tokens = true;
        self.keep(model)
    }

    /// What is done with tokens: they are held or, where nothing is to confirm them, stored.
    fn keep(&self, model: &Proving) -> At {
        if model.broken == Broken::StoreAtOnce || !self.is_proven(model) {
            return At::Store;
        }
        match model.broken {
            Broken::NoTimer | Broken::TimerAfterwards => At::Hold,
            _ => At::Timer,
        }
    }

    /// A claim or an outcome was refused: the next step.
    fn give_up(&self, conflict: Conflict) -> At {
        match conflict {
            Conflict::Finished { .. } => self.carried_out(),
            Conflict::AnotherCode | Conflict::TooManyCodes | Conflict::Overtaken => At::EndApart,
            Conflict::Held { .. } | Conflict::Delayed | Conflict::OutOfTries => At::Return(Place::Waiting),
        }
    }

    /// The outcome is written: what was held leaves its row.
    const fn carried_out(&self) -> At {
        if self.decision.is_some() { At::Settle } else { At::Done }
    }

    /// Setbacks after the exchange: what the table does not take goes back to the queue, where it is not there already.
    const fn not_kept(&self) -> At {
        match self.content {
            Content::Granted(_) if self.holder > 0 => At::Checkpoint,
            _ => At::Return(Place::Waiting),
        }
    }

    fn is_proven(&self, model: &Proving) -> bool {
        model.scenario.approvals[usize::from(self.approval())].brings == Brings::Code
    }

    fn login(&self, model: &Proving) -> u8 {
        model.scenario.login_of(self.approval())
    }

    fn attempt(&self, model: &Proving) -> Attempt<'static> {
        self.attempt_of(model, self.holder)
    }

    fn attempt_of(&self, model: &Proving, holder: u8) -> Attempt<'static> {
        let id = DeliveryId::from_bytes([holder; DeliveryId::LENGTH]);
        Attempt {
            id: row::attempt_id(self.login(model)),
            link_id: None,
            reference: None,
            language: None,
            is_plain: false,
            wa_id: row::wa_id(model.scenario.chat_of(self.approval())),
            login_url: row::login_url(),
            code_sha256: Some(row::code_sha256(self.approval())),
            received_at: row::received_at(self.approval()),
            delivery: Delivery { id, receives: 1 + u32::from(self.is_again), max_tries: MAX_TRIES },
        }
    }

    fn lease(&self, model: &Proving) -> Option<Lease> {
        let is_over = self.has_held && model.broken != Broken::UnderLease;
        if self.holder == 0 || is_over {
            return None;
        }
        Some(self.attempt(model).lease(&Attributes::new()))
    }

    /// The consent, by the rule.
    fn consent(&self, model: &Proving) -> Consent {
        let approval = self.approval();
        let at = match model.broken {
            Broken::LaterReplaced => row::received_at(u8::MAX),
            _ => row::received_at(approval),
        };
        let link_issued_at = Some(row::link_issued_at(approval));
        Consent { attempt_id: row::attempt_id(self.login(model)), at, link_issued_at }
    }
}

/// Applies a write to an attempt's row, whose key is in it from its first write on; `false` where it is refused.
fn write_attempt(row: &mut Row, attempt: &Attempt<'_>, change: &shared::conditional_write::ConditionalWrite) -> bool {
    let is_made = row.write(Table::Attempts, change);
    if is_made && !row.attributes().contains_key(shared::attempt::attr::ATTEMPT_ID) {
        row.set(Table::Attempts, shared::attempt::attr::ATTEMPT_ID, attempt.id.to_string());
    }
    is_made
}

/// The guard of who holds the attempt, or has tokens of it.
fn guard(lease: Option<&Lease>) -> Guard<'_> {
    lease.map_or(Guard::Exchanged, Guard::Lease)
}

impl Failure {
    const fn reason(self) -> Reason {
        match self {
            Self::Unknown => Reason::Unknown,
            Self::UsedLogin => Reason::UsedLogin,
            Self::WrongChat => Reason::WrongChat,
            Self::Unconfirmed | Self::Unproven => Reason::Unconfirmed,
        }
    }
}
