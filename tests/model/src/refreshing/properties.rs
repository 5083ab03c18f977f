//! The properties of how tokens are refreshed.

use shared::connection::{recorded_end, was_connected};
use stateright::Property;

use super::{
    Refreshing,
    row::Token,
    salesforce::Standing,
    scenario::{Event, Scenario},
    state::State,
};

/// All of them, and what must be reachable in a scenario.
#[must_use]
pub fn all(scenario: &Scenario, can_fail: bool) -> Vec<Property<Refreshing>> {
    let mut all = always();
    let is_removed = scenario.events.iter().any(|event| matches!(event, Event::Consent | Event::Disconnect));
    if scenario.rotates && can_fail {
        all.push(Property::sometimes(
            "a rotated token came back from the queue, and was stored",
            |_, state: &State| state.seen.came_back,
        ));
        all.push(Property::sometimes(
            "a connection ended whose rotated token was lost, and was told",
            |_, state: &State| state.seen.ends > 0 && state.grants[0].is_lost && state.is_end_recorded(),
        ));
    }
    if is_removed {
        all.push(Property::sometimes("a refresh found its row taken", |_, state: &State| state.seen.superseded));
    }
    all
}

fn always() -> Vec<Property<Refreshing>> {
    vec![
        Property::always("no refresh token that was used up reaches the token endpoint", |_, state: &State| {
            !state.seen.reuse
        }),
        Property::always("no refresh token is sent again after a definite answer", |_, state: &State| {
            !state.seen.sent_again
        }),
        Property::always(
            "a rotated token is in the row, on the queue, being stored or revoked, or was known only to who died",
            |_, state: &State| {
                (0..2).all(|grant| {
                    let at_salesforce = &state.grants[usize::from(grant)];
                    let newest = Token { grant, number: at_salesforce.newest };
                    let works = matches!(at_salesforce.standing, Standing::Live | Standing::Frozen);
                    // What Salesforce has refused is forgotten with the connection, and may be good again one day.
                    let is_forgotten = at_salesforce.was_refused && !state.uses(grant);
                    !works || at_salesforce.is_lost || is_forgotten || state.is_known(newest)
                })
            },
        ),
        Property::always("nothing is revoked that the chat is connected by", |_, state: &State| {
            !state.seen.revoked_in_use
        }),
        Property::always("a refresh overwrites no other consent, and undoes no end", |_, state: &State| {
            !state.seen.overwritten
        }),
        Property::always(
            "a connection ends as dead only where Salesforce refuses it, or its rotated token is lost",
            |_, state: &State| !state.seen.ended_early,
        ),
        Property::always("Salesforce's word ends no tokens that came after it", |_, state: &State| {
            !state.seen.newer_ended
        }),
        Property::always("a connection without tokens has its end recorded, once", |_, state: &State| {
            state.is_end_recorded() && state.records.len() <= usize::from(state.seen.ends)
        }),
        Property::always("one refresh serves equal calls while nothing fails", |model: &Refreshing, state: &State| {
            !model.scenario.is_served_by_one || state.seen.requests <= 1
        }),
        Property::always("each call has an answer while nothing fails", |_, state: &State| !state.seen.unavailable),
        Property::always(
            "in the end whoever asks has a token that works, or the end is recorded",
            |model: &Refreshing, state: &State| !state.is_quiet() || model.serves(state),
        ),
    ]
}

impl State {
    /// Whether the row has tokens, or the record of its end.
    #[must_use]
    pub fn is_end_recorded(&self) -> bool {
        if self.row.has(shared::connection::ACCESS_TOKEN) {
            return true;
        }
        let row = self.row.attributes();
        !was_connected(&row) || recorded_end(&row).is_some_and(|id| self.records.contains(&id.to_string()))
    }
}
