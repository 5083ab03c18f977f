//! Token custody: this stack holds the refresh tokens, and is the one party that uses them.
//!
//! [`seal`] is how tokens are stored and sent, and [`upkeep`] what the upkeep queue carries.

pub mod seal;
pub mod upkeep;
