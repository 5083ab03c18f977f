//! The command line.

use std::{num::NonZeroU32, path::PathBuf};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use secrecy::SecretString;
use shared::{AttemptId, LoginUrl, WaId};

use crate::span::Span;

const EXAMPLES: &str = "\
Exit codes: 0 done, 1 failed, 2 usage, 3 nothing matched, 4 done in part.

Examples:
  wasf doctor                          is everything set up as it must be?
  wasf link whatsapp:+15551234567      a link for a chat
  wasf dlq list                        what could not be exchanged, and why
  wasf dlq redrive --confirm           put it back on the exchange queue
  wasf --local attempt list            the same on the local cloud
  wasf dlq list --json | jq '.messages[] | select(.code_alive)'";

const INIT_HELP: &str = "\
Run it in the checkout. Every answer can be given by a flag or its environment variable; what is missing is asked for, \
secrets without an echo. Give secrets by the environment rather than by a flag, which others see in the list of \
processes. Secrets that are there already stay (--replace gives them new values).

Examples:
  wasf init                    say what would be done
  wasf init --confirm          ask, and do it
  WASF_CONSUMER_KEY=… WASF_CONSUMER_SECRET=… WASF_WHATSAPP_TOKEN=… wasf init --no-input --confirm \\
    --whatsapp-provider Twilio --whatsapp-account AC… --whatsapp-sender whatsapp:+14155238886 \\
    --bot-webhook-url https://bot.example.com/events --bot-phone-number +14155238886 --alarm-email ops@example.com";

/// Where the options stand that every command takes.
const EVERYWHERE: &str = "Options of every command";

/// Operates the WhatsApp → Salesforce connect pipeline.
#[derive(Debug, Parser)]
#[command(name = "wasf", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Args {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Print JSON, for programs.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which stack, and where.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct TargetArgs {
    /// The stack; without it, the one that samconfig.toml names, here or in a folder above.
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "NAME", env = "WASF_STACK_NAME")]
    pub(crate) stack_name: Option<String>,
    /// The region, if not that of the profile or the environment.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) region: Option<String>,
    /// The profile of the AWS configuration files.
    #[arg(long, global = true, help_heading = EVERYWHERE, conflicts_with = "local")]
    pub(crate) profile: Option<String>,
    /// The local cloud that `make up` started.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) local: bool,
    /// The file in which the local cloud says where everything is.
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FILE", env = "LOCAL_CLOUD_STATE", hide = true)]
    pub(crate) local_state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a link that connects a chat.
    #[command(after_help = "\
Examples:
  wasf link whatsapp:+15551234567
  wasf link whatsapp:US.ABC123XYZ --login-url https://test.salesforce.com

Needs execute-api:Invoke on POST /links. Whoever opens the link connects their Salesforce to this chat.")]
    Link(LinkArgs),
    /// Tries to connect: what became of them.
    #[command(subcommand)]
    Attempt(AttemptCommand),
    /// Connections: what bots have for a chat.
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// Dead letters: consents that could not be exchanged in time.
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Outcomes that the person or the bot was not told.
    #[command(subcommand)]
    Events(EventsCommand),
    /// Check the deployed stack, and say what to do about each finding.
    #[command(after_help = "\
Exit code 0 says that all is well, 1 that something is wrong. Nothing is changed, and nobody is sent anything: the \
webhook is asked with an empty request that no bot takes for an event, and WhatsApp for the account alone.

Examples:
  wasf doctor
  wasf doctor --json | jq '.findings[] | select(.level == \"wrong\")'")]
    Doctor,
    /// Ask for what a deployment needs; store the secrets and the parameters.
    #[command(after_help = INIT_HELP)]
    Init(Box<InitArgs>),
    /// Print the completions for a shell.
    #[command(after_help = "\
