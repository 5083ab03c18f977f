//! DynamoDB: the table of logins that wait for their chat, as an operator reads and changes it.
//!
//! Its key is the hash of a code, and it has no index by chat: a chat's rows are found by reading it all, which holds minutes
//! of logins and a day of settled ones. Tokens are never read.

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use aws_types::SdkConfig;
use shared::{
    AttemptId, Timestamp, WaId,
    aws::{Service, dynamodb, pending::Pending},
    conditional_write::{Attributes, Value, text},
    proof::{
        ChatProof,
        pending::{Decision, Held, attr},
    },
};

use super::writes::writes;
use crate::{error::Error, stack::Stack};

/// What is read of a row: no state, and no token.
const READ: [&str; 7] =
    [attr::PROOF, attr::ATTEMPT_ID, attr::WA_ID, attr::SENDER, attr::CONFIRM_UNTIL, attr::EXPIRED_AT, attr::SETTLED_AT];

/// A row in which a chat is named.
#[derive(Clone, Debug)]
pub(crate) struct PendingRow {
    /// Its key. It is not shown: the code can be found by it.
    pub(crate) proof: ChatProof,
    /// The login; `None` where a code came that no login waits for yet.
    pub(crate) attempt_id: Option<AttemptId>,
    /// Whether it is a login of the chat; else the chat has only sent its code.
    pub(crate) is_own: bool,
    pub(crate) standing: Standing,
}

/// How a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A code without a login.
    EarlyCode,
    /// The tokens are held, and nothing is decided.
    Waiting { until: Option<Timestamp> },
    /// The time for the code is over, or was cut short, and the tokens are still to be revoked.
    Expired,
    /// A chat has sent the code, and the tokens are still to be stored or revoked.
    Sent,
    /// Nothing of it is left to do: it answers repeated codes, for a day.
    Settled,
}

impl PendingRow {
    /// Reads a row that names the chat; `None` where its key is another system's.
    fn read(row: &Attributes, chat: &WaId) -> Option<Self> {
        let time = |name| row.get(name).and_then(Value::as_time);
        let has = |name| row.contains_key(name);
        let attempt_id = text(row, attr::ATTEMPT_ID).and_then(|id| id.parse().ok());
        let standing = if !has(attr::ATTEMPT_ID) {
            Standing::EarlyCode
        } else if has(attr::SETTLED_AT) {
            Standing::Settled
        } else if has(attr::SENDER) {
            Standing::Sent
        } else if has(attr::EXPIRED_AT) {
            Standing::Expired
        } else {
            Standing::Waiting { until: time(attr::CONFIRM_UNTIL) }
        };
        Some(Self {
            proof: ChatProof::parse(text(row, attr::PROOF)?).ok()?,
            attempt_id,
            is_own: text(row, attr::WA_ID) == Some(chat.as_str()),
            standing,
        })
    }

    /// Whether tokens are held in it that are still to be stored or revoked.
    pub(crate) const fn holds_tokens(&self) -> bool {
        !matches!(self.standing, Standing::EarlyCode | Standing::Settled)
    }
}

/// The table of pending logins.
#[derive(Clone, Debug)]
pub(crate) struct PendingTable {
    client: Client,
    writes: Service,
    table: String,
}

impl PendingTable {
    /// The stack's; `None` in a stack of an earlier version.
    pub(crate) fn of(config: &SdkConfig, stack: &Stack) -> Option<Self> {
        let table = stack.resource("PendingTable")?.to_owned();
        Some(Self { client: Client::new(config), writes: writes(config), table })
    }

