//! The two tables: who may work on an attempt, how it ended, and the tokens.
//!
//! Every rule about who may overwrite what is a condition of a write, here and nowhere else, so
//! that it holds whatever else is running. It decides no retries.

use std::{cell::Cell, collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    config::BehaviorVersion,
    error::{BuildError, ProvideErrorMetadata, SdkError},
    operation::{transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
    types::{
        self, AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
        error::TransactionCanceledException,
    },
};
use ring::digest::{SHA256, digest};
use shared::{
    AttemptId, LoginUrl, Reason, Status, Timestamp, WaId, attempt::attr, aws::SdkConfig, exchange::DenialError,
};

use crate::grant::Grant;

/// Longer than the function may run, so a lease never ends under its holder.
const LEASE: Duration = Duration::from_mins(1);
/// How long an attempt is remembered.
const KEPT: Duration = Duration::from_hours(90 * 24);
/// The end of a lease whose holder gave it back, knowing that the code is still good.
const RELEASED: Timestamp = Timestamp::from_millis(0);

/// The attributes of the token table that bots read, and those beside them. Other attributes that
/// bots keep there stay.
mod token_attr {
    pub(super) const ACCESS_TOKEN: &str = "access_token";
    pub(super) const REFRESH_TOKEN: &str = "refresh_token";
    /// N, in milliseconds.
    pub(super) const ISSUED_AT: &str = "issued_at";
    pub(super) const USER_ID: &str = "user_id";
    pub(super) const CONNECTED_AT: &str = "connected_at";
}

const CLAIMABLE: &str = "attribute_not_exists(#attempt_id) OR #status = :delayed \
    OR (#status = :exchanging AND #lease_until < :now) \
    OR (#status = :failed AND (attribute_not_exists(#code_sha256) OR #code_sha256 <> :code_sha256))";
const UNHELD: &str = "attribute_not_exists(#attempt_id) OR #status = :delayed \
    OR (#status = :exchanging AND #lease_until < :now)";
const UNDECIDED: &str = "attribute_not_exists(#attempt_id) OR #status = :delayed \
    OR (#status = :failed AND #reason <> :denied)";
const HELD: &str = "#status = :exchanging AND #lease_until = :lease";
const NOT_CONNECTED: &str = "attribute_not_exists(#attempt_id) OR #status <> :connected";
const NOT_NEWER: &str = "attribute_not_exists(#issued_at) OR #issued_at <= :issued_at";

/// Both tables.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    client: Client,
    attempts: String,
    tokens: String,
}

/// What a message tells of its attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt<'a> {
    pub(crate) id: AttemptId,
    pub(crate) wa_id: &'a WaId,
    pub(crate) login_url: &'a LoginUrl,
    /// Absent for a denial.
    pub(crate) code_sha256: Option<String>,
    pub(crate) receives: u32,
}

/// The right to trade a code, for a while.
#[derive(Debug)]
pub(crate) struct Lease {
    until: Timestamp,
    /// May the code be used up, by this holder or by an earlier one whose answer was lost?
    pub(crate) maybe_redeemed: Cell<bool>,
}

/// What stands in the way of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The attempt has its outcome.
    Over,
    /// Somebody holds it.
    Held {
        /// For so long at most.
        until: Timestamp,
    },
}

/// The answer to a claim.
#[derive(Debug)]
pub(crate) enum Claim {
    Granted(Lease),
    Refused(Obstacle),
}

/// An attempt that did not end connected.
#[derive(Clone, Debug)]
pub(crate) enum Unconnected<'a> {
    /// For good.
    Failed { reason: Reason, error: Option<&'a DenialError> },
    /// For now.
    Delayed { reason: Reason },
}

