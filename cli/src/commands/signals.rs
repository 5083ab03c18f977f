//! The signals that end a command early.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal as Interrupt, Signal as Terminate, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlBreak as Terminate, CtrlC as Interrupt, ctrl_break, ctrl_c};

use crate::error::Error;

/// SIGINT and SIGTERM, on Windows Ctrl-C and Ctrl-Break. Before it stops, wasf returns what it holds, or finishes a line.
pub(crate) struct StopSignals {
    interrupt: Interrupt,
    terminate: Terminate,
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
    listen().map_err(|error| Error::failed("listen for signals", error.to_string()))
}

#[cfg(unix)]
fn listen() -> io::Result<StopSignals> {
    Ok(StopSignals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
}

#[cfg(windows)]
fn listen() -> io::Result<StopSignals> {
    Ok(StopSignals { interrupt: ctrl_c()?, terminate: ctrl_break()? })
}

pub(super) fn interrupted() -> Error {
    Error::failed("finish", "interrupted; the remaining messages are back in the queue")
}
