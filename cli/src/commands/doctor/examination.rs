//! The examinations: each asks what it needs and hands it to a judgement in [`super::finding`]. One
//! that cannot be made is a finding itself.

use std::time::Duration;

use reqwest::Url;
use shared::{
    LoginUrl, Status,
    aws::{
        partition,
        secrets::{SecretStore, Source},
    },
    timestamp::Clock,
};

use super::{
    finding::{self, Finding},
    policy::{self, Context},
};
use crate::{
    aws::{AttemptTable, Functions, Keys, Presence, Queue, Roles, SecretsManager, Settings, Topics},
    error::Error,
    parties::{ask_for_link, ask_meta, ask_salesforce, ask_twilio, probe_page, probe_webhook},
    report::Progress,
    target::Target,
};

/// How far back attempts are looked for that nobody holds any more.
const STUCK_SINCE: Duration = Duration::from_hours(24);
/// How policies tell one use of a key from another.
const VIA: &str = "kms:ViaService";
const PURPOSE: &str = "kms:EncryptionContext:purpose";
/// A chat that is nobody's. Links are stored nowhere, so one for it leaves no trace.
const NOBODY: &str = "whatsapp:+00000000";

/// The stack on the table: its functions' settings are read once.
pub(super) struct Patient<'a> {
    target: &'a Target,
    clock: Clock,
    connect_link: Function,
    receiver: Function,
    exchanger: Function,
    notifier: Function,
}

struct Function {
    output: &'static str,
    name: String,
    settings: Settings,
}

impl Function {
    /// The name that it has in the template's outputs, in words.
    fn title(&self) -> &'static str {
        self.output.strip_suffix("FunctionName").unwrap_or(self.output)
    }
}

impl<'a> Patient<'a> {
    pub(super) async fn admit(target: &'a Target, clock: Clock) -> Result<Self, Error> {
        let functions = Functions::new(&target.aws);
        let read = async |output| {
            let name = target.stack.output(output)?.to_owned();
            let settings = functions.settings(&name, clock()).await?;
            Ok::<_, Error>(Function { output, name, settings })
        };
        Ok(Self {
            target,
            clock,
            connect_link: read("ConnectLinkFunctionName").await?,
            receiver: read("CallbackReceiverFunctionName").await?,
            exchanger: read("TokenExchangerFunctionName").await?,
            notifier: read("NotifierFunctionName").await?,
        })
    }

