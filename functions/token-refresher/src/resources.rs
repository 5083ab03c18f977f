//! What every message is processed with: the settings, the adapters, the clock.

use shared::{
    Timestamp,
    aws::{SdkConfig, kms::Kms, queue::Queue},
    process::Random,
    timestamp::Clock,
};

use crate::{config::Config, table::TokenTable};

pub(crate) struct Resources {
    pub(crate) config: Config,
    pub(crate) kms: Kms,
    pub(crate) table: TokenTable,
    pub(crate) queue: Queue,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
}

impl Resources {
    /// Nothing is fetched or opened yet.
    pub(crate) fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Result<Self, reqwest::Error> {
        Ok(Self {
            kms: Kms::new(aws),
            table: TokenTable::new(aws, config.token_table.clone()),
            queue: Queue::new(aws, config.queue_url.clone()),
            config,
            clock,
            random,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
