//! Token revocation (RFC 7009): a refresh token takes its access tokens with it, and no other grant of the user.

use std::time::Duration;

use super::{
    body::Fields,
    classify::is_page,
    client::{Answer, Salesforce},
    words::Words,
};
use crate::http;

const PATH: &str = "/services/oauth2/revoke";

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// It is dead now.
    Revoked,
    /// It was dead before: revoked, expired, or never Salesforce's.
    Unknown,
}

/// What the hosts of a token have answered to its revocation, one after the other. It is dead where one revokes it, or where
/// one knows it as dead and no other may know it as alive.
#[derive(Debug, Default)]
pub struct RevocationAnswers {
    is_unknown: bool,
    open: Option<RevokeError>,
    /// The host does not know the org.
    elsewhere: Option<RevokeError>,
}

impl RevocationAnswers {
    /// Hears one more; whether the token is revoked, so that no other host need be asked.
    pub fn hear(&mut self, answer: Result<Revocation, RevokeError>) -> bool {
        match answer {
            Ok(Revocation::Revoked) => return true,
            Ok(Revocation::Unknown) => self.is_unknown = true,
            Err(error @ RevokeError::Refused(404)) => self.elsewhere = Some(error),
            Err(error) => self.open = Some(error),
        }
        false
    }

    /// All hosts have been asked, and none has revoked it.
    ///
    /// # Errors
    /// [`RevokeError`]: it may be alive.
    pub fn end(self) -> Result<(), RevokeError> {
        match (self.open, self.elsewhere) {
            (Some(error), _) => Err(error),
            _ if self.is_unknown => Ok(()),
            (None, elsewhere) => Err(elsewhere.unwrap_or(RevokeError::Host)),
        }
    }
}

/// A token may be alive: it was not revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// No host of Salesforce's is known for the token, and it is sent to no other.
    #[error("no host of Salesforce's to revoke the token at")]
    Host,
    /// No answer, or an incomplete one.
    #[error("no answer to the revocation")]
    NoAnswer(#[source] http::Error),
    /// Salesforce did not revoke it.
    #[error("Salesforce answered {0} to the revocation")]
    Refused(u16),
}

impl Salesforce {
    /// Revokes a token at this host, once. The host is the caller's to check.
    ///
    /// # Errors
    /// [`RevokeError`]: the token may be alive.
    pub async fn revoke(&self, host: &str, token: &str, time: Duration) -> Result<Revocation, RevokeError> {
        let request = self.post(&format!("{}{PATH}", host.trim_end_matches('/'))).map_err(|_| RevokeError::Host)?;
        let answer = Answer::to(request.form([("token", token)]).timeout(time)).await.map_err(RevokeError::NoAnswer)?;
        meaning(answer.status, &answer.body)
    }
}

/// Only an answer about this very token says that it is dead: RFC 7009 §2.2.1 gives `unsupported_token_type` to a server that
/// does not revoke such tokens, so it lives, and a login host answers 404 `Bad_Id` for the tokens of an org that it does not
/// know, whose own host is to be asked. Salesforce names the error as JSON or as a form, whichever is asked for.
fn meaning(status: u16, body: &[u8]) -> Result<Revocation, RevokeError> {
    let error = Fields::read(body).and_then(|fields| fields.error()).map(|error| Words::new(&error, ""));
    match (status, error.as_ref().map(Words::error)) {
        // Maintenance is announced with 200 too.
        (200..=299, None) if is_page(body) => Err(RevokeError::Refused(status)),
        (200..=299, None) => Ok(Revocation::Revoked),
        (400 | 401, Some("invalid_token" | "invalid_grant")) => Ok(Revocation::Unknown),
        _ => Err(RevokeError::Refused(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_dead_where_no_host_may_know_it_as_alive() {
        let dead = || Ok(Revocation::Unknown);
        let down = || Err(RevokeError::Refused(503));
        let elsewhere = || Err(RevokeError::Refused(404));
        let is_dead = |answers: Vec<Result<Revocation, RevokeError>>| {
            let mut heard = RevocationAnswers::default();
            answers.into_iter().any(|answer| heard.hear(answer)) || heard.end().is_ok()
        };
        assert!(
            is_dead(vec![dead(), dead()]) && is_dead(vec![elsewhere(), dead()]) && is_dead(vec![dead(), elsewhere()])
        );
        assert!(is_dead(vec![down(), Ok(Revocation::Revoked)]));
        assert!(!is_dead(vec![dead(), down()]) && !is_dead(vec![down(), dead()]), "the other may know it");
        assert!(!is_dead(vec![elsewhere()]) && !is_dead(Vec::new()));
    }

    #[test]
    fn each_answer_of_revoke_has_its_meaning() {
        const REVOKED: Option<Revocation> = Some(Revocation::Revoked);
        const DEAD: Option<Revocation> = Some(Revocation::Unknown);
        /// The token may be alive.
        const ALIVE: Option<Revocation> = None;
        #[rustfmt::skip]
        let table: [(u16, &str, Option<Revocation>); 27] = [
            // RFC 7009 §2.2; Salesforce Help "Revoke OAuth Tokens".
            (200, "", REVOKED),
            (204, "", REVOKED),
            (200, "{}", REVOKED),
            (400, "error=UNSUPPORTED_TOKEN_TYPE", ALIVE),
            (400, "error=invalid-token", DEAD),
            (400, "error=invalid_token&error_description=Invalid%20Token.&more=1", DEAD),
            (400, "\u{feff}{\"error\":\"invalid_token\",\"more\":{\"unknown\":1}}", DEAD),
            (400, "error=unsupported_token_type&error_description=this+token+type+is+not+supported", ALIVE),
            (400, r#"{"error":"unsupported_token_type","error_description":"invalid_token"}"#, ALIVE),
            (400, "error=invalid_token&error_description=invalid+token", DEAD),
            (400, r#"{"error":"invalid_token"}"#, DEAD),
            (400, r#"{"error":"invalid_token","error_description":"this token type is not supported"}"#, DEAD),
            (400, "error=INVALID_TOKEN", DEAD),
            // RFC 6749 §5.2.
            (400, r#"{"error":"invalid_grant"}"#, DEAD),
            (401, r#"{"error":"invalid_client"}"#, ALIVE),
            // posthog#70044: a login host does not know the tokens of that org; its own host is to be asked.
            (404, "Bad_Id", ALIVE),
            (404, r#"{"error":"Bad_Id"}"#, ALIVE),
            // RFC 7009 §2.2.1, RFC 6585 §4: later. What else may come in between says nothing of the token.
            (200, "<html>We are down for maintenance</html>", ALIVE),
            (502, "", ALIVE),
            (400, "<html>invalid_token</html>", ALIVE),
            (503, "error=invalid_token", ALIVE),
            (503, "<html>", ALIVE),
            (429, "", ALIVE),
            (302, "", ALIVE),
            (400, "", ALIVE),
            (400, "error=other&error_description=no+invalid_token", ALIVE),
            (200, r#"{"error":"server_error"}"#, ALIVE),
        ];
        for (status, body, expected) in table {
            assert_eq!(meaning(status, body.as_bytes()).ok(), expected, "{status} {body}");
        }
    }
}
