//! The logins that wait for their chat; the rules are in [`shared::proof::pending`].

use shared::{
    AttemptId, Timestamp,
    attempt::{
        attr,
        ledger::{Attempt, Guard},
    },
    aws::dynamodb::{self, Transaction},
    proof::{
        ChatProof,
        pending::{Held, Hold},
    },
};

use super::{TableError, Tables};

/// The result of holding tokens, with what the row holds then.
#[derive(Debug)]
pub(crate) enum HoldResult {
    /// They are held, or were.
    Held(Option<Held>),
    /// Others are.
    Taken(Option<Held>),
    /// The attempt does not allow it.
    Refused,
}

impl Tables {
    /// Holds tokens and writes so to the attempt, in one transaction. A repetition changes nothing.
    pub(crate) async fn hold(
        &self,
        attempt: &Attempt<'_>,
        guard: Guard<'_>,
        proof: &ChatProof,
        hold: &Hold<'_>,
        now: Timestamp,
    ) -> Result<HoldResult, TableError> {
        let (row, item, id) = (hold.write(now), attempt.hold(guard, now), attempt.id.to_string());
        let (table, key) = self.pending.row(proof);
        let writes = [(&row, table, key), (&item, &*self.attempts, (attr::ATTEMPT_ID, &*id))];
        let written = dynamodb::transact(&self.dynamodb, writes).await?;
        // Read in any case: the chat may have sent its code before.
        let row = self.pending.read(proof).await?;
        let login = Held::read(&row);
        Ok(match written {
            Transaction::Done => HoldResult::Held(login),
            // The transaction was made before, and its answer lost.
            Transaction::ConditionFailed(_) if hold.is_in(&row) => HoldResult::Held(login),
            Transaction::ConditionFailed([true, _]) => HoldResult::Taken(login),
            Transaction::ConditionFailed([false, _]) => HoldResult::Refused,
        })
    }

    /// The login that waits for this code, or has waited; `None` where there is none.
    pub(crate) async fn read_held(&self, proof: &ChatProof) -> Result<Option<Held>, TableError> {
        Ok(Held::read(&self.pending.read(proof).await?))
    }

    /// Writes that the time for a confirmation is over, unless the chat was faster, or another delivery. Returns what the row
    /// holds then.
    pub(crate) async fn expire(&self, proof: &ChatProof, now: Timestamp) -> Result<Option<Held>, TableError> {
        Ok(Held::read(&self.pending.expire(proof, now).await?))
    }

    /// Takes the tokens out of the row, because what was decided is carried out.
    pub(crate) async fn settle(&self, proof: &ChatProof, id: AttemptId, now: Timestamp) -> Result<(), TableError> {
        Ok(self.pending.settle(proof, id, now).await?)
    }
}
