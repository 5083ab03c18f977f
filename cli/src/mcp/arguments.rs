//! A tool's arguments: their JSON Schema, made from the command's own arguments, and their way back to the command.
//!
//! No argument of a tool confirms anything, follows anything, or reads standard input, which is the protocol's.

use std::{any::TypeId, error::Error as _, ffi::OsString, num::NonZeroU32};

use clap::{
    Arg, ArgAction, CommandFactory as _, Parser as _,
    error::{ContextKind, ContextValue},
};
use serde_json::{Map, Value, json};

use crate::args::{Args, Command, InvalidChat};

/// Arguments of commands that no tool has.
const LEFT_OUT: [&str; 3] = ["confirm", "follow", "help"];
/// Said of a chat: an assistant has no other standard input, and no shell.
const OF_CHAT: &str =
    "The chat: its phone number with country code, or its address as the bot uses it. Answers mask it.";

/// The command at this path: `dlq list`.
pub(super) fn command_at(path: &str) -> Option<clap::Command> {
    path.split(' ').try_fold(Args::command(), |command, name| command.find_subcommand(name).cloned())
}

fn arguments(command: &clap::Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|argument| {
        !argument.is_global_set() && !argument.is_hide_set() && !LEFT_OUT.contains(&argument.get_id().as_str())
    })
}

/// The argument of a command that a flag gives: `only_alive` of `only-alive`.
pub(super) fn argument_of_flag(command: &clap::Command, flag: &str) -> Option<String> {
    arguments(command).find(|argument| argument.get_long() == Some(flag)).map(|argument| argument.get_id().to_string())
}

/// The JSON Schema of a command's arguments.
pub(super) fn schema(command: &clap::Command) -> Map<String, Value> {
    let properties: Map<_, _> =
        arguments(command).map(|argument| (argument.get_id().to_string(), property(argument))).collect();
    let required: Vec<_> = arguments(command)
        .filter(|argument| argument.is_required_set())
        .map(|argument| argument.get_id().as_str())
        .collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

fn property(argument: &Arg) -> Value {
    let mut of_one = match argument.get_action() {
        ArgAction::SetTrue => json!({"type": "boolean"}),
        _ if least(argument).is_some() => json!({"type": "integer", "minimum": least(argument)}),
        _ => json!({"type": "string"}),
    };
    let values: Vec<_> = argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if !values.is_empty() && of_one["type"] == "string" {
        of_one["enum"] = json!(values);
    }
    if let [default] = argument.get_default_values() {
        let default = default.to_string_lossy();
        let number = default.parse::<u64>().ok().filter(|_| least(argument).is_some());
        of_one["default"] = number.map_or_else(|| json!(default), |number| json!(number));
    }
    if of_one["type"] == "boolean" {
        of_one["default"] = json!(false);
    }
    let mut property = if is_list(argument) { json!({"type": "array", "items": of_one}) } else { of_one };
    property["description"] = json!(description(argument));
    property
}

/// The least number that an argument takes; `None` where it takes a text.
fn least(argument: &Arg) -> Option<u64> {
    let kind = argument.get_value_parser().type_id();
    let kinds = [(TypeId::of::<usize>(), 0), (TypeId::of::<NonZeroU32>(), 1)];
    kinds.into_iter().find(|(known, _)| kind == *known).map(|(_, least)| least)
}

fn is_list(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append)
}

/// The help of the command line, for somebody who has no flags.
fn description(argument: &Arg) -> String {
    if argument.get_id() == "chat" {
        return OF_CHAT.to_owned();
    }
    argument.get_help().map(ToString::to_string).unwrap_or_default().replace("--", "")
}

