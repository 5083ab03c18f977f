//! `wasf init`: from nothing to what `make deploy` needs. Secrets go to Secrets Manager, parameters to
//! `samconfig.toml`, and what only a person can do in Salesforce is printed.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use shared::{CallbackUri, LoginUrls, WaId, process::Random};

use crate::{
    Edge,
    args::{InitArgs, ProviderArg, TargetArgs},
    aws::{Presence, SdkConfig, SecretsManager, find_stack},
    error::{Error, Exit},
    report::{Report, Table},
    samconfig::{FILE, SamConfig, in_or_above},
    target::{account, stack_name},
};

pub(crate) const HELP: &str = "\
Run it in the checkout. Every answer can be given by a flag or its environment variable; what is missing is asked for, \
secrets without an echo. Give secrets by the environment rather than by a flag, which others see in the list of \
processes. Secrets that are there already stay (--replace gives them new values).

Examples:
  wasf init                    say what would be done
  wasf init --confirm          ask, and do it
  WASF_CONSUMER_KEY=… WASF_CONSUMER_SECRET=… WASF_WHATSAPP_TOKEN=… wasf init --no-input --confirm \\
    --whatsapp-provider Twilio --whatsapp-account AC… --whatsapp-sender whatsapp:+14155238886 \\
    --bot-webhook-url https://bot.example.com/events --bot-phone-number +14155238886 --alarm-email ops@example.com";

const LOGIN_URLS: &str = "https://login.salesforce.com,https://test.salesforce.com";

/// The template's parameters that name secrets, with their defaults.
const CLIENT_ID: (&str, &str) = ("ClientIdSecretName", "sf_client_id");
const CLIENT_SECRET: (&str, &str) = ("ClientSecretSecretName", "sf_client_secret");
const WHATSAPP: (&str, &str) = ("WhatsAppSecretName", "whatsapp");
const WEBHOOK: (&str, &str) = ("BotWebhookSecretName", "bot_webhook");

pub(crate) async fn run(order: InitArgs, target: &TargetArgs, edge: Edge) -> Result<Report, Error> {
    let nowhere = || Error::Usage(format!("there is no {FILE} here or above: run wasf init in the checkout"));
    let path = in_or_above(FILE).ok_or_else(nowhere)?;
    let mut config = SamConfig::read(&path)?;
    let asker = Asker::new(&order);
    let answers = Answers::collect(&order, &asker, &config.parameters())?;
    config.set_parameters(&answers.parameters());
    let parameters = config.parameters();

    let aws = account(target).await?;
    let manager = SecretsManager::new(&aws);
    let mut secrets = Vec::new();
    for (kind, name) in answers.secrets(&parameters) {
        let presence = manager.presence(&name).await?;
        secrets.push(PlannedSecret { kind, name, presence, keep: presence == Presence::There && !order.replace });
    }
    if let Some(deleted) = secrets.iter().find(|secret| secret.presence == Presence::Deleted) {
        let name = &deleted.name;
        let why = format!("it is deleted; aws secretsmanager restore-secret --secret-id {name}");
        return Err(Error::failed(format!("store the secret {name}"), why));
    }
    if order.confirm {
        // All are asked for before the first is stored: who gives up half-way has changed nothing.
        let mut values = Vec::new();
        for secret in secrets.iter().filter(|secret| !secret.keep) {
            values.push((secret, answers.value(secret.kind, &order, &asker, edge.random)?));
        }
        for (secret, value) in values {
            match secret.presence {
                Presence::There => manager.replace(&secret.name, &value).await?,
                Presence::Absent | Presence::Deleted => manager.create(&secret.name, &value).await?,
            }
        }
        config.write(&path).map_err(|error| Error::failed(format!("write {FILE}"), error.to_string()))?;
    }
    let callback = callback(&aws, target, &parameters).await;
    Ok(report(&secrets, &parameters, callback.as_deref(), order.confirm))
}

/// What is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ConsumerKey,
    ConsumerSecret,
    WhatsApp,
    Webhook,
}

struct PlannedSecret {
    kind: Kind,
    name: String,
    presence: Presence,
    keep: bool,
}

/// What is not secret.
#[derive(Debug)]
struct Answers {
    provider: ProviderArg,
    sender: Option<WaId>,
    account: Option<String>,
    bot_phone_number: Option<String>,
    bot_webhook_url: Option<String>,
    callback_uri: Option<String>,
    login_urls: String,
    alarm_email: Option<String>,
}

