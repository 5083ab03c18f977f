//! The signals that end a command early.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Error;

/// SIGINT and SIGTERM. Before it stops, wasf returns what it holds, or finishes a line.
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
}

pub(crate) fn stop_signals() -> Result<StopSignals, Error> {
    let listen = |kind| signal(kind).map_err(|error| Error::failed("listen for signals", error.to_string()));
    Ok(StopSignals { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
}

pub(super) fn interrupted() -> Error {
    Error::failed("finish", "interrupted; the remaining messages are back in the queue")
}
