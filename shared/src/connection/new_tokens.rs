//! The rule of writing the token row. Pure.

use std::fmt;

use super::{
    ACCESS_TOKEN, APP_HASH, CONNECTED_AT, CONSENTED_AT, Consent, DEAD_AT, END_ID, ENDED_AT, ENDED_REASON, EXPIRES_AT,
    ISSUED_AT, LEASE_HOLDER, LEASE_UNTIL, LOST_AT, REFRESH_TOKEN, REFRESHED_AT, RETRY_AT, StoredTokens, USER_ID,
    VERSION,
};
use crate::{
    AttemptId, Language, LoginUrl, Timestamp,
    attempt::{Account, attr},
    conditional_write::{Condition, ConditionalWrite},
    reference::LinkReference,
};

/// Tokens that Salesforce issued, to be stored.
#[derive(Clone, Copy)]
pub struct NewTokens<'a> {
    /// The attempt that brought them.
    pub attempt_id: AttemptId,
    /// Where the person logged in.
    pub login_url: &'a LoginUrl,
    /// What the link said of the bot's reference.
    pub reference: &'a LinkReference,
    /// The language of the link; where it has none, a connection keeps the one that it has.
    pub language: Option<Language>,
    /// Whose they are.
    pub account: Account<&'a str>,
    /// The Salesforce user's id.
    pub user_id: &'a str,
    /// The access token.
    pub access_token: &'a str,
    /// As it is stored: sealed, where this stack has the custody. `None` where the scopes or the org's policy give none.
    pub refresh_token: Option<&'a str>,
    /// When Salesforce issued them.
    pub issued_at: Timestamp,
    /// When the access token ends, where it says so itself.
    pub expires_at: Option<Timestamp>,
    /// The app that they are of; `None` where an earlier version has exchanged the code.
    pub app_hash: Option<&'a str>,
}

