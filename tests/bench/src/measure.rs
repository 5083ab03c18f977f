//! The measurements: wall time, in rounds that alternate between programs, and instructions, which are reproducible.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

use crate::{
    Failed,
    fakes::Fakes,
    functions::{Program, Role},
    runtime::Function,
    statistics::{Quartiles, percentile},
};

/// Cold starts of each program whose time is taken, and warm invocations after each.
const ROUNDS: usize = 51;
const WARM_PER_ROUND: usize = 30;
/// Warm invocations whose instructions are counted.
const WARM_COUNTED: usize = 20;
/// Batches of one and of ten, each, with a slow Salesforce.
const BATCHES: usize = 11;
const SALESFORCE_DELAY: Duration = Duration::from_millis(300);

pub(crate) struct Bench {
    pub(crate) fakes: Fakes,
    pub(crate) work: PathBuf,
}

/// The results of one program.
#[derive(Serialize)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// From the start of the process to its first `/next`, over TLS.
    pub(crate) start_ms: Quartiles,
    /// The CPU time of the function in that time. The fakes, and the kernel for them, take the rest.
    pub(crate) start_cpu_ms: Quartiles,
    pub(crate) first_ms: Quartiles,
    pub(crate) warm_p50_ms: f64,
    pub(crate) warm_p99_ms: f64,
    pub(crate) peak_memory_bytes: Quartiles,
    /// The size of the stripped binary.
    pub(crate) binary_bytes: Option<u64>,
    /// Counted by callgrind.
    pub(crate) instructions_plain: Instructions,
    pub(crate) instructions_tls: Instructions,
}

/// Instructions of a start, of a first invocation up to its response and after it, and of a warm one.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Instructions {
    pub(crate) start: u64,
    pub(crate) first: u64,
    pub(crate) after: u64,
    pub(crate) warm: u64,
}

/// The samples of all rounds.
#[derive(Default)]
struct Times {
    start: Vec<f64>,
    start_cpu: Vec<f64>,
    first: Vec<f64>,
    warm: Vec<f64>,
    memory: Vec<f64>,
}

/// The time for a batch of one and a batch of ten, with a slow Salesforce.
#[derive(Serialize)]
pub(crate) struct Batches {
    pub(crate) one_ms: Quartiles,
    pub(crate) ten_ms: Quartiles,
}

impl Bench {
    /// Measures these programs side by side.
    pub(crate) async fn figures(&self, programs: &[&Program]) -> Result<Vec<Figures>, Failed> {
        let mut instructions = Vec::new();
        for program in programs {
            progress(&format!("counting the instructions of {}", program.name));
            instructions.push([self.instructions(program, false).await?, self.instructions(program, true).await?]);
        }
        let mut times: BTreeMap<_, Times> = programs.iter().map(|program| (program.name, Times::default())).collect();
        for round in 0..ROUNDS {
            progress(&format!("round {} of {ROUNDS}", round + 1));
            for program in programs {
                if let Some(times) = times.get_mut(program.name) {
                    self.round(program, times).await?;
                }
            }
        }
        let mut all = Vec::new();
        for (program, [instructions_plain, instructions_tls]) in programs.iter().zip(instructions) {
            let times = times.remove(program.name).unwrap_or_default();
            let size = |path: PathBuf| fs::metadata(path).map(|data| data.len());
            all.push(Figures {
                name: program.name,
                about: program.about,
                start_ms: Quartiles::of(&times.start),
                start_cpu_ms: Quartiles::of(&times.start_cpu),
                first_ms: Quartiles::of(&times.first),
                warm_p50_ms: percentile(&times.warm, 0.5),
                warm_p99_ms: percentile(&times.warm, 0.99),
                peak_memory_bytes: Quartiles::of(&times.memory),
                binary_bytes: program.binary().map(size).transpose()?,
                instructions_plain,
                instructions_tls,
            });
        }
        Ok(all)
    }

