//! Whoever is at work on the connection, between two steps: a call, a message of the upkeep queue, a sweep's page, the exchanger.

use shared::{
    conditional_write::ConditionalWrite,
    connection::{self, Claim},
};

use super::{
    Refreshing,
    ask::REQUESTS,
    row::{Row, Token},
    rules::Broken,
    salesforce::Standing,
    state::{Called, Content, Message, Place, Revoke, State, Tokens},
};
use crate::faults::Fault;

/// What it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Job {
    /// A call for a token, and the access token that was refused.
    Call(Option<Token>),
    /// This message of the upkeep queue.
    Message(Content),
    /// A disconnect.
    Disconnect,
    /// A consent, which was received then.
    Consent(u8),
    /// The sweep seals what stands in plain.
    Seal,
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum At {
    /// The row is read.
    Read,
    /// It is held by another: it is read again when it has changed.
    Wait,
    /// The row is claimed.
    Claim,
    /// Whether it was is read, after a lost answer.
    CheckClaim,
    /// Salesforce is asked whether the refresh token was used, after a lease that expired.
    Prove,
    /// The marks of an earlier look go, since the refresh token is alive.
    Unmark,
    /// Its successor is waited for anew, since nobody can say whether it is dead.
    WaitAgain,
    /// The refresh token is sent.
    Send,
    /// Salesforce is asked about it after an ambiguous answer.
    AskAfterLoss,
    /// The same, after an answer whose words are not definite.
    AskAfterDoubt,
    /// The lease is ended.
    GiveBack,
    /// The row is read before it ends.
    ReadEnd,
    /// It ends.
    End,
    /// Its end is recorded, where that is not one transaction.
    Record,
    /// A refresh is queued for when the token can be given up.
    QueueRefresh {
        /// Whether it is known to be dead.
        is_dead: bool,
    },
    /// The refresh token is marked as lost.
    MarkLost {
        /// See [`Self::QueueRefresh`].
        is_dead: bool,
    },
    /// The new tokens are stored.
    Store,
    /// They are queued.
    QueueStore,
    /// The end of the access token is noted.
    Expire,
    /// A revocation is queued.
    QueueRevoke,
    /// Whether the token is in use is read.
    CheckUse,
    /// It is revoked.
    Revoke,
    /// A consent is stored.
    Connect,
    /// What it replaced is queued once more.
    QueueReplaced,
    /// A plain refresh token is sealed.
    Seal,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepResult {
    /// It succeeds, or is refused for what the row has.
    Success,
    /// Table or queue is unavailable.
    Refused,
    /// It succeeds, and the answer is lost.
    Lost,
    /// It does not, and the answer is lost; or another request is being processed.
    NotTaken,
    /// The answer is lost, and the request is still being processed.
    Processing,
    /// It is refused because an earlier one is still being processed.
    Busy,
    /// The same, and the answer is that of an outage.
    Overloaded,
    /// Salesforce is unavailable.
    Down,
    /// It is, and is asked again.
    DownBriefly,
    /// It refuses, in words that are not definite.
    Doubtful,
    /// The lease is over.
    OutOfTime,
}

/// Somebody at work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Work {
    pub(super) job: Job,
    pub(super) at: At,
    /// The row as it was read.
    pub(super) read: Option<Row>,
    /// The row as it was read before it is to end.
    pub(super) ending: Option<Row>,
    /// Its name in the lease.
    pub(super) holder: u8,
    /// The lease has ended.
    pub(super) is_late: bool,
    /// The refresh token is known to be unused.
    pub(super) is_unused: bool,
    /// No successor of it can come from another.
    pub(super) has_no_successor: bool,
    /// An answer was ambiguous.
    pub(super) was_ambiguous: bool,
    /// Salesforce could not say, when it was asked last, whether the refresh token is alive.
    pub(super) is_unjudged: bool,
    /// How often it has asked; after an ambiguous answer from that request on.
    pub(super) requests: u8,
    /// What Salesforce gave.
    pub(super) tokens: Option<Tokens>,
    /// What it revokes.
    pub(super) revoke: Option<Revoke>,
    /// The token that it has put on the queue, to be revoked.
    pub(super) queued: Option<Token>,
    /// The queue did not take what it is to revoke.
    pub(super) is_refused: bool,
}

impl Work {
    /// It begins.
    #[must_use]
    pub fn new(job: Job) -> Self {
        let (at, revoke) = match &job {
            Job::Message(Content::Store(_)) => (At::Store, None),
            Job::Message(Content::Revoke(revoke)) => (At::CheckUse, Some(revoke.clone())),
            _ => (At::Read, None),
        };
        let tokens = match &job {
            Job::Message(Content::Store(tokens)) => Some(tokens.clone()),
            _ => None,
        };
        Self {
            job,
            at,
            read: None,
            ending: None,
            holder: 0,
            is_late: false,
            is_unused: false,
            has_no_successor: false,
            was_ambiguous: false,
            is_unjudged: false,
            requests: 0,
            tokens,
            revoke,
            queued: None,
            is_refused: false,
        }
    }

