//! A row's access token: whether it is handed out as it is.

use std::{fmt, time::Duration};

use secrecy::SecretString;

use crate::{
    Timestamp,
    attempt::attr,
    conditional_write::{Attributes, Value, text},
    connection::{ACCESS_TOKEN, CLOCK_SKEW, ENDED_AT, EXPIRES_AT, ISSUED_AT, NewestTokens, age, token_sha256},
};

/// Tokens that came so lately are as good as a refresh could bring.
const JUST_NOW: Duration = Duration::from_secs(30);
/// The longest time-out of a session (Salesforce Help, "Modify Session Security Settings").
const LONGEST_SESSION: Duration = Duration::from_hours(24);

/// What a bot asks of a token.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The SHA-256 of the token that Salesforce has answered 401 to, in lower-case hexadecimal digits: another is asked for.
    pub rejected: Option<String>,
    /// For how long it must be valid, where its end is known.
    pub min_validity: Duration,
}

/// An access token, ready to be used.
#[derive(Clone)]
pub struct LiveToken {
    /// The token.
    pub access_token: SecretString,
    /// The base URL of the org's API.
    pub instance_url: String,
    /// When Salesforce issued it.
    pub issued_at: Option<Timestamp>,
    /// When it ends, where that is known.
    pub expires_at: Option<Timestamp>,
    /// The scopes granted, where Salesforce named them.
    pub scope: Option<String>,
}

impl fmt::Debug for LiveToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl LiveToken {
    /// The row's access token; `None` where it has none, or the connection has ended.
    #[must_use]
    pub fn of(row: &Attributes) -> Option<Self> {
        let text = |name| text(row, name);
        let time = |name| row.get(name).and_then(Value::as_time);
        if row.contains_key(ENDED_AT) {
            return None;
        }
        Some(Self {
            access_token: text(ACCESS_TOKEN)?.into(),
            instance_url: text(attr::INSTANCE_URL).unwrap_or_default().to_owned(),
            issued_at: time(ISSUED_AT),
            expires_at: time(EXPIRES_AT),
            scope: text(attr::SCOPE).map(str::to_owned),
        })
    }

    /// The token of a refresh of this row.
    pub(super) fn refreshed(tokens: &NewestTokens, row: &Attributes) -> Self {
        let text = |name| text(row, name).map(str::to_owned);
        Self {
            access_token: tokens.access_token.clone(),
            instance_url: tokens.instance_url.clone().or_else(|| text(attr::INSTANCE_URL)).unwrap_or_default(),
            issued_at: Some(tokens.issued_at),
            expires_at: tokens.expires_at,
            scope: tokens.scope.clone().or_else(|| text(attr::SCOPE)),
        }
    }

    /// Whether it may still be used, by the row that it is of: Salesforce has not refused it, its end, where that is known, has not
    /// come, and no session lives longer.
    pub(super) fn may_live(&self, wish: &Wish, row: &Attributes, now: Timestamp) -> bool {
        let has_ended = self.expires_at.is_some_and(|end| end <= now) || age(row, now) >= LONGEST_SESSION;
        !wish.rejects(&self.access_token) && !has_ended
    }

    /// The end of a token that was given now, as Salesforce says it; `None` where no token can end then: by another clock, or in other units.
    pub(super) fn believed_end(at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        at.filter(|at| *at > now && *at <= now.plus(LONGEST_SESSION + CLOCK_SKEW))
    }

    /// Whether it is handed out as it is, by the row that it is of.
    pub(super) fn satisfies(&self, wish: &Wish, row: &Attributes, max_age: Duration, now: Timestamp) -> bool {
        let age = age(row, now);
        let is_long_enough = age < JUST_NOW
            || self.expires_at.is_none_or(|end| {
                // A token lives as long as the org's sessions do. Whoever asks for more is not worth a refresh each time.
                let life = end.since(now).saturating_add(age);
                end >= now.plus(wish.min_validity.min(life / 2))
            });
        self.may_live(wish, row, now) && age < max_age && is_long_enough
    }
}

