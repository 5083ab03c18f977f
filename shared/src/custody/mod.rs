//! Token custody: this stack holds the refresh tokens, and is the one party that uses them.
//!
//! [`seal`] is how tokens are stored and sent, [`upkeep`] what the upkeep queue carries. With the feature `custody`, `Custody`
//! hands out live tokens, refreshes them, stores and revokes what came back from the queue, and ends connections; its rules
//! are those of [`crate::connection`].

pub mod seal;
pub mod upkeep;

#[cfg(feature = "custody")]
mod config;
#[cfg(feature = "custody")]
mod end;
#[cfg(feature = "custody")]
mod ended;
#[cfg(feature = "custody")]
mod holder;
#[cfg(feature = "custody")]
mod live;
#[cfg(feature = "custody")]
mod newest;
#[cfg(feature = "custody")]
mod refresh;
#[cfg(feature = "custody")]
mod revoke;
#[cfg(feature = "custody")]
mod silences;
#[cfg(feature = "custody")]
mod store;
#[cfg(feature = "custody")]
mod tables;
#[cfg(feature = "custody")]
mod token;
#[cfg(feature = "custody")]
mod trouble;

#[cfg(feature = "custody")]
pub use self::{
    config::{Config, TokenCustody},
    end::Disconnected,
    ended::EndedConnection,
    holder::Custody,
    live::{LiveToken, Wish},
    revoke::Revoked,
    store::StoredLater,
    token::{KeptAlive, TokenError},
    trouble::Trouble,
};
