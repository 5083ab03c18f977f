//! What a command's error says, for somebody who has tools and no shell: tools in place of commands, and their arguments in
//! place of flags. What only an operator can run stays as it is typed. Pure.

use super::{
    arguments::{argument_of_flag, command_at},
    tools::{LOOKS, Look},
};

/// Flags that no tool has: they are given when the server is started.
const OF_THE_SERVER: [&str; 5] = ["--stack-name", "--region", "--profile", "--config-env", "--local"];
const WHO_GIVES_THEM: &str = " (options of wasf mcp, which whoever starts it gives)";

/// The error in a tool's words.
pub(super) fn of_tools(error: &str) -> String {
    let mut words = Vec::new();
    let (mut rest, mut is_command, mut is_of_server) = (error, false, false);
    let mut follows_tool = false;
    while !rest.is_empty() {
        if let Some((tool, after)) = tool_at(rest) {
            words.push(tool);
            (rest, is_command, follows_tool) = (after, false, true);
            continue;
        }
        let end = rest.find(' ').map_or(rest.len(), |at| at + 1);
        let (word, after) = rest.split_at(end);
        let (before, bare, mark) = unmarked(word);
        is_command |= ["wasf", "aws", "sam"].contains(&bare);
        is_of_server |= !is_command && OF_THE_SERVER.contains(&bare);
        let with = if follows_tool { "with " } else { "" };
        words.push(match argument_of(bare).filter(|_| !is_command) {
            Some(argument) => format!("{before}{with}{argument}{mark}"),
            None => word.to_owned(),
        });
        // A command ends with its clause.
        is_command &= mark.trim().is_empty();
        follows_tool &= word.trim().is_empty();
        rest = after;
    }
    let said = words.concat();
    if is_of_server { said + WHO_GIVES_THEM } else { said }
}

/// What stands before a word, the word, and what stands behind it.
fn unmarked(word: &str) -> (&str, &str, &str) {
    let (before, word) = word.split_at(word.len() - word.trim_start_matches('(').len());
    let (bare, mark) = word.split_at(word.trim_end_matches([' ', ',', ';', ':', '.', ')']).len());
    (before, bare, mark)
}

/// The tool of the command that a text begins with, and what follows. Of a command that changes something the tool only
/// shows what it would do, so that is not what is meant.
fn tool_at(text: &str) -> Option<(String, &str)> {
    let command = text.strip_prefix("wasf ")?;
    let follows = |after: &&str| !after.starts_with(|next: char| next.is_alphanumeric() || "-_".contains(next));
    let after = |look: &Look| command.strip_prefix(look.path).filter(follows);
    LOOKS.iter().filter(|look| !look.is_dry_run).find_map(|look| Some((look.name(), after(look)?)))
}

/// The argument of a flag that some tool has.
fn argument_of(flag: &str) -> Option<String> {
    let flag = flag.strip_prefix("--")?;
    LOOKS.iter().filter_map(|look| command_at(look.path)).find_map(|command| argument_of_flag(&command, flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_speaks_of_tools_and_of_their_arguments() {
        for (error, said) in [
            ("--since is later than --until", "since is later than until"),
            ("invalid --since: too long", "invalid since: too long"),
            ("there are more (--limit)", "there are more (limit)"),
            ("give another --only-alive.", "give another only_alive."),
            (
                "Logins that are under way are in wasf attempt list --chat",
                "Logins that are under way are in attempt_list with chat",
            ),
            ("run wasf doctor; then wasf dlq stats.", "run doctor; then dlq_stats."),
        ] {
            assert_eq!(of_tools(error), said);
        }
    }

    #[test]
    fn what_only_an_operator_can_run_stays_as_it_is_typed() {
        for command in [
            "run wasf secret set bot_webhook --confirm",
            "run wasf dlq redrive --queue upkeep --confirm, then wait",
            "run aws sso login --profile live; aws configure list-profiles shows those that exist",
            "deploy wasf's own version; wasf dlqs and wasf doctors are nothing",
            "",
        ] {
            assert_eq!(of_tools(command), command);
        }
    }

    #[test]
    fn options_of_the_server_are_named_as_that() {
        let said = of_tools("no stack x; check --stack-name, --region and --profile");
        assert!(said.starts_with("no stack x; check --stack-name, ") && said.ends_with(WHO_GIVES_THEM), "{said}");
    }
}
