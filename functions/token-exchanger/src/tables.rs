//! The tables: the attempts, whose rules are in [`shared::attempt::ledger`], the connections, whose rule is in
//! [`shared::connection`], and the logins that wait for their chat, whose rules are in [`shared::proof::pending`].
//!
//! It decides no retries, but for the check that comes with an outcome.

use std::time::Duration;

use shared::{
    AttemptId, Language, LinkId, Reason, Reference, Timestamp, WaId,
    attempt::{
        Account, Outcome, attr,
        ledger::{Attempt, Conflict, Guard, Lease},
    },
    aws::{
        AwsError, SdkConfig, Service,
        dynamodb::{self, Transaction, Update},
        pending::Pending,
    },
    conditional_write::{Attributes, ConditionalWrite, text},
    connection::{self, Consent, NewTokens, Origin, REVOKED_AT, RefreshTokenText, StoredTokens, ToRevoke, VERSION},
    exchange::DenialError,
    reference::{self, LinkReference},
    salesforce::{Grant, RefreshToken},
};
use tokio::time::Instant;

use crate::{ending::Failure, retry::Pauses};

mod pending;

pub(crate) use self::pending::HoldResult;

/// How long a transaction that checks and writes an outcome is repeated: a conflict with another write passes sooner.
const CONFLICT_LIMIT: Duration = Duration::from_secs(1);
/// How often one write looks at an item that another has changed since.
const LOOKS: usize = 4;

/// The tables.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    dynamodb: Service,
    attempts: String,
    tokens: String,
    pending: Pending,
}

/// The result of a claim.
#[derive(Debug)]
pub(crate) enum Claim {
    Granted(Lease),
    Refused(Conflict),
}

/// The result of writing an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Written,
    /// Another reason was written, because the consent has lost against the chat's row.
    Superseded(Reason),
    Refused(Conflict),
}

/// An outcome to be written.
#[derive(Clone, Debug)]
pub(crate) struct Ended<'a> {
    pub(crate) outcome: Outcome<&'a str>,
    pub(crate) guard: Guard<'a>,
    /// What happened, for operators. Where there is nothing new, what stands there stays.
    pub(crate) last_error: Option<&'a str>,
}

/// The result of storing a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Done,
    /// Not stored, and never will be: the attempt was connected with another code.
    AnotherCode,
    /// Not stored, and never will be: the attempt is another chat's.
    Never,
    /// Not stored: the token row is not what it was, or a later consent's.
    RowChanged,
}

/// What the token row held before a connection is stored.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    pub(crate) is_connected: bool,
    pub(crate) tokens: Option<StoredTokens>,
    /// The consent that they came from.
    pub(crate) origin: Origin,
    /// The bot's reference, which a link without one keeps.
    pub(crate) reference: Option<Reference>,
    /// The same of the language.
    pub(crate) language: Option<Language>,
    /// A revocation that only the record of the end tells, which the new connection replaces.
    revoked_at: Option<Timestamp>,
    /// The record of the connection's end, which the new connection replaces.
    pub(crate) end: Option<AttemptId>,
    /// A bot keeps something of its own where the stack counts its writes.
    has_foreign_version: bool,
}

/// A connection, ready to be stored.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) grant: Grant,
    /// `None` where Salesforce did not return it in time.
    pub(crate) username: Option<String>,
    /// The app that the tokens are of; `None` where an earlier version has exchanged the code.
    pub(crate) app_hash: Option<String>,
}

/// A table was not read or written.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct TableError(#[from] AwsError);

impl Tables {
    /// The tables; no connection is opened yet.
    pub(crate) fn new(config: &SdkConfig, attempts: String, tokens: String, pending: String) -> Self {
        let dynamodb = dynamodb::service(config);
        Self { pending: Pending::new(dynamodb.clone(), pending), dynamodb, attempts, tokens }
    }

    /// The chat's row in the token table; empty where there is none.
    pub(crate) async fn read_tokens(&self, wa_id: &WaId) -> Result<Attributes, TableError> {
        Ok(dynamodb::read(&self.dynamodb, &self.tokens, (attr::WA_ID, wa_id.as_str())).await?)
    }

