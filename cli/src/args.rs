//! The command line.

mod chat;
mod dlq;
mod init;
mod logs;
mod records;
mod typed;
mod when;

use std::{path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, Parser, Subcommand};
use clap_complete::Shell;
use shared::LoginUrl;

use self::{
    typed::{at_least_one, not_empty, stack_name},
    when::duration,
};
use crate::samconfig::DEFAULT_ENVIRONMENT;

pub(crate) use self::{
    chat::{Chat, InvalidChat},
    dlq::{DlqCommand, QueueArg, Selection},
    init::{InitArgs, ProviderArg},
    logs::{FunctionArg, LogsArgs},
    records::{
        Again, AttemptCommand, AttemptList, ConnectionCommand, ConnectionStatus, EventsCommand, Part, PersonCommand,
        StatusArg,
    },
    typed::{quotable, unquoted},
    when::When,
};

const EXAMPLES: &str = "\
Exit codes: 0 done, 1 failed, 2 usage, 3 nothing matched, 4 done in part, 141 output not read to its end.

Credentials, region and endpoints come from the environment and the AWS configuration files, as with the AWS CLI. \
HTTPS_PROXY, HTTP_PROXY and NO_PROXY apply, and AWS_CA_BUNDLE; ALL_PROXY does not.

Examples:
  wasf doctor                          check the deployed stack
  wasf link whatsapp:+15551234567      make a link for a chat
  wasf dlq list                        list the dead letters with their reasons
  wasf dlq redrive --confirm           put them back on the exchange queue
  wasf --local attempt list            list attempts on the local cloud
  wasf dlq list --json | jq '.messages[] | select(.code_alive)'
  wasf mcp                             let an assistant look, by the Model Context Protocol";

/// The heading of the options that every command takes.
const GLOBAL: &str = "Global options";

/// Operates the WhatsApp → Salesforce connect pipeline.
#[derive(Debug, Parser)]
#[command(name = "wasf", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Args {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Print JSON.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which stack, and where.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct TargetArgs {
    /// The environment in samconfig.toml, as in `sam --config-env`: stack, region and profile [default: default].
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "NAME", value_parser = not_empty)]
    pub(crate) config_env: Option<String>,
    /// The stack [default: the one in samconfig.toml, in this folder or one above it].
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "NAME", env = "WASF_STACK_NAME", value_parser = stack_name)]
    pub(crate) stack_name: Option<String>,
    /// The region [default: that of samconfig.toml, the environment or the profile].
    #[arg(long, global = true, help_heading = GLOBAL, value_parser = not_empty)]
    pub(crate) region: Option<String>,
    /// The profile in the AWS configuration files [default: that of samconfig.toml].
    #[arg(long, global = true, help_heading = GLOBAL, conflicts_with = "local", value_parser = not_empty)]
    pub(crate) profile: Option<String>,
    /// Use the local cloud that `make up` started.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) local: bool,
    /// The local cloud's state file.
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE", env = "LOCAL_CLOUD_STATE", hide = true)]
    pub(crate) local_state: Option<PathBuf>,
}

impl TargetArgs {
    /// The environment of `samconfig.toml` that is read and written.
    pub(crate) fn environment(&self) -> &str {
        self.config_env.as_deref().unwrap_or(DEFAULT_ENVIRONMENT)
    }

