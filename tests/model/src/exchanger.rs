//! One invocation of the token exchanger on one message, step by step.
//!
//! What an answer means and what is written is the exchanger's own code. Which step follows which
//! is mirrored here: `run`, `connect`, `expire`, `give_up`, `fail`, `deny`, `connect_traded` and `release`
//! of its `attempt.rs`, `exchange` of its `exchange.rs`, `store_or_checkpoint` of its `storage.rs`,
//! `connect` of its `tables.rs`, `return_to_queue` of its `lib.rs`, and, of its `setback.rs`, that the person is told of a delay by every setback but `Held` and `GivenUp`.

use shared::{
    Reason,
    attempt::{
        Outcome,
        ledger::{Conflict, Guard, Lease},
    },
    salesforce::Class,
};
use token_exchanger::course::{Course, Step};

use crate::{
    protocol::{DELAY, Fate, Fault, Kind, Message, Place, Protocol, State},
    rules::Broken,
    table::{CONNECTED, Code, LeaseEnd, Row, attempt, claim_time, outcome_time},
};

/// An invocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work {
    /// Whose message.
    pub slot: usize,
    kind: Kind,
    /// By then the message was received so often.
    pub receives: u8,
    held: Option<Held>,
    at: At,
}

/// A lease, and what was heard under it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Held {
    number: u8,
    maybe_redeemed: bool,
    heard: Vec<Heard>,
    /// The code is on its way, or was traded.
    sent: bool,
}

/// An answer that is not the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Heard {
    /// Salesforce is down.
    Transient,
    /// Nothing.
    Ambiguous,
    /// The settings are wrong.
    Operator,
    /// The code is not known, or no longer.
    Expired,
    /// Something else that is final.
    Final,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum At {
    Claim,
    /// The code is dead.
    Bury,
    /// It was tried often enough.
    GiveUp,
    /// The top of the loop of `exchange`.
    Try,
    /// The answer is on its way.
    Answer(Option<Heard>),
    /// Tokens are here.
    Store,
    PutBack,
    /// The queue did not take them: the table again, and then the queue, while there is time.
    StoreAgain,
    Settle(&'static str),
    /// There was a setback: the attempt is given back, or said to be delayed.
    GiveBack,
    /// The message goes back, and nothing has to be written.
    Return(Place),
    /// It is to be deleted.
    Done,
}

/// How a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Luck {
    /// Well.
    Well,
    /// The table or the queue refuses.
    Refused,
    /// It is done, and the answer is lost: the SDK asks again.
    AskedAgain,
    /// It is done, and the answers are lost.
    Unheard,
    /// Salesforce gives no tokens.
    Answers(Heard),
    /// Salesforce trades the code, and its answer is lost.
    TradedUnheard,
    /// There is no time for another try.
    NoTime,
}

impl Luck {
    const fn fault(self) -> Option<Fault> {
        match self {
            Self::Well | Self::NoTime | Self::Answers(Heard::Expired) => None,
            Self::Refused => Some(Fault::Refusal),
            Self::AskedAgain | Self::Unheard | Self::TradedUnheard | Self::Answers(Heard::Ambiguous) => {
                Some(Fault::Lost)
            }
            Self::Answers(Heard::Transient | Heard::Operator | Heard::Final) => Some(Fault::Answer),
        }
    }
}

impl Heard {
    const fn class(self) -> Class {
        match self {
            Self::Transient => Class::Transient { retry_after: None },
            Self::Ambiguous => Class::Ambiguous,
            Self::Operator => Class::Operator,
            Self::Expired => Class::Final(Reason::CodeExpired),
            Self::Final => Class::Final(Reason::UserInactive),
        }
    }
}

impl Held {
    /// The lease as it is by now, and the course that was run under it.
    fn course<R>(&self, code: Code, broken: Broken, what: impl FnOnce(&Lease, &mut Course<'_>) -> R) -> R {
        let lease = Row::default().lease(code, self.number);
        lease.maybe_redeemed.set(self.maybe_redeemed);
        let mut course = Course::new(&lease);
        for heard in &self.heard {
            course.send();
            course.answered(heard.class());
        }
        if self.sent {
            course.send();
        }
        if broken == Broken::RedemptionForgotten {
            lease.maybe_redeemed.set(false);
        }
        what(&lease, &mut course)
    }
}

impl Work {
    /// On a message that was just received.
    #[must_use]
    pub fn new(slot: usize, message: &Message, max_tries: u8) -> Self {
        let given_up = message.receives > max_tries;
        let at = match message.kind {
            Kind::Denied => At::Settle(Reason::Denied.as_str()),
            Kind::Granted(_) if given_up && !message.old => At::GiveUp,
            Kind::Granted(_) if message.old => At::Bury,
            Kind::Granted(_) => At::Claim,
            Kind::Traded(_) if given_up => At::GiveUp,
            Kind::Traded(_) => At::Store,
        };
        Self { slot, kind: message.kind, receives: message.receives, held: None, at }
    }

