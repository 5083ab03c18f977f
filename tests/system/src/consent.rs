//! People who consent, and how that ends.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{Browser, Cloud, Journal, Link, Stack, attempt_of, now_ms, parameter, state::Claims, wait_until};

/// How the message after a success begins; then it names the account.
pub const CONNECTED: &str = "✅ Your Salesforce account is now connected!";

/// A login that has begun: the button is pressed, and Salesforce's page is open.
pub struct Login<'a> {
    /// The person's browser.
    pub browser: Browser<'a>,
    authorize_url: String,
    /// The attempt that the press began.
    pub attempt: String,
}

impl Login<'_> {
    /// The person approves, and Salesforce sends their browser to the callback.
    pub async fn approve(&self) {
        let callback = self.browser.log_in(&self.authorize_url, true).await;
        assert_eq!(self.browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);
    }
}

impl Login<'_> {
    /// Salesforce refuses the login with this error, and sends the browser to the callback.
    pub async fn refuse(&self, error: &str, description: &str) {
        let order = json!({"authorize_url": self.authorize_url, "error": error, "error_description": description});
        let callback = self.browser.order_login(&order).await;
        self.browser.visit(Method::GET, &callback).await;
    }
}

impl Cloud {
    /// A person presses the button of a new link.
    pub async fn begin_login(&self, chat: &str) -> Login<'_> {
        let mut browser = Browser::new(self);
        let authorize_url = browser.press(&self.link(chat).await.url).await;
        let attempt = attempt_of(&authorize_url);
        Login { browser, authorize_url, attempt }
    }

    /// A person approves, and Salesforce sends their browser to the callback.
    pub async fn consent(&self, chat: &str) {
        self.consent_by(&self.link(chat).await).await;
    }

    /// A person approves what this link asks.
    pub async fn consent_by(&self, link: &Link) {
        let mut browser = Browser::new(self);
        let callback = browser.approve(&link.url).await;
        assert_eq!(browser.visit(Method::GET, &callback).await.status(), StatusCode::OK);
    }

    /// Waits until the person and the bot have been notified of an outcome.
    pub async fn outcome(&self, chat: &str) -> Journal {
        self.wait_for(chat, "message and event", |journal| {
            !journal.messages().is_empty() && journal.events().iter().any(|event| event["data"]["message"] == "sent")
        })
        .await
    }

    /// The tokens of a chat; its refresh token is opened where the row has it sealed.
    pub async fn tokens(&self, stack: &str, chat: &str) -> [String; 2] {
        let table = self.stack(stack).output("TokenTableName");
        self.tokens_of(&self.item(table, "wa_id", chat).await.expect("tokens")).await
    }

    /// Puts a consent on the stack's queue as if its callback had come so long ago; the attempt's id.
    pub async fn consent_of(&self, stack: &str, chat: &str, ago_ms: u64) -> String {
        let salesforce = self.sandbox_url.replace("127.0.0.1", "localhost");
        self.consent_at(&salesforce, stack, chat, ago_ms).await
    }

    /// The same, for a given login host.
    pub async fn consent_at(&self, login_url: &str, stack: &str, chat: &str, ago_ms: u64) -> String {
        let link: Link = self.ask_for_link(stack, json!({"wa_id": chat})).await.json().await.unwrap();
        let callback = Browser::new(self).approve(&link.url).await;
        let (attempt, received_at) = (attempt_of(&callback), now_ms() - ago_ms);
        let claims = Claims { attempt: &attempt, chat, login_url, received_at };
        let state = self.sign_state(self.stack(stack), claims).await;
        let code = parameter(&callback, "code");
        let message = json!({"v": 2, "state": state, "received_at": received_at, "code": code});
        self.send(self.stack(stack), &message.to_string()).await;
        attempt
    }

    /// Waits for a dead letter that contains this text; its body.
    pub async fn dead_letter(&self, stack: &Stack, text: &str) -> String {
        wait_until("the dead letter", async || {
            let messages = self.peek(stack.output("ExchangeDlqUrl")).await;
            messages.into_iter().find(|message| message.contains(text))
        })
        .await
    }

    /// Sets the number of tries after which a stack gives up on a message, and of deliveries after them, in which only
    /// the telling is seen to.
    pub async fn give_up_after(&self, stack: &Stack, tries: u32, further: u32) {
        let receives = tries + further;
        let policy = json!({"deadLetterTargetArn": stack.output("ExchangeDlqArn"), "maxReceiveCount": receives});
        let attributes = json!({"RedrivePolicy": policy.to_string()});
        let change = json!({"QueueUrl": stack.output("ExchangeQueueUrl"), "Attributes": attributes});
        self.aws("sqs", "AmazonSQS.SetQueueAttributes", change).await;

        self.change_exchanger(stack, |configuration| {
            configuration["Environment"]["Variables"]["MAX_TRIES"] = tries.to_string().into();
        })
        .await;
    }

    /// Changes the configuration of a stack's exchanger, which then starts new processes.
    pub async fn change_exchanger(&self, stack: &Stack, change: impl FnOnce(&mut Value)) {
        self.change_function(stack, "TokenExchangerFunctionName", change).await;
    }

    /// Changes the configuration of the function that this output names, which then starts new processes.
    pub async fn change_function(&self, stack: &Stack, output: &str, change: impl FnOnce(&mut Value)) {
        let mut configuration = self.configuration(stack, output).await;
        change(&mut configuration);
        let part = json!({"Environment": configuration["Environment"], "Description": configuration["Description"]});
        let headers = [("content-type", "application/json")];
        let url = self.configuration_url(stack, output);
        let answer = self.signed("lambda", Method::PUT, &url, &headers, part.to_string()).await;
        assert!(answer.status().is_success());
    }

    /// Waits until the person has been sent a message through Meta that contains this text.
    pub async fn meta_message(&self, chat: &str, text: &str) -> Journal {
        self.wait_for(chat, text, |journal| journal.meta_messages().iter().any(|message| message.contains(text))).await
    }

    /// The rows of a chat's attempts.
    pub async fn attempts(&self, stack: &Stack, chat: &str) -> Vec<Value> {
        let scan = json!({
            "TableName": stack.output("AttemptTableName"),
            "ConsistentRead": true,
            "FilterExpression": "wa_id = :chat",
            "ExpressionAttributeValues": {":chat": {"S": chat}},
        });
        let found = self.aws("dynamodb", "DynamoDB_20120810.Scan", scan).await;
        found["Items"].as_array().unwrap().clone()
    }

    /// The statuses of a chat's attempts.
    pub async fn statuses(&self, stack: &Stack, chat: &str) -> Vec<String> {
        let attempts = self.attempts(stack, chat).await;
        attempts.iter().map(|item| item["status"]["S"].as_str().unwrap().to_owned()).collect()
    }
}
