//! The rules of refreshing a row's tokens: who may, what is stored, what is left behind. Pure.
//!
//! With rotation a refresh token works once, and presenting a used one revokes the whole grant (Salesforce Help 005316711). So
//! one party at a time refreshes, under a lease, and what it stores is fenced by content: by the refresh token that it used. A
//! newer consent, a disconnect, and a rotation by another have all taken that token out of the row.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    ACCESS_TOKEN, APP_HASH, CLOCK_SKEW, DEAD_AT, ENDED_AT, EXPIRES_AT, ISSUED_AT, LEASE_HOLDER, LEASE_UNTIL, LOST_AT,
    Origin, REFRESH_TOKEN, REFRESHED_AT, RETRY_AT, RefreshTokenText, VERSION, is_connected,
};
use crate::{
    Timestamp,
    attempt::attr,
    conditional_write::{Attributes, Condition, ConditionalWrite, Value, text},
};

/// How long a refresh holds a row: from the claim to the answer of its last request.
pub const LEASE: Duration = Duration::from_secs(20);
/// How long after [`LOST_AT`] a dead refresh token ends the connection. Its successor comes back from the upkeep queue within a
/// minute each time that the table refuses it, and after the queue's visibility timeout, 6 minutes, each time that its receiver
/// is killed: three times, here.
pub const LOST_AFTER: Duration = Duration::from_mins(20);
/// The longest that a failed refresh keeps the next from being tried.
pub const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// What keeps a row from being claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It has no refresh token: it never was a connection, has ended, or was never given one.
    NoRefreshToken,
    /// Somebody else refreshes.
    Held {
        /// The end of their lease.
        until: Timestamp,
    },
}

/// A claim on a row, as it was read: to be written, and what follows from it.
#[derive(Clone)]
pub struct Claim {
    /// The refresh token that is to be used, as it stands in the row.
    pub used: RefreshTokenText,
    /// An earlier holder may have used it up: Salesforce is asked before it is presented.
    pub maybe_used: bool,
    /// When it was first found dead, or nobody could say whether it is.
    pub lost_at: Option<Timestamp>,
    /// Salesforce has said that it is dead, and was believed.
    pub is_dead: bool,
    holder: String,
    before: Condition,
    /// After the claim.
    version: u64,
}

/// Claims a row for [`LEASE`].
///
/// # Errors
/// [`Obstacle`], where the row as it was read does not allow it.
pub fn claim(row: &Attributes, holder: String, now: Timestamp) -> Result<Claim, Obstacle> {
    let used = text(row, REFRESH_TOKEN).filter(|_| !row.contains_key(ENDED_AT)).ok_or(Obstacle::NoRefreshToken)?;
    let lease = row.get(LEASE_UNTIL).and_then(Value::as_time);
    if let Some(until) = lease.filter(|until| *until >= now && *until <= now.plus(LEASE).plus(CLOCK_SKEW)) {
        return Err(Obstacle::Held { until });
    }
    let lost_at = row.get(LOST_AT).and_then(Value::as_time).map(|at| at.min(now));
    Ok(Claim {
        used: RefreshTokenText::new(used),
        maybe_used: row.contains_key(LEASE_UNTIL) || lost_at.is_some(),
        lost_at,
        is_dead: lost_at.is_some() && row.contains_key(DEAD_AT),
        holder,
        before: Condition::All(vec![version_stands(row), Condition::Is(REFRESH_TOKEN, used.into())]),
        version: version(row).saturating_add(1),
    })
}

/// Whether a row is to be looked at without being asked for: nobody has refreshed it for so long, or a holder has left it behind.
/// One without a refresh token is looked at too, since it cannot live for long: somebody has to hear of its end.
#[must_use]
pub fn is_due(row: &Attributes, keep_alive: Option<Duration>, now: Timestamp) -> bool {
    let is_old = || keep_alive.is_some_and(|days| age(row, now) >= days);
    if row.contains_key(ENDED_AT) {
        return false;
    }
    if text(row, REFRESH_TOKEN).is_none() {
        return is_connected(row) && is_old();
    }
    let was_left = row.contains_key(LEASE_UNTIL) && claim(row, String::new(), now).is_ok();
    was_left || row.contains_key(LOST_AT) || is_old()
}

/// Until when no refresh is tried, because one has just failed: Salesforce is not asked by every caller what it has just answered one.
#[must_use]
pub fn paused_until(row: &Attributes, now: Timestamp) -> Option<Timestamp> {
    let until = row.get(RETRY_AT).and_then(Value::as_time)?;
    (until > now && until <= now.plus(LONGEST_PAUSE).plus(CLOCK_SKEW)).then_some(until)
}

