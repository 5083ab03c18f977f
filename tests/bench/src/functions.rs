//! The programs that are measured: the functions and their peers, with their environments and events.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use shared::{
    AttemptId, LinkId,
    binding::{BrowserSecret, CookieName},
    link::Link,
    process,
    state::{Claims, LinkOrigin, UnsignedState},
};

use crate::{
    Failed, ROOT,
    fakes::{self, ACCESS_KEY, Fakes, REGION, SECRET_KEY, SESSION_TOKEN},
    runtime::{Function, Start},
};

/// What a program does; peers have the role of the function that they are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    HelloWorld,
    Receiver,
    ConnectLink,
    Exchanger,
    Notifier,
    Keeper,
    Refresher,
}

pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// Its description in the report.
    pub(crate) about: &'static str,
    roots: Roots,
}

/// The root certificates that a program reads from a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Roots {
    /// The bench's own root alone: for programs that have others compiled in, or need none. Reading this one file costs
    /// at least as much as the compiled lists.
    Bench,
    /// The system's store and the bench's root, for programs that read the store: that is most of some starts.
    SystemAndBench,
}

/// The first is hello-world, which the others are compared with.
pub(crate) const PROGRAMS: [Program; 11] = [
    program("hello-world", Role::HelloWorld, "lambda_runtime alone", Roots::Bench),
    program("callback-receiver", Role::Receiver, "as it ships", Roots::Bench),
    program("receiver-sdk-free", Role::Receiver, "hyper and its own SigV4", Roots::Bench),
    program("receiver-aws-defaults", Role::Receiver, "aws-config, aws-lc, system roots", Roots::SystemAndBench),
    program(PYTHON, Role::Receiver, "boto3 under awslambdaric", Roots::SystemAndBench),
    program("connect-link", Role::ConnectLink, "as it ships", Roots::Bench),
    program("token-exchanger", Role::Exchanger, "as it ships", Roots::Bench),
    program("notifier", Role::Notifier, "as it ships", Roots::Bench),
    program("token-keeper", Role::Keeper, "as it ships", Roots::Bench),
    program("keeper-sdk-free", Role::Keeper, "hyper and its own SigV4", Roots::Bench),
    program("token-refresher", Role::Refresher, "as it ships", Roots::Bench),
];
/// The programs that are deployed.
pub(crate) const SHIPPED: [&str; 6] =
    ["callback-receiver", "connect-link", "token-exchanger", "notifier", "token-keeper", "token-refresher"];
/// Those that do all that a function does, without the SDK.
const TWINS: [&str; 2] = ["receiver-sdk-free", "keeper-sdk-free"];
pub(crate) const PYTHON: &str = "receiver-python";

const fn program(name: &'static str, role: Role, about: &'static str, roots: Roots) -> Program {
    Program { name, role, about, roots }
}

/// Where the parties are, as a function is told it.
#[derive(Clone)]
pub(crate) struct Urls {
    pub(crate) aws: String,
    pub(crate) salesforce: String,
    pub(crate) whatsapp: String,
    pub(crate) bot: String,
}

/// The KMS key of all functions.
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/bench";

/// Where Linux distributions keep the system's root certificates.
const SYSTEM_ROOTS: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Writes the system's root certificates and the bench's into one file.
pub(crate) fn write_roots(work: &Path) -> Result<(), Failed> {
    let own = fs::read_to_string(work.join("root.pem"))?;
    let system = SYSTEM_ROOTS.iter().find_map(|path| fs::read_to_string(path).ok());
    let system = system.ok_or("this system has no root certificates (Debian: apt install ca-certificates)")?;
    Ok(fs::write(work.join("system-roots.pem"), system + &own)?)
}

impl Program {
    /// Starts it, with the parties at these URLs, under `tool` if one is given.
    pub(crate) async fn start(
        &self,
        fakes: &Fakes,
        work: &Path,
        urls: &Urls,
        tool: &[OsString],
    ) -> Result<(Function, Duration), Failed> {
        let mut command = tool.to_vec();
        command.extend(self.command());
        let environment: Vec<_> = self.environment(fakes, work, urls).into_iter().collect();
        let log = self.log(work);
        let started = Function::start(&Start { command: &command, environment: &environment, log: &log }).await;
        started.map_err(|error| format!("{}: {error}", self.name).into())
    }

    fn log(&self, work: &Path) -> PathBuf {
        work.join(format!("{}.log", self.name))
    }

