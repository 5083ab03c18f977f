//! The attributes of the table of tokens that bots read, beside those that it has in common with
//! [`crate::attempt::attr`].

/// S.
pub const ACCESS_TOKEN: &str = "access_token";
/// S; missing where the scope or the org's policy gives none.
pub const REFRESH_TOKEN: &str = "refresh_token";
/// N, in milliseconds: when Salesforce issued the tokens.
pub const ISSUED_AT: &str = "issued_at";
/// S.
pub const USER_ID: &str = "user_id";
/// N, in milliseconds.
pub const CONNECTED_AT: &str = "connected_at";
