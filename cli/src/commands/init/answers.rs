//! The operator's answers: from flags, from the environment, or typed.

use std::collections::BTreeMap;

use secrecy::SecretString;
use shared::{CallbackUri, LoginUrls, WaId, process::Random};

use super::{
    prompt::Prompt,
    secret::{Kind, credentials, signing_secret},
};
use crate::{
    args::{InitArgs, ProviderArg},
    error::Error,
};

const LOGIN_URLS: &str = "https://login.salesforce.com,https://test.salesforce.com";

/// The template's parameters that name secrets, with their defaults.
const CLIENT_ID: (&str, &str) = ("ClientIdSecretName", "sf_client_id");
const CLIENT_SECRET: (&str, &str) = ("ClientSecretSecretName", "sf_client_secret");
const WHATSAPP: (&str, &str) = ("WhatsAppSecretName", "whatsapp");
const WEBHOOK: (&str, &str) = ("BotWebhookSecretName", "bot_webhook");

/// The answers that are not secret.
#[derive(Debug)]
pub(super) struct Answers {
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
    pub(super) fn collect(args: &InitArgs, prompt: &Prompt, known: &BTreeMap<String, String>) -> Result<Self, Error> {
        let known = |name: &str| known.get(name).cloned();
        let provider = if let Some(provider) = args.whatsapp_provider {
            provider
        } else {
            let question = "The provider of WhatsApp messages: Twilio, Meta or None";
            let text = prompt.text("--whatsapp-provider", question, known("WhatsAppProvider"))?;
            clap::ValueEnum::from_str(&text, true)
                .map_err(|_| Error::Usage(format!("invalid provider {text}; give Twilio, Meta or None")))?
        };
        let sender = match (&args.whatsapp_sender, provider) {
            (_, ProviderArg::Meta | ProviderArg::None) => None,
            (Some(sender), ProviderArg::Twilio) => Some(sender.clone()),
            (None, ProviderArg::Twilio) => {
                let text = prompt.text("--whatsapp-sender", "Twilio's sender, whatsapp:+…", known("WhatsAppSender"))?;
                Some(text.parse().map_err(|why| Error::Usage(format!("invalid sender: {why}")))?)
            }
        };
        let optional = |given: &Option<String>, flag, question, name| {
            let text = match given {
                Some(text) => text.clone(),
                None => prompt.text(flag, question, Some(known(name).unwrap_or_else(|| "-".to_owned())))?,
            };
            Ok(Some(text).filter(|text| text != "-"))
        };
        let login_urls = if let Some(urls) = &args.login_urls {
            urls.clone()
        } else {
            let default = known("LoginUrls").unwrap_or_else(|| LOGIN_URLS.to_owned());
            prompt.text("--login-urls", "The login hosts, separated by commas", Some(default))?
        };
        let callback_uri = optional(
            &args.callback_uri,
            "--callback-uri",
            "The callback URL on your own domain, - for the API's own",
            "CallbackUri",
        )?;
        if let Some(uri) = &callback_uri {
            uri.parse::<CallbackUri>().map_err(|why| Error::Usage(format!("invalid callback URL: {why}")))?;
        }
        login_urls.parse::<LoginUrls>().map_err(|why| Error::Usage(format!("invalid login hosts: {why}")))?;
        Ok(Self {
            provider,
            sender,
            account: args.whatsapp_account.clone(),
            bot_phone_number: optional(
                &args.bot_phone_number,
                "--bot-phone-number",
                "The bot's phone number, - for none",
                "BotPhoneNumber",
            )?,
            bot_webhook_url: optional(
                &args.bot_webhook_url,
                "--bot-webhook-url",
                "The bot's webhook for events, - for none",
                "BotWebhookUrl",
            )?,
            callback_uri,
            login_urls,
            alarm_email: optional(
                &args.alarm_email,
                "--alarm-email",
                "The e-mail address that receives alarms, - for none",
                "AlarmEmail",
            )?,
        })
    }

