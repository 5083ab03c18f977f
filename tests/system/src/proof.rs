//! Logins that their chat has to confirm, on the stack with `ChatProof=Required` and `ProofMinutes=1`: up to the code that the
//! callback's page shows, and the messages that people write to the bot then.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::{Browser, Cloud, Link, Stack, attempt_of, wait_until};

/// The stack's name.
pub const PROOF: &str = "proof";

/// A login that was approved, and that waits for its code.
pub struct Unconfirmed<'a> {
    /// The browser that has seen the code.
    pub browser: Browser<'a>,
    /// 32 hexadecimal digits.
    pub attempt: String,
    /// The callback's address.
    pub callback: String,
    /// As the page shows it: `K7PW-4MXR`.
    pub code: String,
}

/// What `POST /confirmations` answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status of HTTP.
    pub status: StatusCode,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// Null where it is no JSON.
    pub body: Value,
}

impl Answer {
    /// `confirmed`, or the error's name.
    pub fn result(&self) -> &str {
        self.body["status"].as_str().or(self.body["error"].as_str()).unwrap_or_default()
    }

    /// What the bot is to say to the chat; empty where it is to go on with the message.
    pub fn user_message(&self) -> &str {
        self.body["user_message"].as_str().unwrap_or_default()
    }
}

impl Cloud {
    /// The stack that requires a chat's proof.
    pub fn proof(&self) -> &Stack {
        self.stack(PROOF)
    }

    /// The cloud of which the stack that requires a proof speaks to Meta.
    pub fn by_meta(mut self) -> Self {
        let outputs = self.stack("proof-meta").outputs.clone();
        self = self.with_stack(PROOF, outputs);
        self
    }

    /// A new link of that stack for a chat.
    pub async fn proof_link(&self, chat: &str) -> Link {
        let response = self.ask_for_link(PROOF, json!({"wa_id": chat})).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.expect("a link")
    }

    /// Somebody presses this link's button and approves, in a new browser; the callback is not visited yet.
    pub async fn approved(&self, link: &Link) -> (Browser<'_>, String) {
        let mut browser = Browser::new(self);
        let callback = browser.approve(&link.url).await;
        (browser, callback)
    }

    /// Somebody presses this link's button, approves, and sees the code.
    pub async fn log_in_over(&self, link: &Link) -> Unconfirmed<'_> {
        let (browser, callback) = self.approved(link).await;
        let code = shown_code(&browser, &callback).await;
        Unconfirmed { attempt: attempt_of(&callback), browser, callback, code }
    }

    /// The same, until the tokens are held.
    pub async fn held_over(&self, link: &Link) -> Unconfirmed<'_> {
        let login = self.log_in_over(link).await;
        self.held(&login.attempt).await;
        login
    }

    /// A chat is connected, as an honest person does it.
    pub async fn connect_with_proof(&self, chat: &str) -> Unconfirmed<'_> {
        let login = self.held_over(&self.proof_link(chat).await).await;
        assert_eq!(self.sends_code(chat, &login.code).await.status, StatusCode::OK);
        self.outcome(chat).await;
        login
    }

    /// The person presses "Send" behind the page's button.
    pub async fn sends_code(&self, chat: &str, code: &str) -> Answer {
        self.writes(chat, &format!("Confirmation code: {code}")).await
    }

    /// The same, and the bot repeats the call where nobody has answered it.
    pub async fn sends_code_until_answered(&self, chat: &str, code: &str) -> Answer {
        wait_until("an answer to the code", async || {
            let answer = self.sends_code(chat, code).await;
            (!answer.status.is_server_error()).then_some(answer)
        })
        .await
    }

    /// The person writes a message, and the bot passes it on with the permissions that a bot has.
    pub async fn writes(&self, chat: &str, text: &str) -> Answer {
        let url = self.proof().output("CallbackUrl").replace("/callback", "/confirmations");
        let body = json!({"wa_id": chat, "text": text}).to_string();
        let headers = [("content-type", "application/json")];
        let response: Response = self.as_bot().signed("execute-api", Method::POST, &url, &headers, body).await;
        let status = response.status();
        let retry_after =
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Answer { status, retry_after, body: response.json().await.unwrap_or(Value::Null) }
    }

    /// Tells the sandbox's bot that this chat is one of the stack that requires a proof.
    pub async fn introduce_to_proof_stack(&self, chat: &str) {
        let order = self.links_api(PROOF, chat);
        self.control("/control/bot", &order).await;
    }

    /// The row of a login that waits, or has waited, for its code.
    pub async fn pending(&self, name: &str, value: &str) -> Option<Value> {
        let scan = json!({
            "TableName": self.proof().output("PendingTableName"),
            "ConsistentRead": true,
            "FilterExpression": "#name = :value",
            "ExpressionAttributeNames": {"#name": name},
            "ExpressionAttributeValues": {":value": {"S": value}},
        });
        let found = self.aws("dynamodb", "DynamoDB_20120810.Scan", scan).await;
        found["Items"].as_array().and_then(|items| items.first()).cloned()
    }

    /// Waits until the tokens of this attempt are held; their row.
    pub async fn held(&self, attempt: &str) -> Value {
        wait_until("tokens that are held", async || {
            let row = self.pending("attempt_id", attempt).await?;
            row["sealed_tokens"]["S"].is_string().then_some(row)
        })
        .await
    }

    /// Waits until what was decided on this attempt is carried out, and asserts that its tokens have left the row.
    pub async fn settled(&self, attempt: &str) {
        let row = wait_until("a decision that is carried out", async || {
            let row = self.pending("attempt_id", attempt).await?;
            row["settled_at"]["N"].is_string().then_some(row)
        })
        .await;
        let left: Vec<_> =
            ["sealed_tokens", "sealed_key", "state"].iter().filter(|name| !row[**name].is_null()).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// The chat's row in the stack's token table.
    pub async fn proof_row(&self, chat: &str) -> Option<Value> {
        self.item(self.proof().output("TokenTableName"), "wa_id", chat).await
    }

    /// Waits until everybody has been told how this attempt ended; its item.
    pub async fn proof_outcome(&self, attempt: &str) -> Value {
        wait_until("an outcome that is told", async || {
            let item = self.item(self.proof().output("AttemptTableName"), "attempt_id", attempt).await?;
            item["notified_at"]["N"].is_string().then_some(item)
        })
        .await
    }

    /// How the stack says that the chat stands.
    pub async fn proof_status(&self, chat: &str) -> Value {
        let answer = self.call(PROOF, "status", json!({"wa_id": chat})).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.expect("a status")
    }
}

/// The code that the callback's page shows, as programs get it.
pub async fn shown_code(browser: &Browser<'_>, callback: &str) -> String {
    let answer = browser.visit_as(Method::GET, callback, "application/json").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer["status"], "unconfirmed", "{answer}");
    answer["confirmation_code"].as_str().expect("a code").to_owned()
}
