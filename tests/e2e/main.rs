//! The template as it is, deployed on the local cloud, and driven from outside.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "tests are at the edge: they read the clock and the environment")]

mod alarms;
mod browser;
mod connect;
mod faults;
mod horizons;
mod kills;
mod outages;
mod support;
mod upgrade;
