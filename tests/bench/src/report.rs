//! The results: a table and the limits for people, JSON for programs.

use std::{fmt, fs};

use serde::Serialize;
use shared::process;

use crate::{
    functions::PYTHON,
    measure::{Batches, Figures},
    statistics::Quartiles,
};

#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) programs: Vec<Figures>,
    pub(crate) batches: Option<Batches>,
    pub(crate) limits: Vec<Limit>,
}

/// Where and when a run took place: wall times can only be compared on the same machine.
#[derive(Serialize)]
pub(crate) struct Machine {
    date: String,
    processor: String,
    cores: usize,
    /// The load average over one minute, at the start and at the end of the run.
    load: [String; 2],
}

/// A bound of a figure, mostly of its ratio to a twin's in the same run.
#[derive(Serialize)]
pub(crate) struct Limit {
    what: String,
    figure: f64,
    bound: f64,
    /// A lower bound, and not an upper one.
    at_least: bool,
    unit: &'static str,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Verdict {
    Pass,
    Fail,
    /// The machine was not quiet: a time says nothing.
    Noisy,
}

impl Verdict {
    const fn label(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Noisy => "NOISY",
        }
    }
}

impl Machine {
    pub(crate) fn at_start() -> Self {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let named = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            date: process::now().rfc3339().chars().take(10).collect(),
            processor: named.map_or("unknown processor", |(_, name)| name).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load: [load(), String::new()],
        }
    }

    /// Adds the load at the end.
    pub(crate) fn at_end(self) -> Self {
        Self { load: [self.load[0].clone(), load()], ..self }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, processor, cores, load } = self;
        write!(f, "{date}, {processor}, {cores} cores, load average {} at the start, {} at the end", load[0], load[1])
    }
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

impl Report {
    pub(crate) fn new(machine: Machine, programs: Vec<Figures>, batches: Option<Batches>) -> Self {
        let limits = limits(&programs, batches.as_ref());
        Self { machine, programs, batches, limits }
    }
}

/// How far apart the quartiles of a twin's start may be on a quiet machine.
const QUIET: f64 = 1.15;

/// The limits on what was measured. A time is compared with that of a twin, which does the same without the SDK in the same
/// run; hello-world and Python are for comparison.
struct Limits<'a> {
    programs: &'a [Figures],
    limits: Vec<Limit>,
}

fn limits(programs: &[Figures], batches: Option<&Batches>) -> Vec<Limit> {
    let mut limits = Limits { programs, limits: Vec::new() };
    limits.receiver();
    limits.keeper();
    limits.connect_link();
    for (name, connections, megabytes) in
        [("token-exchanger", 3, 9.0), ("notifier", 2, 9.0), ("token-refresher", 1, 6.0)]
    {
        limits.without_twin(name, connections, megabytes);
    }
    if let Some(Batches { one_ms, ten_ms }) = batches {
        let (ten, spread) = (ten_ms.median / one_ms.median, one_ms.upper / one_ms.lower);
        limits.time("exchanger: batch of 10, Salesforce answering in 300 ms", ten, 1.3, "× batch of 1", spread);
    }
    limits.limits
}

