//! The stack's own `POST /links`, signed as a bot signs it.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;
use shared::{AttemptId, LoginUrl, Timestamp, WaId};

use super::{client_for, word_for};
use crate::{aws::SdkConfig, error::Error};

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
    let failed = |why: &str| Error::failed(DOING, why);
    let url: Url = links_url.parse().map_err(|_| failed("the stack's LinksUrl is no address"))?;
    let mut order = json!({"wa_id": wa_id});
    if let Some(login_url) = login_url {
        order["login_url"] = json!(login_url);
    }
    let body = order.to_string();

    let provider = aws.credentials_provider().ok_or_else(|| failed("there are no AWS credentials"))?;
    let credentials = provider.provide_credentials().await.map_err(|error| failed(&error.to_string()))?;
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(aws.region().map_or("us-east-1", |region| region.as_ref()))
        .name("execute-api")
        .time(UNIX_EPOCH + Duration::from_millis(now.millis()))
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| failed("the request cannot be signed"))?
        .into();
    let headers = [("content-type", "application/json")];
    let signable = SignableRequest::new("POST", links_url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))
        .map_err(|_| failed("the request cannot be signed"))?;
    let (signature, _) = sign(signable, &parameters).map_err(|_| failed("the request cannot be signed"))?.into_parts();

    let mut request = client_for(&url)?.post(url).body(body);
    for (name, value) in headers.into_iter().chain(signature.headers()) {
        request = request.header(name, value);
    }
    let answer = request.send().await.map_err(|error| failed(word_for(&error)))?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| failed(word_for(&error)))?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| failed("the answer is not in its form"));
    }
    let said =
        serde_json::from_slice::<Refusal>(&body).ok().and_then(|refusal| refusal.error_description.or(refusal.message));
    Err(failed(&format!("the API answered {}: {}", status.as_u16(), said.as_deref().unwrap_or("no reason"))))
}