    pub(super) async fn examine(&self) -> Vec<Finding> {
        let mut progress = Progress::of("checks");
        let mut findings = Vec::new();
        let mut done = 0;
        let mut note = |check: &'static str, found: Result<Vec<Finding>, Error>| {
            done += 1;
            progress.show(done, None);
            findings.extend(found.unwrap_or_else(|error| vec![finding::unexamined(check, &error)]));
        };
        note("secrets", self.secrets().await);
        note("callback", self.callback().await);
        note("login-urls", Ok(self.login_urls()));
        note("callback", self.page().await);
        note("salesforce", self.salesforce().await);
        note("kms", self.kms().await);
        note("visibility", self.visibility().await);
        note("event-sources", self.event_sources().await);
        note("webhook", self.webhook().await);
        note("whatsapp", self.whatsapp().await);
        note("alarms", self.alarms().await);
        note("queues", self.queues().await);
        note("attempts", self.attempts().await);
        findings
    }

    async fn secrets(&self) -> Result<Vec<Finding>, Error> {
        let manager = SecretsManager::new(&self.target.aws);
        let exchanger = ["SF_CLIENT_ID_SECRET_NAME", "SF_CLIENT_SECRET_SECRET_NAME", "SF_CALLBACK_URI_SECRET_NAME"];
        let notifier = ["WHATSAPP_SECRET_NAME", "BOT_WEBHOOK_SECRET_NAME"];
        let names = exchanger.into_iter().map(|name| self.exchanger.settings.get(name));
        let names = names.chain(notifier.into_iter().map(|name| self.notifier.settings.get(name)));
        let mut findings = Vec::new();
        for name in names.flatten() {
            findings.push(finding::secret(name, manager.presence(name).await?));
        }
        Ok(findings)
    }

    /// A secret's value, as the functions read it.
    async fn secret(&self, name: &str) -> Result<String, Error> {
        if SecretsManager::new(&self.target.aws).presence(name).await? != Presence::There {
            return Err(Error::NothingMatched(format!("the secret {name} is missing")));
        }
        let source = Source::Secret(name.to_owned());
        let failed = |error: &dyn std::error::Error| Error::failed("read a secret", error.to_string());
        let secrets =
            SecretStore::new(&self.target.aws, [&source]).current((self.clock)()).await.map_err(|e| failed(&e))?;
        secrets.get(&source).map(str::to_owned).map_err(|e| failed(&e))
    }

    /// The callback address that a function has, if not this API's own.
    async fn callback_of(&self, function: &Function) -> Result<String, Error> {
        match (function.settings.get("SF_REDIRECT_URI"), function.settings.get("SF_CALLBACK_URI_SECRET_NAME")) {
            (Some(uri), _) => Ok(uri.to_owned()),
            (None, Some(secret)) => self.secret(secret).await,
            (None, None) => self.target.own_url("/callback"),
        }
    }

    async fn callback(&self) -> Result<Vec<Finding>, Error> {
        let mut given = Vec::new();
        for function in [&self.connect_link, &self.exchanger, &self.notifier] {
            given.push((function.title(), self.callback_of(function).await?));
        }
        Ok(vec![finding::callback(&given, &self.target.own_url("/callback")?)])
    }

    /// A link's page. Without what is found elsewhere, connect-link does not even start.
    async fn page(&self) -> Result<Vec<Finding>, Error> {
        let callback = self.callback_of(&self.connect_link).await?;
        if let Some(name) = self.connect_link.settings.get("SF_CLIENT_ID_SECRET_NAME") {
            self.secret(name).await?;
        }
        if finding::login_urls(self.connect_link.settings.get("LOGIN_URLS")).iter().any(Finding::is_wrong) {
            return Err(Error::NothingMatched("connect-link has a login address that is unusable".to_owned()));
        }
        let nobody = NOBODY.parse().map_err(|_| Error::failed("make a link", "there is no nobody"))?;
        let link =
            ask_for_link(&self.target.aws, &self.target.own_url("/links")?, &nobody, None, (self.clock)()).await?;
        let unusable = |_| Error::failed("open a link's page", "its address is none");
        let page = link.url.parse::<Url>().map_err(unusable)?;
        Ok(vec![finding::page(&callback, probe_page(&page).await?)])
    }

    fn login_urls(&self) -> Vec<Finding> {
        let functions = [&self.connect_link, &self.receiver, &self.exchanger, &self.notifier];
        finding::login_urls(functions.into_iter().filter_map(|function| function.settings.get("LOGIN_URLS")))
    }

    async fn salesforce(&self) -> Result<Vec<Finding>, Error> {
        let settings = &self.exchanger.settings;
        let client_id = match settings.get("SF_CLIENT_ID_SECRET_NAME") {
            Some(name) => self.secret(name).await?,
            None => settings.get("SF_CLIENT_ID").unwrap_or_default().to_owned(),
        };
        let callback = self.callback_of(&self.connect_link).await?;
        let mut findings = Vec::new();
        let hosts = settings.get("LOGIN_URLS").unwrap_or_default().split(',').map(str::trim);
        for host in hosts.filter(|host| host.parse::<LoginUrl>().is_ok()) {
            findings.push(finding::app(host, &ask_salesforce(host, &client_id, &callback).await?));
        }
        Ok(findings)
    }

    /// What each function does with each key, by the roles' policies and the keys' own.
    async fn kms(&self) -> Result<Vec<Finding>, Error> {
        let region = self.target.aws.region().map_or("us-east-1", |region| region.as_ref());
        let domain = partition::domain(region);
        let [queue, table] = ["sqs", "dynamodb"].map(|service| format!("{service}.{region}.{domain}"));
        let (queue, table): (&Context<'_>, &Context<'_>) = (&[(VIA, &queue)], &[(VIA, &table)]);
        let (links, tokens): (&Context<'_>, &Context<'_>) = (&[(PURPOSE, "connect-link")], &[(PURPOSE, "checkpoint")]);
        let signing: &Context<'_> = &[("kms:SigningAlgorithm", "ED25519_SHA_512"), ("kms:MessageType", "RAW")];
        let mac: &Context<'_> = &[("kms:MacAlgorithm", "HMAC_SHA_256")];
        let uses: [(&Function, &str, &[&str], &Context<'_>); 12] = [
            (&self.connect_link, "EncryptionKey", &["kms:Encrypt", "kms:Decrypt"], links),
            (&self.connect_link, "StateKey", &["kms:Sign"], signing),
            (&self.connect_link, "StateKey", &["kms:GetPublicKey"], &[]),
            (&self.connect_link, "PkceKey", &["kms:GenerateMac"], mac),
            (&self.receiver, "EncryptionKey", &["kms:GenerateDataKey", "kms:Decrypt"], queue),
            (&self.receiver, "StateKey", &["kms:GetPublicKey"], &[]),
            (&self.exchanger, "EncryptionKey", &["kms:GenerateDataKey", "kms:Decrypt"], queue),
            (&self.exchanger, "EncryptionKey", &["kms:Decrypt"], table),
            (&self.exchanger, "EncryptionKey", &["kms:GenerateDataKey", "kms:Decrypt"], tokens),
            (&self.exchanger, "PkceKey", &["kms:GenerateMac"], mac),
            (&self.notifier, "EncryptionKey", &["kms:Encrypt"], links),
            (&self.notifier, "EncryptionKey", &["kms:Decrypt"], table),
        ];
        let (keys, roles) = (Keys::new(&self.target.aws), Roles::new(&self.target.aws));
        let mut findings = Vec::new();
        for logical in ["EncryptionKey", "StateKey", "PkceKey"] {
            let gone = || Error::failed("find the key", format!("the stack has no {logical}"));
            let key = keys.read(self.target.stack.resource(logical).ok_or_else(gone)?).await?;
            if key.state != "Enabled" {
                let text = format!("the key {logical} is {}", key.state);
                findings.push(Finding::wrong("kms", text, format!("aws kms enable-key --key-id {}", key.arn)));
                continue;
            }
            for (function, _, actions, context) in uses.iter().filter(|(_, used, ..)| *used == logical) {
                let role_arn = &function.settings.role_arn;
                let statements = roles.statements(role_arn.rsplit('/').next().unwrap_or_default()).await?;
                for action in *actions {
                    let who = match (
                        policy::allows(&statements, action, &key.arn, context),
                        policy::key_allows(&key.statements, action, role_arn),
                    ) {
                        (true, true) => continue,
                        (false, _) => format!("{}'s role", function.title()),
                        (true, false) => "the key's own policy".to_owned(),
                    };
                    let text = format!("{} may not {action} with {logical}: {who} does not allow it", function.title());
                    let finding =
                        Finding::wrong("kms", text, "deploy again: the template gives just these permissions");
                    // A permission may be missing for two uses.
                    if !findings.contains(&finding) {
                        findings.push(finding);
                    }
                }
            }
        }
        if findings.is_empty() {
            findings.push(Finding::well("kms", "the keys are enabled, and each function may use its own"));
        }
        Ok(findings)
    }

    async fn visibility(&self) -> Result<Vec<Finding>, Error> {
        let queue = Queue::new(&self.target.aws, self.target.stack.output("ExchangeQueueUrl")?);
        Ok(vec![finding::visibility(queue.visibility_seconds().await?, self.exchanger.settings.timeout_seconds)])
    }

    async fn event_sources(&self) -> Result<Vec<Finding>, Error> {
        let functions = Functions::new(&self.target.aws);
        let mut findings = Vec::new();
        for function in [&self.exchanger, &self.notifier] {
            findings.extend(finding::event_sources(
                function.title(),
                &functions.event_sources(&function.name, (self.clock)()).await?,
            ));
        }
        Ok(findings)
    }

    async fn webhook(&self) -> Result<Vec<Finding>, Error> {
        let Some(url) = self.notifier.settings.get("BOT_WEBHOOK_URL") else { return Ok(Vec::new()) };
        let url: Url = url.parse().map_err(|_| Error::failed("probe the bot's webhook", "its address is none"))?;
        Ok(vec![finding::webhook(probe_webhook(&url).await?)])
    }

    async fn whatsapp(&self) -> Result<Vec<Finding>, Error> {
        let settings = &self.notifier.settings;
        let Some(name) = settings.get("WHATSAPP_SECRET_NAME") else { return Ok(Vec::new()) };
        let credentials = self.secret(name).await?;
        let base = settings.get("WHATSAPP_API_URL").map(Url::parse).transpose();
        let base = base.map_err(|_| Error::failed("ask WhatsApp's provider", "its address is none"))?;
        let provider = settings.get("WHATSAPP_PROVIDER").unwrap_or_default();
        let standing = match provider {
            "Meta" => ask_meta(base.as_ref(), &credentials).await?,
            _ => ask_twilio(base.as_ref(), &credentials).await?,
        };
        Ok(vec![finding::whatsapp(provider, name, standing)])
    }

    async fn alarms(&self) -> Result<Vec<Finding>, Error> {
        let topics = Topics::new(&self.target.aws);
        let mut findings = Vec::new();
        for (_, arn) in self.target.stack.of_kind("AWS::SNS::Topic") {
            findings.push(finding::alarms(topics.subscriptions(arn).await?));
        }
        Ok(findings)
    }

    async fn queues(&self) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        for (what, output, remedy) in [
            ("dead letters", "ExchangeDlqUrl", "`wasf dlq list` says why; mend the cause, then `wasf dlq redrive`"),
            (
                "outcomes that could not be told",
                "NotifierFailureQueueUrl",
                "`wasf events redeliver --since 14d`, then purge the notifier's failure queue",
            ),
        ] {
            let counts = Queue::new(&self.target.aws, self.target.stack.output(output)?).counts().await?;
            findings.push(finding::queue(what, counts.waiting + counts.in_flight, remedy));
        }
        Ok(findings)
    }

    async fn attempts(&self) -> Result<Vec<Finding>, Error> {
        let attempts = AttemptTable::new(&self.target.aws, self.target.stack.output("AttemptTableName")?);
        let now = (self.clock)();
        let mut progress = Progress::of("attempts looked at");
        let held = attempts.since(now.minus(STUCK_SINCE), &[Status::Exchanging], false, &mut progress).await?;
        let stuck = held.iter().filter(|attempt| attempt.is_stuck(now)).count();
        Ok(vec![finding::stuck(stuck)])
    }
}
