//! The AWS clients' configuration, and the adapters of services that several functions speak to.

use std::{error::Error, time::Duration};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_types::{error::metadata::ProvideErrorMetadata, retry::RetryConfig, timeout::TimeoutConfig};
pub use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::{SettingError, Settings};

pub mod http;
#[cfg(feature = "kms")]
pub mod kms;
#[cfg(feature = "records")]
pub mod records;
mod roots;
#[cfg(feature = "secrets")]
pub mod secrets;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);
const ATTEMPTS: u32 = 3;

/// The configuration that all clients of a function share: credentials from the function's
/// environment (there is no other source in Lambda, and the default chain costs start time),
/// one HTTP client with ring for TLS and the roots of `roots.rs`, short time-outs, three tries.
///
/// `AWS_ENDPOINT_URL` leads elsewhere than AWS, as in every AWS SDK.
///
/// # Errors
/// [`SettingError`] where Lambda's own variables are missing.
pub fn config(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<SdkConfig, SettingError> {
    let credentials = Credentials::new(
        settings.required("AWS_ACCESS_KEY_ID")?,
        settings.required("AWS_SECRET_ACCESS_KEY")?,
        settings.optional("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let region = settings.required("AWS_REGION")?;
    let roots = roots::for_aws(settings, &region);
    if roots.is_empty() {
        return Err(SettingError::Invalid { name: "SSL_CERT_FILE", why: "no certificates to trust".to_owned() });
    }
    let mut config = SdkConfig::builder()
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http::client(roots, CONNECT_TIMEOUT))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SystemTimeSource::new())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        );
    if let Some(url) = settings.optional("AWS_ENDPOINT_URL") {
        config.set_endpoint_url(Some(url));
    }
    Ok(config.build())
}

/// What an AWS client's error says: the service's code and message, or what kept the call from
/// being answered.
///
/// For logs, in place of the SDK's `DisplayErrorContext`, which prints the response with its body:
/// a secret, a plaintext or an item.
#[must_use]
pub fn describe(error: &(impl Error + ProvideErrorMetadata)) -> String {
    if let Some(code) = error.code() {
        return format!("{code}: {}", error.message().unwrap_or("no message"));
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
