//! The table of attempts, as far as a page asks how a login stands.

use super::{AwsError, Service, dynamodb};
use crate::{AttemptId, attempt::attr, conditional_write::Attributes};

/// The table of attempts: how an attempt stands and why, and nothing else of it.
pub struct Progress {
    dynamodb: Service,
    table: String,
}

impl Progress {
    /// The attributes that are read, which the function's role is limited to, beside the key.
    pub const READ: [&str; 2] = [attr::STATUS, attr::REASON];

    /// The table with this name.
    #[must_use]
    pub const fn new(dynamodb: Service, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The attributes [`Self::READ`] of an attempt; empty where it has no row. They can be a second old.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn read(&self, attempt_id: AttemptId) -> Result<Attributes, AwsError> {
        let id = attempt_id.to_string();
        dynamodb::read_only(&self.dynamodb, &self.table, (attr::ATTEMPT_ID, &id), &Self::READ).await
    }
}
