//! The unchanged template, deployed on the local cloud and driven from outside.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod alarms;
mod browser;
mod bus;
mod connect;
mod consents;
mod cookies;
mod earlier_version;
mod faults;
mod garbage;
mod horizons;
mod kills;
mod languages;
mod outages;
mod proof;
mod references;
mod refusals;
mod telling;
mod tokens;
mod upgrade;
mod upkeep;