/// The command that a tool's arguments make, or why they make none. The text may quote them.
pub(super) fn parse(path: &str, given: &Map<String, Value>) -> Result<Command, String> {
    let command = command_at(path).ok_or_else(|| format!("no command {path}"))?;
    let (mut options, mut positional) = (Vec::new(), Vec::new());
    for (name, value) in given {
        let argument = arguments(&command).find(|argument| argument.get_id() == name).ok_or_else(|| {
            let known: Vec<_> = arguments(&command).map(|argument| argument.get_id().as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("unknown argument {name}; this tool takes: {known}")
        })?;
        for text in texts(argument, value).map_err(|expected| format!("invalid {name}: expected {expected}"))? {
            match (argument.get_long(), argument.get_action()) {
                (Some(long), ArgAction::SetTrue) => options.push(format!("--{long}")),
                (Some(long), _) => options.push(format!("--{long}={text}")),
                (None, _) => positional.push(text),
            }
        }
    }
    // A value is no flag: it stands behind its own, or behind the end of all flags.
    let words = ["wasf"].into_iter().chain(path.split(' ')).map(str::to_owned);
    let line = words.chain(options).chain(["--".to_owned()]).chain(positional).map(OsString::from);
    Args::try_parse_from(line).map(|args| args.command).map_err(|error| why(&error))
}

/// The values as a command line has them; for a flag one if it is set, none if not. Null is what is not given.
fn texts(argument: &Arg, value: &Value) -> Result<Vec<String>, &'static str> {
    match (value, argument.get_action()) {
        (Value::Null | Value::Bool(false), ArgAction::SetTrue) | (Value::Null, _) => Ok(Vec::new()),
        (Value::Bool(true), ArgAction::SetTrue) => Ok(vec![String::new()]),
        (_, ArgAction::SetTrue) => Err("true or false"),
        (Value::Array(values), ArgAction::Append) => values.iter().map(|value| text(argument, value)).collect(),
        (value, _) => text(argument, value).map(|text| vec![text]),
    }
}

fn text(argument: &Arg, value: &Value) -> Result<String, &'static str> {
    match value {
        // A command takes it with white space around it, too.
        Value::String(text) if text.trim() == "-" => Err("a value; standard input is the protocol's"),
        Value::String(text) if least(argument).is_none() => Ok(text.clone()),
        Value::Number(number) if least(argument).is_some() && number.is_u64() => Ok(number.to_string()),
        _ if least(argument).is_some() => Err("a whole number"),
        _ => Err("a text"),
    }
}

/// What is wrong with the arguments, in the words of their types; the command line's own speaks of flags.
fn why(error: &clap::Error) -> String {
    let shown = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![name(text)],
        Some(ContextValue::Strings(texts)) => texts.iter().map(|text| name(text)).collect(),
        _ => Vec::new(),
    };
    let arguments = shown(ContextKind::InvalidArg).join(", ");
    if let Some(why) = error.source() {
        // Standard input is the protocol's.
        let why = if why.is::<InvalidChat>() { InvalidChat::WITHOUT_INPUT.to_owned() } else { why.to_string() };
        return format!("invalid {arguments}: {why}");
    }
    let (others, values) = (shown(ContextKind::PriorArg).join(", "), shown(ContextKind::ValidValue).join(", "));
    match error.kind() {
        clap::error::ErrorKind::MissingRequiredArgument => format!("missing: {arguments}"),
        clap::error::ErrorKind::ArgumentConflict => format!("{arguments} does not go with {others}"),
        _ if !values.is_empty() => format!("invalid {arguments}: expected {values}"),
        kind => format!("invalid {arguments}: {kind}"),
    }
}

