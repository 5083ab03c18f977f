//! What an endpoint made of a request, in the journal's words, and how often.

use serde::Serialize;
use serde_json::{Value, json};

/// What Salesforce made of a token that it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// A new access token; the refresh token stays.
    Refreshed,
    /// A new access token, and a new refresh token in place of the one that was sent.
    Rotated,
    /// The refresh token had been replaced: its family, alive until now, is revoked.
    FamilyRevoked,
    /// The same, of a family that was dead already.
    Reused,
    /// The refresh token was the newest one, and dead: revoked, or unused for too long.
    Dead,
    /// No refresh token of this client and host.
    Unknown,
    /// The refresh token is alive, but a restriction stands.
    Restricted,
    /// Another request with the same refresh token was not answered yet.
    Busy,
    /// Introspection: the token is valid.
    Active,
    /// Introspection: it is not.
    Inactive,
}

/// The number of each kind.
pub(super) fn count(verdicts: &[Verdict]) -> Value {
    let of = |kinds: &[Verdict]| verdicts.iter().filter(|verdict| kinds.contains(verdict)).count();
    json!({
        "refreshes": of(&[Verdict::Refreshed, Verdict::Rotated]),
        "rotations": of(&[Verdict::Rotated]),
        "reuses": of(&[Verdict::Reused, Verdict::FamilyRevoked]),
        "families_revoked": of(&[Verdict::FamilyRevoked]),
        "dead": of(&[Verdict::Dead]),
        "unknown": of(&[Verdict::Unknown]),
        "restricted": of(&[Verdict::Restricted]),
        "busy": of(&[Verdict::Busy]),
        "introspections": of(&[Verdict::Active, Verdict::Inactive]),
    })
}
