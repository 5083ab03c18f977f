//! The operator's answers: from flags, from the environment, or typed.

mod proof;

use std::collections::BTreeMap;

use secrecy::SecretString;
use shared::{Language, process::Random};

use super::rules;
use crate::{
    args::{InitArgs, ProviderArg},
    error::Error,
    prompt::{Missing, NONE, Prompt},
    secret::{Kind, credentials, signing_secret},
};

const LOGIN_URLS: &str = "https://login.salesforce.com,https://test.salesforce.com";

/// The template's parameters that name secrets, with their defaults.
pub(super) const CLIENT_ID: (&str, &str) = ("ClientIdSecretName", "sf_client_id");
pub(super) const CLIENT_SECRET: (&str, &str) = ("ClientSecretSecretName", "sf_client_secret");
pub(super) const WHATSAPP: (&str, &str) = ("WhatsAppSecretName", "whatsapp");
pub(super) const WEBHOOK: (&str, &str) = ("BotWebhookSecretName", "bot_webhook");

/// The template's parameter for the key that seals refresh tokens.
pub(super) const REFRESH_TOKEN_KEY: &str = "RefreshTokenKeyArn";

/// The template's parameter for the key that the secrets are encrypted with.
pub(super) const SECRETS_KEY: &str = "SecretsKeyArn";

/// The answers that are not secret.
#[derive(Debug)]
pub(super) struct Answers {
    provider: ProviderArg,
    account: Option<String>,
    parameters: BTreeMap<&'static str, String>,
}

impl Answers {
    /// Asks for what no flag gives; `known` are the parameters of `samconfig.toml`, `running` those of the stack, where there
    /// is one and it was asked.
    pub(super) fn collect(
        args: &InitArgs,
        prompt: &Prompt,
        known: &BTreeMap<String, String>,
        running: Option<&BTreeMap<String, String>>,
    ) -> Result<Self, Error> {
        let mut answers =
            Collected { prompt, known, running, parameters: BTreeMap::new(), missing: Missing::default() };
        let provider = answers.provider(args)?;
        let default = answers.known("LoginUrls").or_else(|| answers.of_stack("LoginUrls"));
        let default = default.unwrap_or_else(|| LOGIN_URLS.to_owned());
        let given = args.login_urls.as_deref();
        let question = "The login hosts, separated by commas";
        let login_urls = prompt.answer(given, "--login-urls", question, Some(&default), rules::login_urls)?;
        answers.set("LoginUrls", login_urls);
        answers.optional(
            "CallbackUri",
            args.callback_uri.as_deref(),
            ("--callback-uri", "The callback URL on your own domain, - for the API's own"),
            rules::callback_uri,
        )?;
        answers.chat_proof(args)?;
        answers.optional(
            "BotWebhookUrl",
            args.bot_webhook_url.as_deref(),
            ("--bot-webhook-url", "The bot's webhook for events, - for none"),
            rules::webhook_url,
        )?;
        answers.optional(
            "EventBusName",
            args.event_bus_name.as_deref(),
            ("--event-bus-name", "An EventBridge event bus for events, its name or ARN, - for none"),
            rules::event_bus,
        )?;
        answers.optional(
            "AlarmEmail",
            args.alarm_email.as_deref(),
            ("--alarm-email", "The e-mail address that receives alarms, - for none"),
            rules::email,
        )?;
        answers.optional(
            SECRETS_KEY,
            args.secrets_key_arn.as_deref(),
            ("--secrets-key-arn", "The ARN of a KMS key of your own for the secrets, - for AWS's own"),
            rules::key_arn,
        )?;
        answers.brand(args)?;
        answers.language(args)?;
        if let given @ Some(_) = args.refresh_token_key_arn.as_deref() {
            let question = "The ARN of the key of refresh tokens";
            answers.optional(REFRESH_TOKEN_KEY, given, ("--refresh-token-key-arn", question), rules::key_arn)?;
        }
        answers.missing.end()?;
        // Without one something is missing.
        let provider = provider.unwrap_or(ProviderArg::None);
        Ok(Self { provider, account: args.whatsapp_account.clone(), parameters: answers.parameters })
    }

