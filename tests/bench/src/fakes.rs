//! Fakes of everything that the functions call, on one loopback address: AWS's services, Salesforce, Twilio and the bot.
//! Each request is checked, and an invalid one makes the run fail, so that nothing broken is ever measured.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{Method, Request, body::Bytes};
use ring::{
    digest::{SHA256, digest},
    hmac,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use shared::{exchange, link::LinkKey, process, state::StateKey};
use tokio::{net::TcpStream, time::sleep};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{
    Failed,
    distance::Way,
    functions::Urls,
    server::{self, Answer, Server},
};

pub(crate) const REGION: &str = "us-east-1";
pub(crate) const ACCESS_KEY: &str = "ASIABENCHBENCHBENCHB";
pub(crate) const SECRET_KEY: &str = "bench/secret/key";
pub(crate) const SESSION_TOKEN: &str = "bench session token, as long as real ones are: \
    IQoJb3JpZ2luX2VjEBench0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrst";
pub(crate) const CLIENT_SECRET: &str = "bench client secret";
const WHATSAPP_SECRET: &str = r#"{"account_sid":"AC0123","auth_token":"bench token"}"#;
const WEBHOOK_SECRET: &str = "whsec_YmVuY2ggd2ViaG9vayBzZWNyZXQ=";
/// How long an access token lives.
const SESSION: Duration = Duration::from_hours(2);
/// TLS handshakes before each measurement.
const WARM_UP_HANDSHAKES: usize = 3;
/// The DER header of an Ed25519 public key (RFC 8410 §4).
const SPKI_HEADER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

pub(crate) struct Fakes {
    parties: Arc<Parties>,
    plain: Server,
    tls: Server,
    connector: TlsConnector,
}

struct Parties {
    state_key: Ed25519KeyPair,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: BTreeMap<String, usize>,
    arrivals: BTreeMap<String, Instant>,
    problems: Vec<String>,
    /// The one item of the attempt table, in DynamoDB's JSON.
    attempt: Value,
    /// The one item of the token table.
    connection: Value,
    salesforce_delay: Duration,
}

impl Fakes {
    /// Starts them, and writes their root certificate to `root_file`.
    pub(crate) async fn start(root_file: &Path) -> Result<Self, Failed> {
        let state_key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).map_err(|_| "no key")?;
        let parties = Arc::new(Parties { state_key, state: Mutex::default() });
        let (acceptor, connector) = server::authority(root_file)?;
        Ok(Self { plain: parties.serve(None).await?, tls: parties.serve(Some(acceptor)).await?, connector, parties })
    }

    /// Makes some TLS handshakes, as AWS's endpoints do all the time: what is measured next finds the server's code in
    /// this core's caches.
    pub(crate) async fn warm_up(&self) -> Result<(), Failed> {
        for _handshake in 0..WARM_UP_HANDSHAKES {
            let tcp = TcpStream::connect(("127.0.0.1", self.tls.port)).await?;
            self.connector.connect("localhost".try_into()?, tcp).await?;
        }
        Ok(())
    }

    /// Where they all are.
    pub(crate) fn urls(&self, tls: bool) -> Urls {
        let url = if tls {
            format!("https://localhost:{}", self.tls.port)
        } else {
            format!("http://localhost:{}", self.plain.port)
        };
        Urls { aws: url.clone(), salesforce: url.clone(), whatsapp: url.clone(), bot: url }
    }

    /// A way to them over TLS that can be made long.
    pub(crate) async fn way(&self) -> io::Result<Way> {
        Way::to(self.tls.port).await
    }

    /// When an operation was called last.
    pub(crate) fn arrived_at(&self, operation: &str) -> Option<Instant> {
        self.parties.state().arrivals.get(operation).copied()
    }

    /// How often an operation was called so far.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.parties.state().calls.get(operation).copied().unwrap_or_default()
    }

    /// How many connections they have accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.plain.connections() + self.tls.connections()
    }

    /// # Errors
    /// The invalid requests so far.
    pub(crate) fn check(&self) -> Result<(), Failed> {
        let problems = std::mem::take(&mut self.parties.state().problems);
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
    }

    /// The key that signs states.
    pub(crate) fn state_key(&self) -> &Ed25519KeyPair {
        &self.parties.state_key
    }

    /// Its public half, as the functions have it.
    pub(crate) fn public_state_key(&self) -> Result<StateKey, Failed> {
        Ok(StateKey::from_der(&self.parties.public_key())?)
    }

    /// Its public half in base64, as the AWS CLI prints it.
    pub(crate) fn public_state_key_base64(&self) -> String {
        STANDARD.encode(self.parties.public_key())
    }

    /// Makes Salesforce take this long for each response.
    pub(crate) fn delay_salesforce(&self, delay: Duration) {
        self.parties.state().salesforce_delay = delay;
    }

    /// Puts this item into the attempt table, in place of the one before.
    pub(crate) fn put_attempt(&self, item: Value) {
        self.parties.state().attempt = item;
    }

    /// The same with the token table; `null` for none.
    pub(crate) fn put_connection(&self, item: Value) {
        self.parties.state().connection = item;
    }
}

