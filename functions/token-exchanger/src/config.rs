//! The settings, read once from the environment.

use std::{
    num::{NonZeroU8, NonZeroU32},
    time::Duration,
};

use shared::{
    CallbackUri, LoginUrls, SettingError, Settings,
    aws::secrets::{Secrets, SecretsError, Source},
    callback_uri::InvalidCallbackUri,
    custody::TokenCustody,
    http::Roots,
    metrics::Meter,
    proof::ProofPolicy,
    salesforce::Credentials,
    state_settings::StateSettings,
};

/// The settings of this function.
#[derive(Debug)]
pub struct Config {
    pub(crate) token_table: String,
    pub(crate) attempt_table: String,
    pub(crate) queue_url: String,
    /// How often a code is tried. The queue delivers its message some more times, so that the person is still
    /// notified of the delay if the last try was killed.
    pub(crate) max_tries: u32,
    pub(crate) pkce_key_id: String,
    /// What the states of messages are verified with.
    pub(crate) states: StateSettings,
    /// Encrypts tokens that cannot be stored at once.
    pub(crate) checkpoint_key_id: String,
    pub(crate) custody: Custody,
    /// Where sealed refresh tokens are revoked, and the time of confirmations ends; always there where the stack has the custody,
    /// or chats have to confirm.
    pub(crate) upkeep_queue_url: Option<String>,
    pub(crate) proof: Proof,
    pub(crate) login_urls: LoginUrls,
    pub(crate) roots: Roots,
    pub(crate) meter: Meter,
    client_id: Source,
    pub(crate) client_secret: Source,
    callback_uri: Source,
}

/// The confirmation of logins by their chats.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) policy: ProofPolicy,
    /// How long a chat has for it.
    pub(crate) time: Duration,
    /// Where tokens are held meanwhile. Messages of before a change of the policy are held too, whatever it is now.
    pub(crate) pending_table: String,
}

/// Who holds the refresh tokens of stored connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Custody {
    /// This stack: they are sealed.
    Stack {
        /// The KMS key whose data keys seal them.
        key_id: String,
    },
    /// The bots: they are stored as Salesforce gave them.
    Bot {
        /// The same key: rows may still be sealed with it, if the stack had the custody before.
        key_id: Option<String>,
    },
}

/// The app's credentials are not available.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error("invalid callback URI")]
    CallbackUri(#[from] InvalidCallbackUri),
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`SettingError`] with the name of the setting.
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        let custody = Custody::read(settings)?;
        let policy = settings.parsed("CHAT_PROOF")?;
        let needs_upkeep = matches!(custody, Custody::Stack { .. }) || policy == ProofPolicy::Required;
        Ok(Self {
            token_table: settings.required("DYNAMODB_PROFILE_TABLE_NAME")?,
            attempt_table: settings.required("ATTEMPT_TABLE_NAME")?,
            queue_url: settings.required("EXCHANGE_QUEUE_URL")?,
            max_tries: settings.parsed::<NonZeroU32>("MAX_TRIES")?.get(),
            pkce_key_id: settings.required("PKCE_KEY_ID")?,
            states: StateSettings::read(settings)?,
            checkpoint_key_id: settings.required("CHECKPOINT_KEY_ID")?,
            upkeep_queue_url: if needs_upkeep {
                Some(settings.required("UPKEEP_QUEUE_URL")?)
            } else {
                settings.optional("UPKEEP_QUEUE_URL")
            },
            custody,
            proof: Proof {
                policy,
                time: Duration::from_mins(settings.parsed::<NonZeroU8>("PROOF_MINUTES")?.get().into()),
                pending_table: settings.required("PENDING_TABLE_NAME")?,
            },
            login_urls: settings.parsed("LOGIN_URLS")?,
            roots: Roots::of(settings),
            meter: Meter::read(settings)?,
            client_id: Source::read(settings, "SF_CLIENT_ID", "SF_CLIENT_ID_SECRET_NAME")?,
            client_secret: Source::read(settings, "SF_CLIENT_SECRET", "SF_CLIENT_SECRET_SECRET_NAME")?,
            callback_uri: Source::read(settings, "SF_REDIRECT_URI", "SF_CALLBACK_URI_SECRET_NAME")?,
        })
    }

    /// The settings that Secrets Manager may hold.
    pub(crate) fn sources(&self) -> [&Source; 3] {
        [&self.client_id, &self.client_secret, &self.callback_uri]
    }

    /// The app's credentials. White space around them is trimmed: secrets often end in a line break.
    pub(crate) fn credentials<'a>(&'a self, secrets: &'a Secrets) -> Result<Credentials<'a>, CredentialsError> {
        Ok(Credentials {
            client_id: secrets.get(&self.client_id)?.trim(),
            client_secret: secrets.get(&self.client_secret)?.trim(),
            callback_uri: CallbackUri::parse(secrets.get(&self.callback_uri)?)?,
        })
    }
}

