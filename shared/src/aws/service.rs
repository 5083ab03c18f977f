//! A service of AWS, as functions call it: the SDK's operations, signer, retries and time-outs without its generated client.
//!
//! What a function's calls do not need is left out, because it is on the way that people wait for: the rules for endpoints,
//! which come with a table of all partitions in each service's client, telemetry, and the SDK's description of itself.
//! Decision record 0019 has the figures. Tools use the SDK's own clients.

use std::{error::Error, fmt};

use aws_runtime::{
    auth::sigv4::{self, SigV4AuthScheme},
    recursion_detection::RecursionDetectionInterceptor,
    service_clock_skew::ServiceClockSkewInterceptor,
};
use aws_smithy_runtime::client::{
    defaults::{DefaultPluginParams, default_retry_config_plugin_v2},
    http::connection_poisoning::ConnectionPoisoningInterceptor,
    identity::IdentityCache,
    orchestrator::{self, AuthSchemeAndEndpointOrchestrationV2, endpoints::StaticUriEndpointResolver},
    retries::classifiers::HttpStatusCodeClassifier,
};
use aws_smithy_runtime_api::client::{
    auth::{SharedAuthScheme, SharedAuthSchemeOptionResolver, static_resolver::StaticAuthSchemeOptionResolver},
    behavior_version::BehaviorVersion,
    endpoint::SharedEndpointResolver,
    interceptors::{SharedInterceptor, context},
    orchestrator::HttpResponse,
    result,
    runtime_components::RuntimeComponentsBuilder,
    runtime_plugin::{Order, RuntimePlugin, RuntimePlugins, SharedRuntimePlugin, StaticRuntimePlugin},
    stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_smithy_types::{config_bag::Layer, error::operation::BuildError};
use aws_types::{SdkConfig, SigningName, region::SigningRegion};

use super::{http, partition};

/// Why a call has failed, with the error that its operation has.
pub type SdkError<E> = result::SdkError<E, HttpResponse>;

/// What an operation is asked: the SDK's builder of its input. The `requests!` of a service's adapter makes it one.
pub trait Request {
    /// The operation: how the SDK writes its input, reads its output, and tells which errors are worth a retry.
    type Operation: RuntimePlugin + Default + 'static;
    /// What the builder builds.
    type Input: fmt::Debug + Send + Sync + 'static;
    /// What a success answers.
    type Output: fmt::Debug + Send + Sync + 'static;
    /// What a refusal answers.
    type Error: Error + Send + Sync + 'static;
    /// The operation's name in the service's API.
    const NAME: &'static str;

    /// The input.
    ///
    /// # Errors
    /// [`BuildError`], where the SDK requires what it lacks.
    fn input(self) -> Result<Self::Input, BuildError>;
}

/// Makes builders of the SDK [`Request`]s.
macro_rules! requests {
    ($sdk:ident: $($module:ident {
        $builder:ident -> $operation:ident($input:ident) -> $output:ident, $error:ident
    })+) => {$(
        impl $crate::aws::service::Request for $sdk::operation::$module::builders::$builder {
            type Operation = $sdk::operation::$module::$operation;
            type Input = $sdk::operation::$module::$input;
            type Output = $sdk::operation::$module::$output;
            type Error = $sdk::operation::$module::$error;
            const NAME: &'static str = stringify!($operation);

            fn input(self) -> Result<Self::Input, ::aws_smithy_types::error::operation::BuildError> {
                self.build()
            }
        }
    )+};
}
pub(crate) use requests;

/// A service of AWS in a region. Clones are cheap, and share connections and the retries' token bucket.
#[derive(Clone)]
pub struct Service {
    name: &'static str,
    plugins: RuntimePlugins,
}

impl Service {
    /// The service with this name, as it is in endpoints and signatures (`sqs`), in the configuration's region; no connection
    /// is opened yet.
    #[must_use]
    pub fn new(config: &SdkConfig, name: &'static str) -> Self {
        let plugins = RuntimePlugins::new()
            .with_client_plugins(retries(config, name))
            .with_client_plugin(components(config, name).with_config(settings(config, name).freeze()));
        Self { name, plugins }
    }

    /// The same service, which is asked nothing: a call is prepared and signed, and answered with `{}`.
    #[must_use]
    pub fn dry_run(&self) -> Self {
        let mut components = RuntimeComponentsBuilder::new("dry run");
        components.set_http_client(Some(http::dry_run()));
        let plugin = StaticRuntimePlugin::new().with_order(Order::Overrides).with_runtime_components(components);
        Self { name: self.name, plugins: self.plugins.clone().with_operation_plugin(plugin) }
    }

    /// Calls an operation: up to the configuration's number of attempts, within its time-outs.
    ///
    /// # Errors
    /// [`SdkError`].
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "the operation's own deserialiser makes its outputs and errors"
    )]
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Output, SdkError<R::Error>> {
        let input = context::Input::erase(request.input().map_err(SdkError::construction_failure)?);
        let plugins = self.plugins.clone().with_operation_plugin(R::Operation::default());
        match Box::pin(orchestrator::invoke(self.name, R::NAME, input, &plugins)).await {
            Ok(output) => Ok(output.downcast().expect("an output of this operation")),
            Err(error) => Err(error.map_service_error(|error| error.downcast().expect("an error of this operation"))),
        }
    }
}