    /// The flags that lead another command to the same stack, as a shell reads them; empty where there are none.
    pub(crate) fn flags(&self) -> String {
        let named = [
            ("--config-env", &self.config_env),
            ("--stack-name", &self.stack_name),
            ("--region", &self.region),
            ("--profile", &self.profile),
        ];
        let given = named.into_iter().filter_map(|(flag, value)| Some([flag, value.as_deref()?]));
        let words = self.local.then_some("--local").into_iter().chain(given.flatten());
        // Only a zero byte cannot be quoted, and no argument has one.
        shlex::try_join(words).unwrap_or_default()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a link that connects a chat.
    #[command(after_help = "\
Examples:
  wasf link whatsapp:+15551234567
  wasf link whatsapp:US.ABC123XYZ --login-url https://test.salesforce.com

Needs the permission execute-api:Invoke on POST /links; where a number is given alone, also to read the tables, which know the \
bot's spelling. Whoever opens the link connects their Salesforce account to this chat.")]
    Link(LinkArgs),
    /// Show attempts to connect.
    #[command(subcommand)]
    Attempt(AttemptCommand),
    /// List, check, refresh or revoke connections.
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// Show or erase what the stack knows of one person.
    #[command(subcommand)]
    Person(PersonCommand),
    /// List, redrive or drop dead letters: consents that were not exchanged in time, and upkeep that was given up.
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Redeliver outcomes that the person or the bot was not notified of.
    #[command(subcommand)]
    Events(EventsCommand),
    /// Check the deployed stack, with a remedy for each problem.
    #[command(after_help = "\
Exits with 0 if there are no problems, else with 1. Changes nothing and notifies nobody: the webhook gets an empty \
request that no bot takes for an event, and of WhatsApp's provider only the account is read.

Examples:
  wasf doctor
  wasf doctor --json | jq '.findings[] | select(.level == \"wrong\")'")]
    Doctor,
    /// List the alarms that are firing, with the command to begin with.
    #[command(after_help = "\
What an alarm means stands in docs/RUNBOOK.md, under the section that is named. Exits with 3 if none is firing. Needs the \
permission cloudwatch:DescribeAlarms.

Examples:
  wasf alarms
  wasf alarms --all
  wasf alarms --json | jq -r '.alarms[].command'")]
    Alarms {
        /// Also those that are not firing.
        #[arg(long)]
        all: bool,
    },
    /// Count links, logins, connections and failures by reason, with the times that they took.
    #[command(after_help = "\
The numbers are CloudWatch's, which has them within a minute or two, for 455 days; no table is read. It counts whole \
minutes, beyond 15 days five, and beyond 63 days whole hours. Needs the permission \
cloudwatch:GetMetricData.

Examples:
  wasf stats
  wasf stats --since 7d --json | jq .failed_by_reason")]
    Stats {
        /// Within this time: 90s, 15m, 2h, 7d.
        #[arg(long, default_value = "24h", value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
        since: Duration,
    },
    /// Show the log lines of all functions in order of time, or those of one attempt.
    #[command(after_help = "\
Metrics, and what Lambda says of each invocation, are left out. What looks like a token or a phone number is hidden. The \
lines of an attempt are found by its row, however old it is. The id of a link is taken too; its lines are looked for in the \
last 24 hours, or as far back as --since says. CloudWatch has a line some seconds after it was written, and for 30 days. \
Needs the permission logs:FilterLogEvents.

Examples:
  wasf logs 0123456789abcdef0123456789abcdef
  wasf logs --follow
  wasf logs --since 1h --function token-exchanger
  wasf logs --since 1h --json | jq '.lines[] | select(.level == \"ERROR\")'")]
    Logs(LogsArgs),
    /// Replace one secret of the stack.
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Prepare a deployment: store its secrets and parameters.
    #[command(after_help = init::HELP)]
    Init(Box<InitArgs>),
    /// Delete the stack. Tables, their keys and secrets stay.
    #[command(after_help = "\
Shows what would be deleted, and what stays, why, and how to take it away. Deletes nothing while messages wait in the queues, because they \
may be somebody's consent, unless --force is given.

To deploy again, run wasf init --confirm, then deploy as before: the tables are used as they are.

Examples:
  wasf destroy             show what would be deleted
  wasf destroy --confirm   delete it")]
    Destroy {
        /// Also while messages wait in the queues.
        #[arg(long)]
        force: bool,
        /// Do it; without this flag it is a dry run.
        #[arg(long)]
        confirm: bool,
    },
    /// Let an assistant look at the stack: an MCP server on standard input and output. Changes nothing.
    #[command(after_help = "\
The tools are the commands that change nothing, and the dry runs of the others; there is no way to confirm one. Chats and \
usernames are masked in their answers. Options such as --stack-name, --profile and --local hold for all tools. The server \
ends with its input.

Example, in an MCP client's settings:
  {\"mcpServers\": {\"wasf\": {\"command\": \"wasf\", \"args\": [\"--stack-name\", \"connect\", \"mcp\"]}}}")]
    Mcp,
    /// Print a shell's completion script.
    #[command(after_help = "\
Examples:
  wasf completions bash > ~/.local/share/bash-completion/completions/wasf
  wasf completions zsh  > ~/.zfunc/_wasf
  wasf completions fish > ~/.config/fish/completions/wasf.fish")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

impl Command {
    /// Whether it changes something, or says what it would change: then it names account, region and stack first.
    pub(crate) const fn changes_something(&self) -> bool {
        match self {
            Self::Alarms { .. }
            | Self::Attempt(_)
            | Self::Stats { .. }
            | Self::Logs(_)
            | Self::Doctor
            | Self::Completions { .. }
            | Self::Mcp
            | Self::Link(_) => false,
            Self::Connection(command) => {
                matches!(command, ConnectionCommand::Refresh { .. } | ConnectionCommand::Revoke { .. })
            }
            Self::Person(command) => matches!(command, PersonCommand::Erase { .. }),
            Self::Dlq(command) => matches!(command, DlqCommand::Redrive { .. } | DlqCommand::Drop { .. }),
            Self::Destroy { .. } | Self::Events(_) | Self::Init(_) | Self::Secret(_) => true,
        }
    }