Examples:
  wasf completions bash > ~/.local/share/bash-completion/completions/wasf
  wasf completions zsh  > ~/.zfunc/_wasf
  wasf completions fish > ~/.config/fish/completions/wasf.fish")]
    Completions {
        /// Which.
        shell: Shell,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LinkArgs {
    /// The chat, exactly as the bot knows it: whatsapp:+15551234567.
    pub(crate) wa_id: WaId,
    /// Where to log in, if not at the first of the stack's `LoginUrls`.
    #[arg(long, value_name = "URL")]
    pub(crate) login_url: Option<LoginUrl>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AttemptCommand {
    /// Show one attempt as a timeline, with its chat.
    #[command(after_help = "Example: wasf attempt show 0123456789abcdef0123456789abcdef")]
    Show {
        /// As in the logs, the events and the links' answers.
        attempt_id: AttemptId,
    },
    /// List attempts, the latest first. Phone numbers are masked.
    #[command(after_help = "\
Reads the whole table (it has no index by time), which costs read capacity: with a million attempts about a minute.

Examples:
  wasf attempt list
  wasf attempt list --status failed --since 1d
  wasf attempt list --status exchanging --json | jq '.attempts[].attempt_id'")]
    List {
        /// Only these.
        #[arg(long)]
        status: Option<StatusArg>,
        /// How far back: 90s, 15m, 2h, 7d.
        #[arg(long, default_value = "2h", value_name = "SPAN")]
        since: Span,
        /// The most to show.
        #[arg(long, default_value_t = 100)]
        max: usize,
    },
}

/// A status, as it is stored.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StatusArg {
    Exchanging,
    Connected,
    Failed,
    Delayed,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// Show whose Salesforce a chat is connected to. Tokens are never shown, nor even read.
    #[command(after_help = "Example: wasf connection show whatsapp:+15551234567")]
    Show {
        /// The chat.
        wa_id: WaId,
    },
    /// End a connection: revoke the tokens at Salesforce, delete them here, tell the bot `connection.revoked`.
    #[command(after_help = "\
Nothing is deleted while Salesforce cannot be reached. A connection that is renewed meanwhile stays.

Examples:
  wasf connection revoke whatsapp:+15551234567             say what would be done
  wasf connection revoke whatsapp:+15551234567 --confirm   do it")]
    Revoke {
        /// The chat.
        wa_id: WaId,
        /// Do it.
        #[arg(long)]
        confirm: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// Count what waits in each queue, and the dead letters by kind.
    Stats,
    /// List the dead letters without taking any. Phone numbers are masked.
    #[command(after_help = "\
Reading hides a message from other readers until the list is made; then it is given back. If wasf is killed \
meanwhile, it shows again after a minute.

A code is alive for 14 minutes after its callback. A dead one is worth redriving too: its person gets a plain message \
and a fresh link. Sealed tokens have no age: they are stored by a redrive at any time.

Examples:
  wasf dlq list
  wasf dlq list --reason misconfigured
  wasf dlq list --json | jq '[.messages[] | select(.code_alive)] | length'")]
    List {
        #[command(flatten)]
        selection: Selection,
    },
    /// Show one dead letter: all but the code or the tokens in it.
    Show {
        /// The id of the message or of its attempt.
        id: String,
    },
    /// Put dead letters back on the exchange queue.
    #[command(after_help = "\
Each message is sent first and deleted then: if wasf is killed, nothing is lost, and what was sent twice is exchanged \
once. Messages that cannot be read would only come back; they are left, unless --reason unreadable asks for them.

Examples:
  wasf dlq redrive                                  say what would be done
  wasf dlq redrive --confirm                        all that can be read
  wasf dlq redrive --only-alive --rate 20 --confirm the codes that still live, 20 a second
  wasf dlq redrive --native --confirm               SQS's own redrive, followed to its end")]
    Redrive {
        #[command(flatten)]
        selection: Selection,
        /// The most messages a second.
        #[arg(long, value_name = "N")]
        rate: Option<NonZeroU32>,
        /// Let SQS move all messages by itself, and follow that.
        #[arg(long, conflicts_with_all = ["only_alive", "reason", "max"])]
        native: bool,
        /// Do it.
        #[arg(long)]
        confirm: bool,
    },
    /// Delete dead letters. Their people are left with the last message they got.
    #[command(after_help = "\
Codes that still live and sealed tokens are somebody's consent: they are refused without --force.

Examples:
  wasf dlq drop --reason unreadable             say what would be deleted
  wasf dlq drop --reason unreadable --confirm   delete it")]
    Drop {
        #[command(flatten)]
        selection: Selection,
        /// Also codes that still live, and sealed tokens.
        #[arg(long)]
        force: bool,
        /// Do it.
        #[arg(long)]
        confirm: bool,
    },
}

/// Which dead letters.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct Selection {
    /// Only codes that still live.
    #[arg(long)]
    pub(crate) only_alive: bool,
    /// Only those with this reason, as `wasf dlq list` shows it; `unreadable` for those that cannot be read.
    #[arg(long, value_name = "REASON")]
    pub(crate) reason: Option<String>,
    /// No more than so many.
    #[arg(long, value_name = "N")]
    pub(crate) max: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Have outcomes announced again that not everybody was told of.
    #[command(after_help = "\
Finds outcomes without notified_at and touches them (redelivered_at), which puts them on the table's stream again; the \
notifier goes on where it stopped. Who is marked as told is not told again, and an event keeps its webhook-id.

An attempt that is named may have been announced wholly: then its notified_at is removed. With --again its person or \
its bot is told once more, which they may notice.

Examples:
  wasf events redeliver --since 1d               say what would be done
  wasf events redeliver --since 1d --confirm     do it
  wasf events redeliver --attempt 0123456789abcdef0123456789abcdef --again bot --confirm")]
    Redeliver {
        /// How far back: 90s, 15m, 2h, 7d.
        #[arg(long, default_value = "2h", value_name = "SPAN")]
        since: Span,
        /// This one alone.
        #[arg(long, value_name = "ID", conflicts_with = "since")]
        attempt: Option<AttemptId>,
        /// Tell them although they were told.
        #[arg(long, value_name = "WHO", requires = "attempt")]
        again: Vec<Again>,
        /// Do it.
        #[arg(long)]
        confirm: bool,
    },
}

/// Who is told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Again {
    Person,
    Bot,
}

