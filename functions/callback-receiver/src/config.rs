//! The settings, read once at the start.

use std::str::FromStr;

use shared::{LoginUrls, SettingError, Settings, metrics::Meter, page::BotPhoneNumber, state::StateKey};

const STATE_PUBLIC_KEYS: &str = "STATE_PUBLIC_KEYS";

/// The receiver's settings.
#[derive(Debug)]
pub struct Config {
    /// Which states are accepted.
    pub policy: StatePolicy,
    /// Whether a callback must come from the browser that began the login.
    pub browser: BrowserPolicy,
    /// The KMS keys that may have signed a state.
    pub state_key_ids: Vec<String>,
    /// Their public keys, as far as the settings hold them; the others are fetched.
    pub state_keys: Vec<StateKey>,
    /// The exchange queue.
    pub queue_url: String,
    /// The first is where people with a plain state log in.
    pub login_urls: LoginUrls,
    pub(super) meter: Meter,
    /// For the pages' link back to the chat.
    pub bot_phone_number: Option<BotPhoneNumber>,
}

/// Which states are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatePolicy {
    /// Signed ones only.
    Signed,
    /// Plain ones too, which anyone can make: for bots of the older system.
    AcceptPlain,
}

/// What happens to a callback from another browser than the one that began the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserPolicy {
    /// It is refused.
    Enforce,
    /// It is allowed, with a warning in the log.
    Observe,
}

impl FromStr for StatePolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "Signed" => Ok(Self::Signed),
            "AcceptPlain" => Ok(Self::AcceptPlain),
            _ => Err("neither Signed nor AcceptPlain"),
        }
    }
}

impl FromStr for BrowserPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "Enforce" => Ok(Self::Enforce),
            "Observe" => Ok(Self::Observe),
            _ => Err("neither Enforce nor Observe"),
        }
    }
}

/// The AWS services that connections are opened to at the start, as [`shared::aws::Start`] names them.
#[must_use]
pub fn services(settings: &Settings<impl Fn(&str) -> Option<String>>) -> &'static [&'static str] {
    if settings.optional(STATE_PUBLIC_KEYS).is_some() { &["sqs"] } else { &["sqs", "kms"] }
}

impl Config {
    /// # Errors
    /// [`SettingError`] with the name of a setting that is missing or invalid.
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        Ok(Self {
            policy: settings.parsed("STATE_POLICY")?,
            browser: settings.parsed("BROWSER_BINDING")?,
            state_key_ids: settings.required("STATE_KEY_IDS")?.split(',').map(|id| id.trim().to_owned()).collect(),
            state_keys: state_keys(&settings.optional(STATE_PUBLIC_KEYS).unwrap_or_default())?,
            queue_url: settings.required("EXCHANGE_QUEUE_URL")?,
            login_urls: settings.parsed("LOGIN_URLS")?,
            meter: Meter::read(settings)?,
            bot_phone_number: settings.parsed_optional("BOT_PHONE_NUMBER")?,
        })
    }
}

fn state_keys(text: &str) -> Result<Vec<StateKey>, SettingError> {
    let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
    keys.map(StateKey::from_base64)
        .collect::<Result<_, _>>()
        .map_err(|error| SettingError::Invalid { name: STATE_PUBLIC_KEYS, why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(changed: &'static str, value: &'static str) -> Result<Config, SettingError> {
        Config::read(&Settings::new(|name| {
            let usual = match name {
                "STATE_POLICY" => "Signed",
                "BROWSER_BINDING" => "Enforce",
                "STATE_KEY_IDS" => "arn:one, arn:two",
                "EXCHANGE_QUEUE_URL" => "https://queue",
                "LOGIN_URLS" => "https://login.salesforce.com",
                "BOT_PHONE_NUMBER" => "+14155238886",
                "STACK_NAME" => "connect",
                _ => return None,
            };
            Some(if name == changed { value } else { usual }.to_owned())
        }))
    }

    #[test]
    fn reads_every_setting() {
        let config = read_with("", "").unwrap();
        assert_eq!(config.policy, StatePolicy::Signed);
        assert_eq!(config.browser, BrowserPolicy::Enforce);
        assert_eq!(config.state_key_ids, ["arn:one", "arn:two"]);
        assert!(config.state_keys.is_empty());
        let key = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        assert_eq!(state_keys(&format!("{key}, {key}")).unwrap().len(), 2);
        assert_eq!(config.bot_phone_number, Some("+14155238886".parse().unwrap()));
        assert_eq!(read_with("STATE_POLICY", "AcceptPlain").unwrap().policy, StatePolicy::AcceptPlain);
    }

    #[test]
    fn names_the_setting_that_is_missing_or_invalid() {
        assert_eq!(read_with("EXCHANGE_QUEUE_URL", "").unwrap_err(), SettingError::Missing("EXCHANGE_QUEUE_URL"));
        assert!(matches!(state_keys("MCow").unwrap_err(), SettingError::Invalid { name: STATE_PUBLIC_KEYS, .. }));
        assert!(matches!(
            read_with("STATE_POLICY", "plain").unwrap_err(),
            SettingError::Invalid { name: "STATE_POLICY", .. }
        ));
        assert!(matches!(
            read_with("BOT_PHONE_NUMBER", "none").unwrap_err(),
            SettingError::Invalid { name: "BOT_PHONE_NUMBER", .. }
        ));
        assert_eq!(read_with("BOT_PHONE_NUMBER", "").unwrap().bot_phone_number, None);
    }
}
