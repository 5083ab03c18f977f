//! Token introspection (RFC 7662; Salesforce Help "OAuth 2.0 Token Introspection"): whether a token is alive, without using it.

use std::time::Duration;

use hyper::header;
use serde::Deserialize;

use super::{
    client::{Answer, Salesforce},
    refresh::AppCredentials,
};
use crate::{Timestamp, http};

const PATH: &str = "/services/oauth2/introspect";

/// What Salesforce knows of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Introspection {
    /// It works.
    Active {
        /// When it ends, where Salesforce says.
        expires_at: Option<Timestamp>,
    },
    /// It is expired, revoked, used up, or was never one.
    Inactive,
}

/// Which kind of token it is (RFC 7662 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
}

/// Salesforce did not say whether the token is alive.
#[derive(Debug, thiserror::Error)]
pub enum IntrospectError {
    /// No answer, or an incomplete one.
    #[error("no answer to the introspection")]
    NoAnswer(#[source] http::Error),
    /// An answer of another kind.
    #[error("Salesforce answered {0} to the introspection")]
    Refused(u16),
}

impl IntrospectError {
    /// Whether the request was not answered at all.
    #[must_use]
    pub const fn is_silence(&self) -> bool {
        matches!(self, Self::NoAnswer(_))
    }

    /// Whether the same host may say it later. What else it answers, a redirect or a page, it will answer again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Refused(status) => matches!(status, 408 | 429 | 500..=599),
        }
    }
}

/// RFC 7662 §2.2.
#[derive(Deserialize)]
struct Introspected {
    active: bool,
    /// In seconds. One in a form of its own says nothing, and takes nothing from what `active` says.
    exp: Option<serde_json::Value>,
}

impl Salesforce {
    /// Asks this host of Salesforce's whether a token is alive, once.
    ///
    /// # Errors
    /// [`IntrospectError`].
    pub async fn introspect(
        &self,
        host: &str,
        (kind, token): (TokenKind, &str),
        credentials: AppCredentials<'_>,
        time: Duration,
    ) -> Result<Introspection, IntrospectError> {
        let AppCredentials { client_id, client_secret } = credentials;
        let token_type_hint = match kind {
            TokenKind::Access => "access_token",
            TokenKind::Refresh => "refresh_token",
        };
        let form = [
            ("token", token),
            ("token_type_hint", token_type_hint),
            ("client_id", client_id),
            ("client_secret", client_secret),
        ];
        let request = self.post(&format!("{}{PATH}", host.trim_end_matches('/')));
        let request = request.map_err(IntrospectError::NoAnswer)?.header(header::ACCEPT, "application/json");
        let answer = Answer::to(request.form(form).timeout(time)).await.map_err(IntrospectError::NoAnswer)?;
        meaning(answer.status, &answer.body).ok_or(IntrospectError::Refused(answer.status))
    }
}

fn meaning(status: u16, body: &[u8]) -> Option<Introspection> {
    let answer: Introspected = serde_json::from_slice(body).ok().filter(|_| (200..=299).contains(&status))?;
    Some(if answer.active {
        Introspection::Active { expires_at: answer.exp.as_ref().and_then(seconds).map(Timestamp::from_seconds) }
    } else {
        Introspection::Inactive
    })
}

fn seconds(exp: &serde_json::Value) -> Option<u64> {
    exp.as_u64().or_else(|| exp.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_says_so_is_one() {
        let active = |expires_at| Some(Introspection::Active { expires_at });
        for (status, body, expected) in [
            (
                200,
                r#"{"active":true,"exp":1790000000,"scope":"api"}"#,
                active(Some(Timestamp::from_seconds(1_790_000_000))),
            ),
            (200, r#"{"active":true,"exp":"1790000000"}"#, active(Some(Timestamp::from_seconds(1_790_000_000)))),
            (200, r#"{"active":true,"exp":1.79e9}"#, active(None)),
            (200, r#"{"active":true,"exp":-1}"#, active(None)),
            (200, r#"{"active":true,"exp":"never"}"#, active(None)),
            (200, r#"{"active":true}"#, active(None)),
            (200, r#"{"active":"true"}"#, None),
            (200, r#"{"active":false}"#, Some(Introspection::Inactive)),
            (200, "{}", None),
            (200, "", None),
            (200, "<html>maintenance</html>", None),
            (400, r#"{"active":false}"#, None),
            (401, r#"{"error":"invalid_client"}"#, None),
            (503, r#"{"active":false}"#, None),
        ] {
            assert_eq!(meaning(status, body.as_bytes()), expected, "{status} {body}");
        }
    }
}
