//! The two tables: the attempts, whose rules are in [`shared::attempt::ledger`], and the connections, whose rule is in
//! [`shared::connection`].
//!
//! It decides no retries.

use aws_sdk_dynamodb::{Client, config::BehaviorVersion, types::AttributeValue};
use shared::{
    AttemptId, Timestamp, WaId,
    attempt::{
        Account, Outcome, attr,
        ledger::{Attempt, Conflict, Guard, Lease},
    },
    aws::{
        AwsError, SdkConfig,
        dynamodb::{self, Transaction, Update},
    },
    conditional_write::ConditionalWrite,
    connection::{self, NewTokens},
    salesforce::{Grant, RefreshToken},
};

/// Both tables.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    client: Client,
    attempts: String,
    tokens: String,
}

/// The result of a claim.
#[derive(Debug)]
pub(crate) enum Claim {
    Granted(Lease),
    Refused(Conflict),
}

/// A connection, ready to be stored.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) grant: Grant,
    /// `None` where Salesforce did not return it in time.
    pub(crate) username: Option<String>,
}

/// A table was not read or written.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct TableError(#[from] AwsError);

impl Tables {
    /// Both tables; no connection is opened yet.
    pub(crate) fn new(config: &SdkConfig, attempts: String, tokens: String) -> Self {
        let config = aws_sdk_dynamodb::config::Builder::from(config).behavior_version(BehaviorVersion::v2026_01_12());
        Self { client: Client::from_conf(config.build()), attempts, tokens }
    }

    /// Whether this chat is connected.
    pub(crate) async fn is_connected(&self, wa_id: &WaId) -> Result<bool, TableError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.tokens)
            .key(attr::WA_ID, AttributeValue::S(wa_id.as_str().to_owned()))
            .projection_expression(connection::ISSUED_AT)
            .consistent_read(true)
            .send()
            .await
            .map_err(AwsError::of("GetItem"))?;
        Ok(answer.item.is_some_and(|item| item.contains_key(connection::ISSUED_AT)))
    }

    /// Claims the attempt for the time of a lease.
    pub(crate) async fn claim(&self, attempt: &Attempt<'_>, now: Timestamp) -> Result<Claim, TableError> {
        Ok(match self.update(attempt.id, &attempt.claim(now)).await? {
            Update::Done(before) => Claim::Granted(attempt.lease(&before, now)),
            Update::ConditionFailed(item) => Claim::Refused(Conflict::of(&item)),
        })
    }

    /// The lease that a claim would grant now, without a claim.
    pub(crate) async fn read_lease(&self, attempt: &Attempt<'_>, now: Timestamp) -> Result<Lease, TableError> {
        let key = (attr::ATTEMPT_ID, &*attempt.id.to_string());
        let item = dynamodb::read(&self.client, &self.attempts, key).await?;
        Ok(attempt.lease(&item, now))
    }

    /// Ends the lease early, if it is still held.
    pub(crate) async fn release(&self, id: AttemptId, lease: &Lease, now: Timestamp) -> Result<(), TableError> {
        self.update(id, &lease.release(now)).await.map(|_| ())
    }

    /// Writes how the attempt ended, unless the guard forbids it: then it returns the conflict.
    pub(crate) async fn finish(
        &self,
        attempt: &Attempt<'_>,
        outcome: &Outcome<&str>,
        guard: Guard<'_>,
        now: Timestamp,
    ) -> Result<Option<Conflict>, TableError> {
        Ok(match self.update(attempt.id, &attempt.finish(outcome, guard, now)).await? {
            Update::Done(_) => None,
            Update::ConditionFailed(item) => Some(Conflict::of(&item)),
        })
    }

    /// Stores tokens and outcome in one transaction. Tokens that were issued later stay, and the attempt ends connected
    /// all the same. A repetition changes nothing.
    pub(crate) async fn connect(
        &self,
        attempt: &Attempt<'_>,
        connection: &Connection,
        renewed: bool,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let id = attempt.id.to_string();
        let tokens = connection.tokens(attempt).store(now);
        let outcome = Outcome::Connected { account: connection.account(), renewed };
        let outcome = attempt.finish(&outcome, Guard::TokensStored, now);
        let writes = [
            (&tokens, &*self.tokens, (attr::WA_ID, attempt.wa_id.as_str())),
            (&outcome, &*self.attempts, (attr::ATTEMPT_ID, &*id)),
        ];
        match dynamodb::transact(&self.client, writes).await? {
            // The second condition fails where the attempt is connected already.
            Transaction::Done | Transaction::ConditionFailed([_, true]) => Ok(()),
            // There are newer tokens.
            Transaction::ConditionFailed([_, false]) => self.update(attempt.id, &outcome).await.map(|_| ()),
        }
    }

    /// One write to an attempt.
    async fn update(&self, id: AttemptId, write: &ConditionalWrite) -> Result<Update, TableError> {
        Ok(dynamodb::update(&self.client, &self.attempts, (attr::ATTEMPT_ID, &id.to_string()), write).await?)
    }
}

impl Connection {
    fn account(&self) -> Account<&str> {
        let Self { grant, username } = self;
        Account {
            org_id: &grant.org_id,
            instance_url: &grant.instance_url,
            username: username.as_deref(),
            scope: grant.scope.as_deref(),
        }
    }

    fn tokens<'a>(&'a self, attempt: &Attempt<'a>) -> NewTokens<'a> {
        NewTokens {
            attempt_id: attempt.id,
            login_url: attempt.login_url,
            account: self.account(),
            user_id: &self.grant.user_id,
            access_token: self.grant.access_token.secret(),
            refresh_token: self.grant.refresh_token.as_ref().map(RefreshToken::secret),
            issued_at: self.grant.issued_at,
        }
    }
}