impl Answers {
    fn collect(order: &InitArgs, asker: &Asker, known: &BTreeMap<String, String>) -> Result<Self, Error> {
        let known = |name: &str| known.get(name).cloned();
        let provider = if let Some(provider) = order.whatsapp_provider {
            provider
        } else {
            let question = "Who sends the messages: Twilio, Meta or None";
            let text = asker.text("--whatsapp-provider", question, known("WhatsAppProvider"))?;
            clap::ValueEnum::from_str(&text, true).map_err(|_| Error::Usage(format!("{text} is no provider")))?
        };
        let sender = match (&order.whatsapp_sender, provider) {
            (_, ProviderArg::Meta | ProviderArg::None) => None,
            (Some(sender), ProviderArg::Twilio) => Some(sender.clone()),
            (None, ProviderArg::Twilio) => {
                let text = asker.text("--whatsapp-sender", "Twilio's sender, whatsapp:+…", known("WhatsAppSender"))?;
                Some(text.parse().map_err(|why| Error::Usage(format!("the sender is {why}")))?)
            }
        };
        let optional = |given: &Option<String>, flag, question, name| {
            let text = match given {
                Some(text) => text.clone(),
                None => asker.text(flag, question, Some(known(name).unwrap_or_else(|| "-".to_owned())))?,
            };
            Ok(Some(text).filter(|text| text != "-"))
        };
        let login_urls = if let Some(urls) = &order.login_urls {
            urls.clone()
        } else {
            let default = known("LoginUrls").unwrap_or_else(|| LOGIN_URLS.to_owned());
            asker.text("--login-urls", "Where people log in, with commas between", Some(default))?
        };
        let callback_uri = optional(
            &order.callback_uri,
            "--callback-uri",
            "The callback address on a domain of yours, - for the API's own",
            "CallbackUri",
        )?;
        if let Some(uri) = &callback_uri {
            uri.parse::<CallbackUri>().map_err(|why| Error::Usage(format!("the callback address: {why}")))?;
        }
        login_urls.parse::<LoginUrls>().map_err(|why| Error::Usage(format!("the login addresses: {why}")))?;
        Ok(Self {
            provider,
            sender,
            account: order.whatsapp_account.clone(),
            bot_phone_number: optional(
                &order.bot_phone_number,
                "--bot-phone-number",
                "The number of the bot's chat, - for none",
                "BotPhoneNumber",
            )?,
            bot_webhook_url: optional(
                &order.bot_webhook_url,
                "--bot-webhook-url",
                "Where the bot takes events, - for none",
                "BotWebhookUrl",
            )?,
            callback_uri,
            login_urls,
            alarm_email: optional(
                &order.alarm_email,
                "--alarm-email",
                "Who hears of alarms, - for nobody",
                "AlarmEmail",
            )?,
        })
    }

    /// The template's parameters; `None` leaves one to its default.
    fn parameters(&self) -> BTreeMap<&'static str, Option<String>> {
        let provider = match self.provider {
            ProviderArg::Twilio => "Twilio",
            ProviderArg::Meta => "Meta",
            ProviderArg::None => "None",
        };
        [
            ("WhatsAppProvider", Some(provider.to_owned())),
            ("WhatsAppSender", self.sender.as_ref().map(|sender| sender.as_str().to_owned())),
            ("BotPhoneNumber", self.bot_phone_number.clone()),
            ("BotWebhookUrl", self.bot_webhook_url.clone()),
            ("CallbackUri", self.callback_uri.clone()),
            ("LoginUrls", Some(self.login_urls.clone())),
            ("AlarmEmail", self.alarm_email.clone()),
        ]
        .into()
    }

    /// The secrets that a deployment with these answers reads.
    fn secrets(&self, parameters: &BTreeMap<String, String>) -> Vec<(Kind, String)> {
        let name = |(parameter, default): (&str, &str)| {
            parameters.get(parameter).cloned().unwrap_or_else(|| default.to_owned())
        };
        let mut secrets = vec![(Kind::ConsumerKey, name(CLIENT_ID)), (Kind::ConsumerSecret, name(CLIENT_SECRET))];
        if self.provider != ProviderArg::None {
            secrets.push((Kind::WhatsApp, name(WHATSAPP)));
        }
        if self.bot_webhook_url.is_some() {
            secrets.push((Kind::Webhook, name(WEBHOOK)));
        }
        secrets
    }

    /// A secret's value: given, asked for, or made.
    fn value(&self, kind: Kind, order: &InitArgs, asker: &Asker, random: Random) -> Result<SecretString, Error> {
        let secret = |given: &Option<SecretString>, flag, question| match given {
            Some(secret) => Ok(secret.clone()),
            None => asker.hidden(flag, question),
        };
        match kind {
            Kind::ConsumerKey => secret(&order.consumer_key, "WASF_CONSUMER_KEY", "The Salesforce app's consumer key"),
            Kind::ConsumerSecret => {
                secret(&order.consumer_secret, "WASF_CONSUMER_SECRET", "The Salesforce app's consumer secret")
            }
            Kind::WhatsApp => {
                let question = match self.provider {
                    ProviderArg::Meta => ("The phone number's id at Meta", "Meta's access token"),
                    ProviderArg::Twilio | ProviderArg::None => ("Twilio's account SID", "Twilio's auth token"),
                };
                let account = match &self.account {
                    Some(account) => account.clone(),
                    None => asker.text("--whatsapp-account", question.0, None)?,
                };
                let token = secret(&order.whatsapp_token, "WASF_WHATSAPP_TOKEN", question.1)?;
                Ok(credentials(self.provider, &account, &token))
            }
            Kind::Webhook => signing_secret(random),
        }
    }
}