    /// The rows of a chat's logins, and of codes that it has sent.
    pub(crate) async fn of_chat(&self, chat: &WaId) -> Result<Vec<PendingRow>, Error> {
        let projection: Vec<_> = READ.iter().map(|name| format!("#{name}")).collect();
        let names = READ.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
        let mut pages = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .filter_expression(format!("#{} = :chat OR #{} = :chat", attr::WA_ID, attr::SENDER))
            .projection_expression(projection.join(","))
            .set_expression_attribute_names(Some(names))
            .expression_attribute_values(":chat", AttributeValue::S(chat.as_str().to_owned()))
            .into_paginator()
            .send();
        let mut rows = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(Error::aws("read the pending logins", "Scan"))?;
            let found = page.items.unwrap_or_default().into_iter().map(dynamodb::attributes);
            rows.extend(found.filter_map(|row| PendingRow::read(&row, chat)));
        }
        Ok(rows)
    }

    /// Gives up a login that waits; what is held then, with the message that has its tokens revoked. `None` where a chat has
    /// sent its code, or it is settled.
    pub(crate) async fn withdraw(&self, proof: &ChatProof, now: Timestamp) -> Result<Option<Held>, Error> {
        let table = Pending::new(self.writes.clone(), self.table.clone());
        let row = table.withdraw(proof, now).await;
        let row = row.map_err(|error| Error::failed("give up the pending login", error.to_string()))?;
        let is_given_up = |held: &Held| held.decision == Some(Decision::Expired) && !held.is_settled();
        Ok(Held::read(&row).filter(is_given_up))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use fakes::Server;
    use serde_json::json;

    use super::*;
    use crate::{aws::tests::config_of, stack::Resource};

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn chat() -> WaId {
        "whatsapp:+15551234567".parse().unwrap()
    }

    fn proof() -> ChatProof {
        ChatProof::parse(&"A".repeat(43)).unwrap()
    }

    async fn table(server: &Server) -> PendingTable {
        let resource = Resource {
            logical: "PendingTable".to_owned(),
            physical: "pending".to_owned(),
            kind: "AWS::DynamoDB::Table".to_owned(),
        };
        let stack = Stack::new("connect".to_owned(), String::new(), HashMap::new(), HashMap::new(), vec![resource]);
        PendingTable::of(&config_of(server).await, &stack).unwrap()
    }

    fn row(changes: &serde_json::Value) -> serde_json::Value {
        let mut row = json!({
            "proof": {"S": "A".repeat(43)},
            "attempt_id": {"S": "07".repeat(16)},
            "wa_id": {"S": "whatsapp:+15551234567"},
            "confirm_until": {"N": "1790000600000"},
        });
        row.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        row
    }

    #[tokio::test]
    async fn a_chats_rows_are_its_logins_and_the_codes_that_it_has_sent() {
        let server = Server::start().await;
        let early = json!({"proof": {"S": "b".repeat(42) + "A"}, "sender": {"S": "whatsapp:+15551234567"}});
        let others = json!({"wa_id": {"S": "whatsapp:+15550000000"}, "sender": {"S": "whatsapp:+15551234567"}});
        let rows = [row(&json!({})), row(&json!({"settled_at": {"N": "1"}})), row(&others), early];
        server.next("Scan", json!({"Items": rows}));
        let found = table(&server).await.of_chat(&chat()).await.unwrap();
        let until = Some(Timestamp::from_millis(1_790_000_600_000));
        let standings = found.iter().map(|row| (row.is_own, row.standing)).collect::<Vec<_>>();
        assert_eq!(
            standings,
            [
                (true, Standing::Waiting { until }),
                (true, Standing::Settled),
                (false, Standing::Sent),
                (false, Standing::EarlyCode)
            ]
        );
        let asked = server.requests("Scan")[0].json();
        assert!(!asked.to_string().contains("sealed"), "no token is read: {asked}");
        assert!(!format!("{found:?}").contains(&"A".repeat(43)), "no hash of a code is printed");
    }

    #[tokio::test]
    async fn a_login_that_waits_is_given_up_and_its_message_has_its_tokens_revoked() {
        let held = json!({
            "state": {"S": "state"}, "received_at": {"N": "1790000000000"}, "code_sha256": {"S": "ab"},
            "sealed_key": {"S": "a2V5"}, "sealed_tokens": {"S": "ZGF0YQ=="},
        });
        let server = Server::start().await;
        server.next("UpdateItem", json!({"Attributes": row(&held)}));
        let given_up = table(&server).await.withdraw(&proof(), NOW).await.unwrap().unwrap();
        assert_eq!(given_up.decision, Some(Decision::Expired));
        assert!(given_up.message(&proof()).is_some());
    }

    #[tokio::test]
    async fn a_login_whose_code_was_sent_is_not_given_up() {
        let server = Server::start().await;
        let sent =
            json!({"sender": {"S": "whatsapp:+15551234567"}, "state": {"S": "state"}, "sealed_key": {"S": "a2V5"}});
        let mut answer = json!({"__type": "ConditionalCheckFailedException"});
        answer["Item"] = row(&sent);
        server.next("UpdateItem", fakes::Answer::json(400, &answer));
        assert!(table(&server).await.withdraw(&proof(), NOW).await.unwrap().is_none());
    }
}
