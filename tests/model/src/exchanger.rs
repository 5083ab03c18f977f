//! One invocation of the token exchanger on one message, step by step.
//!
//! What a response means and what is written is the exchanger's own code. The order of the steps is mirrored here:
//! `run`, `connect`, `expire`, `tell_of_delay`, `fail`, `deny`, `store_sealed` and `release` of its `attempt.rs`,
//! `exchange` of its `exchange.rs`, `store_or_checkpoint` of its `storage.rs`, `connect` of its `tables.rs`,
//! `return_to_queue` of its `lib.rs`, and, of its `setback.rs`, that every setback but `Held` and `GivenUp` delays the
//! attempt.

mod ending;

use shared::{
    Reason,
    attempt::{
        Outcome,
        ledger::{Attempt, Conflict, Guard, Lease, Plan},
    },
    salesforce::Class,
};
use token_exchanger::course::{Course, Step};

use self::ending::next;
use crate::{
    protocol::{CodeState, DELAY, Fault, Kind, Message, Place, Protocol, State},
    rules::Broken,
    table::{CONNECTED, Code, LeaseEnd, Row, attempt, claim_time, delivery, outcome_time},
};

/// An invocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work {
    /// The message's place.
    pub slot: usize,
    kind: Kind,
    /// How often the message had been received.
    pub receives: u8,
    max_tries: u8,
    held: Option<Held>,
    at: At,
}

/// A lease, and the responses under it.
#[expect(clippy::struct_excessive_bools, reason = "each is a cell of the lease")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Held {
    number: u8,
    tries: u8,
    delay_is_told: bool,
    maybe_redeemed: bool,
    doubted: bool,
    responses: Vec<Response>,
    /// The code is being exchanged, or was redeemed.
    sent: bool,
}

