//! An operator: a checkout whose stack is deployed by the README's commands, credentials, and `wasf`.
//! The output of every command is searched for secrets.

mod release;

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::{Mutex, PoisonError, RwLockWriteGuard},
    time::Duration,
};

use reqwest::Method;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{Browser, Cloud, Journal, Stack, attempt_of, now_ms, wait_until};

/// The stack's name, as samconfig.toml has it.
const STACK: &str = "whatsapp-salesforce-connect";
/// This machine's architecture, as Lambda names it.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
/// The README's step whose result `cargo test` has made already.
const BUILDS_WASF: &str = "make wasf";

/// Everything that any command has printed in this process.
static PRINTED: Mutex<String> = Mutex::new(String::new());

/// Somebody with a checkout, credentials of the local cloud, and `wasf`.
pub struct Operator {
    /// The cloud, with the operator's stack as `main`.
    pub cloud: Cloud,
    /// What the local cloud's state file says.
    state: Value,
    /// The checkout, or an unpacked release.
    folder: PathBuf,
    /// The home of somebody whose shell has no Rust; `None` for one with a checkout.
    home: Option<PathBuf>,
    /// The name of this machine at which people reach the API.
    domain: String,
    /// None where the test shares the stack with others.
    _exclusive: Option<RwLockWriteGuard<'static, ()>>,
}

impl Operator {
    /// An operator who has followed the README, and has the stack to themselves: for a test that changes its settings, or says
    /// what the whole of it holds.
    pub async fn ready() -> Self {
        let (cloud, alone) = Cloud::exclusive();
        Self::new(cloud, Some(alone)).deployed().await
    }

    /// The same beside other tests, each about chats of its own.
    pub async fn beside() -> Self {
        Self::new(Cloud::read(), None).deployed().await
    }

    async fn deployed(self) -> Self {
        static DEPLOYED: OnceCell<HashMap<String, String>> = OnceCell::const_new();
        let outputs = DEPLOYED.get_or_init(|| self.follow_the_readme()).await.clone();
        Self { cloud: self.cloud.with_stack("main", outputs), ..self }
    }

    fn new(cloud: Cloud, alone: Option<RwLockWriteGuard<'static, ()>>) -> Self {
        let file = std::env::var("LOCAL_CLOUD_STATE").expect("LOCAL_CLOUD_STATE");
        let state = serde_json::from_str(&fs::read_to_string(&file).expect("the state file")).expect("the state");
        let folder = Path::new(&file).parent().expect("a folder").join("checkout");
        Self { cloud, state, folder, home: None, domain: "connect.localhost".to_owned(), _exclusive: alone }
    }

    /// The stack that the README's commands deployed.
    pub fn stack(&self) -> &Stack {
        self.cloud.stack("main")
    }

    /// Deploys from a checkout, as the README says; the stack's outputs.
    async fn follow_the_readme(&self) -> HashMap<String, String> {
        self.check_out(STACK);
        self.create_the_bots_secret("bot_webhook").await;
        let commands = commands_of_the_readme("### From a checkout\n");
        self.follow(commands.iter().filter(|command| *command != BUILDS_WASF), STACK).await
    }

    /// The bot has its secret already, which `wasf init` then keeps.
    async fn create_the_bots_secret(&self, name: &str) {
        let theirs = json!({"Name": name, "SecretString": self.state["sandbox"]["webhook_secret"]});
        self.cloud.aws("secretsmanager", "secretsmanager.CreateSecret", theirs).await;
    }

    /// Runs commands of the README one by one, and does what stands between them; the stack's outputs.
    async fn follow(&self, commands: impl Iterator<Item = &String>, stack: &str) -> HashMap<String, String> {
        let mut outputs = HashMap::new();
        for command in commands {
            let said = self.run(Command::new("bash").args(["-euc", command]), "y\n");
            assert_eq!(said.code, 0, "{command}: {}{}", said.out, said.err);
            match command.as_str() {
                "make deploy" | "sam deploy" => {
                    outputs = self.map_domain(stack, &self.domain);
                    self.put_into_the_app(&outputs["CallbackUrl"]).await;
                }
                "wasf doctor" => assert!(said.out.ends_with("No problems found.\n"), "{}", said.out),
                _ => {}
            }
        }
        assert!(!outputs.is_empty(), "the README deploys nothing");
        outputs
    }

