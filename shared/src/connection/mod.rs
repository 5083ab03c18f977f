//! A chat's connection: its row in the token table, which bots read.
//!
//! It names the attributes that the row has beside those in common with the attempt's ([`crate::attempt::attr`]), and
//! [`NewTokens`] holds the rule of who may replace it, as data.

#[cfg(test)]
mod contract;
mod new_tokens;

pub use new_tokens::NewTokens;

/// S.
pub const ACCESS_TOKEN: &str = "access_token";
/// S; missing where the scopes or the org's policy give none.
pub const REFRESH_TOKEN: &str = "refresh_token";
/// N, in milliseconds: when Salesforce issued the tokens.
pub const ISSUED_AT: &str = "issued_at";
/// S: the Salesforce user's id.
pub const USER_ID: &str = "user_id";
/// N, in milliseconds.
pub const CONNECTED_AT: &str = "connected_at";
