//! Starts `wasf`.

use std::{env, io, process::ExitCode};

use shared::process;
use tokio::runtime::Builder;
use wasf::Edge;

fn main() -> ExitCode {
    if !standard_output::is_writable() {
        return wasf::no_output();
    }
    let environment = |name| process::environment().optional(name);
    let edge = Edge { now: process::now, random: process::random, environment };
    let args = match wasf::parse(env::args_os()) {
        Ok(args) => args,
        Err(exit) => return exit,
    };
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    // Not locked: an MCP server writes to it from another thread.
    let exit = runtime.block_on(wasf::run(args, edge, &mut io::stdout()));
    // A read of standard input cannot be ended, and nobody waits for it: an MCP server that gets a signal.
    runtime.shutdown_background();
    exit
}
