//! The local cloud: its stacks, its AWS and the controls of its sandbox.
//!
//! `LOCAL_CLOUD_STATE` names the file in which the local cloud says where everything is.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::SystemTime,
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use reqwest::{Client, Method, Response, StatusCode, redirect::Policy};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::{Journal, hex, wait_until};

/// A redrive takes every dead letter of its stack, those of another test too.
static DEAD_LETTERS: Mutex<()> = Mutex::const_new(());
/// What was received from the bot's queue.
static FOR_THE_BOT: Mutex<Vec<Value>> = Mutex::const_new(Vec::new());
/// What was received from the queue that is the target of the rule on the bot's event bus.
static FROM_THE_BUS: Mutex<Vec<Value>> = Mutex::const_new(Vec::new());

/// Tests share the cloud, except one that changes what the others rely on.
static CLOUD: RwLock<()> = RwLock::new(());

thread_local! {
    /// Held until the thread ends, and with it the test.
    static SHARE: RwLockReadGuard<'static, ()> = CLOUD.read().unwrap_or_else(PoisonError::into_inner);
}

/// The local cloud, as its state file describes it.
#[derive(Clone, Debug, Deserialize)]
pub struct Cloud {
    /// AWS's address.
    pub endpoint: String,
    region: String,
    credentials: AccessKey,
    /// Those of a user with the stacks' `BotPolicyArn` and nothing else; an empty account has none.
    bot_credentials: Option<AccessKey>,
    /// The sandbox's address, with no slash at the end.
    pub sandbox_url: String,
    /// The connected app's consumer key.
    pub client_id: String,
    #[serde(default)]
    bot_queue_url: String,
    #[serde(default)]
    event_bus_target_url: String,
    stacks: HashMap<String, Stack>,
    /// Made once for each test, because it reads the system's root certificates; a test has a runtime of its own.
    #[serde(skip)]
    client: OnceLock<Client>,
}

#[derive(Clone, Debug, Deserialize)]
struct AccessKey {
    access_key_id: String,
    secret_access_key: String,
}

/// A deployed stack.
#[derive(Clone, Debug, Deserialize)]
pub struct Stack {
    /// Values by output name.
    pub outputs: HashMap<String, String>,
}

impl Stack {
    /// An output of the stack; panics if the template has none of this name.
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("the stack has no output {name}"))
    }
}

impl Cloud {
    /// The cloud that `make test` started, shared with other tests.
    pub fn read() -> Self {
        SHARE.with(|_| ());
        Self::from_state()
    }

    /// The cloud without other tests for as long as the guard is held.
    pub fn exclusive() -> (Self, RwLockWriteGuard<'static, ()>) {
        let alone = CLOUD.write().unwrap_or_else(PoisonError::into_inner);
        (Self::from_state(), alone)
    }

    /// The plain stack, whose dead letters no other test touches for as long as the guard is held.
    pub async fn plain_dead_letters(&self) -> (&Stack, MutexGuard<'static, ()>) {
        (self.stack("plain"), DEAD_LETTERS.lock().await)
    }

    fn from_state() -> Self {
        let path = std::env::var("LOCAL_CLOUD_STATE")
            .expect("LOCAL_CLOUD_STATE is not set: these tests run under `make test`");
        let text = std::fs::read_to_string(&path).expect("the local cloud's state file");
        serde_json::from_str(&text).expect("the local cloud's state")
    }

    /// The cloud with a stack that the test itself has deployed.
    pub fn with_stack(mut self, name: &str, outputs: HashMap<String, String>) -> Self {
        self.stacks.insert(name.to_owned(), Stack { outputs });
        self
    }

    /// The cloud as the bot has it, whose calls are signed by a user with the stacks' `BotPolicyArn` alone.
    pub fn as_bot(&self) -> Self {
        let credentials = self.bot_credentials.clone().expect("the bot's user");
        Self { credentials, ..self.clone() }
    }

    /// A deployed stack, `main`, `plain`, `proof` or `proof-meta`.
    pub fn stack(&self, name: &str) -> &Stack {
        self.stacks.get(name).unwrap_or_else(|| panic!("no stack {name} is deployed"))
    }

