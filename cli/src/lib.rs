//! `wasf`, the operators' tool: it finds a deployed stack by its name, says what is in it, and
//! cures what can be cured.
//!
//! A command is a function from its arguments to a report; only [`run`] prints. What changes
//! anything is a dry run unless `--confirm` is given. No report holds a code, a verifier or a token:
//! the adapters in `aws` and `parties` hand such values over as secrets, which do not print.

mod args;
mod aws;
mod commands;
mod error;
mod http;
mod local;
mod parties;
mod records;
mod report;
mod samconfig;
mod span;
mod stack;
mod target;

use std::{io::Write, process::ExitCode};

use shared::{process::Random, timestamp::Clock};

pub use args::Args;
use args::Command;
use commands::{attempt, completions, connection, dlq, doctor, events, init, link};
use error::Error;
use report::Report;
use target::Target;

/// What only the edge of a process can give.
#[derive(Clone, Copy)]
pub struct Edge {
    /// The clock.
    pub now: Clock,
    /// The source of random bytes.
    pub random: Random,
}

/// Runs a command and prints its report, or why there is none.
pub async fn run(args: Args, edge: Edge, output: &mut impl Write) -> ExitCode {
    let json = args.json;
    let report = dispatch(args, edge).await.unwrap_or_else(|error| {
        report::print_error(&error);
        Report::of_error(&error)
    });
    // A reader that has gone away wants no more.
    let _ = if json { writeln!(output, "{:#}", report.json) } else { output.write_all(report.text.as_bytes()) };
    report.exit.into()
}

async fn dispatch(args: Args, edge: Edge) -> Result<Report, Error> {
    let Args { target, command, .. } = args;
    match command {
        Command::Completions { shell } => return Ok(completions::generate(shell)),
        Command::Init(order) => return init::run(*order, &target, edge.random).await,
        _ => {}
    }
    let target = Target::open(&target).await?;
    match command {
        Command::Link(order) => link::run(&order, &target, (edge.now)()).await,
        Command::Attempt(command) => attempt::run(command, &target, edge.now).await,
        Command::Connection(command) => connection::run(command, &target, edge.now).await,
        Command::Dlq(command) => dlq::run(command, &target, edge.now).await,
        Command::Events(command) => events::run(command, &target, edge.now).await,
        Command::Doctor => doctor::run(&target, edge.now).await,
        Command::Completions { .. } | Command::Init(_) => unreachable!("handled above"),
    }
}
