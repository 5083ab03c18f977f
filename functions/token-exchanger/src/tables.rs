//! The two tables: the attempts, whose rules are in [`shared::attempt::ledger`], and the tokens.
//!
//! It decides no retries.

use aws_sdk_dynamodb::{
    Client,
    config::BehaviorVersion,
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, TransactWriteItem, error::TransactionCanceledException},
};
use shared::{
    AttemptId, Timestamp, WaId,
    attempt::{
        attr,
        ledger::{Account, Attempt, Conflict, Guard, Lease, Unconnected},
    },
    aws::{
        SdkConfig,
        dynamodb::{self, Update},
    },
    conditional_write::{Condition, ConditionalWrite},
    connection,
    salesforce::{Grant, RefreshToken},
};

/// Both tables.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    client: Client,
    attempts: String,
    tokens: String,
}

/// The answer to a claim.
#[derive(Debug)]
pub(crate) enum Claim {
    Granted(Lease),
    Refused(Conflict),
}

/// An account, ready to be stored.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) grant: Grant,
    /// Absent where Salesforce would not tell.
    pub(crate) username: Option<String>,
}

/// DynamoDB did not do it. The text is the kind of error alone: an answer can quote the item.
#[derive(Debug, thiserror::Error)]
#[error("DynamoDB did not {operation}: {why}")]
pub(crate) struct TableError {
    operation: &'static str,
    why: String,
}

impl Tables {
    /// Both tables; nothing is opened yet.
    pub(crate) fn new(config: &SdkConfig, attempts: String, tokens: String) -> Self {
        let config = aws_sdk_dynamodb::config::Builder::from(config).behavior_version(BehaviorVersion::v2026_01_12());
        Self { client: Client::from_conf(config.build()), attempts, tokens }
    }

    /// Is there a connection of this chat?
    pub(crate) async fn is_connected(&self, wa_id: &WaId) -> Result<bool, TableError> {
        self.client
            .get_item()
            .table_name(&self.tokens)
            .key(attr::WA_ID, AttributeValue::S(wa_id.as_str().to_owned()))
            .projection_expression(connection::ISSUED_AT)
            .consistent_read(true)
            .send()
            .await
            .map(|answer| answer.item.is_some_and(|item| item.contains_key(connection::ISSUED_AT)))
            .map_err(|error| table_error("look for a connection", &error))
    }

    /// Takes the attempt for a while, in one conditional write.
    pub(crate) async fn claim(&self, attempt: &Attempt<'_>, now: Timestamp) -> Result<Claim, TableError> {
        Ok(match self.update("claim the attempt", attempt.id, &attempt.claim(now)).await? {
            Update::Done(before) => Claim::Granted(attempt.lease(&before, now)),
            Update::Refused(item) => Claim::Refused(Conflict::of(&item)),
        })
    }

    /// What a claim would find, without making one.
    pub(crate) async fn look(&self, attempt: &Attempt<'_>, now: Timestamp) -> Result<Lease, TableError> {
        let item = dynamodb::read(&self.client, &self.attempts, (attr::ATTEMPT_ID, &attempt.id.to_string()))
            .await
            .map_err(|error| table_error("read the attempt", &error))?;
        Ok(attempt.lease(&item, now))
    }

    /// Gives the attempt back before its lease ends, if it is still ours.
    pub(crate) async fn release(&self, id: AttemptId, lease: &Lease, now: Timestamp) -> Result<(), TableError> {
        self.update("release the attempt", id, &lease.release(now)).await.map(|_| ())
    }

    /// Writes how the attempt ended, unless the guard forbids it: then what stood in the way.
    pub(crate) async fn finish(
        &self,
        attempt: &Attempt<'_>,
        outcome: &Unconnected<'_>,
        guard: Guard<'_>,
        now: Timestamp,
    ) -> Result<Option<Conflict>, TableError> {
        Ok(match self.update("write the outcome", attempt.id, &attempt.finish(outcome, guard, now)).await? {
            Update::Done(_) => None,
            Update::Refused(item) => Some(Conflict::of(&item)),
        })
    }