    /// Whether it has logged so many invocations, where it is a function or does all that one does.
    pub(crate) fn check_log(&self, work: &Path, invocations: usize) -> Result<(), Failed> {
        if !SHIPPED.contains(&self.name) && !TWINS.contains(&self.name) {
            return Ok(());
        }
        let logged = fs::read_to_string(self.log(work))?.matches(r#""level":"INFO""#).count();
        if logged < invocations {
            return Err(format!("{} logged {logged} of {invocations} invocations", self.name).into());
        }
        Ok(())
    }

    /// The function of this role that is deployed.
    pub(crate) fn shipped(role: Role) -> Option<&'static Self> {
        PROGRAMS.iter().find(|program| program.role == role && SHIPPED.contains(&program.name))
    }

    /// The file that is deployed; `None` for a script.
    pub(crate) fn binary(&self) -> Option<PathBuf> {
        (self.name != PYTHON).then(|| Path::new(ROOT).join("target/lambda").join(self.name).join("bootstrap"))
    }

    fn command(&self) -> Vec<OsString> {
        if let Some(binary) = self.binary() {
            return vec![binary.into()];
        }
        let python = Path::new(ROOT).join(".local/venv-bench/bin/python");
        vec![python.into(), "-m".into(), "awslambdaric".into(), "receiver.handle".into()]
    }

    /// The variables that Lambda and the template set.
    fn environment(&self, fakes: &Fakes, work: &Path, urls: &Urls) -> BTreeMap<String, String> {
        let roots = work.join(match self.roots {
            Roots::Bench => "root.pem",
            Roots::SystemAndBench => "system-roots.pem",
        });
        let roots = roots.to_string_lossy();
        let queue = "https://sqs.us-east-1.amazonaws.com/111122223333/exchange";
        let upkeep = "https://sqs.us-east-1.amazonaws.com/111122223333/upkeep";
        let key = KEY;
        let redirect_uri = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/callback";
        let own: &[(&str, &str)] = match self.role {
            Role::HelloWorld => &[],
            Role::Receiver => &[
                ("LOGIN_URLS", "https://login.salesforce.com,https://test.salesforce.com"),
                ("STATE_POLICY", "Signed"),
                ("BROWSER_BINDING", "Enforce"),
                ("CHAT_PROOF", "Off"),
                ("STATE_KEY_IDS", key),
                // As the last step of a deployment sets it.
                ("STATE_PUBLIC_KEYS", &fakes.public_state_key_base64()),
                ("EXCHANGE_QUEUE_URL", queue),
                ("AWS_CA_BUNDLE", &roots),
                ("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/peers/python")),
            ],
            Role::ConnectLink => &[
                ("LOGIN_URLS", "https://login.salesforce.com,https://test.salesforce.com"),
                ("STATE_KEY_ID", key),
                ("PKCE_KEY_ID", key),
                ("LINK_KEY_ID", key),
                ("LIMIT_TABLE_NAME", "limits"),
                ("ATTEMPT_TABLE_NAME", "connection_attempts"),
                ("LINK_LIFETIME_MINUTES", "15"),
                ("SCOPES", "api refresh_token"),
                ("OAUTH_PROMPT", "select_account"),
                ("SF_CLIENT_ID_SECRET_NAME", "sf_client_id"),
                ("API_DOMAIN_SUFFIX", "execute-api.us-east-1.amazonaws.com"),
            ],
            Role::Exchanger => &[
                ("LOGIN_URLS", &urls.salesforce),
                ("CHAT_PROOF", "Off"),
                ("PROOF_MINUTES", "10"),
                ("PENDING_TABLE_NAME", "pending_connections"),
                ("DYNAMODB_PROFILE_TABLE_NAME", "salesforce_tokens"),
                ("ATTEMPT_TABLE_NAME", "connection_attempts"),
                ("EXCHANGE_QUEUE_URL", queue),
                ("MAX_TRIES", "8"),
                ("CHECKPOINT_KEY_ID", key),
                ("STATE_POLICY", "Signed"),
                ("STATE_KEY_IDS", key),
                ("STATE_PUBLIC_KEYS", &fakes.public_state_key_base64()),
                ("TOKEN_CUSTODY", "Stack"),
                ("TOKEN_KEY_ID", key),
                ("UPKEEP_QUEUE_URL", upkeep),
                ("PKCE_KEY_ID", key),
                ("SF_CLIENT_ID_SECRET_NAME", "sf_client_id"),
                ("SF_CLIENT_SECRET_SECRET_NAME", "sf_client_secret"),
                ("SF_REDIRECT_URI", redirect_uri),
            ],
            Role::Keeper | Role::Refresher => &[
                ("LOGIN_URLS", &urls.salesforce),
                ("DYNAMODB_PROFILE_TABLE_NAME", "salesforce_tokens"),
                ("ATTEMPT_TABLE_NAME", "connection_attempts"),
                ("UPKEEP_QUEUE_URL", upkeep),
                ("TOKEN_CUSTODY", "Stack"),
                ("TOKEN_KEY_ID", key),
                ("TOKEN_MAX_AGE_MINUTES", "60"),
                ("KEEP_ALIVE_DAYS", "20"),
                ("SWEEP_HOURS", "20"),
                ("LINK_KEY_ID", key),
                ("RELINK_LIFETIME_HOURS", "24"),
                ("PENDING_TABLE_NAME", "pending_connections"),
                ("LIMIT_TABLE_NAME", "limits"),
                ("EXCHANGE_QUEUE_URL", queue),
                ("SF_CLIENT_ID_SECRET_NAME", "sf_client_id"),
                ("SF_CLIENT_SECRET_SECRET_NAME", "sf_client_secret"),
                ("SF_REDIRECT_URI", redirect_uri),
            ],
            Role::Notifier => &[
                ("LOGIN_URLS", "https://login.salesforce.com"),
                ("ATTEMPT_TABLE_NAME", "connection_attempts"),
                ("LIMIT_TABLE_NAME", "limits"),
                ("RETRY_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/retries"),
                ("CHAT_PROOF", "Off"),
                ("WHATSAPP_PROVIDER", "Twilio"),
                ("WHATSAPP_SENDER", "whatsapp:+14155238886"),
                ("WHATSAPP_API_URL", &urls.whatsapp),
                ("WHATSAPP_SECRET_NAME", "whatsapp"),
                ("BOT_WEBHOOK_URL", &format!("{}/events", urls.bot)),
                ("BOT_WEBHOOK_SECRET_NAME", "bot_webhook"),
                ("LINK_KEY_ID", key),
                ("LINK_LIFETIME_MINUTES", "15"),
                ("RELINK_LIFETIME_HOURS", "24"),
                ("SF_REDIRECT_URI", redirect_uri),
            ],
        };
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        lambdas(&urls.aws, &roots).iter().chain(own).map(owned).collect()
    }
}

