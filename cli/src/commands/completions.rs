//! Shell completions.

use clap::CommandFactory as _;
use clap_complete::Shell;
use serde_json::json;

use crate::{args::Args, error::Exit, report::Report};

pub(crate) fn generate(shell: Shell) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "wasf", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let json = json!({"shell": shell.to_string(), "script": script});
    // The script's own tabs are for the shell.
    Report { text: script, json, exit: Exit::Done }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_script_completes_every_command() {
        let script = generate(Shell::Bash).text;
        for command in ["doctor", "redrive", "redeliver", "revoke"] {
            assert!(script.contains(command), "{command}");
        }
    }
}
