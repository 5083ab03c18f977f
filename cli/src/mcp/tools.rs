//! The tools: every command that changes nothing, and the dry run of those that do.

use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};

use super::arguments::{command_at, schema};

/// A command as a tool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// As it is typed: `dlq list`.
    pub(super) path: &'static str,
    /// The command changes something once it is confirmed, which no tool can.
    pub(super) is_dry_run: bool,
    /// Somebody besides AWS is asked: Salesforce, WhatsApp's provider, the bot's webhook.
    pub(super) asks_others: bool,
    /// In plain words, for somebody who does not know the command.
    pub(super) description: &'static str,
}

const fn look(path: &'static str, description: &'static str) -> Look {
    Look { path, is_dry_run: false, asks_others: false, description }
}

const fn dry_run(path: &'static str, description: &'static str) -> Look {
    Look { path, is_dry_run: true, asks_others: false, description }
}

const fn asking_others(look: Look) -> Look {
    Look { asks_others: true, ..look }
}

pub(super) const LOOKS: [Look; 20] = [
    asking_others(look(
        "doctor",
        "Checks the deployed stack and gives a remedy for each problem. Sends the bot's webhook one empty request that no \
         bot takes for an event, and reads the account at WhatsApp's provider. Begin here when something is wrong and no \
         alarm says what.",
    )),
    look(
        "alarms",
        "Lists the stack's alarms that are firing: since when, what each means, its runbook section and the command to \
         begin with.",
    ),
    look(
        "stats",
        "Counts links, logins, confirmations by chats, connections, failures by reason, refreshes and ended connections, with the times that \
         logins took. The numbers are CloudWatch's, a minute or two old.",
    ),
    look("logs", "Log lines of the stack's functions in order of time, or those of one attempt or link, by its id."),
    look(
        "attempt list",
        "Lists attempts to connect, the latest first: of one chat, with one status, or of a time span. Unconfirmed ones wait for \
         their chat to send the code that the browser shows.",
    ),
    look("attempt show", "One attempt to connect: how it stands, its errors, and its timeline."),
    look(
        "connection list",
        "Lists connections of chats to Salesforce users, how each is refreshed and whether it has ended. A large table is \
         read in parts; each answer names the next.",
    ),
    look("connection show", "What one chat is connected to: org, hosts, scopes, times, and how the connection ended."),
    asking_others(look(
        "connection check",
        "Asks Salesforce whether the access token of a chat's connection works, and says how its row stands. A refused \
         access token is no end: the next call refreshes it.",
    )),
    look(
        "person show",
        "What is stored of one chat: its connection, its attempts, its logins that wait for a code, and what is kept elsewhere.",
    ),
    look("dlq stats", "Counts the messages in each queue, and the dead letters by content and reason."),
    look(
        "dlq list",
        "Lists dead letters: what each holds, why it was given up, its age, and whether its code is still alive. The \
         messages are invisible to other readers while they are read.",
    ),
    look("dlq show", "One dead letter, by the id of its message or of its attempt."),
    dry_run("dlq redrive", "Which dead letters would be put back on their queue."),
    dry_run("dlq drop", "Which dead letters would be deleted, and which are kept because they are somebody's consent."),
    dry_run(
        "connection revoke",
        "What ending a chat's connection would do: at Salesforce, in the table, and for the bot.",
    ),
    dry_run("connection refresh", "Whether the stack can be asked to refresh a chat's tokens, and when it last did."),
    dry_run("person erase", "What erasing a chat would delete, and what is still under way or kept elsewhere."),
    dry_run("events redeliver", "Which outcomes were not told completely and would be told again."),
    dry_run(
        "events redrive",
        "How many outcomes that were retried for a day would go back on the notifier's retry queue.",
    ),
];

impl Look {
    /// `dlq_list`, `dlq_redrive_dry_run`.
    pub(super) fn name(&self) -> String {
        let end = if self.is_dry_run { "_dry_run" } else { "" };
        self.path.replace(' ', "_") + end
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        LOOKS.into_iter().find(|look| look.name() == name)
    }

