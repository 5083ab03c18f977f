//! What every message is processed with: the settings, the adapters, the clock.

use shared::{
    aws::{SdkConfig, kms::Kms, secrets::SecretStore},
    salesforce::Salesforce,
    timestamp::Clock,
};

use crate::{config::Config, queue::ExchangeQueue, tables::Tables};

pub(crate) struct Resources {
    pub(crate) config: Config,
    pub(crate) secrets: SecretStore,
    pub(crate) kms: Kms,
    pub(crate) salesforce: Salesforce,
    pub(crate) tables: Tables,
    pub(crate) queue: ExchangeQueue,
    pub(crate) clock: Clock,
}

impl Resources {
    /// Nothing is fetched or opened yet.
    pub(crate) fn new(config: Config, aws: &SdkConfig, clock: Clock) -> Result<Self, reqwest::Error> {
        Ok(Self {
            secrets: SecretStore::new(aws, config.sources()),
            kms: Kms::new(aws),
            salesforce: Salesforce::new(config.roots)?,
            tables: Tables::new(aws, config.attempt_table.clone(), config.token_table.clone()),
            queue: ExchangeQueue::new(aws, config.queue_url.clone()),
            config,
            clock,
        })
    }
}