/// The answers of `wasf init`; what is not given is asked for.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct InitArgs {
    /// The Salesforce app's consumer key.
    #[arg(long, value_name = "KEY", env = "WASF_CONSUMER_KEY", hide_env_values = true)]
    pub(crate) consumer_key: Option<SecretString>,
    /// The Salesforce app's consumer secret.
    #[arg(long, value_name = "SECRET", env = "WASF_CONSUMER_SECRET", hide_env_values = true)]
    pub(crate) consumer_secret: Option<SecretString>,
    /// Who sends the messages.
    #[arg(long, value_name = "NAME", env = "WASF_WHATSAPP_PROVIDER")]
    pub(crate) whatsapp_provider: Option<ProviderArg>,
    /// Twilio's account SID, AC…; at Meta the phone number's id.
    #[arg(long, value_name = "ID", env = "WASF_WHATSAPP_ACCOUNT")]
    pub(crate) whatsapp_account: Option<String>,
    /// Twilio's auth token; at Meta the access token.
    #[arg(long, value_name = "TOKEN", env = "WASF_WHATSAPP_TOKEN", hide_env_values = true)]
    pub(crate) whatsapp_token: Option<SecretString>,
    /// Twilio's sender: whatsapp:+14155238886.
    #[arg(long, value_name = "ADDRESS", env = "WASF_WHATSAPP_SENDER")]
    pub(crate) whatsapp_sender: Option<WaId>,
    /// The number of the bot's chat, for the button that leads back to it; - for none.
    #[arg(long, value_name = "NUMBER", env = "WASF_BOT_PHONE_NUMBER", allow_hyphen_values = true)]
    pub(crate) bot_phone_number: Option<String>,
    /// Where the bot takes events; - for none.
    #[arg(long, value_name = "URL", env = "WASF_BOT_WEBHOOK_URL", allow_hyphen_values = true)]
    pub(crate) bot_webhook_url: Option<String>,
    /// The callback address on a domain of yours, which ends in /callback; - for the API's own.
    #[arg(long, value_name = "URL", env = "WASF_CALLBACK_URI", allow_hyphen_values = true)]
    pub(crate) callback_uri: Option<String>,
    /// Where people log in, with commas between; the first is the default.
    #[arg(long, value_name = "URLS", env = "WASF_LOGIN_URLS")]
    pub(crate) login_urls: Option<String>,
    /// Who hears of alarms; - for nobody.
    #[arg(long, value_name = "ADDRESS", env = "WASF_ALARM_EMAIL", allow_hyphen_values = true)]
    pub(crate) alarm_email: Option<String>,
    /// Ask nothing: what is missing is an error.
    #[arg(long)]
    pub(crate) no_input: bool,
    /// Give secrets that are there already a new value.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Do it.
    #[arg(long)]
    pub(crate) confirm: bool,
}

/// Who sends the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum ProviderArg {
    Twilio,
    Meta,
    /// The bot writes to people by itself.
    None,
}
