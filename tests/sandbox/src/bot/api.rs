//! The stack's API as the bot calls it: `POST` of JSON, signed with AWS's Signature Version 4 for `execute-api`.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::ambient::signing_time;

/// Where `POST /links` is and how to call it, as the control interface gives it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinksApi {
    links_url: Url,
    region: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    #[serde(default)]
    resolve: HashMap<String, SocketAddr>,
    /// The chat that this is for, where it is not for all.
    pub(super) wa_id: Option<String>,
}

/// A call of the API, by its path beside `/links`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Links,
    Confirmations,
    Disconnect,
}

/// The API, and everything that a call of it needs.
pub(super) struct Api {
    links_url: Url,
    region: String,
    credentials: Credentials,
    client: reqwest::Client,
}

/// What a call was answered.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// Why the bot has no answer from the API.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("the bot does not know where POST /links is: configure it by POST /control/bot")]
    NotConfigured,
    #[error("cannot build the HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("cannot sign the request")]
    Sign,
    #[error("cannot reach the API")]
    Send(#[source] reqwest::Error),
}

impl Call {
    /// As people name it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Links => "POST /links",
            Self::Confirmations => "POST /confirmations",
            Self::Disconnect => "POST /connections/disconnect",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Links => "links",
            Self::Confirmations => "confirmations",
            Self::Disconnect => "connections/disconnect",
        }
    }
}

impl Api {
    pub(super) fn new(api: LinksApi) -> Result<Self, AskError> {
        let LinksApi { links_url, region, access_key_id, secret_access_key, session_token, resolve, .. } = api;
        // It fails only if a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = resolve
            .iter()
            .fold(reqwest::Client::builder(), |client, (host, address)| client.resolve(host, *address))
            .timeout(Duration::from_secs(30))
            .build()
            .map_err(AskError::Client)?;
        let credentials = Credentials::new(access_key_id, secret_access_key, session_token, None, "sandbox bot");
        Ok(Self { links_url, region, credentials, client })
    }

    /// Calls the API; the answer, whatever its status.
    pub(super) async fn call(&self, call: Call, body: &Value) -> Result<Answer, AskError> {
        let url = self.links_url.join(call.path()).map_err(|_| AskError::Sign)?;
        let request = self.signed(&url, body.to_string()).ok_or(AskError::Sign)?;
        let response = self.client.execute(request).await.map_err(AskError::Send)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(AskError::Send)?;
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    fn signed(&self, url: &Url, body: String) -> Option<reqwest::Request> {
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("execute-api")
            .time(signing_time())
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let signable =
            SignableRequest::new("POST", url.as_str(), headers.into_iter(), SignableBody::Bytes(body.as_bytes()))
                .ok()?;
        let (instructions, _) = sign(signable, &params).ok()?.into_parts();
        let mut request = headers
            .into_iter()
            .fold(http::Request::post(url.as_str()), |request, (name, value)| request.header(name, value))
            .body(body)
            .ok()?;
        instructions.apply_to_request_http1x(&mut request);
        reqwest::Request::try_from(request).ok()
    }
}