impl<'a> Limits<'a> {
    fn of(&self, name: &str) -> Option<&'a Figures> {
        self.programs.iter().find(|figures| figures.name == name)
    }

    fn at_most(&mut self, what: impl Into<String>, figure: f64, bound: f64, unit: &'static str) {
        let verdict = if figure <= bound { Verdict::Pass } else { Verdict::Fail };
        self.limits.push(Limit { what: what.into(), figure, bound, at_least: false, unit, verdict });
    }

    /// The same of a time, which says nothing where the twin's own times are too far apart.
    fn time(&mut self, what: impl Into<String>, figure: f64, bound: f64, unit: &'static str, spread: f64) {
        self.at_most(what, figure, bound, unit);
        if let Some(limit) = self.limits.last_mut().filter(|_| spread > QUIET) {
            limit.verdict = Verdict::Noisy;
        }
    }

    fn start(&mut self, who: &str, ours: &Figures, twin: &Figures, unit: &'static str) {
        let time = ours.start_ms.median / twin.start_ms.median;
        self.time(format!("{who}: time to first /next"), time, 1.1, unit, twin.start_ms.upper / twin.start_ms.lower);
        let instructions = ratio(ours.instructions_tls.start, twin.instructions_tls.start);
        self.at_most(format!("{who}: instructions of a start, with its TLS connection"), instructions, 1.25, unit);
    }

    fn receiver(&mut self) {
        let Some(ours) = self.of("callback-receiver") else { return };
        if let Some(twin) = self.of("receiver-sdk-free") {
            let unit = "× receiver-sdk-free";
            self.start("receiver", ours, twin, unit);
            let warm = ratio(ours.instructions_tls.warm, twin.instructions_tls.warm);
            self.at_most("receiver: instructions of a warm callback", warm, 1.2, unit);
            let memory = ours.peak_memory_bytes.median / twin.peak_memory_bytes.median;
            self.at_most("receiver: peak memory", memory, 1.4, unit);
        }
        self.at_most("receiver: binary", megabytes(ours), 5.0, "MB");
        if let Some(python) = self.of(PYTHON) {
            let memory = ours.peak_memory_bytes.median / python.peak_memory_bytes.median;
            self.at_most("receiver: peak memory", memory, 0.25, "× Python's");
            let figure = python.start_ms.median / ours.start_ms.median;
            let verdict = if figure >= 20.0 { Verdict::Pass } else { Verdict::Fail };
            let what = "receiver: start faster than Python's".to_owned();
            self.limits.push(Limit { what, figure, bound: 20.0, at_least: true, unit: "×", verdict });
        }
    }

    fn keeper(&mut self) {
        let Some(ours) = self.of("token-keeper") else { return };
        if let Some(twin) = self.of("keeper-sdk-free") {
            let unit = "× keeper-sdk-free";
            self.start("keeper", ours, twin, unit);
            // Callgrind's CPU has no instructions for SHA-256, which the SDK's signature is mostly made of: the time counts.
            let instructions = ratio(ours.instructions_tls.warm, twin.instructions_tls.warm);
            self.at_most("keeper: instructions of a warm call, token fresh", instructions, 2.0, unit);
            let (time, spread) = (ours.warm_p50_ms / twin.warm_p50_ms, twin.start_ms.upper / twin.start_ms.lower);
            self.time("keeper: time of a warm call, token fresh", time, 1.5, unit, spread);
        }
        self.at_most("keeper: binary", megabytes(ours), 6.0, "MB");
    }

    /// Up to the first byte of a page, which needs one connection, as the receiver's start does.
    fn connect_link(&mut self) {
        let (Some(ours), Some(twin)) = (self.of("connect-link"), self.of("receiver-sdk-free")) else { return };
        let first_byte = ours.instructions_tls.start + ours.instructions_tls.first;
        let minimum = twin.instructions_tls.start + twin.instructions_tls.first;
        let what = "connect-link: instructions up to the first byte of a page";
        self.at_most(what, ratio(first_byte, minimum), 1.25, "× receiver-sdk-free");
    }

    /// Of a function without a twin the minimum is hello-world, and for each of its connections what the receiver's twin needs
    /// beyond it.
    fn without_twin(&mut self, name: &str, connections: u64, most_megabytes: f64) {
        let Some(ours) = self.of(name) else { return };
        if let (Some(hello), Some(twin)) = (self.of("hello-world"), self.of("receiver-sdk-free")) {
            let of = |figures: &Figures| figures.instructions_tls.start;
            let minimum = of(hello) + connections * of(twin).saturating_sub(of(hello));
            let what = format!("{name}: instructions of a start, with its connections");
            self.at_most(what, ratio(of(ours), minimum), 1.25, "× minimum");
        }
        self.at_most(format!("{name}: binary"), megabytes(ours), most_megabytes, "MB");
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn ratio(count: u64, to: u64) -> f64 {
    count as f64 / to as f64
}

fn megabytes(figures: &Figures) -> f64 {
    figures.binary_bytes.map_or(f64::NAN, |bytes| ratio(bytes, 1_000_000))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.machine)?;
        writeln!(f, "Wall time over TLS: median (interquartile range); × is the ratio to hello-world.")?;
        writeln!(
            f,
            "{:<22}{:>27}{:>15}{:>27}{:>10}{:>8}{:>19}{:>11}",
            "", "start to /next ms", "CPU ms", "first call ms", "warm p50", "p99", "peak memory MB", "binary MB"
        )?;
        let hello = self.programs.first();
        for figures in &self.programs {
            let against = |own: Quartiles, of: fn(&Figures) -> Quartiles| {
                hello.map_or(f64::NAN, |hello| own.median / of(hello).median)
            };
            let start = spread(figures.start_ms, against(figures.start_ms, |hello| hello.start_ms));
            let cpu = figures.start_cpu_ms;
            let cpu = format!("{:.1} {:>5.1} ×", cpu.median, against(cpu, |hello| hello.start_cpu_ms));
            let first = spread(figures.first_ms, against(figures.first_ms, |hello| hello.first_ms));
            let memory = figures.peak_memory_bytes;
            let times = against(memory, |hello| hello.peak_memory_bytes);
            let memory = format!("{:.1} {times:>6.1} ×", memory.median / 1e6);
            let (p50, p99) = (figures.warm_p50_ms, figures.warm_p99_ms);
            let binary = figures.binary_bytes.map_or("–".to_owned(), |_| format!("{:.2}", megabytes(figures)));
            writeln!(
                f,
                "{:<22}{start:>27}{cpu:>15}{first:>27}{p50:>10.2}{p99:>8.2}{memory:>19}{binary:>11}",
                figures.name
            )?;
        }
        writeln!(f, "\nMillions of instructions (callgrind), including those that open connections at the start.")?;
        writeln!(
            f,
            "{:<22}{:>20}{:>10}{:>10}{:>20}{:>10}{:>10}",
            "", "HTTP: start", "first", "warm", "TLS: start", "first", "warm"
        )?;
        for figures in &self.programs {
            write!(f, "{:<22}", figures.name)?;
            for (own, of) in [
                (figures.instructions_plain, hello.map(|hello| hello.instructions_plain)),
                (figures.instructions_tls, hello.map(|hello| hello.instructions_tls)),
            ] {
                let times = of.map_or(f64::NAN, |hello| ratio(own.start, hello.start));
                let [start, first, warm] = [own.start, own.first, own.warm].map(|count| ratio(count, 1_000_000));
                write!(f, "{:>20}{first:>10.2}{warm:>10.2}", format!("{start:.2} {times:>6.1} ×"))?;
            }
            writeln!(f)?;
        }
        if let Some(Batches { one_ms, ten_ms }) = &self.batches {
            let (one, ten) = (one_ms.median, ten_ms.median);
            writeln!(
                f,
                "\nWith Salesforce answering in 300 ms: batch of 1 in {one:.0} ms, batch of 10 in {ten:.0} ms."
            )?;
        }
        writeln!(f)?;
        for Limit { what, figure, bound, at_least, unit, verdict } in &self.limits {
            let (verdict, sign) = (verdict.label(), if *at_least { "≥" } else { "≤" });
            writeln!(f, "{verdict}  {what}: {figure:.2} {unit} (limit {sign} {bound})")?;
        }
        if self.limits.iter().any(|limit| limit.verdict == Verdict::Noisy) {
            writeln!(
                f,
                "NOISY  The quartiles of the twin's start are more than {QUIET} apart: the machine was not quiet, and times say nothing."
            )?;
        }
        Ok(())
    }
}

fn spread(of: Quartiles, times: f64) -> String {
    let Quartiles { lower, median, upper } = of;
    format!("{median:.1} ({lower:.1}–{upper:.1}) {times:>5.1} ×")
}
