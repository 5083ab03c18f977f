//! The operator's settings, read once when the function starts.

use std::{str::FromStr, time::Duration};

use shared::{
    Language, LoginUrls, SettingError, Settings, aws::secrets::Source, http::Roots, login::is_confidential,
    metrics::Meter, proof::ProofPolicy,
};
use url::Url;

use crate::{
    relink::Lifetimes,
    whatsapp::{Account, Provider, Sender, Templates},
};

/// The notifier's settings.
#[derive(Debug)]
pub struct Config {
    pub(crate) attempt_table: String,
    pub(crate) limit_table: String,
    /// Where outcomes go that are not told completely.
    pub(crate) retry_queue_url: String,
    /// The account that messages are sent from; `None` where the bot sends them.
    pub(crate) whatsapp: Option<Account>,
    pub(crate) webhook: Option<WebhookConfig>,
    pub(crate) bot_queue_url: Option<String>,
    /// A name or an ARN.
    pub(crate) event_bus_name: Option<String>,
    /// Links lead to a path beside it.
    pub(crate) callback_uri: Source,
    pub(crate) link_key_id: String,
    pub(crate) link_lifetimes: Lifetimes,
    pub(crate) login_urls: LoginUrls,
    /// Whether the bot passes people's messages on, which decides on what a success says.
    pub(crate) proof: ProofPolicy,
    /// Of people whose link has none.
    pub(crate) default_language: Language,
    pub(crate) roots: Roots,
    pub(crate) meter: Meter,
}

/// The bot's webhook, and the secret that signs its events.
#[derive(Debug)]
pub(crate) struct WebhookConfig {
    pub(crate) url: Url,
    pub(crate) secret: Source,
}

/// The setting `WHATSAPP_PROVIDER`.
enum ProviderName {
    Twilio,
    Meta,
    None,
}

impl FromStr for ProviderName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "Twilio" => Ok(Self::Twilio),
            "Meta" => Ok(Self::Meta),
            "None" => Ok(Self::None),
            _ => Err("neither Twilio, Meta nor None"),
        }
    }
}

/// A URL that secrets may be sent to.
struct ConfidentialUrl(Url);

impl FromStr for ConfidentialUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Url::parse(text) {
            Ok(url) if is_confidential(&url) => Ok(Self(url)),
            Ok(_) => Err("not https"),
            Err(_) => Err("not a URL"),
        }
    }
}

impl Config {
    /// # Errors
    /// [`SettingError`] with the name of a setting that is missing or invalid.
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        let minutes: u32 = settings.parsed("LINK_LIFETIME_MINUTES")?;
        let hours: u32 = settings.parsed("RELINK_LIFETIME_HOURS")?;
        Ok(Self {
            attempt_table: settings.required("ATTEMPT_TABLE_NAME")?,
            limit_table: settings.required("LIMIT_TABLE_NAME")?,
            retry_queue_url: settings.required("RETRY_QUEUE_URL")?,
            whatsapp: whatsapp(settings)?,
            webhook: webhook(settings)?,
            bot_queue_url: settings.optional("BOT_QUEUE_URL"),
            event_bus_name: settings.optional("EVENT_BUS_NAME"),
            callback_uri: Source::read(settings, "SF_REDIRECT_URI", "SF_CALLBACK_URI_SECRET_NAME")?,
            link_key_id: settings.required("LINK_KEY_ID")?,
            link_lifetimes: Lifetimes {
                after_attempt: Duration::from_mins(minutes.into()),
                after_end: Duration::from_hours(hours.into()),
            },
            login_urls: settings.parsed("LOGIN_URLS")?,
            proof: settings.parsed("CHAT_PROOF")?,
            default_language: settings.parsed("DEFAULT_LANGUAGE")?,
            roots: Roots::of(settings),
            meter: Meter::read(settings)?,
        })
    }

    /// The sources of all secrets.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> {
        let whatsapp = self.whatsapp.as_ref().map(|account| &account.secret);
        let webhook = self.webhook.as_ref().map(|webhook| &webhook.secret);
        [Some(&self.callback_uri), whatsapp, webhook].into_iter().flatten()
    }
}

