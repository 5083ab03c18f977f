//! What is promised, of every state that can be reached.

use shared::{Reason, Status};
use stateright::{Model as _, Property};

use crate::{
    protocol::{Fate, Kind, Place, Protocol, State},
    table::Code,
};

/// All of them. Those with `sometimes` keep the others from being true of a world where nothing happens.
#[must_use]
pub fn all() -> Vec<Property<Protocol>> {
    vec![
        Property::always(
            "no consent is lost: in the end there is an outcome, and the person was told",
            |_, state: &State| !state.is_quiet() || told_of_it(state),
        ),
        Property::always("nothing is stuck", |protocol, state: &State| {
            let mut actions = Vec::new();
            protocol.actions(state, &mut actions);
            state.is_quiet() || !actions.is_empty()
        }),
        Property::always("no code is exchanged twice at a time", |_, state: &State| {
            state.work.iter().filter(|work| work.is_exchanging()).count() <= 1
        }),
        Property::always("no code is sent again after a definite answer", |_, state: &State| !state.resent),
        Property::always("a success is never overwritten", |_, state: &State| !state.overwritten),
        Property::always("who is connected has tokens", |_, state: &State| {
            !state.row.is(Status::Connected) || state.tokens.is_some()
        }),
        Property::always(
            "tokens that did not get lost are stored, or sealed in the dead-letter queue",
            |_, state: &State| !state.is_quiet() || [Code::A, Code::B].into_iter().all(|code| are_kept(state, code)),
        ),
        Property::always("nobody is told twice unless nobody could know of the first time", |_, state: &State| {
            !state.told_needlessly
        }),
        Property::always("a delay is told once, unless nobody could know", |_, state: &State| {
            // Of one code: another one's failure in between makes its delay news.
            let only_code = state.fates[Code::B as usize] == Fate::None;
            !only_code || state.delays_told <= 1
        }),
        Property::always("no code is called expired that was traded", |_, state: &State| {
            let expired = state.row.is(Status::Failed) && state.row.reason == Some(Reason::CodeExpired.as_str());
            // An attempt remembers its last code alone, and either reason comes with a fresh link.
            let only_code = state.fates[Code::B as usize] == Fate::None;
            !(expired && only_code && state.fates[Code::A as usize] == Fate::Used)
        }),
        Property::sometimes("connected", |_, state: &State| state.is_quiet() && state.row.is(Status::Connected)),
        Property::sometimes("connected from a checkpoint", |_, state: &State| {
            state.row.is(Status::Connected) && brings_tokens(state)
        }),
        Property::sometimes("delayed, then connected", |_, state: &State| {
            state.row.is(Status::Connected) && state.was_delayed
        }),
        Property::sometimes("failed, and nobody knows why", |_, state: &State| {
            state.row.is(Status::Failed) && state.row.reason == Some(Reason::Unknown.as_str())
        }),
        Property::sometimes("told twice", |_, state: &State| state.told.iter().any(|told| told.messages == 2)),
    ]
}

/// Is there an outcome that the person was told of?
fn told_of_it(state: &State) -> bool {
    let outcome = usize::from(state.row.outcome);
    let is_outcome = state.row.status.is_some() && !state.row.is(Status::Exchanging);
    let knows_of_delay = state.row.is(Status::Delayed) && state.row.delay_told;
    is_outcome && outcome > 0 && (knows_of_delay || state.told.get(outcome - 1).is_some_and(|told| told.messages > 0))
}

fn are_kept(state: &State, code: Code) -> bool {
    let sealed =
        |message: &crate::protocol::Message| message.kind == Kind::Traded(code) && message.place == Place::Dead;
    !state.known[code as usize].tokens
        || (state.row.is(Status::Connected) && state.tokens.is_some())
        || state.messages.iter().any(sealed)
}

fn brings_tokens(state: &State) -> bool {
    state.messages.iter().any(|message| matches!(message.kind, Kind::Traded(_)))
}