    /// Claims the attempt for the time of a lease, by the item as it was seen before: empty, where it is likely new.
    pub(crate) async fn claim(
        &self,
        attempt: &Attempt<'_>,
        mut seen: Attributes,
        now: Timestamp,
    ) -> Result<Claim, TableError> {
        let mut is_lost = false;
        for _ in 0..LOOKS {
            let claim = match attempt.claim(&seen, now) {
                Ok(claim) => claim,
                Err(conflict) => return Ok(Claim::Refused(conflict)),
            };
            let item = match self.update(attempt.id, &claim).await {
                Ok(Update::Done(before)) => return Ok(Claim::Granted(attempt.lease(&before))),
                Ok(Update::ConditionFailed(item)) => item,
                Err(error) if is_lost => return Err(error),
                // The claim may have been made, and every answer of it lost: this delivery knows its own again.
                Err(_) => {
                    is_lost = true;
                    continue;
                }
            };
            if let Some(lease) = attempt.own_lease(&seen, &item) {
                return Ok(Claim::Granted(lease));
            }
            seen = item;
        }
        Ok(Claim::Refused(Conflict::Held { until: now }))
    }

    /// The attempt's item; empty where there is none.
    pub(crate) async fn read_attempt(&self, id: AttemptId) -> Result<Attributes, TableError> {
        Ok(dynamodb::read(&self.dynamodb, &self.attempts, (attr::ATTEMPT_ID, &*id.to_string())).await?)
    }

    /// The reference that is kept for a link of this chat; `None` where there is none any more.
    pub(crate) async fn read_reference(&self, link_id: LinkId, wa_id: &WaId) -> Result<Option<Reference>, TableError> {
        let key = reference::row_id(link_id);
        let row = dynamodb::read(&self.dynamodb, &self.attempts, (attr::ATTEMPT_ID, &key)).await?;
        Ok(Reference::kept_in(&row, wa_id))
    }

    /// The reference that an earlier delivery has written into the attempt's own row.
    pub(crate) async fn read_own_reference(&self, attempt: &Attempt<'_>) -> Result<Option<Reference>, TableError> {
        let row = self.read_attempt(attempt.id).await?;
        let is_this_chats = text(&row, attr::WA_ID) == Some(attempt.wa_id.as_str());
        Ok(if is_this_chats { Reference::of(&row) } else { None })
    }

    /// Ends the lease early, if it is still held.
    pub(crate) async fn release(
        &self,
        id: AttemptId,
        lease: &Lease,
        reference: Option<&Reference>,
        last_error: &str,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let write = lease.release(now).set(attr::LAST_ERROR, last_error);
        let write = reference.iter().fold(write, |write, known| write.set(attr::REFERENCE, known.as_str()));
        self.update(id, &write).await.map(|_| ())
    }

    /// Writes how the attempt ended, unless the guard forbids it. The failure or delay of a consent that a later one has
    /// overtaken is written as superseded instead: nobody who is connected hears that they are not.
    ///
    /// Both are one transaction. Where it stays in conflict with another write, or fails in another way, the row is read
    /// instead. Where that fails too the outcome is not written, unless it is the last time: then it must not be lost.
    pub(crate) async fn finish(
        &self,
        attempt: &Attempt<'_>,
        consent: &Consent,
        ended: &Ended<'_>,
        is_last: bool,
        now: Timestamp,
    ) -> Result<Finish, TableError> {
        let (check, id) = (consent.check(now), attempt.id.to_string());
        let mut pauses = Pauses::until(Instant::now() + CONFLICT_LIMIT);
        // Most attempts that end without a lease have no item.
        let (mut seen, mut looks) = (Attributes::new(), 0);
        let row = loop {
            let write = match ended.write(attempt, &seen, now) {
                Ok(write) => write,
                Err(_) if attempt.wrote(&ended.outcome, &seen, now) => return Ok(Finish::Written),
                Err(conflict) => return Ok(Finish::Refused(conflict)),
            };
            let writes = [
                (&check, &*self.tokens, (attr::WA_ID, attempt.wa_id.as_str())),
                (&write, &*self.attempts, (attr::ATTEMPT_ID, &*id)),
            ];
            match dynamodb::transact(&self.dynamodb, writes).await {
                Ok(Transaction::Done) => return Ok(Finish::Written),
                Ok(Transaction::ConditionFailed([true, _])) => {
                    let row = self.read_tokens(attempt.wa_id).await;
                    // The condition has failed: what the row says now is only about which words are right.
                    let reason = row.map_or(Reason::Superseded, |row| consent.reason_lost(&row, now));
                    return self.supersede(attempt, reason, ended.guard, seen, now).await;
                }
                Ok(Transaction::ConditionFailed([false, _])) if ended.guard.looks() && looks < LOOKS => {
                    looks += 1;
                    seen = self.read_attempt(attempt.id).await?;
                }
                // The item says why.
                Ok(Transaction::ConditionFailed([false, _])) => break None,
                Err(_) if pauses.next(None).await => {}
                Err(_) => match self.read_tokens(attempt.wa_id).await {
                    Ok(row) => break Some(row),
                    Err(_) if is_last => break None,
                    Err(error) => return Err(error),
                },
            }
        };
        if let Some(row) = row.filter(|row| consent.is_superseded(row, now)) {
            return self.supersede(attempt, consent.reason_lost(&row, now), ended.guard, seen, now).await;
        }
        self.write_outcome(attempt, ended, seen, now).await
    }

