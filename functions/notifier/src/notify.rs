//! Notifies the person and the bot of one outcome: reads the attempt, sends the message, sends the event, marks both.
//!
//! The person comes first, and the event then says how that went. Neither waits for the other to succeed: a message
//! that fails or takes too long is `pending` in the bot's event and is retried by the queue, and a bot that is down
//! leaves the message sent and marked. A secret that only one of them needs stops that one alone, and where no new link
//! can be made both are notified without it.

mod check;
mod progress;

use std::{sync::Arc, time::Duration};

use shared::{
    AttemptId, Language, Status, Timestamp,
    attempt::{
        Outcome,
        intent::{Intent, Step},
        last_error::{LastError, Party},
        ledger::Mark,
    },
    aws::{
        SdkConfig, dynamodb,
        limits::Limits,
        links::Links,
        references::References,
        secrets::{SecretStore, Secrets, SecretsError},
    },
    bot::{BotQueue, EventBus, Webhook, event::MessageStatus},
    http::{Client, Connections},
    metrics::{Meter, Metric},
    process::{NoRandomness, Random},
    proof::ProofPolicy,
    timestamp::Clock,
};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::{
    attempts::{self, Attempts, Marked},
    bot::Bot,
    config::Config,
    event, messages,
    messenger::{Messenger, Text},
    outcome::{Ended, Marks, OutcomeKey, Told},
    relink::Relink,
    schedule,
    setback::Setback,
    whatsapp::{SendError, Sent},
    withheld::{Restraint, Withheld},
};

const CONNECT_TIME: Duration = Duration::from_secs(2);
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// The time for the bot while the stream waits, and with it the people behind: a bot that is slower gets its event again
/// from the retry queue, with [`BOT_TIME`].
const BOT_TIME_ON_STREAM: Duration = Duration::from_secs(2);
/// The time for the bot otherwise: a second request follows where the signing secret was replaced.
const BOT_TIME: Duration = Duration::from_secs(11);
/// The time for a new link: who is told does not wait for KMS longer.
const LINK_TIME: Duration = Duration::from_secs(4);

use self::progress::Progress;
pub(crate) use self::progress::{Skip, Stop};

/// Notifies of one outcome at a time.
pub(crate) struct OutcomeNotifier {
    /// For WhatsApp and the bot; each outcome has connections of its own.
    http: Client,
    attempts: Attempts,
    secrets: Arc<SecretStore>,
    relink: Relink,
    restraint: Restraint,
    /// `None` where the bot sends all messages.
    messenger: Option<Messenger>,
    bot: Bot,
    proof: ProofPolicy,
    default_language: Language,
    meter: Meter,
    clock: Clock,
    random: Random,
}

/// What makes the notifier look at an attempt.
#[derive(Clone, Copy)]
pub(crate) enum Occasion<'a> {
    /// A record of the stream: this outcome was written. A later one has a record of its own.
    Record(&'a OutcomeKey),
    /// A message of the retry queue that is so old: whatever the attempt's outcome is now.
    Pointer(Duration),
}

/// What the person and the bot are notified of.
struct Content<'a> {
    http: &'a Connections,
    ended: &'a Ended,
    language: Language,
    text: &'a str,
    relink_url: Option<&'a str>,
}

