//! The rule of writing the token row. Pure.

use std::fmt;

use super::{ACCESS_TOKEN, CONNECTED_AT, ISSUED_AT, REFRESH_TOKEN, USER_ID};
use crate::{
    AttemptId, LoginUrl, Timestamp,
    attempt::{Account, attr},
    conditional_write::{Condition, ConditionalWrite},
};

/// Tokens that Salesforce issued, to be stored.
#[derive(Clone, Copy)]
pub struct NewTokens<'a> {
    /// The attempt that brought them.
    pub attempt_id: AttemptId,
    /// Where the person logged in.
    pub login_url: &'a LoginUrl,
    /// Whose they are.
    pub account: Account<&'a str>,
    /// The Salesforce user's id.
    pub user_id: &'a str,
    /// The access token.
    pub access_token: &'a str,
    /// `None` where the scopes or the org's policy give none.
    pub refresh_token: Option<&'a str>,
    /// When Salesforce issued them.
    pub issued_at: Timestamp,
}

impl NewTokens<'_> {
    /// Stores them, unless tokens that were issued later are there. A repetition changes nothing but `connected_at`.
    /// Other attributes, which bots may keep there, stay.
    #[must_use]
    pub fn store(&self, now: Timestamp) -> ConditionalWrite {
        let issued_at = self.issued_at.millis();
        ConditionalWrite::only_if(Condition::Any(vec![
            Condition::Absent(ISSUED_AT),
            Condition::Below(ISSUED_AT, issued_at.saturating_add(1)),
        ]))
        .set(ACCESS_TOKEN, self.access_token)
        .set_or_remove(REFRESH_TOKEN, self.refresh_token)
        .set(attr::INSTANCE_URL, self.account.instance_url)
        .set(ISSUED_AT, issued_at)
        .set(attr::ATTEMPT_ID, self.attempt_id.to_string())
        .set_or_remove(attr::SCOPE, self.account.scope)
        .set(attr::ORG_ID, self.account.org_id)
        .set(USER_ID, self.user_id)
        .set_or_remove(attr::USERNAME, self.account.username)
        .set(attr::LOGIN_URL, self.login_url.as_str())
        .set(CONNECTED_AT, now)
    }
}

impl fmt::Debug for NewTokens<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewTokens").field("attempt_id", &self.attempt_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditional_write::Attributes;

    fn store(access_token: &str, refresh_token: Option<&str>, issued_at: u64) -> ConditionalWrite {
        let login_url = "https://login.salesforce.com".parse().unwrap();
        let tokens = NewTokens {
            attempt_id: AttemptId::from_bytes([7; 16]),
            login_url: &login_url,
            account: Account { org_id: "00D", instance_url: "https://i", username: Some("ada"), scope: None },
            user_id: "005",
            access_token,
            refresh_token,
            issued_at: Timestamp::from_millis(issued_at),
        };
        tokens.store(Timestamp::from_millis(9))
    }

    #[test]
    fn tokens_replace_older_ones_and_never_newer_ones() {
        let mut row = Attributes::new();
        assert!(store("first", Some("refresh"), 5).apply(&mut row));
        assert!(!store("older", None, 4).apply(&mut row));
        assert_eq!(row.get(ACCESS_TOKEN), Some(&"first".into()));
        assert!(store("newer", None, 6).apply(&mut row));
        assert_eq!(row.get(ACCESS_TOKEN), Some(&"newer".into()));
        assert_eq!(row.get(REFRESH_TOKEN), None, "a refresh token of older tokens is not left beside newer ones");
    }

    #[test]
    fn the_same_tokens_can_be_stored_again() {
        let mut row = Attributes::new();
        assert!(store("same", None, 5).apply(&mut row));
        let stored = row.clone();
        assert!(store("same", None, 5).apply(&mut row));
        assert_eq!(row, stored);
    }

    #[test]
    fn what_a_bot_keeps_in_the_row_stays() {
        let mut row = Attributes::from([("of_the_bot".to_owned(), "note".into())]);
        assert!(store("new", None, 5).apply(&mut row));
        assert_eq!(row.get("of_the_bot"), Some(&"note".into()));
    }

    #[test]
    fn debug_hides_the_tokens() {
        let login_url = "https://login.salesforce.com".parse().unwrap();
        let tokens = NewTokens {
            attempt_id: AttemptId::from_bytes([7; 16]),
            login_url: &login_url,
            account: Account { org_id: "00D", instance_url: "https://i", username: None, scope: None },
            user_id: "005",
            access_token: "s3cret",
            refresh_token: Some("s3cret"),
            issued_at: Timestamp::from_millis(1),
        };
        assert!(!format!("{tokens:?}").contains("s3cret"));
    }
}