type Problem = String;

impl Parties {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(self: &Arc<Self>, tls: Option<TlsAcceptor>) -> io::Result<Server> {
        let parties = Arc::clone(self);
        let scheme = if tls.is_some() { "https" } else { "http" };
        Server::start(tls, move |request| {
            let parties = Arc::clone(&parties);
            async move { parties.answer(scheme, &request).await }
        })
        .await
    }

    async fn answer(&self, scheme: &str, request: &Request<Bytes>) -> Answer {
        let arrived_at = Instant::now();
        let answered = if header(request, "x-amz-target").is_ok() {
            self.aws(request)
        } else {
            self.others(scheme, request).await
        };
        match answered {
            Ok((operation, status, body)) => {
                let mut state = self.state();
                state.arrivals.insert(operation.clone(), arrived_at);
                *state.calls.entry(operation).or_default() += 1;
                drop(state);
                server::json(status, if status == 204 { String::new() } else { body.to_string() })
            }
            Err(problem) => {
                let problem = format!("{} {}: {problem}", request.method(), request.uri().path());
                self.state().problems.push(problem);
                server::json(400, r#"{"__type":"ValidationException","message":"see the output of the bench"}"#)
            }
        }
    }

    fn aws(&self, request: &Request<Bytes>) -> Result<(String, u16, Value), Problem> {
        let target = header(request, "x-amz-target")?;
        let (service, operation) = target.split_once('.').ok_or("no operation")?;
        check_signature(request, service)?;
        let body: Value = serde_json::from_slice(request.body()).map_err(|error| error.to_string())?;
        let text = |name: &str| body[name].as_str().ok_or_else(|| format!("no {name}"));
        let bytes = |name: &str| STANDARD.decode(text(name)?).map_err(|error| error.to_string());
        let answer = match operation {
            "GetQueueAttributes" => {
                json!({ "Attributes": { "QueueArn": "arn:aws:sqs:us-east-1:111122223333:exchange" } })
            }
            "SendMessage" => {
                if text("QueueUrl")?.ends_with("/exchange") {
                    exchange::Body::parse(text("MessageBody")?).map_err(|error| error.to_string())?;
                }
                json!({ "MessageId": "5fea7756-0ea4-451a-a703-a558b933e274" })
            }
            "GetPublicKey" => json!({
                "KeyId": text("KeyId")?, "KeySpec": "ECC_NIST_EDWARDS25519", "KeyUsage": "SIGN_VERIFY",
                "PublicKey": STANDARD.encode(self.public_key()),
            }),
            "Sign" => json!({
                "KeyId": text("KeyId")?, "SigningAlgorithm": "ED25519_SHA_512",
                "Signature": STANDARD.encode(self.state_key.sign(&bytes("Message")?)),
            }),
            "GenerateMac" => {
                json!({ "Mac": STANDARD.encode(kms_mac(text("KeyId")?, &bytes("Message")?)) })
            }
            "BatchGetSecretValue" => {
                let names = body["SecretIdList"].as_array().ok_or("no SecretIdList")?;
                let values: Vec<_> = names
                    .iter()
                    .map(|name| json!({ "Name": name, "ARN": "arn:aws:secretsmanager:bench", "SecretString": secret(name) }))
                    .collect();
                json!({ "SecretValues": values, "Errors": [] })
            }
            "GetItem" if text("TableName")?.contains("attempt") => json!({ "Item": self.state().attempt }),
            "GetItem" => match &self.state().connection {
                Value::Null => json!({}),
                connection => json!({ "Item": connection }),
            },
            "GenerateDataKey" => {
                json!({ "KeyId": text("KeyId")?, "Plaintext": STANDARD.encode([7; 32]), "CiphertextBlob": STANDARD.encode([8; 184]) })
            }
            "UpdateItem" => {
                text("ConditionExpression")?;
                json!({})
            }
            "TransactWriteItems" => {
                body["TransactItems"].as_array().filter(|items| items.len() == 2).ok_or("not two writes")?;
                json!({})
            }
            _ => return Err(format!("{target} is not expected")),
        };
        Ok((operation.to_owned(), 200, answer))
    }

    /// Salesforce, Twilio and the bot.
    async fn others(&self, scheme: &str, request: &Request<Bytes>) -> Result<(String, u16, Value), Problem> {
        let form: BTreeMap<_, _> = form_urlencoded::parse(request.body()).into_owned().collect();
        let field = |name: &str| form.get(name).filter(|text| !text.is_empty()).ok_or_else(|| format!("no {name}"));
        let authorization = header(request, "authorization");
        let delay = self.state().salesforce_delay;
        let (operation, status, answer) = match (request.method(), request.uri().path()) {
            (&Method::POST, "/services/oauth2/token") => {
                let needed: &[_] = match field("grant_type")?.as_str() {
                    "authorization_code" => &["code", "client_id", "redirect_uri", "code_verifier"],
                    "refresh_token" => &["refresh_token", "client_id"],
                    _ => return Err("wrong grant type".to_owned()),
                };
                for name in needed {
                    field(name)?;
                }
                expect(field("client_secret")? == CLIENT_SECRET, "wrong client secret")?;
                sleep(delay).await;
                ("token", 200, tokens(&format!("{scheme}://{}", header(request, "host")?)))
            }
            (&Method::POST, "/services/oauth2/introspect") => {
                field("token")?;
                sleep(delay).await;
                ("introspect", 200, json!({ "active": true, "exp": process::now().plus(SESSION).seconds() }))
            }
            (&Method::GET, "/services/oauth2/userinfo") => {
                expect(authorization?.starts_with("Bearer 00D"), "no access token")?;
                sleep(delay).await;
                ("userinfo", 200, json!({ "preferred_username": "ada@example.com" }))
            }
            (&Method::POST, "/2010-04-01/Accounts/AC0123/Messages.json") => {
                expect(authorization?.starts_with("Basic "), "no credentials")?;
                for name in ["From", "To", "Body"] {
                    field(name)?;
                }
                ("message", 201, json!({ "sid": "SM0123", "status": "queued" }))
            }
            (&Method::POST, "/events") => {
                for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
                    header(request, name)?;
                }
                let event: Value = serde_json::from_slice(request.body()).map_err(|error| error.to_string())?;
                expect(event["specversion"] == "1.0", "not a CloudEvent")?;
                ("event", 204, Value::Null)
            }
            _ => return Err("not expected".to_owned()),
        };
        Ok((operation.to_owned(), status, answer))
    }