/// What allows an outcome to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Guard<'a> {
    /// We hold the attempt.
    Lease(&'a Lease),
    /// Nobody does, and it has no final outcome.
    Unheld,
    /// The person said no: that is final unless a code is on its way, or came before.
    Undecided,
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

    /// Opens the connection, so that the first message need not wait for it.
    pub(crate) async fn open(&self) -> Result<(), TableError> {
        self.has_tokens("nobody").await.map(|_| ())
    }

    /// Is there a connection of this chat?
    pub(crate) async fn is_connected(&self, wa_id: &WaId) -> Result<bool, TableError> {
        self.has_tokens(wa_id.as_str()).await
    }

    async fn has_tokens(&self, key: &str) -> Result<bool, TableError> {
        self.client
            .get_item()
            .table_name(&self.tokens)
            .key(attr::WA_ID, text(key))
            .projection_expression(token_attr::ISSUED_AT)
            .consistent_read(true)
            .send()
            .await
            .map(|answer| answer.item.is_some_and(|item| item.contains_key(token_attr::ISSUED_AT)))
            .map_err(|error| table_error("look for a connection", &error))
    }

    /// Takes the attempt for a while, in one conditional write: where it is new, delayed, left
    /// behind by a holder whose lease has run out, or failed with another code.
    pub(crate) async fn claim(&self, attempt: &Attempt<'_>, now: Timestamp) -> Result<Claim, TableError> {
        let until = now.plus(LEASE);
        let change = attempt
            .change(Status::Exchanging, now)
            .set(attr::LEASE_UNTIL, time(until))
            .remove([attr::REASON, attr::SALESFORCE_ERROR])
            .only_if(
                CLAIMABLE,
                [(":now", time(now)), status(Status::Delayed), status(Status::Failed), status(Status::Exchanging)],
            );
        match self.update("claim the attempt", attempt.id, change, ReturnValue::AllOld).await? {
            Update::Done(old) => {
                let ours = string(&old, attr::CODE_SHA256) == attempt.code_sha256.as_deref();
                let released = moment(&old, attr::LEASE_UNTIL).is_none_or(|until| until == RELEASED);
                Ok(Claim::Granted(Lease { until, maybe_redeemed: Cell::new(ours && !released) }))
            }
            Update::Refused(item) => Ok(Claim::Refused(obstacle(&item))),
        }
    }

    /// Gives the attempt back before its lease ends, if it is still ours.
    pub(crate) async fn release(&self, id: AttemptId, lease: &Lease, now: Timestamp) -> Result<(), TableError> {
        let change = Change::default()
            .set(attr::LEASE_UNTIL, time(lease.end(now)))
            .set(attr::UPDATED_AT, time(now))
            .only_if(HELD, [(":lease", time(lease.until)), status(Status::Exchanging)]);
        self.update("release the attempt", id, change, ReturnValue::None).await.map(|_| ())
    }

    /// Writes how the attempt ended, unless the guard forbids it: then what stood in the way.
    pub(crate) async fn settle(
        &self,
        attempt: &Attempt<'_>,
        outcome: &Unconnected<'_>,
        guard: Guard<'_>,
        now: Timestamp,
    ) -> Result<Option<Obstacle>, TableError> {
        let change = match outcome {
            Unconnected::Failed { reason, error } => attempt
                .change(Status::Failed, now)
                .set(attr::REASON, text(reason.as_str()))
                .set_or_remove(attr::SALESFORCE_ERROR, error.map(|error| text(error.as_str())))
                .remove([attr::LEASE_UNTIL]),
            Unconnected::Delayed { reason } => {
                let change = attempt.change(Status::Delayed, now).set(attr::REASON, text(reason.as_str()));
                // Kept, because whoever claims it next has to know what became of the code.
                match guard {
                    Guard::Lease(lease) => change.set(attr::LEASE_UNTIL, time(lease.end(now))),
                    Guard::Unheld | Guard::Undecided => change,
                }
            }
        };
        let change = change.remove(attr::MARKS);
        let change = match guard {
            Guard::Lease(lease) => change.only_if(HELD, [(":lease", time(lease.until)), status(Status::Exchanging)]),
            Guard::Unheld => {
                change.only_if(UNHELD, [(":now", time(now)), status(Status::Delayed), status(Status::Exchanging)])
            }
            Guard::Undecided => change.only_if(
                UNDECIDED,
                [(":denied", text(Reason::Denied.as_str())), status(Status::Delayed), status(Status::Failed)],
            ),
        };
        Ok(match self.update("write the outcome", attempt.id, change, ReturnValue::None).await? {
            Update::Done(_) => None,
            Update::Refused(item) => Some(obstacle(&item)),
        })
    }

    /// Stores tokens and outcome in one transaction. Tokens that were issued later stay, and the
    /// attempt ends connected all the same. To be repeated with the same arguments only.
    pub(crate) async fn connect(
        &self,
        attempt: &Attempt<'_>,
        connection: &Connection,
        renewed: bool,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let operation = "store the connection";
        let outcome = attempt.connected(connection, renewed, now);
        let writes = [
            tokens(attempt, connection, now).into_update(&self.tokens, attr::WA_ID, attempt.wa_id.as_str()),
            outcome.clone().into_update(&self.attempts, attr::ATTEMPT_ID, &attempt.id.to_string()),
        ];
        let writes: Vec<_> = writes
            .into_iter()
            .map(|write| write.map(|update| TransactWriteItem::builder().update(update).build()))
            .collect::<Result<_, _>>()
            .map_err(|why| TableError { operation, why: why.to_string() })?;
        let done = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes))
            .client_request_token(request_token(attempt.id, connection.grant.issued_at))
            .send()
            .await;
        let Err(error) = done else { return Ok(()) };
        let refused = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => refused_write(cancelled),
            _ => None,
        };
        match refused {
            Some(RefusedWrite::Attempt) => Ok(()),
            Some(RefusedWrite::Tokens) => {
                self.update(operation, attempt.id, outcome, ReturnValue::None).await.map(|_| ())
            }
            None => Err(table_error(operation, &error)),
        }
    }

    /// One write to an attempt.
    async fn update(
        &self,
        operation: &'static str,
        id: AttemptId,
        change: Change,
        return_values: ReturnValue,
    ) -> Result<Update, TableError> {
        let done = self
            .client
            .update_item()
            .table_name(&self.attempts)
            .key(attr::ATTEMPT_ID, text(id.to_string()))
            .update_expression(change.expression())
            .condition_expression(change.condition)
            .set_expression_attribute_names(Some(change.names))
            .set_expression_attribute_values(Some(change.values))
            .return_values(return_values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match done {
            Ok(answer) => Ok(Update::Done(answer.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    Ok(Update::Refused(refused.item.clone().unwrap_or_default()))
                }
                _ => Err(table_error(operation, &error)),
            },
        }
    }
}

