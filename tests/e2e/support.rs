//! What the end-to-end tests share: the deployed stacks, a browser made of HTTP calls, the
//! sandbox's journal, and AWS calls for looking behind the stage.
//!
//! `LOCAL_CLOUD_STATE` names the file in which the local cloud says where everything is.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use reqwest::{Client, Method, Response, StatusCode, header, redirect::Policy};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long something asynchronous may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_mins(4);

/// Tests share the cloud, but for one that changes what they all rely on.
static STAGE: RwLock<()> = RwLock::new(());

thread_local! {
    /// Until the thread ends, and with it the test.
    static PLACE: RwLockReadGuard<'static, ()> = STAGE.read().unwrap_or_else(PoisonError::into_inner);
}

/// The local cloud as its state file tells of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Cloud {
    pub(crate) endpoint: String,
    region: String,
    credentials: AccessKey,
    pub(crate) sandbox_url: String,
    pub(crate) client_id: String,
    #[serde(default)]
    bot_queue_url: String,
    stacks: HashMap<String, Stack>,
}

#[derive(Clone, Debug, Deserialize)]
struct AccessKey {
    access_key_id: String,
    secret_access_key: String,
}

/// A deployed stack.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stack {
    pub(crate) outputs: HashMap<String, String>,
}

impl Stack {
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("the stack has no output {name}"))
    }
}

impl Cloud {
    /// The cloud that `make test` started, shared with other tests.
    pub(crate) fn read() -> Self {
        PLACE.with(|_| ());
        Self::from_state()
    }

    /// The cloud without other tests, as long as the guard is kept.
    pub(crate) fn alone() -> (Self, RwLockWriteGuard<'static, ()>) {
        let alone = STAGE.write().unwrap_or_else(PoisonError::into_inner);
        (Self::from_state(), alone)
    }

    fn from_state() -> Self {
        let path = std::env::var("LOCAL_CLOUD_STATE")
            .expect("LOCAL_CLOUD_STATE is not set: these tests run under `make test`");
        let text = std::fs::read_to_string(&path).expect("the local cloud's state file");
        serde_json::from_str(&text).expect("the local cloud's state")
    }

    /// The cloud with a stack that the test itself has deployed.
    #[allow(dead_code, reason = "for the operators' tests")]
    pub(crate) fn with_stack(mut self, name: &str, outputs: HashMap<String, String>) -> Self {
        self.stacks.insert(name.to_owned(), Stack { outputs });
        self
    }

    pub(crate) fn stack(&self, name: &str) -> &Stack {
        self.stacks.get(name).unwrap_or_else(|| panic!("no stack {name} is deployed"))
    }

    fn address(&self) -> SocketAddr {
        let url = url::Url::parse(&self.endpoint).expect("the endpoint's address");
        url.socket_addrs(|| None).expect("the endpoint's address")[0]
    }

    /// A client without memory, as a program would be: no cookies, no redirects.
    pub(crate) fn client(&self) -> Client {
        // Fails only where a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        ["connect.localhost", "plain.localhost"]
            .into_iter()
            .fold(Client::builder(), |builder, host| builder.resolve(host, self.address()))
            .redirect(Policy::none())
            .build()
            .expect("an HTTP client")
    }

    /// Calls an AWS service that speaks JSON.
    pub(crate) async fn aws(&self, service: &str, target: &str, body: Value) -> Value {
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.0")];
        let response = self.signed(service, Method::POST, &self.endpoint, &headers, body.to_string()).await;
        let status = response.status();
        let answer: Value = response.json().await.unwrap_or(Value::Null);
        assert!(status.is_success(), "{target} answered {status}: {answer}");
        answer
    }