    /// Times one cold start over TLS, a first invocation and some warm ones.
    async fn round(&self, program: &Program, times: &mut Times) -> Result<(), Failed> {
        self.fakes.warm_up().await?;
        let (mut function, started) = program.start(&self.fakes, &self.work, &self.fakes.urls(true), &[]).await?;
        times.start.push(millis(started));
        times.start_cpu.push(millis(function.cpu_time()?));
        times.first.push(millis(self.invoke(program, &mut function, true, 1, 0).await?));
        for number in 1..=WARM_PER_ROUND {
            times.warm.push(millis(self.invoke(program, &mut function, true, 1, number).await?));
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        times.memory.push(function.peak_memory()? as f64);
        function.end().await?;
        program.check_log(&self.work, 1 + WARM_PER_ROUND)
    }

    /// Times one invocation, and checks the response, the operations that it called, and that the receiver opened no
    /// connection for it.
    async fn invoke(
        &self,
        program: &Program,
        function: &mut Function,
        tls: bool,
        messages: usize,
        number: usize,
    ) -> Result<Duration, Failed> {
        let role = program.role;
        let event = role.event(&self.fakes, &self.fakes.urls(tls), messages, number)?;
        let counts = || role.operations().iter().map(|operation| self.fakes.calls(operation)).collect::<Vec<_>>();
        let (before, connections) = (counts(), self.fakes.connections());
        let (response, duration) = function.invoke(&event).await?;
        self.fakes.check()?;
        if !role.is_success(&response) {
            return Err(format!("{} answered {response}", program.name).into());
        }
        let called: Vec<_> = counts().iter().zip(before).map(|(now, before)| now - before).collect();
        if called.iter().any(|times| *times != messages) {
            return Err(format!("{} called {:?} {called:?} times", program.name, role.operations()).into());
        }
        if role == Role::Receiver && self.fakes.connections() != connections {
            return Err(format!("{} opened a connection after its start", program.name).into());
        }
        Ok(duration)
    }

    /// Counts instructions in one run under callgrind, which dumps its counts at the end of each part: no part is the
    /// difference of two runs.
    async fn instructions(&self, program: &Program, tls: bool) -> Result<Instructions, Failed> {
        let scheme = if tls { "tls" } else { "plain" };
        let counts = self.work.join(format!("callgrind.{}.{scheme}", program.name));
        let out = format!("--callgrind-out-file={}", counts.display());
        let valgrind = ["valgrind", "--quiet", "--tool=callgrind", &out].map(OsString::from);
        let (mut function, _) = program.start(&self.fakes, &self.work, &self.fakes.urls(tls), &valgrind).await?;
        function.dump_counts().await?;
        function.counts_to_response = true;
        self.invoke(program, &mut function, tls, 1, 0).await?;
        function.dump_counts().await?;
        function.counts_to_response = false;
        for number in 1..=WARM_COUNTED {
            self.invoke(program, &mut function, tls, 1, number).await?;
        }
        function.dump_counts().await?;
        function.end().await?;
        let part = |number: u8| instructions_in(&counts.with_added_extension(number.to_string()));
        Ok(Instructions { start: part(1)?, first: part(2)?, after: part(3)?, warm: part(4)? / WARM_COUNTED as u64 })
    }

    /// Times batches of one and of ten messages.
    pub(crate) async fn batches(&self, exchanger: &Program) -> Result<Batches, Failed> {
        progress("batches with a slow Salesforce");
        self.fakes.delay_salesforce(SALESFORCE_DELAY);
        let (mut function, _) = exchanger.start(&self.fakes, &self.work, &self.fakes.urls(true), &[]).await?;
        let (mut one, mut ten) = (Vec::new(), Vec::new());
        for number in 0..BATCHES {
            one.push(millis(self.invoke(exchanger, &mut function, true, 1, 2 * number).await?));
            ten.push(millis(self.invoke(exchanger, &mut function, true, 10, 2 * number + 1).await?));
        }
        function.end().await?;
        self.fakes.delay_salesforce(Duration::ZERO);
        Ok(Batches { one_ms: Quartiles::of(&one), ten_ms: Quartiles::of(&ten) })
    }
}

/// The total in a file of callgrind's.
fn instructions_in(file: &Path) -> Result<u64, Failed> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals: ")).ok_or("callgrind wrote no totals")?;
    Ok(line.trim().parse()?)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn progress(what: &str) {
    let _ = writeln!(std::io::stderr(), "  {what}");
}