/// A response without tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Response {
    /// Nothing could be reached.
    Transient,
    /// None: whether the code was redeemed is unknown.
    Ambiguous,
    /// A gateway's, which says that the request was turned away.
    Page,
    /// The settings are wrong: an operator has to help.
    Operator,
    /// The code is unknown, expired or redeemed.
    Expired,
    /// Another final refusal.
    Final,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum At {
    Claim,
    /// The code has expired.
    Expire,
    /// Tokens whose message was received often: the person is told first.
    Tell,
    /// The top of the loop of `exchange`.
    Try,
    /// The response is on its way; `None` for tokens.
    Answer(Option<Response>),
    /// Tokens were received.
    Store,
    Checkpoint,
    /// The queue refused the tokens: the table again, and then the queue, while there is time.
    StoreRetry,
    Finish(&'static str),
    /// There was a setback: the lease is released, or the attempt is delayed.
    Return,
    /// The message is returned, and nothing has to be written.
    ReturnTo(Place),
    /// The message is deleted.
    Done,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepResult {
    /// It succeeds.
    Success,
    /// The table or the queue refuses.
    Refused,
    /// It succeeds, and the response is lost: the SDK retries.
    Retried,
    /// It succeeds, and all responses are lost.
    ResponseLost,
    /// Salesforce responds without tokens.
    Failure(Response),
    /// Salesforce redeems the code, and its response is lost.
    ExchangedResponseLost,
    /// The same, and a gateway responds that the request was turned away.
    ExchangedResponseReplaced,
    /// There is no time for a retry.
    OutOfTime,
    /// It succeeds, and the next try comes late.
    Late,
}

impl StepResult {
    const fn fault(self) -> Option<Fault> {
        match self {
            Self::Success | Self::OutOfTime | Self::Late | Self::Failure(Response::Expired) => None,
            Self::Refused => Some(Fault::Refusal),
            Self::Retried
            | Self::ResponseLost
            | Self::ExchangedResponseLost
            | Self::ExchangedResponseReplaced
            | Self::Failure(Response::Ambiguous | Response::Page) => Some(Fault::Lost),
            Self::Failure(Response::Transient | Response::Operator | Response::Final) => Some(Fault::Answer),
        }
    }
}

impl Response {
    const fn class(self) -> Class {
        match self {
            Self::Transient | Self::Page => Class::Transient { retry_after: None },
            Self::Ambiguous => Class::Ambiguous,
            Self::Operator => Class::Operator,
            Self::Expired => Class::Final(Reason::CodeExpired),
            Self::Final => Class::Final(Reason::UserInactive),
        }
    }
}

impl Response {
    fn take(self, course: &mut Course<'_>) -> Step {
        if self == Self::Page {
            course.doubt();
        }
        course.answered(self.class())
    }
}

impl Held {
    /// Works with the lease as it is now, and the course of the responses under it.
    fn course<R>(&self, code: Code, broken: Broken, what: impl FnOnce(&Lease, &mut Course<'_>) -> R) -> R {
        let mut lease = attempt(Some(code), delivery(self.number, 1, u8::MAX)).lease(&Row::default().item());
        (lease.tries, lease.delay_is_told) = (self.tries.into(), self.delay_is_told);
        lease.maybe_redeemed.set(self.maybe_redeemed);
        lease.doubted.set(self.doubted);
        let mut course = Course::new(&lease);
        for response in &self.responses {
            course.send();
            response.take(&mut course);
        }
        if self.sent {
            course.send();
        }
        if broken == Broken::RedemptionForgotten {
            lease.maybe_redeemed.set(false);
        }
        if broken == Broken::PageBelieved {
            lease.doubted.set(false);
        }
        what(&lease, &mut course)
    }
}

impl Work {
    /// An invocation on a message that was just received.
    #[must_use]
    pub fn new(slot: usize, message: &Message, max_tries: u8) -> Self {
        let is_late = message.receives > max_tries;
        let at = match message.kind {
            Kind::Denied => At::Finish(Reason::Denied.as_str()),
            Kind::Granted(_) if message.old => At::Expire,
            Kind::Granted(_) => At::Claim,
            Kind::Exchanged(_) if is_late => At::Tell,
            Kind::Exchanged(_) => At::Store,
        };
        Self { slot, kind: message.kind, receives: message.receives, max_tries, held: None, at }
    }

    /// Whether its first write is still to come.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        matches!(self.at, At::Claim | At::Expire | At::Tell)
    }

    /// The number by which it holds, or held, the attempt.
    #[must_use]
    pub fn holder(&self) -> Option<u8> {
        self.held.as_ref().map(|held| held.number)
    }

    /// Whether the code is being exchanged, or about to be.
    #[must_use]
    pub const fn is_exchanging(&self) -> bool {
        matches!(self.at, At::Try | At::Answer(_))
    }

    /// Whether a time-out would cut something short. (A write that is cut short is one whose responses are lost.)
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        matches!(self.at, At::Try | At::Answer(_) | At::Store | At::Checkpoint | At::StoreRetry)
    }

    /// It runs out of time.
    pub fn time_out(&mut self) {
        self.at = At::Return;
    }

    const fn code(&self) -> Option<Code> {
        match self.kind {
            Kind::Granted(code) | Kind::Exchanged(code) => Some(code),
            Kind::Denied => None,
        }
    }

    fn is_old(&self, state: &State) -> bool {
        state.messages[self.slot].old
    }

    /// The possible results of the next step.
    pub fn steps(&self, state: &State, mut can: impl FnMut(StepResult)) {
        const WRITE: [StepResult; 4] =
            [StepResult::Success, StepResult::Refused, StepResult::Retried, StepResult::ResponseLost];
        let results: &[StepResult] = match &self.at {
            At::Claim | At::Expire | At::Tell | At::Finish(_) => &WRITE,
            At::Try if self.is_old(state) => &[StepResult::Success],
            At::Try => &[
                StepResult::Success,
                StepResult::ExchangedResponseLost,
                StepResult::ExchangedResponseReplaced,
                StepResult::Failure(Response::Ambiguous),
                StepResult::Failure(Response::Transient),
                StepResult::Failure(Response::Operator),
                StepResult::Failure(Response::Final),
            ],
            At::Answer(None | Some(Response::Expired | Response::Final)) => &[StepResult::Success],
            At::Answer(Some(_)) | At::StoreRetry => &[StepResult::Success, StepResult::OutOfTime],
            At::Store | At::Checkpoint => &[StepResult::Success, StepResult::Refused, StepResult::ResponseLost],
            At::Return if self.is_last() || !self.has_code() => &[StepResult::Success, StepResult::Refused],
            At::Return => &[StepResult::Success, StepResult::Late, StepResult::Refused],
            At::ReturnTo(_) | At::Done => &[],
        };
        for result in results {
            let is_possible = result.fault().is_none_or(|fault| state.left.can(fault));
            if is_possible {
                can(*result);
            }
        }
    }

    /// Takes the next step. `None` when it was the last.
    #[must_use]
    pub fn step(mut self, state: &mut State, protocol: &Protocol, result: StepResult) -> Option<Self> {
        if let Some(fault) = result.fault() {
            state.left.spend(fault);
        }
        self.at = match self.at.clone() {
            At::Claim => self.claim(state, protocol.broken, result),
            At::Expire => {
                let reason = self.expired_of(state);
                self.finish(state, protocol.broken, &Outcome::Failed { reason, salesforce_error: None }, result)
            }
            At::Tell => match self.tell(state, protocol.broken, result) {
                At::ReturnTo(_) => At::Store,
                next => next,
            },
            At::Try => self.exchange(state, result),
            At::Answer(answer) => self.receive_response(state, protocol.broken, answer, result),
            At::Store => self.store(state, protocol.broken, result),
            At::Checkpoint => self.checkpoint(state, result),
            At::StoreRetry if result == StepResult::Success => At::Store,
            At::StoreRetry => {
                state.forget();
                At::Return
            }
            At::Finish(reason) => {
                let reason = Reason::parse(reason).unwrap_or(DELAY);
                self.finish(state, protocol.broken, &Outcome::Failed { reason, salesforce_error: None }, result)
            }
            At::Return => {
                let place = self.return_to_queue(state, protocol, result);
                state.return_to_queue(self.slot, self.receives, protocol.max_receives, place);
                return None;
            }
            At::ReturnTo(_) | At::Done => self.at,
        };
        // SQS does the rest.
        match self.at {
            At::ReturnTo(place) => state.return_to_queue(self.slot, self.receives, protocol.max_receives, place),
            At::Done => state.delete(self.slot),
            _ => return Some(self),
        }
        None
    }

    /// What its message says of the attempt.
    fn attempt(&self, state: &State) -> Attempt<'static> {
        let number = self.holder().unwrap_or_else(|| state.next_holder());
        attempt(self.code(), delivery(number, self.receives, self.max_tries))
    }

    /// Whether it has a code to exchange, or its tokens to store: only then a late next try is told of.
    const fn has_code(&self) -> bool {
        self.held.is_some() || matches!(self.kind, Kind::Exchanged(_))
    }

    /// Whether the person has to hear of a delay now.
    fn is_last(&self) -> bool {
        let used_tries = match (&self.held, self.code()) {
            (Some(held), Some(code)) => held.course(code, Broken::Nothing, |lease, _| lease.used_tries()),
            _ => 0,
        };
        delivery(0, self.receives, self.max_tries).is_last(used_tries)
    }

    fn claim(&mut self, state: &mut State, broken: Broken, result: StepResult) -> At {
        let Kind::Granted(code) = self.kind else { return At::Return };
        if result == StepResult::Refused {
            state.forget();
            return At::Return;
        }
        if broken == Broken::ClaimIgnoresLease && state.row.lease != LeaseEnd::None {
            state.row.lease = LeaseEnd::Past;
        }
        let number = state.next_holder();
        let attempt = self.attempt(state);
        let item = state.row.item();
        if attempt.delivery.is_late() && attempt.plan(&item) != Plan::Try {
            return self.tell(state, broken, result);
        }
        let claim = attempt.claim(&item, claim_time(number));
        let made = claim.is_ok_and(|claim| state.write(&claim));
        if made && result == StepResult::ResponseLost {
            state.forget();
            return At::Return;
        }
        if !made {
            return match attempt.conflict(&item, outcome_time(0)) {
                Conflict::OutOfTries => self.tell(state, broken, result),
                conflict => next(conflict, &state.row),
            };
        }
        // It finds its own lease, where the SDK retries.
        let lease = match result {
            StepResult::Retried => attempt.own_lease(&item, &state.row.item()),
            _ => Some(attempt.lease(&item)),
        };
        let Some(lease) = lease else { return At::Return };
        let maybe_redeemed = lease.maybe_redeemed.get() && broken != Broken::RedemptionForgotten;
        self.held = Some(Held {
            number,
            tries: u8::try_from(lease.tries).unwrap_or(u8::MAX),
            delay_is_told: lease.delay_is_told,
            maybe_redeemed,
            doubted: lease.doubted.get() && broken != Broken::PageBelieved,
            responses: Vec::new(),
            sent: false,
        });
        debug_assert_eq!(state.row.code, Some(code));
        At::Try
    }

    /// Why the attempt fails with an expired code, by what its row says.
    fn expired_of(&self, state: &State) -> Reason {
        Course::new(&self.attempt(state).lease(&state.row.item())).expired()
    }

    /// Sends the code to Salesforce, unless it has expired.
    fn exchange(&mut self, state: &mut State, result: StepResult) -> At {
        let (Kind::Granted(code), Some(held)) = (self.kind, self.held.as_mut()) else { return At::Return };
        if state.messages[self.slot].old {
            return At::Finish(held.course(code, Broken::Nothing, |_, course| course.expired()).as_str());
        }
        state.resent |= state.known[code as usize].definite;
        held.sent = true;
        let code_state = &mut state.codes[code as usize];
        let is_redeemed = matches!(
            result,
            StepResult::Success | StepResult::ExchangedResponseLost | StepResult::ExchangedResponseReplaced
        );
        let exchanged = is_redeemed && *code_state == CodeState::Valid;
        if exchanged {
            *code_state = CodeState::Used;
        }
        At::Answer(match result {
            StepResult::Failure(response) => Some(response),
            StepResult::ExchangedResponseLost => Some(Response::Ambiguous),
            StepResult::ExchangedResponseReplaced => Some(Response::Page),
            _ if exchanged => None,
            _ => Some(Response::Expired),
        })
    }

    /// Receives the response.
    fn receive_response(
        &mut self,
        state: &mut State,
        broken: Broken,
        answer: Option<Response>,
        result: StepResult,
    ) -> At {
        let (Kind::Granted(code), Some(held)) = (self.kind, self.held.as_mut()) else { return At::Return };
        let known = &mut state.known[code as usize];
        let Some(response) = answer else {
            known.definite = true;
            known.tokens = true;
            return At::Store;
        };
        known.definite |= matches!(response, Response::Expired | Response::Final);
        let step = held.course(code, broken, |_, course| response.take(course));
        held.responses.push(response);
        held.sent = false;
        match step {
            Step::Fail(reason) => At::Finish(reason.as_str()),
            Step::Retry { .. } | Step::Refetch if result != StepResult::OutOfTime => At::Try,
            Step::Retry { .. } | Step::Refetch | Step::Return => At::Return,
        }
    }

    /// The transaction of `Tables::connect`: a connected attempt stays as it is, which is success too.
    fn store(&mut self, state: &mut State, broken: Broken, result: StepResult) -> At {
        let Some(code) = self.code() else { return At::Return };
        if result != StepResult::Refused {
            let now = outcome_time(state.next_outcome());
            let change = self.attempt(state).finish(&CONNECTED, Guard::Exchanged, &state.row.item(), now);
            let marks = (state.row.messaged, state.row.bot_told, state.row.notified);
            if change.is_ok_and(|change| state.write(&change)) {
                state.tokens = Some(code);
                if broken == Broken::MarksStay {
                    (state.row.messaged, state.row.bot_told, state.row.notified) = marks;
                }
            }
        }
        match result {
            StepResult::Success => At::Done,
            _ if matches!(self.kind, Kind::Exchanged(_)) => At::Return,
            _ if broken == Broken::NoCheckpoint => At::Return,
            _ => {
                state.known[code as usize].definite = false;
                At::Checkpoint
            }
        }
    }

    /// Puts the sealed tokens on the queue.
    fn checkpoint(&mut self, state: &mut State, result: StepResult) -> At {
        let Some(code) = self.code() else { return At::Return };
        if result != StepResult::Refused {
            state.send(Kind::Exchanged(code));
        }
        if result == StepResult::Success { At::Done } else { At::StoreRetry }
    }
}
