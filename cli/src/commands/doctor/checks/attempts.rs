//! Attempts: those whose exchanger ended without a result, that wait for another try, or of which nobody was notified.

use std::time::Duration;

use shared::{
    Status, Timestamp,
    attempt::{AttemptId, Item, index},
};

use super::Checks;
use crate::{
    aws::{AttemptTable, Of, Tables, Wanted},
    commands::{
        doctor::{
            finding::{self, Finding},
            tables, trouble,
        },
        events::OUTCOMES,
    },
    error::Error,
    records::Listed,
};

/// How far back attempts with an expired lease are looked for.
const STUCK_SINCE: Duration = Duration::from_hours(24);
/// The most attempts of each kind that are read whole, to see what their last try ended with.
const MAX_WAITING: usize = 500;
/// How far back outcomes are looked for that nobody was notified of; older ones are in the notifier's failure queue.
const UNTOLD_SINCE: Duration = Duration::from_hours(2);

impl Checks<'_> {
    pub(super) async fn attempts(&self) -> Result<Vec<Finding>, Error> {
        let name = self.target.stack.output("AttemptTableName")?;
        let settings = Tables::new(&self.target.aws).settings(name).await?;
        if !settings.as_ref().is_some_and(tables::has_indexes) {
            return Err(Error::NothingMatched(format!("{name} has no index by status")));
        }
        of_table(&AttemptTable::new(&self.target.aws, name), name, (self.clock)()).await
    }
}

/// What is found of a table's attempts.
async fn of_table(attempts: &AttemptTable, name: &str, now: Timestamp) -> Result<Vec<Finding>, Error> {
    let of = Of::Statuses(vec![Status::Exchanging]);
    let since = now.minus(STUCK_SINCE);
    let wanted = Wanted { of, since, until: None, unnotified_only: false, limit: usize::MAX };
    let listed = attempts.list(&wanted, now).await?;
    let stuck = listed.attempts.iter().filter(|attempt| attempt.is_stuck(now)).count();
    let waiting = waiting(attempts, &listed.attempts, now).await?;
    let of = Of::Statuses(OUTCOMES.to_vec());
    let since = now.minus(UNTOLD_SINCE);
    let wanted = Wanted { of, since, until: None, unnotified_only: true, limit: usize::MAX };
    let outcomes = attempts.list(&wanted, now).await?;
    let of_waiting = trouble::waiting(&waiting.attempts, waiting.has_more, now);
    let mut unreadable: Vec<_> =
        [listed.unreadable, waiting.unreadable, outcomes.unreadable].into_iter().flatten().collect();
    // The lists overlap: a delay is an outcome, too.
    unreadable.sort_by(|one, other| one.key.cmp(&other.key));
    unreadable.dedup_by(|one, other| one.key == other.key);
    let not_indexed = attempts.not_in(index::BY_STATUS).await?;
    let found = [
        tables::not_indexed(name, not_indexed),
        Some(finding::stuck(stuck)),
        Some(finding::untold(&outcomes.attempts, now)),
        finding::unreadable(&unreadable),
    ];
    Ok(found.into_iter().flatten().chain(of_waiting).collect())
}

