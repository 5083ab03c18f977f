//! What every message is processed with: the holder of the tokens, the table, the queue, the clock.

use std::time::Duration;

use shared::{
    Timestamp,
    aws::{SdkConfig, queue::Queue},
    custody::Custody,
    process::Random,
    timestamp::Clock,
};

use crate::{config::Config, table::TokenTable};

pub(crate) struct Resources {
    pub(crate) custody: Custody,
    pub(crate) table: TokenTable,
    pub(crate) queue: Queue,
    pub(crate) exchange_queue: Queue,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) sweep_time: Duration,
    clock: Clock,
}

impl Resources {
    /// Nothing is fetched or opened yet.
    pub(crate) fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Self {
        let Config { custody, token_table, queue_url, exchange_queue_url, keep_alive, sweep_time } = config;
        let custody = Custody::new(custody, aws, clock, random, None);
        Self {
            table: TokenTable::new(custody.dynamodb().clone(), token_table),
            queue: Queue::new(aws, queue_url),
            exchange_queue: Queue::new(aws, exchange_queue_url),
            custody,
            keep_alive,
            sweep_time,
            clock,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