/// How long ago Salesforce gave the tokens. Rows of earlier versions know no better than `issued_at`, which bots write too: one
/// that cannot be true is as old as can be.
#[must_use]
pub fn age(row: &Attributes, now: Timestamp) -> Duration {
    let time = |name| row.get(name).and_then(Value::as_time).filter(|at| *at <= now.plus(CLOCK_SKEW));
    time(REFRESHED_AT).or_else(|| time(ISSUED_AT)).map_or(Duration::MAX, |at| now.since(at))
}

impl Claim {
    /// The claim: nobody has written the row since it was read.
    #[must_use]
    pub fn take(&self, now: Timestamp) -> ConditionalWrite {
        ConditionalWrite::only_if(self.before.clone())
            .set(LEASE_UNTIL, now.plus(LEASE))
            .set(LEASE_HOLDER, self.holder.as_str())
            .set(VERSION, self.version)
    }

    /// Salesforce says that the refresh token is alive: the marks of an earlier look go, before it is presented. `None` where
    /// there are none.
    #[must_use]
    pub fn found_alive(&mut self) -> Option<ConditionalWrite> {
        self.lost_at.take()?;
        self.is_dead = false;
        Some(ConditionalWrite::only_if(self.stands()).remove([LOST_AT, DEAD_AT]))
    }

    /// A refresh token that was lost for good is about to be presented, since nobody can say whether it is dead: who comes next
    /// waits once more for what comes of that. For this holder it stays lost for good: it has the answer, or nobody has.
    #[must_use]
    pub fn wait_again(&self, now: Timestamp) -> ConditionalWrite {
        ConditionalWrite::only_if(self.stands()).set(LOST_AT, now)
    }

    /// Whether nobody has written the row since it was read, this claim included.
    #[must_use]
    pub fn may_be_taken(&self, row: &Attributes) -> bool {
        self.before.holds(row)
    }

    /// Whether this claim was taken, by a row that was read since: its answer was lost.
    #[must_use]
    pub fn holds(&self, row: &Attributes) -> bool {
        self.stands().holds(row)
    }

    /// Ends the lease: the refresh token is known to be unused. Nobody tries again during the pause.
    #[must_use]
    pub fn release(&self, pause: Duration, now: Timestamp) -> ConditionalWrite {
        self.give_back(pause, now).remove([LEASE_UNTIL, LEASE_HOLDER, LOST_AT, DEAD_AT])
    }

    /// Ends the lease without knowing whether the refresh token was used: an expired lease stays, and says so. Nobody tries again
    /// during the pause.
    #[must_use]
    pub fn leave(&self, pause: Duration, now: Timestamp) -> ConditionalWrite {
        let past = Timestamp::from_millis(now.millis().saturating_sub(1));
        self.give_back(pause, now).set(LEASE_UNTIL, past).remove([LEASE_HOLDER])
    }

    /// Ends the lease, and notes since when the refresh token's successor is waited for, and whether it is known to be dead. Nobody
    /// looks again during the pause.
    #[must_use]
    pub fn lost(&self, is_dead: bool, pause: Duration, now: Timestamp) -> ConditionalWrite {
        let write = self.give_back(pause, now).set(LOST_AT, self.lost_at.unwrap_or(now));
        let write = if is_dead { write.set(DEAD_AT, now) } else { write };
        write.remove([LEASE_UNTIL, LEASE_HOLDER])
    }

    /// Callers share what has gone wrong: none of them asks again at once.
    fn give_back(&self, pause: Duration, now: Timestamp) -> ConditionalWrite {
        ConditionalWrite::only_if(self.stands()).add(VERSION, 1).set(RETRY_AT, now.plus(pause.min(LONGEST_PAUSE)))
    }

    /// Whether the refresh token has been dead for so long that no successor of it can come back from the upkeep queue.
    #[must_use]
    pub fn is_lost_for_good(&self, now: Timestamp) -> bool {
        self.lost_at.is_some_and(|at| now.since(at) >= LOST_AFTER)
    }

    fn stands(&self) -> Condition {
        Condition::All(vec![
            Condition::Is(VERSION, self.version.into()),
            Condition::Is(LEASE_HOLDER, self.holder.as_str().into()),
            // Whoever writes the row without knowing of versions brings tokens of their own.
            Condition::Is(REFRESH_TOKEN, self.used.stored().into()),
        ])
    }
}

/// The tokens that a refresh brought, as they are stored.
#[derive(Clone, Debug)]
pub struct NewestTokens {
    /// The refresh token that was used, as it stood in the row.
    pub used: RefreshTokenText,
    /// The access token that stood in the row.
    pub replaces: Option<SecretString>,
    /// The access token.
    pub access_token: SecretString,
    /// What takes the place of the refresh token: `None` where Salesforce does not rotate, and it stays.
    pub refresh_token: Option<RefreshTokenText>,
    /// The consent that they came of, as the row has it.
    pub origin: Origin,
    /// The base URL of the org's API, where it changed.
    pub instance_url: Option<String>,
    /// When Salesforce issued them.
    pub issued_at: Timestamp,
    /// The scopes, where Salesforce named them.
    pub scope: Option<String>,
    /// When they came.
    pub refreshed_at: Timestamp,
    /// When the access token ends, where it says so itself.
    pub expires_at: Option<Timestamp>,
    /// The app that they are of; `None` in a message of an earlier version.
    pub app_hash: Option<String>,
}

