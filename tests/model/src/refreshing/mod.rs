//! A model of one chat's tokens: who refreshes them, what becomes of a rotated one, and how the connection ends; with
//! faults between any two steps.
//!
//! Who may claim the row, what is stored, marked and ended is [`shared::connection`]'s, applied to the row's attributes.
//! Modelled are the steps between, which mirror `shared::custody`, and the environment:
//!
//! - **Callers**, the sweep's refreshes, a disconnect and a new consent run at the same time, and are killed between any
//!   two steps. Whoever holds the row longer than its lease sends nothing more, but still stores what it has.
//! - **A write** succeeds, is refused, or succeeds with its answer lost; so does a message to the queue.
//! - **The upkeep queue** delivers in any order, again after it was deleted, and again after its receiver was killed.
//! - **Salesforce** rotates, or does not. A refresh token that was used up revokes its whole grant where it reaches the
//!   token endpoint; to ask about it does no harm. A request is processed and its answer lost, or it is not, or it is
//!   processed while the next is refused; Salesforce is unavailable, or refuses in words that are not definite. An
//!   administrator revokes the grant, or freezes the user for a while. The access token ends that proves a refresh token's
//!   death; the app may not ask about tokens, or may from some time on.
//! - **Time** ends a lease, and the wait for the successor of a dead token. That wait is longer than an invocation, than
//!   the pauses of a message that stores tokens and, where [`LOST_AFTER`] says so, than its visibility timeout.
//!
//! What it relies on: when Salesforce is asked about a token after the answer was lost, it has processed that request, or
//! never will, or refuses the next one and is done when the lease is over (`ProcessedLate` shows what happens else: the
//! grant is revoked, the connection ends, and that is told); and clocks agree to a few seconds, as no request is under way
//! in a lease's last five.
//!
//! Left out are the keys, the app's credentials, hosts, the account of an answer, pauses, and how long anything is valid but
//! for the access token that proves a death.

pub mod ask;
mod probe;
pub mod properties;
pub mod refresh;
pub mod revoke;
pub mod row;
pub mod rules;
pub mod salesforce;
pub mod scenario;
pub mod state;
pub mod work;

use std::{collections::BTreeSet, time::Duration};

use shared::{
    Timestamp,
    connection::{LEASE_UNTIL, LOST_AFTER, LOST_AT},
};
use stateright::{Model, Property};

use self::{
    refresh::MAX_AGE,
    row::{NOW, Row, Token},
    rules::Broken,
    salesforce::{Grant, Standing},
    scenario::{Event, Scenario},
    state::{Content, Message, Place, Seen, State},
    work::{Job, StepResult, Work},
};
use crate::faults::{Fault, Faults};

/// One model.
#[derive(Debug)]
pub struct Refreshing {
    /// What happens.
    pub scenario: &'static Scenario,
    /// How many faults happen at most.
    pub faults: Faults,
    /// Which rule is broken.
    pub broken: Broken,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The event of this number.
    Event(usize),
    /// A message is received.
    Receive(usize),
    /// A message whose receiver was killed is visible again.
    VisibleAgain(usize),
    /// A message is delivered again that was deleted.
    Redelivered(usize),
    /// The daily sweep queues a refresh.
    Sweep,
    /// The lease ends.
    LeaseEnds,
    /// The wait for the successor of a dead refresh token ends.
    WaitEnds,
    /// Salesforce processes the request whose answer was lost.
    Processed(usize),
    /// Somebody takes their next step.
    Step(usize, StepResult),
    /// They are killed.
    Kill(usize),
}

/// How many are at work at the same time.
const AT_WORK: usize = 3;
/// How long the upkeep queue hides a message whose receiver was killed: of `template.yaml`.
const VISIBILITY: Duration = Duration::from_mins(6);

impl Refreshing {
    /// The model of a scenario, with so many faults.
    #[must_use]
    pub const fn new(scenario: &'static Scenario, all: u8, broken: Broken) -> Self {
        let faults = Faults { all, crashes: all, refusals: all, lost: all, answers: all, duplicates: 1, redrives: 0 };
        Self { scenario, faults, broken }
    }

