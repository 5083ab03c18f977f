//! The properties of how an outcome is told.

use shared::attempt::{Ways, attr};
use stateright::Property;

use super::{
    Telling,
    state::{Message, State},
};

/// All of them.
#[must_use]
pub fn all() -> Vec<Property<Telling>> {
    vec![
        Property::always("in the end the outcome is told, or its pointer is a dead letter", |_, state: &State| {
            !state.is_quiet() || state.row.is_complete() || state.has_dead_letter()
        }),
        Property::always(
            "what is told was messaged, or is undeliverable, or unknown after a real send",
            |_, state: &State| !state.row.is_complete() || is_person_told(state),
        ),
        Property::always("what is told was heard by the bot on each of its ways", |_, state: &State| {
            !state.row.is_complete() || state.seen.heard == Ways::ALL
        }),
        Property::always("the bot hears on each way of what is undeliverable or unknown", |_, state: &State| {
            !state.row.is_complete() || is_end_heard(state)
        }),
        Property::always("in the end what is told has all its marks, and no intent is left", |_, state: &State| {
            !state.is_quiet() || !state.row.is_complete() || is_marked(state)
        }),
        Property::always(
            "a message is repeated only after a lost answer, a mark that could not be written, or a death",
            |_, state: &State| !state.seen.needless,
        ),
        Property::always("nothing is sent while a living invocation holds the intent", |_, state: &State| {
            !state.seen.at_once
        }),
        Property::always("no mark puts the outcome on the stream again", |_, state: &State| {
            !state.seen.on_stream_again
        }),
        Property::sometimes("the bot and the person were told, of a message that is unknown", |_, state: &State| {
            state.row.is_complete() && state.row.message() == Message::Unknown
        }),
        Property::sometimes("a message was repeated", |_, state: &State| state.seen.taken > 1),
        Property::sometimes("an outcome was told after a redrive", |_, state: &State| state.seen.told_after_redrive),
    ]
}

fn is_person_told(state: &State) -> bool {
    match state.row.message() {
        Message::Undeliverable => true,
        Message::Unknown => state.seen.handed > 0,
        Message::Sent | Message::Pending => state.seen.taken > 0,
    }
}

fn is_end_heard(state: &State) -> bool {
    let is_end = matches!(state.row.message(), Message::Undeliverable | Message::Unknown);
    !is_end || state.seen.heard_of_end == Ways::ALL
}

fn is_marked(state: &State) -> bool {
    state.row.message() != Message::Pending && state.row.bot() == Ways::ALL && !state.row.has(attr::MESSAGE_INTENT)
}
