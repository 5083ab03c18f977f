//! What outlives an invocation: codes that die on the queue, messages that are given up and redriven,
//! settings that change while all of it runs.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    connect::CONNECTED,
    faults::told,
    support::{Browser, Cloud, Journal, Link, Stack, new_chat, now_ms, parameter, refusal, wait_until},
};

const OUTAGE: &str = "salesforce.token";

impl Cloud {
    /// A consent whose callback came so long ago and waits on the stack's queue since; its attempt.
    pub(crate) async fn consent_of(&self, stack: &str, chat: &str, ago_ms: u64) -> String {
        let salesforce = self.sandbox_url.replace("127.0.0.1", "localhost");
        self.consent_at(&salesforce, stack, chat, ago_ms).await
    }

    /// The same, from a login host of one's choice.
    async fn consent_at(&self, login_url: &str, stack: &str, chat: &str, ago_ms: u64) -> String {
        let link: Link = self.ask_for_link(stack, json!({"wa_id": chat})).await.json().await.unwrap();
        let callback = Browser::new(self).approve(&link.url).await;
        let message = json!({
            "v": 1,
            "attempt_id": link.attempt_id,
            "wa_id": chat,
            "received_at": now_ms() - ago_ms,
            "login_url": login_url,
            "code": parameter(&callback, "code"),
            "pkce": true,
        });
        self.send(self.stack(stack), &message.to_string()).await;
        link.attempt_id
    }

    /// Waits for a dead letter that holds this text; its body.
    pub(crate) async fn dead_letter(&self, stack: &Stack, text: &str) -> String {
        wait_until("the dead letter", async || {
            let letters = self.peek(stack.output("ExchangeDlqUrl")).await;
            letters.into_iter().find(|letter| letter.contains(text))
        })
        .await
    }

    /// Gives messages of a stack up after so many tries.
    pub(crate) async fn give_up_after(&self, stack: &Stack, tries: u32) {
        let policy = json!({"deadLetterTargetArn": stack.output("ExchangeDlqArn"), "maxReceiveCount": tries + 3});
        let attributes = json!({"RedrivePolicy": policy.to_string()});
        let change = json!({"QueueUrl": stack.output("ExchangeQueueUrl"), "Attributes": attributes});
        self.aws("sqs", "AmazonSQS.SetQueueAttributes", change).await;

        self.change_exchanger(stack, |configuration| {
            configuration["Environment"]["Variables"]["MAX_TRIES"] = tries.to_string().into();
        })
        .await;
    }

    /// Changes the configuration of a stack's exchanger, which takes new processes for it.
    async fn change_exchanger(&self, stack: &Stack, change: impl FnOnce(&mut Value)) {
        let function = stack.output("TokenExchangerFunctionName");
        let url = format!("{}/2015-03-31/functions/{function}/configuration", self.endpoint);
        let configuration = self.signed("lambda", Method::GET, &url, &[], String::new()).await;
        let mut configuration: Value = configuration.json().await.unwrap();
        change(&mut configuration);
        let part = json!({"Environment": configuration["Environment"], "Description": configuration["Description"]});
        let headers = [("content-type", "application/json")];
        let answer = self.signed("lambda", Method::PUT, &url, &headers, part.to_string()).await;
        assert!(answer.status().is_success());
    }

    /// Waits until the person has been sent a Meta message that says this.
    pub(crate) async fn meta_message(&self, chat: &str, text: &str) -> Journal {
        self.wait_for(chat, text, |journal| journal.meta_messages().iter().any(|message| message.contains(text))).await
    }

    /// The attempts of a chat.
    pub(crate) async fn statuses(&self, stack: &Stack, chat: &str) -> Vec<String> {
        let scan = json!({
            "TableName": stack.output("AttemptTableName"),
            "ConsistentRead": true,
            "FilterExpression": "wa_id = :chat",
            "ExpressionAttributeValues": {":chat": {"S": chat}},
        });
        let found = self.aws("dynamodb", "DynamoDB_20120810.Scan", scan).await;
        let items = found["Items"].as_array().unwrap().iter();
        items.map(|item| item["status"]["S"].as_str().unwrap().to_owned()).collect()
    }
}

fn down() -> Value {
    json!({"status": 503, "body": ""})
}

#[tokio::test]
async fn a_code_that_dies_on_the_queue_brings_a_fresh_link() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.fault(&chat, OUTAGE, 1000, down()).await;
    cloud.consent_of("main", &chat, 13 * 60_000 + 55_000).await;
    let journal = cloud.outcome(&chat).await;
    assert_eq!(told(&journal), ("connection.failed".to_owned(), "code_expired".to_owned(), "relink".to_owned()));
    assert!(journal.messages()[0].contains("/connect/"));
    assert!(journal.count(OUTAGE) > 0);
    assert_eq!(cloud.statuses(cloud.stack("main"), &chat).await, ["failed"]);
}