    /// Whether it refreshes.
    #[must_use]
    pub const fn is_refresh(&self) -> bool {
        matches!(self.job, Job::Call(_) | Job::Message(Content::Refresh))
    }

    /// Whether it is a disconnect.
    #[must_use]
    pub const fn is_disconnect(&self) -> bool {
        matches!(self.job, Job::Disconnect)
    }

    /// Whether it brings a consent.
    #[must_use]
    pub const fn is_consent(&self) -> bool {
        matches!(self.job, Job::Consent(_))
    }

    /// Whether it is about a message.
    #[must_use]
    pub const fn is_of_queue(&self) -> bool {
        matches!(self.job, Job::Message(_))
    }

    /// Whether it may ask again, under its lease, after an ambiguous answer.
    #[must_use]
    pub const fn is_asking_after_loss(&self) -> bool {
        self.was_ambiguous && !self.is_late && matches!(self.at, At::Send | At::AskAfterLoss | At::AskAfterDoubt)
    }

    /// Whether it has tokens that are new to the table.
    #[must_use]
    pub const fn is_storing(&self) -> bool {
        matches!(self.at, At::Store | At::QueueStore)
    }

    /// Whether it can still store or revoke this refresh token.
    #[must_use]
    pub fn knows(&self, token: Token) -> bool {
        let is_new = !matches!(self.at, At::Expire);
        self.tokens.as_ref().is_some_and(|tokens| is_new && tokens.newest() == token)
            || self.revoke.as_ref().is_some_and(|revoke| revoke.token == token)
            || (self.is_consent() && token == NEW)
    }

    /// So many versions of the row came.
    pub(super) fn renumber(&mut self, versions: u64) {
        [&mut self.read, &mut self.ending].into_iter().flatten().for_each(|row| row.renumber(versions));
    }

    /// The claim on the row as it was read.
    ///
    /// # Panics
    /// Where it was not read, or does not allow a claim.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a fault of the model's")]
    pub(super) fn claim(&self, state: &State) -> Claim {
        let row = self.read.as_ref().expect("a row that was read").attributes();
        connection::claim(&row, self.holder.to_string(), state.now())
            .unwrap_or_else(|_| panic!("a row that cannot be claimed"))
    }

    /// Whether its lease is the row's.
    #[must_use]
    pub fn is_holder(&self, row: &Row) -> bool {
        self.holder > 0 && row.text(connection::LEASE_HOLDER) == Some(&self.holder.to_string())
    }

    /// The possible results of the next step.
    pub fn steps(&self, state: &State, model: &Refreshing, mut can: impl FnMut(StepResult)) {
        use StepResult::{Busy, Doubtful, Down, Lost, OutOfTime, Overloaded, Processing, Refused, Success};
        let is_asking = matches!(self.at, At::Prove | At::Send | At::AskAfterLoss | At::AskAfterDoubt);
        let results: &[StepResult] = match self.at {
            _ if is_asking && self.is_late => &[OutOfTime],
            At::Wait => {
                let is_current = self.read.as_ref().is_some_and(Row::is_current);
                if is_current && state.row.is_held(state.now()) { &[] } else { &[Success] }
            }
            At::Read | At::CheckClaim | At::ReadEnd | At::Record | At::CheckUse | At::Expire => &[Success],
            At::Prove | At::AskAfterLoss | At::AskAfterDoubt => &[Success, Down],
            At::Send if model.broken == Broken::ProcessedLate => &[Success, Processing],
            At::Send if state.grant(self.used()).processing.is_some() => &[Busy, Overloaded, Doubtful],
            At::Send => self.answers(),
            At::Revoke => &[Success, Lost, Down],
            // The others write, or send a message.
            _ => &[Success, Refused, Lost],
        };
        for result in results {
            if result.fault().is_none_or(|fault| state.can(fault)) {
                can(*result);
            }
        }
    }

