//! Keeps the references of links in the table of attempts, by the rule of [`crate::reference`].

use std::time::Duration;

use super::{AwsError, Service, dynamodb};
use crate::{Reference, attempt::attr, link::Link, reference::row_id};

/// The longest that a link waits for its reference to be kept.
const TIME: Duration = Duration::from_secs(3);

/// The table of attempts, as far as it keeps references.
pub struct References {
    dynamodb: Service,
    table: String,
}

/// The reference is not kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// The table did not take it.
    #[error(transparent)]
    Table(#[from] AwsError),
    /// The table did not answer.
    #[error("timed out waiting for the table of attempts")]
    Time,
}

impl References {
    /// The table with this name.
    #[must_use]
    pub fn new(dynamodb: Service, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// Keeps the reference of a link, which says then that it has one.
    ///
    /// # Errors
    /// [`NotKept`]: the link is as it was given.
    pub async fn keep(&self, link: &mut Link, reference: &Reference) -> Result<(), NotKept> {
        let (key, write) = (row_id(link.link_id), reference.kept_for(link));
        let keeping = dynamodb::update(&self.dynamodb, &self.table, (attr::ATTEMPT_ID, &key), &write);
        // No other link has its id: the condition is for repetitions of the request.
        tokio::time::timeout(TIME, keeping).await.map_err(|_| NotKept::Time)??;
        link.has_reference = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use fakes::{Server, aws::setting};
    use serde_json::json;

    use super::*;
    use crate::{LinkId, Settings, Timestamp};

    async fn references() -> (Server, References) {
        let server = Server::start().await;
        let config = crate::aws::config(&Settings::new(|name: &str| setting(name, &server))).unwrap();
        (server.clone(), References::new(dynamodb::service(&config), "attempts".to_owned()))
    }

    fn link() -> Link {
        Link::new(
            LinkId::from_bytes([3; 16]),
            "whatsapp:+15551234567".parse().unwrap(),
            "https://login.salesforce.com".parse().unwrap(),
            Timestamp::from_seconds(1_790_000_000),
            Duration::from_mins(15),
        )
    }

    #[tokio::test]
    async fn a_reference_is_one_write_and_its_link_says_so() {
        let (server, references) = references().await;
        server.on("UpdateItem", |_| json!({}).into());
        let mut link = link();
        references.keep(&mut link, &"crm/42".parse().unwrap()).await.unwrap();
        assert!(link.has_reference);
        let asked = server.only_request("UpdateItem").json();
        assert_eq!(
            (&asked["TableName"], &asked["Key"]["attempt_id"]["S"]),
            (&json!("attempts"), &json!(row_id(link.link_id)))
        );
        assert_eq!(asked["ExpressionAttributeValues"][":reference"], json!({ "S": "crm/42" }));
    }

    #[tokio::test]
    async fn a_reference_that_is_not_kept_is_not_the_links() {
        let (server, references) = references().await;
        server.fail(fakes::aws::error("AccessDeniedException"));
        let mut link = link();
        assert!(references.keep(&mut link, &"crm/42".parse().unwrap()).await.is_err());
        assert!(!link.has_reference);
    }
}