/// `since` of `--since <DURATION>`, `chat` of `<CHAT>`.
fn name(shown: &str) -> String {
    let first = shown.split(' ').next().unwrap_or_default().trim_matches(['<', '>', '[', ']', '.']);
    first.strip_prefix("--").map_or_else(|| first.to_lowercase(), |long| long.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Value {
        Value::Object(schema(&command_at(path).unwrap()))
    }

    fn parsed(path: &str, given: &Value) -> Result<Command, String> {
        parse(path, given.as_object().unwrap())
    }

    #[test]
    fn a_schema_has_the_commands_arguments_with_their_types() {
        let schema = of("attempt list");
        assert_eq!(schema["properties"]["limit"]["type"], "integer");
        assert_eq!(schema["properties"]["limit"]["default"], 100);
        assert_eq!(schema["properties"]["scan"]["type"], "boolean");
        let statuses = json!(["exchanging", "unconfirmed", "connected", "failed", "delayed", "ended"]);
        assert_eq!(schema["properties"]["status"]["enum"], statuses);
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(of("connection show")["required"], json!(["chat"]));
        assert_eq!(of("logs")["properties"]["function"]["type"], "array");
        assert_eq!(of("dlq redrive")["properties"]["rate"]["minimum"], 1);
    }

    #[test]
    fn arguments_become_the_commands_own() {
        let given = json!({"chat": "+15551234567", "status": "failed", "limit": 5, "scan": true, "since": null});
        let Ok(Command::Attempt(crate::args::AttemptCommand::List(list))) = parsed("attempt list", &given) else {
            panic!("not a list");
        };
        assert_eq!((list.limit, list.scan, list.since), (5, true, None));
        let logs = parsed("logs", &json!({"function": ["notifier", "token-keeper"], "id": "07".repeat(16)}));
        let Ok(Command::Logs(logs)) = logs else { panic!("{logs:?}") };
        assert_eq!(logs.function.len(), 2);
    }

    #[test]
    fn a_value_is_never_a_flag() {
        for value in ["--confirm", "-", " - ", "-\n", "\u{a0}-", "--", "whatsapp:+15551234567 --confirm"] {
            assert!(parsed("connection revoke", &json!({"chat": value})).is_err(), "{value}");
            assert!(parsed("attempt list", &json!({"chat": value})).is_err(), "{value}");
        }
        let reason = parsed("dlq drop", &json!({"reason": "--confirm"})).unwrap();
        assert!(reason.is_read_only());
    }

    #[test]
    fn what_is_wrong_with_an_argument_is_said_without_flags() {
        for (path, given, said) in [
            ("attempt list", json!({"nonsense": 1}), "unknown argument nonsense; this tool takes: chat, status"),
            ("doctor", json!({"confirm": true}), "unknown argument confirm; this tool takes: none"),
            ("attempt list", json!({"limit": "many"}), "invalid limit: expected a whole number"),
            ("attempt list", json!({"scan": "yes"}), "invalid scan: expected true or false"),
            ("attempt list", json!({"chat": "-"}), "invalid chat: expected a value; standard input is the protocol's"),
            ("attempt list", json!({"chat": "tomorrow"}), "invalid chat: not a chat"),
            ("attempt list", json!({"status": "lost"}), "invalid status: expected exchanging, unconfirmed"),
            ("attempt list", json!({"since": "yesterday"}), "invalid since: neither a duration"),
            ("stats", json!({"since": "-1h"}), "invalid since: it counts back from now, without a sign"),
            ("events redeliver", json!({"since": "0s"}), "invalid since: no time at all"),
            ("attempt show", json!({}), "missing: attempt_id"),
            ("connection show", json!({"chat": 7}), "invalid chat: expected a text"),
            ("dlq redrive", json!({"rate": 0}), "invalid rate: "),
            ("dlq redrive", json!({"native": true, "only_alive": true}), "native does not go with only_alive"),
        ] {
            let why = parsed(path, &given).unwrap_err();
            assert!(why.starts_with(said) && !why.contains("--"), "{path}: {why}");
            assert!(!why.contains("- for standard input"), "{path}: {why}");
        }
    }

    #[test]
    fn an_error_does_not_quote_a_chat() {
        let why = parsed("attempt list", &json!({"chat": "+1555123456x"})).unwrap_err();
        assert!(!why.contains("1555"), "{why}");
    }
}
