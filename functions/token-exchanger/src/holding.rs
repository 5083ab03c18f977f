//! Tokens that wait for the chat's confirmation, and what becomes of them once it is decided.
//!
//! The rules are in [`shared::proof::pending`]. A message of the upkeep queue comes when the time for the confirmation is over
//! and is put on this function's queue, so that nothing is held for longer, whoever was killed meanwhile. It does not wait on
//! this queue itself, whose oldest message tells operators how long codes wait.

use std::time::Duration;

use shared::{
    Reason, Timestamp,
    attempt::ledger::{Guard, Lease},
    conditional_write::Attributes,
    connection::is_connected,
    custody::upkeep::Upkeep,
    exchange::{Consent, ExchangeMessage, Sealed},
    proof::{
        ChatProof, ProofPolicy,
        pending::{Decision, Held, Hold},
    },
};
use tokio::time::{Instant, timeout_at};

use crate::{
    ending::{Ending, Failure},
    message::Content,
    setback::Setback,
    storage::retried,
    tables::{Connection, Ended, Finish, HoldResult},
    work::Work,
};

impl Work<'_> {
    /// Whether the chat would have to confirm the login, and nothing says by which code. Nothing can confirm it then.
    pub(crate) fn lacks_proof(&self) -> bool {
        self.resources.config.proof.policy == ProofPolicy::Required && self.message.proof().is_none()
    }

    /// Holds the connection until the chat confirms it, with retries until then. Where that is decided already it is carried
    /// out.
    pub(crate) async fn hold(
        &self,
        connection: &Connection,
        proof: &ChatProof,
        lease: Option<&Lease>,
        until: Instant,
    ) -> Result<Ending, Setback> {
        retried(until, async || self.hold_once(connection, proof, lease).await).await
    }

    /// `None` where the attempt changed meanwhile.
    async fn hold_once(
        &self,
        connection: &Connection,
        proof: &ChatProof,
        lease: Option<&Lease>,
    ) -> Result<Option<Ending>, Setback> {
        // Only a message with a state brings a proof.
        let Some(state) = self.message.state else { return Ok(Some(Ending::Duplicate)) };
        let code_sha256 = self.attempt.code_sha256.as_deref().unwrap_or_default();
        let time = self.resources.config.proof.time;
        let timer = async { self.timer.get_or_try_init(|| self.send_timer(proof, code_sha256, time)).await.copied() };
        let (sealed, ()) = tokio::try_join!(self.seal_connection(connection), timer)?;
        let now = self.now();
        let hold = Hold {
            attempt_id: self.attempt.id,
            wa_id: self.attempt.wa_id,
            language: self.attempt.language,
            state,
            received_at: self.message.received_at,
            link_issued_at: self.message.consent().link_issued_at,
            code_sha256,
            sealed: &sealed,
            confirm_until: now.plus(time),
        };
        let guard = lease.map_or(Guard::Exchanged, Guard::Lease);
        let attempt = self.attempt_with_reference().await;
        match self.resources.tables.hold(&attempt, guard, proof, &hold, now).await? {
            HoldResult::Held(login) => self.decide_held(proof, login, Some(connection)).await.map(Some),
            HoldResult::Taken(by) => self.give_up_held(connection, by, guard).await.map(Some),
            HoldResult::Refused => {
                let stored = self.resources.tables.refused(&self.attempt, self.now()).await?;
                self.not_stored(connection, stored).await
            }
        }
    }

    /// Another login has the same code, or another approval of this one.
    async fn give_up_held(
        &self,
        connection: &Connection,
        by: Option<Held>,
        guard: Guard<'_>,
    ) -> Result<Ending, Setback> {
        self.revoke_unused(&connection.grant).await;
        match by {
            Some(held) if held.attempt_id == self.attempt.id => self.end_second_approval().await,
            _ => self.fail(Reason::Unconfirmed.into(), guard).await,
        }
    }

    /// The first approval has the login's code. The attempt may be this one's by now, because the first has failed.
    async fn end_second_approval(&self) -> Result<Ending, Setback> {
        let failure = Failure::from(Reason::UsedLogin);
        match self.write(Ended::failed(&failure, Guard::Open), self.now()).await? {
            Finish::Written => Ok(Ending::Failed(failure)),
            Finish::Superseded(reason) => Ok(Ending::Failed(reason.into())),
            Finish::Refused(_) => self.end_own_apart(Reason::UsedLogin).await,
        }
    }

    /// Whether these tokens are held, though no answer says so. `None`: nobody knows.
    pub(crate) async fn are_held(&self) -> Option<bool> {
        let Some(proof) = self.message.proof() else { return Some(false) };
        let held = timeout_at(self.budget.revocation(), self.resources.tables.read_held(proof)).await.ok()?.ok()?;
        Some(held.is_some_and(|held| self.is_held(&held)))
    }

    /// Sends the message that comes when the time for the confirmation is over: before the tokens are held, so that none are
    /// without it.
    async fn send_timer(&self, proof: &ChatProof, code_sha256: &str, time: Duration) -> Result<(), Setback> {
        let Some(state) = self.message.state else { return Ok(()) };
        let consent = Consent::Decided { proof: proof.clone(), code_sha256: code_sha256.to_owned() };
        let message = ExchangeMessage { state: state.clone(), received_at: self.message.received_at, consent };
        let upkeep = self.resources.upkeep.as_ref().ok_or(Setback::NoUpkeep)?;
        upkeep.send(Upkeep::Decide(Box::new(message)).to_body(), time).await.map_err(Setback::NoTimer)
    }

    /// It is decided what becomes of held tokens, or it is time to decide it.
    pub(crate) async fn decide(&self, proof: &ChatProof) -> Result<Ending, Setback> {
        let mut held = self.resources.tables.read_held(proof).await?.filter(|held| self.is_held(held));
        if let Some(open) = held.as_ref().filter(|held| !held.is_settled() && held.decision.is_none()) {
            let now = self.now();
            if now < open.confirm_until {
                return Err(Setback::NotYet { until: open.confirm_until });
            }
            held = self.resources.tables.expire(proof, now).await?;
        }
        self.decide_held(proof, held, None).await
    }

    /// A delivery of a code whose tokens are held: perhaps its first one was killed before it carried out what was decided.
    pub(crate) async fn decide_again(&self, proof: &ChatProof) -> Result<Ending, Setback> {
        match self.decide(proof).await {
            Err(Setback::NotYet { .. }) => Ok(Ending::Duplicate),
            decided => decided,
        }
    }

    fn is_held(&self, held: &Held) -> bool {
        held.attempt_id == self.attempt.id
            && held.wa_id == *self.attempt.wa_id
            && self.attempt.code_sha256.as_deref() == Some(&*held.code_sha256)
    }

    /// Carries out what the row says, if it is decided and was not carried out before.
    async fn decide_held(
        &self,
        proof: &ChatProof,
        held: Option<Held>,
        connection: Option<&Connection>,
    ) -> Result<Ending, Setback> {
        match held {
            Some(held) if !held.is_settled() => match held.decision {
                Some(decision) => self.carry_out(proof, decision, &held, connection).await,
                None => Ok(Ending::Held),
            },
            _ => Ok(Ending::Duplicate),
        }
    }

    /// Carries out the decision; then the tokens leave the row. A kill in between repeats it, and nothing happens twice.
    async fn carry_out(
        &self,
        proof: &ChatProof,
        decision: Decision,
        held: &Held,
        connection: Option<&Connection>,
    ) -> Result<Ending, Setback> {
        if decision == Decision::Confirmed {
            self.confirmed_at.get_or_init(|| held.sent_at.unwrap_or(held.received_at));
        }
        let opened = match (connection, &held.sealed) {
            (None, Some(sealed)) => Some(self.open(sealed).await?),
            _ => None,
        };
        let Some(connection) = connection.or(opened.as_ref()) else { return Ok(Ending::Duplicate) };
        let ending = match decision {
            Decision::Confirmed => self.store_confirmed(connection).await?,
            Decision::WrongChat => self.refuse_tokens(connection, Reason::WrongChat, Guard::Open).await?,
            Decision::Expired => self.refuse_tokens(connection, Reason::Unconfirmed, Guard::Open).await?,
        };
        self.resources.tables.settle(proof, self.attempt.id, self.now()).await?;
        Ok(ending)
    }

    async fn store_confirmed(&self, connection: &Connection) -> Result<Ending, Setback> {
        // Perhaps this message is what kills its holders.
        if self.attempt.delivery.is_late() {
            self.write(Ended::delayed(Reason::Misconfigured, Guard::Open), self.now()).await?;
        }
        self.store_opened(connection).await
    }

    /// Why the consent lost. Who confirms a login after their chat was disconnected waits for an answer, whenever they approved.
    pub(crate) fn reason_lost(&self, row: &Attributes, now: Timestamp) -> Reason {
        let consent = self.consent();
        match self.confirmed_at.get() {
            Some(at) if !is_connected(row) => shared::connection::Consent { at: *at, ..consent }.reason_lost(row, now),
            _ => consent.reason_lost(row, now),
        }
    }

    async fn refuse_tokens(
        &self,
        connection: &Connection,
        reason: Reason,
        guard: Guard<'_>,
    ) -> Result<Ending, Setback> {
        self.revoke_surely(&connection.grant).await?;
        self.fail(reason.into(), guard).await
    }

    /// The tokens of a login that nothing can confirm.
    pub(crate) async fn refuse_unproven(&self, sealed: &Sealed) -> Result<Ending, Setback> {
        let connection = self.open(sealed).await?;
        self.refuse_tokens(&connection, Reason::Unconfirmed, Guard::Exchanged).await
    }

    /// Whether the message is about tokens that the chat has confirmed, or needs not to: the person waits for them.
    pub(crate) fn brings_tokens(&self) -> bool {
        matches!(self.message.content, Content::Exchanged { .. }) || self.confirmed_at.get().is_some()
    }
}
