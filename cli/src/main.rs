//! Starts `wasf`.

use std::{io, process::ExitCode};

use clap::Parser as _;
use shared::process;
use wasf::{Args, Edge};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let edge = Edge { now: process::now, random: process::random };
    wasf::run(Args::parse(), edge, &mut io::stdout().lock()).await
}
