//! `make bench`: measures the functions' release binaries beside their peers, with a Runtime API and fakes of the other
//! parties on loopback, and checks the limits.
//!
//! It reads the clock and starts processes. It tests no behaviour, beyond checking that what it measures works. Names on
//! the command line select programs; `batches` selects the exchanger's batches. `waits` alone measures what people wait for on a
//! network with distance, `salesforce=40` and the like after it say how far in milliseconds.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod cores;
mod distance;
mod fakes;
mod functions;
mod measure;
mod plot;
mod report;
mod runtime;
mod server;
mod statistics;
mod waits;

use std::{error::Error, fs, io::Write as _, path::Path, process::ExitCode};

use crate::{
    fakes::Fakes,
    functions::{PROGRAMS, Program, Role},
    measure::Bench,
    report::{Machine, Report, Verdict},
    waits::{Distances, Network},
};

/// The repository's root.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const BATCHES: &str = "batches";
const WAITS: &str = "waits";

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Failed> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if let Some((WAITS, distances)) = names.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return waits(Distances::parse(distances)?).await;
    }
    if let Some(unknown) = names.iter().find(|name| *name != BATCHES && PROGRAMS.iter().all(|of| of.name != **name)) {
        let known: Vec<_> = PROGRAMS.iter().map(|program| program.name).chain([BATCHES]).collect();
        return Err(format!("unknown program {unknown}; known are {}", known.join(", ")).into());
    }
    let is_selected = |name: &str| names.is_empty() || names.iter().any(|given| given == name);
    let programs: Vec<&Program> =
        PROGRAMS.iter().filter(|program| is_comparison(program, is_selected) || is_selected(program.name)).collect();

    let machine = Machine::at_start();
    let bench = bench().await?;
    let figures = bench.figures(&programs).await?;
    let exchanger = PROGRAMS.iter().find(|program| program.role == Role::Exchanger).filter(|_| is_selected(BATCHES));
    let batches = match exchanger {
        Some(exchanger) => Some(bench.batches(exchanger).await?),
        None => None,
    };

    let report = Report::new(machine.at_end(), figures, batches);
    write!(std::io::stdout(), "{report}")?;
    fs::write(bench.work.join("report.json"), serde_json::to_vec_pretty(&report)?)?;
    if names.is_empty() {
        let docs = Path::new(ROOT).join("docs");
        fs::create_dir_all(&docs)?;
        fs::write(docs.join("bench.svg"), plot::svg(&report)?)?;
    }
    let fails = report.limits.iter().any(|limit| limit.verdict == Verdict::Fail);
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What selected programs are compared with: hello-world and the twins.
fn is_comparison(program: &Program, is_selected: impl Fn(&str) -> bool) -> bool {
    match program.name {
        "keeper-sdk-free" => is_selected("token-keeper"),
        name => program.role == Role::HelloWorld || name == "receiver-sdk-free",
    }
}

/// The fakes, and a directory to work in.
async fn bench() -> Result<Bench, Failed> {
    cores::leave_the_functions_core()?;
    let work = Path::new(ROOT).join("target/bench");
    fs::create_dir_all(&work)?;
    let work = work.canonicalize()?;
    let fakes = Fakes::start(&work.join("root.pem")).await?;
    functions::write_roots(&work)?;
    Ok(Bench { fakes, work })
}

/// What people wait for on a network with distance.
async fn waits(distances: Distances) -> Result<ExitCode, Failed> {
    let machine = Machine::at_start();
    let bench = bench().await?;
    let waits = Network::new(&bench.fakes, bench.work.clone()).await?.waits(distances).await?;
    write!(std::io::stdout(), "{}\n\n{waits}", machine.at_end())?;
    fs::write(bench.work.join("waits.json"), serde_json::to_vec_pretty(&waits)?)?;
    Ok(ExitCode::SUCCESS)
}