    /// Is its first write still to come?
    #[must_use]
    pub const fn is_new(&self) -> bool {
        matches!(self.at, At::Claim | At::Bury | At::GiveUp)
    }

    /// By which number it holds, or held, the attempt.
    #[must_use]
    pub fn holder(&self) -> Option<u8> {
        self.held.as_ref().map(|held| held.number)
    }

    /// Is the code with Salesforce, or about to be?
    #[must_use]
    pub const fn is_exchanging(&self) -> bool {
        matches!(self.at, At::Try | At::Answer(_))
    }

    /// Is there something that a time-out would cut short? (A write that is cut short is one whose answers are lost.)
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        matches!(self.at, At::Try | At::Answer(_) | At::Store | At::PutBack | At::StoreAgain)
    }

    /// Its time is over.
    pub fn time_out(&mut self) {
        self.at = At::GiveBack;
    }

    const fn code(&self) -> Option<Code> {
        match self.kind {
            Kind::Granted(code) | Kind::Traded(code) => Some(code),
            Kind::Denied => None,
        }
    }

    fn is_old(&self, state: &State) -> bool {
        state.messages[self.slot].old
    }

    /// How the next step can go.
    pub fn steps(&self, state: &State, mut can: impl FnMut(Luck)) {
        const WRITE: [Luck; 4] = [Luck::Well, Luck::Refused, Luck::AskedAgain, Luck::Unheard];
        let lucks: &[Luck] = match &self.at {
            At::Claim | At::Bury | At::GiveUp | At::Settle(_) => &WRITE,
            At::Try if self.is_old(state) => &[Luck::Well],
            At::Try => &[
                Luck::Well,
                Luck::TradedUnheard,
                Luck::Answers(Heard::Ambiguous),
                Luck::Answers(Heard::Transient),
                Luck::Answers(Heard::Operator),
                Luck::Answers(Heard::Final),
            ],
            At::Answer(None | Some(Heard::Expired | Heard::Final)) => &[Luck::Well],
            At::Answer(Some(_)) | At::StoreAgain => &[Luck::Well, Luck::NoTime],
            At::Store | At::PutBack => &[Luck::Well, Luck::Refused, Luck::Unheard],
            At::GiveBack => &[Luck::Well, Luck::Refused],
            At::Return(_) | At::Done => &[],
        };
        for luck in lucks {
            let is_possible = luck.fault().is_none_or(|fault| state.left.can(fault));
            if is_possible {
                can(*luck);
            }
        }
    }

    /// The next step. `None` when it was the last.
    #[must_use]
    pub fn step(mut self, state: &mut State, protocol: &Protocol, luck: Luck) -> Option<Self> {
        if let Some(fault) = luck.fault() {
            state.left.spend(fault);
        }
        self.at = match self.at.clone() {
            At::Claim => self.claim(state, protocol.broken, luck),
            At::Bury => {
                let reason = self.expired_of(&state.row);
                self.settle(state, protocol.broken, &Outcome::Failed { reason, salesforce_error: None }, luck)
            }
            At::GiveUp => self.give_up(state, protocol.broken, luck),
            At::Try => self.exchange(state, luck),
            At::Answer(answer) => self.hear(state, protocol.broken, answer, luck),
            At::Store => self.store(state, protocol.broken, luck),
            At::PutBack => self.put_back(state, luck),
            At::StoreAgain if luck == Luck::Well => At::Store,
            At::StoreAgain => {
                state.forget();
                At::GiveBack
            }
            At::Settle(reason) => {
                let reason = Reason::parse(reason).unwrap_or(DELAY);
                self.settle(state, protocol.broken, &Outcome::Failed { reason, salesforce_error: None }, luck)
            }
            At::GiveBack => {
                let place = self.give_back(state, protocol, luck);
                state.give_back(self.slot, self.receives, protocol.max_receives, place);
                return None;
            }
            At::Return(_) | At::Done => self.at,
        };
        // The rest is up to SQS.
        match self.at {
            At::Return(place) => state.give_back(self.slot, self.receives, protocol.max_receives, place),
            At::Done => state.delete(self.slot),
            _ => return Some(self),
        }
        None
    }

