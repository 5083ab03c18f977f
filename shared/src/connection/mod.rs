//! A chat's connection: its row in the token table, which bots read.
//!
//! It names the attributes that the row has beside those in common with the attempt's ([`crate::attempt::attr`]).
//! [`Consent`] holds the rule of which consent wins, [`NewTokens`] and [`ConnectionEnd`] who may replace the row, and
//! [`Claim`] and [`NewestTokens`] how its tokens are refreshed, as data. Pure.

mod app;
mod consent;
#[cfg(test)]
mod contract;
mod end;
mod new_tokens;
mod refresh;
mod refresh_token;
mod stored;

pub use app::{IDLE_LIMIT, app_hash, is_of_another_app, is_past_idle_limit};
pub use consent::{CLOCK_SKEW, Consent};
pub use end::{ConnectionEnd, kept_revocation, recorded_end, replaced, was_connected};
pub use new_tokens::NewTokens;
pub use refresh::{
    Claim, LEASE, LONGEST_PAUSE, LOST_AFTER, NewestTokens, Obstacle, age, claim, has_foreign_version, is_due,
    paused_until, seal_plain,
};
pub use refresh_token::{RefreshTokenText, SealedText};
pub use stored::{Holding, Origin, StoredTokens, ToRevoke, is_connected, token_sha256};

use crate::attempt::EndReason;

/// S.
pub const ACCESS_TOKEN: &str = "access_token";
/// S; missing where the scopes or the org's policy give none.
pub const REFRESH_TOKEN: &str = "refresh_token";
/// N, in milliseconds: when Salesforce issued the tokens. Bots write it too, so nothing is ordered by it.
pub const ISSUED_AT: &str = "issued_at";
/// S: the Salesforce user's id.
pub const USER_ID: &str = "user_id";
/// N, in milliseconds.
pub const CONNECTED_AT: &str = "connected_at";
/// N, in milliseconds: when the callback of the winning consent was received, or the connection was revoked.
pub const CONSENTED_AT: &str = "consented_at";
/// N, in milliseconds: when the connection ended; missing while there is one.
pub const ENDED_AT: &str = "ended_at";
/// N: how often this stack has written the row; absent where it never did, which counts as zero.
pub const VERSION: &str = "version";
/// N, in milliseconds: when Salesforce last gave tokens, the connect included.
pub const REFRESHED_AT: &str = "refreshed_at";
/// N, in milliseconds: when the access token ends, where that is known.
pub const EXPIRES_AT: &str = "expires_at";
/// S: which app the tokens are of ([`app_hash`]); absent in rows of earlier versions.
pub const APP_HASH: &str = "app_hash";
/// N, in milliseconds: until when a refresh that is under way holds the row. One that stands after its time was left by a
/// holder that is gone or never learnt the answer: the refresh token may be used up.
pub const LEASE_UNTIL: &str = "lease_until";
/// S: who holds the row.
pub const LEASE_HOLDER: &str = "lease_holder";
/// N, in milliseconds: since when the refresh token is lost. Such a holder may have used it, and its successor is waited for, which
/// may be on the upkeep queue.
pub const LOST_AT: &str = "lost_at";
/// N, in milliseconds: when Salesforce last said that the lost refresh token is dead, and was believed. Later it may be asked in
/// vain: the access token that proves its word has ended by then.
pub const DEAD_AT: &str = "dead_at";
/// N, in milliseconds: a refresh has failed, and before this time none is tried.
pub const RETRY_AT: &str = "retry_at";
/// S: why it ended: an [`EndReason`].
pub const ENDED_REASON: &str = "ended_reason";
/// N, in milliseconds: when a connection of the chat was last ended by a person, the bot or an operator. It stays when the chat
/// connects again.
pub const REVOKED_AT: &str = "revoked_at";
/// S: the record of the end in `connection_attempts`.
pub const END_ID: &str = "end_id";
/// An operator ended the connection.
pub const REVOKED: &str = EndReason::Revoked.as_str();
/// The person or the bot ended it.
pub const DISCONNECTED: &str = EndReason::Disconnected.as_str();