    /// Whether Salesforce tells the app whether a token is alive.
    fn tells(&self, state: &State) -> bool {
        let is_told = |(number, event): (usize, &Event)| *event == Event::Told && state.events & (1 << number) != 0;
        self.scenario.tells || self.scenario.events.iter().enumerate().any(is_told)
    }

    fn can_happen(&self, state: &State, event: usize) -> bool {
        let has = |number: usize| state.events & (1 << number) != 0;
        let mut before = self.scenario.events[..event].iter().enumerate();
        let is_of_job = self.scenario.events[event].is_of_job();
        // Of equal events the first comes first, and the user is frozen before they are not.
        let is_next = before.all(|(number, earlier)| {
            let is_earlier = *earlier == self.scenario.events[event]
                || (*earlier == Event::Frozen && self.scenario.events[event] == Event::Thawed);
            !is_earlier || has(number)
        });
        !has(event) && is_next && (!is_of_job || state.work.len() < AT_WORK)
    }

    fn happen(&self, state: &mut State, event: usize) {
        state.events |= 1 << event;
        let oldest = Token { grant: 0, number: 0 };
        match self.scenario.events[event] {
            Event::Call => state.work.push(Work::new(Job::Call(None))),
            Event::CallRejecting => {
                let rejected = state.row.access();
                state.work.push(Work::new(Job::Call(rejected)));
            }
            Event::Refresh => state.send(Content::Refresh, Place::Ready),
            Event::Seal => state.work.push(Work::new(Job::Seal)),
            Event::Disconnect => state.work.push(Work::new(Job::Disconnect)),
            Event::Consent => {
                state.ticks += 1;
                state.grants[1] = Grant::new(Standing::Live);
                state.work.push(Work::new(Job::Consent(state.ticks)));
            }
            Event::Revoked => state.grant_mut(oldest).end(),
            Event::Frozen => {
                state.grant_mut(oldest).standing = Standing::Frozen;
                state.grant_mut(oldest).was_refused = true;
            }
            Event::Thawed => state.grant_mut(oldest).standing = Standing::Live,
            Event::AccessEnds => {
                if let Some(access) = state.row.access() {
                    state.grant_mut(access).ended = access.number + 1;
                }
            }
            Event::Told => {}
        }
    }

    /// Whether who holds the row is alive: its lease ends only where it is slow.
    fn is_holder_alive(state: &State) -> bool {
        state.work.iter().any(|work| work.is_holder(&state.row))
    }

    /// Whether the wait for a successor can end now.
    fn can_wait_end(&self, state: &State) -> bool {
        let is_awaited =
            |message: &Message| matches!(message.content, Content::Store(_)) && message.place != Place::Gone;
        let is_longer = LOST_AFTER > VISIBILITY && self.broken != Broken::EndedSoon;
        let comes = |message: &Message| is_awaited(message) && (message.place == Place::Ready || is_longer);
        let is_delayed = state.messages.iter().any(|message| message.place == Place::AfterLoss);
        let is_waiting = is_delayed || state.row.has(LOST_AT) && state.row != Self::waited(&state.row);
        is_waiting && state.work.is_empty() && !state.row.is_held(state.now()) && !state.messages.iter().any(comes)
    }

    /// Whether Salesforce can process a request now whose answer was lost.
    fn can_process(&self, state: &State, grant: usize) -> bool {
        let is_second = |work: &Work| work.is_asking_after_loss() && work.requests > 1;
        state.grants[grant].processing.is_some()
            && (self.broken == Broken::ProcessedLate || state.work.iter().any(is_second))
    }

    /// Salesforce is done with a request when the lease is over, and refuses the next one until then.
    fn process_in_time(&self, state: &mut State) {
        if self.broken != Broken::ProcessedLate && !state.work.iter().any(Work::is_asking_after_loss) {
            (0..state.grants.len()).for_each(|grant| state.process(grant, self.scenario));
        }
    }

    fn waited(row: &Row) -> Row {
        let mut row = row.clone();
        row.set_back(LOST_AT, NOW.minus(LOST_AFTER));
        row
    }