fn whatsapp(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Option<Account>, SettingError> {
    let provider = match settings.parsed("WHATSAPP_PROVIDER")? {
        ProviderName::None => return Ok(None),
        ProviderName::Twilio => Provider::Twilio(sender(settings)?),
        ProviderName::Meta => Provider::Meta,
    };
    let templates = match settings.optional("WHATSAPP_TEMPLATE") {
        Some(text) => Some(Templates::parse(&text, &provider, settings.parsed("DEFAULT_LANGUAGE")?)),
        None => None,
    };
    let base = settings.parsed_optional("WHATSAPP_API_URL")?.map(|ConfidentialUrl(url)| url);
    let secret = Source::Secret(settings.required("WHATSAPP_SECRET_NAME")?);
    Ok(Some(Account { provider, base, templates, secret }))
}

/// The number that messages are sent from, the setting of which may omit `whatsapp:`, and its messaging service.
fn sender(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Sender, SettingError> {
    let name = "WHATSAPP_SENDER";
    let text = settings.required(name)?;
    let address = text.strip_prefix("whatsapp:").unwrap_or(&text);
    let from = format!("whatsapp:{address}")
        .parse()
        .map_err(|why: shared::wa_id::InvalidWaId| SettingError::Invalid { name, why: why.to_string() })?;
    Ok(Sender { from, messaging_service: settings.optional("TWILIO_MESSAGING_SERVICE_SID") })
}

fn webhook(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Option<WebhookConfig>, SettingError> {
    let Some(ConfidentialUrl(url)) = settings.parsed_optional("BOT_WEBHOOK_URL")? else {
        return Ok(None);
    };
    let secret = Source::Secret(settings.required("BOT_WEBHOOK_SECRET_NAME")?);
    Ok(Some(WebhookConfig { url, secret }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(changed: &'static str, value: &'static str) -> Result<Config, SettingError> {
        Config::read(&Settings::new(|name| {
            let usual = match name {
                "ATTEMPT_TABLE_NAME" => "connection_attempts",
                "LIMIT_TABLE_NAME" => "limits",
                "RETRY_QUEUE_URL" => "https://retries",
                "WHATSAPP_PROVIDER" => "Twilio",
                "WHATSAPP_SENDER" => "+14155238886",
                "WHATSAPP_TEMPLATE" => "HX0123",
                "TWILIO_MESSAGING_SERVICE_SID" => "MG0123",
                "WHATSAPP_SECRET_NAME" => "whatsapp",
                "BOT_WEBHOOK_URL" => "https://bot.example.com/events",
                "BOT_WEBHOOK_SECRET_NAME" => "webhook",
                "BOT_QUEUE_URL" => "https://queue",
                "EVENT_BUS_NAME" => "bus",
                "SF_CALLBACK_URI_SECRET_NAME" => "sf_callback_uri",
                "LINK_KEY_ID" => "arn:link",
                "LINK_LIFETIME_MINUTES" => "15",
                "RELINK_LIFETIME_HOURS" => "24",
                "STACK_NAME" => "connect",
                "LOGIN_URLS" => "https://login.salesforce.com",
                "CHAT_PROOF" => "Required",
                "DEFAULT_LANGUAGE" => "de",
                _ => "",
            };
            Some(if name == changed { value } else { usual }.to_owned())
        }))
    }

    #[test]
    fn reads_every_setting() {
        let config = read_with("", "").unwrap();
        let account = config.whatsapp.as_ref().unwrap();
        let Provider::Twilio(sender) = &account.provider else { panic!("{account:?}") };
        assert_eq!(sender.from.as_str(), "whatsapp:+14155238886");
        assert_eq!(sender.messaging_service.as_deref(), Some("MG0123"));
        assert_eq!(account.base, None);
        assert_eq!(config.link_lifetimes.after_attempt, Duration::from_mins(15));
        assert_eq!(config.link_lifetimes.after_end, Duration::from_hours(24));
        assert_eq!(config.proof, ProofPolicy::Required);
        assert_eq!(config.event_bus_name.as_deref(), Some("bus"));
        assert_eq!(config.default_language, Language::German);
        assert_eq!(config.sources().count(), 3);
    }

    #[test]
    fn what_is_not_used_needs_no_settings() {
        let config = read_with("WHATSAPP_PROVIDER", "None").unwrap();
        assert!(config.whatsapp.is_none());
        assert_eq!(config.sources().count(), 2);
        assert!(read_with("BOT_WEBHOOK_URL", "").unwrap().webhook.is_none());
        assert_eq!(read_with("BOT_QUEUE_URL", "").unwrap().bot_queue_url, None);
        assert_eq!(read_with("EVENT_BUS_NAME", "").unwrap().event_bus_name, None);
        assert_eq!(read_with("WHATSAPP_TEMPLATE", "").unwrap().whatsapp.unwrap().templates, None);
        let account = read_with("TWILIO_MESSAGING_SERVICE_SID", "").unwrap().whatsapp.unwrap();
        assert!(matches!(account.provider, Provider::Twilio(Sender { messaging_service: None, .. })));
    }

    #[test]
    fn names_the_setting_that_is_missing_or_invalid() {
        for name in ["ATTEMPT_TABLE_NAME", "LIMIT_TABLE_NAME", "RETRY_QUEUE_URL"] {
            assert_eq!(read_with(name, "").unwrap_err(), SettingError::Missing(name));
        }
        for name in ["WHATSAPP_PROVIDER", "WHATSAPP_SENDER", "WHATSAPP_SECRET_NAME"] {
            assert_eq!(read_with(name, "").unwrap_err(), SettingError::Missing(name));
        }
        for name in [
            "BOT_WEBHOOK_SECRET_NAME",
            "LINK_KEY_ID",
            "LINK_LIFETIME_MINUTES",
            "RELINK_LIFETIME_HOURS",
            "LOGIN_URLS",
            "CHAT_PROOF",
            "DEFAULT_LANGUAGE",
        ] {
            assert_eq!(read_with(name, "").unwrap_err(), SettingError::Missing(name));
        }
        let reason = |name, value| match read_with(name, value).unwrap_err() {
            SettingError::Invalid { name: named, why } if named == name => why,
            other => panic!("{other}"),
        };
        assert_eq!(reason("WHATSAPP_PROVIDER", "twilio"), "neither Twilio, Meta nor None");
        assert_eq!(reason("CHAT_PROOF", "On"), "expected Off or Required");
        reason("DEFAULT_LANGUAGE", "pt");
        assert_eq!(reason("BOT_WEBHOOK_URL", "http://bot.example.com"), "not https");
        assert_eq!(reason("WHATSAPP_API_URL", "here"), "not a URL");
        reason("WHATSAPP_SENDER", "the bot");
    }
}
