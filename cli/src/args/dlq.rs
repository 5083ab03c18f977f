//! Dead letters.

use std::num::NonZeroU32;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::at_least_one;

#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// Count the messages in each queue, and the dead letters by content and reason.
    Stats,
    /// List the dead letters, with masked phone numbers. The queue stays as it is.
    #[command(after_help = "\
While wasf reads the queue, the messages are invisible to other readers. They become visible again when it ends, or a \
minute after it is killed.

A code lives for 14 minutes after its callback. Expired codes are worth redriving too: their people get a message and a \
new link. Sealed tokens do not expire: a redrive stores them at any age. A decision on held tokens \
(ChatProof=Required) says that a chat has sent its code, or had time to: a redrive stores the tokens or revokes them, once.

Examples:
  wasf dlq list
  wasf dlq list --reason misconfigured
  wasf dlq list --queue upkeep
  wasf dlq list --json | jq '[.messages[] | select(.code_alive)] | length'")]
    List {
        #[command(flatten)]
        selection: Selection,
    },
    /// Show one dead letter, without its code or tokens.
    Show {
        /// The id of the message or of its attempt.
        id: String,
        /// In this queue.
        #[arg(long, value_enum, default_value_t, value_name = "QUEUE")]
        queue: QueueArg,
    },
    /// Put dead letters back on the exchange queue, or on the upkeep queue.
    #[command(after_help = "\
Each message is sent to its queue before it is deleted: if wasf is killed, nothing is lost, and a message that \
was sent twice is exchanged once. Upkeep may be redriven at any time, too: what is stale by then changes nothing. Unreadable messages stay, because they would only come back; --reason unreadable \
redrives them all the same.

Examples:
  wasf dlq redrive                                  show what would be redriven
  wasf dlq redrive --confirm                        redrive all readable messages
  wasf dlq redrive --only-alive --rate 20 --confirm redrive unexpired codes, 20 a second
  wasf dlq redrive --queue upkeep --confirm         redrive upkeep
  wasf dlq redrive --native --confirm               start SQS's own redrive and follow it")]
    Redrive {
        #[command(flatten)]
        selection: Selection,
        /// At most this many messages a second.
        #[arg(long, value_name = "N")]
        rate: Option<NonZeroU32>,
        /// Use SQS's own redrive, which moves all messages.
        #[arg(long, conflicts_with_all = ["only_alive", "reason", "max"])]
        native: bool,
        /// Do it; without this flag it is a dry run.
        #[arg(long)]
        confirm: bool,
    },
    /// Delete dead letters. Their people get no further message.
    #[command(after_help = "\
Unexpired codes and sealed tokens are somebody's consent, and tokens to revoke would stay alive: all are kept unless \
--force is given. So are decisions on held tokens: without one the tokens are neither stored nor revoked, the person hears \
nothing, and the sealed tokens stay in the table of pending logins for 30 days.

Examples:
  wasf dlq drop --reason unreadable             show what would be deleted
  wasf dlq drop --reason unreadable --confirm   delete it")]
    Drop {
        #[command(flatten)]
        selection: Selection,
        /// Also delete unexpired codes, sealed tokens, decisions on held tokens, and tokens to revoke.
        #[arg(long)]
        force: bool,
        /// Do it; without this flag it is a dry run.
        #[arg(long)]
        confirm: bool,
    },
}

/// Whose dead letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueueArg {
    /// Consents.
    #[default]
    Exchange,
    /// Refreshed tokens to store, tokens to revoke, pages of the sweep, ends of the time for a chat's code.
    Upkeep,
}

/// Which dead letters are selected.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct Selection {
    /// Of this queue.
    #[arg(long, value_enum, default_value_t, value_name = "QUEUE")]
    pub(crate) queue: QueueArg,
    /// Only unexpired codes.
    #[arg(long)]
    pub(crate) only_alive: bool,
    /// Only those with this reason, as in `wasf dlq list`; `unreadable` selects unreadable messages.
    #[arg(long, value_name = "REASON")]
    pub(crate) reason: Option<String>,
    /// At most this many.
    #[arg(long, value_name = "N", value_parser = at_least_one, allow_negative_numbers = true)]
    pub(crate) max: Option<usize>,
}
