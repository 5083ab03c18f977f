//! How a connection's tokens stand, as its row says: their age, and what refreshes have left there. Never a token.

use std::time::Duration;

use serde_json::{Map, Value, json};
use shared::{
    Timestamp,
    conditional_write::{Attributes, Value as Stored, text},
    connection::{
        DEAD_AT, EXPIRES_AT, LEASE_UNTIL, LOST_AFTER, LOST_AT, REFRESH_TOKEN, REFRESHED_AT, RefreshTokenText, age,
        is_due, paused_until,
    },
};

use crate::report::{Table, clock_time, duration_text};

/// What the row has for a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Sealed,
    Plain,
    Missing,
}

impl Form {
    pub(crate) const ALL: [Self; 3] = [Self::Sealed, Self::Plain, Self::Missing];

    /// Of a row with its tokens.
    pub(crate) fn of(row: &Attributes) -> Self {
        match text(row, REFRESH_TOKEN).map(RefreshTokenText::new) {
            Some(RefreshTokenText::Sealed(_)) => Self::Sealed,
            Some(RefreshTokenText::Plain(_)) => Self::Plain,
            None => Self::Missing,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Plain => "plain",
            Self::Missing => "none",
        }
    }
}

/// A refresh that holds the row, or was left there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lease {
    Held,
    Left,
}

/// A refresh token that a refresh which is gone may have used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lost {
    /// Since then its successor is waited for.
    since: Timestamp,
    /// When Salesforce said that it is dead, if it did.
    dead_at: Option<Timestamp>,
    /// Whether the successor can come no more.
    is_for_good: bool,
}

impl Lost {
    fn mark(self) -> String {
        let state = if self.dead_at.is_some() { "dead" } else { "lost" };
        let successor = if self.is_for_good { "has not come" } else { "may still come" };
        format!("refresh token {state}, its successor {successor}")
    }
}

/// How a connection's tokens stand.
#[derive(Clone, Debug)]
pub(crate) struct Custody {
    form: Form,
    refreshed_at: Option<Timestamp>,
    /// Since Salesforce gave the tokens, where that is known.
    age: Option<Duration>,
    expires_at: Option<Timestamp>,
    lease: Option<Lease>,
    /// A refresh has failed, and until then none is tried.
    paused_until: Option<Timestamp>,
    lost: Option<Lost>,
    /// Whether the next sweep refreshes it.
    pub(crate) is_due: bool,
}

impl Custody {
    /// Reads a row, with or without its tokens; `keep_alive`: after how long the stack refreshes, if it does.
    pub(crate) fn read(row: &Attributes, form: Form, keep_alive: Option<Duration>, now: Timestamp) -> Self {
        let time = |name| row.get(name).and_then(Stored::as_time);
        let mut whole = row.clone();
        if form != Form::Missing {
            // That there is one, is all that is asked of it.
            whole.insert(REFRESH_TOKEN.to_owned(), form.as_str().into());
        }
        Self {
            form,
            refreshed_at: time(REFRESHED_AT),
            age: Some(age(row, now)).filter(|age| *age < Duration::MAX),
            expires_at: time(EXPIRES_AT),
            lease: time(LEASE_UNTIL).map(|until| if until > now { Lease::Held } else { Lease::Left }),
            paused_until: paused_until(row, now),
            lost: time(LOST_AT).map(|since| {
                let is_for_good = now.since(since) >= LOST_AFTER;
                Lost { since, dead_at: time(DEAD_AT), is_for_good }
            }),
            is_due: is_due(&whole, keep_alive, now),
        }
    }

    /// When Salesforce last gave tokens, where the row says so.
    pub(crate) const fn refreshed_at(&self) -> Option<Timestamp> {
        self.refreshed_at
    }

    pub(crate) const fn form(&self) -> Form {
        self.form
    }

    pub(crate) fn age_text(&self) -> String {
        self.age.map(duration_text).unwrap_or_default()
    }

    pub(crate) fn expiry_text(&self) -> String {
        self.expires_at.map(clock_time).unwrap_or_default()
    }

