//! The stack's own `POST /links`, called as a bot calls it.

use serde::Deserialize;
use serde_json::json;
use shared::{LinkId, LoginUrl, Timestamp, WaId};

use crate::{
    aws::{Answer, SdkConfig, Signed},
    error::Error,
};

/// The response.
#[derive(Debug, Deserialize)]
pub(crate) struct Link {
    pub(crate) url: String,
    #[serde(rename = "link_id")]
    pub(crate) id: LinkId,
    pub(crate) expires_at: String,
}

/// An error of ours, or of API Gateway.
#[derive(Default, Deserialize)]
struct Refusal {
    error_description: Option<String>,
    message: Option<String>,
}

const ACTION: &str = "get a link";

/// Requests a link from the stack.
pub(crate) async fn request_link(
    aws: &SdkConfig,
    links_url: &str,
    wa_id: &WaId,
    login_url: Option<&LoginUrl>,
    now: Timestamp,
) -> Result<Link, Error> {
    let mut request = json!({"wa_id": wa_id});
    if let Some(login_url) = login_url {
        request["login_url"] = json!(login_url);
    }
    let request = Signed {
        action: ACTION,
        url: links_url,
        service: "execute-api",
        content_type: "application/json",
        target: None,
        body: request.to_string(),
    };
    let Answer { status, body, .. } = request.post(aws, now).await?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| Error::failed(ACTION, "the response is unreadable"));
    }
    let Refusal { error_description, message } = serde_json::from_slice(&body).unwrap_or_default();
    let why = error_description.or(message).unwrap_or_else(|| "no reason given".to_owned());
    Err(Error::failed(ACTION, format!("the API returned {}: {why}", status.as_u16())))
}
