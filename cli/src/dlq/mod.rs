//! `wasf dlq`: the exchange dead-letter queue, seen and cured.

pub mod letter;
mod reading;
mod redrive;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::{Timestamp, timestamp::Clock};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::{
    letter::{DeadLetter, Filter},
    reading::{Held, Reading},
};
use crate::{
    args::{DlqCommand, Selection},
    aws::{Attempts, Queue},
    error::{Error, Exit},
    report::{Progress, Report, Table, a_while, count},
    target::Target,
};

/// The queues, and what the dead letters' attempts say.
struct Queues {
    dead: Queue,
    dead_arn: String,
    exchange: Queue,
    failures: Queue,
    attempts: Attempts,
    clock: Clock,
}

pub(crate) async fn run(command: DlqCommand, target: &Target, clock: Clock) -> Result<Report, Error> {
    let queue = |output| target.stack.output(output).map(|url| Queue::new(&target.aws, url));
    let queues = Queues {
        dead: queue("ExchangeDlqUrl")?,
        dead_arn: target.stack.output("ExchangeDlqArn")?.to_owned(),
        exchange: queue("ExchangeQueueUrl")?,
        failures: queue("NotifierFailureQueueUrl")?,
        attempts: Attempts::new(&target.aws, target.stack.output("AttemptTableName")?),
        clock,
    };
    match command {
        DlqCommand::Stats => queues.stats().await,
        DlqCommand::List { selection } => queues.list(&selection).await,
        DlqCommand::Show { id } => queues.show(&id).await,
        DlqCommand::Redrive { native: true, rate, confirm, .. } => redrive::natively(&queues, rate, confirm).await,
        DlqCommand::Redrive { selection, rate, confirm, .. } => {
            redrive::redrive(&queues, &selection, rate, confirm).await
        }
        DlqCommand::Drop { selection, force, confirm } => redrive::drop(&queues, &selection, force, confirm).await,
    }
}

impl Selection {
    /// What is meant; `unreadable` says whether letters that cannot be read are meant without being named.
    fn filter(&self, unreadable: bool) -> Filter {
        Filter { only_alive: self.only_alive, reason: self.reason.clone(), unreadable }
    }

    fn limit(&self) -> usize {
        self.max.unwrap_or(usize::MAX)
    }
}