    /// The template's parameters that were answered. An empty one takes the stack's value away: the SAM CLI keeps the
    /// previous value of a parameter that is not given.
    pub(super) fn parameters(&self) -> &BTreeMap<&'static str, String> {
        &self.parameters
    }

    /// The secrets that a deployment with these parameters reads.
    pub(super) fn secrets(&self, parameters: &BTreeMap<String, String>) -> Vec<(Kind, String)> {
        let set = |parameter: &str| parameters.get(parameter).filter(|value| !value.is_empty());
        let name = |(parameter, default): (&str, &str)| set(parameter).cloned().unwrap_or_else(|| default.to_owned());
        let mut secrets = vec![(Kind::ConsumerKey, name(CLIENT_ID)), (Kind::ConsumerSecret, name(CLIENT_SECRET))];
        if self.provider != ProviderArg::None {
            secrets.push((Kind::WhatsApp(self.provider), name(WHATSAPP)));
        }
        if set("BotWebhookUrl").is_some() {
            secrets.push((Kind::Webhook, name(WEBHOOK)));
        }
        secrets
    }

    /// A secret's value: from the environment, typed, or generated.
    pub(super) fn value(&self, kind: Kind, prompt: &Prompt, random: Random) -> Result<SecretString, Error> {
        match kind {
            Kind::Webhook => signing_secret(random),
            kind => ask_for(kind, self.account.as_deref(), prompt),
        }
    }
}

/// The answers that have been given so far.
struct Collected<'a> {
    prompt: &'a Prompt,
    /// The parameters that `samconfig.toml` has.
    known: &'a BTreeMap<String, String>,
    /// Those that the stack has; `None` where there is no stack.
    running: Option<&'a BTreeMap<String, String>>,
    parameters: BTreeMap<&'static str, String>,
    missing: Missing,
}

impl Collected<'_> {
    /// Who sends the messages, and from where. `None` where nobody says.
    fn provider(&mut self, args: &InitArgs) -> Result<Option<ProviderArg>, Error> {
        const SENDER: (&str, &str) = ("--whatsapp-sender", "Twilio's sender, whatsapp:+…");
        let given = args.whatsapp_provider.as_deref();
        let question = "The provider of WhatsApp messages: Twilio, Meta or None";
        let default = self.known("WhatsAppProvider");
        let answer = self.prompt.answer(given, "--whatsapp-provider", question, default.as_deref(), rules::provider);
        let provider = self.missing.or_note(answer)?;
        let (sender, known) = (args.whatsapp_sender.as_deref(), self.known("WhatsAppSender"));
        match provider {
            Some(ProviderArg::Twilio) => {
                let answer = self.prompt.answer(sender, SENDER.0, SENDER.1, known.as_deref(), rules::sender);
                if let Some(sender) = self.missing.or_note(answer)? {
                    self.set("WhatsAppSender", sender);
                }
            }
            Some(_) if known.is_some() => self.set("WhatsAppSender", String::new()),
            None if sender.or(known.as_deref()).is_none() => {
                self.missing.note(format!("{}, if it is that ({})", SENDER.1, SENDER.0));
            }
            Some(_) | None => {}
        }
        if let Some(provider) = provider {
            self.set("WhatsAppProvider", provider.as_str().to_owned());
        }
        Ok(provider)
    }

    fn known(&self, name: &str) -> Option<String> {
        self.known.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// What the stack has, whose parameters `samconfig.toml` need not hold.
    fn of_stack(&self, name: &str) -> Option<String> {
        self.running?.get(name).filter(|value| !value.is_empty()).cloned()
    }

    fn set(&mut self, name: &'static str, value: String) {
        self.parameters.insert(name, value);
    }

    /// Whom the pages that people see name.
    fn brand(&mut self, args: &InitArgs) -> Result<(), Error> {
        let question = "Whose service it is, as people know it: the pages name it, - for nobody";
        self.optional("BrandName", args.brand_name.as_deref(), ("--brand-name", question), rules::brand_name)?;
        let question = "The page with your privacy policy, - for none";
        self.optional("PrivacyUrl", args.privacy_url.as_deref(), ("--privacy-url", question), rules::privacy_url)
    }

    /// The language of people whose link names none; without an answer what the stack has.
    fn language(&mut self, args: &InitArgs) -> Result<(), Error> {
        const NAME: &str = "DefaultLanguage";
        let (given, known) = (args.default_language.as_deref(), self.known(NAME));
        let is_answered = given.is_some() || self.prompt.interactive || known.is_some();
        let default = known.unwrap_or_else(|| Language::English.tag().to_owned());
        let question = "The language of people whose link names none: en, es, pt-BR, fr, de, hi, id or ar";
        let answer = self.prompt.answer(given, "--default-language", question, Some(&default), rules::language)?;
        if is_answered {
            self.set(NAME, answer);
        }
        Ok(())
    }

    /// An answer that can be "none". Nobody's answer is no change.
    fn optional(
        &mut self,
        name: &'static str,
        given: Option<&str>,
        (flag, question): (&str, &str),
        rule: impl Fn(&str) -> Result<String, String>,
    ) -> Result<(), Error> {
        let is_answered = given.is_some() || self.prompt.interactive;
        let default = self.known(name).unwrap_or_else(|| NONE.to_owned());
        let rule = |text: &str| if text == NONE { Ok(String::new()) } else { rule(text) };
        let answer = self.prompt.answer(given, flag, question, Some(&default), rule)?;
        if is_answered || !answer.is_empty() {
            self.set(name, answer);
        }
        Ok(())
    }
}