impl Custody {
    fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        Ok(match settings.parsed("TOKEN_CUSTODY")? {
            TokenCustody::Stack => Self::Stack { key_id: settings.required("TOKEN_KEY_ID")? },
            TokenCustody::Bot => Self::Bot { key_id: settings.optional("TOKEN_KEY_ID") },
        })
    }

    /// The KMS key for tokens that only the refresher can compare with a row; `None` where no row was ever sealed.
    pub(crate) fn key_id(&self) -> Option<&str> {
        match self {
            Self::Stack { key_id } => Some(key_id),
            Self::Bot { key_id } => key_id.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 19] = [
        ("DYNAMODB_PROFILE_TABLE_NAME", "salesforce_tokens"),
        ("ATTEMPT_TABLE_NAME", "connection_attempts"),
        ("EXCHANGE_QUEUE_URL", "https://queue"),
        ("MAX_TRIES", "10"),
        ("STACK_NAME", "connect"),
        ("PKCE_KEY_ID", "pkce"),
        ("STATE_KEY_IDS", "arn:one"),
        ("STATE_POLICY", "Signed"),
        ("CHECKPOINT_KEY_ID", "checkpoint"),
        ("TOKEN_CUSTODY", "Stack"),
        ("TOKEN_KEY_ID", "arn:tokens"),
        ("UPKEEP_QUEUE_URL", "https://upkeep"),
        ("CHAT_PROOF", "Required"),
        ("PROOF_MINUTES", "10"),
        ("PENDING_TABLE_NAME", "pending"),
        ("LOGIN_URLS", "https://login.salesforce.com"),
        ("SF_CLIENT_ID_SECRET_NAME", "sf_client_id"),
        ("SF_CLIENT_SECRET_SECRET_NAME", "sf_client_secret"),
        ("SF_CALLBACK_URI_SECRET_NAME", "sf_callback_uri"),
    ];

    fn read(settings: &[(&str, &str)]) -> Result<Config, SettingError> {
        Config::read(&Settings::new(|name| {
            settings.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        }))
    }

    #[test]
    fn a_missing_setting_is_named() {
        assert_eq!(read(&COMPLETE).unwrap().max_tries, 10);
        for (name, _) in COMPLETE {
            let rest: Vec<_> = COMPLETE.into_iter().filter(|(key, _)| *key != name).collect();
            let named = match name {
                "SF_CLIENT_ID_SECRET_NAME" => "SF_CLIENT_ID",
                "SF_CLIENT_SECRET_SECRET_NAME" => "SF_CLIENT_SECRET",
                "SF_CALLBACK_URI_SECRET_NAME" => "SF_REDIRECT_URI",
                _ => name,
            };
            assert_eq!(read(&rest).unwrap_err(), SettingError::Missing(named));
        }
    }

    #[test]
    fn a_message_is_tried_at_least_once() {
        assert!(read(&[&COMPLETE[..], &[("MAX_TRIES", "0")]].concat()).is_err());
    }

    #[test]
    fn bots_that_hold_their_tokens_need_neither_key_nor_upkeep_queue() {
        let custody_of_bot = [&COMPLETE[..], &[("TOKEN_CUSTODY", "Bot"), ("CHAT_PROOF", "Off")]].concat();
        for absent in ["TOKEN_KEY_ID", "UPKEEP_QUEUE_URL"] {
            let rest: Vec<_> = custody_of_bot.iter().copied().filter(|(key, _)| *key != absent).collect();
            assert!(matches!(read(&rest).unwrap().custody, Custody::Bot { .. }), "{absent}");
        }
        let config = read(&custody_of_bot).unwrap();
        let known = (config.custody.key_id(), config.upkeep_queue_url.as_deref());
        assert_eq!(known, (Some("arn:tokens"), Some("https://upkeep")), "rows may still be sealed");
    }

    #[test]
    fn who_holds_the_tokens_is_said_and_not_guessed() {
        let unknown = read(&[&COMPLETE[..], &[("TOKEN_CUSTODY", "stack")]].concat()).unwrap_err();
        assert_eq!(unknown.to_string(), "the setting TOKEN_CUSTODY is invalid: expected Stack or Bot");
    }

    #[test]
    fn debug_hides_the_secrets() {
        let config = read(&[&COMPLETE[..], &[("SF_CLIENT_SECRET", "s3cret")]].concat()).unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
