//! The stack's own `POST /links`, signed as a bot signs it.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use shared::{AttemptId, LoginUrl, Timestamp, WaId};

use crate::{
    aws::{SdkConfig, SignedRequest},
    error::Error,
};

/// The answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Link {
    pub(crate) url: String,
    pub(crate) attempt_id: AttemptId,
    pub(crate) expires_at: String,
}

#[derive(Deserialize)]
struct Refusal {
    error_description: Option<String>,
    message: Option<String>,
}

const DOING: &str = "get a link";

/// Asks the stack for a link.
pub(crate) async fn ask_for_link(
    aws: &SdkConfig,
    links_url: &str,
    wa_id: &WaId,
    login_url: Option<&LoginUrl>,
    now: Timestamp,
) -> Result<Link, Error> {
    let mut order = json!({"wa_id": wa_id});
    if let Some(login_url) = login_url {
        order["login_url"] = json!(login_url);
    }
    let request = SignedRequest {
        doing: DOING,
        service: "execute-api",
        method: Method::POST,
        url: links_url,
        body: order.to_string(),
    };
    let (status, body) = request.send(aws, now).await?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| Error::failed(DOING, "the answer is not in its form"));
    }
    let said =
        serde_json::from_slice::<Refusal>(&body).ok().and_then(|refusal| refusal.error_description.or(refusal.message));
    let said = said.as_deref().unwrap_or("no reason");
    Err(Error::failed(DOING, format!("the API answered {}: {said}", status.as_u16())))
}
