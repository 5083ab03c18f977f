//! The JSON that is answered.

use secrecy::ExposeSecret as _;
use serde::Serialize;
use shared::{Timestamp, custody::LiveToken, web::Content};

/// The answer of the token call.
#[derive(Serialize)]
struct TokenAnswer<'a> {
    access_token: &'a str,
    token_type: &'static str,
    instance_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

/// The answer with a token.
pub(crate) fn token(live: &LiveToken) -> Content {
    json(&TokenAnswer {
        access_token: live.access_token.expose_secret(),
        token_type: "Bearer",
        instance_url: &live.instance_url,
        issued_at: live.issued_at.map(Timestamp::rfc3339),
        expires_at: live.expires_at.map(Timestamp::rfc3339),
        scope: live.scope.as_deref(),
    })
}

/// An answer of this form.
///
/// # Panics
/// Never: every answer has a JSON form.
pub(crate) fn json(answer: &impl Serialize) -> Content {
    #[expect(clippy::expect_used, reason = "every answer has a JSON form")]
    Content::Json(serde_json::to_string(answer).expect("every answer has a JSON form"))
}
