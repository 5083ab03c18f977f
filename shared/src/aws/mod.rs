//! The AWS clients' configuration, and the adapters of services that several functions speak to.

use std::{error::Error, thread, time::Duration};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::{error::metadata::ProvideErrorMetadata, retry::RetryConfig, timeout::TimeoutConfig};
pub use aws_types::SdkConfig;
use aws_types::region::Region;
use hyper::Uri;
use pow as _; // for the linker
use tokio::{task::yield_now, time::timeout};
use tracing::warn;

pub use self::error::AwsError;
use self::http::{Http1, Rehearsal};
use crate::{SettingError, Settings};

#[cfg(feature = "dynamodb")]
pub mod dynamodb;
pub mod error;
pub mod http;
#[cfg(feature = "kms")]
pub mod kms;
mod roots;
#[cfg(feature = "secrets")]
pub mod secrets;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);
const ATTEMPTS: u32 = 3;

/// The configuration that all clients of a function share: credentials from the function's
/// environment (there is no other source in Lambda, and the default chain costs start time),
/// one HTTP client with ring for TLS and the roots of `roots`, short time-outs, three tries.
///
/// `AWS_ENDPOINT_URL` leads elsewhere than AWS, as in every AWS SDK.
///
/// # Errors
/// [`SettingError`] where Lambda's own variables are missing.
pub fn config(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<SdkConfig, SettingError> {
    sdk_config(settings, http_client(settings)?)
}

/// The same, with a connection to each of these services on its way: names are as in the endpoints' own, `sqs`.
///
/// Lambda gives a function a full core while it starts, and most of opening a connection is waiting: for a name, for
/// the other side's keys. So a `main` begins with this. [`give_way`] lets the connections go on while the function
/// prepares its first requests, and [`Connections::opened`] waits for them.
///
/// # Errors
/// [`SettingError`] where Lambda's own variables are missing.
pub async fn connect(
    settings: &Settings<impl Fn(&str) -> Option<String>>,
    services: &[&str],
) -> Result<(SdkConfig, Connections), SettingError> {
    let http = http_client(settings)?;
    let places = services.iter().filter_map(|service| endpoint(settings, service).transpose());
    let places = places.collect::<Result<Vec<_>, _>>()?;
    if let [here, elsewhere @ ..] = &places[..] {
        for place in elsewhere {
            http.open_ahead(place.clone());
        }
        yield_now().await;
        // The system resolves their names on threads of their own, which it likes to put behind this one.
        for _ in elsewhere {
            thread::yield_now();
        }
        http.resolve_here(here);
        http.open_ahead(here.clone());
    }
    yield_now().await;
    give_way().await;
    Ok((sdk_config(settings, http.clone())?, Connections(http)))
}

/// Connections on their way.
#[derive(Debug)]
pub struct Connections(Http1);

impl Connections {
    /// Waits for them, but no longer than for a request: Lambda stops a function that has nothing to do, in the midst
    /// of a handshake. What is not opened by then is opened when a request needs it.
    pub async fn opened(&self) {
        if timeout(ATTEMPT_TIMEOUT, self.0.opened()).await.is_err() {
            warn!("connections not opened in time");
        }
    }
}

/// Lets connections that are being opened take the steps that they are ready for: a name is resolved, so TCP can
/// connect; it is connected, so TLS can begin.
pub async fn give_way() {
    for _step in ["connect", "begin TLS"] {
        yield_now().await;
    }
}

/// Makes a call a rehearsal, with `customize().mutate_request(rehearse)`: see [`Rehearsal`].
pub fn rehearse(request: &mut HttpRequest) {
    request.add_extension(Rehearsal);
}

/// Where the SDK will find a service, where that is plain to see.
fn endpoint(settings: &Settings<impl Fn(&str) -> Option<String>>, service: &str) -> Result<Option<Uri>, SettingError> {
    let region = settings.required("AWS_REGION")?;
    let of_aws = || domain(&region).map(|domain| format!("https://{service}.{region}.{domain}"));
    Ok(settings.optional("AWS_ENDPOINT_URL").or_else(of_aws).and_then(|url| url.parse().ok()))
}

/// The domain of AWS's endpoints in a region, but for the isolated ones
/// (<https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>).
fn domain(region: &str) -> Option<&'static str> {
    match region.split('-').next() {
        _ if region.contains("-iso") => None,
        Some("cn") => Some("amazonaws.com.cn"),
        Some("eusc") => Some("amazonaws.eu"),
        _ => Some("amazonaws.com"),
    }
}

fn http_client(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Http1, SettingError> {
    let roots = roots::for_aws(settings, &settings.required("AWS_REGION")?);
    if roots.is_empty() {
        return Err(SettingError::Invalid { name: "SSL_CERT_FILE", why: "no certificates to trust".to_owned() });
    }
    Ok(Http1::new(roots, CONNECT_TIMEOUT))
}

fn sdk_config(settings: &Settings<impl Fn(&str) -> Option<String>>, http: Http1) -> Result<SdkConfig, SettingError> {
    let credentials = Credentials::new(
        settings.required("AWS_ACCESS_KEY_ID")?,
        settings.required("AWS_SECRET_ACCESS_KEY")?,
        settings.optional("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let mut config = SdkConfig::builder()
        .region(Region::new(settings.required("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http.for_sdk())
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

#[cfg(all(test, feature = "bot", feature = "kms", feature = "dynamodb", feature = "secrets"))]
mod tests {
    use super::*;

    /// Where the SDK's own rules have a service.
    macro_rules! found_by_sdk {
        ($sdk:ident, $region:expr) => {{
            use $sdk::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
            let params = Params::builder().region($region).build().unwrap();
            DefaultResolver::new().resolve_endpoint(&params).await.unwrap().url().to_owned()
        }};
    }

    #[tokio::test]
    async fn connections_are_opened_to_where_the_sdk_looks() {
        for region in ["us-east-1", "ap-southeast-4", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"] {
            let settings = Settings::new(|name: &str| (name == "AWS_REGION").then(|| region.to_owned()));
            for (service, found) in [
                ("dynamodb", found_by_sdk!(aws_sdk_dynamodb, region)),
                ("kms", found_by_sdk!(aws_sdk_kms, region)),
                ("secretsmanager", found_by_sdk!(aws_sdk_secretsmanager, region)),
                ("sqs", found_by_sdk!(aws_sdk_sqs, region)),
            ] {
                assert_eq!(endpoint(&settings, service).unwrap(), Some(found.parse().unwrap()), "{service} {region}");
            }
        }
    }

    #[test]
    fn no_connection_is_opened_on_a_guess() {
        let settings = |name: &str| (name == "AWS_REGION").then(|| "us-isob-east-1".to_owned());
        assert_eq!(endpoint(&Settings::new(settings), "sqs").unwrap(), None);
    }
}
