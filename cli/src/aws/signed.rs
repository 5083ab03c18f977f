//! A request with AWS's signature (Signature Version 4): for an API of our own, which no SDK has a client for, and for
//! services that are asked one question each.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_types::SdkConfig;
use reqwest::{Method, StatusCode, Url};
use shared::{Timestamp, aws::partition};

use super::{
    config::{endpoint, region},
    foreign::{Form, foreign},
};
use crate::{
    error::Error,
    http::{client_for, failure},
};

/// The name in signatures of an API that is the stack's own, whose answers have a form of their own.
const OWN_API: &str = "execute-api";

/// A request that is signed.
pub(crate) struct Signed<'a> {
    /// What it is for: `cannot <action>: …`.
    pub(crate) action: &'a str,
    pub(crate) url: &'a str,
    /// The service's name in a signature.
    pub(crate) service: &'a str,
    pub(crate) content_type: &'a str,
    /// The operation, where the URL does not name it (`X-Amz-Target`).
    pub(crate) target: Option<&'a str>,
    pub(crate) body: String,
}

/// Where a service is: at the endpoint that the settings give it by its id, or in the region by its host's name.
pub(super) fn base_url(aws: &SdkConfig, service_id: &str, host: &str) -> String {
    let is_set = |flag: Option<bool>| flag == Some(true);
    let own = endpoint(aws, service_id).map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    own.unwrap_or_else(|| regional(host, region(aws), is_set(aws.use_fips()), is_set(aws.use_dual_stack())))
}

/// A service in a region (<https://docs.aws.amazon.com/general/latest/gr/rande.html>).
fn regional(service: &str, region: &str, fips: bool, dual_stack: bool) -> String {
    // In GovCloud the usual endpoints are the validated ones, but for those with two stacks.
    let fips = if fips && (dual_stack || !region.starts_with("us-gov-")) { "-fips" } else { "" };
    let domain = match partition::domain(region) {
        "amazonaws.com" if dual_stack => "api.aws",
        "amazonaws.com.cn" if dual_stack => "api.amazonwebservices.com.cn",
        domain => domain,
    };
    format!("https://{service}{fips}.{region}.{domain}")
}

/// The response.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The server's time, as HTTP writes it.
    pub(crate) date: Option<String>,
    pub(crate) body: Vec<u8>,
    /// What it is, where it is neither AWS's nor of the stack's own API.
    pub(super) foreign: Option<String>,
}

impl Signed<'_> {
    /// Sends it once as a `POST`, signed with the operator's credentials; returns the response.
    pub(crate) async fn post(self, aws: &SdkConfig, now: Timestamp) -> Result<Answer, Error> {
        self.send(Method::POST, aws, now).await
    }

    /// The same as a `GET`, which has no body.
    pub(crate) async fn get(self, aws: &SdkConfig, now: Timestamp) -> Result<Answer, Error> {
        self.send(Method::GET, aws, now).await
    }

    async fn send(self, method: Method, aws: &SdkConfig, now: Timestamp) -> Result<Answer, Error> {
        let Self { action, url, service, content_type, target, body } = self;
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
        let target = target.map(|target| ("x-amz-target", target));
        let headers = || [("content-type", content_type)].into_iter().chain(target);
        let signable = SignableRequest::new(method.as_str(), url, headers(), SignableBody::Bytes(body.as_bytes()));
        let (signature, _) = sign(signable.map_err(|_| unsigned())?, &parameters).map_err(|_| unsigned())?.into_parts();

        let mut request = client_for(&parsed)?.request(method, parsed).body(body);
        for (name, value) in headers().chain(signature.headers()) {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|error| failed(failure(&error)))?;
        let status = response.status();
        let headers = response.headers().clone();
        let header = |name: &str| headers.get(name)?.to_str().ok();
        let body = response.bytes().await.map_err(|error| failed(failure(&error)))?;
        let is_own = service == OWN_API;
        let form = Form::answered_to(content_type);
        let foreign = if is_own { None } else { foreign(form, status.as_u16(), header, &body) };
        Ok(Answer { status, date: header("date").map(str::to_owned), body: body.into(), foreign })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_at_the_endpoint_that_the_settings_ask_for() {
        assert_eq!(regional("sts", "eu-west-1", false, false), "https://sts.eu-west-1.amazonaws.com");
        assert_eq!(regional("sts", "us-east-1", true, false), "https://sts-fips.us-east-1.amazonaws.com");
        assert_eq!(regional("logs", "us-east-1", false, true), "https://logs.us-east-1.api.aws");
        assert_eq!(regional("sts", "us-east-1", true, true), "https://sts-fips.us-east-1.api.aws");
        assert_eq!(regional("sts", "us-gov-west-1", true, false), "https://sts.us-gov-west-1.amazonaws.com");
        assert_eq!(regional("sts", "us-gov-west-1", true, true), "https://sts-fips.us-gov-west-1.api.aws");
        assert_eq!(regional("logs", "cn-north-1", false, true), "https://logs.cn-north-1.api.amazonwebservices.com.cn");
        assert_eq!(regional("sts", "cn-north-1", false, false), "https://sts.cn-north-1.amazonaws.com.cn");
    }
}
