//! `make bench`: measures the functions' release binaries beside their peers, under a Runtime API and other parties of
//! its own on loopback, and says whether the limits hold.
//!
//! It reads the clock and starts processes; it judges no behaviour beyond what shows that a measurement is of something
//! that works. Names on the command line limit it to those programs; `batches` is one more.
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod cores;
mod functions;
mod measure;
mod outside;
mod plot;
mod report;
mod runtime;
mod server;
mod statistics;

use std::{error::Error, fs, io::Write as _, path::Path, process::ExitCode};

use crate::{
    functions::{PROGRAMS, Program, Role},
    measure::Bench,
    outside::Outside,
    report::{Machine, Report},
};

/// The repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const BATCHES: &str = "batches";

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Failed> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = names.iter().find(|name| *name != BATCHES && PROGRAMS.iter().all(|of| of.name != **name)) {
        let known: Vec<_> = PROGRAMS.iter().map(|program| program.name).chain([BATCHES]).collect();
        return Err(format!("there is no {unknown}, but: {}", known.join(", ")).into());
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|given| given == name);
    let programs: Vec<&Program> =
        PROGRAMS.iter().filter(|program| program.role == Role::Hello || wanted(program.name)).collect();

    let machine = Machine::here();
    cores::leave()?;
    let work = Path::new(ROOT).join("target/bench");
    fs::create_dir_all(&work)?;
    let work = work.canonicalize()?;
    let outside = Outside::start(&work.join("root.pem")).await?;
    functions::write_roots(&work)?;
    let bench = Bench { outside, work };
    let figures = bench.figures(&programs).await?;
    let exchanger = PROGRAMS.iter().find(|program| program.role == Role::Exchanger).filter(|_| wanted(BATCHES));
    let batches = match exchanger {
        Some(exchanger) => Some(bench.batches(exchanger).await?),
        None => None,
    };

    let report = Report::new(machine.at_the_end(), figures, batches);
    write!(std::io::stdout(), "{report}")?;
    fs::write(bench.work.join("report.json"), serde_json::to_vec_pretty(&report)?)?;
    if names.is_empty() {
        let docs = Path::new(ROOT).join("docs");
        fs::create_dir_all(&docs)?;
        fs::write(docs.join("bench.svg"), plot::svg(&report)?)?;
    }
    let all_hold = report.limits.iter().all(|limit| limit.holds);
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