    /// A request signed with Signature Version 4.
    pub(crate) async fn signed(
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

    /// An item, by its key; `None` where there is none.
    pub(crate) async fn item(&self, table: &str, key: &str, value: &str) -> Option<Value> {
        let mut wanted = serde_json::Map::new();
        wanted.insert(key.to_owned(), json!({"S": value}));
        let query = json!({"TableName": table, "Key": wanted, "ConsistentRead": true});
        self.aws("dynamodb", "DynamoDB_20120810.GetItem", query).await.get("Item").cloned()
    }

    /// All records of a table's stream.
    pub(crate) async fn stream_records(&self, table: &str) -> Vec<Value> {
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
    pub(crate) async fn log_lines(&self) -> Vec<String> {
        let groups = self.aws("logs", "Logs_20140328.DescribeLogGroups", json!({})).await;
        let mut lines = Vec::new();
        for group in groups["logGroups"].as_array().expect("log groups") {
            let mut next = Value::Null;
            loop {
                let mut query = json!({"logGroupName": group["logGroupName"]});
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
    pub(crate) async fn ask_for_link(&self, stack: &str, body: Value) -> Response {
        let url = self.links_url(stack);
        let headers = [("content-type", "application/json")];
        self.signed("execute-api", Method::POST, &url, &headers, body.to_string()).await
    }

    /// The address of `POST /links` beside the stack's callback.
    pub(crate) fn links_url(&self, stack: &str) -> String {
        self.stack(stack).output("CallbackUrl").replace("/callback", "/links")
    }

    /// A new link for a chat.
    pub(crate) async fn link(&self, wa_id: &str) -> Link {
        let response = self.ask_for_link("main", json!({"wa_id": wa_id})).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.expect("a link")
    }

    /// Pulls one of the sandbox's strings.
    pub(crate) async fn control(&self, path: &str, order: &Value) {
        let response = self.client().post(format!("{}{path}", self.sandbox_url)).json(order).send().await;
        let status = response.expect("the sandbox").status();
        assert!(status.is_success(), "{path} answered {status}");
    }

    /// Lets an endpoint of the sandbox fail for one chat.
    pub(crate) async fn fault(&self, wa_id: &str, endpoint: &str, times: u32, action: Value) {
        let fault = json!({"endpoint": endpoint, "times": times, "wa_id": wa_id, "action": action});
        self.control("/control/faults", &fault).await;
    }

    /// Lets calls of AWS whose body has this text fail.
    pub(crate) async fn aws_fault(
        &self,
        operation: &str,
        containing: impl Into<Option<&str>>,
        times: u32,
        action: Value,
    ) {
        let containing = containing.into();
        let fault = json!({"operation": operation, "containing": containing, "times": times, "action": action});
        self.control("/control/aws/faults", &fault).await;
    }

    /// Ends the faults of calls that have this text.
    pub(crate) async fn end_aws_faults(&self, containing: &str) {
        let url = format!("{}/control/aws/faults", self.sandbox_url);
        let answer = self.client().delete(url).query(&[("containing", containing)]).send().await;
        assert!(answer.expect("the sandbox").status().is_success());
    }

    /// Ends all faults.
    pub(crate) async fn end_all_faults(&self) {
        for path in ["/control/faults", "/control/aws/faults"] {
            let answer = self.client().delete(format!("{}{path}", self.sandbox_url)).send().await;
            assert!(answer.expect("the sandbox").status().is_success());
        }
    }

    /// Gives the stack's functions one message at a time, so that a kill takes no other along.
    pub(crate) async fn give_one_at_a_time(&self, stack: &str) {
        let mappings = format!("{}/2015-03-31/event-source-mappings/", self.endpoint);
        for name in ["TokenExchangerFunctionName", "NotifierFunctionName"] {
            let url = format!("{mappings}?FunctionName={}", self.stack(stack).output(name));
            let found = self.signed("lambda", Method::GET, &url, &[], String::new()).await;
            let found: Value = found.json().await.expect("mappings");
            let url = format!("{mappings}{}", found["EventSourceMappings"][0]["UUID"].as_str().expect("a mapping"));
            let headers = [("content-type", "application/json")];
            let change = json!({"BatchSize": 1}).to_string();
            assert!(self.signed("lambda", Method::PUT, &url, &headers, change).await.status().is_success());
        }
    }

    /// Puts a message on a stack's exchange queue.
    pub(crate) async fn send(&self, stack: &Stack, body: &str) {
        let message = json!({"QueueUrl": stack.output("ExchangeQueueUrl"), "MessageBody": body});
        self.aws("sqs", "AmazonSQS.SendMessage", message).await;
    }

    /// How many dead letters a stack has.
    pub(crate) async fn dead_letters(&self, stack: &Stack) -> u64 {
        self.dead_letters_that("ApproximateNumberOfMessages", stack).await + self.hidden_letters(stack).await
    }

    /// How many of them somebody looks at just now.
    pub(crate) async fn hidden_letters(&self, stack: &Stack) -> u64 {
        self.dead_letters_that("ApproximateNumberOfMessagesNotVisible", stack).await
    }

    async fn dead_letters_that(&self, attribute: &str, stack: &Stack) -> u64 {
        let query = json!({"QueueUrl": stack.output("ExchangeDlqUrl"), "AttributeNames": [attribute]});
        let answer = self.aws("sqs", "AmazonSQS.GetQueueAttributes", query).await;
        answer["Attributes"][attribute].as_str().expect("a number").parse().expect("a number")
    }

    /// The native redrive, as `aws sqs start-message-move-task` asks for it. It moves what it sees.
    pub(crate) async fn redrive(&self, stack: &Stack) {
        wait_until("all letters to be seen", async || (self.hidden_letters(stack).await == 0).then_some(())).await;
        let task = json!({"SourceArn": stack.output("ExchangeDlqArn")});
        self.aws("sqs", "AmazonSQS.StartMessageMoveTask", task).await;
    }

    /// What the sandbox's parties saw of a chat.
    pub(crate) async fn journal(&self, wa_id: &str) -> Journal {
        let request = self.client().get(format!("{}/control/journal", self.sandbox_url)).query(&[("wa_id", wa_id)]);
        let answer: Value = request.send().await.expect("the sandbox").json().await.expect("the journal");
        Journal(answer)
    }

    /// Some messages of a queue. They stay there, and are out of sight for so long that others come first.
    pub(crate) async fn peek(&self, queue_url: &str) -> Vec<String> {
        let query = json!({"QueueUrl": queue_url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 2});
        let answer = self.aws("sqs", "AmazonSQS.ReceiveMessage", query).await;
        let messages = answer["Messages"].as_array().into_iter().flatten();
        messages.filter_map(|message| message["Body"].as_str().map(str::to_owned)).collect()
    }

    /// What the bot's queue has for a chat.
    pub(crate) async fn bot_queue_message(&self, wa_id: &str) -> Value {
        wait_until("a message for the bot", async || {
            let bodies = self.peek(&self.bot_queue_url).await;
            let mut messages = bodies.iter().filter_map(|body| serde_json::from_str::<Value>(body).ok());
            messages.find(|message| message["from"] == wa_id)
        })
        .await
    }

    /// Waits until the journal of a chat satisfies the condition.
    pub(crate) async fn wait_for(&self, wa_id: &str, what: &str, condition: impl Fn(&Journal) -> bool) -> Journal {
        wait_until(what, async || Some(self.journal(wa_id).await).filter(&condition)).await
    }
}

/// A refusal by Salesforce's token endpoint.
pub(crate) fn refusal(error: &str, description: &str) -> Value {
    json!({"status": 400, "body": {"error": error, "error_description": description}})
}

/// A table that is asked too much.
pub(crate) fn throttled() -> Value {
    let name = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
    json!({"status": 400, "body": {"__type": name, "message": "too much"}, "content_type": "application/x-amz-json-1.0"})
}

/// A service that is not well.
pub(crate) fn broken() -> Value {
    json!({"status": 500, "body": {"__type": "InternalServerError"}, "content_type": "application/x-amz-json-1.0"})
}

/// Asks again until there is an answer; panics when patience ends.
pub(crate) async fn wait_until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The answer of `POST /links`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Link {
    pub(crate) url: String,
    pub(crate) attempt_id: String,
    pub(crate) expires_at: String,
}

/// Now, in milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since_epoch.as_millis()).expect("a clock before the year 584 million")
}

/// A chat that no other test uses.
pub(crate) fn new_chat() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let process = std::process::id() % 10_000;
    format!("whatsapp:+1555{process:04}{:03}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A browser, as far as this flow needs one.
pub(crate) struct Browser<'a> {
    cloud: &'a Cloud,
    client: Client,
    cookie: Option<String>,
    username: String,
}

impl<'a> Browser<'a> {
    /// A new browser with a new user: Salesforce revokes a user's oldest tokens at the sixth
    /// approval, so tests that shared one would get into each other's way.
    pub(crate) fn new(cloud: &'a Cloud) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let username = format!("visitor-{}@example.com", NEXT.fetch_add(1, Ordering::Relaxed));
        Self { cloud, client: cloud.client(), cookie: None, username }
    }

    /// The same browser, with somebody else before it.
    pub(crate) fn used_by(self, username: &str) -> Self {
        Self { username: username.to_owned(), ..self }
    }

    /// Visits an address with the browser's cookie.
    pub(crate) async fn visit(&self, method: Method, url: &str) -> Response {
        self.visit_as(method, url, "text/html").await
    }

    /// Visits an address and asks for a content type.
    pub(crate) async fn visit_as(&self, method: Method, url: &str, accept: &str) -> Response {
        let mut request = self.client.request(method, url).header(header::ACCEPT, accept);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        request.send().await.expect("an answer")
    }

    /// Presses the button of the link's page; where that leads.
    pub(crate) async fn press(&mut self, link: &str) -> String {
        let response = self.visit(Method::POST, link).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let set_cookie = response.headers()[header::SET_COOKIE].to_str().expect("a cookie").to_owned();
        for attribute in ["__Host-connect=", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
            assert!(set_cookie.contains(attribute), "the cookie has no {attribute}");
        }
        self.cookie = set_cookie.split(';').next().map(str::to_owned);
        response.headers()[header::LOCATION].to_str().expect("an address").to_owned()
    }

    /// Logs in at Salesforce and decides; where Salesforce sends the browser then.
    pub(crate) async fn log_in(&self, authorize_url: &str, allow: bool) -> String {
        let order = json!({"authorize_url": authorize_url, "username": self.username, "allow": allow});
        let request = self.client.post(format!("{}/control/login", self.cloud.sandbox_url)).json(&order);
        let answer: Value = request.send().await.expect("the sandbox").json().await.expect("an answer");
        answer["location"]
            .as_str()
            .unwrap_or_else(|| panic!("Salesforce sent the browser nowhere: {answer}"))
            .to_owned()
    }

    /// Approves as a bot of the older system asks for it, with a plain state and no PKCE; the code that Salesforce
    /// sends back to the stack.
    pub(crate) async fn approve_plainly(&self, stack: &str, chat: &str) -> String {
        let mut login = url::Url::parse(&self.cloud.sandbox_url.replace("127.0.0.1", "localhost")).expect("an address");
        login.set_path("/services/oauth2/authorize");
        login.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.cloud.client_id),
            ("redirect_uri", self.cloud.stack(stack).output("CallbackUrl")),
            ("scope", "api refresh_token"),
            ("state", &format!("wa:{chat}")),
        ]);
        parameter(&self.log_in(login.as_str(), true).await, "code")
    }

    /// The whole way from a link to the callback's address, which is not visited yet.
    pub(crate) async fn approve(&mut self, link: &str) -> String {
        let authorize_url = self.press(link).await;
        self.log_in(&authorize_url, true).await
    }
}

/// A parameter of an address, decoded.
pub(crate) fn parameter(url: &str, name: &str) -> String {
    let url = url::Url::parse(url).expect("an address");
    let value = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    value.unwrap_or_else(|| panic!("the address has no {name}"))
}

/// What the sandbox's parties saw of one chat.
#[derive(Clone, Debug)]
pub(crate) struct Journal(Value);

impl Journal {
    /// How often an endpoint was asked.
    pub(crate) fn count(&self, endpoint: &str) -> u64 {
        self.0[endpoint]["count"].as_u64().unwrap_or_else(|| panic!("the sandbox has no endpoint {endpoint}"))
    }

