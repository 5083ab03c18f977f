//! People whose messages an operator finds among the dead letters.

use std::collections::HashMap;

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::{Browser, Journal, attempt_of, new_chat, now_ms, operator::Operator, parameter, state::Claims, wait_until};

/// Somebody whose consent or denial is a dead letter.
pub struct Person {
    /// The chat, `whatsapp:+…`.
    pub chat: String,
    /// The attempt's id.
    pub attempt: String,
    /// Known where Salesforce gave one.
    pub code: Option<String>,
}

impl Operator {
    /// Puts a message on the exchange queue.
    pub async fn send(&self, body: &str) {
        self.cloud.send(self.stack(), body).await;
    }

    /// A person's exchange message, received so long ago, without a code.
    pub async fn message(&self, person: &Person, ago_ms: u64) -> Value {
        let (login_url, received_at) = (self.login_url(), now_ms() - ago_ms);
        let claims = Claims { attempt: &person.attempt, chat: &person.chat, login_url: &login_url, received_at };
        let state = self.cloud.sign_state(self.stack(), claims).await;
        json!({"v": 2, "state": state, "received_at": received_at})
    }

    /// Somebody approves; their code is not on the queue yet.
    pub async fn approves(&self) -> Person {
        let chat = new_chat();
        let link = self.cloud.link(&chat).await;
        let callback = Browser::new(&self.cloud).approve(&link.url).await;
        Person { chat, attempt: attempt_of(&callback), code: Some(parameter(&callback, "code")) }
    }

    /// Puts a person's code on the exchange queue.
    pub async fn send_consent(&self, person: &Person) {
        let mut message = self.message(person, 0).await;
        message["code"] = json!(person.code);
        self.send(&message.to_string()).await;
    }

    /// So many people who approve.
    pub async fn people_who_approve(&self, number: usize) -> Vec<Person> {
        stream::iter(0..number).map(|_| self.approves()).buffer_unordered(8).collect().await
    }

    /// Receives the exchange queue's messages until so many are dead letters.
    pub async fn exhaust_receives(&self, number: usize) {
        wait_until("the dead letters", async || {
            let query = json!({"QueueUrl": self.stack().output("ExchangeQueueUrl"), "MaxNumberOfMessages": 10,
                "VisibilityTimeout": 0});
            self.cloud.aws("sqs", "AmazonSQS.ReceiveMessage", query).await;
            (self.dead_letter_count().await == number).then_some(())
        })
        .await;
    }

    /// How many dead letters there are.
    pub async fn dead_letter_count(&self) -> usize {
        usize::try_from(self.cloud.dead_letters(self.stack()).await).unwrap()
    }

    /// Everybody's outcomes, by their chats.
    pub async fn outcomes(&self) -> HashMap<String, Vec<(String, String)>> {
        let scan = json!({"TableName": self.stack().output("AttemptTableName"), "ConsistentRead": true});
        let found = self.cloud.aws("dynamodb", "DynamoDB_20120810.Scan", scan).await;
        let mut outcomes: HashMap<_, Vec<_>> = HashMap::new();
        for item in found["Items"].as_array().unwrap() {
            let text = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
            outcomes.entry(text("wa_id")).or_default().push((text("status"), text("reason")));
        }
        outcomes
    }

    /// Waits until these people have been notified, and asserts that each has just this outcome and so many messages.
    pub async fn all_end_with(&self, people: &[Person], status: &str, reason: &str, messages: usize) -> Vec<Journal> {
        let ends = |person: &Person| {
            let chat = person.chat.clone();
            async move {
                let notified = |journal: &Journal| {
                    journal.messages().len() >= messages && journal.succeeded("bot.events") >= messages as u64
                };
                self.cloud.wait_for(&chat, "message and event", notified).await
            }
        };
        let journals: Vec<_> = stream::iter(people.iter().map(ends)).buffered(8).collect().await;
        let outcomes = self.outcomes().await;
        for (person, journal) in people.iter().zip(&journals) {
            assert_eq!(outcomes[&person.chat], [(status.to_owned(), reason.to_owned())]);
            assert_eq!(journal.messages().len(), messages);
        }
        journals
    }
}