    fn claim(&mut self, state: &mut State, broken: Broken, luck: Luck) -> At {
        let Kind::Granted(code) = self.kind else { return At::GiveBack };
        if luck == Luck::Refused {
            state.forget();
            return At::GiveBack;
        }
        let number = state.next_holder();
        if broken == Broken::ClaimIgnoresLease && state.row.lease != LeaseEnd::None {
            state.row.lease = LeaseEnd::Past;
        }
        let claim = attempt(Some(code)).claim(claim_time(number));
        let lease = state.row.lease(code, number);
        let mut made = state.write(&claim);
        if made && luck == Luck::Unheard {
            state.forget();
            return At::GiveBack;
        }
        if luck == Luck::AskedAgain {
            made = state.write(&claim);
        }
        if made {
            let maybe_redeemed = lease.maybe_redeemed.get() && broken != Broken::RedemptionForgotten;
            self.held = Some(Held { number, maybe_redeemed, heard: Vec::new(), sent: false });
            At::Try
        } else {
            obstructed(&state.row)
        }
    }

    /// Why it is over for a dead code, by what its record says.
    fn expired_of(&self, row: &Row) -> Reason {
        let Kind::Granted(code) = self.kind else { return DELAY };
        Course::new(&row.lease(code, 0)).expired()
    }

    /// Sees to it that the person has been told.
    fn give_up(&mut self, state: &mut State, broken: Broken, luck: Luck) -> At {
        if luck == Luck::Refused {
            state.forget();
            return At::GiveBack;
        }
        let mut made = self.write_outcome(state, broken, &Outcome::Delayed { reason: DELAY });
        if luck == Luck::Unheard {
            return At::GiveBack;
        }
        if luck == Luck::AskedAgain {
            made = self.write_outcome(state, broken, &Outcome::Delayed { reason: DELAY });
        }
        if made {
            return At::Return(Place::Ready);
        }
        match Conflict::of(&state.row.item()) {
            // The dead-letter queue keeps the tokens.
            Conflict::Finished { connected: false } if matches!(self.kind, Kind::Traded(_)) => At::Return(Place::Ready),
            _ => obstructed(&state.row),
        }
    }

    /// The code goes to Salesforce, unless it is too old.
    fn exchange(&mut self, state: &mut State, luck: Luck) -> At {
        let (Kind::Granted(code), Some(held)) = (self.kind, self.held.as_mut()) else { return At::GiveBack };
        if state.messages[self.slot].old {
            return At::Settle(held.course(code, Broken::Nothing, |_, course| course.expired()).as_str());
        }
        state.resent |= state.known[code as usize].definite;
        held.sent = true;
        let fate = &mut state.fates[code as usize];
        let traded = matches!(luck, Luck::Well | Luck::TradedUnheard) && *fate == Fate::Good;
        if traded {
            *fate = Fate::Used;
        }
        At::Answer(match luck {
            Luck::Answers(heard) => Some(heard),
            Luck::TradedUnheard => Some(Heard::Ambiguous),
            _ if traded => None,
            _ => Some(Heard::Expired),
        })
    }

    /// The answer is here.
    fn hear(&mut self, state: &mut State, broken: Broken, answer: Option<Heard>, luck: Luck) -> At {
        let (Kind::Granted(code), Some(held)) = (self.kind, self.held.as_mut()) else { return At::GiveBack };
        let known = &mut state.known[code as usize];
        let Some(heard) = answer else {
            known.definite = true;
            known.tokens = true;
            return At::Store;
        };
        known.definite |= matches!(heard, Heard::Expired | Heard::Final);
        let step = held.course(code, broken, |_, course| course.answered(heard.class()));
        held.heard.push(heard);
        held.sent = false;
        match step {
            Step::Fail(reason) => At::Settle(reason.as_str()),
            Step::Retry { .. } | Step::Refetch if luck != Luck::NoTime => At::Try,
            Step::Retry { .. } | Step::Refetch | Step::Return => At::GiveBack,
        }
    }

