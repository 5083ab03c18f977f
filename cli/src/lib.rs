//! `wasf`, the operators' tool: it finds a deployed stack by its name, shows its state, and repairs what can be repaired.
//!
//! A command (`commands`) is a function from its arguments (`args`) to a report (`report`); only [`run`] prints, and the
//! server of `mcp`, by which an assistant gets the reports of commands that change nothing. A command that changes
//! anything is a dry run unless `--confirm` is given. No report contains a code, a verifier or a token: the adapters
//! (`aws`, `parties`) return such values as secrets, which do not print.

mod args;
mod aws;
mod commands;
mod error;
mod http;
mod local;
mod mcp;
mod parties;
mod prompt;
mod proxy;
mod records;
mod redaction;
mod report;
mod samconfig;
mod secret;
mod stack;
mod target;

use std::{
    ffi::OsString,
    io::{ErrorKind, Write},
    process::ExitCode,
};

use clap::Parser as _;
use shared::{process::Random, timestamp::Clock};

pub use args::Args;
use args::{Command, TargetArgs};
use commands::{
    alarms, attempt, completions, connection, destroy, dlq, doctor, events, init, link, logs, person,
    secret as secret_command, stats,
};
use error::{Error, Exit};
use report::Report;
use target::Target;

/// What only a process can provide: passed in, so that tests can replace it.
#[derive(Clone, Copy)]
pub struct Edge {
    /// The clock.
    pub now: Clock,
    /// The source of random bytes.
    pub random: Random,
    /// The environment, where secrets may be given.
    pub environment: Variable,
}

/// A variable of the environment; `None` if it is absent or empty.
pub type Variable = fn(&'static str) -> Option<String>;

/// Parses the command line. Help, the version, or what is wrong with the arguments is printed at once.
///
/// # Errors
/// The exit code, where there is no command to run.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Args, ExitCode> {
    Args::try_parse_from(arguments).map_err(args::unquoted).map_err(|asked| match (asked.print(), asked.use_stderr()) {
        (_, true) => Exit::Usage.into(),
        (Err(error), false) if error.kind() != ErrorKind::BrokenPipe => {
            report::print_error(&Error::failed("write the output", error.to_string()));
            Exit::Failed.into()
        }
        (Err(_), false) => Exit::Unread.into(),
        (Ok(()), false) => Exit::Done.into(),
    })
}

/// Says that there is no standard output, before a command does anything that nobody would hear of.
#[must_use]
pub fn no_output() -> ExitCode {
    let error = Error::failed("write the output", "standard output is closed or read-only; > /dev/null discards it");
    report::print_error(&error);
    error.exit().into()
}

/// Runs a command and prints its report, or its error.
pub async fn run(args: Args, edge: Edge, output: &mut impl Write) -> ExitCode {
    // What is not the protocol's would be an invalid message there.
    let json = args.json && !matches!(args.command, Command::Mcp);
    let report = dispatch(args, edge, output).await.unwrap_or_else(|error| {
        report::print_error(&error);
        Report::of_error(&error)
    });
    report::print(&report, json, output).into()
}

async fn dispatch(args: Args, edge: Edge, output: &mut impl Write) -> Result<Report, Error> {
    let Args { target: given, command, json } = args;
    if !matches!(command, Command::Completions { .. }) {
        http::use_environment(edge.environment, given.local)?;
        aws::check_environment(edge.environment)?;
    }
    match command {
        Command::Completions { shell } => return Ok(completions::generate(shell)),
        Command::Init(args) => return init::run(*args, &given, edge).await,
        Command::Mcp => return mcp::serve(&given, edge.now).await,
        _ => {}
    }
    let target = Target::open(&given).await?;
    if command.changes_something() {
        report::print_note(&format!("{}.", target.stack.place()));
    }
    execute(command, &target, &given, json, edge.now, output).await
}

/// Runs a command on a stack. Only `wasf logs --follow` writes output of its own: it ends when it is told to.
async fn execute(
    command: Command,
    target: &Target,
    given: &TargetArgs,
    json: bool,
    clock: Clock,
    output: &mut impl Write,
) -> Result<Report, Error> {
    match command {
        Command::Link(args) => link::run(args, target, clock()).await,
        Command::Alarms { all } => alarms::run(all, target, given, clock).await,
        Command::Attempt(command) => attempt::run(command, target, clock).await,
        Command::Connection(command) => connection::run(command, target, clock).await,
        Command::Dlq(command) => dlq::run(command, target, clock).await,
        Command::Events(command) => events::run(command, target, clock).await,
        Command::Doctor => doctor::run(target, clock).await,
        Command::Person(command) => person::run(command, target, clock).await,
        Command::Stats { since } => stats::run(since, target, clock).await,
        Command::Logs(args) => logs::run(args, target, json, clock, output).await,
        Command::Destroy { force, confirm } => destroy::run(target, force, confirm).await,
        Command::Secret(command) => secret_command::run(command, target).await,
        Command::Completions { .. } | Command::Init(_) | Command::Mcp => unreachable!("without a stack"),
    }
}