impl NewestTokens {
    /// Stores them where the row still has the refresh token that was used. Where that stays, the access token must be the one
    /// before as well: another refresh may have brought a newer one. No clock decides.
    #[must_use]
    pub fn store(&self) -> ConditionalWrite {
        let is_used = Condition::Is(REFRESH_TOKEN, self.used.stored().into());
        let is_unreplaced = match (&self.refresh_token, &self.replaces) {
            (Some(_), _) => None,
            (None, Some(token)) => Some(Condition::Is(ACCESS_TOKEN, token.expose_secret().into())),
            (None, None) => Some(Condition::NoText(ACCESS_TOKEN)),
        };
        let write =
            ConditionalWrite::only_if(Condition::All([Some(is_used), is_unreplaced].into_iter().flatten().collect()))
                .set(ACCESS_TOKEN, self.access_token.expose_secret())
                .set(ISSUED_AT, self.issued_at)
                .set(REFRESHED_AT, self.refreshed_at)
                .set_or_remove(EXPIRES_AT, self.expires_at)
                .add(VERSION, 1)
                .remove([LEASE_UNTIL, LEASE_HOLDER, LOST_AT, DEAD_AT, RETRY_AT]);
        let optional = [
            (REFRESH_TOKEN, self.refresh_token.as_ref().map(RefreshTokenText::stored)),
            (attr::INSTANCE_URL, self.instance_url.as_deref()),
            (attr::SCOPE, self.scope.as_deref()),
            (APP_HASH, self.app_hash.as_deref()),
        ];
        let known = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
        known.fold(write, |write, (name, value)| write.set(name, value))
    }

    /// Whether the row has them: they were stored, and the answer was lost.
    #[must_use]
    pub fn are_in(&self, row: &Attributes) -> bool {
        // Salesforce may give an access token that the row has already.
        let is_new = |token: &RefreshTokenText| text(row, REFRESH_TOKEN) == Some(token.stored());
        text(row, ACCESS_TOKEN) == Some(self.access_token.expose_secret())
            && self.refresh_token.as_ref().is_none_or(is_new)
    }

    /// Notes the end of the access token, once Salesforce has told it.
    #[must_use]
    pub fn expire(&self, at: Timestamp) -> ConditionalWrite {
        let is_own = Condition::Is(ACCESS_TOKEN, self.access_token.expose_secret().into());
        ConditionalWrite::only_if(is_own).set(EXPIRES_AT, at).add(VERSION, 1)
    }
}

/// Seals a refresh token that stands in the row as it was given. Nothing else changes. It waits while a successor may come, which
/// is stored where the row has what was used. Where a bot keeps a version of its own, there is nothing to count on.
#[must_use]
pub fn seal_plain(plain: &RefreshTokenText, sealed: &RefreshTokenText, is_counted: bool) -> ConditionalWrite {
    let write = ConditionalWrite::only_if(Condition::All(vec![
        Condition::Is(REFRESH_TOKEN, plain.stored().into()),
        Condition::Absent(LEASE_UNTIL),
        Condition::Absent(LOST_AT),
    ]))
    .set(REFRESH_TOKEN, sealed.stored());
    if is_counted { write.add(VERSION, 1) } else { write.set(VERSION, 1) }
}

/// Whether a bot keeps something of its own under the name of [`VERSION`], to which nothing can be added.
#[must_use]
pub fn has_foreign_version(row: &Attributes) -> bool {
    row.get(VERSION).is_some_and(|version| version.as_number().is_none())
}

/// A write to a row as it was read, counted: the first one, where a bot keeps something of its own there.
pub(super) fn count(write: ConditionalWrite, row: &Attributes) -> ConditionalWrite {
    if has_foreign_version(row) { write.set(VERSION, 1) } else { write.add(VERSION, 1) }
}

/// What is true of a row that this stack has not written since it was read.
pub(super) fn version_stands(row: &Attributes) -> Condition {
    match row.get(VERSION) {
        Some(Value::Other) | None => Condition::NotNumber(VERSION),
        Some(version) => Condition::Is(VERSION, version.clone()),
    }
}

fn version(row: &Attributes) -> u64 {
    row.get(VERSION).and_then(Value::as_number).unwrap_or_default()
}

#[cfg(test)]
mod tests;
