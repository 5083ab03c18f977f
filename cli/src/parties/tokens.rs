//! The stack's own `POST /connections/token`, called as a bot calls it.

use serde::Deserialize;
use serde_json::json;
use shared::{Timestamp, WaId};

use crate::{
    aws::{Answer, SdkConfig, Signed},
    error::Error,
};

const ACTION: &str = "refresh the tokens";

/// How the call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refreshed {
    /// There is a token that was not rejected.
    Live,
    /// The connection has ended, for this reason where it is known.
    NeedsReauthorization(Option<String>),
    /// There is no connection.
    NotConnected,
    /// The stack leaves refreshing to the bot.
    BotCustody,
    /// Not now.
    Unavailable,
}

/// An error of ours, or of API Gateway. A token in an answer is not read.
#[derive(Default, Deserialize)]
struct Refusal {
    error: Option<String>,
    reason: Option<String>,
    error_description: Option<String>,
    message: Option<String>,
}

/// Has the stack refresh the chat's tokens, if its access token still has this hash.
pub(crate) async fn refresh_token(
    aws: &SdkConfig,
    url: &str,
    wa_id: &WaId,
    rejected: &str,
    now: Timestamp,
) -> Result<Refreshed, Error> {
    let request = Signed {
        action: ACTION,
        url,
        service: "execute-api",
        content_type: "application/json",
        target: None,
        body: json!({"wa_id": wa_id, "rejected": rejected}).to_string(),
    };
    let Answer { status, body, .. } = request.post(aws, now).await?;
    if status.is_success() {
        return Ok(Refreshed::Live);
    }
    let Refusal { error, reason, error_description, message } = serde_json::from_slice(&body).unwrap_or_default();
    match (status.as_u16(), error.as_deref()) {
        (404, Some("not_connected")) => Ok(Refreshed::NotConnected),
        (409, Some("needs_reauthorization")) => Ok(Refreshed::NeedsReauthorization(reason)),
        (409, Some("bot_custody")) => Ok(Refreshed::BotCustody),
        (503, Some("temporarily_unavailable")) => Ok(Refreshed::Unavailable),
        (status, _) => {
            let why = error_description.or(message).unwrap_or_else(|| "no reason given".to_owned());
            Err(Error::failed(ACTION, format!("the API returned {status}: {why}")))
        }
    }
}