    /// Stores tokens and outcome in one transaction. Tokens that were issued later stay, and the
    /// attempt ends connected all the same. A repetition changes nothing.
    pub(crate) async fn connect(
        &self,
        attempt: &Attempt<'_>,
        connection: &Connection,
        renewed: bool,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let operation = "store the connection";
        let id = attempt.id.to_string();
        let outcome = attempt.connect(&connection.account(), renewed, now);
        let writes = [
            dynamodb::part(&tokens(attempt, connection, now), &self.tokens, (attr::WA_ID, attempt.wa_id.as_str())),
            dynamodb::part(&outcome, &self.attempts, (attr::ATTEMPT_ID, &id)),
        ];
        let writes: Vec<_> = writes
            .into_iter()
            .map(|write| write.map(|update| TransactWriteItem::builder().update(update).build()))
            .collect::<Result<_, _>>()
            .map_err(|why| TableError { operation, why: why.to_string() })?;
        let done = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        let Err(error) = done else { return Ok(()) };
        let refused = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => refused_write(cancelled),
            _ => None,
        };
        match refused {
            Some(RefusedWrite::Attempt) => Ok(()),
            Some(RefusedWrite::Tokens) => self.update(operation, attempt.id, &outcome).await.map(|_| ()),
            None => Err(table_error(operation, &error)),
        }
    }

    /// One write to an attempt.
    async fn update(
        &self,
        operation: &'static str,
        id: AttemptId,
        change: &ConditionalWrite,
    ) -> Result<Update, TableError> {
        dynamodb::update(&self.client, &self.attempts, (attr::ATTEMPT_ID, &id.to_string()), change)
            .await
            .map_err(|error| table_error(operation, &error))
    }
}

enum RefusedWrite {
    /// There are newer tokens.
    Tokens,
    /// It is connected already.
    Attempt,
}

/// Whose condition did not hold. `None` for other reasons, such as a conflict with another
/// transaction, where a repetition may succeed.
fn refused_write(cancelled: &TransactionCanceledException) -> Option<RefusedWrite> {
    let refused = |index: usize| {
        cancelled.cancellation_reasons().get(index).and_then(|reason| reason.code()) == Some("ConditionalCheckFailed")
    };
    if refused(1) {
        Some(RefusedWrite::Attempt)
    } else if refused(0) {
        Some(RefusedWrite::Tokens)
    } else {
        None
    }
}

impl Connection {
    fn account(&self) -> Account<'_> {
        let Self { grant, username } = self;
        Account {
            org_id: &grant.org_id,
            instance_url: &grant.instance_url,
            username: username.as_deref(),
            scope: grant.scope.as_deref(),
        }
    }
}

/// The write to the token table: never in place of tokens that were issued later. Other attributes that bots keep there
/// stay.
fn tokens(attempt: &Attempt<'_>, connection: &Connection, now: Timestamp) -> ConditionalWrite {
    let Connection { grant, username } = connection;
    let issued_at = grant.issued_at.millis();
    ConditionalWrite::only_if(Condition::Any(vec![
        Condition::Absent(connection::ISSUED_AT),
        Condition::Below(connection::ISSUED_AT, issued_at.saturating_add(1)),
    ]))
    .set(connection::ACCESS_TOKEN, grant.access_token.secret())
    .set_or_remove(connection::REFRESH_TOKEN, grant.refresh_token.as_ref().map(RefreshToken::secret))
    .set(attr::INSTANCE_URL, grant.instance_url.as_str())
    .set(connection::ISSUED_AT, issued_at)
    .set(attr::ATTEMPT_ID, attempt.id.to_string())
    .set_or_remove(attr::SCOPE, grant.scope.as_deref())
    .set(attr::ORG_ID, grant.org_id.as_str())
    .set(connection::USER_ID, grant.user_id.as_str())
    .set_or_remove(attr::USERNAME, username.as_deref())
    .set(attr::LOGIN_URL, attempt.login_url.as_str())
    .set(connection::CONNECTED_AT, now)
}

fn table_error<E: ProvideErrorMetadata + std::error::Error, R>(
    operation: &'static str,
    error: &SdkError<E, R>,
) -> TableError {
    let why = match error.as_service_error() {
        Some(refusal) => refusal.code().unwrap_or("refused").to_owned(),
        None => error.to_string(),
    };
    TableError { operation, why }
}
