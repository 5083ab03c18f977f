//! `/userinfo`: the name of the account that tokens belong to.

use std::time::Duration;

use hyper::header;

use super::{
    body::Fields,
    classify::{self, UserinfoFailure},
    client::{Answer, Salesforce},
    grant::Grant,
};
use crate::http;

/// `/userinfo` did not name the account.
#[derive(Debug, thiserror::Error)]
pub enum UserinfoError {
    /// No answer, or an incomplete one.
    #[error("no answer from /userinfo")]
    NoAnswer(#[source] http::Error),
    /// An answer without a name.
    #[error("Salesforce answered {status} to /userinfo, without the account's name")]
    NoName {
        /// The answer's.
        status: u16,
        /// What it means.
        failure: UserinfoFailure,
    },
}

impl Salesforce {
    /// The username of the account, which also shows that the tokens work from here.
    ///
    /// # Errors
    /// [`UserinfoError`].
    pub async fn username(&self, grant: &Grant, time: Duration) -> Result<String, UserinfoError> {
        let request = self.get(&format!("{}/services/oauth2/userinfo", grant.instance_url));
        let request = request.map_err(UserinfoError::NoAnswer)?.header(header::ACCEPT, "application/json");
        let request = request.bearer_auth(grant.access_token.secret()).timeout(time);
        let answer = Answer::to(request).await.map_err(UserinfoError::NoAnswer)?;
        let fields = Fields::read(&answer.body).filter(|fields| is_of(fields, grant));
        let name = fields.and_then(|fields| fields.text("preferred_username"));
        match name {
            Some(name) if (200..=299).contains(&answer.status) => Ok(name),
            _ => Err(UserinfoError::NoName {
                status: answer.status,
                failure: classify::userinfo(answer.status, answer.retry_after, &answer.body),
            }),
        }
    }
}

/// Whether an answer is about the account of the tokens: it names no other. An id has 15 characters, or 18 with a checksum.
fn is_of(fields: &Fields, grant: &Grant) -> bool {
    let is = |name, id: &str| fields.text(name).is_none_or(|other| other.get(..15) == id.get(..15));
    is("organization_id", &grant.org_id) && is("user_id", &grant.user_id)
}

impl UserinfoError {
    /// What it means for the connection.
    #[must_use]
    pub fn failure(&self) -> UserinfoFailure {
        match self {
            Self::NoAnswer(_) => UserinfoFailure::Transient { retry_after: None },
            Self::NoName { failure, .. } => *failure,
        }
    }
}