    /// Whether a stack of this name is deployed.
    pub fn has_stack(&self, name: &str) -> bool {
        self.stacks.contains_key(name)
    }

    fn address(&self) -> SocketAddr {
        let url = url::Url::parse(&self.endpoint).expect("the endpoint's address");
        url.socket_addrs(|| None).expect("the endpoint's address")[0]
    }

    /// A client without cookies, redirects and kept connections.
    pub fn client(&self) -> Client {
        self.client.get_or_init(|| self.new_client()).clone()
    }

    fn new_client(&self) -> Client {
        // It fails only if a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        ["connect", "plain", "proof", "proof-meta", "again", "release"]
            .into_iter()
            .fold(Client::builder(), |builder, name| builder.resolve(&format!("{name}.localhost"), self.address()))
            .redirect(Policy::none())
            .pool_max_idle_per_host(0)
            .build()
            .expect("an HTTP client")
    }

    /// What a shell needs to be on this cloud.
    pub fn environment(&self) -> [(&'static str, &str); 5] {
        let AccessKey { access_key_id, secret_access_key } = &self.credentials;
        [
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_REGION", &self.region),
            ("AWS_DEFAULT_REGION", &self.region),
            ("AWS_ACCESS_KEY_ID", access_key_id),
            ("AWS_SECRET_ACCESS_KEY", secret_access_key),
        ]
    }

    /// The value of a secret.
    pub async fn secret(&self, name: &str) -> String {
        let found = self.aws("secretsmanager", "secretsmanager.GetSecretValue", json!({"SecretId": name})).await;
        found["SecretString"].as_str().expect("a secret").to_owned()
    }

    /// Calls an AWS service that speaks JSON.
    pub async fn aws(&self, service: &str, target: &str, body: Value) -> Value {
        let (status, answer) = self.try_aws(service, target, body).await;
        assert!(status.is_success(), "{target} answered {status}: {answer}");
        answer
    }

    /// The same; the status and the answer, whatever they are.
    pub async fn try_aws(&self, service: &str, target: &str, body: Value) -> (StatusCode, Value) {
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.0")];
        let response = self.signed(service, Method::POST, &self.endpoint, &headers, body.to_string()).await;
        (response.status(), response.json().await.unwrap_or(Value::Null))
    }

    /// A request signed with Signature Version 4.
    pub async fn signed(
        &self,
        service: &str,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Response {
        let AccessKey { access_key_id, secret_access_key } = &self.credentials;
        let identity = Credentials::from_keys(access_key_id, secret_access_key, None).into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .expect("signing parameters")
            .into();
        let signable =
            SignableRequest::new(method.as_str(), url, headers.iter().copied(), SignableBody::Bytes(body.as_bytes()))
                .expect("a request that can be signed");
        let (signature, _) = sign(signable, &params).expect("a signature").into_parts();
        let mut request = self.client().request(method, url).body(body);
        for (name, value) in headers.iter().copied().chain(signature.headers()) {
            request = request.header(name, value);
        }
        request.send().await.expect("an answer")
    }

    /// An item by its key.
    pub async fn item(&self, table: &str, key: &str, value: &str) -> Option<Value> {
        let mut wanted = serde_json::Map::new();
        wanted.insert(key.to_owned(), json!({"S": value}));
        let query = json!({"TableName": table, "Key": wanted, "ConsistentRead": true});
        self.aws("dynamodb", "DynamoDB_20120810.GetItem", query).await.get("Item").cloned()
    }

    /// All records of a table's stream.
    pub async fn stream_records(&self, table: &str) -> Vec<Value> {
        const SERVICE: &str = "dynamodb";
        let table = self.aws(SERVICE, "DynamoDB_20120810.DescribeTable", json!({"TableName": table})).await;
        let arn = &table["Table"]["LatestStreamArn"];
        let stream = self.aws(SERVICE, "DynamoDBStreams_20120810.DescribeStream", json!({"StreamArn": arn})).await;
        let mut records = Vec::new();
        for shard in stream["StreamDescription"]["Shards"].as_array().expect("shards") {
            let from = json!({"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"});
            let from = self.aws(SERVICE, "DynamoDBStreams_20120810.GetShardIterator", from).await;
            let page = json!({"ShardIterator": from["ShardIterator"]});
            let page = self.aws(SERVICE, "DynamoDBStreams_20120810.GetRecords", page).await;
            records.extend(page["Records"].as_array().expect("records").iter().cloned());
        }
        records
    }

    /// Every line that any log group holds.
    pub async fn log_lines(&self) -> Vec<String> {
        self.log_lines_with("").await
    }

    /// Waits until the exchanger has finished with so many messages of a link's logins, duplicates included.
    pub async fn finished(&self, link_id: &str, messages: usize) {
        wait_until("messages that are finished with", async || {
            let lines = self.log_lines_with(&format!("\"{link_id}\"")).await;
            let is_end =
                |line: &&String| ["attempt finished", "duplicate delivery ignored"].iter().any(|it| line.contains(it));
            (lines.iter().filter(is_end).count() >= messages).then_some(())
        })
        .await;
    }

    /// The lines of any log group that this filter pattern lets through.
    async fn log_lines_with(&self, pattern: &str) -> Vec<String> {
        let groups = self.aws("logs", "Logs_20140328.DescribeLogGroups", json!({})).await;
        let mut lines = Vec::new();
        for group in groups["logGroups"].as_array().expect("log groups") {
            let mut next = Value::Null;
            loop {
                let mut query = json!({"logGroupName": group["logGroupName"], "filterPattern": pattern});
                if !next.is_null() {
                    query["nextToken"] = next;
                }
                let page = self.aws("logs", "Logs_20140328.FilterLogEvents", query).await;
                let events = page["events"].as_array().expect("events");
                lines.extend(events.iter().filter_map(|event| event["message"].as_str().map(str::to_owned)));
                next = page["nextToken"].clone();
                if next.is_null() {
                    break;
                }
            }
        }
        lines
    }

    /// Asks the stack for a link, as a bot does.
    pub async fn ask_for_link(&self, stack: &str, body: Value) -> Response {
        let url = self.links_url(stack);
        let headers = [("content-type", "application/json")];
        self.signed("execute-api", Method::POST, &url, &headers, body.to_string()).await
    }

    /// The address of `POST /links` beside the stack's callback.
    pub fn links_url(&self, stack: &str) -> String {
        self.stack(stack).output("CallbackUrl").replace("/callback", "/links")
    }

    /// Calls the stack about a connection, as a bot does: `token`, `status` or `disconnect`.
    pub async fn call(&self, stack: &str, call: &str, body: Value) -> Response {
        let headers = [("content-type", "application/json")];
        self.signed("execute-api", Method::POST, &self.call_url(stack, call), &headers, body.to_string()).await
    }

    /// The address of `POST /connections/…` beside the stack's callback.
    pub fn call_url(&self, stack: &str, call: &str) -> String {
        self.stack(stack).output("CallbackUrl").replace("/callback", &format!("/connections/{call}"))
    }

    /// What tells the sandbox's bot by `POST /control/bot` that a chat is of this stack.
    pub(crate) fn links_api(&self, stack: &str, chat: &str) -> Value {
        let AccessKey { access_key_id, secret_access_key } = self.bot_credentials.as_ref().expect("the bot's user");
        let links_url = self.links_url(stack);
        let url = url::Url::parse(&links_url).expect("an address");
        json!({
            "wa_id": chat,
            "links_url": links_url,
            "region": self.region,
            "access_key_id": access_key_id,
            "secret_access_key": secret_access_key,
            "resolve": {url.host_str().expect("a host"): self.address().to_string()},
        })
    }

    /// A new link for a chat.
    pub async fn link(&self, wa_id: &str) -> Link {
        let response = self.ask_for_link("main", json!({"wa_id": wa_id})).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.expect("a link")
    }

    /// Posts to one of the sandbox's controls.
    pub async fn control(&self, path: &str, order: &Value) {
        let response = self.client().post(format!("{}{path}", self.sandbox_url)).json(order).send().await;
        let status = response.expect("the sandbox").status();
        assert!(status.is_success(), "{path} answered {status}");
    }

    /// Makes an endpoint of the sandbox fail for one chat.
    pub async fn fault(&self, wa_id: &str, endpoint: &str, times: u32, action: Value) {
        let fault = json!({"endpoint": endpoint, "times": times, "wa_id": wa_id, "action": action});
        self.control("/control/faults", &fault).await;
    }

    /// Makes calls of AWS fail whose body contains this text.
    pub async fn aws_fault(&self, operation: &str, containing: impl Into<Option<&str>>, times: u32, action: Value) {
        let containing = containing.into();
        let fault = json!({"operation": operation, "containing": containing, "times": times, "action": action});
        self.control("/control/aws/faults", &fault).await;
    }

    /// Waits until the faults are used up of calls that contain this text.
    pub async fn used_up(&self, containing: &str) {
        wait_until("faults that are used up", async || self.is_used_up(containing).await.then_some(())).await;
    }

    /// Whether no fault is left of calls that contain this text.
    pub async fn is_used_up(&self, containing: &str) -> bool {
        let request = self.client().get(format!("{}/control/aws/faults", self.sandbox_url));
        let left = request.query(&[("containing", containing)]).send().await.expect("the sandbox");
        left.json::<Vec<String>>().await.expect("a list").is_empty()
    }

    /// The operations of AWS that a chat's tokens were given to in clear, each with the kind of token: `access` or `refresh`.
    pub async fn tokens_in_clear(&self, chat: &str) -> Vec<(String, String)> {
        let request = self.client().get(format!("{}/control/aws/tokens", self.sandbox_url)).query(&[("wa_id", chat)]);
        let shown: Vec<Value> = request.send().await.expect("the sandbox").json().await.expect("a list");
        let text = |shown: &Value, name: &str| shown[name].as_str().expect("a text").to_owned();
        shown.iter().map(|shown| (text(shown, "operation"), text(shown, "kind"))).collect()
    }

    /// Ends the faults of a chat at the outside parties.
    pub async fn end_faults(&self, wa_id: &str) {
        self.end("/control/faults", &[("wa_id", wa_id)]).await;
    }

    /// Ends the faults of calls that contain this text.
    pub async fn end_aws_faults(&self, containing: &str) {
        self.end("/control/aws/faults", &[("containing", containing)]).await;
    }

    /// Ends all faults.
    pub async fn end_all_faults(&self) {
        for path in ["/control/faults", "/control/aws/faults"] {
            self.end(path, &[]).await;
        }
    }

    async fn end(&self, path: &str, of: &[(&str, &str)]) {
        let answer = self.client().delete(format!("{}{path}", self.sandbox_url)).query(of).send().await;
        assert!(answer.expect("the sandbox").status().is_success());
    }

    /// Sets the batch size of the exchanger and the notifier to 1, so that a kill affects one message only.
    pub async fn give_one_at_a_time(&self, stack: &str) {
        for name in ["TokenExchangerFunctionName", "NotifierFunctionName"] {
            self.set_batch_size(stack, name, 1).await;
        }
    }

    /// Sets the batch size of a function, by the output that names it.
    pub async fn set_batch_size(&self, stack: &str, name: &str, messages: u32) {
        let mappings = format!("{}/2015-03-31/event-source-mappings/", self.endpoint);
        let url = format!("{mappings}?FunctionName={}", self.stack(stack).output(name));
        let found = self.signed("lambda", Method::GET, &url, &[], String::new()).await;
        let found: Value = found.json().await.expect("mappings");
        for mapping in found["EventSourceMappings"].as_array().expect("mappings") {
            let url = format!("{mappings}{}", mapping["UUID"].as_str().expect("a mapping"));
            let headers = [("content-type", "application/json")];
            let change = json!({"BatchSize": messages}).to_string();
            assert!(self.signed("lambda", Method::PUT, &url, &headers, change).await.status().is_success());
        }
    }

    /// Puts a message on a stack's exchange queue.
    pub async fn send(&self, stack: &Stack, body: &str) {
        let message = json!({"QueueUrl": stack.output("ExchangeQueueUrl"), "MessageBody": body});
        self.aws("sqs", "AmazonSQS.SendMessage", message).await;
    }

    /// Sets how often the notifier's retry queue delivers a message before it is a dead letter.
    pub async fn give_up_telling_after(&self, stack: &Stack, receives: u32) {
        let policy = json!({"deadLetterTargetArn": stack.output("NotifierRetryDlqArn"), "maxReceiveCount": receives});
        let attributes = json!({"RedrivePolicy": policy.to_string()});
        let change = json!({"QueueUrl": stack.output("NotifierRetryQueueUrl"), "Attributes": attributes});
        self.aws("sqs", "AmazonSQS.SetQueueAttributes", change).await;
    }

    /// How many dead letters a stack has.
    pub async fn dead_letters(&self, stack: &Stack) -> u64 {
        self.dead_letter_attribute("ApproximateNumberOfMessages", stack).await
            + self.invisible_dead_letters(stack).await
    }

    /// How many of them are in flight.
    pub async fn invisible_dead_letters(&self, stack: &Stack) -> u64 {
        self.dead_letter_attribute("ApproximateNumberOfMessagesNotVisible", stack).await
    }

    async fn dead_letter_attribute(&self, attribute: &str, stack: &Stack) -> u64 {
        let query = json!({"QueueUrl": stack.output("ExchangeDlqUrl"), "AttributeNames": [attribute]});
        let answer = self.aws("sqs", "AmazonSQS.GetQueueAttributes", query).await;
        answer["Attributes"][attribute].as_str().expect("a number").parse().expect("a number")
    }

    /// The native redrive of `aws sqs start-message-move-task`. It moves visible messages.
    pub async fn redrive(&self, stack: &Stack) {
        wait_until("all dead letters to be visible", async || {
            (self.invisible_dead_letters(stack).await == 0).then_some(())
        })
        .await;
        let task = json!({"SourceArn": stack.output("ExchangeDlqArn")});
        self.aws("sqs", "AmazonSQS.StartMessageMoveTask", task).await;
    }

    /// The sandbox's journal of a chat.
    pub async fn journal(&self, wa_id: &str) -> Journal {
        let request = self.client().get(format!("{}/control/journal", self.sandbox_url)).query(&[("wa_id", wa_id)]);
        let answer: Value = request.send().await.expect("the sandbox").json().await.expect("the journal");
        Journal::from(answer)
    }

    /// How many requests the sandbox's token endpoint received with one of these codes, whoever's they are.
    pub async fn requests_with_codes(&self, codes: &[String]) -> usize {
        let hashes: Vec<_> = codes.iter().map(|code| hex(digest(&SHA256, code.as_bytes()).as_ref())).collect();
        let journal = self.client().get(format!("{}/control/journal", self.sandbox_url));
        let journal = journal.query(&[("endpoint", "salesforce.token")]).send().await.expect("the sandbox");
        let journal = Journal::from(journal.json::<Value>().await.expect("the journal"));
        journal.code_hashes().filter(|hash| hashes.iter().any(|known| known == hash)).count()
    }

    /// The hashes, in hex, of a chat's refresh tokens that are alive at Salesforce.
    pub async fn live_tokens(&self, wa_id: &str) -> Vec<String> {
        let answer = self.client().get(format!("{}/control/grants", self.sandbox_url)).send().await;
        let grants: Vec<Value> = answer.expect("the sandbox").json().await.expect("the grants");
        let alive = grants.iter().filter(|grant| grant["wa_id"] == wa_id && grant["alive"] == true);
        alive.map(|grant| grant["refresh_token_sha256"].as_str().expect("a hash").to_owned()).collect()
    }

    async fn aws_calls(&self) -> Vec<Value> {
        let answer = self.client().get(format!("{}/control/aws/calls", self.sandbox_url)).send().await;
        answer.expect("the sandbox").json().await.expect("the calls")
    }

    /// How often each operation of AWS was called by way of the sandbox: `dynamodb.Query`.
    pub async fn operations(&self) -> HashMap<String, u64> {
        let mut operations = HashMap::new();
        for call in self.aws_calls().await {
            let name = call["operation"].as_str().expect("a name").to_owned();
            *operations.entry(name).or_default() += call["count"].as_u64().expect("a number");
        }
        operations
    }

    /// How often the functions have called each operation of KMS with this key: `kms.Sign`.
    pub async fn kms_calls(&self, key: &str) -> HashMap<String, u64> {
        let calls = self.aws_calls().await.into_iter().filter(|call| call["key_id"] == *key);
        calls
            .map(|call| {
                let operation = call["operation"].as_str().expect("a name").to_owned();
                (operation, call["count"].as_u64().expect("a number"))
            })
            .collect()
    }

    /// The configuration of a function, by the output that names it.
    pub async fn configuration(&self, stack: &Stack, output: &str) -> Value {
        let url = self.configuration_url(stack, output);
        self.signed("lambda", Method::GET, &url, &[], String::new()).await.json().await.expect("a configuration")
    }

    pub(crate) fn configuration_url(&self, stack: &Stack, output: &str) -> String {
        format!("{}/2015-03-31/functions/{}/configuration", self.endpoint, stack.output(output))
    }

    /// The messages of a queue. They stay there, invisible for two seconds so that each receive returns others.
    pub async fn peek(&self, queue_url: &str) -> Vec<String> {
        let mut bodies = Vec::new();
        loop {
            let received = self.receive(queue_url, 2).await;
            // However many tests look at the queue, and leave messages there.
            if received.is_empty() || bodies.len() > 1_000 {
                return bodies;
            }
            bodies.extend(received);
        }
    }

    async fn receive(&self, queue_url: &str, visibility_timeout: u32) -> Vec<String> {
        let query = json!({"QueueUrl": queue_url, "MaxNumberOfMessages": 10, "VisibilityTimeout": visibility_timeout});
        let answer = self.aws("sqs", "AmazonSQS.ReceiveMessage", query).await;
        let messages = answer["Messages"].as_array().into_iter().flatten();
        messages.filter_map(|message| message["Body"].as_str().map(str::to_owned)).collect()
    }

    /// Waits for a chat's message on the bot's queue. What one test receives there is known to all.
    pub async fn bot_queue_message(&self, wa_id: &str) -> Value {
        wait_until("a message for the bot", async || {
            let received = self.receive(&self.bot_queue_url, 600).await;
            let mut seen = FOR_THE_BOT.lock().await;
            seen.extend(received.iter().filter_map(|body| serde_json::from_str::<Value>(body).ok()));
            seen.iter().find(|message| message["from"] == wa_id).cloned()
        })
        .await
    }

    /// Every event about a chat that the target of the rule on the bot's event bus has received, in `EventBridge`'s envelope. What
    /// one test receives there is known to all.
    pub async fn bus_events(&self, wa_id: &str) -> Vec<Value> {
        let all = self.all_bus_events().await;
        all.into_iter().filter(|event| event["detail"]["subject"] == wa_id).collect()
    }

    /// The same about every chat.
    pub async fn all_bus_events(&self) -> Vec<Value> {
        let mut seen = FROM_THE_BUS.lock().await;
        loop {
            let received = self.receive(&self.event_bus_target_url, 43_200).await;
            if received.is_empty() {
                break;
            }
            seen.extend(received.iter().filter_map(|body| serde_json::from_str::<Value>(body).ok()));
        }
        seen.clone()
    }

    /// Waits until the target of the rule on the bot's event bus has received so many events about a chat.
    pub async fn wait_for_bus_events(&self, wa_id: &str, count: usize) -> Vec<Value> {
        wait_until("events of the bus", async || Some(self.bus_events(wa_id).await).filter(|all| all.len() >= count))
            .await
    }

    /// Waits until the journal of a chat satisfies the condition.
    pub async fn wait_for(&self, wa_id: &str, what: &str, condition: impl Fn(&Journal) -> bool) -> Journal {
        wait_until(what, async || Some(self.journal(wa_id).await).filter(&condition)).await
    }
}

/// The answer of `POST /links`.
#[derive(Clone, Debug, Deserialize)]
pub struct Link {
    /// The link's address.
    pub url: String,
    /// The link's id, 32 hexadecimal digits. Each press of its button begins an attempt.
    pub link_id: String,
    /// RFC 3339.
    pub expires_at: String,
}
