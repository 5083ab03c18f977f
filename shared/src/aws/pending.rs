//! The table of logins that wait for their chat's confirmation, by the rules of [`crate::proof::pending`].

use super::{
    AwsError, Service,
    dynamodb::{self, Update},
};
use crate::{
    AttemptId, Timestamp, WaId,
    conditional_write::{Attributes, ConditionalWrite},
    proof::{
        ChatProof,
        pending::{self, attr},
    },
};

/// The table of pending logins.
#[derive(Clone, Debug)]
pub struct Pending {
    dynamodb: Service,
    table: String,
}

impl Pending {
    /// The table with this name.
    #[must_use]
    pub fn new(dynamodb: Service, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// Records that a chat has sent a code, where nobody has and its time is not over. Returns the row as it is then, for
    /// [`pending::meaning`]. Where the answer to an earlier try was lost, the row has this chat as its sender all the same.
    ///
    /// # Errors
    /// [`AwsError`]: it may be recorded.
    pub async fn send(&self, proof: &ChatProof, sender: &WaId, now: Timestamp) -> Result<Attributes, AwsError> {
        self.after(&pending::send(sender, now), proof).await
    }

    /// Writes that the time for a code is over, where it is and nobody has sent it. Returns the row as it is then.
    ///
    /// # Errors
    /// [`AwsError`]: it may be written.
    pub async fn expire(&self, proof: &ChatProof, now: Timestamp) -> Result<Attributes, AwsError> {
        self.after(&pending::expire(now), proof).await
    }

    /// Gives up a login that waits, where nobody has sent its code. Returns the row as it is then.
    ///
    /// # Errors
    /// [`AwsError`]: it may be given up.
    pub async fn withdraw(&self, proof: &ChatProof, now: Timestamp) -> Result<Attributes, AwsError> {
        self.after(&pending::withdraw(now), proof).await
    }

    /// Takes the tokens of this attempt out of the row, because what was decided is carried out.
    ///
    /// # Errors
    /// [`AwsError`]: they may be in it.
    pub async fn settle(&self, proof: &ChatProof, attempt_id: AttemptId, now: Timestamp) -> Result<(), AwsError> {
        self.after(&pending::settle(attempt_id, now), proof).await.map(drop)
    }

    /// Reads the row of a code, consistently; empty where there is none.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn read(&self, proof: &ChatProof) -> Result<Attributes, AwsError> {
        let (table, key) = self.row(proof);
        dynamodb::read(&self.dynamodb, table, key).await
    }

    /// The table and the key of a code's row, for a transaction.
    #[must_use]
    pub fn row<'a>(&'a self, proof: &'a ChatProof) -> (&'a str, (&'a str, &'a str)) {
        (&self.table, (attr::PROOF, proof.as_str()))
    }

    /// The row once this is written, or as it is where it may not be.
    async fn after(&self, write: &ConditionalWrite, proof: &ChatProof) -> Result<Attributes, AwsError> {
        let (table, key) = self.row(proof);
        Ok(match dynamodb::update(&self.dynamodb, table, key, write).await? {
            Update::Done(mut row) => {
                write.apply(&mut row);
                row
            }
            Update::ConditionFailed(row) => row,
        })
    }
}

#[cfg(test)]
mod tests {
    use fakes::{Answer, Server, aws::setting, dynamodb::Tables};
    use serde_json::json;

    use super::*;
    use crate::{Settings, conditional_write::text, proof::pending::Meaning};

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    async fn pending() -> (Server, Pending) {
        let server = Server::start().await;
        let config = crate::aws::config(&Settings::new(|name: &str| setting(name, &server))).unwrap();
        (server.clone(), Pending::new(dynamodb::service(&config), "pending".to_owned()))
    }

    fn proof() -> ChatProof {
        ChatProof::parse(&"A".repeat(43)).unwrap()
    }

    fn chat() -> WaId {
        "whatsapp:+15551234567".parse().unwrap()
    }

    /// A login that is held for the chat.
    fn held() -> serde_json::Value {
        json!({ "wa_id": { "S": chat().as_str() }, "confirm_until": { "N": NOW.millis().saturating_add(1).to_string() } })
    }

    #[tokio::test]
    async fn what_is_sent_is_in_the_row_that_comes_back_and_in_the_one_that_is_read() {
        let (server, pending) = pending().await;
        let tables = Tables::on(&server);
        tables.put("pending", proof().as_str(), held());
        let row = pending.send(&proof(), &chat(), NOW).await.unwrap();
        assert_eq!(super::pending::meaning(&row, &chat()), Meaning::Confirmed);
        let asked = server.only_request("UpdateItem").json();
        assert_eq!(
            (&asked["TableName"], &asked["Key"]),
            (&json!("pending"), &json!({ "proof": { "S": proof().as_str() } }))
        );
        let read = pending.read(&proof()).await.unwrap();
        assert_eq!(text(&read, attr::SENDER), Some(chat().as_str()));
        assert_eq!(server.only_request("GetItem").json()["ConsistentRead"], true);
    }

    #[tokio::test]
    async fn an_update_whose_answer_was_lost_is_ours_when_it_is_repeated() {
        let (server, pending) = pending().await;
        let tables = Tables::on(&server);
        tables.put("pending", proof().as_str(), held());
        for _ in 0..2 {
            let row = pending.send(&proof(), &chat(), NOW).await.unwrap();
            assert_eq!(super::pending::meaning(&row, &chat()), Meaning::Confirmed);
        }
    }

    #[tokio::test]
    async fn a_code_that_came_first_is_recorded_and_no_login_is_known() {
        let (server, pending) = pending().await;
        let tables = Tables::on(&server);
        let row = pending.send(&proof(), &chat(), NOW).await.unwrap();
        assert_eq!(super::pending::meaning(&row, &chat()), Meaning::Unknown);
        assert_eq!(tables.item("pending", proof().as_str())["sender"]["S"], chat().as_str());
    }

    #[tokio::test]
    async fn a_table_that_cannot_be_reached_is_an_error() {
        let (server, pending) = pending().await;
        server.fail(Answer::json(400, &json!({ "__type": "AccessDeniedException" })));
        assert!(pending.send(&proof(), &chat(), NOW).await.is_err());
        assert!(pending.read(&proof()).await.is_err());
    }
}