impl OutcomeNotifier {
    pub(crate) fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Self {
        let secrets = Arc::new(SecretStore::new(aws, config.sources()));
        let bot = Bot {
            webhook: config.webhook.map(|webhook| (Webhook::new(webhook.url), webhook.secret)),
            queue: config.bot_queue_url.map(|url| BotQueue::new(aws, url)),
            bus: config.event_bus_name.map(|name| EventBus::new(aws, name)),
            secrets: Arc::clone(&secrets),
            clock,
        };
        let dynamodb = dynamodb::service(aws);
        Self {
            http: Client::new(config.roots, CONNECT_TIME, REQUEST_TIME),
            attempts: Attempts::new(dynamodb.clone(), config.attempt_table.clone()),
            restraint: Restraint { limits: Limits::new(dynamodb.clone(), config.limit_table), clock },
            relink: Relink {
                links: Links::new(aws, config.link_key_id, References::new(dynamodb, config.attempt_table), random),
                callback_uri: config.callback_uri,
                login_urls: config.login_urls,
                lifetimes: config.link_lifetimes,
                clock,
            },
            messenger: config.whatsapp.map(|account| Messenger { account, secrets: Arc::clone(&secrets), clock }),
            secrets,
            bot,
            proof: config.proof,
            default_language: config.default_language,
            meter: config.meter,
            clock,
            random,
        }
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn count_setback(&self, setback: &Setback) {
        self.meter.count(self.now(), Metric::Setbacks, &[("Class", setback.label())]);
    }

    /// Records how long an outcome has waited that is still not told completely.
    pub(crate) fn measure_untold(&self, age: Duration) {
        let now = self.now();
        self.meter.time(now, Metric::UntoldAge, age);
    }

    /// Fetches the secrets, so that the first outcome need not wait for them.
    pub(crate) async fn fetch_secrets(&self) -> Result<Arc<Secrets>, SecretsError> {
        self.secrets.current(self.now()).await
    }

    /// Tells what is left to tell of an attempt's outcome.
    pub(crate) async fn notify(&self, attempt_id: AttemptId, occasion: Occasion<'_>) -> Result<Progress, Stop> {
        let http = self.http.connections();
        if matches!(occasion, Occasion::Record(_)) {
            self.open_ahead(&http);
        }
        // In parallel: whenever nobody has connected for some minutes the secrets must be fetched again.
        let (item, secrets) = tokio::join!(self.attempts.read(attempt_id), self.fetch_secrets());
        let item = item?.ok_or(Skip::AttemptNotFound)?;
        let (item, ask_after) = match occasion {
            Occasion::Record(_) => (item, None),
            Occasion::Pointer(age) => self.check(&http, item, secrets.as_deref(), age).await?,
        };
        let key = &OutcomeKey::of(&item)?;
        match occasion {
            Occasion::Record(seen) if seen != key => return Err(Skip::Superseded.into()),
            _ if matches!(key.status, Status::Exchanging | Status::Unconfirmed) => return Err(Skip::NoOutcome.into()),
            _ => {}
        }
        let marks = Marks::of(&item);
        if marks.everyone {
            return Err(ask_after.map_or(Skip::AlreadyNotified, Skip::OnItsWay).into());
        }
        let mut progress = Progress::new(&item, key, self.bot.ways().without(marks.bot), ask_after);
        let ended = Ended::of(item)?;
        // A bot's queue and its event bus need none.
        let secrets = secrets.unwrap_or_else(|error| Arc::new(self.secrets.unread(&error, self.now())));
        let relink_url = self.link(&ended, &secrets).await;
        let language = ended.language.unwrap_or(self.default_language);
        let text = messages::text(&ended.outcome, self.proof, language, relink_url.as_deref());
        let content = Content { http: &http, ended: &ended, language, text: &text, relink_url: relink_url.as_deref() };

        match marks.person {
            Some(Told::Sent) => progress.message = MessageStatus::Sent,
            Some(Told::Unknown) => progress.message = MessageStatus::Unknown,
            Some(Told::Undeliverable) => progress.message = MessageStatus::Undeliverable,
            Some(Told::Withheld) => progress.message = MessageStatus::Withheld,
            None => self.notify_person(&content, &secrets, &mut progress).await?,
        }
        if !progress.bot_is_notified() {
            let patience = if matches!(occasion, Occasion::Record(_)) { BOT_TIME_ON_STREAM } else { BOT_TIME };
            self.notify_bot(&content, &secrets, patience, &mut progress).await?;
        }
        if progress.unwritten.is_some() || (progress.is_done() && !progress.complete) {
            let mark = progress.of_bot(Mark::Nothing);
            self.mark(key, &mark, None, &mut progress).await?;
        }
        Ok(progress)
    }

    /// Begins to open connections to WhatsApp and to the bot, beside the read and what is marked before the message is sent. Of
    /// a record of the stream alone: a person waits, and mostly both are still to be told.
    fn open_ahead(&self, http: &Connections) {
        if let Some(messenger) = &self.messenger {
            messenger.account.open_ahead(http);
        }
        if let Some((webhook, _)) = &self.bot.webhook {
            webhook.open_ahead(http);
        }
    }

    /// A new link where one helps. Without one people are told all the same: they can ask the bot for it.
    async fn link(&self, ended: &Ended, secrets: &Secrets) -> Option<String> {
        let making = timeout(LINK_TIME, self.relink.url(ended, secrets)).await;
        making.unwrap_or(Err(Setback::OutOfTime)).unwrap_or_else(|error| {
            warn!(attempt_id = %ended.key.attempt_id, %error, "no new link, told without it");
            self.count_setback(&error);
            None
        })
    }

    async fn notify_person(
        &self,
        content: &Content<'_>,
        secrets: &Secrets,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let ended = content.ended;
        match self.restraint.withheld(ended).await {
            Ok(None) => {}
            Ok(Some(withheld)) => {
                info!(attempt_id = %ended.key.attempt_id, why = withheld.label(), "message withheld");
                progress.message = MessageStatus::Withheld;
                // Other reasons stay; the chat may be told again later, and the bot would have heard that it is not.
                if withheld == Withheld::ToldEnough && !self.mark(&ended.key, &Mark::Withheld, None, progress).await? {
                    progress.message = MessageStatus::Pending;
                }
                return Ok(());
            }
            Err(setback) => {
                self.count_setback(&setback);
                progress.setbacks.push(setback);
                return Ok(());
            }
        }
        let Some(messenger) = &self.messenger else {
            progress.message = MessageStatus::Off;
            return Ok(());
        };
        if ended.not_before.is_some_and(|at| at > self.now()) {
            progress.setbacks.push(Setback::RefusedLater);
            return Ok(());
        }
        self.send(messenger, content, secrets, progress).await
    }

    /// Sends the message, and marks what became of it.
    async fn send(
        &self,
        messenger: &Messenger,
        content: &Content<'_>,
        secrets: &Secrets,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let ended = content.ended;
        let last = ended.message_intent.as_ref();
        let this = match Intent::step(last, self.holder()?, self.now()) {
            Step::Send(this) => this,
            Step::Held => return Err(Setback::Held.into()),
            Step::Wait => {
                progress.setbacks.push(Setback::Unmarked);
                return Ok(());
            }
            Step::Unknown => {
                progress.message = MessageStatus::Unknown;
                // An earlier event may have said `pending`.
                progress.left = self.bot.ways();
                let mark = Mark::MaybeMessaged { last: last.cloned() };
                return self.mark(&ended.key, &mark, None, progress).await.map(drop);
            }
        };
        let not_sent = Mark::NotMessaged { left: this.undone(last), this: this.clone() };
        let unanswered = Mark::NotMessaged { left: this.unanswered(), this: this.clone() };
        if !self.mark(&ended.key, &Mark::Messaging { last: last.cloned(), this: this.clone() }, None, progress).await? {
            // It may be written all the same, and is no send.
            return self.mark(&ended.key, &not_sent, None, progress).await.map(drop);
        }
        let text = Text { words: content.text, language: content.language, only_by_template: ended.only_by_template };
        let sent = messenger.send(content.http, &ended.wa_id, text, secrets).await;
        self.measure(messenger, ended, sent.as_ref().err());
        let mark = match sent {
            Ok(sent) => {
                progress.message = MessageStatus::Sent;
                let can_be_asked = sent.id.is_some() && messenger.account.provider.can_be_asked();
                progress.ask_after = can_be_asked.then_some(schedule::FIRST_CHECK);
                if self.mark(&ended.key, &Mark::Messaged, Some(&sent), progress).await? {
                    return Ok(());
                }
                // Perhaps this can be: that it was sent is certain.
                unanswered
            }
            Err(SendError::Undeliverable(code) | SendError::WindowClosed(code)) => {
                progress.message = MessageStatus::Undeliverable;
                // An earlier event may have said `pending`.
                progress.left = self.bot.ways();
                Mark::Undeliverable { this, code }
            }
            Err(error @ SendError::Unsure(_)) => {
                progress.not_messaged(error, self.now());
                unanswered
            }
            Err(error) => {
                progress.not_messaged(error, self.now());
                not_sent
            }
        };
        self.mark(&ended.key, &mark, None, progress).await.map(drop)
    }

    /// Whoever sends this message; no other invocation is the same.
    fn holder(&self) -> Result<String, NoRandomness> {
        let mut holder = [0; 8];
        (self.random)(&mut holder)?;
        Ok(u64::from_be_bytes(holder).to_string())
    }

    fn measure(&self, messenger: &Messenger, ended: &Ended, error: Option<&SendError>) {
        let now = self.now();
        let result = error.map_or("sent", SendError::label);
        let provider = messenger.account.provider.name();
        self.meter.count(now, Metric::Messages, &[("Provider", provider), ("Result", result)]);
        if let (None, Outcome::Connected { .. }, Some(began_at)) = (error, &ended.outcome, ended.began_at) {
            self.meter.time(now, Metric::TimeToMessage, now.since(began_at));
        }
    }

    async fn notify_bot(
        &self,
        content: &Content<'_>,
        secrets: &Secrets,
        patience: Duration,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let Content { http, ended, text, relink_url, .. } = *content;
        let event = event::event(ended, progress.message, text, relink_url);
        let ways = progress.left;
        let (left, setbacks) = self.bot.notify(http, &event, text, secrets, ways, patience).await;
        let result = if setbacks.is_empty() { "told" } else { "refused" };
        self.meter.count(self.now(), Metric::BotEvents, &[("Result", result)]);
        progress.left = left;
        setbacks.iter().filter(|setback| matches!(setback, Setback::Secrets(_))).for_each(|it| self.count_setback(it));
        let error = (!setbacks.is_empty()).then(|| LastError::new(&progress::joined(&setbacks), self.now()));
        let is_new = error.as_ref().map(|error| &error.text) != ended.bot_last_error.as_ref().map(|error| &error.text);
        progress.last_errors.extend(error.map(|error| (Party::Bot, error)));
        progress.setbacks.extend(setbacks);
        let told = ways.without(left);
        let mark = match (left.are_any(), told.are_any()) {
            (false, _) => Mark::BotNotified,
            (true, true) => Mark::NotifiedBy(told),
            // A bot that is down for a day says the same each time.
            (true, false) if is_new => Mark::Nothing,
            (true, false) => return Ok(()),
        };
        self.mark(&ended.key, &progress.of_bot(mark), None, progress).await.map(drop)
    }

    /// Writes a mark, and returns whether it is written. A failure to do so stops nothing else: the next mark is written with
    /// it, and what is not marked then is repeated.
    async fn mark(
        &self,
        key: &OutcomeKey,
        mark: &Mark,
        sent: Option<&Sent>,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        // An intent completes nothing: what it is about is marked after it.
        let complete = mark.is_of_a_deed() && progress.is_done();
        let mut write = progress.add_to(attempts::marking(key, mark, sent, complete, self.now()));
        if mark.is_of_a_deed()
            && let Some(earlier) = progress.unwritten.take()
        {
            write = write.after(earlier);
        }
        match self.attempts.mark(key, mark, &write).await {
            Ok(Marked::Done) => {
                progress.complete = complete;
                progress.last_errors.clear();
            }
            Ok(Marked::Superseded) => return Err(Skip::Superseded.into()),
            Ok(Marked::Held) => return Err(Setback::Held.into()),
            Err(error) => {
                let setback = Setback::from(error);
                self.count_setback(&setback);
                progress.setbacks.push(setback);
                progress.unwritten = mark.is_of_a_deed().then_some(write).or_else(|| progress.unwritten.take());
                return Ok(false);
            }
        }
        Ok(true)
    }
}