/// What is missing, with what is missing of the secrets, too: which of them exist is not known yet.
pub(super) fn with_secrets(error: Error, args: &InitArgs, prompt: &Prompt, known: &BTreeMap<String, String>) -> Error {
    let Error::Missing(mut missing) = error else { return error };
    let provider = args.whatsapp_provider.as_ref().or_else(|| known.get("WhatsAppProvider"));
    let provider = provider.and_then(|provider| rules::provider(provider).ok());
    let of_whatsapp = provider.filter(|provider| *provider != ProviderArg::None).map(Kind::WhatsApp);
    for kind in [Kind::ConsumerKey, Kind::ConsumerSecret].into_iter().chain(of_whatsapp) {
        if let Err(Error::Missing(of_secret)) = ask_for(kind, args.whatsapp_account.as_deref(), prompt) {
            missing.extend(of_secret.into_iter().map(|what| format!("{what} unless the secret exists")));
        }
    }
    Error::Missing(missing)
}

/// A secret of the operator's, from the environment or typed; `account` is that of WhatsApp's provider.
pub(crate) fn ask_for(kind: Kind, account: Option<&str>, prompt: &Prompt) -> Result<SecretString, Error> {
    let (variable, question) = match kind {
        Kind::ConsumerKey => ("WASF_CONSUMER_KEY", "The Salesforce app's consumer key"),
        Kind::ConsumerSecret => ("WASF_CONSUMER_SECRET", "The Salesforce app's consumer secret"),
        Kind::CallbackUri => ("WASF_CALLBACK_URI", "The callback URL"),
        Kind::Webhook => ("WASF_BOT_WEBHOOK_SECRET", "The webhook's signing secret, whsec_…"),
        Kind::WhatsApp(provider) => {
            let (whose, which) = match provider {
                ProviderArg::Meta => ("Meta's phone number id", "Meta's access token"),
                ProviderArg::Twilio | ProviderArg::None => ("Twilio's account SID", "Twilio's auth token"),
            };
            let some = |text: &str| if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) };
            let mut missing = Missing::default();
            let account = missing.or_note(prompt.answer(account, "--whatsapp-account", whose, None, some))?;
            let token = prompt.hidden("WASF_WHATSAPP_TOKEN", which, |text| Kind::ConsumerSecret.parse(text));
            let token = missing.or_note(token)?;
            missing.end()?;
            let (account, token) = (account.unwrap_or_default(), token.unwrap_or_default());
            return Ok(credentials(provider, &account, &token));
        }
    };
    prompt.hidden(variable, question, |text| kind.parse(text))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{
        args::{Args, Command},
        error::Exit,
        prompt::tests::typing,
    };

    pub(super) fn init_args(flags: &[&str]) -> InitArgs {
        let given = ["wasf", "init", "--no-input"].iter().chain(flags);
        match Args::try_parse_from(given).unwrap().command {
            Command::Init(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    fn answers(flags: &[&str]) -> Result<Answers, Error> {
        Answers::collect(&init_args(flags), &typing(None), &BTreeMap::new(), None)
    }

    /// The parameters that are set, where `samconfig.toml` has a webhook.
    fn with_webhook(flags: &[&str], lines: Option<&'static str>) -> BTreeMap<&'static str, String> {
        let known = BTreeMap::from([("BotWebhookUrl".to_owned(), "https://bot.example.com/events".to_owned())]);
        let flags = [&TWILIO[..], flags].concat();
        Answers::collect(&init_args(&flags), &typing(lines), &known, Some(&BTreeMap::new())).unwrap().parameters
    }

    pub(super) const TWILIO: [&str; 4] =
        ["--whatsapp-provider", "Twilio", "--whatsapp-sender", "whatsapp:+14155238886"];

    #[test]
    fn a_missing_answer_names_its_flag() {
        let error = answers(&["--whatsapp-provider", "Twilio"]).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        assert!(error.to_string().contains("--whatsapp-sender"), "{error}");
    }

    #[test]
    fn login_hosts_that_the_stack_alone_has_are_kept() {
        let mine = "https://acme.my.salesforce.com";
        let running = BTreeMap::from([("LoginUrls".to_owned(), mine.to_owned())]);
        let hosts = |known: &[(&str, &str)], running| {
            let known = known.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let answers = Answers::collect(&init_args(&TWILIO), &typing(None), &known, running).unwrap();
            answers.parameters["LoginUrls"].clone()
        };
        assert_eq!(hosts(&[], Some(&running)), mine);
        assert_eq!(hosts(&[], None), LOGIN_URLS);
        assert_eq!(
            hosts(&[("LoginUrls", "https://login.salesforce.com")], Some(&running)),
            "https://login.salesforce.com"
        );
    }

    #[test]
    fn all_answers_that_are_missing_are_named_at_once() {
        let flags = ["--whatsapp-provider", "Twilio", "--chat-proof", "Required"];
        let said = answers(&flags).unwrap_err().to_string();
        assert!(said.contains("(--whatsapp-sender)") && said.contains("(--bot-phone-number)"), "{said}");
        let none = answers(&[]).unwrap_err().to_string();
        assert!(none.contains("(--whatsapp-provider)") && none.contains("if it is that (--whatsapp-sender)"), "{none}");
    }

    #[test]
    fn secrets_that_may_be_missing_are_named_with_the_other_answers() {
        let args = init_args(&["--whatsapp-provider", "Twilio"]);
        let error = answers(&["--whatsapp-provider", "Twilio"]).unwrap_err();
        let said = with_secrets(error, &args, &typing(None), &BTreeMap::new()).to_string();
        for way in [
            "--whatsapp-sender",
            "WASF_CONSUMER_KEY",
            "WASF_CONSUMER_SECRET",
            "--whatsapp-account",
            "WASF_WHATSAPP_TOKEN",
        ] {
            assert!(said.contains(&format!("({way}")), "{way}: {said}");
        }
        assert_eq!(said.matches("unless the secret exists").count(), 4, "{said}");
    }

    #[test]
    fn an_optional_answer_is_left_to_the_template() {
        let given = answers(&TWILIO).unwrap();
        let names: Vec<_> = given.parameters().keys().copied().collect();
        assert_eq!(names, ["LoginUrls", "WhatsAppProvider", "WhatsAppSender"]);
    }

    #[test]
    fn what_is_taken_away_is_given_as_empty() {
        assert_eq!(with_webhook(&["--bot-webhook-url", "-"], None)["BotWebhookUrl"], "");
        assert_eq!(with_webhook(&["--callback-uri=-", "--alarm-email=-"], None)["AlarmEmail"], "");
        assert_eq!(with_webhook(&[], Some("\n\n\n\n-\n\n\n\n\n\n\n"))["BotWebhookUrl"], "");
        assert_eq!(with_webhook(&[], None)["BotWebhookUrl"], "https://bot.example.com/events");
    }

    #[test]
    fn the_key_of_the_secrets_is_given_typed_kept_or_taken_away() {
        const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/0b1c";
        let known = BTreeMap::from([(SECRETS_KEY.to_owned(), KEY.to_owned())]);
        let key = |flags: &[&str], lines, known: &BTreeMap<String, String>| {
            let args = init_args(&[&TWILIO[..], flags].concat());
            Answers::collect(&args, &typing(lines), known, Some(&BTreeMap::new()))
                .unwrap()
                .parameters
                .get(SECRETS_KEY)
                .cloned()
        };
        assert_eq!(key(&["--secrets-key-arn", KEY], None, &BTreeMap::new()).as_deref(), Some(KEY));
        let typed = "\n\n\n\n\n\n\nalias/mine\narn:aws:kms:eu-west-1:123456789012:key/0b1c\n\n\n\n";
        assert_eq!(key(&[], Some(typed), &BTreeMap::new()).as_deref(), Some(KEY));
        assert_eq!(key(&[], None, &known).as_deref(), Some(KEY));
        assert_eq!(key(&["--secrets-key-arn=-"], None, &known).as_deref(), Some(""));
        assert_eq!(key(&[], None, &BTreeMap::new()), None);
    }

    #[test]
    fn an_event_bus_is_given_typed_or_taken_away() {
        let bus = |flags: &[&str], lines| with_webhook(flags, lines).get("EventBusName").cloned();
        assert_eq!(bus(&["--event-bus-name", "bot-events"], None).as_deref(), Some("bot-events"));
        assert_eq!(bus(&[], Some("\n\n\n\n\ntwo words\nbot-events\n\n\n\n\n\n")).as_deref(), Some("bot-events"));
        assert_eq!(bus(&["--event-bus-name", "-"], None).as_deref(), Some(""));
        assert_eq!(bus(&[], None), None);
    }

    #[test]
    fn the_pages_name_whom_the_operator_says() {
        let given = with_webhook(&["--brand-name", "Acme", "--privacy-url", "https://acme.example/privacy"], None);
        assert_eq!(
            (given["BrandName"].as_str(), given["PrivacyUrl"].as_str()),
            ("Acme", "https://acme.example/privacy")
        );
        assert_eq!(with_webhook(&[], Some("\n\n\n\n\n\n\n\nAcme\n-\n\n"))["BrandName"], "Acme");
        assert_eq!(answers(&[&TWILIO[..], &["--privacy-url", "acme"]].concat()).unwrap_err().exit(), Exit::Usage);
    }

    #[test]
    fn the_language_of_people_is_given_typed_or_kept() {
        let language = |flags: &[&str], lines| with_webhook(flags, lines).get("DefaultLanguage").cloned();
        assert_eq!(language(&["--default-language", "pt-br"], None).as_deref(), Some("pt-BR"));
        assert_eq!(language(&[], Some("\n\n\n\n\n\n\n\n\n\ngreek\nes\n")).as_deref(), Some("es"));
        assert_eq!(language(&[], Some("\n\n\n\n\n\n\n\n\n\n\n")).as_deref(), Some("en"));
        assert_eq!(language(&[], None), None);
        assert_eq!(answers(&[&TWILIO[..], &["--default-language", "-"]].concat()).unwrap_err().exit(), Exit::Usage);
    }

    #[test]
    fn nobody_is_asked_for_the_key_of_refresh_tokens() {
        let given = |flags: &[&str]| {
            answers(&[&TWILIO[..], flags].concat()).unwrap().parameters().get(REFRESH_TOKEN_KEY).cloned()
        };
        assert_eq!(given(&[]), None);
        assert_eq!(given(&["--refresh-token-key-arn=-"]).as_deref(), Some(""));
        let arn = "arn:aws:kms:eu-west-1:123456789012:key/0b1c";
        assert_eq!(given(&["--refresh-token-key-arn", arn]).as_deref(), Some(arn));
        assert_eq!(answers(&["--refresh-token-key-arn", "alias/mine"]).unwrap_err().exit(), Exit::Usage);
    }

    #[test]
    fn a_sender_goes_with_its_provider() {
        let known = BTreeMap::from([("WhatsAppSender".to_owned(), "whatsapp:+14155238886".to_owned())]);
        let args = init_args(&["--whatsapp-provider", "Meta"]);
        assert_eq!(Answers::collect(&args, &typing(None), &known, None).unwrap().parameters["WhatsAppSender"], "");
    }

    #[test]
    fn only_secrets_that_are_read_are_prepared() {
        let kinds = |flags: &[&str]| -> Vec<Kind> {
            let answers = answers(flags).unwrap();
            let set = answers.parameters().iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            answers.secrets(&set).into_iter().map(|(kind, _)| kind).collect()
        };
        assert_eq!(kinds(&["--whatsapp-provider", "None"]), [Kind::ConsumerKey, Kind::ConsumerSecret]);
        let all = [&TWILIO[..], &["--bot-webhook-url", "https://bot.example.com/events"]].concat();
        assert_eq!(
            kinds(&all),
            [Kind::ConsumerKey, Kind::ConsumerSecret, Kind::WhatsApp(ProviderArg::Twilio), Kind::Webhook]
        );
    }

    #[test]
    fn a_login_host_must_be_valid() {
        let http = [&TWILIO[..], &["--login-urls", "http://example.com"]].concat();
        assert_eq!(answers(&http).unwrap_err().exit(), Exit::Usage);
    }

    #[test]
    fn a_callback_url_must_be_valid() {
        let elsewhere = [&TWILIO[..], &["--callback-uri", "https://example.com/"]].concat();
        assert_eq!(answers(&elsewhere).unwrap_err().exit(), Exit::Usage);
    }
}
