//! Hosts of Salesforce's that have just not answered. While one is silent each request costs an invocation most of its time: whoever keeps
//! alive what nobody asks for waits, so that the queue's other work goes on.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{Custody, holder::left};
use crate::conditional_write::Attributes;

/// How long a host is left alone.
const SILENCE: Duration = Duration::from_secs(15);
/// More hosts than this are not remembered.
const HOSTS: usize = 100;

/// What one process knows of them.
#[derive(Default)]
pub(super) struct Silences(Mutex<HashMap<String, Instant>>);

impl Silences {
    pub(super) fn note(&self, host: &str) {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.retain(|_, until| *until > Instant::now());
        if until.len() < HOSTS {
            until.insert(host.to_owned(), Instant::now() + SILENCE);
        }
    }

    fn left(&self, host: &str) -> Option<Duration> {
        let until = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied()?;
        Some(left(until)).filter(|time| !time.is_zero())
    }
}

impl Custody {
    /// For how much longer the host that a row's tokens are refreshed at is left alone.
    pub(super) fn silence(&self, row: &Attributes) -> Option<Duration> {
        self.silences.left(self.hosts(row).first()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_host_that_did_not_answer_is_left_alone_for_a_while_and_no_other() {
        let silences = Silences::default();
        silences.note("https://login.salesforce.com");
        assert_eq!(silences.left("https://login.salesforce.com"), Some(SILENCE));
        assert_eq!(silences.left("https://test.salesforce.com"), None);
        tokio::time::advance(SILENCE).await;
        assert_eq!(silences.left("https://login.salesforce.com"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn more_hosts_than_there_can_be_take_no_memory() {
        let silences = Silences::default();
        (0..2 * HOSTS).for_each(|number| silences.note(&format!("https://{number}.example")));
        assert_eq!(silences.0.lock().unwrap().len(), HOSTS);
        tokio::time::advance(SILENCE).await;
        silences.note("https://login.salesforce.com");
        assert_eq!(silences.0.lock().unwrap().len(), 1);
    }
}
