//! Logs: a JSON object a line, to standard output.

use std::fmt;

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    filter::{LevelFilter, filter_fn},
    fmt::{
        FmtContext,
        format::{Format, FormatEvent, FormatFields, Json, Writer},
    },
    layer::{Layer as _, SubscriberExt as _},
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::{SettingError, Settings, metrics};

/// The targets whose events are written. Of the runtime, that is the span around an invocation, which holds the request's
/// id and its trace.
const TARGETS: [&str; 8] = [
    "callback_receiver",
    "connect_link",
    "lambda_runtime::layers::trace",
    "notifier",
    "shared",
    "token_exchanger",
    "token_keeper",
    "token_refresher",
];

/// Starts logging, from the level in `LOG_LEVEL` up; `INFO` where it is not set.
///
/// Only this workspace's own events are written: a dependency's could hold a request. Metrics are written verbatim, at
/// every level.
///
/// # Errors
/// [`SettingError`] where `LOG_LEVEL` is invalid.
pub fn start(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<(), SettingError> {
    let level = settings.parsed_optional::<LevelFilter>("LOG_LEVEL")?.unwrap_or(LevelFilter::INFO);
    let is_written = move |event: &Metadata<'_>| {
        let target = event.target();
        target == metrics::TARGET || (*event.level() <= level && TARGETS.iter().any(|ours| target.starts_with(ours)))
    };
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(true)
        .map_event_format(|json| Lines { json })
        .with_filter(filter_fn(is_written));
    // A second call (tests) keeps the first one's subscriber.
    let _ = tracing_subscriber::registry().with(lines).try_init();
    Ok(())
}

/// Events as JSON objects, but of a metric its message alone, which is a JSON object already.
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

/// The error and its sources. None of ours quotes a secret or a chat's address.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
