//! Reading a dead-letter queue from its beginning to its end, without taking anything.
//!
//! A queue has no end that it could tell of: it hands out what is not hidden. So each message is
//! hidden for a minute while the others are read, known by its id when it comes again, and given
//! back in the end. The reading ends when nothing comes, or when more has come than a queue that is
//! only being read could hold. What takes longer than a minute sees the first messages again: they
//! are hidden once more, and the reading goes on behind them.

use std::collections::{HashMap, HashSet};

use secrecy::{ExposeSecret as _, SecretString};
use shared::{Timestamp, attempt::Item, timestamp::Clock};

use super::dead_letter::{DeadLetter, Record};
use crate::{
    aws::{AttemptTable, Message, Queue},
    error::Error,
};

/// How long a message is hidden; should wasf be killed, it is seen again after that.
pub(super) const HIDDEN_SECONDS: i32 = 60;
/// Others may be sending to the queue meanwhile.
const MARGIN: usize = 1_000;

/// A dead letter that is held, and its body to send on.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) letter: DeadLetter,
    pub(super) message: Message,
}

impl Held {
    pub(super) fn body(&self) -> &SecretString {
        &self.message.body
    }
}

/// A reading under way.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    queue: &'a Queue,
    attempts: &'a AttemptTable,
    clock: Clock,
    seen: HashSet<String>,
    received: usize,
    bound: usize,
    /// What is to be given back, by the message's id: only the latest handle counts.
    holding: HashMap<String, String>,
}

impl<'a> Reading<'a> {
    pub(super) async fn begin(
        queue: &'a Queue,
        attempts: &'a AttemptTable,
        clock: Clock,
    ) -> Result<(Self, usize), Error> {
        let counts = queue.counts().await?;
        let total = counts.waiting + counts.in_flight;
        let bound = 2 * total + MARGIN;
        let (seen, holding) = (HashSet::new(), HashMap::new());
        Ok((Self { queue, attempts, clock, seen, received: 0, bound, holding }, total))
    }

    /// Some more letters, held from now on; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Held>>, Error> {
        while self.received <= self.bound {
            let messages = self.queue.receive(HIDDEN_SECONDS).await?;
            if messages.is_empty() {
                break;
            }
            self.received += messages.len();
            for message in &messages {
                self.holding.insert(message.id.clone(), message.handle.clone());
            }
            let new: Vec<_> = messages.into_iter().filter(|message| self.seen.insert(message.id.clone())).collect();
            if !new.is_empty() {
                return self.understand(new).await.map(Some);
            }
        }
        Ok(None)
    }

    async fn understand(&self, messages: Vec<Message>) -> Result<Vec<Held>, Error> {
        let now: Timestamp = (self.clock)();
        let read = |message: Message| {
            let letter = DeadLetter::read(message.id.clone(), message.body.expose_secret(), message.sent_at, now);
            Held { letter, message }
        };
        let mut held: Vec<_> = messages.into_iter().map(read).collect();
        let mut ids: Vec<_> = held.iter().filter_map(|held| held.letter.attempt_id()).collect();
        ids.sort_unstable_by_key(|id| *id.as_bytes());
        ids.dedup();
        let records = self.attempts.read_many(&ids).await?;
        for Held { letter, .. } in &mut held {
            letter.record = letter.attempt_id().and_then(|id| records.get(&id)).map(Record::from);
        }
        Ok(held)
    }

    /// This one is gone from the queue.
    pub(super) fn taken(&mut self, message_id: &str) {
        self.holding.remove(message_id);
    }

    /// Gives everything back that was not taken.
    pub(super) async fn end(self) -> Result<(), Error> {
        let handles: Vec<_> = self.holding.into_values().collect();
        self.queue.return_to_queue(&handles).await
    }
}

impl From<&Item> for Record {
    fn from(attempt: &Item) -> Self {
        Self {
            status: attempt.status.clone(),
            reason: attempt.reason.clone(),
            salesforce_error: attempt.salesforce_error.clone(),
            receives: attempt.receives,
        }
    }
}
