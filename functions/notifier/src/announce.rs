//! One outcome's announcement: read what stands in the table, tell the person, tell the bot, mark.
//!
//! The person comes first, and the bot is then told how that went. Neither waits for the other to
//! succeed: a message that fails or takes too long is `pending` in the bot's event and is tried
//! again with the record, and a bot that is down leaves the message sent and marked.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use shared::{
    AttemptId, CallbackUri, Timestamp,
    aws::{
        SdkConfig,
        kms::{Kms, KmsError},
        secrets::{SecretStore, Secrets, SecretsError},
    },
    bot::{Bot, BotQueue, TellError, Telling, Webhook},
    callback_uri::InvalidCallbackUri,
    ledger::Mark,
    link::Link,
    metrics::Metric,
    process::{NoRandomness, Random},
    timestamp::Clock,
};
use tokio::time::timeout;
use tracing::warn;

use crate::{
    attempts::{Attempts, AttemptsError, Marked},
    config::Config,
    event::{Event, Message, event},
    outcome::{Ended, Outcome, OutcomeKey, Told, Unreadable},
    whatsapp::{self, Account, SendError},
};

/// One message, with a second try by template or with renewed credentials.
const MESSAGE_TIME: Duration = Duration::from_secs(8);
const CONNECT_TIME: Duration = Duration::from_secs(2);
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// Announces outcomes.
pub(crate) struct Announcer {
    config: Config,
    attempts: Attempts,
    secrets: SecretStore,
    aws: SdkConfig,
    /// Made for the first fresh link: most outcomes need none, and it is a tenth of a start.
    kms: OnceLock<Kms>,
    http: reqwest::Client,
    bot: Bot,
    clock: Clock,
    random: Random,
}

/// How far an announcement came.
pub(crate) struct Report {
    pub(crate) message: Message,
    pub(crate) bot_knows: bool,
    /// The item says that everyone knows.
    pub(crate) notified: bool,
    troubles: Vec<Stop>,
}

