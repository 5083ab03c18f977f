//! A request with AWS's signature (Signature Version 4): for an API of our own, which no SDK has a client for, and for
//! the question whose account it is.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_types::SdkConfig;
use reqwest::{StatusCode, Url};
use shared::Timestamp;

use super::config::region;
use crate::{
    error::Error,
    http::{client_for, failure},
};

/// A `POST` that is signed.
pub(crate) struct Signed<'a> {
    /// What it is for: `cannot <action>: …`.
    pub(crate) action: &'a str,
    pub(crate) url: &'a str,
    /// The service's name in a signature.
    pub(crate) service: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) body: String,
}

/// The response.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The server's time, as HTTP writes it.
    pub(crate) date: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Signed<'_> {
    /// Sends it once, signed with the operator's credentials; returns the response.
    pub(crate) async fn post(self, aws: &SdkConfig, now: Timestamp) -> Result<Answer, Error> {
        let Self { action, url, service, content_type, body } = self;
        let failed = |why: &str| Error::failed(action, why);
        let unsigned = || failed("the request cannot be signed");
        let parsed: Url = url.parse().map_err(|_| failed("the API's URL is invalid"))?;
        let provider = aws.credentials_provider().ok_or_else(|| failed("no AWS credentials; run `aws configure`"))?;
        let credentials = provider.provide_credentials().await.map_err(|error| failed(&error.to_string()))?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region(aws))
            .name(service)
            .time(UNIX_EPOCH + Duration::from_millis(now.millis()))
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| unsigned())?
            .into();
        let headers = [("content-type", content_type)];
        let signable = SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()));
        let (signature, _) = sign(signable.map_err(|_| unsigned())?, &parameters).map_err(|_| unsigned())?.into_parts();

        let mut request = client_for(&parsed)?.post(parsed).body(body);
        for (name, value) in headers.into_iter().chain(signature.headers()) {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|error| failed(failure(&error)))?;
        let status = response.status();
        let date = response.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
        let body = response.bytes().await.map_err(|error| failed(failure(&error)))?;
        Ok(Answer { status, date, body: body.into() })
    }
}
