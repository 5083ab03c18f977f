//! The table of attempts, as far as a page asks how a login stands.

use aws_sdk_dynamodb::Client;

use super::{AwsError, dynamodb};
use crate::{AttemptId, attempt::attr, conditional_write::Attributes};

/// The table of attempts: how an attempt stands and why, and nothing else of it.
pub struct Progress {
    client: Client,
    table: String,
}

impl Progress {
    /// The attributes that are read, which the function's role is limited to, beside the key.
    pub const READ: [&str; 2] = [attr::STATUS, attr::REASON];

    /// The table with this name, by a client that the function has.
    #[must_use]
    pub const fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The attributes [`Self::READ`] of an attempt; empty where it has no row. They can be a second old.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn read(&self, attempt_id: AttemptId) -> Result<Attributes, AwsError> {
        let id = attempt_id.to_string();
        dynamodb::read_only(&self.client, &self.table, (attr::ATTEMPT_ID, &id), &Self::READ).await
    }
}