impl Role {
    /// The operations that an invocation must have called once for each message of its event.
    pub(crate) fn operations(self) -> &'static [&'static str] {
        match self {
            Self::HelloWorld | Self::ConnectLink => &[],
            Self::Receiver => &["SendMessage"],
            Self::Exchanger => &["token", "userinfo", "TransactWriteItems"],
            Self::Notifier => &["message", "event"],
            // A token that is fresh, or a refresh that is not due: one read.
            Self::Keeper | Self::Refresher => &["GetItem"],
        }
    }

    /// An event with this many messages, from the samples, with a state, codes and times that are valid now.
    pub(crate) fn event(self, fakes: &Fakes, urls: &Urls, messages: usize, number: usize) -> Result<Value, Failed> {
        match self {
            Self::HelloWorld | Self::Receiver => callback(fakes),
            Self::ConnectLink => page(),
            Self::Exchanger => {
                fakes.put_connection(Value::Null);
                exchange(fakes, &urls.salesforce, messages, number)
            }
            Self::Keeper => {
                fakes.put_connection(connection());
                let mut event = sample("connections-token-post")?;
                event["body"] = r#"{"wa_id":"whatsapp:+15551234567"}"#.into();
                Ok(event)
            }
            Self::Refresher => {
                fakes.put_connection(connection());
                sample("upkeep-refresh-sqs")
            }
            Self::Notifier => {
                let event = sample("outcome-stream-connected")?;
                fakes.put_attempt(event["Records"][0]["dynamodb"]["NewImage"].clone());
                Ok(event)
            }
        }
    }

    /// Whether this is the response to an event that was processed completely.
    pub(crate) fn is_success(self, answer: &Value) -> bool {
        match self {
            Self::HelloWorld | Self::Receiver | Self::ConnectLink | Self::Keeper => answer["statusCode"] == 200,
            Self::Exchanger | Self::Notifier | Self::Refresher => {
                answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty)
            }
        }
    }
}

/// A chat's row whose tokens came just now.
fn connection() -> Value {
    let now = json!({ "N": process::now().millis().to_string() });
    json!({
        "wa_id": { "S": "whatsapp:+15551234567" },
        "access_token": { "S": "00Dxx0000001gPL!AQwAQBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBench" },
        "refresh_token": { "S": format!("sealed:v1:{}", "QmVuY2g".repeat(60)) },
        "instance_url": { "S": "https://acme.my.salesforce.com" },
        "issued_at": now, "refreshed_at": now, "connected_at": now, "consented_at": now, "version": { "N": "2" },
        "attempt_id": { "S": "00000000000000000000000000000007" }, "scope": { "S": "api refresh_token" },
        "org_id": { "S": "00Dxx0000001gPLEAY" }, "user_id": { "S": "005xx000001SwiUAAS" },
        "username": { "S": "ada@example.com" }, "login_url": { "S": "https://login.salesforce.com" },
    })
}