type Item = HashMap<String, AttributeValue>;

/// What became of a write.
enum Update {
    /// It was made; the item before it, if asked for.
    Done(Item),
    /// Its condition does not hold for this item.
    Refused(Item),
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

/// Who or what refused a write to this item.
fn obstacle(item: &Item) -> Obstacle {
    let held = string(item, attr::STATUS) == Some(Status::Exchanging.as_str());
    match moment(item, attr::LEASE_UNTIL) {
        Some(until) if held => Obstacle::Held { until },
        _ => Obstacle::Over,
    }
}

/// The same for every repetition of one transaction: at most 36 characters.
fn request_token(id: AttemptId, issued_at: Timestamp) -> String {
    let digest = digest(&SHA256, format!("{id}:{}", issued_at.millis()).as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    // As hexadecimal digits.
    AttemptId::from_bytes(bytes).to_string()
}

impl Lease {
    /// What a holder leaves behind: whether the code is still good for sure.
    fn end(&self, now: Timestamp) -> Timestamp {
        if self.maybe_redeemed.get() { now } else { RELEASED }
    }
}

impl Attempt<'_> {
    /// What every write to the attempt sets.
    fn change(&self, to: Status, now: Timestamp) -> Change {
        let change = Change::default()
            .set(attr::STATUS, text(to.as_str()))
            .set(attr::WA_ID, text(self.wa_id.as_str()))
            .set(attr::LOGIN_URL, text(self.login_url.as_str()))
            .set(attr::RECEIVES, number(self.receives.into()))
            .set(attr::UPDATED_AT, time(now))
            .set_once(attr::CREATED_AT, time(now))
            .set(attr::EXPIRES_AT, number(now.plus(KEPT).seconds()));
        match &self.code_sha256 {
            Some(sha256) => change.set(attr::CODE_SHA256, text(sha256)),
            None => change,
        }
    }

    fn connected(&self, connection: &Connection, renewed: bool, now: Timestamp) -> Change {
        let Connection { grant, username } = connection;
        self.change(Status::Connected, now)
            .set(attr::ORG_ID, text(&grant.org_id))
            .set(attr::INSTANCE_URL, text(&grant.instance_url))
            .set(attr::RENEWED, AttributeValue::Bool(renewed))
            .set_or_remove(attr::USERNAME, username.as_deref().map(text))
            .set_or_remove(attr::SCOPE, grant.scope.as_deref().map(text))
            .remove([attr::REASON, attr::SALESFORCE_ERROR, attr::LEASE_UNTIL])
            .remove(attr::MARKS)
            .only_if(NOT_CONNECTED, [status(Status::Connected)])
    }
}

/// The write to the token table.
fn tokens(attempt: &Attempt<'_>, connection: &Connection, now: Timestamp) -> Change {
    let Connection { grant, username } = connection;
    Change::default()
        .set(token_attr::ACCESS_TOKEN, text(grant.access_token.secret()))
        .set_or_remove(token_attr::REFRESH_TOKEN, grant.refresh_token.as_ref().map(|token| text(token.secret())))
        .set(attr::INSTANCE_URL, text(&grant.instance_url))
        .set(token_attr::ISSUED_AT, time(grant.issued_at))
        .set(attr::ATTEMPT_ID, text(attempt.id.to_string()))
        .set_or_remove(attr::SCOPE, grant.scope.as_deref().map(text))
        .set(attr::ORG_ID, text(&grant.org_id))
        .set(token_attr::USER_ID, text(&grant.user_id))
        .set_or_remove(attr::USERNAME, username.as_deref().map(text))
        .set(attr::LOGIN_URL, text(attempt.login_url.as_str()))
        .set(token_attr::CONNECTED_AT, time(now))
        .only_if(NOT_NEWER, [])
}

/// An update of one item under a condition. In expressions, `#name` stands for the attribute
/// `name`, and `:name` for the value that it is set to.
#[derive(Clone, Default)]
struct Change {
    sets: Vec<String>,
    removes: Vec<String>,
    condition: &'static str,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Change {
    fn set(mut self, name: &str, value: AttributeValue) -> Self {
        self.sets.push(format!("#{name} = :{name}"));
        self.name(name).value(&format!(":{name}"), value)
    }

