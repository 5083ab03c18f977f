//! Logs.

use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use shared::AttemptId;

use super::{at_least_one, when::duration};

/// Which lines are shown.
#[derive(Debug, ClapArgs)]
pub(crate) struct LogsArgs {
    /// Only lines with the id of this attempt, or of this link.
    #[arg(value_name = "ATTEMPT")]
    pub(crate) id: Option<AttemptId>,
    /// Only lines of this time: 90s, 15m, 2h, 7d [default: 15m; with --follow 1m; of an attempt, all].
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    pub(crate) since: Option<Duration>,
    /// Only the lines of this function; may be given more than once.
    #[arg(long, value_name = "NAME")]
    pub(crate) function: Vec<FunctionArg>,
    /// Show at most this many, the latest.
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = at_least_one, allow_negative_numbers = true, conflicts_with = "follow")]
    pub(crate) limit: usize,
    /// Go on with new lines as they come, until Ctrl-C; with --json, one object a line.
    #[arg(long, short)]
    pub(crate) follow: bool,
}

/// A function of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FunctionArg {
    ConnectLink,
    CallbackReceiver,
    TokenExchanger,
    Notifier,
    TokenKeeper,
    TokenRefresher,
}

impl FunctionArg {
    /// Every function, in the order of a login's way through them; then those that keep its connection.
    pub(crate) const ALL: [Self; 6] = [
        Self::ConnectLink,
        Self::CallbackReceiver,
        Self::TokenExchanger,
        Self::Notifier,
        Self::TokenKeeper,
        Self::TokenRefresher,
    ];
}
