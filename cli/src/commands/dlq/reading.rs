//! Reading all messages of a dead-letter queue without taking any.
//!
//! SQS has no cursor: it returns whatever is visible. So each message is received with a visibility timeout of a
//! minute, recognized by its id when it comes again, and made visible at the end. Reading ends when nothing comes, or
//! when more has come than the queue can contain. If it takes longer than a minute, the first messages come again; they
//! are received once more, and reading continues behind them.

use std::collections::{HashMap, HashSet};

use secrecy::{ExposeSecret as _, SecretString};
use shared::{Timestamp, timestamp::Clock};

use super::dead_letter::{DeadLetter, Record};
use crate::{
    aws::{AttemptTable, Message, Queue},
    error::Error,
};

/// The visibility timeout: if wasf is killed, its messages are visible again after this.
const VISIBILITY_SECONDS: i32 = 60;
/// Messages that may arrive while the queue is read.
const MARGIN: usize = 1_000;

/// A received dead letter, and its message to send or delete.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) dead_letter: DeadLetter,
    pub(super) message: Message,
}

impl Held {
    pub(super) fn body(&self) -> &SecretString {
        &self.message.body
    }
}

#[derive(Debug)]
pub(super) struct Reading<'a> {
    queue: &'a Queue,
    attempts: &'a AttemptTable,
    clock: Clock,
    seen: HashSet<String>,
    received: usize,
    bound: usize,
    /// What to return to the queue: receipt handles by message id. Only the latest handle of a message is valid.
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

    /// The next dead letters, received until [`Reading::end`]; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Held>>, Error> {
        while self.received <= self.bound {
            let messages = self.queue.receive(VISIBILITY_SECONDS).await?;
            if messages.is_empty() {
                break;
            }
            self.received += messages.len();
            for message in &messages {
                self.holding.insert(message.id.clone(), message.handle.clone());
            }
            let new: Vec<_> = messages.into_iter().filter(|message| self.seen.insert(message.id.clone())).collect();
            if !new.is_empty() {
                return self.parse(new).await.map(Some);
            }
        }
        Ok(None)
    }

    async fn parse(&self, messages: Vec<Message>) -> Result<Vec<Held>, Error> {
        let now: Timestamp = (self.clock)();
        let parse = |message: Message| {
            let dead_letter = DeadLetter::read(message.id.clone(), message.body.expose_secret(), message.sent_at, now);
            Held { dead_letter, message }
        };
        let mut held: Vec<_> = messages.into_iter().map(parse).collect();
        let mut ids: Vec<_> = held.iter().filter_map(|held| held.dead_letter.attempt_id()).collect();
        ids.sort_unstable_by_key(|id| *id.as_bytes());
        ids.dedup();
        let records = self.attempts.read_many(&ids).await?;
        for Held { dead_letter, .. } in &mut held {
            dead_letter.record = dead_letter.attempt_id().and_then(|id| records.get(&id.to_string())).map(Record::from);
        }
        Ok(held)
    }

    /// This message has been deleted.
    pub(super) fn deleted(&mut self, message_id: &str) {
        self.holding.remove(message_id);
    }

    /// Returns everything that was not deleted.
    pub(super) async fn end(self) -> Result<(), Error> {
        let handles: Vec<_> = self.holding.into_values().collect();
        self.queue.return_to_queue(&handles).await
    }
}