    /// What stands out: due, held or left by a refresh, paused, lost.
    pub(crate) fn marks(&self) -> String {
        let lease = match self.lease {
            Some(Lease::Held) => Some("refresh under way"),
            Some(Lease::Left) => Some("refresh left unfinished"),
            None => None,
        };
        let paused = self.paused_until.map(|until| format!("no refresh until {}", clock_time(until)));
        let marks = [self.is_due.then_some("due"), lease].map(|mark| mark.map(str::to_owned));
        marks.into_iter().chain([self.lost.map(Lost::mark), paused]).flatten().collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn fields(&self, table: &mut Table) {
        table.field("refresh token", Some(self.form.as_str()));
        table.field("refreshed", self.refreshed_at.map(clock_time));
        table.field("age of tokens", self.age.map(duration_text));
        table.field("expires", self.expires_at.map(clock_time));
        table.field("marks", Some(self.marks()).filter(|marks| !marks.is_empty()));
        table.field("lost since", self.lost.map(|lost| clock_time(lost.since)));
        table.field("found dead", self.lost.and_then(|lost| lost.dead_at).map(clock_time));
        table.field("successor until", self.lost.map(|lost| clock_time(lost.since.plus(LOST_AFTER))));
    }

    /// For programs.
    pub(crate) fn json(&self) -> Map<String, Value> {
        let lease = self.lease.map(|lease| if lease == Lease::Held { "held" } else { "left" });
        let fields = [
            ("refresh_token", json!(self.form.as_str())),
            ("refreshed_at", json!(self.refreshed_at)),
            ("age_seconds", json!(self.age.map(|age| age.as_secs()))),
            ("expires_at", json!(self.expires_at)),
            ("due", json!(self.is_due)),
            ("lease", json!(lease)),
            ("retry_at", json!(self.paused_until)),
            ("lost_at", json!(self.lost.map(|lost| lost.since))),
            ("dead_at", json!(self.lost.and_then(|lost| lost.dead_at))),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use shared::connection::RETRY_AT;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
    const DAY: Duration = Duration::from_hours(24);

    fn row(attributes: &[(&str, Timestamp)]) -> Attributes {
        attributes.iter().map(|(name, at)| ((*name).to_owned(), (*at).into())).collect()
    }

    fn read(attributes: &[(&str, Timestamp)], form: Form) -> Custody {
        Custody::read(&row(attributes), form, Some(7 * DAY), NOW)
    }

    #[test]
    fn tokens_are_due_when_nobody_has_refreshed_them_for_long() {
        assert!(read(&[(REFRESHED_AT, NOW.minus(8 * DAY))], Form::Sealed).is_due);
        assert!(!read(&[(REFRESHED_AT, NOW.minus(6 * DAY))], Form::Sealed).is_due);
        assert!(!read(&[(REFRESHED_AT, NOW.minus(8 * DAY))], Form::Missing).is_due);
    }

    #[test]
    fn a_lease_is_held_until_its_time_and_left_after_it() {
        let fresh = (REFRESHED_AT, NOW.minus(DAY));
        let held = read(&[fresh, (LEASE_UNTIL, NOW.plus(Duration::from_secs(5)))], Form::Sealed);
        assert_eq!(held.marks(), "refresh under way");
        let left = read(&[fresh, (LEASE_UNTIL, NOW.minus(DAY))], Form::Sealed);
        assert_eq!(left.marks(), "due, refresh left unfinished");
    }

    fn fields(custody: &Custody) -> String {
        let mut table = Table::default();
        custody.fields(&mut table);
        table.text()
    }

    #[test]
    fn a_lost_refresh_token_is_marked_with_how_long_its_successor_is_waited_for() {
        let lost = read(&[(REFRESHED_AT, NOW), (LOST_AT, NOW)], Form::Sealed);
        assert_eq!(lost.marks(), "due, refresh token lost, its successor may still come");
        let until = format!("successor until  {}", clock_time(NOW.plus(LOST_AFTER)));
        assert!(fields(&lost).contains(&until) && !fields(&lost).contains("dead"), "{}", fields(&lost));
        assert_eq!((&lost.json()["lost_at"], &lost.json()["dead_at"]), (&json!(NOW), &Value::Null));
    }

    #[test]
    fn a_refresh_token_that_salesforce_calls_dead_is_marked() {
        let later = NOW.plus(Duration::from_mins(1));
        let dead = read(&[(REFRESHED_AT, NOW), (LOST_AT, NOW), (DEAD_AT, later)], Form::Sealed);
        assert_eq!(dead.marks(), "due, refresh token dead, its successor may still come");
        assert!(fields(&dead).contains(&format!("found dead       {}", clock_time(later))), "{}", fields(&dead));
        assert_eq!(dead.json()["dead_at"], json!(later));
    }

    #[test]
    fn a_successor_that_can_come_no_more_is_not_waited_for() {
        let lost = read(&[(REFRESHED_AT, NOW), (LOST_AT, NOW.minus(LOST_AFTER))], Form::Sealed);
        assert_eq!(lost.marks(), "due, refresh token lost, its successor has not come");
    }

    #[test]
    fn a_pause_says_until_when() {
        let until = NOW.plus(Duration::from_mins(1));
        let paused = read(&[(REFRESHED_AT, NOW), (RETRY_AT, until)], Form::Sealed);
        assert_eq!(paused.marks(), format!("no refresh until {}", clock_time(until)));
        assert_eq!(paused.json()["retry_at"], json!(until));
    }

    #[test]
    fn a_pause_that_is_over_is_no_mark() {
        let over = read(&[(REFRESHED_AT, NOW), (RETRY_AT, NOW.minus(Duration::from_secs(1)))], Form::Sealed);
        assert_eq!((over.marks(), &over.json()["retry_at"]), (String::new(), &Value::Null));
    }

    #[test]
    fn nothing_shows_a_token() {
        let mut row = row(&[(REFRESHED_AT, NOW)]);
        for (text, form) in [("5Aep861!SECRET", Form::Plain), ("sealed:v1:SECRET", Form::Sealed), ("", Form::Missing)] {
            row.insert(REFRESH_TOKEN.to_owned(), text.into());
            assert_eq!(Form::of(&row), form);
            let custody = Custody::read(&row, form, None, NOW);
            let mut table = Table::default();
            custody.fields(&mut table);
            let shown = format!("{custody:?} {} {:?}", table.text(), custody.json());
            assert!(!shown.contains("SECRET"), "{shown}");
        }
    }
}