    /// Sets it where it is absent.
    fn set_once(mut self, name: &str, value: AttributeValue) -> Self {
        self.sets.push(format!("#{name} = if_not_exists(#{name}, :{name})"));
        self.name(name).value(&format!(":{name}"), value)
    }

    fn set_or_remove(self, name: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self.remove([name]),
        }
    }

    fn remove<const N: usize>(mut self, names: [&str; N]) -> Self {
        for name in names {
            self.removes.push(format!("#{name}"));
            self = self.name(name);
        }
        self
    }

    fn only_if<const N: usize>(mut self, condition: &'static str, values: [(&str, AttributeValue); N]) -> Self {
        self.condition = condition;
        for word in condition.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '#')) {
            if let Some(name) = word.strip_prefix('#') {
                self = self.name(name);
            }
        }
        values.into_iter().fold(self, |change, (name, value)| change.value(name, value))
    }

    fn name(mut self, name: &str) -> Self {
        self.names.insert(format!("#{name}"), name.to_owned());
        self
    }

    fn value(mut self, name: &str, value: AttributeValue) -> Self {
        self.values.insert(name.to_owned(), value);
        self
    }

    fn expression(&self) -> String {
        let sets = format!("SET {}", self.sets.join(", "));
        if self.removes.is_empty() { sets } else { format!("{sets} REMOVE {}", self.removes.join(", ")) }
    }

    fn into_update(self, table: &str, key: &str, id: &str) -> Result<types::Update, BuildError> {
        types::Update::builder()
            .table_name(table)
            .key(key, text(id))
            .update_expression(self.expression())
            .condition_expression(self.condition)
            .set_expression_attribute_names(Some(self.names))
            .set_expression_attribute_values(Some(self.values))
            .build()
    }
}

fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn time(time: Timestamp) -> AttributeValue {
    number(time.millis())
}

/// A status as a condition's value: `:failed` for `failed`.
fn status(status: Status) -> (&'static str, AttributeValue) {
    let name = match status {
        Status::Exchanging => ":exchanging",
        Status::Connected => ":connected",
        Status::Failed => ":failed",
        Status::Delayed => ":delayed",
    };
    (name, text(status.as_str()))
}

fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

fn moment(item: &Item, name: &str) -> Option<Timestamp> {
    item.get(name)?.as_n().ok()?.parse().ok().map(Timestamp::from_millis)
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    #[test]
    fn every_name_and_value_is_used_and_every_placeholder_has_one() {
        let (wa_id, login_url) =
            ("whatsapp:+15551234567".parse().unwrap(), "https://login.salesforce.com".parse().unwrap());
        let attempt = Attempt {
            id: AttemptId::from_bytes([7; 16]),
            wa_id: &wa_id,
            login_url: &login_url,
            code_sha256: Some("hash".to_owned()),
            receives: 1,
        };
        let change =
            attempt.change(Status::Failed, NOW).remove(attr::MARKS).only_if(NOT_NEWER, []).set("issued_at", number(1));
        let expression = format!("{} {}", change.expression(), change.condition);
        for placeholder in change.names.keys().chain(change.values.keys()) {
            assert!(expression.contains(placeholder), "{placeholder}");
        }
        for word in expression.split(|c: char| !(c.is_ascii_alphanumeric() || "_#:".contains(c))) {
            let known = match word.as_bytes().first() {
                Some(b'#') => change.names.contains_key(word),
                Some(b':') => change.values.contains_key(word),
                _ => true,
            };
            assert!(known, "{word}");
        }
    }

    #[test]
    fn a_repeated_transaction_has_the_same_token() {
        let token = |id, millis| request_token(AttemptId::from_bytes([id; 16]), Timestamp::from_millis(millis));
        assert_eq!(token(1, 5), token(1, 5));
        assert_ne!(token(1, 5), token(2, 5));
        assert_ne!(token(1, 5), token(1, 6));
        assert!(token(1, 5).len() <= 36);
    }

    #[test]
    fn a_holder_leaves_behind_whether_the_code_may_be_used_up() {
        let lease = Lease { until: NOW.plus(LEASE), maybe_redeemed: Cell::new(false) };
        assert_eq!(lease.end(NOW), RELEASED);
        lease.maybe_redeemed.set(true);
        assert_eq!(lease.end(NOW), NOW);
    }

    #[test]
    fn a_live_lease_is_waited_for_and_an_outcome_is_not() {
        let item =
            |status: &str| HashMap::from([("status".to_owned(), text(status)), ("lease_until".to_owned(), number(9))]);
        assert_eq!(obstacle(&item("exchanging")), Obstacle::Held { until: Timestamp::from_millis(9) });
        assert_eq!(obstacle(&item("connected")), Obstacle::Over);
        assert_eq!(obstacle(&item("failed")), Obstacle::Over);
    }
}
