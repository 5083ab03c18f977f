//! The checks: each reads what it needs and passes it to a judgement in [`super::finding`]. A check that cannot run is a
//! finding itself.

mod attempts;
mod salesforce;
mod secrets;

use reqwest::Url;
use shared::{aws::partition, timestamp::Clock};

use super::{
    super::{alarms, key_policy},
    bus, custody, deployment,
    finding::{self, Finding},
    proof,
    safety::{self, Concurrency},
    tables, trouble,
};
use crate::{
    aws::{Context, Functions, Keys, Queue, Roles, Settings, TableSettings, Tables, Topics},
    error::Error,
    parties::{TEST_CHAT, check_meta, check_twilio, probe_page, probe_webhook, request_link},
    report::Progress,
    target::Target,
};

/// The condition keys by which policies distinguish the uses of a key.
const VIA: &str = "kms:ViaService";
const PURPOSE: &str = "kms:EncryptionContext:purpose";

/// The stack that is checked. Its functions' settings are read once.
pub(super) struct Checks<'a> {
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
    /// As in the template's outputs: `TokenExchanger`.
    fn title(&self) -> &'static str {
        self.output.strip_suffix("FunctionName").unwrap_or(self.output)
    }
}

impl<'a> Checks<'a> {
    pub(super) async fn prepare(target: &'a Target, clock: Clock) -> Result<Self, Error> {
        let functions = Functions::new(&target.aws);
        let read = async |output| {
            let name = target.stack.output(output)?.to_owned();
            let settings = functions.settings(&name).await?;
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

    pub(super) async fn run(&self) -> Vec<Finding> {
        let mut progress = Progress::of("checks");
        let mut findings = Vec::new();
        let mut done = 0;
        let mut add = |check: &'static str, found: Result<Vec<Finding>, Error>| {
            done += 1;
            progress.show(done, None);
            findings.extend(found.unwrap_or_else(|error| vec![finding::unchecked(check, &error)]));
        };
        add("environment", Ok(self.environment()));
        add("secrets", self.secrets().await);
        add("callback", self.callback().await);
        add("login-urls", Ok(self.login_urls()));
        add("callback", self.page().await);
        add("salesforce", self.salesforce().await);
        add("kms", self.kms().await);
        add("visibility", self.visibility().await);
        add("event-sources", self.event_sources().await);
        add("webhook", self.webhook().await);
        add("event-bus", self.event_bus().await);
        add("whatsapp", self.whatsapp().await);
        add("alarms", self.alarms().await);
        add("firing", self.firing().await);
        add("queues", self.queues().await);
        add("tables", self.tables().await);
        add("attempts", self.attempts().await);
        add("safety", Ok(safety::settings(|name| self.target.stack.parameter(name).to_owned())));
        add("concurrency", self.concurrency().await);
        add("custody", Ok(custody::check(self.target, self.clock).await));
        add("chat-proof", Ok(proof::check(self.target, self.clock).await));
        findings
    }

    fn environment(&self) -> Vec<Finding> {
        let functions = [&self.connect_link, &self.receiver, &self.exchanger, &self.notifier];
        let judge = |function: &&Function| {
            deployment::environment(function.title(), |name| function.settings.get(name).map(str::to_owned))
        };
        let of_pages = [&self.connect_link, &self.receiver].into_iter().flat_map(|function| {
            deployment::brand(function.title(), |name| function.settings.get(name).map(str::to_owned))
        });
        functions.iter().filter_map(judge).chain(of_pages).collect()
    }

    /// A function's callback URL: its setting, its secret, or the API's own.
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

    /// A link's page. If its settings are missing or invalid, which other checks find, connect-link does not start.
    async fn page(&self) -> Result<Vec<Finding>, Error> {
        let callback = self.callback_of(&self.connect_link).await?;
        if let Some(name) = self.connect_link.settings.get("SF_CLIENT_ID_SECRET_NAME") {
            self.secret(name).await?;
        }
        if finding::login_urls(self.connect_link.settings.get("LOGIN_URLS")).iter().any(Finding::is_problem) {
            return Err(Error::NothingMatched("a login host of connect-link is invalid".to_owned()));
        }
        let chat = TEST_CHAT.parse().map_err(|_| Error::failed("get a link", "the test chat's address is invalid"))?;
        let link = request_link(&self.target.aws, &self.target.own_url("/links")?, &chat, None, (self.clock)()).await?;
        let invalid = |_| Error::failed("open the link page", "invalid URL");
        let page = link.url.parse::<Url>().map_err(invalid)?;
        Ok(vec![finding::page(&callback, probe_page(&page).await?)])
    }

    fn login_urls(&self) -> Vec<Finding> {
        let functions = [&self.connect_link, &self.receiver, &self.exchanger, &self.notifier];
        finding::login_urls(functions.into_iter().filter_map(|function| function.settings.get("LOGIN_URLS")))
    }

    /// What each function does with each key, by the policies of its role and of the key.
    async fn kms(&self) -> Result<Vec<Finding>, Error> {
        let region = self.target.aws.region().map_or("us-east-1", |region| region.as_ref());
        let domain = partition::domain(region);
        let [queue, table] = ["sqs", "dynamodb"].map(|service| format!("{service}.{region}.{domain}"));
        let (queue, table): (&Context<'_>, &Context<'_>) = (&[(VIA, &queue)], &[(VIA, &table)]);
        let tokens: &Context<'_> = &[(PURPOSE, "checkpoint")];
        let signing: &Context<'_> = &[("kms:SigningAlgorithm", "ED25519_SHA_512"), ("kms:MessageType", "RAW")];
        let mac: &Context<'_> = &[("kms:MacAlgorithm", "HMAC_SHA_256")];
        let uses: [(&Function, &str, &[&str], &Context<'_>); 15] = [
            (&self.connect_link, "EncryptionKey", &["kms:Decrypt"], table),
            (&self.connect_link, "LinkKey", &["kms:GenerateMac"], mac),
            (&self.connect_link, "StateKey", &["kms:Sign"], signing),
            (&self.connect_link, "StateKey", &["kms:GetPublicKey"], &[]),
            (&self.connect_link, "PkceKey", &["kms:GenerateMac"], mac),
            (&self.receiver, "EncryptionKey", &["kms:GenerateDataKey", "kms:Decrypt"], queue),
            (&self.receiver, "StateKey", &["kms:GetPublicKey"], &[]),
            (&self.exchanger, "EncryptionKey", &["kms:GenerateDataKey", "kms:Decrypt"], queue),
            (&self.exchanger, "EncryptionKey", &["kms:Decrypt"], table),
            (&self.exchanger, "EncryptionKey", &["kms:GenerateDataKey", "kms:Decrypt"], tokens),
            (&self.exchanger, "TokenKey", &["kms:Decrypt"], table),
            (&self.exchanger, "StateKey", &["kms:GetPublicKey"], &[]),
            (&self.exchanger, "PkceKey", &["kms:GenerateMac"], mac),
            (&self.notifier, "LinkKey", &["kms:GenerateMac"], mac),
            (&self.notifier, "EncryptionKey", &["kms:Decrypt"], table),
        ];
        let (keys, roles) = (Keys::new(&self.target.aws), Roles::new(&self.target.aws));
        let mut findings = Vec::new();
        for logical in ["EncryptionKey", "StateKey", "PkceKey", "LinkKey", "TokenKey"] {
            let key = match self.target.stack.resource(logical) {
                Some(id) => keys.read(id).await?,
                // A table that the stack did not make has a key of its owner's.
                None if logical == "TokenKey" && self.target.stack.parameter("CreateTokenTable") == "No" => continue,
                None => return Err(Error::failed("find the key", format!("the stack has no {logical}; deploy again"))),
            };
            if key.state != "Enabled" {
                findings.push(finding::unusable_key(logical, &key.arn, &key.state));
                continue;
            }
            for (function, _, actions, context) in uses.iter().filter(|(_, used, ..)| *used == logical) {
                let role_arn = &function.settings.role_arn;
                let by_role = roles.denied(role_arn, actions, &key.arn, context).await?;
                let by_key = actions.iter().filter(|action| !key_policy::allows(&key.statements, action, role_arn));
                let by_role = by_role.iter().map(|action| (action.as_str(), "its role's policies do not allow it"));
                let by_key = by_key.map(|action| (*action, "the key's policy does not allow it"));
                for (action, why) in by_role.chain(by_key) {
                    let finding = finding::key_denied(function.title(), action, logical, why);
                    // Several uses may lack the same permission.
                    if !findings.contains(&finding) {
                        findings.push(finding);
                    }
                }
            }
        }
        if findings.is_empty() {
            findings.push(Finding::ok("kms", "the keys are enabled, and each function may use its own"));
        }
        Ok(findings)
    }

    async fn concurrency(&self) -> Result<Vec<Finding>, Error> {
        let functions = Functions::new(&self.target.aws);
        Ok(vec![safety::concurrency(Concurrency {
            account: functions.account_limit().await?,
            maximum: self.target.stack.parameter("MaximumConcurrency").parse().unwrap_or_default(),
            receiver: functions.reserved(&self.receiver.name).await?,
            exchanger: functions.reserved(&self.exchanger.name).await?,
        })])
    }

    async fn visibility(&self) -> Result<Vec<Finding>, Error> {
        let queue = Queue::new(&self.target.aws, self.target.stack.output("ExchangeQueueUrl")?);
        Ok(vec![finding::visibility(queue.visibility_seconds().await?, self.exchanger.settings.timeout_seconds)])
    }

    async fn event_sources(&self) -> Result<Vec<Finding>, Error> {
        let functions = Functions::new(&self.target.aws);
        let mut findings = Vec::new();
        for function in [&self.exchanger, &self.notifier] {
            findings.extend(finding::event_sources(function.title(), &functions.event_sources(&function.name).await?));
        }
        Ok(findings)
    }

    async fn webhook(&self) -> Result<Vec<Finding>, Error> {
        let Some(url) = self.notifier.settings.get("BOT_WEBHOOK_URL") else { return Ok(Vec::new()) };
        let url: Url = url
            .parse()
            .map_err(|_| Error::failed("probe the bot's webhook", "invalid URL; correct BotWebhookUrl and deploy"))?;
        Ok(vec![finding::webhook(probe_webhook(&url).await?)])
    }

    async fn event_bus(&self) -> Result<Vec<Finding>, Error> {
        let Some(name) = self.notifier.settings.get("EVENT_BUS_NAME") else { return Ok(Vec::new()) };
        bus::check(self.target, name, &self.notifier.settings.role_arn, self.clock).await
    }

    async fn whatsapp(&self) -> Result<Vec<Finding>, Error> {
        let settings = &self.notifier.settings;
        let Some(name) = settings.get("WHATSAPP_SECRET_NAME") else { return Ok(Vec::new()) };
        let credentials = self.secret(name).await?;
        let base = settings.get("WHATSAPP_API_URL").map(Url::parse).transpose();
        let base = base.map_err(|_| {
            Error::failed("check the WhatsApp credentials", "invalid URL; correct WhatsAppApiUrl and deploy")
        })?;
        let provider = settings.get("WHATSAPP_PROVIDER").unwrap_or_default();
        let status = match provider {
            "Meta" => check_meta(base.as_ref(), &credentials).await?,
            _ => check_twilio(base.as_ref(), &credentials).await?,
        };
        Ok(vec![finding::whatsapp(provider, name, status)])
    }

    async fn alarms(&self) -> Result<Vec<Finding>, Error> {
        let topics = Topics::new(&self.target.aws);
        let mut findings = Vec::new();
        for (_, arn) in self.target.stack.of_kind("AWS::SNS::Topic") {
            findings.push(finding::alarms(topics.subscriptions(arn).await?));
        }
        Ok(findings)
    }

    async fn firing(&self) -> Result<Vec<Finding>, Error> {
        let (found, missing) = alarms::of_stack(self.target, self.clock).await?;
        Ok(trouble::alarms(&found, &missing, (self.clock)()))
    }

    async fn queues(&self) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        for (what, output, meaning, remedy) in [
            (
                "dead letters",
                "ExchangeDlqUrl",
                "These consents were not exchanged in time.",
                "Run wasf dlq list for the reasons, fix the cause, then run wasf dlq redrive --confirm.",
            ),
            (
                "outcomes that were retried for a day",
                "NotifierRetryDlqUrl",
                "People or the bot were not notified of them.",
                "Fix the cause, which the notifier's log names, then run wasf events redrive --confirm.",
            ),
            (
                "outcomes that could not be handed over to the retry queue",
                "NotifierFailureQueueUrl",
                "People or the bot were not notified of them.",
                "Run wasf events redeliver --since 14d --confirm, then purge the notifier's failure queue.",
            ),
        ] {
            let counts = Queue::new(&self.target.aws, self.target.stack.output(output)?).counts().await?;
            findings.push(finding::queue(what, counts.waiting + counts.in_flight, meaning, remedy));
        }
        Ok(findings)
    }

    async fn tables(&self) -> Result<Vec<Finding>, Error> {
        let (stack, all) = (&self.target.stack, Tables::new(&self.target.aws));
        let name = stack.output("TokenTableName")?;
        let tokens = all.settings(name).await?;
        let mut findings = tables::tokens(name, tokens.as_ref(), stack.parameter("CreateTokenTable") == "No");
        findings.extend(self.key_of(name, tokens.as_ref()).await);
        let name = stack.output("AttemptTableName")?;
        let attempts = all.settings(name).await?;
        let notifier = Functions::new(&self.target.aws).event_sources(&self.notifier.name).await?;
        let adopted = stack.parameter("CreateAttemptTable") == "No";
        findings.extend(tables::attempts(name, attempts.as_ref(), &notifier, adopted));
        findings.extend(self.key_of(name, attempts.as_ref()).await);
        Ok(findings)
    }

    /// The key of a table that is not the stack's, such as an older stack's, if it cannot be used; the stack's own are
    /// checked by [`Self::kms`].
    async fn key_of(&self, name: &str, table: Option<&TableSettings>) -> Option<Finding> {
        let arn = table?.encryption_key.as_ref()?;
        let is_own = |(_, id): (&str, &str)| arn.ends_with(id);
        if self.target.stack.of_kind("AWS::KMS::Key").any(is_own) {
            return None;
        }
        match Keys::new(&self.target.aws).read(arn).await {
            Ok(key) if key.state == "Enabled" => None,
            Ok(key) => Some(finding::unusable_key(&format!("of {name}"), arn, &key.state)),
            Err(error) => Some(finding::unchecked("tables", &error)),
        }
    }
}
