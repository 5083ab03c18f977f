//! The command line.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use humantime::parse_duration;
use shared::{AttemptId, LoginUrl, WaId};

const EXAMPLES: &str = "\
Exit codes: 0 done, 1 failed, 2 usage, 3 nothing matched, 4 done in part.

Examples:
  wasf doctor                          check the deployed stack
  wasf link whatsapp:+15551234567      make a link for a chat
  wasf dlq list                        list the dead letters with their reasons
  wasf dlq redrive --confirm           put them back on the exchange queue
  wasf --local attempt list            list attempts on the local cloud
  wasf dlq list --json | jq '.messages[] | select(.code_alive)'";

const INIT_HELP: &str = "\
Run it in the checkout. Every answer can be given by a flag or its environment variable; wasf asks for the rest, and \
on a terminal again for what is invalid. Secrets are typed without echo, or given in WASF_CONSUMER_KEY, \
WASF_CONSUMER_SECRET and WASF_WHATSAPP_TOKEN: other users of this machine can see flags in the process list. A webhook \
URL that holds a secret belongs into WASF_BOT_WEBHOOK_URL for the same reason.

Existing secrets keep their values; --replace replaces what was typed, and `wasf secret set` one secret alone.

Examples:
  wasf init                    show what would be done
  wasf init --confirm          ask for what is missing, and do it
  WASF_CONSUMER_KEY=… WASF_CONSUMER_SECRET=… WASF_WHATSAPP_TOKEN=… wasf init --no-input --confirm \\
    --whatsapp-provider Twilio --whatsapp-account AC… --whatsapp-sender whatsapp:+14155238886 \\
    --bot-webhook-url https://bot.example.com/events --bot-phone-number +14155238886 --alarm-email ops@example.com";

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
    /// The stack [default: the one in samconfig.toml, in this folder or one above it].
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "NAME", env = "WASF_STACK_NAME")]
    pub(crate) stack_name: Option<String>,
    /// The region [default: that of the profile or the environment].
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) region: Option<String>,
    /// The profile in the AWS configuration files.
    #[arg(long, global = true, help_heading = GLOBAL, conflicts_with = "local")]
    pub(crate) profile: Option<String>,
    /// Use the local cloud that `make up` started.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) local: bool,
    /// The local cloud's state file.
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE", env = "LOCAL_CLOUD_STATE", hide = true)]
    pub(crate) local_state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a link that connects a chat.
    #[command(after_help = "\
Examples:
  wasf link whatsapp:+15551234567
  wasf link whatsapp:US.ABC123XYZ --login-url https://test.salesforce.com

