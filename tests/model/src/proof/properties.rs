//! The properties of the proof.

use shared::{
    Status,
    proof::pending::{Decision, Held},
};
use stateright::Property;

use super::{
    Proving,
    scenario::{Chat, Event, Reach, Scenario},
    state::{Answer, End, Place, State, Token, bit},
};

/// All of them, and what the scenario reaches.
#[must_use]
pub fn all(scenario: &Scenario) -> Vec<Property<Proving>> {
    let mut properties = always();
    properties.extend(in_the_end());
    properties.extend(scenario.reaches.iter().map(|reach| match reach {
        Reach::Connected => Property::sometimes("a login is confirmed and connected", |_, state: &State| {
            state.is_quiet() && state.seen.ends.contains(&Some(End::Connected))
        }),
        Reach::WrongChat => Property::sometimes("a login fails by another chat's code", |_, state: &State| {
            state.is_quiet() && state.seen.ends.contains(&Some(End::WrongChat))
        }),
        Reach::Unconfirmed => Property::sometimes("a login fails unconfirmed", |_, state: &State| {
            state.is_quiet() && state.seen.ends.contains(&Some(End::Unconfirmed))
        }),
        Reach::SentBefore => Property::sometimes("a code that came before its login connects", |_, state: &State| {
            state.seen.sent_before & bit(0) != 0 && state.seen.ends.contains(&Some(End::Connected))
        }),
        Reach::Foreign => Property::sometimes(
            "a chat that was told the code is connected to another person's Salesforce",
            |model: &Proving, state: &State| has_foreign(model, state),
        ),
    }));
    properties
}

fn always() -> Vec<Property<Proving>> {
    vec![
        Property::always(
            "tokens stand under no chat but the link's, and only if it has sent the code in time",
            |model: &Proving, state: &State| (0..2).all(|chat| is_proven(model, state, chat)),
        ),
        Property::always(
            "nobody's Salesforce stands under another's chat that was not told the code",
            |model: &Proving, state: &State| model.scenario.is_told || !has_foreign(model, state),
        ),
        Property::always("tokens of a login that is decided otherwise are never stored", |model: &Proving, state| {
            (0..model.scenario.logins.len()).all(|login| is_stored_by_decision(model, state, login))
        }),
        Property::always("each usable token is stored, held, on the queue or revoked", |_, state: &State| {
            (0u8..).zip(&state.tokens).all(|(token, standing)| {
                *standing != Token::Live || state.seen.excused & bit(token) != 0 || state.is_known(token)
            })
        }),
        Property::always("tokens that are stored are neither revoked nor to be", |_, state: &State| {
            let mut tokens = state.chats.iter().filter_map(super::row::Row::token);
            tokens.all(|token| state.tokens[usize::from(token)] == Token::Live)
        }),
        Property::always("a decision never changes", |_, state: &State| !state.seen.redecided),
        Property::always("an outcome is never overwritten", |_, state: &State| !state.seen.overwritten),
        Property::always("a code that is sent again is answered the same", |_, state: &State| !state.seen.contradicted),
        Property::always("a chat is told what is decided", |model: &Proving, state: &State| {
            (0..model.scenario.events.len()).all(|event| is_answered(model, state, event))
        }),
        Property::always(
            "without a fault what is decided is carried out before its time is over",
            |model: &Proving, state: &State| {
                state.left.all < model.faults.all || !is_only_waiting(state) || !has_unsettled(state)
            },
        ),
        Property::always("a later consent is not replaced by an earlier one", |model: &Proving, state: &State| {
            (0..2).all(|chat| is_of_latest(model, state, chat))
        }),
    ]
}

/// Once all messages have come, and the time is over.
fn in_the_end() -> Vec<Property<Proving>> {
    vec![
        Property::always("in the end each approval has an outcome", |_, state: &State| {
            !state.is_quiet() || (0..state.callbacks).all(|approval| state.seen.ends[usize::from(approval)].is_some())
        }),
        Property::always("in the end no attempt is open", |_, state: &State| {
            !state.is_quiet()
                || state
                    .attempts
                    .iter()
                    .all(|row| !matches!(row.status(), Some(Status::Exchanging | Status::Unconfirmed)))
        }),
        Property::always("in the end what was held is settled, and has no tokens", |_, state: &State| {
            !state.is_quiet() || state.pending.iter().all(|row| row.held().is_none_or(Held::is_settled))
        }),
        Property::always("in the end each login ended as its code was sent", |model: &Proving, state: &State| {
            !state.is_quiet() || (0..model.scenario.logins.len()).all(|login| is_as_sent(model, state, login))
        }),
    ]
}

