//! The logins that wait for their chat; the rules are in [`shared::proof::pending`].

use shared::{
    AttemptId, Timestamp,
    attempt::{
        attr,
        ledger::{Attempt, Guard},
    },
    aws::dynamodb::{self, Transaction, Update},
    conditional_write::{Attributes, ConditionalWrite},
    proof::{
        ChatProof,
        pending::{self, Hold},
    },
};

use super::{TableError, Tables};

/// The result of holding tokens.
#[derive(Debug)]
pub(crate) enum Holding {
    /// They are held in this row, or were.
    Held(Attributes),
    /// The row holds others.
    Taken(Attributes),
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
    ) -> Result<Holding, TableError> {
        let (row, item, id) = (hold.write(now), attempt.hold(guard, now), attempt.id.to_string());
        let writes = [
            (&row, &*self.pending, (pending::attr::PROOF, proof.as_str())),
            (&item, &*self.attempts, (attr::ATTEMPT_ID, &*id)),
        ];
        let written = dynamodb::transact(&self.client, writes).await?;
        // Read in any case: the chat may have sent its code before.
        let row = self.read_pending(proof).await?;
        Ok(match written {
            Transaction::Done => Holding::Held(row),
            // The transaction was made before, and its answer lost.
            Transaction::ConditionFailed(_) if hold.is_in(&row) => Holding::Held(row),
            Transaction::ConditionFailed([true, _]) => Holding::Taken(row),
            Transaction::ConditionFailed([false, _]) => Holding::Refused,
        })
    }

    /// The row of a login that waits for this code; empty where there is none.
    pub(crate) async fn read_pending(&self, proof: &ChatProof) -> Result<Attributes, TableError> {
        Ok(dynamodb::read(&self.client, &self.pending, (pending::attr::PROOF, proof.as_str())).await?)
    }

    /// Writes that the time for a confirmation is over. The row as it is, where that is not so.
    pub(crate) async fn expire(&self, proof: &ChatProof, now: Timestamp) -> Result<Option<Attributes>, TableError> {
        match self.update_pending(proof, &pending::expire(now)).await? {
            Update::Done(_) => Ok(None),
            Update::ConditionFailed(row) => Ok(Some(row)),
        }
    }

    /// Takes the tokens out of the row, because what was decided is carried out.
    pub(crate) async fn settle(&self, proof: &ChatProof, id: AttemptId, now: Timestamp) -> Result<(), TableError> {
        self.update_pending(proof, &pending::settle(id, now)).await.map(drop)
    }

    async fn update_pending(&self, proof: &ChatProof, write: &ConditionalWrite) -> Result<Update, TableError> {
        Ok(dynamodb::update(&self.client, &self.pending, (pending::attr::PROOF, proof.as_str()), write).await?)
    }
}