/// Not derived: that prints configuration.
impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The SDK's standard retries. Clients of one service and region share a token bucket.
fn retries(config: &SdkConfig, name: &str) -> Option<SharedRuntimePlugin> {
    let partition = config.region().map_or_else(|| name.to_owned(), |region| format!("{name}-{region}"));
    let params = DefaultPluginParams::new()
        .with_retry_partition_name(partition)
        .with_behavior_version(BehaviorVersion::v2026_01_12())
        .with_is_aws_sdk(true);
    default_retry_config_plugin_v2(&params)
}

/// What calls are made with.
fn components(config: &SdkConfig, name: &'static str) -> StaticRuntimePlugin {
    let scheme = SharedAuthSchemeOptionResolver::new(StaticAuthSchemeOptionResolver::new(vec![sigv4::SCHEME_ID]));
    let endpoint = SharedEndpointResolver::new(StaticUriEndpointResolver::uri(endpoint(config, name)));
    let mut components = RuntimeComponentsBuilder::new(name);
    components
        .set_http_client(config.http_client())
        .set_sleep_impl(config.sleep_impl())
        .set_time_source(config.time_source())
        .set_endpoint_resolver(Some(endpoint))
        .set_auth_scheme_option_resolver(Some(scheme))
        .push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
        // Without one credentials are taken anew for each call: those of a function's environment cost nothing.
        .set_identity_cache(config.identity_cache().or_else(|| Some(IdentityCache::no_cache())))
        .push_retry_classifier(HttpStatusCodeClassifier::default())
        .push_interceptor(SharedInterceptor::permanent(ConnectionPoisoningInterceptor::new()))
        .push_interceptor(SharedInterceptor::permanent(ServiceClockSkewInterceptor::new()))
        // Lambda ends loops of functions by the trace header (Lambda Developer Guide, "Recursive loop detection").
        .push_interceptor(SharedInterceptor::permanent(RecursionDetectionInterceptor::new()));
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(sigv4::SCHEME_ID, credentials);
    }
    StaticRuntimePlugin::new().with_runtime_components(components)
}

/// What calls are made by.
fn settings(config: &SdkConfig, name: &'static str) -> Layer {
    let mut settings = Layer::new(name);
    settings.store_put(SigningName::from_static(name));
    settings.store_or_unset(config.region().cloned().map(SigningRegion::from));
    settings.store_or_unset(config.retry_config().cloned());
    settings.store_or_unset(config.timeout_config().cloned());
    let stalled_streams = config.stalled_stream_protection();
    settings.store_put(stalled_streams.unwrap_or_else(StalledStreamProtectionConfig::disabled));
    settings.store_put(AuthSchemeAndEndpointOrchestrationV2);
    settings
}

/// The configuration's own endpoint for all services, or AWS's.
fn endpoint(config: &SdkConfig, name: &str) -> String {
    let region = config.region().map(AsRef::as_ref).unwrap_or_default();
    config.endpoint_url().map_or_else(|| partition::endpoint(name, region), str::to_owned)
}

#[cfg(all(test, feature = "bot", feature = "kms", feature = "dynamodb", feature = "secrets"))]
#[allow(clippy::unwrap_used, reason = "tests, which clippy takes for other code")]
mod tests;
