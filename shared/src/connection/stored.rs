//! The tokens that a row holds.

use std::fmt;

use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{ACCESS_TOKEN, CONSENTED_AT, ENDED_AT, ISSUED_AT, REFRESH_TOKEN, RefreshTokenText, SealedText};
use crate::{
    AttemptId, Timestamp,
    attempt::attr,
    conditional_write::{Attributes, Condition, Value, text},
};

/// Whether the row is a connection: it has tokens, and was not ended.
#[must_use]
pub fn is_connected(row: &Attributes) -> bool {
    (row.contains_key(ISSUED_AT) || row.contains_key(ACCESS_TOKEN)) && !row.contains_key(ENDED_AT)
}

/// The SHA-256 of a token in lower-case hex, by which a bot names a token that Salesforce has refused.
#[must_use]
pub fn token_sha256(token: &SecretString) -> String {
    sha256(token.expose_secret())
}

/// The SHA-256 of a text in lower-case hex.
pub(super) fn sha256(text: &str) -> String {
    use fmt::Write as _;
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
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
    refresh_token: Option<RefreshTokenText>,
    access_token: Option<SecretString>,
    /// The base URL of the org's API, as stored: a bot may have written it.
    pub instance_url: Option<String>,
    /// Where the person logged in, as stored.
    pub login_url: Option<String>,
}

/// The token of a row whose revocation ends the grant: the refresh token, or the access token where there is none
/// (RFC 7009 §2.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ToRevoke<'a> {
    /// As Salesforce gave it.
    Token(&'a str),
    /// Sealed: only the functions that hold tokens can send it to Salesforce. The upkeep queue is for it.
    Sealed(&'a SealedText),
}

/// What a row says of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It has this token.
    Held,
    /// It has others.
    NotHeld,
    /// Its refresh token is sealed, and may be this one: only who opens it can tell.
    Sealed,
}

impl StoredTokens {
    /// The tokens in this row; `None` where there is none that could be revoked.
    #[must_use]
    pub fn read(row: &Attributes) -> Option<Self> {
        let text = |name| text(row, name);
        let secret = |name| text(name).map(SecretString::from);
        let (refresh_token, access_token) = (text(REFRESH_TOKEN).map(RefreshTokenText::new), secret(ACCESS_TOKEN));
        (refresh_token.is_some() || access_token.is_some()).then(|| Self {
            refresh_token,
            access_token,
            instance_url: text(attr::INSTANCE_URL).map(str::to_owned),
            login_url: text(attr::LOGIN_URL).map(str::to_owned),
        })
    }

    /// The token whose revocation ends the grant.
    #[must_use]
    pub fn to_revoke(&self) -> ToRevoke<'_> {
        match &self.refresh_token {
            Some(RefreshTokenText::Sealed(text)) => ToRevoke::Sealed(text),
            Some(RefreshTokenText::Plain(token)) => ToRevoke::Token(token.expose_secret()),
            None => ToRevoke::Token(self.access_token.as_ref().map_or("", ExposeSecret::expose_secret)),
        }
    }

    /// The access token.
    #[must_use]
    pub const fn access_token(&self) -> Option<&SecretString> {
        self.access_token.as_ref()
    }

    /// Whether this token, as Salesforce gave it, is one of them.
    #[must_use]
    pub fn hold(&self, token: &str) -> Holding {
        let is_access = self.access_token.as_ref().is_some_and(|own| own.expose_secret() == token);
        match &self.refresh_token {
            _ if is_access => Holding::Held,
            Some(RefreshTokenText::Plain(own)) if own.expose_secret() == token => Holding::Held,
            Some(RefreshTokenText::Sealed(_)) => Holding::Sealed,
            Some(RefreshTokenText::Plain(_)) | None => Holding::NotHeld,
        }
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
            (Some(token), _) => Condition::Is(REFRESH_TOKEN, token.stored().into()),
            (None, Some(token)) => Condition::All(vec![
                Condition::Is(ACCESS_TOKEN, token.expose_secret().into()),
                Condition::NoText(REFRESH_TOKEN),
            ]),
            (None, None) => Condition::All(Vec::new()),
        }
    }
}

impl fmt::Debug for ToRevoke<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(..)",
            Self::Sealed(_) => "Sealed(..)",
        })
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
        assert_eq!(both.to_revoke(), ToRevoke::Token("refresh"));
        let access = StoredTokens::read(&row(&[(ACCESS_TOKEN, "access"), (REFRESH_TOKEN, "")])).unwrap();
        assert_eq!(access.to_revoke(), ToRevoke::Token("access"));
        assert!(StoredTokens::read(&row(&[("of_the_bot", "note")])).is_none());
    }

    #[test]
    fn a_sealed_refresh_token_ends_the_grant_and_is_no_token() {
        let text = SealedText::parse("sealed:v1:a:b:c").unwrap();
        let sealed = row(&[(ACCESS_TOKEN, "access"), (REFRESH_TOKEN, text.as_str())]);
        assert_eq!(StoredTokens::read(&sealed).unwrap().to_revoke(), ToRevoke::Sealed(&text));
    }

    #[test]
    fn whether_a_sealed_row_has_a_token_is_not_known() {
        let hold = |refresh_token, token| {
            let row = row(&[(ACCESS_TOKEN, "access"), (REFRESH_TOKEN, refresh_token)]);
            StoredTokens::read(&row).unwrap().hold(token)
        };
        assert_eq!((hold("plain", "plain"), hold("plain", "another")), (Holding::Held, Holding::NotHeld));
        assert_eq!((hold("plain", "access"), hold("sealed:v1:a:b:c", "access")), (Holding::Held, Holding::Held));
        assert_eq!(hold("sealed:v1:a:b:c", "another"), Holding::Sealed);
    }

    #[test]
    fn tokens_are_unchanged_until_the_row_has_others() {
        for text in ["old", "sealed:v1:a:b:c"] {
            let stored = StoredTokens::read(&row(&[(REFRESH_TOKEN, text)])).unwrap();
            assert!(stored.are_unchanged().holds(&row(&[(REFRESH_TOKEN, text), (ACCESS_TOKEN, "newer")])), "{text}");
            assert!(!stored.are_unchanged().holds(&row(&[(REFRESH_TOKEN, "new")])), "{text}");
        }
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
    fn a_token_is_named_by_its_hash() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(token_sha256(&SecretString::from("abc")), hash);
    }

    #[test]
    fn debug_hides_the_tokens() {
        let stored = StoredTokens::read(&row(&[(REFRESH_TOKEN, "s3cret")])).unwrap();
        assert_eq!(format!("{stored:?} {:?}", stored.to_revoke()), "StoredTokens { .. } Token(..)");
    }
}