/// A chat's row whose tokens are to be refreshed at this host.
pub(crate) fn old_connection(salesforce: &str) -> Value {
    let mut row = connection();
    row["refresh_token"] = json!({ "S": "5Aep861BenchBenchBenchBenchBenchBench" });
    row["refreshed_at"] = json!({ "N": process::now().minus(Duration::from_hours(3)).millis().to_string() });
    row["login_url"] = json!({ "S": salesforce });
    row["instance_url"] = json!({ "S": salesforce });
    row
}

/// What Lambda itself sets, and every function of the template has.
fn lambdas<'a>(url: &'a str, roots: &'a str) -> [(&'static str, &'a str); 22] {
    [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_SESSION_TOKEN", SESSION_TOKEN),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ENDPOINT_URL", url),
        ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
        ("_HANDLER", "bootstrap"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
        ("SSL_CERT_FILE", roots),
        ("LOG_LEVEL", "info"),
        ("STACK_NAME", "bench"),
        ("DEFAULT_LANGUAGE", "en"),
    ]
}

/// One of the sample events.
pub(crate) fn sample(name: &str) -> Result<Value, Failed> {
    Ok(serde_json::from_str(&fs::read_to_string(Path::new(ROOT).join(format!("events/{name}.json")))?)?)
}

/// The page of a link that is valid now.
fn page() -> Result<Value, Failed> {
    let link_id = LinkId::from_bytes([8; LinkId::LENGTH]);
    let login_url = "https://login.salesforce.com".parse()?;
    let link = Link::new(link_id, "whatsapp:+15551234567".parse()?, login_url, process::now(), Duration::from_mins(15));
    let sealed = fakes::link_key(KEY)?.seal(&link, [9; 12]);
    let mut event = sample("connect-get")?;
    event["pathParameters"]["link"] = sealed.into();
    Ok(event)
}

/// A callback with a valid state, from the browser that the state is bound to.
fn callback(fakes: &Fakes) -> Result<Value, Failed> {
    let attempt_id = AttemptId::from_bytes([7; AttemptId::LENGTH]);
    let state = state(fakes, attempt_id, "https://login.salesforce.com")?;
    let mut event = sample("callback-get")?;
    let query = event["rawQueryString"].as_str().ok_or("no query")?;
    let code = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "code").ok_or("no code")?.1;
    let query =
        form_urlencoded::Serializer::new(String::new()).extend_pairs([("code", &*code), ("state", &state)]).finish();
    let cookie = browser().set_cookie(CookieName::of(attempt_id), 900);
    event["rawQueryString"] = query.into();
    event["cookies"] = json!([cookie.split(';').next()]);
    Ok(event)
}

/// The browser that every login is bound to.
fn browser() -> BrowserSecret {
    BrowserSecret::from_random(&[9; 32])
}

/// A state that is valid now.
fn state(fakes: &Fakes, attempt_id: AttemptId, login_url: &str) -> Result<String, Failed> {
    let claims = Claims {
        attempt_id,
        link: Some(LinkOrigin {
            link_id: LinkId::from_bytes([8; LinkId::LENGTH]),
            issued_at: process::now(),
            has_reference: false,
            language: None,
        }),
        wa_id: "whatsapp:+15551234567".parse()?,
        expires_at: process::now().plus(Duration::from_hours(1)),
        login_url: login_url.parse()?,
        binding: Some(browser().binding(attempt_id)),
    };
    let unsigned: UnsignedState = claims.unsigned(fakes.public_state_key()?.id());
    let signature = fakes.state_key().sign(&unsigned.message());
    Ok(unsigned.with_signature(signature.as_ref().try_into()?))
}

/// An event with a message for each of this many attempts, received just now.
fn exchange(fakes: &Fakes, login_url: &str, messages: usize, number: usize) -> Result<Value, Failed> {
    let mut event = sample("exchange-sqs")?;
    let record = event["Records"][0].take();
    let body: Value = serde_json::from_str(record["body"].as_str().ok_or("no body")?)?;
    let records = (0..messages).map(|message| {
        let (mut record, mut body) = (record.clone(), body.clone());
        body["state"] = state(fakes, format!("{number:016x}{message:016x}").parse()?, login_url)?.into();
        body["code"] = format!("aPrxBenchBenchBench{number}.{message}==").into();
        body["received_at"] = process::now().millis().into();
        record["body"] = body.to_string().into();
        record["messageId"] = format!("bench-{number}-{message}").into();
        Ok(record)
    });
    event["Records"] = records.collect::<Result<_, Failed>>()?;
    Ok(event)
}
