//! How it is measured: by the clock, in runs that alternate, and by instructions, which repeat.

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
    functions::{Program, Role},
    outside::Outside,
    runtime::Function,
    statistics::{Quartiles, percentile},
};

/// Cold starts of each program by the clock, and warm invocations in each.
const ROUNDS: usize = 51;
const WARM_PER_ROUND: usize = 30;
/// Warm invocations whose instructions are counted.
const WARM_COUNTED: usize = 20;
/// Batches of one and of ten with a slow Salesforce.
const BATCHES: usize = 11;
const SALESFORCE_TAKES: Duration = Duration::from_millis(300);

/// Where and with whom things run.
pub(crate) struct Bench {
    pub(crate) outside: Outside,
    pub(crate) work: PathBuf,
}

/// What was found of one program.
#[derive(Serialize)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// From the start to the first `/next`, over TLS.
    pub(crate) start_ms: Quartiles,
    /// The part of it that the function itself worked; the rest the other parties did, or the kernel for them.
    pub(crate) start_cpu_ms: Quartiles,
    pub(crate) first_ms: Quartiles,
    pub(crate) warm_p50_ms: f64,
    pub(crate) warm_p99_ms: f64,
    pub(crate) peak_memory_bytes: Quartiles,
    /// Of the binary as it ships, stripped.
    pub(crate) binary_bytes: Option<u64>,
    /// In callgrind's count.
    pub(crate) instructions_plain: Instructions,
    pub(crate) instructions_tls: Instructions,
}

/// Instructions of a start, a first call and a warm call.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Instructions {
    pub(crate) start: u64,
    pub(crate) first: u64,
    pub(crate) warm: u64,
}

/// What the rounds by the clock brought.
#[derive(Default)]
struct Times {
    start: Vec<f64>,
    start_cpu: Vec<f64>,
    first: Vec<f64>,
    warm: Vec<f64>,
    memory: Vec<f64>,
}

/// A batch of one and a batch of ten, with a Salesforce that takes its time.
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
            progress(&format!("counting {}'s instructions", program.name));
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

    /// One cold start over TLS, a first invocation and some warm ones, by the clock.
    async fn round(&self, program: &Program, times: &mut Times) -> Result<(), Failed> {
        self.outside.keep_warm().await?;
        let (mut function, started) = program.start(&self.outside, &self.work, true, &[]).await?;
        times.start.push(millis(started));
        times.start_cpu.push(millis(function.cpu_time()?));
        times.first.push(millis(self.invoke(program, &mut function, true, 1, 0).await?));
        for number in 1..=WARM_PER_ROUND {
            times.warm.push(millis(self.invoke(program, &mut function, true, 1, number).await?));
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        times.memory.push(function.peak_memory()? as f64);
        function.end().await
    }

    /// One invocation, checked: the answer, what was done outside, and that no connection to AWS was left for it.
    async fn invoke(
        &self,
        program: &Program,
        function: &mut Function,
        tls: bool,
        messages: usize,
        number: usize,
    ) -> Result<Duration, Failed> {
        let role = program.role;
        let event = role.event(&self.outside, tls, messages, number)?;
        let counts = || role.deeds().iter().map(|deed| self.outside.calls(deed)).collect::<Vec<_>>();
        let (before, connections) = (counts(), self.outside.connections());
        let (answer, took) = function.invoke(&event).await?;
        self.outside.check()?;
        if !role.is_served(&answer) {
            return Err(format!("{} answered {answer}", program.name).into());
        }
        let done: Vec<_> = counts().iter().zip(before).map(|(now, before)| now - before).collect();
        if done.iter().any(|times| *times != messages) {
            return Err(format!("{} did {:?} {done:?} times", program.name, role.deeds()).into());
        }
        if role == Role::Receiver && self.outside.connections() != connections {
            return Err(format!("{} opened a connection after its start", program.name).into());
        }
        Ok(took)
    }

    /// Instructions by callgrind, which is told where a part ends: nothing of one run is taken from another's.
    async fn instructions(&self, program: &Program, tls: bool) -> Result<Instructions, Failed> {
        let way = if tls { "tls" } else { "plain" };
        let counts = self.work.join(format!("callgrind.{}.{way}", program.name));
        let out = format!("--callgrind-out-file={}", counts.display());
        let valgrind = ["valgrind", "--quiet", "--tool=callgrind", &out].map(OsString::from);
        let (mut function, _) = program.start(&self.outside, &self.work, tls, &valgrind).await?;
        let mut parts = Vec::new();
        let mut number = 0;
        for calls in [0, 1, WARM_COUNTED] {
            for _ in 0..calls {
                self.invoke(program, &mut function, tls, 1, number).await?;
                number += 1;
            }
            function.dump_counts().await?;
            parts.push(instructions_in(&counts.with_added_extension((parts.len() + 1).to_string()))?);
        }
        function.end().await?;
        let [start, first, warm] = parts[..] else { return Err("callgrind counted something else".into()) };
        Ok(Instructions { start, first, warm: warm / WARM_COUNTED as u64 })
    }

    /// Batches of one and of ten through the exchanger.
    pub(crate) async fn batches(&self, exchanger: &Program) -> Result<Batches, Failed> {
        progress("batches with a slow Salesforce");
        self.outside.delay_salesforce(SALESFORCE_TAKES);
        let (mut function, _) = exchanger.start(&self.outside, &self.work, true, &[]).await?;
        let (mut one, mut ten) = (Vec::new(), Vec::new());
        for number in 0..BATCHES {
            one.push(millis(self.invoke(exchanger, &mut function, true, 1, 2 * number).await?));
            ten.push(millis(self.invoke(exchanger, &mut function, true, 10, 2 * number + 1).await?));
        }
        function.end().await?;
        self.outside.delay_salesforce(Duration::ZERO);
        Ok(Batches { one_ms: Quartiles::of(&one), ten_ms: Quartiles::of(&ten) })
    }
}

/// The sum over all functions that callgrind wrote.
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
