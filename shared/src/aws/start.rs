//! How a function starts: connections to AWS are opened first, and while they open the function prepares itself.
//!
//! Lambda gives a function a full core until it asks for its first event, and most of opening a connection is waiting:
//! for a name, for the peer's keys. Every `main` is therefore the same few lines, without a branch:
//! [`Start::begin`], the function's own constructor, [`Start::finish`], `run`.

use std::{pin::Pin, thread, time::Duration};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::{
    rt::sleep::{SharedAsyncSleep, TokioSleep},
    time::SystemTimeSource,
};
use aws_smithy_runtime_api::client::{
    http::SharedHttpClient, stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, region::Region};
use hyper::Uri;
use tokio::{
    task::yield_now,
    time::{Instant, timeout, timeout_at},
};
use tracing::warn;

use super::{
    http::{self, Connector},
    partition, roots,
};
use crate::{SettingError, Settings, logging};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);
const ATTEMPTS: u32 = 3;

/// For a whole start. Lambda ends one that takes 10 s, and begins it again within the first request's time (Lambda
/// Developer Guide, "Lambda execution environment lifecycle").
const START_DEADLINE: Duration = Duration::from_secs(7);

/// For what is opened later: a request that comes meanwhile waits, and need not need it.
const LATER_DEADLINE: Duration = Duration::from_secs(2);

/// What AWS's SDKs take from the environment (AWS SDKs and Tools Reference Guide, "Settings reference"), and a function
/// does not: to ask another endpoint than the operator has meant would be worse than not to start. A profile's file may
/// hold all the others.
const UNSUPPORTED: [&str; 13] = [
    "AWS_CONFIG_FILE",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_EVENTBRIDGE",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_PROFILE",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];
/// The same, where it is `true`.
const UNSUPPORTED_FLAGS: [&str; 3] =
    ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT"];

/// A start that is under way: connections are being opened, and logs are written.
#[derive(Debug)]
pub struct Start {
    aws: SdkConfig,
    connector: Connector,
    deadline: Instant,
}

impl Start {
    /// Begins to open a connection to each of these services, named as in their endpoints (`sqs`); a service that is
    /// named twice gets two. Then logging starts.
    ///
    /// # Errors
    /// [`SettingError`] if one of Lambda's own variables is missing, `LOG_LEVEL` is invalid, `SSL_CERT_FILE` names no
    /// certificates, or a variable asks for endpoints or proxies that a function does not know.
    pub async fn begin(
        settings: &Settings<impl Fn(&str) -> Option<String>>,
        services: &[&str],
    ) -> Result<Self, SettingError> {
        let deadline = Instant::now() + START_DEADLINE;
        let (client, connector) = http_client(settings)?;
        let endpoints = services.iter().filter_map(|service| endpoint(settings, service).transpose());
        open(&connector, &endpoints.collect::<Result<Vec<_>, _>>()?).await;
        let aws = sdk_config(settings, client)?;
        logging::start(settings)?;
        Ok(Self { aws, connector, deadline })
    }

    /// The configuration for the function's AWS clients; see [`config`].
    #[must_use]
    pub fn aws(&self) -> &SdkConfig {
        &self.aws
    }

    /// Connections to these services, which are opened later: what the first response does not need is not to delay it.
    ///
    /// # Errors
    /// [`SettingError`] if one of Lambda's own variables is missing.
    pub fn later(
        &self,
        settings: &Settings<impl Fn(&str) -> Option<String>>,
        services: &[&str],
    ) -> Result<Later, SettingError> {
        let endpoints = services.iter().filter_map(|service| endpoint(settings, service).transpose());
        Ok(Later { connector: self.connector.clone(), endpoints: endpoints.collect::<Result<_, _>>()? })
    }

    /// Warms the function up while the connections open, and then waits for those that still do.
    ///
    /// The wait ends after the time of one request: what is not connected by then connects when a request needs it.
    /// Without the wait, Lambda would freeze the function in the middle of a handshake. Whatever hangs, the whole start
    /// ends at its deadline, and a request repeats what was left undone.
    ///
    /// The future is boxed, since a page of stack costs as much as a page of heap, and stack frames are touched whole.
    pub fn finish(self, warm_up: impl Future<Output = ()>) -> Pin<Box<impl Future<Output = ()>>> {
        Box::pin(async move {
            let ready = async {
                yield_to_io().await;
                warm_up.await;
                if timeout(ATTEMPT_TIMEOUT, self.connector.wait()).await.is_err() {
                    warn!("connections not opened in time");
                }
            };
            if timeout_at(self.deadline, ready).await.is_err() {
                warn!("start not finished in time");
            }
        })
    }
}

