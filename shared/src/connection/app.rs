//! Which app the tokens of a row are of. Pure.
//!
//! Salesforce refuses a refresh token to every app but its own, in the words that it has for a dead one (RFC 6749 §5.2). So
//! whoever asks with the credentials of another app learns nothing about the connection.

use std::time::Duration;

use super::{APP_HASH, refresh::age, stored::sha256};
use crate::{
    Timestamp,
    conditional_write::{Attributes, text},
};

/// Salesforce ends a refresh token that nobody has used for so long (Salesforce Help "Limit the Idle Time of Refresh Tokens";
/// required of packaged apps since May 2026).
pub const IDLE_LIMIT: Duration = Duration::from_hours(30 * 24);
/// Enough to tell apps apart, in hexadecimal digits.
const LENGTH: usize = 16;

/// What stands in a row for an app, whose consumer key is nobody's business there: the first 16 hexadecimal digits of the
/// key's SHA-256.
#[must_use]
pub fn app_hash(client_id: &str) -> String {
    let mut hash = sha256(client_id);
    hash.truncate(LENGTH);
    hash
}

/// Whether the row says that its tokens are of another app than this one. Rows of earlier versions say nothing.
#[must_use]
pub fn is_of_another_app(row: &Attributes, client_id: &str) -> bool {
    text(row, APP_HASH).is_some_and(|own| own != app_hash(client_id))
}

/// Whether nobody has used the row's refresh token for so long that Salesforce has ended it, whichever app it is of.
#[must_use]
pub fn is_past_idle_limit(row: &Attributes, now: Timestamp) -> bool {
    age(row, now) >= IDLE_LIMIT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        conditional_write::Value,
        connection::{ISSUED_AT, REFRESHED_AT},
    };

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn row<const N: usize>(attributes: [(&str, Value); N]) -> Attributes {
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    #[test]
    fn an_app_is_known_by_the_beginning_of_a_hash() {
        assert_eq!(app_hash("abc"), "ba7816bf8f01cfea");
        assert_ne!(app_hash("3MVG9one"), app_hash("3MVG9other"));
    }

    #[test]
    fn a_row_of_another_app_says_so_and_one_of_an_earlier_version_says_nothing() {
        let of = row([(APP_HASH, app_hash("3MVG9one").into())]);
        assert!(!is_of_another_app(&of, "3MVG9one"));
        assert!(is_of_another_app(&of, "3MVG9other"));
        assert!(!is_of_another_app(&Attributes::new(), "3MVG9other"));
    }

    #[test]
    fn a_refresh_token_dies_of_thirty_days_without_use() {
        let old = |age: Duration| is_past_idle_limit(&row([(REFRESHED_AT, NOW.minus(age).into())]), NOW);
        assert!(old(IDLE_LIMIT));
        assert!(!old(IDLE_LIMIT.saturating_sub(Duration::from_millis(1))));
        let of_an_earlier_version = |age| row([(ISSUED_AT, NOW.minus(age).into())]);
        assert!(is_past_idle_limit(&of_an_earlier_version(IDLE_LIMIT), NOW));
        assert!(!is_past_idle_limit(&of_an_earlier_version(IDLE_LIMIT / 2), NOW));
        // A row of which nobody knows the age would never end otherwise.
        for unknown in [row([]), row([(REFRESHED_AT, "long ago".into())]), row([(REFRESHED_AT, u64::MAX.into())])] {
            assert!(is_past_idle_limit(&unknown, NOW), "{unknown:?}");
        }
    }
}