    /// How often an endpoint did what it was asked, whether or not its answer arrived.
    pub(crate) fn succeeded(&self, endpoint: &str) -> u64 {
        self.0[endpoint]["succeeded"].as_u64().unwrap_or_else(|| panic!("the sandbox has no endpoint {endpoint}"))
    }

    fn bodies(&self, endpoint: &str) -> impl Iterator<Item = &Value> {
        self.0[endpoint]["records"].as_array().into_iter().flatten().map(|record| &record["asked"]["body"])
    }

    /// The texts that reached the chat through Twilio.
    pub(crate) fn messages(&self) -> Vec<&str> {
        self.bodies("twilio.messages").filter_map(|body| body["Body"].as_str()).collect()
    }

    /// The records of an endpoint, oldest first.
    #[allow(dead_code, reason = "for the soak")]
    pub(crate) fn records(&self, endpoint: &str) -> &[Value] {
        self.0[endpoint]["records"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The texts that Twilio took, whether or not its answer arrived.
    #[allow(dead_code, reason = "for the soak")]
    pub(crate) fn sent(&self) -> Vec<&str> {
        let taken = self.records("twilio.messages").iter().filter(|record| record["succeeded"] == true);
        taken.filter_map(|record| record["asked"]["body"]["Body"].as_str()).collect()
    }

    /// The faults that requests to an endpoint met.
    #[allow(dead_code, reason = "for the soak")]
    pub(crate) fn faults(&self, endpoint: &str) -> Vec<&str> {
        self.records(endpoint).iter().filter_map(|record| record["fault"].as_str()).collect()
    }

    /// The texts that reached the chat through Meta.
    pub(crate) fn meta_messages(&self) -> Vec<&str> {
        self.bodies("meta.messages").filter_map(|body| body["text"]["body"].as_str()).collect()
    }

    /// The events that the bot took by webhook.
    pub(crate) fn events(&self) -> Vec<&Value> {
        self.bodies("bot.events").collect()
    }

    /// When the endpoint's first request was answered, in milliseconds since the epoch.
    pub(crate) fn first_at_ms(&self, endpoint: &str) -> Option<u64> {
        self.0[endpoint]["records"][0]["at_ms"].as_u64()
    }

    /// The hashes of the PKCE verifiers that Salesforce was sent.
    pub(crate) fn verifier_hashes(&self) -> Vec<&str> {
        self.bodies("salesforce.token").filter_map(|body| body["code_verifier_sha256"].as_str()).collect()
    }
}