    /// "Put `CallbackUrl` into the app, exactly as it is", beside that of the stack which others use meanwhile.
    async fn put_into_the_app(&self, callback_url: &str) {
        let others = self.cloud.has_stack("main").then(|| self.stack().output("CallbackUrl"));
        let urls: Vec<_> = others.into_iter().chain([callback_url]).collect();
        let app = json!({"redirect_uris": urls, "require_pkce": true});
        self.cloud.control("/control/salesforce", &app).await;
    }

    /// A checkout with a samconfig.toml of its own. What differs from AWS stands in it beforehand: this
    /// machine's architecture, and where the sandbox plays WhatsApp.
    fn check_out(&self, stack: &str) {
        let root = root();
        fs::create_dir(&self.folder).expect("a folder");
        for name in ["Makefile", "tests", ".local"] {
            symlink(root.join(name), self.folder.join(name)).expect("a link");
        }
        fs::copy(root.join("samconfig.toml"), self.folder.join("samconfig.toml")).expect("samconfig.toml");
        let url = &self.cloud.sandbox_url;
        let here = format!("parameter_overrides = [\"Architecture={ARCHITECTURE}\", \"WhatsAppApiUrl={url}\"]\n");
        self.configure(stack, &here);
    }

    /// Puts the stack's name and lines for `sam deploy` into samconfig.toml.
    fn configure(&self, stack: &str, lines: &str) {
        let file = self.folder.join("samconfig.toml");
        let config = fs::read_to_string(&file).expect("samconfig.toml");
        let config = config.replace(&format!("\"{STACK}\""), &format!("\"{stack}\""));
        fs::write(file, config + lines).expect("samconfig.toml");
    }

    /// The same operator in a checkout of its own, for a stack of this name that does not exist yet.
    pub fn in_checkout_of(self, stack: &str) -> Self {
        let operator = Self { folder: self.folder.with_file_name(stack), ..self };
        operator.check_out(stack);
        operator
    }

    /// Deploys that stack at a domain of its own.
    pub fn deploy_new(&mut self, stack: &str) {
        let said = self.run(Command::new("make").arg("deploy"), "y\n");
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        let outputs = self.map_domain(stack, &format!("{stack}.localhost"));
        self.cloud = self.cloud.clone().with_stack(stack, outputs);
    }

    /// Maps the callback's domain to the API, as the owner of a domain does on AWS; the stack's outputs.
    fn map_domain(&self, stack: &str, domain: &str) -> HashMap<String, String> {
        let request = json!({"do": "describe", "with": {"stack": stack, "domains": [domain]}});
        let mut python = Command::new(root().join(".local/venv-ministack/bin/python"));
        let answer = self.start(python.arg(root().join("tests/local_cloud/provision.py")), &request.to_string());
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        serde_json::from_slice(&answer.stdout).expect("outputs")
    }

    /// Deploys again, with these parameters.
    pub fn deploy(&self, parameters: &str) {
        let command = format!("make deploy PARAMETERS='{parameters}'");
        let said = self.run(Command::new("bash").args(["-euc", &command]), "y\n");
        assert_eq!(said.code, 0, "{command}: {}{}", said.out, said.err);
    }

    /// Runs `wasf`.
    pub fn wasf(&self, arguments: &str) -> Output {
        self.run(self.command().args(arguments.split_whitespace()), "")
    }

    /// Runs `wasf` with this on its standard input.
    pub fn typing(&self, arguments: &str, input: &str) -> Output {
        self.run(self.command().args(arguments.split_whitespace()), input)
    }