/// Connections that are opened later than at the start.
#[derive(Debug)]
pub struct Later {
    connector: Connector,
    endpoints: Vec<Uri>,
}

impl Later {
    /// Begins to open them, makes calls that take them, and then waits for those that still open; two seconds at most. What is
    /// left undone is done when a request needs it.
    pub async fn open(self, calls: impl Future<Output = ()>) {
        for endpoint in self.endpoints {
            self.connector.open_ahead(endpoint);
        }
        let ready = async {
            calls.await;
            self.connector.wait().await;
        };
        if timeout(LATER_DEADLINE, ready).await.is_err() {
            warn!("not ready in time");
        }
    }
}

/// The configuration that all AWS clients of a function share: credentials from the function's environment (Lambda has
/// no other source, and the SDK's default chain costs start time), one HTTP client with ring for TLS, short time-outs,
/// three attempts.
///
/// `AWS_ENDPOINT_URL` replaces AWS's endpoints, as in every AWS SDK. Without a [`Start`], connections open when a
/// request needs them.
///
/// # Errors
/// [`SettingError`] if one of Lambda's own variables is missing, `SSL_CERT_FILE` names no certificates, or a variable asks
/// for endpoints or proxies that a function does not know.
pub fn config(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<SdkConfig, SettingError> {
    let (client, _) = http_client(settings)?;
    sdk_config(settings, client)
}

/// Begins to open a connection to each of these endpoints.
///
/// Names are resolved by threads of tokio's. The system's resolver has no limit that could be set here, and on the only
/// thread of the runtime it would stop every deadline.
async fn open(connector: &Connector, endpoints: &[Uri]) {
    for endpoint in endpoints {
        connector.open_ahead(endpoint.clone());
    }
    yield_now().await;
    // The threads that resolve the names may be scheduled behind this one.
    for _ in endpoints {
        thread::yield_now();
    }
    yield_to_io().await;
}

/// Lets connections that are being opened take the steps that they are ready for: once a name is resolved TCP can
/// connect, once it is connected TLS can begin.
async fn yield_to_io() {
    for _step in ["connect", "begin TLS"] {
        yield_now().await;
    }
}

/// The endpoint that the SDK will use for a service; `None` if `AWS_ENDPOINT_URL` is not a URL, which the SDK reports.
fn endpoint(settings: &Settings<impl Fn(&str) -> Option<String>>, service: &str) -> Result<Option<Uri>, SettingError> {
    let region = settings.required("AWS_REGION")?;
    let url = settings.optional("AWS_ENDPOINT_URL");
    let url = url.unwrap_or_else(|| partition::endpoint(service, &region));
    Ok(url.parse().ok())
}

/// A variable that asks for endpoints or proxies that a function does not know: with it, no function starts.
pub fn unsupported(variable: impl Fn(&'static str) -> Option<String>) -> Option<&'static str> {
    let is_true = |name: &&'static str| variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let set = UNSUPPORTED.into_iter().find(|name| variable(name).is_some());
    set.or_else(|| UNSUPPORTED_FLAGS.into_iter().find(is_true))
}

fn http_client(
    settings: &Settings<impl Fn(&str) -> Option<String>>,
) -> Result<(SharedHttpClient, Connector), SettingError> {
    if let Some(name) = unsupported(|name| settings.optional(name)) {
        return Err(SettingError::Invalid { name, why: "functions do not support it; remove it".to_owned() });
    }
    let roots = roots::for_aws(settings, &settings.required("AWS_REGION")?);
    if roots.is_empty() {
        return Err(SettingError::Invalid { name: "SSL_CERT_FILE", why: "no certificates to trust".to_owned() });
    }
    Ok(http::client_and_connector(roots, CONNECT_TIMEOUT))
}

fn sdk_config(
    settings: &Settings<impl Fn(&str) -> Option<String>>,
    http_client: SharedHttpClient,
) -> Result<SdkConfig, SettingError> {
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
        .http_client(http_client)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SystemTimeSource::new())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        // It is for streams of unknown length: ours are small, and the time-outs end those that stall.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
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

#[cfg(all(test, feature = "bot", feature = "kms", feature = "dynamodb", feature = "secrets"))]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    /// Those of a function whose AWS is at this URL.
    fn settings(url: &str) -> Settings<impl Fn(&str) -> Option<String>> {
        Settings::new(|name: &str| match name {
            "AWS_ENDPOINT_URL" => Some(url.to_owned()),
            "AWS_REGION" | "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("any".to_owned()),
            _ => None,
        })
    }

    #[tokio::test]
    async fn a_start_opens_a_connection_to_each_service_and_waits_for_them() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let settings = settings(&url);
        let start = Start::begin(&settings, &["sqs", "kms", "kms"]).await.unwrap();
        start.finish(async {}).await;
        for _ in ["sqs", "kms", "kms"] {
            listener.accept().await.unwrap();
        }
        assert!(timeout(Duration::from_millis(10), listener.accept()).await.is_err(), "one more was opened");
    }

    /// A server that accepts connections and says nothing, so that TLS never begins.
    #[allow(clippy::unwrap_used, reason = "a helper of tests, which clippy takes for other code")]
    async fn silent() -> (TcpListener, String) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        (listener, url)
    }

    #[tokio::test]
    async fn a_start_ends_in_time_whatever_hangs() {
        let (_listener, url) = silent().await;
        let settings = settings(&url);
        // TLS alone hangs, then a call of the warm-up too; the third warm-up ends shortly before the deadline.
        for (warm_up, limit) in [(0, ATTEMPT_TIMEOUT), (3_600, START_DEADLINE), (6, START_DEADLINE)] {
            let start = Start::begin(&settings, &["sqs", "kms"]).await.unwrap();
            tokio::time::pause();
            let begun = Instant::now();
            start.finish(tokio::time::sleep(Duration::from_secs(warm_up))).await;
            // The timer's resolution is a millisecond.
            assert!(begun.elapsed() <= limit + Duration::from_millis(10), "{warm_up} s: {:?}", begun.elapsed());
            tokio::time::resume();
        }
        assert!(START_DEADLINE < Duration::from_secs(10), "Lambda's limit");
    }

    #[tokio::test]
    async fn what_is_opened_later_holds_up_the_next_request_for_two_seconds_at_most() {
        let (_listener, url) = silent().await;
        let settings = settings(&url);
        for call in [0, 3_600] {
            let start = Start::begin(&settings, &[]).await.unwrap();
            let later = start.later(&settings, &["kms"]).unwrap();
            tokio::time::pause();
            let begun = Instant::now();
            later.open(tokio::time::sleep(Duration::from_secs(call))).await;
            // The timer's resolution is a millisecond.
            assert!(begun.elapsed() <= LATER_DEADLINE + Duration::from_millis(10), "{call} s: {:?}", begun.elapsed());
            tokio::time::resume();
        }
    }

    #[tokio::test]
    async fn an_endpoint_or_proxy_that_would_be_passed_over_keeps_the_function_from_starting() {
        let started = async |name: &str, value: &str| {
            let settings = Settings::new(|asked: &str| match asked {
                _ if asked == name => Some(value.to_owned()),
                "AWS_ENDPOINT_URL" => Some("http://127.0.0.1:9".to_owned()),
                "AWS_REGION" | "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("any".to_owned()),
                _ => None,
            });
            Start::begin(&settings, &[]).await.map(drop).map_err(|error| error.to_string())
        };
        for (name, value) in [
            ("AWS_USE_FIPS_ENDPOINT", "true"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "TRUE"),
            ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9"),
            ("AWS_CONFIG_FILE", "/opt/config"),
            ("https_proxy", "http://127.0.0.1:9"),
            ("ALL_PROXY", "socks5://127.0.0.1:9"),
        ] {
            let refused = started(name, value).await.unwrap_err();
            assert!(refused.starts_with(&format!("the setting {name} is invalid")), "{refused}");
        }
        assert_eq!(started("AWS_USE_FIPS_ENDPOINT", "false").await, Ok(()));
        assert_eq!(started("NO_PROXY", "*").await, Ok(()));
    }

    /// The URL that the SDK's own rules give a service.
    macro_rules! url_by_sdk {
        ($sdk:ident, $region:expr) => {{
            use $sdk::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
            let params = Params::builder().region($region).build().unwrap();
            DefaultResolver::new().resolve_endpoint(&params).await.unwrap().url().to_owned()
        }};
    }

    #[tokio::test]
    async fn connections_are_opened_to_the_endpoints_that_the_sdk_uses() {
        for region in partition::tests::REGIONS {
            let settings = Settings::new(|name: &str| (name == "AWS_REGION").then(|| region.to_owned()));
            for (service, url) in [
                ("dynamodb", url_by_sdk!(aws_sdk_dynamodb, region)),
                ("events", url_by_sdk!(aws_sdk_eventbridge, region)),
                ("kms", url_by_sdk!(aws_sdk_kms, region)),
                ("secretsmanager", url_by_sdk!(aws_sdk_secretsmanager, region)),
                ("sqs", url_by_sdk!(aws_sdk_sqs, region)),
            ] {
                assert_eq!(endpoint(&settings, service).unwrap(), Some(url.parse().unwrap()), "{service} {region}");
            }
        }
    }
}
