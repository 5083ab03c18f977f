//! The tokens that a row holds.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{ACCESS_TOKEN, CONSENTED_AT, ENDED_AT, ISSUED_AT, REFRESH_TOKEN};
use crate::{
    AttemptId, Timestamp,
    attempt::attr,
    conditional_write::{Attributes, Condition, Value},
};

/// Whether the row is a connection: it has tokens, and was not ended.
#[must_use]
pub fn is_connected(row: &Attributes) -> bool {
    (row.contains_key(ISSUED_AT) || row.contains_key(ACCESS_TOKEN)) && !row.contains_key(ENDED_AT)
}

/// The consent that a row's tokens came from, as the row says. It outlives their rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    attempt_id: Option<String>,
    /// In milliseconds since the epoch.
    consented_at: Option<u64>,
}

impl Origin {
    /// The consent of this attempt that was received then.
    #[must_use]
    pub fn new(attempt_id: AttemptId, consented_at: Timestamp) -> Self {
        Self { attempt_id: Some(attempt_id.to_string()), consented_at: Some(consented_at.millis()) }
    }

    /// The consent that this row is of.
    #[must_use]
    pub fn of(row: &Attributes) -> Self {
        Self {
            attempt_id: row.get(attr::ATTEMPT_ID).and_then(Value::as_text).map(str::to_owned),
            consented_at: row.get(CONSENTED_AT).and_then(Value::as_number),
        }
    }
}

/// The tokens in a row, to be revoked when they are replaced.
#[derive(Clone)]
pub struct StoredTokens {
    refresh_token: Option<SecretString>,
    access_token: Option<SecretString>,
    /// The base URL of the org's API, as stored: a bot may have written it.
    pub instance_url: Option<String>,
    /// Where the person logged in, as stored.
    pub login_url: Option<String>,
}

impl StoredTokens {
    /// The tokens in this row; `None` where there is none that could be revoked.
    #[must_use]
    pub fn read(row: &Attributes) -> Option<Self> {
        let text = |name| row.get(name).and_then(Value::as_text).filter(|text| !text.is_empty());
        let secret = |name| text(name).map(SecretString::from);
        let (refresh_token, access_token) = (secret(REFRESH_TOKEN), secret(ACCESS_TOKEN));
        (refresh_token.is_some() || access_token.is_some()).then(|| Self {
            refresh_token,
            access_token,
            instance_url: text(attr::INSTANCE_URL).map(str::to_owned),
            login_url: text(attr::LOGIN_URL).map(str::to_owned),
        })
    }

    /// The token whose revocation ends the grant: the refresh token, or the access token where there is none
    /// (RFC 7009 §2.1).
    #[must_use]
    pub fn to_revoke(&self) -> &str {
        self.refresh_token.as_ref().or(self.access_token.as_ref()).map_or("", ExposeSecret::expose_secret)
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn hold(&self, token: &str) -> bool {
        [&self.refresh_token, &self.access_token].into_iter().flatten().any(|own| own.expose_secret() == token)
    }

    /// Whether these tokens are still the row's.
    #[must_use]
    pub fn are_in(&self, row: &Attributes) -> bool {
        Self::read(row).is_some_and(|stored| stored.to_revoke() == self.to_revoke())
    }

    /// What is true of a row that still holds what it held when `before` was read, or still nothing.
    #[must_use]
    pub fn unchanged(before: Option<&Self>) -> Condition {
        before.map_or_else(
            || Condition::All(vec![Condition::NoText(REFRESH_TOKEN), Condition::NoText(ACCESS_TOKEN)]),
            Self::are_unchanged,
        )
    }

    /// What is true of a row that still holds them: whoever replaces them knows what is replaced.
    #[must_use]
    pub fn are_unchanged(&self) -> Condition {
        match (&self.refresh_token, &self.access_token) {
            (Some(token), _) => Condition::Is(REFRESH_TOKEN, token.expose_secret().into()),
            (None, Some(token)) => Condition::All(vec![
                Condition::Is(ACCESS_TOKEN, token.expose_secret().into()),
                Condition::NoText(REFRESH_TOKEN),
            ]),
            (None, None) => Condition::All(Vec::new()),
        }
    }
}

impl fmt::Debug for StoredTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredTokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(attributes: &[(&str, &str)]) -> Attributes {
        attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    }

    #[test]
    fn the_refresh_token_is_what_ends_a_grant() {
        let both = StoredTokens::read(&row(&[(ACCESS_TOKEN, "access"), (REFRESH_TOKEN, "refresh")])).unwrap();
        assert_eq!(both.to_revoke(), "refresh");
        let access = StoredTokens::read(&row(&[(ACCESS_TOKEN, "access"), (REFRESH_TOKEN, "")])).unwrap();
        assert_eq!(access.to_revoke(), "access");
        assert!(StoredTokens::read(&row(&[("of_the_bot", "note")])).is_none());
    }

    #[test]
    fn tokens_are_the_rows_until_it_has_others() {
        let stored = StoredTokens::read(&row(&[(REFRESH_TOKEN, "old")])).unwrap();
        assert!(stored.are_in(&row(&[(REFRESH_TOKEN, "old"), (ACCESS_TOKEN, "newer")])));
        assert!(!stored.are_in(&row(&[(REFRESH_TOKEN, "new")])));
    }

    #[test]
    fn a_row_is_of_one_consent_however_its_tokens_are_rotated() {
        let mut first = row(&[(REFRESH_TOKEN, "r1"), (attr::ATTEMPT_ID, "07070707070707070707070707070707")]);
        first.insert(CONSENTED_AT.to_owned(), 5.into());
        let origin = Origin::of(&first);
        assert_eq!(origin, Origin::new(AttemptId::from_bytes([7; 16]), Timestamp::from_millis(5)));
        first.insert(REFRESH_TOKEN.to_owned(), "r2".into());
        assert_eq!(Origin::of(&first), origin);
        first.insert(CONSENTED_AT.to_owned(), 6.into());
        assert_ne!(Origin::of(&first), origin, "another consent of the same attempt");
    }

    #[test]
    fn debug_hides_the_tokens() {
        let stored = StoredTokens::read(&row(&[(REFRESH_TOKEN, "s3cret")])).unwrap();
        assert_eq!(format!("{stored:?}"), "StoredTokens { .. }");
    }
}
