//! What every refresh works with: the settings, the adapters, the clock.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use secrecy::SecretString;
use tokio::time::Instant;

use super::{
    config::Config,
    seal::{self, BrokenSeal, Parts, Purpose, SealingKey},
    silences::Silences,
    tables::Tables,
    trouble::Trouble,
    upkeep::Upkeep,
};
use crate::{
    WaId,
    aws::{
        AwsError, SdkConfig, Service,
        kms::Kms,
        queue::Queue,
        secrets::{SecretStore, Secrets, Source},
    },
    conditional_write::{Attributes, text},
    connection::{RefreshTokenText, SealedText},
    http::Client,
    process::Random,
    salesforce::{RefreshToken, Salesforce, instance_origin},
    timestamp::Clock,
};

/// Holds the tokens of a stack's connections.
pub struct Custody {
    pub(super) config: Config,
    pub(super) tables: Tables,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) silences: Silences,
    queue: Queue,
    kms: Kms,
    /// Made when it is needed: a plain call does not need it, and it reads root certificates.
    salesforce: OnceLock<Client>,
    pub(super) secrets: SecretStore,
}

impl Custody {
    /// Nothing is fetched or opened yet. `other_secret` is fetched with the app's credentials.
    #[must_use]
    pub fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random, other_secret: Option<&Source>) -> Self {
        Self {
            tables: Tables::new(aws, config.token_table.clone(), config.attempt_table.clone()),
            queue: Queue::new(aws, config.upkeep_queue_url.clone()),
            kms: Kms::new(aws),
            salesforce: OnceLock::new(),
            secrets: SecretStore::new(aws, config.sources().into_iter().chain(other_secret)),
            config,
            clock,
            random,
            silences: Silences::default(),
        }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// DynamoDB, for what a caller reads beside.
    #[must_use]
    pub const fn dynamodb(&self) -> &Service {
        self.tables.dynamodb()
    }

    /// The stack's KMS.
    #[must_use]
    pub const fn kms(&self) -> &Kms {
        &self.kms
    }

    /// The secrets of now: the app's credentials, and the caller's own.
    ///
    /// # Errors
    /// [`Trouble::Secrets`].
    pub async fn secrets(&self) -> Result<Arc<Secrets>, Trouble> {
        Ok(self.secrets.current((self.clock)()).await?)
    }

    /// The chat's row in the token table; empty where there is none.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn row(&self, wa_id: &WaId) -> Result<Attributes, AwsError> {
        self.tables.read(wa_id).await
    }

    /// Puts a message on the upkeep queue, to be received after the delay.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn queue(&self, message: &Upkeep, delay: Duration) -> Result<(), AwsError> {
        self.queue.send(message.to_body(), delay).await
    }

    /// Salesforce, over connections of its own.
    pub(super) fn salesforce(&self) -> Salesforce {
        Salesforce::new(self.salesforce.get_or_init(|| Salesforce::client(self.config.roots)))
    }

    /// A new key to seal tokens with.
    pub(super) async fn sealing_key(&self) -> Result<SealingKey, Trouble> {
        Ok(self.kms().refresh_token_key(&self.config.token_key_id).await?)
    }

    pub(super) fn seal(&self, key: &SealingKey, wa_id: &WaId, token: &str) -> Result<SealedText, BrokenSeal> {
        seal::seal(key, Purpose::RefreshToken, wa_id, token, self.random)
    }

    pub(super) async fn open(
        &self,
        text: &SealedText,
        purpose: Purpose,
        wa_id: &WaId,
    ) -> Result<SecretString, Trouble> {
        let parts = Parts::of(text)?;
        let key = self.kms().open_refresh_token_key(&self.config.token_key_id, &parts.key).await?;
        Ok(parts.open(&key, purpose, wa_id)?)
    }

    /// The refresh token that a row's text stands for.
    pub(super) async fn open_token(&self, text: &RefreshTokenText, wa_id: &WaId) -> Result<RefreshToken, Trouble> {
        let token = match text {
            RefreshTokenText::Plain(token) => token.clone(),
            RefreshTokenText::Sealed(sealed) => self.open(sealed, Purpose::RefreshToken, wa_id).await?,
        };
        RefreshToken::from_secret(&token).map_err(|_| Trouble::Seal(BrokenSeal))
    }

    /// The hosts of Salesforce's that know the tokens of a row: where the person logged in, and the org's own. Bots may have
    /// written the row, so a host of Salesforce's, or one that the operator has listed, is asked and no other.
    pub(super) fn hosts(&self, row: &Attributes) -> Vec<String> {
        use crate::attempt::attr;
        let text = |name| text(row, name);
        let allowed = &self.config.login_urls;
        let login_url = text(attr::LOGIN_URL).and_then(|url| url.parse().ok()).filter(|url| allowed.contains(url));
        let instance =
            text(attr::INSTANCE_URL).and_then(|url| allowed.iter().find_map(|near| instance_origin(url, near)));
        let login = login_url.as_ref().map(|url| url.as_str().to_owned());
        let instance = instance.filter(|instance| login.as_ref() != Some(instance));
        login.into_iter().chain(instance).collect()
    }
}

/// How long it is until then; zero if it has passed.
pub(super) fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}
