//! Names and numbers as they are typed, and what is said of a command line that is wrong: no chat is quoted, wherever it
//! was typed.

use clap::error::{ContextKind, ContextValue, Error};
use shared::WaId;

use crate::stack;

/// In place of what is not quoted.
const HIDDEN: &str = "***";
/// So many digits may be a part of a phone number.
const DIGITS: usize = 4;
/// How clap names an argument that is a chat.
const CHAT: &str = "<CHAT>";

/// A name, not the empty text of a shell's variable that is not set: what is meant is another stack or account.
pub(super) fn not_empty(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("it is empty") } else { Ok(text.to_owned()) }
}

/// The name of a stack.
pub(super) fn stack_name(text: &str) -> Result<String, &'static str> {
    stack::check_name(text).map(|()| text.to_owned())
}

/// A number of rows or lines: none can be asked for, and would look as if there were none.
pub(super) fn at_least_one(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|number| *number > 0).ok_or("not a number from 1")
}

/// What is wrong with a command line, without what may be a chat.
pub(crate) fn unquoted(mut error: Error) -> Error {
    let is_chat = matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(name)) if name.contains(CHAT));
    // The value of an argument, or a word that is none: a part of a number that was typed with spaces.
    let kinds = [
        (ContextKind::InvalidValue, DIGITS),
        (ContextKind::InvalidArg, 1),
        (ContextKind::InvalidSubcommand, 1),
        (ContextKind::TrailingArg, 1),
    ];
    for (kind, digits) in kinds {
        let Some(ContextValue::String(typed)) = error.get(kind) else { continue };
        if is_chat && kind == ContextKind::InvalidValue || names_a_chat(typed, digits) {
            error.insert(kind, ContextValue::String(HIDDEN.to_owned()));
            // A tip quotes it, too.
            error.remove(ContextKind::Suggested);
        }
    }
    error
}

/// What was typed for a name, unless it may be a chat.
pub(crate) fn quotable(typed: &str) -> &str {
    let is_number = typed.starts_with('+') || typed.bytes().all(|one| one.is_ascii_digit());
    if is_number && names_a_chat(typed, DIGITS) || typed.starts_with("whatsapp:") { HIDDEN } else { typed }
}

fn names_a_chat(typed: &str, digits: usize) -> bool {
    typed.starts_with("whatsapp:")
        || typed.chars().filter(|one| one.is_numeric()).count() >= digits
        || format!("whatsapp:{typed}").parse::<WaId>().is_ok()
}