    /// The transaction of `Tables::connect`: a connected attempt stays as it is, and that is well.
    fn store(&mut self, state: &mut State, broken: Broken, luck: Luck) -> At {
        let Some(code) = self.code() else { return At::GiveBack };
        if luck != Luck::Refused {
            let change =
                attempt(Some(code)).finish(&CONNECTED, Guard::TokensStored, outcome_time(state.next_outcome()));
            let marks = (state.row.messaged, state.row.bot_told, state.row.notified);
            if state.write(&change) {
                state.tokens = Some(code);
                if broken == Broken::MarksStay {
                    (state.row.messaged, state.row.bot_told, state.row.notified) = marks;
                }
            }
        }
        match luck {
            Luck::Well => At::Done,
            _ if matches!(self.kind, Kind::Traded(_)) => At::GiveBack,
            _ if broken == Broken::NoCheckpoint => At::GiveBack,
            _ => {
                state.known[code as usize].definite = false;
                At::PutBack
            }
        }
    }

    /// The tokens go on the queue, sealed.
    fn put_back(&mut self, state: &mut State, luck: Luck) -> At {
        let Some(code) = self.code() else { return At::GiveBack };
        if luck != Luck::Refused {
            state.send(Kind::Traded(code));
        }
        if luck == Luck::Well { At::Done } else { At::StoreAgain }
    }

    /// An outcome, and what stands in its way.
    fn settle(&mut self, state: &mut State, broken: Broken, outcome: &Outcome<&str>, luck: Luck) -> At {
        if luck == Luck::Refused {
            state.forget();
            return At::GiveBack;
        }
        let mut made = self.write_outcome(state, broken, outcome);
        if luck == Luck::Unheard {
            state.forget();
            return At::GiveBack;
        }
        if luck == Luck::AskedAgain {
            made = self.write_outcome(state, broken, outcome);
        }
        if made { At::Done } else { obstructed_settling(self.kind, &state.row) }
    }

    fn write_outcome(&self, state: &mut State, broken: Broken, outcome: &Outcome<&str>) -> bool {
        let code = self.code();
        let now = outcome_time(state.next_outcome());
        let was_connected = state.row.is(shared::Status::Connected);
        if broken == Broken::FailureReplacesSuccess && was_connected {
            state.row = Row::default();
        }
        let made = match (&self.held, code) {
            (Some(held), Some(code)) => held.course(code, broken, |lease, _| {
                state.write(&attempt(Some(code)).finish(outcome, Guard::Lease(lease), now))
            }),
            _ if self.kind == Kind::Denied && matches!(outcome, Outcome::Failed { .. }) => {
                state.write(&attempt(code).finish(outcome, Guard::Undecided, now))
            }
            _ => state.write(&attempt(code).finish(outcome, Guard::Claimable, now)),
        };
        state.overwritten |= made && was_connected;
        made
    }

    /// `give_back`. Where does the message go?
    fn give_back(&self, state: &mut State, protocol: &Protocol, luck: Luck) -> Place {
        let is_last = self.receives >= protocol.max_tries;
        let mut told = false;
        if luck == Luck::Refused {
            state.forget();
        } else if is_last {
            let made = self.write_outcome(state, protocol.broken, &Outcome::Delayed { reason: DELAY });
            told = made || !matches!(Conflict::of(&state.row.item()), Conflict::Held { .. });
        } else if let (Some(held), Some(code)) = (&self.held, self.code()) {
            held.course(code, protocol.broken, |lease, _| state.write(&lease.release(outcome_time(0))));
        }
        // By then the schedule's pauses are longer than a lease.
        match state.row.lease {
            LeaseEnd::Of(number) if is_last && !told => Place::Waiting(number),
            _ => Place::Ready,
        }
    }
}

/// A claim or an outcome was refused.
fn obstructed(row: &Row) -> At {
    match (Conflict::of(&row.item()), row.lease) {
        (Conflict::Finished { .. }, _) => At::Done,
        (Conflict::Held { .. }, LeaseEnd::Of(number)) => At::Return(Place::Waiting(number)),
        (Conflict::Held { .. } | Conflict::Delayed, _) => At::Return(Place::Ready),
    }
}

/// An outcome was refused. A denial leaves it to whoever holds the attempt.
fn obstructed_settling(kind: Kind, row: &Row) -> At {
    if kind == Kind::Denied { At::Done } else { obstructed(row) }
}