    /// The template's parameters; `None`: the template's default.
    pub(super) fn parameters(&self) -> BTreeMap<&'static str, Option<String>> {
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
    pub(super) fn secrets(&self, parameters: &BTreeMap<String, String>) -> Vec<(Kind, String)> {
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

    /// A secret's value: given, typed, or generated.
    pub(super) fn value(
        &self,
        kind: Kind,
        args: &InitArgs,
        prompt: &Prompt,
        random: Random,
    ) -> Result<SecretString, Error> {
        let secret = |given: &Option<SecretString>, flag, question| match given {
            Some(secret) => Ok(secret.clone()),
            None => prompt.hidden(flag, question),
        };
        match kind {
            Kind::ConsumerKey => secret(&args.consumer_key, "WASF_CONSUMER_KEY", "The Salesforce app's consumer key"),
            Kind::ConsumerSecret => {
                secret(&args.consumer_secret, "WASF_CONSUMER_SECRET", "The Salesforce app's consumer secret")
            }
            Kind::WhatsApp => {
                let question = match self.provider {
                    ProviderArg::Meta => ("Meta's phone number id", "Meta's access token"),
                    ProviderArg::Twilio | ProviderArg::None => ("Twilio's account SID", "Twilio's auth token"),
                };
                let account = match &self.account {
                    Some(account) => account.clone(),
                    None => prompt.text("--whatsapp-account", question.0, None)?,
                };
                let token = secret(&args.whatsapp_token, "WASF_WHATSAPP_TOKEN", question.1)?;
                Ok(credentials(self.provider, &account, &token))
            }
            Kind::Webhook => signing_secret(random),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{
        args::{Args, Command},
        error::Exit,
    };

    fn init_args(flags: &[&str]) -> InitArgs {
        let given = ["wasf", "init", "--no-input"].iter().chain(flags);
        match Args::try_parse_from(given).unwrap().command {
            Command::Init(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    fn answers(flags: &[&str]) -> Result<Answers, Error> {
        let args = init_args(flags);
        Answers::collect(&args, &Prompt { interactive: false }, &BTreeMap::new())
    }

    const TWILIO: [&str; 4] = ["--whatsapp-provider", "Twilio", "--whatsapp-sender", "whatsapp:+14155238886"];

    #[test]
    fn a_missing_answer_names_its_flag() {
        let error = answers(&["--whatsapp-provider", "Twilio"]).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        assert!(error.to_string().contains("--whatsapp-sender"), "{error}");
    }

    #[test]
    fn an_optional_answer_is_left_to_the_template() {
        let parameters = answers(&TWILIO).unwrap().parameters();
        let names: Vec<_> = parameters.into_iter().filter_map(|(name, value)| value.map(|_| name)).collect();
        assert_eq!(names, ["LoginUrls", "WhatsAppProvider", "WhatsAppSender"]);
    }

    #[test]
    fn only_secrets_that_are_read_are_prepared() {
        let kinds = |flags: &[&str]| -> Vec<Kind> {
            answers(flags).unwrap().secrets(&BTreeMap::new()).into_iter().map(|(kind, _)| kind).collect()
        };
        assert_eq!(kinds(&["--whatsapp-provider", "None"]), [Kind::ConsumerKey, Kind::ConsumerSecret]);
        let all = [&TWILIO[..], &["--bot-webhook-url", "https://bot.example.com/events"]].concat();
        assert_eq!(kinds(&all), [Kind::ConsumerKey, Kind::ConsumerSecret, Kind::WhatsApp, Kind::Webhook]);
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

    #[test]
    fn arguments_do_not_print_secrets() {
        let flags = [&TWILIO[..], &["--consumer-secret", "S3CRET", "--whatsapp-token", "S3CRET"]].concat();
        assert!(!format!("{:?}", init_args(&flags)).contains("S3CRET"));
    }
}
