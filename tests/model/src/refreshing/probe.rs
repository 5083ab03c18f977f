//! What would follow if from now on nothing failed.

use stateright::Model as _;

use super::{
    Action, Refreshing,
    state::{Called, State},
    work::{Job, StepResult, Work},
};
use crate::faults::Faults;

/// By then everything has come to rest.
const STEPS: usize = 400;

impl Refreshing {
    /// Whether a bot that asks now for another token than the row's gets one that works or, at last, hears of the end.
    #[must_use]
    pub fn serves(&self, state: &State) -> bool {
        let mut state = State { left: Faults::default(), is_trial: true, ..state.clone() };
        for _ in 0..3 {
            let rejected = state.row.access();
            state.work.push(Work::new(Job::Call(rejected)));
            let Some(rested) = self.rest(state) else { return false };
            state = rested;
            match state.seen.called {
                Some(Called::Token(grant, access))
                    if Some((grant, access)) != rejected.map(|it| (it.grant, it.number)) =>
                {
                    let grant = &state.grants[usize::from(grant)];
                    return grant.access == access && super::salesforce::Standing::Live == grant.standing;
                }
                Some(Called::Ended) => return state.is_end_recorded(),
                _ => {}
            }
        }
        false
    }

    /// The state when everything has come to rest; `None` where it never does.
    fn rest(&self, mut state: State) -> Option<State> {
        for _ in 0..STEPS {
            let mut actions = Vec::new();
            self.actions(&state, &mut actions);
            let is_own = |action: &Action| !matches!(action, Action::Event(_));
            let is_step =
                |action: &&Action| matches!(action, Action::Step(_, StepResult::Success | StepResult::OutOfTime));
            let next = actions.iter().find(is_step).or_else(|| actions.iter().find(|action| is_own(action)));
            let Some(action) = next else { return state.is_quiet().then_some(state) };
            state = self.next_state(&state, *action)?;
        }
        None
    }
}