impl Wish {
    pub(super) fn rejects(&self, token: &SecretString) -> bool {
        self.rejected.as_deref().is_some_and(|rejected| rejected == token_sha256(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{REFRESHED_AT, VERSION};

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const HOUR: Duration = Duration::from_hours(1);
    /// Of `a1`.
    const A1: &str = "f55ff16f66f43360266b95db6f8fec01d76031054306ae4a4b380598f6cfd114";

    fn row(age: Duration, expires_in: Option<Duration>) -> Attributes {
        let mut row = Attributes::from([
            (ACCESS_TOKEN.to_owned(), "a1".into()),
            (REFRESHED_AT.to_owned(), NOW.minus(age).into()),
            (VERSION.to_owned(), 1.into()),
        ]);
        row.extend(expires_in.map(|time| (EXPIRES_AT.to_owned(), NOW.plus(time).into())));
        row
    }

    fn satisfies(wish: &Wish, row: &Attributes) -> bool {
        LiveToken::of(row).unwrap().satisfies(wish, row, HOUR, NOW)
    }

    #[test]
    fn a_token_is_handed_out_while_it_is_young() {
        let wish = Wish::default();
        assert!(satisfies(&wish, &row(HOUR / 2, None)));
        assert!(!satisfies(&wish, &row(HOUR, None)));
    }

    #[test]
    fn a_token_lives_no_longer_than_a_session_can() {
        let in_a_year = Some(365 * 24 * HOUR);
        for (row, lives) in [
            (row(23 * HOUR, None), true),
            (row(25 * HOUR, None), false),
            (row(25 * HOUR, in_a_year), false),
            (row(HOUR, in_a_year), true),
        ] {
            assert_eq!(LiveToken::of(&row).unwrap().may_live(&Wish::default(), &row, NOW), lives);
        }
    }

    #[test]
    fn an_end_that_no_session_can_have_is_not_believed() {
        let milliseconds = Timestamp::from_millis(NOW.millis() * 1_000);
        for (at, is_believed) in
            [(NOW, false), (NOW.plus(HOUR), true), (NOW.plus(24 * HOUR), true), (milliseconds, false)]
        {
            assert_eq!(LiveToken::believed_end(Some(at), NOW).is_some(), is_believed, "{at:?}");
        }
    }

    #[test]
    fn the_rejected_token_is_not_handed_out_again_however_young() {
        let rejected = |sha256: &str| Wish { rejected: Some(sha256.to_owned()), ..Wish::default() };
        assert!(!satisfies(&rejected(A1), &row(Duration::ZERO, None)));
        assert!(satisfies(&rejected(&"0".repeat(64)), &row(Duration::ZERO, None)));
    }

    #[test]
    fn a_token_is_valid_for_as_long_as_is_asked_where_its_end_is_known() {
        let wish = Wish { min_validity: Duration::from_mins(10), ..Wish::default() };
        assert!(satisfies(&wish, &row(HOUR / 2, Some(Duration::from_mins(10)))));
        assert!(!satisfies(&wish, &row(HOUR / 2, Some(Duration::from_secs(599)))));
        assert!(satisfies(&wish, &row(HOUR / 2, None)));
        assert!(satisfies(&wish, &row(Duration::ZERO, Some(Duration::from_mins(5)))), "no refresh brings a longer one");
    }

    #[test]
    fn half_of_its_life_is_the_most_that_a_token_is_refreshed_for() {
        let wish = Wish { min_validity: 2 * HOUR, ..Wish::default() };
        let quarter = HOUR / 4;
        assert!(satisfies(&wish, &row(quarter, Some(quarter))), "sessions of half an hour");
        assert!(!satisfies(&wish, &row(quarter, Some(quarter.saturating_sub(Duration::from_millis(2))))));
        assert!(satisfies(&wish, &row(Duration::from_mins(1), Some(Duration::from_mins(14)))));
    }

    #[test]
    fn a_connection_that_has_ended_has_no_token() {
        let mut ended = row(Duration::ZERO, None);
        ended.insert(ENDED_AT.to_owned(), NOW.into());
        assert!(LiveToken::of(&ended).is_none() && LiveToken::of(&Attributes::new()).is_none());
    }

    #[test]
    fn debug_hides_the_token() {
        assert!(!format!("{:?}", LiveToken::of(&row(HOUR, None))).contains("a1"));
    }
}