fn is_proven(model: &Proving, state: &State, chat: Chat) -> bool {
    let token = state.chats[usize::from(chat)].token().filter(|token| *token < model.scenario.old_token());
    token.is_none_or(|token| {
        let (chats, first) = state.seen.sent[usize::from(model.scenario.login_of(token))];
        model.scenario.chat_of(token) == chat && chats & bit(chat) != 0 && first == Some(chat)
    })
}

fn has_foreign(model: &Proving, state: &State) -> bool {
    (0..2).any(|chat: Chat| {
        state.chats[usize::from(chat)].token().is_some_and(|token| model.scenario.person_of(token) != chat)
    })
}

fn is_stored_by_decision(model: &Proving, state: &State, login: usize) -> bool {
    let row = &state.pending[login];
    let decision = row.decision();
    let token = state.chats[usize::from(model.scenario.logins[login])].token();
    token.is_none() || token != row.approval() || !matches!(decision, Some(Decision::WrongChat | Decision::Expired))
}

/// The row of the login whose code an event sends says what the chat was answered.
fn is_answered(model: &Proving, state: &State, event: usize) -> bool {
    let (chat, login) = match model.scenario.events[event] {
        Event::Sends(chat, login) => (chat, usize::from(login)),
        Event::Guesses(chat) => (chat, model.scenario.logins.len()),
        Event::Callback(_) | Event::Newer(_) | Event::Withdraw(_) | Event::Disconnect(_) => return true,
    };
    let is_own = model.scenario.logins.get(login) == Some(&chat);
    match (state.heard[event].last, state.pending[login].decision()) {
        (Some(Answer::Confirmed), decision) => is_own && decision == Some(Decision::Confirmed),
        (Some(Answer::WrongChat), _) => !is_own,
        (Some(Answer::TooLate), decision) => decision != Some(Decision::Confirmed) || !is_own,
        (Some(Answer::Unknown) | None, _) => true,
    }
}

/// Nothing happens any more but that messages come when the time is over.
fn is_only_waiting(state: &State) -> bool {
    let is_later = |place| matches!(place, Place::Until(_));
    state.work.is_empty() && state.confirming.is_empty() && state.messages.iter().all(|message| is_later(message.place))
}

fn has_unsettled(state: &State) -> bool {
    let mut held = state.pending.iter().filter_map(super::row::Row::held);
    held.any(|held| held.decision.is_some() && !held.is_settled())
}

/// Of a login whose tokens were held: who was the first to send its code in time decides how it ends, unless the chat has
/// overtaken it.
fn is_as_sent(model: &Proving, state: &State, login: usize) -> bool {
    let Some(approval) = state.pending[login].held().and(state.pending[login].approval()) else { return true };
    let chat = model.scenario.logins[login];
    let expected = match state.seen.sent[login].1 {
        Some(first) if first == chat => End::Connected,
        Some(_) => End::WrongChat,
        None => End::Unconfirmed,
    };
    let end = state.seen.ends[usize::from(approval)];
    end == Some(expected) || end == Some(End::Overtaken) && is_overtaken(model, state, approval)
}

/// Whether the chat was connected by a later approval, or its connection ended.
fn is_overtaken(model: &Proving, state: &State, approval: u8) -> bool {
    let chat = model.scenario.chat_of(approval);
    let is_later = |later: u8| {
        model.scenario.chat_of(later) == chat && state.seen.ends[usize::from(later)] == Some(End::Connected)
    };
    state.seen.overtaken & bit(chat) != 0 || (approval + 1..model.scenario.old_token()).any(is_later)
}

/// Whether no approval is connected that came after the one whose tokens the chat has.
fn is_of_latest(model: &Proving, state: &State, chat: Chat) -> bool {
    let Some(token) = state.chats[usize::from(chat)].token() else { return true };
    let first = if token == model.scenario.old_token() { 0 } else { token + 1 };
    let is_newest = model.scenario.events.iter().position(|event| *event == Event::Newer(chat));
    if is_newest.is_some_and(|event| state.events & (1 << event) != 0) {
        return token == model.scenario.newer_token();
    }
    (first..model.scenario.old_token()).all(|later| {
        model.scenario.chat_of(later) != chat || state.seen.ends[usize::from(later)] != Some(End::Connected)
    })
}
