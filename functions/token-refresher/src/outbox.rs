//! Puts many messages on the upkeep queue: all of them, or the caller hears that some are missing.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use shared::{
    aws::{
        AwsError,
        queue::{MAX_BATCH, Queue},
    },
    custody::upkeep::Upkeep,
};
use tokio::time::sleep;

/// A message, and when it is received at the earliest.
pub(crate) type Delayed = (Upkeep, Duration);

/// How many batches are sent side by side.
const SIDE_BY_SIDE: usize = 8;
/// Before what the queue did not take is sent again: once after each.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(1), Duration::from_secs(3)];

/// The queue did not take all messages. Those that it took are received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotQueued {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("the queue refused some of the messages")]
    Some,
}

/// Sends messages; returns once the queue has taken each of them.
///
/// A message may be sent twice where an answer was lost: each of them looks first whether there is something to do.
pub(crate) async fn send(queue: &Queue, messages: impl IntoIterator<Item = Delayed>) -> Result<(), NotQueued> {
    let mut left: Vec<_> = messages.into_iter().map(|(message, delay)| (message.to_body(), delay)).collect();
    let mut pauses = PAUSES.into_iter();
    loop {
        let error = send_once(queue, &mut left).await;
        match (left.is_empty(), pauses.next()) {
            (true, _) => return Ok(()),
            (false, Some(pause)) => sleep(pause).await,
            (false, None) => return Err(error.map_or(NotQueued::Some, NotQueued::Aws)),
        }
    }
}

/// Leaves what the queue did not take, and returns the last error of a whole batch.
async fn send_once(queue: &Queue, messages: &mut Vec<(String, Duration)>) -> Option<AwsError> {
    let batches = messages.chunks(MAX_BATCH).map(async |batch| (batch, queue.send_batch(batch).await));
    let mut sent = stream::iter(batches).buffer_unordered(SIDE_BY_SIDE);
    let (mut left, mut last_error) = (Vec::new(), None);
    while let Some((batch, result)) = sent.next().await {
        match result {
            Ok(refused) => left.extend(refused.into_iter().filter_map(|place| batch.get(place).cloned())),
            Err(error) => {
                left.extend_from_slice(batch);
                last_error = Some(error);
            }
        }
    }
    drop(sent);
    *messages = left;
    last_error
}