    /// Writes that the consent has lost; `seen` is the item, where it was read.
    pub(crate) async fn supersede(
        &self,
        attempt: &Attempt<'_>,
        reason: Reason,
        guard: Guard<'_>,
        seen: Attributes,
        now: Timestamp,
    ) -> Result<Finish, TableError> {
        let outcome = Outcome::Failed { reason, salesforce_error: None };
        let superseded = Ended { outcome, guard, last_error: None };
        Ok(match self.write_outcome(attempt, &superseded, seen, now).await? {
            Finish::Written => Finish::Superseded(reason),
            conflict => conflict,
        })
    }

    async fn write_outcome(
        &self,
        attempt: &Attempt<'_>,
        ended: &Ended<'_>,
        mut seen: Attributes,
        now: Timestamp,
    ) -> Result<Finish, TableError> {
        for _ in 0..LOOKS {
            let write = match ended.write(attempt, &seen, now) {
                Ok(write) => write,
                Err(conflict) => return Ok(Finish::Refused(conflict)),
            };
            match self.update(attempt.id, &write).await? {
                Update::Done(_) => return Ok(Finish::Written),
                Update::ConditionFailed(item) if attempt.wrote(&ended.outcome, &item, now) => {
                    return Ok(Finish::Written);
                }
                Update::ConditionFailed(item) => seen = item,
            }
            if !ended.guard.looks() {
                break;
            }
        }
        Ok(Finish::Refused(attempt.conflict(&seen, now)))
    }

    /// Stores tokens and outcome in one transaction, where the consent wins and the token row still holds `before`. A
    /// repetition changes nothing.
    pub(crate) async fn connect(
        &self,
        attempt: &Attempt<'_>,
        consent: &Consent,
        new: &NewTokens<'_>,
        before: &Before,
        now: Timestamp,
    ) -> Result<Stored, TableError> {
        let id = attempt.id.to_string();
        let tokens = new.store(consent, before.tokens.as_ref(), now);
        let tokens = if before.has_foreign_version { tokens.set(VERSION, 1) } else { tokens };
        let tokens = before.revoked_at.iter().fold(tokens, |write, at| write.set(REVOKED_AT, *at));
        let outcome = Outcome::Connected { account: new.account, renewed: before.is_connected };
        let Ok(outcome) = attempt.finish(&outcome, Guard::Exchanged, &Attributes::new(), now) else {
            return self.refused(attempt, now).await;
        };
        let writes = [
            (&tokens, &*self.tokens, (attr::WA_ID, attempt.wa_id.as_str())),
            (&outcome, &*self.attempts, (attr::ATTEMPT_ID, &*id)),
        ];
        if let Some(end) = before.end {
            let (replaced, end) = (connection::replaced(now), end.to_string());
            let with_end = [writes[0], writes[1], (&replaced, &*self.attempts, (attr::ATTEMPT_ID, &*end))];
            match dynamodb::transact(&self.dynamodb, with_end).await? {
                Transaction::Done => return Ok(Stored::Done),
                Transaction::ConditionFailed([_, true, _]) => return self.refused(attempt, now).await,
                Transaction::ConditionFailed([true, false, _]) => return Ok(Stored::RowChanged),
                // The record of the end is gone: there is nothing left to tell.
                Transaction::ConditionFailed([false, false, _]) => {}
            }
        }
        match dynamodb::transact(&self.dynamodb, writes).await? {
            Transaction::Done => Ok(Stored::Done),
            // The second condition fails where the attempt is connected already.
            Transaction::ConditionFailed([_, true]) => self.refused(attempt, now).await,
            Transaction::ConditionFailed([_, false]) => Ok(Stored::RowChanged),
        }
    }

