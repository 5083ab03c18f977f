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

/// An upper bound of a figure or, with `at_least`, a lower one.
#[derive(Serialize)]
pub(crate) struct Limit {
    what: &'static str,
    figure: f64,
    bound: f64,
    at_least: bool,
    unit: &'static str,
    pub(crate) holds: bool,
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

/// The limits on what was measured.
fn limits(programs: &[Figures], batches: Option<&Batches>) -> Vec<Limit> {
    let of = |name: &str| programs.iter().find(|figures| figures.name == name);
    let mut limits = Vec::new();
    let mut at_most = |what, figure: f64, bound, unit| {
        limits.push(Limit { what, figure, bound, at_least: false, unit, holds: figure <= bound });
    };
    if let (Some(hello), Some(ours)) = (of("hello-world"), of("callback-receiver")) {
        let start = ratio(ours.instructions_tls.start, hello.instructions_tls.start);
        at_most("receiver: instructions of a start, with its TLS connection to SQS", start, 12.0, "× hello-world");
        at_most("receiver: time to first /next", start_ratio(ours, hello), 2.0, "× hello-world");
        at_most("receiver: binary", megabytes(ours), 5.0, "MB");
        let memory = ours.peak_memory_bytes.median / hello.peak_memory_bytes.median;
        at_most("receiver: peak memory", memory, 2.5, "× hello-world");
        if let Some(limit) = of("receiver-sdk-free") {
            let warm = ratio(ours.instructions_tls.warm, limit.instructions_tls.warm);
            at_most("receiver: instructions of a warm call", warm, 1.5, "× receiver-sdk-free");
        }
    }
    for (name, start, binary) in [
        ("token-exchanger", "exchanger: time to first /next", "exchanger: binary"),
        ("notifier", "notifier: time to first /next", "notifier: binary"),
    ] {
        if let (Some(hello), Some(ours)) = (of("hello-world"), of(name)) {
            at_most(start, start_ratio(ours, hello), 3.0, "× hello-world");
            at_most(binary, megabytes(ours), 9.0, "MB");
        }
    }
    for (name, start, binary) in [
        ("token-keeper", "keeper: time to first /next", "keeper: binary"),
        ("token-refresher", "refresher: time to first /next", "refresher: binary"),
    ] {
        if let (Some(hello), Some(ours)) = (of("hello-world"), of(name)) {
            at_most(start, start_ratio(ours, hello), 3.0, "× hello-world");
            at_most(binary, megabytes(ours), 6.0, "MB");
        }
    }
    if let (Some(ours), Some(limit)) = (of("token-keeper"), of("keeper-sdk-free")) {
        // Callgrind's CPU has no instructions for SHA-256, which the SDK's signature is mostly made of: the time counts.
        let instructions = ratio(ours.instructions_tls.warm, limit.instructions_tls.warm);
        at_most("keeper: instructions of a warm call, token fresh", instructions, 2.0, "× keeper-sdk-free");
        let time = ours.warm_p50_ms / limit.warm_p50_ms;
        at_most("keeper: time of a warm call, token fresh", time, 1.5, "× keeper-sdk-free");
    }
    if let Some(Batches { one_ms, ten_ms }) = batches {
        let ten = ten_ms.median / one_ms.median;
        at_most("exchanger: batch of 10, Salesforce answering in 300 ms", ten, 1.3, "× batch of 1");
    }
    if let (Some(python), Some(ours)) = (of(PYTHON), of("callback-receiver")) {
        let memory = ours.peak_memory_bytes.median / python.peak_memory_bytes.median;
        at_most("receiver: peak memory", memory, 0.25, "× Python's");
        let (what, figure) = ("receiver: start faster than Python's", python.start_ms.median / ours.start_ms.median);
        limits.push(Limit { what, figure, bound: 20.0, at_least: true, unit: "×", holds: figure >= 20.0 });
    }
    limits
}

fn start_ratio(ours: &Figures, hello: &Figures) -> f64 {
    ours.start_ms.median / hello.start_ms.median
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
        for Limit { what, figure, bound, at_least, unit, holds } in &self.limits {
            let (verdict, sign) = (if *holds { "PASS" } else { "FAIL" }, if *at_least { "≥" } else { "≤" });
            writeln!(f, "{verdict}  {what}: {figure:.2} {unit} (limit {sign} {bound})")?;
        }
        Ok(())
    }
}

fn spread(of: Quartiles, times: f64) -> String {
    let Quartiles { lower, median, upper } = of;
    format!("{median:.1} ({lower:.1}–{upper:.1}) {times:>5.1} ×")
}