impl NewTokens<'_> {
    /// Stores them where their consent wins and the row still holds what it held when `before` was read, so that
    /// whoever replaces tokens knows which. Other attributes, which bots may keep there, stay.
    #[must_use]
    pub fn store(&self, consent: &Consent, before: Option<&StoredTokens>, now: Timestamp) -> ConditionalWrite {
        let write = ConditionalWrite::only_if(Condition::All(vec![consent.wins(now), StoredTokens::unchanged(before)]));
        let write = match self.reference {
            LinkReference::Absent => write,
            LinkReference::Known(reference) => write.set(attr::REFERENCE, reference.as_str()),
            LinkReference::Unread => write.remove([attr::REFERENCE]),
        };
        let write = match self.language {
            Some(language) => write.set(attr::LANGUAGE, language.tag()),
            None => write,
        };
        write
            .set(ACCESS_TOKEN, self.access_token)
            .set_or_remove(REFRESH_TOKEN, self.refresh_token)
            .set(attr::INSTANCE_URL, self.account.instance_url)
            .set(ISSUED_AT, self.issued_at.millis())
            .set(attr::ATTEMPT_ID, self.attempt_id.to_string())
            .set_or_remove(attr::SCOPE, self.account.scope)
            .set(attr::ORG_ID, self.account.org_id)
            .set(USER_ID, self.user_id)
            .set_or_remove(attr::USERNAME, self.account.username)
            .set(attr::LOGIN_URL, self.login_url.as_str())
            .set(CONNECTED_AT, now)
            .set(CONSENTED_AT, consent.at)
            .set(REFRESHED_AT, now)
            .set_or_remove(EXPIRES_AT, self.expires_at)
            .set_or_remove(APP_HASH, self.app_hash)
            .add(VERSION, 1)
            .remove([ENDED_AT, ENDED_REASON, END_ID, LEASE_UNTIL, LEASE_HOLDER, LOST_AT, DEAD_AT, RETRY_AT])
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

    fn consent(at: u64) -> Consent {
        Consent { attempt_id: AttemptId::from_bytes([7; 16]), at: Timestamp::from_millis(at), link_issued_at: None }
    }

    fn store(access_token: &str, refresh_token: Option<&str>, at: u64, row: &mut Attributes) -> bool {
        store_by(&LinkReference::Absent, access_token, refresh_token, at, row)
    }

    fn store_by(
        reference: &LinkReference,
        access_token: &str,
        refresh_token: Option<&str>,
        at: u64,
        row: &mut Attributes,
    ) -> bool {
        let login_url = "https://login.salesforce.com".parse().unwrap();
        let tokens = NewTokens {
            attempt_id: AttemptId::from_bytes([7; 16]),
            login_url: &login_url,
            reference,
            language: None,
            account: Account { org_id: "00D", instance_url: "https://i", username: Some("ada"), scope: None },
            user_id: "005",
            access_token,
            refresh_token,
            issued_at: Timestamp::from_millis(1),
            expires_at: None,
            app_hash: None,
        };
        let before = StoredTokens::read(row);
        tokens.store(&consent(at), before.as_ref(), Timestamp::from_millis(9)).apply(row)
    }

    #[test]
    fn tokens_replace_those_of_an_earlier_consent_and_never_of_a_later_one() {
        let mut row = Attributes::new();
        assert!(store("first", Some("refresh"), 5, &mut row));
        assert!(!store("older", None, 4, &mut row));
        assert_eq!(row.get(ACCESS_TOKEN), Some(&"first".into()));
        assert!(store("newer", None, 6, &mut row));
        assert_eq!(row.get(ACCESS_TOKEN), Some(&"newer".into()));
        assert_eq!(row.get(REFRESH_TOKEN), None, "a refresh token of older tokens is not left beside newer ones");
    }

    #[test]
    fn the_same_tokens_can_be_stored_again() {
        let mut row = Attributes::new();
        assert!(store("same", None, 5, &mut row));
        let mut stored = row.clone();
        assert!(store("same", None, 5, &mut row));
        assert_eq!((stored.remove(VERSION), row.remove(VERSION)), (Some(1.into()), Some(2.into())));
        assert_eq!(row, stored);
    }

    #[test]
    fn what_another_wrote_meanwhile_is_not_replaced_unseen() {
        let mut row = Attributes::from([(REFRESH_TOKEN.to_owned(), "of the bot".into())]);
        let login_url = "https://login.salesforce.com".parse().unwrap();
        let tokens = NewTokens {
            attempt_id: AttemptId::from_bytes([7; 16]),
            login_url: &login_url,
            reference: &LinkReference::Absent,
            language: None,
            account: Account { org_id: "00D", instance_url: "https://i", username: None, scope: None },
            user_id: "005",
            access_token: "new",
            refresh_token: None,
            issued_at: Timestamp::from_millis(1),
            expires_at: None,
            app_hash: None,
        };
        assert!(!tokens.store(&consent(5), None, Timestamp::from_millis(9)).apply(&mut row));
        assert!(store("new", None, 5, &mut row));
    }

    #[test]
    fn what_a_bot_keeps_in_the_row_stays() {
        let mut row = Attributes::from([("of_the_bot".to_owned(), "note".into())]);
        assert!(store("new", None, 5, &mut row));
        assert_eq!(row.get("of_the_bot"), Some(&"note".into()));
    }

    #[test]
    fn a_links_reference_replaces_the_connections_and_a_link_without_one_keeps_it() {
        let mut row = Attributes::new();
        for (of_link, at, stands) in [
            (LinkReference::Known("first".parse().unwrap()), 5, Some("first")),
            (LinkReference::Absent, 6, Some("first")),
            (LinkReference::Known("second".parse().unwrap()), 7, Some("second")),
            (LinkReference::Unread, 8, None),
        ] {
            assert!(store_by(&of_link, "new", None, at, &mut row));
            assert_eq!(row.get(attr::REFERENCE), stands.map(Into::into).as_ref(), "{of_link:?}");
        }
    }

    #[test]
    fn a_links_language_replaces_the_connections_and_a_link_without_one_keeps_it() {
        let mut row = Attributes::new();
        let login_url = "https://login.salesforce.com".parse().unwrap();
        for (language, at, stands) in
            [(Some(Language::Hindi), 5, "hi"), (None, 6, "hi"), (Some(Language::Portuguese), 7, "pt-BR")]
        {
            let tokens = NewTokens {
                attempt_id: AttemptId::from_bytes([7; 16]),
                login_url: &login_url,
                reference: &LinkReference::Absent,
                language,
                account: Account { org_id: "00D", instance_url: "https://i", username: None, scope: None },
                user_id: "005",
                access_token: "new",
                refresh_token: None,
                issued_at: Timestamp::from_millis(1),
                expires_at: None,
                app_hash: None,
            };
            let before = StoredTokens::read(&row);
            assert!(tokens.store(&consent(at), before.as_ref(), Timestamp::from_millis(9)).apply(&mut row));
            assert_eq!(row.get(attr::LANGUAGE), Some(&stands.into()));
        }
    }

    #[test]
    fn a_time_that_a_bot_wrote_as_text_or_far_ahead_locks_nobody_out() {
        for issued_at in ["1790000000123".into(), u64::MAX.into()] {
            let mut row =
                Attributes::from([(ISSUED_AT.to_owned(), issued_at), (ACCESS_TOKEN.to_owned(), "old".into())]);
            assert!(store("new", None, 5, &mut row));
            assert_eq!(row.get(ACCESS_TOKEN), Some(&"new".into()));
        }
    }

    #[test]
    fn debug_hides_the_tokens() {
        let login_url = "https://login.salesforce.com".parse().unwrap();
        let tokens = NewTokens {
            attempt_id: AttemptId::from_bytes([7; 16]),
            login_url: &login_url,
            reference: &LinkReference::Absent,
            language: None,
            account: Account { org_id: "00D", instance_url: "https://i", username: None, scope: None },
            user_id: "005",
            access_token: "s3cret",
            refresh_token: Some("s3cret"),
            issued_at: Timestamp::from_millis(1),
            expires_at: None,
            app_hash: None,
        };
        assert!(!format!("{tokens:?}").contains("s3cret"));
    }
}
