//! The edge of a process: the one place that reads the clock, the environment and the system's
//! randomness. Only a `main.rs` calls it; everything else takes these as arguments.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ring::rand::{SecureRandom, SystemRandom};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    filter::LevelFilter,
    fmt::{
        FmtContext,
        format::{Format, FormatEvent, FormatFields, Json, Writer},
    },
    registry::LookupSpan,
};

use crate::{SettingError, Settings, Timestamp, metrics, timestamp::millis};

/// Now, by the system's clock; read anew at every call.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the edge that main.rs uses")]
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(millis(since_epoch))
}

/// The process's environment.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the edge that main.rs uses")]
pub fn environment() -> Settings<impl Fn(&str) -> Option<String>> {
    Settings::new(|name| std::env::var(name).ok())
}

/// The system's source of random bytes did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct NoRandomness;

/// Where random bytes come from: [`random`] in `main.rs`, a counter in tests.
pub type Random = fn(&mut [u8]) -> Result<(), NoRandomness>;

/// Fills the buffer with bytes fit for secrets.
///
/// # Errors
/// [`NoRandomness`].
#[expect(clippy::disallowed_methods, reason = "this is the edge that main.rs uses")]
pub fn random(buffer: &mut [u8]) -> Result<(), NoRandomness> {
    SystemRandom::new().fill(buffer).map_err(|_| NoRandomness)
}

/// Begins to log: a JSON object a line, to standard output, from the level in `LOG_LEVEL` up.
///
/// Only this workspace's own events are shown: a dependency's could hold a request. Measurements are printed as they
/// are, at every level.
///
/// # Errors
/// [`SettingError`] for a level that is none.
pub fn start_logging(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<(), SettingError> {
    use tracing_subscriber::{Layer as _, filter::filter_fn, layer::SubscriberExt as _, util::SubscriberInitExt as _};

    let level = settings.parsed_optional::<LevelFilter>("LOG_LEVEL")?.unwrap_or(LevelFilter::INFO);
    let is_shown = move |event: &Metadata<'_>| {
        let target = event.target();
        target == metrics::TARGET || (*event.level() <= level && OURS.iter().any(|name| target.starts_with(name)))
    };
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(true)
        .map_event_format(|json| Lines { json })
        .with_filter(filter_fn(is_shown));
    // A second call (tests) keeps the first one's subscriber.
    let _ = tracing_subscriber::registry().with(lines).try_init();
    Ok(())
}

/// Events as JSON; of a measurement, its message and nothing around it.
struct Lines {
    json: Format<Json>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if event.metadata().target() != metrics::TARGET {
            return self.json.format_event(context, writer, event);
        }
        let mut message = Message { writer: writer.by_ref(), written: Ok(()) };
        event.record(&mut message);
        message.written?;
        writeln!(writer)
    }
}

struct Message<'a> {
    writer: Writer<'a>,
    written: fmt::Result,
}

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.written = write!(self.writer, "{value:?}");
        }
    }
}

/// Whose events are shown; of the runtime only its span around an invocation, which names the request and its trace.
const OURS: [&str; 6] =
    ["callback_receiver", "connect_link", "lambda_runtime::layers::trace", "notifier", "shared", "token_exchanger"];