/// Why an announcement stops short. With all but `Needless` the record must come again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error("{0}")]
    Needless(&'static str),
    #[error(transparent)]
    Attempts(#[from] AttemptsError),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Link(#[from] KmsError),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error("the callback address is {0}")]
    CallbackUri(#[from] InvalidCallbackUri),
    #[error(transparent)]
    Message(#[from] SendError),
    #[error(transparent)]
    Bot(#[from] TellError),
    #[error("it took too long")]
    OutOfTime,
    #[error("it panicked")]
    Panicked,
}

impl Stop {
    /// One word for metrics; where the exchanger has the same trouble, its word.
    const fn word(&self) -> &'static str {
        match self {
            Self::Needless(_) => "needless",
            Self::Attempts(_) => "attempt_table",
            Self::Unreadable(_) => "unreadable",
            Self::Secrets(_) | Self::CallbackUri(_) => "credentials",
            Self::Link(_) => "kms",
            Self::Randomness(_) => "randomness",
            Self::Message(_) => "whatsapp",
            Self::Bot(_) => "bot",
            Self::OutOfTime => "out_of_time",
            Self::Panicked => "panic",
        }
    }
}

impl Report {
    fn everyone_knows(&self) -> bool {
        self.bot_knows && self.message != Message::Pending
    }

    /// What went wrong, in words for the log.
    pub(crate) fn troubles(&self) -> String {
        self.troubles.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

impl Announcer {
    pub(crate) fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Result<Self, reqwest::Error> {
        let http = shared::http::client(config.roots, CONNECT_TIME, REQUEST_TIME)?;
        let bot = Bot {
            webhook: config.webhook.as_ref().map(|webhook| Webhook::new(http.clone(), webhook.url.clone())),
            queue: config.bot_queue_url.clone().map(|url| BotQueue::new(aws, url)),
        };
        Ok(Self {
            attempts: Attempts::new(aws, config.attempt_table.clone()),
            secrets: SecretStore::new(aws, config.sources()),
            aws: aws.clone(),
            kms: OnceLock::new(),
            http,
            bot,
            config,
            clock,
            random,
        })
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn count_setback(&self, stop: &Stop) {
        self.config.meter.count(self.now(), Metric::Setbacks, &[("Class", stop.word())]);
    }

    /// Does what the first outcome would else wait for.
    pub(crate) async fn warm_up(&self) {
        if let Err(error) = self.fetch_secrets().await {
            warn!(%error, "secrets not fetched");
        }
    }

    async fn fetch_secrets(&self) -> Result<Arc<Secrets>, SecretsError> {
        self.secrets.current(self.now()).await
    }

    /// Announces an outcome, as far as it has not been announced and is still the attempt's.
    pub(crate) async fn announce(&self, key: &OutcomeKey) -> Result<Report, Stop> {
        // At once: the secrets are old again whenever nobody has connected for some minutes.
        let (item, secrets) = tokio::join!(self.attempts.read(key.attempt_id), self.fetch_secrets());
        let item = item?.ok_or(Stop::Needless("the attempt is gone"))?;
        if item.key()? != *key {
            return Err(Stop::Needless("a later outcome stands"));
        }
        let marks = item.marks();
        if marks.everyone {
            return Err(Stop::Needless("everyone knows"));
        }
        let ended = item.understand()?;
        let secrets = secrets?;
        let relink_url = self.relink_url(&ended, &secrets).await?;
        let words = crate::words::message(&ended.outcome, relink_url.as_deref());

        let bot_knows = marks.bot || !self.bot.is_there();
        let mut report = Report { message: Message::Pending, bot_knows, notified: false, troubles: Vec::new() };
        match (marks.person, &self.config.whatsapp) {
            (Some(Told::Sent), _) => report.message = Message::Sent,
            (Some(Told::Undeliverable), _) => report.message = Message::Undeliverable,
            (None, None) => report.message = Message::Off,
            (None, Some(account)) => self.tell_person(account, &ended, &words, &secrets, &mut report).await?,
        }
        if !report.bot_knows {
            let event = event(&ended, report.message, &words, relink_url.as_deref());
            self.tell_bot(&event, &words, &secrets, key, &mut report).await?;
        }
        if report.everyone_knows() && !report.notified {
            self.mark(key, &Mark::Nothing, &mut report).await?;
        }
        Ok(report)
    }

    async fn tell_person(
        &self,
        account: &Account,
        ended: &Ended,
        words: &str,
        secrets: &Secrets,
        report: &mut Report,
    ) -> Result<(), Stop> {
        let sending = timeout(MESSAGE_TIME, self.send(account, ended, words, secrets)).await;
        let sent = sending.unwrap_or_else(|_| Err(SendError::Retry("timeout".to_owned())));
        self.measure(account, ended, &sent);
        let mark = match sent {
            Ok(()) => {
                report.message = Message::Sent;
                Mark::Messaged
            }
            Err(SendError::Undeliverable(code) | SendError::WindowClosed(code)) => {
                report.message = Message::Undeliverable;
                // It may have been told that the message is on its way.
                report.bot_knows = !self.bot.is_there();
                Mark::Undeliverable(code)
            }
            Err(error) => {
                report.troubles.push(error.into());
                return Ok(());
            }
        };
        self.mark(&ended.key, &mark, report).await
    }

    fn measure(&self, account: &Account, ended: &Ended, sent: &Result<(), SendError>) {
        let (meter, now) = (&self.config.meter, self.now());
        let result = sent.as_ref().map_or_else(SendError::fate, |()| "sent");
        meter.count(now, Metric::Messages, &[("Provider", account.provider.name()), ("Result", result)]);
        if let (Ok(()), Outcome::Connected { .. }, Some(began_at)) = (sent, &ended.outcome, ended.began_at) {
            meter.time(now, Metric::TimeToMessage, now.since(began_at));
        }
    }

    /// Sends a message; once more with fresh credentials where they are refused, because they may
    /// have been rotated.
    async fn send(&self, account: &Account, ended: &Ended, words: &str, secrets: &Secrets) -> Result<(), SendError> {
        match self.send_with(account, ended, words, secrets).await {
            Err(refusal @ SendError::Operator(_)) => match self.secrets.newer_than(secrets, self.now()).await {
                Ok(fresh) => self.send_with(account, ended, words, &fresh).await,
                Err(_) => Err(refusal),
            },
            result => result,
        }
    }

    async fn send_with(
        &self,
        account: &Account,
        ended: &Ended,
        words: &str,
        secrets: &Secrets,
    ) -> Result<(), SendError> {
        let credentials = secrets.get(&account.secret).map_err(|_| SendError::Operator("no_credentials".to_owned()))?;
        let whatsapp = account.open(&self.http, credentials)?;
        match (whatsapp.send(&ended.wa_id, &whatsapp::Message::Text(words)).await, &account.template) {
            (Err(SendError::WindowClosed(_)), Some(template)) => {
                whatsapp.send(&ended.wa_id, &whatsapp::Message::Template(template, words)).await
            }
            (result, _) => result,
        }
    }

    async fn tell_bot(
        &self,
        event: &Event<'_>,
        words: &str,
        secrets: &Secrets,
        key: &OutcomeKey,
        report: &mut Report,
    ) -> Result<(), Stop> {
        let signing_secret = match &self.config.webhook {
            Some(webhook) => secrets.get(&webhook.secret)?,
            None => "",
        };
        let telling = Telling { event, user_message: words, signing_secret, now: self.now() };
        let told = self.bot.tell(&telling).await;
        let result = if told.is_ok() { "told" } else { "refused" };
        self.config.meter.count(self.now(), Metric::BotEvents, &[("Result", result)]);
        match told {
            Ok(()) => {
                report.bot_knows = true;
                self.mark(key, &Mark::BotTold, report).await
            }
            Err(error) => {
                report.troubles.push(error.into());
                Ok(())
            }
        }
    }

    /// Marks what was done. A mark that cannot be made stops nothing else.
    async fn mark(&self, key: &OutcomeKey, mark: &Mark, report: &mut Report) -> Result<(), Stop> {
        let complete = report.everyone_knows();
        match self.attempts.mark(key, mark, complete, self.now()).await {
            Ok(Marked::Done) => report.notified = complete,
            Ok(Marked::Superseded) => return Err(Stop::Needless("a later outcome stands")),
            Err(error) => report.troubles.push(error.into()),
        }
        Ok(())
    }

    /// A fresh link for the same person, where one helps.
    async fn relink_url(&self, ended: &Ended, secrets: &Secrets) -> Result<Option<String>, Stop> {
        if !ended.outcome.wants_link() {
            return Ok(None);
        }
        let callback_uri: CallbackUri = secrets.get(&self.config.callback_uri)?.parse()?;
        let mut attempt_id = [0; AttemptId::LENGTH];
        (self.random)(&mut attempt_id)?;
        let link = Link::new(
            AttemptId::from_bytes(attempt_id),
            ended.wa_id.clone(),
            ended.login_url(&self.config.login_urls).clone(),
            self.now(),
            ended.outcome.pause() + self.config.link_lifetime,
        );
        let sealed = self.kms.get_or_init(|| Kms::new(&self.aws)).seal(&self.config.link_key_id, &link).await?;
        Ok(Some(callback_uri.connect_url(&sealed)))
    }
}