/// The provider's credentials, in the form that the notifier reads.
fn credentials(provider: ProviderArg, account: &str, token: &SecretString) -> SecretString {
    let token = token.expose_secret();
    let credentials = match provider {
        ProviderArg::Meta => json!({"access_token": token, "phone_number_id": account}),
        ProviderArg::Twilio | ProviderArg::None => json!({"account_sid": account, "auth_token": token}),
    };
    credentials.to_string().into()
}

/// A new signing secret, as Standard Webhooks has them.
fn signing_secret(random: Random) -> Result<SecretString, Error> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    let mut bytes = [0; 32];
    random(&mut bytes).map_err(|error| Error::failed("make a signing secret", error.to_string()))?;
    Ok(format!("whsec_{}", STANDARD.encode(bytes)).into())
}

/// Where Salesforce is to send people back to, as far as that is known before the first deployment.
async fn callback(aws: &SdkConfig, target: &TargetArgs, parameters: &BTreeMap<String, String>) -> Option<String> {
    if let Some(uri) = parameters.get("CallbackUri") {
        return uri.parse::<CallbackUri>().ok().map(|uri| uri.as_str().to_owned());
    }
    let stack = find_stack(aws, &stack_name(target).ok()?).await.ok()?;
    stack.output("CallbackUrl").ok().map(str::to_owned)
}

/// Asks a person, if there is one.
struct Asker {
    interactive: bool,
}

impl Asker {
    fn new(order: &InitArgs) -> Self {
        Self { interactive: !order.no_input && io::stdin().is_terminal() }
    }

    /// Asks for something that may be seen; an empty answer is the default.
    fn text(&self, flag: &str, question: &str, default: Option<String>) -> Result<String, Error> {
        if self.interactive {
            let offered = default.as_ref().map(|default| format!(" [{default}]")).unwrap_or_default();
            let _ = write!(io::stderr(), "{question}{offered}: ");
            let mut line = String::new();
            io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(|error| Error::failed("read the answer", error.to_string()))?;
            if !line.trim().is_empty() {
                return Ok(line.trim().to_owned());
            }
        }
        default.ok_or_else(|| Error::Usage(format!("{question}? Give {flag}")))
    }

    /// Asks for a secret, without an echo.
    fn hidden(&self, variable: &str, question: &str) -> Result<SecretString, Error> {
        if !self.interactive {
            return Err(Error::Usage(format!("{question}? Give {variable} in the environment")));
        }
        let answer = rpassword::prompt_password(format!("{question} (not shown): "));
        let answer = answer.map_err(|error| Error::failed("read the answer", error.to_string()))?;
        match answer.trim() {
            "" => Err(Error::Usage(format!("{question} is missing"))),
            secret => Ok(secret.into()),
        }
    }
}