impl Queues {
    /// The letters that are meant, oldest callback first, given back before they are returned.
    async fn read(&self, filter: &Filter, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let (mut reading, total) = Reading::begin(&self.dead, &self.attempts, self.clock).await?;
        let mut progress = Progress::of("dead letters read");
        let mut stop = stop_signals()?;
        let (mut found, mut read) = (Vec::new(), 0);
        let ended = loop {
            let next = tokio::select! {
                next = reading.next() => next,
                () = stop.wait() => break Err(interrupted()),
            };
            match next {
                Ok(Some(held)) => {
                    read += held.len();
                    progress.show(read, Some(total.max(read)));
                    found.extend(held.into_iter().map(|held| held.letter).filter(|letter| filter.selects(letter)));
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let given_back = reading.end().await;
        ended.and(given_back)?;
        found.sort_by_key(|letter| std::cmp::Reverse(letter.age));
        found.truncate(limit);
        Ok(found)
    }

    async fn stats(&self) -> Result<Report, Error> {
        let queues = [
            ("exchange queue", "exchange_queue", self.exchange.counts().await?),
            ("dead letters", "dead_letters", self.dead.counts().await?),
            ("notifier's failures", "notifier_failures", self.failures.counts().await?),
        ];
        let letters = self.read(&Filter { unreadable: true, ..Filter::default() }, usize::MAX).await?;
        let mut table = Table::with_head(["QUEUE", "WAITING", "HELD", "DELAYED"]);
        let mut json = json!({});
        for (name, key, counts) in queues {
            let numbers = [counts.waiting, counts.in_flight, counts.delayed];
            let [waiting, held, delayed] = numbers.map(|number| number.to_string());
            table.row([name.to_owned(), waiting, held, delayed]);
            json[key] = json!({"waiting": counts.waiting, "held": counts.in_flight, "delayed": counts.delayed});
        }
        let mut kinds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for letter in &letters {
            *kinds.entry((letter.holds.as_str(), letter.reason())).or_default() += 1;
        }
        let mut text = table.text();
        if !kinds.is_empty() {
            let mut table = Table::with_head(["DEAD LETTERS", "REASON", "NUMBER"]);
            for ((holds, reason), number) in &kinds {
                table.row([(*holds).to_owned(), (*reason).to_owned(), number.to_string()]);
            }
            text = format!("{text}\n{}", table.text());
        }
        let kind = |((holds, reason), number)| json!({"holds": holds, "reason": reason, "number": number});
        json["kinds"] = kinds.into_iter().map(kind).collect();
        Ok(Report::new(text, json, Exit::Done))
    }

    async fn list(&self, selection: &Selection) -> Result<Report, Error> {
        let letters = self.read(&selection.filter(true), selection.limit()).await?;
        let exit = if letters.is_empty() { Exit::NothingMatched } else { Exit::Done };
        let text = if letters.is_empty() {
            format!("No dead letters{}.\n", self.held_by_others().await?)
        } else {
            format!("{}\n{}.\n", table(&letters), count(letters.len(), "dead letter"))
        };
        Ok(Report::new(text, json!({"messages": json_of(&letters), "found": letters.len()}), exit))
    }

    /// Letters that somebody else is reading, as a wasf that was killed a moment ago.
    async fn held_by_others(&self) -> Result<String, Error> {
        let held = self.dead.counts().await?.in_flight;
        Ok(match held {
            0 => String::new(),
            held => format!(" to be seen: {held} held by another reader, for a minute at most if that is a wasf"),
        })
    }

    async fn show(&self, id: &str) -> Result<Report, Error> {
        let letters = self.read(&Filter { unreadable: true, ..Filter::default() }, usize::MAX).await?;
        let is_it = |letter: &&DeadLetter| {
            letter.message_id == id || letter.attempt_id().is_some_and(|attempt_id| attempt_id.to_string() == id)
        };
        let letter = letters.iter().find(is_it).ok_or_else(|| Error::NothingMatched(format!("no dead letter {id}")))?;
        let json = letter.json();
        let mut fields = Table::default();
        for (name, value) in json.as_object().into_iter().flatten() {
            let shown = match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            fields.field(&name.replace('_', " "), shown);
        }
        Ok(Report::new(fields.text(), json, Exit::Done))
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

fn table(letters: &[DeadLetter]) -> String {
    let mut table = Table::with_head(["ATTEMPT", "CHAT", "HOLDS", "REASON", "AGE", "RECEIVES", "MESSAGE"]);
    for letter in letters {
        table.row([
            letter.attempt_id().map(|id| id.to_string()).unwrap_or_default(),
            letter.about.as_ref().map(|about| about.wa_id.masked()).unwrap_or_default(),
            letter.holds.as_str().to_owned(),
            letter.reason().to_owned(),
            a_while(letter.age),
            letter.record.as_ref().and_then(|record| record.receives).map(|n| n.to_string()).unwrap_or_default(),
            letter.message_id.clone(),
        ]);
    }
    table.text()
}

fn json_of(letters: &[DeadLetter]) -> Vec<Value> {
    letters.iter().map(DeadLetter::json).collect()
}

/// What asks wasf to stop: it gives back what it holds first.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
}

fn stop_signals() -> Result<StopSignals, Error> {
    let listen = |kind| signal(kind).map_err(|error| Error::failed("listen for signals", error.to_string()));
    Ok(StopSignals { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
}

fn interrupted() -> Error {
    Error::failed("finish", "it was interrupted; what was held is given back")
}