    /// What may come of a request: after an ambiguous answer the next is the last, whatever comes of it.
    fn answers(&self) -> &'static [StepResult] {
        use StepResult::{Doubtful, Down, DownBriefly, Lost, NotTaken, Processing, Success};
        if self.was_ambiguous {
            return &[Success, Lost, NotTaken, Down, Doubtful];
        }
        let all: &[StepResult] = &[Success, Lost, NotTaken, Processing, Down, Doubtful, DownBriefly];
        if self.requests + 1 < REQUESTS { all } else { &all[..all.len() - 1] }
    }

    /// Takes the next step. `None` when it was the last.
    #[must_use]
    pub fn step(self, state: &mut State, model: &Refreshing, result: StepResult) -> Option<Self> {
        result.fault().into_iter().for_each(|fault| state.spend(fault));
        match self.at {
            At::Read => self.read(state, model),
            At::Store => self.store(state, model, result),
            At::QueueRevoke => self.queue_revoke(state, model, result),
            At::CheckUse if model.broken != Broken::InUseIgnored && self.is_in_use(state) => {
                self.after_revoke(state, true)
            }
            At::CheckUse => Some(self.to(At::Revoke)),
            At::Revoke => self.revoke(state, result),
            At::Connect => self.connect(state, result),
            At::QueueReplaced => self.queue_replaced(state, result),
            At::Seal => self.seal(state, model, result),
            At::End | At::Record => self.end(state, model, result),
            _ => self.refresh(state, model, result),
        }
    }

    fn read(mut self, state: &mut State, model: &Refreshing) -> Option<Self> {
        self.read = Some(state.row.clone());
        match self.job {
            Job::Call(_) | Job::Message(_) => self.begin_refresh(state, model),
            Job::Disconnect => self.begin_disconnect(state, model),
            Job::Consent(at) => Some(self.begin_consent(state, at)),
            Job::Seal => state.row.is_plain().then(|| self.to(At::Seal)),
        }
    }

    /// A write whose answer may be lost, or which is refused: whether it was made, and whether that is known.
    pub(super) fn write(state: &mut State, change: &ConditionalWrite, result: StepResult) -> (bool, bool) {
        let made = result != StepResult::Refused && state.write(change);
        (made, result == StepResult::Success)
    }

    #[must_use]
    pub(super) const fn to(mut self, at: At) -> Self {
        self.at = at;
        self
    }

    /// It is killed. Its message comes back; what only it knew is lost.
    pub fn kill(mut self, state: &mut State) {
        let is_answer = self.is_refresh() && (self.tokens.is_some() || self.revoke.is_some());
        if is_answer || self.is_refused {
            self.lose(state);
        }
        match self.job {
            Job::Message(content) => state.messages.push(Message { content, place: Place::Left }),
            Job::Consent(_) if !state.is_consent_over => {
                self = Self::new(self.job);
                state.work.push(self);
            }
            _ => {}
        }
    }

    /// Nobody else knows its tokens.
    pub(super) fn lose(&self, state: &mut State) {
        let own = self.tokens.as_ref().map(Tokens::newest).into_iter().chain(self.revoke.as_ref().map(|it| it.token));
        for token in own {
            let is_alive = !matches!(state.grant(token).standing, Standing::Revoked);
            if is_alive && token.number == state.grant(token).newest && !state.is_known(token) {
                state.grant_mut(token).is_lost = true;
            }
        }
    }

    /// It has no result: a message comes back, and a call has the old token, while that may live.
    #[must_use]
    pub(super) fn fail(self, state: &mut State) -> Option<Self> {
        if self.is_refused {
            self.lose(state);
        }
        match self.job {
            Job::Message(content) => state.messages.push(Message { content, place: Place::Ready }),
            Job::Call(rejected) => {
                let old = self.read.as_ref().and_then(Row::access).filter(|token| Some(*token) != rejected);
                let called = old.map_or(Called::Unavailable, |token| Called::Token(token.grant, token.number));
                Self::answer(state, called);
            }
            _ => {}
        }
        None
    }

    /// Its message is done, or its call answered.
    #[must_use]
    pub(super) fn finish(self, state: &mut State, called: Called) -> Option<Self> {
        match self.job {
            Job::Message(content) if state.can(Fault::Duplicate) => {
                state.messages.push(Message { content, place: Place::Gone });
            }
            Job::Call(_) => Self::answer(state, called),
            _ => {}
        }
        None
    }

    fn answer(state: &mut State, called: Called) {
        state.seen.unavailable |= state.is_clean && called == Called::Unavailable;
        if state.is_trial {
            state.seen.called = Some(called);
        }
    }
}

/// The refresh token of the consent that the exchanger brings.
pub const NEW: Token = Token { grant: 1, number: 0 };

impl StepResult {
    /// What it takes.
    #[must_use]
    pub const fn fault(self) -> Option<Fault> {
        match self {
            Self::Success | Self::OutOfTime | Self::Busy | Self::Overloaded => None,
            Self::Refused => Some(Fault::Refusal),
            Self::Lost | Self::NotTaken | Self::Processing => Some(Fault::Lost),
            Self::Down | Self::DownBriefly | Self::Doubtful => Some(Fault::Answer),
        }
    }
}