    fn public_key(&self) -> Vec<u8> {
        [&SPKI_HEADER, self.state_key.public_key().as_ref()].concat()
    }
}

/// The key of links that KMS derives from this one.
pub(crate) fn link_key(key_id: &str) -> Result<LinkKey, Failed> {
    let mac: [u8; 32] = kms_mac(key_id, LinkKey::DERIVED_FROM).as_ref().try_into()?;
    Ok(LinkKey::new(Box::new(mac).into()))
}

fn kms_mac(key_id: &str, message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key_id.as_bytes()), message)
}

fn secret(name: &Value) -> &'static str {
    match name.as_str() {
        Some("sf_client_secret") => CLIENT_SECRET,
        Some("whatsapp") => WHATSAPP_SECRET,
        Some("bot_webhook") => WEBHOOK_SECRET,
        _ => "bench client id",
    }
}

/// The response of the token endpoint at this address.
fn tokens(origin: &str) -> Value {
    let id = "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS";
    let issued_at = process::now().millis().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, CLIENT_SECRET.as_bytes());
    let signature = hmac::sign(&key, format!("{id}{issued_at}").as_bytes());
    json!({
        "access_token": "00Dxx0000001gPL!AQwAQBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBenchBench",
        "refresh_token": "5Aep861BenchBenchBenchBenchBenchBenchBenchBenchBenchBench",
        "signature": STANDARD.encode(signature), "scope": "api refresh_token", "instance_url": origin,
        "id": id, "token_type": "Bearer", "issued_at": issued_at,
    })
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Result<&'a str, Problem> {
    request.headers().get(name).and_then(|value| value.to_str().ok()).ok_or_else(|| format!("no header {name}"))
}

fn expect(holds: bool, otherwise: &str) -> Result<(), Problem> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

/// Checks the signature (Signature Version 4) by the bench's credentials for this service.
fn check_signature(request: &Request<Bytes>, target: &str) -> Result<(), Problem> {
    let service = match target {
        "AmazonSQS" => "sqs",
        "TrentService" => "kms",
        "secretsmanager" => "secretsmanager",
        _ if target.starts_with("DynamoDB") => "dynamodb",
        _ => return Err(format!("{target} belongs to no service that is used")),
    };
    expect(header(request, "x-amz-security-token")? == SESSION_TOKEN, "wrong session token")?;
    let authorization = header(request, "authorization")?;
    let part = |name: &str| {
        let found = authorization.split([' ', ',']).find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        found.ok_or_else(|| format!("no {name}"))
    };
    let date = header(request, "x-amz-date")?;
    let day = date.get(..8).ok_or("no day")?;
    let scope = format!("{day}/{REGION}/{service}/aws4_request");
    expect(part("Credential")? == format!("{ACCESS_KEY}/{scope}"), "wrong scope")?;

    let names = part("SignedHeaders")?;
    let mut canonical = format!("{}\n{}\n\n", request.method(), request.uri().path());
    for name in names.split(';') {
        let _ = writeln!(canonical, "{name}:{}", header(request, name)?.trim());
    }
    let _ = write!(canonical, "\n{names}\n{}", hex(digest(&SHA256, request.body()).as_ref()));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(digest(&SHA256, canonical.as_bytes()).as_ref()));
    let key = [day, REGION, service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{SECRET_KEY}").into_bytes(), |key, part| mac(&key, part).as_ref().to_vec());
    expect(part("Signature")? == hex(mac(&key, &text).as_ref()), "wrong signature")
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