Needs the permission execute-api:Invoke on POST /links. Whoever opens the link connects their Salesforce account to \
this chat.")]
    Link(LinkArgs),
    /// Show attempts to connect.
    #[command(subcommand)]
    Attempt(AttemptCommand),
    /// Show or revoke connections.
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// List, redrive or drop dead letters: consents that were not exchanged in time.
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
    /// Replace one secret of the stack.
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Prepare a deployment: store its secrets and parameters.
    #[command(after_help = INIT_HELP)]
    Init(Box<InitArgs>),
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
            Self::Attempt(_) | Self::Doctor | Self::Completions { .. } | Self::Link(_) => false,
            Self::Connection(command) => matches!(command, ConnectionCommand::Revoke { .. }),
            Self::Dlq(command) => matches!(command, DlqCommand::Redrive { .. } | DlqCommand::Drop { .. }),
            Self::Events(EventsCommand::Redeliver { .. }) | Self::Init(_) | Self::Secret(_) => true,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LinkArgs {
    /// The chat's address, exactly as the bot uses it: whatsapp:+15551234567.
    pub(crate) wa_id: WaId,
    /// The login host [default: the first of the stack's `LoginUrls`].
    #[arg(long, value_name = "URL")]
    pub(crate) login_url: Option<LoginUrl>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AttemptCommand {
    /// Show one attempt: its timeline and its chat, unmasked.
    #[command(after_help = "Example: wasf attempt show 0123456789abcdef0123456789abcdef")]
    Show {
        /// The attempt's id, as in logs, events and responses of POST /links.
        attempt_id: AttemptId,
    },
    /// List attempts, the latest first, with masked phone numbers.
    #[command(after_help = "\
Scans the whole table, which has no index by time, and so costs read capacity: a million attempts take about a minute.

Examples:
  wasf attempt list
  wasf attempt list --status failed --since 1d
  wasf attempt list --status exchanging --json | jq '.attempts[].attempt_id'")]
    List {
        /// Only attempts with this status.
        #[arg(long)]
        status: Option<StatusArg>,
        /// Only what was updated within this time: 90s, 15m, 2h, 7d.
        #[arg(long, default_value = "2h", value_name = "DURATION", value_parser = parse_duration)]
        since: Duration,
        /// Show at most this many.
        #[arg(long, default_value_t = 100)]
        max: usize,
    },
}

/// An attempt's status, as it is stored.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StatusArg {
    Exchanging,
    Connected,
    Failed,
    Delayed,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// Show which Salesforce user a chat is connected to. Tokens are neither shown nor read.
    #[command(after_help = "Example: wasf connection show whatsapp:+15551234567")]
    Show {
        /// The chat's address, exactly as the bot uses it.
        wa_id: WaId,
    },
    /// End a connection: revoke its tokens at Salesforce, delete them, and send the bot `connection.revoked`.
    #[command(after_help = "\
Changes nothing while Salesforce is unreachable: run it again then. Tokens that are renewed at the same time are revoked \
too, and links from before connect no more; a new link does. The row stays, as that of a connection that has ended. Run \
again, it notifies the bot again, with the same id.

Examples:
  wasf connection revoke whatsapp:+15551234567             show what would be done
  wasf connection revoke whatsapp:+15551234567 --confirm   do it")]
    Revoke {
        /// The chat's address, exactly as the bot uses it.
        wa_id: WaId,
        /// Do it; without this flag it is a dry run.
        #[arg(long)]
        confirm: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// Count the messages in each queue, and the dead letters by content and reason.
    Stats,
    /// List the dead letters, with masked phone numbers. The queue stays as it is.
    #[command(after_help = "\
While wasf reads the queue, the messages are invisible to other readers. They become visible again when it ends, or a \
minute after it is killed.

A code lives for 14 minutes after its callback. Expired codes are worth redriving too: their people get a message and a \
new link. Sealed tokens do not expire: a redrive stores them at any age.

Examples:
  wasf dlq list
  wasf dlq list --reason misconfigured
  wasf dlq list --json | jq '[.messages[] | select(.code_alive)] | length'")]
    List {
        #[command(flatten)]
        selection: Selection,
    },
    /// Show one dead letter, without its code or tokens.
    Show {
        /// The id of the message or of its attempt.
        id: String,
    },
    /// Put dead letters back on the exchange queue.
    #[command(after_help = "\
Each message is sent to the exchange queue before it is deleted: if wasf is killed, nothing is lost, and a message that \
was sent twice is exchanged once. Unreadable messages stay, because they would only come back; --reason unreadable \
redrives them all the same.

Examples:
  wasf dlq redrive                                  show what would be redriven
  wasf dlq redrive --confirm                        redrive all readable messages
  wasf dlq redrive --only-alive --rate 20 --confirm redrive unexpired codes, 20 a second
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
--force is given.

Examples:
  wasf dlq drop --reason unreadable             show what would be deleted
  wasf dlq drop --reason unreadable --confirm   delete it")]
    Drop {
        #[command(flatten)]
        selection: Selection,
        /// Also delete unexpired codes, sealed tokens and tokens to revoke.
        #[arg(long)]
        force: bool,
        /// Do it; without this flag it is a dry run.
        #[arg(long)]
        confirm: bool,
    },
}

/// Which dead letters are selected.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct Selection {
    /// Only unexpired codes.
    #[arg(long)]
    pub(crate) only_alive: bool,
    /// Only those with this reason, as in `wasf dlq list`; `unreadable` selects unreadable messages.
    #[arg(long, value_name = "REASON")]
    pub(crate) reason: Option<String>,
    /// At most this many.
    #[arg(long, value_name = "N")]
    pub(crate) max: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Put outcomes with an incomplete notification on the stream again.
    #[command(after_help = "\
Updates redelivered_at of outcomes that have no notified_at, which puts them on the table's stream again; the notifier \
resumes where it stopped. Nobody is notified twice, and an event keeps its webhook-id.

With --attempt, the notification may be complete: then notified_at is removed. With --again, the person or the bot is \
notified once more, which they may notice.

Examples:
  wasf events redeliver --since 1d               show what would be done
  wasf events redeliver --since 1d --confirm     do it
  wasf events redeliver --attempt 0123456789abcdef0123456789abcdef --again bot --confirm")]
    Redeliver {
        /// Only what was updated within this time: 90s, 15m, 2h, 7d.
        #[arg(long, default_value = "2h", value_name = "DURATION", value_parser = parse_duration)]
        since: Duration,
        /// Only this attempt.
        #[arg(long, value_name = "ID", conflicts_with = "since")]
        attempt: Option<AttemptId>,
        /// Notify them even if they were notified before.
        #[arg(long, value_name = "WHO", requires = "attempt")]
        again: Vec<Again>,
        /// Do it; without this flag it is a dry run.
        #[arg(long)]
        confirm: bool,
    },
}

