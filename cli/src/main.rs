//! Starts `wasf`.

use std::{env, io, process::ExitCode};

use shared::process;
use wasf::Edge;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let environment = |name| process::environment().optional(name);
    let edge = Edge { now: process::now, random: process::random, environment };
    match wasf::parse(env::args_os()) {
        Ok(args) => wasf::run(args, edge, &mut io::stdout().lock()).await,
        Err(exit) => exit,
    }
}
