//! The properties of the order of consents.

use shared::{
    Status,
    attempt::ledger::MAX_CODES,
    connection::{CONSENTED_AT, ENDED_AT},
};
use stateright::Property;

use super::{
    Consents,
    exchanger::Work,
    item::AHEAD,
    message::Form,
    scenario::{Event, Scenario},
    state::{Item, State, Token, Told, bit},
};

/// All of them.
#[must_use]
pub fn all() -> Vec<Property<Consents>> {
    vec![
        Property::always("no consent is lost: in the end each has an outcome", |model: &Consents, state: &State| {
            !state.is_quiet() || (0..state.events).all(|event| has_outcome(model, state, event))
        }),
        Property::always(
            "in the end each approval was answered, or is a dead letter",
            |model: &Consents, state: &State| {
                !state.is_quiet() || (0..state.events).all(|event| is_answered(model, state, event))
            },
        ),
        Property::always(
            "in the end whoever was told of a delay has a dead letter",
            |model: &Consents, state: &State| {
                !state.is_quiet() || (0..model.scenario.attempts().len()).all(|slot| is_settled(model, state, slot))
            },
        ),
        Property::always("in the end the chat's row is of its latest consent", |model: &Consents, state: &State| {
            !state.is_quiet() || is_of_latest_consent(model, state)
        }),
        Property::always(
            "in the end the row is what chat and bot were told last",
            |model: &Consents, state: &State| !state.is_quiet() || is_as_told(model, state),
        ),
        Property::always("nothing is told of a consent that a later one has overtaken", |_, state: &State| {
            !state.seen.overtaken_told
        }),
        Property::always(
            "in the end no token is valid at Salesforce that neither row nor dead letter has",
            |model: &Consents, state: &State| {
                !state.is_quiet() || (0..model.scenario.tokens()).all(|token| is_accounted_for(model, state, token))
            },
        ),
        Property::always("no token is revoked that is in the row", |_, state: &State| has_valid_token(state)),
        Property::always("nobody is connected to another chat", |_, state: &State| state.foreign == Item::default()),
        Property::always("no more codes of an attempt are sent than may be", |_, state: &State| {
            state.seen.sent.iter().all(|codes| u64::from(codes.count_ones()) <= MAX_CODES)
        }),
        Property::always("one code of a login is exchanged at a time", |_, state: &State| {
            let exchanging = |work: &Work| work.exchanges();
            let mut slots: Vec<_> = state.work.iter().filter_map(exchanging).collect();
            let all = slots.len();
            slots.sort_unstable();
            slots.dedup();
            slots.len() == all
        }),
        Property::always("a link from before a revocation does not connect again", |_, state: &State| {
            !state.seen.brought_back
        }),
        Property::always("a refused callback overrules nothing that was begun", |_, state: &State| {
            !state.seen.right_overruled
        }),
        Property::always("a success of the chat is never overwritten", |_, state: &State| !state.seen.overwritten),
        Property::sometimes("a consent connected", |_, state: &State| {
            state.is_quiet() && matches!(state.told, Told::Connected(_))
        }),
    ]
}

fn has_outcome(model: &Consents, state: &State, event: u8) -> bool {
    let Event::Callback { attempt, .. } = model.scenario.events[usize::from(event)] else { return true };
    let slot = model.scenario.attempts().iter().position(|number| *number == attempt);
    let status = slot.and_then(|slot| state.attempts[slot].status());
    matches!(status, Some(Status::Connected | Status::Failed | Status::Delayed))
}

/// Whether an outcome was written for this very approval, in its attempt's row or apart.
fn is_answered(model: &Consents, state: &State, event: u8) -> bool {
    let (scenario, is_callback) =
        (model.scenario, matches!(model.scenario.events[usize::from(event)], Event::Callback { .. }));
    let Some(sha256) = scenario.brings_code(event).filter(|_| is_callback) else { return true };
    let is_apart = || state.attempts[scenario.attempts().len()..].iter().any(|row| row.is_outcome_of(&sha256));
    state.seen.answered & bit(event) != 0 || is_apart() || state.is_dead_letter(|content| content.event == event)
}

fn is_settled(model: &Consents, state: &State, slot: usize) -> bool {
    let is_of = |event: u8| model.scenario.attempt_of(event) == Some(model.scenario.attempts()[slot]);
    state.attempts[slot].status() != Some(Status::Delayed) || state.is_dead_letter(|content| is_of(content.event))
}

/// The latest consent whose tokens arrived, could be used, were not lost with an invocation, and are not in a dead letter;
/// and which no revocation ended.
fn latest_consent(model: &Consents, state: &State) -> Option<u8> {
    let counts = |event: &u8| {
        let Event::Callback { link, .. } = model.scenario.events[usize::from(*event)] else { return false };
        let Some(code) = model.scenario.code_of(*event) else { return false };
        let is_revoked = state.seen.revoked_at.is_some_and(|revoked_at| {
            Scenario::time_of(*event).millis() <= revoked_at
                || model.scenario.link_time(link).millis() + 1_000 <= revoked_at
        });
        let is_lost = (state.seen.unused | state.seen.excused) & bit(code) != 0
            || state.is_dead_letter(|content| content.event == *event && content.form == Form::Exchanged);
        state.seen.received & bit(code) != 0 && !is_lost && !is_revoked
    };
    (0..state.events).rev().find(counts)
}

fn is_of_latest_consent(model: &Consents, state: &State) -> bool {
    match latest_consent(model, state) {
        Some(event) => is_row_of(model, state, event),
        None => true,
    }
}

/// Whether the row's tokens are those of this consent, refreshed or not.
fn is_row_of(model: &Consents, state: &State, event: u8) -> bool {
    let token = state.row.token();
    let first = if token == Some(model.scenario.refreshed_token()) { state.seen.refreshed } else { token };
    first.is_some() && first == model.scenario.code_of(event)
}

fn is_as_told(model: &Consents, state: &State) -> bool {
    match state.told {
        Told::Nothing => state.row.number(CONSENTED_AT).is_none_or(|at| at == AHEAD),
        Told::Connected(event) => is_row_of(model, state, event),
        Told::Revoked => state.row.token().is_none() && state.row.number(ENDED_AT).is_some(),
    }
}

fn is_accounted_for(model: &Consents, state: &State, token: u8) -> bool {
    state.tokens[usize::from(token)] != Token::Live
        || state.seen.excused & bit(token) != 0
        || state.is_known(model.scenario, token)
}

fn has_valid_token(state: &State) -> bool {
    let token = state.row.token();
    let is_valid = token.is_none_or(|token| state.tokens[usize::from(token)] == Token::Live);
    is_valid || state.revoking.is_some() || state.seen.revocation_broken
}
