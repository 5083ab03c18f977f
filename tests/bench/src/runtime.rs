//! One execution environment: the Runtime API, and the function's process.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use hyper::{Method, Request, body::Bytes};
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    sync::{
        Mutex,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    time::timeout,
};

use crate::{
    Failed, cores,
    server::{self, Answer, Server},
};

/// Longer than anything that is measured takes, even Python under valgrind.
const TIMEOUT: Duration = Duration::from_mins(5);
/// About the functions' time-outs in the template.
const FUNCTION_TIMEOUT_MS: u128 = 30_000;

/// A request of the function to the Runtime API.
enum Step {
    /// For the next event.
    Next(Instant),
    /// With the response to an event. It is accepted when this is sent.
    Responded(Instant, Bytes, oneshot::Sender<()>),
    /// With an error of an invocation or of the start.
    Failed(Bytes),
}

pub(crate) struct Start<'a> {
    pub(crate) command: &'a [OsString],
    pub(crate) environment: &'a [(String, String)],
    pub(crate) log: &'a Path,
}

/// A running function that waits for an event.
pub(crate) struct Function {
    child: Child,
    steps: UnboundedReceiver<Step>,
    events: UnboundedSender<Bytes>,
    log: PathBuf,
    /// Whether callgrind writes what it counted at each response, before the function goes on.
    pub(crate) counts_to_response: bool,
    _api: Server,
}

impl Function {
    /// Starts it, and waits for its first `/next`. Returns the time between the two.
    pub(crate) async fn start(start: &Start<'_>) -> Result<(Self, Duration), Failed> {
        let (step, steps) = unbounded_channel();
        let (events, waiting) = unbounded_channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let api = Server::start(None, move |request| route(request, step.clone(), Arc::clone(&waiting))).await?;
        let log = File::create(start.log)?;
        let (program, arguments) = start.command.split_first().ok_or("no command")?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(start.environment.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{}", api.port))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        let began = Instant::now();
        let child = cores::on_the_functions_core(|| command.spawn())?
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut function =
            Self { child, steps, events, log: start.log.to_owned(), counts_to_response: false, _api: api };
        let ready = function.ready().await?;
        Ok((function, ready - began))
    }

    /// Waits until it requests the next event.
    async fn ready(&mut self) -> Result<Instant, Failed> {
        match self.step().await? {
            Step::Next(when) => Ok(when),
            _ => Err(self.failed("it responded before it had an event")),
        }
    }

    async fn step(&mut self) -> Result<Step, Failed> {
        tokio::select! {
            step = timeout(TIMEOUT, self.steps.recv()) => match step {
                Ok(Some(Step::Failed(body))) => Err(self.failed(&String::from_utf8_lossy(&body))),
                Ok(Some(step)) => Ok(step),
                _ => Err(self.failed("it made no request to the Runtime API in time")),
            },
            ended = self.child.wait() => Err(self.failed(&format!("it exited: {ended:?}"))),
        }
    }

    fn failed(&self, why: &str) -> Failed {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        format!("{why}\n{}:\n{log}", self.log.display()).into()
    }

    /// One invocation: its response, and the time from handing out the event to receiving the response. Returns when
    /// the function requests the next event.
    pub(crate) async fn invoke(&mut self, event: &Value) -> Result<(Value, Duration), Failed> {
        let event = Bytes::from(event.to_string());
        let began = Instant::now();
        self.events.send(event)?;
        let Step::Responded(when, body, accept) = self.step().await? else {
            return Err(self.failed("it requested an event before it responded"));
        };
        if self.counts_to_response {
            self.dump_counts().await?;
        }
        let _ = accept.send(());
        self.ready().await?;
        Ok((serde_json::from_slice(&body)?, when - began))
    }

    /// Its peak resident memory in bytes (`VmHWM`).
    pub(crate) fn peak_memory(&self) -> Result<u64, Failed> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id().ok_or("it has exited")?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    /// The CPU time of all its threads so far. Lambda's share of a core stretches it.
    pub(crate) fn cpu_time(&self) -> Result<Duration, Failed> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id().ok_or("it has exited")?))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Makes callgrind, under which it runs, write what it counted since the last dump, and reset its counts
    /// (<https://valgrind.org/docs/manual/cl-manual.html#cl-manual.monitor>).
    pub(crate) async fn dump_counts(&self) -> Result<(), Failed> {
        let id = self.child.id().ok_or("it has exited")?;
        let vgdb = Command::new("vgdb").arg(format!("--pid={id}")).arg("dump").output().await?;
        if !vgdb.status.success() {
            return Err(self.failed(&format!("vgdb: {}", String::from_utf8_lossy(&vgdb.stderr))));
        }
        Ok(())
    }

    /// Terminates it by a signal, as Lambda does.
    pub(crate) async fn end(mut self) -> Result<(), Failed> {
        let id = self.child.id().ok_or("it has exited")?;
        Command::new("kill").arg(id.to_string()).status().await?;
        timeout(TIMEOUT, self.child.wait()).await??;
        Ok(())
    }
}

async fn route(
    request: Request<Bytes>,
    step: UnboundedSender<Step>,
    waiting: Arc<Mutex<UnboundedReceiver<Bytes>>>,
) -> Answer {
    let path = request.uri().path().to_owned();
    let said = match (request.method(), path.rsplit('/').next()) {
        (&Method::GET, Some("next")) => {
            let _ = step.send(Step::Next(Instant::now()));
            return match waiting.lock().await.recv().await {
                Some(event) => invocation(event),
                None => server::json(500, ""),
            };
        }
        (&Method::POST, Some("response")) => {
            let (accept, accepted) = oneshot::channel();
            let _ = step.send(Step::Responded(Instant::now(), request.into_body(), accept));
            let _ = accepted.await;
            return server::json(202, "{}");
        }
        _ => Step::Failed(request.into_body()),
    };
    let _ = step.send(said);
    server::json(202, "{}")
}

fn invocation(event: Bytes) -> Answer {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut answer = server::json(200, event);
    for (name, value) in [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
        ("lambda-runtime-deadline-ms", (now + FUNCTION_TIMEOUT_MS).to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:111122223333:function:bench".to_owned()),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0".to_owned(),
        ),
    ] {
        if let Ok(value) = value.parse() {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}