    /// What the attempt's item says of a connection that it refused: stored before, with this very code, or never.
    pub(crate) async fn refused(&self, attempt: &Attempt<'_>, now: Timestamp) -> Result<Stored, TableError> {
        let item = self.read_attempt(attempt.id).await?;
        let chat = text(&item, attr::WA_ID);
        Ok(match attempt.conflict(&item, now) {
            Conflict::Finished { connected: true } => Stored::Done,
            Conflict::AnotherCode => Stored::AnotherCode,
            _ if chat.is_some_and(|chat| chat != attempt.wa_id.as_str()) => Stored::Never,
            _ => Stored::RowChanged,
        })
    }

    /// Writes that the attempt's tokens wait on the queue.
    pub(crate) async fn note_sealed(&self, attempt: &Attempt<'_>) -> Result<(), TableError> {
        self.update(attempt.id, &attempt.sealed()).await.map(drop)
    }

    /// One write to an attempt.
    async fn update(&self, id: AttemptId, write: &ConditionalWrite) -> Result<Update, TableError> {
        Ok(dynamodb::update(&self.dynamodb, &self.attempts, (attr::ATTEMPT_ID, &id.to_string()), write).await?)
    }
}

impl<'a> Ended<'a> {
    pub(crate) fn failed(failure: &'a Failure, guard: Guard<'a>) -> Self {
        let salesforce_error = failure.salesforce_error.as_ref().map(DenialError::as_str);
        let outcome = Outcome::Failed { reason: failure.reason, salesforce_error };
        Self { outcome, guard, last_error: failure.last_error.as_deref() }
    }

    pub(crate) const fn delayed(reason: Reason, guard: Guard<'a>) -> Self {
        Self { outcome: Outcome::Delayed { reason }, guard, last_error: None }
    }

    fn write(&self, attempt: &Attempt<'_>, seen: &Attributes, now: Timestamp) -> Result<ConditionalWrite, Conflict> {
        let write = attempt.finish(&self.outcome, self.guard, seen, now)?;
        Ok(self.last_error.iter().fold(write, |write, last_error| write.set(attr::LAST_ERROR, *last_error)))
    }
}

impl Before {
    pub(crate) fn of(row: &Attributes) -> Self {
        Self {
            is_connected: connection::is_connected(row),
            tokens: StoredTokens::read(row),
            origin: Origin::of(row),
            reference: Reference::of(row),
            language: Language::of(row),
            revoked_at: connection::kept_revocation(row),
            end: connection::recorded_end(row),
            has_foreign_version: connection::has_foreign_version(row),
        }
    }
}

impl Connection {
    /// Whether these are its own tokens: Salesforce may give one refresh token to two consents. A sealed one is for the
    /// refresher to compare, before it revokes it.
    pub(crate) fn holds(&self, tokens: &StoredTokens) -> bool {
        let own =
            self.grant.refresh_token.as_ref().map_or_else(|| self.grant.access_token.secret(), RefreshToken::secret);
        tokens.to_revoke() == ToRevoke::Token(own)
    }

    fn account(&self) -> Account<&str> {
        let Self { grant, username, .. } = self;
        Account {
            org_id: &grant.org_id,
            instance_url: &grant.instance_url,
            username: username.as_deref(),
            scope: grant.scope.as_deref(),
        }
    }

    /// As they are stored, with the refresh token as its row is to have it.
    pub(crate) fn tokens<'a>(
        &'a self,
        attempt: &Attempt<'a>,
        reference: &'a LinkReference,
        refresh_token: Option<&'a RefreshTokenText>,
    ) -> NewTokens<'a> {
        NewTokens {
            attempt_id: attempt.id,
            login_url: attempt.login_url,
            reference,
            language: attempt.language,
            account: self.account(),
            user_id: &self.grant.user_id,
            access_token: self.grant.access_token.secret(),
            refresh_token: refresh_token.map(RefreshTokenText::stored),
            issued_at: self.grant.issued_at,
            expires_at: self.grant.access_token.expires_at(),
            app_hash: self.app_hash.as_deref(),
        }
    }
}
