//! From the grant to the tables, or back to the queue where the tables do not take it.

use std::time::Duration;

use shared::{
    Reason,
    attempt::ledger::{Attempt, Conflict, Guard, Lease},
    aws::kms::KmsError,
    conditional_write::Attributes,
    exchange::{Consent, ExchangeMessage, Sealed},
};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::{
    checkpoint::{self, BrokenSeal, CheckpointError},
    ending::Ending,
    retry::Pauses,
    revocation::Replaced,
    setback::Setback,
    tables::{Before, Connection, Finish, Stored},
    work::Work,
};

/// Repeats a step, with pauses until then, while it fails or ends in `None`: another wrote to the row, which is read again.
pub(crate) async fn retried(
    until: Instant,
    mut step: impl AsyncFnMut() -> Result<Option<Ending>, Setback>,
) -> Result<Ending, Setback> {
    let mut pauses = Pauses::until(until);
    loop {
        let setback = match step().await {
            Ok(Some(ending)) => return Ok(ending),
            Ok(None) => Setback::RowChanged,
            Err(Setback::Attempt(error)) => Setback::NotStored(error),
            Err(setback) => setback,
        };
        if !pauses.next(None).await {
            return Err(setback);
        }
    }
}

impl Work<'_> {
    /// Stores the connection or, where the tables do not take it, puts it back on the queue.
    pub(crate) async fn store_or_checkpoint(
        &self,
        connection: &Connection,
        row: Option<Attributes>,
        lease: Option<&Lease>,
    ) -> Result<Ending, Setback> {
        let mut replaced = Replaced::default();
        let ended = self.store_or_checkpoint_replacing(connection, row, lease, &mut replaced).await;
        self.revoke_unqueued(replaced.unqueued).await;
        ended
    }

    async fn store_or_checkpoint_replacing(
        &self,
        connection: &Connection,
        row: Option<Attributes>,
        lease: Option<&Lease>,
        replaced: &mut Replaced,
    ) -> Result<Ending, Setback> {
        let store_until = self.budget.store();
        let stored = timeout_at(store_until, self.keep(connection, row, lease, store_until, replaced)).await;
        let cause = match stored.unwrap_or(Err(Setback::OutOfTime)) {
            Ok(ending) => return Ok(ending),
            Err(cause) => cause,
        };
        // Neither the tables nor the queue may be back for long, so that both are tried in turn to the end.
        let until = self.budget.checkpoint();
        let mut pauses = Pauses::until(until);
        let mut trouble = CheckpointError::OutOfTime;
        let mut may_be_queued = false;
        loop {
            match timeout_at(until, self.checkpoint(connection)).await {
                Ok(Ok(())) => {
                    // Where this fails, another delivery of the code finds it used, and cannot know by whom.
                    let _ = timeout_at(until, self.resources.tables.note_sealed(&self.attempt)).await;
                    return Ok(Ending::Checkpointed { cause });
                }
                Ok(Err(error)) => {
                    may_be_queued |= error.may_be_queued();
                    trouble = error;
                }
                Err(_) => may_be_queued = true,
            }
            if !pauses.next(None).await {
                // What may be on the queue may be stored later, and must not be dead by then.
                if !may_be_queued {
                    self.revoke_lost(&connection.grant).await;
                }
                return Err(Setback::TokensLost(trouble));
            }
            // Once, without a pause of its own.
            let stored = timeout_at(until, self.keep(connection, None, lease, Instant::now(), replaced)).await;
            if let Ok(Ok(ending)) = stored {
                return Ok(ending);
            }
        }
    }

    /// Puts the connection on the queue, sealed, in a message that takes the place of the code's.
    async fn checkpoint(&self, connection: &Connection) -> Result<(), CheckpointError> {
        let Self { resources, attempt, message, .. } = self;
        // Only tokens of version 1 have no state: they are on the queue already.
        let Some(state) = message.state else { return Ok(()) };
        let sealed = self.seal_connection::<CheckpointError>(connection).await?;
        let code_sha256 = attempt.code_sha256.clone().unwrap_or_default();
        let message = ExchangeMessage {
            state: state.clone(),
            received_at: message.received_at,
            consent: Consent::Exchanged { code_sha256, sealed, proof: message.proof().cloned() },
        };
        Ok(resources.queue.send(message.to_body(), Duration::ZERO).await?)
    }

    /// Encrypts a connection, for the time that it waits on the queue or for its chat's confirmation.
    pub(crate) async fn seal_connection<E>(&self, connection: &Connection) -> Result<Sealed, E>
    where
        E: From<KmsError> + From<BrokenSeal>,
    {
        let Self { resources, attempt, message, .. } = self;
        let key = resources.kms.checkpoint_key(&resources.config.checkpoint_key_id, attempt.id).await?;
        let data = checkpoint::seal(&key.plaintext, attempt, message.proof(), connection)?;
        Ok(Sealed { key: key.sealed, data })
    }

    /// Stores a connection that was on the queue, or was held and is confirmed, with retries as long as there is work.
    pub(crate) async fn store_opened(&self, connection: &Connection) -> Result<Ending, Setback> {
        let mut replaced = Replaced::default();
        let ended = self.store(connection, None, None, self.budget.work(), &mut replaced).await;
        self.revoke_unqueued(replaced.unqueued).await;
        ended
    }

    /// Stores the connection or, where the chat has to confirm it first, holds it: with retries until then.
    async fn keep(
        &self,
        connection: &Connection,
        row: Option<Attributes>,
        lease: Option<&Lease>,
        until: Instant,
        replacing: &mut Replaced,
    ) -> Result<Ending, Setback> {
        match self.message.proof() {
            Some(proof) => self.hold(connection, proof, lease, until).await,
            None => self.store(connection, row, lease, until, replacing).await,
        }
    }

    /// Stores the connection, with retries until then, unless a later consent of the chat has won.
    ///
    /// What it replaces is put on the queue, to be revoked, before it is replaced: a kill in between loses nothing,
    /// because a token that is still in the row by then is left alone. What the queue did not take is the caller's, who has
    /// time for it that the tables do not need.
    async fn store(
        &self,
        connection: &Connection,
        mut row: Option<Attributes>,
        lease: Option<&Lease>,
        until: Instant,
        replacing: &mut Replaced,
    ) -> Result<Ending, Setback> {
        retried(until, async || self.store_once(connection, row.take(), lease, replacing).await).await
    }

    /// `None` where another wrote to the row meanwhile.
    async fn store_once(
        &self,
        connection: &Connection,
        row: Option<Attributes>,
        lease: Option<&Lease>,
        replacing: &mut Replaced,
    ) -> Result<Option<Ending>, Setback> {
        let consent = self.consent();
        // Of each try: outcomes of one chat are told in the order in which they are written.
        let now = self.now();
        let before = match row {
            Some(row) => row,
            None => self.resources.tables.read_tokens(self.attempt.wa_id).await?,
        };
        if consent.is_superseded(&before, now) {
            let reason = self.reason_lost(&before, now);
            return self.give_way(connection, reason, lease).await.map(Some);
        }
        let refresh_token = self.row_token(&connection.grant).await?;
        let before = Before::of(&before);
        // What came of this very consent is its own, also where it has been rotated since.
        let is_stored = before.origin == self.origin();
        let replaced = before.tokens.as_ref().filter(|tokens| !is_stored && !connection.holds(tokens));
        if let Some(tokens) = replaced
            && replacing.tokens.as_ref().is_none_or(|known| known.to_revoke() != tokens.to_revoke())
        {
            replacing.unqueued = self.revoke_replaced(tokens, &before).await;
            replacing.tokens = Some(tokens.clone());
        }
        let renewed = before.is_connected;
        let of_link = self.link_reference().await;
        // A connection that keeps its reference and its language is told with them.
        let reference = of_link.clone().or_before(before.reference.clone());
        let language = self.attempt.language.or(before.language);
        let attempt = Attempt { reference, language, ..self.attempt.clone() };
        let new = connection.tokens(&self.attempt, of_link, refresh_token);
        match self.resources.tables.connect(&attempt, &consent, &new, &before, now).await? {
            Stored::Done => Ok(Some(Ending::Connected { renewed })),
            stored => self.not_stored(connection, stored).await,
        }
    }

    /// The attempt does not take this connection: it has it, or another outcome. `None` where a row has changed.
    pub(crate) async fn not_stored(&self, connection: &Connection, stored: Stored) -> Result<Option<Ending>, Setback> {
        if matches!(stored, Stored::Never | Stored::AnotherCode) {
            self.revoke_unused(&connection.grant).await;
        }
        Ok(match stored {
            Stored::Done | Stored::Never => Some(Ending::Duplicate),
            Stored::AnotherCode => Some(self.end_own_apart(Reason::UsedLogin).await?),
            Stored::RowChanged => None,
        })
    }

    /// The consent has lost: these tokens are revoked, and the attempt ends.
    async fn give_way(
        &self,
        connection: &Connection,
        reason: Reason,
        lease: Option<&Lease>,
    ) -> Result<Ending, Setback> {
        if self.confirmed_at.get().is_some() {
            self.revoke_surely(&connection.grant).await?;
        } else {
            self.revoke_unused(&connection.grant).await;
        }
        let guard = lease.map_or(Guard::Exchanged, Guard::Lease);
        let attempt = self.attempt_with_reference().await;
        match self.resources.tables.supersede(&attempt, reason, guard, Attributes::new(), self.now()).await? {
            Finish::Written | Finish::Superseded(_) => Ok(Ending::Failed(reason.into())),
            // It ended so before.
            Finish::Refused(Conflict::Finished { connected: false }) => Ok(Ending::Duplicate),
            Finish::Refused(Conflict::AnotherCode) => self.end_own_apart(reason).await,
            Finish::Refused(conflict) => {
                warn!(attempt_id = %self.attempt.id, ?conflict, "superseded attempt has another outcome");
                Ok(Ending::Duplicate)
            }
        }
    }
}
