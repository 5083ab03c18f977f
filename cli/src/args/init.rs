//! The answers of `wasf init`, each of which can be given by a flag or a variable of the environment.

use clap::{Args as ClapArgs, ValueEnum};

pub(super) const HELP: &str = "\
Run it in the folder of the unpacked release, or in the checkout. Every answer can be given by a flag or its environment variable; wasf asks for the rest, and \
on a terminal again for what is invalid. Secrets are typed without echo, or given in WASF_CONSUMER_KEY, \
WASF_CONSUMER_SECRET and WASF_WHATSAPP_TOKEN: other users of this machine can see flags in the process list. A webhook \
URL that holds a secret belongs into WASF_BOT_WEBHOOK_URL for the same reason.

ChatProof=Required: nobody is connected to a chat that isn't theirs, even where a link is forwarded. People tap once more, and \
the bot has to pass their codes on to POST /confirmations (docs/API.md); until it does, nobody gets connected. It needs \
--bot-phone-number. ChatProof=Off: whoever forwards their link to somebody who approves it gets that person's Salesforce in their \
own chat. On a terminal wasf proposes Required for a new stack, and otherwise what the stack has; without a terminal it changes nothing \
that is not given.

A new stack uses the tables that a deleted one has left, with the key that opens their refresh tokens.

Existing secrets keep their values; --replace replaces what was typed, and `wasf secret set` one secret alone.

Examples:
  wasf init                    show what would be done
  wasf init --confirm          ask for what is missing, and do it
  WASF_CONSUMER_KEY=… WASF_CONSUMER_SECRET=… WASF_WHATSAPP_TOKEN=… wasf init --no-input --confirm \\
    --whatsapp-provider Twilio --whatsapp-account AC… --whatsapp-sender whatsapp:+14155238886 \\
    --brand-name 'Acme Field Service' --privacy-url https://acme.example/privacy \\
    --bot-webhook-url https://bot.example.com/events --chat-proof Required --bot-phone-number +14155238886 \\
    --alarm-email ops@example.com";

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
    /// Required: a login connects its chat once that chat has sent its code, which the bot passes on; Off: at once.
    #[arg(long, value_name = "POLICY", env = "WASF_CHAT_PROOF")]
    pub(crate) chat_proof: Option<String>,
    /// The bot's phone number, for the button back to its chat; - for none.
    #[arg(long, value_name = "NUMBER", env = "WASF_BOT_PHONE_NUMBER", allow_hyphen_values = true)]
    pub(crate) bot_phone_number: Option<String>,
    /// Whose service it is, as people know it: the pages that they see name it; - for nobody.
    #[arg(long, value_name = "NAME", env = "WASF_BRAND_NAME", allow_hyphen_values = true)]
    pub(crate) brand_name: Option<String>,
    /// The page with your privacy policy, which the pages link to; - for none.
    #[arg(long, value_name = "URL", env = "WASF_PRIVACY_URL", allow_hyphen_values = true)]
    pub(crate) privacy_url: Option<String>,
    /// The language of people whose link names none: en, es, pt-BR, fr, de, hi, id or ar.
    #[arg(long, value_name = "TAG", env = "WASF_DEFAULT_LANGUAGE")]
    pub(crate) default_language: Option<String>,
    /// The bot's webhook for events; - for none.
    #[arg(long, value_name = "URL", env = "WASF_BOT_WEBHOOK_URL", hide_env_values = true, allow_hyphen_values = true)]
    pub(crate) bot_webhook_url: Option<String>,
    /// The event bus for events, its name, or its ARN in another account or Region; - for none.
    #[arg(long, value_name = "BUS", env = "WASF_EVENT_BUS_NAME", allow_hyphen_values = true)]
    pub(crate) event_bus_name: Option<String>,
    /// The callback URL on your own domain, which ends in /callback; - for the API's own.
    #[arg(long, value_name = "URL", env = "WASF_CALLBACK_URI", allow_hyphen_values = true)]
    pub(crate) callback_uri: Option<String>,
    /// The login hosts, separated by commas; the first is the default.
    #[arg(long, value_name = "URLS", env = "WASF_LOGIN_URLS")]
    pub(crate) login_urls: Option<String>,
    /// The e-mail address that receives alarms; - for none.
    #[arg(long, value_name = "ADDRESS", env = "WASF_ALARM_EMAIL", allow_hyphen_values = true)]
    pub(crate) alarm_email: Option<String>,
    /// The KMS key of your own that encrypts the secrets, its ARN; - for AWS's own.
    #[arg(long, value_name = "ARN", env = "WASF_SECRETS_KEY_ARN", allow_hyphen_values = true)]
    pub(crate) secrets_key_arn: Option<String>,
    /// The KMS key that opens the refresh tokens of a table that is used again, where wasf does not find it; - for a new one.
    #[arg(long, value_name = "ARN", env = "WASF_REFRESH_TOKEN_KEY_ARN", allow_hyphen_values = true)]
    pub(crate) refresh_token_key_arn: Option<String>,
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
