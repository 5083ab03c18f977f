//! What every message is processed with: the settings, the adapters, the clock.

use shared::{
    aws::{
        SdkConfig,
        kms::{Kms, KmsError},
        queue::Queue,
        secrets::SecretStore,
    },
    http::Client,
    process::Random,
    salesforce::Salesforce,
    state::StateKey,
    timestamp::Clock,
};
use tokio::sync::OnceCell;

use crate::{config::Config, tables::Tables};

pub(crate) struct Resources {
    pub(crate) config: Config,
    pub(crate) secrets: SecretStore,
    pub(crate) kms: Kms,
    /// For Salesforce; each delivery has connections of its own.
    pub(crate) http: Client,
    pub(crate) tables: Tables,
    pub(crate) queue: Queue,
    /// Of what is to be done for stored connections; `None` where nobody does.
    pub(crate) upkeep: Option<Queue>,
    /// The public keys that the settings do not hold.
    fetched_keys: OnceCell<Vec<StateKey>>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
}

impl Resources {
    /// Nothing is fetched or opened yet.
    pub(crate) fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Self {
        Self {
            secrets: SecretStore::new(aws, config.sources()),
            kms: Kms::new(aws),
            http: Salesforce::client(config.roots),
            tables: Tables::new(
                aws,
                config.attempt_table.clone(),
                config.token_table.clone(),
                config.proof.pending_table.clone(),
            ),
            queue: Queue::new(aws, config.queue_url.clone()),
            upkeep: config.upkeep_queue_url.clone().map(|url| Queue::new(aws, url)),
            fetched_keys: OnceCell::new(),
            config,
            clock,
            random,
        }
    }

    /// Fetches the public keys, once.
    pub(crate) async fn fetch_state_keys(&self) -> Result<&[StateKey], KmsError> {
        let fetch = || self.kms.state_keys(&self.config.states.key_ids);
        self.fetched_keys.get_or_try_init(fetch).await.map(Vec::as_slice)
    }
}
