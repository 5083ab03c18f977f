//! The stack's queues, and reading all dead letters.

use shared::{Timestamp, timestamp::Clock};

use super::{
    dead_letter::{DeadLetter, Filter},
    reading::Reading,
};
use crate::{
    args::{QueueArg, Selection},
    aws::{AttemptTable, Counts, Queue},
    commands::signals::{interrupted, stop_signals},
    error::Error,
    report::Progress,
    target::Target,
};

/// The stack's queues, and the attempts that dead letters are about.
pub(super) struct Queues {
    pub(super) dead: Queue,
    pub(super) dead_arn: String,
    /// Where the dead letters come from and go back to.
    pub(super) source: Queue,
    /// Upkeep, and what of it was given up; a stack of an earlier version has none.
    pub(super) upkeep: Option<(Queue, Queue)>,
    pub(super) failures: Queue,
    /// Outcomes that are not told completely, and those that were tried for a day.
    pub(super) retries: Queue,
    pub(super) untold: Queue,
    pub(super) attempts: AttemptTable,
    pub(super) clock: Clock,
}

impl Selection {
    /// The filter; `unreadable`: whether it selects unreadable messages without `--reason unreadable`.
    pub(super) fn filter(&self, unreadable: bool) -> Filter {
        Filter { only_alive: self.only_alive, reason: self.reason.clone(), unreadable }
    }

    pub(super) fn limit(&self) -> usize {
        self.max.unwrap_or(usize::MAX)
    }
}

impl Queues {
    pub(super) fn of(target: &Target, which: QueueArg, clock: Clock) -> Result<Self, Error> {
        let queue = |output| target.stack.output(output).map(|url| Queue::new(&target.aws, url));
        let [source, dead, arn] = match which {
            QueueArg::Exchange => ["ExchangeQueueUrl", "ExchangeDlqUrl", "ExchangeDlqArn"],
            QueueArg::Upkeep => ["UpkeepQueueUrl", "UpkeepDlqUrl", "UpkeepDlqArn"],
        };
        Ok(Self {
            dead: queue(dead)?,
            dead_arn: target.stack.output(arn)?.to_owned(),
            source: queue(source)?,
            upkeep: queue("UpkeepQueueUrl").ok().zip(queue("UpkeepDlqUrl").ok()),
            failures: queue("NotifierFailureQueueUrl")?,
            retries: queue("NotifierRetryQueueUrl")?,
            untold: queue("NotifierRetryDlqUrl")?,
            attempts: AttemptTable::new(&target.aws, target.stack.output("AttemptTableName")?),
            clock,
        })
    }

    /// The selected dead letters, the oldest callback first. All are back in the queue when this returns.
    pub(super) async fn read(&self, filter: &Filter, limit: usize) -> Result<Vec<DeadLetter>, Error> {
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
                    found.extend(
                        held.into_iter().map(|held| held.dead_letter).filter(|dead_letter| filter.selects(dead_letter)),
                    );
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let returned = reading.end().await;
        ended.and(returned)?;
        found.sort_by_key(|dead_letter| std::cmp::Reverse(dead_letter.age));
        found.truncate(limit);
        Ok(found)
    }

    /// A remark on messages in flight with another reader, such as a wasf that was just killed.
    pub(super) async fn held_by_others(&self) -> Result<String, Error> {
        Ok(held_by_others(self.dead.counts().await?))
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// The same of a queue with these counts.
pub(super) fn held_by_others(counts: Counts) -> String {
    match counts.in_flight {
        0 => String::new(),
        held => format!(" ({held} in flight with another reader; those of a killed wasf return within a minute)"),
    }
}
