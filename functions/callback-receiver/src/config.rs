//! The settings, read once at the start.

use std::{num::NonZeroU16, str::FromStr};

use shared::{
    Language, LoginUrls, SettingError, Settings,
    metrics::Meter,
    page::{BotPhoneNumber, Brand},
    proof::ProofPolicy,
    state_settings::{STATE_PUBLIC_KEYS, StatePolicy, StateSettings},
};

const STATE_POLICY: &str = "STATE_POLICY";
const BROWSER_BINDING: &str = "BROWSER_BINDING";
const BOT_PHONE_NUMBER: &str = "BOT_PHONE_NUMBER";

/// The receiver's settings.
#[derive(Debug)]
pub struct Config {
    /// What states are verified with.
    pub states: StateSettings,
    /// Whether a callback must come from the browser that began the login.
    pub browser: BrowserPolicy,
    /// The exchange queue.
    pub queue_url: String,
    /// The first is where people with a plain state log in.
    pub login_urls: LoginUrls,
    pub(super) meter: Meter,
    /// For the pages' link back to the chat.
    pub bot_phone_number: Option<BotPhoneNumber>,
    /// Whose pages they are.
    pub brand: Brand,
    /// Of people whose link has none, and whose browser asks for none of ours.
    pub default_language: Language,
    /// How logins are confirmed in their chat; `None` where they need not be.
    pub proof: Option<Proof>,
}

/// How logins are confirmed in their chat: the pages have a code to send to this number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// How long after the login, in minutes, the code works.
    pub minutes: NonZeroU16,
    /// Where it is sent to.
    pub bot: BotPhoneNumber,
}

/// What happens to a callback from another browser than the one that began the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserPolicy {
    /// It is refused.
    Enforce,
    /// It is allowed, with a warning in the log.
    Observe,
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
        let states = StateSettings::read(settings)?;
        let browser = settings.parsed(BROWSER_BINDING)?;
        let bot_phone_number = settings.parsed_optional(BOT_PHONE_NUMBER)?;
        let proof = match settings.parsed("CHAT_PROOF")? {
            ProofPolicy::Off => None,
            ProofPolicy::Required => Some(Proof::read(settings, states.policy, browser, bot_phone_number.clone())?),
        };
        Ok(Self {
            states,
            browser,
            queue_url: settings.required("EXCHANGE_QUEUE_URL")?,
            login_urls: settings.parsed("LOGIN_URLS")?,
            meter: Meter::read(settings)?,
            bot_phone_number,
            brand: Brand::read(settings),
            default_language: settings.parsed("DEFAULT_LANGUAGE")?,
            proof,
        })
    }
}

impl Proof {
    /// The code comes from the secret of the browser that began the login: it needs a state that names the browser, and
    /// a callback from it.
    fn read(
        settings: &Settings<impl Fn(&str) -> Option<String>>,
        states: StatePolicy,
        browser: BrowserPolicy,
        bot: Option<BotPhoneNumber>,
    ) -> Result<Self, SettingError> {
        let needs = |name, value| SettingError::Invalid { name, why: format!("CHAT_PROOF=Required needs {value}") };
        match (states, browser) {
            (StatePolicy::AcceptPlain, _) => Err(needs(STATE_POLICY, "Signed")),
            (_, BrowserPolicy::Observe) => Err(needs(BROWSER_BINDING, "Enforce")),
            (StatePolicy::Signed, BrowserPolicy::Enforce) => Ok(Self {
                minutes: settings.parsed("PROOF_MINUTES")?,
                bot: bot.ok_or(SettingError::Missing(BOT_PHONE_NUMBER))?,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(changed: &[(&str, &str)]) -> Result<Config, SettingError> {
        Config::read(&Settings::new(|name| {
            let usual = match name {
                "STATE_POLICY" => "Signed",
                "BROWSER_BINDING" => "Enforce",
                "STATE_KEY_IDS" => "arn:one, arn:two",
                "EXCHANGE_QUEUE_URL" => "https://queue",
                "LOGIN_URLS" => "https://login.salesforce.com",
                "BOT_PHONE_NUMBER" => "+14155238886",
                "STACK_NAME" => "connect",
                "CHAT_PROOF" => "Off",
                "DEFAULT_LANGUAGE" => "en",
                "PROOF_MINUTES" => "10",
                _ => return None,
            };
            let changed = changed.iter().find(|(key, _)| *key == name);
            Some(changed.map_or(usual, |(_, value)| value).to_owned())
        }))
    }

    #[test]
    fn reads_every_setting() {
        let config = read_with(&[]).unwrap();
        assert_eq!(config.browser, BrowserPolicy::Enforce);
        assert_eq!(config.bot_phone_number, Some("+14155238886".parse().unwrap()));
        assert_eq!(config.proof, None);
        let proof = Proof { minutes: NonZeroU16::new(10).unwrap(), bot: "14155238886".parse().unwrap() };
        assert_eq!(read_with(&[("CHAT_PROOF", "Required")]).unwrap().proof, Some(proof));
    }

    #[test]
    fn without_a_proof_its_minutes_are_not_needed() {
        assert_eq!(read_with(&[("PROOF_MINUTES", "")]).unwrap().proof, None);
        assert_eq!(read_with(&[("CHAT_PROOF", "")]).unwrap_err(), SettingError::Missing("CHAT_PROOF"));
    }

    fn refused_with(name: &str, value: &str) -> String {
        read_with(&[("CHAT_PROOF", "Required"), (name, value)]).unwrap_err().to_string()
    }

    #[test]
    fn a_proof_needs_signed_states_of_known_browsers() {
        let plain = refused_with("STATE_POLICY", "AcceptPlain");
        assert_eq!(plain, "the setting STATE_POLICY is invalid: CHAT_PROOF=Required needs Signed");
        let observed = refused_with("BROWSER_BINDING", "Observe");
        assert_eq!(observed, "the setting BROWSER_BINDING is invalid: CHAT_PROOF=Required needs Enforce");
    }

    #[test]
    fn a_proof_needs_its_minutes_and_the_bots_number() {
        assert_eq!(refused_with("PROOF_MINUTES", ""), "the setting PROOF_MINUTES is missing");
        assert!(refused_with("PROOF_MINUTES", "0").starts_with("the setting PROOF_MINUTES is invalid"));
        assert_eq!(refused_with("BOT_PHONE_NUMBER", ""), "the setting BOT_PHONE_NUMBER is missing");
    }

    #[test]
    fn names_the_setting_that_is_missing_or_invalid() {
        assert_eq!(read_with(&[("EXCHANGE_QUEUE_URL", "")]).unwrap_err(), SettingError::Missing("EXCHANGE_QUEUE_URL"));
        assert!(matches!(
            read_with(&[("STATE_POLICY", "plain")]).unwrap_err(),
            SettingError::Invalid { name: "STATE_POLICY", .. }
        ));
        assert!(matches!(
            read_with(&[("BOT_PHONE_NUMBER", "none")]).unwrap_err(),
            SettingError::Invalid { name: "BOT_PHONE_NUMBER", .. }
        ));
        assert_eq!(read_with(&[("BOT_PHONE_NUMBER", "")]).unwrap().bot_phone_number, None);
    }
}
