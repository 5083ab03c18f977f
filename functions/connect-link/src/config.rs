//! The settings, read once at the start.

use std::{num::NonZeroU16, time::Duration};

use shared::{
    Language, LoginUrls, SettingError, Settings,
    aws::{links::CallbackUriSource, secrets::Source},
    metrics::Meter,
    page::{BotPhoneNumber, Brand},
};

use crate::authorization::Prompt;

/// The settings of this function.
#[derive(Debug)]
pub struct Config {
    pub(crate) state_key_id: String,
    pub(crate) pkce_key_id: String,
    pub(crate) link_key_id: String,
    pub(crate) limit_table: String,
    pub(crate) attempt_table: String,
    pub(crate) link_lifetime: Duration,
    pub(crate) login_urls: LoginUrls,
    pub(crate) meter: Meter,
    pub(crate) scopes: String,
    pub(crate) prompt: Prompt,
    pub(crate) bot_phone_number: Option<BotPhoneNumber>,
    pub(crate) brand: Brand,
    /// Of people whose link has none, and whose browser asks for none of ours.
    pub(crate) default_language: Language,
    pub(crate) client_id: Source,
    pub(crate) callback_uri: CallbackUriSource,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`SettingError`] with the name of a setting that is missing or invalid.
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        let minutes: NonZeroU16 = settings.parsed("LINK_LIFETIME_MINUTES")?;
        Ok(Self {
            state_key_id: settings.required("STATE_KEY_ID")?,
            pkce_key_id: settings.required("PKCE_KEY_ID")?,
            link_key_id: settings.required("LINK_KEY_ID")?,
            limit_table: settings.required("LIMIT_TABLE_NAME")?,
            attempt_table: settings.required("ATTEMPT_TABLE_NAME")?,
            link_lifetime: Duration::from_mins(minutes.get().into()),
            login_urls: settings.parsed("LOGIN_URLS")?,
            meter: Meter::read(settings)?,
            scopes: settings.required("SCOPES")?,
            prompt: settings.parsed("OAUTH_PROMPT")?,
            bot_phone_number: settings.parsed_optional("BOT_PHONE_NUMBER")?,
            brand: Brand::read(settings),
            default_language: settings.parsed("DEFAULT_LANGUAGE")?,
            client_id: Source::read(settings, "SF_CLIENT_ID", "SF_CLIENT_ID_SECRET_NAME")?,
            callback_uri: CallbackUriSource::read(settings)?,
        })
    }

    /// The settings that Secrets Manager may hold.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> {
        std::iter::once(&self.client_id).chain(self.callback_uri.source())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 13] = [
        ("STATE_KEY_ID", "state"),
        ("PKCE_KEY_ID", "pkce"),
        ("LINK_KEY_ID", "link"),
        ("LIMIT_TABLE_NAME", "limits"),
        ("ATTEMPT_TABLE_NAME", "attempts"),
        ("LINK_LIFETIME_MINUTES", "15"),
        ("DEFAULT_LANGUAGE", "en"),
        ("STACK_NAME", "connect"),
        ("LOGIN_URLS", "https://login.salesforce.com"),
        ("SCOPES", "api refresh_token"),
        ("OAUTH_PROMPT", "select_account"),
        ("SF_CLIENT_ID_SECRET_NAME", "sf_client_id"),
        ("API_DOMAIN_SUFFIX", "execute-api.us-east-1.amazonaws.com"),
    ];

    fn read(settings: &[(&str, &str)]) -> Result<Config, SettingError> {
        Config::read(&Settings::new(|name| {
            settings.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        }))
    }

    #[test]
    fn the_lifetime_is_in_minutes() {
        assert_eq!(read(&COMPLETE).unwrap().link_lifetime, Duration::from_mins(15));
        assert!(read(&[&COMPLETE[..], &[("LINK_LIFETIME_MINUTES", "0")]].concat()).is_err());
    }

    #[test]
    fn a_phone_number_is_optional_but_not_arbitrary() {
        assert_eq!(read(&COMPLETE).unwrap().bot_phone_number, None);
        let with = |number| read(&[&COMPLETE[..], &[("BOT_PHONE_NUMBER", number)]].concat());
        assert_eq!(with("+1 415 523 8886").unwrap().bot_phone_number, Some("14155238886".parse().unwrap()));
        assert!(with("none").unwrap_err().to_string().contains("BOT_PHONE_NUMBER"));
    }

    #[test]
    fn an_invalid_brand_keeps_nobody_from_connecting() {
        for (name, value) in [
            ("BRAND_NAME", "Acme\u{80}"),
            ("PRIVACY_URL", "https://a:b"),
            ("BRAND_COLOR", "blue"),
            ("BRAND_LOGO", "data:image/png;base64,AAAAA"),
        ] {
            assert!(read(&[&COMPLETE[..], &[(name, value)]].concat()).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_missing_setting_is_named() {
        for (name, _) in COMPLETE {
            let rest: Vec<_> = COMPLETE.into_iter().filter(|(key, _)| *key != name).collect();
            let named = match name {
                "SF_CLIENT_ID_SECRET_NAME" => "SF_CLIENT_ID",
                "API_DOMAIN_SUFFIX" => "SF_REDIRECT_URI",
                _ => name,
            };
            assert_eq!(read(&rest).unwrap_err(), SettingError::Missing(named));
        }
    }
}
