//! The time budgets of one invocation: by when each step must be done, so that the steps after it
//! still fit before Lambda's deadline.
//!
//! The work on a message is exchange, username, store and, where the tables refuse, checkpoint, and where the queue refuses
//! too, revocation, in this order; after a setback the message is returned to the queue. Two rules hold for each step: a reserve that
//! it leaves for the steps after it, counted back from the deadline, and a limit of its own, counted from
//! its beginning.

use std::time::Duration;

use shared::salesforce;
use tokio::time::Instant;

/// For returning a message to the queue, and for all that follows.
const RETURN_RESERVE: Duration = Duration::from_secs(2);
/// For the response to Lambda.
const RESPONSE_RESERVE: Duration = Duration::from_millis(300);

// What a step leaves of the time for the work on a message.
/// The exchange leaves this for the username, the tables and the checkpoint.
const USERNAME_RESERVE: Duration = Duration::from_secs(9);
/// The username leaves this for the tables and the checkpoint.
const STORE_RESERVE: Duration = Duration::from_secs(7);
/// The tables leave this for the checkpoint.
const CHECKPOINT_RESERVE: Duration = Duration::from_secs(4);
/// The checkpoint leaves this, so that what was lost is still revoked.
const REVOCATION_RESERVE: Duration = Duration::from_millis(1_600);
/// The revocation leaves this, so that what was lost is still reported.
const REPORT_RESERVE: Duration = Duration::from_millis(100);

/// A code is tried for so long within one invocation; then the queue's schedule takes over.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(12);
/// With less time than this a code is not sent.
const MIN_EXCHANGE: Duration = Duration::from_secs(2);
/// The link's reference is read for so long, beside the work, and then the attempt's own row: longer no outcome waits for it.
const LINKS_REFERENCE_LIMIT: Duration = Duration::from_secs(2);
/// See there.
const OWN_REFERENCE_LIMIT: Duration = Duration::from_secs(1);
/// `/userinfo` is asked for so long within one invocation.
const USERNAME_LIMIT: Duration = Duration::from_secs(5);
/// The tables are tried for so long within one invocation; then the tokens go back on the queue.
const STORE_LIMIT: Duration = Duration::from_secs(5);

/// By when the steps of an invocation must be done. Made once, from Lambda's deadline, and the same
/// for every message of the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    exchange: Instant,
    username: Instant,
    store: Instant,
    checkpoint: Instant,
    revocation: Instant,
    work: Instant,
    return_to_queue: Instant,
}

impl Budget {
    /// The budgets of an invocation that has so much time left.
    pub(crate) fn new(now: Instant, time_left: Duration) -> Self {
        let work = time_left.saturating_sub(RETURN_RESERVE);
        let leaving = |reserve| now + work.saturating_sub(reserve);
        Self {
            exchange: leaving(USERNAME_RESERVE),
            username: leaving(STORE_RESERVE),
            store: leaving(CHECKPOINT_RESERVE),
            checkpoint: leaving(REVOCATION_RESERVE),
            revocation: leaving(REPORT_RESERVE),
            work: leaving(Duration::ZERO),
            return_to_queue: now + time_left.saturating_sub(RESPONSE_RESERVE),
        }
    }

    /// The end of the retries of an exchange that begins now.
    pub(crate) fn exchange_retries(&self) -> Instant {
        self.exchange.min(Instant::now() + EXCHANGE_LIMIT)
    }

    /// How long a request may take that sends the code now; `None` where it is too late to send it.
    pub(crate) fn exchange_request(&self) -> Option<Duration> {
        let time = left(self.exchange).min(salesforce::TIMEOUT);
        (time >= MIN_EXCHANGE).then_some(time)
    }

    /// The end of reading the link's reference, from now.
    pub(crate) fn links_reference(&self) -> Instant {
        self.username.min(Instant::now() + LINKS_REFERENCE_LIMIT)
    }

    /// The end of reading the reference in the attempt's own row, from now.
    pub(crate) fn own_reference(&self) -> Instant {
        self.username.min(Instant::now() + OWN_REFERENCE_LIMIT)
    }

    /// The end of asking for the username, from now.
    pub(crate) fn username(&self) -> Instant {
        self.username.min(Instant::now() + USERNAME_LIMIT)
    }

    /// The end of storing tokens that could still be put back on the queue, from now.
    pub(crate) fn store(&self) -> Instant {
        self.store.min(Instant::now() + STORE_LIMIT)
    }

    /// The end of putting tokens back on the queue.
    pub(crate) fn checkpoint(&self) -> Instant {
        self.checkpoint
    }

    /// The end of revoking tokens that are lost.
    pub(crate) fn revocation(&self) -> Instant {
        self.revocation
    }

    /// The end of the work on a message.
    pub(crate) fn work(&self) -> Instant {
        self.work
    }

    /// The end of returning a message to the queue.
    pub(crate) fn return_to_queue(&self) -> Instant {
        self.return_to_queue
    }
}

/// How long it is until then; zero if it has passed.
pub(crate) fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests {
    use shared::attempt::ledger::LEASE;

    use super::*;

    fn timeout() -> Duration {
        fakes::template::timeout("TokenExchangerFunction")
    }

    #[test]
    fn the_lease_outlasts_the_function() {
        assert!(LEASE > timeout());
    }

    #[test]
    fn every_step_at_its_longest_fits_in_the_functions_timeout() {
        let steps = [EXCHANGE_LIMIT, USERNAME_LIMIT, STORE_LIMIT, CHECKPOINT_RESERVE, RETURN_RESERVE];
        assert!(steps.iter().sum::<Duration>() < timeout());
    }

    #[tokio::test(start_paused = true)]
    async fn each_step_leaves_time_for_the_steps_after_it() {
        let now = Instant::now();
        let budget = Budget::new(now, timeout());
        let ends = [
            now,
            budget.exchange,
            budget.username,
            budget.store,
            budget.checkpoint,
            budget.revocation,
            budget.work,
            budget.return_to_queue,
            now + timeout(),
        ];
        assert!(ends.is_sorted_by(|earlier, later| earlier < later), "{budget:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_exchange_may_take_as_long_as_a_request_can() {
        assert_eq!(Budget::new(Instant::now(), timeout()).exchange_request(), Some(salesforce::TIMEOUT));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_has_a_limit_of_its_own() {
        let budget = Budget::new(Instant::now(), timeout());
        let limits = [
            budget.exchange_retries(),
            budget.links_reference(),
            budget.own_reference(),
            budget.username(),
            budget.store(),
        ];
        let known = [EXCHANGE_LIMIT, LINKS_REFERENCE_LIMIT, OWN_REFERENCE_LIMIT, USERNAME_LIMIT, STORE_LIMIT];
        assert_eq!(limits.map(left), known);
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_is_not_sent_where_its_answer_would_come_too_late() {
        let budget = |seconds| Budget::new(Instant::now(), Duration::from_secs(seconds));
        assert_eq!(budget(13).exchange_request(), Some(MIN_EXCHANGE));
        assert_eq!(budget(12).exchange_request(), None);
        assert_eq!(budget(1).exchange_request(), None);
    }
}