/// Who is notified again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Again {
    Person,
    Bot,
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

/// The answers of `wasf init`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct InitArgs {
    /// The provider of WhatsApp messages.
    #[arg(long, value_name = "NAME", env = "WASF_WHATSAPP_PROVIDER")]
    pub(crate) whatsapp_provider: Option<String>,
    /// Twilio's account SID, AC…, or Meta's phone number id.
    #[arg(long, value_name = "ID", env = "WASF_WHATSAPP_ACCOUNT")]
    pub(crate) whatsapp_account: Option<String>,
    /// Twilio's sender: whatsapp:+14155238886.
    #[arg(long, value_name = "ADDRESS", env = "WASF_WHATSAPP_SENDER")]
    pub(crate) whatsapp_sender: Option<String>,
    /// The bot's phone number, for the button back to its chat; - for none.
    #[arg(long, value_name = "NUMBER", env = "WASF_BOT_PHONE_NUMBER", allow_hyphen_values = true)]
    pub(crate) bot_phone_number: Option<String>,
    /// The bot's webhook for events; - for none.
    #[arg(long, value_name = "URL", env = "WASF_BOT_WEBHOOK_URL", hide_env_values = true, allow_hyphen_values = true)]
    pub(crate) bot_webhook_url: Option<String>,
    /// The callback URL on your own domain, which ends in /callback; - for the API's own.
    #[arg(long, value_name = "URL", env = "WASF_CALLBACK_URI", allow_hyphen_values = true)]
    pub(crate) callback_uri: Option<String>,
    /// The login hosts, separated by commas; the first is the default.
    #[arg(long, value_name = "URLS", env = "WASF_LOGIN_URLS")]
    pub(crate) login_urls: Option<String>,
    /// The e-mail address that receives alarms; - for none.
    #[arg(long, value_name = "ADDRESS", env = "WASF_ALARM_EMAIL", allow_hyphen_values = true)]
    pub(crate) alarm_email: Option<String>,
    /// Never ask: a missing answer is an error.
    #[arg(long)]
    pub(crate) no_input: bool,
    /// Replace the values of existing secrets, but for the webhook's signing secret.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Do it; without this flag it is a dry run.
    #[arg(long)]
    pub(crate) confirm: bool,
}

/// The provider of WhatsApp messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum ProviderArg {
    Twilio,
    Meta,
    /// The bot sends the messages.
    None,
}

impl ProviderArg {
    /// The value of the template's parameter.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Twilio => "Twilio",
            Self::Meta => "Meta",
            Self::None => "None",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(text: &str) -> Result<Duration, clap::Error> {
        match Args::try_parse_from(["wasf", "attempt", "list", &format!("--since={text}")])?.command {
            Command::Attempt(AttemptCommand::List { since, .. }) => Ok(since),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_command_with_confirm_changes_something() {
        let changes = |line: &str| Args::try_parse_from(line.split(' ')).unwrap().command.changes_something();
        for line in [
            "wasf init --confirm",
            "wasf connection revoke whatsapp:+15551234567 --confirm",
            "wasf dlq redrive --confirm",
            "wasf dlq drop --confirm",
            "wasf events redeliver --confirm",
            "wasf secret set sf_client_secret --confirm",
        ] {
            assert!(changes(line), "{line}");
        }
        for line in ["wasf doctor", "wasf dlq list", "wasf attempt list", "wasf connection show whatsapp:+15551234567"]
        {
            assert!(!changes(line), "{line}");
        }
    }

    /// Other users of a machine see its processes' arguments.
    #[test]
    fn no_argument_takes_a_secret() {
        fn visit(command: &clap::Command, seen: &mut usize) {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                let is_secret = ["secret", "token", "password", "key"].iter().any(|word| name.contains(word));
                assert!(!is_secret, "{} takes {name}", command.get_name());
                *seen += 1;
            }
            command.get_subcommands().for_each(|command| visit(command, seen));
        }
        let mut seen = 0;
        visit(&<Args as clap::CommandFactory>::command(), &mut seen);
        assert!(seen > 30, "{seen}");
    }

    #[test]
    fn a_number_and_a_unit_are_a_duration() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("2h", 7_200), ("7d", 604_800)] {
            assert_eq!(since(text).unwrap(), Duration::from_secs(seconds));
        }
    }

    #[test]
    fn anything_else_is_not_a_duration() {
        for text in ["", "2", "h", "-2h", "2é", "yesterday", "99999999999999999999s"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