    /// Whether it changes nothing, with the arguments that it has.
    pub(crate) const fn is_read_only(&self) -> bool {
        match self {
            Self::Alarms { .. } | Self::Attempt(_) | Self::Stats { .. } | Self::Logs(_) | Self::Doctor => true,
            Self::Connection(command) => !matches!(
                command,
                ConnectionCommand::Refresh { confirm: true, .. } | ConnectionCommand::Revoke { confirm: true, .. }
            ),
            Self::Person(command) => !matches!(command, PersonCommand::Erase { confirm: true, .. }),
            Self::Dlq(command) => {
                !matches!(command, DlqCommand::Redrive { confirm: true, .. } | DlqCommand::Drop { confirm: true, .. })
            }
            Self::Events(command) => matches!(
                command,
                EventsCommand::Redeliver { confirm: false, .. } | EventsCommand::Redrive { confirm: false, .. }
            ),
            Self::Link(_)
            | Self::Secret(_)
            | Self::Init(_)
            | Self::Destroy { .. }
            | Self::Completions { .. }
            | Self::Mcp => false,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LinkArgs {
    /// The chat: its address as the bot uses it, whatsapp:+15551234567; its phone number, where the stack knows it; or - for
    /// standard input.
    pub(crate) chat: Chat,
    /// The login host [default: the first of the stack's `LoginUrls`].
    #[arg(long, value_name = "URL")]
    pub(crate) login_url: Option<LoginUrl>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Replace the value of this secret, and of no other.
    #[command(after_help = "\
The value is typed without echo, or read from standard input: it is never an argument, because other users of this \
machine can see those in the process list. Quotes, white space and a key/value form around it are removed; what no \
function could use is refused. The functions read a refused secret again at once, and every secret within five minutes.

WhatsApp's secret is the provider's JSON; on a terminal wasf asks for its parts.

Examples:
  wasf secret set sf_client_secret             show what would be replaced
  wasf secret set sf_client_secret --confirm   ask for the value, and replace it
  pass show salesforce | wasf secret set sf_client_secret --confirm")]
    Set {
        /// The secret's name in Secrets Manager, as `wasf doctor` shows it.
        name: String,
        /// Do it; without this flag it is a dry run.
        #[arg(long)]
        confirm: bool,
    },
}

#[cfg(test)]
mod tests;
