//! How an attempt ends, or is returned to the queue.

use shared::{
    Reason,
    attempt::{
        Outcome,
        ledger::{Conflict, Guard},
    },
};

use super::{At, StepResult, Work};
use crate::{
    memo::Memo,
    protocol::{DELAY, Kind, Place, Protocol, State},
    rules::Broken,
    state::StatusText,
    table::{LeaseEnd, Row, outcome_time},
};

/// A row, who writes to it, the number and the words of the outcome, and the rule that is broken.
type Asked = (Row, Work, u8, (StatusText, Option<&'static str>), Broken);

thread_local! {
    static OUTCOMES: Memo<Asked, Option<Row>> = Memo::default();
    static CONFLICTS: Memo<(Row, Work), Conflict> = Memo::default();
}

impl Work {
    /// Makes sure that the person is notified.
    pub(super) fn tell(&mut self, state: &mut State, broken: Broken, result: StepResult) -> At {
        if result == StepResult::Refused {
            state.forget();
            return At::Return;
        }
        let mut made = self.write_outcome(state, broken, &Outcome::Delayed { reason: DELAY });
        if result == StepResult::ResponseLost {
            return At::Return;
        }
        if result == StepResult::Retried {
            made = self.write_outcome(state, broken, &Outcome::Delayed { reason: DELAY });
        }
        if made {
            return At::ReturnTo(Place::Ready);
        }
        match self.conflict(state) {
            Conflict::Finished { connected: false } if matches!(self.kind, Kind::Exchanged(_)) => {
                At::ReturnTo(Place::Ready)
            }
            conflict => next(conflict, &state.row),
        }
    }

    /// Writes an outcome, and handles a conflict.
    pub(super) fn finish(
        &mut self,
        state: &mut State,
        broken: Broken,
        outcome: &Outcome<&str>,
        result: StepResult,
    ) -> At {
        if result == StepResult::Refused {
            state.forget();
            return At::Return;
        }
        let mut made = self.write_outcome(state, broken, outcome);
        if result == StepResult::ResponseLost {
            state.forget();
            return At::Return;
        }
        if result == StepResult::Retried {
            made = self.write_outcome(state, broken, outcome);
        }
        if made {
            return At::Done;
        }
        // A denial leaves the attempt to its holder.
        match (self.kind, self.conflict(state)) {
            (Kind::Denied, _) => At::Done,
            (_, conflict) => next(conflict, &state.row),
        }
    }

    fn write_outcome(&self, state: &mut State, broken: Broken, outcome: &Outcome<&str>) -> bool {
        let was_connected = state.row.is(shared::Status::Connected);
        if broken == Broken::FailureReplacesSuccess && was_connected {
            state.row = Row::default();
        }
        let at = state.next_outcome();
        let what = (outcome.status().as_str(), outcome.reason().map(Reason::as_str));
        let asked = (state.row.clone(), self.at_rest(), at, what, broken);
        let row = OUTCOMES.with(|known| known.get(asked, |_| self.with_outcome(state, broken, outcome, at)));
        let made = row.is_some();
        if let Some(row) = row {
            state.written(row);
        }
        state.overwritten |= made && was_connected;
        made
    }

    /// The row with the outcome; `None` where that is not written.
    fn with_outcome(&self, state: &State, broken: Broken, outcome: &Outcome<&str>, at: u8) -> Option<Row> {
        let attempt = self.attempt(state);
        let write = |guard: Guard<'_>| {
            let change = attempt.finish(outcome, guard, &state.row.item(), outcome_time(at)).ok()?;
            let mut row = state.row.clone();
            row.write(&change).then_some(row)
        };
        match (&self.held, self.code()) {
            (Some(held), Some(code)) => held.course(code, broken, |lease, _| write(Guard::Lease(lease))),
            _ if self.kind == Kind::Denied && matches!(outcome, Outcome::Failed { .. }) => write(Guard::Undecided),
            _ => write(Guard::Claimable),
        }
    }

    /// Why a write to the row was refused.
    fn conflict(&self, state: &State) -> Conflict {
        let asked = (state.row.clone(), self.at_rest());
        CONFLICTS.with(|known| known.get(asked, |(row, _)| self.attempt(state).conflict(&row.item(), outcome_time(0))))
    }

    /// What the rules see of it.
    fn at_rest(&self) -> Self {
        Self { slot: 0, at: At::Done, ..self.clone() }
    }

    /// `release` and `return_to_queue`: where the message goes.
    pub(super) fn return_to_queue(&self, state: &mut State, protocol: &Protocol, result: StepResult) -> Place {
        let is_last = self.is_last();
        let mut notified = false;
        if result == StepResult::Refused {
            state.forget();
        } else if is_last || result == StepResult::Late {
            let made = self.write_outcome(state, protocol.broken, &Outcome::Delayed { reason: DELAY });
            let conflict = self.conflict(state);
            notified = made || !matches!(conflict, Conflict::Held { .. });
        } else if let (Some(held), Some(code)) = (&self.held, self.code()) {
            held.course(code, protocol.broken, |lease, _| state.write(&lease.release(outcome_time(0))));
        }
        // After so many receives the schedule's pauses are longer than a lease.
        match state.row.lease {
            LeaseEnd::Of(number) if is_last && !notified => Place::Waiting(number),
            _ => Place::Ready,
        }
    }
}

/// A claim or an outcome was refused: the next step.
pub(super) const fn next(conflict: Conflict, row: &Row) -> At {
    match (conflict, row.lease) {
        (Conflict::Finished { .. } | Conflict::AnotherCode | Conflict::TooManyCodes, _) => At::Done,
        (Conflict::Held { .. }, LeaseEnd::Of(number)) => At::ReturnTo(Place::Waiting(number)),
        (Conflict::Held { .. } | Conflict::Overtaken | Conflict::Delayed | Conflict::OutOfTries, _) => {
            At::ReturnTo(Place::Ready)
        }
    }
}
