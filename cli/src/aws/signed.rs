//! A request that is signed as AWS's own are (Signature Version 4), where no SDK client makes it.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use reqwest::{Method, StatusCode, Url};
use shared::Timestamp;

use aws_types::SdkConfig;

use super::config::region;
use crate::{
    error::Error,
    http::{client_for, word_for},
};

/// What is asked of a service, and of which.
pub(crate) struct SignedRequest<'a> {
    /// What it is for, in words.
    pub(crate) doing: &'static str,
    /// The service's name in the signature.
    pub(crate) service: &'static str,
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    /// JSON; empty for none.
    pub(crate) body: String,
}

impl SignedRequest<'_> {
    /// Signs it with the operator's credentials, sends it once, and returns status and body of the answer.
    pub(crate) async fn send(self, aws: &SdkConfig, now: Timestamp) -> Result<(StatusCode, Vec<u8>), Error> {
        let failed = |why: &str| Error::failed(self.doing, why);
        let unsigned = || failed("the request cannot be signed");
        let url: Url = self.url.parse().map_err(|_| failed("the service's address is none"))?;
        let provider = aws.credentials_provider().ok_or_else(|| failed("there are no AWS credentials"))?;
        let credentials = provider.provide_credentials().await.map_err(|error| failed(&error.to_string()))?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region(aws))
            .name(self.service)
            .time(UNIX_EPOCH + Duration::from_millis(now.millis()))
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| unsigned())?
            .into();
        let headers = [("content-type", "application/json")];
        let body = SignableBody::Bytes(self.body.as_bytes());
        let signable = SignableRequest::new(self.method.as_str(), self.url, headers.into_iter(), body);
        let (signature, _) = sign(signable.map_err(|_| unsigned())?, &parameters).map_err(|_| unsigned())?.into_parts();

        let mut request = client_for(&url)?.request(self.method.clone(), url).body(self.body);
        for (name, value) in headers.into_iter().chain(signature.headers()) {
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(|error| Error::failed(self.doing, word_for(&error)))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| Error::failed(self.doing, word_for(&error)))?;
        Ok((status, body.into()))
    }
}