/// The attempts that may be tried again, the latest first, as the table has them: the index lacks what their last try ended with.
async fn waiting(attempts: &AttemptTable, exchanging: &[Item], now: Timestamp) -> Result<Listed, Error> {
    let since = now.minus(trouble::TRIED_WITHIN);
    let of = Of::Statuses(vec![Status::Delayed]);
    let wanted = Wanted { of, since, until: None, unnotified_only: false, limit: MAX_WAITING };
    let delayed = attempts.list(&wanted, now).await?;
    let is_recent = |attempt: &&Item| attempt.updated_at.is_some_and(|at| at >= since);
    let recent: Vec<_> = exchanging.iter().filter(is_recent).collect();
    let has_more = delayed.has_more || recent.len() > MAX_WAITING;
    let read = recent.into_iter().take(MAX_WAITING).chain(&delayed.attempts);
    let mut ids: Vec<_> = read.map(|attempt| attempt.attempt_id).collect();
    // One that moved while the lists were read is in both.
    ids.sort_by_key(AttemptId::to_string);
    ids.dedup();
    let mut found = Listed { unreadable: delayed.unreadable, has_more, ..Listed::default() };
    for attempt in attempts.read_many(&ids).await?.into_values() {
        found.add(attempt);
    }
    found.attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.updated_at));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use fakes::Server;
    use serde_json::{Value, json};

    use super::*;
    use crate::local::LocalCloud;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const TABLE: &str = "connection_attempts";

    fn row(number: u64) -> Value {
        json!({
            "attempt_id": {"S": format!("{number:032x}")},
            "wa_id": {"S": "whatsapp:+15551234567"},
            "status": {"S": "delayed"},
            "last_error": {"S": "400 invalid_client"},
            "updated_at": {"N": (NOW.millis() - 1_000 * number).to_string()},
        })
    }

    fn unreadable(number: u64) -> Value {
        let mut row = row(number);
        row["wa_id"] = json!({"S": "nobody"});
        row
    }

    fn number(value: &Value) -> u64 {
        value["N"].as_str().unwrap().parse().unwrap()
    }

    /// What DynamoDB answers a query of these rows, which are all in this partition, the latest first.
    fn query(rows: &[Value], partition: &str, query: &Value) -> Value {
        let values = &query["ExpressionAttributeValues"];
        let time = number(&values[":since"])..=number(&values[":until"]);
        let after = query["ExclusiveStartKey"].as_object().map(|key| number(&key["updated_at"]));
        let is_asked_for = |row: &&Value| {
            let at = number(&row["updated_at"]);
            values[":key"]["S"] == partition && time.contains(&at) && after.is_none_or(|after| at < after)
        };
        let limit = usize::try_from(query["Limit"].as_u64().unwrap()).unwrap();
        let found: Vec<_> = rows.iter().filter(is_asked_for).take(limit).collect();
        let mut answer = json!({"Items": found, "Count": found.len(), "ScannedCount": found.len()});
        if let Some(last) = found.last().filter(|_| found.len() == limit) {
            answer["LastEvaluatedKey"] = (*last).clone();
        }
        answer
    }

    /// What is found of a table whose index has these delayed attempts, and whose items are these.
    async fn titles(in_index: Vec<Value>, item: fn(u64) -> Value) -> Vec<String> {
        let server = Server::start().await;
        let indexes = [json!({"IndexName": index::BY_STATUS, "ItemCount": 0})];
        server
            .on("DescribeTable", move |_| json!({"Table": {"ItemCount": 0, "GlobalSecondaryIndexes": indexes}}).into());
        let partition = index::status_day(AttemptId::from_bytes([1; 16]), Status::Delayed, NOW);
        server.on("Query", move |request| query(&in_index, &partition, &request.json()).into());
        server.on("BatchGetItem", move |request| {
            let keys = request.json()["RequestItems"][TABLE]["Keys"].as_array().unwrap().clone();
            let number = |key: &Value| u64::from_str_radix(key["attempt_id"]["S"].as_str().unwrap(), 16).unwrap();
            let items: Vec<_> = keys.iter().map(|key| item(number(key))).collect();
            json!({"Responses": {TABLE: items}}).into()
        });
        let local = LocalCloud {
            endpoint: server.url().to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: "id".to_owned(),
            secret_access_key: "key".to_owned(),
        };
        let attempts = AttemptTable::new(&crate::aws::config(None, None, Some(&local)).await.unwrap(), TABLE);
        of_table(&attempts, TABLE, NOW).await.unwrap().into_iter().map(|finding| finding.title).collect()
    }

    #[tokio::test]
    async fn of_more_delayed_attempts_than_are_read_the_number_is_a_lower_bound() {
        let delayed = "attempts are delayed: 400 invalid_client";
        let most = titles((1..=500).map(row).collect(), row).await;
        assert!(most.contains(&format!("500 {delayed}")), "{most:?}");
        let more = titles((1..=501).map(row).collect(), row).await;
        assert!(more.contains(&format!("at least 500 {delayed}")), "{more:?}");
    }

    #[tokio::test]
    async fn delayed_attempts_that_cannot_be_read_are_counted() {
        let in_index = vec![row(1), unreadable(2), row(3)];
        let found = titles(in_index, |number| if number == 3 { unreadable(3) } else { row(number) }).await;
        assert!(found.contains(&"1 attempt is delayed: 400 invalid_client".to_owned()), "{found:?}");
        let said = found.iter().find(|title| title.starts_with("2 items of another form"));
        assert!(said.is_some_and(|title| title.ends_with(&format!("{:032x}", 2))), "{found:?}");
    }
}
