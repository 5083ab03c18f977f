//! From the grant to the tables, or back to the queue where the tables do not take it.

use shared::exchange::{Consent, ExchangeMessage, Sealed};
use tokio::time::{Instant, timeout_at};

use crate::{
    checkpoint::{self, CheckpointError},
    ending::Ending,
    retry::Pauses,
    setback::Setback,
    tables::Connection,
    work::Work,
};

impl Work<'_> {
    /// Stores the connection or, where the tables do not take it, puts it back on the queue.
    pub(crate) async fn store_or_checkpoint(
        &self,
        connection: &Connection,
        renewed: Option<bool>,
    ) -> Result<Ending, Setback> {
        let store_until = self.budget.store();
        let stored = timeout_at(store_until, self.store(connection, renewed, store_until)).await;
        let cause = match stored.unwrap_or(Err(Setback::OutOfTime)) {
            Ok(renewed) => return Ok(Ending::Connected { renewed }),
            Err(cause) => cause,
        };
        // Neither the tables nor the queue may be back for long, so that both are tried in turn to the end.
        let until = self.budget.checkpoint();
        let mut pauses = Pauses::until(until);
        let mut trouble = CheckpointError::OutOfTime;
        loop {
            match timeout_at(until, self.checkpoint(connection)).await {
                Ok(Ok(())) => return Ok(Ending::Checkpointed { cause }),
                Ok(Err(error)) => trouble = error,
                Err(_) => {}
            }
            if !pauses.next(None).await {
                return Err(Setback::TokensLost(trouble));
            }
            // Once, without a pause of its own.
            let stored = timeout_at(until, self.store(connection, renewed, Instant::now())).await;
            if let Ok(Ok(renewed)) = stored {
                return Ok(Ending::Connected { renewed });
            }
        }
    }

    /// Puts the connection on the queue, sealed, in a message that takes the place of the code's.
    async fn checkpoint(&self, connection: &Connection) -> Result<(), CheckpointError> {
        let Self { resources, attempt, message, .. } = self;
        let key = resources.kms.checkpoint_key(&resources.config.checkpoint_key_id, attempt.id).await?;
        let data = checkpoint::seal(&key.plaintext, attempt, connection)?;
        let sealed = Sealed { key: key.sealed, data };
        let code_sha256 = attempt.code_sha256.clone().unwrap_or_default();
        let message = ExchangeMessage {
            attempt_id: attempt.id,
            wa_id: attempt.wa_id.clone(),
            received_at: message.received_at,
            login_url: attempt.login_url.clone(),
            consent: Consent::Exchanged { code_sha256, sealed },
        };
        Ok(resources.queue.send(&message).await?)
    }

    /// Stores the connection, with retries until then. Returns whether it replaced one.
    pub(crate) async fn store(
        &self,
        connection: &Connection,
        mut renewed: Option<bool>,
        until: Instant,
    ) -> Result<bool, Setback> {
        let (tables, attempt) = (&self.resources.tables, &self.attempt);
        let now = self.now();
        let mut pauses = Pauses::until(until);
        loop {
            let stored = async {
                let renewed = match renewed {
                    Some(renewed) => renewed,
                    // Asked until it is known and then no more: the transaction is repeated as it was.
                    None => *renewed.insert(tables.is_connected(attempt.wa_id).await?),
                };
                tables.connect(attempt, connection, renewed, now).await.map(|()| renewed)
            };
            match stored.await {
                Ok(renewed) => return Ok(renewed),
                Err(error) => {
                    if !pauses.next(None).await {
                        return Err(Setback::NotStored(error));
                    }
                }
            }
        }
    }
}