    fn can_sweep(state: &State) -> bool {
        let is_queued = |message: &Message| message.content == Content::Refresh && message.place != Place::Gone;
        state.work.is_empty()
            && !state.row.is_held(state.now())
            && !state.messages.iter().any(is_queued)
            && state.is_due()
    }

    fn can_receive(state: &State, message: &Message) -> bool {
        let is_of_queue = state.work.iter().filter(|work| work.is_of_queue()).count();
        let waits = message.content == Content::Refresh && state.row.is_held(state.now());
        state.work.len() < AT_WORK && is_of_queue < 2 && !waits
    }
}

impl Model for Refreshing {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let refreshed_at = if self.scenario.is_young { NOW.minus(MAX_AGE / 2) } else { NOW.minus(MAX_AGE * 2) };
        vec![State {
            row: Row::connected(self.scenario.is_plain, refreshed_at),
            records: BTreeSet::new(),
            grants: [Grant::new(Standing::Live), Grant::new(Standing::None)],
            messages: Vec::new(),
            work: Vec::new(),
            ticks: 0,
            events: 0,
            is_consent_over: false,
            moved: 0,
            left: self.faults.clone(),
            is_clean: true,
            is_trial: false,
            seen: Seen::default(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions
            .extend((0..self.scenario.events.len()).filter(|event| self.can_happen(state, *event)).map(Action::Event));
        for (slot, message) in state.messages.iter().enumerate() {
            let is_repeated = slot > 0 && state.messages[slot - 1] == *message;
            match message.place {
                _ if is_repeated => {}
                Place::Ready if Self::can_receive(state, message) => actions.push(Action::Receive(slot)),
                Place::Left if !state.row.is_held(state.now()) => actions.push(Action::VisibleAgain(slot)),
                Place::Gone if state.can(Fault::Duplicate) => actions.push(Action::Redelivered(slot)),
                _ => {}
            }
        }
        if Self::can_sweep(state) {
            actions.push(Action::Sweep);
        }
        if state.row.is_held(state.now()) && (!Self::is_holder_alive(state) || state.can(Fault::Crash)) {
            actions.push(Action::LeaseEnds);
        }
        if self.can_wait_end(state) {
            actions.push(Action::WaitEnds);
        }
        let can_process = |grant: &usize| self.can_process(state, *grant);
        actions.extend((0..state.grants.len()).filter(can_process).map(Action::Processed));
        for (index, work) in state.work.iter().enumerate() {
            work.steps(state, self, |result| actions.push(Action::Step(index, result)));
            if state.can(Fault::Crash) {
                actions.push(Action::Kill(index));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Event(event) => self.happen(&mut state, event),
            Action::Receive(slot) => {
                let message = state.messages.remove(slot);
                state.work.push(Work::new(Job::Message(message.content)));
            }
            Action::VisibleAgain(slot) => state.messages[slot].place = Place::Ready,
            Action::Redelivered(slot) => {
                state.spend(Fault::Duplicate);
                state.messages[slot].place = Place::Ready;
            }
            Action::Sweep => state.send(Content::Refresh, Place::Ready),
            Action::LeaseEnds => {
                if Self::is_holder_alive(last) {
                    state.spend(Fault::Crash);
                }
                state.row.set_back(LEASE_UNTIL, Timestamp::from_millis(NOW.millis() - 1));
                for work in &mut state.work {
                    work.is_late |= work.is_holder(&last.row);
                }
            }
            Action::WaitEnds => {
                state.row = Self::waited(&state.row);
                for message in &mut state.messages {
                    if message.place == Place::AfterLoss {
                        message.place = Place::Ready;
                    }
                }
            }
            Action::Processed(grant) => state.process(grant, self.scenario),
            Action::Step(index, result) => {
                let work = state.work.remove(index);
                let next = work.step(&mut state, self, result);
                // Who writes is not among the others who see it.
                let moved = std::mem::take(&mut state.moved);
                state.work.extend(next.map(|mut work| {
                    work.renumber(moved);
                    work
                }));
            }
            Action::Kill(index) => {
                state.spend(Fault::Crash);
                let work = state.work.remove(index);
                work.kill(&mut state);
            }
        }
        self.process_in_time(&mut state);
        state.canonicalize();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self.scenario, self.faults.all > 0)
    }
}
