//! The properties of the protocol.

use shared::{Reason, Status};
use stateright::{Model as _, Property};

use crate::{
    protocol::{CodeState, Kind, Place, Protocol, State},
    table::Code,
};

/// All of them. Those with `sometimes` are proof that the others are not true just because nothing happens.
#[must_use]
pub fn all() -> Vec<Property<Protocol>> {
    vec![
        Property::always(
            "no consent is lost: in the end there is an outcome, and the person was notified of it",
            |_, state: &State| !state.is_quiet() || notified_of_outcome(state),
        ),
        Property::always(
            "no deadlock: while something is unfinished, something can happen",
            |protocol, state: &State| {
                let mut actions = Vec::new();
                protocol.actions(state, &mut actions);
                state.is_quiet() || !actions.is_empty()
            },
        ),
        Property::always("no code is exchanged twice concurrently", |_, state: &State| {
            state.work.iter().filter(|work| work.is_exchanging()).count() <= 1
        }),
        Property::always("no code is sent again after a definite response", |_, state: &State| !state.resent),
        Property::always("a success is never overwritten", |_, state: &State| !state.overwritten),
        Property::always("a connected attempt has stored tokens", |_, state: &State| {
            !state.row.is(Status::Connected) || state.tokens.is_some()
        }),
        Property::always(
            "tokens that were received are stored, or sealed in the dead-letter queue",
            |_, state: &State| !state.is_quiet() || [Code::A, Code::B].into_iter().all(|code| are_kept(state, code)),
        ),
        Property::always("nobody is notified twice, unless a response or a mark was lost", |_, state: &State| {
            !state.notified_needlessly
        }),
        Property::always(
            "the person is notified of a delay once, unless a response or a mark was lost",
            |_, state: &State| {
                // Of one code: another code's failure in between makes a second delay news.
                let only_code = state.codes[Code::B as usize] == CodeState::None;
                !only_code || state.delays_notified <= 1
            },
        ),
        Property::always("no redeemed code is reported as expired", |_, state: &State| {
            let expired = state.row.is(Status::Failed) && state.row.reason == Some(Reason::CodeExpired.as_str());
            let is_used = |code: Code| state.codes[code as usize] == CodeState::Used;
            !(expired && state.row.code.is_some_and(is_used))
        }),
        Property::sometimes("connected", |_, state: &State| state.is_quiet() && state.row.is(Status::Connected)),
        Property::sometimes("connected from a checkpoint", |_, state: &State| {
            state.row.is(Status::Connected) && brings_tokens(state)
        }),
        Property::sometimes("connected after a delay", |_, state: &State| {
            state.row.is(Status::Connected) && state.was_delayed
        }),
        Property::sometimes("failed, with an unknown result of the exchange", |_, state: &State| {
            state.row.is(Status::Failed) && state.row.reason == Some(Reason::Unknown.as_str())
        }),
        Property::sometimes("notified twice", |_, state: &State| {
            state.notifications.iter().any(|sent| sent.messages == 2)
        }),
    ]
}

/// Whether there is an outcome that the person was notified of. A delay that they know of is one as long as a dead letter
/// keeps the consent: whoever was killed in a later try leaves no status behind.
fn notified_of_outcome(state: &State) -> bool {
    let outcome = usize::from(state.row.outcome);
    let is_outcome = state.row.status.is_some() && !state.row.is(Status::Exchanging);
    // A delay that was told keeps its marks when it is written again.
    let knows_of_delay = state.row.delayed && (state.row.delay_told || state.row.notified);
    let is_kept = state.row.is(Status::Delayed) || state.messages.iter().any(|message| message.place == Place::Dead);
    (knows_of_delay && is_kept)
        || (is_outcome && outcome > 0 && state.notifications.get(outcome - 1).is_some_and(|sent| sent.messages > 0))
}

fn are_kept(state: &State, code: Code) -> bool {
    let sealed =
        |message: &crate::protocol::Message| message.kind == Kind::Exchanged(code) && message.place == Place::Dead;
    !state.known[code as usize].tokens
        || (state.row.is(Status::Connected) && state.tokens.is_some())
        || state.messages.iter().any(sealed)
}

fn brings_tokens(state: &State) -> bool {
    state.messages.iter().any(|message| matches!(message.kind, Kind::Exchanged(_)))
}