    /// Runs `wasf` on a terminal, with none but the secrets in the environment, and types one to each question that has these
    /// words. What the terminal showed is the output.
    pub fn on_a_terminal(&self, arguments: &str, answers: &[(&str, &str)]) -> Output {
        let wasf = binaries().join("wasf");
        let command: Vec<_> =
            [wasf.to_str().expect("a path")].into_iter().chain(arguments.split_whitespace()).collect();
        let request = json!({"command": command, "answers": answers}).to_string();
        let mut python = Command::new("env");
        let asked = ["WHATSAPP_PROVIDER", "WHATSAPP_SENDER", "BOT_PHONE_NUMBER", "BOT_WEBHOOK_URL"];
        for name in asked.iter().chain(&["CALLBACK_URI", "LOGIN_URLS", "ALARM_EMAIL"]) {
            python.arg(format!("--unset=WASF_{name}"));
        }
        let python = python.arg(root().join(".local/venv-ministack/bin/python"));
        self.run(python.arg(root().join("tests/local_cloud/typed.py")), &request)
    }

    /// Runs `wasf … --json`, which must end with this exit code; its JSON.
    pub fn json(&self, arguments: &str, exit: i32) -> Value {
        let said = self.wasf(&format!("{arguments} --json"));
        assert_eq!(said.code, exit, "wasf {arguments}: {}{}", said.out, said.err);
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("wasf {arguments} is no JSON: {}", said.out))
    }

    /// Runs `wasf … --json` by way of the sandbox, which counts its calls of AWS; its JSON, and the calls by operation.
    pub async fn counted(&self, arguments: &str, exit: i32) -> (Value, HashMap<String, u64>) {
        let before = self.cloud.operations().await;
        let proxy = format!("http://127.0.0.1:{}", self.state["ports"]["aws_proxy"]);
        let mut command = Command::new("env");
        command.arg(format!("AWS_ENDPOINT_URL={proxy}")).arg(binaries().join("wasf"));
        let said = self.run(command.args(arguments.split_whitespace()).arg("--json"), "");
        assert_eq!(said.code, exit, "wasf {arguments}: {}{}", said.out, said.err);
        let mut calls = self.cloud.operations().await;
        calls.retain(|operation, count| {
            *count -= before.get(operation).copied().unwrap_or_default();
            *count > 0
        });
        (serde_json::from_str(&said.out).expect("JSON"), calls)
    }

    /// `wasf` in the operator's folder.
    pub fn command(&self) -> Command {
        let mut command = Command::new(match &self.home {
            Some(home) => home.join(release::WASF),
            None => binaries().join("wasf"),
        });
        self.set_environment(&mut command);
        command
    }

    fn run(&self, command: &mut Command, input: &str) -> Output {
        let output = self.start(command, input);
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let said = Output {
            code: output.status.code().expect("an exit code"),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        let mut all = PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend([said.out.as_str(), "\n", said.err.as_str(), "\n"]);
        drop(all);
        said
    }

    fn start(&self, command: &mut Command, input: &str) -> process::Output {
        self.set_environment(command);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("a process");
        // A command that does not read its input has ended already.
        let _ = process.stdin.take().expect("an input").write_all(input.as_bytes());
        process.wait_with_output().expect("an output")
    }

    /// The operator's shell: the account, `wasf` on the path, and the answers to `wasf init`'s questions.
    fn set_environment(&self, command: &mut Command) {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let sandbox = &self.state["sandbox"];
        if let Some(home) = &self.home {
            release::set_environment(command, home);
        } else {
            let path = std::env::var("PATH").expect("PATH");
            command.env("PATH", format!("{}:{path}", binaries().display()));
            command.env("BUILT", root().join(".local/build"));
        }
        command
            .current_dir(&self.folder)
            .env_remove("MAKEFLAGS")
            .env_remove("MAKELEVEL")
            .env("AWS_ENDPOINT_URL", &self.cloud.endpoint)
            .env("AWS_REGION", text(&self.state["region"]))
            .env("AWS_DEFAULT_REGION", text(&self.state["region"]))
            .env("AWS_ACCESS_KEY_ID", text(&self.state["credentials"]["access_key_id"]))
            .env("AWS_SECRET_ACCESS_KEY", text(&self.state["credentials"]["secret_access_key"]))
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("WASF_CONSUMER_KEY", &self.cloud.client_id)
            .env("WASF_CONSUMER_SECRET", text(&sandbox["client_secret"]))
            .env("WASF_WHATSAPP_PROVIDER", "Twilio")
            .env("WASF_WHATSAPP_ACCOUNT", text(&sandbox["twilio_account_sid"]))
            .env("WASF_WHATSAPP_TOKEN", text(&sandbox["twilio_auth_token"]))
            .env("WASF_WHATSAPP_SENDER", "whatsapp:+14155238886")
            .env("WASF_BOT_PHONE_NUMBER", "+14155238886")
            .env("WASF_BOT_WEBHOOK_URL", format!("{}/bot/events", self.cloud.sandbox_url))
            .env("WASF_CALLBACK_URI", self.callback_at(&self.domain))
            .env("WASF_LOGIN_URLS", self.login_url())
            .env("WASF_ALARM_EMAIL", "-");
    }

    /// The callback's address at a domain of this machine.
    pub fn callback_at(&self, domain: &str) -> String {
        format!("http://{domain}:{}/callback", self.state["ports"]["emulator"])
    }

    /// Where people log in.
    pub fn login_url(&self) -> String {
        self.cloud.sandbox_url.replace("127.0.0.1", "localhost")
    }

    /// Asserts that no command has printed one of these, a secret of the cloud, or a verifier with one of these hashes.
    pub fn never_printed(&self, secrets: &[String], verifier_hashes: &[&str]) {
        let all = PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
        let sandbox = &self.state["sandbox"];
        let names = ["client_secret", "twilio_auth_token", "webhook_secret"];
        let known = names.into_iter().map(|name| sandbox[name].as_str().expect("a secret"));
        for secret in known.chain(secrets.iter().map(String::as_str)) {
            assert!(secret.len() > 20, "too short to be distinguished from other text");
            assert!(!all.contains(secret), "a command has printed a secret that begins with {}", &secret[..6]);
        }
        for word in all.split(|one: char| !one.is_ascii_alphanumeric() && one != '-' && one != '_') {
            let hash = digest(&SHA256, word.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            assert!(!verifier_hashes.contains(&hash.as_str()), "a command has printed a verifier");
        }
    }

    /// What `wasf doctor` finds, but for alarms: those that another test's fault has raised fire on for some minutes.
    pub fn doctor(&self) -> Vec<Value> {
        let said = self.wasf("doctor --json");
        let mut found: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err));
        let findings = found["findings"].as_array_mut().expect("a list");
        let is_well = !findings.iter().any(|finding| finding["level"] == "wrong");
        findings.retain(|finding| finding["check"] != "firing");
        let findings = findings.clone();
        assert_eq!((said.code, &found["well"]), (i32::from(!is_well), &json!(is_well)), "{found}");
        findings
    }

    /// Asserts that `wasf doctor` finds no problem.
    pub fn doctor_finds_nothing(&self) {
        let found = self.doctor();
        assert!(!found.iter().any(|finding| finding["level"] == "wrong"), "{found:#?}");
    }

    /// Asserts that `wasf doctor` finds just this problem, with a remedy that contains this text.
    pub fn doctor_finds(&self, check: &str, remedy: &str) {
        self.doctor_finds_each(check, remedy, 1);
    }

    /// Asserts that `wasf doctor` finds this problem so many times and no other, with remedies that contain this text.
    pub fn doctor_finds_each(&self, check: &str, remedy: &str, times: usize) {
        let found = self.doctor();
        let wrong: Vec<_> = found.iter().filter(|finding| finding["level"] == "wrong").collect();
        assert_eq!(wrong.len(), times, "{wrong:#?}");
        for finding in wrong {
            assert_eq!(finding["check"], check, "{finding}");
            assert!(finding["remedy"].as_str().unwrap().contains(remedy), "{finding}");
        }
    }

    /// Stores another value of a secret.
    pub async fn put_secret(&self, name: &str, value: &str) {
        let change = json!({"SecretId": name, "SecretString": value});
        self.cloud.aws("secretsmanager", "secretsmanager.PutSecretValue", change).await;
    }

    /// A chat's tokens; `None` where it has no connection.
    pub async fn tokens(&self, chat: &str) -> Option<[String; 2]> {
        let item = self.cloud.item(self.stack().output("TokenTableName"), "wa_id", chat).await?;
        // The row of a connection that has ended stays, without tokens.
        item["access_token"].as_object()?;
        Some(self.cloud.tokens_of(&item).await)
    }

    /// Stores a chat's refresh token in plain, as versions before did.
    pub async fn unseal(&self, chat: &str) {
        let table = self.stack().output("TokenTableName");
        let row = self.cloud.item(table, "wa_id", chat).await.expect("a row");
        let token = self.cloud.refresh_token(&row).await.expect("a refresh token");
        let update = json!({
            "TableName": table,
            "Key": {"wa_id": {"S": chat}},
            "ConditionExpression": "refresh_token = :sealed",
            "UpdateExpression": "SET refresh_token = :plain",
            "ExpressionAttributeValues": {":sealed": row["refresh_token"], ":plain": {"S": token}},
        });
        self.cloud.aws("dynamodb", "DynamoDB_20120810.UpdateItem", update).await;
    }

    /// The chat's row in the table of tokens.
    pub async fn row(&self, chat: &str) -> Option<Value> {
        self.cloud.item(self.stack().output("TokenTableName"), "wa_id", chat).await
    }

    /// Makes a chat's row look as if nobody had refreshed its tokens for so long.
    pub async fn age_row(&self, chat: &str, age: Duration) {
        let at = now_ms() - u64::try_from(age.as_millis()).expect("an age");
        let update = json!({
            "TableName": self.stack().output("TokenTableName"),
            "Key": {"wa_id": {"S": chat}},
            "UpdateExpression": "SET refreshed_at = :at, issued_at = :at",
            "ExpressionAttributeValues": {":at": {"N": at.to_string()}},
        });
        self.cloud.aws("dynamodb", "DynamoDB_20120810.UpdateItem", update).await;
    }

    /// The value of a secret.
    pub async fn secret(&self, name: &str) -> String {
        let found = self.cloud.aws("secretsmanager", "secretsmanager.GetSecretValue", json!({"SecretId": name})).await;
        found["SecretString"].as_str().expect("a secret").to_owned()
    }

    /// A person connects in their browser; the attempt's id.
    pub async fn connect(&self, chat: &str) -> String {
        let login = self.cloud.begin_login(chat).await;
        login.approve().await;
        login.attempt
    }

    /// A person opens this link, approves, and comes to the callback; the attempt's id.
    pub async fn consent(&self, url: &str) -> String {
        let mut browser = Browser::new(&self.cloud);
        let callback = browser.approve(url).await;
        assert_eq!(browser.visit(Method::GET, &callback).await.status(), 200);
        attempt_of(&callback)
    }

    /// Waits until the person and the bot have been notified of an outcome.
    pub async fn outcome(&self, chat: &str) -> Journal {
        self.cloud
            .wait_for(chat, "message and event", |journal| {
                !journal.messages().is_empty() && journal.succeeded("bot.events") > 0
            })
            .await
    }

    /// A function's settings.
    pub async fn configuration(&self, function: &str) -> Value {
        let url = self.configuration_url(function);
        self.cloud.signed("lambda", Method::GET, &url, &[], String::new()).await.json().await.expect("settings")
    }

    /// Sets an environment variable of a function; its previous value, empty if it had none.
    pub async fn set(&self, function: &str, variable: &str, value: &str) -> String {
        let mut variables = self.configuration(function).await["Environment"]["Variables"].take();
        let before = variables[variable].as_str().unwrap_or_default().to_owned();
        variables[variable] = value.into();
        let change = json!({"Environment": {"Variables": variables}}).to_string();
        let headers = [("content-type", "application/json")];
        let url = self.configuration_url(function);
        let answer = self.cloud.signed("lambda", Method::PUT, &url, &headers, change).await;
        assert!(answer.status().is_success());
        before
    }

    fn configuration_url(&self, function: &str) -> String {
        let name = self.stack().output(&format!("{function}FunctionName"));
        format!("{}/2015-03-31/functions/{name}/configuration", self.cloud.endpoint)
    }

    /// Changes a function's event source mappings, and waits until the change is in effect.
    pub async fn change_event_source(&self, function: &str, change: Value) {
        let mappings = format!("{}/2015-03-31/event-source-mappings/", self.cloud.endpoint);
        let url = format!("{mappings}?FunctionName={}", self.stack().output(&format!("{function}FunctionName")));
        let found = async || -> Value {
            let answer = self.cloud.signed("lambda", Method::GET, &url, &[], String::new()).await;
            answer.json::<Value>().await.expect("mappings")["EventSourceMappings"].take()
        };
        for mapping in found().await.as_array().expect("mappings") {
            let url = format!("{mappings}{}", mapping["UUID"].as_str().expect("a mapping"));
            let headers = [("content-type", "application/json")];
            let answer = self.cloud.signed("lambda", Method::PUT, &url, &headers, change.to_string()).await;
            assert!(answer.status().is_success());
        }
        let Some(enabled) = change["Enabled"].as_bool() else { return };
        let state = if enabled { "Enabled" } else { "Disabled" };
        let are_all = |mappings: &Value| mappings.as_array().unwrap().iter().all(|mapping| mapping["State"] == state);
        wait_until("the event sources", async || are_all(&found().await).then_some(())).await;
    }

    /// Changes an attribute of the exchange queue.
    pub async fn set_queue_attribute(&self, name: &str, value: &str) {
        let change = json!({"QueueUrl": self.stack().output("ExchangeQueueUrl"), "Attributes": {name: value}});
        self.cloud.aws("sqs", "AmazonSQS.SetQueueAttributes", change).await;
    }

    /// Sets the exchange queue's `maxReceiveCount`.
    pub async fn give_up_after(&self, receives: u32) {
        let arn = self.stack().output("ExchangeDlqArn");
        let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": receives}).to_string();
        self.set_queue_attribute("RedrivePolicy", &policy).await;
    }

    /// How many messages a queue has, visible or not.
    pub async fn messages_in(&self, output: &str) -> u64 {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let query = json!({"QueueUrl": self.stack().output(output), "AttributeNames": names});
        let answer = self.cloud.aws("sqs", "AmazonSQS.GetQueueAttributes", query).await;
        names.iter().map(|name| answer["Attributes"][name].as_str().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// Calls an AWS service of the older kind: a form, and XML in return.
    pub async fn query(&self, service: &str, version: &str, fields: &[(&str, &str)]) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Version", version).extend_pairs(fields);
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = self.cloud.signed(service, Method::POST, &self.cloud.endpoint, &headers, form.finish()).await;
        let status = answer.status();
        let text = answer.text().await.expect("an answer");
        assert!(status.is_success(), "{fields:?} answered {status}: {text}");
        text
    }
}

/// What a command printed, and its exit code.
#[derive(Debug)]
pub struct Output {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the checkout")
}

/// Where cargo puts the workspace's binaries, beside this test.
fn binaries() -> PathBuf {
    let here = std::env::current_exe().expect("this test");
    here.parent().and_then(Path::parent).expect("cargo's folder").to_owned()
}

/// The commands in the fenced blocks of a part of the README: from this heading to the next one.
fn commands_of_the_readme(heading: &str) -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    let part = readme.split_once(heading).expect("the heading").1;
    let part = part.split("\n##").next().expect("the part");
    let blocks = part.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("a block's end"));
    blocks.flat_map(str::lines).map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}