    pub(super) fn tool(&self) -> Tool {
        let Self { path, is_dry_run, asks_others, description } = self;
        let command = if *is_dry_run {
            format!("A dry run of `wasf {path}`: it changes nothing, and only an operator can confirm it.")
        } else {
            format!("Changes nothing. As `wasf {path} --json`.")
        };
        let arguments = command_at(path).map(|command| schema(&command)).unwrap_or_default();
        let annotations =
            ToolAnnotations::with_title(format!("wasf {path}{}", if *is_dry_run { " (dry run)" } else { "" }))
                .read_only(true)
                .destructive(false)
                .open_world(*asks_others);
        Tool::new(self.name(), format!("{description} {command}"), Arc::new(arguments)).with_annotations(annotations)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;
    use serde_json::{Value, json};

    use super::{super::arguments::parse, *};
    use crate::args::Args;

    /// Commands that are no tool, and why.
    const NO_TOOLS: [(&str, &str); 7] = [
        ("link", "makes a link, which connects whoever opens it"),
        ("events test", "sends the bot an event"),
        ("secret set", "asks for a secret on the terminal"),
        ("init", "asks on the terminal, and stores secrets"),
        ("destroy", "deletes the stack: nothing for an assistant to prepare"),
        ("completions", "for a shell"),
        ("mcp", "the server itself"),
    ];

    fn commands() -> BTreeSet<String> {
        fn visit(command: &clap::Command, path: &str, found: &mut BTreeSet<String>) {
            let children: Vec<_> = command.get_subcommands().collect();
            if children.is_empty() {
                found.insert(path.to_owned());
            }
            for child in children {
                visit(child, format!("{path} {}", child.get_name()).trim(), found);
            }
        }
        let mut found = BTreeSet::new();
        visit(&Args::command(), "", &mut found);
        found
    }

    #[test]
    fn every_command_is_a_tool_or_has_a_reason_to_be_none() {
        let paths = LOOKS.iter().map(|look| look.path).chain(NO_TOOLS.iter().map(|(path, _)| *path));
        let mut known = BTreeSet::new();
        for path in paths {
            assert!(known.insert(path.to_owned()), "{path} is named twice");
        }
        assert_eq!(known, commands());
    }

    #[test]
    fn a_tool_is_a_dry_run_exactly_where_its_command_can_be_confirmed() {
        for look in LOOKS {
            let command = command_at(look.path).unwrap();
            let is_confirmed = command.get_arguments().any(|argument| argument.get_id() == "confirm");
            assert_eq!(look.is_dry_run, is_confirmed, "{}", look.path);
        }
    }

    #[test]
    fn no_tool_takes_a_confirmation() {
        for look in LOOKS {
            let schema = look.tool().schema_as_json_value();
            let names: Vec<_> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            for left_out in ["confirm", "follow", "json", "profile", "region", "stack_name", "local", "config_env"] {
                assert!(!names.contains(&left_out), "{} takes {left_out}", look.name());
                let given = json!({left_out: true});
                assert!(parse(look.path, given.as_object().unwrap()).is_err(), "{} takes {left_out}", look.name());
            }
        }
    }

    #[test]
    fn no_arguments_of_a_tool_make_a_command_that_changes_something() {
        for look in LOOKS {
            let schema = look.tool().schema_as_json_value();
            let value = |(name, property): (&String, &Value)| {
                let value = match (name.as_str(), property["type"].as_str().unwrap()) {
                    (_, "boolean") => json!(true),
                    (_, "integer") => json!(1),
                    ("chat", _) => json!("whatsapp:+15551234567"),
                    ("attempt_id" | "id" | "attempt", _) => json!("07".repeat(16)),
                    ("since" | "until", _) => json!("1h"),
                    ("part", _) => json!("1/2"),
                    ("again", _) => json!(["bot"]),
                    ("function", _) => json!(["notifier"]),
                    _ => property["enum"].get(0).cloned().unwrap_or_else(|| json!("denied")),
                };
                (name.clone(), value)
            };
            let all: Vec<_> = schema["properties"].as_object().unwrap().iter().map(value).collect();
            // One by one beside those that are required, because some exclude each other.
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            for (name, value) in &all {
                let mut given: serde_json::Map<_, _> =
                    all.iter().filter(|(name, _)| required.contains(&json!(name))).cloned().collect();
                given.insert(name.clone(), value.clone());
                match parse(look.path, &given) {
                    Ok(command) => assert!(command.is_read_only(), "{} {name}", look.name()),
                    Err(why) => assert!(why.starts_with("missing: "), "{} {name}: {why}", look.name()),
                }
            }
        }
    }

    #[test]
    fn a_tool_says_that_it_only_reads_and_whom_it_asks() {
        for look in LOOKS {
            let tool = serde_json::to_value(look.tool()).unwrap();
            assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
            let asks_others = ["doctor", "connection check"].contains(&look.path);
            assert_eq!(tool["annotations"]["openWorldHint"], asks_others, "{tool}");
            assert_eq!(tool["inputSchema"]["type"], "object");
            for property in tool["inputSchema"]["properties"].as_object().unwrap().values() {
                let description = property["description"].as_str().unwrap();
                assert!(!description.is_empty() && !description.contains("--"), "{}: {property}", look.name());
                assert!(!description.contains("standard input"), "{}: {property}", look.name());
            }
        }
    }
}