/// Nobody listens there: the code is never sent, and so never blamed on a lost answer.
#[tokio::test]
async fn a_salesforce_that_cannot_be_reached_is_tried_until_the_code_is_dead() {
    let cloud = Cloud::read();
    let chat = new_chat();
    cloud.consent_at("http://localhost:9", "plain", &chat, 13 * 60_000 + 58_000).await;
    let journal = cloud.meta_message(&chat, "took too long").await;
    assert_eq!(cloud.bot_queue_message(&chat).await["event"]["data"]["reason"], "code_expired");
    assert_eq!((journal.meta_messages().len(), journal.count(OUTAGE)), (1, 0));
}

/// Salesforce is down for longer than messages are tried: here, twice.
#[tokio::test]
async fn on_the_last_try_the_person_hears_of_the_delay_and_a_redrive_ends_in_an_outcome() {
    let cloud = Cloud::read();
    let plain = cloud.stack("plain");
    cloud.give_up_after(plain, 2).await;
    let (alive, dead) = (new_chat(), new_chat());
    for chat in [&alive, &dead] {
        // Two tries' worth and no more, so that Salesforce is well again afterwards.
        let unknown = refusal("invalid_client", "invalid client credentials");
        cloud.fault(chat, OUTAGE, 4, unknown).await;
    }
    cloud.consent_of("plain", &alive, 0).await;
    cloud.consent_of("plain", &dead, 13 * 60_000 + 45_000).await;
    for chat in [&alive, &dead] {
        let journal = cloud.meta_message(chat, "takes longer than usual").await;
        assert!(journal.meta_messages()[0].contains("/connect/"));
        assert_eq!(cloud.bot_queue_message(chat).await["event"]["type"], "connection.delayed");
        cloud.dead_letter(plain, chat).await;
    }
    // The fourteen minutes of one of them end.
    let started = now_ms();
    wait_until("the end of a code", async || (now_ms() > started + 15_000).then_some(())).await;

    cloud.redrive(plain).await;
    let connected = cloud.meta_message(&alive, CONNECTED).await;
    assert_eq!(connected.meta_messages().len(), 2);
    let over = cloud.meta_message(&dead, "took too long").await;
    assert_eq!((over.meta_messages().len(), over.count(OUTAGE)), (2, 4));
    assert_eq!(cloud.statuses(plain, &alive).await, ["connected"]);
    assert_eq!(cloud.statuses(plain, &dead).await, ["failed"]);
    assert_eq!(cloud.dead_letters(plain).await, 0);
}

#[tokio::test]
async fn of_ten_messages_with_one_bad_nine_are_done_and_one_is_a_dead_letter() {
    let cloud = Cloud::read();
    let main = cloud.stack("main");
    let chats: Vec<_> = (0..9).map(|_| new_chat()).collect();
    let bad = format!("not a message: {}", new_chat());
    for (index, chat) in chats.iter().enumerate() {
        if index == 4 {
            cloud.send(main, &bad).await;
        }
        cloud.consent_of("main", chat, 0).await;
    }
    for chat in &chats {
        assert_eq!(cloud.outcome(chat).await.messages(), [CONNECTED]);
        assert_eq!(cloud.journal(chat).await.count(OUTAGE), 1);
    }
    assert_eq!(cloud.dead_letter(main, &bad).await, bad);
    assert!(!cloud.log_lines().await.iter().any(|line| line.contains("not a message: ")));
}

#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "each test has a thread and a runtime of its own")]
async fn a_client_secret_that_is_rotated_while_all_runs_is_taken_up() {
    let (cloud, _alone) = Cloud::alone();
    let (before, after) = (new_chat(), new_chat());
    cloud.consent(&before).await;
    assert_eq!(cloud.outcome(&before).await.messages(), [CONNECTED]);

    let rotated = format!("ROTATED{}", now_ms());
    cloud.control("/control/salesforce", &json!({ "client_secret": rotated })).await;
    let change = json!({"SecretId": "sf_client_secret", "SecretString": rotated});
    cloud.aws("secretsmanager", "secretsmanager.PutSecretValue", change).await;

    cloud.consent(&after).await;
    let journal = cloud.outcome(&after).await;
    assert_eq!(journal.messages(), [CONNECTED]);
    assert_eq!(journal.count(OUTAGE), 2, "once with the old secret, once with the new one");

    // Other tests count exchanges: no process is left that has the old secret.
    for stack in ["main", "plain"] {
        let renew = |configuration: &mut Value| configuration["Description"] = "Knows the rotated secret.".into();
        cloud.change_exchanger(cloud.stack(stack), renew).await;
    }
}
