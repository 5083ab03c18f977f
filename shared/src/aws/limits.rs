//! The limit table: asks whether something may happen once more, by the rules of [`crate::limit`].

use super::{
    AwsError, Service,
    dynamodb::{self, Update},
};
use crate::{
    LinkId, Timestamp, WaId,
    limit::{self, FAILURE_WINDOW, GUESS_WINDOW, Occurrence, PLACES, attr},
    proof::ChatProof,
};

/// The limit table.
#[derive(Clone, Debug)]
pub struct Limits {
    dynamodb: Service,
    table: String,
}

/// A code that was counted.
#[derive(Clone, Copy, Debug)]
pub struct Guess {
    slot: usize,
    now: Timestamp,
}

impl Limits {
    /// The table with this name.
    #[must_use]
    pub fn new(dynamodb: Service, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// Counts a press of a link's button; `false` where it was pressed too often.
    ///
    /// # Errors
    /// [`AwsError`]: nothing is known then.
    pub async fn allow_press(&self, link: LinkId, link_expires_at: Timestamp) -> Result<bool, AwsError> {
        let (key, write) = (limit::press_id(link), limit::press(link_expires_at));
        let update = dynamodb::update(&self.dynamodb, &self.table, (attr::ID, &key), &write).await?;
        Ok(matches!(update, Update::Done(_)))
    }

    /// Takes one of the chat's slots for a message about a failure; `false` where the chat has been told enough.
    /// `outcome` names the failure: the same one asking again is let through without another slot.
    ///
    /// # Errors
    /// [`AwsError`]: nothing is known then.
    pub async fn allow_failure_message(&self, wa_id: &WaId, outcome: &str, now: Timestamp) -> Result<bool, AwsError> {
        let failure = Occurrence { of: outcome, window: FAILURE_WINDOW, now };
        Ok(self.take(&limit::chat_id(wa_id), failure).await?.is_some())
    }

    /// Counts a code that a chat has sent, before anybody looks whether it is right; `None` where the chat has sent too many
    /// wrong ones. The same code again is counted once.
    ///
    /// # Errors
    /// [`AwsError`]: nothing is known then.
    pub async fn count_guess(
        &self,
        wa_id: &WaId,
        proof: &ChatProof,
        now: Timestamp,
    ) -> Result<Option<Guess>, AwsError> {
        let guess = Occurrence { of: proof.as_str(), window: GUESS_WINDOW, now };
        let slot = self.take(&limit::guess_id(wa_id), guess).await?;
        Ok(slot.map(|slot| Guess { slot, now }))
    }

    /// Counts a code no more, because it was right.
    ///
    /// # Errors
    /// [`AwsError`]: it may count on.
    pub async fn forgive(&self, wa_id: &WaId, proof: &ChatProof, guess: Guess) -> Result<(), AwsError> {
        let Guess { slot, now } = guess;
        let write = Occurrence { of: proof.as_str(), window: GUESS_WINDOW, now }.give_back(slot);
        let key = limit::guess_id(wa_id);
        dynamodb::update(&self.dynamodb, &self.table, (attr::ID, &key), &write).await.map(drop)
    }

    /// Takes one of a chat's slots; `None` where all are taken.
    async fn take(&self, key: &str, occurrence: Occurrence<'_>) -> Result<Option<usize>, AwsError> {
        // Most chats have no item, so the first slot is tried without reading. Whenever a slot is refused, another asker
        // has taken one, which can happen only as often as there are slots.
        let mut slot = 0;
        for _try in 0..=PLACES {
            let write = occurrence.take(slot);
            match dynamodb::update(&self.dynamodb, &self.table, (attr::ID, key), &write).await? {
                Update::Done(_) => return Ok(Some(slot)),
                Update::ConditionFailed(item) => match occurrence.slot(&item) {
                    Some(next) => slot = next,
                    None => return Ok(None),
                },
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use fakes::{Answer, Server, aws::setting};
    use serde_json::{Value, json};

    use super::*;
    use crate::Settings;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    async fn limits() -> (Server, Limits) {
        let server = Server::start().await;
        let config = crate::aws::config(&Settings::new(|name: &str| setting(name, &server))).unwrap();
        (server.clone(), Limits::new(dynamodb::service(&config), "limits".to_owned()))
    }

    /// The condition does not hold for this item.
    fn refused(item: &Value) -> Answer {
        Answer::json(400, &json!({ "__type": "ConditionalCheckFailedException", "Item": item }))
    }

    fn slots(outcomes: &[&str]) -> Value {
        let mut item = json!({});
        for (slot, outcome) in outcomes.iter().enumerate() {
            item[attr::OUTCOME[slot]] = json!({ "S": outcome });
            item[attr::TOLD_AT[slot]] = json!({ "N": NOW.millis().to_string() });
        }
        item
    }

    #[tokio::test]
    async fn a_press_is_one_write_to_the_links_item() {
        let (server, limits) = limits().await;
        server.on("UpdateItem", |_| json!({}).into());
        assert!(limits.allow_press(LinkId::from_bytes([3; 16]), NOW).await.unwrap());
        let asked = server.only_request("UpdateItem").json();
        assert_eq!(asked["TableName"], "limits");
        assert_eq!(asked["Key"], json!({ "id": { "S": format!("link:{}", "03".repeat(16)) } }));
        server.on("UpdateItem", |_| refused(&json!({ "presses": { "N": "20" } })));
        assert!(!limits.allow_press(LinkId::from_bytes([3; 16]), NOW).await.unwrap());
    }

    #[tokio::test]
    async fn a_failure_message_takes_the_slot_that_is_free() {
        let (server, limits) = limits().await;
        server.next("UpdateItem", refused(&slots(&["a"])));
        // Another asker was faster at the second one.
        server.next("UpdateItem", refused(&slots(&["a", "b"])));
        server.next("UpdateItem", json!({}));
        let chat = "whatsapp:+15551234567".parse().unwrap();
        assert!(limits.allow_failure_message(&chat, "c", NOW).await.unwrap());
        let taken: Vec<_> = server
            .requests("UpdateItem")
            .iter()
            .map(|request| request.json()["ExpressionAttributeValues"].as_object().unwrap().keys().cloned().collect())
            .map(|names: Vec<_>| names.into_iter().find(|name| name.starts_with(":told_at")).unwrap())
            .collect();
        assert_eq!(taken, [":told_at_0", ":told_at_1", ":told_at_2"]);
    }

    #[tokio::test]
    async fn a_chat_that_was_told_enough_is_left_alone() {
        let (server, limits) = limits().await;
        let full = slots(&["a", "b", "c"]);
        server.on("UpdateItem", move |_| refused(&full));
        let chat = "whatsapp:+15551234567".parse().unwrap();
        assert!(!limits.allow_failure_message(&chat, "d", NOW).await.unwrap());
        assert_eq!(server.requests("UpdateItem").len(), 1);
    }

    #[tokio::test]
    async fn a_right_code_counts_no_more() {
        let (server, limits) = limits().await;
        server.on("UpdateItem", |_| json!({}).into());
        let (chat, proof) = ("whatsapp:+15551234567".parse().unwrap(), ChatProof::parse(&"A".repeat(43)).unwrap());
        let guess = limits.count_guess(&chat, &proof, NOW).await.unwrap().unwrap();
        limits.forgive(&chat, &proof, guess).await.unwrap();
        let [taken, given_back] = [0, 1].map(|number| server.requests("UpdateItem")[number].json());
        assert_eq!(taken["Key"], json!({ "id": { "S": "guess:whatsapp:+15551234567" } }));
        assert_eq!(
            (&given_back["Key"], &given_back["UpdateExpression"]),
            (&taken["Key"], &json!("REMOVE #told_at_0, #outcome_0"))
        );
    }

    #[tokio::test]
    async fn a_table_that_cannot_be_reached_is_an_error() {
        let (server, limits) = limits().await;
        server.fail(fakes::aws::error("AccessDeniedException"));
        assert!(limits.allow_press(LinkId::from_bytes([3; 16]), NOW).await.is_err());
    }
}