fn report(
    secrets: &[PlannedSecret],
    parameters: &BTreeMap<String, String>,
    callback: Option<&str>,
    confirmed: bool,
) -> Report {
    let mut table = Table::default();
    for secret in secrets {
        let done = match (secret.keep, secret.presence, confirmed) {
            (true, _, _) => "is there already",
            (false, Presence::There, true) => "has a new value",
            (false, Presence::There, false) => "would get a new value",
            (false, _, true) => "is made",
            (false, _, false) => "would be made",
        };
        table.row([format!("secret {}", secret.name), done.to_owned()]);
    }
    for (name, value) in parameters {
        table.row([format!("parameter {name}"), value.clone()]);
    }
    let address =
        callback.unwrap_or("known after the first `make deploy` (output CallbackUrl); `wasf init` says it then");
    let webhook = secrets.iter().find(|secret| secret.kind == Kind::Webhook && !secret.keep);
    let for_the_bot = webhook.map(|secret| {
        format!(
            "\nThe bot verifies events with what the secret {} holds. Give the bot's role leave to read it.\n",
            secret.name
        )
    });
    let next = if confirmed {
        "Next: make deploy, then wasf doctor."
    } else {
        "Nothing is changed yet. Do it with --confirm."
    };
    let text = format!(
        "{}\nIn Salesforce, Setup → External Client App Manager, the app's OAuth settings:\n\
         \x20 Callback URL                                  {address}\n\
         \x20 Scopes                                        api; refresh_token, offline_access\n\
         \x20 Require Secret for Web Server Flow            on\n\
         \x20 Require Proof Key for Code Exchange (PKCE)    on\n\
         \x20 IP Relaxation                                 Relax IP restrictions\n\
         \x20 Enforce Refresh Token IP Allowlist            off, unless the stack has a fixed address (SubnetIds)\n\
         {}\n{next}\n",
        table.text(),
        for_the_bot.unwrap_or_default(),
    );
    let secret = |secret: &PlannedSecret| json!({"name": secret.name, "kept": secret.keep, "was_there": secret.presence == Presence::There});
    let json = json!({
        "dry_run": !confirmed,
        "secrets": secrets.iter().map(secret).collect::<Vec<_>>(),
        "parameters": parameters,
        "callback_url": callback,
    });
    Report::new(text, json, Exit::Done)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use serde_json::Value;

    use super::*;
    use crate::{Args, args::Command};

    fn order(flags: &[&str]) -> InitArgs {
        let given = ["wasf", "init", "--no-input"].iter().chain(flags);
        match Args::try_parse_from(given).unwrap().command {
            Command::Init(order) => *order,
            other => panic!("{other:?}"),
        }
    }

    fn answers(flags: &[&str]) -> Result<Answers, Error> {
        let order = order(flags);
        Answers::collect(&order, &Asker { interactive: false }, &BTreeMap::new())
    }

    const TWILIO: [&str; 4] = ["--whatsapp-provider", "Twilio", "--whatsapp-sender", "whatsapp:+14155238886"];

    #[test]
    fn what_is_missing_names_the_flag_that_gives_it() {
        let error = answers(&["--whatsapp-provider", "Twilio"]).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        assert!(error.to_string().contains("--whatsapp-sender"), "{error}");
    }

    #[test]
    fn what_is_not_given_and_may_be_empty_is_left_to_the_template() {
        let parameters = answers(&TWILIO).unwrap().parameters();
        let names: Vec<_> = parameters.into_iter().filter_map(|(name, value)| value.map(|_| name)).collect();
        assert_eq!(names, ["LoginUrls", "WhatsAppProvider", "WhatsAppSender"]);
    }

    #[test]
    fn only_the_secrets_that_are_read_are_asked_for() {
        let kinds = |flags: &[&str]| -> Vec<Kind> {
            answers(flags).unwrap().secrets(&BTreeMap::new()).into_iter().map(|(kind, _)| kind).collect()
        };
        assert_eq!(kinds(&["--whatsapp-provider", "None"]), [Kind::ConsumerKey, Kind::ConsumerSecret]);
        let all = [&TWILIO[..], &["--bot-webhook-url", "https://bot.example.com/events"]].concat();
        assert_eq!(kinds(&all), [Kind::ConsumerKey, Kind::ConsumerSecret, Kind::WhatsApp, Kind::Webhook]);
    }

    #[test]
    fn a_login_address_must_be_one() {
        let http = [&TWILIO[..], &["--login-urls", "http://example.com"]].concat();
        assert_eq!(answers(&http).unwrap_err().exit(), Exit::Usage);
    }

    #[test]
    fn a_callback_address_must_be_one() {
        let elsewhere = [&TWILIO[..], &["--callback-uri", "https://example.com/"]].concat();
        assert_eq!(answers(&elsewhere).unwrap_err().exit(), Exit::Usage);
    }

    #[test]
    fn credentials_have_the_providers_form() {
        let made = |provider| -> Value {
            serde_json::from_str(credentials(provider, "id", &"t".into()).expose_secret()).unwrap()
        };
        assert_eq!(made(ProviderArg::Twilio), json!({"account_sid": "id", "auth_token": "t"}));
        assert_eq!(made(ProviderArg::Meta), json!({"access_token": "t", "phone_number_id": "id"}));
    }

    #[test]
    fn a_signing_secret_is_one_of_standard_webhooks() {
        let made = signing_secret(|bytes| {
            bytes.fill(1);
            Ok(())
        });
        assert_eq!(made.unwrap().expose_secret(), "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
    }

    #[test]
    fn no_answer_shows_a_secret() {
        let flags = [&TWILIO[..], &["--consumer-secret", "S3CRET", "--whatsapp-token", "S3CRET"]].concat();
        assert!(!format!("{:?}", order(&flags)).contains("S3CRET"));
    }
}
